// Calendar windows: which day, week or month an instant is in, in the budget's own time zone, and the windows beside it.
// Decides boundaries only; must not know budgets, amounts or stores.

import { InvalidConfigError } from '../errors/errors.js'
import { nextPeriodStart, periodStart, type CalendarRule } from './civil.js'
import { assertInstant } from './clock.js'
import { assertTimeZone, firstInstantOf, zoneOffsetMs } from './zone.js'

/** A stretch of time in milliseconds since the epoch: `startsAt` belongs to it, `endsAt` no longer does. */
export interface Span {
  readonly startsAt: number
  readonly endsAt: number
}

/** The window before the running one, the running one, and the one after: consecutive, each starts where the one before ends. */
export type ConsecutiveSpans = readonly [previous: Span, running: Span, next: Span]

interface Known {
  readonly span: Span
  around: ConsecutiveSpans | undefined
}

// More than a year of days. A window costs up to a millisecond to find and some 100 bytes to remember.
const knownLimit = 512

/**
 * The windows of one rule. A look-up in the window of the last one is a comparison of two numbers; others that were asked for
 * before are found by bisection. Obtained from {@link calendarFor}, so that equal rules share what is known.
 */
export class Calendar {
  readonly rule: CalendarRule
  #last: Known = { span: { startsAt: 0, endsAt: 0 }, around: undefined }
  #startsAt = 0
  #endsAt = 0
  #known: Known[] = []

  /** Takes a rule that is known to be right; {@link calendarFor} checks it. */
  constructor(rule: CalendarRule) {
    this.rule = rule
  }

  /** The window that contains the instant: frozen, and the same object while it is remembered. Throws for what is no instant. */
  at(instant: number): Span {
    if (instant >= this.#startsAt && instant < this.#endsAt) return this.#last.span
    return this.#turnTo(assertInstant(instant)).span
  }

  /**
   * The windows before, at and after the instant: frozen, never empty, and tiling. They are what a client sends to a shared
   * store whose clock may be ahead of its own, or behind (windows and clocks). Throws for what is no instant.
   */
  around(instant: number): ConsecutiveSpans {
    const known = instant >= this.#startsAt && instant < this.#endsAt ? this.#last : this.#turnTo(assertInstant(instant))
    // By instants and not by calendar dates: a day that a zone skipped whole is no window.
    known.around ??= Object.freeze([this.#find(known.span.startsAt - 1).span, known.span, this.#find(known.span.endsAt).span] as const)
    return known.around
  }

  #turnTo(instant: number): Known {
    const known = this.#find(instant)
    this.#last = known
    this.#startsAt = known.span.startsAt
    this.#endsAt = known.span.endsAt
    return known
  }

  #find(instant: number): Known {
    let low = 0
    let high = this.#known.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const candidate = this.#known[middle] as Known
      if (instant < candidate.span.startsAt) high = middle
      else if (instant >= candidate.span.endsAt) low = middle + 1
      else return candidate
    }
    if (this.#known.length >= knownLimit) {
      this.#known = []
      low = 0
    }
    const found: Known = { span: spanAt(this.rule, instant), around: undefined }
    this.#known.splice(low, 0, found)
    return found
  }
}

// INVARIANT (WINDOW-TRUTH): every boundary is firstInstantOf() of a period's start, for the window that it ends as for the one
// that it starts: so windows tile.
function spanAt(rule: CalendarRule, instant: number): Span {
  const { timeZone } = rule
  let period = periodStart(rule, instant + zoneOffsetMs(timeZone, instant))
  let startsAt = firstInstantOf(timeZone, period)
  period = nextPeriodStart(rule, period)
  let endsAt = firstInstantOf(timeZone, period)
  // A clock that goes back past midnight shows the old date again, but the new day has begun and begins only once.
  while (instant >= endsAt) {
    startsAt = endsAt
    period = nextPeriodStart(rule, period)
    endsAt = firstInstantOf(timeZone, period)
  }
  return Object.freeze({ startsAt, endsAt })
}

const shared = new Map<string, Calendar>()
const sharedLimit = 10_000

/**
 * Returns the calendar of the rule: one for all equal rules, so that what one caller found the others need not. What the unit
 * does not use is checked, then set to 1 in `calendar.rule` (all rules for days of a zone share one calendar).
 * Throws {@link InvalidConfigError} for an unknown unit or zone, or a start of week or month out of range.
 */
export function calendarFor(rule: CalendarRule): Calendar {
  const { unit, timeZone, weekStartsOn, monthStartsOn } = rule
  if (unit !== 'day' && unit !== 'week' && unit !== 'month') {
    throw new InvalidConfigError(`unit: ${JSON.stringify(unit)} is not a calendar unit. Use 'day', 'week' or 'month'.`)
  }
  assertWithin(weekStartsOn, 0, 6, 'weekStartsOn', '0 (Sunday) to 6 (Saturday); 1 is Monday')
  assertWithin(monthStartsOn, 1, 31, 'monthStartsOn', '1 to 31; 29 to 31 mean the last day of a shorter month')
  const key = `${unit} ${unit === 'week' ? weekStartsOn : 1} ${unit === 'month' ? monthStartsOn : 1} ${String(timeZone)}`
  // Only a string: the key of ['UTC'] is that of 'UTC'.
  const known = typeof timeZone === 'string' ? shared.get(key) : undefined
  if (known !== undefined) return known
  const calendar = new Calendar(
    Object.freeze({
      unit,
      timeZone: assertTimeZone(timeZone, 'timeZone'),
      weekStartsOn: unit === 'week' ? weekStartsOn : 1,
      monthStartsOn: unit === 'month' ? monthStartsOn : 1,
    }),
  )
  if (shared.size >= sharedLimit) shared.clear()
  shared.set(key, calendar)
  return calendar
}

function assertWithin(value: number, least: number, most: number, field: string, remedy: string): void {
  if (Number.isInteger(value) && value >= least && value <= most) return
  const shown = typeof value === 'string' ? JSON.stringify(value) : String(value)
  throw new InvalidConfigError(`${field}: ${shown} is out of range. Use a whole number from ${remedy}.`)
}
