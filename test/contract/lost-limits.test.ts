// Limits and settings of tenants on a Redis that has lost its data: an audit brings them back before it repairs what they count.

import type { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Bursar, type Store } from '../../src/index.js'
import { redisStore } from '../../src/store/redis/index.js'
import { manualClock } from '../../src/testing/index.js'
import { KeptEntries } from '../support/kept-entries.js'
import { sharedRedis, type SharedRedis } from '../support/redis/index.js'

let redis: SharedRedis
let client: Redis

beforeAll(async () => {
  redis = await sharedRedis()
  client = redis.client()
})

afterAll(() => client.quit())

const open = (store: Store, clock = manualClock()): Bursar => new Bursar({ clock, tiers: { free: { daily: 100 } }, defaultTier: 'free', store, logger: { debug: () => {}, warn: () => {} } })

async function lose(prefix: string): Promise<void> {
  await client.unlink(...(await client.keys(`{${prefix}*`)))
}

describe('a Redis that has lost its limits', () => {
  it.each(['all', 'tenant'] as const)('has them again after a repair, with what they had counted, for every process (partition: %s)', async (partition) => {
    const clock = manualClock()
    const options = { client, prefix: redis.prefix(), storeClock: clock, sink: new KeptEntries(), partition }
    const here = open(redisStore(options), clock)
    const there = open(redisStore(options), clock)
    const spend = async (bursar: Bursar, cost: number, model?: string) => {
      const decision = await bursar.check({ userId: 'ann', tenant: 'acme', estimatedCost: cost, ...(model !== undefined && { model }) })
      if (decision.allowed) await decision.settle({ cost })
      return decision.allowed ? decision.action : decision.code
    }
    await here.limits.create({ id: 'cap', scope: { kind: 'tenant', id: 'acme' }, budget: { total: 1 } })
    await spend(here, 0.5)
    await here.limits.remove('cap')
    await here.limits.create({ id: 'cap', scope: { kind: 'tenant', id: 'acme' }, budget: { daily: 5, weekly: 40, rolling: { '1h': 30 } } })
    await here.limits.tenants.set('acme', { models: ['cheap'] })
    expect(await spend(here, 4)).toBe('WARN')
    const before = await here.limits.progress('cap')
    expect(before.map(({ spent }) => spent)).toEqual([4, 4, 4])
    for await (const _ of here.tracker.entries()) break
    await lose(options.prefix)
    for (const bursar of [here, there]) expect(await spend(bursar, 2)).toBe('store-unavailable')
    expect(await here.tracker.audit({ repair: 'counters' })).toMatchObject({ status: 'repaired', differences: [], restored: { limits: ['cap'], tenants: ['acme'], failed: [] } })
    expect(await here.limits.progress('cap')).toEqual(before)
    for (const bursar of [here, there]) {
      expect(await spend(bursar, 2)).toBe('budget')
      expect(await spend(bursar, 0.1, 'dear')).toBe('policy')
    }
    expect((await there.tracker.audit()).status).toBe('clean')
  })

  it('has none where the loss is accepted', async () => {
    const options = { client, prefix: redis.prefix(), storeClock: manualClock() }
    const store = redisStore(options)
    const bursar = open(store)
    await bursar.limits.create({ id: 'cap', scope: { kind: 'global' }, budget: { daily: 5 } })
    await lose(options.prefix)
    expect((await bursar.check({ userId: 'ann', estimatedCost: 6 })).allowed).toBe(false)
    await store.acceptReset()
    expect((await bursar.check({ userId: 'ann', estimatedCost: 6 })).allowed).toBe(true)
    expect(await bursar.limits.list()).toEqual([])
  })
})
