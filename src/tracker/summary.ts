// Windows and totals as reports: what a person asks of one user, or of everything.

import type { EnforcementContext, WindowView } from '../enforcement/index.js'
import type { LedgerTotals, ModelTotals } from '../ledger/index.js'
import { toUsd, type Unit } from '../money/index.js'

/** One window of a user. Money is USD; the unit says whether the numbers are money. */
export interface PeriodCost {
  readonly unit: Unit
  readonly cost: number
  readonly held: number
  readonly limit: number | null
  readonly remaining: number | null
  readonly usedPct: number
  readonly exceeded: boolean
  readonly startsAt: Date
  readonly resetsAt: Date | null
  /** The same amounts as integers: microcents for money. */
  readonly exact: { readonly cost: number; readonly held: number; readonly limit: number | null }
}

/** A user's budget and what it was spent on. */
export interface UserSummary {
  readonly userId: string
  readonly tenant: string | undefined
  readonly tier: string | undefined
  /** Everything charged to this user since the store began to count them; a user whose windows have ended a month or so ago may be forgotten. */
  readonly totalCost: number
  readonly totalEntries: number
  /** Money in open holds. */
  readonly held: number
  /** The limit of the fullest window; `null` without any. */
  readonly budgetLimit: number | null
  readonly budgetExceeded: boolean
  /** By period: `daily`, `rolling:5h`, …; a second unit of the same period is `daily/tokens`. */
  readonly periodCosts: Readonly<Record<string, PeriodCost>>
  readonly exact: { readonly totalMicrocents: number; readonly heldMicrocents: number }
}

/**
 * Sums over all users, running ones: what is exact is so up to 2^53 (90 million USD, or as many tokens), and beyond it about the nearest
 * double; `reports.summary({ by: [] })` is exact however large. What named no model, provider or tier is summed as `unknown`, together with
 * what is called so; `reports.summary({ by: ['model'] })` tells the two apart.
 */
export interface Summary {
  readonly totalCost: number
  readonly totalEntries: number
  readonly totalTokens: number
  readonly byModel: Readonly<Record<string, CostSum>>
  readonly byProvider: Readonly<Record<string, CostSum>>
  readonly byTier: Readonly<Record<string, CostSum>>
  /** An exact integer up to 2^53. */
  readonly exact: { readonly totalMicrocents: number }
}

/** Cost, tokens and number of entries of one model, provider or tier. */
export interface CostSum {
  readonly cost: number
  readonly tokens: number
  readonly entries: number
  readonly exact: { readonly microcents: number }
}

/** The user's own windows of a context, by period. */
export function periodCosts(windows: readonly WindowView[]): Record<string, PeriodCost> {
  const costs: Record<string, PeriodCost> = {}
  for (const window of windows) {
    if (window.scope.kind !== 'user') continue
    const name = Object.hasOwn(costs, window.period) ? `${window.period}/${window.unit}` : window.period
    const { unit, spent: cost, held, limit, remaining, usedPct, exceeded, startsAt, resetsAt } = window
    const exact = { cost: window.exact.spent, held: window.exact.held, limit: window.exact.limit }
    costs[name] = Object.freeze({ unit, cost, held, limit, remaining, usedPct, exceeded, startsAt, resetsAt, exact })
  }
  return costs
}

/** A user's summary from the context of a request for nothing. */
export function userSummary(context: EnforcementContext, totals: { microcents: number; entries: number }): UserSummary {
  const own = context.windows.filter((window) => window.scope.kind === 'user')
  const heldMicrocents = Math.max(0, ...own.filter((window) => window.unit === 'usd').map((window) => window.exact.held))
  return Object.freeze({
    userId: context.userId,
    tenant: context.tenant,
    tier: context.userTier,
    totalCost: toUsd(totals.microcents),
    totalEntries: totals.entries,
    held: toUsd(heldMicrocents),
    budgetLimit: context.budgetLimit,
    budgetExceeded: own.some((window) => window.exceeded),
    periodCosts: periodCosts(own),
    exact: { totalMicrocents: totals.microcents, heldMicrocents },
  })
}

/** Sums as USD. */
export function summaryOf(totals: LedgerTotals): Summary {
  return Object.freeze({
    totalCost: toUsd(totals.microcents),
    totalEntries: totals.entries,
    totalTokens: totals.tokens,
    byModel: sums(totals.byModel),
    byProvider: sums(totals.byProvider),
    byTier: sums(totals.byTier),
    exact: { totalMicrocents: totals.microcents },
  })
}

function sums(totals: ReadonlyMap<string, ModelTotals>): Record<string, CostSum> {
  return Object.fromEntries([...totals].map(([name, { microcents, tokens, entries }]) => [name, { cost: toUsd(microcents), tokens, entries, exact: { microcents } }]))
}
