// The way down from a model to cheaper ones. Exact names only: `gpt-4o-mini` is never taken for `gpt-4o`; and where there are prices,
// cheaper is what costs less, not what is called so.

import { InvalidConfigError, InvalidRequestError } from '../errors/index.js'
import { formatUsd, parseCount, toUsd } from '../money/index.js'
import type { PriceBook } from './price-book.js'
import type { Price } from './price.js'

/** For each model the next cheaper one, or the whole way down: `{ 'gpt-4o': 'gpt-4o-mini' }`. */
export type LadderConfig = Readonly<Record<string, string | readonly string[]>>

/** What a ladder is checked against. */
export interface LadderPrices {
  readonly book: PriceBook
  /** ms since the epoch. */
  readonly at: number
  /** Models that stand in no book are priced elsewhere, and pass. */
  readonly mayBeUnpriced: boolean
}

/** What a call saves on a cheaper model, in USD. */
export interface CostSavings {
  readonly from: string
  readonly to: string
  readonly cost: number
  readonly cheaperCost: number
  readonly saved: number
  /** Of `cost`, rounded down to 0.01; 0 where it costs nothing. */
  readonly savedPct: number
  readonly exact: { readonly costMicrocents: number; readonly cheaperMicrocents: number; readonly savedMicrocents: number }
}

/** Below the tiers of long calls, and round enough to be shown as a price for a million. */
const COMPARED_TOKENS = 100_000
const A_MILLION = 1_000_000
/** More names than requests name in earnest. */
const MOST_OTHER_NAMES = 1_000

/** A checked ladder. */
export class Ladder {
  readonly #chains = new Map<string, readonly string[]>()
  readonly #bottoms = new Set<string>()
  readonly #prices: LadderPrices | undefined
  readonly #otherNames = new Map<string, string | undefined>()

  /**
   * Throws `InvalidConfigError` for a ladder that leads back to where it came from, and, where there are prices, for a step that is
   * not cheaper: at no time of the day and for no tenant may the lower model be dearer by the token of plain text, read or written, or by the call, and one
   * must cost less. (Where long calls have prices of their own, a lower model may be dearer for those: such a rung is left out for such a request.)
   */
  constructor(config: LadderConfig, prices?: LadderPrices) {
    this.#prices = prices
    for (const model of Object.keys(config)) {
      const chain = chainOf(config, model)
      this.#chains.set(model, chain)
      for (const cheaper of chain.slice(1)) this.#bottoms.add(cheaper)
    }
    if (prices !== undefined) for (const chain of this.#chains.values()) assertCheaper(chain, prices)
  }

  /** The models from the one asked for to the cheapest; only itself for a model without a cheaper one. */
  chain(model: string): readonly string[] {
    return this.#chains.get(model) ?? [model]
  }

  /** The same. */
  getDegradationChain(model: string): readonly string[] {
    return this.chain(model)
  }

  /** The next model down; `undefined` for one without. */
  getCheaperModel(model: string): string | undefined {
    return this.chain(model)[1]
  }

  /** True for a model that stands anywhere on the ladder, also at its bottom. */
  knows(model: string): boolean {
    return this.#chains.has(model) || this.#bottoms.has(model)
  }

  /**
   * The name under which the ladder has a model: its own, or that of which the prices say that it is the same model (`gpt-4o` for
   * `gpt-4o-2024-08-06`); `undefined` for one that it does not have.
   */
  nameOf(model: string, of: { readonly provider?: string | undefined; readonly tenant?: string | undefined } = {}): string | undefined {
    if (this.knows(model)) return model
    if (this.#prices === undefined) return undefined
    const key = JSON.stringify([model, of.provider, of.tenant])
    if (this.#otherNames.has(key)) return this.#otherNames.get(key)
    const { book, at } = this.#prices
    const query = { provider: of.provider, tenant: of.tenant, at }
    const found = book.find({ ...query, model }) === undefined ? undefined : [...this.#chains.keys(), ...this.#bottoms].find((known) => book.isSameModel(known, model, query))
    if (this.#otherNames.size >= MOST_OTHER_NAMES) this.#otherNames.clear()
    this.#otherNames.set(key, found)
    return found
  }

  /**
   * What a call of so many tokens saves on the next model down, or on `to`, at the prices of the start or of `at` (ms since the epoch); `undefined` where
   * there is no model below. Throws `InvalidConfigError` without prices, `UnpricedModelError` for a model that has none.
   */
  estimateCostSavings(model: string, tokens: { readonly inputTokens: number; readonly outputTokens: number }, options: { readonly to?: string | undefined; readonly tenant?: string | undefined; readonly at?: number | undefined } = {}): CostSavings | undefined {
    if (this.#prices === undefined) throw new InvalidConfigError('prices: are not configured, and savings follow from them. Configure prices (priceBook() of bursar/prices).')
    const to = options.to ?? this.getCheaperModel(model)
    if (to === undefined) return undefined
    if (!this.chain(model).slice(1).includes(to)) throw new InvalidRequestError(`to: "${to}" does not stand below "${model}" on the ladder (${this.chain(model).join(' → ')}). Name one that does.`)
    const usage = { inputTokens: parseCount(tokens.inputTokens, 'inputTokens'), outputTokens: parseCount(tokens.outputTokens, 'outputTokens') }
    const { book, at } = this.#prices
    const costOf = (name: string): number => book.priceOf({ model: name, tenant: options.tenant, at: options.at ?? at }).costOf(usage)
    const costMicrocents = costOf(model)
    const cheaperMicrocents = costOf(to)
    const savedMicrocents = costMicrocents - cheaperMicrocents
    return Object.freeze({
      from: model,
      to,
      cost: toUsd(costMicrocents),
      cheaperCost: toUsd(cheaperMicrocents),
      saved: toUsd(savedMicrocents),
      savedPct: costMicrocents === 0 ? 0 : Number((BigInt(savedMicrocents) * 10_000n) / BigInt(costMicrocents)) / 100,
      exact: Object.freeze({ costMicrocents, cheaperMicrocents, savedMicrocents }),
    })
  }
}

function chainOf(config: LadderConfig, model: string): readonly string[] {
  const chain: string[] = []
  const next = [model]
  while (next.length > 0) {
    const current = next.shift() as string
    if (chain.includes(current)) throw new InvalidConfigError(`ladder.${model}: leads from "${current}" back to itself (${[...chain, current].join(' → ')}). Remove one of these steps.`)
    chain.push(current)
    const below = Object.hasOwn(config, current) && next.length === 0 ? config[current] : undefined
    if (below !== undefined) next.push(...(typeof below === 'string' ? [below] : below))
  }
  return Object.freeze(chain)
}

function assertCheaper(chain: readonly string[], prices: LadderPrices): void {
  chain.slice(1).forEach((lower, index) => {
    const upper = chain[index] as string
    for (const tenant of [undefined, ...prices.book.tenants]) {
      for (const at of instantsOf([upper, lower], tenant, prices)) assertStep(upper, lower, tenant, at, prices)
    }
  })
}

function instantsOf(models: readonly string[], tenant: string | undefined, { book, at }: LadderPrices): Set<number> {
  return new Set([at, ...models.flatMap((model) => (book.find({ model, tenant, at }) === undefined ? [] : book.instants({ model, tenant, at })))])
}

function assertStep(upper: string, lower: string, tenant: string | undefined, at: number, { book, mayBeUnpriced }: LadderPrices): void {
  const [dear, cheap] = [upper, lower].map((model) => (mayBeUnpriced ? book.find({ model, tenant, at }) : priced(book, model, tenant, at, upper)))
  if (dear === undefined || cheap === undefined) return
  const pairs = (['inputTokens', 'outputTokens'] as const).flatMap((field) => [COMPARED_TOKENS, 1].map((tokens) => [costOf(dear, field, tokens), costOf(cheap, field, tokens)] as const))
  const isComparable = pairs.every(([a, b]) => (a === undefined) === (b === undefined))
  const known = pairs.filter((pair): pair is readonly [number, number] => pair[0] !== undefined && pair[1] !== undefined)
  if (isComparable && known.every(([a, b]) => b <= a) && known.some(([a, b]) => b < a)) return
  const when = tenant === undefined ? '' : ` for tenant "${tenant}"`
  throw new InvalidConfigError(`ladder.${upper}: "${lower}" is not cheaper${when} at ${new Date(at).toISOString()}: for a million tokens "${upper}" costs ${figures(dear)}, "${lower}" ${figures(cheap)} (USD). Put a model below it that costs no more for either, and less for one.`)
}

function priced(book: PriceBook, model: string, tenant: string | undefined, at: number, upper: string): Price {
  const price = book.find({ model, tenant, at })
  if (price !== undefined) return price
  throw new InvalidConfigError(`ladder.${upper}: "${model}" has no price in the price book, so nobody can say whether the ladder leads down. Give it one under prices.models, or configure estimate(request, model).`)
}

/** `undefined`: this price has no word for such tokens. */
function costOf(price: Price, field: 'inputTokens' | 'outputTokens', tokens = COMPARED_TOKENS): number | undefined {
  try {
    return price.costOf({ [field]: tokens })
  } catch {
    return undefined
  }
}

function figures(price: Price): string {
  const show = (field: 'inputTokens' | 'outputTokens'): string => {
    const cost = costOf(price, field)
    return cost === undefined ? 'nothing known' : formatUsd(cost * (A_MILLION / COMPARED_TOKENS))
  }
  return `${show('inputTokens')} in and ${show('outputTokens')} out`
}
