// Days, weeks and months on the plain calendar, without zones: where the period that contains a wall time starts, and where the
// next one does. Wall times are milliseconds on the UTC calendar. Knows no instants.

/** The calendar periods that a window can have. */
export type CalendarUnit = 'day' | 'week' | 'month'

/** The first day of a week: 0 is Sunday, 1 Monday. */
export type Weekday = 0 | 1 | 2 | 3 | 4 | 5 | 6

/** Which calendar windows: of which unit, in whose time zone, starting where (windows and clocks). */
export interface CalendarRule {
  readonly unit: CalendarUnit
  /** An IANA name, such as `'Europe/Berlin'`, or `'UTC'`. */
  readonly timeZone: string
  readonly weekStartsOn: Weekday
  /** The day of the month that months start on: 1 to 31; 29 to 31 mean the last day of a month that is shorter. */
  readonly monthStartsOn: number
}

const dayMs = 86_400_000
const thursday = 4

/** The wall time at which the rule's period that contains `wallMs` starts: a midnight. */
export function periodStart(rule: CalendarRule, wallMs: number): number {
  const day = Math.floor(wallMs / dayMs)
  if (rule.unit === 'day') return day * dayMs
  if (rule.unit === 'week') {
    // The epoch, day 0, was a Thursday; the remainder is kept positive for the days before it.
    const daysIntoWeek = (((day + thursday - rule.weekStartsOn) % 7) + 7) % 7
    return (day - daysIntoWeek) * dayMs
  }
  const date = new Date(wallMs)
  const anchor = monthAnchor(rule, date.getUTCFullYear(), date.getUTCMonth())
  return wallMs >= anchor ? anchor : monthAnchor(rule, date.getUTCFullYear(), date.getUTCMonth() - 1)
}

/** The wall time at which the period after the one that starts at `startMs` starts. `startMs` comes from {@link periodStart}. */
export function nextPeriodStart(rule: CalendarRule, startMs: number): number {
  if (rule.unit === 'day') return startMs + dayMs
  if (rule.unit === 'week') return startMs + 7 * dayMs
  const date = new Date(startMs)
  return monthAnchor(rule, date.getUTCFullYear(), date.getUTCMonth() + 1)
}

function monthAnchor(rule: CalendarRule, year: number, month: number): number {
  return dayOfMonth(year, month, rule.monthStartsOn)
}

/** The midnight at which that day of a month starts, or the month's last day where it is shorter. `month` 0 is January, −1 the one before. */
export function dayOfMonth(year: number, month: number, day: number): number {
  const lastDay = new Date(Date.UTC(year, month + 1, 0)).getUTCDate()
  return Date.UTC(year, month, Math.min(day, lastDay))
}
