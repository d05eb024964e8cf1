// What the ledger says of each limit, read once from the first entry to the last: what was charged to it, and the most that its
// calls had spent and held at once. It was written by the store, whichever process made the call.

import type { LedgerEntry } from 'bursar'
import type { DemoBursar } from './budgets.js'
import { limitKey } from './tally.js'

/** What was written of the calls under one limit. Money is microcents. */
export interface LedgerCount {
  readonly microcents: number
  readonly settled: number
  readonly released: number
  /**
   * The most that was spent and held at the end of any millisecond, each hold from its opening to its ending. What ended in the
   * millisecond in which it opened is missing from it, so that it may be a little less than the most at any instant.
   */
  readonly peak: number
}

/** Counts the ledger by limit. No call may be running any more. */
export async function countLedger(bursar: DemoBursar): Promise<ReadonlyMap<string, LedgerCount>> {
  const entries = new Map<string, LedgerEntry[]>()
  for await (const entry of bursar.tracker.entries()) {
    for (const key of new Set(entry.charged.map(limitKey))) {
      const known = entries.get(key)
      if (known === undefined) entries.set(key, [entry])
      else known.push(entry)
    }
  }
  return new Map([...entries].map(([key, ofLimit]) => [key, countOf(ofLimit)]))
}

/** The count of a limit of which nothing was written. */
export const NOTHING_WRITTEN: LedgerCount = { microcents: 0, settled: 0, released: 0, peak: 0 }

function countOf(entries: readonly LedgerEntry[]): LedgerCount {
  const of = (kind: LedgerEntry['kind']): number => entries.filter((entry) => entry.kind === kind).length
  const microcents = entries.reduce((sum, entry) => sum + entry.microcents, 0)
  return { microcents, settled: of('settled'), released: of('released'), peak: peakOf(entries) }
}

function peakOf(entries: readonly LedgerEntry[]): number {
  const changes = new Map<number, number>()
  const change = (at: number, microcents: number): void => void changes.set(at, (changes.get(at) ?? 0) + microcents)
  for (const { at, openedAt = at, estimatedMicrocents = 0, microcents } of entries) {
    change(openedAt, estimatedMicrocents)
    change(at, microcents - estimatedMicrocents)
  }
  let [used, peak] = [0, 0]
  for (const [, microcents] of [...changes].sort(([a], [b]) => a - b)) {
    used += microcents
    peak = Math.max(peak, used)
  }
  return peak
}
