// A price compiled: what each thing costs in every tier, as integers over one common divisor. Knows no model and no time.

import { UnpricedModelError } from '../errors/index.js'
import { MICROCENTS_PER_USD } from '../money/index.js'
import { commonMultiple, fraction, readDecimal, type Fraction } from './fraction.js'
import { ANCESTORS, CALLS, METERS, PARENTS } from './meters.js'
import type { ModelPrice, Rate } from './price.js'
import { fingerprint } from './fingerprint.js'

/** What a price comes to for calls of a certain size. All amounts are microcents × {@link CompiledRates.divisor}. */
export interface Level {
  /** Counts for calls with more input tokens than this; the first level for all. */
  readonly above: number
  /** For each meter, by its place: what one more of it adds to the cost of its total (0 where it has no price of its own). */
  readonly factors: readonly bigint[]
  readonly fastFactors: readonly number[]
  /** What each meter costs itself, where it has a price. */
  readonly rates: readonly (bigint | undefined)[]
  readonly perCall: bigint
  readonly fastPerCall: number
}

/** What is left of a meter beside its priced parts: the sum of these counts, each times its weight. */
export interface Remainder {
  readonly meter: number
  readonly terms: readonly (readonly [meter: number, weight: number])[]
}

/** A compiled price. */
export interface CompiledRates {
  readonly divisor: bigint
  /** The divisor as a number, where it and all factors are exact ones; else 0: then only big integers will do. */
  readonly fastDivisor: number
  /** By `above`, the first one from 0. */
  readonly levels: readonly Level[]
  /** Those that must not be negative, because something in them is priced apart. */
  readonly remainders: readonly Remainder[]
  /** Totals without a price. */
  readonly unpriced: readonly number[]
  /** What can be two priced parts at once, with both. */
  readonly overlaps: readonly (readonly [both: number, one: number, other: number])[]
  readonly minAudioSeconds: number
  /** Stands for these very rates, in any notation. */
  readonly fingerprint: string
}

interface ExactRate {
  readonly base: Fraction
  readonly tiers: readonly { readonly above: number; readonly price: Fraction }[]
}

/**
 * Compiles a price that {@link flawIn} finds nothing wrong with. Throws `UnpricedModelError`, naming `model`, for one with a flaw: a
 * catalog may have such.
 */
export function compileRates(price: ModelPrice, model: string): CompiledRates {
  const flaw = flawIn(price)
  if (flaw !== undefined) throw new UnpricedModelError(`model: "${model}" has a price that cannot be applied (${[...flaw.path, flaw.message].join(': ')}). Give its price under prices.models.`, model)
  const exact = METERS.map(({ rate, per }) => readRate(price[rate], per))
  const calls = readRate(price[CALLS.rate], CALLS.per)
  const all = [...exact, calls].filter((rate) => rate !== undefined)
  const divisor = commonMultiple(all.flatMap(({ base, tiers }) => [base.of, ...tiers.map((tier) => tier.price.of)]))
  const starts = [...new Set(all.flatMap(({ tiers }) => tiers.map(({ above }) => above)))].sort((a, b) => a - b)
  const weights = remaindersOf(exact)
  const levels = [-1, ...starts].map((above) => levelAbove(above, exact, calls, weights, divisor))
  const fast = levels.every((level) => [...level.factors, level.perCall].every(isSafe)) && isSafe(divisor)
  return {
    divisor,
    fastDivisor: fast ? Number(divisor) : 0,
    levels,
    remainders: weights.filter(({ terms }) => terms.length > 1),
    unpriced: METERS.flatMap((_, index) => (PARENTS[index]?.length === 0 && exact[index] === undefined ? [index] : [])),
    overlaps: overlapsOf(exact),
    minAudioSeconds: price.minAudioSeconds ?? 0,
    fingerprint: fingerprint(canonicalText(exact, calls, price.minAudioSeconds ?? 0)),
  }
}

/** What keeps a price from being applied, and where; `undefined` for a sound one. */
export function flawIn(price: ModelPrice): { readonly path: readonly string[]; readonly message: string } | undefined {
  let any = price[CALLS.rate] !== undefined
  for (const { rate, per } of [CALLS, ...METERS]) {
    const given = price[rate]
    if (given === undefined) continue
    any = true
    const message = flawInRate(given, per)
    if (message !== undefined) return { path: [rate], message }
  }
  if (!any) return { path: [], message: 'has no rate at all. Give at least one, such as input; 0 is a rate' }
  for (const [index, { rate }] of METERS.entries()) {
    const total = PARENTS[index]?.find((parent) => rateAt(price, parent) === undefined)
    if (price[rate] !== undefined && total !== undefined) return { path: [rate], message: `is part of ${METERS[total]?.rate}, which has no price. Give that one too` }
    const twofold = (PARENTS[index]?.length ?? 0) > 1 && PARENTS[index]?.every((parent) => rateAt(price, parent) !== undefined)
    if (price[rate] === undefined && twofold) return { path: [rate], message: `is missing: ${PARENTS[index]?.map((parent) => METERS[parent]?.rate).join(' and ')} both have a price, and a token can be both` }
  }
  const seconds = price.minAudioSeconds
  if (seconds !== undefined && !(Number.isSafeInteger(seconds) && seconds >= 0)) return { path: ['minAudioSeconds'], message: `${String(seconds)} is no whole number of seconds` }
  return undefined
}

function flawInRate(rate: Rate, per: number): string | undefined {
  const { base, tiers, quantity } = partsOf(rate, per)
  for (const price of [base, ...tiers.map((tier) => tier.price)]) {
    if (readDecimal(price) === undefined) return `${typeof price === 'string' ? JSON.stringify(price) : String(price)} is no rate. Give USD as a number ≥ 0 or a decimal string such as '0.10'`
  }
  const bad = tiers.find(({ above }) => !Number.isSafeInteger(above) || above < 0)
  if (bad !== undefined) return `${String(bad.above)} is no count of input tokens for a tier to start above`
  if (new Set(tiers.map(({ above }) => above)).size < tiers.length) return 'has two tiers that start above the same count. Keep one of them'
  return Number.isSafeInteger(quantity) && quantity > 0 ? undefined : `per: ${String(quantity)} is no whole number above 0`
}

function rateAt(price: ModelPrice, meter: number): Rate | undefined {
  const name = METERS[meter]?.rate
  return name === undefined ? undefined : price[name]
}

function partsOf(rate: Rate, per: number): { base: unknown; tiers: readonly { above: number; price: unknown }[]; quantity: number } {
  if (typeof rate !== 'object') return { base: rate, tiers: [], quantity: per }
  return 'base' in rate ? { base: rate.base, tiers: rate.tiers, quantity: rate.per ?? per } : { base: rate.price, tiers: [], quantity: rate.per }
}

function readRate(rate: Rate | undefined, per: number): ExactRate | undefined {
  if (rate === undefined) return undefined
  const { base, tiers, quantity } = partsOf(rate, per)
  const microcents = (usd: unknown): Fraction => {
    const read = readDecimal(usd) as Fraction
    return fraction(read.parts * BigInt(MICROCENTS_PER_USD), read.of * BigInt(quantity))
  }
  const sorted = tiers.map(({ above, price }) => ({ above, price: microcents(price) })).sort((a, b) => a.above - b.above)
  return { base: microcents(base), tiers: sorted }
}

function priceAbove(rate: ExactRate, above: number): Fraction {
  return rate.tiers.findLast((tier) => tier.above <= above)?.price ?? rate.base
}

function levelAbove(above: number, exact: readonly (ExactRate | undefined)[], calls: ExactRate | undefined, remainders: readonly Remainder[], divisor: bigint): Level {
  const scaled = (rate: ExactRate): bigint => {
    const { parts, of } = priceAbove(rate, above)
    return parts * (divisor / of)
  }
  const rates = exact.map((rate) => (rate === undefined ? undefined : scaled(rate)))
  const factors = METERS.map(() => 0n)
  for (const { meter, terms } of remainders) {
    for (const [part, weight] of terms) factors[part] = (factors[part] as bigint) + (rates[meter] as bigint) * BigInt(weight)
  }
  const perCall = calls === undefined ? 0n : scaled(calls)
  return { above, factors, fastFactors: factors.map(Number), rates, perCall, fastPerCall: Number(perCall) }
}

/** What is left of each priced meter when what is left of each of its priced parts is taken away. */
function remaindersOf(exact: readonly (ExactRate | undefined)[]): Remainder[] {
  const found = new Map<number, Map<number, number>>()
  for (let meter = METERS.length - 1; meter >= 0; meter -= 1) {
    if (exact[meter] === undefined) continue
    const weights = new Map([[meter, 1]])
    for (const [part, ofPart] of found) {
      if (!ANCESTORS[part]?.includes(meter)) continue
      for (const [term, weight] of ofPart) weights.set(term, (weights.get(term) ?? 0) - weight)
    }
    found.set(meter, weights)
  }
  return [...found].map(([meter, weights]) => ({ meter, terms: [...weights].filter(([, weight]) => weight !== 0).sort(([a], [b]) => a - b) }))
}

function overlapsOf(exact: readonly (ExactRate | undefined)[]): (readonly [number, number, number])[] {
  return METERS.flatMap((_, index) => {
    const [one, other] = PARENTS[index] as readonly number[]
    return exact[index] === undefined || one === undefined || other === undefined ? [] : [[index, one, other] as const]
  })
}

function canonicalText(exact: readonly (ExactRate | undefined)[], calls: ExactRate | undefined, minAudioSeconds: number): string {
  const written = ({ parts, of }: Fraction): string => `${parts}/${of}`
  const lines = [...exact, calls].map((rate, index) => {
    if (rate === undefined) return ''
    return `${METERS[index]?.rate ?? CALLS.rate}=${written(rate.base)}${rate.tiers.map(({ above, price }) => `,${above}:${written(price)}`).join('')}`
  })
  return [...lines.filter((line) => line !== ''), ...(minAudioSeconds > 0 ? [`minAudioSeconds=${minAudioSeconds}`] : [])].join('\n')
}

function isSafe(integer: bigint): boolean {
  return integer <= BigInt(Number.MAX_SAFE_INTEGER) && integer >= -BigInt(Number.MAX_SAFE_INTEGER)
}
