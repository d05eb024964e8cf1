// The windows of what lives once, such as a session: its own life, and lengths of it before and after, in which nothing is meant to
// be counted. Decides boundaries only; must not know what lives.

import { InvalidRequestError } from '../errors/errors.js'
import type { ConsecutiveSpans, Span } from './calendar.js'
import { assertInstant } from './clock.js'
import type { Tiling } from './total.js'

/**
 * One window from the start of a life to its end. What comes after it is cut into windows of the same length: a store forgets the one
 * in which something was counted although it was over, like any other. What came before is one window, from 1970 on.
 */
export class Lifetime implements Tiling {
  /** Frozen. */
  readonly span: Span
  readonly #around: ConsecutiveSpans

  /** Throws `InvalidRequestError` for ends that are no instants after 1970 began, or not in this order. */
  constructor({ startsAt, endsAt }: Span) {
    this.span = Object.freeze({ startsAt: assertInstant(startsAt, 'startsAt'), endsAt: assertInstant(endsAt, 'endsAt') })
    if (this.span.startsAt <= 0 || this.span.startsAt >= this.span.endsAt) {
      throw new InvalidRequestError(`endsAt: ${endsAt} is no end of a life that starts at ${startsAt}. Give instants after 1970 began, the end after the start.`)
    }
    this.#around = this.#aroundOf(this.span)
  }

  /** The window that contains the instant: frozen. Throws `InvalidRequestError` for what is no instant. */
  at(instant: number): Span {
    const { startsAt, endsAt } = this.span
    return instant >= startsAt && instant < endsAt ? this.span : this.#find(assertInstant(instant))
  }

  /** The windows before, at and after the instant, as {@link Calendar.around} gives them. Throws for what is no instant. */
  around(instant: number): ConsecutiveSpans {
    const running = this.at(instant)
    return running === this.span ? this.#around : this.#aroundOf(running)
  }

  #aroundOf(running: Span): ConsecutiveSpans {
    return Object.freeze([this.#find(Math.max(0, running.startsAt - 1)), running, this.#find(running.endsAt)] as const)
  }

  // INVARIANT (WINDOW-TRUTH): boundaries are 0, the start, and the start with every whole number of lengths: windows tile.
  #find(instant: number): Span {
    const { startsAt, endsAt } = this.span
    if (instant < startsAt) return Object.freeze({ startsAt: 0, endsAt: startsAt })
    const lengthMs = endsAt - startsAt
    const number = Math.floor((instant - startsAt) / lengthMs)
    return number === 0 ? this.span : Object.freeze({ startsAt: startsAt + number * lengthMs, endsAt: startsAt + (number + 1) * lengthMs })
  }
}
