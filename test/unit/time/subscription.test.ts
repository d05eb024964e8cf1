// The months of a subscription: within the period that was paid for, on after it and back before it.

import { describe, expect, it } from 'vitest'
import { subscriptionCalendarFor, type RenewalStep } from '../../../src/time/index.js'
import { plusMonths } from '../../support/time/subscription-oracle.js'

const utc = (text: string): number => Date.parse(`${text}Z`)
const text = (ms: number): string => new Date(ms).toISOString().replace(/:00\.000Z$/, '').replace(/T00:00$/, '')
const of = (startsAt: string, endsAt: string) => subscriptionCalendarFor({ startsAt: utc(startsAt), endsAt: utc(endsAt) })
const windowAt = (calendar: ReturnType<typeof of>, instant: string): string[] => {
  const { startsAt, endsAt } = calendar.at(utc(instant))
  return [text(startsAt), text(endsAt)]
}
/** The starts of so many windows, from the one at the instant. */
const startsFrom = (calendar: ReturnType<typeof of>, instant: string, count: number): string[] => {
  const starts: string[] = []
  let at = utc(instant)
  while (starts.length < count) {
    const { startsAt, endsAt } = calendar.at(at)
    starts.push(text(startsAt))
    at = endsAt
  }
  return starts
}

describe('a month that was paid for', () => {
  it('is one window, at its time of day, and contains its start, not its end', () => {
    const calendar = of('2026-01-20T09:30:15', '2026-02-20T09:30:15')
    const month = ['2026-01-20T09:30:15.000Z', '2026-02-20T09:30:15.000Z']
    expect(windowAt(calendar, '2026-01-20T09:30:15')).toEqual(month)
    expect(windowAt(calendar, '2026-02-20T09:30:14.999')).toEqual(month)
    expect(windowAt(calendar, '2026-02-20T09:30:15')[0]).toBe(month[1])
    expect(windowAt(calendar, '2026-01-20T09:30:14.999')[1]).toBe(month[0])
  })

  it('goes on by the month after it, and back before it', () => {
    const calendar = of('2026-01-20', '2026-02-20')
    expect(startsFrom(calendar, '2025-11-25', 6)).toEqual(['2025-11-20', '2025-12-20', '2026-01-20', '2026-02-20', '2026-03-20', '2026-04-20'])
    expect(windowAt(calendar, '2031-07-19T23:59')).toEqual(['2031-06-20', '2031-07-20'])
  })

  it.each([
    ['2026-01-31', '2026-02-28', ['2026-02-28', '2026-03-31', '2026-04-30', '2026-05-31', '2026-06-30', '2026-07-31']],
    ['2026-02-28', '2026-03-31', ['2026-03-31', '2026-04-30', '2026-05-31']],
    ['2026-04-30', '2026-05-31', ['2026-05-31', '2026-06-30', '2026-07-31', '2026-08-31']],
    ['2026-05-31', '2026-06-30', ['2026-06-30', '2026-07-31']],
    ['2026-01-30', '2026-02-28', ['2026-02-28', '2026-03-30', '2026-04-30', '2026-05-30']],
    ['2026-02-28', '2026-03-30', ['2026-03-30', '2026-04-30', '2026-05-30']],
    ['2026-01-29', '2026-02-28', ['2026-02-28', '2026-03-29']],
    ['2024-01-29', '2024-02-29', ['2024-02-29', '2024-03-29']],
    ['2024-01-31', '2024-02-29', ['2024-02-29', '2024-03-31']],
    ['2027-12-31', '2028-01-31', ['2028-01-31', '2028-02-29', '2028-03-31']],
    ['2026-01-28', '2026-02-28', ['2026-02-28', '2026-03-28', '2026-04-28']],
    ['2026-01-15', '2026-02-14', ['2026-02-14', '2026-03-16', '2026-04-15']],
    ['2026-03-12', '2026-04-09', ['2026-04-09', '2026-05-07']],
  ])('from %s to %s goes on at %j', (startsAt, endsAt, starts) => {
    expect(startsFrom(of(startsAt, endsAt), endsAt, starts.length)).toEqual(starts)
  })

  it('goes back before a start whose day stands for a later one', () => {
    expect(startsFrom(of('2026-02-28', '2026-03-31'), '2025-11-30', 4)).toEqual(['2025-11-30', '2025-12-31', '2026-01-31', '2026-02-28'])
  })

  it('may be an hour longer or shorter, billed by a local clock', () => {
    expect(windowAt(of('2026-10-01T22:00', '2026-11-01T23:00'), '2026-11-01T22:30')).toEqual(['2026-10-01T22:00', '2026-11-01T23:00'])
    expect(startsFrom(of('2026-03-14T23:00', '2026-04-14T22:00'), '2026-03-15', 3)).toEqual(['2026-03-14T23:00', '2026-04-14T22:00', '2026-05-14T22:00'])
  })

  it('goes on as the subscription renews, where that is known', () => {
    const renewing = (endsAt: string, renewsEvery: RenewalStep) => subscriptionCalendarFor({ startsAt: Date.parse('2026-01-31'), endsAt: Date.parse(endsAt), renewsEvery })
    expect(startsFrom(renewing('2026-02-14', { months: 1 }), '2026-02-14', 3), 'a trial of two weeks, then months').toEqual(['2026-02-14', '2026-03-14', '2026-04-14'])
    expect(startsFrom(renewing('2026-02-28', { days: 28 }), '2026-02-28', 3), 'what might be a month, and is 28 days').toEqual(['2026-02-28', '2026-03-28', '2026-04-25'])
    expect(startsFrom(renewing('2026-02-14', { months: 12 }), '2026-02-14', 2), 'a trial, then a year in months').toEqual(['2026-02-14', '2026-03-14'])
    expect(startsFrom(renewing('2026-03-20', { days: 7 }), '2026-01-31', 5), 'a trial of more than a month, then weeks').toEqual(['2026-01-31', '2026-02-28', '2026-03-20', '2026-03-27', '2026-04-03'])
  })

  it.each([{ months: 0 }, { days: 1.5 }, { days: Number.NaN }, {}])('renews by no step such as %j', (renewsEvery) => {
    expect(() => subscriptionCalendarFor({ startsAt: 0, endsAt: 1, renewsEvery: renewsEvery as RenewalStep })).toThrow(/period\.renewsEvery/)
  })
})

describe('a longer period', () => {
  it('of a year is twelve months, and the next year follows', () => {
    const calendar = of('2026-01-31T08:00', '2027-01-31T08:00')
    const starts = startsFrom(calendar, '2026-01-31T08:00', 14)
    expect(starts.map((start) => start.slice(0, 10))).toEqual(['2026-01-31', '2026-02-28', '2026-03-31', '2026-04-30', '2026-05-31', '2026-06-30', '2026-07-31', '2026-08-31', '2026-09-30', '2026-10-31', '2026-11-30', '2026-12-31', '2027-01-31', '2027-02-28'])
  })

  it('from the 29th of February to the 28th keeps the 29th where there is one', () => {
    expect(startsFrom(of('2024-02-29', '2025-02-28'), '2024-12-29', 5)).toEqual(['2024-12-29', '2025-01-29', '2025-02-28', '2025-03-29', '2025-04-29'])
  })

  it('of a quarter from a short month has three months, not a rest of some days', () => {
    expect(startsFrom(of('2026-02-28', '2026-05-31'), '2026-02-28', 4)).toEqual(['2026-02-28', '2026-03-31', '2026-04-30', '2026-05-31'])
  })

  it('of a trial of 45 days has a month and the rest', () => {
    expect(startsFrom(of('2026-01-10', '2026-02-24'), '2026-01-10', 4)).toEqual(['2026-01-10', '2026-02-10', '2026-02-24', '2026-03-24'])
  })

  it('has no window of an hour where a local clock was changed', () => {
    const calendar = of('2026-10-14T22:00', '2027-01-14T23:00')
    expect(startsFrom(calendar, '2026-10-14T22:00', 5)).toEqual(['2026-10-14T22:00', '2026-11-14T22:00', '2026-12-14T22:00', '2027-01-14T23:00', '2027-02-14T23:00'])
    expect(windowAt(calendar, '2027-01-14T22:30')).toEqual(['2026-12-14T22:00', '2027-01-14T23:00'])
    expect(windowAt(of('2026-07-14T22:00', '2027-01-14T22:00'), '2027-01-14T21:00')).toEqual(['2026-12-14T22:00', '2027-01-14T22:00'])
  })
})

describe('a shorter period', () => {
  it('of a week goes on, and back, by the week', () => {
    expect(startsFrom(of('2026-02-25T10:00', '2026-03-04T10:00'), '2026-02-20', 4)).toEqual(['2026-02-18T10:00', '2026-02-25T10:00', '2026-03-04T10:00', '2026-03-11T10:00'])
  })

  it('of less than a day goes on by the day: a trial of minutes must not give a budget each minute', () => {
    expect(startsFrom(of('2026-02-25T10:00', '2026-02-25T10:10'), '2026-02-25T09:00', 4)).toEqual(['2026-02-24T10:00', '2026-02-25T10:00', '2026-02-25T10:10', '2026-02-26T10:10'])
  })
})

describe('windows of subscriptions', () => {
  it('are consecutive around an instant, also beside the ends of the period, and frozen', () => {
    for (const [from, to] of [['2026-01-31', '2026-02-28'], ['2026-01-10', '2026-02-24'], ['2026-01-01', '2026-01-08'], ['2024-02-29', '2025-02-28']] as const) {
      const calendar = of(from, to)
      for (const edge of [from, to]) {
        for (const offset of [-1, 0, 1]) {
          const [previous, running, next] = calendar.around(utc(edge) + offset)
          expect([previous.endsAt, next.startsAt]).toEqual([running.startsAt, running.endsAt])
          for (const span of [previous, running, next]) {
            expect(span.startsAt).toBeLessThan(span.endsAt)
            expect(Object.isFrozen(span)).toBe(true)
          }
          expect(running.startsAt <= utc(edge) + offset && utc(edge) + offset < running.endsAt).toBe(true)
        }
      }
      expect(Object.isFrozen(calendar.around(utc(from)))).toBe(true)
    }
  })

  it('are the same objects while one runs', () => {
    const calendar = of('2026-01-20', '2026-02-20')
    expect(calendar.at(utc('2026-03-01'))).toBe(calendar.at(utc('2026-03-02')))
    expect(calendar.around(utc('2026-03-01'))).toBe(calendar.around(utc('2026-03-02')))
    expect(calendar.around(utc('2026-05-01'))[1]).toBe(calendar.at(utc('2026-05-02')))
  })

  it('are shared between equal periods, and stay right when more periods are asked for than are remembered', () => {
    expect(of('2026-01-20', '2026-02-20')).toBe(of('2026-01-20', '2026-02-20'))
    expect(of('2026-01-20', '2026-02-21')).not.toBe(of('2026-01-20', '2026-02-20'))
    for (let second = 0; second < 10_100; second += 1) {
      const startsAt = utc('2026-01-01') + second * 1000
      expect(subscriptionCalendarFor({ startsAt, endsAt: startsAt + 86_400_000 }).at(startsAt)).toEqual({ startsAt, endsAt: startsAt + 86_400_000 })
    }
  })

  it('do not follow what a caller does to its period', () => {
    const period = { startsAt: utc('2025-01-20'), endsAt: utc('2025-02-20') }
    const calendar = subscriptionCalendarFor(period)
    period.endsAt = utc('2025-02-01')
    expect(calendar.period.endsAt).toBe(utc('2025-02-20'))
    expect(windowAt(calendar, '2025-02-10')).toEqual(['2025-01-20', '2025-02-20'])
  })

  it('agree with Temporal for months from every day of four years, over two years to both sides', () => {
    for (let day = utc('2023-03-01T17:45'); day < utc('2027-03-01'); day += 86_400_000) {
      const boundaries = Array.from({ length: 49 }, (_, index) => plusMonths(day, index - 24))
      const calendar = subscriptionCalendarFor({ startsAt: day, endsAt: boundaries[25] as number })
      const windows = boundaries.slice(1).map((endsAt, index) => ({ startsAt: boundaries[index] as number, endsAt }))
      expect(windows.map(({ startsAt }) => calendar.at(startsAt))).toEqual(windows)
      expect(windows.map(({ endsAt }) => calendar.at(endsAt - 1))).toEqual(windows)
    }
  })

  it('refuse what is no instant, and are unharmed by it', () => {
    const calendar = of('2026-01-20', '2026-02-20')
    for (const instant of [Number.NaN, Infinity, -Infinity, 9e15]) {
      expect(() => calendar.at(instant)).toThrow(expect.objectContaining({ code: 'INVALID_REQUEST' }))
      expect(() => calendar.around(instant)).toThrow(expect.objectContaining({ code: 'INVALID_REQUEST' }))
    }
    expect(windowAt(calendar, '2026-02-01')).toEqual(['2026-01-20', '2026-02-20'])
  })

  it.each([
    [{ startsAt: Number.NaN, endsAt: 5 }, 'period.startsAt: NaN is not an instant'],
    [{ startsAt: 5, endsAt: 1e300 }, 'period.endsAt: 1e+300 is not an instant'],
    [{ startsAt: 5, endsAt: 5 }, 'period.endsAt: 5 is not after the start, 5'],
    [{ startsAt: 6, endsAt: 5 }, 'period.endsAt: 5 is not after the start, 6'],
  ])('refuse the period %j', (period, message) => {
    expect(() => subscriptionCalendarFor(period)).toThrow(message)
  })

  it('reach from 1900 to 9999', () => {
    for (const [from, to] of [['2026-01-31', '2026-02-28'], ['2026-01-01', '2026-01-08']] as const) {
      for (const instant of [Date.UTC(1900, 0, 1), 0, Date.UTC(10_000, 0, 1) - 1]) {
        const [previous, running, next] = of(from, to).around(instant)
        expect(running.startsAt <= instant && instant < running.endsAt).toBe(true)
        expect([previous.endsAt, next.startsAt]).toEqual([running.startsAt, running.endsAt])
      }
    }
  })
})
