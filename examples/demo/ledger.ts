// What the ledger says of each limit and of each integration, read once from the first entry to the last: what was charged, how it was
// priced, and the most that calls had spent and held at once. It was written by the store, whichever process made the call.

import type { LedgerEntry } from 'bursar'
import type { DemoBursar } from './budgets.js'
import { limitKey } from './tally.js'

/** What was written of the calls under one limit, or through one integration. Money is microcents. */
export interface LedgerCount {
  readonly microcents: number
  readonly settled: number
  readonly released: number
  /** Settled without the price book, or without a word from the provider of what was used. */
  readonly unpriced: number
  readonly estimated: number
  /** What the calls used, by the fields of bursar's usage. */
  readonly usage: Readonly<Record<string, number>>
  /**
   * The most that was spent and held at the end of any millisecond, each hold from its opening to its ending. What ended in the
   * millisecond in which it opened is missing from it, so that it may be a little less than the most at any instant.
   */
  readonly peak: number
}

/** Counts the ledger by limit (see `limitKey`) and by integration (see `nameOf`). No call may be running any more. */
export async function countLedger(bursar: DemoBursar): Promise<ReadonlyMap<string, LedgerCount>> {
  const entries = new Map<string, LedgerEntry[]>()
  for await (const entry of bursar.tracker.entries()) {
    for (const key of new Set([...entry.charged.map(limitKey), String(entry.metadata?.through)])) {
      const known = entries.get(key)
      if (known === undefined) entries.set(key, [entry])
      else known.push(entry)
    }
  }
  return new Map([...entries].map(([key, written]) => [key, countOf(written)]))
}

/** The count of what nothing was written of. */
export const NOTHING_WRITTEN: LedgerCount = { microcents: 0, settled: 0, released: 0, unpriced: 0, estimated: 0, usage: {}, peak: 0 }

function countOf(entries: readonly LedgerEntry[]): LedgerCount {
  const of = (kind: LedgerEntry['kind']): readonly LedgerEntry[] => entries.filter((entry) => entry.kind === kind)
  const settled = of('settled')
  return {
    microcents: entries.reduce((sum, entry) => sum + entry.microcents, 0),
    settled: settled.length,
    released: of('released').length,
    unpriced: settled.filter(({ details }) => details?.priceVersion === undefined || details.usage === undefined).length,
    estimated: settled.filter(({ details }) => details?.estimated === true).length,
    usage: sumOf(settled.map(({ details }) => details?.usage ?? {})),
    peak: peakOf(entries),
  }
}

/** Adds counts up, field by field. */
export function sumOf(usages: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const sum: Record<string, number> = {}
  for (const usage of usages) for (const [field, count] of Object.entries(usage)) sum[field] = (sum[field] ?? 0) + count
  return sum
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
