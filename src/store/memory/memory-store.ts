// The reference store: every operation of the contract in one process, synchronously, so that each is atomic by itself. It keeps
// a monotone store time and ends due holds at the start of every operation.

import { parseUserKey, scopeKey, userScope, type UserRef } from '../../budget/index.js'
import type { Amounts } from '../../money/index.js'
import { assertInstant, systemClock, type Clock } from '../../time/index.js'
import { admit } from '../admission.js'
import {
  type Admitted,
  type Effect,
  type ExtendRequest,
  type Extended,
  type Failure,
  type Freeing,
  type KnownUser,
  type Reading,
  type Recorded,
  type RecordRequest,
  type Refunded,
  type RefundRequest,
  type Refused,
  type Released,
  type ReleaseRequest,
  type ReserveRequest,
  type ScopeTerms,
  type Settled,
  type SettleRequest,
  type Store,
  type UserTotals,
} from '../contract.js'
import { freeingOf, LIFETIME_ENTRIES, LIFETIME_MICROCENTS, readSlot } from './cells.js'
import { Charge, type Opening } from './charge.js'
import { correct, endCharge, place } from './counting.js'
import { MemoryDirectory } from './directory.js'
import { DueQueue } from './due-queue.js'
import { MemoryLedger } from './ledger.js'
import { Retention } from './retention.js'
import { Scopes } from './scopes.js'

/** Options of {@link memoryStore}. */
export interface MemoryStoreOptions {
  /** Store time in ms since the epoch; default: the system's. A clock that steps back stands still until it has caught up. */
  readonly clock?: Clock | undefined
  /** How many ledger entries are kept for reports and for refunds. Default 10,000. */
  readonly ledgerCapacity?: number | undefined
  /** How many ended holds with ids of the caller's, and expired ones, are remembered within their 24 h. Default 100,000. */
  readonly maxGivenIds?: number | undefined
  /** How many ended holds with generated ids are remembered within their 60 s. Default 10,000. */
  readonly maxGeneratedIds?: number | undefined
}

const GENERATED_IDS_KEPT_MS = 60_000
const GIVEN_IDS_KEPT_MS = 24 * 60 * 60_000
const NO_EFFECTS: readonly Effect[] = Object.freeze([])
const NO_FREEING: ReadonlyMap<number, readonly Freeing[]> = new Map()
const UNKNOWN: Failure = Object.freeze({ outcome: 'unknown-hold' })
const REUSED: Failure = Object.freeze({ outcome: 'id-reused' })

/**
 * A store in this process's memory: exact, fast, and gone with the process. Memory is bounded by the users with a running
 * window, the open holds, and the three options. Each process has budgets of its own: use a shared store for more than one.
 */
export function memoryStore(options: MemoryStoreOptions = {}): Store {
  return new MemoryStore(options)
}

/** See {@link memoryStore}. */
export class MemoryStore implements Store {
  readonly name = 'memory'
  readonly shared = false
  readonly directory = new MemoryDirectory()
  readonly ledger: MemoryLedger
  readonly #clock: Clock
  readonly #scopes = new Scopes()
  readonly #charges = new Map<string, Charge>()
  readonly #refunds = new Map<string, { readonly id: string; readonly fingerprint: string; readonly reply: Refunded }>()
  readonly #due = new DueQueue()
  readonly #given: Retention<{ id: string }>
  readonly #generated: Retention<Charge>
  #now = 0

  constructor(options: MemoryStoreOptions = {}) {
    const { clock = systemClock, ledgerCapacity = 10_000, maxGivenIds = 100_000, maxGeneratedIds = 10_000 } = options
    this.#clock = clock
    this.ledger = new MemoryLedger(ledgerCapacity)
    this.#given = new Retention(GIVEN_IDS_KEPT_MS, maxGivenIds, ({ id }) => this.#forget(id))
    this.#generated = new Retention(GENERATED_IDS_KEPT_MS, maxGeneratedIds, ({ id }) => this.#forget(id))
  }

  reserve(request: ReserveRequest): Admitted | Refused | Failure {
    const effects: Effect[] = []
    const now = this.#advance(effects)
    const known = this.#charges.get(request.id)
    if (known !== undefined) return known.fingerprint === request.fingerprint ? repeated(known, effects) : known.fingerprint === '' ? endedFailure(known) : REUSED
    const readings = this.#readingsOf(request.scopes, now)
    // INVARIANT (NO-OVERSPEND, ALL-OR-NOTHING, NO-FALSE-BLOCK): the whole request is tested before anything is written, and
    // nothing else runs in between.
    const { rung, degrade } = admit(request, readings)
    if (rung < 0) return { outcome: 'refused', now, readings, freeing: this.#freeingOf(request.scopes, now), effects: settledEffects(effects) }
    const held = request.rungs[rung] as Amounts
    const charge = this.#open({ ...request, readings, openedAt: now, dueAt: now + request.ttlMs, held, rung, degrade }, now, effects)
    this.#due.add(charge)
    for (const record of charge.records) record.openHolds += 1
    return { outcome: 'admitted', now, rung, degrade, dueAt: charge.dueAt, readings, effects: settledEffects(effects) }
  }

  settle(request: SettleRequest): Settled | Failure {
    const effects: Effect[] = []
    const now = this.#advance(effects)
    const charge = this.#charges.get(request.id)
    if (charge === undefined || charge.fingerprint === '') return charge === undefined ? UNKNOWN : endedFailure(charge)
    const tokens = request.tokens ?? charge.held.tokens
    const { microcents } = request
    const late = charge.state === 'expired'
    const replayed = charge.state === 'settled'
    if (replayed && (charge.microcents !== microcents || charge.tokens !== tokens)) return endedFailure(charge)
    if (charge.state === 'released') return endedFailure(charge)
    if (!replayed) {
      charge.model = request.model ?? charge.model
      if (late) this.#correctExpired(charge, microcents, tokens, now, effects)
      else this.#end(charge, 'settled', microcents, tokens, now, effects)
    }
    return { outcome: 'settled', now, microcents, heldMicrocents: charge.held.microcents, replayed, late: late || charge.corrected, facts: charge.facts, effects: settledEffects(effects) }
  }

  release(request: ReleaseRequest): Released | Failure {
    const effects: Effect[] = []
    const now = this.#advance(effects)
    const charge = this.#charges.get(request.id)
    if (charge === undefined) {
      if (request.tombstone !== true) return UNKNOWN
      this.#bury(request.id, now)
      return { outcome: 'released', now, was: 'released', effects: settledEffects(effects) }
    }
    const was = charge.state
    if (was === 'open') this.#end(charge, 'released', 0, 0, now, effects)
    if (was === 'expired') this.#correctExpired(charge, 0, 0, now, effects)
    return { outcome: 'released', now, was, effects: settledEffects(effects) }
  }

  extend(request: ExtendRequest): Extended | Failure {
    const effects: Effect[] = []
    const now = this.#advance(effects)
    const charge = this.#charges.get(request.id)
    if (charge === undefined) return UNKNOWN
    if (charge.state !== 'open') return endedFailure(charge)
    charge.dueAt = Math.max(charge.dueAt, now + request.ttlMs)
    this.#due.moved(charge)
    return { outcome: 'extended', now, dueAt: charge.dueAt, effects: settledEffects(effects) }
  }

  record(request: RecordRequest): Recorded | Failure {
    const effects: Effect[] = []
    const now = this.#advance(effects)
    const known = this.#charges.get(request.id)
    if (known !== undefined) {
      if (known.fingerprint !== request.fingerprint) return REUSED
      return { outcome: 'recorded', now, replayed: true, effects: settledEffects(effects) }
    }
    const readings = this.#readingsOf(request.scopes, now)
    const nothing = { microcents: 0, tokens: 0 }
    const opening = { ...request, readings, openedAt: now, dueAt: now, held: nothing, rung: 0, rungs: [nothing], degrade: false, onExpiry: 'release' as const }
    const charge = this.#open(opening, now, effects)
    endCharge(charge, request.amounts, now, effects)
    this.#remember(charge, 'settled', request.amounts.microcents, request.amounts.tokens, now)
    this.ledger.write('recorded', charge, now, charge.microcents, charge.tokens)
    return { outcome: 'recorded', now, replayed: false, effects: settledEffects(effects) }
  }

  refund(request: RefundRequest): Refunded | Failure {
    const effects: Effect[] = []
    const now = this.#advance(effects)
    const known = this.#refunds.get(request.id)
    if (known !== undefined) return known.fingerprint === request.fingerprint ? { ...known.reply, replayed: true } : REUSED
    if (this.#charges.has(request.id)) return REUSED
    const charges = request.of === undefined ? this.ledger.chargesFromNewest() : this.#chargeNamed(request.of, request.user)
    if (charges === undefined) return UNKNOWN
    let left = request.microcents
    for (const charge of charges) {
      if (left === 0) break
      if (!isOf(charge, request.user)) continue
      const part = Math.min(left, charge.microcents - charge.refundedMicrocents)
      if (part <= 0) continue
      left -= part
      charge.refundedMicrocents += part
      correct(charge, { microcents: -part, tokens: 0 }, now, effects)
      this.ledger.write('corrected', charge, now, -part, 0, request.reason)
    }
    const reply: Refunded = { outcome: 'refunded', now, appliedMicrocents: request.microcents - left, unappliedMicrocents: left, replayed: false, effects: settledEffects(effects) }
    this.#refunds.set(request.id, { id: request.id, fingerprint: request.fingerprint, reply: { ...reply, effects: NO_EFFECTS } })
    this.#given.add(request, now)
    return reply
  }

  read(scopes: readonly ScopeTerms[]): Reading {
    const effects: Effect[] = []
    const now = this.#advance(effects)
    return { now, readings: this.#readingsOf(scopes, now), freeing: this.#freeingOf(scopes, now), effects: settledEffects(effects) }
  }

  totals(user: UserRef): UserTotals {
    const cells = this.#scopes.get(scopeKey(userScope(user)))?.cells
    return { microcents: cells?.[LIFETIME_MICROCENTS] ?? 0, entries: cells?.[LIFETIME_ENTRIES] ?? 0 }
  }

  async *users(): AsyncIterable<KnownUser> {
    const named = new Set<string>()
    for (const known of this.directory.users()) {
      const key = scopeKey(userScope(known.user))
      named.add(key)
      yield { user: known.user, tier: known.tier ?? this.#scopes.get(key)?.tier }
    }
    for (const [key, record] of this.#scopes.entries()) {
      const user = named.has(key) ? undefined : parseUserKey(key)
      if (user !== undefined) yield { user, tier: record.tier }
    }
  }

  close(): void {}

  #advance(effects: Effect[]): number {
    const now = Math.max(this.#now, assertInstant(this.#clock(), 'clock'))
    this.#now = now
    for (let first = this.#due.first; first !== undefined && first.dueAt <= now; first = this.#due.first) this.#expire(first, effects)
    this.#given.advance(now)
    this.#generated.advance(now)
    return now
  }

  #expire(charge: Charge, effects: Effect[]): void {
    const charged = charge.onExpiry === 'charge' ? charge.held : { microcents: 0, tokens: 0 }
    effects.push({ kind: 'hold-expired', id: charge.id, dueAt: charge.dueAt, charged, facts: charge.facts })
    this.#end(charge, 'expired', charged.microcents, charged.tokens, charge.dueAt, effects)
  }

  #end(charge: Charge, state: 'settled' | 'released' | 'expired', microcents: number, tokens: number, at: number, effects: Effect[]): void {
    this.#due.remove(charge)
    for (const record of charge.records) record.openHolds -= 1
    endCharge(charge, { microcents, tokens }, at, effects)
    this.#remember(charge, state, microcents, tokens, at)
    this.ledger.write(state, charge, at, microcents, tokens)
  }

  #correctExpired(charge: Charge, microcents: number, tokens: number, now: number, effects: Effect[]): void {
    const change = { microcents: microcents - charge.microcents, tokens: tokens - charge.tokens }
    charge.state = 'settled'
    charge.corrected = true
    charge.microcents = microcents
    charge.tokens = tokens
    correct(charge, change, now, effects)
    this.ledger.write('corrected', charge, now, change.microcents, change.tokens)
  }

  #open(opening: Opening | (Omit<Opening, 'records'> & { records?: undefined }), now: number, effects: Effect[]): Charge {
    const records = opening.scopes.map((scope) => this.#scopes.withRoomFor(scope, now))
    const charge = new Charge({ ...opening, records })
    place(charge, now, effects)
    this.#charges.set(charge.id, charge)
    return charge
  }

  #remember(charge: Charge, state: 'settled' | 'released' | 'expired', microcents: number, tokens: number, at: number): void {
    charge.state = state
    charge.endedAt = at
    charge.microcents = microcents
    charge.tokens = tokens
    if (charge.idGiven || state === 'expired') this.#given.add(charge, at)
    else this.#generated.add(charge, at)
  }

  #bury(id: string, now: number): void {
    const nothing = { microcents: 0, tokens: 0 }
    const facts = { user: { userId: '' }, tier: undefined, models: [] }
    const tombstone = new Charge({ id, fingerprint: '', idGiven: true, facts, scopes: [], records: [], readings: [], openedAt: now, dueAt: now, held: nothing, rung: 0, rungs: [nothing], degrade: false, onExpiry: 'release' })
    this.#charges.set(id, tombstone)
    this.#remember(tombstone, 'released', 0, 0, now)
  }

  #forget(id: string): void {
    this.#charges.delete(id)
    this.#refunds.delete(id)
  }

  #chargeNamed(id: string, user: UserRef): Iterable<Charge> | undefined {
    const remembered = this.#charges.get(id)
    if (remembered !== undefined) return isOf(remembered, user) ? [remembered] : undefined
    for (const charge of this.ledger.chargesFromNewest()) if (charge.id === id && isOf(charge, user)) return [charge]
    return undefined
  }

  #readingsOf(scopes: readonly ScopeTerms[], now: number): number[] {
    const readings: number[] = []
    for (const scope of scopes) {
      const record = this.#scopes.get(scope.key)
      const slots = record?.layout.placesOf(scope.windows).slots
      for (let index = 0; index < scope.windows.length; index += 1) {
        readSlot(readings, record?.cells ?? [], slots?.[index] ?? -1, scope.windows[index] as never, now)
      }
    }
    return readings
  }

  #freeingOf(scopes: readonly ScopeTerms[], now: number): ReadonlyMap<number, readonly Freeing[]> {
    let freeing: Map<number, readonly Freeing[]> | undefined
    let index = 0
    for (const scope of scopes) {
      const record = this.#scopes.get(scope.key)
      for (const terms of scope.windows) {
        const slot = record?.layout.slotOf(terms.window) ?? -1
        if (terms.source.kind === 'rolling' && record !== undefined && slot >= 0) {
          freeing ??= new Map()
          freeing.set(index, freeingOf(record.cells, slot, terms.source.rule, now))
        }
        index += 1
      }
    }
    return freeing ?? NO_FREEING
  }
}

function repeated(charge: Charge, effects: readonly Effect[]): Admitted {
  const { openedAt, rung, degrade, dueAt, readings, scopes, state, rungs, facts } = charge
  return { outcome: 'admitted', now: openedAt, rung, degrade, dueAt, readings, replay: { scopes, state, rungs, facts }, effects: settledEffects(effects) }
}

function endedFailure(charge: Charge): Failure {
  return { outcome: 'already-ended', state: charge.state === 'open' ? 'released' : charge.state }
}

function isOf(charge: Charge, user: UserRef): boolean {
  return charge.facts.user.userId === user.userId && charge.facts.user.tenant === user.tenant
}

function settledEffects(effects: readonly Effect[]): readonly Effect[] {
  return effects.length === 0 ? NO_EFFECTS : effects
}
