// The windows of a subscription according to Temporal: every boundary is counted out one by one from an end of the period, by
// another library, and the one that holds an instant is looked for among them.

import { Temporal } from 'temporal-polyfill'
import type { Span } from '../../../src/time/calendar.js'

const hourMs = 3_600_000
const dayMs = 24 * hourMs

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
export function subscriptionWindow(period: Span, instant: number): Span {
  const boundaries = boundariesOf(period, instant)
  const after = boundaries.findIndex((boundary) => boundary > instant)
  return { startsAt: boundaries[after - 1] as number, endsAt: boundaries[after] as number }
}

function boundariesOf({ startsAt, endsAt }: Span, instant: number): number[] {
  const lengthMs = endsAt - startsAt
  const isMonthLike = lengthMs >= 27 * dayMs
  const stepMs = Math.max(lengthMs, dayMs)
  const from = (origin: number, other: number) => (number: number): number => (isMonthLike ? monthsAfter(origin, number, anchorDay(origin, other)) : origin + number * stepMs)
  const fromStart = from(startsAt, endsAt)
  const fromEnd = from(endsAt, startsAt)
  const boundaries = [startsAt, endsAt]
  for (let number = -1; (boundaries.at(0) as number) > instant; number -= 1) boundaries.unshift(fromStart(number))
  for (let number = 1; (boundaries.at(-1) as number) <= instant; number += 1) boundaries.push(fromEnd(number))
  if (lengthMs > 31 * dayMs + 2 * hourMs) for (let number = 1; fromStart(number) < endsAt - 2 * hourMs; number += 1) boundaries.push(fromStart(number))
  return boundaries.sort((a, b) => a - b)
}

function anchorDay(origin: number, other: number): number {
  const { day, daysInMonth } = Temporal.Instant.fromEpochMilliseconds(origin).toZonedDateTimeISO('UTC')
  return day === daysInMonth ? Math.max(day, Temporal.Instant.fromEpochMilliseconds(other).toZonedDateTimeISO('UTC').day) : day
}
