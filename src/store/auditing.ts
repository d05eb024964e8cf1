// What an audit asks of a store: its counters, its open holds and its ledger as they stood at one moment, and ways to mend either.

import type { ScopeId } from '../enforcement/index.js'
import type { ChargedWindow, LedgerEntry } from '../ledger/index.js'
import type { Amounts, Unit } from '../money/index.js'
import type { MaybePromise } from './maybe-promise.js'

/** Where ledger entries are kept for good. An entry that is written again, after a crash, is kept once: unique by id and time. */
export interface EntrySink {
  write(entries: readonly LedgerEntry[]): MaybePromise<void>
  /** Everything that was ever written, oldest first. */
  entries(): AsyncIterable<LedgerEntry>
}

/** The counters of one scope, as an audit sees them. */
export interface CountedScope {
  readonly scope: ScopeId
  /** Everything ever charged, and in how many entries (all but releases). */
  readonly microcents: number
  readonly entries: number
  readonly windows: readonly CountedWindow[]
}

/** A counter: the running (or last) instance of a calendar window, or the buckets of a rolling one that still count something. */
export interface CountedWindow {
  readonly window: string
  readonly unit: Unit
  readonly held: number
  /** `startsAt` of the instance, or of the bucket. */
  readonly spent: readonly { readonly startsAt: number; readonly amount: number }[]
}

/** An open hold, with the instances of the windows that it was placed in. */
export interface OpenHold {
  readonly id: string
  readonly amounts: Amounts
  readonly openedAt: number
  readonly placed: readonly ChargedWindow[]
}

/** Everything that an audit compares, as it stood at one moment. */
export interface AuditSnapshot {
  readonly now: number
  /** The ledger still has every entry since counting began: sums over less prove nothing. */
  readonly complete: boolean
  readonly scopes: readonly CountedScope[]
  readonly holds: readonly OpenHold[]
  /** The ledger up to that moment, oldest first; what was written later is not in it. */
  entries(): AsyncIterable<LedgerEntry>
}

/** What to add to the counters of a window's instance (or bucket), where that is still the stored one. */
export interface CounterCorrection {
  readonly scope: ScopeId
  /** Absent: the scope's lifetime totals. */
  readonly window?: string | undefined
  readonly startsAt: number
  readonly spent: number
  readonly held: number
  /** Of the lifetime totals. */
  readonly entries: number
}

/** How a store is audited: its counters against its ledger. */
export interface Auditor {
  snapshot(): MaybePromise<AuditSnapshot>
  /** Adds to counters what the ledger says that they lack. */
  correct(corrections: readonly CounterCorrection[]): MaybePromise<void>
  /** Appends entries that charge money without touching counters: what the counters say that the ledger lacks. */
  append(entries: readonly LedgerEntry[]): MaybePromise<void>
}
