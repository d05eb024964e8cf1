// What a simulation comes to, as plain data: the same figures for what really happened and for each candidate. USD as numbers, with the
// exact integers beside them.

import type { SkippedRows } from './log.js'
import type { LoggedAction } from './logged-call.js'

/** How many requests were decided how. */
export interface Counts {
  readonly requests: number
  readonly allowed: number
  readonly warned: number
  readonly degraded: number
  readonly blocked: number
  /** Checks that rejected: an unknown tier, a model without a price. See `errors`. */
  readonly failed: number
}

/** Counts with the money that was spent. */
export interface Figures extends Counts {
  /** USD: what was settled, recorded and charged for holds that expired, less what was given back. */
  readonly spent: number
  readonly exact: { readonly spentMicrocents: bigint }
}

/**
 * The figures of one tier; the name is empty for requests without one. A user counts in each tier that they asked as, and as blocked in the
 * tier of the request that was: the users of all tiers may be more than the users.
 */
export interface TierFigures extends Figures {
  readonly tier: string
  readonly users: number
  readonly usersWarned: number
  readonly usersDegraded: number
  readonly usersBlocked: number
  /** Blocked, or rejected with an error. */
  readonly usersRefused: number
}

/** The figures of one day: requests by when they asked, money by when it was spent. */
export interface DayFigures extends Figures {
  /** `2026-01-31`, in the zone of the simulation. */
  readonly day: string
  /** Users who were blocked for the first time. */
  readonly newlyBlocked: number
}

/** What was called and spent on one model; the name is empty where none was named. */
export interface ModelFigures {
  readonly model: string
  readonly calls: number
  readonly spent: number
  readonly exact: { readonly spentMicrocents: bigint }
}

/** A user who was warned, degraded or blocked, and when first. */
export interface AffectedUser {
  readonly userId: string
  readonly tenant: string | undefined
  /** That of the last request. */
  readonly tier: string
  readonly requests: number
  readonly warned: number
  readonly degraded: number
  readonly blocked: number
  readonly firstWarnedAt: Date | undefined
  readonly firstDegradedAt: Date | undefined
  readonly firstBlockedAt: Date | undefined
}

/** Something that came out differently than in the log. */
export interface Difference {
  readonly row: number
  readonly at: Date
  /** The decision's id, where the log has one. */
  readonly id: string | undefined
  readonly userId: string
  /** `'failure'`: the check was rejected. `'other'`: what was decided could not be ended, corrected or configured as in the log. */
  readonly what: 'action' | 'model' | 'failure' | 'cost' | 'other'
  readonly log: string
  readonly candidate: string
}

/** How much came out otherwise than in the log, as far as that says how. */
export interface Differences {
  /** All of the kinds below: 0 where everything came out as in the log. */
  readonly total: number
  /** Requests that were decided otherwise: another action, another model, or none because the check failed. */
  readonly requests: number
  /** Those of them whose check failed. */
  readonly failures: number
  /** Requests and corrections that were decided as in the log and came to another cost, and requests that were not called again because an earlier one had the same id. */
  readonly costs: number
  /** What could not be ended, recorded, corrected or configured as in the log. */
  readonly others: number
  /** The first 20. */
  readonly first: readonly Difference[]
}

/** What one configuration came to, or what really happened. */
export interface ColumnReport extends Figures {
  /** The candidate's name; `'log'` for what really happened. */
  readonly name: string
  /** All who asked: what the other counts of users are of. */
  readonly users: number
  readonly usersWarned: number
  readonly usersDegraded: number
  readonly usersBlocked: number
  /** Blocked at least once, or rejected with an error. */
  readonly usersRefused: number
  /** Requests that were not let through: `blocked` and `failed`. */
  readonly refused: number
  /** Of all requests and of all users, not rounded; 0 where there are none. */
  readonly blockedPct: number
  readonly refusedPct: number
  readonly usersBlockedPct: number
  readonly usersRefusedPct: number
  /** Settles and releases that were rejected: their holds stayed, and nothing was spent. See `errors`. */
  readonly failedEndings: number
  /** Recorded costs, corrections and changes of configuration that were rejected. See `errors`. */
  readonly failedNotes: number
  /** Corrections that found nothing to correct: what they belong to was not let through here, is not in the log, or was too long ago. */
  readonly missedCorrections: number
  /** Requests that were let through in the log and are not here. */
  readonly lost: number
  /** USD less than in the log, and than the first candidate; negative where it is more. Absent for the log itself. */
  readonly savedOnLog: number | undefined
  readonly savedOnFirst: number | undefined
  readonly exact: { readonly spentMicrocents: bigint; readonly savedOnLogMicrocents: bigint | undefined; readonly savedOnFirstMicrocents: bigint | undefined }
  readonly byTier: readonly TierFigures[]
  readonly byDay: readonly DayFigures[]
  readonly byModel: readonly ModelFigures[]
  /** Those who were blocked most, then degraded, then warned: up to `topUsers`. */
  readonly affected: readonly AffectedUser[]
  readonly differences: Differences
  /** What was rejected, by code, with the first of each. */
  readonly errors: readonly { readonly code: string; readonly count: number; readonly row: number; readonly message: string }[]
}

/** What `simulate` resolves with. */
export interface Simulation {
  readonly source: {
    readonly name: string
    readonly requests: number
    readonly users: number
    /** The first and the last thing that was replayed; absent for an empty log. */
    readonly from: Date | undefined
    readonly until: Date | undefined
    readonly skipped: SkippedRows
  }
  /** What was assumed where the log does not say it, in words. */
  readonly rules: readonly string[]
  /** What may make it wrong, in words: what the log lacks. */
  readonly warnings: readonly string[]
  readonly timeZone: string
  /** What really happened, as far as the log says it. */
  readonly log: ColumnReport
  readonly candidates: readonly ColumnReport[]
  readonly speed: { readonly elapsedMs: number; readonly decisions: number; readonly decisionsPerSecond: number }
}

/** The places of actions in counts. */
export const ACTION_PLACES: Readonly<Record<LoggedAction | 'FAILED', number>> = { ALLOW: 0, WARN: 1, DEGRADE: 2, BLOCK: 3, FAILED: 4 }
