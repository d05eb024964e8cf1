// How fast anybody may ask: a bucket of tokens for each name, filled again as time goes by. In this process alone; it keeps a server usable, and
// nobody's money depends on it.

import type { Clock } from '../../time/index.js'

/** How a bucket is filled. */
export interface BucketTerms {
  /** Tokens that come back each second. */
  readonly perSecond: number
  /** The most that there can be. */
  readonly burst: number
}

interface Bucket {
  tokens: number
  at: number
}

/** More names than a server has keys; beyond it, whoever has not asked for longest begins with a full bucket. */
const MOST_NAMES = 10_000

/** A bucket for each name. */
export class Buckets {
  readonly #terms: BucketTerms
  readonly #clock: Clock
  readonly #buckets = new Map<string, Bucket>()

  constructor(terms: BucketTerms, clock: Clock) {
    this.#terms = terms
    this.#clock = clock
  }

  /**
   * Takes tokens, and gives 0; or takes none, and gives the milliseconds until they are there. More than a bucket holds are given to
   * whoever has a full one, who owes the rest: what is larger than the burst waits longer afterwards, and is not impossible.
   */
  take(name: string, tokens: number): number {
    const { burst, perSecond } = this.#terms
    const bucket = this.#filled(name)
    const needed = Math.min(tokens, burst)
    if (bucket.tokens < needed) return Math.ceil(((needed - bucket.tokens) / perSecond) * 1_000)
    bucket.tokens -= tokens
    return 0
  }

  #filled(name: string): Bucket {
    const now = this.#clock()
    const known = this.#buckets.get(name)
    if (known === undefined) {
      if (this.#buckets.size >= MOST_NAMES) this.#buckets.delete(this.#buckets.keys().next().value as string)
      const full = { tokens: this.#terms.burst, at: now }
      this.#buckets.set(name, full)
      return full
    }
    // A clock that is put back brings no tokens, and takes none.
    known.tokens = Math.min(this.#terms.burst, known.tokens + (Math.max(0, now - known.at) / 1_000) * this.#terms.perSecond)
    known.at = now
    if (this.#buckets.size >= MOST_NAMES / 2) {
      this.#buckets.delete(name)
      this.#buckets.set(name, known)
    }
    return known
  }
}
