// A user's budget in short, for whoever shows it: one window of theirs with the calls in it, and all windows beside it.

import { canonicalPeriod, limitOf, type UserRef } from '../../budget/index.js'
import type { WindowView } from '../../enforcement/index.js'
import { InvalidRequestError } from '../../errors/index.js'
import { saturatingAdd, toUsd } from '../../money/index.js'
import { CallCounts } from './call-counts.js'
import type { Caller } from '../caller.js'
import type { Engine } from '../service.js'
import type { WindowRow } from '../seeing/views.js'
import { byId, windowRow, type LimitsById } from '../seeing/window-row.js'

/** `GET /v1/users/{id}/budget`. The first seven are what billing pages ask for, and named as they are there. USD. */
export interface BudgetSummary {
  readonly customer_id: string
  /** `null`: without a limit. */
  readonly budget_limit_usd: number | null
  /** Spent and held: limit − used is what remains. */
  readonly budget_used_usd: number
  readonly budget_remaining_usd: number | null
  /** `null`: the ledger does not keep all calls of that time. */
  readonly requests_count: number | null
  readonly period_start: string
  /** `null`: never. */
  readonly period_end: string | null
  /** The least that remains in any window of money that refuses requests, of those that the caller may see. `null`: nothing is limited. */
  readonly budget_available_usd: number | null
  readonly budget_spent_usd: number
  readonly budget_held_usd: number
  readonly period: string
  readonly tenant: string | null
  readonly tier: string | null
  /** All that the caller may see: the user's own, and those of limits and shared budgets. */
  readonly windows: readonly WindowRow[]
}

/** What is asked about a user's budget. */
export interface BudgetQuestion {
  readonly period?: string | undefined
  /** As if the user were of this tier. */
  readonly tier?: string | undefined
}

/** From the longest to the shortest. */
const CALENDAR = ['monthly', 'weekly', 'daily']

/** Budgets of users in short. */
export class BudgetSummaries {
  readonly #tracker: Engine['tracker']
  readonly #counts: CallCounts

  constructor({ tracker }: Engine, counts = new CallCounts(tracker)) {
    this.#tracker = tracker
    this.#counts = counts
  }

  /** One user's. Throws `InvalidRequestError` for a period in which nobody counts the user's money, and `UnknownTierError`. */
  async of(caller: Caller, user: UserRef, { period, tier }: BudgetQuestion = {}): Promise<BudgetSummary> {
    const name = period === undefined ? undefined : canonicalPeriod(period)
    // Before the calls are counted: what is charged meanwhile has the next one count anew.
    const { totalEntries } = await this.#tracker.getUserSummary(user, tier)
    const { windows, userTier } = await this.#tracker.context({ ...user, userTier: tier, estimatedCost: 0, estimatedTokens: 0 })
    const own = windows.filter(({ scope, unit }) => scope.kind === 'user' && unit === 'usd')
    const window = name === undefined ? usualOf(own) : own.find((each) => each.period === name)
    if (window === undefined) throw new InvalidRequestError(`period: ${JSON.stringify(period)} is not counted. Use one of ${own.map((each) => each.period).join(', ')}.`)
    const { limit, spent, held, remaining, startsAt, resetsAt, exact } = window
    const limits = byId(windows.some(({ scope }) => scope.kind === 'limit') ? await this.#tracker.limits.list() : [])
    const rows = windows.flatMap((each) => {
      const row = windowRow(caller, each, limits)
      return row === undefined ? [] : [{ row, isRefusing: isRefusing(each, limits) }]
    })
    return {
      customer_id: user.userId,
      budget_limit_usd: limit,
      budget_used_usd: toUsd(saturatingAdd(exact.spent, exact.held)),
      budget_remaining_usd: remaining,
      requests_count: await this.#counts.of(user, window.period, startsAt, totalEntries),
      period_start: startsAt.toISOString(),
      period_end: resetsAt?.toISOString() ?? null,
      budget_available_usd: availableOf(rows.flatMap(({ row, isRefusing: refuses }) => (refuses ? [row] : []))),
      budget_spent_usd: spent,
      budget_held_usd: held,
      period: window.period,
      tenant: user.tenant ?? null,
      tier: userTier ?? null,
      windows: rows.map(({ row }) => row),
    }
  }
}

/** The longest calendar window that has a limit, else the longest of any kind that has one, else the longest that there is. */
function usualOf(own: readonly WindowView[]): WindowView | undefined {
  const limited = own.filter(({ limit }) => limit !== null)
  for (const windows of [limited, own]) {
    const found = CALENDAR.map((period) => windows.find((window) => window.period === period)).find((window) => window !== undefined)
    if (found !== undefined) return found
    const [longest] = [...windows].sort((one, other) => lengthOf(other) - lengthOf(one))
    if (longest !== undefined) return longest
  }
  return undefined
}

/** False for a limit that only tells of what it counts. */
function isRefusing({ scope }: WindowView, limits: LimitsById): boolean {
  const of = limitOf(scope)
  return of === undefined || limits.get(of.limitId)?.mode !== 'alert'
}

function availableOf(windows: readonly WindowRow[]): number | null {
  const remaining = windows.flatMap(({ unit, remaining: left }) => (unit === 'usd' && left !== null ? [left] : []))
  return remaining.length === 0 ? null : Math.min(...remaining)
}

function lengthOf({ startsAt, resetsAt }: WindowView): number {
  return resetsAt === null ? Infinity : resetsAt.getTime() - startsAt.getTime()
}
