// Replies that are lost after the script has run: what was asked for happens once, whatever the client does to find out.

import { Redis, type RedisOptions } from 'ioredis'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Bursar } from '../../../src/index.js'
import { redisStore } from '../../../src/store/redis/index.js'
import { userOf, windowOf } from '../../../src/testing/contract/kit.js'
import { expectAgreement } from '../../support/fault/agreement.js'
import { countersOf, moneyEntries } from '../../support/fault/evidence.js'
import { expectExact } from '../../support/fault/exact.js'
import { openStore, type OpenedStore } from '../../support/fault/open-store.js'
import { Traffic } from '../../support/fault/traffic.js'
import { isScript, startRedis, tcpProxy, until, type RedisServer, type TcpProxy } from '../../support/redis/index.js'

const PREFIX = 'lost'
const CENT = 1_000_000
const ann = userOf('ann', windowOf(null, { period: 'total' }))

let redis: RedisServer
let proxy: TcpProxy
let direct: OpenedStore
const clients: Redis[] = []
beforeEach(async () => {
  redis = await startRedis()
  proxy = await tcpProxy(redis)
  direct = openStore({ url: redis.url, prefix: PREFIX })
})
afterEach(async () => {
  for (const client of clients.splice(0)) client.disconnect()
  await direct.close()
  await proxy.stop()
  await redis.stop()
})

/** An application behind the line that loses replies. */
async function application(options: Pick<RedisOptions, 'autoResendUnfulfilledCommands' | 'maxRetriesPerRequest' | 'commandTimeout'>): Promise<Bursar> {
  const client = new Redis(proxy.port, '127.0.0.1', options)
  client.on('error', () => {})
  clients.push(client)
  const bursar = new Bursar({ tiers: { free: { total: 1 } }, defaultTier: 'free', store: redisStore({ client, prefix: PREFIX }) })
  // The first call of all also introduces the client to the server.
  const decision = await bursar.check({ userId: 'warm-up', estimatedCost: 0.01 })
  if (!decision.allowed) throw new Error(decision.reason)
  await decision.settle({ cost: 0.01 })
  return bursar
}

const CLIENTS = [
  ['that repeats it by itself', {}],
  ['that gives up at once', { autoResendUnfulfilledCommands: false, maxRetriesPerRequest: 0 }],
  ['that has a timeout', { commandTimeout: 200 }],
] as const

describe.each(CLIENTS)('a lost reply, seen by a client %s', (_which, options) => {
  it.each(['cut', 'silence'] as const)('of a check opens exactly one hold, or none (%s)', async (seenAs) => {
    const bursar = await application(options)
    const lost = proxy.loseReply(isScript, seenAs)
    const checked = bursar.check({ userId: 'ann', estimatedCost: 0.1 })
    await lost
    expect(await countersOf(direct.store, ann), 'the script has run').toEqual({ spent: 0, held: 10 * CENT })
    const decision = await checked
    // A line that has gone silent breaks in the end.
    proxy.cut()
    if (!decision.allowed) {
      expect(decision.code).toBe('store-unavailable')
      await until('the hold that nobody was told of is gone', async () => (await countersOf(direct.store, ann)).held === 0)
      expect((await moneyEntries(direct.store)).filter(({ userId }) => userId === 'ann').map(({ kind }) => kind)).toEqual(['released'])
      return
    }
    expect(await countersOf(direct.store, ann), 'one hold').toEqual({ spent: 0, held: 10 * CENT })
    await decision.settle({ cost: 0.07 })
    // While the line is down, the settle waits in this process for its turn.
    const counters = await until('the settle has arrived', async () => {
      const found = await countersOf(direct.store, ann)
      return found.held === 0 ? found : undefined
    })
    expect(counters).toEqual({ spent: 7 * CENT, held: 0 })
    await expectAgreement(direct.store)
  })

  it.each(['cut', 'silence'] as const)('of a settle charges exactly once (%s)', async (seenAs) => {
    const bursar = await application(options)
    const decision = await bursar.check({ userId: 'ann', estimatedCost: 0.1 })
    if (!decision.allowed) throw new Error(decision.reason)
    const lost = proxy.loseReply(isScript, seenAs)
    const settled = decision.settle({ cost: 0.07 }).catch((error: unknown) => error)
    await lost
    expect(await countersOf(direct.store, ann), 'the script has run').toEqual({ spent: 7 * CENT, held: 0 })
    const first = await settled
    if (first instanceof Error) expect(first).toMatchObject({ code: 'STORE_UNAVAILABLE', retryable: true })
    proxy.cut()
    const again = await until('the store has answered the settle', async () => {
      const settlement = await bursar.settle(decision.id, { cost: 0.07 })
      return settlement.queued === true ? undefined : settlement
    })
    expect(again).toMatchObject({ replayed: true, cost: 0.07 })
    expect(await countersOf(direct.store, ann)).toEqual({ spent: 7 * CENT, held: 0 })
    expect((await moneyEntries(direct.store)).filter(({ userId }) => userId === 'ann')).toHaveLength(1)
    await expectAgreement(direct.store)
  })
})

describe.each(CLIENTS)('a lost reply of a shared fact, seen by a client %s', (_which, options) => {
  it.each(['cut', 'silence'] as const)('is told as written, or as unknown: then reading tells (%s)', async (seenAs) => {
    const client = new Redis(proxy.port, '127.0.0.1', options)
    client.on('error', () => {})
    clients.push(client)
    const { registry } = redisStore({ client, prefix: PREFIX })
    let version = (await registry.put('lease', 'a', 'mine', { expected: 0 })) as number
    for (const value of ['again mine', null]) {
      const lost = proxy.loseReply(isScript, seenAs)
      const written = Promise.resolve(registry.put('lease', 'a', value, { expected: version })).catch((error: unknown) => error)
      await lost
      const found = await direct.store.registry.get('lease', 'a')
      expect(found?.value ?? null, 'the script has run').toBe(value)
      // A line that has gone silent breaks in the end.
      if (seenAs === 'silence') proxy.cut()
      const told = await written
      // Never that another was first: nobody else has written.
      if (told instanceof Error) expect(told).toMatchObject({ code: 'STORE_UNAVAILABLE', retryable: true })
      else expect(told).toBeGreaterThan(version)
      if (found !== undefined && typeof told === 'number') expect(told).toBe(found.version)
      version = found?.version ?? version
      await until('the line carries commands again', () => Promise.resolve(registry.get('lease', 'a')).then(() => true, () => false))
    }
  })
})

describe('traffic over a bad line', () => {
  it('counts exactly through lost replies, cuts and pauses', async () => {
    const far = openStore({ url: proxy.url, prefix: PREFIX })
    try {
      const traffic = new Traffic(far.store, 'far')
      const more = async (count: number): Promise<void> => {
        const before = traffic.settled
        await until('there is traffic', () => traffic.settled >= before + count, { everyMs: 1 })
      }
      for (let round = 1; round <= 4; round += 1) {
        await more(20)
        await proxy.loseReply(isScript, 'cut')
        await more(20)
        proxy.cut()
        await more(20)
        proxy.hold()
        const asked = proxy.commands.length
        proxy.pass()
        await until('the line carries commands again', () => proxy.commands.length > asked)
      }
      await expectExact(direct.store, await traffic.stop())
    } finally {
      await far.close()
    }
  })
})
