// Months that follow a subscription, seen through the whole engine: when they turn, what is counted where, and what a change of the
// anchor does to the running window.

import { describe, expect, it } from 'vitest'
import { Bursar, memoryStore, type BursarConfig } from '../../../src/index.js'
import { manualClock } from '../../../src/testing/index.js'
import { allowedOf, deniedOf } from '../setting.js'

const utc = (text: string): number => Date.parse(`${text}Z`)
const text = (date: Date | null): string => (date === null ? 'never' : date.toISOString().replace(/:00\.000Z$/, '').replace(/T00:00$/, ''))

function engine(start: string, config: Partial<BursarConfig> = {}) {
  const clock = manualClock(`${start}Z`)
  const bursar = new Bursar({
    tiers: { free: { monthly: 1 }, pro: { daily: 1000, monthly: { usd: 20, anchor: 'subscription' } } },
    defaultTier: 'free',
    clock,
    store: memoryStore({ clock }),
    ...config,
  } as BursarConfig)
  const { tracker } = bursar
  let fence = 0
  const paysFor = (startsAt: string, endsAt: string, tier: string | null = 'pro') => {
    fence += 1
    return tracker.setUserBilling('u', { tier, standing: 'active', customers: ['cus_1'], period: { startsAt: utc(startsAt), endsAt: utc(endsAt) }, reason: 'test', fence })
  }
  const leaves = () => {
    fence += 1
    return tracker.setUserBilling('u', { tier: null, standing: 'none', customers: ['cus_1'], reason: 'test', fence })
  }
  const spend = (cost: number) => tracker.addCost({ userId: 'u', cost })
  /** The month that runs: where it begins and ends, what was spent in it, and its limit. */
  const month = async () => {
    const { startsAt, resetsAt, cost, limit } = await tracker.getPeriodCosts('u', 'monthly')
    return [text(startsAt), text(resetsAt), cost, limit]
  }
  const at = (instant: string) => clock.set(utc(instant))
  return { bursar, tracker, paysFor, leaves, spend, month, at, clock }
}

describe('a month of a subscription', () => {
  it('turns exactly when the period that was paid for ends', async () => {
    const { bursar, paysFor, month, at } = engine('2026-01-25T00:00')
    await paysFor('2026-01-20T09:30', '2026-02-20T09:30')
    const request = { userId: 'u', estimatedCost: 20 }
    await allowedOf(await bursar.check(request)).settle({ cost: 20 })
    expect(await month()).toEqual(['2026-01-20T09:30', '2026-02-20T09:30', 20, 20])
    at('2026-02-20T09:29:59.999')
    const denied = deniedOf(await bursar.check({ ...request, estimatedCost: 1 })).toDenial()
    expect(denied.retryAfterMs).toBe(1)
    at('2026-02-20T09:30')
    expect(await month()).toEqual(['2026-02-20T09:30', '2026-03-20T09:30', 0, 20])
    expect((await bursar.check(request)).allowed).toBe(true)
  })

  it('turns at the same instant whether or when the renewal is heard of', async () => {
    const turns: unknown[] = []
    for (const heard of ['never', 'before', 'after'] as const) {
      const { paysFor, spend, month, at } = engine('2026-01-31T10:00')
      await paysFor('2026-01-31T10:00', '2026-02-28T10:00')
      await spend(5)
      at('2026-02-28T09:00')
      if (heard === 'before') await paysFor('2026-02-28T10:00', '2026-03-31T10:00')
      const before = await month()
      at('2026-02-28T10:00')
      await spend(3)
      if (heard === 'after') await paysFor('2026-02-28T10:00', '2026-03-31T10:00')
      const after = await month()
      at('2026-03-31T10:00')
      turns.push([before, after, await month()])
    }
    const expected = [
      ['2026-01-31T10:00', '2026-02-28T10:00', 5, 20],
      ['2026-02-28T10:00', '2026-03-31T10:00', 3, 20],
      ['2026-03-31T10:00', '2026-04-30T10:00', 0, 20],
    ]
    expect(turns).toEqual([expected, expected, expected])
  })

  it('counts tokens and requests by the same month, and days by the calendar', async () => {
    const tiers = { free: {}, pro: { daily: 9, monthly: { usd: 20, tokens: 1000, requests: 2, anchor: 'subscription' } } } as const
    const { bursar, tracker, paysFor, at } = engine('2026-01-31T10:00', { tiers })
    await paysFor('2026-01-20T09:30', '2026-02-20T09:30')
    for (const cost of [1, 2]) await allowedOf(await bursar.check({ userId: 'u', estimatedCost: cost, inputTokens: 4, maxOutputTokens: 6 })).settle({ cost, tokens: 10 })
    at('2026-02-01T00:00')
    expect((await bursar.check({ userId: 'u', estimatedCost: 1, inputTokens: 4, maxOutputTokens: 6 })).allowed).toBe(false)
    const { windows } = await tracker.context({ userId: 'u', estimatedTokens: 0 })
    expect(windows.map(({ period, unit, spent, startsAt }) => [period, unit, spent, text(startsAt ?? null)])).toEqual(
      expect.arrayContaining([['daily', 'usd', 0, '2026-02-01'], ['monthly', 'usd', 3, '2026-01-20T09:30'], ['monthly', 'tokens', 20, '2026-01-20T09:30'], ['monthly', 'requests', 2, '2026-01-20T09:30']]),
    )
  })

  it('is one of twelve in a year that was paid for', async () => {
    const { paysFor, spend, month, at } = engine('2026-03-15T08:00')
    await paysFor('2026-03-15T08:00', '2027-03-15T08:00')
    const starts: unknown[] = []
    for (let count = 0; count < 12; count += 1) {
      await spend(20)
      const [startsAt, resetsAt, cost] = await month()
      starts.push(startsAt)
      expect(cost).toBe(20)
      at(resetsAt as string)
    }
    expect(starts).toEqual([3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 1, 2].map((number) => `${number < 3 ? 2027 : 2026}-${String(number).padStart(2, '0')}-15T08:00`))
    expect(await month()).toEqual(['2027-03-15T08:00', '2027-04-15T08:00', 0, 20])
  })

  it('is the trial of a week, and the first month that was paid for after it', async () => {
    const { paysFor, spend, month, at } = engine('2026-01-05T12:00')
    await paysFor('2026-01-05T12:00', '2026-01-12T12:00')
    await spend(7)
    expect(await month()).toEqual(['2026-01-05T12:00', '2026-01-12T12:00', 7, 20])
    at('2026-01-12T12:00')
    await paysFor('2026-01-12T12:00', '2026-02-12T12:00')
    expect(await month()).toEqual(['2026-01-12T12:00', '2026-02-12T12:00', 0, 20])
  })

  it('is the calendar month for a user of whom no period is known', async () => {
    const { tracker, spend, month } = engine('2026-01-25T00:00')
    await tracker.setUserTier('u', 'pro')
    await spend(2)
    expect(await month()).toEqual(['2026-01-01', '2026-02-01', 2, 20])
  })

  it('keeps to its period under a limit of the user, which ends when it is told to', async () => {
    const { tracker, paysFor, spend, month, at } = engine('2026-01-25T00:00')
    await paysFor('2026-01-20T09:30', '2026-02-20T09:30')
    await tracker.updateUserBudget('u', { monthly: 50 }, { until: utc('2026-02-10T00:00') })
    await spend(30)
    expect(await month()).toEqual(['2026-01-20T09:30', '2026-02-20T09:30', 30, 50])
    at('2026-02-10T00:00')
    expect(await month()).toEqual(['2026-01-20T09:30', '2026-02-20T09:30', 30, 20])
    await paysFor('2026-02-20T09:30', '2026-03-20T09:30')
    await tracker.updateUserBudget('u', { monthly: 60 })
    at('2026-02-20T09:30')
    expect(await month()).toEqual(['2026-02-20T09:30', '2026-03-20T09:30', 0, 60])
  })

  it('is its own for each user, and for the tier that a request names', async () => {
    const { tracker, paysFor, clock } = engine('2026-01-25T00:00')
    await paysFor('2026-01-20T09:30', '2026-02-20T09:30')
    await tracker.setUserBilling('v', { tier: 'pro', standing: 'active', customers: [], period: { startsAt: utc('2026-01-22T00:00'), endsAt: utc('2026-02-22T00:00') }, reason: 'test', fence: 1 })
    const startOf = async (user: string, tier?: string) => text((await tracker.getPeriodCosts(user, 'monthly', tier)).startsAt)
    for (let time = 0; time < 2; time += 1) {
      expect(await Promise.all([startOf('u'), startOf('v'), startOf('w'), startOf('u', 'free'), startOf('u', 'pro')])).toEqual(['2026-01-20T09:30', '2026-01-22', '2026-01-01', '2026-01-01', '2026-01-20T09:30'])
      clock.advance('1h')
    }
  })
})

describe('a change of the anchor', () => {
  it('takes effect when the running window ends', async () => {
    const { paysFor, spend, month, at } = engine('2026-01-21T00:00')
    await paysFor('2026-01-20T09:30', '2026-02-20T09:30')
    await spend(4)
    at('2026-02-03T15:00')
    await paysFor('2026-02-03T15:00', '2026-03-03T15:00')
    await spend(5)
    expect(await month()).toEqual(['2026-01-20T09:30', '2026-02-20T09:30', 9, 20])
    at('2026-02-20T09:30')
    await spend(6)
    expect(await month()).toEqual(['2026-02-20T09:30', '2026-03-03T15:00', 6, 20])
    at('2026-03-03T15:00')
    expect(await month()).toEqual(['2026-03-03T15:00', '2026-04-03T15:00', 0, 20])
  })

  it('with windows begun anew forgets at once what was spent, and the window ends with the new month', async () => {
    const { tracker, paysFor, spend, month, at } = engine('2026-01-21T00:00')
    await paysFor('2026-01-20T09:30', '2026-02-20T09:30')
    at('2026-02-03T14:00')
    await spend(20)
    at('2026-02-03T15:00:30')
    await paysFor('2026-02-03T15:00', '2026-03-03T15:00')
    // Day, week and month.
    expect(await tracker.restartWindows('u', { since: utc('2026-02-03T15:00') })).toBe(3)
    expect(await month()).toEqual(['2026-02-03T15:00:30.000Z', '2026-03-03T15:00', 0, 20])
    await spend(5)
    expect(await tracker.restartWindows('u', { since: utc('2026-02-03T15:00') })).toBe(0)
    at('2026-02-20T09:30')
    expect(await month()).toEqual(['2026-02-03T15:00:30.000Z', '2026-03-03T15:00', 5, 20])
    at('2026-03-03T15:00')
    expect(await month()).toEqual(['2026-03-03T15:00', '2026-04-03T15:00', 0, 20])
  })

  it('is followed at once by a user in whose month nothing was counted yet', async () => {
    const { paysFor, month, at } = engine('2026-01-21T00:00')
    await paysFor('2026-01-20T09:30', '2026-02-20T09:30')
    at('2026-02-03T15:00')
    await paysFor('2026-02-03T15:00', '2026-03-03T15:00')
    expect(await month()).toEqual(['2026-02-03T15:00', '2026-03-03T15:00', 0, 20])
  })

  it('from the calendar to a subscription and back loses nothing that was spent in a running window', async () => {
    const { paysFor, leaves, spend, month, at } = engine('2026-01-10T00:00')
    await spend(0.75)
    at('2026-01-20T09:30')
    await paysFor('2026-01-20T09:30', '2026-02-20T09:30')
    await spend(10)
    expect(await month()).toEqual(['2026-01-01', '2026-02-01', 10.75, 20])
    at('2026-02-01T00:00')
    await spend(2)
    expect(await month()).toEqual(['2026-02-01', '2026-02-20T09:30', 2, 20])
    at('2026-02-20T09:30')
    await spend(3)
    expect(await month()).toEqual(['2026-02-20T09:30', '2026-03-20T09:30', 3, 20])
    at('2026-03-15T00:00')
    await leaves()
    expect(await month()).toEqual(['2026-02-20T09:30', '2026-03-20T09:30', 3, 1])
    at('2026-03-20T09:30')
    await spend(0.5)
    expect(await month()).toEqual(['2026-03-20T09:30', '2026-04-01', 0.5, 1])
    at('2026-04-01T00:00')
    expect(await month()).toEqual(['2026-04-01', '2026-05-01', 0, 1])
  })
})
