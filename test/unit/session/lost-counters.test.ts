// A session of which the counters are lost, and the record is not: an audit knows from the record that it still runs.

import type { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Bursar } from '../../../src/index.js'
import { redisStore } from '../../../src/store/redis/index.js'
import { manualClock } from '../../../src/testing/index.js'
import { sharedRedis, type SharedRedis } from '../../support/redis/index.js'

let redis: SharedRedis
let client: Redis

beforeAll(async () => {
  redis = await sharedRedis()
  client = redis.client()
})
afterAll(() => client.quit())

describe('a session whose counters are lost', () => {
  it('is counted again from the ledger, as long as it lives', async () => {
    const clock = manualClock()
    const prefix = redis.prefix()
    const bursar = new Bursar({ tiers: { free: { daily: 10 } }, defaultTier: 'free', clock, store: redisStore({ client, prefix, storeClock: clock }) })
    const session = await bursar.session({ userId: 'ann', id: 's', maxCost: 1, ttl: '1h' })
    const child = await session.session({ id: 'c' })
    await child.guard({ estimatedCost: 0.4 }, async () => ({ result: 0, cost: 0.4 }))
    const held = await child.check({ estimatedCost: 0.3 })
    const lose = async (): Promise<void> => {
      for (const key of await client.keys(`*${prefix}*`)) if ((await client.type(key)) === 'hash') await client.hdel(key, 'ssession//ann/s', 'ssession//ann/c')
    }
    await lose()
    expect(await session.summary()).toMatchObject({ totalCost: 0, held: 0 })
    const { status, differences } = await bursar.tracker.audit()
    expect([status, differences.map(({ scope, window, what, expected }) => `${scope.id} ${window} ${what} ${expected}`).sort()]).toEqual(['different', ['ann/c total/usd held 0.3', 'ann/c total/usd spent 0.4', 'ann/s total/usd held 0.3', 'ann/s total/usd spent 0.4']])
    expect((await bursar.tracker.audit({ repair: 'counters' })).status).toBe('repaired')
    expect([await session.summary(), await child.summary()]).toMatchObject([{ totalCost: 0.4, held: 0.3, remainingBudget: 0.3 }, { totalCost: 0.4, held: 0.3 }])
    expect((await session.check({ estimatedCost: 0.31 })).allowed).toBe(false)
    if (held.allowed) await held.settle({ cost: 0.3 })
    clock.advance('1h')
    await lose()
    expect((await bursar.tracker.audit()).status).toBe('clean')
  })
})
