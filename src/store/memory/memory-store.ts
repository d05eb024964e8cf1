// The reference store: every operation of the contract in one process, synchronously, so that each is atomic by itself. It keeps
// a monotone store time and ends due holds at the start of every operation.

import { userScope, type UserRef } from '../../budget/index.js'
import type { CostDetails } from '../../ledger/index.js'
import type { Amounts } from '../../money/index.js'
import { InvalidConfigError } from '../../errors/index.js'
import { assertInstant, systemClock, type Clock } from '../../time/index.js'
import { admit } from '../admission.js'
import {
  type Admitted,
  type Effect,
  type ExtendRequest,
  type Extended,
  type Failure,
  type Opened,
  type Reading,
  type Recorded,
  type RecordRequest,
  type Refunded,
  type RefundRequest,
  type Refused,
  type Released,
  type ReleaseRequest,
  type ReserveRequest,
  type Restarted,
  type RestartRequest,
  type ScopeTerms,
  type Settled,
  type SettleRequest,
  type Store,
  type UserTotals,
} from '../contract.js'
import { LIFETIME_ENTRIES, LIFETIME_MICROCENTS } from '../counting/cells.js'
import { tombstoneOf } from '../counting/charge.js'
import { endCharge, place, uncountRequests } from '../counting/counting.js'
import { correctExpired, end, endedFailure, expiryOf, GENERATED_IDS_KEPT_MS, GIVEN_IDS_KEPT_MS, isOf, openedWith, refundFrom, repeated } from '../counting/life.js'
import { freeingsOf, readingsOf } from '../counting/readings.js'
import { restartWindows } from '../counting/restart.js'
import type { KnownUser } from '../directory.js'
import { MemoryAuditor } from './auditor.js'
import { Charge, ChargePool } from './charge.js'
import { MemoryDirectory } from './directory.js'
import { DueQueue } from './due-queue.js'
import { IdIndex } from './id-index.js'
import { StoreLedger } from './ledger.js'
import { MemoryRegistry } from './registry.js'
import { Retention } from './retention.js'
import { Scopes } from './scopes.js'

/** Options of {@link memoryStore}. */
export interface MemoryStoreOptions {
  /** Store time in ms since the epoch; default: the system's. A clock that steps back stands still until it has caught up. */
  readonly clock?: Clock | undefined
  /** How many ledger entries are kept for exports and for refunds. Default 1,000. */
  readonly ledgerCapacity?: number | undefined
  /** How many ended holds with ids of the caller's, and expired ones, are remembered within their 24 h. Default 100,000. */
  readonly maxGivenIds?: number | undefined
  /** How many ended holds with generated ids are remembered within their 60 s. Default 1,000. */
  readonly maxGeneratedIds?: number | undefined
}

const NOTHING: Amounts = Object.freeze({ microcents: 0, tokens: 0 })
const NOTHING_HELD: readonly Amounts[] = Object.freeze([NOTHING])
const NO_EFFECTS: readonly Effect[] = Object.freeze([])
const UNKNOWN: Failure = Object.freeze({ outcome: 'unknown-hold' })
const REUSED: Failure = Object.freeze({ outcome: 'id-reused' })

/**
 * A store in this process's memory: exact, fast, and gone with the process. Memory is bounded by the users with a window that
 * ran within the last month or so, the open holds, and the three options. Each process has budgets of its own: use a shared store for more than one.
 * Throws `InvalidConfigError` for an option that is none.
 */
export function memoryStore(options: MemoryStoreOptions = {}): Store {
  const { clock, ...numbers } = options
  if (clock !== undefined && typeof clock !== 'function') throw new InvalidConfigError(`memoryStore.clock: ${String(clock)} is no function. Give one that returns milliseconds since the epoch.`)
  for (const [name, value] of Object.entries(numbers)) {
    if (!COUNTS.includes(name)) throw new InvalidConfigError(`memoryStore.${name}: is no known option. Use clock, ${COUNTS.join(', ')}.`)
    if (value !== undefined && !(Number.isSafeInteger(value) && value >= 1)) throw new InvalidConfigError(`memoryStore.${name}: ${String(value)} is no count. Give a whole number of at least 1.`)
  }
  return new MemoryStore(options)
}

const COUNTS = ['ledgerCapacity', 'maxGivenIds', 'maxGeneratedIds']

interface RememberedRefund {
  readonly id: string
  readonly fingerprint: string
  readonly reply: Refunded
}

/** See {@link memoryStore}. */
export class MemoryStore implements Store {
  readonly name = 'memory'
  readonly shared = false
  readonly directory = new MemoryDirectory()
  readonly registry = new MemoryRegistry(() => this.#advance())
  readonly ledger: StoreLedger
  readonly auditor: MemoryAuditor
  readonly #clock: Clock
  readonly #scopes = new Scopes()
  readonly #charges = new IdIndex()
  readonly #pool = new ChargePool()
  readonly #refunds = new Map<string, RememberedRefund>()
  readonly #due = new DueQueue()
  readonly #given: Retention<Charge | RememberedRefund>
  readonly #generated: Retention<Charge>
  #now = 0
  /** What was brought about and not told yet: a hold that expires in an operation that fails is told of by the next one. */
  #effects: Effect[] = []

  constructor(options: MemoryStoreOptions = {}) {
    const { clock = systemClock, ledgerCapacity = 1_000, maxGivenIds = 100_000, maxGeneratedIds = 1_000 } = options
    this.#clock = clock
    this.ledger = new StoreLedger(ledgerCapacity, this.#pool)
    this.auditor = new MemoryAuditor(() => this.#advance(), this.#scopes, this.#due, this.ledger)
    this.#given = new Retention(GIVEN_IDS_KEPT_MS, maxGivenIds, (ended) => this.#forget(ended))
    this.#generated = new Retention(GENERATED_IDS_KEPT_MS, maxGeneratedIds, (ended) => this.#forget(ended))
  }

  reserve(request: ReserveRequest): Admitted | Refused | Failure {
    const now = this.#advance()
    const known = this.#charges.get(request.id)
    if (known !== undefined) return this.#repeated(known, request.fingerprint)
    if (this.#refunds.has(request.id)) return REUSED
    const readings = readingsOf(this.#scopes, request.scopes, now)
    // INVARIANT (NO-OVERSPEND, ALL-OR-NOTHING, NO-FALSE-BLOCK): the whole request is tested before anything is written, and
    // nothing else runs in between.
    const { rung, degrade } = admit(request, readings)
    if (rung < 0) return { outcome: 'refused', now, readings, freeing: freeingsOf(this.#scopes, request.scopes, now), effects: this.#delivered() }
    const charge = this.#open(request, readings, now, rung, degrade)
    this.#due.add(charge)
    return { outcome: 'admitted', now, rung, degrade, dueAt: charge.dueAt, readings, effects: this.#delivered() }
  }

  settle(request: SettleRequest): Settled | Failure {
    const now = this.#advance()
    const charge = this.#charges.get(request.id)
    if (charge === undefined) return UNKNOWN
    const tokens = request.tokens ?? charge.heldTokens
    const { microcents } = request
    const late = charge.state === 'expired'
    const replayed = charge.state === 'settled'
    if (charge.state === 'released' || (replayed && (charge.microcents !== microcents || charge.tokens !== tokens))) return endedFailure(charge)
    if (!replayed) {
      charge.answeredBy(request.model, request.provider)
      if (late) correctExpired(charge, this.#scopes, this.ledger, microcents, tokens, request.details, now, this.#effects)
      else this.#end(charge, 'settled', microcents, tokens, request.details, now)
    }
    return { outcome: 'settled', now, microcents, heldMicrocents: charge.heldMicrocents, replayed, late: late || charge.corrected, facts: charge.facts, effects: this.#delivered() }
  }

  release(request: ReleaseRequest): Released | Failure {
    const now = this.#advance()
    const charge = this.#charges.get(request.id)
    if (charge === undefined) {
      if (request.tombstone !== true) return UNKNOWN
      const buried = this.#pool.take()
      buried.open(tombstoneOf(request.id), [], now, 0, false)
      this.#charges.add(buried)
      buried.ended('released', 0, 0, now)
      this.#remember(buried, now)
      return { outcome: 'released', now, was: 'released', effects: this.#delivered() }
    }
    const was = charge.state
    if (was === 'open' && request.uncount === true) uncountRequests(charge, this.#scopes)
    if (was === 'open') this.#end(charge, 'released', 0, 0, undefined, now)
    if (was === 'expired') correctExpired(charge, this.#scopes, this.ledger, 0, 0, undefined, now, this.#effects)
    return { outcome: 'released', now, was, effects: this.#delivered() }
  }

  extend(request: ExtendRequest): Extended | Failure {
    const now = this.#advance()
    const charge = this.#charges.get(request.id)
    if (charge === undefined) return UNKNOWN
    if (charge.state !== 'open') return endedFailure(charge)
    charge.dueAt = Math.max(charge.dueAt, now + request.ttlMs)
    this.#due.moved(charge)
    return { outcome: 'extended', now, dueAt: charge.dueAt, effects: this.#delivered() }
  }

  opened(id: string): Opened | Failure {
    this.#advance()
    const charge = this.#charges.get(id)
    if (charge === undefined) return UNKNOWN
    return openedWith(charge, charge.isTombstone ? NO_EFFECTS : this.#delivered())
  }

  record(request: RecordRequest): Recorded | Failure {
    const now = this.#advance()
    const known = this.#charges.get(request.id)
    if (known !== undefined) {
      if (known.fingerprint !== request.fingerprint) return REUSED
      return { outcome: 'recorded', now, replayed: true, effects: this.#delivered() }
    }
    if (this.#refunds.has(request.id)) return REUSED
    const readings = readingsOf(this.#scopes, request.scopes, now)
    const { microcents, tokens } = request.amounts
    const charge = this.#open({ ...request, ttlMs: 0, onExpiry: 'release', rungs: NOTHING_HELD }, readings, now, 0, false)
    endCharge(charge, this.#scopes, 1, microcents, tokens, now, this.#effects)
    charge.ended('settled', microcents, tokens, now)
    this.#remember(charge, now)
    this.ledger.write('recorded', charge, now, charge.microcents, charge.tokens, request.details)
    return { outcome: 'recorded', now, replayed: false, effects: this.#delivered() }
  }

  refund(request: RefundRequest): Refunded | Failure {
    const now = this.#advance()
    const known = this.#refunds.get(request.id)
    if (known !== undefined) return known.fingerprint === request.fingerprint ? { ...known.reply, replayed: true, effects: this.#delivered() } : REUSED
    if (this.#charges.get(request.id) !== undefined) return REUSED
    const charges = request.of === undefined ? this.ledger.chargesFromNewest() : this.#chargeNamed(request.of, request.user)
    if (charges === undefined) return UNKNOWN
    let left = request.microcents
    // Held while they are walked: each correction that is written may push a line out of the ledger, and its charge with it.
    for (const charge of charges) charge.holders += 1
    for (const charge of charges) {
      if (left === 0) break
      if (isOf(charge, request.user)) left -= refundFrom(charge, this.#scopes, this.ledger, left, now, request.reason, this.#effects)
    }
    for (const charge of charges) this.#pool.letGo(charge)
    const reply: Refunded = { outcome: 'refunded', now, appliedMicrocents: request.microcents - left, unappliedMicrocents: left, replayed: false, effects: this.#delivered() }
    const remembered = { id: request.id, fingerprint: request.fingerprint, reply: { ...reply, effects: NO_EFFECTS } }
    this.#refunds.set(request.id, remembered)
    this.#given.add(remembered, now)
    return reply
  }

  read(scopes: readonly ScopeTerms[]): Reading {
    const now = this.#advance()
    return { now, readings: readingsOf(this.#scopes, scopes, now), freeing: freeingsOf(this.#scopes, scopes, now), effects: this.#delivered() }
  }

  restart(request: RestartRequest): Restarted {
    const now = this.#advance()
    const begun = restartWindows(this.#scopes, request, now, this.#effects)
    return { now, begun, effects: this.#delivered() }
  }

  totals(user: UserRef): UserTotals {
    const record = this.#scopes.get({ scope: userScope(user) })
    if (record === undefined) return { microcents: 0, entries: 0 }
    const { cells, base } = record
    return { microcents: cells[base + LIFETIME_MICROCENTS] as number, entries: cells[base + LIFETIME_ENTRIES] as number }
  }

  async *users(): AsyncIterable<KnownUser> {
    for (const { user, tier } of this.directory.users()) {
      const record = this.#scopes.get({ scope: userScope(user) })
      yield { user, tier: tier ?? (record === undefined ? undefined : this.#scopes.tierOf(record)) }
    }
    for (const known of this.#scopes.users()) if (this.directory.get(known.user) === undefined) yield known
  }

  close(): void {}

  #delivered(): readonly Effect[] {
    if (this.#effects.length === 0) return NO_EFFECTS
    const effects = this.#effects
    this.#effects = []
    return effects
  }

  #advance(): number {
    const now = Math.max(this.#now, assertInstant(this.#clock(), 'clock'))
    this.#now = now
    for (let first = this.#due.first; first !== undefined && first.dueAt <= now; first = this.#due.first) this.#expire(first)
    this.#scopes.forgetLapsed(now)
    this.#given.advance(now)
    this.#generated.advance(now)
    return now
  }

  #expire(charge: Charge): void {
    const { microcents, tokens } = expiryOf(charge, this.#effects)
    this.#end(charge, 'expired', microcents, tokens, undefined, charge.dueAt)
  }

  #end(charge: Charge, state: 'settled' | 'released' | 'expired', microcents: number, tokens: number, details: CostDetails | undefined, at: number): void {
    this.#due.remove(charge)
    end(charge, this.#scopes, this.ledger, state, microcents, tokens, details, at, this.#effects)
    this.#remember(charge, at)
  }

  #open(request: ReserveRequest, readings: readonly number[], now: number, rung: number, degrade: boolean): Charge {
    const charge = this.#pool.take()
    charge.open(request, readings, now, rung, degrade)
    place(charge, this.#scopes, now, this.#effects)
    this.#charges.add(charge)
    return charge
  }

  #remember(charge: Charge, at: number): void {
    if (charge.idGiven || charge.state === 'expired') this.#given.add(charge, at)
    else this.#generated.add(charge, at)
  }

  #repeated(charge: Charge, fingerprint: string): Admitted | Failure {
    if (charge.isTombstone) return endedFailure(charge)
    if (charge.fingerprint !== fingerprint) return REUSED
    return repeated(charge, this.#delivered())
  }

  #forget(ended: Charge | RememberedRefund): void {
    if (ended instanceof Charge) {
      this.#charges.forget(ended)
      this.#pool.letGo(ended)
    } else this.#refunds.delete(ended.id)
  }

  #chargeNamed(id: string, user: UserRef): readonly Charge[] | undefined {
    const remembered = this.#charges.get(id)
    if (remembered !== undefined) return isOf(remembered, user) ? [remembered] : undefined
    for (const charge of this.ledger.chargesFromNewest()) if (charge.id === id && isOf(charge, user)) return [charge]
    return undefined
  }
}
