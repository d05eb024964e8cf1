// A Redis that has lost its data: nothing is decided on empty counters, and an audit brings them back from the ledger.

import type { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Bursar, type Store } from '../../src/index.js'
import { redisStore, type RedisStoreOptions } from '../../src/store/redis/index.js'
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

const config = {
  tiers: { free: { daily: 1, rolling: { '5h': 0.5 } }, pro: { daily: { usd: 5, requests: 10 }, monthly: 20, total: 100 } },
  global: { monthly: 50 },
  scopes: { tenant: { '*': { weekly: 9 } }, team: { search: { daily: 3 } } },
}

function open(store: Store): Bursar<'free' | 'pro', 'tenant' | 'team'> {
  return new Bursar({ ...config, store })
}

async function lose(prefix: string): Promise<void> {
  const keys = await client.keys(`{${prefix}}*`)
  await client.unlink(...keys)
}

describe('a Redis that has lost its data', () => {
  it('is mended from the ledger by an audit, for every process that counted in it', async () => {
    const sink = new KeptEntries()
    const clock = manualClock()
    const options: RedisStoreOptions = { client, prefix: redis.prefix(), storeClock: clock, sink }
    const here = open(redisStore(options))
    const there = open(redisStore(options))
    for (const [userId, userTier, cost, tenant] of [['ann', 'free', 0.3, undefined], ['bob', 'pro', 4, 'acme'], ['cem', 'pro', 2, 'acme']] as const) {
      const decision = await here.check({ userId, userTier, ...(tenant !== undefined && { tenant }), estimatedCost: cost, scopes: { team: 'search' } })
      if (decision.allowed) await decision.settle({ cost })
    }
    await there.tracker.addCost({ userId: 'ann', userTier: 'free', cost: 0.1 })
    const summaries = async (bursar: typeof here): Promise<unknown> => [await bursar.tracker.getUserSummary('ann', 'free'), await bursar.tracker.getUserSummary({ userId: 'bob', tenant: 'acme' }, 'pro')]
    const before = await summaries(here)
    for await (const _ of here.tracker.entries()) break

    await lose(options.prefix as string)
    for (const bursar of [here, there]) {
      const denied = await bursar.check({ userId: 'dan', userTier: 'pro', estimatedCost: 0.01 })
      expect(denied).toMatchObject({ allowed: false, code: 'store-unavailable' })
    }
    const late = open(redisStore(options))
    expect(await late.check({ userId: 'dan', userTier: 'pro', estimatedCost: 0.01 })).toMatchObject({ allowed: false, code: 'store-unavailable' })

    const report = await here.tracker.audit({ repair: 'counters' })
    expect(report.status).toBe('repaired')
    expect(await summaries(here)).toEqual(before)
    expect(await summaries(there)).toEqual(before)
    expect((await there.check({ userId: 'ann', userTier: 'free', estimatedCost: 0.2 })).allowed).toBe(false)
    expect((await late.check({ userId: 'ann', userTier: 'free', estimatedCost: 0.1 })).allowed).toBe(true)
    expect((await here.tracker.audit()).status).toBe('clean')
  })

  it('cannot be mended where no ledger was kept elsewhere, and goes on when the loss is accepted', async () => {
    const options = { client, prefix: redis.prefix(), storeClock: manualClock() }
    const store = redisStore(options)
    const here = open(store)
    const there = open(redisStore(options))
    for (const bursar of [here, there]) await bursar.tracker.addCost({ userId: 'ann', userTier: 'free', cost: 0.1 })
    await lose(options.prefix)
    await expect(here.tracker.addCost({ userId: 'ann', userTier: 'free', cost: 0.1 })).rejects.toMatchObject({ code: 'STORE_RESET' })
    await expect(here.tracker.audit({ repair: 'counters' })).rejects.toMatchObject({ code: 'INVALID_REQUEST' })
    await expect(here.tracker.addCost({ userId: 'ann', userTier: 'free', cost: 0.1 })).rejects.toMatchObject({ code: 'STORE_RESET' })
    await store.acceptReset()
    await here.tracker.addCost({ userId: 'ann', userTier: 'free', cost: 0.1 })
    expect((await there.tracker.getPeriodCosts('ann', 'daily', 'free')).cost).toBe(0.1)
  })
})
