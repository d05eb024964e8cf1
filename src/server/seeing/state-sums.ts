// What was spent in a stretch of time, by whom and of which model: one reading of the ledger for all sums of the dashboard.

import { nextTurn } from '../../ledger/index.js'
import { formatUsd } from '../../money/index.js'
import type { Reports } from '../../report/index.js'
import type { LedgerBook } from '../../tracker/index.js'
import type { Where } from './reach.js'
import type { RestOfRows, SpendRow, StateView } from './views.js'

/** Sums that are still added to. */
interface Sum {
  microcents: bigint
  calls: number
  denials: number
}

/** The spend of one user. */
export interface UserSpend extends Sum {
  readonly userId: string
  readonly tenant: string | null
}

/** Sums of a stretch of time. */
export interface SpendSums {
  readonly all: Sum
  readonly byTenant: ReadonlyMap<string | null, Sum>
  readonly byTier: ReadonlyMap<string | null, Sum>
  readonly byModel: ReadonlyMap<string | null, Sum>
  readonly byUser: ReadonlyMap<string, UserSpend>
}

/** A stretch of time; without an end it goes on. */
export interface Stretch {
  readonly from: number
  readonly until?: number | undefined
}

const HOUR_MS = 3_600_000
const HOURS = 24
/** How many sums are added before the process may turn to something else. */
const ADDED_PER_TURN = 500
/** What has been decided, and how it ended. */
const ALLOWED: readonly string[] = ['settled', 'released', 'expired']

/** The sums of a stretch; nothing of one that is empty. */
export async function sumsIn(ledger: LedgerBook, where: Where, { from, until }: Stretch): Promise<SpendSums> {
  const sums = { all: none(), byTenant: new Map<string | null, Sum>(), byTier: new Map<string | null, Sum>(), byModel: new Map<string | null, Sum>(), byUser: new Map<string, UserSpend>() }
  if (until !== undefined && until <= from) return sums
  for (const [index, sum] of (await ledger.sums({ from, until, where }, ['tenant', 'userId', 'tier', 'model', 'requestedModel'])).entries()) {
    if (index % ADDED_PER_TURN === 0) await nextTurn()
    const [tenant, userId, tier, model, requestedModel] = sum.texts
    if (sum.calls === 0 && sum.denials === 0 && sum.microcents === 0n) continue
    add(sums.all, sum)
    addTo(sums.byTenant, tenant ?? null, sum, none)
    addTo(sums.byTier, tier ?? null, sum, none)
    addTo(sums.byModel, model ?? requestedModel ?? null, sum, none)
    if (userId !== undefined) addTo(sums.byUser, JSON.stringify([tenant ?? null, userId]), sum, () => ({ userId, tenant: tenant ?? null, ...none() }))
  }
  return sums
}

/** The sum of all of several stretches. */
export function allOf(...stretches: readonly SpendSums[]): Sum {
  const all = none()
  for (const sums of stretches) add(all, sums.all)
  return all
}

/** Those of two stretches together that are the largest, the most spent first; at the same spend the most refusals. Never copies them all. */
export function largest<Key, Value extends Sum>(one: ReadonlyMap<Key, Value>, other: ReadonlyMap<Key, Value>, count: number): readonly (readonly [Key, Value])[] {
  let found: (readonly [Key, Value])[] = []
  /** So many are larger already. */
  let tooSmall: Value | undefined
  const take = (key: Key, value: Value): void => {
    if (tooSmall !== undefined && bySize(value, tooSmall) >= 0) return
    found.push([key, value])
    if (found.length < 2 * count) return
    found = found.sort(([, a], [, b]) => bySize(a, b)).slice(0, count)
    tooSmall = found.at(-1)?.[1]
  }
  for (const [key, value] of one) {
    const more = other.get(key)
    take(key, more === undefined ? value : { ...value, microcents: value.microcents + more.microcents, calls: value.calls + more.calls, denials: value.denials + more.denials })
  }
  for (const [key, value] of other) if (!one.has(key)) take(key, value)
  return found.sort(([, a], [, b]) => bySize(a, b)).slice(0, count)
}

/** What those sums of two stretches come to that are not among the shown ones; `counts`: which of them matter. */
export function restOf<Key, Value extends Sum>(one: ReadonlyMap<Key, Value>, other: ReadonlyMap<Key, Value>, shown: readonly (readonly [unknown, Sum])[], counts: (sum: Sum) => boolean = () => true): RestOfRows {
  let count = 0
  const all = none()
  const take = (sum: Sum): void => {
    if (!counts(sum)) return
    count += 1
    add(all, sum)
  }
  for (const [key, value] of one) {
    const more = other.get(key)
    take(more === undefined ? value : { microcents: value.microcents + more.microcents, calls: value.calls + more.calls, denials: value.denials + more.denials })
  }
  for (const [key, value] of other) if (!one.has(key)) take(value)
  for (const [, { microcents, calls }] of shown) {
    all.microcents -= microcents
    all.calls -= calls
  }
  return { count: count - shown.length, spent: usd(all.microcents), calls: all.calls }
}

/** Sums of two stretches by a name, as rows: the largest, and what the others come to. */
export function spendRows(one: ReadonlyMap<string | null, Sum>, other: ReadonlyMap<string | null, Sum>, count: number): { readonly rows: SpendRow[]; readonly more: RestOfRows } {
  const found = largest(one, other, count)
  return { rows: found.map(([name, sum]) => ({ name, ...shownSum(sum) })), more: restOf(one, other, found) }
}

/** A sum in USD. */
export function shownSum({ microcents, calls, denials }: Sum): { readonly spent: number; readonly calls: number; readonly denials: number } {
  return { spent: usd(microcents), calls, denials }
}

/** The last 24 hours of a zone's clock, up to the running one: how many decisions of each action have ended in each, and what was spent. */
export async function lastHours(reports: Reports, where: Where, now: number, offsetMs: number): Promise<StateView['hours']> {
  const running = Math.floor((now + offsetMs) / HOUR_MS) * HOUR_MS - offsetMs
  const first = running - (HOURS - 1) * HOUR_MS
  const zeros = (): number[] => new Array<number>(HOURS).fill(0)
  const hours = { times: zeros().map((_, index) => (first + index * HOUR_MS) / 1_000), allow: zeros(), warn: zeros(), degrade: zeros(), block: zeros(), spent: zeros() }
  const spent = zeros().map(() => 0n)
  for await (const { start, kind, action, entries, denials, exact } of reports.summary({ by: ['hour', 'kind', 'action'], from: first, where })) {
    const index = Math.floor(((start as Date).getTime() - first) / HOUR_MS)
    if (index < 0 || index >= HOURS) continue
    spent[index] = (spent[index] as bigint) + exact.microcents
    const row = action?.toLowerCase() as 'allow' | 'warn' | 'degrade' | undefined
    if (kind === 'denied') hours.block[index] = (hours.block[index] as number) + denials
    else if (ALLOWED.includes(kind as string)) hours[row ?? 'allow'][index] = (hours[row ?? 'allow'][index] as number) + entries
  }
  return { ...hours, spent: spent.map(usd) }
}

/** The double nearest to an exact amount, in USD. */
export function usd(microcents: bigint): number {
  return Number(formatUsd(microcents))
}

function none(): Sum {
  return { microcents: 0n, calls: 0, denials: 0 }
}

function add(to: Sum, { microcents, calls, denials }: Sum): void {
  to.microcents += microcents
  to.calls += calls
  to.denials += denials
}

function addTo<Key, Value extends Sum>(sums: Map<Key, Value>, key: Key, sum: Sum, begin: () => Value): void {
  let known = sums.get(key)
  if (known === undefined) sums.set(key, (known = begin()))
  add(known, sum)
}

function bySize(one: Sum, other: Sum): number {
  if (one.microcents !== other.microcents) return one.microcents > other.microcents ? -1 : 1
  return other.denials - one.denials || other.calls - one.calls
}
