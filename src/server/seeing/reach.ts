// What of a store a caller's key reaches: the conditions that every question to the ledger gets, whatever else is asked, and the names under
// which answers are kept for all who may see the same.

import type { UserRef } from '../../budget/index.js'
import type { EntryFilter } from '../../ledger/index.js'
import type { Caller } from '../caller.js'

/** Conditions on fields of an entry. */
export type Where = NonNullable<EntryFilter['where']>

/** The entries that a caller may read: nothing that is asked takes these conditions away. */
export function ownEntries({ isOperator, tenant, userId }: Caller): Where {
  if (isOperator) return {}
  return { tenant: tenant ?? null, ...(userId !== undefined && { userId }) }
}

/** Conditions as somebody asked for them, within the reach of a caller. */
export function within(caller: Caller, where: Where): Where {
  return { ...where, ...ownEntries(caller) }
}

/** The entries of one user. */
export function entriesOfUser({ userId, tenant }: UserRef): Where {
  return { userId, tenant: tenant ?? null }
}

/** The same text for all callers who reach the same. */
export function reachKey({ isOperator, tenant, userId }: Caller): string {
  return JSON.stringify(isOperator ? [] : [tenant ?? null, userId ?? null])
}
