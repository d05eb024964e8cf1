// How many LLM calls a user has made, by the ledger: or that nobody can tell, where entries of that time may be gone.

import type { UserRef } from '../budget/index.js'
import { ASSIGNED, callsOf, pageOf, sumsOf, type Conditions, type LedgerKind } from '../ledger/index.js'
import type { Foundation } from './foundation.js'

/** What every charge leaves behind: as many as the sums over everything say. */
const CHARGES: readonly LedgerKind[] = ['settled', 'expired', 'recorded', 'corrected']
/** What is a call by itself: a ledger that loses entries loses the oldest of these first. */
const CALLS = CHARGES.filter((kind) => callsOf({ kind }) > 0)

/** Calls charged to a user from an instant on (ms since the epoch, included); `null` where the ledger no longer has all of them, or not who made them. */
export async function countCalls({ store: { ledger, auditor } }: Pick<Foundation, 'store'>, { userId, tenant }: UserRef, from: number): Promise<number | null> {
  if (auditor?.hides?.('userId') === true || auditor?.hides?.('tenant') === true) return null
  const standing = await auditor?.standing?.()
  if (standing?.isAnonymised === true) return null
  if ((standing?.room ?? 0) === 0 && !(await isAllThere(ledger, from))) return null
  const fields = [
    { field: 'userId', texts: [userId], orNone: false },
    { field: 'tenant', texts: tenant === undefined ? [] : [tenant], orNone: tenant === undefined },
  ] as const
  const sums = await sumsOf(ledger, { fields, bounds: [{ field: 'at', least: from, most: Infinity }] }, [])
  return sums.reduce((all, { calls }) => all + calls, 0)
}

/** True where nothing of that time is gone from a ledger that may lose entries. */
async function isAllThere(ledger: Foundation['store']['ledger'], from: number): Promise<boolean> {
  const { entries } = await pageOf(ledger, ofKinds(CALLS), 1)
  // Everything that is younger than what is still there is there too.
  if (entries[0] !== undefined && entries[0].at < from) return true
  // These first: what is charged meanwhile makes the rest more, and never less.
  const { entries: charged } = await ledger.totals()
  const kept = (await sumsOf(ledger, ofKinds(CHARGES), ['reason'])).filter(({ texts }) => texts[0] !== ASSIGNED)
  return kept.reduce((all, { entries: some }) => all + some, 0) >= charged
}

function ofKinds(texts: readonly LedgerKind[]): Conditions {
  return { fields: [{ field: 'kind', texts, orNone: false }], bounds: [] }
}
