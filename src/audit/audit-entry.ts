// Ledger entries that an audit writes, and how much of an entry a window counts. An entry of an operation counts in the lifetime
// totals of every scope that it names; one of an audit only where it names them, and it may stand for several requests or entries.

import type { LedgerEntry } from '../ledger/index.js'
import type { Unit } from '../money/index.js'

/** Among the windows that an audit's entry is charged to: the scope's lifetime cost. */
export const LIFETIME_COST = 'lifetime/usd'
/** The same: the number of its entries. */
export const LIFETIME_ENTRIES = 'lifetime/entries'

/** What a counter may count. */
export type CountedUnit = Unit | 'entries'

/** The unit that the identity of a window names. */
export function unitOf(window: string): CountedUnit {
  return window.slice(window.lastIndexOf('/') + 1) as CountedUnit
}

/** True for an entry that an audit wrote: it belongs to no decision but itself, and every other correction belongs to one. */
export function isOfAudit({ kind, id, decisionId }: LedgerEntry): boolean {
  return kind === 'corrected' && id === decisionId
}

/** How much of an entry a window counts that it is charged to. A request counts once, at the first entry of its decision. */
export function amountCharged(entry: LedgerEntry, unit: CountedUnit): number {
  if (unit === 'usd') return entry.microcents
  if (unit === 'tokens') return entry.tokens
  if (isOfAudit(entry)) return numberIn(entry.metadata?.[unit])
  return entry.kind === 'corrected' ? 0 : 1
}

function numberIn(value: unknown): number {
  return typeof value === 'number' ? value : 0
}
