// Limits and settings of tenants that a store has lost, made again by what the ledger says of them.

import { describe, expect, it } from 'vitest'
import { Bursar, memoryStore, type LedgerEntry, type Store } from '../../../src/index.js'
import { LimitRecords, restore } from '../../../src/limits/index.js'
import { manualClock } from '../../../src/testing/index.js'
import { allOf, allowedOf, START } from '../setting.js'

const HOUR = 3_600_000

function world() {
  const clock = manualClock(START)
  const store = memoryStore({ clock })
  const bursar = new Bursar({ tiers: { free: { daily: 100 } }, defaultTier: 'free', clock, store })
  const spend = async (cost: number) => allowedOf(await bursar.check({ userId: 'ada', estimatedCost: cost })).settle({ cost })
  return { clock, store, bursar, limits: bursar.limits, spend }
}

/** The registry loses its records of these kinds, and nobody notices. */
async function lose({ registry }: Pick<Store, 'registry'>, ...kinds: readonly string[]): Promise<void> {
  for (const kind of kinds) for (const { key, version } of await allOf(registry.list(kind))) await registry.put(kind, key, null, { expected: version })
}

const entry = (reason: string, metadata: Readonly<Record<string, unknown>>, more: Partial<LedgerEntry> = {}): LedgerEntry => ({ id: reason, kind: 'configured', at: START, decisionId: reason, userId: '', microcents: 0, tokens: 0, charged: [], reason, metadata, ...more })

async function* each<T>(items: readonly T[]): AsyncIterable<T> {
  yield* items
}

describe('an audit that repairs counters', () => {
  it('makes lost limits and settings of tenants again, as they were, and leaves the rest', async () => {
    const { store, bursar, limits, spend, clock } = world()
    await limits.create({ id: 'gone', scope: { kind: 'global' }, budget: { total: 50 } })
    await limits.remove('gone')
    await limits.create({ id: 'cap', scope: { kind: 'global' }, budget: { total: 5 } })
    await spend(4)
    await limits.remove('cap')
    await limits.create({ id: 'cap', scope: { kind: 'global' }, budget: { total: 50, daily: 9 }, until: START + HOUR, thresholds: { block: 90 }, description: 'again' })
    await limits.change('cap', { budget: { total: 3 } })
    await limits.create({ id: 'each', scope: { kind: 'user', id: '*' }, budget: { daily: 60, timeZone: 'Europe/Berlin' } })
    await limits.change('each', { budget: { timeZone: 'Asia/Tokyo' } })
    await limits.tenants.set('acme', { models: ['cheap'] })
    await limits.tenants.set('other', { tier: 'free' })
    await limits.tenants.remove('other')
    await spend(1)
    const seen = async () => [(await limits.list()).map(({ version: _version, ...limit }) => limit), await limits.progress('cap'), await limits.progress('each'), (await limits.tenants.list()).map(({ models }) => models)]
    clock.advance(2 * HOUR)
    const before = await seen()
    expect(before[0]).toMatchObject([{ state: 'expired' }, { state: 'active' }])
    await lose(store, 'limit', 'limits', 'tenant')
    const report = await bursar.tracker.audit({ repair: 'counters' })
    expect(report).toMatchObject({ status: 'repaired', restored: { limits: ['cap', 'each'], tenants: ['acme'], failed: [] } })
    expect(await seen()).toEqual(before)
    expect((await allOf(store.registry.list('limit'))).map(({ value }) => JSON.parse(value) as { moved?: true }).filter(({ moved }) => moved)).toHaveLength(1)
    const again = await bursar.tracker.audit({ repair: 'counters' })
    expect([again.status, again.restored]).toEqual(['clean', undefined])
  })

  it('gives no later limit the counters of one that was removed before the loss', async () => {
    const { store, bursar, limits, spend } = world()
    await limits.create({ id: 'cap', scope: { kind: 'global' }, budget: { total: 5 } })
    await spend(4)
    await limits.remove('cap')
    await lose(store, 'limit', 'limits', 'tenant')
    await bursar.tracker.audit({ repair: 'counters' })
    await limits.create({ id: 'cap', scope: { kind: 'global' }, budget: { total: 5 } })
    expect(await limits.progress('cap')).toMatchObject([{ spent: 0 }])
  })

  it('leaves what the registry has, whatever the ledger says, and restores nothing otherwise', async () => {
    const { store, bursar, limits } = world()
    await limits.create({ id: 'cap', scope: { kind: 'global' }, budget: { total: 5 } })
    await limits.create({ id: 'lost', scope: { kind: 'global' }, budget: { total: 5 } })
    const record = await store.registry.get('limit', 'cap')
    await store.registry.put('limit', 'cap', (record?.value ?? '').replace('5', '6'), { expected: record?.version ?? 0 })
    const lost = await store.registry.get('limit', 'lost')
    await store.registry.put('limit', 'lost', null, { expected: lost?.version ?? 0 })
    expect((await bursar.tracker.audit()).restored).toBeUndefined()
    expect((await bursar.tracker.audit({ repair: 'ledger' })).restored).toBeUndefined()
    await lose(store, 'limits')
    expect((await bursar.tracker.audit({ repair: 'counters' })).restored).toEqual({ limits: ['lost'], tenants: [], failed: [] })
    expect(await limits.get('cap')).toMatchObject({ budget: { total: 6 } })
  })

  it('brings nothing back that was taken away, also where the ledger has no line of it', async () => {
    const { store, bursar, limits } = world()
    await limits.create({ id: 'cap', scope: { kind: 'global' }, budget: { total: 5 } })
    await limits.tenants.set('acme', { models: ['cheap'] })
    const { ledger } = store
    const append = ledger.append.bind(ledger)
    ledger.append = () => Promise.reject(new Error('disk full'))
    await expect(limits.remove('cap')).rejects.toThrow('was removed, and stands so')
    await expect(limits.tenants.remove('acme')).rejects.toThrow('was taken away, and stands so')
    ledger.append = append
    expect((await bursar.tracker.audit({ repair: 'counters' })).restored).toBeUndefined()
    expect([await limits.list(), await limits.tenants.list()]).toEqual([[], []])
  })
})

describe('what a ledger says of limits', () => {
  it('counts creations where a line does not say which it was', async () => {
    const { registry } = memoryStore()
    const limit = { id: 'cap', scope: { kind: 'global' }, budget: { total: 1 } }
    const lines = [entry('limit created', { limit }), entry('limit removed', { id: 'cap' }), entry('limit created', { limit })]
    const { limits } = await restore(new LimitRecords(registry, false), each(lines), {})
    expect(limits.get('cap')?.value.generation).toBe(2)
  })

  it('is what the last change made of it, in whatever order the lines were written', async () => {
    const { registry } = memoryStore()
    const limit = (id: string, total: number) => ({ id, scope: { kind: 'global' }, budget: { total } })
    const lines = [
      entry('limit changed', { limit: limit('cap', 2), generation: 1, version: 7 }),
      entry('limit created', { limit: limit('cap', 500), generation: 1, version: 3 }),
      entry('limit created', { limit: limit('again', 3), generation: 2, version: 9 }),
      entry('limit removed', { id: 'again', generation: 1, version: 4 }),
      entry('limit removed', { id: 'gone', generation: 1, version: 5 }),
      entry('limit created', { limit: limit('gone', 1), generation: 1, version: 5 }),
      entry('tenant set', { tier: 'pro', version: 12 }, { tenant: 'acme' }),
      entry('tenant removed', { version: 6 }, { tenant: 'acme' }),
    ]
    const { limits, report } = await restore(new LimitRecords(registry, false), each(lines), {})
    expect([...limits].map(([id, { value }]) => [id, value.budget, value.generation])).toEqual([['cap', { total: 2 }, 1], ['again', { total: 3 }, 2]])
    expect(report).toMatchObject({ tenants: ['acme'] })
  })

  it('is reported where it cannot be restored, as long as nothing later takes its place', async () => {
    const { registry } = memoryStore()
    const lines = [
      entry('limit created', { limit: { id: 'odd', scope: { kind: 'global' }, budget: { total: 1 } } }),
      entry('limit changed', { limit: { id: 'odd', scope: { kind: 'global' }, budget: { yearly: 1 } } }),
      entry('limit created', { limit: { id: 'gone', scope: { kind: 'global' }, budget: {} } }),
      entry('limit removed', { id: 'gone' }),
      entry('tenant set', { tier: 7 }, { tenant: 'acme' }),
      entry('limit created', {}),
      entry('tenant set', { tier: 'free' }, { tenant: 'other' }),
    ]
    const { report } = await restore(new LimitRecords(registry, false), each(lines), {})
    expect(report).toMatchObject({ limits: [], tenants: ['other'] })
    expect(report?.failed.map((each) => each.split(':')[0])).toEqual(['limit "odd"', 'tenant "acme"'])
  })
})
