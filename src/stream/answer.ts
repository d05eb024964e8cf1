// One answer of a provider within a stream: what it has used by what its pieces say, else an upper bound of what can be seen, marked as
// estimated. Asks the prices only which of two names are one model, and which of the kinds of tokens that are possible costs the most.

import { tokensAtMost, type Price, type TokenKind, type Usage } from '../pricing/index.js'
import type { StreamReading } from './reading.js'

/** What the request says of its tokens, for where the provider says nothing. */
export interface KnownTokens {
  /** The most tokens that the call reads. */
  readonly inputTokens?: number | undefined
  /** The most that it may write. */
  readonly maxOutputTokens?: number | undefined
  /** Which dearer kinds of tokens there can be: what was read is then taken for the dearest of them. Absent: for plain text. */
  readonly tokenKinds?: readonly TokenKind[] | undefined
  /** How many tokens a text is. Default: one for each of its bytes, an upper bound. Must not throw. */
  readonly countTokens?: ((text: string) => number) | undefined
  /** The price of a model; without a name, that of the decided one. `undefined` where there is none. */
  readonly priceOf?: ((model: string | undefined, provider: string | undefined) => Price | undefined) | undefined
}

/** What an answer has used. */
export interface AnswerUsage {
  readonly usage: Usage
  readonly estimated: boolean
}

/** Says nothing, so that nobody can price it, and the whole estimate is charged. */
export const NOTHING_KNOWN: Usage = Object.freeze({})

const AS_KIND: Readonly<Partial<Record<TokenKind, (count: number) => Usage>>> = {
  'cache-write': (count) => ({ cacheWriteTokens: count }),
  'cache-write-1h': (count) => ({ cacheWriteTokens: count, cacheWrite1hTokens: count }),
  audio: (count) => ({ inputAudioTokens: count }),
  image: (count) => ({ inputImageTokens: count }),
  video: (count) => ({ inputVideoTokens: count }),
}

/** Within one answer nothing is added up: what the last readings say is what was used. */
export class Answer {
  model: string | undefined
  provider: string | undefined
  readonly #known: KnownTokens
  #id: string | undefined
  #usage: Usage | undefined
  #isFinal = false
  #isUnreadable = false
  #pieces = 0
  #readings = 0
  #writtenAtMost = 0

  constructor(known: KnownTokens) {
    this.#known = known
  }

  /** True where nothing was used as far as can be seen: a model was announced, and another one answered. */
  get isEmpty(): boolean {
    return this.#usage === undefined && this.#writtenAtMost === 0 && !this.#isUnreadable
  }

  /** True where a piece belongs to another answer than this one. */
  isOver({ id, model, provider }: StreamReading): boolean {
    if (id !== undefined && this.#id !== undefined) return id !== this.#id
    if (provider !== undefined && this.provider !== undefined && provider !== this.provider) return true
    return model !== undefined && this.model !== undefined && !isSameModel(model, this.model, provider ?? this.provider, this.#known)
  }

  /** Takes in a piece that was delivered, with what it says. */
  add(reading: StreamReading | undefined): void {
    this.#pieces += 1
    if (reading === undefined) return
    this.#readings += 1
    const { model, provider, id, usage, isFinal, text } = reading
    this.model = model ?? this.model
    this.provider = provider ?? this.provider
    this.#id = id ?? this.#id
    if (text !== undefined && text !== '') this.#writtenAtMost += (this.#known.countTokens ?? tokensAtMost)(text)
    if (usage === undefined) return
    const said = Object.entries(usage).filter(([, count]) => count !== undefined)
    this.#usage = { ...this.#usage, ...Object.fromEntries(said) }
    if (isFinal === true) this.#isFinal = true
  }

  /** Takes in a piece that nobody could read. */
  addUnreadable(): void {
    this.#pieces += 1
    this.#isUnreadable = true
  }

  /**
   * What to settle. Where the provider has not had its last word: its count so far, at least the text that was seen (up to the most that may
   * be written), estimated. Where nothing says what was read, or a piece came that nobody could read, there is no usage in it that has a price.
   */
  used(): AnswerUsage {
    const usage = this.#usage ?? NOTHING_KNOWN
    const { inputTokens, outputTokens } = usage
    if (this.#isFinal && (inputTokens !== undefined || outputTokens === undefined || usage.cost !== undefined)) return { usage, estimated: false }
    return { usage: this.#estimated(usage), estimated: true }
  }

  #estimated(usage: Usage): Usage {
    const isKnown = this.#isFinal || !(this.#isUnreadable || (this.#pieces > 0 && this.#readings === 0))
    const inputTokens = usage.inputTokens ?? this.#known.inputTokens
    if (!isKnown) return NOTHING_KNOWN
    if (inputTokens === undefined) return usage.cost === undefined ? NOTHING_KNOWN : usage
    const read = usage.inputTokens === undefined ? { ...usage, ...this.#asDearest(inputTokens) } : usage
    if (this.#isFinal) return read
    const written = Math.min(this.#writtenAtMost, this.#known.maxOutputTokens ?? this.#writtenAtMost)
    return { ...read, outputTokens: Math.max(usage.outputTokens ?? 0, written) }
  }

  /** So many tokens that were read, as the kind that costs the most of those that the request declares. */
  #asDearest(inputTokens: number): Usage {
    const { tokenKinds = [], priceOf } = this.#known
    const price = tokenKinds.length === 0 ? undefined : priceOf?.(this.model, this.provider)
    let dearest: Usage = { inputTokens }
    let most = price === undefined ? 0 : costOf(price, dearest)
    for (const kind of price === undefined ? [] : tokenKinds) {
      const usage = { inputTokens, ...AS_KIND[kind]?.(inputTokens) }
      const cost = costOf(price as Price, usage)
      if (cost > most) [dearest, most] = [usage, cost]
    }
    return dearest
  }
}

/** True where both names are names of one model. */
export function isSameModel(a: string, b: string, provider: string | undefined, { priceOf }: KnownTokens): boolean {
  if (a === b) return true
  const [one, other] = [priceOf?.(a, provider), priceOf?.(b, provider)]
  return one !== undefined && other !== undefined && one.model === other.model && one.provider === other.provider
}

/** 0 where it has no price. */
function costOf(price: Price, usage: Usage): number {
  try {
    return price.costOf(usage)
  } catch {
    return 0
  }
}
