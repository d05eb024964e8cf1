// The ledger as an application uses it: asked page by page, and spend of nobody's booked to a client later. What was written stays as it
// is: what changes is said by further entries.

import { assertId } from '../budget/index.js'
import { InvalidConfigError, InvalidRequestError } from '../errors/index.js'
import { newestOf, pageOf, parseField, parseFilter, shown, sumsOf, type Conditions, type EntryField, type EntryFilter, type EntryPage, type EntrySum, type LedgerEntry, type LedgerKind } from '../ledger/index.js'
import { formatUsd } from '../money/index.js'
import type { Store } from '../store/index.js'
import { systemClock, type Clock } from '../time/index.js'
import { Assignment, type AssignmentRun } from './assignment.js'
import { newId } from './ids.js'
import { assertKnownFields } from './requests.js'

/** Which page of entries. */
export interface QueryOptions {
  /** How many entries at most: 1 to 10,000; 100 by default. */
  readonly limit?: number | undefined
  /** The `next` of the page before. */
  readonly after?: string | undefined
}

/** To whom spend is booked. */
export interface AssignOptions {
  readonly tenant: string
  /** Stands in the details of the new entries, as `assignment.reason`. */
  readonly reason?: string | undefined
  /** Writes nothing, and gives what would be booked now; throws where booking would. */
  readonly dryRun?: boolean | undefined
}

/** What was booked: a sum. */
export interface AssignedSum {
  /** Of how many entries. */
  readonly assigned: number
  /** What they had cost, in USD. */
  readonly cost: number
  readonly exact: { readonly microcents: bigint; readonly tokens: bigint }
}

/** What was booked to clients: by this call, not by another one at the same time. Its own figures are the sums of `byTenant`. */
export interface Assigned extends AssignedSum {
  /** To whom, by name: also others than the tenant that was asked for get what corrects their decisions. Who got nothing is left out. */
  readonly byTenant: readonly AssignedTo[]
}

/** What was booked to one client. */
export interface AssignedTo extends AssignedSum {
  readonly tenant: string
}

const USUAL_PAGE = 100
const LARGEST_PAGE = 10_000
const MONEY_KINDS: readonly LedgerKind[] = ['settled', 'expired', 'recorded', 'corrected']

/** See {@link CostTracker.ledger}. */
export class LedgerBook {
  readonly #store: Pick<Store, 'name' | 'ledger' | 'auditor'>
  readonly #clock: Clock
  #assigning: Promise<unknown> = Promise.resolve()

  constructor(store: Pick<Store, 'name' | 'ledger' | 'auditor'>, clock: Clock = systemClock) {
    this.#store = store
    this.#clock = clock
  }

  /** A page of the entries that match, in the order of writing. Throws `InvalidRequestError` for a filter, a limit or a cursor that is none. */
  async query(filter?: EntryFilter, options: QueryOptions = {}): Promise<EntryPage> {
    const conditions = parseFilter(filter)
    assertKnownFields(options, ['limit', 'after'], 'options')
    const { limit = USUAL_PAGE, after } = options
    assertLimit(limit)
    return pageOf(this.#store.ledger, conditions, limit, after)
  }

  /**
   * The last entries that match, the newest first: by their time, and at one instant by the order of writing. They are looked for backwards in
   * stretches that grow, so that a ledger that can sum by itself is not read whole. Throws as {@link query} does.
   */
  async newest(filter?: EntryFilter, options: Pick<QueryOptions, 'limit'> = {}): Promise<readonly LedgerEntry[]> {
    const conditions = parseFilter(filter)
    assertKnownFields(options, ['limit'], 'options')
    const { limit = USUAL_PAGE } = options
    assertLimit(limit)
    return newestOf(this.#store.ledger, conditions, limit, this.#clock())
  }

  /** What the entries that match add up to, by the texts of fields; exact, in no order. Throws `InvalidRequestError` for a filter or a field that is none. */
  async sums(filter: EntryFilter, by: readonly EntryField[]): Promise<readonly EntrySum[]> {
    const conditions = parseFilter(filter)
    const fields = by.map((field) => parseField(field, 'by'))
    return sumsOf(this.#store.ledger, conditions, fields)
  }

  /**
   * Books the spend without a tenant that matches to one (`{}` means all of it): for each entry a pair of `corrected` entries (reason
   * `assigned`), one that takes cost, tokens and call from nobody, one that gives them to the tenant, at the time of the entry, so that
   * reports of that time change. Windows, limits and the sums over everything do not.
   *
   * Each entry is assigned once, whoever calls this at the same time, from whichever process; a repeat takes what was not assigned yet, also
   * after a run that broke off. What has been assigned stays with whom it was given to. So does what corrects it later: a refund of a
   * decision that was assigned goes, in the next run that it matches, to the tenant of that decision, whatever tenant the run names:
   * `byTenant` says what went to whom.
   *
   * Throws `InvalidRequestError` for arguments that are none, and `InvalidConfigError` where the ledger does not keep every entry or has no
   * room for the pairs (memory: half of `ledgerCapacity`; Redis without a sink: none), and where it is anonymised: before anything is
   * written.
   */
  async assign(filter: EntryFilter, options: AssignOptions): Promise<Assigned> {
    const conditions = unassigned(filter)
    if (typeof options !== 'object' || options === null) throw new InvalidRequestError('options: are missing. Give { tenant }.')
    assertKnownFields(options, ['tenant', 'reason', 'dryRun'], 'options')
    const { tenant, reason, dryRun = false } = options
    assertId(tenant, 'tenant')
    if (reason !== undefined && (typeof reason !== 'string' || reason === '')) throw new InvalidRequestError(`reason: ${JSON.stringify(reason)} is no text. Say why, or leave it out.`)
    if (typeof dryRun !== 'boolean') throw new InvalidRequestError(`dryRun: ${shown(dryRun)} is neither true nor false. Say true to write nothing, or leave it out.`)
    // One after the other: two at once would only get in each other's way.
    const made = this.#assigning.then(() => this.#assign({ run: newId(), tenant, reason, conditions, dryRun }))
    this.#assigning = made.catch(() => {})
    return made
  }

  async #assign(run: AssignmentRun): Promise<Assigned> {
    const { name, ledger, auditor } = this.#store
    if (auditor === undefined) throw new InvalidConfigError(`store: the "${name}" store has no auditor, so spend cannot be assigned safely. Use memory, SQLite, or Redis with a sink.`)
    const assignment = new Assignment({ name, ledger, auditor }, run)
    await assignment.make()
    const byTenant = [...assignment.shares].map(([tenant, { assigned, microcents, tokens }]) => ({ tenant, ...sumOf(assigned, microcents.value, tokens.value) }))
    byTenant.sort((one, other) => (one.tenant < other.tenant ? -1 : 1))
    let [assigned, microcents, tokens] = [0, 0n, 0n]
    for (const share of byTenant) {
      assigned += share.assigned
      microcents += share.exact.microcents
      tokens += share.exact.tokens
    }
    return { ...sumOf(assigned, microcents, tokens), byTenant }
  }
}

function assertLimit(limit: number): void {
  if (!Number.isInteger(limit) || limit < 1 || limit > LARGEST_PAGE) throw new InvalidRequestError(`limit: ${String(limit)} is no number of entries. Use 1 to ${LARGEST_PAGE}.`)
}

function sumOf(assigned: number, microcents: bigint, tokens: bigint): AssignedSum {
  return { assigned, cost: Number(formatUsd(microcents)), exact: { microcents, tokens } }
}

function unassigned(filter: EntryFilter): Conditions {
  if (typeof filter !== 'object' || filter === null) throw new InvalidRequestError('filter: is missing. Say which spend, or give {} for all.')
  const tenants = filter.where?.tenant
  if (tenants !== undefined && tenants !== null) throw new InvalidRequestError(`filter.where.tenant: ${JSON.stringify(tenants)}: only spend without a tenant can be assigned. Leave it out.`)
  const { fields, bounds } = parseFilter(filter)
  return { fields: [...fields, { field: 'tenant', texts: [], orNone: true }, { field: 'kind', texts: MONEY_KINDS, orNone: false }], bounds }
}
