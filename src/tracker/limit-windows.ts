// Windows of limits and of shared budgets as people see them: how full each is, and which of its thresholds it has reached. Pure.

import { limitOf } from '../budget/index.js'
import type { ScopeId, WindowView } from '../enforcement/index.js'
import type { Unit } from '../money/index.js'
import type { JudgedScope } from './accounts.js'
import { windowViews } from './views.js'

/** One window as it stands. Money is USD numbers; `exact` has the same as integers: microcents for money. */
export interface ScopeWindow {
  readonly scope: ScopeId
  readonly period: string
  readonly unit: Unit
  readonly limit: number
  readonly spent: number
  readonly held: number
  /** limit − spent − held, never below 0. */
  readonly remaining: number
  readonly usedPct: number
  readonly startsAt: Date
  /** `null`: never. */
  readonly resetsAt: Date | null
  readonly exact: { readonly limit: number; readonly spent: number; readonly held: number }
}

/** One window of a limit, of one member where it counts each apart. */
export interface LimitWindow extends ScopeWindow {
  readonly limitId: string
  /** The user, tenant, tier or id of a group that it counts apart. */
  readonly member: string | undefined
  /** Whose the member is, or the tenant that the limit covers. */
  readonly tenant: string | undefined
}

/** A window that is at or over a threshold: of a limit, or of a shared budget of the configuration. */
export interface Triggered extends ScopeWindow {
  /** Absent for a budget of the configuration. */
  readonly limitId: string | undefined
  readonly member: string | undefined
  readonly tenant: string | undefined
  /** The highest threshold that spent + held has reached. */
  readonly thresholdPct: number
}

/** A scope with what a store said of its windows. */
export interface ReadScope {
  readonly judged: JudgedScope
  readonly readings: readonly number[]
}

/** The windows of a limit's scope. */
export function limitWindows({ judged, readings }: ReadScope): LimitWindow[] {
  const { limitId = '', member, tenant } = limitOf(judged.scope) ?? {}
  return viewsOf(judged, readings).map((view) => Object.freeze({ limitId, member, tenant, ...scopeWindow(view) }))
}

/** Those of its windows that are at or over a threshold. */
export function triggeredOf({ judged, readings }: ReadScope): Triggered[] {
  const { limitId, member, tenant } = limitOf(judged.scope) ?? { limitId: undefined, member: undefined, tenant: judged.scope.tenant }
  return viewsOf(judged, readings).flatMap((view, index) => {
    const terms = judged.windows[index]
    const { limit, spent, held } = view.exact
    if (terms === undefined || limit === null) return []
    // A limit of 0 announces nothing: it is reached from the first.
    const reached = limit === 0 ? [100] : terms.alerts.filter(({ at }) => spent + held >= at).map(({ thresholdPct }) => thresholdPct)
    return reached.length === 0 ? [] : [Object.freeze({ limitId, member, tenant, ...scopeWindow(view), thresholdPct: Math.max(...reached) })]
  })
}

/** True where anything is spent or held in it. */
export function isUsed({ judged, readings }: ReadScope): boolean {
  return viewsOf(judged, readings).some(({ exact }) => exact.spent + exact.held > 0)
}

function viewsOf(judged: JudgedScope, readings: readonly number[]): readonly WindowView[] {
  return windowViews([judged], readings, { microcents: 0, tokens: 0 })
}

function scopeWindow({ scope, period, unit, limit, spent, held, remaining, usedPct, startsAt, resetsAt, exact }: WindowView): ScopeWindow {
  return { scope, period, unit, limit: limit ?? Infinity, spent, held, remaining: remaining ?? Infinity, usedPct, startsAt, resetsAt, exact: { limit: exact.limit ?? Infinity, spent: exact.spent, held: exact.held } }
}
