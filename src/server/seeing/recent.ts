// Answers that may be a moment old: found once for all who ask at the same time, and kept for a while that grows with what they cost. Knows
// nothing of what they say.

import { steadyClock } from '../../time/index.js'

/** How long answers are kept. */
export interface RecentOptions {
  /** At least so long, in ms. */
  readonly leastMs: number
  /** And so many times as long as it took to find them. */
  readonly times: number
  /** Whether an answer that is too old is given all the same, while a new one is looked for. Default false. */
  readonly mayBeStale?: boolean | undefined
  /** Milliseconds that pass, whatever the time is. */
  readonly stopwatch?: (() => number) | undefined
  /** Waits for so many of them. */
  readonly pause?: ((ms: number) => Promise<void>) | undefined
}

interface Found<Value> {
  era: unknown
  /** Until when, on the stopwatch. */
  until: number
  value: Promise<Value>
  /** What it came to; `undefined` until it is known for the first time. */
  latest: Value | undefined
  /** True while the answer is looked for. */
  isAsked: boolean
  /** True while that has not begun. */
  isWaiting: boolean
}

/** How many answers are kept. */
const MOST_KEPT = 256

/** Answers by what they are to. What fails is not kept. */
export class Recent<Value> {
  readonly #options: RecentOptions
  readonly #stopwatch: () => number
  readonly #pause: (ms: number) => Promise<void>
  readonly #found = new Map<string, Found<Value>>()

  constructor(options: RecentOptions) {
    this.#options = options
    this.#stopwatch = options.stopwatch ?? steadyClock
    this.#pause = options.pause ?? ((ms) => new Promise((resolve) => void setTimeout(resolve, ms)))
  }

  /**
   * The answer that is kept, or a new one. One of another `era` is never given: whoever asks in a new one waits until the answer before has
   * had its time, so that nothing is found more often, however often something changes.
   */
  get(key: string, find: () => Promise<Value>, era?: unknown): Promise<Value> {
    const known = this.#found.get(key)
    if (known === undefined) return this.#ask(key, find, era)
    if (known.era !== era) return this.#askAfter(known, key, find, era)
    if (known.isAsked || this.#stopwatch() < known.until) return known.value
    if (this.#options.mayBeStale !== true) return this.#ask(key, find, era)
    this.#renew(known, find)
    return known.value
  }

  /** What is known by now, at once; where nothing is, or it is old, it is looked for meanwhile. */
  atHand(key: string, find: () => Promise<Value>): Value | undefined {
    this.get(key, find).catch(() => {})
    return this.#found.get(key)?.latest
  }

  #askAfter(known: Found<Value>, key: string, find: () => Promise<Value>, era: unknown): Promise<Value> {
    if (known.isWaiting) {
      known.era = era
      return known.value
    }
    if (!known.isAsked && this.#stopwatch() >= known.until) return this.#ask(key, find, era)
    return this.#ask(key, find, era, async () => {
      const hasFailed = await known.value.then(() => false, () => true)
      const left = known.until - this.#stopwatch()
      if (!hasFailed && left > 0) await this.#pause(left)
    })
  }

  #ask(key: string, find: () => Promise<Value>, era: unknown, before?: () => Promise<void>): Promise<Value> {
    let began = this.#stopwatch()
    const found: Found<Value> = { era, until: Infinity, value: undefined as never, latest: undefined, isAsked: true, isWaiting: before !== undefined }
    const begin = (): Promise<Value> => {
      began = this.#stopwatch()
      found.isWaiting = false
      return find()
    }
    found.value = before === undefined ? begin() : before().then(begin)
    this.#found.delete(key)
    if (this.#found.size >= MOST_KEPT) this.#found.delete(this.#found.keys().next().value as string)
    this.#found.set(key, found)
    found.value.then(
      (latest) => {
        found.latest = latest
        this.#keep(found, began)
      },
      () => {
        if (this.#found.get(key) === found) this.#found.delete(key)
      },
    )
    return found.value
  }

  /** Where it fails, what was known stays a while longer. */
  #renew(known: Found<Value>, find: () => Promise<Value>): void {
    const began = this.#stopwatch()
    known.isAsked = true
    const renewed = find()
    renewed.then(
      (latest) => {
        known.value = renewed
        known.latest = latest
        this.#keep(known, began)
      },
      () => this.#keep(known, began),
    )
  }

  #keep(found: Found<Value>, began: number): void {
    const now = this.#stopwatch()
    found.isAsked = false
    found.until = now + Math.max(this.#options.leastMs, this.#options.times * (now - began))
  }
}
