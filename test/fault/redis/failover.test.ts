// A master that dies with writes that its replica never got. With `wait`, nothing that was acknowledged is lost; without it, what
// is overspent is no more than what was lost, and the figures are printed.

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Bursar } from '../../../src/index.js'
import { expectAgreement } from '../../support/fault/agreement.js'
import { endedCounters, moneyEntries } from '../../support/fault/evidence.js'
import { Hammer, hammerBudgets } from '../../support/fault/hammer.js'
import { bookkeepingErrors, lostAcknowledgements, sum, type Evidence } from '../../support/fault/judge.js'
import { openStore, type StoreAddress } from '../../support/fault/open-store.js'
import { startCluster, until, type RedisCluster } from '../../support/redis/index.js'

const USERS = Array.from({ length: 20 }, (_, index) => `user-${index}`)
const EARLY = USERS.slice(0, 10)
const LATE = USERS.slice(10)
const LIMIT = 70_000_000
const PREFIX = 'failover'

let cluster: RedisCluster
beforeEach(async () => void (cluster = await startCluster(3, 1)))
afterEach(() => cluster.stop())

describe('a failover in the middle of traffic', () => {
  it('loses nothing that was acknowledged where a store waits for a replica', async () => {
    const { evidence, unavailable } = await failover({ wait: { replicas: 1, timeoutMs: 200 } })
    expect(unavailable, 'writes that no replica has got are not acknowledged').toBeGreaterThan(0)
    expect(lostAcknowledgements(evidence)).toEqual([])
    expect(bookkeepingErrors(evidence)).toEqual([])
  })

  it('overspends no more than the writes that it lost where a store does not wait', async () => {
    const { evidence } = await failover({})
    const lost = lostAcknowledgements(evidence)
    const lostMoney = lost.filter(({ what }) => what === 'settled' || what === 'lost')
    expect(lostMoney.length, 'the fault did happen').toBeGreaterThan(0)
    // What is left agrees with itself and with the limits.
    expect(bookkeepingErrors(evidence)).toEqual([])
    let overspent = 0
    for (const userId of USERS) {
      const paid = sum(evidence.testimonies.filter((told) => told.userId === userId && (told.what === 'settled' || told.what === 'lost')))
      const lostOfUser = sum(lostMoney.filter((told) => told.userId === userId))
      // A cost whose hold was lost is recorded where the store hears of it: spent, whatever the limit says.
      const recorded = sum(evidence.ledger.filter((entry) => entry.kind === 'recorded' && entry.userId === userId))
      expect(paid, userId).toBeLessThanOrEqual(LIMIT + lostOfUser + recorded)
      overspent += Math.max(0, paid - LIMIT)
    }
    const holds = lost.filter(({ what }) => what === 'held').length
    console.log(`failover without wait: lost ${holds} acknowledged holds and ${lostMoney.length} costs of ${sum(lostMoney)} microcents; users overspent ${overspent} microcents`)
  })
})

/** Traffic of four processes around the death of the master, until all users are at their limits. */
async function failover(options: Pick<StoreAddress, 'wait'>): Promise<{ evidence: Evidence; unavailable: number }> {
  const address = { nodes: cluster.seeds, prefix: PREFIX, ...options }
  const orders = { address, userIds: USERS, limitMicrocents: LIMIT, holdTtlMs: 3_000, loops: 4, callMs: 20, callsNeverEnd: false }
  // Two of the four begin only when the replica is gone, for users of their own: however slow this process is, there is money
  // left to ask for while the master is alone.
  const hammer = await Hammer.start(Array.from({ length: 4 }, (_, index) => ({ ...orders, userIds: index < 2 ? EARLY : LATE, name: `worker-${index}` })))
  const { store, close } = openStore(address)
  const told = (...kinds: readonly string[]): number => hammer.testimonies().filter(({ what }) => kinds.includes(what)).length
  try {
    hammer.go(hammer.workers.slice(0, 2))
    await until('there is traffic', () => told('settled') >= 100)
    const slot = await cluster.slotOf(PREFIX)
    const master = await cluster.masterOf(slot)
    const [replica] = await cluster.replicasOf(master)
    if (replica === undefined) throw new Error('the master has no replica')
    replica.server.suspend()
    await master.direct.client('KILL', 'TYPE', 'REPLICA')
    const before = told('settled')
    hammer.go(hammer.workers.slice(2))
    // Without `wait` the master acknowledges what it alone has; with it, callers hear that nobody knows.
    await until('the master goes on without its replica', () => (options.wait === undefined ? told('settled') >= before + 40 : told('unavailable') >= 8))
    await master.server.kill()
    replica.server.resume()
    await until('the replica has taken over', async () => (await cluster.masterOf(slot)).id === replica.id)
    // The dead one comes back as a replica: writes can be confirmed again.
    await master.server.restart()
    await until('every user is at the limit', () => {
      const refused = hammer.testimonies().filter(({ what }) => what === 'refused')
      return new Set(refused.map(({ userId }) => userId)).size === USERS.length
    })
    await hammer.stop()
    const counters = await endedCounters(store, USERS)
    expect(await new Bursar({ ...hammerBudgets(orders), store }).tracker.audit()).toMatchObject({ status: 'clean', holds: 0 })
    await expectAgreement(store)
    const evidence = { testimonies: hammer.testimonies(), ledger: await moneyEntries(store), counters, limitMicrocents: LIMIT }
    return { evidence, unavailable: told('unavailable') }
  } finally {
    await hammer.close()
    await close()
  }
}
