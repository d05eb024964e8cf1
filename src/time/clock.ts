// What an instant is, and where it comes from: milliseconds since the epoch, from a clock that is passed in. Decides which
// instants are sane; must not know windows, zones or stores.

import { InvalidRequestError } from '../errors/errors.js'

/** Says what time it is, in milliseconds since the epoch. Everything that needs the time takes one, so that tests can drive it. */
export type Clock = () => number

/** The clock of this machine: the only reading of the real time in the library. */
export const systemClock: Clock = () => Date.now()

const earliestMs = Date.UTC(1900, 0, 1)
const latestMs = Date.UTC(10_000, 0, 1) - 1

/**
 * Returns the instant rounded down to a whole millisecond. Instants are milliseconds since the epoch, from the year 1900 to the
 * year 9999: no clock gives others, and seconds-long offsets and eras before them would make boundaries wrong in silence.
 * Throws {@link InvalidRequestError} for NaN, infinities and everything outside (FAIL-LOUD).
 */
export function assertInstant(instant: number, field = 'instant'): number {
  if (typeof instant === 'number' && instant >= earliestMs && instant <= latestMs) return Math.floor(instant)
  throw new InvalidRequestError(
    `${field}: ${String(instant)} is not an instant between the years 1900 and 9999. Give milliseconds since the epoch.`,
  )
}

/** Milliseconds that pass evenly whatever happens to the system's clock: for how long something took, not for what time it is. */
export const steadyClock: Clock = () => performance.now()
