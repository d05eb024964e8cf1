// What a store promises: operations on money, each atomic, described in the design's words and in no database's. The engine
// sends integers and thresholds; a store tests and changes counters, keeps holds and writes the ledger. It knows no policy.

import type { UserRef, WindowPeriod } from '../budget/index.js'
import type { Ceiling, ScopeId } from '../enforcement/index.js'
import type { CostDetails, EntrySource, LedgerEntry, LedgerTotals } from '../ledger/index.js'
import type { Amounts, Unit } from '../money/index.js'
import type { Auditor } from './auditing.js'
import type { Directory, DirectoryEntry, KnownUser } from './directory.js'
import type { Effect } from './effect.js'
import type { ChargeFacts } from './facts.js'
import type { MaybePromise } from './maybe-promise.js'
import type { Registry } from './registry.js'

export type { Effect } from './effect.js'
export { modelOf, type ChargeFacts } from './facts.js'

/** A percentage of a limit that is announced when spent reaches `at` (DESIGN 3.5). */
export interface AlertThreshold {
  readonly thresholdPct: number
  readonly at: number
}

/** One window as a store is asked to test it: what it counts, when it ends, and the integers of its thresholds. */
export interface WindowTerms {
  /** The identity within the scope, such as `daily/usd` or `rolling:60000/requests`. */
  readonly window: string
  readonly unit: Unit
  readonly source: WindowPeriod
  readonly limit: number | null
  /** A request that hits it does not fit. Without a limit it is 2^53 − 1, so that totals stay exact. */
  readonly block: Ceiling
  /** A request that hits it looks for a cheaper rung. */
  readonly degrade: Ceiling | null
  /** Ascending. */
  readonly alerts: readonly AlertThreshold[]
}

/** One scope of a request with the windows to test in it. `key` is one string for the scope, the same for no other. */
export interface ScopeTerms {
  readonly scope: ScopeId
  readonly key: string
  readonly windows: readonly WindowTerms[]
}

/** A scope with the windows in which something was placed, as a store gives it back: what was limited, not how it was tested. */
export interface PlacedScope {
  readonly scope: ScopeId
  readonly key: string
  readonly windows: readonly Pick<WindowTerms, 'window' | 'unit' | 'limit'>[]
}

/** Opens one hold in all windows of all scopes, or changes nothing. */
export interface ReserveRequest {
  readonly id: string
  /** The caller's arguments in one string; the same id with another fingerprint is an error. */
  readonly fingerprint: string
  /** Given by the caller (kept for 24 h after its end) or generated (60 s). */
  readonly idGiven: boolean
  readonly ttlMs: number
  /** What a hold that never ended is charged: its estimate, or nothing. */
  readonly onExpiry: 'charge' | 'release'
  readonly scopes: readonly ScopeTerms[]
  /** The estimates from the model asked for to the cheapest; more than one only where the ladder may be walked. */
  readonly rungs: readonly Amounts[]
  /** Rungs that a request policy refuses; absent: none. */
  readonly refusedRungs?: readonly boolean[] | undefined
  /** A request policy says DEGRADE of rung 0. */
  readonly degrade?: boolean | undefined
  /** Where DEGRADE has no cheaper model to offer and the configuration says block: degrade thresholds block rung 0. */
  readonly degradeBlocks?: boolean | undefined
  readonly facts: ChargeFacts
  /** What the directory said of the user when the scopes were made. */
  readonly entry?: DirectoryEntry | undefined
  /** The caller waits this long for an answer: a store that gets to it later (by its own clock) does nothing. */
  readonly waitMs?: number | undefined
}

/** How many numbers a reading has in `readings`: startsAt, endsAt, spent, held. */
export const READING_SIZE = 4

/** An instant at which a rolling window will count `amount` less. */
export interface Freeing {
  readonly at: number
  readonly amount: number
}

/** The result of a reserve that was admitted, now or before. */
export interface Admitted {
  readonly outcome: 'admitted'
  /** Store time of the admission. */
  readonly now: number
  readonly rung: number
  /** Rung 0 hit a degrade threshold. */
  readonly degrade: boolean
  readonly dueAt: number
  /**
   * Every window as it stood before this request, in the order of the request's scopes and their windows: four integers each
   * (startsAt, endsAt, spent, held). Flat, because this is the one array that every request makes.
   */
  readonly readings: readonly number[]
  /** Set on a repeat: the scopes of the first request, to which `readings` belong, and how the hold stands. */
  readonly replay?: { readonly scopes: readonly PlacedScope[]; readonly state: HoldState; readonly rungs: readonly Amounts[]; readonly facts: ChargeFacts } | undefined
  readonly effects: readonly Effect[]
}

/** The result of a reserve that did not fit: nothing was changed and nothing is remembered. */
export interface Refused {
  readonly outcome: 'refused'
  readonly now: number
  readonly readings: readonly number[]
  /** For each rolling window, by its index among the readings, when what it counts will leave it, in order of time. */
  readonly freeing: ReadonlyMap<number, readonly Freeing[]>
  readonly effects: readonly Effect[]
}

/** The directory says something else of the user by now: nothing was done. {@link Directory.remembered} gives the new entry; ask again with it. */
export interface Outdated {
  readonly outcome: 'outdated'
}

/** What an id was opened with, and how it stands. */
export interface Opened {
  readonly outcome: 'opened'
  /** Store time of its admission, or of the recorded cost. */
  readonly openedAt: number
  readonly facts: ChargeFacts
  /** The estimates of all rungs; `rung` is the one that is, or was, held. */
  readonly rungs: readonly Amounts[]
  readonly rung: number
  readonly state: HoldState
  readonly effects: readonly Effect[]
}

/** A failed operation: which rule of the life of a hold stood against it (DESIGN 3.4). */
export type Failure =
  | { readonly outcome: 'id-reused' }
  | { readonly outcome: 'unknown-hold' }
  | { readonly outcome: 'already-ended'; readonly state: EndedState }

/** Where a hold is in its life: open, or ended in one of three ways. */
export type HoldState = 'open' | 'settled' | 'released' | 'expired'
/** How a hold has ended. One that expired and was settled afterwards is `settled`. */
export type EndedState = Exclude<HoldState, 'open'>

/** Ends a hold with what its call really cost. */
export interface SettleRequest {
  readonly id: string
  readonly microcents: number
  /** Absent: the hold's own estimate of tokens is charged. */
  readonly tokens?: number | undefined
  /** The model that answered, where it is known. */
  readonly model?: string | undefined
  /** Whose model it was, where it was another provider's than the request's. */
  readonly provider?: string | undefined
  /** How the cost was found: for the ledger, which keeps it as it is; nobody may change it afterwards. A repeat is not compared by it. */
  readonly details?: CostDetails | undefined
}

/** A hold that was settled, now or before. Amounts are microcents. */
export interface Settled {
  readonly outcome: 'settled'
  readonly now: number
  readonly microcents: number
  readonly heldMicrocents: number
  readonly replayed: boolean
  /** The hold had expired: what it was charged then has been corrected. */
  readonly late: boolean
  readonly facts: ChargeFacts
  readonly effects: readonly Effect[]
}

/** Ends a hold whose call was not made. */
export interface ReleaseRequest {
  readonly id: string
  /** The outcome of the reserve is unknown: leave a tombstone, so that a late one opens nothing. */
  readonly tombstone?: boolean | undefined
  /** The request never was: an open hold also gives back its place in windows of requests. */
  readonly uncount?: boolean | undefined
}

/** A hold that holds nothing any more. */
export interface Released {
  readonly outcome: 'released'
  readonly now: number
  /** How the hold stood before: only an open or expired one was changed. */
  readonly was: HoldState
  readonly effects: readonly Effect[]
}

/** Moves the due time of an open hold: `ttlMs` from now, but never to an earlier instant. */
export interface ExtendRequest {
  readonly id: string
  readonly ttlMs: number
}

/** An open hold with its due time, in ms since the epoch. */
export interface Extended {
  readonly outcome: 'extended'
  readonly now: number
  readonly dueAt: number
  readonly effects: readonly Effect[]
}

/** Counts a cost that no hold stood for. It is spent whatever the limits say. */
export interface RecordRequest {
  readonly id: string
  readonly fingerprint: string
  readonly idGiven: boolean
  readonly scopes: readonly ScopeTerms[]
  readonly amounts: Amounts
  readonly facts: ChargeFacts
  /** See {@link SettleRequest.details}. */
  readonly details?: CostDetails | undefined
  /** See {@link ReserveRequest.entry}. */
  readonly entry?: DirectoryEntry | undefined
}

/** A cost that was counted, now or before. */
export interface Recorded {
  readonly outcome: 'recorded'
  readonly now: number
  readonly replayed: boolean
  readonly effects: readonly Effect[]
}

/** Gives money back: to the charge of one hold, or to a user's charges from the newest back. */
export interface RefundRequest {
  readonly id: string
  readonly fingerprint: string
  readonly user: UserRef
  readonly microcents: number
  /** The id of the decision or recorded cost that is refunded. */
  readonly of?: string | undefined
  readonly reason?: string | undefined
}

/** What of a refund found a charge to be taken from, in microcents. */
export interface Refunded {
  readonly outcome: 'refunded'
  readonly now: number
  readonly appliedMicrocents: number
  /** What no remembered charge was left for. */
  readonly unappliedMicrocents: number
  readonly replayed: boolean
  readonly effects: readonly Effect[]
}

/** Windows as they stand, without changing anything. */
export interface Reading {
  readonly now: number
  readonly readings: readonly number[]
  readonly freeing: ReadonlyMap<number, readonly Freeing[]>
  readonly effects: readonly Effect[]
}

/** Begins the calendar windows of a scope anew. */
export interface RestartRequest extends ScopeTerms {
  /** Only windows that began before this instant (ms since the epoch). One that is still to come is taken as now. */
  readonly since: number
}

/** A scope whose windows were begun anew, if any of them had to be. */
export interface Restarted {
  readonly now: number
  /** How many windows were. */
  readonly begun: number
  readonly effects: readonly Effect[]
}

/** What a user has spent since the store began to count them, and in how many ledger entries: all but releases. */
export interface UserTotals {
  readonly microcents: number
  readonly entries: number
}

/** The ledger as the engine uses it: entries that carry no money are appended; those that do are written by the operations. */
export interface LedgerSink extends EntrySource {
  /** Appends entries, all or none. Together they change no sum of money: {@link totals} knows nothing of them. */
  append(...entries: readonly LedgerEntry[]): MaybePromise<void>
  /** The entries that are still kept, oldest first. */
  entries(): AsyncIterable<LedgerEntry>
  /** Sums over everything that was ever charged, also over entries that are no longer kept. */
  totals(): MaybePromise<LedgerTotals>
}

/**
 * A store of budgets. Every operation is atomic, idempotent by id within the retention of ids, and acts as if all holds due by
 * then had ended. Operations reject only when the store itself fails; what the rules refuse is an outcome.
 */
export interface Store {
  /** For messages: `memory`, `sqlite`, `redis`. */
  readonly name: string
  /** True where several processes share the counters. */
  readonly shared: boolean
  /** True where tenants are kept apart: a budget that several of them share is refused. */
  readonly keepsTenantsApart?: boolean | undefined
  readonly directory: Directory
  readonly registry: Registry
  readonly ledger: LedgerSink
  readonly auditor?: Auditor | undefined
  reserve(request: ReserveRequest): MaybePromise<Admitted | Refused | Outdated | Failure>
  settle(request: SettleRequest): MaybePromise<Settled | Failure>
  release(request: ReleaseRequest): MaybePromise<Released | Failure>
  extend(request: ExtendRequest): MaybePromise<Extended | Failure>
  /**
   * What an id that is open or remembered was opened with; changes nothing of it. A tombstone is `already-ended`, a refund is no hold. A store
   * may leave it out: then usage that is settled by its id alone cannot be priced, and is refused.
   */
  readonly opened?: ((id: string) => MaybePromise<Opened | Failure>) | undefined
  record(request: RecordRequest): MaybePromise<Recorded | Outdated | Failure>
  refund(request: RefundRequest): MaybePromise<Refunded | Failure>
  read(scopes: readonly ScopeTerms[]): MaybePromise<Reading>
  /**
   * Begins anew, at store time, each calendar window of the request (`total` apart) whose running instance began before `since`, also
   * where nothing was counted in it; it ends when the request's own window of now does. Holds and entries stay with the instance that
   * they were placed in. A repeat finds windows that have begun since, and changes nothing. One that had been used is a `window-reset`.
   */
  restart(request: RestartRequest): MaybePromise<Restarted>
  /** Totals of one user, over all windows and beyond them. */
  totals(user: UserRef): MaybePromise<UserTotals>
  users(): AsyncIterable<KnownUser>
  close(): MaybePromise<void>
}
