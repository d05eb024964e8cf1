// The ledger as an application asks it, and spend of nobody's that is assigned to a client: what changes, what does not, and that it
// happens once.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { Bursar, memoryStore, type CostTracker, type LedgerEntry, type Store } from '../../../src/index.js'
import type { Auditor, LedgerSink, LedgerStanding } from '../../../src/store/index.js'
import type { StoreLedger } from '../../../src/store/memory/ledger.js'
import { sqliteStore } from '../../../src/store/sqlite/index.js'
import { manualClock, type ManualClock } from '../../../src/testing/index.js'
import { allOf, allowedOf, storeWith } from '../setting.js'

const config = { tiers: { free: { daily: 10, rolling: { '5h': 10 } } }, defaultTier: 'free', global: { monthly: 100 } } as const
const storeOf = new WeakMap<Bursar, Store>()
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
    const store = await (stores[name] as (typeof stores)[string])(clock)
    const bursar = await spent(store, clock)
    storeOf.set(bursar, store)
    return bursar
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
    const same = { kind: 'corrected', at: settled?.at, openedAt: settled?.openedAt, decisionId: 'd', userId: 'u', model: 'm', charged: [], metadata: { project: 'x' }, details: { assignment: { reason: 'found out' } } }
    expect(pair[0]?.tenant).toBeUndefined()
    expect(pair.map(({ metadata }) => metadata)).toEqual([settled?.metadata, settled?.metadata])
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

  it('lets a refund follow the decision that was assigned, whatever tenant the next run names', async () => {
    const bursar = await opened()
    const { tracker } = bursar
    await tracker.ledger.assign({}, { tenant: 'acme' })
    await tracker.refund({ userId: 'u', cost: 0.75, decisionId: 'd' })
    await tracker.addCost({ userId: 'eve', cost: 3 })
    expect(await clients(bursar)).toEqual([['acme', 2, 1.25], ['other', 1, 4], ['unassigned', 1, 2.25]])
    const exact = { microcents: 225_000_000n, tokens: 0n }
    const byTenant = [
      { tenant: 'acme', assigned: 1, cost: -0.75, exact: { microcents: -75_000_000n, tokens: 0n } },
      { tenant: 'zen', assigned: 1, cost: 3, exact: { microcents: 300_000_000n, tokens: 0n } },
    ]
    expect(await tracker.ledger.assign({}, { tenant: 'zen', dryRun: true })).toEqual({ assigned: 2, cost: 2.25, exact, byTenant })
    expect(await tracker.ledger.assign({}, { tenant: 'zen' })).toEqual({ assigned: 2, cost: 2.25, exact, byTenant })
    expect(await clients(bursar)).toEqual([['acme', 2, 0.5], ['other', 1, 4], ['zen', 1, 3]])
    await tracker.refund({ userId: 'u', cost: 0.25, decisionId: 'd' })
    expect(await tracker.ledger.assign({ where: { kind: 'corrected' } }, { tenant: 'zen' })).toMatchObject({ assigned: 1, cost: -0.25, byTenant: [{ tenant: 'acme', assigned: 1, cost: -0.25 }] })
    expect(await clients(bursar)).toEqual([['acme', 2, 0.25], ['other', 1, 4], ['zen', 1, 3]])
  })

  it('takes no refund for an assignment, whatever its reason says', async () => {
    const bursar = await opened()
    const { tracker } = bursar
    await expect(tracker.refund({ userId: 'v', cost: 0.1, reason: 'assigned' })).rejects.toMatchObject({ code: 'INVALID_REQUEST' })
    const [added] = await allOf(tracker.entries({ where: { userId: 'v' } }))
    // As one that was written by something else.
    await storeOf.get(bursar)?.refund({ id: 'r', user: { userId: 'v' }, microcents: 25_000_000, of: added?.decisionId, reason: 'assigned', fingerprint: 'r' } as never)
    expect(await tracker.ledger.assign({}, { tenant: 'acme' })).toMatchObject({ assigned: 4, cost: 1 })
    expect(await clients(bursar)).toEqual([['acme', 2, 1], ['other', 1, 4]])
  })

  it('is tried without writing anything, and says what the next run does, under any filter', async () => {
    const bursar = await opened()
    const { tracker } = bursar
    const entries = async (): Promise<number> => (await allOf(tracker.entries())).length
    for (const filter of [{ where: { userId: 'v' } }, { where: { kind: 'recorded' } }, { where: { kind: 'corrected' } }, {}, {}] as const) {
      const before = await entries()
      const tried = await tracker.ledger.assign(filter, { tenant: 'acme', dryRun: true })
      expect(await entries()).toBe(before)
      expect(await tracker.ledger.assign(filter, { tenant: 'acme' })).toEqual(tried)
      expect(await entries()).toBe(before + 2 * tried.assigned)
      expect(await tracker.ledger.assign(filter, { tenant: 'zen', dryRun: true })).toEqual({ assigned: 0, cost: 0, exact: { microcents: 0n, tokens: 0n }, byTenant: [] })
    }
    expect(await clients(bursar)).toEqual([['acme', 2, 1.25], ['other', 1, 4]])
  })

  it('is only of what matches', async () => {
    const bursar = await opened()
    expect(await bursar.tracker.ledger.assign({ where: { userId: 'v' } }, { tenant: 'acme' })).toMatchObject({ assigned: 1, cost: 0.25 })
    expect(await bursar.tracker.ledger.assign({ where: { kind: ['denied', 'released', 'configured'] } }, { tenant: 'acme' })).toMatchObject({ assigned: 0, cost: 0 })
    expect(await clients(bursar)).toEqual([['acme', 1, 0.25], ['other', 1, 4], ['unassigned', 1, 1]])
  })
})

describe('assigning spend', () => {
  /** A store of which every batch that is appended is seen, and may fail before or after it is written. */
  function watched(store: Store, onAppend: (entries: readonly LedgerEntry[], append: () => Promise<boolean>) => Promise<boolean>): Store {
    const { auditor } = store as Store & { auditor: Auditor }
    const append: Auditor['append'] = (entries, repairs) => onAppend(entries, async () => auditor.append(entries, repairs))
    return storeWith(store, { auditor: { snapshot: () => auditor.snapshot(), standing: () => (auditor.standing as () => LedgerStanding)(), correct: (...given) => auditor.correct(...given), append } })
  }

  async function charged(count: number, onAppend: Parameters<typeof watched>[1]): Promise<CostTracker> {
    const clock = manualClock()
    const store = watched(memoryStore({ clock, ledgerCapacity: 10_000 }), onAppend)
    const { tracker } = new Bursar({ tiers: { free: { daily: 10 } }, defaultTier: 'free', clock, store })
    for (let index = 0; index < count; index += 1) await tracker.addCost({ userId: 'u', cost: 0.001 })
    return tracker
  }

  it('goes on where a run broke off between two appends, and each append is of whole pairs', async () => {
    const appended: (readonly LedgerEntry[])[] = []
    let left = 2
    const tracker = await charged(1_100, async (entries, append) => {
      if ((left -= 1) < 0) throw new Error('gone')
      appended.push(entries)
      return append()
    })
    await expect(tracker.ledger.assign({}, { tenant: 'acme' })).rejects.toThrow('gone')
    left = Infinity
    const done = appended.flat().length / 2
    expect(done).toBeGreaterThan(0)
    expect(await tracker.ledger.assign({}, { tenant: 'acme' })).toMatchObject({ assigned: 1_100 - done })
    for (const entries of appended) entries.forEach(({ id, decisionId }, index) => expect(id).toBe(`${decisionId}:recorded:assigned:${index % 2 === 0 ? 'from' : 'to'}`))
    expect((await tracker.reports.byClient().all()).map(({ client, calls, cost }) => [client, calls, cost])).toEqual([['acme', 1_100, 1.1]])
  })

  it('is counted once where a batch is sent again, because its reply was lost', async () => {
    let sent = 0
    const tracker = await charged(600, async (_entries, append) => {
      const first = await append()
      return (sent += 1) % 2 === 0 ? first : append()
    })
    expect(await tracker.ledger.assign({}, { tenant: 'acme' })).toMatchObject({ assigned: 600, cost: 0.6, byTenant: [{ tenant: 'acme', assigned: 600 }] })
    expect((await tracker.reports.byClient().all()).map(({ client, calls, cost }) => [client, calls, cost])).toEqual([['acme', 600, 0.6]])
  })

  it('reads the ledger a fixed number of times, however many batches it is, and lets the process go on in between', async () => {
    const clock = manualClock()
    const store = memoryStore({ clock, ledgerCapacity: 20_000 })
    let pages = 0
    const { ledger } = store
    const counted: LedgerSink & Pick<StoreLedger, 'page'> = {
      append: (...entries) => ledger.append(...entries),
      entries: () => ledger.entries(),
      totals: () => ledger.totals(),
      page: (...given) => {
        pages += 1
        return (ledger as StoreLedger).page(...given)
      },
    }
    const { tracker } = new Bursar({ tiers: { free: {} }, defaultTier: 'free', clock, store: storeWith(store, { ledger: counted }) })
    for (let index = 0; index < 8_000; index += 1) await tracker.addCost({ userId: 'u', cost: 0.001 })
    let turns = 0
    let next = setImmediate(turn)
    function turn(): void {
      turns += 1
      next = setImmediate(turn)
    }
    pages = 0
    expect(await tracker.ledger.assign({}, { tenant: 'acme' })).toMatchObject({ assigned: 8_000 })
    clearImmediate(next)
    expect(turns).toBeGreaterThan(20)
    // The charges twice (once to count them), the corrections, what is taken, and the pairs behind the charges.
    expect(pages).toBeLessThan(50)
  })

  it('is refused before anything is written where a ledger has no room for every pair, or has lost entries', async () => {
    const clock = manualClock()
    const store = memoryStore({ clock, ledgerCapacity: 10 })
    const { tracker } = new Bursar({ tiers: { free: {} }, defaultTier: 'free', clock, store })
    for (let index = 0; index < 5; index += 1) await tracker.addCost({ userId: 'u', cost: 1 })
    expect(await tracker.ledger.assign({}, { tenant: 'acme' })).toMatchObject({ assigned: 5 })
    await tracker.setUserTier('u', 'free')
    const before = await allOf(tracker.entries())
    expect((await tracker.reports.byClient().all()).map(({ client, calls, cost }) => [client, calls, cost])).toEqual([['acme', 5, 5]])
    expect(await tracker.ledger.assign({}, { tenant: 'acme' }).catch((error: unknown) => error)).toMatchObject({ code: 'INVALID_CONFIG', message: expect.stringContaining('SQLite') })
    for (let index = 0; index < 2; index += 1) await tracker.addCost({ userId: 'u', cost: 1 })
    await expect(tracker.ledger.assign({}, { tenant: 'zen' })).rejects.toMatchObject({ code: 'INVALID_CONFIG' })
    expect((await allOf(tracker.entries())).slice(0, before.length)).toEqual(before)
    expect(await allOf(tracker.entries())).toHaveLength(before.length + 2)
    const full = new Bursar({ tiers: { free: {} }, defaultTier: 'free', clock, store: memoryStore({ clock, ledgerCapacity: 10 }) })
    for (let index = 0; index < 11; index += 1) await full.tracker.addCost({ userId: 'u', cost: 1 })
    await expect(full.tracker.ledger.assign({ where: { userId: 'nobody' } }, { tenant: 'acme' })).rejects.toMatchObject({ code: 'INVALID_CONFIG' })
    expect(await allOf(full.tracker.entries())).toHaveLength(10)
  })

  it('is refused as a whole where only a part of the pairs has room', async () => {
    const clock = manualClock()
    const { tracker } = new Bursar({ tiers: { free: {} }, defaultTier: 'free', clock, store: memoryStore({ clock, ledgerCapacity: 600 }) })
    for (let index = 0; index < 400; index += 1) await tracker.addCost({ userId: 'u', cost: 0.001 })
    await expect(tracker.ledger.assign({}, { tenant: 'acme' })).rejects.toThrow('800')
    await expect(tracker.ledger.assign({}, { tenant: 'acme', dryRun: true })).rejects.toThrow('800')
    expect(await allOf(tracker.entries())).toHaveLength(400)
  })

  it('counts in the room what is not assigned yet, and no more', async () => {
    const clock = manualClock()
    const { tracker } = new Bursar({ tiers: { free: {} }, defaultTier: 'free', clock, store: memoryStore({ clock, ledgerCapacity: 10 }) })
    for (let index = 0; index < 6; index += 1) await tracker.addCost({ userId: index < 5 ? 'u' : 'v', cost: 1 })
    const before = await allOf(tracker.entries())
    await expect(tracker.ledger.assign({}, { tenant: 'acme' })).rejects.toThrow('12')
    expect(await allOf(tracker.entries())).toEqual(before)
    expect(await tracker.ledger.assign({ where: { userId: 'u' } }, { tenant: 'acme' })).toMatchObject({ assigned: 5 })
  })

  it('is refused on a store that could not tell whether somebody else assigns', async () => {
    const clock = manualClock()
    const { tracker } = new Bursar({ tiers: { free: {} }, defaultTier: 'free', clock, store: storeWith(memoryStore({ clock }), { auditor: undefined }) })
    await tracker.addCost({ userId: 'u', cost: 1 })
    await expect(tracker.ledger.assign({}, { tenant: 'acme' })).rejects.toMatchObject({ code: 'INVALID_CONFIG' })
  })

  it('books nothing twice from two processes at once, and each says what it has written itself', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'bursar-'))
    const open = () => new Bursar({ tiers: { free: {} }, defaultTier: 'free', store: sqliteStore({ path: join(folder, 'store.db') }) })
    const [one, other] = [open(), open()]
    cleanups.push(async () => {
      await Promise.all([one.close(), other.close()])
      await rm(folder, { recursive: true, force: true })
    })
    for (let index = 0; index < 700; index += 1) await one.tracker.addCost({ userId: 'u', model: 'm', cost: 1 })
    const runs = await Promise.all([one.tracker.ledger.assign({}, { tenant: 'acme' }), other.tracker.ledger.assign({}, { tenant: 'zen' })])
    expect(runs.reduce((sum, { assigned }) => sum + assigned, 0)).toBe(700)
    const shown = (await one.tracker.reports.byClient().all()).map(({ client, calls, cost }) => [client, calls, cost])
    expect(shown).toEqual([['acme', runs[0].assigned, runs[0].cost], ['zen', runs[1].assigned, runs[1].cost]].filter(([, calls]) => calls !== 0))
    expect((await one.tracker.getSummary()).totalCost).toBe(700)
    expect(await other.tracker.audit()).toMatchObject({ status: 'clean' })
  })

  it.each([
    [{ where: { tenant: 'other' } }, { tenant: 'acme' }, /tenant/],
    [{ where: { tenant: [null, 'other'] } }, { tenant: 'acme' }, /tenant/],
    [{}, { tenant: '' }, /tenant/],
    [{}, {}, /tenant/],
    [undefined, { tenant: 'acme' }, /filter/],
    [null, { tenant: 'acme' }, /filter/],
    [{}, undefined, /options/],
    [{}, { tenant: 'acme', reason: '' }, /reason/],
    [{}, { tenant: 'acme', note: 'x' }, /note/],
    [{}, { tenant: 'acme', dryRun: 'no' }, /^dryRun: "no" /],
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
