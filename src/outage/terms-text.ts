// Scopes and their windows as plain JSON, and back: what an ending needs to be charged by another process, after a crash. Knows
// the words of the store contract; the rules of time are made again from what they say.

import { InvalidConfigError, InvalidRequestError } from '../errors/index.js'
import type { WindowPeriod } from '../budget/index.js'
import type { ScopeTerms, WindowTerms } from '../store/index.js'
import { Calendar, calendarFor, Lifetime, rollingRule, SubscriptionCalendar, subscriptionCalendarFor, TOTAL, type CalendarRule, type PaidPeriod, type Span } from '../time/index.js'

type PlainPeriod = 'total' | { readonly calendar: CalendarRule } | { readonly rollingMs: number } | { readonly subscription: PaidPeriod } | { readonly life: Span }

/** One window as JSON. */
export interface PlainWindow extends Omit<WindowTerms, 'source'> {
  readonly source: PlainPeriod
}

/** One scope as JSON. */
export interface PlainScope extends Pick<ScopeTerms, 'scope' | 'key'> {
  readonly windows: readonly PlainWindow[]
}

/** Terms as plain data, without what a store does not need. Throws `InvalidRequestError` for windows that no rule describes. */
export function plainScopes(scopes: readonly ScopeTerms[]): PlainScope[] {
  return scopes.map(({ scope, key, windows }) => ({ scope, key, windows: windows.map(plainWindow) }))
}

/** The terms that {@link plainScopes} wrote. Throws for a rule that is none. */
export function scopesFromPlain(scopes: readonly PlainScope[]): ScopeTerms[] {
  return scopes.map(({ scope, key, windows }) => ({ scope, key, windows: windows.map((window) => ({ ...window, source: periodFromPlain(window.source) })) }))
}

function plainWindow({ window, unit, source, limit, block, degrade, alerts }: WindowTerms): PlainWindow {
  return { window, unit, source: plainPeriod(source, window), limit, block, degrade, alerts }
}

function plainPeriod(source: WindowPeriod, window: string): PlainPeriod {
  if (source.kind === 'rolling') return { rollingMs: source.rule.lengthMs }
  if (source.calendar === TOTAL) return 'total'
  if (source.calendar instanceof Calendar) return { calendar: source.calendar.rule }
  if (source.calendar instanceof SubscriptionCalendar) return { subscription: source.calendar.period }
  if (source.calendar instanceof Lifetime) return { life: source.calendar.span }
  throw new InvalidRequestError(`window: "${window}" follows a calendar that no rule describes, and cannot be written down. Use a calendar of calendarFor(), TOTAL, a Lifetime, or a rolling length.`)
}

function periodFromPlain(source: PlainPeriod): WindowPeriod {
  if (source === 'total') return { kind: 'calendar', calendar: TOTAL }
  if ('calendar' in source) return { kind: 'calendar', calendar: calendarFor(source.calendar) }
  if ('rollingMs' in source) return { kind: 'rolling', rule: rollingRule(source.rollingMs) }
  if ('subscription' in source) return { kind: 'calendar', calendar: subscriptionCalendarFor(source.subscription) }
  if ('life' in source) return { kind: 'calendar', calendar: new Lifetime(source.life) }
  throw new InvalidConfigError(`source: ${JSON.stringify(source)} is no period. Use 'total', { calendar }, { subscription }, { life } or { rollingMs }.`)
}
