// The door of the room: clocks, durations, calendar windows, those of subscriptions and of single lives, and rolling ones.

export { assertInstant, steadyClock, systemClock, type Clock } from './clock.js'
export { FixedDate } from './fixed-date.js'
export { formatDuration, parseDuration, type Duration } from './duration.js'
export { assertTimeZone, firstInstantOf, zoneOffsetMs } from './zone.js'
export type { CalendarRule, CalendarUnit, Weekday } from './civil.js'
export { Calendar, calendarFor, type ConsecutiveSpans, type Span } from './calendar.js'
export { Lifetime } from './lifetime.js'
export { ROLLING_BUCKETS, bucketExpiresAt, bucketIndex, rollingRule, rollingSpan, type RollingRule } from './rolling.js'
export { SubscriptionCalendar, subscriptionCalendarFor, type PaidPeriod, type RenewalStep } from './subscription.js'
export { NEVER, TOTAL, type Tiling } from './total.js'
