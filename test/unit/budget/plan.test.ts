// Budgets as windows: what is counted, for whom, and with which limits.

import { describe, expect, it } from 'vitest'
import type { Unit } from '../../../src/money/index.js'
import { BudgetPlan, overrideKey, periodsOf, type Overrides, type PlanConfig } from '../../../src/budget/index.js'

const plan = (config: Partial<PlanConfig> = {}) => new BudgetPlan({ tiers: { free: { daily: 0.1 }, pro: { daily: 1, rolling: { '24h': { usd: 2, requests: 9 } } } }, ...config })
const limits = (windows: readonly { period: string; unit: string; limit: number | null }[]) => Object.fromEntries(windows.map(({ period, unit, limit }) => [`${period}/${unit}`, limit]))
const override = (given: Record<string, Partial<Record<Unit, number | null>>>, until: number | null = null): Overrides =>
  Object.fromEntries(Object.entries(given).flatMap(([period, limits]) => Object.entries(limits).map(([unit, limit]) => [overrideKey(period, unit as Unit, until !== null), { limit, until }])))

describe('BudgetPlan', () => {
  it('counts every user in daily, weekly, monthly and every window that any tier names', () => {
    expect(limits(plan().userBudget('free', undefined, 0).windows)).toEqual({ 'daily/usd': 10_000_000, 'weekly/usd': null, 'monthly/usd': null, 'rolling:1d/usd': null, 'rolling:1d/requests': null })
    expect(limits(plan().userBudget('pro', undefined, 0).windows)).toEqual({ 'daily/usd': 100_000_000, 'weekly/usd': null, 'monthly/usd': null, 'rolling:1d/usd': 200_000_000, 'rolling:1d/requests': 9 })
    expect(limits(plan().userBudget(undefined, undefined, 0).windows)).toMatchObject({ 'daily/usd': null })
  })

  it('takes windows of one length for one window, however it is written', () => {
    const { windows } = plan({ tiers: { a: { rolling: { '24h': 1 } }, b: { rolling: { '1d': 2 } } } }).userBudget('a', undefined, 0)
    expect(windows.filter(({ period }) => period.startsWith('rolling'))).toHaveLength(1)
  })

  it('gives the same budget object for the same tier, so that what is made from it is kept', () => {
    const one = plan()
    expect(one.userBudget('free', undefined, 0)).toBe(one.userBudget('free', {}, 0))
  })

  it('puts valid overrides over the tier, unit by unit', () => {
    const one = plan()
    expect(limits(one.userBudget('pro', override({ daily: { usd: 5 }, 'rolling:1d': { requests: 3 } }), 0).windows)).toMatchObject({ 'daily/usd': 5, 'rolling:1d/requests': 3, 'rolling:1d/usd': 200_000_000 })
    expect(limits(one.userBudget('pro', override({ daily: { usd: null } }), 0).windows)).toMatchObject({ 'daily/usd': null })
    expect(limits(one.userBudget('pro', override({ total: { usd: 7 } }), 0).windows)).toMatchObject({ 'daily/usd': 100_000_000, 'total/usd': 7 })
    expect(one.userBudget('pro', override({ daily: { usd: 5 } }, 100), 100)).toBe(one.userBudget('pro', undefined, 100))
    expect(limits(one.userBudget('pro', override({ daily: { usd: 5 } }, 100), 99).windows)).toMatchObject({ 'daily/usd': 5 })
  })

  it('finds the tier: the request, the directory, the default, a tier called default', () => {
    expect(plan({ defaultTier: 'free' }).tierOf('pro', 'free')).toBe('pro')
    expect(plan({ defaultTier: 'free' }).tierOf(undefined, 'pro')).toBe('pro')
    expect(plan({ defaultTier: 'free' }).tierOf(undefined, undefined)).toBe('free')
    expect(plan({ tiers: { default: {} } }).tierOf(undefined, undefined)).toBe('default')
    expect(plan({ tiers: {} }).tierOf(undefined, undefined)).toBeUndefined()
    for (const [asked, stored] of [['gold', undefined], [undefined, 'gold'], [undefined, undefined], ['__proto__', undefined]]) expect(() => plan().tierOf(asked, stored)).toThrow(expect.objectContaining({ code: 'UNKNOWN_TIER' }))
    expect(plan({ onUnknownTier: 'free' }).tierOf('gold', undefined)).toBe('free')
    expect(() => plan({ onUnknownTier: 'free' }).tierOf(undefined, undefined)).toThrow('the request names no tier')
  })

  it('finds the shared scopes of a spender, those without any window left out', () => {
    const one = plan({ global: { monthly: 1 }, scopes: { tenant: { acme: { daily: 1 }, '*': {} }, tier: { pro: { daily: 1 } }, team: { '*': { weekly: 1 } } } })
    const keys = (spender: Parameters<BudgetPlan['sharedScopes']>[0]) => one.sharedScopes(spender, spender.tier).map(({ scope }) => `${scope.kind}:${scope.id}`)
    expect(keys({ user: { userId: 'u' }, tier: 'free' })).toEqual(['global:global'])
    expect(keys({ user: { userId: 'u', tenant: 'acme' }, tier: 'pro', scopes: { team: 'x' } })).toEqual(['global:global', 'tenant:acme', 'tier:pro', 'team:x'])
    expect(keys({ user: { userId: 'u', tenant: 'other' }, tier: 'free', scopes: { team: undefined } })).toEqual(['global:global'])
  })

  it('lists every budget once', () => {
    const one = plan({ global: { monthly: 1 }, scopes: { team: { a: { daily: 1 }, b: {} } } })
    expect([...one.budgets()].map(({ kind, tier, budget }) => [kind, tier, budget.path])).toEqual([['user', 'free', 'tiers.free'], ['user', 'pro', 'tiers.pro'], ['global', undefined, 'global'], ['team', undefined, 'scopes.team.a'], ['team', undefined, 'scopes.team.b']])
  })
})

describe('periodsOf', () => {
  it('reads amounts in any unit', () => {
    expect([...periodsOf({ daily: 1, weekly: '0.10', total: { usd: 2, tokens: 3, requests: 4 }, monthly: {}, rolling: { '5h': 0.5 } }, 'budget')]).toEqual([
      ['daily', { usd: 100_000_000 }],
      ['weekly', { usd: 10_000_000 }],
      ['monthly', {}],
      ['total', { usd: 200_000_000, tokens: 3, requests: 4 }],
      ['rolling:5h', { usd: 50_000_000 }],
    ])
  })

  it('names the field of what is wrong', () => {
    expect(() => periodsOf({ daily: { tokens: -1 } }, 'budget')).toThrow('budget.daily.tokens: -1')
    expect(() => periodsOf({ rolling: { '5h': '0.000000001' } }, 'budget')).toThrow('budget.rolling.5h: "0.000000001" is finer')
    expect(() => periodsOf({ rolling: { '1h': 1, '60m': 1 } }, 'budget')).toThrow('budget.rolling: "1h" and "60m" are the same length')
  })
})
