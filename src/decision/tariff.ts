// What a decision asks of prices: the price of a model for this request, or an error that says what is missing. Knows the book
// and the fallback for what stands in none.

import { PricesNotConfigured } from '../errors/index.js'
import { PriceBook, type ModelPrice, type Price, type PriceQuery } from '../pricing/index.js'

const FALLBACK = 'unpriced'

/** The prices that an engine works with. */
export class Tariff {
  readonly book: PriceBook | undefined
  readonly #fallback: PriceBook | undefined

  /** `fallback`: what a model costs that stands in no book; absent: that is an error. */
  constructor(book: PriceBook | undefined, fallback: ModelPrice | undefined) {
    this.book = book
    this.#fallback = fallback === undefined ? undefined : new PriceBook({ models: { [FALLBACK]: fallback } })
  }

  /** True where tokens can be priced at all. */
  get isConfigured(): boolean {
    return this.book !== undefined || this.#fallback !== undefined
  }

  /** True where a model that stands in no book has a price all the same. */
  get hasFallback(): boolean {
    return this.#fallback !== undefined
  }

  /** The price of a model. Throws `UnpricedModelError`, or `PricesNotConfigured` with `otherwise` where there are no prices at all. */
  priceOf(query: PriceQuery, otherwise: string): Price {
    const price = this.find(query)
    if (price !== undefined) return price
    if (this.book === undefined) throw new PricesNotConfigured(otherwise)
    return this.book.priceOf(query)
  }

  /** The same; `undefined` where there is no price. */
  find(query: PriceQuery): Price | undefined {
    return this.book?.find(query) ?? this.#fallback?.priceOf({ model: FALLBACK, at: query.at })
  }

  /** Whose model a cheaper one is: the request's provider's, where that sells it, else nobody's in particular. */
  sellerOf(query: PriceQuery): string | undefined {
    return this.book?.find(query) === undefined && this.find({ ...query, provider: undefined }) !== undefined ? undefined : query.provider
  }

  /** True where both names are names of one model. */
  isSameModel(a: string, b: string, query: Omit<PriceQuery, 'model'>): boolean {
    return a === b || this.book?.isSameModel(a, b, query) === true
  }
}
