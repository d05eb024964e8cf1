// How long: '10m', '5h', '14d' or milliseconds, read exactly into integer milliseconds and written back. Decides what a
// duration may be; must not know what it is used for.

import { InvalidConfigError } from '../errors/errors.js'

const unitMs = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const
type UnitSuffix = keyof typeof unitMs

/** A length of time: milliseconds, or a decimal with a unit: `'500ms'`, `'10m'`, `'1.5h'`, `'14d'`, `'2w'`. A day is 24 hours. */
export type Duration = number | `${number}${UnitSuffix}`

const longestMs = 36_525 * unitMs.d
const written = /^(\d{1,15})(?:\.(\d{1,15}))?(ms|s|m|h|d|w)$/

/**
 * Reads a duration into a positive integer of milliseconds, exactly: decimals never pass through floating point.
 * Throws {@link InvalidConfigError}, naming `field`, for NaN, zero, negative numbers, fractions of a millisecond, more than
 * 100 years, an unknown unit, or anything that is neither a number nor a string (windows and clocks, FAIL-LOUD).
 */
export function parseDuration(value: unknown, field: string): number {
  if (typeof value === 'number') return inRange(value, Number.isInteger(value), value, field)
  const parts = typeof value === 'string' ? written.exec(value) : null
  if (parts === null) {
    throw refusal(value, field, "is not a duration. Give whole milliseconds, or a number and a unit (ms, s, m, h, d, w), such as '10m'.")
  }
  const [, whole = '', fraction = '', suffix] = parts
  const scale = 10n ** BigInt(fraction.length)
  const scaled = BigInt(whole + fraction) * BigInt(unitMs[suffix as UnitSuffix])
  return inRange(Number(scaled / scale), scaled % scale === 0n, value, field)
}

/**
 * Writes milliseconds in the largest unit that divides them: 86,400,000 is `'1d'`, 90,000 is `'90s'`. {@link parseDuration}
 * reads it back to the same number, and equal lengths have equal texts, however they were first written: `'24h'` becomes `'1d'`.
 * Throws {@link InvalidConfigError} for what is not a duration.
 */
export function formatDuration(durationMs: number): Exclude<Duration, number> {
  const length = parseDuration(durationMs, 'durationMs')
  for (const suffix of ['w', 'd', 'h', 'm', 's'] as const) {
    if (length % unitMs[suffix] === 0) return `${length / unitMs[suffix]}${suffix}`
  }
  return `${length}ms`
}

function inRange(lengthMs: number, isWhole: boolean, value: unknown, field: string): number {
  if (!(lengthMs >= 0) || (lengthMs === 0 && isWhole)) {
    throw refusal(value, field, "is not above zero. Give a positive duration, such as '10m' or 600000.")
  }
  if (lengthMs > longestMs) throw refusal(value, field, "is more than 100 years. Give a shorter duration, such as '30d'.")
  if (!isWhole) throw refusal(value, field, "has a fraction of a millisecond. Give whole milliseconds, such as '1500ms'.")
  return lengthMs
}

function refusal(value: unknown, field: string, remedy: string): InvalidConfigError {
  // An object may have any toString of its own, or none.
  const shown = typeof value === 'string' ? JSON.stringify(value) : typeof value === 'object' && value !== null ? 'an object' : String(value)
  return new InvalidConfigError(`${field}: ${shown} ${remedy}`)
}
