// Limits that are made, changed and removed while requests run: what they refuse, and what people see of them.

import { describe, expect, it } from 'vitest'
import { Bursar, CostTracker, InvalidConfigError, InvalidRequestError, memoryStore, UnknownLimitError, UnknownScopeError, UnknownTierError, type BursarConfig, type LimitPatch, type NewLimit } from '../../../src/index.js'
import { manualClock } from '../../../src/testing/index.js'
import { allowedOf, deniedOf, entriesOf, START } from '../setting.js'

const HOUR = 3_600_000

function world(config: Partial<BursarConfig> = {}) {
  const clock = manualClock(START)
  const bursar = new Bursar({ tiers: { free: { daily: 100 }, pro: { daily: 1_000 } }, defaultTier: 'free', scopes: { team: { search: {} } }, clock, store: memoryStore({ clock }), ...config } as BursarConfig) as Bursar<string, string>
  return { clock, bursar, limits: bursar.limits, ask: (cost: number, more: object = {}) => bursar.check({ userId: 'ada', estimatedCost: cost, ...more }) }
}

describe('a limit', () => {
  it('is plain data that can be made, found, listed, changed and removed', async () => {
    const { limits } = world()
    const made = await limits.create({ id: 'cap', scope: { kind: 'tenant', id: 'acme' }, budget: { daily: 10 }, until: new Date(START + HOUR), description: 'until the contract ends' })
    expect(made).toMatchObject({ id: 'cap', scope: { kind: 'tenant', id: 'acme' }, budget: { daily: 10 }, from: null, until: new Date(START + HOUR), mode: 'block', thresholds: null, description: 'until the contract ends', createdAt: new Date(START), state: 'active' })
    expect(await limits.get('cap')).toEqual(made)
    expect(await limits.list()).toEqual([made])
    const changed = await limits.change('cap', { budget: { daily: null, monthly: '20' }, until: null, description: null })
    expect(changed).toMatchObject({ budget: { monthly: '20' }, until: null, description: null })
    expect(changed.budget).not.toHaveProperty('daily')
    expect(changed.version).toBeGreaterThan(made.version)
    await limits.remove('cap')
    expect(await limits.get('cap')).toBeUndefined()
    expect(await limits.list()).toEqual([])
  })

  it('is listed by what it has', async () => {
    const { limits } = world()
    await limits.create({ id: 'a', scope: { kind: 'global' }, budget: { daily: 1 }, from: START + HOUR })
    await limits.create({ id: 'b', scope: { kind: 'user', id: '*', tenant: 'acme' }, budget: { daily: 1 }, mode: 'alert' })
    const ids = async (filter: object): Promise<string[]> => (await limits.list(filter)).map(({ id }) => id)
    expect(await ids({ state: 'upcoming' })).toEqual(['a'])
    expect(await ids({ kind: 'user', tenant: 'acme', id: '*', mode: 'alert', state: 'active' })).toEqual(['b'])
    expect(await ids({ kind: 'user', mode: 'block' })).toEqual([])
    await expect(limits.list({ tier: 'x' } as never)).rejects.toThrow(InvalidRequestError)
  })

  it('refuses what does not fit beside everything else, and says which limit it was', async () => {
    const { limits, ask } = world()
    await limits.create({ id: 'cap', scope: { kind: 'user', id: 'ada' }, budget: { daily: 1 }, description: 'on probation' })
    await allowedOf(await ask(0.75)).settle({ cost: 0.75 })
    const denial = deniedOf(await ask(0.5)).toDenial()
    expect(denial).toMatchObject({ code: 'budget', status: 402, scope: { kind: 'limit', id: 'cap/ada' }, window: 'daily', limit: 1, used: 0.75, largestFittingCost: 0.25 })
    expect(denial.message).toContain('limit "cap" (user ada: on probation)')
    expect((await ask(0.5, { userId: 'bob' })).allowed).toBe(true)
  })

  it('of requests is a rate limit', async () => {
    const { limits, ask } = world()
    await limits.create({ id: 'rate', scope: { kind: 'global' }, budget: { rolling: { '1m': { requests: 2 } } } })
    allowedOf(await ask(0))
    allowedOf(await ask(0))
    expect(deniedOf(await ask(0)).toDenial()).toMatchObject({ code: 'rate', status: 429, scope: { kind: 'limit', id: 'rate' } })
  })

  it('counts from its creation on, and a change of amounts leaves what was counted', async () => {
    const { limits, ask } = world()
    await allowedOf(await ask(5)).settle({ cost: 5 })
    await limits.create({ id: 'cap', scope: { kind: 'global' }, budget: { daily: 2 } })
    await allowedOf(await ask(2)).settle({ cost: 2 })
    expect((await ask(1)).allowed).toBe(false)
    await limits.change('cap', { budget: { daily: 3 } })
    await allowedOf(await ask(1)).settle({ cost: 1 })
    expect(await limits.progress('cap')).toMatchObject([{ limitId: 'cap', period: 'daily', unit: 'usd', limit: 3, spent: 3, held: 0, remaining: 0, usedPct: 100, resetsAt: new Date(Date.UTC(2026, 0, 16)) }])
  })

  it('that was removed leaves nothing to another one of its id', async () => {
    const { limits, ask } = world()
    await limits.create({ id: 'cap', scope: { kind: 'global' }, budget: { total: 1 } })
    await allowedOf(await ask(1)).settle({ cost: 1 })
    expect((await ask(1)).allowed).toBe(false)
    await limits.remove('cap')
    await allowedOf(await ask(1)).settle({ cost: 1 })
    await limits.create({ id: 'cap', scope: { kind: 'global' }, budget: { total: 1 } })
    expect(await limits.progress('cap')).toMatchObject([{ limitId: 'cap', spent: 0 }])
    allowedOf(await ask(1))
    expect((await ask(1)).allowed).toBe(false)
  })

  it.each([
    ['everything', { kind: 'global' }, [{}, { userId: 'bob' }], []],
    ['a tenant', { kind: 'tenant', id: 'acme' }, [{ tenant: 'acme' }, { tenant: 'acme', userId: 'bob' }], [{}, { tenant: 'other' }]],
    ['a tier', { kind: 'tier', id: 'pro' }, [{ userTier: 'pro' }, { userTier: 'pro', userId: 'bob' }], [{}]],
    ['a user', { kind: 'user', id: 'ada' }, [{}], [{ userId: 'bob' }, { tenant: 'acme' }]],
    ['a user of a tenant', { kind: 'user', id: 'ada', tenant: 'acme' }, [{ tenant: 'acme' }], [{}, { tenant: 'other' }]],
    ['an id of a group', { kind: 'team', id: 'search' }, [{ scopes: { team: 'search' } }, { userId: 'bob', scopes: { team: 'search' } }], [{}]],
  ])('of %s covers that together', async (_what, scope, together, others) => {
    const { limits, ask } = world()
    await limits.create({ id: 'cap', scope, budget: { daily: together.length } })
    for (const who of together) allowedOf(await ask(1, who))
    for (const who of together) expect((await ask(1, who)).allowed).toBe(false)
    for (const who of others) allowedOf(await ask(50, who))
  })

  it.each([
    ['tenant', { kind: 'tenant', id: '*' }, [{ tenant: 'acme' }, { tenant: 'other' }], [{}]],
    ['tier', { kind: 'tier', id: '*' }, [{ userTier: 'free' }, { userTier: 'pro' }], []],
    ['user', { kind: 'user', id: '*' }, [{}, { userId: 'bob' }, { tenant: 'acme' }], []],
    ['user of a tenant', { kind: 'user', id: '*', tenant: 'acme' }, [{ tenant: 'acme' }, { tenant: 'acme', userId: 'bob' }], [{}, { tenant: 'other' }]],
    ['team', { kind: 'team', id: '*' }, [{ scopes: { team: 'search' } }], [{}]],
  ])('of each %s counts each apart', async (_what, scope, apart, others) => {
    const { limits, ask } = world()
    await limits.create({ id: 'a/b#%', scope, budget: { daily: 1 } })
    for (const who of apart) allowedOf(await ask(1, who))
    for (const who of apart) expect((await ask(1, who)).allowed).toBe(false)
    for (const who of others) allowedOf(await ask(50, who))
    expect(await limits.progress()).toHaveLength(apart.length)
    expect(await limits.progress()).toMatchObject(apart.map(() => ({ limitId: 'a/b#%', held: 1 })))
  })

  it('of each of a kind tells of one member, or of those in which anything was counted', async () => {
    const { limits, ask } = world()
    await limits.create({ id: 'each', scope: { kind: 'user', id: '*' }, budget: { daily: 1 } })
    allowedOf(await ask(0.5, { tenant: 'acme' }))
    expect(await limits.progress('each')).toMatchObject([{ member: 'ada', tenant: 'acme', held: 0.5 }])
    expect(await limits.progress('each', { member: { userId: 'ada', tenant: 'acme' } })).toMatchObject([{ held: 0.5 }])
    expect(await limits.progress('each', { member: 'ada' })).toMatchObject([{ member: 'ada', tenant: undefined, held: 0 }])
    await expect(limits.progress('none')).rejects.toThrow(UnknownLimitError)
  })

  it('makes an id of its group known as long as it is there, also when it has expired', async () => {
    const { limits, ask, clock } = world()
    await expect(ask(1, { scopes: { team: 'ops' } })).rejects.toThrow(UnknownScopeError)
    await limits.create({ id: 'ops', scope: { kind: 'team', id: 'ops' }, budget: { daily: 1 }, until: START + HOUR })
    await limits.create({ id: 'each', scope: { kind: 'team', id: '*' }, budget: { daily: 80 } })
    expect((await ask(2, { scopes: { team: 'ops' } })).allowed).toBe(false)
    await expect(ask(1, { scopes: { team: 'other' } })).rejects.toThrow(UnknownScopeError)
    clock.advance(HOUR)
    allowedOf(await ask(2, { scopes: { team: 'ops' } }))
    await limits.remove('ops')
    await expect(ask(1, { scopes: { team: 'ops' } })).rejects.toThrow(UnknownScopeError)
  })

  it('that alerts refuses nothing, warns, and announces each of its thresholds once', async () => {
    const { limits, ask, bursar } = world()
    const heard: number[] = []
    bursar.on('threshold', ({ scope, thresholdPct }) => void (scope.kind === 'limit' && heard.push(thresholdPct)))
    await limits.create({ id: 'watch', scope: { kind: 'global' }, budget: { daily: { usd: 1, requests: 2 }, total: 0 }, mode: 'alert', thresholds: { warn: 50, block: 100 } })
    expect(allowedOf(await ask(0)).action).toBe('WARN')
    for (let count = 0; count < 4; count += 1) await allowedOf(await ask(0.4)).settle({ cost: 0.4 })
    expect(allowedOf(await ask(5)).action).toBe('WARN')
    expect(heard.sort((a, b) => a - b)).toEqual([50, 50, 100, 100])
    expect(await bursar.tracker.canAfford('ada', 5)).toBe(true)
  })

  it('counts what is added, what a session spends and what a context shows', async () => {
    const { limits, bursar } = world()
    await limits.create({ id: 'cap', scope: { kind: 'user', id: 'ada' }, budget: { daily: 3 } })
    await bursar.tracker.addCost({ userId: 'ada', cost: 1 })
    const session = await bursar.session({ userId: 'ada', maxCost: 10 })
    await allowedOf(await session.check({ estimatedCost: 1 })).settle({ cost: 1 })
    expect(await bursar.tracker.canAfford('ada', 1)).toBe(true)
    expect(await bursar.tracker.canAfford('ada', 1.01)).toBe(false)
    const { windows } = await bursar.tracker.context({ userId: 'ada' })
    expect(windows.filter(({ scope }) => scope.kind === 'limit')).toMatchObject([{ scope: { id: 'cap/ada' }, spent: 2, limit: 3 }])
    expect((await session.check({ estimatedCost: 1.5 })).allowed).toBe(false)
    expect((await bursar.tracker.audit()).status).toBe('clean')
  })

  it('with thresholds of its own is judged by them, and blocks at 100 where they do not say when', async () => {
    const { limits, ask } = world()
    await limits.create({ id: 'half', scope: { kind: 'user', id: 'ada' }, budget: { daily: 10 }, thresholds: { block: 50 } })
    await limits.create({ id: 'warned', scope: { kind: 'user', id: 'bob' }, budget: { daily: 10 }, thresholds: { warn: 20 } })
    expect(deniedOf(await ask(5)).toDenial()).toMatchObject({ refusedFromPct: 50 })
    expect(allowedOf(await ask(4)).action).toBe('ALLOW')
    expect(allowedOf(await ask(2, { userId: 'bob' })).action).toBe('WARN')
    expect((await ask(9, { userId: 'bob' })).allowed).toBe(false)
  })

  it('degrades where it says so', async () => {
    const { limits, ask } = world({ ladder: { big: 'small' }, estimate: (_request, model) => (model === 'big' ? 5 : 1) })
    await limits.create({ id: 'cap', scope: { kind: 'global' }, budget: { daily: 10 }, thresholds: { degrade: 50 } })
    const decision = allowedOf(await ask(undefined as never, { model: 'big' }))
    expect(decision).toMatchObject({ action: 'DEGRADE', model: 'small' })
  })

  it('judges a repeat as it was admitted, also when it is gone', async () => {
    const { limits, ask } = world()
    await limits.create({ id: 'watch', scope: { kind: 'global' }, budget: { rolling: { '1h': { requests: 1 } } }, mode: 'alert' })
    allowedOf(await ask(1))
    await allowedOf(await ask(1, { idempotencyKey: 'k' })).settle({ cost: 1 })
    expect(await ask(1, { idempotencyKey: 'k' })).toMatchObject({ allowed: true, replayed: true })
    await limits.change('watch', { budget: { rolling: { '60m': { requests: 5 } } } })
    expect(await ask(1, { idempotencyKey: 'k' })).toMatchObject({ allowed: true, replayed: true })
    await limits.remove('watch')
    expect(await ask(1, { idempotencyKey: 'k' })).toMatchObject({ allowed: true, replayed: true })
  })
})

describe('what is at or over a threshold', () => {
  it('is told of limits and of configured budgets, the fullest first, and not of what is over', async () => {
    const { limits, ask, clock } = world({ global: { monthly: 10 } })
    await limits.create({ id: 'low', scope: { kind: 'global' }, budget: { daily: 100 } })
    await limits.create({ id: 'mid', scope: { kind: 'user', id: '*' }, budget: { daily: 9 }, thresholds: { warn: 60 }, until: START + HOUR })
    allowedOf(await ask(8))
    expect(await limits.triggered()).toMatchObject([{ limitId: undefined, scope: { kind: 'global' }, thresholdPct: 80, usedPct: 80 }, { limitId: 'mid', member: 'ada', thresholdPct: 60, usedPct: 88.88, held: 8 }])
    expect(await limits.triggered({ budgets: false })).toMatchObject([{ limitId: 'mid' }])
    clock.advance(HOUR)
    expect(await limits.triggered({ budgets: false })).toEqual([])
  })
})

describe('limits that are none', () => {
  it.each<[string, object, new (...args: never[]) => Error]>([
    ['an unknown kind', { scope: { kind: 'galaxy', id: 'x' } }, UnknownScopeError],
    ['an unknown tier', { scope: { kind: 'tier', id: 'gold' } }, UnknownTierError],
    ['a kind that is taken', { scope: { kind: 'session', id: 'x' } }, UnknownScopeError],
    ['no id', { scope: { kind: 'tenant' } }, InvalidRequestError],
    ['an id of everything', { scope: { kind: 'global', id: 'x' } }, InvalidRequestError],
    ['a tenant of a tenant', { scope: { kind: 'tenant', id: 'x', tenant: 'y' } }, InvalidRequestError],
    ['no window', { budget: {} }, InvalidRequestError],
    ['a window without an amount', { budget: { daily: {} } }, InvalidRequestError],
    ['one length twice', { budget: { rolling: { '24h': 1, '1d': 2 } } }, InvalidRequestError],
    ['a negative amount', { budget: { daily: -1 } }, InvalidRequestError],
    ['an unknown zone', { budget: { daily: 1, timeZone: 'Mars/Base' } }, InvalidRequestError],
    ['policies', { budget: { daily: 1, policies: ['strict'] } }, InvalidRequestError],
    ['an end before its start', { from: START + 1, until: START + 1 }, InvalidRequestError],
    ['no date', { from: NaN }, InvalidRequestError],
    ['an unknown mode', { mode: 'warn' }, InvalidRequestError],
    ['a wrong threshold', { thresholds: { warn: 101 } }, InvalidConfigError],
    ['an unknown field', { name: 'x' }, InvalidRequestError],
  ])('are refused: %s', async (_what, wrong, error) => {
    const { limits, bursar } = world()
    await expect(limits.create({ id: 'cap', scope: { kind: 'global' }, budget: { daily: 1 }, ...wrong } as NewLimit)).rejects.toThrow(error)
    expect(await limits.list()).toEqual([])
    expect(await entriesOf(bursar.tracker)).toEqual([])
  })

  it.each<[string, object]>([
    ['another scope', { scope: { kind: 'global' } }],
    ['no window left', { budget: { daily: null } }],
    ['an end before its start', { from: 10, until: 5 }],
    ['an amount that is none', { budget: { daily: 'x' } }],
    ['an unknown window', { budget: { hourly: 1 } }],
  ])('are refused as a change: %s', async (_what, patch) => {
    const { limits } = world()
    const made = await limits.create({ id: 'cap', scope: { kind: 'global' }, budget: { daily: 1 } })
    await expect(limits.change('cap', patch as LimitPatch)).rejects.toThrow(InvalidRequestError)
    expect(await limits.get('cap')).toEqual(made)
  })

  it('turns by the zone that the configuration had when it was made, whoever changes it', async () => {
    const clock = manualClock(START)
    const store = memoryStore({ clock })
    const [berlin, utc] = ['Europe/Berlin', 'UTC'].map((timeZone) => new CostTracker({ clock, store, timeZone })) as [CostTracker, CostTracker]
    await berlin.limits.create({ id: 'cap', scope: { kind: 'global' }, budget: { daily: 1, rolling: { '24h': 3 } } })
    const resetsAt = new Date(Date.UTC(2026, 0, 15, 23))
    expect((await utc.limits.progress('cap'))[0]).toMatchObject({ resetsAt })
    expect((await utc.limits.change('cap', { budget: { daily: 2, rolling: { '1d': 4 } } })).budget).toEqual({ daily: 2, rolling: { '1d': 4 }, timeZone: 'Europe/Berlin' })
    expect((await utc.limits.progress('cap'))[0]).toMatchObject({ limit: 2, resetsAt })
    await utc.limits.change('cap', { budget: { timeZone: null } })
    expect((await berlin.limits.get('cap'))?.budget).not.toHaveProperty('timeZone')
  })

  it('has one limit for each id', async () => {
    const { limits } = world()
    await limits.create({ id: 'cap', scope: { kind: 'global' }, budget: { daily: 1 } })
    await expect(limits.create({ id: 'cap', scope: { kind: 'global' }, budget: { daily: 2 } })).rejects.toThrow(/"cap" is there already/)
    await expect(limits.change('other', {})).rejects.toThrow(UnknownLimitError)
    await expect(limits.remove('other')).rejects.toThrow(UnknownLimitError)
  })

  it('takes the name from groups', () => {
    expect(() => world({ scopes: { limit: { a: { daily: 1 } } } })).toThrow(/scopes\.limit: the name is taken/)
  })
})

describe('tenants', () => {
  const models = { ladder: { big: 'mid', mid: 'small' }, estimate: (_request: unknown, model: string | undefined) => (model === 'small' ? 1 : model === 'mid' ? 2 : 5) }

  it('give their users a tier, after the request and the directory and before the default', async () => {
    const { limits, bursar, ask } = world()
    await limits.tenants.set('acme', { tier: 'pro' })
    const tierOf = async (more: object): Promise<string | undefined> => (await ask(1, more)).context.userTier
    expect(await tierOf({ tenant: 'acme' })).toBe('pro')
    expect(await tierOf({ tenant: 'other' })).toBe('free')
    expect(await tierOf({ tenant: 'acme', userTier: 'free' })).toBe('free')
    await bursar.tracker.setUserTier({ userId: 'ada', tenant: 'acme' }, 'free')
    expect(await tierOf({ tenant: 'acme' })).toBe('free')
    await limits.tenants.remove('acme')
    expect(await tierOf({ tenant: 'acme', userId: 'bob' })).toBe('free')
  })

  it('allow their users some models, and the ladder passes over the others', async () => {
    const { limits, ask } = world({ ...models, tiers: { free: { daily: 100 } }, policies: ['graceful'] } as never)
    expect(await limits.tenants.set('acme', { models: ['big', 'sm*'] })).toMatchObject({ tenant: 'acme', models: ['big', 'sm*'] })
    expect(allowedOf(await ask(undefined as never, { tenant: 'acme', model: 'big' })).model).toBe('big')
    expect(deniedOf(await ask(undefined as never, { tenant: 'acme', model: 'mid-2026' })).toDenial()).toMatchObject({ code: 'policy', status: 403, message: expect.stringContaining('tenantModels') as string })
    const bob = { tenant: 'acme', userId: 'bob' }
    await allowedOf(await ask(92, { ...bob, model: undefined })).settle({ cost: 92 })
    expect(allowedOf(await ask(undefined as never, { ...bob, model: 'big' }))).toMatchObject({ action: 'DEGRADE', model: 'small' })
    expect(allowedOf(await ask(undefined as never, { userId: 'bob', model: 'mid' })).model).toBe('mid')
    allowedOf(await ask(1, { tenant: 'acme', userId: 'eve' }))
  })

  it('are listed, and refused where they are none', async () => {
    const { limits } = world()
    await limits.tenants.set('b', { tier: 'pro' })
    await limits.tenants.set('a', { models: ['x'] })
    expect(await limits.tenants.list()).toMatchObject([{ tenant: 'a', models: ['x'] }, { tenant: 'b', tier: 'pro' }])
    await limits.tenants.set('b', { models: ['y'] })
    expect(await limits.tenants.get('b')).not.toHaveProperty('tier')
    expect(await limits.tenants.get('c')).toBeUndefined()
    await limits.tenants.remove('c')
    await expect(limits.tenants.set('a', { tier: 'gold' })).rejects.toThrow(UnknownTierError)
    for (const wrong of [{}, { models: [] }, { models: ['a*b'] }, { tiers: 'pro' }]) await expect(limits.tenants.set('a', wrong as never)).rejects.toThrow(InvalidRequestError)
    expect(await limits.tenants.get('a')).toMatchObject({ models: ['x'] })
  })
})

describe('the ledger', () => {
  it('has a line for every change of what is configured', async () => {
    const { limits, bursar, clock } = world()
    await limits.create({ id: 'cap', scope: { kind: 'global' }, budget: { daily: 1 }, until: new Date(START + HOUR) })
    await limits.change('cap', { until: null, mode: 'alert' })
    await limits.remove('cap')
    await limits.tenants.set('acme', { tier: 'pro' })
    await limits.tenants.remove('acme')
    const session = await bursar.session({ userId: 'ada', maxCost: 1, maxTokens: 5 })
    await session.raiseCostCap(2)
    const paid = { standing: 'active' as const, customers: ['cus_1'], period: { startsAt: new Date(START), endsAt: START + HOUR }, reason: 'look', fence: 1 }
    await bursar.tracker.setUserBilling('ada', paid)
    await bursar.tracker.setUserBilling('ada', { ...paid, fence: 2 })
    const lines = (await entriesOf(bursar.tracker)).map(({ kind, userId, tenant, sessionId, reason, metadata }) => ({ kind, userId, tenant, sessionId, reason, metadata }))
    const calendar = { daily: 1 }
    const { id, endsAt } = session
    expect(lines).toMatchObject([
      { kind: 'configured', userId: '', reason: 'limit created', metadata: { limit: { id: 'cap', scope: { kind: 'global' }, budget: calendar, mode: 'block', until: START + HOUR } } },
      { userId: '', reason: 'limit changed', metadata: { limit: { id: 'cap', mode: 'alert' } } },
      { userId: '', reason: 'limit removed', metadata: { id: 'cap' } },
      { userId: '', tenant: 'acme', reason: 'tenant set', metadata: { tier: 'pro' } },
      { userId: '', tenant: 'acme', reason: 'tenant removed', metadata: {} },
      { userId: 'ada', sessionId: id, reason: 'session opened', metadata: { maxCost: 1, maxTokens: 5, parents: [], startsAt: clock(), endsAt: endsAt.getTime() } },
      { userId: 'ada', sessionId: id, reason: 'session raised', metadata: { maxCost: 2 } },
      { userId: 'ada', reason: 'billing', metadata: { standing: 'active', customers: ['cus_1'], period: { startsAt: START, endsAt: START + HOUR } } },
    ])
    const again = world()
    const { limit } = (lines[0] as { metadata?: unknown }).metadata as { limit: NewLimit }
    expect(await again.limits.create(limit)).toMatchObject({ id: 'cap', until: new Date(START + HOUR) })
  })
})

describe('a tracker that stands alone', () => {
  it('announces the thresholds of limits, and counts in them', async () => {
    const clock = manualClock(START)
    const tracker = new CostTracker({ clock, store: memoryStore({ clock }) })
    const heard: number[] = []
    tracker.events.on('threshold', ({ thresholdPct }) => void heard.push(thresholdPct))
    await tracker.limits.create({ id: 'cap', scope: { kind: 'user', id: 'u' }, budget: { daily: 1 }, thresholds: { warn: 30 } })
    await tracker.addCost({ userId: 'u', cost: 0.9 })
    expect(heard).toEqual([30, 80])
    expect(await tracker.canAfford('u', 0.2)).toBe(false)
  })

  it('shares the limits of a store in memory with all that work on it, at once', async () => {
    const clock = manualClock(START)
    const store = memoryStore({ clock })
    const [a, b] = [new CostTracker({ clock, store }), new CostTracker({ clock, store })]
    await a.limits.create({ id: 'cap', scope: { kind: 'global' }, budget: { daily: 1 } })
    expect(await b.canAfford('u', 2)).toBe(false)
    await b.limits.remove('cap')
    expect(await a.canAfford('u', 2)).toBe(true)
  })
})
