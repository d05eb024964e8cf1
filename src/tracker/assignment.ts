// One run that books spend of nobody's to a client: what may be assigned, what has been already, and to whom. It writes through the
// auditor, which takes a batch only where nobody else has written one since the ledger was read: no spend is booked twice.

import { InvalidConfigError, StoreUnavailableError } from '../errors/index.js'
import { ASSIGNED, callsOf, entriesOf, nextTurn, pageOf, parseFilter, type Conditions, type LedgerEntry } from '../ledger/index.js'
import { ExactSum } from '../money/index.js'
import type { Auditor, LedgerSink, LedgerStanding } from '../store/index.js'

/** What a run works on. */
export interface AssignmentRun {
  /** Of this run alone. */
  readonly run: string
  readonly tenant: string
  readonly reason: string | undefined
  /** Of the entries that may be assigned. */
  readonly conditions: Conditions
  /** All but the writing. */
  readonly dryRun: boolean
}

/** What one tenant got. */
export interface TenantShare {
  assigned: number
  readonly microcents: ExactSum
  readonly tokens: ExactSum
}

/** A store that spend can be assigned on. */
export interface AssigningStore {
  readonly name: string
  readonly ledger: LedgerSink
  readonly auditor: Auditor
}

/** How many entries are read at once, and how many are assigned in one append. */
const READ_AT_ONCE = 1_000
const APPENDED_AT_ONCE = 250
/** How often a batch is tried where others write theirs at the same time: each time one of them has got further. */
const MOST_TRIES = 1_000
/** Pairs, among them what else gives their reason. */
const TAKEN = parseFilter({ where: { kind: 'corrected', reason: ASSIGNED } })

/** Assigns what matches and was not assigned. See {@link LedgerBook.assign}. */
export class Assignment {
  /** What this run has assigned, or as a dry run would have. */
  readonly shares = new Map<string, TenantShare>()
  readonly #store: AssigningStore
  readonly #run: AssignmentRun
  readonly #taken: TakenSpend
  /** The decisions of the corrections that matched when the run began. */
  readonly #corrected = new Set<string>()
  #standing: LedgerStanding | undefined

  constructor(store: AssigningStore, run: AssignmentRun) {
    this.#store = store
    this.#run = run
    this.#taken = new TakenSpend(store.ledger, run, this.#corrected)
  }

  /** Throws `InvalidConfigError` before anything is written where the ledger cannot keep it. */
  async make(): Promise<void> {
    const { ledger } = this.#store
    const { conditions } = this.#run
    await this.#stand()
    const corrections = { ...conditions, fields: [...conditions.fields, { field: 'kind' as const, texts: ['corrected'], orNone: false }] }
    for await (const entry of entriesOf(ledger, corrections)) if (entry.calls === undefined) this.#corrected.add(decisionOf(entry))
    await this.#taken.read()
    await this.#assertRoom()
    let batch: LedgerEntry[] = []
    for await (const entry of this.#open()) {
      if (batch.push(entry) < APPENDED_AT_ONCE) continue
      await this.#append(batch)
      batch = []
      await nextTurn()
    }
    await this.#append(batch)
  }

  /** What can be assigned: not what an assignment moved, and not what is about nothing. */
  async *#open(): AsyncGenerator<LedgerEntry> {
    let seen = 0
    for await (const entry of entriesOf(this.#store.ledger, this.#run.conditions)) {
      if ((seen += 1) % READ_AT_ONCE === 0) await nextTurn()
      const { kind, microcents, tokens } = entry
      if (entry.calls !== undefined || (microcents === 0 && tokens === 0 && callsOf(entry) === 0) || this.#taken.has(entry)) continue
      // One that came since: whose its charge is has not been looked up. It is taken by the next run.
      if (kind !== 'corrected' || this.#corrected.has(decisionOf(entry))) yield entry
    }
  }

  /** INVARIANT (CONSERVATION): a batch is written only if nobody has written one since what is taken was read. */
  async #append(batch: readonly LedgerEntry[]): Promise<void> {
    for (let tries = 0; tries < MOST_TRIES; tries += 1) {
      const left = batch.filter((entry) => !this.#taken.has(entry))
      if (left.length === 0) return
      const { repairs, room, isAnonymised } = this.#standing as LedgerStanding
      const owned = left.map((entry) => [entry, this.#taken.ownerOf(entry)] as const)
      const pairs = owned.flatMap(([entry, owner]) => pairOf(entry, owner, this.#run))
      if (pairs.length > room) throw this.#noRoom(pairs.length)
      if (this.#run.dryRun || (await this.#store.auditor.append(pairs, repairs))) {
        this.#standing = { repairs: repairs + 1, room: room - pairs.length, isAnonymised }
        for (const [entry, owner] of owned) this.#count(entry, owner)
        return
      }
      // Somebody was there before: another run, or this one, where the reply was lost and the batch sent again.
      await this.#stand()
      await this.#taken.read()
      for (const entry of left) {
        const owner = this.#taken.ownOwnerOf(entry)
        if (owner !== undefined) this.#count(entry, owner)
      }
    }
    throw new StoreUnavailableError('assign: others repair this ledger all the time. Assign again: what was booked is not booked twice.')
  }

  #count({ microcents, tokens }: LedgerEntry, tenant: string): void {
    const share = this.shares.get(tenant) ?? { assigned: 0, microcents: new ExactSum(), tokens: new ExactSum() }
    this.shares.set(tenant, share)
    share.assigned += 1
    share.microcents.add(microcents)
    share.tokens.add(tokens)
  }

  /** To be asked before what is taken is read: what is written in between fails the next append. */
  async #stand(): Promise<void> {
    const { name, auditor } = this.#store
    this.#standing = await auditor.standing?.()
    if (this.#standing === undefined) throw new InvalidConfigError(`store: the "${name}" store cannot say how its ledger stands, so spend cannot be assigned safely. Use memory, SQLite, or Redis with a sink.`)
    const { room, isAnonymised } = this.#standing
    if (isAnonymised) throw new InvalidConfigError(`store: the ledger of the "${name}" store is anonymised, so whose spend is assigned cannot be told. Assign on a ledger that keeps users, tenants, tiers, sessions and scopes as they are.`)
    if (room === 0) throw this.#noRoom(undefined)
  }

  /** A ledger with an end is short: what is assigned is counted first. */
  async #assertRoom(): Promise<void> {
    const { room } = this.#standing as LedgerStanding
    if (room === Infinity) return
    let pairs = 0
    for await (const _ of this.#open()) pairs += 1
    if (2 * pairs > room) throw this.#noRoom(2 * pairs)
  }

  #noRoom(needed: number | undefined): InvalidConfigError {
    const { room } = this.#standing as LedgerStanding
    const why = needed === undefined || room === 0 ? 'does not keep every entry, so what is assigned could be lost again' : `has room for ${room} more entries, and ${needed} are needed`
    return new InvalidConfigError(`store: the ledger of the "${this.#store.name}" store ${why}. Use SQLite, a sink that keeps everything (Redis), or a larger ledgerCapacity (memory).`)
  }
}

/** What has been assigned. Read once, and from the last page on again where others have written meanwhile. */
class TakenSpend {
  readonly #ledger: LedgerSink
  readonly #run: AssignmentRun
  readonly #corrected: ReadonlySet<string>
  /** By what tells one entry from all others: to whom this run has assigned it, and `undefined` where another one has. */
  readonly #entries = new Map<string, string | undefined>()
  /** Of decisions of which something is to be corrected: to whom their charge was assigned, or else a part of it. */
  readonly #owners = new Map<string, string>()
  #after: string | undefined

  constructor(ledger: LedgerSink, run: AssignmentRun, corrected: ReadonlySet<string>) {
    this.#ledger = ledger
    this.#run = run
    this.#corrected = corrected
  }

  has(entry: LedgerEntry): boolean {
    return this.#entries.has(identityOf(`${entry.id}:${ASSIGNED}:to`, entry))
  }

  /** To whom this run has assigned an entry, if it has. */
  ownOwnerOf(entry: LedgerEntry): string | undefined {
    return this.#entries.get(identityOf(`${entry.id}:${ASSIGNED}:to`, entry))
  }

  /** To whom an entry goes: what corrects a decision that was assigned, to the same tenant. */
  ownerOf(entry: LedgerEntry): string {
    return (entry.kind === 'corrected' ? this.#owners.get(decisionOf(entry)) : undefined) ?? this.#run.tenant
  }

  async read(): Promise<void> {
    for (;;) {
      const { entries, next } = await pageOf(this.#ledger, TAKEN, READ_AT_ONCE, this.#after)
      for (const entry of entries) this.#note(entry)
      if (next === undefined) return
      this.#after = next
      await nextTurn()
    }
  }

  #note(entry: LedgerEntry): void {
    const { id, calls, tenant, details } = entry
    if (calls === undefined || tenant === undefined) return
    const { bounds } = this.#run.conditions
    // A pair has the times of its entry: one that does not match stands for an entry that does not.
    const isInTime = bounds.every(({ field, least, most }) => (field !== 'at' && field !== 'openedAt') || (entry[field] !== undefined && entry[field] >= least && entry[field] <= most))
    if (isInTime) this.#entries.set(identityOf(id, entry), details?.assignment?.run === this.#run.run ? tenant : undefined)
    const decision = decisionOf(entry)
    if (this.#corrected.has(decision) && (calls !== 0 || !this.#owners.has(decision))) this.#owners.set(decision, tenant)
  }
}

/** Both have every field by which reports are grouped, so that in each group one takes back what was there. */
function pairOf(entry: LedgerEntry, tenant: string, { run, reason }: AssignmentRun): readonly [from: LedgerEntry, to: LedgerEntry] {
  const { id, at, decisionId, userId, tier, sessionId, scopes, provider, requestedModel, model, microcents, tokens, openedAt, details, metadata } = entry
  const calls = callsOf(entry)
  const { usage: _, ...described } = details ?? {}
  const same = {
    kind: 'corrected' as const, at, decisionId, userId, tier, sessionId, scopes, provider, requestedModel, model, openedAt, charged: [], reason: ASSIGNED,
    details: { ...described, assignment: { run, ...(reason !== undefined && { reason }) } }, metadata,
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

function decisionOf({ decisionId, openedAt }: LedgerEntry): string {
  return JSON.stringify([decisionId, openedAt ?? null])
}
