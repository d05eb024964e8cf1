// Eight processes at the limits of the same twenty users, two of them killed in the middle of their calls: NO-OVERSPEND,
// CONSERVATION and ONE-ENDING on one Redis, with what each process was told as the third witness.

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Bursar } from '../../../src/index.js'
import { teamOf, windowOf } from '../../../src/testing/contract/kit.js'
import { Hammer, hammerBudgets, type Worker } from '../../support/fault/hammer.js'
import { expectAgreement } from '../../support/fault/agreement.js'
import { countersOf, endedCounters, moneyEntries } from '../../support/fault/evidence.js'
import { bookkeepingErrors, lostAcknowledgements, sum } from '../../support/fault/judge.js'
import { openStore } from '../../support/fault/open-store.js'
import { startRedis, until, type RedisServer } from '../../support/redis/index.js'

const USERS = Array.from({ length: 20 }, (_, index) => `user-${index}`)
const LIMIT = 60_000_000
/** Half of the users also share a budget, which is less than theirs together. */
const TEAM = { userIds: USERS.slice(0, 10), limitMicrocents: 6 * LIMIT }
const HOLD_TTL_MS = 2_000
const LARGEST = 5_000_000

let redis: RedisServer
beforeAll(async () => void (redis = await startRedis()))
afterAll(() => redis.stop())

describe('eight processes at the limits of twenty users, two of them killed', () => {
  it('spend no more than the limits, lose nothing that was acknowledged, and leave no hold behind', async () => {
    const address = { url: redis.url, prefix: 'hammer' }
    const orders = { address, userIds: USERS, limitMicrocents: LIMIT, team: TEAM, holdTtlMs: HOLD_TTL_MS, loops: 6, callMs: 8 }
    const hammer = await Hammer.start(Array.from({ length: 8 }, (_, index) => ({ ...orders, name: `worker-${index}`, callsNeverEnd: index < 2 })))
    const { store, close } = openStore(address)
    try {
      const victims = hammer.workers.slice(0, 2)
      hammer.go()
      await until('the victims have holds open while the others settle', () => {
        const settled = hammer.testimonies().filter(({ what }) => what === 'settled').length
        return settled >= 50 && victims.every((victim) => openHolds(hammer, victim).length >= 5)
      }, { everyMs: 2 })
      await Promise.all(victims.map((victim) => hammer.kill(victim)))
      const { now: killedAt } = await store.read([])
      await until('every user is at the limit', () => {
        const refused = new Set(hammer.testimonies(hammer.workers.slice(2)).filter(({ what }) => what === 'refused').map(({ userId }) => userId))
        return refused.size === USERS.length
      })
      await hammer.stop()

      const counters = await endedCounters(store, USERS)
      const ledger = await moneyEntries(store)
      const evidence = { testimonies: hammer.testimonies(), ledger, counters, limitMicrocents: LIMIT }
      expect(bookkeepingErrors(evidence)).toEqual([])
      expect(lostAcknowledgements(evidence)).toEqual([])
      // The holds that were open when their processes died have ended by themselves, on time, and were charged.
      const left = new Set(victims.flatMap((victim) => openHolds(hammer, victim)))
      const endedLater = ledger.filter(({ kind, decisionId, at }) => kind === 'expired' && left.has(decisionId) && at >= killedAt)
      expect(endedLater.length).toBeGreaterThanOrEqual(10)
      const estimates = new Map(evidence.testimonies.filter(({ what }) => what === 'asked').map(({ id, microcents }) => [id, microcents]))
      for (const { decisionId, at, openedAt, microcents } of ledger.filter(({ kind }) => kind === 'expired')) {
        expect(at - (openedAt as number), decisionId).toBe(HOLD_TTL_MS)
        expect(microcents, decisionId).toBe(estimates.get(decisionId))
      }
      expect(evidence.testimonies.filter(({ what }) => what === 'unavailable')).toEqual([])
      const shared = await countersOf(store, teamOf('shared', windowOf(null, { period: 'total' })))
      expect(shared).toEqual({ spent: sum(ledger.filter(({ userId }) => TEAM.userIds.includes(userId))), held: 0 })
      expect(shared.spent).toBeLessThanOrEqual(TEAM.limitMicrocents)
      expect(await new Bursar({ ...hammerBudgets(orders), store }).tracker.audit()).toMatchObject({ status: 'clean', holds: 0 })
      await expectAgreement(store)
      // At their limits: at some time no further call would have fitted, and only money that was held and not needed came back.
      for (const userId of USERS.slice(10)) expect(counters.get(userId)?.spent, userId).toBeGreaterThan(LIMIT / 2 - LARGEST)
      expect(shared.spent).toBeGreaterThan(TEAM.limitMicrocents / 2)
    } finally {
      await hammer.close()
      await close()
    }
  })
})

function openHolds(hammer: Hammer, worker: Worker): string[] {
  const told = hammer.testimonies([worker])
  const ended = new Set(told.filter(({ what }) => what === 'settled' || what === 'released').map(({ id }) => id))
  return told.filter(({ what, id }) => what === 'held' && !ended.has(id)).map(({ id }) => id)
}
