// The price of one model at one moment: exact arithmetic on compiled rates, rounded up once. In plain numbers wherever they are exact.

import { InvalidAmountError, InvalidRequestError, UnpricedModelError } from '../errors/index.js'
import { MAX_AMOUNT, parseCount } from '../money/index.js'
import { readCounts, readReported } from './counts.js'
import { divideUp } from './fraction.js'
import { METERS, meterIndex, PARENTS } from './meters.js'
import type { ModelPrice, Price, TokenKind } from './price.js'
import { compileRates, type CompiledRates, type Level } from './rates.js'
import type { Usage } from './usage.js'

const INPUT_TOKENS = meterIndex('inputTokens') as number
const OUTPUT_TOKENS = meterIndex('outputTokens') as number
const AUDIO_SECONDS = meterIndex('audioSeconds') as number
const DECIMAL_METERS: readonly number[] = METERS.flatMap(({ decimal }, index) => (decimal === true ? [index] : []))

/** The kinds of tokens that are not plain text. */
export const TOKEN_KINDS: readonly TokenKind[] = ['cache-write', 'cache-write-1h', 'audio', 'image', 'video', 'reasoning', 'citation']
const ALL_KINDS = 2 ** TOKEN_KINDS.length - 1

/** Whose price it is: the version begins with `origin`. */
export interface PriceName {
  readonly model: string
  readonly provider: string | undefined
  readonly origin: string
}

/** The dearest token of each direction, in every level. */
type Dearest = readonly { readonly input: bigint; readonly output: bigint; readonly fastInput: number; readonly fastOutput: number }[]

/** A {@link Price} of a {@link ModelPrice}. */
export class CompiledPrice implements Price {
  readonly model: string
  readonly provider: string | undefined
  readonly version: string
  readonly contextWindow: number | undefined
  readonly maxOutputTokens: number | undefined
  readonly rates: Price['rates']
  readonly #compiled: CompiledRates
  readonly #dearest = new Map<number, Dearest>()

  /** Throws `UnpricedModelError` for a price that cannot be applied. */
  constructor({ model, provider, origin }: PriceName, price: ModelPrice) {
    this.#compiled = compileRates(price, model)
    this.model = model
    this.provider = provider
    this.version = `${origin}@${this.#compiled.fingerprint}`
    this.contextWindow = price.contextWindow
    this.maxOutputTokens = price.maxOutputTokens
    this.rates = ratesOf(price)
    Object.freeze(this)
  }

  costOf(usage: Usage): number {
    const reported = readReported(usage)
    if (reported !== undefined) return reported.microcents
    const counts = readCounts(usage)
    this.#check(usage, counts)
    const { fastDivisor, levels } = this.#compiled
    const level = levels.length === 1 ? (levels[0] as Level) : levelFor(levels, counts[INPUT_TOKENS] as number)
    const charged = this.#compiled.minAudioSeconds > 0 ? this.#withLeastAudio(counts) : counts
    return (fastDivisor > 0 ? fastCost(level, charged, fastDivisor) : undefined) ?? this.#exactCost(level, charged)
  }

  mostFor(inputTokens: number, outputTokens: number, kinds?: readonly TokenKind[]): number {
    parseCount(inputTokens, 'inputTokens')
    parseCount(outputTokens, 'outputTokens')
    if (inputTokens > 0) this.#assertPriced(INPUT_TOKENS, inputTokens)
    if (outputTokens > 0) this.#assertPriced(OUTPUT_TOKENS, outputTokens)
    const dearest = this.#dearestOf(kinds === undefined ? ALL_KINDS : bitsOf(kinds))
    const { levels } = this.#compiled
    let most = 0
    for (let index = 0; index < levels.length; index += 1) {
      const level = levels[index] as Level
      if (level.above >= inputTokens && index > 0) break
      // A call has to stay below the next tier for this one to count.
      const reach = Math.min(inputTokens, levels[index + 1]?.above ?? inputTokens)
      most = Math.max(most, this.#mostAt(level, dearest[index] as Dearest[number], reach, outputTokens))
    }
    return most
  }

  #check(usage: Usage, counts: readonly number[]): void {
    const { unpriced, overlaps, remainders } = this.#compiled
    for (const meter of unpriced) {
      if ((counts[meter] as number) > 0) this.#assertPriced(meter, counts[meter] as number)
    }
    for (const [both, one, other] of overlaps) {
      const field = METERS[both]?.field as keyof Usage
      if ((counts[one] as number) > 0 && (counts[other] as number) > 0 && usage[field] === undefined) {
        throw new InvalidRequestError(`usage.${field}: is missing, and there are ${METERS[one]?.field} and ${METERS[other]?.field}. Say how many are both; 0 is an answer.`)
      }
    }
    for (const { meter, terms } of remainders) {
      let rest = 0
      for (const [term, weight] of terms) rest += (counts[term] as number) * weight
      if (rest < 0) throw this.#partsAboveTotal(meter, terms, counts)
    }
  }

  #partsAboveTotal(meter: number, terms: readonly (readonly [number, number])[], counts: readonly number[]): InvalidRequestError {
    const parts = terms.filter(([term, weight]) => weight < 0 && (counts[term] as number) > 0).map(([term]) => `${METERS[term]?.field} (${counts[term]})`)
    return new InvalidRequestError(`usage.${METERS[meter]?.field}: ${counts[meter]} is less than its parts together: ${parts.join(', ')}. Give a total that includes them.`)
  }

  #assertPriced(meter: number, count: number): void {
    if (!this.#compiled.unpriced.includes(meter)) return
    const { field, rate } = METERS[meter] as (typeof METERS)[number]
    throw new UnpricedModelError(`usage.${field}: ${count}, and the price of "${this.model}" (${this.version}) has no rate for it. Give ${rate} in its price under prices.models; 0 is a rate.`, this.model)
  }

  #withLeastAudio(counts: readonly number[]): readonly number[] {
    const seconds = counts[AUDIO_SECONDS] as number
    const least = this.#compiled.minAudioSeconds
    if (seconds === 0 || seconds >= least) return counts
    return counts.map((count, meter) => (meter === AUDIO_SECONDS ? least : count))
  }

  #exactCost(level: Level, counts: readonly number[]): number {
    // Decimals are brought to integers by the largest power of ten among them.
    const decimals = DECIMAL_METERS.map((meter) => exactly(counts[meter] as number))
    const scale = decimals.reduce((largest, { of }) => (of > largest ? of : largest), 1n)
    let total = level.perCall * scale
    for (const [meter, count] of counts.entries()) {
      if (count === 0) continue
      const { parts, of } = exactly(count)
      total += (level.factors[meter] as bigint) * parts * (scale / of)
    }
    return withinReach(divideUp(total, this.#compiled.divisor * scale), 'usage')
  }

  #dearestOf(kinds: number): Dearest {
    const known = this.#dearest.get(kinds)
    if (known !== undefined) return known
    const allowed = METERS.flatMap(({ tokens, kind }, meter) => (tokens !== undefined && (kind === undefined || (kinds & bitOf(kind)) !== 0) ? [meter] : []))
    const dearest = this.#compiled.levels.map(({ rates }) => {
      const most = (direction: 'in' | 'out'): bigint =>
        allowed.filter((meter) => METERS[meter]?.tokens === direction).flatMap((meter) => ratesThatCount(rates, meter)).reduce((a, b) => (a > b ? a : b), 0n)
      const [input, output] = [most('in'), most('out')]
      return { input, output, fastInput: Number(input), fastOutput: Number(output) }
    })
    this.#dearest.set(kinds, dearest)
    return dearest
  }

  #mostAt(level: Level, { input, output, fastInput, fastOutput }: Dearest[number], inputTokens: number, outputTokens: number): number {
    const { divisor, fastDivisor } = this.#compiled
    const total = fastInput * inputTokens + fastOutput * outputTokens + level.fastPerCall
    if (fastDivisor > 0 && total <= MAX_AMOUNT) return divideUpFast(total, fastDivisor)
    return withinReach(divideUp(input * BigInt(inputTokens) + output * BigInt(outputTokens) + level.perCall, divisor), 'inputTokens, outputTokens')
  }
}

/** The rate of a meter, or those of the totals that stand in for it. */
function ratesThatCount(rates: Level['rates'], meter: number): bigint[] {
  const rate = rates[meter]
  return rate !== undefined ? [rate] : (PARENTS[meter] as readonly number[]).flatMap((parent) => ratesThatCount(rates, parent))
}

function levelFor(levels: readonly Level[], inputTokens: number): Level {
  let index = levels.length - 1
  while (index > 0 && inputTokens <= (levels[index] as Level).above) index -= 1
  return levels[index] as Level
}

/** `undefined` where plain numbers might not be exact. */
function fastCost(level: Level, counts: readonly number[], divisor: number): number | undefined {
  const factors = level.fastFactors
  let total = level.fastPerCall
  let size = total
  for (let meter = 0; meter < counts.length; meter += 1) {
    const count = counts[meter] as number
    if (count === 0) continue
    const product = count * (factors[meter] as number)
    total += product
    size += Math.abs(product)
  }
  // While the sum of all sizes is below 2^53, every product and every partial sum is exact.
  if (size > MAX_AMOUNT) return undefined
  for (const meter of DECIMAL_METERS) if (!Number.isInteger(counts[meter])) return undefined
  return divideUpFast(total, divisor)
}

function divideUpFast(total: number, divisor: number): number {
  const rest = total % divisor
  return (total - rest) / divisor + (rest > 0 ? 1 : 0)
}

function exactly(count: number): { readonly parts: bigint; readonly of: bigint } {
  if (Number.isInteger(count)) return { parts: BigInt(count), of: 1n }
  const [digits = '', power = '0'] = count.toExponential(14).replace('.', '').split('e')
  const exponent = Number(power) - 14
  return exponent >= 0 ? { parts: BigInt(digits) * 10n ** BigInt(exponent), of: 1n } : { parts: BigInt(digits), of: 10n ** BigInt(-exponent) }
}

function withinReach(microcents: bigint, field: string): number {
  if (microcents <= BigInt(MAX_AMOUNT)) return Number(microcents)
  throw new InvalidAmountError(`${field}: costs ${microcents} microcents, more than 2^53 − 1. Give counts of a single call.`)
}

function bitsOf(kinds: readonly TokenKind[]): number {
  let bits = 0
  for (const kind of kinds) {
    if (!TOKEN_KINDS.includes(kind)) throw new InvalidRequestError(`tokenKinds: ${JSON.stringify(kind)} is no kind of token. Use ${TOKEN_KINDS.join(', ')}.`)
    bits |= bitOf(kind)
  }
  return bits
}

function bitOf(kind: TokenKind): number {
  return 1 << TOKEN_KINDS.indexOf(kind)
}

function ratesOf({ minAudioSeconds: _least, contextWindow: _window, maxOutputTokens: _most, ...rates }: ModelPrice): Price['rates'] {
  return Object.freeze(rates)
}
