// What was spent in steps of time, as a ledger tells it: charges where they were charged, and what corrects them taken from there. Spend that
// was assigned to a client later stays where it was: it was not that client's to burn.

import type { SpendSeries } from '../forecast/index.js'
import { ASSIGNED, bucketOf, entriesOf, pageOf, parseFilter, sumsOf, type Conditions, type EntrySource, type LedgerEntry } from '../ledger/index.js'
import type { Unit } from '../money/index.js'
import type { LedgerSink } from '../store/index.js'

/** What was spent in the last so many steps. */
export interface SpentSteps {
  /** When the first step begins; `null` where there is none. */
  readonly since: number | null
  seriesOf(unit: Exclude<Unit, 'requests'>): SpendSeries
}

/** So much of both units. */
interface Spent {
  microcents: bigint
  tokens: bigint
}

const AMOUNTS = ['microcents', 'tokens'] as const
const HOUR_MS = 3_600_000
/** What charges; it is kept in one order, and forgotten in it: what an audit has corrected may be kept longer. */
const CALLS = parseFilter({ where: { kind: ['settled', 'expired', 'recorded'] } })
const CORRECTIONS = parseFilter({ where: { kind: 'corrected' } })
/** What adds to a sum of money, or takes from it. */
const CHARGES = parseFilter({ where: { kind: ['settled', 'expired', 'recorded', 'corrected'] } })
/** Of all that gives the reason of an assignment, what corrects a charge: that says what was held for it. */
const NO_ASSIGNMENT: Conditions = { fields: [{ field: 'reason', texts: [ASSIGNED], orNone: false }], bounds: [{ field: 'estimatedMicrocents', least: 0, most: Infinity }] }

/**
 * From when on (exclusive) the ledger surely has every charge; `null`: from `from` on, or all that ever were. One that begins later has
 * forgotten some, unless it has as many charges as were ever made.
 */
export async function wholeFrom(ledger: LedgerSink, from: number): Promise<number | null> {
  const { entries: [oldest] } = await pageOf(ledger, CALLS, 1)
  if (oldest !== undefined && oldest.at < from) return null
  const { entries: ever } = await ledger.totals()
  const { entries: kept } = await chargedIn(ledger, { fields: [], bounds: [] })
  return kept >= ever ? null : (oldest?.at ?? Infinity)
}

/** What was charged and given back, without what was assigned, which is written beside the sums. */
export async function chargedIn(ledger: EntrySource, conditions: Conditions, boundaries: readonly number[] = []): Promise<Spent & { entries: number }> {
  const all = { microcents: 0n, tokens: 0n, entries: 0 }
  const byReason = await sumsOf(ledger, both(conditions, CHARGES), ['reason'], boundaries)
  const charges = byReason.filter(({ texts: [reason] }) => reason !== ASSIGNED)
  if (charges.length < byReason.length) charges.push(...(await sumsOf(ledger, both(conditions, both(CHARGES, NO_ASSIGNMENT)), [], boundaries)))
  for (const { microcents, tokens, entries } of charges) {
    all.microcents += microcents
    all.tokens += tokens
    all.entries += entries
  }
  return all
}

/** The last so many steps, without those before the first that had any spend: before it, nobody was there to be idle. */
export async function historyOf(ledger: EntrySource, conditions: Conditions, now: number, stepMs: number, steps: number): Promise<SpentSteps> {
  const boundaries = Array.from({ length: Math.max(0, steps) + 1 }, (_, index) => now - (steps - index) * stepMs)
  const spent: Spent[] = boundaries.slice(1).map(() => ({ microcents: 0n, tokens: 0n }))
  let first = spent.length
  if (steps >= 1) {
    for (const { bucket, microcents, tokens } of await sumsOf(ledger, both(conditions, CALLS), [], boundaries)) {
      spent[bucket] = { microcents, tokens }
      first = Math.min(first, bucket)
    }
    await correct(ledger, conditions, spent, boundaries, now)
    first = Math.min(first, indexOfFirst(spent))
  }
  const known = spent.slice(first)
  return {
    since: known.length === 0 ? null : (boundaries[first] as number),
    // Only the sum of a step is never less than nothing.
    seriesOf: (unit) => ({ amounts: known.map(({ microcents, tokens }) => notNegative(unit === 'usd' ? microcents : tokens)), stepMs, stepsPerRhythm: stepMs === HOUR_MS ? 24 : 7 }),
  }
}

/** Puts corrections where their charges are. One of a charge before the first step changes nothing that is looked at. */
async function correct(ledger: EntrySource, conditions: Conditions, spent: readonly Spent[], boundaries: readonly number[], now: number): Promise<void> {
  const from = boundaries[0] as number
  const taken: { readonly entry: LedgerEntry; readonly step: number }[] = []
  let openedBefore: ReadonlySet<string> | undefined
  for await (const entry of entriesOf(ledger, both(conditions, both(CORRECTIONS, { fields: [], bounds: [{ field: 'at', least: from, most: now }] })))) {
    const { openedAt = entry.at, decisionId } = entry
    if (entry.calls !== undefined || openedAt >= now) continue
    if (openedAt < from) openedBefore ??= await chargedAfter(ledger, conditions, from, now)
    if (openedAt < from && openedBefore?.has(decisionId) !== true) continue
    const step = spent[bucketOf(Math.max(openedAt, from), boundaries) as number] as Spent
    for (const amount of AMOUNTS) if (entry[amount] > 0) step[amount] += BigInt(entry[amount])
    if (entry.microcents < 0 || entry.tokens < 0) taken.push({ entry, step: spent.indexOf(step) })
  }
  for (const { entry, step } of taken) {
    // A hold that was opened in one step and settled in a later one was charged there, at the latest in that of the correction.
    const last = bucketOf(entry.at, boundaries) ?? spent.length - 1
    for (const amount of AMOUNTS) {
      let left = notNegative(BigInt(-entry[amount]))
      for (let each = step; each <= last && left > 0n; each += 1) {
        const charged = spent[each] as Spent
        const share = charged[amount] < left ? notNegative(charged[amount]) : left
        charged[amount] -= share
        left -= share
      }
    }
  }
}

/** The decisions that were opened before and charged since. */
async function chargedAfter(ledger: EntrySource, conditions: Conditions, from: number, now: number): Promise<ReadonlySet<string>> {
  const bounds: Conditions['bounds'] = [{ field: 'openedAt', least: -Infinity, most: from - 1 }, { field: 'at', least: from, most: now }]
  const sums = await sumsOf(ledger, both(conditions, both(CALLS, { fields: [], bounds })), ['decisionId'])
  return new Set(sums.map(({ texts: [id] }) => id as string))
}

function indexOfFirst(spent: readonly Spent[]): number {
  const index = spent.findIndex(({ microcents, tokens }) => microcents !== 0n || tokens !== 0n)
  return index < 0 ? spent.length : index
}

function both(one: Conditions, other: Conditions): Conditions {
  return { fields: [...one.fields, ...other.fields], bounds: [...one.bounds, ...other.bounds] }
}

function notNegative(amount: bigint): bigint {
  return amount > 0n ? amount : 0n
}
