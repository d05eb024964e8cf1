// Budgets whose months are a subscription's: which windows follow, and where an anchor is refused.

import { describe, expect, it } from 'vitest'
import { Bursar, bursarConfig } from '../../../src/index.js'
import { BudgetPlan, overrideKey, type CompiledBudget, type Overrides, type PlanConfig } from '../../../src/budget/index.js'
import { subscriptionCalendarFor } from '../../../src/time/index.js'

const utc = (text: string): number => Date.parse(`${text}Z`)
const period = { startsAt: utc('2026-01-20T09:30'), endsAt: utc('2026-02-20T09:30') }
const now = utc('2026-02-03T00:00')

const tiers = {
  free: { monthly: { usd: 1, tokens: 500 } },
  pro: { daily: 1, monthly: { usd: 20, anchor: 'subscription' } },
  team: { weekly: 9, total: 500, monthly: { requests: 9, anchor: 'subscription' }, timeZone: 'Europe/Berlin', monthStartsOn: 5 },
} as const satisfies PlanConfig['tiers']
const plan = new BudgetPlan({ tiers })

const startOf = (budget: CompiledBudget, name: string): string => {
  const found = budget.windows.find(({ window }) => window === name)
  if (found?.source.kind !== 'calendar') throw new Error(`${name} is no calendar window`)
  return new Date(found.source.calendar.at(now).startsAt).toISOString().slice(0, 16)
}
const limitOf = (budget: CompiledBudget, name: string) => budget.windows.find(({ window }) => window === name)?.limit
const override = (key: string, limit: number | null): Overrides => ({ [key]: { limit, until: null } })

describe('a tier that follows the subscription', () => {
  it('counts months in every unit by the period, limited or not, and everything else by the calendar', () => {
    for (const tier of ['pro', 'team']) {
      const budget = plan.userBudget(tier, undefined, 0, period)
      for (const unit of ['usd', 'tokens', 'requests']) expect(startOf(budget, `monthly/${unit}`)).toBe('2026-01-20T09:30')
      expect(budget.windows.map(({ window, limit }) => [window, limit])).toEqual(plan.userBudget(tier).windows.map(({ window, limit }) => [window, limit]))
      for (const name of ['daily/usd', 'weekly/usd', 'total/usd']) expect(startOf(budget, name)).toBe(startOf(plan.userBudget(tier), name))
    }
  })

  it('counts the months of the configuration for a user of whom no period is known', () => {
    expect(startOf(plan.userBudget('pro'), 'monthly/usd')).toBe('2026-02-01T00:00')
    expect(startOf(plan.userBudget('team', {}, now), 'monthly/requests')).toBe('2026-01-04T23:00')
  })

  it('leaves the calendar to other tiers, and to users without one', () => {
    for (const tier of ['free', undefined]) expect(plan.userBudget(tier, undefined, 0, period)).toBe(plan.userBudget(tier))
    expect(startOf(plan.userBudget('free', override(overrideKey('monthly', 'usd', false), 5), now, period), 'monthly/usd')).toBe('2026-02-01T00:00')
  })

  it('is known by its name', () => {
    expect(['free', 'pro', 'team', 'gold', undefined].map((tier) => plan.followsSubscription(tier))).toEqual([false, true, true, false, false])
    const unlimited = new BudgetPlan({ tiers: { pro: { monthly: { anchor: 'subscription' } }, off: { monthly: { usd: 1, anchor: undefined } } } })
    expect(startOf(unlimited.userBudget('pro', undefined, 0, period), 'monthly/usd')).toBe('2026-01-20T09:30')
    expect(unlimited.followsSubscription('off')).toBe(false)
  })

  it('keeps the months of the subscription under an override, of whatever unit', () => {
    const more = plan.userBudget('pro', override(overrideKey('monthly', 'usd', false), 77), now, period)
    expect([limitOf(more, 'monthly/usd'), startOf(more, 'monthly/usd')]).toEqual([77, '2026-01-20T09:30'])
    const none = plan.userBudget('pro', override(overrideKey('monthly', 'usd', false), null), now, period)
    expect([limitOf(none, 'monthly/usd'), startOf(none, 'monthly/usd')]).toEqual([null, '2026-01-20T09:30'])
    const other = plan.userBudget('pro', override(overrideKey('monthly', 'tokens', false), 5), now, period)
    expect([limitOf(other, 'monthly/tokens'), startOf(other, 'monthly/tokens')]).toEqual([5, '2026-01-20T09:30'])
    expect([limitOf(other, 'monthly/usd'), startOf(other, 'monthly/usd')]).toEqual([2_000_000_000, '2026-01-20T09:30'])
    const daily = plan.userBudget('pro', override(overrideKey('daily', 'usd', false), 5), now, period)
    expect(startOf(daily, 'monthly/usd')).toBe('2026-01-20T09:30')
  })

  it('gives the same frozen budget for equal periods, and another for another', () => {
    const budget = plan.userBudget('pro', undefined, 0, period)
    expect(plan.userBudget('pro', {}, now, { ...period })).toBe(budget)
    expect([budget, budget.windows, ...budget.windows].every(Object.isFrozen)).toBe(true)
    expect(budget.path).toBe('tiers.pro')
    expect(plan.userBudget('team', undefined, 0, period)).not.toBe(budget)
    expect(plan.userBudget('pro', undefined, 0, { ...period, endsAt: period.endsAt + 1 })).not.toBe(budget)
    expect(budget.windows.find(({ window }) => window === 'monthly/usd')?.source).toEqual({ kind: 'calendar', calendar: subscriptionCalendarFor(period) })
  })
})

describe('an anchor', () => {
  const tier = (free: object) => ({ tiers: { free } })
  const cases: [where: string, config: object][] = [
    ['tiers.free.daily', tier({ daily: { usd: 1, anchor: 'subscription' } })],
    ['tiers.free.weekly', tier({ weekly: { usd: 1, anchor: 'subscription' } })],
    ['tiers.free.total', tier({ total: { usd: 1, anchor: 'subscription' } })],
    ['tiers.free.rolling.5h', tier({ rolling: { '5h': { usd: 1, anchor: 'subscription' } } })],
    ['userBudgets.free.daily', { userBudgets: { free: { daily: { usd: 1, anchor: 'subscription' } } } }],
    ['global.monthly', { ...tier({}), global: { monthly: { usd: 1, anchor: 'subscription' } } }],
    ['scopes.tenant.acme.monthly', { ...tier({}), scopes: { tenant: { acme: { monthly: { usd: 1, anchor: 'subscription' } } } } }],
    ['scopes.tier.free.monthly', { ...tier({}), scopes: { tier: { free: { monthly: { usd: 1, anchor: 'subscription' } } } } }],
    ['scopes.team.a.monthly', { ...tier({}), scopes: { team: { a: { monthly: { usd: 1, anchor: 'subscription' } } } } }],
  ]

  it.each(cases)('is refused at %s, with what to do', (where, config) => {
    const message = `config.${where}.anchor: "subscription" has no meaning here: the monthly limit of a tier's budget alone can follow a subscription. Remove the anchor`
    expect(() => new Bursar(config as never)).toThrow(expect.objectContaining({ code: 'INVALID_CONFIG', message }))
    expect(bursarConfig.safeParse(config).success).toBe(false)
  })

  it('is refused in an override, and changes nothing', async () => {
    const bursar = new Bursar({ tiers: { pro: { monthly: { usd: 20, anchor: 'subscription' } } }, defaultTier: 'pro' })
    for (const [where, given] of [['monthly', { monthly: { usd: 1, anchor: 'subscription' } }], ['daily', { daily: { usd: 1, anchor: 'subscription' } }], ['rolling.5h', { rolling: { '5h': { usd: 1, anchor: 'subscription' } } }]] as const) {
      await expect(bursar.tracker.updateUserBudget('u', given as never)).rejects.toMatchObject({ code: 'INVALID_REQUEST', message: expect.stringContaining(`${where}.anchor: "subscription" has no meaning here`) })
    }
    expect((await bursar.tracker.getUserSummary('u')).periodCosts['monthly']).toMatchObject({ limit: 20 })
  })

  it('of another name is refused', () => {
    for (const anchor of ['billing', 1, null, true]) {
      const config = { tiers: { pro: { monthly: { usd: 20, anchor } } } }
      expect(() => new Bursar(config as never)).toThrow(`config.tiers.pro.monthly.anchor: ${JSON.stringify(anchor)} is no anchor. Use 'subscription'`)
      expect(bursarConfig.safeParse(config).success).toBe(false)
    }
  })

  it('is taken from a file, with amounts checked as everywhere', () => {
    const config = bursarConfig.parse({ tiers: { pro: { monthly: { usd: '20', tokens: 5, requests: 6, anchor: 'subscription' } }, free: { monthly: '0.10' } } })
    expect(config.tiers?.['pro']?.monthly).toEqual({ usd: '20', tokens: 5, requests: 6, anchor: 'subscription' })
    expect(() => new Bursar(config)).not.toThrow()
    for (const [monthly, message] of [
      [{ usd: -1, anchor: 'subscription' }, 'config.tiers.pro.monthly'],
      [{ tokens: 1.5, anchor: 'subscription' }, 'config.tiers.pro.monthly'],
      [{ eur: 1, anchor: 'subscription' }, 'config.tiers.pro.monthly.eur: is no known field'],
    ] as const) {
      expect(() => new Bursar({ tiers: { pro: { monthly } } } as never)).toThrow(message)
    }
  })
})
