// Percentages of a limit as integers that a store can test, and the same percentages as people read them. The two agree on
// every amount: that is what lets a store enforce what a policy says (admission, DESIGN 3.2).

import { InvalidConfigError } from '../errors/index.js'

/**
 * The fullness at which a policy changes its answer, in percent of the limit: a multiple of 0.01, above 0 and at most 100.
 * Below 100 a request that reaches the percentage hits it; 100 means exceeded: landing exactly on the limit still passes.
 */
export interface Thresholds {
  readonly warn?: number | undefined
  readonly degrade?: number | undefined
  readonly block?: number | undefined
}

/** A threshold of one window in its unit: a request may end at `max` at the most, and none may start at `pre` or above. */
export interface Ceiling {
  readonly max: number
  readonly pre: number
}

const BASIS = 10_000

/** The ceiling that `thresholdPct` sets on `limit`, in integers (DESIGN 3.2). */
export function ceilingOf(limit: number, thresholdPct: number): Ceiling {
  if (thresholdPct === 100) return { max: limit, pre: limit }
  const basisPoints = Math.round(thresholdPct * 100)
  const quotient = Math.floor(limit / BASIS)
  const max = basisPoints * quotient + Math.ceil((basisPoints * (limit % BASIS)) / BASIS) - 1
  return { max, pre: max + 1 }
}

/** True when a request of `amount` hits the ceiling of a window in which `used` (spent + held) already counts. */
export function hits(ceiling: Ceiling, used: number, amount: number): boolean {
  return amount > ceiling.max - used || used >= ceiling.pre
}

/** The lower of two ceilings: where several policies judge one window, the strictest one rules. */
export function lowerCeiling(a: Ceiling | null, b: Ceiling): Ceiling {
  if (a === null) return b
  return b.max < a.max || (b.max === a.max && b.pre < a.pre) ? b : a
}

/**
 * How full `used` makes a limit, in percent: rounded down to 0.01 up to the limit, up above it, so that comparing it with a
 * threshold gives what {@link hits} gives. A limit of 0 is 100.
 */
export function percentOf(limit: number, used: number): number {
  if (limit === 0) return 100
  const wide = used > Number.MAX_SAFE_INTEGER / BASIS
  if (used <= limit) return (wide ? Number((BigInt(used) * 10_000n) / BigInt(limit)) : Math.floor((used * BASIS) / limit)) / 100
  const scaled = BigInt(used) * 10_000n
  const divisor = BigInt(limit)
  return Number(scaled / divisor + (scaled % divisor === 0n ? 0n : 1n)) / 100
}

/** Checks thresholds that somebody wrote. Throws `InvalidConfigError` naming the field, the value and what would be right. */
export function checkThresholds(thresholds: Thresholds, field: string): Thresholds {
  const known = ['warn', 'degrade', 'block']
  if (typeof thresholds !== 'object' || thresholds === null) throw new InvalidConfigError(`${field}: ${String(thresholds)} is not an object. Give { warn?, degrade?, block? } in percent.`)
  for (const [name, value] of Object.entries(thresholds)) {
    if (!known.includes(name)) throw new InvalidConfigError(`${field}.${name}: is no threshold. Use ${known.join(', ')}.`)
    if (value === undefined) continue
    const basisPoints = Math.round((value as number) * 100)
    if (typeof value !== 'number' || !(value > 0 && value <= 100) || basisPoints / 100 !== value) {
      throw new InvalidConfigError(`${field}.${name}: ${String(value)} is no percentage. Give a multiple of 0.01, above 0 and at most 100.`)
    }
  }
  return Object.freeze({ ...thresholds })
}
