// A forecast for a user, a shared scope or a limit: the window as the store counts it, the history as the ledger tells it, and how far
// back the ledger tells everything. What follows from both is the forecast room's to say.

import { canonicalPeriod } from '../budget/index.js'
import { InvalidRequestError } from '../errors/index.js'
import { forecastOf, FEWEST_STEPS, type Forecast, type WindowNow } from '../forecast/index.js'
import { parseFilter, type EntryField } from '../ledger/index.js'
import { saturatingAdd, type Unit } from '../money/index.js'
import { READING_SIZE, type LedgerSink } from '../store/index.js'
import { assertTimeZone, calendarFor, NEVER, parseDuration, type CalendarUnit, type Duration, type Span } from '../time/index.js'
import type { JudgedScope } from './accounts.js'
import { findSubject, type ForecastSubject, type Subject } from './forecast-subject.js'
import type { Foundation } from './foundation.js'
import { assertKnownFields } from './requests.js'
import { chargedIn, historyOf, wholeFrom, type SpentSteps } from './spend-history.js'
import type { JudgedWindow } from './terms.js'

export type { ForecastSubject } from './forecast-subject.js'

/** How a forecast is made. */
export interface ForecastOptions {
  /** Of which window: `monthly` (default), `daily`, `weekly`, `total` or `rolling:5h`. Default for a limit without a monthly one: its first. */
  readonly period?: string | undefined
  /** Default: where the period limits several units, the one that runs out first; else the one that it limits, else `usd`. */
  readonly unit?: 'usd' | 'tokens' | undefined
  /** How far back the ledger is read. Default 28 days. */
  readonly lookback?: Duration | undefined
  /** The zone of a calendar window that nothing counts; one that is counted has its own. Default: that of the configuration. */
  readonly timeZone?: string | undefined
}

/** A unit that a ledger sums up. */
type SummedUnit = Exclude<Unit, 'requests'>
type Counted = WindowNow & { readonly unit: SummedUnit }

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const DEFAULT_LOOKBACK = '28d'
const DEFAULT_PERIOD = 'monthly'
/** More would be asked of a ledger at once than it is made for. */
const MOST_STEPS = 10_000
const UNITS: Readonly<Record<string, CalendarUnit>> = { daily: 'day', weekly: 'week', monthly: 'month' }

/**
 * The forecast for one window of a subject. Steps of an hour for windows shorter than two days, else of a day; they end now, so that none
 * is unfinished: the running hour or day neither counts for less than it is, nor is blown up to a whole one.
 */
export async function forecastFor(foundation: Foundation, subject: ForecastSubject, options: ForecastOptions = {}): Promise<Forecast> {
  assertKnownFields(options, ['period', 'unit', 'lookback', 'timeZone'], 'options')
  const { unit: wanted } = options
  if (wanted !== undefined && wanted !== 'usd' && wanted !== 'tokens') throw new InvalidRequestError(`unit: ${JSON.stringify(wanted)} is no unit that a forecast can be made of. Use usd or tokens.`)
  const given = options.period === undefined ? undefined : periodNamed(options.period)
  const timeZone = options.timeZone === undefined ? (foundation.plan.config.timeZone ?? 'UTC') : assertTimeZone(options.timeZone, 'timeZone')
  const lookbackMs = parseDuration(options.lookback ?? DEFAULT_LOOKBACK, 'lookback')
  const whose = await findSubject(foundation, subject)
  const period = given ?? (whose.periods === undefined || whose.periods.includes(DEFAULT_PERIOD) ? DEFAULT_PERIOD : (whose.periods[0] as string))
  if (whose.periods?.includes(period) === false) throw new InvalidRequestError(`period: the limit has no window ${period}. Use ${whose.periods.join(' or ')}.`)
  const stepMs = lengthOf(period) < 2 * DAY_MS ? HOUR_MS : DAY_MS
  const mostSteps = Math.floor(lookbackMs / stepMs)
  if (mostSteps < FEWEST_STEPS || mostSteps > MOST_STEPS) {
    throw new InvalidRequestError(`lookback: ${String(options.lookback)} is ${mostSteps} steps of an ${stepMs === HOUR_MS ? 'hour' : 'day'}. Give ${FEWEST_STEPS} to ${MOST_STEPS} of them, such as '28d'.`.replace('an day', 'a day'))
  }
  const { store: { ledger, auditor } } = foundation
  const { now, windows } = await readWindows(foundation, whose.judged, period)
  const hidden = Object.entries(whose.filter).flatMap(([field, text]) => (text !== null && auditor?.hides?.(field as EntryField) === true ? [field] : []))
  const conditions = parseFilter({ where: whose.filter })
  const history = hidden.length > 0 ? NOTHING : await historyOf(ledger, conditions, now, stepMs, await stepsKnown(ledger, whose, now, mostSteps, stepMs))
  const made = await Promise.all(
    unitsOf(windows, wanted).map(async (unit) => {
      const counted = windows.find((window) => window.unit === unit)
      const window = counted ?? (whose.periods !== undefined || hidden.length > 0 ? undefined : await uncounted(ledger, whose, unit, period, timeZone, now))
      return forecastOf({ scope: whose.scope, period, unit, now, series: history.seriesOf(unit), since: history.since, window, hidden })
    }),
  )
  return firstToRunOut(made)
}

/** The history of whom the ledger does not name. */
const NOTHING: SpentSteps = { since: null, seriesOf: () => ({ amounts: [], stepMs: DAY_MS, stepsPerRhythm: 7 }) }

function periodNamed(given: unknown): string {
  if (typeof given === 'string' && (/^(daily|weekly|monthly|total)$/.test(given) || given.startsWith('rolling:'))) return canonicalPeriod(given)
  throw new InvalidRequestError(`period: ${JSON.stringify(given)} is no period. Use daily, weekly, monthly, total, or rolling: and a length, such as rolling:5h.`)
}

function lengthOf(period: string): number {
  if (period === 'daily') return DAY_MS
  return period.startsWith('rolling:') ? parseDuration(period.slice('rolling:'.length), 'period') : Infinity
}

/** Those that are limited, money first; where none is, one that is counted; else money. */
function unitsOf(windows: readonly Counted[], wanted: SummedUnit | undefined): readonly SummedUnit[] {
  if (wanted !== undefined) return [wanted]
  const units = (some: readonly Counted[]): SummedUnit[] => (['usd', 'tokens'] as const).filter((unit) => some.some((window) => window.unit === unit))
  const limited = units(windows.filter(({ limit }) => limit !== null))
  return limited.length > 0 ? limited : [units(windows)[0] ?? 'usd']
}

function firstToRunOut(forecasts: readonly Forecast[]): Forecast {
  const msOf = (forecast: Forecast): number => (forecast.enough ? (forecast.runway?.ms ?? Number.MAX_VALUE) : Infinity)
  return forecasts.reduce((first, forecast) => (msOf(forecast) < msOf(first) ? forecast : first))
}

/** The windows of that period as the store counts them, and store time. */
async function readWindows({ store, effects }: Foundation, judged: readonly JudgedScope[], period: string): Promise<{ now: number; windows: readonly Counted[] }> {
  const places: { readonly terms: JudgedWindow; readonly at: number }[] = []
  let index = 0
  for (const { windows } of judged) {
    for (const terms of windows) {
      if (terms.period === period && terms.unit !== 'requests') places.push({ terms, at: index })
      index += 1
    }
  }
  const { now, readings, freeing, effects: brought } = await store.read(judged)
  effects.announce(brought)
  const windows = places.map(({ terms: { unit, source, limit }, at }) => {
    const [startsAt, endsAt, spent, held] = readings.slice(at * READING_SIZE, (at + 1) * READING_SIZE) as [number, number, number, number]
    const rolling = source.kind === 'rolling' ? { lengthMs: source.rule.lengthMs, freeing: freeing.get(at) ?? [] } : undefined
    return { unit: unit as SummedUnit, spent, held, limit, startsAt, resetsAt: rolling !== undefined || endsAt === NEVER ? null : endsAt, rolling }
  })
  return { now, windows }
}

/** How many steps back the ledger surely has everything, and the subject counts. */
async function stepsKnown(ledger: LedgerSink, { since }: Subject, now: number, mostSteps: number, stepMs: number): Promise<number> {
  const wholeSince = await wholeFrom(ledger, now - mostSteps * stepMs)
  const kept = wholeSince === null ? mostSteps : Math.floor((now - wholeSince - 1) / stepMs)
  const counts = since === undefined ? mostSteps : Math.floor((now - since) / stepMs)
  return Math.min(mostSteps, kept, counts)
}

/** A calendar window that nothing counts, by what the ledger tells of it; `undefined` where that is not all, or it is no calendar window. */
async function uncounted(ledger: LedgerSink, { filter }: Subject, unit: SummedUnit, period: string, timeZone: string, now: number): Promise<WindowNow | undefined> {
  const calendarUnit = UNITS[period]
  if (calendarUnit === undefined) return undefined
  const { startsAt, endsAt }: Span = calendarFor({ unit: calendarUnit, timeZone, weekStartsOn: 1, monthStartsOn: 1 }).at(now)
  if ((await wholeFrom(ledger, startsAt)) !== null) return undefined
  const { microcents, tokens } = await chargedIn(ledger, parseFilter({ where: filter }), [startsAt, now + 1])
  const spent = unit === 'usd' ? microcents : tokens
  return { spent: spent < 0n ? 0 : saturatingAdd(Number(spent), 0), held: 0, limit: null, startsAt, resetsAt: endsAt }
}
