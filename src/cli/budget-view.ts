// What is known of a user's budget, gathered for people and for programs.

import type { UserRef } from '../budget/index.js'
import type { WindowView } from '../enforcement/index.js'
import type { Forecast } from '../forecast/index.js'
import { formatUsd } from '../money/index.js'
import type { DirectoryEntry } from '../store/index.js'
import type { UserBilling, UserOverride } from '../tracker/index.js'
import { toJson } from './amounts.js'
import type { Engine } from './engine.js'

/** Who says of which tier a user is: `--tier`, the directory, what is set for the tenant, or the configuration's `defaultTier`. */
export type TierSource = 'option' | 'directory' | 'tenant' | 'defaultTier'

/** What else is to be gone by. */
export interface BudgetAsked {
  /** As if the user were of this tier. */
  readonly asTier: string | undefined
  readonly entry: DirectoryEntry | undefined
  readonly defaultTier: string | undefined
  /** False where the ledger, of which they are made, is not there. */
  readonly forecasts: boolean
}

/** A user's budget. */
export interface BudgetView {
  readonly user: UserRef
  readonly tier: string | undefined
  /** Who says so. */
  readonly tierFrom: TierSource | undefined
  readonly totalMicrocents: number
  readonly totalEntries: number
  readonly windows: readonly WindowView[]
  readonly overrides: readonly UserOverride[]
  readonly billing: UserBilling | undefined
  /** Of the windows of the user that limit money, or else of the month. */
  readonly forecasts: readonly Forecast[]
  /** The same for programs. */
  readonly json: object
}

/** Asks for a user's windows and those of the scopes that they share, for their totals, limits of their own and standing. */
export async function budgetOf({ tracker }: Engine, user: UserRef, { asTier, entry, defaultTier, forecasts: isForecast }: BudgetAsked): Promise<BudgetView> {
  const context = await tracker.context({ ...user, userTier: asTier, estimatedCost: 0, estimatedTokens: 0 })
  const { totalEntries, exact } = await tracker.getUserSummary(user, asTier)
  const billing = await tracker.getUserBilling(user)
  const own = context.windows.filter(({ scope, unit, limit, period }) => scope.kind === 'user' && unit === 'usd' && limit !== null && period !== 'total')
  const forecasts: Forecast[] = []
  if (isForecast) for (const period of own.length === 0 ? ['monthly'] : own.map((window) => window.period)) forecasts.push(await tracker.forecast(user, { period }))
  const settings = user.tenant === undefined ? undefined : await tracker.limits.tenants.get(user.tenant)
  const tierFrom: TierSource | undefined = asTier !== undefined ? 'option' : entry?.tier !== undefined ? 'directory' : settings?.tier !== undefined ? 'tenant' : defaultTier !== undefined ? 'defaultTier' : undefined
  const view = { user, tier: context.userTier, tierFrom, totalMicrocents: exact.totalMicrocents, totalEntries, windows: context.windows, overrides: await tracker.getUserOverrides(user), billing, forecasts }
  return { ...view, json: jsonOf(view) }
}

function jsonOf(view: Omit<BudgetView, 'json'>): object {
  const { user, tier, tierFrom, totalMicrocents, totalEntries, windows, overrides, billing, forecasts } = view
  return {
    userId: user.userId,
    tenant: user.tenant ?? null,
    tier: tier ?? null,
    tierFrom: tier === undefined ? null : (tierFrom ?? null),
    standing: billing?.standing ?? null,
    totalCost: formatUsd(totalMicrocents),
    totalEntries,
    windows: windows.map(({ scope, period, unit, exact, usedPct, exceeded, startsAt, resetsAt }) => ({
      scope: { kind: scope.kind, id: scope.id, ...(scope.tenant !== undefined && { tenant: scope.tenant }) },
      period,
      unit,
      spent: toJson(exact.spent, unit),
      held: toJson(exact.held, unit),
      limit: toJson(exact.limit, unit),
      remaining: toJson(remainingOf(exact), unit),
      usedPct,
      exceeded,
      startsAt: startsAt.toISOString(),
      resetsAt: resetsAt?.toISOString() ?? null,
    })),
    overrides: overrides.map(({ period, unit, exact, until }) => ({ period, unit, limit: toJson(exact.limit, unit), until: until?.toISOString() ?? null })),
    billing: billing === undefined ? null : { standing: billing.standing, subscription: billing.subscription ?? null, period: billing.period === undefined ? null : { startsAt: billing.period.startsAt.toISOString(), endsAt: billing.period.endsAt.toISOString() }, endsAt: billing.endsAt?.toISOString() ?? null, reason: billing.reason, changedAt: billing.changedAt.toISOString() },
    forecasts: forecasts.map(forecastJson),
  }
}

/** limit − spent − held in integers, never below 0; null without a limit. */
export function remainingOf({ limit, spent, held }: WindowView['exact']): number | null {
  return limit === null ? null : Math.max(0, limit - spent - held)
}

function forecastJson(forecast: Forecast): object {
  const { period, unit, step, steps } = forecast
  if (!forecast.enough) return { period, unit, enough: false, reason: forecast.reason, message: forecast.message, step, steps }
  const { burnRate, runway, projection } = forecast
  return {
    period,
    unit,
    enough: true,
    step,
    steps,
    burnRatePerDay: toJson(burnRate.exact.perDay, unit),
    emptyAt: runway?.emptyAt.toISOString() ?? null,
    projection: projection && { at: projection.at.toISOString(), low: toJson(projection.exact.low, unit), expected: toJson(projection.exact.expected, unit), high: toJson(projection.exact.high, unit) },
  }
}
