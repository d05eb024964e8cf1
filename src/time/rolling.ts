// Rolling windows: the last 24 hours, at any moment, kept as a ring of buckets. Decides which bucket an instant is in and which
// buckets count; must not know what is counted in them.

import type { Span } from './calendar.js'
import { assertInstant } from './clock.js'
import { parseDuration } from './duration.js'

/**
 * How many buckets make up the length of a rolling window; one more is kept, because the oldest is counted whole. At least 12
 * (windows and clocks). With 20, money is free again at most 1/20 of the length late (3 s for a minute, 72 min for a day), for
 * 21 numbers a window: more would cost memory and traffic for each user, for a delay that nobody plans by.
 */
export const ROLLING_BUCKETS = 20

/** A rolling window: `lengthMs` is the period promised, `bucketMs` the length of one bucket. */
export interface RollingRule {
  readonly lengthMs: number
  readonly bucketMs: number
}

/**
 * The rule for a window of that length: a bucket is a {@link ROLLING_BUCKETS}th of it, rounded up to a whole millisecond, so that
 * the buckets are never shorter than the window. Throws `InvalidConfigError` for what is not a duration in milliseconds.
 */
export function rollingRule(lengthMs: number): RollingRule {
  const length = parseDuration(lengthMs, 'lengthMs')
  return Object.freeze({ lengthMs: length, bucketMs: Math.ceil(length / ROLLING_BUCKETS) })
}

/** The bucket that the instant is in. Buckets are aligned to the epoch: the same for all processes. Throws for what is no instant. */
export function bucketIndex(rule: RollingRule, instant: number): number {
  return Math.floor(assertInstant(instant) / rule.bucketMs)
}

/**
 * The first instant at which that bucket is no longer counted. Until then it counts whole, so that never less is counted than was
 * spent in the trailing period (WINDOW-TRUTH).
 */
export function bucketExpiresAt(rule: RollingRule, index: number): number {
  return (index + ROLLING_BUCKETS + 1) * rule.bucketMs
}

/**
 * The period that is counted at the instant: from the start of the oldest bucket that counts to the end of the newest, the one the
 * instant is in. It always contains the trailing `lengthMs`. Throws for what is no instant.
 */
export function rollingSpan(rule: RollingRule, instant: number): Span {
  const newest = bucketIndex(rule, instant)
  return Object.freeze({ startsAt: (newest - ROLLING_BUCKETS) * rule.bucketMs, endsAt: (newest + 1) * rule.bucketMs })
}
