import { describe, expect, it } from 'vitest'
import { InvalidConfigError } from '../../../src/errors/errors.js'
import { assertTimeZone, firstInstantOf, zoneOffsetMs } from '../../../src/time/index.js'

const hourMs = 3_600_000
const wall = (text: string) => Date.parse(`${text}Z`)
const utc = wall

describe('assertTimeZone', () => {
  it.each([
    'UTC', 'utc', 'GMT', 'Etc/UTC', 'Europe/Berlin', 'US/Eastern', 'us/eastern', 'Asia/Calcutta', 'Asia/Kolkata', 'Asia/Katmandu', 'Etc/GMT+5', 'GB', 'NZ-CHAT',
    'EST', 'EST5EDT', 'PRC', 'America/Argentina/ComodRivadavia',
  ])('accepts %s and gives it back as it is', (zone) => {
    expect(assertTimeZone(zone, 'timeZone')).toBe(zone)
  })

  it.each([
    '', ' ', 'Mars/Olympus', 'Europe/Berlin ', 'Z', '+05:30', '-03', '+0530', 'UTC+1', 'GMT+5', 'Factory', 'SystemV/EST5', 'PST', 'IST', 'AST', 'constructor',
    '__proto__', 'UTC\n', undefined, null, 0, {}, ['UTC'],
  ])('refuses %j, naming field, value and remedy', (zone) => {
    expect(() => assertTimeZone(zone, 'budget.timeZone')).toThrow(InvalidConfigError)
    expect(() => assertTimeZone(zone, 'budget.timeZone')).toThrow(/^budget\.timeZone: .+ is not a time zone\. .*(give|use) /is)
  })

  it('says what to write instead of an offset', () => {
    expect(() => assertTimeZone('+05:30', 'timeZone')).toThrow('Asia/Kolkata')
  })
})

describe('zoneOffsetMs', () => {
  it.each([
    ['UTC', '2024-07-01T00:00', 0],
    ['Etc/GMT+5', '2024-07-01T00:00', -5],
    ['Asia/Kathmandu', '2024-07-01T00:00', 5.75],
    ['Pacific/Kiritimati', '2024-07-01T00:00', 14],
    ['America/St_Johns', '2024-01-01T00:00', -3.5],
    ['America/New_York', '2024-03-10T06:59:59.999', -5],
    ['America/New_York', '2024-03-10T07:00', -4],
    ['America/New_York', '2024-11-03T05:59:59.999', -4],
    ['America/New_York', '2024-11-03T06:00', -5],
    ['Australia/Lord_Howe', '2024-01-01T00:00', 11],
    ['Australia/Lord_Howe', '2024-07-01T00:00', 10.5],
    // date-fns-tz takes the number 0 for "now".
    ['Europe/London', '1970-01-01T00:00', 1],
  ])('%s at %s UTC is %d h ahead', (zone, instant, hours) => {
    expect(zoneOffsetMs(zone, utc(instant))).toBe(hours * hourMs)
  })
})

describe('firstInstantOf', () => {
  it.each([
    ['America/Sao_Paulo', '2018-11-04', '2018-11-04T03:00'],
    ['Africa/Cairo', '2024-04-26', '2024-04-25T22:00'],
    ['Asia/Beirut', '2024-03-31', '2024-03-30T22:00'],
    ['Atlantic/Azores', '2024-03-31', '2024-03-31T01:00'],
    ['America/Havana', '2024-03-10', '2024-03-10T05:00'],
    ['America/Santiago', '2025-09-07', '2025-09-07T04:00'],
    ['America/Asuncion', '2023-10-01', '2023-10-01T04:00'],
    ['Asia/Amman', '2021-10-29', '2021-10-28T21:00'],
  ])('in %s, %s starts at %s UTC', (zone, day, startsAt) => {
    expect(firstInstantOf(zone, wall(`${day}T00:00`))).toBe(utc(startsAt))
  })

  it.each([
    ['an hour that comes once', 'America/New_York', '2024-06-01T12:34:56.789', '2024-06-01T16:34:56.789'],
    ['the first of an hour that comes twice', 'America/New_York', '2024-11-03T01:30', '2024-11-03T05:30'],
    ['the end of the gap for a time that was skipped', 'America/New_York', '2024-03-10T02:30', '2024-03-10T07:00'],
    ['the end of the gap for its last millisecond', 'America/New_York', '2024-03-10T02:59:59.999', '2024-03-10T07:00'],
    ['the end of the gap for the time after it', 'America/New_York', '2024-03-10T03:00', '2024-03-10T07:00'],
    ['the next day for a day that was skipped', 'Pacific/Apia', '2011-12-30T00:00', '2011-12-30T10:00'],
    ['the same as UTC in UTC', 'UTC', '2024-02-29T00:00', '2024-02-29T00:00'],
  ])('is %s', (_name, zone, wallTime, instant) => {
    expect(firstInstantOf(zone, wall(wallTime))).toBe(utc(instant))
  })
})
