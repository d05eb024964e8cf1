// What one model costs at one moment: the shapes in which prices are given, asked for and answered.

import type { Usd } from '../money/index.js'
import type { Usage } from './usage.js'

/** A price that depends on how many input tokens the whole call has: the last tier whose `above` they pass counts for all of its tokens. */
export interface TieredRate {
  readonly base: Usd
  readonly tiers: readonly { readonly above: number; readonly price: Usd }[]
  /** See {@link QuantityRate}. */
  readonly per?: number | undefined
}

/** USD for so many, instead of for what the name says: `perAudioSecond: { price: 0.36, per: 3600 }` is 36 cents for an hour. */
export interface QuantityRate {
  readonly price: Usd
  readonly per: number
}

/** USD, exactly as written: a number counts by its shortest decimal text, a string digit by digit. */
export type Rate = Usd | TieredRate | QuantityRate

/**
 * What a model or a service costs. Tokens: USD for a million. 0 is a price: a model of your own that costs nothing. A part needs the price
 * of its total beside it (`reasoning` that of `output`), and what can be two parts at once a price of its own (`cachedInputAudio`).
 */
export interface ModelPrice {
  readonly input?: Rate | undefined
  readonly cachedInput?: Rate | undefined
  readonly cacheWrite?: Rate | undefined
  readonly cacheWrite1h?: Rate | undefined
  readonly inputAudio?: Rate | undefined
  readonly cachedInputAudio?: Rate | undefined
  readonly inputImage?: Rate | undefined
  readonly cachedInputImage?: Rate | undefined
  readonly inputVideo?: Rate | undefined
  readonly output?: Rate | undefined
  readonly reasoning?: Rate | undefined
  readonly outputAudio?: Rate | undefined
  readonly outputImage?: Rate | undefined
  readonly outputVideo?: Rate | undefined
  readonly citation?: Rate | undefined
  /** USD for each call, whatever it uses. */
  readonly perCall?: Rate | undefined
  readonly perWebSearch?: Rate | undefined
  readonly perStorageSearch?: Rate | undefined
  readonly perDocumentPage?: Rate | undefined
  readonly perAnnotatedDocumentPage?: Rate | undefined
  readonly perTextMessage?: Rate | undefined
  readonly perAudioSecond?: Rate | undefined
  readonly perInputAudioSecond?: Rate | undefined
  readonly perImage?: Rate | undefined
  readonly perSecond?: Rate | undefined
  /** A call with less audio is charged for so many seconds of it. */
  readonly minAudioSeconds?: number | undefined
  /** The most tokens that a call can have, in and out. */
  readonly contextWindow?: number | undefined
  /** The most tokens that the model can write. */
  readonly maxOutputTokens?: number | undefined
}

/** What a rate can be for. */
export type RateName = Exclude<keyof ModelPrice, 'minAudioSeconds' | 'contextWindow' | 'maxOutputTokens'>

/** A price with the time at which it counts: from the start of a day (UTC), between two times of each day (UTC), or both absent: always. */
export interface DatedPrice extends ModelPrice {
  /** `'2026-01-31'`. */
  readonly from?: string | undefined
  /** `{ from: '16:30', to: '00:30' }`, in UTC, also with seconds; `to` is exclusive. */
  readonly daily?: { readonly from: string; readonly to: string } | undefined
}

/** One price, or several, in the order of their days, of which the last one that counts at the moment is taken (the first one where none does). */
export type ModelPrices = ModelPrice | readonly DatedPrice[]

/** Which price is asked for. */
export interface PriceQuery {
  readonly model: string
  readonly provider?: string | undefined
  readonly tenant?: string | undefined
  /** ms since the epoch. */
  readonly at: number
}

/** Kinds of tokens that cost something other than plain text. */
export type TokenKind = 'cache-write' | 'cache-write-1h' | 'audio' | 'image' | 'video' | 'reasoning' | 'citation'

/** The price of one model at one moment, compiled to integers. */
export interface Price {
  /** The name under which the price stands: one for all names of the same model. */
  readonly model: string
  readonly provider: string | undefined
  /** Stands for these very rates: equal rates of one model have an equal version, whatever the release of the catalog. */
  readonly version: string
  readonly contextWindow: number | undefined
  readonly maxOutputTokens: number | undefined
  /** The rates in force, as they were given: for people to read. */
  readonly rates: Readonly<Partial<Record<RateName, Rate | undefined>>>
  /**
   * What the usage costs, in microcents, rounded up once (or what the provider reported). Throws `InvalidAmountError` for what is no
   * count, `InvalidRequestError` for parts that exceed their total and for usage that says nothing, `UnpricedModelError` for usage that
   * this price has no word for.
   */
  costOf(usage: Usage): number
  /**
   * The most that a call can cost with at most so many tokens, in microcents: each token at the dearest rate that it may have, at the
   * dearest tier within reach. `kinds` says which tokens beside plain text (and text read from a cache) there may be; absent: all.
   * What is no token (searches, pages, seconds, images) is not in it. Throws `InvalidAmountError` and `UnpricedModelError` as above.
   */
  mostFor(inputTokens: number, outputTokens: number, kinds?: readonly TokenKind[]): number
}
