// The usual way to find a window with date-fns-tz, which is wrong around some transitions: kept to show that the sweep notices.

import { addDays, addMonths, addWeeks, startOfDay, startOfMonth, startOfWeek } from 'date-fns'
import { fromZonedTime, toZonedTime } from 'date-fns-tz'
import type { Span } from '../../../src/time/calendar.js'
import type { CalendarRule } from '../../../src/time/civil.js'

/** The window at the instant, by `fromZonedTime(startOfX(toZonedTime(t, zone)), zone)`. Months start on the 1st. */
export function usualRecipe(rule: CalendarRule, instant: number): Span {
  const local = toZonedTime(instant, rule.timeZone)
  const start = {
    day: () => startOfDay(local),
    week: () => startOfWeek(local, { weekStartsOn: rule.weekStartsOn }),
    month: () => startOfMonth(local),
  }[rule.unit]()
  const end = { day: addDays, week: addWeeks, month: addMonths }[rule.unit](start, 1)
  return { startsAt: fromZonedTime(start, rule.timeZone).getTime(), endsAt: fromZonedTime(end, rule.timeZone).getTime() }
}
