// Exact numbers for rates: decimals read as they are written, as fractions of integers. Knows nothing of money.

/** A fraction of integers, in lowest terms; `of` is above 0. */
export interface Fraction {
  readonly parts: bigint
  readonly of: bigint
}

const DECIMAL = /^\+?(\d+)(?:\.(\d*))?(?:[eE]([+-]?\d{1,3}))?$/
const MOST_DIGITS = 60

/**
 * Reads a decimal that is 0 or above: a number by its shortest text (`0.003625`), a string as it is written. `undefined` for anything else,
 * also for what has more than 60 digits.
 */
export function readDecimal(value: unknown): Fraction | undefined {
  if (typeof value !== 'number' && typeof value !== 'string') return undefined
  const parts = DECIMAL.exec(String(value).trim())
  if (parts === null) return undefined
  const decimals = parts[2] ?? ''
  const power = Number(parts[3] ?? 0) - decimals.length
  const digits = (parts[1] as string) + decimals
  if (digits.length + Math.abs(power) > MOST_DIGITS) return undefined
  return power >= 0 ? { parts: BigInt(digits) * 10n ** BigInt(power), of: 1n } : fraction(BigInt(digits), 10n ** BigInt(-power))
}

/** In lowest terms. */
export function fraction(parts: bigint, of: bigint): Fraction {
  const divisor = greatestCommonDivisor(parts, of)
  return { parts: parts / divisor, of: of / divisor }
}

/** The smallest number that all of them divide. */
export function commonMultiple(numbers: Iterable<bigint>): bigint {
  let multiple = 1n
  for (const number of numbers) multiple = (multiple / greatestCommonDivisor(multiple, number)) * number
  return multiple
}

/** The quotient of two integers that are not negative, rounded up. */
export function divideUp(parts: bigint, of: bigint): bigint {
  return (parts + of - 1n) / of
}

function greatestCommonDivisor(a: bigint, b: bigint): bigint {
  while (b !== 0n) [a, b] = [b, a % b]
  return a
}
