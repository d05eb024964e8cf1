// What one call has used, in one shape for every provider. A provider's own usage object is converted, never guessed at.

import type { Usd } from '../money/index.js'

/**
 * What one call has used. Counts of tokens are whole numbers; `inputTokens` and `outputTokens` are totals, and the fields below
 * them say which part of them is priced otherwise. What a model has no special price for costs what the total costs.
 */
export interface Usage {
  /** All tokens that the model read, those from a cache and those written to one included. */
  readonly inputTokens?: number | undefined
  /** Of `inputTokens`: read from a cache. */
  readonly cachedInputTokens?: number | undefined
  /** Of `inputTokens`: written to a cache, for however long. */
  readonly cacheWriteTokens?: number | undefined
  /** Of `cacheWriteTokens`: written for an hour. */
  readonly cacheWrite1hTokens?: number | undefined
  /** Of `inputTokens`. */
  readonly inputAudioTokens?: number | undefined
  /** Of `inputAudioTokens` and of `cachedInputTokens`. */
  readonly cachedInputAudioTokens?: number | undefined
  /** Of `inputTokens`. */
  readonly inputImageTokens?: number | undefined
  /** Of `inputImageTokens` and of `cachedInputTokens`. */
  readonly cachedInputImageTokens?: number | undefined
  /** Of `inputTokens`. */
  readonly inputVideoTokens?: number | undefined
  /** All tokens that the model wrote, its reasoning included. */
  readonly outputTokens?: number | undefined
  /** Of `outputTokens`. */
  readonly reasoningTokens?: number | undefined
  /** Of `outputTokens`. */
  readonly outputAudioTokens?: number | undefined
  /** Of `outputTokens`. */
  readonly outputImageTokens?: number | undefined
  /** Of `outputTokens`. */
  readonly outputVideoTokens?: number | undefined
  /** Of `outputTokens`. */
  readonly citationTokens?: number | undefined
  readonly webSearches?: number | undefined
  /** Searches in files that the provider stores. */
  readonly storageSearches?: number | undefined
  readonly documentPages?: number | undefined
  /** Of `documentPages`. */
  readonly annotatedDocumentPages?: number | undefined
  readonly textMessages?: number | undefined
  /** Seconds of audio, in or out; decimals are read to 15 significant digits. */
  readonly audioSeconds?: number | undefined
  /** Of `audioSeconds`: of audio in. */
  readonly inputAudioSeconds?: number | undefined
  /** Of a service that is priced by the image. */
  readonly images?: number | undefined
  /** Of a service that is priced by the second; decimals are read to 15 significant digits. */
  readonly seconds?: number | undefined
  /** What the provider itself says that the call cost, in USD. Where it says so, nothing is worked out. */
  readonly cost?: Usd | undefined
}
