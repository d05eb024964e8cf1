// When a refused request would fit if nothing else changed, and what stood against it. Pure arithmetic on the readings.

import { hits, lowerCeiling, type Ceiling } from '../enforcement/index.js'
import { amountIn, type Amounts } from '../money/index.js'
import { READING_SIZE, type Freeing } from '../store/index.js'
import { NEVER } from '../time/index.js'
import type { Account, JudgedScope, JudgedWindow } from '../tracker/index.js'

/** A window that refuses a request. */
export interface Refusal {
  readonly scope: JudgedScope['scope']
  /** What it is called in a sentence, where not by its kind and id. */
  readonly title: string | undefined
  readonly terms: JudgedWindow
  readonly endsAt: number
  /** At `endsAt` the limit itself ends: nothing follows the window. */
  readonly endsForGood: boolean
  readonly spent: number
  readonly held: number
  /** What the window was tested against: of a block threshold, or of a degrade one where there is nothing cheaper. */
  readonly ceiling: Ceiling
  /** When the request would fit this window, in ms since the epoch; `null`: never. */
  readonly fitsAt: number | null
}

/** The readings of a refused request. */
export interface RefusedReadings {
  readonly readings: readonly number[]
  readonly freeing: ReadonlyMap<number, readonly Freeing[]>
}

/** The windows that refuse a rung. `degradeBlocks`: there a degrade threshold refuses too. */
export function refusalsOf(account: Account, { readings, freeing }: RefusedReadings, amounts: Amounts, degradeBlocks: boolean): Refusal[] {
  const refusals: Refusal[] = []
  let index = 0
  for (const judged of account.scopes) {
    const { scope, windows } = judged
    const until = endOfLimit(judged)
    for (const terms of windows) {
      const at = index * READING_SIZE
      const endsAt = Math.min(readings[at + 1] as number, until)
      const spent = readings[at + 2] as number
      const held = readings[at + 3] as number
      const ceiling = degradeBlocks && terms.degrade !== null ? lowerCeiling(terms.degrade, terms.block) : terms.block
      const amount = amountIn(terms.unit, amounts)
      if (hits(ceiling, spent + held, amount)) {
        const emptied = terms.source.kind === 'calendar' ? fitsNext(ceiling, amount, endsWithItsScope(scope) ? NEVER : endsAt) : fitsWhenFreed(ceiling, amount, spent + held, freeing.get(index) ?? [])
        const fitsAt = until === NEVER ? emptied : Math.min(emptied ?? until, until)
        refusals.push({ scope, title: judged.title, terms, endsAt, endsForGood: endsAt === until && until !== NEVER, spent, held, ceiling, fitsAt })
      }
      index += 1
    }
  }
  return refusals
}

/** When the limit that a scope counts ends, by which no window of it can last longer; `NEVER` for every other scope. */
export function endOfLimit({ limit }: Pick<JudgedScope, 'limit'>): number {
  return limit?.value.until ?? NEVER
}

/** True where nothing follows the end of a window: what a session has spent stays spent. */
export function endsWithItsScope({ kind }: JudgedScope['scope']): boolean {
  return kind === 'session'
}

/** When all of them would let the request through; `null` if one never would. */
export function fitsAllAt(refusals: readonly Refusal[]): number | null {
  return refusals.reduce<number | null>((latest, { fitsAt }) => (latest === null || fitsAt === null ? null : Math.max(latest, fitsAt)), 0)
}

/** The refusal that lasts longest: the one a person must hear of. */
export function lastingLongest(refusals: readonly Refusal[]): Refusal | undefined {
  return [...refusals].sort((a, b) => (b.fitsAt ?? Infinity) - (a.fitsAt ?? Infinity) || b.endsAt - a.endsAt)[0]
}

function fitsNext(ceiling: Ceiling, amount: number, endsAt: number): number | null {
  return endsAt === NEVER || hits(ceiling, 0, amount) ? null : endsAt
}

function fitsWhenFreed(ceiling: Ceiling, amount: number, used: number, freeing: readonly Freeing[]): number | null {
  let left = used
  for (const { at, amount: freed } of freeing) {
    left -= freed
    if (!hits(ceiling, left, amount)) return at
  }
  return null
}
