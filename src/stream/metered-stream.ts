// A provider's stream under a hold: passes every piece on as it is, and settles once, however the stream ends. Decides nothing, and
// knows no provider: what a piece says of the cost, a reader says.

import type { AllowedDecision, Settlement } from '../decision/index.js'
import { InvalidRequestError } from '../errors/index.js'
import { Prolonging } from './prolonging.js'
import type { StreamReader } from './reading.js'
import { UsedSoFar, type KnownTokens } from './used-so-far.js'

/** How a stream is metered. */
export interface MeterOptions<Piece> extends KnownTokens {
  readonly read: StreamReader<Piece>
  /** How long the money is held: at every half of it the hold is extended while the stream is read. ms. */
  readonly holdTtlMs: number
  /** When it aborts, the stream ends, and its reader gets the signal's reason, whether or not the source listens to it. */
  readonly signal?: AbortSignal | undefined
  /** Called when the reader leaves before the end: for a source that does not stop its request when its iterator returns. */
  readonly leave?: (() => void) | undefined
}

/**
 * Meters a provider's stream under its decision. Pieces pass unchanged; the hold ends once, by what was used: at the end, at an error of
 * the source, when the signal aborts, and when the reader leaves. A failing settle is an event (`usage-error`, `store-error`), never an
 * error of the stream. A stream that nobody reads does nothing: its hold expires as declared, unless {@link MeteredStream.cancel} ends it.
 */
export function meterStream<Piece>(decision: AllowedDecision, pieces: AsyncIterable<Piece>, options: MeterOptions<Piece>): MeteredStream<Piece> {
  return new MeteredStream(decision, pieces, options, new Prolonging(decision, options.holdTtlMs))
}

interface Waiting<Piece> {
  readonly resolve: (result: IteratorResult<Piece, undefined>) => void
  readonly reject: (error: unknown) => void
}

const DONE: IteratorReturnResult<undefined> = Object.freeze({ done: true, value: undefined })

/** A stream whose cost is counted. It can be read once. */
export class MeteredStream<Piece> implements AsyncIterable<Piece, undefined, void> {
  /** What the stream runs under: for metering what it does not say itself. */
  readonly decision: AllowedDecision
  /**
   * How the hold has ended, once it has. `undefined` where nothing could be settled (the event `store-error` says why). Never rejects;
   * never resolves for a stream that nobody ends.
   */
  readonly settled: Promise<Settlement | undefined>
  readonly #pieces: AsyncIterable<Piece>
  readonly #options: MeterOptions<Piece>
  readonly #prolonging: Prolonging
  readonly #used: UsedSoFar
  readonly #waiting = new Set<Waiting<Piece>>()
  readonly #onAbort = (): void => this.#interrupt(this.#options.signal?.reason)
  #announce: (settlement: Settlement | undefined) => void = () => {}
  #source: AsyncIterator<Piece> | undefined
  #isRead = false
  #hasMisread = false
  #hasEnded = false
  /** What the next one to ask has to hear. */
  #failure: { readonly error: unknown } | undefined

  /** @internal See {@link meterStream}. */
  constructor(decision: AllowedDecision, pieces: AsyncIterable<Piece>, options: MeterOptions<Piece>, prolonging: Prolonging) {
    this.decision = decision
    this.#pieces = pieces
    this.#options = options
    this.#prolonging = prolonging
    this.#used = new UsedSoFar(options)
    this.settled = new Promise((resolve) => {
      this.#announce = resolve
    })
    const { signal } = options
    if (signal?.aborted === true) this.#onAbort()
    else signal?.addEventListener('abort', this.#onAbort, { once: true })
  }

  /** Throws `InvalidRequestError` the second time: the provider sends its answer once. */
  [Symbol.asyncIterator](): AsyncIterableIterator<Piece, undefined, void> {
    if (this.#isRead) throw new InvalidRequestError('stream: is read already, and can be read once. Keep its pieces, or ask for another stream.')
    this.#isRead = true
    const iterator: AsyncIterableIterator<Piece, undefined, void> = {
      next: () => this.#next(),
      return: () => this.#return(),
      throw: (error) => this.#throw(error),
      [Symbol.asyncIterator]: () => iterator,
    }
    return iterator
  }

  /** Ends the stream, read or not, and settles what was used. An ended one stays as it is. Never rejects. */
  async cancel(): Promise<void> {
    void this.#leave()
    await this.settled
  }

  /** See {@link cancel}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.cancel()
  }

  #next(): Promise<IteratorResult<Piece, undefined>> {
    if (this.#hasEnded) return this.#afterEnd()
    this.#prolonging.progress()
    return new Promise((resolve, reject) => {
      const waiting = { resolve, reject }
      this.#waiting.add(waiting)
      void this.#ask(waiting)
    })
  }

  async #ask(waiting: Waiting<Piece>): Promise<void> {
    try {
      const result = await this.#opened().next()
      // Whoever was interrupted has had an answer.
      if (!this.#waiting.delete(waiting)) return
      if (result.done === true) {
        await this.#end()
        return waiting.resolve(DONE)
      }
      if (!this.#hasEnded) this.#take(result.value)
      waiting.resolve({ done: false, value: result.value })
    } catch (error) {
      if (!this.#waiting.delete(waiting)) return
      await this.#end()
      waiting.reject(error)
    }
  }

  #take(piece: Piece): void {
    this.#prolonging.progress()
    try {
      this.#used.add(this.#options.read(piece))
    } catch (error) {
      this.#used.add(undefined)
      // What is wrong with one piece is mostly wrong with all.
      if (!this.#hasMisread) this.decision.reportUsageError(error as Error)
      this.#hasMisread = true
    }
  }

  async #afterEnd(): Promise<IteratorResult<Piece, undefined>> {
    await this.settled
    const failure = this.#failure
    this.#failure = undefined
    if (failure !== undefined) throw failure.error
    return DONE
  }

  async #return(): Promise<IteratorReturnResult<undefined>> {
    const isAsking = this.#waiting.size > 0
    const left = this.#leave()
    await this.settled
    // What a source has to clean up is done, and its error heard, when its reader goes on. One that is still asked for a piece answers in its own time.
    if (!isAsking) await left
    return DONE
  }

  async #throw(error: unknown): Promise<never> {
    void this.#leave()
    await this.settled
    throw error
  }

  /** The reader goes: the source may stop. */
  #leave(): Promise<void> {
    if (this.#hasEnded) return Promise.resolve()
    this.#close()
    const left = this.#passOn()
    this.#conclude()
    for (const waiting of this.#dismissed()) void this.settled.then(() => waiting.resolve(DONE))
    return left
  }

  #interrupt(error: unknown): void {
    this.#close()
    void this.#passOn()
    this.#conclude()
    const [first, ...others] = this.#dismissed()
    if (first === undefined) this.#failure = { error }
    else void this.settled.then(() => first.reject(error))
    for (const waiting of others) void this.settled.then(() => waiting.resolve(DONE))
  }

  #dismissed(): Waiting<Piece>[] {
    const dismissed = [...this.#waiting]
    this.#waiting.clear()
    return dismissed
  }

  /** Tells the source that nobody reads on. */
  #passOn(): Promise<void> {
    const left = (async () => {
      let returning: PromiseLike<unknown> | undefined
      try {
        returning = this.#opened().return?.()
      } finally {
        this.#options.leave?.()
      }
      await returning
    })()
    left.catch(() => {})
    return left
  }

  #opened(): AsyncIterator<Piece> {
    this.#source ??= this.#pieces[Symbol.asyncIterator]()
    return this.#source
  }

  #end(): Promise<unknown> {
    if (!this.#hasEnded) {
      this.#close()
      this.#conclude()
    }
    return this.settled
  }

  // INVARIANT (ONE-ENDING): whoever comes first closes the stream and concludes; everybody else waits for that ending.
  #close(): void {
    this.#hasEnded = true
    this.#options.signal?.removeEventListener('abort', this.#onAbort)
    this.#prolonging.stop()
  }

  #conclude(): void {
    void this.decision.conclude(this.#used.outcome()).then(this.#announce)
  }
}
