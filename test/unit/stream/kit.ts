// What the tests of streams share: a provider's stream that gives what the test says when the test says, and an engine with prices that
// can be worked out in the head.

import { Bursar, type AllowedDecision, type BursarConfig, type BursarEvents } from '../../../src/index.js'
import { meterStream, type MeteredStream, type MeterOptions, type StreamReading } from '../../../src/stream/index.js'
import { manualClock } from '../../../src/testing/index.js'
import { allowedOf, entriesOf } from '../setting.js'

/** A piece says what its reader reads out of it. */
export type Piece = StreamReading

/** Microcents for a token. */
export const INPUT = 1_000
export const OUTPUT = 4_000
export const TTL_MS = 60_000

// USD for a million tokens: a token of `large` is 1,000 microcents in and 4,000 out, of `small` 100 and 400.
export const prices = {
  models: {
    large: { input: 10, cachedInput: 1, output: 40, maxOutputTokens: 1_000 },
    small: { input: 1, output: 4, maxOutputTokens: 1_000 },
    'gpt-4o': { input: 10, output: 40, maxOutputTokens: 1_000 },
    'claude-test': { input: 10, cachedInput: 1, cacheWrite: 12, cacheWrite1h: 20, output: 40, perWebSearch: 0.01, maxOutputTokens: 1_000 },
  },
  aliases: { 'our-large': 'large' },
}

/** A provider's stream in the hands of the test. */
export class Tap<T> implements AsyncIterable<T>, AsyncIterator<T> {
  /** How often the reader has left. */
  returned = 0
  asked = 0
  onReturn: () => Promise<IteratorResult<T>> = async () => ({ done: true, value: undefined })
  readonly #ready: (() => Promise<IteratorResult<T>>)[] = []
  readonly #waiting: ((give: () => Promise<IteratorResult<T>>) => void)[] = []

  give(...pieces: T[]): this {
    for (const value of pieces) this.#put(async () => ({ done: false, value }))
    return this
  }

  end(): this {
    return this.#put(async () => ({ done: true, value: undefined }))
  }

  fail(error: unknown): this {
    return this.#put(() => Promise.reject(error as Error))
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  next(): Promise<IteratorResult<T>> {
    this.asked += 1
    const ready = this.#ready.shift()
    if (ready !== undefined) return ready()
    return new Promise<() => Promise<IteratorResult<T>>>((resolve) => this.#waiting.push(resolve)).then((give) => give())
  }

  return(): Promise<IteratorResult<T>> {
    this.returned += 1
    return this.onReturn()
  }

  #put(give: () => Promise<IteratorResult<T>>): this {
    const waiting = this.#waiting.shift()
    if (waiting === undefined) this.#ready.push(give)
    else waiting(give)
    return this
  }
}

/** An engine under a clock that stands still, with prices. */
export function engine(config: Partial<BursarConfig> = {}) {
  const clock = manualClock()
  const bursar = new Bursar({ tiers: { free: { daily: 100 } }, defaultTier: 'free', clock, prices, holdTtl: TTL_MS, ...config } as BursarConfig)
  bursar.on('hold-expired', () => {})
  const ask = async (more: object = {}): Promise<AllowedDecision> => allowedOf(await bursar.check({ userId: 'u', model: 'large', inputTokens: 100, maxOutputTokens: 50, ...more }))
  const standing = async () => {
    const { exact, held } = await bursar.tracker.getUserSummary('u')
    return { spent: exact.totalMicrocents, held }
  }
  return { bursar, clock, ask, standing, entries: () => entriesOf(bursar.tracker) }
}

/** Meters a stream whose pieces say what they are. */
export function meter<T extends Piece>(decision: AllowedDecision, pieces: AsyncIterable<T>, options: Partial<MeterOptions<T>> = {}): MeteredStream<T> {
  return meterStream(decision, pieces, { read: (piece) => piece, inputTokens: 100, maxOutputTokens: 50, holdTtlMs: TTL_MS, ...options })
}

/** Everything until the end. */
export async function drain<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const pieces: T[] = []
  for await (const piece of stream) pieces.push(piece)
  return pieces
}

/** The events of one name, as they come. */
export function heard<Name extends keyof BursarEvents>(bursar: Bursar, name: Name): BursarEvents[Name][] {
  const events: BursarEvents[Name][] = []
  bursar.on(name, (event) => events.push(event))
  return events
}
