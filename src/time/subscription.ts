// The months of a subscription: from the period that has been paid for, as a payment provider says it, to windows before, in and
// after it. Decides boundaries only, in UTC; must not know budgets, providers or stores.

import { InvalidRequestError } from '../errors/errors.js'
import type { ConsecutiveSpans, Span } from './calendar.js'
import { dayOfMonth } from './civil.js'
import { assertInstant } from './clock.js'
import type { Tiling } from './total.js'

const hourMs = 3_600_000
const dayMs = 24 * hourMs
// Who bills by a local clock has months that are an hour longer or shorter in UTC.
const slackMs = 2 * hourMs
const longestMonthMs = 31 * dayMs + slackMs

/** How long the periods after one are: whole months (a year is twelve), or days (a week is seven). */
export type RenewalStep = { readonly months: number; readonly days?: undefined } | { readonly days: number; readonly months?: undefined }

/** The time that a subscription has been paid for: start inclusive, end exclusive; in ms since the epoch. */
export interface PaidPeriod extends Span {
  /** Absent: what the period's own length shows. */
  readonly renewsEvery?: RenewalStep | undefined
}

/** Boundaries without end in both directions, the 0th at the origin. */
interface Boundaries {
  at(number: number): number
  /** The number of the last boundary that is not after the instant. */
  numberAt(instant: number): number
}

/**
 * The windows of a subscription. The period itself is one window if it is no longer than a month (31 days and 2 hours), else it is
 * cut into months from its start, and the last one ends with it (what would be left of less than two hours is no window of its own).
 *
 * After its end windows go on as the subscription renews, so that a renewal that nobody has heard of turns the window at the right
 * instant. Where it renews every so many months, and where the period is whole months or longer than one: month by month, at the
 * end's time of day in UTC, on its day of the month or the last one of a shorter month, as Stripe does. Where it renews every so many
 * days, up to 31: in such steps. Else (a trial of which no more is known) in steps of its own length, but of a day at least. Before the
 * start the same holds backwards. Obtained from {@link subscriptionCalendarFor}.
 */
export class SubscriptionCalendar implements Tiling {
  /** Frozen. */
  readonly period: PaidPeriod
  readonly #fromStart: Boundaries
  readonly #fromEnd: Boundaries
  /** What a period of more than a month is cut by. */
  readonly #months: Boundaries
  /** Where the period is one window. */
  readonly #whole: Span | undefined
  #running: Span = { startsAt: 0, endsAt: 0 }
  #around: ConsecutiveSpans | undefined

  /** Takes a period that is known to be right; {@link subscriptionCalendarFor} checks it. */
  constructor(period: PaidPeriod) {
    const { startsAt, endsAt } = period
    const lengthMs = endsAt - startsAt
    this.period = period
    this.#whole = lengthMs <= longestMonthMs ? Object.freeze({ startsAt, endsAt }) : undefined
    const stepMs = stepOf(period)
    this.#fromStart = stepMs === undefined ? months(startsAt, endsAt) : steps(startsAt, stepMs)
    this.#months = months(startsAt, endsAt)
    this.#fromEnd = stepMs === undefined ? months(endsAt, startsAt) : steps(endsAt, stepMs)
  }

  /** The window that contains the instant: frozen. Throws `InvalidRequestError` for what is no instant. */
  at(instant: number): Span {
    const { startsAt, endsAt } = this.#running
    if (instant >= startsAt && instant < endsAt) return this.#running
    this.#running = this.#find(assertInstant(instant))
    this.#around = undefined
    return this.#running
  }

  /** The windows before, at and after the instant, as {@link Calendar.around} gives them. Throws for what is no instant. */
  around(instant: number): ConsecutiveSpans {
    const running = this.at(instant)
    this.#around ??= Object.freeze([this.#find(running.startsAt - 1), running, this.#find(running.endsAt)] as const)
    return this.#around
  }

  // INVARIANT (WINDOW-TRUTH): boundaries are those counted from the start as far as the start, those within the period, and those
  // counted from the end: both ends of the period are boundaries, so windows tile.
  #find(instant: number): Span {
    const { startsAt, endsAt } = this.period
    if (instant < startsAt) return between(this.#fromStart, instant)
    if (instant >= endsAt) return between(this.#fromEnd, instant)
    return this.#whole ?? this.#within(instant)
  }

  #within(instant: number): Span {
    const { endsAt } = this.period
    const number = this.#months.numberAt(instant)
    const next = this.#months.at(number + 1)
    const start = this.#months.at(number)
    if (endsAt - start <= slackMs) return Object.freeze({ startsAt: this.#months.at(number - 1), endsAt })
    return Object.freeze({ startsAt: start, endsAt: endsAt - next <= slackMs ? endsAt : next })
  }
}

/** How far one window after the period is from the next; `undefined`: a month. */
function stepOf({ startsAt, endsAt, renewsEvery }: PaidPeriod): number | undefined {
  if (renewsEvery?.days !== undefined) return renewsEvery.days * dayMs > longestMonthMs ? undefined : renewsEvery.days * dayMs
  const lengthMs = endsAt - startsAt
  if (renewsEvery !== undefined || lengthMs > longestMonthMs) return undefined
  const monthBefore = months(endsAt, startsAt).at(-1)
  return Math.abs(monthBefore - startsAt) <= slackMs ? undefined : Math.max(lengthMs, dayMs)
}

function between(boundaries: Boundaries, instant: number): Span {
  const number = boundaries.numberAt(instant)
  return Object.freeze({ startsAt: boundaries.at(number), endsAt: boundaries.at(number + 1) })
}

function steps(origin: number, stepMs: number): Boundaries {
  return { at: (number) => origin + number * stepMs, numberAt: (instant) => Math.floor((instant - origin) / stepMs) }
}

/** Months from one end of a period. `other` is the other end: it shows the day that is meant where the origin's month lacks it. */
function months(origin: number, other: number): Boundaries {
  const first = monthNumber(origin)
  const timeOfDayMs = origin - Math.floor(origin / dayMs) * dayMs
  const day = new Date(origin).getUTCDate()
  // The 28th of February may stand for the 31st of January: of two months in a row, one has the day.
  const isLastDay = new Date(origin + dayMs).getUTCDate() === 1
  const anchorDay = isLastDay ? Math.max(day, new Date(other).getUTCDate()) : day
  const at = (number: number): number => {
    const month = first + number
    return dayOfMonth(Math.floor(month / 12), ((month % 12) + 12) % 12, anchorDay) + timeOfDayMs
  }
  return {
    at,
    numberAt: (instant) => {
      const number = monthNumber(instant) - first
      return at(number) <= instant ? number : number - 1
    },
  }
}

function monthNumber(instant: number): number {
  const date = new Date(instant)
  return date.getUTCFullYear() * 12 + date.getUTCMonth()
}

const shared = new Map<string, SubscriptionCalendar>()
const sharedLimit = 10_000

/**
 * Returns the windows of a period that has been paid for: the same object for equal periods, while it is remembered. Throws
 * {@link InvalidRequestError} for ends that are no instants, or in the wrong order, and for a step that is no count of months or days.
 */
export function subscriptionCalendarFor({ startsAt, endsAt, renewsEvery }: PaidPeriod): SubscriptionCalendar {
  const key = `${startsAt} ${endsAt} ${renewsEvery?.months} ${renewsEvery?.days}`
  const known = shared.get(key)
  if (known !== undefined) return known
  const step = renewsEvery?.months ?? renewsEvery?.days
  if (renewsEvery !== undefined && !(Number.isSafeInteger(step) && (step as number) > 0)) throw new InvalidRequestError(`period.renewsEvery: ${JSON.stringify(renewsEvery)} is no step. Give { months } or { days }, a whole number of them.`)
  const span = { startsAt: assertInstant(startsAt, 'period.startsAt'), endsAt: assertInstant(endsAt, 'period.endsAt') }
  const period: PaidPeriod = Object.freeze({ ...span, ...(renewsEvery !== undefined && { renewsEvery: Object.freeze({ ...renewsEvery }) }) })
  if (period.startsAt >= period.endsAt) {
    throw new InvalidRequestError(`period.endsAt: ${endsAt} is not after the start, ${startsAt}. Give a period that ends after it starts.`)
  }
  const calendar = new SubscriptionCalendar(period)
  if (shared.size >= sharedLimit) shared.clear()
  shared.set(key, calendar)
  return calendar
}
