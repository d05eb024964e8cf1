// What a stream has used so far, by what its pieces say: the provider's count where it gave one, else an upper bound of what can be
// seen, marked as estimated. Knows no prices.

import type { Outcome } from '../decision/index.js'
import { tokensAtMost, type Usage } from '../pricing/index.js'
import type { StreamReading } from './reading.js'

/** What the request says of its tokens, for where the provider says nothing. */
export interface KnownTokens {
  /** The most tokens that the call reads. */
  readonly inputTokens?: number | undefined
  /** The most that it may write. */
  readonly maxOutputTokens?: number | undefined
}

// Says nothing, so that nobody can price it, and the whole estimate is charged.
const NOTHING_KNOWN: Usage = Object.freeze({})

/** Adds up nothing: what the last readings say is what was used. */
export class UsedSoFar {
  readonly #known: KnownTokens
  #usage: Usage | undefined
  #model: string | undefined
  #provider: string | undefined
  #isFinal = false
  #pieces = 0
  #readings = 0
  #writtenAtMost = 0

  constructor(known: KnownTokens) {
    this.#known = known
  }

  /** Takes in a piece that was delivered, with what it says. */
  add(reading: StreamReading | undefined): void {
    this.#pieces += 1
    if (reading === undefined) return
    this.#readings += 1
    const { model, provider, usage, isFinal, text } = reading
    this.#model = model ?? this.#model
    this.#provider = provider ?? this.#provider
    if (text !== undefined) this.#writtenAtMost += tokensAtMost(text)
    if (usage === undefined) return
    const said = Object.entries(usage).filter(([, count]) => count !== undefined)
    this.#usage = { ...this.#usage, ...Object.fromEntries(said) }
    if (isFinal === true) this.#isFinal = true
  }

  /**
   * What to settle. Where the provider has not had its last word: its count so far, at least the text that was seen (one token for each
   * byte, up to the most that may be written), `estimated`. Where nothing says what was read, or pieces came that nobody could read,
   * there is no usage in it that has a price.
   */
  outcome(): Outcome {
    const answered = { ...(this.#model !== undefined && { model: this.#model }), ...(this.#provider !== undefined && { provider: this.#provider }) }
    const usage = this.#usage ?? NOTHING_KNOWN
    const { inputTokens, outputTokens } = usage
    if (this.#isFinal && (inputTokens !== undefined || outputTokens === undefined || usage.cost !== undefined)) return { usage, ...answered }
    return { usage: this.#estimated(usage), ...answered, estimated: true }
  }

  #estimated(usage: Usage): Usage {
    const { inputTokens = this.#known.inputTokens, outputTokens = 0 } = usage
    if (inputTokens === undefined || (this.#pieces > 0 && this.#readings === 0)) return usage.cost === undefined ? NOTHING_KNOWN : usage
    if (this.#isFinal) return { ...usage, inputTokens }
    const written = Math.min(this.#writtenAtMost, this.#known.maxOutputTokens ?? this.#writtenAtMost)
    return { ...usage, inputTokens, outputTokens: Math.max(outputTokens, written) }
  }
}
