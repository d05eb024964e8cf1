// State and reports: every member of CostTracker, on a clock that stands still.

import { describe, expect, it } from 'vitest'
import { Bursar, CostTracker, memoryStore, type CostTrackerConfig } from '../../../src/index.js'
import { manualClock } from '../../../src/testing/index.js'
import { allOf, DAY, entriesOf, MIDNIGHT, START } from '../setting.js'

const base = { userBudgets: { free: { daily: 0.1 }, pro: { daily: 1, weekly: 5, monthly: 20 } } }

function tracking(config: Partial<CostTrackerConfig> = {}) {
  const clock = manualClock()
  return { clock, tracker: new CostTracker({ ...base, clock, ...config } as CostTrackerConfig) }
}

describe('addCost', () => {
  it('counts a cost in every window of the user, limited or not', async () => {
    const store = memoryStore({ clock: manualClock() })
    const { tracker } = tracking({ store })
    await new Bursar({ ...base, clock: manualClock(), store }).session({ userId: 'u', userTier: 'free', id: 's', maxCost: 1 })
    expect(await tracker.addCost({ userId: 'u', userTier: 'free', model: 'gpt-4o', provider: 'openai', tokens: { input: 10, output: 5 }, cost: 0.03, sessionId: 's', metadata: { k: 1 } })).toMatchObject({ cost: 0.03, exact: { microcents: 3_000_000 }, replayed: false })
    const { periodCosts } = await tracker.getUserSummary('u', 'free')
    expect(Object.keys(periodCosts)).toEqual(['daily', 'weekly', 'monthly'])
    expect(Object.values(periodCosts).map(({ cost }) => cost)).toEqual([0.03, 0.03, 0.03])
    expect((await entriesOf(tracker)).at(-1)).toMatchObject({ kind: 'recorded', at: START, userId: 'u', tier: 'free', sessionId: 's', provider: 'openai', requestedModel: 'gpt-4o', model: 'gpt-4o', microcents: 3_000_000, tokens: 15, metadata: { k: 1 } })
  })

  it('refuses a session that is none of the user’s, and counts nothing', async () => {
    const { tracker } = tracking()
    await expect(tracker.addCost({ userId: 'u', userTier: 'free', cost: 0.03, sessionId: 's' })).rejects.toMatchObject({ code: 'UNKNOWN_SESSION', sessionId: 's' })
    expect(await tracker.getUserCost('u')).toBe(0)
  })

  it('counts it whatever the limits say', async () => {
    const { tracker } = tracking()
    await tracker.addCost({ userId: 'u', userTier: 'free', cost: 5 })
    expect(await tracker.getUserCost('u')).toBe(5)
    expect(await tracker.getPeriodCosts('u', 'daily', 'free')).toMatchObject({ cost: 5, limit: 0.1, remaining: 0, usedPct: 5000, exceeded: true })
  })

  it('counts exactly: ten times $0.1 is $1, and fractions round up', async () => {
    const { tracker } = tracking()
    for (let time = 0; time < 10; time += 1) await tracker.addCost({ userId: 'u', userTier: 'pro', cost: 0.1 })
    expect(await tracker.getUserCost('u')).toBe(1)
    expect((await tracker.addCost({ userId: 'u', userTier: 'pro', cost: '0.0000000001' })).exact.microcents).toBe(1)
  })

  it('counts an entry with an idempotency key once', async () => {
    const { tracker } = tracking()
    const entry = { userId: 'u', userTier: 'free', cost: 0.01, idempotencyKey: 'k' }
    expect(await tracker.addCost(entry)).toMatchObject({ id: 'k', replayed: false })
    expect(await tracker.addCost({ ...entry })).toMatchObject({ id: 'k', replayed: true, cost: 0.01 })
    await expect(tracker.addCost({ ...entry, cost: 0.02 })).rejects.toMatchObject({ code: 'ID_REUSED' })
    expect(await tracker.getUserCost('u')).toBe(0.01)
  })

  it('counts in shared scopes too', async () => {
    const store = { global: { monthly: 10 }, scopes: { tenant: { acme: { daily: 2 } }, tier: { free: { daily: 1 } }, team: { '*': { daily: 3 } } } }
    const { tracker } = tracking(store)
    await tracker.addCost({ userId: 'u', tenant: 'acme', userTier: 'free', cost: 0.4, scopes: { team: 'search' } })
    const { windows } = await tracker.context({ userId: 'v', tenant: 'acme', userTier: 'free', scopes: { team: 'search' } })
    expect(windows.filter(({ limit }) => limit !== null).map(({ scope, spent }) => [`${scope.kind} ${scope.id}`, spent])).toEqual([['user v', 0], ['global global', 0.4], ['tenant acme', 0.4], ['tier free', 0.4], ['team search', 0.4]])
  })

  it('takes tokens as one number, by type, or with a total that is their sum', async () => {
    const { tracker } = tracking()
    for (const tokens of [7, { input: 3, output: 4 }, { input: 3, output: 4, total: 7 }, { total: 7 }]) await tracker.addCost({ userId: 'u', userTier: 'free', cost: 0, tokens })
    expect((await tracker.getSummary()).totalTokens).toBe(28)
    await expect(tracker.addCost({ userId: 'u', userTier: 'free', cost: 0, tokens: { input: 3, total: 4 } })).rejects.toMatchObject({ code: 'INVALID_REQUEST' })
  })

  it('works without any budgets', async () => {
    const tracker = new CostTracker({ clock: manualClock() })
    await tracker.addCost({ userId: 'u', cost: 0.5 })
    expect(await tracker.getUserSummary('u')).toMatchObject({ tier: undefined, totalCost: 0.5, totalEntries: 1, budgetLimit: null, budgetExceeded: false, periodCosts: { daily: { cost: 0.5, limit: null, remaining: null, exceeded: false } } })
    expect(await tracker.canAfford('u', 1_000_000)).toBe(true)
  })
})

describe('refund', () => {
  it('takes the newest charges first, never below zero, and reports the rest', async () => {
    const { tracker } = tracking()
    for (const cost of [0.1, 0.2, 0.3]) await tracker.addCost({ userId: 'u', userTier: 'pro', cost })
    expect(await tracker.refund({ userId: 'u', cost: 0.4, reason: 'bad answer' })).toMatchObject({ refunded: 0.4, unapplied: 0 })
    expect((await entriesOf(tracker)).slice(3).map(({ kind, microcents, reason }) => [kind, microcents, reason])).toEqual([['corrected', -30_000_000, 'bad answer'], ['corrected', -10_000_000, 'bad answer']])
    expect(await tracker.refund({ userId: 'u', cost: 5 })).toMatchObject({ refunded: 0.2, unapplied: 4.8, exact: { refundedMicrocents: 20_000_000, unappliedMicrocents: 480_000_000 } })
    expect((await tracker.getPeriodCosts('u', 'daily', 'pro')).cost).toBe(0)
    expect(await tracker.getUserCost('u')).toBe(0)
  })

  it('gives a named charge back, at most what it cost', async () => {
    const { tracker } = tracking()
    const { id } = await tracker.addCost({ userId: 'u', userTier: 'pro', cost: 0.2 })
    await tracker.addCost({ userId: 'u', userTier: 'pro', cost: 0.5 })
    expect(await tracker.refund({ userId: 'u', cost: 0.15, decisionId: id })).toMatchObject({ refunded: 0.15, unapplied: 0 })
    expect(await tracker.refund({ userId: 'u', cost: 0.15, decisionId: id })).toMatchObject({ refunded: 0.05, unapplied: 0.1 })
    expect(await tracker.getUserCost('u')).toBe(0.5)
  })

  it('is made once for each idempotency key', async () => {
    const { tracker } = tracking()
    await tracker.addCost({ userId: 'u', userTier: 'pro', cost: 0.5 })
    const refund = { userId: 'u', cost: 0.1, idempotencyKey: 'r' }
    await tracker.refund(refund)
    expect(await tracker.refund(refund)).toMatchObject({ refunded: 0.1, replayed: true })
    await expect(tracker.refund({ ...refund, cost: 0.2 })).rejects.toMatchObject({ code: 'ID_REUSED' })
    expect(await tracker.getUserCost('u')).toBe(0.4)
  })

  it('changes the window that the charge was in, and no later one', async () => {
    const { tracker, clock } = tracking()
    const { id } = await tracker.addCost({ userId: 'u', userTier: 'pro', cost: 0.5 })
    clock.set(MIDNIGHT)
    await tracker.addCost({ userId: 'u', userTier: 'pro', cost: 0.2 })
    await tracker.refund({ userId: 'u', cost: 0.5, decisionId: id })
    const { periodCosts } = await tracker.getUserSummary('u', 'pro')
    expect([periodCosts['daily']?.cost, periodCosts['weekly']?.cost]).toEqual([0.2, 0.2])
  })

  it("finds nothing of another user's or another tenant's", async () => {
    const { tracker } = tracking()
    await tracker.addCost({ userId: 'u', tenant: 'a', userTier: 'pro', cost: 0.5 })
    expect(await tracker.refund({ userId: 'u', cost: 0.5 })).toMatchObject({ refunded: 0, unapplied: 0.5 })
    expect(await tracker.refund({ userId: 'u', tenant: 'a', cost: 0.5 })).toMatchObject({ refunded: 0.5 })
  })

  it('gives room back in a rolling window', async () => {
    const { tracker, clock } = tracking({ userBudgets: { free: { rolling: { '1h': 1 } } } })
    const { id } = await tracker.addCost({ userId: 'u', userTier: 'free', cost: 0.6 })
    clock.advance('30m')
    await tracker.addCost({ userId: 'u', userTier: 'free', cost: 0.3 })
    await tracker.refund({ userId: 'u', cost: 0.6, decisionId: id })
    expect((await tracker.getPeriodCosts('u', 'rolling:1h', 'free')).cost).toBe(0.3)
    clock.advance('40m')
    expect((await tracker.getPeriodCosts('u', 'rolling:1h', 'free')).cost).toBe(0.3)
  })
})

describe('reports on a user', () => {
  it('sum up windows, holds and limits', async () => {
    const clock = manualClock()
    const bursar = new Bursar({ tiers: base.userBudgets, clock })
    await bursar.tracker.addCost({ userId: 'u', userTier: 'pro', cost: 0.25 })
    await bursar.check({ userId: 'u', userTier: 'pro', estimatedCost: 0.5 })
    expect(await bursar.tracker.getUserSummary('u', 'pro')).toMatchObject({
      userId: 'u',
      tenant: undefined,
      tier: 'pro',
      totalCost: 0.25,
      totalEntries: 1,
      held: 0.5,
      budgetLimit: 1,
      budgetExceeded: false,
      exact: { totalMicrocents: 25_000_000, heldMicrocents: 50_000_000 },
      periodCosts: {
        daily: { unit: 'usd', cost: 0.25, held: 0.5, limit: 1, remaining: 0.25, usedPct: 75, exceeded: false, startsAt: new Date(MIDNIGHT - DAY), resetsAt: new Date(MIDNIGHT), exact: { cost: 25_000_000, held: 50_000_000, limit: 100_000_000 } },
        weekly: { unit: 'usd', cost: 0.25, held: 0.5, limit: 5, remaining: 4.25, usedPct: 15, exceeded: false, startsAt: new Date(Date.UTC(2026, 0, 12)), resetsAt: new Date(Date.UTC(2026, 0, 19)) },
        monthly: { unit: 'usd', cost: 0.25, held: 0.5, limit: 20, remaining: 19.25, usedPct: 3.75, exceeded: false, startsAt: new Date(Date.UTC(2026, 0, 1)), resetsAt: new Date(Date.UTC(2026, 1, 1)) },
      },
    })
  })

  it('are answered for the present moment', async () => {
    const { tracker, clock } = tracking()
    await tracker.addCost({ userId: 'u', userTier: 'free', cost: 0.1 })
    expect(await tracker.isBudgetExceeded('u', 'free')).toBe(true)
    expect(await tracker.canAfford('u', 0, 'free')).toBe(false)
    clock.set(MIDNIGHT)
    expect(await tracker.isBudgetExceeded('u', 'free')).toBe(false)
    expect(await tracker.canAfford('u', 0.1, 'free')).toBe(true)
    expect(await tracker.canAfford('u', '0.10000001', 'free')).toBe(false)
    expect(await tracker.getUserCost('u')).toBe(0.1)
  })

  it('show a rolling window and other units under names of their own', async () => {
    const { tracker } = tracking({ userBudgets: { free: { daily: { usd: 1, tokens: 100, requests: 5 }, rolling: { '5h': { usd: 0.5 } }, total: 9 } } })
    await tracker.addCost({ userId: 'u', userTier: 'free', cost: 0.25, tokens: 30 })
    const { periodCosts } = await tracker.getUserSummary('u', 'free')
    expect(Object.entries(periodCosts).map(([name, { unit, cost, limit }]) => [name, unit, cost, limit])).toEqual([
      ['daily', 'usd', 0.25, 1],
      ['weekly', 'usd', 0.25, null],
      ['monthly', 'usd', 0.25, null],
      ['daily/tokens', 'tokens', 30, 100],
      ['daily/requests', 'requests', 1, 5],
      ['total', 'usd', 0.25, 9],
      ['rolling:5h', 'usd', 0.25, 0.5],
    ])
    expect((await tracker.getPeriodCosts('u', 'total', 'free')).resetsAt).toBeNull()
    expect((await tracker.getPeriodCosts('u', 'daily/tokens', 'free')).remaining).toBe(70)
  })

  it('take a user with a tenant wherever they take a user', async () => {
    const { tracker } = tracking()
    const user = { userId: 'u', tenant: 'acme' }
    await tracker.addCost({ ...user, userTier: 'pro', cost: 0.2 })
    expect(await tracker.getUserCost(user)).toBe(0.2)
    expect(await tracker.getUserCost('u')).toBe(0)
    expect(await tracker.getUserSummary(user, 'pro')).toMatchObject({ userId: 'u', tenant: 'acme', totalCost: 0.2 })
    expect(await tracker.canAfford(user, 0.9, 'pro')).toBe(false)
  })
})

describe('context', () => {
  it('shows what a policy would see, and holds nothing', async () => {
    const { tracker } = tracking()
    await tracker.addCost({ userId: 'u', userTier: 'pro', cost: 0.5 })
    const context = await tracker.context({ userId: 'u', userTier: 'pro', model: 'gpt-4o', provider: 'openai', query: 'q', estimatedCost: 0.25, estimatedTokens: 7, metadata: { a: 1 } })
    expect(context).toMatchObject({ userId: 'u', userTier: 'pro', currentCost: 0.5, estimatedCost: 0.25, totalCost: 0.75, budgetLimit: 1, budgetUsedPct: 75, budgetExceeded: false, periodName: 'daily', unit: 'usd', model: 'gpt-4o', provider: 'openai', query: 'q', tokens: 7, metadata: { a: 1 }, now: new Date(START) })
    expect(Object.isFrozen(context)).toBe(true)
    expect((await tracker.getUserSummary('u', 'pro')).held).toBe(0)
  })

  it('takes its single fields from the fullest window', async () => {
    const { tracker, clock } = tracking({ userBudgets: { pro: { daily: 1, weekly: 1.5 } } })
    await tracker.addCost({ userId: 'u', userTier: 'pro', cost: 1 })
    clock.set(MIDNIGHT)
    await tracker.addCost({ userId: 'u', userTier: 'pro', cost: 0.3 })
    expect(await tracker.context({ userId: 'u', userTier: 'pro' })).toMatchObject({ periodName: 'weekly', budgetLimit: 1.5, currentCost: 1.3, budgetUsedPct: 86.66 })
  })
})

describe('updateUserBudget', () => {
  const limits = async (tracker: CostTracker, user = 'u') => Object.fromEntries(Object.entries((await tracker.getUserSummary(user, 'pro')).periodCosts).map(([name, { limit }]) => [name, limit]))

  it('puts limits over the tier, window by window', async () => {
    const { tracker } = tracking()
    await tracker.updateUserBudget('u', { daily: 5 })
    await tracker.updateUserBudget('u', { monthly: '2.50' })
    expect(await limits(tracker)).toEqual({ daily: 5, weekly: 5, monthly: 2.5 })
    expect(await limits(tracker, 'v')).toEqual({ daily: 1, weekly: 5, monthly: 20 })
    await tracker.updateUserBudget('u', { daily: null })
    expect(await limits(tracker)).toEqual({ daily: 1, weekly: 5, monthly: 2.5 })
    await tracker.updateUserBudget('u', { monthly: null, weekly: null })
    expect(await limits(tracker)).toEqual({ daily: 1, weekly: 5, monthly: 20 })
  })

  it('lifts a limit with {}, and counts on', async () => {
    const { tracker } = tracking()
    await tracker.addCost({ userId: 'u', userTier: 'pro', cost: 3 })
    await tracker.updateUserBudget('u', { daily: {} })
    expect(await tracker.getPeriodCosts('u', 'daily', 'pro')).toMatchObject({ cost: 3, limit: null, exceeded: false })
  })

  it('keeps what was spent', async () => {
    const { tracker } = tracking()
    await tracker.addCost({ userId: 'u', userTier: 'pro', cost: 0.9 })
    await tracker.updateUserBudget('u', { daily: 0.5 })
    expect(await tracker.getPeriodCosts('u', 'daily', 'pro')).toMatchObject({ cost: 0.9, limit: 0.5, usedPct: 180, exceeded: true, remaining: 0 })
  })

  it('ends at the instant that is given', async () => {
    const { tracker, clock } = tracking()
    await tracker.updateUserBudget('u', { daily: 5 }, { until: new Date(START + 1_000) })
    await tracker.updateUserBudget('u', { weekly: 6 }, { until: START + 2_000 })
    expect(await limits(tracker)).toMatchObject({ daily: 5, weekly: 6 })
    clock.advance(999)
    expect(await limits(tracker)).toMatchObject({ daily: 5, weekly: 6 })
    clock.advance(1)
    expect(await limits(tracker)).toMatchObject({ daily: 1, weekly: 6 })
    clock.advance(1_000)
    expect(await limits(tracker)).toMatchObject({ daily: 1, weekly: 5 })
  })

  it('adds a rolling window, and replaces one of the same length under its own name', async () => {
    const { tracker } = tracking({ userBudgets: { pro: { daily: 1, rolling: { '24h': 1 } } } })
    await tracker.addCost({ userId: 'u', userTier: 'pro', cost: 0.5 })
    await tracker.updateUserBudget('u', { rolling: { '24h': 2, '1h': 0.2 } })
    const { periodCosts } = await tracker.getUserSummary('u', 'pro')
    expect(periodCosts['rolling:1h']).toMatchObject({ limit: 0.2, cost: 0 })
    expect(await tracker.getPeriodCosts('u', 'rolling:24h', 'pro')).toMatchObject({ limit: 2, cost: 0.5 })
    await tracker.updateUserBudget('u', { rolling: { '1d': null } })
    expect(await tracker.getPeriodCosts('u', 'rolling:24h', 'pro')).toMatchObject({ limit: 1, cost: 0.5 })
  })

  it('replaces only the unit that it names', async () => {
    const { tracker } = tracking({ userBudgets: { pro: { daily: { usd: 1, tokens: 100 } } } })
    await tracker.updateUserBudget('u', { daily: { tokens: 500 } })
    expect(await limits(tracker)).toMatchObject({ daily: 1, 'daily/tokens': 500 })
  })

  it('rules the next check', async () => {
    const bursar = new Bursar({ tiers: base.userBudgets, defaultTier: 'free', clock: manualClock() })
    await bursar.tracker.updateUserBudget({ userId: 'u' }, { daily: 0.5 })
    expect((await bursar.check({ userId: 'u', estimatedCost: 0.5 })).allowed).toBe(true)
    expect((await bursar.check({ userId: 'u', estimatedCost: 0.01 })).allowed).toBe(false)
  })

  it('is written into the ledger without money', async () => {
    const { tracker } = tracking()
    await tracker.updateUserBudget('u', { daily: 5 }, { until: START + 1 })
    expect(await entriesOf(tracker)).toMatchObject([{ kind: 'configured', userId: 'u', microcents: 0, reason: 'budget override', metadata: { budget: { daily: 5 }, until: START + 1 } }])
    expect((await tracker.getSummary()).totalEntries).toBe(0)
  })
})

describe('tiers', () => {
  it('come from the request, else the directory, else the default', async () => {
    const bursar = new Bursar({ tiers: base.userBudgets, defaultTier: 'free', clock: manualClock() })
    const tierOf = async (userTier?: 'free' | 'pro') => (await bursar.check({ userId: 'u', estimatedCost: 0, ...(userTier && { userTier }) })).context.userTier
    expect(await tierOf()).toBe('free')
    await bursar.tracker.setUserTier('u', 'pro')
    expect(await bursar.tracker.getUserTier('u')).toBe('pro')
    expect(await tierOf()).toBe('pro')
    expect(await tierOf('free')).toBe('free')
    await bursar.tracker.setUserTier('u', null)
    expect(await bursar.tracker.getUserTier('u')).toBeUndefined()
    expect(await tierOf()).toBe('free')
  })

  it('called default serve a missing one, never a mistyped one', async () => {
    const { tracker } = tracking({ userBudgets: { default: { daily: 0.3 }, pro: { daily: 1 } } })
    expect((await tracker.context({ userId: 'u' })).budgetLimit).toBe(0.3)
    await expect(tracker.context({ userId: 'u', userTier: 'por' })).rejects.toMatchObject({ code: 'UNKNOWN_TIER', tier: 'por' })
  })

  it('that are unknown become another one where that is configured', async () => {
    const { tracker } = tracking({ onUnknownTier: 'free' })
    expect((await tracker.context({ userId: 'u', userTier: 'legacy' })).userTier).toBe('free')
    await expect(tracker.context({ userId: 'u' })).rejects.toMatchObject({ code: 'UNKNOWN_TIER', tier: undefined })
  })

  it('are listed', () => {
    expect(tracking().tracker.tiers).toEqual(['free', 'pro'])
  })
})

describe('users', () => {
  it('lists those that were counted or named, once each, by tier', async () => {
    const { tracker } = tracking()
    await tracker.addCost({ userId: 'a', userTier: 'free', cost: 0.01 })
    await tracker.addCost({ userId: 'b', userTier: 'pro', cost: 0.01 })
    await tracker.setUserTier({ userId: 'c', tenant: 't' }, 'pro')
    await tracker.setUserTier('a', 'pro')
    await tracker.addCost({ userId: 'd', tenant: 'x/y', userTier: 'free', cost: 0.01 })
    const ids = async (tier?: string) => (await allOf(tracker.users(tier === undefined ? {} : { tier }))).map(({ userId, tenant }) => `${tenant ?? '-'} ${userId}`).sort()
    expect(await ids()).toEqual(['- a', '- b', 't c', 'x/y d'])
    expect(await ids('pro')).toEqual(['- a', '- b', 't c'])
    expect(await ids('free')).toEqual(['x/y d'])
  })
})

describe('getSummary', () => {
  it('sums over everything by model, provider and tier, less refunds', async () => {
    const { tracker } = tracking()
    await tracker.addCost({ userId: 'a', userTier: 'free', cost: 0.1, model: 'm1', provider: 'p1', tokens: 10 })
    await tracker.addCost({ userId: 'b', userTier: 'pro', cost: 0.2, model: 'm1', provider: 'p2', tokens: 20 })
    await tracker.addCost({ userId: 'b', userTier: 'pro', cost: 0.4 })
    expect(await tracker.getSummary()).toMatchObject({
      totalCost: 0.7,
      exact: { totalMicrocents: 70_000_000 },
      totalEntries: 3,
      totalTokens: 30,
      byModel: { m1: { cost: 0.3, tokens: 30, entries: 2 }, unknown: { cost: 0.4, tokens: 0, entries: 1 } },
      byProvider: { p1: { cost: 0.1, tokens: 10, entries: 1 }, p2: { cost: 0.2, tokens: 20, entries: 1 }, unknown: { cost: 0.4, tokens: 0, entries: 1 } },
      byTier: { free: { cost: 0.1, tokens: 10, entries: 1 }, pro: { cost: 0.6, tokens: 20, entries: 2 } },
    })
    await tracker.refund({ userId: 'b', cost: 0.4 })
    expect(await tracker.getSummary()).toMatchObject({ totalCost: 0.3, byTier: { pro: { cost: 0.2 } } })
  })

  it('keeps its sums where the ledger has forgotten the entries', async () => {
    const clock = manualClock()
    const { tracker } = tracking({ clock, store: memoryStore({ clock, ledgerCapacity: 3 }) })
    for (let time = 1; time <= 10; time += 1) await tracker.addCost({ userId: 'u', userTier: 'pro', cost: time / 100 })
    expect((await entriesOf(tracker)).map(({ microcents }) => microcents)).toEqual([8_000_000, 9_000_000, 10_000_000])
    expect(await tracker.getSummary()).toMatchObject({ totalCost: 0.55, totalEntries: 10 })
  })
})
