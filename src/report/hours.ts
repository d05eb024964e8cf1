// The hours of a zone's wall clock, as stretches of time. Decides boundaries only; knows no entries.

import { zoneOffsetMs, type Span } from '../time/index.js'

const hourMs = 3_600_000
const dayMs = 86_400_000

/** Stretches that tile time: each instant is in one, and the next one starts where it ends. */
export interface Stretches {
  at(instant: number): Span
}

/**
 * The hours that the clock on the wall shows in a zone. Where the clock is set, an hour ends: the hour that comes twice is two stretches,
 * the skipped one is none, and where it is set by half an hour, one stretch is shorter. None is longer than an hour.
 */
export class Hours implements Stretches {
  readonly #zone: string
  /** Where the offset is known not to change: from the first up to the second, both included. */
  #evenFrom = Infinity
  #evenUntil = -Infinity
  #offset = 0

  /** Takes a zone that is known to be one. */
  constructor(zone: string) {
    this.#zone = zone
  }

  // INVARIANT (WINDOW-TRUTH): an hour starts where the wall clock shows a full one, or at the instant at which the offset changed; both
  // follow from the instant alone, so hours tile.
  at(instant: number): Span {
    const offset = this.#offsetAt(instant)
    const startsAt = Math.floor((instant + offset) / hourMs) * hourMs - offset
    const endsAt = startsAt + hourMs
    return {
      startsAt: this.#offsetAt(startsAt) === offset ? startsAt : this.#firstWith((at) => this.#offsetAt(at) === offset, startsAt, instant),
      endsAt: this.#offsetAt(endsAt - 1) === offset ? endsAt : this.#firstWith((at) => this.#offsetAt(at) !== offset, instant, endsAt - 1),
    }
  }

  /** No zone changes its clock twice in a day: what is the same at both ends of one is the same in between. */
  #offsetAt(instant: number): number {
    if (this.#zone === 'UTC' || (instant >= this.#evenFrom && instant <= this.#evenUntil)) return this.#offset
    const offset = zoneOffsetMs(this.#zone, instant)
    if (zoneOffsetMs(this.#zone, instant + dayMs) === offset) {
      this.#evenFrom = instant
      this.#evenUntil = instant + dayMs
      this.#offset = offset
    }
    return offset
  }

  /** The first instant after `before` that is so; `after` is, `before` is not. */
  #firstWith(isSo: (instant: number) => boolean, before: number, after: number): number {
    let low = before
    let high = after
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2)
      if (isSo(middle)) high = middle
      else low = middle
    }
    return high
  }
}
