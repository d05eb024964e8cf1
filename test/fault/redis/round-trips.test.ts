// What an operation costs on the way: one command for each, counted by the server, whatever the number of scopes and windows.

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { Bursar, type ScopeTerms, type Store } from '../../../src/index.js'
import { redisStore } from '../../../src/store/redis/index.js'
import { teamOf, userOf, windowOf } from '../../../src/testing/contract/kit.js'
import { monitorCommands, startRedis, type RedisServer } from '../../support/redis/index.js'

let redis: RedisServer
let store: Store
let prefixes = 0
beforeAll(async () => void (redis = await startRedis()))
afterAll(() => redis.stop())

const day = 86_400_000
/** Nine windows in three scopes, of every kind. */
const scopes: readonly ScopeTerms[] = [
  userOf('ann', windowOf(10_000), windowOf(10_000, { period: 'weekly' }), windowOf(10_000, { period: 'monthly', timeZone: 'Europe/Berlin' })),
  teamOf('search', windowOf(10_000), windowOf(10_000, { rollingMs: day }), windowOf(10_000, { rollingMs: 60_000, unit: 'requests' })),
  teamOf('everybody', windowOf(null, { period: 'total' }), windowOf(10_000, { period: 'monthly', unit: 'tokens' }), windowOf(10_000, { period: 'weekly', alerts: [80] })),
]
const facts = { user: { userId: 'ann' }, tier: 'free' }
const reserve = (id: string) => store.reserve({ id, fingerprint: id, idGiven: true, ttlMs: 60_000, onExpiry: 'charge', scopes, rungs: [{ microcents: 5, tokens: 5 }], facts })

const OPERATIONS: Readonly<Record<string, (id: string) => unknown>> = {
  reserve: (id) => reserve(id),
  'a refused reserve': (id) => store.reserve({ id, fingerprint: id, idGiven: true, ttlMs: 60_000, onExpiry: 'charge', scopes, rungs: [{ microcents: 20_000, tokens: 5 }], facts }),
  settle: (id) => store.settle({ id: `open-${id}`, microcents: 3, tokens: 3 }),
  release: (id) => store.release({ id: `open-${id}` }),
  extend: (id) => store.extend({ id: `open-${id}`, ttlMs: 120_000 }),
  'what an id was opened with': (id) => store.opened?.(`open-${id}`),
  record: (id) => store.record({ id, fingerprint: id, idGiven: true, scopes, amounts: { microcents: 2, tokens: 2 }, facts }),
  read: () => store.read(scopes),
  restart: () => store.restart({ ...(scopes[0] as ScopeTerms), since: Date.now() }),
  'writing a shared fact': (id) => store.registry.put('fact', id, 'x', { expected: 0, ttlMs: 60_000 }),
  'a shared fact that another has written': () => store.registry.put('fact', 'a shared fact that another has written', 'x', { expected: 1 }),
  'reading a shared fact': (id) => store.registry.get('fact', id),
  'a list of shared facts': async () => {
    for await (const { key } of store.registry.list('fact')) expect(key).not.toBe('')
  },
}

describe('over nine windows in three scopes', () => {
  beforeEach(async () => {
    store = redisStore({ client: redis.client(), prefix: `trips-${(prefixes += 1)}` })
    // The steady state: connected, the scripts known, the windows running.
    for (const [name, operation] of Object.entries(OPERATIONS)) {
      await reserve(`open-${name}`)
      await operation(name)
    }
    for (let index = 0; index < 10; index += 1) await reserve(`open-${index}`)
  })

  it.each(Object.entries(OPERATIONS))('%s is one trip', async (_name, operation) => {
    const { counts } = await monitorCommands(redis.url, async () => {
      for (let index = 0; index < 10; index += 1) await operation(String(index))
    })
    expect(counts).toEqual({ evalsha: 10 })
  })
})

describe('an application', () => {
  it('makes one trip for a check and one for its settle, whatever the directory knows of the user', async () => {
    const bursar = new Bursar({
      tiers: { free: { daily: 1, rolling: { '5h': 1 } }, pro: { daily: 10, weekly: 20, monthly: 40 } },
      defaultTier: 'free',
      global: { monthly: 5_000 },
      scopes: { team: { search: { daily: 40 } } },
      store: redisStore({ client: redis.client(), prefix: 'application' }),
    })
    await bursar.tracker.updateUserBudget('ann', { daily: 5 })
    const ask = async (userId: string): Promise<void> => {
      const decision = await bursar.check({ userId, estimatedCost: 0.001, scopes: { team: 'search' } })
      if (!decision.allowed) throw new Error(decision.reason)
      await decision.settle({ cost: 0.001 })
    }
    await ask('ann')
    await ask('bob')
    const { counts } = await monitorCommands(redis.url, async () => {
      for (let index = 0; index < 10; index += 1) await ask(index % 2 === 0 ? 'ann' : 'bob')
    })
    expect(counts).toEqual({ evalsha: 20 })
  })
})
