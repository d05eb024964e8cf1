// Money as integers: USD numbers and decimal strings become microcents here, and become USD again only at the public edge.
// Knows nothing of budgets; whether a fraction is rounded up or refused is the caller's word.

import { InvalidAmountError } from '../errors/index.js'

/** Microcents in one US dollar: 1 USD = 100 cents = 100,000,000 microcents. */
export const MICROCENTS_PER_USD = 100_000_000

/** The largest amount that is still an exact integer: 2^53 − 1 (about 90 million USD in microcents). */
export const MAX_AMOUNT = Number.MAX_SAFE_INTEGER

/** USD as an application writes it: a number (read to 15 significant digits) or an exact decimal string such as `'0.10'`. */
export type Usd = number | string

/** What happens to an amount finer than a microcent: a cost rounds up (it was spent), a limit is refused (it cannot be kept). */
export type Fraction = 'round-up' | 'refuse'

const DECIMAL = /^\+?(\d+)(?:\.(\d*))?(?:[eE]([+-]?\d{1,3}))?$/
const FRACTION_DIGITS = 8
const EXACT_QUOTIENTS_BELOW = 1e15

/**
 * Reads USD into microcents. Numbers count to 15 significant digits, so that `0.1 + 0.2` is 0.3; strings count exactly.
 * Throws `InvalidAmountError` for NaN, infinities, negatives, more than 2^53 − 1 microcents, text that is no decimal, and for a
 * fraction of a microcent where `fraction` is `'refuse'`.
 */
export function parseUsd(value: unknown, field: string, fraction: Fraction): number {
  if (typeof value === 'number') {
    // A quotient of two exact integers is rounded correctly, so equality proves that `value` is the double nearest to this
    // decimal of at most 15 digits: the same one that toPrecision(15) would print.
    const microcents = Math.round(value * MICROCENTS_PER_USD)
    if (microcents >= 0 && microcents < EXACT_QUOTIENTS_BELOW && microcents / MICROCENTS_PER_USD === value) return microcents + 0
    if (!Number.isFinite(value)) throw refused(field, value, 'is not a finite number')
    if (value < 0) throw refused(field, value, 'is negative')
    return parseDecimal(value.toPrecision(15), value, field, fraction)
  }
  if (typeof value === 'string') return parseDecimal(value.trim(), value, field, fraction)
  throw refused(field, value, 'is neither a number nor a decimal string')
}

function parseDecimal(text: string, value: Usd, field: string, fraction: Fraction): number {
  const parts = DECIMAL.exec(text)
  if (parts === null) throw refused(field, value, text.startsWith('-') ? 'is negative' : 'is not a decimal')
  const whole = parts[1] ?? ''
  const decimals = parts[2] ?? ''
  const digits = whole + decimals
  // The number is `digits` × 10^(exponent − decimals.length) dollars; `shift` is that power in microcents.
  const shift = Number(parts[3] ?? 0) - decimals.length + FRACTION_DIGITS
  if (/^0*$/.test(digits)) return 0
  if (digits.replace(/^0+/, '').length + shift > 16) throw tooLarge(field, value)
  const kept = shift >= 0 ? digits + '0'.repeat(shift) : digits.slice(0, shift)
  const lost = shift >= 0 ? '' : digits.slice(shift)
  const microcents = BigInt(kept === '' ? 0 : kept)
  const rest = /[1-9]/.test(lost)
  if (rest && fraction === 'refuse') {
    throw refused(field, value, 'is finer than a microcent (0.00000001 USD)', 'Use at most 8 decimals.')
  }
  const rounded = rest ? microcents + 1n : microcents
  if (rounded > BigInt(MAX_AMOUNT)) throw tooLarge(field, value)
  return Number(rounded)
}

/** Microcents as a USD number: the double nearest to the exact amount. */
export function toUsd(microcents: number): number {
  return microcents / MICROCENTS_PER_USD
}

/** Microcents as an exact decimal string with at least two decimals: `3` is `'0.00000003'`, 10,000,000 is `'0.10'`. */
export function formatUsd(microcents: number | bigint): string {
  const sign = microcents < 0 ? '-' : ''
  const digits = String(microcents < 0 ? -microcents : microcents).padStart(FRACTION_DIGITS + 1, '0')
  const decimals = digits.slice(-FRACTION_DIGITS).replace(/0{1,6}$/, '')
  return `${sign}${digits.slice(0, -FRACTION_DIGITS)}.${decimals}`
}

function tooLarge(field: string, value: unknown): InvalidAmountError {
  return refused(field, value, `is more than 2^53 − 1 microcents (${formatUsd(MAX_AMOUNT)} USD)`)
}

function refused(field: string, value: unknown, why: string, remedy = "Give USD as a number ≥ 0 or a decimal string such as '0.10'."): InvalidAmountError {
  const shown = typeof value === 'string' ? JSON.stringify(value) : String(value)
  return new InvalidAmountError(`${field}: ${shown} ${why}. ${remedy}`)
}
