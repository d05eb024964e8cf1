// Readings of a store as people and policies see them: windows with USD numbers, percentages and dates. Pure.

import { frozenContext, fullest, fullnessOf, hits, isJudgedByPolicies, lowerCeiling, percentOf, type EnforcementContext, type WindowView } from '../enforcement/index.js'
import { amountIn, saturatingAdd, toPublic, toUsd, type Amounts } from '../money/index.js'
import { READING_SIZE } from '../store/index.js'
import { FixedDate, NEVER } from '../time/index.js'
import type { JudgedScope, Account } from './accounts.js'
import type { JudgedWindow } from './terms.js'

/** What a context says of the request itself. */
export interface RequestFacts {
  readonly userId: string
  readonly tenant: string | undefined
  readonly model: string | undefined
  readonly provider: string | undefined
  readonly query: string | undefined
  readonly metadata: Readonly<Record<string, unknown>> | undefined
  readonly facts: Readonly<Record<string, unknown>> | undefined
}

const NOTHING: Readonly<Record<string, never>> = Object.freeze({})

/** Every window of every scope, in the order of the readings. */
export function windowViews(scopes: readonly JudgedScope[], readings: readonly number[], amounts: Amounts): readonly WindowView[] {
  const views: WindowView[] = []
  for (const { scope, windows, onlyAlerts } of scopes) {
    for (const terms of windows) {
      const view = viewOf(scope, terms, readings, views.length * READING_SIZE, amountIn(terms.unit, amounts))
      views.push(Object.freeze(onlyAlerts ? { ...view, alertOnly: true } : view))
    }
  }
  return Object.freeze(views)
}

function viewOf(scope: WindowView['scope'], terms: JudgedWindow, readings: readonly number[], at: number, estimate: number): WindowView {
  const { unit, limit, period } = terms
  const startsAt = readings[at] as number
  const endsAt = readings[at + 1] as number
  const spent = readings[at + 2] as number
  const held = readings[at + 3] as number
  const used = spent + held
  const remaining = limit === null ? null : Math.max(0, limit - used)
  return {
    scope,
    period,
    unit,
    limit: limit === null ? null : toPublic(unit, limit),
    spent: toPublic(unit, spent),
    held: toPublic(unit, held),
    remaining: remaining === null ? null : toPublic(unit, remaining),
    usedPct: limit === null ? 0 : percentOf(limit, used),
    projectedPct: limit === null ? 0 : percentOf(limit, used + estimate),
    exceeded: limit !== null && (used >= limit || estimate > limit - used),
    startsAt: new FixedDate(startsAt),
    resetsAt: endsAt === NEVER ? null : new FixedDate(endsAt),
    exact: Object.freeze({ limit, spent, held, estimate }),
  }
}

/** The context of a request with this estimate, as its windows stood at `now`. */
export function contextOf(request: RequestFacts, account: Account, windows: readonly WindowView[], amounts: Amounts, tokens: number | undefined, now: number): EnforcementContext {
  const own = fullnessOf(fullest(windows.filter(isJudgedByPolicies)), toUsd(amounts.microcents))
  return frozenContext({
    userId: request.userId,
    userTier: account.tier,
    tenant: request.tenant,
    standing: account.standing,
    currentCost: own.currentCost,
    estimatedCost: own.estimatedCost,
    totalCost: own.totalCost,
    budgetLimit: own.budgetLimit,
    budgetUsedPct: own.budgetUsedPct,
    budgetExceeded: own.budgetExceeded,
    periodName: own.periodName,
    unit: own.unit,
    model: request.model,
    provider: request.provider,
    query: request.query,
    tokens,
    metadata: request.metadata ?? NOTHING,
    facts: request.facts ?? NOTHING,
    now: new FixedDate(now),
    windows,
  })
}

/**
 * The largest estimate, in microcents, that would still be admitted by all windows with these tokens; `null` where no price
 * would help. `degradeBlocks`: a degrade threshold refuses too.
 */
export function largestFitting(scopes: readonly JudgedScope[], readings: readonly number[], tokens: number, degradeBlocks: boolean): number | null {
  let largest: number | null = null
  let at = 0
  for (const { windows } of scopes) {
    for (const { unit, limit, block, degrade } of windows) {
      const used = saturatingAdd(readings[at + 2] as number, readings[at + 3] as number)
      at += READING_SIZE
      const ceiling = degradeBlocks && degrade !== null ? lowerCeiling(degrade, block) : block
      if (hits(ceiling, used, unit === 'usd' ? 0 : amountIn(unit, { microcents: 0, tokens }))) return null
      if (unit === 'usd' && limit !== null) largest = Math.min(largest ?? Infinity, ceiling.max - used)
    }
  }
  return largest
}
