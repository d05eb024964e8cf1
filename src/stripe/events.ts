// What the sync and the webhook announce, and what each announcement carries.

import type { UserRef } from '../budget/index.js'
import type { Puzzle } from './finding.js'

/** What a look at a customer has come to. */
export interface SyncResult {
  readonly customer: string
  /** Absent: nobody knows yet whose customer it is. */
  readonly user?: UserRef | undefined
  /** All customers of that user: the look was at each of them. */
  readonly customers?: readonly string[] | undefined
  /**
   * `written`: the directory says what Stripe said. `superseded`: a look that began later had been written before. `parked`: the
   * customer has no user yet, and is tried again. `ignored`: there is nothing to know (deleted before it had a user, or never bought anything).
   */
  readonly outcome: 'written' | 'superseded' | 'parked' | 'ignored'
  /** The tier that was written; absent where the last one stays. */
  readonly tier?: string | undefined
  /** Why somebody looked. */
  readonly cause: string
  /** What was not understood: the last tier stays where it is higher. */
  readonly puzzles: readonly Puzzle[]
}

/** The events of a `StripeTierSync`. A change of tier is the tracker's `tier-changed`. */
export interface StripeSyncEvents {
  /** Somebody has looked at a customer. */
  synced: SyncResult
  /** A price that nothing maps: the last tier stays. Map it, or list it under `ignored`. */
  'unmapped-price': Extract<Puzzle, { kind: 'unmapped-price' }> & { readonly customer: string; readonly user: UserRef }
  /** A status that this version of bursar does not know: the last tier stays. */
  'unknown-status': Extract<Puzzle, { kind: 'unknown-status' }> & { readonly customer: string; readonly user: UserRef }
  /** A customer without a user: tried again later. */
  parked: { readonly customer: string; readonly cause: string }
  /** A customer that belongs to `user` was claimed for another one, and stays where it is. */
  'binding-refused': { readonly customer: string; readonly user: UserRef; readonly refused: UserRef }
  /** A delivery was refused, and changed nothing. */
  'webhook-refused': { readonly reason: string }
  /** A look failed. A webhook answers 500 then, and Stripe delivers again. */
  'sync-error': { readonly customer: string | undefined; readonly error: unknown }
  /** A listener threw or rejected. */
  'listener-error': { readonly event: string; readonly error: unknown }
}
