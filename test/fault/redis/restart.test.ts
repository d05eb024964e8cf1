// A Redis that dies and comes back: with its data, without it, and with its scripts forgotten.

import { afterEach, describe, expect, it } from 'vitest'
import { Bursar, isBursarError, type ScopeTerms, type Store } from '../../../src/index.js'
import { userOf, windowOf } from '../../../src/testing/contract/kit.js'
import { expectAgreement } from '../../support/fault/agreement.js'
import { expectExact } from '../../support/fault/exact.js'
import { openStore, type OpenedStore } from '../../support/fault/open-store.js'
import { Traffic } from '../../support/fault/traffic.js'
import { startRedis, until, type RedisServer, type RedisServerOptions } from '../../support/redis/index.js'

const opened: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close()
})

async function server(options?: RedisServerOptions): Promise<RedisServer> {
  const redis = await startRedis(options)
  opened.push({ close: () => redis.stop() })
  return redis
}

function storeOn(redis: RedisServer): OpenedStore['store'] {
  const one = openStore({ url: redis.url, prefix: 'restart' })
  opened.push(one)
  return one.store
}

const ann = [userOf('ann', windowOf(100, { period: 'total' }))]
const facts = { user: { userId: 'ann' }, tier: 'free' }
const rungs = [{ microcents: 10, tokens: 0 }]
const request = (id: string) => ({ id, fingerprint: id, idGiven: true, ttlMs: 600_000, onExpiry: 'charge' as const, scopes: ann, rungs, facts })

/** Every operation that a store has, with an id of an open hold. */
function operations(store: Store, openId: string): Record<string, () => unknown> {
  return {
    reserve: () => store.reserve(request('fresh')),
    'reserve again': () => store.reserve(request(openId)),
    settle: () => store.settle({ id: openId, microcents: 10, tokens: 0 }),
    release: () => store.release({ id: openId }),
    tombstone: () => store.release({ id: 'unknown', tombstone: true }),
    extend: () => store.extend({ id: openId, ttlMs: 600_000 }),
    record: () => store.record({ id: 'recorded', fingerprint: 'recorded', idGiven: true, scopes: ann, amounts: { microcents: 1, tokens: 0 }, facts }),
    refund: () => store.refund({ id: 'refund', fingerprint: 'refund', user: { userId: 'ann' }, microcents: 1 }),
    read: () => store.read(ann),
    totals: () => store.totals({ userId: 'ann' }),
    restart: () => store.restart({ ...(ann[0] as ScopeTerms), since: Date.now() }),
    'registry get': () => store.registry.get('lease', 'a'),
    'registry put': () => store.registry.put('lease', 'a', 'mine', { expected: 0 }),
    'registry list': () => store.registry.list('lease')[Symbol.asyncIterator]().next(),
    'directory change': () => store.directory.change({ userId: 'ann' }, { tier: 'pro' }),
  }
}

/** The code that a call fails with, whatever a connection needs to come back; `none` if it does not fail. */
async function codeOf(call: () => unknown): Promise<string> {
  return until('the server answers', async () => {
    try {
      await call()
      return 'none'
    } catch (error) {
      if (!isBursarError(error)) throw error
      return (error.code as string) === 'STORE_UNAVAILABLE' ? undefined : (error.code as string)
    }
  })
}

describe('a Redis that comes back with its data', () => {
  it('has lost nothing, and nothing is counted twice', async () => {
    const redis = await server({ appendOnly: 'always' })
    const store = storeOn(redis)
    const traffic = new Traffic(store, 'traffic')
    for (let restart = 1; restart <= 3; restart += 1) {
      const before = traffic.settled
      await until('there is traffic', () => traffic.settled >= before + 50)
      await redis.restart()
    }
    const before = traffic.settled
    await until('there is traffic again', () => traffic.settled >= before + 50)
    await expectExact(store, await traffic.stop())
  })
})

describe('a Redis that comes back without its data', () => {
  it.each([
    ['after a restart', (redis: RedisServer) => redis.restart({ keepData: false })],
    ['after FLUSHALL, with the connection kept', (redis: RedisServer) => redis.client().flushall()],
  ])('blocks every operation of every process until the reset is accepted, %s', async (_when, lose) => {
    const redis = await server()
    const stores = [storeOn(redis), storeOn(redis)] as const
    for (const [index, store] of stores.entries()) expect(await store.reserve(request(`open-${index}`))).toMatchObject({ outcome: 'admitted' })
    await lose(redis)
    for (const [index, store] of stores.entries()) {
      for (const [name, call] of Object.entries(operations(store, `open-${index}`))) expect(await codeOf(call), `${name} of process ${index}`).toBe('STORE_RESET')
    }
    expect(await redis.client().dbsize(), 'keys written in between').toBe(0)
    for (const store of stores) await store.acceptReset()
    for (const [index, store] of stores.entries()) {
      const { readings } = await store.read(ann)
      expect(readings.slice(2), 'nothing was counted in between').toEqual([index * 10, 0])
      expect(await store.reserve(request(`new-${index}`))).toMatchObject({ outcome: 'admitted' })
      expect(await store.settle({ id: `new-${index}`, microcents: 10, tokens: 0 })).toMatchObject({ outcome: 'settled', replayed: false })
    }
    await expectAgreement(stores[0])
  })

  it('keeps processes that counted in the lost data apart from those that have begun anew', async () => {
    const redis = await server()
    const old = storeOn(redis)
    await old.reserve(request('open'))
    await redis.restart({ keepData: false })
    const fresh = storeOn(redis)
    expect(await codeOf(() => fresh.reserve(request('begun')))).toBe('none')
    for (const [name, call] of Object.entries(operations(old, 'open'))) expect(await codeOf(call), name).toBe('STORE_RESET')
    expect((await fresh.read(ann)).readings.slice(2), 'nothing was counted by the old one').toEqual([0, 10])
    await old.acceptReset()
    expect(await old.settle({ id: 'begun', microcents: 10, tokens: 0 }), 'both are in the same data now').toMatchObject({ outcome: 'settled' })
    expect((await fresh.read(ann)).readings.slice(2)).toEqual([10, 0])
  })

  it('denies the checks of an application with a reason', async () => {
    const redis = await server()
    const bursar = new Bursar({ tiers: { free: { total: 1 } }, defaultTier: 'free', store: storeOn(redis) })
    expect(await bursar.check({ userId: 'ann', estimatedCost: 0.1 })).toMatchObject({ allowed: true })
    await redis.client().flushall()
    expect(await bursar.check({ userId: 'ann', estimatedCost: 0.1 })).toMatchObject({ allowed: false, code: 'store-unavailable' })
  })
})

describe('a Redis that forgets its scripts', () => {
  it('is given them again in the middle of traffic, and counts exactly', async () => {
    const redis = await server()
    const store = storeOn(redis)
    const traffic = new Traffic(store, 'traffic')
    for (let flush = 1; flush <= 20; flush += 1) {
      const before = traffic.settled
      await until('there is traffic', () => traffic.settled >= before + 10, { everyMs: 1 })
      await redis.client().script('FLUSH')
    }
    await expectExact(store, await traffic.stop())
    expect(traffic.failures, 'no caller hears of it').toBe(0)
  })
})
