// Whether a store can answer at all: an empty one, and one whose entries are kept where this command does not look, would answer every
// question with nothing.

import { InvalidConfigError } from '../errors/index.js'
import { ALL_ENTRIES, ASSIGNED, pageOf, sumsOf, type Conditions } from '../ledger/index.js'
import type { Store } from '../store/index.js'

/** What every charge leaves behind; the sums over everything count the same, but for what an assignment has moved. */
const CHARGES: Conditions = { fields: [{ field: 'kind', texts: ['settled', 'expired', 'recorded', 'corrected'], orNone: false }], bounds: [] }

/** Why entries are missing, and what to do. */
export const LACKS_ENTRIES = "the store has charged more than its ledger tells here: another process moves its entries to a ledger of its own. Pass that one with --ledger (such as --ledger postgres://…), or name it as 'ledger' in the configuration."

/** True where a store has charged nothing, and has no entry and no user. */
export async function isEmpty({ ledger, users }: { readonly ledger: Store['ledger']; users(): ReturnType<Store['users']> }): Promise<boolean> {
  if ((await ledger.totals()).entries > 0 || (await pageOf(ledger, ALL_ENTRIES, 1)).entries.length > 0) return false
  for await (const _ of users()) return false
  return true
}

/** True where a Redis store has charged more than its ledger tells here: its entries go to a sink that nobody has named. */
export async function lacksEntries({ name, ledger }: Pick<Store, 'name' | 'ledger'>): Promise<boolean> {
  if (name !== 'redis') return false
  const { entries: charged } = await ledger.totals()
  if (charged === 0) return false
  if ((await pageOf(ledger, CHARGES, 1)).entries.length === 0) return true
  const kept = (await sumsOf(ledger, CHARGES, ['reason'])).filter(({ texts }) => texts[0] !== ASSIGNED)
  return kept.reduce((sum, { entries }) => sum + entries, 0) < charged
}

/** Throws `InvalidConfigError` where it lacks entries. */
export async function assertLedgerThere(store: Pick<Store, 'name' | 'ledger'>): Promise<void> {
  if (await lacksEntries(store)) throw new InvalidConfigError(`ledger: ${LACKS_ENTRIES}`)
}
