// What bursar must reproduce: well-known runs of requests, tables of actions, and the situations in which other engines fail.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Bursar, EnforcementCallbacks, type BursarConfig, type EnforcementAction, type Policy } from '../../src/index.js'
import { manualClock } from '../../src/testing/index.js'
import { gracefulDegradation, strictBudgetEnforcement, tierBasedEnforcement } from '../../policies/index.js'
import { allOf, allowedOf, DAY, deniedOf, MIDNIGHT, START } from './setting.js'

/** Asks and settles one request after another, and says what each decision was. */
async function run(bursar: Bursar, request: { userId: string; userTier: string }, cost: number, times: number): Promise<[number, EnforcementAction][]> {
  const said: [number, EnforcementAction][] = []
  for (let time = 0; time < times; time += 1) {
    const decision = await bursar.check({ ...request, estimatedCost: cost })
    said.push([decision.context.budgetUsedPct, decision.action])
    if (decision.allowed) await decision.settle({ cost })
  }
  return said
}

const tiers = { free: { daily: 0.1 }, pro: { daily: 1 }, enterprise: { daily: 1 } }
const engine = (config: Partial<BursarConfig> = {}) => new Bursar({ tiers, policies: [tierBasedEnforcement], clock: manualClock(), ...config } as BursarConfig)

describe('runs of requests', () => {
  it.each([['tier-based', tierBasedEnforcement], ['strict', strictBudgetEnforcement]])('a free user at $0.03 a request is warned at 90 %% and blocked at 120 %% (%s)', async (_name, policy) => {
    const said = await run(engine({ policies: [policy] }), { userId: 'flow', userTier: 'free' }, 0.03, 4)
    expect(said).toEqual([[30, 'ALLOW'], [60, 'ALLOW'], [90, 'WARN'], [120, 'BLOCK']])
  })

  it('a pro user at $0.08 a request is warned with the twelfth and degraded with the thirteenth', async () => {
    const said = await run(engine(), { userId: 'p', userTier: 'pro' }, 0.08, 13)
    expect(said.slice(0, 11).map(([, action]) => action)).toEqual(Array.from({ length: 11 }, () => 'ALLOW'))
    expect(said.slice(11)).toEqual([[96, 'WARN'], [104, 'DEGRADE']])
  })

  it('an enterprise user is never blocked, and warned from 90 %', async () => {
    const said = await run(engine(), { userId: 'e', userTier: 'enterprise' }, 0.09, 30)
    expect(said.map(([percent, action]) => action === (percent >= 90 ? 'WARN' : 'ALLOW'))).toEqual(Array.from({ length: 30 }, () => true))
    expect(said[9]).toEqual([90, 'WARN'])
    expect(said[8]).toEqual([81, 'ALLOW'])
    expect(said[29]).toEqual([270, 'WARN'])
  })
})

const COLUMNS: Record<string, { policy: Policy<string>; tier: string | undefined }> = {
  strict: { policy: strictBudgetEnforcement, tier: 'free' },
  graceful: { policy: gracefulDegradation, tier: 'free' },
  'tier free': { policy: tierBasedEnforcement, tier: 'free' },
  'tier pro': { policy: tierBasedEnforcement, tier: 'pro' },
  'tier enterprise': { policy: tierBasedEnforcement, tier: 'enterprise' },
  'an unknown tier': { policy: tierBasedEnforcement, tier: 'startup' },
  'no tier': { policy: tierBasedEnforcement, tier: undefined },
}
const ROWS: { percents: number[]; exceeded: boolean; actions: EnforcementAction[] }[] = [
  { percents: [0, 0.01, 50, 79.99], exceeded: false, actions: ['ALLOW', 'ALLOW', 'ALLOW', 'ALLOW', 'ALLOW', 'ALLOW', 'ALLOW'] },
  { percents: [80, 85, 89.99], exceeded: false, actions: ['WARN', 'WARN', 'WARN', 'ALLOW', 'ALLOW', 'WARN', 'WARN'] },
  { percents: [90, 95, 99.99, 100], exceeded: false, actions: ['WARN', 'DEGRADE', 'WARN', 'WARN', 'WARN', 'WARN', 'WARN'] },
  { percents: [100, 100.01, 105, 250], exceeded: true, actions: ['BLOCK', 'BLOCK', 'BLOCK', 'DEGRADE', 'WARN', 'BLOCK', 'BLOCK'] },
]
const CELLS = ROWS.flatMap(({ percents, exceeded, actions }) =>
  Object.entries(COLUMNS).flatMap(([name, column], index) => percents.map((percent) => ({ name, ...column, percent, exceeded, action: actions[index] as EnforcementAction }))),
)

describe('the table of actions', () => {
  it.each(CELLS)('$name at $percent % (exceeded: $exceeded) says $action of a context made by hand', ({ policy, tier, percent, exceeded, action }) => {
    const callbacks = new EnforcementCallbacks()
    callbacks.register(policy)
    expect(callbacks.check({ userId: 'u', userTier: tier, budgetUsedPct: percent, budgetExceeded: exceeded })).toBe(action)
  })

  it.each(CELLS.filter(({ percent, exceeded, tier }) => tier !== undefined && !(percent === 100 && exceeded)))('$name at $percent % says $action of a request', async ({ policy, tier, percent, action }) => {
    const bursar = new Bursar({ tiers: { [tier as string]: { daily: 1 } }, policies: [policy], clock: manualClock() })
    const decision = await bursar.check({ userId: 'u', userTier: tier, estimatedCost: (percent / 100).toFixed(4) })
    expect([decision.context.budgetUsedPct, decision.action]).toEqual([percent, action])
  })

  it('takes a budget that was used up before the request as exceeded, even for a request that costs nothing', async () => {
    const bursar = engine({ policies: [strictBudgetEnforcement] })
    await bursar.tracker.addCost({ userId: 'u', userTier: 'free', cost: 0.1 })
    const decision = await bursar.check({ userId: 'u', userTier: 'free', estimatedCost: 0 })
    expect(decision.context).toMatchObject({ budgetUsedPct: 100, budgetExceeded: true })
    expect(decision.action).toBe('BLOCK')
  })

  it('works on a context with cost and limit alone', () => {
    const callbacks = new EnforcementCallbacks()
    callbacks.register(strictBudgetEnforcement)
    expect(callbacks.check({ currentCost: 5, budgetLimit: 10 })).toBe('ALLOW')
    expect(callbacks.check({ currentCost: 8.5, budgetLimit: 10 })).toBe('WARN')
    expect(callbacks.check({ currentCost: 10.5, budgetLimit: 10 })).toBe('BLOCK')
    expect(callbacks.check({ currentCost: 9, estimatedCost: 1, budgetLimit: 10 })).toBe('WARN')
    expect(callbacks.check({ currentCost: 9, estimatedCost: 1.01, budgetLimit: 10 })).toBe('BLOCK')
    expect(callbacks.check({ currentCost: 1_000, budgetLimit: null })).toBe('ALLOW')
  })

  it('lets a policy work on a context that only says how full the budget is, called directly', () => {
    const context = { userId: 'u', userTier: 'pro', budgetUsedPct: 85, budgetExceeded: false } as never
    expect(strictBudgetEnforcement(context)).toBe('WARN')
    expect(tierBasedEnforcement(context)).toBe('ALLOW')
  })
})

describe('windows and users', () => {
  it('admits a blocked user again in the next window, without any spend in between', async () => {
    const clock = manualClock()
    const bursar = engine({ clock })
    await bursar.tracker.addCost({ userId: 'u', userTier: 'free', cost: 0.1 })
    const ask = () => bursar.check({ userId: 'u', userTier: 'free', estimatedCost: 0.05 })
    expect((await ask()).action).toBe('BLOCK')
    clock.set(MIDNIGHT - 1)
    expect((await ask()).action).toBe('BLOCK')
    expect(await bursar.tracker.isBudgetExceeded('u', 'free')).toBe(true)
    clock.set(MIDNIGHT)
    expect(await bursar.tracker.isBudgetExceeded('u', 'free')).toBe(false)
    expect((await ask()).action).toBe('ALLOW')
  })

  it('makes room again by a refund', async () => {
    const bursar = engine()
    const first = allowedOf(await bursar.check({ userId: 'u', userTier: 'free', estimatedCost: 0.1 }))
    await first.settle({ cost: 0.1 })
    expect((await bursar.check({ userId: 'u', userTier: 'free', estimatedCost: 0.04 })).action).toBe('BLOCK')
    expect(await bursar.tracker.refund({ userId: 'u', cost: 0.04, decisionId: first.id })).toMatchObject({ refunded: 0.04, unapplied: 0 })
    expect((await bursar.check({ userId: 'u', userTier: 'free', estimatedCost: 0.041 })).action).toBe('BLOCK')
    expect((await bursar.check({ userId: 'u', userTier: 'free', estimatedCost: 0.04 })).allowed).toBe(true)
  })

  it('keeps users, tenants and tiers apart', async () => {
    const bursar = engine()
    const spent = async (user: { userId: string; tenant?: string }, tier: string) => (await bursar.tracker.getPeriodCosts(user, 'daily', tier)).cost
    await bursar.tracker.addCost({ userId: 'a', userTier: 'free', cost: 0.1 })
    await bursar.tracker.addCost({ userId: 'a', tenant: 'acme', userTier: 'pro', cost: 0.2 })
    await bursar.tracker.addCost({ userId: 'a', tenant: 'beta', userTier: 'enterprise', cost: 0.3 })
    await bursar.tracker.addCost({ userId: 'b', userTier: 'pro', cost: 0.4 })
    expect(await spent({ userId: 'a' }, 'free')).toBe(0.1)
    expect(await spent({ userId: 'a', tenant: 'acme' }, 'pro')).toBe(0.2)
    expect(await spent({ userId: 'a', tenant: 'beta' }, 'enterprise')).toBe(0.3)
    expect(await spent({ userId: 'b' }, 'pro')).toBe(0.4)
    expect(await spent({ userId: 'c' }, 'free')).toBe(0)
    expect((await bursar.check({ userId: 'a', userTier: 'free', estimatedCost: 0.01 })).action).toBe('BLOCK')
    for (const tenant of ['acme', 'beta', 'gamma']) expect((await bursar.check({ userId: 'a', tenant, userTier: 'free', estimatedCost: 0 })).action === 'BLOCK', tenant).toBe(tenant !== 'gamma')
  })

  it('never mixes up ids that contain the separators of keys', async () => {
    const bursar = engine()
    const users = [{ userId: 'a/b' }, { userId: 'b', tenant: 'a' }, { userId: 'b', tenant: 'a/' }, { userId: '/b', tenant: 'a' }, { userId: 'b', tenant: 'a%2F' }, { userId: '/a/b' }, { userId: 'user/a/b' }]
    for (const [index, user] of users.entries()) await bursar.tracker.addCost({ ...user, userTier: 'enterprise', cost: (index + 1) / 100 })
    for (const [index, user] of users.entries()) expect(await bursar.tracker.getUserCost(user)).toBe((index + 1) / 100)
    const known = await allOf(bursar.tracker.users())
    expect(known).toHaveLength(users.length)
    expect(known).toEqual(expect.arrayContaining(users))
  })

  it('keeps what a pro user spent when the user moves to free', async () => {
    const bursar = engine()
    await bursar.tracker.setUserTier('u', 'pro')
    await bursar.tracker.addCost({ userId: 'u', cost: 0.5 })
    await bursar.tracker.setUserTier('u', 'free')
    const decision = deniedOf(await bursar.check({ userId: 'u', estimatedCost: 0.01 }))
    expect(decision.toDenial()).toMatchObject({ window: 'daily', limit: 0.1, used: 0.5 })
    await bursar.tracker.setUserTier('u', 'pro')
    expect((await bursar.check({ userId: 'u', estimatedCost: 0.01 })).context.currentCost).toBe(0.5)
  })

  it('finds the true usage of the week when a free user moves to pro', async () => {
    const clock = manualClock(Date.UTC(2026, 0, 12, 9))
    const bursar = new Bursar({ tiers: { free: { daily: 0.1 }, pro: { daily: 1, weekly: 1, rolling: { '3d': 0.35 } } }, defaultTier: 'free', clock })
    for (let day = 0; day < 4; day += 1) {
      await bursar.tracker.addCost({ userId: 'u', cost: 0.1 })
      clock.advance('1d')
    }
    await bursar.tracker.setUserTier('u', 'pro')
    const { periodCosts } = await bursar.tracker.getUserSummary('u')
    expect(periodCosts['weekly']).toMatchObject({ cost: 0.4, limit: 1, remaining: 0.6 })
    expect(periodCosts['daily']).toMatchObject({ cost: 0 })
    expect(periodCosts['rolling:3d']?.cost).toBeCloseTo(0.3, 8)
    expect((await bursar.check({ userId: 'u', estimatedCost: 0.06 })).action).toBe('BLOCK')
    expect((await bursar.check({ userId: 'u', estimatedCost: 0.05 })).allowed).toBe(true)
  })
})

describe('requests at the same time', () => {
  it('admits exactly 20 of 200 requests of $0.50 on $10', async () => {
    const bursar = new Bursar({ tiers: { team: { daily: 10 } }, defaultTier: 'team', clock: manualClock() })
    const decisions = await Promise.all(Array.from({ length: 200 }, () => bursar.check({ userId: 'u', estimatedCost: 0.5 })))
    expect(decisions.filter((decision) => decision.allowed)).toHaveLength(20)
    const { periodCosts, held } = await bursar.tracker.getUserSummary('u')
    expect([held, periodCosts['daily']?.remaining]).toEqual([10, 0])
    await Promise.all(decisions.map((decision) => (decision.allowed ? decision.settle({ cost: 0.25 }) : undefined)))
    expect((await bursar.tracker.getUserSummary('u')).periodCosts['daily']).toMatchObject({ cost: 5, held: 0 })
  })

  it('never fails a request that fits because of a refused one beside it', async () => {
    const bursar = new Bursar({ tiers: { team: { daily: 1 } }, defaultTier: 'team', clock: manualClock() })
    const requests = Array.from({ length: 9 }, () => [5, 5, 5, 5, 5, 0.1]).flat()
    const decisions = await Promise.all(requests.map((estimatedCost) => bursar.check({ userId: 'u', estimatedCost })))
    decisions.forEach((decision, index) => expect(decision.allowed).toBe(requests[index] === 0.1))
    expect((await bursar.check({ userId: 'u', estimatedCost: 0.1 })).allowed).toBe(true)
    expect((await bursar.check({ userId: 'u', estimatedCost: 0.1 })).allowed).toBe(false)
  })
})

describe('a rate limit of 20 requests in a trailing minute', () => {
  const limited = (clock = manualClock()) => ({ clock, bursar: new Bursar({ tiers: { free: { rolling: { '1m': { requests: 20 } } } }, defaultTier: 'free', clock }) })

  it('never admits more, and says exactly when the next one fits', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 9_000 }), { minLength: 60, maxLength: 120 }), fc.nat({ max: 10_000_000 }), async (gaps, start) => {
        const { clock, bursar } = limited(manualClock(START + start))
        const admitted: number[] = []
        const ask = async () => {
          const decision = await bursar.check({ userId: 'u' })
          if (decision.allowed) {
            await decision.settle({ cost: 0 })
            admitted.push(clock())
          }
          return decision
        }
        for (const gap of gaps) {
          clock.set(clock() + (gap % 7 === 0 ? gap : gap % 900))
          const decision = await ask()
          if (decision.allowed) continue
          const denial = decision.toDenial()
          expect([denial.code, denial.status]).toEqual(['rate', 429])
          const wait = denial.retryAfterMs as number
          expect(wait).toBeGreaterThan(0)
          if (wait > 1) clock.advance(wait - 1)
          if (wait > 1) expect((await ask()).allowed).toBe(false)
          clock.advance(1)
          expect((await ask()).allowed).toBe(true)
        }
        for (const last of admitted) expect(admitted.filter((at) => at > last - 60_000 && at <= last).length).toBeLessThanOrEqual(20)
      }),
      { numRuns: 40 },
    )
  })

  it.each([0, 1, 1_499, 2_999])('gives room again within a twentieth of the length (first request %d ms into a bucket)', async (offset) => {
    const { clock, bursar } = limited(manualClock(START + offset))
    for (let time = 0; time < 20; time += 1) expect((await bursar.check({ userId: 'u' })).allowed).toBe(true)
    const { retryAfterMs } = deniedOf(await bursar.check({ userId: 'u' })).toDenial()
    expect(retryAfterMs).toBeGreaterThanOrEqual(60_000)
    expect(retryAfterMs).toBeLessThanOrEqual(63_000)
    clock.advance(59_999)
    expect((await bursar.check({ userId: 'u' })).allowed).toBe(false)
    clock.advance(3_001)
    expect((await bursar.check({ userId: 'u' })).allowed).toBe(true)
  })

  it('counts a request when it is admitted, whatever becomes of it', async () => {
    const { bursar } = limited()
    for (let time = 0; time < 20; time += 1) await allowedOf(await bursar.check({ userId: 'u' })).release()
    expect(deniedOf(await bursar.check({ userId: 'u' })).code).toBe('rate')
  })
})

describe('several judges', () => {
  it('blocks an enterprise user by an exhausted global budget', async () => {
    const bursar = engine({ global: { monthly: 1 } })
    await bursar.tracker.addCost({ userId: 'somebody', userTier: 'pro', cost: 0.95 })
    expect((await bursar.check({ userId: 'e', userTier: 'enterprise', estimatedCost: 0.05 })).allowed).toBe(true)
    const denied = deniedOf(await bursar.check({ userId: 'e', userTier: 'enterprise', estimatedCost: 0.06 }))
    expect(denied.toDenial()).toMatchObject({ code: 'budget', status: 402, scope: { kind: 'global', id: 'global' }, window: 'monthly', limit: 1, used: 1 })
    expect(denied.verdicts.find((verdict) => verdict.action === 'BLOCK')).toMatchObject({ policy: 'strict', scope: { kind: 'global' } })
  })

  it.each([[['WARN', 'BLOCK']], [['BLOCK', 'WARN']]] as const)('takes BLOCK over WARN where policies say %j', async (actions) => {
    const policies: Policy<string>[] = actions.map((action) => () => action)
    const callbacks = new EnforcementCallbacks()
    for (const policy of policies) callbacks.register(policy)
    expect(callbacks.check({ budgetUsedPct: 1 })).toBe('BLOCK')
    const bursar = engine({ policies: [...policies, strictBudgetEnforcement] })
    const decision = deniedOf(await bursar.check({ userId: 'u', userTier: 'free', estimatedCost: 0.01 }))
    expect(decision.code).toBe('policy')
    expect(decision.verdicts.map((verdict) => verdict.action)).toEqual([...actions, 'ALLOW'])
    expect((await bursar.tracker.getUserSummary('u', 'free')).held).toBe(0)
  })

  it('opens the next day in the middle of a week that is used up', async () => {
    const clock = manualClock()
    const bursar = engine({ clock, tiers: { free: { daily: 1, weekly: 1.2 } } })
    await bursar.tracker.addCost({ userId: 'u', userTier: 'free', cost: 1 })
    const denial = deniedOf(await bursar.check({ userId: 'u', userTier: 'free', estimatedCost: 0.3 })).toDenial()
    expect(denial).toMatchObject({ window: 'weekly', resetsAt: new Date(Date.UTC(2026, 0, 19)), retryAfterMs: Date.UTC(2026, 0, 19) - START, largestFittingCost: null })
    clock.advance(DAY)
    const later = deniedOf(await bursar.check({ userId: 'u', userTier: 'free', estimatedCost: 0.3 })).toDenial()
    expect(later.largestFittingCost).toBe(0.2)
  })
})
