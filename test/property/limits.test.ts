// Limits as data: their dates hold to the millisecond of store time whatever the clock of whoever asks, and nothing is overspent in
// them while they are made, changed and removed.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Bursar, memoryStore, type AllowedDecision, type Limit, type LimitPatch, type Store } from '../../src/index.js'
import { sqliteStore } from '../../src/store/sqlite/index.js'
import { manualClock, type ManualClock } from '../../src/testing/index.js'
import { assertProperty, propertyHolds } from '../support/property.js'
import { sharedData, SESSION_STORES, type SharedData } from '../support/session-stores.js'
import { temporaryFiles } from '../support/sqlite/temporary-files.js'
import { storeWith } from '../unit/setting.js'

const RUNS = Number(process.env['BURSAR_RUNS'] ?? 1_000)
const FEWER = Math.max(10, Math.ceil(RUNS / 20))
const START = Date.UTC(2026, 2, 28, 23, 59, 59)
const CENT = 1_000_000
const HOUR = 3_600_000

describe('the dates of limits', () => {
  const files = temporaryFiles()
  const inSqlite = (clock: ManualClock): Store => sqliteStore({ path: files.path(), clock })

  it('hold to the millisecond in memory', async () => {
    await assertProperty('limit dates memory', datesHold((clock) => memoryStore({ clock })))
  })

  it('hold to the millisecond in SQLite', async () => {
    await assertProperty('limit dates sqlite', datesHold(inSqlite), FEWER)
    files.removeAll()
  })

  it('are told from those of a store whose replies say another time', async () => {
    const wrong = (clock: ManualClock): Store => {
      const store = memoryStore({ clock })
      const early = <Reply>(reply: Reply): Reply => ({ ...reply, now: (reply as { now: number }).now - 1 })
      return storeWith(store, { reserve: (request) => early(store.reserve(request)) as never, read: (scopes) => early(store.read(scopes)) as never })
    }
    expect(await propertyHolds(datesHold(wrong), 300)).toBe(false)
  })
})

interface Dated {
  /** ms after the start. */
  readonly from: number | null
  readonly until: number | null
  readonly cents: number
}

const offset = fc.integer({ min: 1, max: 3 * HOUR })
const dated: fc.Arbitrary<Dated> = fc.record({ from: fc.option(offset), until: fc.option(offset), cents: fc.nat({ max: 3 }) }).filter(({ from, until }) => from === null || until === null || from < until)
/** When a check is made: around a boundary, or anywhere; and how wrong the clock of the process is then. */
const moment = fc.record({ boundary: fc.nat({ max: 11 }), by: fc.constantFrom(-1, 0, 1), anywhere: fc.option(offset, { freq: 3 }), skewMs: fc.option(fc.integer({ min: -26 * HOUR, max: 26 * HOUR })), idle: fc.boolean() })

/** One process, whose clock is wrong and jumps, asks for a cent at instants around the dates; what it gets is reckoned by store time alone. */
function datesHold(open: (clock: ManualClock) => Store): fc.IAsyncProperty<[Dated[], { boundary: number; by: number; anywhere: number | null; skewMs: number | null; idle: boolean }[]]> {
  return fc.asyncProperty(fc.array(dated, { minLength: 1, maxLength: 5 }), fc.array(moment, { minLength: 1, maxLength: 25 }), async (drawn, moments) => {
    const storeClock = manualClock(START)
    let skewMs = 0
    const store = open(storeClock)
    const bursar = new Bursar({ tiers: { free: {} }, defaultTier: 'free', clock: () => storeClock() + skewMs, store })
    try {
      const limits = drawn.map((limit, index) => ({ ...limit, id: `limit ${index}`, spent: 0 }))
      for (const { id, from, until, cents } of limits) {
        await bursar.limits.create({ id, scope: { kind: 'global' }, budget: { total: cents / 100 }, from: from === null ? null : START + from, until: until === null ? null : START + until })
      }
      const dates = limits.flatMap(({ from, until }) => [from, until]).filter((at) => at !== null)
      const instants = moments.map(({ boundary, by, anywhere }) => anywhere ?? (dates.length === 0 ? 1 : (dates[boundary % dates.length] as number) + by))
      const order = instants.map((at, index) => ({ at, skew: moments[index]?.skewMs ?? null, idle: moments[index]?.idle === true })).sort((a, b) => a.at - b.at)
      for (const { at, skew, idle } of order) {
        // Whoever has heard the time lately is not as wrong as one that has not.
        if (!idle) skewMs = skew ?? skewMs
        storeClock.set(START + at)
        if (idle) skewMs = skew ?? skewMs
        const active = limits.filter(({ from, until }) => (from === null || at >= from) && (until === null || at < until))
        const fits = active.every(({ spent, cents }) => spent < cents)
        const decision = await bursar.check({ userId: 'ann', estimatedCost: 0.01 })
        expect({ at, allowed: decision.allowed }).toEqual({ at, allowed: fits })
        expect(decision.windows.filter(({ scope }) => scope.kind === 'limit').map(({ scope }) => scope.id)).toEqual(active.map(({ id }) => id))
        if (!decision.allowed) continue
        await decision.settle({ cost: 0.01 })
        for (const limit of active) limit.spent += 1
      }
      for (const { id, spent } of limits) expect(await bursar.limits.progress(id)).toMatchObject([{ exact: { spent: spent * CENT, held: 0 } }])
    } finally {
      await bursar.close()
    }
  })
}

const USERS = ['ann', 'bob'] as const
const TENANTS = [undefined, 'acme'] as const
const IDS = ['a', 'b', 'c'] as const

type Change =
  | { readonly do: 'create'; readonly id: (typeof IDS)[number]; readonly scope: { readonly kind: string; readonly id?: string; readonly tenant?: string }; readonly cents: number; readonly mode: Limit['mode'] }
  | { readonly do: 'change'; readonly id: (typeof IDS)[number]; readonly patch: LimitPatch }
  | { readonly do: 'remove'; readonly id: (typeof IDS)[number] }
type Step = Change | { readonly do: 'check'; readonly who: number; readonly cents: number; readonly count: number } | { readonly do: 'settle'; readonly hold: number; readonly part: number } | { readonly do: 'release'; readonly hold: number } | { readonly do: 'record'; readonly who: number; readonly cents: number } | { readonly do: 'wait'; readonly byMs: number }

const id = fc.constantFrom(...IDS)
const cents = fc.nat({ max: 40 })
const mode = fc.constantFrom('block' as const, 'block' as const, 'alert' as const)
const ofOne = fc.constantFrom({ kind: 'user', id: 'ann' }, { kind: 'user', id: '*' }, { kind: 'user', id: '*', tenant: 'acme' }, { kind: 'tenant', id: 'acme' }, { kind: 'tenant', id: '*' })
const ofAll = fc.oneof(ofOne, fc.constantFrom({ kind: 'global' }, { kind: 'tier', id: 'free' }, { kind: 'tier', id: '*' }))
const window = fc.constantFrom('daily', 'total', 'monthly')
const steps = (scope: fc.Arbitrary<{ kind: string; id?: string; tenant?: string }>): fc.Arbitrary<Step[]> =>
  fc.array(
    fc.oneof(
      { weight: 3, arbitrary: fc.record({ do: fc.constant('create' as const), id, scope, cents, mode }) },
      { weight: 2, arbitrary: fc.record({ do: fc.constant('change' as const), id, patch: fc.oneof(fc.record({ budget: fc.record({ total: cents.map((amount) => amount / 100) }) }), fc.record({ mode }), fc.record({ budget: fc.tuple(window, cents).map(([period, amount]) => ({ [period]: amount / 100 })) })) }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('remove' as const), id }) },
      { weight: 6, arbitrary: fc.record({ do: fc.constant('check' as const), who: fc.nat({ max: 3 }), cents: fc.nat({ max: 15 }), count: fc.integer({ min: 1, max: 5 }) }) },
      { weight: 4, arbitrary: fc.record({ do: fc.constant('settle' as const), hold: fc.nat({ max: 30 }), part: fc.nat({ max: 100 }) }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('release' as const), hold: fc.nat({ max: 30 }) }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('record' as const), who: fc.nat({ max: 3 }), cents: fc.nat({ max: 5 }) }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('wait' as const), byMs: fc.integer({ min: 1, max: 8 * HOUR }) }) },
    ),
    { minLength: 5, maxLength: 40 },
  )

describe('NO-OVERSPEND and CONSERVATION with limits that come and go', () => {
  it.each(SESSION_STORES.map((name) => [name]))('hold on %s', async (name) => {
    const runs = name === 'memory' ? RUNS : name === 'redis, tenants apart' ? Math.ceil(FEWER / 5) : FEWER
    await assertProperty(`limits ${name}`, fc.asyncProperty(steps(name === 'redis, tenants apart' ? ofOne : ofAll), async (trace) => {
      const data = await sharedData(name)
      try {
        await holds(data, trace)
      } finally {
        await data.close()
      }
    }), runs)
  }, 600_000)
})

async function holds(data: SharedData, trace: readonly Step[]): Promise<void> {
  const bursar = data.process({ holdTtl: '30d', tiers: { free: {} }, defaultTier: 'free' })
  const open: AllowedDecision[] = []
  const who = (index: number) => ({ userId: USERS[index % 2] as string, ...(index >= 2 && { tenant: TENANTS[1] as string }) })
  const isTaken = (error: { code?: string }): void => {
    if (error.code !== 'INVALID_REQUEST' && error.code !== 'UNKNOWN_LIMIT') throw error
  }
  for (const step of trace) {
    if (step.do === 'wait') data.clock.advance(step.byMs)
    else if (step.do === 'create') await bursar.limits.create({ id: step.id, scope: step.scope, mode: step.mode, budget: { total: step.cents / 100 } }).catch(isTaken)
    else if (step.do === 'change') await bursar.limits.change(step.id, step.patch).catch(isTaken)
    else if (step.do === 'remove') await bursar.limits.remove(step.id).catch(isTaken)
    else if (step.do === 'record') await bursar.tracker.addCost({ ...who(step.who), cost: step.cents / 100 })
    else if (step.do === 'check') {
      const alerts = new Set((await bursar.limits.list({ mode: 'alert' })).map((limit) => limit.id))
      const decisions = await Promise.all(Array.from({ length: step.count }, () => bursar.check({ ...who(step.who), estimatedCost: step.cents / 100 })))
      for (const decision of decisions) {
        const blocking = decision.windows.filter(({ scope }) => scope.kind === 'limit' && !alerts.has(scope.id.split(/[#/]/)[0] as string))
        const full = blocking.some(({ exact }) => exact.limit !== null && exact.estimate > exact.limit - exact.spent - exact.held)
        const reached = blocking.some(({ exact }) => exact.limit !== null && exact.spent + exact.held >= exact.limit)
        expect(decision.allowed).toBe(!full && !reached)
        if (decision.allowed) open.push(decision)
      }
    } else {
      const [decision] = open.splice(step.hold % Math.max(1, open.length), 1)
      if (decision === undefined) continue
      if (step.do === 'release') await decision.release()
      else await decision.settle({ cost: Math.round((decision.exact.estimatedMicrocents * step.part) / 100) / 1e8 })
    }
  }
  const { status, differences } = await bursar.tracker.audit()
  expect({ status, differences }).toEqual({ status: 'clean', differences: [] })
  // What the windows of limits say is what the ledger has charged to their scopes.
  const charged = new Map<string, number>()
  for await (const { microcents, charged: places } of bursar.tracker.entries()) {
    for (const { scope, window: place } of places) if (scope.kind === 'limit' && place === 'total/usd') charged.set(JSON.stringify([scope.id, scope.tenant]), (charged.get(JSON.stringify([scope.id, scope.tenant])) ?? 0) + microcents)
  }
  for (const { scope, period, exact } of await bursar.limits.progress()) if (period === 'total') expect([scope.id, exact.spent]).toEqual([scope.id, charged.get(JSON.stringify([scope.id, scope.tenant])) ?? 0])
}

describe('a limit', () => {
  it.each([['memory'], ['sqlite'], ['redis']] as const)('for ten admits ten of two hundred at once on %s', async (name) => {
    const data = await sharedData(name)
    try {
      const [a, b] = [data.process(), data.process()]
      await a.limits.create({ id: 'ten', scope: { kind: 'global' }, budget: { total: { requests: 10 } } })
      const decisions = await Promise.all(Array.from({ length: 200 }, (_, index) => (index % 2 === 0 ? a : b).check({ userId: `user ${index}`, estimatedCost: 0.01 })))
      expect(decisions.filter(({ allowed }) => allowed)).toHaveLength(10)
      expect(decisions.every((decision) => decision.allowed || decision.code === 'rate')).toBe(true)
      expect(await b.limits.progress('ten')).toMatchObject([{ spent: 10, limit: 10 }])
      expect(await a.tracker.audit()).toMatchObject({ status: 'clean' })
    } finally {
      await data.close()
    }
  })
})
