// What will be left of a budget: how fast it burns, when it is empty, and where its window ends up. Pure: from a series of spend and a
// window as it stands. Knows no ledger, no store and no clock.

import type { ScopeId } from '../enforcement/index.js'
import { MAX_AMOUNT, toPublic, type Unit } from '../money/index.js'
import { amountOver, amountOverAtMost, burnRateOf, FEWEST_STEPS, msUntil, type BurnRate, type Rate, type SpendSeries } from './burn-rate.js'

/** A window as it stands. Integers of its unit. */
export interface WindowNow {
  readonly spent: number
  readonly held: number
  readonly limit: number | null
  /** ms since the epoch. */
  readonly startsAt: number
  /** When it begins anew with nothing; `null`: never, or (a rolling one) bit by bit. */
  readonly resetsAt: number | null
  /** Of a rolling window: its length, and when what it counts now will leave it, in order of time. */
  readonly rolling?: { readonly lengthMs: number; readonly freeing: readonly { readonly at: number; readonly amount: number }[] } | undefined
}

/** What a forecast is made of. */
export interface ForecastInput {
  readonly scope: ScopeId
  readonly period: string
  readonly unit: Unit
  /** ms since the epoch: where the last step of the series ends. */
  readonly now: number
  readonly series: SpendSeries
  /** From when on the series is known; `null`: nothing was ever spent as far as the ledger tells. */
  readonly since: number | null
  /** `undefined`: nothing counts such a window, and the ledger cannot tell what was spent in it. */
  readonly window: WindowNow | undefined
  /** The fields without which the ledger does not say whose spend it is; then `series` says nothing. */
  readonly hidden?: readonly string[] | undefined
}

/** A window in a forecast. Money is USD numbers; `exact` has the integers. */
export interface ForecastWindow {
  readonly spent: number
  readonly held: number
  /** `null`: none. */
  readonly limit: number | null
  readonly startsAt: Date
  readonly resetsAt: Date | null
  readonly exact: { readonly spent: number; readonly held: number; readonly limit: number | null }
}

/** What every forecast says. */
export interface ForecastBase {
  readonly scope: ScopeId
  readonly period: string
  readonly unit: Unit
  readonly now: Date
  /** How long one step of the history is. */
  readonly step: 'hour' | 'day'
  /** How many whole steps were looked at; those without spend count as well. */
  readonly steps: number
  /** Where they begin; `null` where there is none. */
  readonly since: Date | null
  /** `null` where nothing counts it. */
  readonly window: ForecastWindow | null
}

/** The answer where there is too little to go by. */
export interface NotEnoughData extends ForecastBase {
  readonly enough: false
  /** Fewer than three steps; no spend in any of them; or the ledger is anonymised, and does not say whose its entries are. */
  readonly reason: 'too-short' | 'nothing-spent' | 'hidden'
  /** One sentence for people. */
  readonly message: string
}

/** What is to be expected. Amounts are USD numbers for money; `exact` has integers, of which none is above 2^53 − 1. */
export interface EnoughData extends ForecastBase {
  readonly enough: true
  /** Rounded up. */
  readonly burnRate: { readonly perHour: number; readonly perDay: number; readonly exact: { readonly perHour: number; readonly perDay: number } }
  /**
   * When spent and held come to the limit at the burn rate. `null`: not before the window resets, or there is no limit, or nothing burns.
   * A rolling window counts as well what leaves it meanwhile.
   */
  readonly runway: { readonly ms: number; readonly emptyAt: Date } | null
  /** What will have been spent when the window ends. `null` for a window that has no end. */
  readonly projection: Projection | null
}

/** `expected` and `high` count what is held as spent; `low` counts what is spent alone. */
export interface Projection {
  readonly at: Date
  readonly low: number
  readonly expected: number
  readonly high: number
  readonly exact: { readonly low: number; readonly expected: number; readonly high: number }
}

/** A forecast, or why there is none: it narrows on `enough`. */
export type Forecast = EnoughData | NotEnoughData

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
/** The last instant that a Date has. */
const LAST_DATE_MS = 8_640_000_000_000_000n

/** The forecast for a window by a series of spend that ends now. */
export function forecastOf({ scope, period, unit, now, series, since, window, hidden = [] }: ForecastInput): Forecast {
  const steps = series.amounts.length
  const base: ForecastBase = {
    scope,
    period,
    unit,
    now: new Date(now),
    step: series.stepMs === HOUR_MS ? 'hour' : 'day',
    steps,
    since: since === null ? null : new Date(since),
    window: window === undefined ? null : shownWindow(window, unit),
  }
  if (hidden.length > 0) {
    return Object.freeze({ ...base, enough: false, reason: 'hidden', message: `The ledger does not say whose spend it tells of: its sink replaces ${hidden.join(' and ')}.` })
  }
  if (series.amounts.every((amount) => amount === 0n)) {
    return Object.freeze({ ...base, enough: false, reason: 'nothing-spent', message: `Nothing was spent in the ${steps === 0 ? 'time' : `${steps} ${base.step}s`} that the ledger tells of.` })
  }
  if (steps < FEWEST_STEPS) {
    return Object.freeze({ ...base, enough: false, reason: 'too-short', message: `The ledger tells of ${steps} whole ${base.step}${steps === 1 ? '' : 's'}, and a forecast needs ${FEWEST_STEPS}.` })
  }
  const rates = burnRateOf(series)
  const exact = { perHour: limited(amountOverAtMost(rates.expected, HOUR_MS)), perDay: limited(amountOverAtMost(rates.expected, DAY_MS)) }
  return Object.freeze({
    ...base,
    enough: true,
    burnRate: { perHour: toPublic(unit, exact.perHour), perDay: toPublic(unit, exact.perDay), exact },
    runway: window === undefined ? null : runwayOf(window, rates.expected, now),
    projection: window === undefined ? null : projectionOf(window, rates, unit, now),
  })
}

function projectionOf({ spent, held, resetsAt }: WindowNow, { low, expected, high }: BurnRate, unit: Unit, now: number): Projection | null {
  if (resetsAt === null) return null
  const leftMs = Math.max(0, resetsAt - now)
  const exact = {
    low: limited(BigInt(spent) + amountOver(low, leftMs)),
    expected: limited(BigInt(spent) + BigInt(held) + amountOverAtMost(expected, leftMs)),
    high: limited(BigInt(spent) + BigInt(held) + amountOverAtMost(high, leftMs)),
  }
  return { at: new Date(resetsAt), low: toPublic(unit, exact.low), expected: toPublic(unit, exact.expected), high: toPublic(unit, exact.high), exact }
}

function runwayOf({ spent, held, limit, resetsAt, rolling }: WindowNow, rate: Rate, now: number): EnoughData['runway'] {
  if (limit === null) return null
  let left = BigInt(limit) - BigInt(spent) - BigInt(held)
  for (const { at, amount } of rolling?.freeing ?? []) {
    const ms = msUntil(rate, left)
    if (ms !== null && ms < BigInt(at - now)) return emptyIn(ms, now)
    left += BigInt(amount)
  }
  const ms = msUntil(rate, left)
  if (ms === null) return null
  // After its length, a rolling window loses what it gains: it is as full as it gets.
  const isInTime = rolling === undefined ? resetsAt === null || ms < BigInt(resetsAt - now) : ms <= BigInt(rolling.lengthMs)
  return isInTime ? emptyIn(ms, now) : null
}

/** `null` beyond the last date there is. */
function emptyIn(ms: bigint, now: number): EnoughData['runway'] {
  return BigInt(now) + ms > LAST_DATE_MS ? null : { ms: Number(ms), emptyAt: new Date(now + Number(ms)) }
}

function shownWindow({ spent, held, limit, startsAt, resetsAt }: WindowNow, unit: Unit): ForecastWindow {
  return {
    spent: toPublic(unit, spent),
    held: toPublic(unit, held),
    limit: limit === null ? null : toPublic(unit, limit),
    startsAt: new Date(startsAt),
    resetsAt: resetsAt === null ? null : new Date(resetsAt),
    exact: { spent, held, limit },
  }
}

function limited(amount: bigint): number {
  return amount > BigInt(MAX_AMOUNT) ? MAX_AMOUNT : Number(amount)
}
