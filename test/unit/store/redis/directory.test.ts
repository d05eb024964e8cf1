// Tiers and overrides in Redis: a change is seen by every process with its next operation and costs no request a trip of its own.

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { DirectoryEntry, Store } from '../../../../src/index.js'
import { userOf, windowOf } from '../../../../src/testing/contract/kit.js'
import { manualClock } from '../../../../src/testing/index.js'
import { monitorCommands } from '../../../support/redis/index.js'
import { Ground, keyOf, reserveOf } from './setting.js'

let ground: Ground
beforeAll(async () => void (ground = await Ground.open()))
afterAll(() => ground.close())

const user = { userId: 'ann' }
const ann = [userOf('ann', windowOf(1_000_000))]
const facts = { user, tier: 'free' }

/** Two processes on one data set. */
function two(): [Store, Store] {
  const [prefix, storeClock] = [ground.prefix(), manualClock()]
  return [ground.store(prefix, { storeClock }), ground.store(prefix, { storeClock })]
}

/** Both operations that are made with an entry. */
const OPERATIONS: readonly [string, (store: Store, id: string, entry: DirectoryEntry | undefined) => Promise<{ readonly outcome: string }>][] = [
  ['reserve', async (store, id, entry) => store.reserve(reserveOf(id, ann, { entry }))],
  ['record', async (store, id, entry) => store.record({ id, fingerprint: id, idGiven: true, scopes: ann, amounts: { microcents: 1, tokens: 0 }, facts, entry })],
]

/** Asks as the engine does: with what is remembered, and once more where that was outdated. */
async function asked(store: Store, operate: (typeof OPERATIONS)[number][1], id: string): Promise<string[]> {
  const outcomes: string[] = []
  for (let time = 0; time < 2 && outcomes.at(-1) !== 'admitted' && outcomes.at(-1) !== 'recorded'; time += 1) {
    outcomes.push((await operate(store, id, await store.directory.remembered?.(user))).outcome)
  }
  return outcomes
}

describe.each(OPERATIONS)('%s', (name, operate) => {
  const done = name === 'reserve' ? 'admitted' : 'recorded'

  it('learns of a change of another process at once, and does nothing before it knows it', async () => {
    const [here, there] = two()
    expect(await asked(here, operate, 'a')).toEqual([done])
    await there.directory.change(user, { tier: 'pro' })
    expect((await operate(here, 'b', await here.directory.remembered?.(user))).outcome).toBe('outdated')
    expect((await here.totals(user)).entries).toBe(name === 'reserve' ? 0 : 1)
    expect(await here.directory.remembered?.(user)).toEqual({ tier: 'pro' })
    expect(await asked(here, operate, 'b')).toEqual([done])
    expect(await asked(here, operate, 'c')).toEqual([done])
  })

  it('learns of a deletion, and of an entry that is made again with the same words', async () => {
    const [here, there] = two()
    await there.directory.change(user, { tier: 'pro' })
    expect(await asked(here, operate, 'a')).toEqual(['outdated', done])
    const before = await here.directory.remembered?.(user)
    await there.directory.change(user, { tier: null })
    expect(await there.directory.get(user)).toBeUndefined()
    expect(await asked(here, operate, 'b')).toEqual(['outdated', done])
    expect(await here.directory.remembered?.(user)).toBeUndefined()
    await there.directory.change(user, { tier: 'pro' })
    // What was true before it was deleted is not taken for what is true now.
    expect((await operate(here, 'c', before)).outcome).toBe('outdated')
    expect(await asked(here, operate, 'c')).toEqual([done])
  })

  it('is not told of the entries of others, nor of the same user in a tenant', async () => {
    const [here, there] = two()
    await there.directory.change({ userId: 'bob' }, { tier: 'pro' })
    await there.directory.change({ userId: 'ann', tenant: 'acme' }, { tier: 'pro' })
    expect(await asked(here, operate, 'a')).toEqual([done])
  })

  it('that repeats what was done is answered, whatever the directory says by now', async () => {
    const [here, there] = two()
    expect(await asked(here, operate, 'a')).toEqual([done])
    await there.directory.change(user, { tier: 'pro' })
    expect((await operate(here, 'a', undefined)).outcome).toBe(done)
    expect((await here.totals(user)).entries).toBe(name === 'reserve' ? 0 : 1)
  })
})

describe('what a payment provider says', () => {
  const billing = (fence: number, more: object = {}) => ({ standing: 'active' as const, customers: ['cus_1'], changedAt: 5, reason: 'told', fence, ...more })

  it('is the same for whoever wrote it and for the others, without fields that say nothing', async () => {
    const [here, there] = two()
    const told = billing(7, { price: undefined, period: { startsAt: 1, endsAt: 2 }, passedOver: [{ subscription: 'sub_1', status: 'paused', tier: undefined }] })
    const { after } = await here.directory.change(user, { tier: 'pro', billing: told })
    expect(after).toStrictEqual({ tier: 'pro', billing: billing(7, { period: { startsAt: 1, endsAt: 2 }, passedOver: [{ subscription: 'sub_1', status: 'paused' }] }) })
    expect(await here.directory.remembered?.(user)).toBe(after)
    expect(await there.directory.get(user)).toStrictEqual(after)
  })

  it('of an earlier look changes nothing, writes nothing, and gives the entry as it is', async () => {
    const [here, there] = two()
    const { after } = await here.directory.change(user, { billing: billing(7) })
    const change = { tier: 'pro', overrides: { daily: null }, billing: billing(6, { reason: 'late' }) }
    const { counts } = await monitorCommands(ground.redis.url, async () => {
      expect(await here.directory.change(user, change)).toEqual({ before: after, after })
      const late = await there.directory.change(user, change)
      expect(late).toEqual({ before: after, after })
      expect(late.before).toBe(late.after)
    })
    // The other one had yet to join.
    expect(counts['evalsha'] ?? 0).toBeLessThanOrEqual(1)
    expect((await asked(here, (OPERATIONS[0] as (typeof OPERATIONS)[number])[1], 'a')).at(-1)).toBe('admitted')
  })

  it('is what the latest look has found, in whatever order many processes write', async () => {
    const prefix = ground.prefix()
    const stores = Array.from({ length: 8 }, () => ground.store(prefix, { client: ground.redis.client() }))
    await Promise.all(stores.map(({ directory }, index) => directory.change(user, { tier: `tier ${(index * 5) % 8}`, billing: billing((index * 5) % 8) })))
    for (const { directory } of stores) expect(await directory.get(user)).toEqual({ tier: 'tier 7', billing: billing(7) })
  })

  it('that is taken away leaves nothing behind', async () => {
    const [here, there] = two()
    await here.directory.change(user, { billing: billing(7) })
    expect((await there.directory.change(user, { billing: null })).after).toEqual({})
    expect(await here.directory.get(user)).toBeUndefined()
  })
})

describe('a directory', () => {
  it('costs no trip of its own in the steady state', async () => {
    const [here, there] = two()
    await there.directory.change(user, { tier: 'pro', overrides: { daily: { limits: { usd: 5 } } as never } })
    for (const [name, operate] of OPERATIONS) await asked(here, operate, `first ${name}`)
    const { counts } = await monitorCommands(ground.redis.url, async () => {
      for (let index = 0; index < 20; index += 1) for (const [name, operate] of OPERATIONS) await asked(here, operate, `${name} ${index}`)
    })
    expect(counts['evalsha']).toBe(40)
    expect(counts['hget'] ?? 0).toBe(0)
  })

  it('gives the same object while it says the same: what was worked out from it is found by it', async () => {
    const [here, there] = two()
    await there.directory.change(user, { tier: 'pro' })
    const first = await here.directory.get(user)
    expect(await here.directory.get(user)).toBe(first)
    expect(await here.directory.remembered?.(user)).toBe(first)
    expect(Object.isFrozen(first)).toBe(true)
    await there.directory.change(user, { tier: 'free' })
    expect(first).toEqual({ tier: 'pro' })
    expect(await here.directory.get(user)).toEqual({ tier: 'free' })
  })

  it('tells what was before and after a change, also where another process made the entry', async () => {
    const [here, there] = two()
    expect(await here.directory.change(user, { tier: 'pro' })).toEqual({ before: {}, after: { tier: 'pro' } })
    expect(await there.directory.change(user, { overrides: { daily: 'five' as never } })).toEqual({ before: { tier: 'pro' }, after: { tier: 'pro', overrides: { daily: 'five' } } })
    expect(await here.directory.change(user, { tier: null })).toEqual({ before: { tier: 'pro', overrides: { daily: 'five' } }, after: { overrides: { daily: 'five' } } })
    expect(await there.directory.change(user, { overrides: { daily: null } })).toMatchObject({ before: { overrides: { daily: 'five' } }, after: {} })
    expect(await here.directory.get(user)).toBeUndefined()
  })

  it('merges changes that two processes make at the same time', async () => {
    const stores = two()
    const periods = Array.from({ length: 20 }, (_, index) => `rolling:${index + 1}h`)
    await Promise.all(periods.map((period, index) => (stores[index % 2] as Store).directory.change(user, { overrides: { [period]: `limit ${index}` as never } })))
    const expected = Object.fromEntries(periods.map((period, index) => [period, `limit ${index}`]))
    for (const store of stores) expect((await store.directory.get(user))?.overrides).toEqual(expected)
  })

  it('keeps what was written, whatever it is written with', async () => {
    const [here, there] = two()
    const odd = { userId: 'ünïcode/%2F 大', tenant: 'a/b' }
    await here.directory.change(odd, { tier: 'prö "quoted"\n' })
    expect(await there.directory.get(odd)).toEqual({ tier: 'prö "quoted"\n' })
    expect(await there.directory.get({ userId: odd.userId })).toBeUndefined()
  })

  it('forgets what was used longest ago beyond ten thousand users, and learns it again', async () => {
    const [here, there] = two()
    const prefix = ground.prefix()
    const many = ground.store(prefix, { storeClock: manualClock() })
    await here.directory.change(user, { tier: 'pro' })
    expect((await there.directory.get(user))?.tier).toBe('pro')
    await many.directory.change(user, { tier: 'pro' })
    const state = keyOf(prefix, 'state')
    const bytes = (await ground.client.hgetBuffer(state, 'duser//ann')) as Buffer
    const others = Array.from({ length: 10_000 }, (_, index) => `user-${index}`)
    const fields = others.flatMap((id) => [`duser//${id}`, bytes])
    for (let at = 0; at < fields.length; at += 4_000) await ground.client.hset(state, ...fields.slice(at, at + 4_000))
    await Promise.all(others.slice(0, 9_999).map((userId) => many.directory.get({ userId })))
    expect(await many.directory.remembered?.(user)).toEqual({ tier: 'pro' })
    expect(await many.directory.remembered?.({ userId: 'user-0' })).toEqual({ tier: 'pro' })
    await many.directory.get({ userId: 'user-9999' })
    // The least recently used of them went.
    expect(await many.directory.remembered?.({ userId: 'user-1' })).toBeUndefined()
    expect(await many.directory.remembered?.(user)).toEqual({ tier: 'pro' })
    const bob = { user: { userId: 'user-1' }, tier: 'free' }
    const scopes = [userOf('user-1', windowOf(10))]
    expect((await many.reserve(reserveOf('a', scopes, { facts: bob }))).outcome).toBe('outdated')
    expect((await many.reserve(reserveOf('a', scopes, { facts: bob, entry: await many.directory.remembered?.(bob.user) }))).outcome).toBe('admitted')
  })
})
