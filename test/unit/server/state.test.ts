// What the dashboard is told: exact numbers of a small engine, to each caller their own, and how often they are worked out.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { Caller } from '../../../src/server/caller.js'
import { storeId } from '../../../src/server/ids.js'
import { stateSchema, userSchema } from '../../../src/server/seeing/view-schemas.js'
import type { StateView } from '../../../src/server/seeing/views.js'
import { memoryStore } from '../../../src/store/memory/index.js'
import { redisStore } from '../../../src/store/redis/index.js'
import { sqliteLedger, sqliteStore } from '../../../src/store/sqlite/index.js'
import type { ManualClock } from '../../../src/testing/index.js'
import type { Store } from '../../../src/store/index.js'
import { caller, OPERATOR } from '../../support/server/app.js'
import { NOON, seenWorld, type SeenWorld } from '../../support/server/seen.js'
import { sharedRedis } from '../../support/redis/index.js'

const operator = new Caller(OPERATOR)
const acme = new Caller(caller(['read'], 'acme'))
const ada = new Caller(caller(['read'], 'acme', 'ada'))
const BUDGETS = { global: { monthly: 50 }, scopes: { tenant: { acme: { monthly: 5 }, globex: { monthly: 5 } }, team: { search: { daily: 3 } } } }
const cleanups: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

function world(config: object = BUDGETS, storeOn?: (clock: ManualClock) => Store): SeenWorld {
  const made = seenWorld(config, storeOn)
  cleanups.push(() => made.close())
  return made
}

const names = (rows: StateView['budgets'] | StateView['triggered']): string[] => rows.map(({ scope, limitId, period, spent, limit }) => `${limitId ?? ''} ${scope.kind} ${scope.tenant ?? ''}/${scope.id} ${period} ${spent}/${limit}`.trim())

async function somethingHappens({ ask, clock }: SeenWorld): Promise<void> {
  clock.set(NOON - 3 * 86_400_000)
  await ask('ada', 'acme', 0.25, { model: 'large' })
  clock.set(NOON - 2 * 3_600_000)
  await ask('ada', 'acme', 0.5, { model: 'large', id: 'call-1' })
  await ask('bob', 'globex', 0.75, { model: 'small', tier: 'pro' })
  clock.set(NOON)
  await ask('ada', 'acme', 0.4, { model: 'small' })
  for (const id of ['no-1', 'no-2']) await ask('ada', 'acme', 0.3, { model: 'large', id })
  await ask('eve', undefined, 0.125, { model: 'small' })
}

const stores: Record<string, () => Promise<(clock: ManualClock) => Store>> = {
  memory: async () => (clock) => memoryStore({ clock, ledgerCapacity: 10_000 }),
  sqlite: async () => {
    const folder = await mkdtemp(join(tmpdir(), 'bursar-'))
    cleanups.push(() => rm(folder, { recursive: true, force: true }))
    return (clock) => sqliteStore({ path: join(folder, 'store.db'), clock })
  },
  'redis without a sink': async () => {
    const redis = await sharedRedis()
    const client = redis.client()
    cleanups.push(() => client.quit())
    return (clock) => redisStore({ client, prefix: redis.prefix(), storeClock: clock })
  },
  'redis with a ledger in SQLite': async () => {
    const redis = await sharedRedis()
    const client = redis.client()
    const folder = await mkdtemp(join(tmpdir(), 'bursar-'))
    const sink = sqliteLedger({ path: join(folder, 'ledger.db') })
    cleanups.push(() => rm(folder, { recursive: true, force: true }))
    return (clock) => redisStore({ client, prefix: redis.prefix(), storeClock: clock, sink })
  },
}

describe.each(Object.keys(stores))('the state on %s', (name) => {
  it('has the exact sums of the day and the month, by whatever it was spent on', async () => {
    const made = world(BUDGETS, await (stores[name] as (typeof stores)[string])())
    await somethingHappens(made)
    const state = await made.book.state(operator)
    expect(stateSchema.parse(JSON.parse(JSON.stringify(state)))).toEqual(state)
    expect(state).toMatchObject({
      now: '2026-11-15T12:00:00.000Z',
      timeZone: 'UTC',
      caller: { isOperator: true, tenant: null, userId: null, roles: ['admin'] },
      tiers: ['free', 'pro'],
      today: { spent: 1.775, calls: 4, denials: 2 },
      month: { spent: 2.025, calls: 5, denials: 2 },
    })
    expect(state.byTenant).toEqual([{ name: 'acme', spent: 1.15, calls: 3, denials: 2 }, { name: 'globex', spent: 0.75, calls: 1, denials: 0 }, { name: null, spent: 0.125, calls: 1, denials: 0 }])
    expect(state.byTier).toEqual([{ name: 'free', spent: 1.275, calls: 4, denials: 2 }, { name: 'pro', spent: 0.75, calls: 1, denials: 0 }])
    expect(state.byModel).toEqual([{ name: 'small', spent: 1.275, calls: 3, denials: 0 }, { name: 'large', spent: 0.75, calls: 2, denials: 2 }])
    expect(state.topSpenders).toEqual([
      { name: 'ada', userId: 'ada', tenant: 'acme', tier: 'free', usedPct: 90, spent: 1.15, calls: 3, denials: 2 },
      { name: 'bob', userId: 'bob', tenant: 'globex', tier: 'free', usedPct: 75, spent: 0.75, calls: 1, denials: 0 },
      { name: 'eve', userId: 'eve', tenant: null, tier: 'free', usedPct: 12.5, spent: 0.125, calls: 1, denials: 0 },
    ])
    expect(state.blocked).toEqual([{ userId: 'ada', tenant: 'acme', at: '2026-11-15T12:00:00.000Z', code: 'budget', reason: 'The daily budget of user ada is $1.00; $0.90 is used and this request would add $0.30. It resets at 2026-11-16T00:00:00.000Z.', model: 'large', decisionId: 'no-2', count: 2 }])
    expect(names(state.budgets)).toEqual(['tenant /acme monthly 1.15/5', 'tenant /globex monthly 0.75/5', 'global /global monthly 2.025/50', 'team /search daily 0/3'])
    expect(names(state.triggered)).toEqual(['user acme/ada daily 0.9/1'])
    expect(state.hours.times).toHaveLength(24)
    expect(state.hours.times.at(-1)).toBe(NOON / 1_000)
    const at = (hour: number): number[] => [state.hours.allow, state.hours.warn, state.hours.degrade, state.hours.block, state.hours.spent].map((of) => of.at(hour) as number)
    expect([at(-3), at(-2), at(-1)]).toEqual([[2, 0, 0, 0, 1.25], [0, 0, 0, 0, 0], [1, 1, 0, 2, 0.525]])
  }, 30_000)
})

describe('the state', () => {
  it('is of nothing where nothing is configured and nothing has happened', async () => {
    const made = world({ tiers: undefined, defaultTier: undefined, global: undefined })
    const state = await made.book.state(operator)
    expect(stateSchema.parse(JSON.parse(JSON.stringify(state)))).toEqual(state)
    expect(state).toMatchObject({ today: { spent: 0, calls: 0, denials: 0 }, burnPerDay: null, budgets: [], triggered: [], byTenant: [], topSpenders: [], blocked: [] })
  })

  it("shows a tenant's key its own and nothing that is shared with others", async () => {
    const made = world()
    await somethingHappens(made)
    await made.engine.limits.create({ id: storeId('acme', 'own'), scope: { kind: 'tenant', id: 'acme' }, budget: { daily: 3 } })
    await made.engine.limits.create({ id: 'everybody', scope: { kind: 'global' }, budget: { daily: 3 } })
    await made.engine.limits.create({ id: 'each', scope: { kind: 'tenant', id: '*' }, budget: { daily: 2 } })
    await made.ask('ada', 'acme', 0.05)
    await made.ask('bob', 'globex', 0.05)
    const state = await made.book.state(acme)
    expect(state.caller).toMatchObject({ tenant: 'acme', userId: null, isOperator: false })
    expect(state.month).toEqual({ spent: 1.2, calls: 4, denials: 2 })
    expect(state.byTenant.map(({ name }) => name)).toEqual(['acme'])
    expect(state.topSpenders.map(({ userId }) => userId)).toEqual(['ada'])
    expect(names(state.budgets)).toEqual(['tenant /acme monthly 1.2/5', 'each tenant /acme daily 0.05/2', 'own tenant /acme daily 0.05/3'])
    expect(names(state.triggered)).toEqual(['user acme/ada daily 0.95/1'])
    const text = JSON.stringify(state)
    for (const other of ['globex', 'bob', 'eve', 'search', 'everybody', 'global"']) expect(text).not.toContain(other)
    const whole = await made.book.state(operator)
    expect(names(whole.budgets)).toContain('everybody global /global daily 0.1/3')
    expect(names(whole.budgets)).toContain(`${storeId('acme', 'own')} tenant /acme daily 0.05/3`)
    expect(names(whole.budgets)).toContain('each tenant /globex daily 0.05/2')
  })

  it('does not tell a tenant that a budget is nearly used up which it shares with others', async () => {
    const made = world({ ...BUDGETS, global: { daily: 1 } })
    await made.ask('bob', 'globex', 0.5)
    await made.ask('ada', 'acme', 0.375)
    expect(names((await made.book.state(operator)).triggered)).toEqual(['global /global daily 0.875/1'])
    expect((await made.book.state(acme)).triggered).toEqual([])
  })

  it("shows a user's key that user", async () => {
    const made = world()
    await somethingHappens(made)
    await made.ask('zoe', 'acme', 0.5)
    const state = await made.book.state(ada)
    expect(state.month).toEqual({ spent: 1.15, calls: 3, denials: 2 })
    expect(state.budgets).toEqual([])
    expect(state.topSpenders.map(({ userId }) => userId)).toEqual(['ada'])
    expect(names(state.triggered)).toEqual(['user acme/ada daily 0.9/1'])
    expect(JSON.stringify(state)).not.toContain('zoe')
  })

  it('cuts days and months by the clock of the configured zone', async () => {
    const made = world({ timeZone: 'Asia/Kolkata' })
    // 18:30 UTC is midnight there.
    made.clock.set(Date.parse('2026-11-14T18:29:59Z'))
    await made.ask('ada', undefined, 0.25)
    made.clock.set(Date.parse('2026-11-14T18:30:00Z'))
    await made.ask('ada', undefined, 0.5)
    made.clock.set(NOON)
    const state = await made.book.state(operator)
    expect(state).toMatchObject({ timeZone: 'Asia/Kolkata', today: { spent: 0.5, calls: 1 }, month: { spent: 0.75, calls: 2 } })
    // Hours of a clock that is half an hour beside UTC's.
    expect((state.hours.times.at(-1) as number) % 3_600).toBe(1_800)
    expect(state.hours.spent.filter((spent) => spent > 0)).toEqual([0.25, 0.5])
  })

  it('goes by the budgets of what the ledger keeps no more', async () => {
    const made = world({ ...BUDGETS, global: { daily: 40, monthly: 50 } }, (clock) => memoryStore({ clock, ledgerCapacity: 3 }))
    for (let index = 0; index < 5; index += 1) await made.ask(`user-${index}`, 'acme', 0.5)
    expect(await made.book.state(operator)).toMatchObject({ complete: false, today: { spent: 2.5, calls: 3 }, month: { spent: 2.5, calls: 3 } })
    expect(await made.book.state(acme)).toMatchObject({ complete: false, today: { spent: 1.5 }, month: { spent: 2.5 } })
    expect(await made.book.user(operator, { userId: 'user-4', tenant: 'acme' })).toMatchObject({ complete: false, totalSpent: 0.5 })
  })

  it('never says more of the day than of the month, whichever budgets have counted', async () => {
    const made = world({ ...BUDGETS, global: { daily: 40 } }, (clock) => memoryStore({ clock, ledgerCapacity: 3 }))
    for (let index = 0; index < 5; index += 1) await made.ask(`user-${index}`, 'acme', 0.5)
    expect(await made.book.state(operator)).toMatchObject({ today: { spent: 2.5 }, month: { spent: 2.5 } })
  })

  it('counts what its lists have no room for', async () => {
    const made = world({ tiers: { free: { daily: 1 } }, global: { monthly: 50 }, scopes: { tenant: { '*': {} } } })
    for (let index = 0; index < 23; index += 1) await made.ask(`user-${index}`, `tenant-${index}`, 0.5 + index / 64, { model: `model-${index}` })
    await made.engine.limits.create({ id: 'tight', scope: { kind: 'tenant', id: 'tenant-22' }, budget: { daily: 0.25 } })
    const { byTenant, more, limits, triggered, triggeredCount, month } = await made.book.state(operator)
    expect(byTenant).toHaveLength(20)
    const rest = { count: 3, spent: 1.546875, calls: 3 }
    expect(more).toEqual({ byTenant: rest, byTier: { count: 0, spent: 0, calls: 0 }, byModel: rest, topSpenders: rest })
    expect(byTenant.reduce((sum, { spent }) => sum + spent, 0) + rest.spent).toBe(month.spent)
    expect(limits).toEqual({ watched: 2, exceeded: 0 })
    expect(triggeredCount).toBe(triggered.length)
    expect(triggeredCount).toBeGreaterThan(0)
  })

  it('says how fast money burns once there is enough to go by, and what becomes of budgets a look later', async () => {
    const made = world()
    for (let day = 6; day >= 0; day -= 1) {
      made.clock.set(NOON - day * 86_400_000 - 3_600_000)
      await made.ask('ada', 'acme', 0.5)
    }
    made.clock.set(NOON)
    const first = await made.book.state(operator)
    expect([first.burnPerDay, first.burnDays, first.budgets[0]?.forecast]).toEqual([0.5, 7, null])
    // Everything that was begun in the background stands in one line.
    for (let turn = 0; turn < 50; turn += 1) await new Promise((resolve) => void setImmediate(resolve))
    made.watch.now += 1_000
    const { budgets: [row] } = await made.book.state(operator)
    expect(row).toMatchObject({ scope: { kind: 'tenant', id: 'acme' }, spent: 3.5, forecast: { perDay: 0.5, emptyAt: '2026-11-18T12:00:00.000Z' } })
    expect((await made.book.state(acme)).burnPerDay).toBe(0.5)
    expect((await made.book.state(ada)).burnPerDay).toBe(0.5)
  })

  it('is worked out once for all who see the same, and again after a second or a change', async () => {
    const made = world()
    const { reports } = made.engine.tracker
    let asked = 0
    const summary = reports.summary.bind(reports)
    reports.summary = (options) => {
      if (options.by.includes('hour')) asked += 1
      return summary(options)
    }
    const another = new Caller(caller(['check', 'read']))
    await Promise.all([made.book.state(operator), made.book.state(another), made.book.state(operator)])
    expect(asked).toBe(1)
    expect((await made.book.state(another)).caller.roles).toEqual(['check', 'read'])
    await made.book.state(acme)
    expect(asked).toBe(2)
    made.watch.now = 999
    await made.book.state(operator)
    expect(asked).toBe(2)
    made.watch.now = 1_000
    await made.book.state(operator)
    expect(asked).toBe(3)
    made.service.feed.changed('a limit', 'acme')
    await made.book.state(operator)
    expect(asked).toBe(4)
  })

  it('needs a key that may read', async () => {
    const made = world()
    expect((await made.look(undefined)).status).toBe(401)
    expect((await made.look(caller(['check']))).status).toBe(403)
    expect((await made.look(caller(['read']))).status).toBe(200)
  })
})

describe('the page of a user', () => {
  it('has budgets, own limits, what they did, and their days', async () => {
    const made = world({ ...BUDGETS, decisionLog: { keep: 'notable' } })
    await somethingHappens(made)
    const { tracker } = made.engine
    await tracker.setUserTier({ userId: 'ada', tenant: 'acme' }, 'pro')
    await tracker.updateUserBudget({ userId: 'ada', tenant: 'acme' }, { daily: 2 }, { until: NOON + 3_600_000 })
    const page = (await made.book.user(operator, { userId: 'ada', tenant: 'acme' })) as NonNullable<Awaited<ReturnType<typeof made.book.user>>>
    expect(userSchema.parse(JSON.parse(JSON.stringify(page)))).toEqual(page)
    expect(page).toMatchObject({ userId: 'ada', tenant: 'acme', name: null, tier: 'pro', tierFrom: 'directory', totalSpent: 1.15, overrides: [{ period: 'daily', unit: 'usd', limit: 2, until: '2026-11-15T13:00:00.000Z' }] })
    expect(names(page.windows)).toEqual(['user acme/ada daily 0.9/2', 'user acme/ada weekly 1.15/null', 'user acme/ada monthly 1.15/100', 'global /global monthly 2.025/50', 'tenant /acme monthly 1.15/5'])
    expect(page.activity.filter(({ kind }) => kind !== 'configured').map(({ kind, action, model, requestedModel, cost, decisionId }) => [kind, action, model ?? requestedModel, cost, decisionId.startsWith('no-') || decisionId === 'call-1' ? decisionId : ''])).toEqual([
      ['denied', 'BLOCK', 'large', 0, 'no-2'],
      ['denied', 'BLOCK', 'large', 0, 'no-1'],
      ['settled', 'WARN', 'small', 0.4, ''],
      ['settled', 'ALLOW', 'large', 0.5, 'call-1'],
      ['settled', 'ALLOW', 'large', 0.25, ''],
    ])
    expect(page.activity.find(({ decisionId }) => decisionId === 'no-1')?.explanation).toContain('BLOCK (budget)  decision no-1')
    expect(page.days.times).toHaveLength(28)
    expect([page.days.times.at(-1), page.days.spent.at(-1), page.days.spent.at(-4)]).toEqual([Date.parse('2026-11-15') / 1_000, 0.9, 0.25])
  })

  it('goes by the tier that the last request has named where nobody else says one', async () => {
    const made = world()
    await made.ask('eve', undefined, 0.5)
    expect(await made.book.user(operator, { userId: 'eve' })).toMatchObject({ tier: 'free', tierFrom: 'default' })
    await made.ask('bob', 'globex', 0.75, { tier: 'pro' })
    const page = await made.book.user(operator, { userId: 'bob', tenant: 'globex' })
    expect(page).toMatchObject({ tier: 'pro', tierFrom: 'last', complete: true })
    expect(page?.windows.find(({ scope, period }) => scope.kind === 'user' && period === 'daily')).toMatchObject({ limit: 10, spent: 0.75 })
    await made.engine.tracker.setUserTier({ userId: 'bob', tenant: 'globex' }, 'free')
    made.service.feed.changed('a tier', undefined)
    expect(await made.book.user(operator, { userId: 'bob', tenant: 'globex' })).toMatchObject({ tier: 'free', tierFrom: 'directory' })
  })

  it('is not there for somebody else, nor for nobody', async () => {
    const made = world()
    await somethingHappens(made)
    const status = async (as: ReturnType<typeof caller>, path: string): Promise<number> => (await made.look(as, path)).status
    expect(await status(OPERATOR, '/v1/users/bob?tenant=globex')).toBe(200)
    expect(await status(OPERATOR, '/v1/users/bob')).toBe(404)
    expect(await status(caller(['read'], 'acme'), '/v1/users/bob')).toBe(404)
    expect(await status(caller(['read'], 'acme'), '/v1/users/bob?tenant=globex')).toBe(403)
    expect(await status(caller(['read'], 'acme', 'ada'), '/v1/users/zoe')).toBe(403)
    expect(await status(caller(['read'], 'acme', 'ada'), '/v1/users/ada')).toBe(200)
  })

  it('tells a tenant nothing of budgets that are shared', async () => {
    const made = world({ global: { daily: 1 } })
    await made.ask('bob', 'globex', 0.9, { tier: 'pro' })
    await made.ask('ada', 'acme', 0.5, { id: 'x' })
    const page = await made.book.user(acme, { userId: 'ada', tenant: 'acme' })
    expect(page?.activity).toMatchObject([{ kind: 'denied', decisionId: 'x' }])
    expect(page?.activity[0]?.explanation).toContain('shared with others')
    expect(JSON.stringify(page)).not.toMatch(/0\.9|everybody|global/)
    expect((await made.book.user(operator, { userId: 'ada', tenant: 'acme' }))?.activity[0]?.explanation).toContain('0.90')
  })
})
