// A clock that stands still until a test moves it.

import { parseDuration, type Clock, type Duration } from '../time/index.js'

/** A {@link Clock} with hands. */
export interface ManualClock extends Clock {
  /** Moves the clock forward. */
  advance(by: Duration): void
  /** Puts the clock at an instant: a date, or milliseconds since the epoch. It may go back, as real clocks do. */
  set(instant: Date | number): void
}

/** A clock that shows `start` (default: 2026-01-15T12:00:00Z) until it is moved. */
export function manualClock(start: Date | number | string = '2026-01-15T12:00:00Z'): ManualClock {
  let now = new Date(start).getTime()
  const clock = (() => now) as ManualClock
  clock.advance = (by) => {
    now += parseDuration(by, 'by')
  }
  clock.set = (instant) => {
    now = new Date(instant).getTime()
  }
  return clock
}
