// What a payment provider says of a user, as it is written and read: what is refused, what an older look may not overwrite, and
// what policies and denials make of it.

import { describe, expect, it } from 'vitest'
import { pastDueDegradation, strictBudgetEnforcement } from '../../../policies/index.js'
import { Bursar, memoryStore, type BillingUpdate, type BursarConfig } from '../../../src/index.js'
import { manualClock } from '../../../src/testing/index.js'

const START = '2026-03-10T12:00:00Z'
const TIERS = { free: { daily: 1 }, pro: { daily: 10 } }
const PAID = { standing: 'active', customers: ['cus_1'], subscription: 'sub_1', reason: 'test', fence: 1 } as const

function open(config: Partial<BursarConfig<'free' | 'pro'>> = {}) {
  const clock = manualClock(START)
  const bursar = new Bursar<'free' | 'pro'>({ tiers: TIERS, defaultTier: 'free', store: memoryStore({ clock }), clock, ...config })
  const changes: unknown[] = []
  bursar.on('tier-changed', (change) => changes.push(change))
  return { bursar, tracker: bursar.tracker, clock, changes }
}

describe('billing', () => {
  it('gives the tier and is read back with dates', async () => {
    const { tracker, changes, clock } = open()
    expect(await tracker.getUserBilling('ada')).toBeUndefined()
    const period = { startsAt: Date.UTC(2026, 2, 1), endsAt: new Date('2026-04-01T00:00:00Z') }
    expect(await tracker.setUserBilling('ada', { ...PAID, tier: 'pro', period, endsAt: period.endsAt })).toBe(true)
    expect(await tracker.getUserTier('ada')).toBe('pro')
    expect(changes).toEqual([{ user: { userId: 'ada' }, from: undefined, to: 'pro' }])
    expect(await tracker.getUserBilling('ada')).toMatchObject({
      standing: 'active',
      customers: ['cus_1'],
      period: { startsAt: new Date(period.startsAt), endsAt: period.endsAt },
      endsAt: period.endsAt,
      changedAt: new Date(clock()),
      reason: 'test',
    })
  })

  it('is not written over by a look that began earlier, tier and all', async () => {
    const { tracker, changes } = open()
    await tracker.setUserBilling('ada', { ...PAID, tier: 'pro', fence: 7 })
    expect(await tracker.setUserBilling('ada', { ...PAID, tier: 'free', fence: 6, standing: 'none' })).toBe(false)
    expect([await tracker.getUserTier('ada'), (await tracker.getUserBilling('ada'))?.standing]).toEqual(['pro', 'active'])
    expect(changes).toHaveLength(1)
    expect(await tracker.setUserBilling('ada', { ...PAID, tier: 'free', fence: 7 }), 'the same look').toBe(true)
  })

  it('keeps when and why it changed while it says the same', async () => {
    const { tracker, clock } = open()
    await tracker.setUserBilling('ada', { ...PAID, tier: 'pro' })
    clock.advance('1h')
    await tracker.setUserBilling('ada', { ...PAID, tier: 'pro', reason: 'again', fence: 2 })
    expect(await tracker.getUserBilling('ada')).toMatchObject({ changedAt: new Date(START), reason: 'test' })
    await tracker.setUserBilling('ada', { ...PAID, tier: 'free', reason: 'less', fence: 3 })
    expect(await tracker.getUserBilling('ada')).toMatchObject({ changedAt: new Date(clock()), reason: 'less' })
  })

  it('leaves the tier where it names none, and takes it away with null', async () => {
    const { tracker } = open()
    await tracker.setUserTier('ada', 'pro')
    await tracker.setUserBilling('ada', PAID)
    expect(await tracker.getUserTier('ada')).toBe('pro')
    await tracker.setUserBilling('ada', { ...PAID, tier: null })
    expect(await tracker.getUserTier('ada')).toBeUndefined()
  })

  it('does not change with the object that it was given', async () => {
    const { tracker } = open()
    const customers = ['cus_1']
    await tracker.setUserBilling('ada', { ...PAID, customers })
    customers.push('cus_2')
    expect((await tracker.getUserBilling('ada'))?.customers).toEqual(['cus_1'])
  })

  it.each<[string, object, RegExp]>([
    ['nothing', undefined as never, /billing: is missing/],
    ['an unknown tier', { ...PAID, tier: 'gold' }, /"gold" is no tier/],
    ['an unknown standing', { ...PAID, standing: 'grace' }, /standing/],
    ['an unknown field', { ...PAID, plan: 'pro' }, /plan/],
    ['no fence', { standing: 'active', customers: [], reason: 'test' }, /fence/],
    ['a fence that is no number', { ...PAID, fence: Number.NaN }, /fence/],
    ['a period that ends before it starts', { ...PAID, period: { startsAt: 2, endsAt: 1 } }, /must start before it ends/],
    ['an instant in no year', { ...PAID, endsAt: 1e18 }, /between the years 1900 and 9999/],
    ['an invalid date', { ...PAID, pastDueFrom: new Date(Number.NaN) }, /pastDueFrom/],
  ])('refuses %s, and changes nothing', async (_what, update, message) => {
    const { tracker } = open()
    await expect(tracker.setUserBilling('ada', update as BillingUpdate<'free'>)).rejects.toThrow(message)
    expect([await tracker.getUserTier('ada'), await tracker.getUserBilling('ada')]).toEqual([undefined, undefined])
  })
})

describe('a standing', () => {
  const overdue = { ...PAID, tier: 'pro', standing: 'past_due', pastDueFrom: Date.UTC(2026, 2, 12) } as const

  it('is on the context, and turns from grace to past_due by itself', async () => {
    const { bursar, tracker, clock } = open()
    const standing = async (): Promise<unknown> => (await bursar.check({ userId: 'ada', estimatedCost: 0 })).context.standing
    expect(await standing()).toBeUndefined()
    await tracker.setUserBilling('ada', overdue)
    expect(await standing()).toBe('grace')
    clock.set(Date.UTC(2026, 2, 12) - 1)
    expect(await standing()).toBe('grace')
    clock.set(Date.UTC(2026, 2, 12))
    expect(await standing()).toBe('past_due')
    expect((await tracker.getUserBilling('ada'))?.standing).toBe('past_due')
    expect((await tracker.context({ userId: 'ada' })).standing).toBe('past_due')
  })

  it('of past_due asks for a cheaper model, by the policy that is named past-due in JSON too', async () => {
    for (const policy of [pastDueDegradation, 'past-due']) {
      const { bursar, tracker, clock } = open({ policies: ['strict', policy], ladder: { large: 'small' } })
      await tracker.setUserBilling('ada', overdue)
      const ask = async () => bursar.check({ userId: 'ada', model: 'large', estimatedCost: 0.1 })
      expect(await ask()).toMatchObject({ action: 'ALLOW', model: 'large' })
      clock.set(Date.UTC(2026, 2, 12))
      const decision = await ask()
      expect(decision).toMatchObject({ action: 'DEGRADE', model: 'small' })
      expect(decision.verdicts.map(({ policy: name, reason }) => [name, reason])).toContainEqual(['past-due', 'the payment of the subscription is overdue'])
      expect(await bursar.check({ userId: 'bob', model: 'large', estimatedCost: 0.1 })).toMatchObject({ action: 'ALLOW' })
    }
  })

  it('judges no shared budget: what has no thresholds is refused there', () => {
    expect(() => open({ global: { daily: 5, policies: ['past-due'] } })).toThrow(/"past-due" has no thresholds/)
  })
})

describe('a denial', () => {
  const suggestUpgrade = (tier: string): string | undefined => (tier === 'free' ? 'Pro ($29/mo)' : undefined)

  it('suggests an upgrade where the user’s own budget refuses, and only there', async () => {
    const { bursar } = open({ policies: [strictBudgetEnforcement], global: { daily: 5 }, suggestUpgrade })
    const own = await bursar.check({ userId: 'ada', estimatedCost: 2 })
    expect(own.allowed || own.toDenial()).toMatchObject({ upgrade: 'Pro ($29/mo)', message: expect.stringContaining('Upgrade to Pro ($29/mo) for more.') })
    const shared = await bursar.check({ userId: 'ada', userTier: 'pro', estimatedCost: 6 })
    expect(shared.allowed || shared.toDenial().scope?.kind).toBe('global')
    expect(shared.allowed || shared.toDenial().upgrade).toBeUndefined()
  })

  it('stays a denial where the suggestion throws', async () => {
    const { bursar } = open({
      suggestUpgrade: () => {
        throw new Error('no offers today')
      },
    })
    const decision = await bursar.check({ userId: 'ada', estimatedCost: 2 })
    expect(decision.allowed || decision.toDenial()).toMatchObject({ code: 'budget', window: 'daily' })
    expect(decision.allowed || decision.toDenial().upgrade).toBeUndefined()
  })
})

describe('windows that are begun anew', () => {
  it('forget what was spent before, once, whoever asks again', async () => {
    const { bursar, tracker, clock } = open()
    await tracker.addCost({ userId: 'ada', cost: 0.9 })
    clock.advance('1m')
    const since = new Date(clock())
    expect(await tracker.restartWindows('ada', { since })).toBe(3)
    expect((await tracker.getPeriodCosts('ada', 'daily')).cost).toBe(0)
    await tracker.addCost({ userId: 'ada', cost: 0.4 })
    expect(await tracker.restartWindows('ada', { since })).toBe(0)
    expect((await tracker.getPeriodCosts('ada', 'daily')).cost).toBe(0.4)
    expect((await bursar.tracker.audit()).status).toBe('clean')
    expect(await tracker.getUserCost('ada'), 'in all').toBe(1.3)
  })

  it('wipe nothing when asked again, also where nothing had been counted before', async () => {
    const { tracker, clock } = open()
    const since = clock()
    clock.advance('30s')
    expect(await tracker.restartWindows('ada', { since })).toBe(3)
    await tracker.addCost({ userId: 'ada', cost: 0.5 })
    expect(await tracker.restartWindows('ada', { since })).toBe(0)
    expect((await tracker.getPeriodCosts('ada', 'monthly')).cost).toBe(0.5)
  })

  it.each([Number.NaN, new Date(Number.NaN), Infinity])('refuse %s for an instant', async (since) => {
    await expect(open().tracker.restartWindows('ada', { since })).rejects.toThrow(/since: .* is not an instant/)
  })
})
