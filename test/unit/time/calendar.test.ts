import { describe, expect, it } from 'vitest'
import { InvalidConfigError, InvalidRequestError } from '../../../src/errors/errors.js'
import { calendarFor, type CalendarRule } from '../../../src/time/index.js'

const utc = (text: string) => Date.parse(`${text}Z`)
const rule = (given: Partial<CalendarRule>): CalendarRule => ({ unit: 'day', timeZone: 'UTC', weekStartsOn: 1, monthStartsOn: 1, ...given })
const windowAt = (given: Partial<CalendarRule>, instant: string) => {
  const { startsAt, endsAt } = calendarFor(rule(given)).at(utc(instant))
  return [startsAt, endsAt].map((ms) => new Date(ms).toISOString().replace(':00.000Z', ''))
}

describe('days', () => {
  it('start at midnight and contain their start, not their end', () => {
    const day = ['2024-05-05T00:00', '2024-05-06T00:00']
    expect(windowAt({}, '2024-05-05T00:00')).toEqual(day)
    expect(windowAt({}, '2024-05-05T23:59:59.999')).toEqual(day)
    expect(windowAt({}, '2024-05-06T00:00')).toEqual(['2024-05-06T00:00', '2024-05-07T00:00'])
  })

  it.each([
    ['Europe/Berlin', '2024-03-31T12:00', '2024-03-30T23:00', '2024-03-31T22:00', 23],
    ['Europe/Berlin', '2024-10-27T12:00', '2024-10-26T22:00', '2024-10-27T23:00', 25],
    ['America/Sao_Paulo', '2018-11-04T12:00', '2018-11-04T03:00', '2018-11-05T02:00', 23],
    ['Africa/Cairo', '2024-04-26T12:00', '2024-04-25T22:00', '2024-04-26T21:00', 23],
    ['Asia/Amman', '2021-10-28T21:30', '2021-10-28T21:00', '2021-10-29T22:00', 25],
    ['Asia/Amman', '2021-10-28T22:00', '2021-10-28T21:00', '2021-10-29T22:00', 25],
    ['Australia/Lord_Howe', '2024-10-06T00:00', '2024-10-05T13:30', '2024-10-06T13:00', 23.5],
  ])('in %s at %s UTC last from %s to %s: %d h', (timeZone, instant, startsAt, endsAt, hours) => {
    expect(windowAt({ timeZone }, instant)).toEqual([startsAt, endsAt])
    expect((utc(endsAt) - utc(startsAt)) / 3_600_000).toBe(hours)
  })

  it('begin once where the clock goes back past midnight', () => {
    // St. John's, 2010-11-07: at 00:01 the clock went back to 23:01 of the day before.
    const day = ['2010-11-07T02:30', '2010-11-08T03:30']
    expect(windowAt({ timeZone: 'America/St_Johns' }, '2010-11-07T02:30')).toEqual(day)
    expect(windowAt({ timeZone: 'America/St_Johns' }, '2010-11-07T02:45')).toEqual(day)
  })

  it('that a zone skipped are no windows', () => {
    const around = calendarFor(rule({ timeZone: 'Pacific/Apia' })).around(utc('2011-12-30T10:00'))
    expect(around.map(({ startsAt }) => startsAt)).toEqual([utc('2011-12-29T10:00'), utc('2011-12-30T10:00'), utc('2011-12-31T10:00')])
  })
})

describe('weeks', () => {
  it.each([
    [0, '2024-05-05'],
    [1, '2024-05-06'],
    [2, '2024-05-07'],
    [3, '2024-05-08'],
    [4, '2024-05-02'],
    [5, '2024-05-03'],
    [6, '2024-05-04'],
  ] as const)('that start on day %d: the one of Wednesday 2024-05-08 starts on %s', (weekStartsOn, startsAt) => {
    expect(windowAt({ unit: 'week', weekStartsOn }, '2024-05-08T12:00')[0]).toBe(`${startsAt}T00:00`)
  })

  it('start on their day before the epoch too', () => {
    expect(windowAt({ unit: 'week' }, '1969-12-28T23:59')).toEqual(['1969-12-22T00:00', '1969-12-29T00:00'])
  })

  it('are an hour shorter in the week of a spring change', () => {
    expect(windowAt({ unit: 'week', timeZone: 'America/New_York' }, '2024-03-10T12:00')).toEqual(['2024-03-04T05:00', '2024-03-11T04:00'])
  })
})

describe('months', () => {
  it.each([
    [1, '2024-02-29T12:00', '2024-02-01', '2024-03-01'],
    [15, '2024-03-14T23:59', '2024-02-15', '2024-03-15'],
    [15, '2024-12-15T00:00', '2024-12-15', '2025-01-15'],
    [28, '2023-02-28T00:00', '2023-02-28', '2023-03-28'],
    [29, '2023-02-27T23:59', '2023-01-29', '2023-02-28'],
    [29, '2023-02-28T00:00', '2023-02-28', '2023-03-29'],
    [29, '2024-02-28T12:00', '2024-01-29', '2024-02-29'],
    [30, '2024-02-29T12:00', '2024-02-29', '2024-03-30'],
    [30, '2023-03-01T00:00', '2023-02-28', '2023-03-30'],
    [31, '2024-02-28T12:00', '2024-01-31', '2024-02-29'],
    [31, '2024-04-30T00:00', '2024-04-30', '2024-05-31'],
    [31, '2024-05-30T23:59', '2024-04-30', '2024-05-31'],
    [31, '2023-12-31T00:00', '2023-12-31', '2024-01-31'],
    [31, '2000-02-29T00:00', '2000-02-29', '2000-03-31'],
    [31, '2100-02-28T00:00', '2100-02-28', '2100-03-31'],
  ])('that start on the %dth: %s is in the one from %s to %s', (monthStartsOn, instant, startsAt, endsAt) => {
    expect(windowAt({ unit: 'month', monthStartsOn }, instant)).toEqual([`${startsAt}T00:00`, `${endsAt}T00:00`])
  })

  it('start where their midnight was skipped', () => {
    expect(windowAt({ unit: 'month', timeZone: 'America/Asuncion' }, '2023-10-15T00:00')).toEqual(['2023-10-01T04:00', '2023-11-01T03:00'])
  })
})

describe('calendars', () => {
  it('tile: every window starts where the one before ends', () => {
    for (const given of [{}, { unit: 'week' }, { unit: 'month', monthStartsOn: 31 }] as const) {
      const calendar = calendarFor(rule({ ...given, timeZone: 'America/Santiago' }))
      for (let at = utc('2024-01-01T00:00'); at < utc('2025-12-31T00:00'); at = calendar.at(at).endsAt) {
        const [previous, running, next] = calendar.around(at)
        expect(running.startsAt).toBe(previous.endsAt)
        expect(running.endsAt).toBe(next.startsAt)
        expect(running).toBe(calendar.at(at))
      }
    }
  })

  it('give the same frozen windows when asked again, in any order', () => {
    const calendar = calendarFor(rule({ timeZone: 'Europe/Paris' }))
    const days = Array.from({ length: 300 }, (_, day) => utc('2024-01-01T12:00') + day * 86_400_000)
    const first = days.map((instant) => calendar.at(instant))
    expect(first.every(Object.isFrozen)).toBe(true)
    expect(days.toReversed().map((instant) => calendar.at(instant))).toEqual(first.toReversed())
    expect(calendar.at(days[7] as number)).toBe(first[7])
    expect(calendar.around(days[7] as number)).toBe(calendar.around((days[7] as number) + 1))
    expect(Object.isFrozen(calendar.around(days[7] as number))).toBe(true)
  })

  it('stay right when more windows are asked for than are remembered', () => {
    const calendar = calendarFor(rule({ timeZone: 'UTC' }))
    for (let day = 0; day < 2000; day += 1) {
      const startsAt = utc('2024-01-01T00:00') + ((day * 7919) % 2000) * 86_400_000
      expect(calendar.at(startsAt + 1)).toEqual({ startsAt, endsAt: startsAt + 86_400_000 })
    }
  })

  it('are shared between equal rules, whatever their unit does not use', () => {
    expect(calendarFor(rule({ weekStartsOn: 0, monthStartsOn: 31 }))).toBe(calendarFor(rule({})))
    expect(calendarFor(rule({ unit: 'week', weekStartsOn: 0 }))).not.toBe(calendarFor(rule({ unit: 'week' })))
    expect(calendarFor(rule({ timeZone: 'Europe/Rome' }))).not.toBe(calendarFor(rule({})))
    expect(calendarFor(rule({ unit: 'month', weekStartsOn: 0, monthStartsOn: 31 })).rule).toEqual(rule({ unit: 'month', monthStartsOn: 31 }))
  })

  it.each([
    [{ unit: 'year' }, 'unit: "year"'],
    [{ timeZone: 'Nowhere' }, 'timeZone: "Nowhere"'],
    [{ weekStartsOn: 7 }, 'weekStartsOn: 7'],
    [{ weekStartsOn: 1.5 }, 'weekStartsOn: 1.5'],
    [{ weekStartsOn: '1' }, 'weekStartsOn: "1"'],
    [{ timeZone: ['UTC'] }, 'timeZone: UTC is not a time zone'],
    [{ monthStartsOn: 0 }, 'monthStartsOn: 0'],
    [{ monthStartsOn: 32 }, 'monthStartsOn: 32'],
    [{ monthStartsOn: Number.NaN }, 'monthStartsOn: NaN'],
  ])('refuse the rule %j', (given, message) => {
    expect(() => calendarFor(rule(given as unknown as Partial<CalendarRule>))).toThrow(InvalidConfigError)
    expect(() => calendarFor(rule(given as unknown as Partial<CalendarRule>))).toThrow(message)
  })

  it('refuse what is no instant, and are unharmed by it', () => {
    const calendar = calendarFor(rule({ timeZone: 'Asia/Tokyo' }))
    for (const instant of [Number.NaN, Infinity, -Infinity, 9e15]) {
      expect(() => calendar.at(instant)).toThrow(InvalidRequestError)
      expect(() => calendar.around(instant)).toThrow(InvalidRequestError)
    }
    expect(calendar.at(utc('2024-01-01T15:00')).startsAt).toBe(utc('2024-01-01T15:00'))
  })

  it('reach from 1900 to 9999', () => {
    for (const unit of ['day', 'week', 'month'] as const) {
      for (const timeZone of ['UTC', 'Europe/Amsterdam', 'America/New_York', 'Pacific/Kiritimati']) {
        const calendar = calendarFor(rule({ unit, timeZone }))
        for (const instant of [Date.UTC(1900, 0, 1), 0, Date.UTC(10_000, 0, 1) - 1]) {
          const [previous, running, next] = calendar.around(instant)
          expect(running.startsAt <= instant && instant < running.endsAt).toBe(true)
          expect([previous.endsAt, next.startsAt]).toEqual([running.startsAt, running.endsAt])
        }
      }
    }
  })
})
