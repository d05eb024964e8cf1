// The end of a ledger, backwards: its last entries without reading all that came before, where the source can sum.

import type { LedgerEntry } from './entry.js'
import type { Conditions } from './filter.js'
import { entriesOf, sumsOf, type EntrySource } from './source.js'

/** How far back the newest are looked for at first; then so many times as far, and so on. */
const FIRST_STRETCH_MS = 3_600_000
const GROWTH = 8
/** How many more than wanted may be kept before the oldest of them are let go. */
const SLACK = 1_000

/**
 * The last entries that match, the newest first: by their time, and at one instant by the order of writing. In memory there are at most
 * twice as many as are wanted, and some. `now` is where the looking begins: what is of later instants is found too.
 */
export async function newestOf(source: EntrySource, conditions: Conditions, limit: number, now: number): Promise<readonly LedgerEntry[]> {
  const end = Math.min(now + 1, ...conditions.bounds.filter(({ field }) => field === 'at').map(({ most }) => most + 1))
  const longest = end - Math.max(0, ...conditions.bounds.filter(({ field }) => field === 'at').map(({ least }) => least))
  const since = (length: number): Conditions => ({ ...conditions, bounds: [...conditions.bounds, { field: 'at', least: end - length, most: Infinity }] })
  let length = source.sums === undefined ? longest : FIRST_STRETCH_MS
  for (; length < longest; length *= GROWTH) {
    const found = (await sumsOf(source, since(length), [])).reduce((sum, { entries }) => sum + entries, 0)
    if (found >= limit) break
  }
  let last: LedgerEntry[] = []
  for await (const entry of entriesOf(source, length < longest ? since(length) : conditions)) {
    last.push(entry)
    if (last.length >= 2 * limit + SLACK) last = lastOf(last, limit)
  }
  return lastOf(last, limit).reverse()
}

function lastOf(entries: readonly LedgerEntry[], count: number): LedgerEntry[] {
  return [...entries].sort((one, other) => one.at - other.at).slice(-count)
}
