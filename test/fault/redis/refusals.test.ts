// A Redis that will not write, or that holds something else under a key: each is a typed error that says what to do, and nothing is
// half written.

import type { Redis } from 'ioredis'
import { afterEach, describe, expect, it } from 'vitest'
import { isBursarError, type ScopeTerms, type Store } from '../../../src/index.js'
import { redisStore } from '../../../src/store/redis/index.js'
import { teamOf, userOf, windowOf } from '../../../src/testing/contract/kit.js'
import { expectExact } from '../../support/fault/exact.js'
import { Traffic } from '../../support/fault/traffic.js'
import { startRedis, until, type RedisServer, type RedisServerOptions } from '../../support/redis/index.js'

const PREFIX = 'refusing'
const servers: RedisServer[] = []
afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop()
})

async function server(options?: RedisServerOptions): Promise<RedisServer> {
  const redis = await startRedis(options)
  servers.push(redis)
  return redis
}

const storeOn = (redis: RedisServer): Store => redisStore({ client: redis.client(), prefix: PREFIX })
const scopes = [userOf('ann', windowOf(1_000, { period: 'total' }), windowOf(1_000, { rollingMs: 3_600_000 })), teamOf('search', windowOf(1_000, { alerts: [50] }))]
const calendarOnly = [userOf('cem', windowOf(1_000), windowOf(1_000, { period: 'monthly' }))]
const facts = { user: { userId: 'ann' }, tier: 'free' }
const reserve = (store: Store, id: string, where = scopes) =>
  store.reserve({ id, fingerprint: id, idGiven: true, ttlMs: 600_000, onExpiry: 'charge', scopes: where, rungs: [{ microcents: 10, tokens: 0 }], facts })

/** What changes something, on a store with the open holds `a` to `d` and the charge `paid`. */
const WRITES: Readonly<Record<string, (store: Store) => unknown>> = {
  reserve: (store) => reserve(store, 'new'),
  settle: (store) => store.settle({ id: 'a', microcents: 4, tokens: 0 }),
  'settle in calendar windows alone': (store) => store.settle({ id: 'd', microcents: 4, tokens: 0 }),
  release: (store) => store.release({ id: 'b' }),
  extend: (store) => store.extend({ id: 'c', ttlMs: 1_200_000 }),
  record: (store) => store.record({ id: 'counted', fingerprint: 'counted', idGiven: true, scopes, amounts: { microcents: 1, tokens: 0 }, facts }),
  refund: (store) => store.refund({ id: 'back', fingerprint: 'back', user: { userId: 'ann' }, microcents: 1, of: 'paid' }),
  'change the directory': (store) => store.directory.change({ userId: 'ann' }, { tier: 'pro' }),
  restart: (store) => store.restart({ ...(calendarOnly[0] as ScopeTerms), since: Number.MAX_SAFE_INTEGER }),
  'write a shared fact': (store) => store.registry.put('lease', 'new', 'mine', { expected: 0, ttlMs: 600_000 }),
  'delete a shared fact': async (store) => store.registry.put('lease', 'old', null, { expected: (await store.registry.get('lease', 'old'))?.version ?? 0 }),
}

async function prepare(store: Store): Promise<void> {
  for (const id of ['a', 'b', 'c', 'paid']) await reserve(store, id)
  await store.settle({ id: 'paid', microcents: 7, tokens: 0 })
  for (const id of ['d', 'paid too']) await reserve(store, id, calendarOnly)
  await store.settle({ id: 'paid too', microcents: 7, tokens: 0 })
  await store.extend({ id: 'c', ttlMs: 700_000 })
  await store.directory.change({ userId: 'bob' }, { tier: 'pro' })
  await store.registry.put('lease', 'old', 'mine', { expected: 0 })
}

/** Everything under the prefix, key by key. */
async function contents(client: Redis): Promise<Record<string, string>> {
  const found: Record<string, string> = {}
  for (const key of (await client.keys(`*${PREFIX}*`)).sort()) {
    // A stream also remembers what was taken out of it again: what counts is what it gives.
    const isStream = (await client.type(key)) === 'stream'
    found[key] = isStream ? JSON.stringify(await client.xrangeBuffer(key, '-', '+')) : ((await client.dumpBuffer(key)) as Buffer).toString('base64')
  }
  return found
}

async function failureOf(call: () => unknown): Promise<unknown> {
  try {
    await call()
    return undefined
  } catch (error) {
    return error
  }
}

describe('a read-only replica', () => {
  it('refuses every write, and says that it is one', async () => {
    const master = await server({ config: { 'repl-diskless-sync-delay': '0' } })
    const replica = await server({ config: { replicaof: `127.0.0.1 ${master.port}`, 'repl-diskless-sync-delay': '0' } })
    await prepare(storeOn(master))
    const client = master.client()
    await client.set('mark', 'end of the preparations')
    expect(await client.wait(1, 10_000)).toBe(1)
    const before = await contents(client)
    const store = storeOn(replica)
    for (const [name, write] of Object.entries(WRITES)) {
      const error = await failureOf(() => write(store))
      expect(error, name).toMatchObject({ code: 'STORE_UNAVAILABLE', retryable: true })
      expect(String(error), name).toMatch(/read-only replica.*master/i)
    }
    expect(await contents(client)).toEqual(before)
  })

  it('that a master has become in the middle of traffic loses nothing', async () => {
    const [redis, other] = [await server(), await server()]
    const store = storeOn(redis)
    const traffic = new Traffic(store, 'traffic')
    await until('there is traffic', () => traffic.settled >= 50, { everyMs: 1 })
    const client = redis.client()
    await client.config('SET', 'replica-read-only', 'yes')
    // A replica of a server that it cannot reach keeps its data and takes no writes.
    await other.kill()
    await client.replicaof('127.0.0.1', other.port)
    await until('requests fail', () => traffic.failures >= 10)
    await client.replicaof('NO', 'ONE')
    const before = traffic.settled
    await until('there is traffic again', () => traffic.settled >= before + 50, { everyMs: 1 })
    await expectExact(store, await traffic.stop())
  })
})

describe('a full memory', () => {
  it.each(Object.entries(WRITES))('refuses to %s whole, and says so', async (name, write) => {
    const redis = await server({ config: { 'maxmemory-policy': 'noeviction' } })
    const store = storeOn(redis)
    await prepare(store)
    const client = redis.client()
    const before = await contents(client)
    await client.config('SET', 'maxmemory', '1')
    const error = await failureOf(() => write(store))
    if (error !== undefined) {
      expect(error).toMatchObject({ code: 'STORE_UNAVAILABLE', retryable: true })
      expect(String(error)).toMatch(/memory is full.*maxmemory/i)
      expect(await contents(client)).toEqual(before)
    }
    // A write that needs no memory may go through; one that opens a hold never does.
    if (name === 'reserve') expect(error).toBeDefined()
    await client.config('SET', 'maxmemory', '0')
    await write(store)
  })

  it('that comes and goes in the middle of traffic loses nothing', async () => {
    const redis = await server({ config: { 'maxmemory-policy': 'noeviction' } })
    const store = storeOn(redis)
    const client = redis.client()
    const traffic = new Traffic(store, 'traffic')
    for (let time = 1; time <= 5; time += 1) {
      const { settled, failures } = traffic
      await until('there is traffic', () => traffic.settled >= settled + 20, { everyMs: 1 })
      await client.config('SET', 'maxmemory', '1')
      await until('requests fail', () => traffic.failures > failures, { everyMs: 1 })
      await client.config('SET', 'maxmemory', '0')
    }
    await expectExact(store, await traffic.stop())
  })
})

describe('a key of a wrong type', () => {
  it.each(Object.entries(WRITES))('makes it fail to %s whole, whichever key it is', async (_name, write) => {
    const redis = await server()
    const client = redis.client()
    const first = storeOn(redis)
    await prepare(first)
    await write(first)
    // Every key that there is once this has been done.
    const keys = (await client.keys(`*${PREFIX}*`)).sort()
    await client.flushall()
    let failed = 0
    for (const key of keys) {
      const store = storeOn(redis)
      await prepare(store)
      // So that nothing has to be told to the server first.
      await store.read(scopes)
      const isThere = (await client.exists(key)) === 1
      if (isThere) await client.rename(key, `kept ${key}`)
      await client.call(...(((await client.type(`kept ${key}`)) === 'string' ? ['RPUSH', key, 'x'] : ['SET', key, 'x']) as [string, ...string[]]))
      const before = await contents(client)
      const error = await failureOf(() => write(store))
      if (error === undefined) {
        const after = await contents(client)
        expect(after[key], 'a key that it had no business with').toBe(before[key])
      } else {
        failed += 1
        expect(isBursarError(error), `${key}: ${String(error)}`).toBe(true)
        expect(String(error), key).toMatch(/wrong ?type|something else/i)
        expect(await contents(client), key).toEqual(before)
      }
      await client.flushall()
    }
    expect(failed).toBeGreaterThan(0)
  })
})

describe('a server that may evict', () => {
  it.each(['allkeys-lru', 'allkeys-lfu', 'allkeys-random'])('is refused at the first operation (%s)', async (policy) => {
    const redis = await server({ config: { 'maxmemory-policy': policy, maxmemory: '100mb' } })
    const error = await failureOf(() => reserve(storeOn(redis), 'x'))
    expect(error).toMatchObject({ code: 'INVALID_CONFIG' })
    expect(String(error)).toMatch(new RegExp(`maxmemory-policy.*${policy}.*noeviction`))
    expect(await redis.client().dbsize()).toBe(0)
  })

  it.each(['noeviction', 'volatile-lru'])('is accepted where budgets stay (%s)', async (policy) => {
    const redis = await server({ config: { 'maxmemory-policy': policy } })
    expect(await reserve(storeOn(redis), 'x')).toMatchObject({ outcome: 'admitted' })
  })
})
