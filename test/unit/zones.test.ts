// Budgets in zones of their own: windows that follow the wall clock there, and changes of zone that wait for the running window.

import { describe, expect, it } from 'vitest'
import { Bursar } from '../../src/index.js'
import { manualClock } from '../../src/testing/index.js'
import { deniedOf } from './setting.js'

const at = (text: string) => new Date(text)

describe('a budget in America/New_York', () => {
  const bursarIn = (clock: () => number) => new Bursar({ tiers: { free: { daily: 1, timeZone: 'America/New_York' } }, defaultTier: 'free', clock })

  it('resets at local midnight', async () => {
    const clock = manualClock('2026-01-16T04:59:59.999Z')
    const bursar = bursarIn(clock)
    await bursar.tracker.addCost({ userId: 'u', cost: 1 })
    expect(deniedOf(await bursar.check({ userId: 'u', estimatedCost: 0.1 })).toDenial()).toMatchObject({ resetsAt: at('2026-01-16T05:00:00Z'), retryAfterMs: 1 })
    clock.advance(1)
    expect((await bursar.check({ userId: 'u', estimatedCost: 0.1 })).allowed).toBe(true)
    expect(await bursar.tracker.getPeriodCosts('u', 'daily')).toMatchObject({ startsAt: at('2026-01-16T05:00:00Z'), resetsAt: at('2026-01-17T05:00:00Z') })
  })

  it.each([
    ['in spring, of 23 hours', '2026-03-08T12:00:00Z', '2026-03-08T05:00:00Z', '2026-03-09T04:00:00Z'],
    ['in autumn, of 25 hours', '2026-11-01T12:00:00Z', '2026-11-01T04:00:00Z', '2026-11-02T05:00:00Z'],
  ])('has the day of the change %s', async (_what, now, startsAt, resetsAt) => {
    expect(await bursarIn(manualClock(now)).tracker.getPeriodCosts('u', 'daily')).toMatchObject({ startsAt: at(startsAt), resetsAt: at(resetsAt) })
  })
})

describe('calendars', () => {
  it('come from the budget, else from the whole configuration', async () => {
    const bursar = new Bursar({
      timeZone: 'Asia/Tokyo',
      weekStartsOn: 0,
      tiers: { free: { daily: 1, weekly: 1 }, pro: { daily: 1, monthly: 1, timeZone: 'UTC', monthStartsOn: 31 } },
      global: { monthly: 100, monthStartsOn: 15 },
      clock: manualClock('2026-02-14T20:00:00Z'),
    })
    const windows = async (userTier: 'free' | 'pro') => (await bursar.tracker.context({ userId: 'u', userTier })).windows.map(({ scope, period, startsAt, resetsAt }) => [scope.kind, period, startsAt.toISOString(), resetsAt?.toISOString()])
    expect(await windows('free')).toEqual(expect.arrayContaining([
      ['user', 'daily', '2026-02-14T15:00:00.000Z', '2026-02-15T15:00:00.000Z'],
      ['user', 'weekly', '2026-02-14T15:00:00.000Z', '2026-02-21T15:00:00.000Z'],
      ['global', 'monthly', '2026-02-14T15:00:00.000Z', '2026-03-14T15:00:00.000Z'],
    ]))
    expect(await windows('pro')).toEqual(expect.arrayContaining([
      ['user', 'daily', '2026-02-14T00:00:00.000Z', '2026-02-15T00:00:00.000Z'],
      ['user', 'monthly', '2026-01-31T00:00:00.000Z', '2026-02-28T00:00:00.000Z'],
    ]))
  })
})

describe('a change of zone between tiers', () => {
  it('takes effect when the running window ends', async () => {
    const clock = manualClock('2026-01-15T12:00:00Z')
    const bursar = new Bursar({ tiers: { utc: { daily: 1 }, local: { daily: 1, timeZone: 'America/New_York' } }, clock })
    const daily = async () => {
      const { startsAt, resetsAt, cost } = await bursar.tracker.getPeriodCosts('u', 'daily')
      return [startsAt.toISOString(), resetsAt?.toISOString(), cost]
    }
    await bursar.tracker.setUserTier('u', 'utc')
    await bursar.tracker.addCost({ userId: 'u', cost: 1 })
    await bursar.tracker.setUserTier('u', 'local')
    expect(await daily()).toEqual(['2026-01-15T00:00:00.000Z', '2026-01-16T00:00:00.000Z', 1])
    expect((await bursar.check({ userId: 'u', estimatedCost: 0.5 })).allowed).toBe(false)
    clock.set(at('2026-01-16T00:00:00Z'))
    expect(await daily()).toEqual(['2026-01-16T00:00:00.000Z', '2026-01-16T05:00:00.000Z', 0])
    expect((await bursar.check({ userId: 'u', estimatedCost: 0.5 })).allowed).toBe(true)
    clock.set(at('2026-01-16T05:00:00Z'))
    expect(await daily()).toEqual(['2026-01-16T05:00:00.000Z', '2026-01-17T05:00:00.000Z', 0])
  })

  it('never opens the same time twice, however often the tier changes', async () => {
    const clock = manualClock('2026-01-15T12:00:00Z')
    const zones = ['UTC', 'America/New_York', 'Asia/Kolkata', 'Pacific/Auckland']
    const bursar = new Bursar({ tiers: Object.fromEntries(zones.map((timeZone) => [timeZone, { daily: 1, timeZone }])), clock })
    let end = 0
    let start = 0
    for (let step = 0; step < 300; step += 1) {
      await bursar.tracker.addCost({ userId: 'u', userTier: zones[step % zones.length] as string, cost: 0.01 })
      const { startsAt, resetsAt } = await bursar.tracker.getPeriodCosts('u', 'daily', zones[(step * 7) % zones.length])
      if (startsAt.getTime() !== start) expect(startsAt.getTime()).toBeGreaterThanOrEqual(end)
      else expect(resetsAt?.getTime()).toBe(end)
      start = startsAt.getTime()
      end = resetsAt?.getTime() as number
      clock.advance('47m')
    }
  })
})
