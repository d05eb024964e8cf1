// One streamed call under one hold: asks the provider for its stream, and meters it. Decides nothing.

import type { AllowedDecision, CallOptions, GuardedCall } from '../decision/index.js'
import { InvalidRequestError } from '../errors/index.js'
import { onAbort } from './aborts.js'
import type { KnownTokens } from './answer.js'
import { MeteredStream } from './metered-stream.js'
import { Prolonging } from './prolonging.js'
import type { StreamReader } from './reading.js'
import { anyReader } from './readers/any.js'

/** Options of a streamed call. `timeoutMs` counts until the stream has ended, and its reader gets the signal's reason. */
export interface StreamOptions<Piece = unknown> extends CallOptions {
  /**
   * What the pieces say of the cost. Default: OpenAI's chat chunks and response events, Anthropic's message events, and strings are known
   * by their shape; a stream with other pieces is charged its estimate, unless the provider's last word comes.
   */
  readonly read?: StreamReader<Piece> | undefined
}

/** Makes a streamed call: gives the provider's pieces. */
export type StreamCall<Piece, Model extends string | undefined = string | undefined> = (guarded: GuardedCall<Model>) => AsyncIterable<Piece> | PromiseLike<AsyncIterable<Piece>>

/** What is known of a streamed call beside its options. */
export interface StreamTerms extends KnownTokens {
  readonly holdTtlMs: number
  readonly signal: AbortSignal | undefined
}

/** Throws `InvalidRequestError` for what is no reader; absent is the default. */
export function assertReader(read: unknown): void {
  if (read === undefined || typeof read === 'function') return
  throw new InvalidRequestError(`options.read: is ${read === null ? 'null' : `a ${typeof read}`}, and a reader is a function. Give (piece) => ({ usage, isFinal, text, model, id }), or leave it out.`)
}

/** Asks for the stream under its decision, and meters it. See `Bursar.stream`. */
export async function openStream<Piece, Model extends string | undefined>(
  decision: AllowedDecision,
  call: StreamCall<Piece, Model>,
  read: StreamReader<Piece> | undefined,
  { signal: given, ...terms }: StreamTerms,
): Promise<MeteredStream<Piece>> {
  // One of its own, so that the request also stops when the reader leaves, whatever the provider's iterator does about it.
  const own = new AbortController()
  const { signal } = own
  const forward = (): void => own.abort(given?.reason)
  let forget = (): void => {}
  if (given?.aborted === true) forward()
  else if (given !== undefined) forget = onAbort(given, forward)
  const prolonging = new Prolonging(decision, terms.holdTtlMs)
  prolonging.progress()
  prolonging.isAwaited = true
  const goOn = (): void => void (prolonging.isAwaited = false)
  onAbort(signal, goOn)
  const opening = (async () => {
    try {
      signal.throwIfAborted()
      const answer = call({ model: decision.model as GuardedCall<Model>['model'], signal, decision })
      const pieces = await answer
      if (!isIterable(pieces)) throw await uncountable(decision, pieces)
      goOn()
      const stream = new MeteredStream(decision, pieces, { ...terms, read: read ?? anyReader(), mustRead: read === undefined, isLazy: answer === pieces || isGenerator(pieces), signal, leave: () => own.abort() }, prolonging)
      void stream.settled.then(forget)
      return stream
    } catch (error) {
      forget()
      prolonging.stop()
      await decision.giveUp()
      throw error
    }
  })()
  return given === undefined ? opening : unlessAborted(opening, signal)
}

/** Was called, and gave something else: what that cost nobody can say, so its estimate is charged. */
async function uncountable(decision: AllowedDecision, given: unknown): Promise<InvalidRequestError> {
  await decision.conclude()
  const shown = typeof given === 'object' && given !== null ? 'an object' : String(given)
  return new InvalidRequestError(`call: gave ${shown}, which is no async iterable, and its estimate was charged. Return the stream that the provider's client gives; guard() is for an answer in one piece.`)
}

/** Whoever waits for the stream hears of an abort at once; a stream that comes all the same finds its signal aborted, and ends. */
function unlessAborted<Result>(opening: Promise<Result>, signal: AbortSignal): Promise<Result> {
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(signal.reason)
    if (signal.aborted) stop()
    else signal.addEventListener('abort', stop, { once: true })
    opening.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop))
  })
}

/** Nothing of it has run before it is read. */
function isGenerator(value: unknown): boolean {
  return Object.prototype.toString.call(value) === '[object AsyncGenerator]'
}

function isIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as Partial<AsyncIterable<unknown>>)[Symbol.asyncIterator] === 'function'
}
