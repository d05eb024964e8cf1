// A forecast for a user or a shared scope: the window as the store counts it, the history as the ledger tells it, and how far back the
// ledger tells everything. What follows from both is the forecast room's to say.

import { assertId, canonicalPeriod, toUserRef, userScope, type UserArgument, type UserRef } from '../budget/index.js'
import type { ScopeId } from '../enforcement/index.js'
import { InvalidRequestError } from '../errors/index.js'
import { forecastOf, FEWEST_STEPS, type Forecast, type SpendSeries, type WindowNow } from '../forecast/index.js'
import { ASSIGNED, pageOf, parseFilter, sumsOf, type Conditions, type EntryFilter, type EntrySource, type EntrySum } from '../ledger/index.js'
import { saturatingAdd, type Unit } from '../money/index.js'
import { READING_SIZE, type LedgerSink } from '../store/index.js'
import { assertTimeZone, calendarFor, NEVER, parseDuration, type CalendarUnit, type Duration, type Span } from '../time/index.js'
import type { JudgedScope } from './accounts.js'
import type { Foundation } from './foundation.js'
import { assertKnownFields } from './requests.js'
import type { JudgedWindow } from './terms.js'

/** Whose budget: a user, or a shared scope: `{ kind: 'global' }`, `{ kind: 'tenant', id }`, `{ kind: 'tier', id }`, or an id of a configured group. */
export type ForecastSubject = UserArgument | { readonly scope: { readonly kind: string; readonly id?: string | undefined; readonly tenant?: string | undefined } }

/** How a forecast is made. */
export interface ForecastOptions {
  /** Of which window: `monthly` (default), `daily`, `weekly`, `total` or `rolling:5h`. */
  readonly period?: string | undefined
  /** How far back the ledger is read. Default 28 days. */
  readonly lookback?: Duration | undefined
  /** The zone of a calendar window that nothing counts; one that is counted has its own. Default: that of the configuration. */
  readonly timeZone?: string | undefined
}

/** Whose entries, and where their windows stand. */
interface Subject {
  readonly scope: ScopeId
  readonly filter: NonNullable<EntryFilter['where']>
  readonly user: UserRef
  readonly tier: string | undefined
  readonly scopes: Readonly<Record<string, string>> | undefined
}

/** A unit that a ledger sums up. */
type SummedUnit = Exclude<Unit, 'requests'>

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const DEFAULT_LOOKBACK = '28d'
/** More would be asked of a ledger at once than it is made for. */
const MOST_STEPS = 10_000
const UNITS: Readonly<Record<string, CalendarUnit>> = { daily: 'day', weekly: 'week', monthly: 'month' }
/** What adds to a sum of money, or takes from it. */
const CHARGES = parseFilter({ where: { kind: ['settled', 'expired', 'recorded', 'corrected'] } })
/** What is kept in one order, and forgotten in it: what an audit has corrected may be kept longer. */
const CALLS = parseFilter({ where: { kind: ['settled', 'expired', 'recorded'] } })
/** Whoever asks for a shared scope is no user: nothing is known of this one. */
const NOBODY = 'nobody'

/**
 * The forecast for one window of a subject. Steps of an hour for windows shorter than two days, else of a day; they end now, so that none
 * is unfinished: the running hour or day neither counts for less than it is, nor is blown up to a whole one.
 */
export async function forecastFor(foundation: Foundation, subject: ForecastSubject, options: ForecastOptions = {}): Promise<Forecast> {
  assertKnownFields(options, ['period', 'lookback', 'timeZone'], 'options')
  const period = periodNamed(options.period ?? 'monthly')
  const lookbackMs = parseDuration(options.lookback ?? DEFAULT_LOOKBACK, 'lookback')
  const timeZone = options.timeZone === undefined ? (foundation.plan.config.timeZone ?? 'UTC') : assertTimeZone(options.timeZone, 'timeZone')
  const stepMs = lengthOf(period) < 2 * DAY_MS ? HOUR_MS : DAY_MS
  const mostSteps = Math.floor(lookbackMs / stepMs)
  if (mostSteps < FEWEST_STEPS || mostSteps > MOST_STEPS) {
    throw new InvalidRequestError(`lookback: ${String(options.lookback)} is ${mostSteps} steps of an ${stepMs === HOUR_MS ? 'hour' : 'day'}. Give ${FEWEST_STEPS} to ${MOST_STEPS} of them, such as '28d'.`.replace('an day', 'a day'))
  }
  const whose = subjectOf(foundation, subject)
  const { ledger } = foundation.store
  const { now, counted } = await readWindow(foundation, whose, period)
  const unit = counted?.unit ?? 'usd'
  const conditions = parseFilter({ where: whose.filter })
  const wholeSince = await wholeFrom(ledger, now - mostSteps * stepMs)
  const steps = wholeSince === null ? mostSteps : Math.min(mostSteps, Math.floor((now - wholeSince - 1) / stepMs))
  const { series, since } = await historyOf(ledger, conditions, unit, now, steps, stepMs)
  const window = counted ?? (await uncounted(ledger, conditions, period, timeZone, now))
  return forecastOf({ scope: whose.scope, period, unit, now, series, since, window })
}

function periodNamed(given: unknown): string {
  if (typeof given === 'string' && (/^(daily|weekly|monthly|total)$/.test(given) || given.startsWith('rolling:'))) return canonicalPeriod(given)
  throw new InvalidRequestError(`period: ${JSON.stringify(given)} is no period. Use daily, weekly, monthly, total, or rolling: and a length, such as rolling:5h.`)
}

function lengthOf(period: string): number {
  if (period === 'daily') return DAY_MS
  return period.startsWith('rolling:') ? parseDuration(period.slice('rolling:'.length), 'period') : Infinity
}

function subjectOf({ plan }: Foundation, subject: ForecastSubject): Subject {
  if (typeof subject !== 'object' || subject === null || !('scope' in subject)) return ofUser(toUserRef(subject))
  assertKnownFields(subject, ['scope'], 'subject')
  const { scope } = subject
  if (typeof scope !== 'object' || scope === null) throw new InvalidRequestError(`scope: ${String(scope)} is no scope. Give { kind, id }.`)
  assertKnownFields(scope, ['kind', 'id', 'tenant'], 'scope')
  const { kind, tenant } = scope
  assertId(kind, 'scope.kind')
  if (tenant !== undefined) assertId(tenant, 'scope.tenant')
  const id = kind === 'global' ? 'global' : scope.id
  assertId(id, 'scope.id')
  if (kind === 'user') return ofUser(tenant === undefined ? { userId: id } : { userId: id, tenant })
  if (kind === 'session') throw new InvalidRequestError('scope.kind: a session has a budget for one run, which has no forecast. Ask its summary.')
  // Any tier will do where it is not the tier's own pool: shared budgets are the same for all.
  const tier = kind === 'tier' ? id : plan.tiers[0]
  const within = tenant === undefined ? {} : { tenant }
  const base = { scope: { kind, id, ...within }, user: { userId: NOBODY, ...within }, tier, scopes: undefined }
  if (kind === 'global') return { ...base, scope: { kind, id }, filter: {} }
  if (kind === 'tenant') return { ...base, scope: { kind, id }, user: { userId: NOBODY, tenant: id }, filter: { tenant: id } }
  if (kind === 'tier') return { ...base, scope: { kind, id }, filter: { tier: id } }
  return { ...base, scopes: { [kind]: id }, filter: { [`scopes.${kind}`]: id, ...within } }
}

function ofUser(user: UserRef): Subject {
  return { scope: userScope(user), filter: { userId: user.userId, tenant: user.tenant ?? null }, user, tier: undefined, scopes: undefined }
}

/** The window of that period as the store counts it, and store time; a window of money before one of tokens, a limited one before all. */
async function readWindow({ accounts, store, effects }: Foundation, { scope, user, tier, scopes }: Subject, period: string): Promise<{ now: number; counted: (WindowNow & { readonly unit: SummedUnit }) | undefined }> {
  const account = await accounts.find({ user, tier, scopes })
  const places: { readonly scope: JudgedScope; readonly terms: JudgedWindow; readonly at: number }[] = []
  const own = account.scopes.filter(({ scope: { kind, id, tenant } }) => kind === scope.kind && id === scope.id && tenant === scope.tenant)
  let index = 0
  for (const each of own) {
    for (const terms of each.windows) {
      if (terms.period === period && terms.unit !== 'requests') places.push({ scope: each, terms, at: index })
      index += 1
    }
  }
  const reading = await store.read(own)
  effects.announce(reading.effects)
  const { now, readings, freeing } = reading
  const rank = ({ unit, limit }: JudgedWindow): number => (limit === null ? 2 : 0) + (unit === 'usd' ? 0 : 1)
  const [found] = places.sort((a, b) => rank(a.terms) - rank(b.terms))
  if (found === undefined) return { now, counted: undefined }
  const { terms, at } = found
  const [startsAt, endsAt, spent, held] = readings.slice(at * READING_SIZE, (at + 1) * READING_SIZE) as [number, number, number, number]
  const { source, limit } = terms
  const rolling = source.kind === 'rolling' ? { lengthMs: source.rule.lengthMs, freeing: freeing.get(at) ?? [] } : undefined
  return { now, counted: { unit: terms.unit as SummedUnit, spent, held, limit, startsAt, resetsAt: rolling !== undefined || endsAt === NEVER ? null : endsAt, rolling } }
}

/**
 * From when on (exclusive) the ledger surely has every charge; `null`: from `from` on, or all that ever were. One that begins later has
 * forgotten some, unless it has as many charges as were ever made.
 */
async function wholeFrom(ledger: LedgerSink, from: number): Promise<number | null> {
  const { entries: [oldest] } = await pageOf(ledger, CALLS, 1)
  if (oldest !== undefined && oldest.at < from) return null
  const { entries: ever } = await ledger.totals()
  // What was assigned to a client later is written beside the sums, and changes none.
  const kept = (await sumsOf(ledger, CHARGES, ['reason'])).reduce((count, { entries, texts: [reason] }) => (reason === ASSIGNED ? count : count + entries), 0)
  return kept >= ever ? null : (oldest?.at ?? Infinity)
}

/** The last so many steps, without those before the first that had any spend: before it, nobody was there to be idle. */
async function historyOf(ledger: EntrySource, conditions: Conditions, unit: SummedUnit, now: number, steps: number, stepMs: number): Promise<{ series: SpendSeries; since: number | null }> {
  const stepsPerRhythm = stepMs === HOUR_MS ? 24 : 7
  const empty = { series: { amounts: [], stepMs, stepsPerRhythm }, since: null }
  if (steps < 1) return empty
  const boundaries = Array.from({ length: steps + 1 }, (_, index) => now - (steps - index) * stepMs)
  const amounts = boundaries.slice(1).map(() => 0n)
  let first = steps
  for (const sum of await sumsOf(ledger, conditions, [], boundaries)) {
    // What was given back is taken from its own step, and no step is less than nothing.
    const amount = amountOf(sum, unit)
    amounts[sum.bucket] = amount > 0n ? amount : 0n
    if (sum.calls !== 0 || amount !== 0n) first = Math.min(first, sum.bucket)
  }
  if (first === steps) return empty
  return { series: { amounts: amounts.slice(first), stepMs, stepsPerRhythm }, since: boundaries[first] as number }
}

/** A calendar window that nothing counts, by what the ledger tells of it; `undefined` where that is not all, or it is no calendar window. */
async function uncounted(ledger: LedgerSink, conditions: Conditions, period: string, timeZone: string, now: number): Promise<WindowNow | undefined> {
  const calendarUnit = UNITS[period]
  if (calendarUnit === undefined) return undefined
  const { startsAt, endsAt }: Span = calendarFor({ unit: calendarUnit, timeZone, weekStartsOn: 1, monthStartsOn: 1 }).at(now)
  if ((await wholeFrom(ledger, startsAt)) !== null) return undefined
  const sums = await sumsOf(ledger, conditions, [], [startsAt, now + 1])
  const spent = sums.reduce((sum, each) => sum + each.microcents, 0n)
  return { spent: spent < 0n ? 0 : saturatingAdd(Number(spent), 0), held: 0, limit: null, startsAt, resetsAt: endsAt }
}

function amountOf({ microcents, tokens }: EntrySum, unit: SummedUnit): bigint {
  return unit === 'usd' ? microcents : tokens
}
