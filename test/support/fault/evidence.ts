// Gathers what is compared after a fault: the ledger as the store tells it, and the counters of every user, once all holds have
// ended.

import type { LedgerEntry, ScopeTerms, Store } from '../../../src/index.js'
import { userOf, windowOf } from '../../../src/testing/contract/kit.js'
import { until } from '../redis/until.js'
import type { Counters } from './judge.js'

/** Spent and held of the first window of a scope. */
export async function countersOf(store: Store, scope: ScopeTerms): Promise<Counters> {
  const { readings } = await store.read([scope])
  return { spent: readings[2] as number, held: readings[3] as number }
}

/** Waits until no user has anything held, and gives the counters of their totals then. */
export function endedCounters(store: Store, userIds: readonly string[]): Promise<Map<string, Counters>> {
  return until('every hold has ended', async () => {
    const counters = new Map<string, Counters>()
    for (const userId of userIds) counters.set(userId, await countersOf(store, userOf(userId, windowOf(null, { period: 'total' }))))
    return [...counters.values()].every(({ held }) => held === 0) ? counters : undefined
  })
}

/** The entries that carry money. */
export async function moneyEntries(store: Store): Promise<LedgerEntry[]> {
  const entries: LedgerEntry[] = []
  for await (const entry of store.ledger.entries()) if (entry.kind !== 'denied' && entry.kind !== 'configured') entries.push(entry)
  return entries
}
