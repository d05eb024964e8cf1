// The windows of a subscription according to Temporal: every boundary is counted out one by one from an end of the period, by
// another library, and the one that holds an instant is looked for among them.

import { Temporal } from 'temporal-polyfill'
import type { Span } from '../../../src/time/calendar.js'
import type { PaidPeriod } from '../../../src/time/subscription.js'

const hourMs = 3_600_000
const dayMs = 24 * hourMs
const aMonthAtMost = 31 * dayMs + 2 * hourMs

/** The instant that is so many months after one, at its time of day in UTC, on that day of the month or the last one there is. */
export function monthsAfter(instant: number, months: number, day: number): number {
  const from = Temporal.Instant.fromEpochMilliseconds(instant).toZonedDateTimeISO('UTC')
  return from.with({ day: 1 }).add({ months }).with({ day }, { overflow: 'constrain' }).epochMilliseconds
}

/** The same, on the day of the month that the instant is on. */
export function plusMonths(instant: number, months: number): number {
  return Temporal.Instant.fromEpochMilliseconds(instant).toZonedDateTimeISO('UTC').add({ months }, { overflow: 'constrain' }).epochMilliseconds
}

/** The window of the period's subscription that holds the instant: found among all boundaries between the two, and some beyond. */
export function subscriptionWindow(period: PaidPeriod, instant: number): Span {
  const boundaries = boundariesOf(period, instant)
  const after = boundaries.findIndex((boundary) => boundary > instant)
  return { startsAt: boundaries[after - 1] as number, endsAt: boundaries[after] as number }
}

function boundariesOf(period: PaidPeriod, instant: number): number[] {
  const { startsAt, endsAt } = period
  const lengthMs = endsAt - startsAt
  const stepMs = stepOf(period)
  const from = (origin: number, other: number) => (number: number): number => (stepMs === 'a month' ? monthsAfter(origin, number, anchorDay(origin, other)) : origin + number * stepMs)
  const fromStart = from(startsAt, endsAt)
  const fromEnd = from(endsAt, startsAt)
  const boundaries = [startsAt, endsAt]
  for (let number = -1; (boundaries.at(0) as number) > instant; number -= 1) boundaries.unshift(fromStart(number))
  for (let number = 1; (boundaries.at(-1) as number) <= instant; number += 1) boundaries.push(fromEnd(number))
  const cut = (number: number): number => monthsAfter(startsAt, number, anchorDay(startsAt, endsAt))
  if (lengthMs > aMonthAtMost) for (let number = 1; cut(number) < endsAt - 2 * hourMs; number += 1) boundaries.push(cut(number))
  return boundaries.sort((a, b) => a - b)
}

/** By the subscription's own word, where it has one; else by whether the period is a month from its end back, or longer than one. */
function stepOf({ startsAt, endsAt, renewsEvery }: PaidPeriod): number | 'a month' {
  if (renewsEvery !== undefined) return renewsEvery.days !== undefined && renewsEvery.days <= 31 ? renewsEvery.days * dayMs : 'a month'
  const isMonth = Math.abs(monthsAfter(endsAt, -1, anchorDay(endsAt, startsAt)) - startsAt) <= 2 * hourMs
  return isMonth || endsAt - startsAt > aMonthAtMost ? 'a month' : Math.max(endsAt - startsAt, dayMs)
}

function anchorDay(origin: number, other: number): number {
  const { day, daysInMonth } = Temporal.Instant.fromEpochMilliseconds(origin).toZonedDateTimeISO('UTC')
  return day === daysInMonth ? Math.max(day, Temporal.Instant.fromEpochMilliseconds(other).toZonedDateTimeISO('UTC').day) : day
}
