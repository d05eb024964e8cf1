// What the dashboard is shown, as JSON: the shapes that server and page share. Money is USD numbers, times are ISO 8601 in UTC unless they
// are said to be seconds.

import type { Role } from '../caller.js'

/** One window of a shared budget, a limit or a user. Amounts are USD for `usd`, else counts. */
export interface WindowRow {
  readonly scope: { readonly kind: string; readonly id: string; readonly tenant?: string | undefined }
  /** Of a limit that was made at run time. */
  readonly limitId: string | null
  /** `daily`, `weekly`, `monthly`, `total`, `rolling:5h`. */
  readonly period: string
  readonly unit: 'usd' | 'tokens' | 'requests'
  readonly spent: number
  readonly held: number
  readonly limit: number | null
  readonly remaining: number | null
  readonly usedPct: number
  readonly exceeded: boolean
  readonly startsAt: string
  readonly resetsAt: string | null
  /** Burn rate of a day, when it is empty, and where it ends; `null`: not enough data, or not asked for. */
  readonly forecast: { readonly perDay: number; readonly emptyAt: string | null; readonly atEnd: number | null } | null
}

/** What one group has spent in the current month. */
export interface SpendRow {
  readonly name: string | null
  readonly spent: number
  readonly calls: number
  readonly denials: number
}

/** What those come to that a list has no room for. */
export interface RestOfRows {
  /** How many they are. */
  readonly count: number
  readonly spent: number
  readonly calls: number
}

/** One refusal, or several of the same user and reason. */
export interface BlockedRow {
  readonly userId: string
  readonly tenant: string | null
  readonly at: string
  /** `budget`, `rate`, `policy`, … */
  readonly code: string
  /** A sentence: as it was decided, where the decision is kept; else what the code means. */
  readonly reason: string
  readonly model: string | null
  readonly decisionId: string
  readonly count: number
}

/** A window that is at or over a threshold now. */
export interface TriggeredRow extends WindowRow {
  readonly thresholdPct: number
}

/** `GET /v1/state`: all that the caller may see, at one moment. */
export interface StateView {
  readonly now: string
  readonly timeZone: string
  /** `maySetBudgets`: it may set tiers and overrides, and so let users spend more. */
  readonly caller: { readonly name: string; readonly roles: readonly Role[]; readonly tenant: string | null; readonly userId: string | null; readonly isOperator: boolean; readonly maySetBudgets: boolean }
  readonly tiers: readonly string[]
  /**
   * Whether the ledger has all of the running month. Where it has not, `spent` is what the budgets have counted, or more where the ledger has
   * more; calls, denials, groups, hours and the burn rate are those of the entries that are kept, and too small.
   */
  readonly complete: boolean
  /** Of the running calendar day and month, in `timeZone`. */
  readonly today: { readonly spent: number; readonly calls: number; readonly denials: number }
  readonly month: { readonly spent: number; readonly calls: number; readonly denials: number }
  /** All calls of the last 28 days, or since the first one: burn a day; `null`: not enough data. */
  readonly burnPerDay: number | null
  /** How many days it was worked out from: whole ones, at most 28. `null` where the rate is. */
  readonly burnDays: number | null
  /** Shared budgets of the configuration and limits made at run time: the fullest first, at most 50. */
  readonly budgets: readonly WindowRow[]
  /** All of them, also those that `budgets` has no room for: how many there are, and how many are exceeded. */
  readonly limits: { readonly watched: number; readonly exceeded: number }
  /** The most severe first, at most 50. */
  readonly triggered: readonly TriggeredRow[]
  /** How many there are. */
  readonly triggeredCount: number
  /** The most first, at most 20 of each. */
  readonly byTenant: readonly SpendRow[]
  readonly byTier: readonly SpendRow[]
  readonly byModel: readonly SpendRow[]
  readonly topSpenders: readonly (SpendRow & { readonly userId: string; readonly tenant: string | null; readonly tier: string | null; readonly usedPct: number | null })[]
  /** What those lists have no room for. */
  readonly more: { readonly byTenant: RestOfRows; readonly byTier: RestOfRows; readonly byModel: RestOfRows; readonly topSpenders: RestOfRows }
  /** The newest first, at most 20. */
  readonly blocked: readonly BlockedRow[]
  /** The last 24 hours by the hour: `times` are seconds since the epoch; how many of each action, and USD. */
  readonly hours: {
    readonly times: readonly number[]
    readonly allow: readonly number[]
    readonly warn: readonly number[]
    readonly degrade: readonly number[]
    readonly block: readonly number[]
    readonly spent: readonly number[]
  }
}

/** One decision or charge of a user. */
export interface ActivityRow {
  readonly at: string
  readonly kind: string
  readonly action: string | null
  readonly model: string | null
  readonly requestedModel: string | null
  readonly cost: number
  readonly tokens: number
  readonly decisionId: string
  /** What `explainText` says of it, where it is kept. */
  readonly explanation: string | null
}

/** `GET /v1/users/{id}`: everything of one user. */
export interface UserView {
  readonly userId: string
  readonly tenant: string | null
  readonly name: string | null
  readonly tier: string | null
  /** Who says so: the directory, what is set for the tenant, their last request, or the configuration's default. */
  readonly tierFrom: 'directory' | 'tenant' | 'last' | 'default' | null
  /** Whether the ledger has all of the last 28 days. Where it has not, `activity` and `days` are of what is kept; budgets and `totalSpent` are exact. */
  readonly complete: boolean
  readonly totalSpent: number
  readonly windows: readonly WindowRow[]
  readonly overrides: readonly { readonly period: string; readonly unit: string; readonly limit: number | null; readonly until: string | null }[]
  /** The newest first, at most 30. */
  readonly activity: readonly ActivityRow[]
  /** USD a day, the last 28 days in `timeZone`: `times` are seconds since the epoch. */
  readonly days: { readonly times: readonly number[]; readonly spent: readonly number[] }
}

/** `GET /v1/live`: one server-sent event, named by its `type`. `recorded`: a cost that no decision stood for. */
export type LiveEvent =
  | { readonly type: 'decision'; readonly at: string; readonly userId: string; readonly tenant: string | null; readonly action: 'ALLOW' | 'WARN' | 'DEGRADE' | 'BLOCK'; readonly model: string | null; readonly estimatedCost: number; readonly decisionId: string; readonly reason: string }
  | { readonly type: 'settled'; readonly at: string; readonly userId: string; readonly tenant: string | null; readonly model: string | null; readonly cost: number; readonly decisionId: string; readonly recorded?: true | undefined }
  | { readonly type: 'threshold'; readonly at: string; readonly scope: WindowRow['scope']; readonly period: string; readonly unit: string; readonly thresholdPct: number; readonly usedPct: number; readonly limit: number }
  | { readonly type: 'changed'; readonly at: string; readonly what: string }
