// Points in time as people write and read them, in a time zone that is said. A day is written as its first instant.

import { InvalidRequestError } from '../errors/index.js'
import { assertInstant, calendarFor, firstInstantOf, parseDuration, zoneOffsetMs, type Calendar } from '../time/index.js'

const DAY_MS = 86_400_000
const WRITTEN = /^(\d{4})(?:-(\d{2})(?:-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,3}))?)?)?)?)?$/
const WITH_OFFSET = /^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?(?:Z|[+-]\d{2}:\d{2})$/
const AGO = /^(\d{1,5})(d|w)$/
const EXAMPLES = "Give a day ('2026-11-01'), a month ('2026-11'), a time ('2026-11-01T08:30', or with Z), 'today', 'yesterday', 'now', or how long ago ('7d', '12h')."

/**
 * Reads a point in time: what has no zone of its own is in `zone`. `2026-11` is the first instant of that month; `7d` the first instant of
 * the day seven days ago, `12h` twelve hours ago. Throws `InvalidRequestError` naming `field` for anything else, also for days that
 * there are not.
 */
export function parseTime(text: string, field: string, zone: string, now: number): number {
  const found = read(text.trim(), zone, now)
  if (found === undefined || Number.isNaN(found)) throw new InvalidRequestError(`${field}: ${JSON.stringify(text)} is no point in time. ${EXAMPLES}`)
  return assertInstant(found, field)
}

/** The time on the wall: `2026-11-01 08:30:00`. */
export function showTime(instant: number, zone: string): string {
  return new Date(instant + zoneOffsetMs(zone, instant)).toISOString().slice(0, 19).replace('T', ' ')
}

/** The same without the time of day, where that is midnight. */
export function showDay(instant: number, zone: string): string {
  return showTime(instant, zone).replace(/ 00:00:00$/, '')
}

/** How long: the two largest units, such as `3d 4h`. */
export function showLength(lengthMs: number): string {
  const units = [['d', DAY_MS], ['h', 3_600_000], ['m', 60_000], ['s', 1_000]] as const
  const start = units.findIndex(([, size]) => lengthMs >= size)
  if (start < 0) return '0s'
  let rest = lengthMs
  const parts = units.slice(start, start + 2).map(([name, size]) => {
    const count = Math.floor(rest / size)
    rest -= count * size
    return count === 0 ? '' : `${count}${name}`
  })
  return parts.filter((part) => part !== '').join(' ')
}

function read(text: string, zone: string, now: number): number | undefined {
  const days = daysOf(zone)
  if (text === 'now') return now
  if (text === 'today') return days.at(now).startsAt
  if (text === 'yesterday') return daysAgo(days, now, 1)
  const [, count, unit] = AGO.exec(text) ?? []
  if (count !== undefined) return daysAgo(days, now, Number(count) * (unit === 'w' ? 7 : 1))
  if (/^\d+(?:\.\d+)?(?:ms|s|m|h)$/.test(text)) return now - parseDuration(text, 'time')
  if (WITH_OFFSET.test(text)) return isDay(text.slice(0, 10)) ? Date.parse(text.replace(' ', 'T')) : undefined
  const parts = WRITTEN.exec(text)
  if (parts === null) return undefined
  const [, year, month = '01', day = '01', hour = '00', minute = '00', second = '00', fraction = '0'] = parts
  if (!isDay(`${year}-${month}-${day}`) || Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return undefined
  return firstInstantOf(zone, Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute), Number(second), Number(fraction.padEnd(3, '0'))))
}

function daysOf(zone: string): Calendar {
  return calendarFor({ unit: 'day', timeZone: zone, weekStartsOn: 1, monthStartsOn: 1 })
}

/** The day that many days before the running one: by the calendar, so that days of 23 and 25 hours are days. */
function daysAgo(days: Calendar, now: number, count: number): number {
  const { startsAt } = days.at(now)
  const wall = startsAt + zoneOffsetMs(days.rule.timeZone, startsAt)
  return firstInstantOf(days.rule.timeZone, Math.floor(wall / DAY_MS) * DAY_MS - count * DAY_MS)
}

/** Date.UTC would take the 31st of November for the 1st of December. */
function isDay(text: string): boolean {
  const at = Date.parse(`${text}T00:00:00Z`)
  return !Number.isNaN(at) && new Date(at).toISOString().startsWith(text)
}
