// The books after traffic that was answered in full: exact in every counter and every entry, with nothing lost and nothing twice.

import { expect } from 'vitest'
import type { Store } from '../../../src/index.js'
import { expectAgreement } from './agreement.js'
import { countersOf, endedCounters, moneyEntries } from './evidence.js'
import { bookkeepingErrors, lostAcknowledgements, sum } from './judge.js'
import { everybody, TRAFFIC_LIMIT, TRAFFIC_USERS } from './traffic.js'
import type { Testimony } from './witness-log.js'

/** Fails unless the store has counted exactly what was acknowledged. */
export async function expectExact(store: Store, testimonies: readonly Testimony[]): Promise<void> {
  const counters = await endedCounters(store, TRAFFIC_USERS)
  const evidence = { testimonies, ledger: await moneyEntries(store), counters, limitMicrocents: TRAFFIC_LIMIT }
  expect(bookkeepingErrors(evidence)).toEqual([])
  expect(lostAcknowledgements(evidence)).toEqual([])
  const settled = testimonies.filter(({ what }) => what === 'settled')
  for (const userId of TRAFFIC_USERS) expect(counters.get(userId)?.spent, userId).toBe(sum(settled.filter((told) => told.userId === userId)))
  expect(await countersOf(store, everybody)).toEqual({ spent: sum(settled), held: 0 })
  await expectAgreement(store)
}
