// The ledger as an application uses it: asked page by page, and spend of nobody's booked to a client later. What was written stays as it
// is: what changes is said by further entries.

import { assertId } from '../budget/index.js'
import { InvalidRequestError } from '../errors/index.js'
import { ASSIGNED, callsOf, entriesOf, pageOf, parseFilter, type Conditions, type EntryFilter, type EntryPage, type LedgerEntry, type LedgerKind } from '../ledger/index.js'
import { ExactSum, formatUsd } from '../money/index.js'
import type { LedgerSink } from '../store/index.js'
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
  /** Stands in the metadata of the new entries, as `assignedBecause`. */
  readonly reason?: string | undefined
}

/** What was booked to a client. */
export interface Assigned {
  /** Of how many entries. */
  readonly assigned: number
  /** What they had cost, in USD. */
  readonly cost: number
  readonly exact: { readonly microcents: bigint; readonly tokens: bigint }
}

const USUAL_PAGE = 100
const LARGEST_PAGE = 10_000
const MONEY_KINDS: readonly LedgerKind[] = ['settled', 'expired', 'recorded', 'corrected']
/** How many entries are looked at together: for so many it is asked once which of them have been assigned. */
const LOOKED_AT = 5_000
/** How many are assigned in one append. */
const APPENDED = 250

/** See {@link CostTracker.ledger}. */
export class LedgerBook {
  readonly #ledger: LedgerSink
  #assigning: Promise<unknown> = Promise.resolve()

  constructor(ledger: LedgerSink) {
    this.#ledger = ledger
  }

  /** A page of the entries that match, in the order of writing. Throws `InvalidRequestError` for a filter, a limit or a cursor that is none. */
  async query(filter?: EntryFilter, options: QueryOptions = {}): Promise<EntryPage> {
    const conditions = parseFilter(filter)
    assertKnownFields(options, ['limit', 'after'], 'options')
    const { limit = USUAL_PAGE, after } = options
    if (!Number.isInteger(limit) || limit < 1 || limit > LARGEST_PAGE) throw new InvalidRequestError(`limit: ${String(limit)} is no number of entries. Use 1 to ${LARGEST_PAGE}.`)
    return pageOf(this.#ledger, conditions, limit, after)
  }

  /**
   * Books the spend without a tenant that matches to one: for each entry a pair of `corrected` entries (reason `assigned`), one that takes cost,
   * tokens and call from nobody, one that gives them to the tenant, at the time of the entry, so that reports of that time change. Windows,
   * limits and the sums over everything do not. A repeat assigns only what was not assigned yet, also after a run that broke off; what has
   * been assigned stays with whom it was given to. Throws `InvalidRequestError` before anything is written.
   */
  async assign(filter: EntryFilter, options: AssignOptions): Promise<Assigned> {
    const conditions = unassigned(filter)
    assertKnownFields(options, ['tenant', 'reason'], 'options')
    const { tenant, reason } = options
    assertId(tenant, 'tenant')
    if (reason !== undefined && (typeof reason !== 'string' || reason === '')) throw new InvalidRequestError(`reason: ${JSON.stringify(reason)} is no text. Say why, or leave it out.`)
    // One after the other: two at once would both find that an entry has not been assigned.
    const run = this.#assigning.then(() => this.#assign(conditions, tenant, reason))
    this.#assigning = run.catch(() => {})
    return run
  }

  async #assign(conditions: Conditions, tenant: string, reason: string | undefined): Promise<Assigned> {
    const microcents = new ExactSum()
    const tokens = new ExactSum()
    let assigned = 0
    for await (const chunk of chunksOf(entriesOf(this.#ledger, conditions), LOOKED_AT)) {
      const done = await this.#assignedAmong(chunk)
      const entries = chunk.filter((entry) => !done.has(identityOf(`${entry.id}:${ASSIGNED}:from`, entry)))
      for (let first = 0; first < entries.length; first += APPENDED) {
        const some = entries.slice(first, first + APPENDED)
        await this.#ledger.append(...some.flatMap((entry) => pairOf(entry, tenant, reason)))
        for (const entry of some) {
          microcents.add(entry.microcents)
          tokens.add(entry.tokens)
        }
        assigned += some.length
      }
    }
    return { assigned, cost: Number(formatUsd(microcents.value)), exact: { microcents: microcents.value, tokens: tokens.value } }
  }

  async #assignedAmong(entries: readonly LedgerEntry[]): Promise<ReadonlySet<string>> {
    let least = Infinity
    let most = -Infinity
    for (const { at } of entries) {
      least = Math.min(least, at)
      most = Math.max(most, at)
    }
    const taken: Conditions = {
      fields: [{ field: 'reason', texts: [ASSIGNED], orNone: false }, { field: 'kind', texts: ['corrected'], orNone: false }, { field: 'tenant', texts: [], orNone: true }],
      bounds: [{ field: 'at', least, most }],
    }
    const found = new Set<string>()
    for await (const entry of entriesOf(this.#ledger, taken)) found.add(identityOf(entry.id, entry))
    return found
  }
}

function unassigned(filter: EntryFilter): Conditions {
  const tenants = filter?.where?.tenant
  if (tenants !== undefined && tenants !== null) throw new InvalidRequestError(`filter.where.tenant: ${JSON.stringify(tenants)}: only spend without a tenant can be assigned. Leave it out.`)
  const { fields, bounds } = parseFilter(filter)
  return { fields: [...fields, { field: 'tenant', texts: [], orNone: true }, { field: 'kind', texts: MONEY_KINDS, orNone: false }], bounds }
}

/** What can be assigned, some at a time: not what an assignment took from nobody, and not what is about nothing. */
async function* chunksOf(entries: AsyncIterable<LedgerEntry>, length: number): AsyncIterable<readonly LedgerEntry[]> {
  let chunk: LedgerEntry[] = []
  for await (const entry of entries) {
    const { reason, microcents, tokens } = entry
    if (reason === ASSIGNED || (microcents === 0 && tokens === 0 && callsOf(entry) === 0)) continue
    chunk.push(entry)
    if (chunk.length < length) continue
    yield chunk
    chunk = []
  }
  if (chunk.length > 0) yield chunk
}

/** Both have every field by which reports are grouped, so that in each group one takes back what was there. */
function pairOf(entry: LedgerEntry, tenant: string, reason: string | undefined): readonly [from: LedgerEntry, to: LedgerEntry] {
  const { id, at, decisionId, userId, tier, sessionId, scopes, provider, requestedModel, model, microcents, tokens, openedAt, details, metadata } = entry
  const calls = callsOf(entry)
  const { usage: _, ...described } = details ?? {}
  const same = {
    kind: 'corrected' as const, at, decisionId, userId, tier, sessionId, scopes, provider, requestedModel, model, openedAt, charged: [], reason: ASSIGNED,
    details: Object.keys(described).length === 0 ? undefined : described,
    metadata: reason === undefined ? metadata : { ...metadata, assignedBecause: reason },
  } // prettier-ignore
  return [
    { ...same, id: `${id}:${ASSIGNED}:from`, microcents: 0 - microcents, tokens: 0 - tokens, calls: 0 - calls },
    { ...same, id: `${id}:${ASSIGNED}:to`, tenant, microcents, tokens, calls },
  ]
}

/** Ids are used again: with its times, each stands for one entry. */
function identityOf(id: string, { at, openedAt }: LedgerEntry): string {
  return JSON.stringify([id, at, openedAt ?? null])
}
