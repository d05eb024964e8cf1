// The window that never ends, beside the calendar's: both tile time, and who counts in them need not know which it is.

import type { ConsecutiveSpans, Span } from './calendar.js'

/** Windows that tile time without gap or overlap: a {@link Calendar}, those of a subscription, of a single life, or {@link TOTAL}. */
export interface Tiling {
  at(instant: number): Span
  around(instant: number): ConsecutiveSpans
}

/** The end of the window that never ends: the largest exact integer, which no clock reaches. */
export const NEVER: number = Number.MAX_SAFE_INTEGER

const always: Span = Object.freeze({ startsAt: 0, endsAt: NEVER })
const around: ConsecutiveSpans = Object.freeze([always, always, always])

/** The one window of `total`: from the epoch, without end. */
export const TOTAL: Tiling = Object.freeze({ at: () => always, around: () => around })
