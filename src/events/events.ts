// What bursar announces, and what each announcement carries. Money is USD numbers; times are dates.

import type { ScopeId } from '../enforcement/index.js'
import type { Unit } from '../money/index.js'
import type { UserRef } from '../budget/index.js'

/** A threshold of one window was reached by what was spent (never by what is held). Once for each window instance. */
export interface ThresholdEvent {
  /** Stable: the same crossing has the same id, whichever process announces it. */
  readonly alertId: string
  readonly scope: ScopeId
  readonly period: string
  readonly unit: Unit
  readonly thresholdPct: number
  readonly usedPct: number
  readonly limit: number
  readonly spent: number
  readonly resetsAt: Date | null
  /** For a user's own window. */
  readonly userId?: string | undefined
}

/** The events that do not depend on decisions: a `CostTracker` announces them, and so does a `Bursar`. */
export interface TrackerEvents {
  threshold: ThresholdEvent
  /** A hold ended because nothing had ended it in time; `charged` is what it was charged. */
  'hold-expired': { readonly id: string; readonly user: UserRef; readonly tier: string | undefined; readonly dueAt: Date; readonly charged: number }
  /** A cost was counted that no decision stood for (`addCost`). USD. */
  recorded: { readonly id: string; readonly user: UserRef; readonly tier: string | undefined; readonly cost: number; readonly exact: { readonly microcents: number }; readonly model: string | undefined }
  /** A window that had been used has begun anew. */
  'window-reset': { readonly scope: ScopeId; readonly period: string; readonly unit: Unit; readonly startsAt: Date; readonly resetsAt: Date | null }
  'tier-changed': { readonly user: UserRef; readonly from: string | undefined; readonly to: string | undefined }
  /**
   * An operation failed in the store. A shared store that is away is told of once, until it is back. Also an ending that waited for
   * the store and that a rule now refuses (`replay of settle`): its cost is not charged.
   */
  'store-error': { readonly operation: string; readonly error: unknown }
  /** The store answers again; a shared one was found by a probe (`probe`), and knows what it had missed. */
  'store-recovered': { readonly operation: string }
  /** A listener threw or rejected. */
  'listener-error': { readonly event: string; readonly error: unknown }
}
