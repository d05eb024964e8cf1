// How logs write a time: ISO 8601, the same with a space and any number of decimals, or a count of seconds or milliseconds.

import { firstInstantOf } from '../time/index.js'

const DAYS = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
const WITH_REST = /^\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?)?(?: ?(Z|[+-]\d\d(?::?\d\d)?))?$/i
/** Counts below it are seconds: as milliseconds they would be of the year 1973 or before. */
const LEAST_MS = 100_000_000_000
const LATEST_MS = Date.UTC(10_000, 0, 1) - 1

/**
 * A time in ms since the epoch, finer digits cut off; `undefined` for what is none. Times without an offset are of the zone. Numbers below 10¹¹ are seconds.
 */
export function instantOfText(text: string, timeZone: string): number | undefined {
  if (text.length >= 19 && text.charCodeAt(4) === 45) return dateTimeOf(text, timeZone)
  if (/^\d{4}-/.test(text)) return dateTimeOf(text, timeZone)
  if (!/^\d+(\.\d+)?$/.test(text)) return undefined
  return instantOfNumber(Number(text))
}

/** The same for a number. */
export function instantOfNumber(value: number): number | undefined {
  const ms = Math.floor(value < LEAST_MS ? value * 1_000 : value)
  return ms >= 0 && ms <= LATEST_MS ? ms : undefined
}

function dateTimeOf(text: string, timeZone: string): number | undefined {
  const year = digits(text, 0, 4)
  const month = digits(text, 5, 7)
  const day = digits(text, 8, 10)
  const isDateOnly = text.length === 10
  const hour = isDateOnly ? 0 : digits(text, 11, 13)
  const minute = isDateOnly ? 0 : digits(text, 14, 16)
  const hasSeconds = text.charCodeAt(16) === 58
  const second = hasSeconds ? digits(text, 17, 19) : 0
  if (!(month >= 1 && month <= 12 && day >= 1 && day <= (DAYS[month - 1] as number) && hour <= 23 && minute <= 59 && second <= 59 && year >= 1970)) return undefined
  if (month === 2 && day === 29 && !(year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0))) return undefined
  let at = hasSeconds ? 19 : isDateOnly ? 10 : 16
  let ms = 0
  if (hasSeconds && (text.charCodeAt(19) === 46 || text.charCodeAt(19) === 44)) {
    at = 20
    for (let scale = 100; ; scale /= 10) {
      const digit = text.charCodeAt(at) - 48
      if (!(digit >= 0 && digit <= 9)) break
      ms += digit * Math.floor(scale)
      at += 1
    }
    if (at === 20) return undefined
  }
  const isPlain = text.charCodeAt(4) === 45 && text.charCodeAt(7) === 45 && (isDateOnly || ((text.charCodeAt(10) === 84 || text.charCodeAt(10) === 32) && text.charCodeAt(13) === 58))
  if (!isPlain) return undefined
  const wallMs = Date.UTC(year, month - 1, day, hour, minute, second) + ms
  if (at === text.length) return timeZone === 'UTC' ? wallMs : firstInstantOf(timeZone, wallMs)
  if (at === text.length - 1 && text.charCodeAt(at) === 90) return wallMs
  const offset = WITH_REST.exec(text)?.[1]
  if (offset === undefined) return undefined
  if (offset === 'z') return wallMs
  const [, sign, hours, minutes] = /^([+-])(\d\d):?(\d\d)?$/.exec(offset) as unknown as [string, string, string, string | undefined]
  if (Number(hours) > 23 || Number(minutes ?? 0) > 59) return undefined
  return wallMs - (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes ?? 0)) * 60_000
}

/** NaN where there is anything else than digits. */
function digits(text: string, from: number, to: number): number {
  let value = 0
  for (let at = from; at < to; at += 1) {
    const digit = text.charCodeAt(at) - 48
    if (!(digit >= 0 && digit <= 9)) return Number.NaN
    value = value * 10 + digit
  }
  return value
}
