// A provider's stream under a hold: passes every piece on as it is, and settles once, however the stream ends. Decides nothing, and
// knows no provider: what a piece says of the cost, a reader says.

import type { AllowedDecision, Settlement } from '../decision/index.js'
import { InvalidRequestError, MissingCostError } from '../errors/index.js'
import { onAbort } from './aborts.js'
import type { KnownTokens } from './answer.js'
import { Prolonging } from './prolonging.js'
import { parseReading, type StreamReader } from './reading.js'
import { UsedSoFar } from './used-so-far.js'

/** How a stream is metered. */
export interface MeterOptions<Piece> extends KnownTokens {
  readonly read: StreamReader<Piece>
  /** What a piece is of which `read` says nothing: one that costs nothing, or (`true`) one that nobody can read. */
  readonly mustRead?: boolean | undefined
  /** The call is only made when the stream is read: a source that fails before its first piece is a call that failed. */
  readonly isLazy?: boolean | undefined
  /** How long the money is held: at every half of it the hold is extended while the stream is read, or its reader waits. ms. */
  readonly holdTtlMs: number
  /** When it aborts, the stream ends, and its reader gets the signal's reason, whether or not the source listens to it. */
  readonly signal?: AbortSignal | undefined
  /** Called when the reader leaves before the end: for a source that does not stop its request when its iterator returns. */
  readonly leave?: (() => void) | undefined
}

/**
 * Meters a provider's stream under its decision. Pieces pass unchanged; the hold ends once, by what was used: at the end, at an error of
 * the source, when the signal aborts, and when the reader leaves. A lazy source that fails before its first piece is a call that failed: what
 * was metered is settled, else the hold is released. One that ends without any piece is charged its estimate (`usage-error`). A failing settle is an event (`usage-error`, `store-error`), never an
 * error of the stream. A stream that nobody reads does nothing: its hold expires as declared, unless {@link MeteredStream.cancel} ends it.
 */
export function meterStream<Piece>(decision: AllowedDecision, pieces: AsyncIterable<Piece>, options: MeterOptions<Piece>): MeteredStream<Piece> {
  return new MeteredStream(decision, pieces, options, new Prolonging(decision, options.holdTtlMs))
}

interface Waiting<Piece> {
  readonly resolve: (result: IteratorResult<Piece, undefined>) => void
  readonly reject: (error: unknown) => void
}

/** How long a reader that leaves waits for what the source has to clean up, ms. */
const CLEAN_UP_MS = 250

const DONE: IteratorReturnResult<undefined> = Object.freeze({ done: true, value: undefined })

/** A stream whose cost is counted. It can be read once. */
export class MeteredStream<Piece> implements AsyncIterable<Piece, undefined, void> {
  /** What the stream runs under: for metering what it does not say itself. */
  readonly decision: AllowedDecision
  /**
   * How the hold has ended, once it has. `undefined` where nothing could be settled (the event `store-error` says why), and where a lazy
   * call failed before its first piece. Never rejects;
   * never resolves for a stream that nobody ends.
   */
  readonly settled: Promise<Settlement | undefined>
  readonly #pieces: AsyncIterable<Piece>
  readonly #options: MeterOptions<Piece>
  readonly #prolonging: Prolonging
  readonly #used: UsedSoFar
  readonly #waiting = new Set<Waiting<Piece>>()
  #forget: () => void = () => {}
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
    if (signal?.aborted === true) this.#interrupt(signal.reason)
    else if (signal !== undefined) this.#forget = onAbort(signal, () => this.#interrupt(signal.reason))
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
      this.#prolonging.isAwaited = true
      void this.#ask(waiting)
    })
  }

  async #ask(waiting: Waiting<Piece>): Promise<void> {
    try {
      const result: unknown = await this.#opened().next()
      // Whoever was interrupted has had an answer.
      if (!this.#answered(waiting)) return
      if (!isResult<Piece>(result)) {
        await this.#broken()
        return waiting.reject(new InvalidRequestError(`stream: its source gave ${String(result)} where an iterator gives { done, value }, and its estimate was charged. Correct its next().`))
      }
      if (result.done === true) {
        await this.#end()
        return waiting.resolve(DONE)
      }
      if (!this.#hasEnded) this.#take(result.value)
      waiting.resolve({ done: false, value: result.value })
    } catch (error) {
      if (!this.#answered(waiting)) return
      await this.#fail()
      waiting.reject(error)
    }
  }

  /** False for whoever was answered before. */
  #answered(waiting: Waiting<Piece>): boolean {
    const wasWaiting = this.#waiting.delete(waiting)
    this.#prolonging.isAwaited = this.#waiting.size > 0
    return wasWaiting
  }

  #take(piece: Piece): void {
    this.#prolonging.progress()
    try {
      const reading = parseReading(this.#options.read(piece))
      if (reading === undefined && this.#options.mustRead === true) this.#used.addUnreadable()
      else this.#used.add(reading)
    } catch (error) {
      this.#used.addUnreadable()
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
    // What a source has to clean up is done, and its error heard, when its reader goes on, unless that takes too long. One that is still
    // asked for a piece answers in its own time.
    if (!isAsking) await withinTime(left, CLEAN_UP_MS)
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
    this.#prolonging.isAwaited = false
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
      if (this.#used.pieces === 0) {
        this.#used.addUnreadable()
        this.decision.reportUsageError(new MissingCostError('stream: ended without a single piece, so nothing says what was used, and its estimate is charged. See whether the server streams its answers.'))
      }
      this.#conclude()
    }
    return this.settled
  }

  #fail(): Promise<unknown> {
    if (this.#hasEnded) return this.settled
    this.#close()
    if (this.#used.pieces > 0 || this.#options.isLazy !== true) this.#conclude()
    else void this.decision.giveUp().then(() => this.#announce(undefined))
    return this.settled
  }

  /** The source keeps no promise of an iterator: what it used nobody can say, and it may stop. */
  #broken(): Promise<unknown> {
    if (!this.#hasEnded) {
      this.#used.addUnreadable()
      this.#close()
      void this.#passOn()
      this.#conclude()
    }
    return this.settled
  }

  // INVARIANT (ONE-ENDING): whoever comes first closes the stream and concludes; everybody else waits for that ending.
  #close(): void {
    this.#hasEnded = true
    this.#forget()
    this.#prolonging.stop()
  }

  #conclude(): void {
    void this.decision.conclude(this.#used.outcome(this.decision)).then(this.#announce)
  }
}

function isResult<Piece>(result: unknown): result is IteratorResult<Piece> {
  return (typeof result === 'object' && result !== null) || typeof result === 'function'
}

/** Waits for the work, and no longer than so. What it rejects with later nobody hears. */
async function withinTime(work: Promise<void>, timeMs: number): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const tooLong = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, timeMs)
    timer.unref?.()
  })
  await Promise.race([work, tooLong]).finally(() => clearTimeout(timer))
}
