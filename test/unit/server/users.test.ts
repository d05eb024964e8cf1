// A user's budget in short, and changes of tier and limits: what each key may see and do.

import { afterEach, describe, expect, it } from 'vitest'
import { memoryStore } from '../../../src/store/memory/index.js'
import { ACME, ACME_CHECKER, ACME_READER, ADA, administration, GLOBEX, NOON, SOLO, STORES } from '../../support/server/administered.js'
import { caller, OPERATOR } from '../../support/server/app.js'

const { open, closeAll } = administration()

afterEach(closeAll)

describe.each(STORES)('users on %s', (store) => {
  it('tells limit, used, remaining, calls and period under the names that billing pages use', async () => {
    const { ask, engine } = open(store)
    const ada = { userId: 'ada', tenant: 'acme' }
    await engine.tracker.setUserTier(ada, 'pro')
    await engine.tracker.addCost({ ...ada, cost: 1.25 })
    await engine.tracker.addCost({ ...ada, cost: 0.25 })
    await engine.tracker.addCost({ userId: 'ada', cost: 5 })
    await engine.check({ ...ada, estimatedCost: 0.5 })
    const { status, json, text } = await ask(ACME_READER, 'GET', '/v1/users/ada/budget')
    expect(status).toBe(200)
    expect(Object.keys(JSON.parse(text)).slice(0, 7)).toEqual(['customer_id', 'budget_limit_usd', 'budget_used_usd', 'budget_remaining_usd', 'requests_count', 'period_start', 'period_end'])
    expect(json).toMatchObject({
      customer_id: 'ada',
      budget_limit_usd: 100,
      budget_used_usd: 2,
      budget_remaining_usd: 98,
      requests_count: 2,
      period_start: '2026-03-01T00:00:00.000Z',
      period_end: '2026-04-01T00:00:00.000Z',
      budget_spent_usd: 1.5,
      budget_held_usd: 0.5,
      period: 'monthly',
      tenant: 'acme',
      tier: 'pro',
    })
  })

  it('gives what was asked for: a period, or else the longest calendar window that has a limit', async () => {
    const { ask, engine } = open(store, { tiers: { free: { daily: 1, rolling: { '5h': 0.5 } }, loose: {}, once: { total: 7, rolling: { '5h': 0.5 } } }, defaultTier: 'free' } as never)
    await engine.tracker.addCost({ userId: 'ada', cost: 0.25 })
    const of = async (path: string): Promise<object> => (await ask(OPERATOR, 'GET', path)).json as object
    expect(await of('/v1/users/ada/budget')).toMatchObject({ period: 'daily', budget_limit_usd: 1, budget_remaining_usd: 0.75, period_start: '2026-03-10T00:00:00.000Z' })
    expect(await of('/v1/users/ada/budget?period=rolling:300m')).toMatchObject({ period: 'rolling:5h', budget_limit_usd: 0.5, requests_count: 1 })
    expect(await of('/v1/users/ada/budget?period=monthly')).toMatchObject({ period: 'monthly', budget_limit_usd: null, budget_remaining_usd: null, budget_used_usd: 0.25 })
    await engine.tracker.setUserTier('ada', 'loose')
    expect(await of('/v1/users/ada/budget')).toMatchObject({ period: 'monthly', budget_limit_usd: null, budget_remaining_usd: null })
    await engine.tracker.setUserTier('ada', 'once')
    expect(await of('/v1/users/ada/budget')).toMatchObject({ period: 'total', budget_limit_usd: 7, period_end: null })
    for (const period of ['yearly', 'rolling:9h', 'rolling:x', 'rolling:', 'rolling:0s', 'rolling:-1h', 'rolling:99999999999d', '__proto__', '']) expect((await ask(OPERATOR, 'GET', `/v1/users/ada/budget?period=${period}`)).status, period).toBe(422)
  })

  it('says what can be spent now: the least that remains, of what the key may see', async () => {
    const { ask, engine } = open(store, { global: { monthly: 0.4 } } as never)
    const ada = { userId: 'ada', tenant: 'acme' }
    const available = async (as: typeof ACME, query = ''): Promise<unknown> => (await ask(as, 'GET', `/v1/users/ada/budget${query}`)).json.budget_available_usd
    const theirs = `?tenant=acme`
    await engine.tracker.setUserTier(ada, 'pro')
    await engine.tracker.addCost({ ...ada, cost: 0.25 })
    expect([await available(ACME), await available(ACME, '?period=monthly'), await available(OPERATOR, theirs)]).toEqual([9.75, 9.75, 0.15])
    await engine.tracker.limits.create({ scope: { kind: 'tenant', id: 'acme' }, budget: { total: 5 } })
    await engine.tracker.limits.create({ scope: { kind: 'user', id: 'ada', tenant: 'acme' }, budget: { daily: 2 }, mode: 'alert' })
    await engine.tracker.limits.create({ scope: { kind: 'user', id: 'ada', tenant: 'acme' }, budget: { daily: { requests: 1 } } })
    expect([await available(ACME), await available(ADA)]).toEqual([5, 9.75])
    await engine.tracker.updateUserBudget(ada, { daily: 0.2 })
    expect(await available(ADA)).toBe(0)
    expect((await open(store, { tiers: { loose: {} }, defaultTier: 'loose' } as never).ask(OPERATOR, 'GET', '/v1/users/ada/budget')).json.budget_available_usd).toBeNull()
  })

  it('tells it as if the user were of another tier, to those who may give tiers', async () => {
    const { ask, engine } = open(store, {}, { tenantsManageBudgets: false })
    await engine.tracker.addCost({ userId: 'ada', tenant: 'acme', cost: 0.5 })
    expect((await ask(OPERATOR, 'GET', '/v1/users/ada/budget?tenant=acme&tier=pro')).json).toMatchObject({ tier: 'pro', period: 'monthly', budget_limit_usd: 100, budget_used_usd: 0.5 })
    expect((await ask(OPERATOR, 'GET', '/v1/users/ada/budget?tenant=acme')).json).toMatchObject({ tier: 'free', budget_limit_usd: 1 })
    expect(await ask(OPERATOR, 'GET', '/v1/users/ada/budget?tenant=acme&tier=gold')).toMatchObject({ status: 422, json: { code: 'UNKNOWN_TIER' } })
    for (const as of [ACME, ACME_READER, ADA]) expect((await ask(as, 'GET', '/v1/users/ada/budget?tier=pro')).status).toBe(403)
    expect((await open(store).ask(ACME, 'GET', '/v1/users/ada/budget?tier=pro')).json).toMatchObject({ tier: 'pro' })
  })

  it('lets no tenant raise its own budgets, unless tenants manage budgets', async () => {
    const { ask, engine, changes } = open(store, {}, { tenantsManageBudgets: false })
    const ada = { userId: 'ada', tenant: 'acme' }
    await engine.tracker.updateUserBudget(ada, { daily: 0.1 })
    for (const [method, path, given] of [['PUT', '/v1/users/ada/tier', { tier: 'pro' }], ['PUT', '/v1/users/ada/budget', { daily: 100 }], ['DELETE', '/v1/users/ada/budget', undefined]] as const) {
      expect(await ask(ACME, method, path, given), `${method} ${path}`).toMatchObject({ status: 403, json: { detail: expect.stringContaining('a key of the operator') } })
    }
    expect(await engine.tracker.getUserTier(ada)).toBeUndefined()
    expect(await engine.tracker.getUserOverrides(ada)).toMatchObject([{ limit: 0.1 }])
    expect(changes).toEqual([])
    expect((await ask(OPERATOR, 'PUT', '/v1/users/ada/tier?tenant=acme', { tier: 'pro' })).status).toBe(200)
    expect((await ask(ACME, 'POST', '/v1/limits', { scope: { kind: 'user', id: 'ada' }, budget: { daily: 0.05 } })).status).toBe(201)
  })

  it('counts calls of the running period alone, and tells of each at once', async () => {
    const opened = open(store)
    const { ask, engine } = opened
    const count = async (): Promise<unknown> => (await ask(ACME, 'GET', '/v1/users/ada/budget?period=daily')).json.requests_count
    const ada = { userId: 'ada', tenant: 'acme' }
    expect(await count()).toBe(0)
    await engine.tracker.addCost({ ...ada, cost: 0.1, idempotencyKey: 'k1' })
    expect(await count()).toBe(1)
    await engine.tracker.addCost({ ...ada, cost: 0.1, idempotencyKey: 'k1' })
    await engine.tracker.addCost({ userId: 'ada', tenant: 'globex', cost: 0.1 })
    await engine.tracker.refund({ ...ada, cost: 0.05 })
    expect(await count()).toBe(1)
    const decision = await engine.check({ ...ada, estimatedCost: 0.1 })
    expect(await count()).toBe(1)
    await engine.settle(decision.id, { cost: 0.1 })
    expect(await count()).toBe(2)
    await engine.release((await engine.check({ ...ada, estimatedCost: 0.1 })).id)
    expect(await count()).toBe(2)
    opened.now = NOON + 24 * 3_600_000
    expect(await count()).toBe(0)
  })

  it('shows to each key the windows that are of nobody else', async () => {
    const { ask, engine } = open(store, { global: { monthly: 1_000 }, scopes: { tenant: { acme: { monthly: 50 }, '*': {} }, tier: { free: { monthly: 80 } } } } as never)
    await engine.tracker.limits.create({ id: 'each', scope: { kind: 'user', id: '*' }, budget: { daily: 3 } })
    await engine.tracker.limits.create({ id: 'all', scope: { kind: 'global' }, budget: { daily: 900 } })
    await engine.tracker.limits.create({ id: 'teams', scope: { kind: 'tenant', id: '*' }, budget: { daily: 40 } })
    const kinds = async (as: typeof ACME): Promise<string[]> => {
      const { json } = await ask(as, 'GET', '/v1/users/ada/budget?tenant=acme')
      return (json.windows as { scope: { kind: string; id: string; tenant?: string }; limitId: string | null }[]).map(({ scope, limitId }) => `${scope.kind} ${scope.id} ${scope.tenant ?? '-'} ${limitId ?? '-'}`)
    }
    const own = ['user ada acme -', 'user ada acme -', 'user ada acme -']
    expect(await kinds(OPERATOR)).toEqual([...own, 'global global - -', 'tenant acme - -', 'tier free - -', 'global global - all', 'tenant acme - teams', 'user ada acme each'])
    expect(await kinds(ACME)).toEqual([...own, 'tenant acme - -', 'tenant acme - teams', 'user ada acme each'])
    expect(await kinds(ADA)).toEqual([...own, 'user ada acme each'])
    const { json } = await ask(SOLO, 'GET', '/budget')
    expect(json.windows.map(({ scope, limitId }: { scope: { kind: string; id: string }; limitId: string | null }) => `${scope.kind} ${scope.id} ${limitId}`)).toEqual([...Array.from({ length: 3 }, () => 'user solo null'), 'user solo each'])
  })

  it('answers a key of a user with the budget of that user, also outside of /v1', async () => {
    const { ask, engine } = open(store)
    await engine.tracker.addCost({ userId: 'ada', tenant: 'acme', cost: 0.25 })
    for (const path of ['/budget', '/v1/budget', '/v1/users/ada/budget']) {
      expect((await ask(ADA, 'GET', path)).json, path).toMatchObject({ customer_id: 'ada', tenant: 'acme', budget_used_usd: 0.25, requests_count: 1 })
    }
    expect((await ask(SOLO, 'GET', '/budget?period=monthly')).json).toMatchObject({ customer_id: 'solo', tenant: null, period: 'monthly' })
    for (const path of ['/budget', '/v1/budget']) {
      expect((await ask(undefined, 'GET', path)).status).toBe(401)
      expect((await ask(ACME, 'GET', path)).status).toBe(422)
      expect((await ask(caller(['check'], 'acme', 'ada'), 'GET', path)).status).toBe(403)
      expect((await ask(ADA, 'GET', `${path}?userId=bob`)).status).toBe(422)
    }
  })

  it('lets no key ask for a user of others', async () => {
    const { ask, engine } = open(store)
    await engine.tracker.addCost({ userId: 'gus', tenant: 'globex', cost: 0.75 })
    expect((await ask(undefined, 'GET', '/v1/users/gus/budget')).status).toBe(401)
    expect((await ask(ACME, 'GET', '/v1/users/gus/budget?tenant=globex')).status).toBe(403)
    expect((await ask(ADA, 'GET', '/v1/users/gus/budget')).status).toBe(403)
    expect((await ask(SOLO, 'GET', '/v1/users/solo/budget?tenant=acme')).status).toBe(403)
    expect((await ask(ACME_CHECKER, 'GET', '/v1/users/ada/budget')).status).toBe(403)
    // The same id of another tenant is another user.
    expect((await ask(ACME, 'GET', '/v1/users/gus/budget')).json).toMatchObject({ tenant: 'acme', budget_used_usd: 0, requests_count: 0 })
    expect((await ask(ACME, 'GET', '/v1/users/globex%2Fgus/budget')).json).toMatchObject({ customer_id: 'globex/gus', tenant: 'acme', budget_used_usd: 0 })
    expect((await ask(OPERATOR, 'GET', '/v1/users/gus/budget?tenant=globex')).json).toMatchObject({ tenant: 'globex', budget_used_usd: 0.75 })
  })

  it('sets a tier and takes it away, and tells who listens', async () => {
    const { ask, engine, changes } = open(store)
    expect(await ask(ACME, 'PUT', '/v1/users/ada/tier', { tier: 'pro' })).toMatchObject({ status: 200, json: { userId: 'ada', tenant: 'acme', tier: 'pro' } })
    expect(await engine.tracker.getUserTier({ userId: 'ada', tenant: 'acme' })).toBe('pro')
    expect(await engine.tracker.getUserTier('ada')).toBeUndefined()
    expect(changes).toEqual([['tier', 'acme']])
    expect(await ask(OPERATOR, 'PUT', '/v1/users/ada/tier?tenant=acme', { tier: null })).toMatchObject({ status: 200, json: { tier: null } })
    expect(await engine.tracker.getUserTier({ userId: 'ada', tenant: 'acme' })).toBeUndefined()
  })

  it('gives a user limits of their own, until a moment or for good, and takes them away', async () => {
    const opened = open(store)
    const { ask, changes } = opened
    const limit = async (): Promise<unknown> => (await ask(ACME, 'GET', '/v1/users/ada/budget?period=daily')).json.budget_limit_usd
    expect(await limit()).toBe(1)
    expect((await ask(ACME, 'PUT', '/v1/users/ada/budget', { daily: 5, rolling: { '5h': { tokens: 100, usd: '0.50' } } })).json).toEqual({
      userId: 'ada',
      tenant: 'acme',
      overrides: [
        { period: 'daily', unit: 'usd', limit: 5, until: null },
        { period: 'rolling:5h', unit: 'usd', limit: 0.5, until: null },
        { period: 'rolling:5h', unit: 'tokens', limit: 100, until: null },
      ],
    })
    expect(await limit()).toBe(5)
    const { json } = await ask(ACME, 'PUT', '/v1/users/ada/budget', { daily: 9, until: '2026-03-10T14:00:00+01:00' })
    expect(json.overrides).toContainEqual({ period: 'daily', unit: 'usd', limit: 9, until: '2026-03-10T13:00:00.000Z' })
    expect(await limit()).toBe(9)
    opened.now += 3_600_000
    expect(await limit()).toBe(5)
    expect((await ask(ACME, 'DELETE', '/v1/users/ada/budget?period=daily')).status).toBe(204)
    expect(await limit()).toBe(1)
    expect((await ask(ACME, 'DELETE', '/v1/users/ada/budget?period=rolling:300m')).status).toBe(204)
    expect((await ask(ACME, 'PUT', '/v1/users/ada/budget', { daily: {}, weekly: 3 })).json.overrides).toContainEqual({ period: 'daily', unit: 'usd', limit: null, until: null })
    expect(await limit()).toBeNull()
    expect((await ask(ACME, 'DELETE', '/v1/users/ada/budget')).status).toBe(204)
    expect(await limit()).toBe(1)
    const told = changes.length
    expect((await ask(ACME, 'DELETE', '/v1/users/ada/budget')).status).toBe(204)
    expect(changes.length).toBe(told)
    expect(new Set(changes.map(([what, tenant]) => `${what} ${tenant}`))).toEqual(new Set(['budget acme']))
  })

  it('gives a user no more windows of their own than a request should be counted in', async () => {
    const { ask, engine } = open(store)
    const ten = (from: number) => ({ rolling: Object.fromEntries(Array.from({ length: 10 }, (_, index) => [`${from + index}h`, 1])) })
    for (const from of [1, 30, 50]) expect((await ask(ACME, 'PUT', '/v1/users/ada/budget', ten(from))).status).toBe(200)
    expect((await ask(ACME, 'PUT', '/v1/users/ada/budget', { daily: 1 })).status).toBe(422)
    expect((await ask(ACME, 'PUT', '/v1/users/ada/budget', ten(1))).status).toBe(200)
    expect(await engine.tracker.getUserOverrides({ userId: 'ada', tenant: 'acme' })).toHaveLength(30)
    expect((await ask(ACME, 'DELETE', '/v1/users/ada/budget?period=rolling:1h')).status).toBe(204)
    expect((await ask(ACME, 'PUT', '/v1/users/ada/budget', { daily: 1 })).status).toBe(200)
  })

  it('lets nobody but an admin of the tenant, or the operator, change a user', async () => {
    const { ask, engine, changes } = open(store)
    const attempts = [
      ['PUT', 'tier', { tier: 'pro' }],
      ['PUT', 'budget', { daily: 5 }],
      ['DELETE', 'budget', undefined],
    ] as const
    for (const [method, what, given] of attempts) {
      for (const as of [ACME_READER, ACME_CHECKER, ADA, SOLO, GLOBEX]) expect((await ask(as, method, `/v1/users/ada/${what}?tenant=acme`, given)).status, `${method} ${what} ${as.name}`).toBe(403)
      expect((await ask(undefined, method, `/v1/users/ada/${what}`, given)).status).toBe(401)
      // Of the same id, and its own.
      expect((await ask(GLOBEX, method, `/v1/users/ada/${what}`, given)).status).toBeLessThan(300)
    }
    expect(await engine.tracker.getUserTier({ userId: 'ada', tenant: 'acme' })).toBeUndefined()
    expect(await engine.tracker.getUserOverrides({ userId: 'ada', tenant: 'acme' })).toEqual([])
    expect(changes.every(([, tenant]) => tenant === 'globex')).toBe(true)
  })

  it('changes nothing for what is wrong', async () => {
    const { ask, engine, changes } = open(store)
    const tiers = [{}, { tier: 'gold' }, { tier: 7 }, { tier: '' }, { tier: 'pro', more: 1 }, [], 'pro', null]
    for (const given of tiers) expect((await ask(ACME, 'PUT', '/v1/users/ada/tier', JSON.stringify(given))).status, JSON.stringify(given)).toBe(422)
    const budgets = [
      {},
      { until: '2027-01-01T00:00:00Z' },
      { daily: -1 },
      { daily: '0.123456789' },
      { daily: 'much' },
      { daily: { usd: 1, euro: 2 } },
      { daily: 1, until: '2020-01-01T00:00:00Z' },
      { daily: 1, until: 'tomorrow' },
      { daily: 1, until: 1_900_000_000_000 },
      { yearly: 1 },
      { rolling: { soon: 1 } },
      { rolling: { '5h': 1, '300m': 2 } },
      { monthly: { usd: 1, anchor: 'subscription' } },
    ]
    for (const given of budgets) expect((await ask(ACME, 'PUT', '/v1/users/ada/budget', given)).status, JSON.stringify(given)).toBe(422)
    expect((await ask(ACME, 'DELETE', '/v1/users/ada/budget?period=yearly')).status).toBe(422)
    expect((await ask(ACME, 'PUT', '/v1/users/%01/tier', { tier: 'pro' })).status).toBe(422)
    expect(await engine.tracker.getUserTier({ userId: 'ada', tenant: 'acme' })).toBeUndefined()
    expect(changes).toEqual([])
  })
})

describe('calls that the ledger cannot tell of', () => {
  it('are null where entries of the period are gone, and counted where all of it are there', async () => {
    const opened = open('memory', { store: memoryStore({ ledgerCapacity: 4, clock: () => opened?.now ?? NOON }) })
    const { ask, engine } = opened
    const count = async (period: string): Promise<unknown> => (await ask(OPERATOR, 'GET', `/v1/users/ada/budget?period=${period}`)).json.requests_count
    for (let call = 0; call < 4; call += 1) await engine.tracker.addCost({ userId: 'ada', cost: 0.01 })
    expect(await count('daily')).toBe(4)
    await engine.tracker.addCost({ userId: 'ada', cost: 0.01 })
    expect(await count('daily')).toBeNull()
    expect(await count('monthly')).toBeNull()
    opened.now += 24 * 3_600_000
    await engine.tracker.addCost({ userId: 'ada', cost: 0.01 })
    expect(await count('daily')).toBe(1)
    expect(await count('monthly')).toBeNull()
  })
})
