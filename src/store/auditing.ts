// What an audit asks of a store: its counters, its open holds and its ledger as they stood at one moment, and ways to mend either.

import type { ScopeId } from '../enforcement/index.js'
import type { ChargedWindow, EntryField, EntrySource, LedgerEntry } from '../ledger/index.js'
import type { Amounts, Unit } from '../money/index.js'
import type { Effect } from './effect.js'
import type { MaybePromise } from './maybe-promise.js'
import type { Registry } from './registry.js'

/**
 * Where ledger entries are kept for good. An entry that is written again, after a crash, is kept once: unique by `id`, `at`
 * and `openedAt` (a key that was used again after its 24 h can have two corrections of one number at one instant).
 */
export interface EntrySink extends EntrySource {
  write(entries: readonly LedgerEntry[]): MaybePromise<void>
  /** Alerts that stood in the outbox: each at least once, known by its `alertId`. Absent: they are told as events alone. */
  announce?(alerts: readonly Extract<Effect, { kind: 'threshold' }>[]): MaybePromise<void>
  /** Everything that was ever written, oldest first. */
  entries(): AsyncIterable<LedgerEntry>
  /**
   * True where entries are not as they were written: what they say of scopes is no longer what the counters say, and no audit can be
   * made of them.
   */
  readonly isAnonymised?: boolean | undefined
  /** True for a field that is kept otherwise than it was written. Absent: as {@link isAnonymised} says of all. */
  hides?(field: EntryField): boolean
  /** True where old entries may go: no audit can be made of what is left. */
  readonly isBounded?: boolean | undefined
}

/** The counters of one scope, as an audit sees them. */
export interface CountedScope {
  readonly scope: ScopeId
  /** Everything ever charged, and in how many entries (all but releases). */
  readonly microcents: number
  readonly entries: number
  /**
   * True where the scope may have been forgotten in between, when all its windows had ended, and its lifetime totals with it:
   * these may then say less than the ledger. Windows are not concerned.
   */
  readonly restarted?: boolean | undefined
  readonly windows: readonly CountedWindow[]
}

/** A counter: the running (or last) instance of a calendar window, or the buckets of a rolling one that still count something. */
export interface CountedWindow {
  readonly window: string
  readonly unit: Unit
  /** In the instance that `spent` names; in a rolling window by all open holds of the scope. 0 for requests. */
  readonly held: number
  /** `startsAt` of the instance, or of the bucket. A calendar window that was ever begun has exactly one, also where it is 0. */
  readonly spent: readonly { readonly startsAt: number; readonly amount: number }[]
}

/** An open hold, with the instances of the windows that it was placed in. */
export interface OpenHold {
  readonly id: string
  readonly amounts: Amounts
  readonly openedAt: number
  /** For a rolling window the instant does not matter: its requests counted when the hold was opened, the rest is not charged yet. */
  readonly placed: readonly ChargedWindow[]
}

/** Everything that an audit compares, as it stood at one moment. */
export interface AuditSnapshot {
  readonly now: number
  /** The ledger still has every entry since counting began: sums over less prove nothing. */
  readonly complete: boolean
  readonly scopes: readonly CountedScope[]
  readonly holds: readonly OpenHold[]
  /** How many repairs were made before: one that is worked out from this snapshot is made only if none came in between. */
  readonly repairs: number
  /** The ledger up to that moment, oldest first, with what audits have appended; what was written later is not in it. */
  entries(): AsyncIterable<LedgerEntry>
}

/** What to add to the counters of a window's instance (or bucket), where that is still the stored one; elsewhere nothing. */
export interface CounterCorrection {
  readonly scope: ScopeId
  /** Absent: the scope's lifetime totals. */
  readonly window?: string | undefined
  /** Of the instance, or any instant in the bucket; 0 for lifetime totals. */
  readonly startsAt: number
  /** Where no counter of the window is kept any more: begin one that ends then. A store that never loses counters may ignore it. */
  readonly endsAt?: number | undefined
  /** Microcents, tokens or requests, as the window counts; microcents for the lifetime totals. */
  readonly spent: number
  /** In a rolling window it does not depend on `startsAt`. */
  readonly held: number
  /** Of the lifetime totals. */
  readonly entries: number
}

/** Where a ledger stands, for whoever appends entries that move spend from nobody to a client: those that say their `calls`. */
export interface LedgerStanding {
  /** What the next append of such entries gives as `repairs`; after one that was made, 1 more. */
  readonly repairs: number
  /** How many of them the ledger takes and never loses: `Infinity` where it keeps everything, 0 where it has lost entries or may lose these. */
  readonly room: number
  /** True where entries are not kept as they were written. */
  readonly isAnonymised: boolean
}

/** How a store is audited: its counters against its ledger. */
export interface Auditor {
  snapshot(): MaybePromise<AuditSnapshot>
  /** Cheap: reads neither counters nor entries. Absent: spend cannot be assigned to clients on this store. */
  standing?(): MaybePromise<LedgerStanding>
  /** True for a field of which the ledger keeps something else than was written. Absent: for none. */
  hides?(field: EntryField): boolean
  /**
   * Adds to counters what the ledger says that they lack, or takes what they have too much; never below 0 nor above 2^53 − 1.
   * Announces nothing. False, and nothing is changed, where another repair was made since the snapshot of that number.
   */
  correct(corrections: readonly CounterCorrection[], repairs?: number): MaybePromise<boolean>
  /**
   * Appends entries that charge money without touching counters, all or none: what the counters say that the ledger lacks. They are in
   * `ledger.totals()` as all others are, and are kept as long. Entries that say their `calls` move what was charged before, and are in no
   * totals. False as in {@link correct}, and where such entries find no room: see {@link LedgerStanding}.
   */
  append(entries: readonly LedgerEntry[], repairs?: number): MaybePromise<boolean>
  /** The registry, also of a data set that stands in the place of a lost one. Absent: the store's own, which is never lost alone. */
  readonly registry?: Registry | undefined
  /** The counters are what a complete ledger says: a store that had lost its data takes requests again. */
  repaired?(): MaybePromise<void>
}
