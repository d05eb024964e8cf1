// Decisions that another process explains: written behind the decision into a shared store, in bounded space, and never at a
// decision's cost.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { Bursar, memoryStore, type BursarConfig, type Decision, type Registry, type Store } from '../../../src/index.js'
import { sqliteStore } from '../../../src/store/sqlite/index.js'
import { manualClock } from '../../../src/testing/index.js'
import { allOf, storeWith } from '../setting.js'

const folder = mkdtempSync(join(tmpdir(), 'bursar-explain-'))
afterAll(() => rmSync(folder, { recursive: true }))

function engine(store: Store, config: Partial<BursarConfig> = {}): Bursar {
  const bursar = new Bursar({ tiers: { free: { daily: 1 } }, defaultTier: 'free', clock: manualClock(), store, ...config } as BursarConfig)
  return bursar.on('store-error', () => {})
}

function shared(registry?: Partial<Registry>): Store {
  const inner = memoryStore({ clock: manualClock() })
  const bound = { get: inner.registry.get.bind(inner.registry), put: inner.registry.put.bind(inner.registry), list: inner.registry.list.bind(inner.registry) }
  return storeWith(inner, { shared: true, close: () => {}, registry: { ...bound, ...registry } })
}

const deny = (bursar: Bursar, userId = 'u'): Promise<Decision> => bursar.check({ userId, estimatedCost: 2 })

describe('a decision in a shared store', () => {
  it('is explained by another process as by its own, on SQLite', async () => {
    const path = join(folder, 'budgets.db')
    const one = engine(await sqliteStore({ path }))
    const { id } = await deny(one)
    const own = await one.explain(id)
    await one.close()
    const other = engine(await sqliteStore({ path }))
    expect(await other.explain(id)).toEqual(own)
    await expect(other.explain('another')).rejects.toMatchObject({ code: 'UNKNOWN_DECISION' })
    await other.close()
  })

  it('is found by a process that was told of another number of places', async () => {
    const store = shared()
    const one = engine(store, { decisionLog: { max: 7 } })
    const { id } = await deny(one)
    await one.close()
    expect((await engine(store, { decisionLog: { max: 1_000 } }).explain(id)).decisionId).toBe(id)
  })

  it('takes no more than its places, however many are denied', async () => {
    const store = shared()
    const bursar = engine(store, { decisionLog: { max: 4 } })
    for (let index = 0; index < 60; index += 1) await deny(bursar, `u${index}`)
    await bursar.close()
    const records = await allOf(store.registry.list('decision'))
    expect(records.length).toBeGreaterThan(1)
    expect(records.length).toBeLessThanOrEqual(4)
  })

  it('finds a place where there is one, so that few of half as many as there are places are lost', async () => {
    const store = shared()
    const bursar = engine(store, { decisionLog: { max: 200 } })
    const ids: string[] = []
    for (let index = 0; index < 100; index += 10) {
      ids.push(...(await Promise.all(Array.from({ length: 10 }, () => deny(bursar)))).map(({ id }) => id))
      await vi.waitFor(async () => expect((await allOf(store.registry.list('decision'))).some(({ value }) => value.includes(ids.at(-1) as string))).toBe(true))
    }
    await bursar.close()
    const other = engine(store, { decisionLog: { max: 200 } })
    const found = await Promise.all(ids.map((id) => other.explain(id).then(() => 1, () => 0)))
    expect(found.filter((each) => each === 1).length).toBeGreaterThanOrEqual(92)
    await expect(other.explain('none')).rejects.toThrow('bursts are thinned')
  })

  it('gives its place up before newer ones', async () => {
    const store = shared()
    const ids: string[] = []
    for (let index = 0; index < 40; index += 1) {
      const bursar = engine(store, { decisionLog: { max: 8 } })
      ids.push((await deny(bursar)).id)
      await bursar.close()
    }
    const left = (await allOf(store.registry.list('decision'))).map(({ value }) => (JSON.parse(value) as { decisionId: string }).decisionId)
    expect(left).toHaveLength(8)
    expect(left).toContain(ids.at(-1))
    expect(left.filter((id) => ids.indexOf(id) < 10)).toEqual([])
  })

  it('is not written for ALLOW and WARN', async () => {
    const store = shared()
    const bursar = engine(store)
    await bursar.check({ userId: 'u', estimatedCost: 0.9 })
    await bursar.close()
    expect(await allOf(store.registry.list('decision'))).toEqual([])
  })

  it('waits behind at most one write, and gives way to newer ones', async () => {
    let running = 0
    let most = 0
    const written: string[] = []
    const inner = memoryStore({ clock: manualClock() })
    const put: Registry['put'] = async (kind, key, value, write) => {
      running += 1
      most = Math.max(most, running)
      await Promise.resolve()
      running -= 1
      written.push((JSON.parse(value as string) as { decisionId: string }).decisionId)
      return inner.registry.put(kind, key, value, write)
    }
    const bursar = engine(storeWith(inner, { shared: true, registry: { get: inner.registry.get.bind(inner.registry), list: inner.registry.list.bind(inner.registry), put } }))
    const ids = (await Promise.all(Array.from({ length: 200 }, () => deny(bursar)))).map(({ id }) => id)
    await bursar.close()
    expect(most).toBe(1)
    expect(written.length).toBeLessThan(100)
    expect(written).toContain(ids.at(-1))
  })

  it('fails no check where it cannot be written, and keeps no engine from closing', async () => {
    const failures: string[] = []
    const failing = engine(shared({ get: () => Promise.reject(new Error('read-only')) }), { storeTimeout: 50 })
    failing.on('store-error', ({ operation }) => failures.push(operation))
    const { id, allowed } = await deny(failing)
    expect([allowed, (await failing.explain(id)).action]).toEqual([false, 'BLOCK'])
    await failing.close()
    const hanging = engine(shared({ get: () => new Promise(() => {}) }), { storeTimeout: 50 })
    for (let index = 0; index < 5; index += 1) await deny(hanging)
    await hanging.close()
    expect(failures).toContain('registry')
  })

  it('is out before anything is written', async () => {
    const asked: string[] = []
    const inner = memoryStore({ clock: manualClock() })
    const registry: Registry = { get: (kind, key) => (asked.push(`get ${kind}`), inner.registry.get(kind, key)), put: (kind, ...given) => (asked.push(`put ${kind}`), inner.registry.put(kind, ...given)), list: (kind) => inner.registry.list(kind) }
    const bursar = engine(storeWith(inner, { shared: true, registry }))
    await deny(bursar)
    const ofDecisions = (): string[] => asked.filter((each) => each.endsWith(' decision'))
    expect(ofDecisions()).toEqual([])
    await bursar.close()
    expect(ofDecisions()).toEqual(['get decision', 'put decision'])
  })
})
