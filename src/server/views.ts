// What the dashboard is shown, as JSON: the shapes that server and page share. Money is USD numbers, times are ISO 8601 in UTC unless they
// are said to be seconds.

import type { Role } from './caller.js'

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

/** One refusal, or several of the same user and reason. */
export interface BlockedRow {
  readonly userId: string
  readonly tenant: string | null
  readonly at: string
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
  readonly caller: { readonly name: string; readonly roles: readonly Role[]; readonly tenant: string | null; readonly userId: string | null; readonly isOperator: boolean }
  readonly tiers: readonly string[]
  /** Of the running calendar day and month, in `timeZone`. */
  readonly today: { readonly spent: number; readonly calls: number; readonly denials: number }
  readonly month: { readonly spent: number; readonly calls: number; readonly denials: number }
  /** All calls of the last 28 days: burn a day; `null`: not enough data. */
  readonly burnPerDay: number | null
  /** Shared budgets of the configuration and limits made at run time: the fullest first, at most 50. */
  readonly budgets: readonly WindowRow[]
  readonly triggered: readonly TriggeredRow[]
  /** The most first, at most 20 of each. */
  readonly byTenant: readonly SpendRow[]
  readonly byTier: readonly SpendRow[]
  readonly byModel: readonly SpendRow[]
  readonly topSpenders: readonly (SpendRow & { readonly userId: string; readonly tenant: string | null; readonly tier: string | null; readonly usedPct: number | null })[]
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
  /** Who says so: the directory, what is set for the tenant, or the configuration's default. */
  readonly tierFrom: 'directory' | 'tenant' | 'default' | null
  readonly totalSpent: number
  readonly windows: readonly WindowRow[]
  readonly overrides: readonly { readonly period: string; readonly unit: string; readonly limit: number | null; readonly until: string | null }[]
  /** The newest first, at most 30. */
  readonly activity: readonly ActivityRow[]
  /** USD a day, the last 28 days in `timeZone`: `times` are seconds since the epoch. */
  readonly days: { readonly times: readonly number[]; readonly spent: readonly number[] }
}

/** `GET /v1/live`: one server-sent event, named by its `type`. */
export type LiveEvent =
  | { readonly type: 'decision'; readonly at: string; readonly userId: string; readonly tenant: string | null; readonly action: 'ALLOW' | 'WARN' | 'DEGRADE' | 'BLOCK'; readonly model: string | null; readonly estimatedCost: number; readonly decisionId: string; readonly reason: string }
  | { readonly type: 'settled'; readonly at: string; readonly userId: string; readonly tenant: string | null; readonly model: string | null; readonly cost: number; readonly decisionId: string }
  | { readonly type: 'threshold'; readonly at: string; readonly scope: WindowRow['scope']; readonly period: string; readonly unit: string; readonly thresholdPct: number; readonly usedPct: number; readonly limit: number }
  | { readonly type: 'changed'; readonly at: string; readonly what: string }
