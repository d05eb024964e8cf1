// The windows according to Temporal: another library and another algorithm than the one under test, and no line shared with it
// but the types.

import { Temporal } from 'temporal-polyfill'
import type { Span } from '../../../src/time/calendar.js'
import type { CalendarRule } from '../../../src/time/civil.js'

type Shape = Omit<CalendarRule, 'timeZone'>

/** Every instant in [fromMs, toMs) at which the zone changes its offset, ascending. */
export function transitionsOf(timeZone: string, fromMs: number, toMs: number): number[] {
  const transitions: number[] = []
  let next = zoned(fromMs, timeZone).getTimeZoneTransition('next')
  while (next !== null && next.epochMilliseconds < toMs) {
    transitions.push(next.epochMilliseconds)
    next = next.getTimeZoneTransition('next')
  }
  return transitions
}

/** A text that is the same for two zones exactly if their clocks showed the same at every instant in [fromMs, toMs). */
export function historyOf(timeZone: string, fromMs: number, toMs: number): string {
  const changes = [fromMs, ...transitionsOf(timeZone, fromMs, toMs)]
  return changes.map((instant) => `${instant}${zoned(instant, timeZone).offset}`).join(' ')
}

/** The windows of one zone by Temporal, remembering the start of each local day that was asked for. */
export class Oracle {
  readonly #timeZone: string
  readonly #starts = new Map<string, number>()

  constructor(timeZone: string) {
    this.#timeZone = timeZone
  }

  at(shape: Shape, instant: number): Span {
    let first = firstDay(shape, zoned(instant, this.#timeZone).toPlainDate())
    let startsAt = this.#startOf(first)
    for (;;) {
      first = followingFirstDay(shape, first)
      const endsAt = this.#startOf(first)
      if (instant < endsAt) return { startsAt, endsAt }
      startsAt = endsAt
    }
  }

  #startOf(date: Temporal.PlainDate): number {
    const key = date.toString()
    const known = this.#starts.get(key)
    if (known !== undefined) return known
    const startsAt = date.toZonedDateTime(this.#timeZone).epochMilliseconds
    this.#starts.set(key, startsAt)
    return startsAt
  }
}

function zoned(instant: number, timeZone: string): Temporal.ZonedDateTime {
  return Temporal.Instant.fromEpochMilliseconds(instant).toZonedDateTimeISO(timeZone)
}

function firstDay(shape: Shape, date: Temporal.PlainDate): Temporal.PlainDate {
  if (shape.unit === 'day') return date
  if (shape.unit === 'week') {
    let day = date
    while (day.dayOfWeek % 7 !== shape.weekStartsOn) day = day.subtract({ days: 1 })
    return day
  }
  const anchor = date.with({ day: shape.monthStartsOn })
  return Temporal.PlainDate.compare(date, anchor) >= 0 ? anchor : anchorIn(date.toPlainYearMonth().subtract({ months: 1 }), shape)
}

function followingFirstDay(shape: Shape, first: Temporal.PlainDate): Temporal.PlainDate {
  if (shape.unit === 'day') return first.add({ days: 1 })
  if (shape.unit === 'week') return first.add({ days: 7 })
  return anchorIn(first.toPlainYearMonth().add({ months: 1 }), shape)
}

function anchorIn(month: Temporal.PlainYearMonth, shape: Shape): Temporal.PlainDate {
  return month.toPlainDate({ day: Math.min(shape.monthStartsOn, month.daysInMonth) })
}
