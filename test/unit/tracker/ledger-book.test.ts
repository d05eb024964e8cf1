// The ledger as an application asks it, and spend of nobody's that is assigned to a client: what changes, what does not, and that it
// happens once.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { Bursar, memoryStore, type LedgerEntry, type Store } from '../../../src/index.js'
import { sqliteStore } from '../../../src/store/sqlite/index.js'
import { manualClock, type ManualClock } from '../../../src/testing/index.js'
import { allOf, allowedOf, storeWith } from '../setting.js'

const config = { tiers: { free: { daily: 10, rolling: { '5h': 10 } } }, defaultTier: 'free', global: { monthly: 100 } } as const
const cleanups: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup()
})

const stores: Record<string, (clock: ManualClock) => Promise<Store>> = {
  memory: async (clock) => memoryStore({ clock, ledgerCapacity: 20_000 }),
  sqlite: async (clock) => {
    const folder = await mkdtemp(join(tmpdir(), 'bursar-'))
    const store = sqliteStore({ path: join(folder, 'store.db'), clock })
    cleanups.push(async () => {
      await (store as Store & { close?(): unknown }).close?.()
      await rm(folder, { recursive: true, force: true })
    })
    return store
  },
}

async function spent(store: Store, clock: ManualClock) {
  const bursar = new Bursar({ ...config, clock, store })
  const decision = allowedOf(await bursar.check({ userId: 'u', model: 'm', provider: 'p', estimatedCost: 2, inputTokens: 5, maxOutputTokens: 4, metadata: { project: 'x' }, idempotencyKey: 'd' }))
  clock.advance('1s')
  await decision.settle({ cost: 1.5, tokens: { input: 5, output: 2 } })
  await bursar.tracker.refund({ userId: 'u', cost: 0.5, decisionId: 'd' })
  await bursar.tracker.addCost({ userId: 'v', cost: 0.25, model: 'n' })
  await bursar.tracker.addCost({ userId: 'w', tenant: 'other', cost: 4 })
  allowedOf(await bursar.check({ userId: 'u', estimatedCost: 0.1 })).release()
  await bursar.check({ userId: 'u', estimatedCost: 500 })
  clock.advance('1h')
  return bursar
}

const clients = async ({ tracker }: Bursar) => (await tracker.reports.byClient().all()).map(({ client, calls, cost }) => [client, calls, cost])

describe.each(Object.keys(stores))('assigning spend in %s', (name) => {
  const opened = async () => {
    const clock = manualClock()
    return spent(await (stores[name] as (typeof stores)[string])(clock), clock)
  }

  it('moves calls, tokens and cost to the client at the time of the entry, and changes nothing else', async () => {
    const bursar = await opened()
    const { tracker } = bursar
    const before = { summary: await tracker.getSummary(), user: await tracker.getUserSummary('u') }
    expect(await clients(bursar)).toEqual([['other', 1, 4], ['unassigned', 2, 1.25]])
    expect(await tracker.ledger.assign({}, { tenant: 'acme', reason: 'found out' })).toMatchObject({ assigned: 3, cost: 1.25, exact: { microcents: 125_000_000n } })
    expect(await clients(bursar)).toEqual([['acme', 2, 1.25], ['other', 1, 4]])
    expect((await tracker.reports.billing().all()).map(({ client, model, project, cost }) => [client, model, project, cost])).toEqual([['acme', 'm', 'x', 1], ['acme', 'n', undefined, 0.25], ['other', undefined, undefined, 4]])
    expect({ summary: await tracker.getSummary(), user: await tracker.getUserSummary('u') }).toEqual(before)
    expect(await tracker.audit()).toMatchObject({ differences: [] })
    const pair = (await allOf(tracker.entries({ where: { reason: 'assigned', decisionId: 'd' } }))).slice(0, 2)
    const [settled] = await allOf(tracker.entries({ where: { kind: 'settled' } }))
    const same = { kind: 'corrected', at: settled?.at, openedAt: settled?.openedAt, decisionId: 'd', userId: 'u', model: 'm', charged: [], metadata: { project: 'x', assignedBecause: 'found out' } }
    expect(pair[0]?.tenant).toBeUndefined()
    expect(pair).toMatchObject([{ ...same, id: 'd:settled:assigned:from', microcents: -150_000_000, calls: -1 }, { ...same, id: 'd:settled:assigned:to', tenant: 'acme', microcents: 150_000_000, calls: 1 }])
  })

  it('happens once, and takes what came since', async () => {
    const bursar = await opened()
    const { ledger } = bursar.tracker
    const runs = await Promise.all([ledger.assign({}, { tenant: 'acme' }), ledger.assign({}, { tenant: 'acme' }), ledger.assign({}, { tenant: 'zeta' })])
    expect(runs.map(({ assigned }) => assigned)).toEqual([3, 0, 0])
    await bursar.tracker.addCost({ userId: 'late', cost: 1 })
    expect(await ledger.assign({}, { tenant: 'zeta' })).toMatchObject({ assigned: 1, cost: 1 })
    expect(await clients(bursar)).toEqual([['acme', 2, 1.25], ['other', 1, 4], ['zeta', 1, 1]])
  })

  it('is only of what matches', async () => {
    const bursar = await opened()
    expect(await bursar.tracker.ledger.assign({ where: { userId: 'v' } }, { tenant: 'acme' })).toMatchObject({ assigned: 1, cost: 0.25 })
    expect(await bursar.tracker.ledger.assign({ where: { kind: ['denied', 'released', 'configured'] } }, { tenant: 'acme' })).toMatchObject({ assigned: 0, cost: 0 })
    expect(await clients(bursar)).toEqual([['acme', 1, 0.25], ['other', 1, 4], ['unassigned', 1, 1]])
  })
})

describe('assigning spend', () => {
  it('goes on where a run broke off between two appends, and each append is of whole pairs', async () => {
    const clock = manualClock()
    const store = memoryStore({ clock, ledgerCapacity: 10_000 })
    const appended: (readonly LedgerEntry[])[] = []
    let left = 2
    const { ledger } = store
    const breaking = storeWith(store, {
      ledger: new Proxy(ledger, {
        get: (target, name) => {
          const value: unknown = (target as unknown as Record<PropertyKey, unknown>)[name]
          if (name !== 'append') return typeof value === 'function' ? (value.bind(target) as unknown) : value
          return (...entries: readonly LedgerEntry[]) => {
            if ((left -= 1) < 0) throw new Error('gone')
            appended.push(entries)
            return target.append(...entries)
          }
        },
      }),
    })
    const { tracker } = new Bursar({ tiers: { free: { daily: 10 } }, defaultTier: 'free', clock, store: breaking })
    for (let index = 0; index < 1_100; index += 1) await tracker.addCost({ userId: 'u', cost: 0.001 })
    await expect(tracker.ledger.assign({}, { tenant: 'acme' })).rejects.toThrow('gone')
    left = Infinity
    const done = appended.flat().length / 2
    expect(done).toBeGreaterThan(0)
    expect(await tracker.ledger.assign({}, { tenant: 'acme' })).toMatchObject({ assigned: 1_100 - done })
    for (const entries of appended) entries.forEach(({ id, decisionId }, index) => expect(id).toBe(`${decisionId}:recorded:assigned:${index % 2 === 0 ? 'from' : 'to'}`))
    expect((await tracker.reports.byClient().all()).map(({ client, calls, cost }) => [client, calls, cost])).toEqual([['acme', 1_100, 1.1]])
  })

  it.each([
    [{ where: { tenant: 'other' } }, { tenant: 'acme' }, /tenant/],
    [{ where: { tenant: [null, 'other'] } }, { tenant: 'acme' }, /tenant/],
    [{}, { tenant: '' }, /tenant/],
    [{}, {}, /tenant/],
    [{}, { tenant: 'acme', reason: '' }, /reason/],
    [{}, { tenant: 'acme', note: 'x' }, /note/],
    [{ colour: 'red' }, { tenant: 'acme' }, /colour|Unrecognized/],
  ])('refuses %j to %j and writes nothing', async (filter, options, message) => {
    const clock = manualClock()
    const { tracker } = await spent(memoryStore({ clock }), clock)
    const before = (await allOf(tracker.entries())).length
    await expect(tracker.ledger.assign(filter as never, options as never)).rejects.toThrow(message)
    expect(await allOf(tracker.entries())).toHaveLength(before)
  })
})

describe('ledger.query', () => {
  it('gives page after page, each entry once', async () => {
    const clock = manualClock()
    const { tracker } = await spent(memoryStore({ clock }), clock)
    const found: LedgerEntry[] = []
    for (let after: string | undefined; ; ) {
      const page = await tracker.ledger.query({ where: { tenant: null } }, { limit: 2, ...(after !== undefined && { after }) })
      expect(page.entries.length).toBeLessThanOrEqual(2)
      found.push(...page.entries)
      if (page.next === undefined) break
      after = page.next
    }
    expect(found).toEqual(await allOf(tracker.entries({ where: { tenant: null } })))
    expect(found).toHaveLength(5)
  })

  it.each([[{ limit: 0 }], [{ limit: 10_001 }], [{ limit: 1.5 }], [{ after: 'x' }], [{ skip: 1 }]])('refuses %j', async (options) => {
    const clock = manualClock()
    const { tracker } = await spent(memoryStore({ clock }), clock)
    await expect(tracker.ledger.query({}, options as never)).rejects.toMatchObject({ code: 'INVALID_REQUEST' })
  })

  it('refuses a filter that is none at once, where entries are read one by one too', async () => {
    const clock = manualClock()
    const { tracker } = await spent(memoryStore({ clock }), clock)
    expect(() => tracker.entries({ where: { colour: 'x' } } as never)).toThrow(/colour/)
    await expect(tracker.ledger.query({ from: 'now' } as never)).rejects.toMatchObject({ code: 'INVALID_REQUEST' })
  })
})
