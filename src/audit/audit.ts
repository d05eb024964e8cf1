// An audit: a store's counters compared with its ledger and its open holds, and either of them mended. Decides what may be mended
// and when; what differs is compare's to say.

import type { ScopeId } from '../enforcement/index.js'
import { InvalidConfigError, InvalidRequestError } from '../errors/index.js'
import { toUsd } from '../money/index.js'
import type { Auditor, AuditSnapshot, Store } from '../store/index.js'
import { FixedDate } from '../time/index.js'
import type { CountedUnit } from './audit-entry.js'
import { compare, type Comparison, type Difference, type EndingOf } from './compare.js'
import { correctionsOf, entriesFor } from './repair.js'

/** What an audit may change: nothing (absent), the counters, or the ledger. */
export interface AuditOptions {
  readonly repair?: 'counters' | 'ledger' | undefined
}

/** A counter that is not what it should be. Money is USD; `unit` says whether the numbers are money. */
export interface AuditDifference {
  readonly scope: ScopeId
  /** The window's identity, such as `daily/usd`; for a scope's lifetime totals `lifetime/usd` or `lifetime/entries`. */
  readonly window: string
  readonly unit: CountedUnit
  /** When the instance (of a rolling window: the bucket) starts. */
  readonly startsAt: Date
  readonly what: 'spent' | 'held' | 'lifetime'
  /** What the counter says. */
  readonly counted: number
  /** What the ledger says; for held, what the open holds do. */
  readonly expected: number
  /** The same as integers: microcents for money. */
  readonly exact: { readonly counted: number; readonly expected: number }
}

/** What an audit has found, and what it has mended. */
export interface AuditReport {
  /**
   * `clean`: nothing differs. `repaired`: something did, and nothing does any more. `different`: see `differences`. `incomplete`:
   * the ledger no longer has all entries, so that only held could be compared.
   */
  readonly status: 'clean' | 'different' | 'incomplete' | 'repaired'
  /** The moment that was looked at, in store time. */
  readonly at: Date
  /** How many ledger entries were read, and how many open holds and scopes were looked at. */
  readonly entries: number
  readonly holds: number
  readonly scopes: number
  /** What differs; after a repair, what still does. */
  readonly differences: readonly AuditDifference[]
  /** What a repair was made for. */
  readonly repaired: readonly AuditDifference[]
  /** What a repair of the counters has brought back, or could not, beside them; absent where nothing was missing. */
  readonly restored?: RestoredRecords | undefined
}

/** Limits and settings of tenants that the store lacked and the ledger knew. */
export interface RestoredRecords {
  /** The ids of the limits that are there again. */
  readonly limits: readonly string[]
  /** The tenants whose settings are. */
  readonly tenants: readonly string[]
  /** What could not be restored, with the reason. */
  readonly failed: readonly string[]
}

/** Brings back records that a store lacks; `undefined` where it lacks none. */
export type Restoring = (snapshot: AuditSnapshot) => Promise<RestoredRecords | undefined>

/** How often a repair is tried where others repair at the same time. */
const MOST_PASSES = 5

/** As much of a store as an audit looks at. */
export type AuditedStore = Pick<Store, 'name' | 'auditor'>

/**
 * Compares the counters of a store with its ledger and its open holds; mends one of them if told to, then compares again. Throws
 * `InvalidConfigError` for a store that cannot be audited, and `InvalidRequestError` for a repair that is none and for one from an
 * incomplete ledger: nothing has changed then. Safe while others use the store, or repair it. `restoring` is called before
 * counters are repaired, and brings back what they belong to: afterwards `endingOf` may know more.
 */
export async function audit(store: AuditedStore, { repair }: AuditOptions, newId: () => string, endingOf?: EndingOf, restoring?: Restoring): Promise<AuditReport> {
  const { auditor } = store
  if (auditor === undefined) throw new InvalidConfigError(`store: the "${store.name}" store cannot be audited. Use one that has an auditor: memory, SQLite or Redis.`)
  if (repair !== undefined && repair !== 'counters' && repair !== 'ledger') throw new InvalidRequestError(`options.repair: ${JSON.stringify(repair)} is no repair. Give "counters" or "ledger", or leave it out to change nothing.`)
  const snapshot = await auditor.snapshot()
  const restored = repair === 'counters' && snapshot.complete ? await restoring?.(snapshot) : undefined
  const found = await compare(snapshot, endingOf)
  if (repair === undefined) return reportOf(found, [], undefined)
  if (!found.complete) {
    throw new InvalidRequestError(`options.repair: the ledger of the "${store.name}" store no longer has all entries, so that nothing can be repaired by it. Keep every entry (a larger ledger, or a sink for it), or audit without repair.`)
  }
  const repaired = repair === 'counters' ? found.differences : found.differences.filter(({ what }) => what !== 'held')
  let left = found
  // Again where somebody else has repaired meanwhile; and the lifetime of a scope that was lost whole can be compared only once its
  // windows are there again.
  for (let pass = 0; pass < MOST_PASSES && left.differences.length > 0; pass += 1) {
    await mend(auditor, repair, left, newId)
    left = await compare(await auditor.snapshot(), endingOf)
  }
  if (repair === 'counters' && left.differences.length === 0) await auditor.repaired?.()
  return reportOf(left, repaired, restored)
}

async function mend(auditor: Auditor, repair: 'counters' | 'ledger', { differences, at, repairs }: Comparison, newId: () => string): Promise<void> {
  // INVARIANT (CONSERVATION): a repair is made only if no other was made since its snapshot; else it would mend twice.
  if (repair === 'counters') await auditor.correct(correctionsOf(differences), repairs)
  else await auditor.append(entriesFor(differences, at, newId), repairs)
}

function reportOf({ at, complete, entries, holds, scopes, differences }: Comparison, repaired: readonly Difference[], restored: RestoredRecords | undefined): AuditReport {
  const isMended = repaired.length > 0 || (restored !== undefined && restored.limits.length + restored.tenants.length > 0)
  const status = !complete ? 'incomplete' : differences.length > 0 ? 'different' : isMended ? 'repaired' : 'clean'
  return Object.freeze({ status, at: new FixedDate(at), entries, holds, scopes, differences: Object.freeze(differences.map(toPublicDifference)), repaired: Object.freeze(repaired.map(toPublicDifference)), ...(restored !== undefined && { restored }) })
}

function toPublicDifference({ scope, window, unit, startsAt, what, counted, expected }: Difference): AuditDifference {
  const shown = (amount: number): number => (unit === 'usd' ? toUsd(amount) : amount)
  return Object.freeze({ scope, window, unit, startsAt: new FixedDate(startsAt), what, counted: shown(counted), expected: shown(expected), exact: Object.freeze({ counted, expected }) })
}
