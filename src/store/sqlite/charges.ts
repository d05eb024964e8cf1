// Charges as rows: a hold from its opening until its id is forgotten, and what became of an ended charge for as long as there is a
// ledger. What never changes of a hold is one piece of JSON, written once.

import type { ScopeId } from '../../enforcement/index.js'
import type { ChargedWindow, LedgerRung } from '../../ledger/index.js'
import type { Amounts } from '../../money/index.js'
import { modelOf, type ChargeFacts, type HoldState, type ScopeTerms } from '../contract.js'
import { Charge } from '../counting/charge.js'
import { GENERATED_IDS_KEPT_MS, GIVEN_IDS_KEPT_MS } from '../counting/life.js'
import type { Connection } from './connection.js'
import { perform, type SqliteStatement } from './driver.js'
import type { EndingRow } from './endings.js'
import type { WindowTables } from './windows.js'

/** A charge with the number of the entry that its ending wrote; 0 where it wrote none. */
export class StoredCharge extends Charge {
  entry = 0
}

/** A refund as it is remembered. */
export class StoredRefund {
  readonly fingerprint: string
  readonly appliedMicrocents: number
  readonly unappliedMicrocents: number
  readonly now: number

  constructor(fingerprint: string, appliedMicrocents: number, unappliedMicrocents: number, now: number) {
    this.fingerprint = fingerprint
    this.appliedMicrocents = appliedMicrocents
    this.unappliedMicrocents = unappliedMicrocents
    this.now = now
  }
}

/** `buried`: a tombstone. */
interface HoldRow {
  readonly id: string
  readonly wakes_at: number
  readonly state: HoldState | 'refunded' | 'buried'
  readonly opening: string
  readonly ending: string | null
}

type Placed = readonly [terms: number, key: string, kind: string, id: string, tenant?: string]
type Opening = readonly [
  fingerprint: string, idGiven: 0 | 1, onExpiry: 'charge' | 'release', openedAt: number, rung: number, degrade: 0 | 1, heldMicrocents: number, heldTokens: number,
  rungs: readonly Amounts[] | 0, readings: readonly number[], placed: readonly Placed[], facts: ChargeFacts,
] // prettier-ignore
type Ending = readonly [endedAt: number, microcents: number, tokens: number, corrected: 0 | 1, dueAt: number, entry: number, model: string | null, provider?: string | null]

interface AmendedRow {
  readonly microcents: number
  readonly refunded: number
  readonly added: number
  readonly added_at: number
  readonly corrections: number
  readonly model: string | null
  readonly provider: string | null
}

interface DueRow {
  readonly due_at: number
  readonly id: string
}

/** How many rows are looked at at once. */
const BATCH = 64
/** How many open holds are kept as they were opened, until another process has written. */
const MOST_KNOWN = 4_096

/** The tables of holds and of amended charges. */
export class ChargeTable {
  readonly #windows: WindowTables
  readonly #find: SqliteStatement
  readonly #findAmended: SqliteStatement
  readonly #add: SqliteStatement
  readonly #end: SqliteStatement
  readonly #move: SqliteStatement
  readonly #amend: SqliteStatement
  readonly #addDue: SqliteStatement
  readonly #due: SqliteStatement
  readonly #open: SqliteStatement
  /** Open holds that are in the table as they are here. */
  readonly #known = new Map<string, StoredCharge>()

  constructor(connection: Connection, windows: WindowTables) {
    const columns = 'id, wakes_at, state, opening, ending'
    this.#windows = windows
    this.#find = connection.prepare(`SELECT ${columns} FROM hold WHERE id = ?`)
    // What is forgotten may still be in the file: whoever comes with its id takes its place.
    this.#add = connection.prepare(`INSERT OR REPLACE INTO hold (${columns}) VALUES (?, ?, ?, ?, ?)`)
    this.#end = connection.prepare('UPDATE hold SET wakes_at = ?, state = ?, ending = ? WHERE id = ?')
    this.#move = connection.prepare('UPDATE hold SET wakes_at = ? WHERE id = ?')
    this.#addDue = connection.prepare('INSERT OR IGNORE INTO due (due_at, id) VALUES (?, ?)')
    this.#due = connection.prepare(`SELECT due_at, id FROM due WHERE (due_at, id) > (?, ?) AND due_at <= ? ORDER BY due_at, id LIMIT ${BATCH}`)
    this.#open = connection.prepare(`SELECT hold.id, wakes_at, state, opening, ending FROM due JOIN hold ON hold.id = due.id AND wakes_at = due_at WHERE state = 'open' ORDER BY due_at, due.id`)
    this.#findAmended = connection.prepare('SELECT microcents, refunded, added, added_at, corrections, model, provider FROM amended WHERE seq = ?')
    this.#amend = connection.prepare('INSERT OR REPLACE INTO amended (seq, microcents, refunded, added, added_at, corrections, model, provider) VALUES (?, ?, ?, ?, ?, ?, ?, ?)')
  }

  /** What the id stands for at `now`: what is open, or ended recently enough. */
  find(id: string, now: number): StoredCharge | StoredRefund | undefined {
    const known = this.#known.get(id)
    if (known !== undefined) return known
    const row = this.#find.get(id) as HoldRow | undefined
    if (row === undefined || (row.state !== 'open' && row.wakes_at <= now)) return undefined
    if (row.state !== 'refunded') return this.#charge(row)
    return new StoredRefund(row.opening, ...(JSON.parse(row.ending as string) as [number, number, number]))
  }

  /** The holds that are due between two instants, both included, in the order (due, id). */
  *due(from: number, until: number): Generator<StoredCharge> {
    for (let after: DueRow = { due_at: from, id: '' }; ; ) {
      const rows = this.#due.all(after.due_at, after.id, until) as DueRow[]
      for (const row of rows) {
        const known = this.find(row.id, until)
        // One that was extended has another row; an id that was used again has another hold.
        if (known instanceof StoredCharge && known.state === 'open' && known.dueAt === row.due_at) yield known
      }
      if (rows.length < BATCH) return
      after = rows.at(-1) as DueRow
    }
  }

  /** All open holds. */
  open(): StoredCharge[] {
    return (this.#open.all() as HoldRow[]).map((row) => this.#charge(row))
  }

  /** Writes down a charge that was opened. */
  add(charge: StoredCharge): void {
    if (charge.state === 'open') {
      perform(this.#add, charge.id, charge.dueAt, 'open', this.#openingOf(charge), null)
      perform(this.#addDue, charge.dueAt, charge.id)
      if (this.#known.size >= MOST_KNOWN) this.#known.clear()
      this.#known.set(charge.id, charge)
    } else perform(this.#add, charge.id, forgottenAt(charge), charge.isTombstone ? 'buried' : charge.state, this.#openingOf(charge), endingOf(charge))
  }

  /** Writes down that it has ended. */
  ended(charge: StoredCharge): void {
    this.#known.delete(charge.id)
    perform(this.#end, forgottenAt(charge), charge.state, endingOf(charge), charge.id)
  }

  /** Writes down that it is due at another instant. */
  moved(charge: StoredCharge): void {
    perform(this.#move, charge.dueAt, charge.id)
    perform(this.#addDue, charge.dueAt, charge.id)
  }

  /** Another process may have ended what is known here, or what was changed here was rolled back. */
  forget(): void {
    this.#known.clear()
  }

  /** Writes down what became of an ended charge. */
  amended(charge: StoredCharge): void {
    const { entry, microcents, refundedMicrocents, addedMicrocents, addedAt, corrections, model = null, provider = null } = charge
    perform(this.#amend, entry, microcents, refundedMicrocents, addedMicrocents, addedAt, corrections, model, provider)
  }

  /** Remembers a refund by its id. */
  addRefund(id: string, { fingerprint, appliedMicrocents, unappliedMicrocents, now }: StoredRefund): void {
    perform(this.#add, id, now + GIVEN_IDS_KEPT_MS, 'refunded', fingerprint, JSON.stringify([appliedMicrocents, unappliedMicrocents, now]))
  }

  #charge({ id, wakes_at: wakesAt, state, opening, ending }: HoldRow): StoredCharge {
    const charge = new StoredCharge()
    const [fingerprint, idGiven, onExpiry, openedAt, rung, degrade, microcents, tokens, rungs, readings, placed, facts] = JSON.parse(opening) as Opening
    const held = { microcents, tokens }
    const request = { id, fingerprint, idGiven: idGiven === 1, ttlMs: wakesAt - openedAt, onExpiry, scopes: this.#scopesOf(placed), rungs: rungs === 0 ? [held] : rungs, facts }
    charge.open(request, readings, openedAt, rungs === 0 ? 0 : rung, degrade === 1)
    charge.rung = rung
    charge.model = modelOf(facts, rung)
    if (ending === null) return charge
    const [endedAt, endedMicrocents, endedTokens, corrected, dueAt, entry, model, provider] = JSON.parse(ending) as Ending
    charge.ended(state === 'buried' ? 'released' : (state as 'settled'), endedMicrocents, endedTokens, endedAt)
    charge.corrected = corrected === 1
    charge.dueAt = dueAt
    charge.entry = entry
    charge.model = model ?? undefined
    charge.provider = provider ?? facts.provider
    this.#readAmended(charge)
    return charge
  }

  /** The charge that an entry ended, also where its id is forgotten. */
  chargeEndedBy(row: EndingRow): StoredCharge {
    const charge = new StoredCharge()
    const open = row.rungs === null ? undefined : (JSON.parse(row.rungs) as LedgerRung[])
    const held = { microcents: row.estimated_microcents ?? 0, tokens: row.estimated_tokens ?? 0 }
    const facts: ChargeFacts = {
      user: row.tenant === null ? { userId: row.user_id } : { userId: row.user_id, tenant: row.tenant },
      tier: row.tier ?? undefined,
      provider: row.provider ?? undefined,
      model: row.requested_model ?? undefined,
      cheaperModels: open?.slice(1).map(({ model }) => model as string),
      sessionId: row.session_id ?? undefined,
      scopes: row.scopes === null ? undefined : (JSON.parse(row.scopes) as Record<string, string>),
      metadata: row.metadata === null ? undefined : (JSON.parse(row.metadata) as Record<string, unknown>),
    }
    const rungs = open ?? [held]
    const readings = (JSON.parse(row.charged) as ChargedWindow[]).flatMap(({ startsAt }) => [startsAt, 0, 0, 0])
    const scopes = this.#scopesOf(JSON.parse(row.placed) as Placed[])
    charge.open({ id: row.decision_id, fingerprint: '', idGiven: true, ttlMs: 0, onExpiry: 'release', scopes, rungs, facts }, readings, row.opened_at ?? row.at, 0, false)
    // Which of the rungs it was is forgotten; what was held for it is not.
    charge.heldMicrocents = held.microcents
    charge.heldTokens = held.tokens
    charge.ended(row.kind === 'recorded' ? 'settled' : (row.kind as 'settled'), row.microcents, row.tokens, row.at)
    charge.entry = row.seq
    charge.model = row.model ?? undefined
    this.#readAmended(charge)
    return charge
  }

  /** The scopes and terms of a charge in JSON. */
  placedOf(charge: Charge): string {
    return JSON.stringify(this.#placed(charge.scopes))
  }

  #readAmended(charge: StoredCharge): void {
    // Only what has ended with an entry can have been amended.
    const row = charge.entry === 0 ? undefined : (this.#findAmended.get(charge.entry) as AmendedRow | undefined)
    if (row === undefined) return
    charge.microcents = row.microcents
    charge.refundedMicrocents = row.refunded
    charge.addedMicrocents = row.added
    charge.addedAt = row.added_at
    charge.corrections = row.corrections
    charge.model = row.model ?? undefined
    charge.provider = row.provider ?? charge.provider
  }

  #openingOf(charge: StoredCharge): string {
    const { fingerprint, idGiven, onExpiry, openedAt, rung, degrade, heldMicrocents, heldTokens, rungs, readings, scopes, facts } = charge
    const opening: Opening = [fingerprint, idGiven ? 1 : 0, onExpiry, openedAt, rung, degrade ? 1 : 0, heldMicrocents, heldTokens, rungs.length > 1 ? rungs : 0, readings, this.#placed(scopes), facts]
    return JSON.stringify(opening)
  }

  #placed(scopes: readonly ScopeTerms[]): Placed[] {
    return scopes.map(({ scope: { kind, id, tenant }, key, windows }) => {
      const terms = this.#windows.termsId(windows)
      return tenant === undefined ? [terms, key, kind, id] : [terms, key, kind, id, tenant]
    })
  }

  #scopesOf(placed: readonly Placed[]): ScopeTerms[] {
    return placed.map(([terms, key, kind, id, tenant]) => {
      const scope: ScopeId = tenant === undefined ? { kind, id } : { kind, id, tenant }
      return { scope, key, windows: this.#windows.terms(terms) }
    })
  }
}

function forgottenAt(charge: Charge): number {
  return charge.endedAt + (charge.idGiven || charge.state === 'expired' || charge.corrected ? GIVEN_IDS_KEPT_MS : GENERATED_IDS_KEPT_MS)
}

function endingOf({ endedAt, microcents, tokens, corrected, dueAt, entry, model, provider }: StoredCharge): string {
  const ending: Ending = [endedAt, microcents, tokens, corrected ? 1 : 0, dueAt, entry, model ?? null, provider ?? null]
  return JSON.stringify(ending)
}
