// What counting asks of whoever keeps the cells: where those of a scope stand. In memory they are stretches of shared arrays, in a
// database they are loaded for one transaction.

import type { ScopeTerms } from '../contract.js'
import type { Cells } from './cells.js'
import type { Layout } from './layout.js'

/** Where the counters of one scope stand: `cells` from `base` on, laid out by `layout`. Valid within one operation. */
export interface ScopeRecord {
  readonly layout: Layout
  readonly cells: Cells
  readonly base: number
}

/** Finds the counters of scopes. */
export interface Books<R extends ScopeRecord = ScopeRecord> {
  /** The record of a scope, if anything was ever counted in it. */
  get(scope: ScopeTerms): R | undefined
  /** The record of a scope with room for all its windows, made if it is not there; it is about to be changed. */
  withRoomFor(scope: ScopeTerms): R
  /** Notes the tier of the last request, for listing users. */
  noteTier(record: R, tier: string | undefined): void
}
