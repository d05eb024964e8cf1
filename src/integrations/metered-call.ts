// One call of an SDK under its decision: how its answer, whole or piece by piece, ends the hold. Decides nothing, and knows no provider.

import type { AllowedDecision, Outcome } from '../decision/index.js'
import { MissingCostError } from '../errors/index.js'
import { formatUsd } from '../money/index.js'
import { meterStream, type MeteredStream, type MeterOptions } from '../stream/index.js'
import type { SentCall } from './asked-call.js'

/** The stream of an SDK: pieces that can be stopped. */
export interface SdkStream extends AsyncIterable<unknown> {
  readonly controller: AbortController
}

/** What the request says of its tokens, and what they cost: for a stream that ends before its provider does, or has more than one answer. */
export type Bounds = Omit<MeterOptions<unknown>, 'read' | 'holdTtlMs' | 'signal' | 'leave'>

type StreamClass = new (iterator: () => AsyncIterator<unknown>, controller: AbortController, client: object) => SdkStream

/** A call that was let through. The first answer that is read of it ends its hold. */
export class MeteredCall {
  readonly #decision: AllowedDecision
  readonly #sent: SentCall
  readonly #bounds: Bounds
  #isAnswered = false

  constructor(decision: AllowedDecision, sent: SentCall, bounds: Bounds) {
    this.#decision = decision
    this.#sent = sent
    this.#bounds = bounds
  }

  /** The call has failed, with all that the SDK does to make it. Never rejects. */
  async failed(): Promise<void> {
    await this.#decision.giveUp()
  }

  /**
   * Gives on what `parse` makes of the response, once it is paid for: a stream as one of the same class that is metered as it is read. An answer
   * that cannot be read is charged its estimate, with the event `usage-error`: it was given.
   */
  async answered(parse: () => Promise<unknown>, client: object): Promise<unknown> {
    const isFirst = !this.#isAnswered
    this.#isAnswered = true
    let answer: unknown
    try {
      answer = await parse()
    } catch (error) {
      if (isFirst) await this.#chargeEstimate(new MissingCostError('usage: the answer has begun and could not be read to its end, so its estimate was charged.'))
      throw error
    }
    if (isStream(answer)) return this.#visible(answer, isFirst ? this.#metered(answer) : answer, client)
    if (isFirst) await this.#settle(answer)
    return answer
  }

  async #settle(answer: unknown): Promise<void> {
    let outcome: Outcome
    try {
      outcome = this.#sent.outcomeOf(answer)
    } catch (error) {
      return this.#chargeEstimate(error as Error)
    }
    await this.#decision.conclude(outcome)
  }

  async #chargeEstimate(error: Error): Promise<void> {
    this.#decision.reportUsageError(error)
    await this.#decision.conclude({ cost: formatUsd(this.#decision.exact.estimatedMicrocents), estimated: true })
  }

  #metered(stream: SdkStream): MeteredStream<unknown> {
    const { expiresAt, context } = this.#decision
    return meterStream(this.#decision, stream, {
      ...this.#bounds,
      read: this.#sent.read,
      // Both are the store's time, whatever this process takes it for.
      holdTtlMs: expiresAt.getTime() - context.now.getTime(),
    })
  }

  #visible(stream: SdkStream, pieces: AsyncIterable<unknown>, client: object): SdkStream {
    const { signal } = stream.controller
    const reading = { isRead: false, asking: 0 }
    const iterate = (): AsyncIterator<unknown> => {
      // The SDK says itself what is wrong with reading a stream twice.
      if (reading.isRead) return stream[Symbol.asyncIterator]()
      reading.isRead = true
      return this.#withoutHidden(pieces[Symbol.asyncIterator](), reading, () => stream.controller.abort())
    }
    if (pieces !== stream) {
      // An aborted stream of the SDK ends without an error, for whoever asks for a piece; where nobody does, nobody else ends the hold.
      signal.addEventListener('abort', () => void (reading.asking === 0 && (pieces as MeteredStream<unknown>).cancel()), { once: true })
    }
    return new (stream.constructor as StreamClass)(iterate, stream.controller, client)
  }

  #withoutHidden(source: AsyncIterator<unknown>, reading: { asking: number }, stop: () => void): AsyncIterableIterator<unknown> {
    const sent = this.#sent
    return {
      async next() {
        reading.asking += 1
        try {
          for (;;) {
            const result = await source.next()
            if (result.done === true || !sent.hides(result.value)) return result
          }
        } finally {
          reading.asking -= 1
        }
      },
      async return() {
        const left = source.return?.()
        // A source that is still asked for a piece would hear of this after it.
        if (reading.asking > 0) stop()
        await left
        return { done: true, value: undefined }
      },
      [Symbol.asyncIterator]() {
        return this
      },
    }
  }
}

function isStream(answer: unknown): answer is SdkStream {
  return typeof answer === 'object' && answer !== null && Symbol.asyncIterator in answer && 'controller' in answer
}
