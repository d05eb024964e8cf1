// A budget as a list of windows with integer limits: what BudgetConfig means. Pure; counters live in a store.

import { InvalidConfigError } from '../errors/index.js'
import { parseCount, parseUsd, UNITS, type Unit } from '../money/index.js'
import { calendarFor, formatDuration, parseDuration, rollingRule, TOTAL, type CalendarUnit, type RollingRule, type Tiling } from '../time/index.js'
import type { AmountConfig, CalendarConfig, WindowLimits } from './schema.js'

/** When a window starts and ends: a calendar (or `total`, which never ends), or a trailing length. */
export type WindowPeriod = { readonly kind: 'calendar'; readonly calendar: Tiling } | { readonly kind: 'rolling'; readonly rule: RollingRule }

/** One window of a budget. */
export interface BudgetWindow {
  /** Its identity within a scope, such as `daily/usd`: the same in every tier, so that a change of tier finds true usage. */
  readonly window: string
  /** `daily`, `weekly`, `monthly`, `total`, or `rolling:` and the length in its shortest form. */
  readonly period: string
  readonly unit: Unit
  /** In the window's unit (microcents for money); `null`: counted without a limit. */
  readonly limit: number | null
  readonly source: WindowPeriod
}

/** What the calendar windows of a budget follow: its settings, or for months those of a subscription. */
export interface Calendars extends CalendarConfig {
  readonly months?: Tiling | undefined
}

/** A limit's integers by unit. */
export type Limits = { readonly [unit in Unit]?: number | undefined }

const CALENDAR_UNITS: Readonly<Record<string, CalendarUnit>> = { daily: 'day', weekly: 'week', monthly: 'month' }
const NAMED_PERIODS = ['daily', 'weekly', 'monthly', 'total'] as const

const MONTHLY = 'monthly'

/** The calendar windows in which every user's money is counted, limited or not. */
export const ALWAYS_COUNTED: readonly string[] = ['daily', 'weekly', 'monthly']

/** Reads one amount into integers. Throws `InvalidAmountError` naming the field. */
export function parseLimits(amount: AmountConfig, field: string): Limits {
  if (typeof amount !== 'object') return { usd: parseUsd(amount, field, 'refuse') }
  const limits: { [unit in Unit]?: number } = {}
  if (amount.usd !== undefined) limits.usd = parseUsd(amount.usd, `${field}.usd`, 'refuse')
  if (amount.tokens !== undefined) limits.tokens = parseCount(amount.tokens, `${field}.tokens`)
  if (amount.requests !== undefined) limits.requests = parseCount(amount.requests, `${field}.requests`)
  return limits
}

/** The periods that a budget names, with their integer limits: `daily`, …, `rolling:5h`. */
export function periodsOf(limits: WindowLimits, field: string): Map<string, Limits> {
  const periods = new Map<string, Limits>()
  for (const period of NAMED_PERIODS) {
    const amount = limits[period]
    if (amount !== undefined) periods.set(period, parseLimits(amount, `${field}.${period}`))
  }
  const lengths = new Map<number, string>()
  for (const [length, amount] of Object.entries(limits.rolling ?? {})) {
    if (amount === undefined) continue
    const lengthMs = parseDuration(length, `${field}.rolling`)
    const twin = lengths.get(lengthMs)
    if (twin !== undefined) throw new InvalidConfigError(`${field}.rolling: "${twin}" and "${length}" are the same length. Keep one of them.`)
    lengths.set(lengthMs, length)
    periods.set(canonicalPeriod(`rolling:${length}`), parseLimits(amount, `${field}.rolling.${length}`))
  }
  return periods
}

/** The one name of a period: `rolling:24h` and `rolling:1d` are the same, and are called `rolling:1d`. */
export function canonicalPeriod(period: string): string {
  const [, length] = /^rolling:(.*)$/.exec(period) ?? []
  return length === undefined ? period : `rolling:${formatDuration(parseDuration(length, 'rolling'))}`
}

/** The identity of a window: the same for `rolling:24h` and `rolling:1d`. */
export function windowName(period: string, unit: Unit): string {
  const length = period.startsWith('rolling:') ? `rolling:${parseDuration(period.slice('rolling:'.length), period)}` : period
  return `${length}/${unit}`
}

/** What the identity of a window says by itself: its period's name and, but for the zone and anchors of a calendar, when it turns. */
export function periodOf(window: string): { readonly period: string; readonly unit: Unit; readonly source: WindowPeriod } {
  const [name = '', unit] = window.split('/') as [string, Unit]
  const period = name.startsWith('rolling:') ? `rolling:${formatDuration(Number(name.slice('rolling:'.length)))}` : name
  return { period, unit, source: sourceOf(period, {}) }
}

/** The windows of some periods under the calendars of one budget, in a fixed order; a period without any unit counts nothing. */
export function windowsOf(periods: ReadonlyMap<string, Limits>, calendars: Calendars): BudgetWindow[] {
  const windows: BudgetWindow[] = []
  for (const [period, limits] of periods) {
    const source = sourceOf(period, calendars)
    for (const unit of UNITS) {
      const limit = limits[unit]
      if (limit !== undefined) windows.push(Object.freeze({ window: windowName(period, unit), period, unit, limit, source }))
    }
  }
  return windows
}

/** The same window, counted without a limit, under another budget's calendars. */
export function unlimited(window: BudgetWindow, calendars: Calendars): BudgetWindow {
  return Object.freeze({ ...window, limit: null, source: sourceOf(window.period, calendars) })
}

/** The same windows, where those for months follow other ones. */
export function withMonths(windows: readonly BudgetWindow[], months: Tiling): readonly BudgetWindow[] {
  return Object.freeze(windows.map((window) => (window.period === MONTHLY ? Object.freeze({ ...window, source: sourceOf(MONTHLY, { months }) }) : window)))
}

function sourceOf(period: string, calendars: Calendars): WindowPeriod {
  if (period === 'total') return { kind: 'calendar', calendar: TOTAL }
  if (period === MONTHLY && calendars.months !== undefined) return { kind: 'calendar', calendar: calendars.months }
  const unit = CALENDAR_UNITS[period]
  if (unit === undefined) return { kind: 'rolling', rule: rollingRule(parseDuration(period.slice('rolling:'.length), period)) }
  const { timeZone = 'UTC', weekStartsOn = 1, monthStartsOn = 1 } = calendars
  return { kind: 'calendar', calendar: calendarFor({ unit, timeZone, weekStartsOn, monthStartsOn }) }
}

/** The calendar settings of a budget, over those that the whole configuration gives. */
export function calendarOf(budget: CalendarConfig, defaults: CalendarConfig): CalendarConfig {
  return {
    timeZone: budget.timeZone ?? defaults.timeZone,
    weekStartsOn: budget.weekStartsOn ?? defaults.weekStartsOn,
    monthStartsOn: budget.monthStartsOn ?? defaults.monthStartsOn,
  }
}
