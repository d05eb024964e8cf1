// The forecast of a tracker: the window as the store counts it, the history as the ledger tells it, and as much of it as is whole.

import { describe, expect, it } from 'vitest'
import { Bursar, CostTracker, memoryStore, type CostTrackerConfig, type EnoughData, type Forecast, type Store } from '../../../src/index.js'
import { sqliteStore } from '../../../src/store/sqlite/index.js'
import { manualClock } from '../../../src/testing/index.js'
import { DAY, START, storeWith } from '../setting.js'

const HOUR = 3_600_000

function setup(config: Partial<CostTrackerConfig> = {}) {
  const clock = manualClock(START)
  const tracker = new CostTracker({ tiers: { free: { daily: 10, monthly: 100 } }, defaultTier: 'free', clock, ...config } as CostTrackerConfig)
  const daily = async (costs: readonly number[], entry: object = {}): Promise<void> => {
    for (const cost of costs) {
      if (cost > 0) await tracker.addCost({ userId: 'u', cost, ...entry })
      clock.advance(DAY)
    }
  }
  return { clock, tracker, daily }
}

function enough(forecast: Forecast): EnoughData {
  if (!forecast.enough) throw new Error(forecast.message)
  return forecast
}

describe('tracker.forecast', () => {
  it('says how fast it burns, when it is empty and what the month comes to', async () => {
    const { tracker, clock, daily } = setup()
    await daily([8, 8, 8, 8, 8])
    const forecast = enough(await tracker.forecast('u'))
    // 40 of 100 on 20 January at noon; 11.5 days are left.
    expect(forecast).toMatchObject({ scope: { kind: 'user', id: 'u' }, period: 'monthly', unit: 'usd', step: 'day', steps: 5, since: new Date(START) })
    expect(forecast.burnRate).toEqual({ perHour: 0.33333334, perDay: 8, exact: { perHour: 33_333_334, perDay: 800_000_000 } })
    expect(forecast.runway).toEqual({ ms: 7.5 * DAY, emptyAt: new Date(clock() + 7.5 * DAY) })
    expect(forecast.projection).toMatchObject({ at: new Date(Date.UTC(2026, 1, 1)), low: 132, expected: 132, high: 132 })
    expect(forecast.window).toMatchObject({ spent: 40, held: 0, limit: 100, resetsAt: new Date(Date.UTC(2026, 1, 1)) })
  })

  it('has no runway where the window resets before, or nothing limits it', async () => {
    const { tracker, daily } = setup()
    await daily([1, 1, 1, 1])
    expect(enough(await tracker.forecast('u')).runway).toBeNull()
    const weekly = enough(await tracker.forecast('u', { period: 'weekly' }))
    expect([weekly.runway, weekly.window?.limit, weekly.projection?.expected]).toEqual([null, null, 6.5])
  })

  it('counts idle days from the first spend on, and says when it cannot tell', async () => {
    const { tracker, clock, daily } = setup()
    expect(await tracker.forecast('u')).toMatchObject({ enough: false, reason: 'nothing-spent', steps: 0, since: null, window: { spent: 0, limit: 100 } })
    clock.advance(20 * DAY)
    await daily([6, 0])
    expect(await tracker.forecast('u')).toMatchObject({ enough: false, reason: 'too-short', steps: 2 })
    await daily([0])
    expect(enough(await tracker.forecast('u'))).toMatchObject({ steps: 3, burnRate: { perDay: 2 } })
  })

  it('follows a change within days, and a wild day only a little', async () => {
    const grown = setup({ tiers: { free: {} } })
    await grown.daily([...Array<number>(21).fill(1), ...Array<number>(7).fill(10)])
    expect(enough(await grown.tracker.forecast('u')).burnRate.perDay).toBeCloseTo(5.8, 8)
    const wild = setup({ tiers: { free: {} } })
    await wild.daily([...Array<number>(27).fill(1), 14])
    expect(enough(await wild.tracker.forecast('u')).burnRate.perDay).toBeLessThan(2)
  })

  it('takes hours for short windows, and what leaves a rolling one', async () => {
    const { tracker, clock } = setup({ tiers: { free: { daily: 10, rolling: { '5h': 4 } } } })
    for (let hour = 0; hour < 10; hour += 1) {
      await tracker.addCost({ userId: 'u', cost: 0.5 })
      clock.advance(HOUR)
    }
    // Noon + 10 h: two hours are left of the day, and 5 were spent.
    const daily = enough(await tracker.forecast('u', { period: 'daily' }))
    expect(daily).toMatchObject({ step: 'hour', steps: 10, burnRate: { perHour: 0.5 }, projection: { expected: 6 }, runway: null })
    const rolling = enough(await tracker.forecast('u', { period: 'rolling:300m' }))
    expect(rolling).toMatchObject({ period: 'rolling:5h', projection: null, runway: null, window: { resetsAt: null, limit: 4 } })
    await tracker.addCost({ userId: 'u', cost: 1.4 })
    expect(enough(await tracker.forecast('u', { period: 'rolling:5h' })).runway?.ms).toBeLessThan(HOUR)
  })

  it('counts tokens where the budget limits tokens', async () => {
    const { tracker, clock } = setup({ tiers: { free: { monthly: { tokens: 10_000 } } } })
    for (let day = 0; day < 4; day += 1) {
      await tracker.addCost({ userId: 'u', cost: 1, tokens: 1_000 })
      clock.advance(DAY)
    }
    expect(enough(await tracker.forecast('u'))).toMatchObject({ unit: 'tokens', burnRate: { perDay: 1_000 }, runway: { ms: 6 * DAY } })
  })

  it('is asked of tenants, tiers, teams and everything, each by its own entries', async () => {
    const { tracker, daily } = setup({ global: { monthly: 1_000 }, scopes: { tenant: { '*': { monthly: 50 } }, tier: { free: { monthly: 500 } }, team: { search: { monthly: 20 } } } })
    for (let day = 0; day < 4; day += 1) {
      await tracker.addCost({ userId: 'v', cost: 2 })
      await tracker.addCost({ userId: 'u', tenant: 'acme', cost: 3, scopes: { team: 'search' } })
      await daily([1])
    }
    const rate = async (subject: Parameters<typeof tracker.forecast>[0]): Promise<readonly unknown[]> => {
      const { burnRate, window } = enough(await tracker.forecast(subject))
      return [burnRate.perDay, window?.limit, window?.spent]
    }
    expect(await rate('u')).toEqual([1, 100, 4])
    expect(await rate({ userId: 'u', tenant: 'acme' })).toEqual([3, 100, 12])
    expect(await rate({ scope: { kind: 'global' } })).toEqual([6, 1_000, 24])
    expect(await rate({ scope: { kind: 'tenant', id: 'acme' } })).toEqual([3, 50, 12])
    expect(await rate({ scope: { kind: 'tier', id: 'free' } })).toEqual([6, 500, 24])
    expect(await rate({ scope: { kind: 'team', id: 'search' } })).toEqual([3, 20, 12])
    expect(await rate({ scope: { kind: 'team', id: 'search', tenant: 'acme' } })).toEqual([3, null, 12])
    await expect(tracker.forecast({ scope: { kind: 'team', id: 'ads' } })).rejects.toMatchObject({ code: 'UNKNOWN_SCOPE' })
    await expect(tracker.forecast({ scope: { kind: 'tier', id: 'gold' } })).rejects.toMatchObject({ code: 'UNKNOWN_TIER' })
  })

  it('tells of a budget that nothing counts by the ledger alone, in the zone it is given', async () => {
    const { tracker, daily } = setup()
    await daily([1, 1, 1, 1])
    const forecast = enough(await tracker.forecast({ scope: { kind: 'global' } }, { timeZone: 'Pacific/Auckland' }))
    expect(forecast).toMatchObject({ burnRate: { perDay: 1 }, runway: null, window: { spent: 4, limit: null, resetsAt: new Date('2026-01-31T11:00:00Z') } })
  })

  it('uses only the time of which the ledger has everything, and all of it where nothing was forgotten', async () => {
    const store = (maxEntries: number, clock: () => number) => memoryStore({ clock, ledgerCapacity: maxEntries })
    const clock = manualClock(START)
    const tracker = new CostTracker({ tiers: { free: { monthly: 100 } }, defaultTier: 'free', clock, store: store(10, clock) } as CostTrackerConfig)
    for (let hour = 0; hour < 6 * 4; hour += 1) {
      await tracker.addCost({ userId: 'u', cost: 0.25 })
      clock.advance(6 * HOUR)
    }
    // Ten entries of a quarter each are kept: two and a half days, of which two are whole.
    expect(await tracker.forecast('u')).toMatchObject({ enough: false, reason: 'too-short', steps: 2, window: { spent: 6 } })
    const all = new CostTracker({ tiers: { free: { monthly: 100 } }, defaultTier: 'free', clock, store: memoryStore({ clock }) } as CostTrackerConfig)
    for (let day = 0; day < 4; day += 1) {
      await all.addCost({ userId: 'u', cost: 1 })
      clock.advance(DAY)
    }
    expect(await all.forecast('u')).toMatchObject({ enough: true, steps: 4 })
  })

  it('gives the same on a ledger that a database sums up', async () => {
    const forecasts: Forecast[] = []
    for (const open of [(clock: () => number) => memoryStore({ clock }), (clock: () => number) => sqliteStore({ path: ':memory:', clock } as never)]) {
      const clock = manualClock(START)
      const tracker = new CostTracker({ tiers: { free: { monthly: 100 } }, defaultTier: 'free', clock, store: await open(clock) } as CostTrackerConfig)
      for (const cost of [3, 0, 7, 2, 0, 5]) {
        if (cost > 0) await tracker.addCost({ userId: 'u', cost })
        clock.advance(DAY)
      }
      await tracker.refund({ userId: 'u', cost: 1 })
      forecasts.push(await tracker.forecast('u'))
    }
    expect(forecasts[1]).toEqual(forecasts[0])
    expect(forecasts[0]?.enough).toBe(true)
  })

  it('counts what is held as what will be spent', async () => {
    const clock = manualClock(START)
    const bursar = new Bursar({ tiers: { free: { monthly: 100 } }, defaultTier: 'free', clock })
    for (let day = 0; day < 4; day += 1) {
      await bursar.tracker.addCost({ userId: 'u', cost: 10 })
      clock.advance(DAY)
    }
    await bursar.check({ userId: 'u', estimatedCost: 20 })
    expect(await bursar.tracker.forecast('u')).toMatchObject({ runway: { ms: 4 * DAY }, projection: { low: 165, expected: 185 } })
  })

  it('counts spend for whoever it was when it was charged, also where it was assigned to a client later', async () => {
    for (const timeZone of ['UTC', 'Asia/Tokyo']) {
      const { tracker, daily } = setup({ tiers: { free: {} }, scopes: { tenant: { acme: { monthly: 100 } }, team: { search: {} } } })
      for (let day = 0; day < 5; day += 1) {
        await tracker.addCost({ userId: 'z', tenant: 'acme', cost: 1, scopes: { team: 'search' } })
        await daily([10], { scopes: { team: 'search' } })
      }
      const subjects = ['u', { userId: 'u', tenant: 'acme' }, { scope: { kind: 'tenant', id: 'acme' } }, { scope: { kind: 'team', id: 'search', tenant: 'acme' } }, { scope: { kind: 'global' } }] as const
      const forecasts = async (): Promise<Forecast[]> => Promise.all(subjects.map((subject) => tracker.forecast(subject, { timeZone })))
      const before = await forecasts()
      await tracker.ledger.assign({}, { tenant: 'acme' })
      expect(await forecasts()).toEqual(before)
      expect(enough(before[0] as Forecast)).toMatchObject({ burnRate: { perDay: 10 }, window: { spent: 50 } })
      expect(enough(before[2] as Forecast).burnRate.perDay).toBe(1)
      expect(enough(before[3] as Forecast)).toMatchObject({ burnRate: { perDay: 1 }, window: { spent: 5 } })
    }
  })

  it('nets what is given back or corrected later against the step of its charge', async () => {
    const { tracker, clock, daily } = setup({ tiers: { free: { monthly: 1_000 } } })
    const { decisionId } = await tracker.addCost({ userId: 'u', cost: 90 }).then(async () => {
      for await (const entry of tracker.entries()) return entry
      throw new Error('no entry')
    })
    clock.advance(2 * DAY)
    await daily([4, 4, 4])
    await tracker.refund({ userId: 'u', cost: 90, decisionId })
    // At the very instant of the refund, and later.
    expect(enough(await tracker.forecast('u')).burnRate.perDay).toBe(2.4)
    clock.advance(HOUR)
    expect(enough(await tracker.forecast('u'))).toMatchObject({ steps: 6, burnRate: { perDay: 2 } })
    clock.advance(40 * DAY)
    await daily([4, 4, 4])
    await tracker.refund({ userId: 'u', cost: 12 })
    await tracker.refund({ userId: 'u', cost: 12 })
    expect(await tracker.forecast('u')).toMatchObject({ enough: false, reason: 'nothing-spent' })
  })

  it('takes what a late settle corrects from the step in which the hold was charged, wherever that one began', async () => {
    const clock = manualClock(START)
    const bursar = new Bursar({ tiers: { free: { monthly: 1_000 } }, defaultTier: 'free', clock })
    const { tracker } = bursar
    for (let day = 0; day < 6; day += 1) {
      await bursar.check({ userId: 'u', estimatedCost: 20, idempotencyKey: `k${day}`, holdTtl: '10m' })
      clock.advance(20 * 60_000)
      await tracker.getUserSummary('u')
      clock.advance(DAY - 20 * 60_000)
      await bursar.settle(`k${day}`, { cost: 0.5 })
    }
    expect(await tracker.getUserCost('u')).toBe(3)
    expect(enough(await tracker.forecast('u')).burnRate.perDay).toBe(0.5)
    // Opened before a step begins, charged in it.
    await tracker.addCost({ userId: 'v', cost: 1 })
    clock.advance(DAY - 1)
    await bursar.check({ userId: 'v', estimatedCost: 50, idempotencyKey: 'over', holdTtl: '1h' })
    clock.advance(HOUR)
    await bursar.settle('over', { cost: 50 })
    clock.advance(3 * DAY - HOUR + 1)
    await tracker.refund({ userId: 'v', cost: 50, decisionId: 'over' })
    expect(enough(await tracker.forecast('v'))).toMatchObject({ steps: 4, burnRate: { perDay: 0.25 } })
    expect(await tracker.forecast('v', { lookback: '3d' })).toMatchObject({ enough: false, reason: 'nothing-spent', steps: 3 })
  })

  it('is for the unit that runs out first, or for the one that is asked for', async () => {
    const { tracker, clock } = setup({ tiers: { free: { monthly: { usd: 1_000, tokens: 500 } } } })
    for (let day = 0; day < 4; day += 1) {
      await tracker.addCost({ userId: 'u', cost: 1, tokens: 90 })
      await tracker.addCost({ userId: 'v', cost: 150, tokens: 1 })
      clock.advance(DAY)
    }
    expect(enough(await tracker.forecast('u'))).toMatchObject({ unit: 'tokens', burnRate: { perDay: 90 }, window: { limit: 500, spent: 360 } })
    expect(enough(await tracker.forecast('u', { unit: 'usd' }))).toMatchObject({ unit: 'usd', burnRate: { perDay: 1 }, runway: null, window: { limit: 1_000, spent: 4 } })
    expect(enough(await tracker.forecast('v'))).toMatchObject({ unit: 'usd', window: { spent: 600 } })
    expect(enough(await tracker.forecast('v', { unit: 'tokens' }))).toMatchObject({ unit: 'tokens', burnRate: { perDay: 1 } })
    expect(enough(await tracker.forecast({ scope: { kind: 'global' } }, { unit: 'tokens' }))).toMatchObject({ unit: 'tokens', window: { spent: 364, limit: null } })
    await expect(tracker.forecast('u', { unit: 'requests' as never })).rejects.toThrow('unit')
  })

  it('is made for limits of run time, from when they count on', async () => {
    const { tracker, clock, daily } = setup({ scopes: { team: {} } } as never)
    await daily([50])
    await tracker.limits.create({ id: 'cap', scope: { kind: 'user', id: 'u' }, budget: { monthly: 20, daily: 5 } })
    await tracker.limits.create({ id: 'each', scope: { kind: 'user', id: '*', tenant: 'acme' }, budget: { rolling: { '5d': 40 } } })
    await tracker.limits.create({ id: 'firm', scope: { kind: 'tenant', id: 'acme' }, budget: { weekly: { usd: 1_000, tokens: 100 } } })
    await tracker.limits.create({ id: 'all', scope: { kind: 'global' }, budget: { monthly: 1_000 }, from: clock() + DAY })
    for (let day = 0; day < 5; day += 1) {
      await tracker.addCost({ userId: 'u', tenant: 'acme', cost: 3, tokens: 15 })
      await tracker.addCost({ userId: 'v', tenant: 'acme', cost: 1, tokens: 1 })
      await daily([2])
    }
    expect(enough(await tracker.forecast({ limit: 'cap' }))).toMatchObject({ period: 'monthly', steps: 5, burnRate: { perDay: 2 }, window: { limit: 20, spent: 10 }, runway: { ms: 5 * DAY } })
    expect(enough(await tracker.forecast({ limit: 'cap' }, { period: 'daily' }))).toMatchObject({ step: 'hour', window: { limit: 5 } })
    expect(enough(await tracker.forecast({ limit: 'each', member: 'u' }))).toMatchObject({ period: 'rolling:5d', burnRate: { perDay: 3 }, window: { limit: 40 } })
    expect(enough(await tracker.forecast({ limit: 'each', member: { userId: 'v', tenant: 'acme' } })).burnRate.perDay).toBe(1)
    expect(enough(await tracker.forecast({ limit: 'firm' }))).toMatchObject({ period: 'weekly', unit: 'tokens', burnRate: { perDay: 16 } })
    expect(enough(await tracker.forecast({ limit: 'all' }))).toMatchObject({ steps: 4, burnRate: { perDay: 6 }, window: { spent: 24 } })
    await expect(tracker.forecast({ limit: 'none' })).rejects.toMatchObject({ code: 'UNKNOWN_LIMIT' })
    await expect(tracker.forecast({ limit: 'each' })).rejects.toThrow('member')
    await expect(tracker.forecast({ limit: 'cap', member: 'u' })).rejects.toThrow('member')
    await expect(tracker.forecast({ limit: 'cap', of: 1 } as never)).rejects.toThrow('of')
    await expect(tracker.forecast({ limit: 'cap' }, { period: 'total' })).rejects.toThrow(/monthly.*daily|daily.*monthly/)
    await tracker.limits.change('cap', { until: clock() + 1 })
    clock.advance(2)
    await expect(tracker.forecast({ limit: 'cap' })).rejects.toThrow('ended')
  })

  it('says that the ledger does not tell whose spend it is, where a sink hides that', async () => {
    const clock = manualClock(START)
    const store = memoryStore({ clock })
    const replaced = ['userId', 'tenant']
    const hides = (field: string): boolean => replaced.includes(field)
    const auditor = Object.assign(Object.create(store.auditor as object), { hides }) as Store['auditor']
    const tracker = new CostTracker({ tiers: { free: { monthly: 100 } }, defaultTier: 'free', clock, store: storeWith(store, { auditor }), scopes: { tier: { free: { monthly: 50 } } } } as CostTrackerConfig)
    for (let day = 0; day < 4; day += 1) {
      await tracker.addCost({ userId: 'u', cost: 1 })
      clock.advance(DAY)
    }
    const hidden = await tracker.forecast('u')
    expect(hidden).toMatchObject({ enough: false, reason: 'hidden', steps: 0, since: null, window: { spent: 4, limit: 100 } })
    expect(hidden.enough || hidden.message).toMatch(/does not say whose.*userId/)
    expect(await tracker.forecast({ scope: { kind: 'tenant', id: 'acme' } })).toMatchObject({ reason: 'hidden', window: null })
    expect(enough(await tracker.forecast({ scope: { kind: 'global' } })).burnRate.perDay).toBe(1)
    expect(enough(await tracker.forecast({ scope: { kind: 'tier', id: 'free' } })).burnRate.perDay).toBe(1)
    replaced.shift()
    // Of no tenant: that is not replaced.
    expect(enough(await tracker.forecast('u')).burnRate.perDay).toBe(1)
    expect(await tracker.forecast({ userId: 'u', tenant: 'acme' })).toMatchObject({ reason: 'hidden' })
  })

  it.each([
    [{ period: 'hourly' }, 'period'],
    [{ lookback: '2d' }, 'lookback'],
    [{ lookback: 'soon' }, 'lookback'],
    [{ timeZone: 'Mars/Olympus' }, 'timeZone'],
    [{ span: '28d' }, 'span'],
  ])('refuses the options %j', async (options, field) => {
    await expect(setup().tracker.forecast('u', options as never)).rejects.toThrow(field)
  })

  it.each([['', 'userId'], [{ scope: { kind: 'team' } }, 'scope.id'], [{ scope: { kind: 'session', id: 'u/s' } }, 'session'], [{ scope: null }, 'scope'], [{ scope: { kind: 'global', of: 1 } }, 'of']])('refuses the subject %j', async (subject, field) => {
    await expect(setup().tracker.forecast(subject as never)).rejects.toThrow(field)
  })
})
