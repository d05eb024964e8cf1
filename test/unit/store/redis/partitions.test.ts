// Tenants kept apart: each in a partition of its own hash tag, with one store in front of all of them.

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { audit } from '../../../../src/audit/index.js'
import type { BursarConfig, KnownUser, LedgerEntry, ScopeTerms, Store, UserRef } from '../../../../src/index.js'
import { Bursar } from '../../../../src/index.js'
import { scopeKey, userScope } from '../../../../src/budget/index.js'
import type { ScopeId } from '../../../../src/enforcement/index.js'
import { redisStore, type RedisStore } from '../../../../src/store/redis/index.js'
import { DAY, SECOND, windowOf } from '../../../../src/testing/contract/kit.js'
import { manualClock, type ManualClock } from '../../../../src/testing/index.js'
import { Ground, reserveOf } from './setting.js'

let ground: Ground
beforeAll(async () => void (ground = await Ground.open()))
afterAll(() => ground.close())

const scopeOf = (scope: ScopeId): ScopeTerms => ({ scope, key: scopeKey(scope), windows: [windowOf(1_000), windowOf(100, { period: 'total', unit: 'requests' })] })
const acme: UserRef = { userId: 'ann', tenant: 'acme' }
const zen: UserRef = { userId: 'ann', tenant: 'zen' }
const alone: UserRef = { userId: 'alone' }
/** A user with the tenant's own budget. */
const scopesOf = (user: UserRef): readonly ScopeTerms[] => [scopeOf(userScope(user)), ...(user.tenant === undefined ? [] : [scopeOf({ kind: 'tenant', id: user.tenant })])]
const requestOf = (id: string, user: UserRef, microcents = 5) => reserveOf(id, scopesOf(user), { facts: { user, tier: 'free', model: 'large' }, microcents })

function open(prefix: string, clock: ManualClock): RedisStore {
  return ground.store(prefix, { partition: 'tenant', storeClock: clock })
}

async function all<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const list: Item[] = []
  for await (const item of items) list.push(item)
  return list
}

async function spend(store: Store, id: string, user: UserRef, microcents: number): Promise<void> {
  expect((await store.reserve(requestOf(id, user, microcents))).outcome).toBe('admitted')
  expect((await store.settle({ id, microcents })).outcome).toBe('settled')
}

/** The hash tags in which there is money. */
async function tags(prefix: string): Promise<string[]> {
  const found: string[] = []
  for (const key of await ground.client.keys(`{${prefix}:*:state`)) {
    if ((await ground.client.hkeys(key)).some((field) => field.startsWith('s'))) found.push(/^\{(.*)\}/.exec(key)?.[1] ?? '')
  }
  return found.sort()
}

describe("partition: 'tenant'", () => {
  it('keeps a tenant with its users in one tag and others in theirs, the same for every process', async () => {
    const [prefix, clock] = [ground.prefix(), manualClock()]
    await spend(open(prefix, clock), 'a', acme, 5)
    const first = await tags(prefix)
    expect(first).toHaveLength(1)
    await spend(open(prefix, clock), 'b', { userId: 'bob', tenant: 'acme' }, 5)
    expect(await tags(prefix)).toEqual(first)
    await spend(open(prefix, clock), 'c', zen, 5)
    await spend(open(prefix, clock), 'd', alone, 5)
    expect(await tags(prefix)).toHaveLength(3)
    // FNV-1a of the name: a later version must find what is stored.
    expect(await tags(prefix)).toEqual([`${prefix}:${fnv('acme')}`, `${prefix}:${fnv('alone')}`, `${prefix}:${fnv('zen')}`].sort())
  })

  it('spreads tenants over 256 tags', () => {
    const counts = new Map<number, number>()
    for (let index = 0; index < 5_000; index += 1) counts.set(fnv(`tenant-${index}`), (counts.get(fnv(`tenant-${index}`)) ?? 0) + 1)
    expect(counts.size).toBe(256)
    expect(Math.max(...counts.values())).toBeLessThan(60)
  })

  it('finds a hold of another process by its id', async () => {
    const [prefix, clock] = [ground.prefix(), manualClock()]
    const [here, there] = [open(prefix, clock), open(prefix, clock)]
    for (const id of ['settled', 'released', 'extended']) await here.reserve(requestOf(id, acme))
    expect(await there.opened?.('settled')).toMatchObject({ outcome: 'opened', state: 'open', rung: 0, facts: { user: acme } })
    expect(await there.settle({ id: 'settled', microcents: 4 })).toMatchObject({ outcome: 'settled', microcents: 4, facts: { user: acme } })
    expect(await there.release({ id: 'released' })).toMatchObject({ outcome: 'released', was: 'open' })
    expect(await there.extend({ id: 'extended', ttlMs: DAY })).toMatchObject({ outcome: 'extended', dueAt: clock() + DAY })
    expect(await here.settle({ id: 'settled', microcents: 4 })).toMatchObject({ replayed: true })
    expect((await there.read(scopesOf(acme))).readings.filter((_, index) => index % 4 > 1)).toEqual([4, 5, 2 + 1, 0, 4, 5, 2 + 1, 0])
    for (const operate of [there.opened?.('nobody'), there.settle({ id: 'nobody', microcents: 1 }), there.release({ id: 'nobody' }), there.extend({ id: 'nobody', ttlMs: SECOND })]) {
      expect(await operate).toEqual({ outcome: 'unknown-hold' })
    }
  })

  it('refunds a decision that another process made', async () => {
    const [prefix, clock] = [ground.prefix(), manualClock()]
    await spend(open(prefix, clock), 'a', acme, 9)
    const there = open(prefix, clock)
    const refund = { id: 'r', fingerprint: 'r', user: acme, microcents: 4 }
    expect(await there.refund({ ...refund, of: 'a' })).toMatchObject({ appliedMicrocents: 4 })
    expect(await there.refund({ ...refund, id: 's', fingerprint: 's', user: zen, of: 'a' })).toEqual({ outcome: 'unknown-hold' })
    expect(await there.totals(acme)).toEqual({ microcents: 5, entries: 2 })
  })

  it('knows the users, sums and entries of all partitions', async () => {
    const [prefix, clock] = [ground.prefix(), manualClock()]
    const here = open(prefix, clock)
    await spend(here, 'a', acme, 5)
    clock.advance(SECOND)
    await spend(here, 'b', zen, 7)
    clock.advance(SECOND)
    await spend(here, 'c', alone, 11)
    clock.advance(SECOND)
    await spend(here, 'd', acme, 13)
    await here.directory.change({ userId: 'new', tenant: 'north' }, { tier: 'pro' })
    const there = open(prefix, clock)
    expect((await all<KnownUser>(there.users())).map(({ user, tier }) => `${user.tenant ?? ''} ${user.userId} ${tier}`).sort()).toEqual([' alone free', 'acme ann free', 'north new pro', 'zen ann free'])
    expect((await all<LedgerEntry>(there.ledger.entries())).map(({ decisionId }) => decisionId)).toEqual(['a', 'b', 'c', 'd'])
    expect(await there.ledger.totals()).toMatchObject({ microcents: 36, entries: 4, byModel: new Map([['large', { microcents: 36, tokens: 0, entries: 4 }]]) })
    expect(await there.totals(acme)).toEqual({ microcents: 18, entries: 2 })
    expect(await there.totals(zen)).toEqual({ microcents: 7, entries: 1 })
    expect(await there.directory.get({ userId: 'new', tenant: 'north' })).toEqual({ tier: 'pro' })
    const north = { userId: 'new', tenant: 'north' }
    expect((await there.reserve({ ...requestOf('e', north), entry: await there.directory.remembered?.(north) })).outcome).toBe('admitted')
  })

  it('tells of a directory entry of another process, in the partition of the user', async () => {
    const [prefix, clock] = [ground.prefix(), manualClock()]
    const [here, there] = [open(prefix, clock), open(prefix, clock)]
    await here.reserve(requestOf('a', acme))
    await there.directory.change(acme, { tier: 'pro' })
    expect((await here.reserve(requestOf('b', acme))).outcome).toBe('outdated')
    expect((await here.reserve({ ...requestOf('b', acme), entry: await here.directory.remembered?.(acme) })).outcome).toBe('admitted')
    expect((await here.reserve(requestOf('c', zen))).outcome).toBe('admitted')
  })

  it('is audited and mended over all partitions', async () => {
    const [prefix, clock] = [ground.prefix(), manualClock()]
    const store = open(prefix, clock)
    await spend(store, 'a', acme, 5)
    await spend(store, 'b', zen, 7)
    await store.reserve(requestOf('open', alone))
    clock.advance(SECOND)
    const clean = await audit(store, {}, () => crypto.randomUUID())
    expect(clean).toMatchObject({ status: 'clean', entries: 2, holds: 1, scopes: 5 })
    const { startsAt } = windowAt(clock())
    await store.auditor.correct([{ scope: userScope(zen), window: 'daily/usd', startsAt, spent: 3, held: 0, entries: 0 }])
    const found = await audit(store, {}, () => crypto.randomUUID())
    expect(found.differences.map(({ scope, window, what, exact }) => [scope.tenant, window, what, exact.counted, exact.expected])).toEqual([['zen', 'daily/usd', 'spent', 10, 7]])
    await audit(store, { repair: 'counters' }, () => crypto.randomUUID())
    expect((await audit(open(prefix, clock), {}, () => crypto.randomUUID())).differences).toEqual([])
    expect((await store.read(scopesOf(zen))).readings[2]).toBe(7)
  })

  it('refuses what several tenants would share', async () => {
    const store = open(ground.prefix(), manualClock())
    const shared: readonly ScopeId[] = [{ kind: 'global', id: 'global' }, { kind: 'team', id: 'search' }, { kind: 'tier', id: 'free' }]
    for (const scope of shared) {
      const scopes = [...scopesOf(acme), scopeOf(scope)]
      await expect(store.reserve(reserveOf('a', scopes))).rejects.toMatchObject({ code: 'INVALID_CONFIG', message: expect.stringContaining("partition: 'all'") })
      await expect(store.read(scopes)).rejects.toMatchObject({ code: 'INVALID_CONFIG' })
    }
    await expect(store.reserve(reserveOf('a', [...scopesOf(acme), scopeOf({ kind: 'tenant', id: 'zen' })]))).rejects.toMatchObject({ code: 'INVALID_CONFIG' })
    expect((await store.read(scopesOf(acme))).readings.filter((_, index) => index % 4 > 1)).toEqual([0, 0, 0, 0, 0, 0, 0, 0])
  })

  const SHARED: readonly Partial<BursarConfig>[] = [{ global: { daily: 5 } }, { scopes: { team: { search: { daily: 5 } } } }, { scopes: { tier: { free: { daily: 5 } } } }]
  it.each(SHARED)('an application is told when it is made: %o', (config) => {
    const store = (partition: 'all' | 'tenant') => redisStore({ client: ground.client, prefix: ground.prefix(), partition })
    const make = (partition: 'all' | 'tenant') => () => new Bursar({ ...config, tiers: { free: { daily: 1 } }, defaultTier: 'free', store: store(partition) } as BursarConfig)
    expect(make('tenant')).toThrow(expect.objectContaining({ code: 'INVALID_CONFIG' }))
    expect(make('all')).not.toThrow()
  })
})

function windowAt(now: number): { startsAt: number } {
  const { source } = windowOf(1)
  return { startsAt: source.kind === 'calendar' ? source.calendar.at(now).startsAt : 0 }
}

function fnv(name: string): number {
  let hash = 0x811c9dc5n
  for (const byte of new TextEncoder().encode(name)) hash = ((hash ^ BigInt(byte)) * 0x01000193n) % 2n ** 32n
  return Number(hash % 256n)
}
