// The store in a SQLite file: every operation of the contract is one immediate transaction, so that several processes on one host
// may share the file, and a crash leaves either all of an operation or nothing. Counting is the same code as in memory.

import { userScope, type UserRef } from '../../budget/index.js'
import { InvalidConfigError } from '../../errors/index.js'
import type { CostDetails } from '../../ledger/index.js'
import type { Amounts } from '../../money/index.js'
import { assertInstant, systemClock, type Clock } from '../../time/index.js'
import { admit } from '../admission.js'
import type { Auditor } from '../auditing.js'
import type {
  Admitted,
  Effect,
  ExtendRequest,
  Extended,
  Failure,
  Opened,
  Reading,
  Recorded,
  RecordRequest,
  Refunded,
  RefundRequest,
  Refused,
  Released,
  ReleaseRequest,
  ReserveRequest,
  Restarted,
  RestartRequest,
  ScopeTerms,
  Settled,
  SettleRequest,
  Store,
  UserTotals,
} from '../contract.js'
import { LIFETIME_ENTRIES, LIFETIME_MICROCENTS } from '../counting/cells.js'
import { tombstoneOf } from '../counting/charge.js'
import { endCharge, place, uncountRequests } from '../counting/counting.js'
import { correctExpired, end, endedFailure, expiryOf, isOf, openedWith, refundFrom, repeated } from '../counting/life.js'
import { freeingsOf, readingsOf } from '../counting/readings.js'
import { restartWindows } from '../counting/restart.js'
import type { KnownUser } from '../directory.js'
import { SqliteAuditor } from './auditor.js'
import { ChargeTable, StoredCharge, StoredRefund } from './charges.js'
import { Connection } from './connection.js'
import { DirectoryTable } from './directory.js'
import { perform, type SqliteDatabase, type SqliteStatement } from './driver.js'
import { EndingTable } from './endings.js'
import { Forgetting } from './forgetting.js'
import { StoreLedger } from './ledger.js'
import { migrate, STORE_FILE } from './migrations.js'
import { connectionOptions, type SqliteStoreOptions } from './options.js'
import { RegistryTable } from './registry.js'
import { ScopeTable } from './scopes.js'
import { WindowTables } from './windows.js'

const NOTHING: Amounts = Object.freeze({ microcents: 0, tokens: 0 })
const NOTHING_HELD: readonly Amounts[] = Object.freeze([NOTHING])
const NO_EFFECTS: readonly Effect[] = Object.freeze([])
const UNKNOWN: Failure = Object.freeze({ outcome: 'unknown-hold' })
const REUSED: Failure = Object.freeze({ outcome: 'id-reused' })

/** The row that every operation reads first. */
interface Head {
  readonly now: number
  readonly summed: number
  /** When the first hold is due, or was once, that was not looked at before. */
  readonly due: number | null
}

/**
 * A store in a SQLite file: durable, and shared by all processes of one host that open it. Operations answer at once, and block the
 * process while they wait for the disk or for another process. Throws `InvalidConfigError` for an option that is none, a file of
 * another program or of a later version, and `StoreUnavailableError` where the file cannot be opened.
 */
export function sqliteStore(options: SqliteStoreOptions): Store {
  const checked = connectionOptions('sqliteStore', options, ['clock'])
  // What another store changes on the same connection would go unnoticed.
  if (checked.database !== undefined && served.has(checked.database)) {
    throw new InvalidConfigError('sqliteStore.database: serves another store already. Share that store, or open the file once more.')
  }
  const connection = new Connection('The SQLite store', checked, (opened) => migrate(opened, STORE_FILE))
  if (checked.database !== undefined) served.add(checked.database)
  return new SqliteStore(connection, options.clock ?? systemClock, () => {
    if (checked.database !== undefined) served.delete(checked.database)
  })
}

/** The given databases that serve a store. */
const served = new WeakSet<SqliteDatabase>()

/** See {@link sqliteStore}. */
class SqliteStore implements Store {
  readonly name = 'sqlite'
  readonly shared = true
  readonly directory: DirectoryTable
  readonly registry: RegistryTable
  readonly ledger: StoreLedger
  readonly auditor: Auditor
  readonly #connection: Connection
  readonly #closed: () => void
  readonly #clock: Clock
  readonly #windows: WindowTables
  readonly #scopes: ScopeTable
  readonly #charges: ChargeTable
  readonly #endings: EndingTable
  readonly #forgetting: Forgetting
  readonly #head: SqliteStatement
  readonly #version: SqliteStatement
  readonly #setNow: SqliteStatement
  /** What was committed and not told yet: a hold that expires in an operation that fails is told of by the next one. */
  #undelivered: readonly Effect[] = NO_EFFECTS
  /** The same within the running transaction. */
  #effects: Effect[] = []
  /** Changes when another connection has written: until then, what is known of the file is as it is there. */
  #knownVersion = -1
  /** Everything that was due before this instant has ended: new holds are due later, whoever opens them. */
  #endedUntil = 0

  constructor(connection: Connection, clock: Clock, closed: () => void) {
    this.#connection = connection
    this.#closed = closed
    this.#clock = clock
    this.#windows = new WindowTables(connection)
    this.#scopes = new ScopeTable(connection, this.#windows)
    this.#charges = new ChargeTable(connection, this.#windows)
    this.#endings = new EndingTable(connection)
    this.#forgetting = new Forgetting(connection)
    this.ledger = new StoreLedger(connection, this.#charges, this.#endings)
    this.directory = new DirectoryTable(connection)
    this.registry = new RegistryTable(connection, (work) => this.#operate(work))
    this.#head = connection.prepare(`
      SELECT now, summed, (SELECT due_at FROM due WHERE due_at >= ? ORDER BY due_at LIMIT 1) AS due FROM head`)
    this.#version = connection.prepare('PRAGMA data_version')
    this.#setNow = connection.prepare('UPDATE head SET now = ?')
    this.auditor = new SqliteAuditor(connection, this.#scopes, this.#charges, this.ledger, (work) => this.#operate(work))
  }

  reserve(request: ReserveRequest): Admitted | Refused | Failure {
    return this.#operate((now) => {
      const known = this.#charges.find(request.id, now)
      if (known !== undefined) return this.#repeated(known, request.fingerprint)
      const { scopes } = request
      const readings = readingsOf(this.#scopes, scopes, now)
      // INVARIANT (NO-OVERSPEND, ALL-OR-NOTHING, NO-FALSE-BLOCK): the whole request is tested before anything is written, and
      // nobody else writes before this transaction ends.
      const { rung, degrade } = admit(request, readings)
      if (rung < 0) return { outcome: 'refused', now, readings, freeing: freeingsOf(this.#scopes, scopes, now), effects: this.#delivered() }
      const charge = this.#open(request, readings, now, rung, degrade)
      this.#charges.add(charge)
      return { outcome: 'admitted', now, rung, degrade, dueAt: charge.dueAt, readings, effects: this.#delivered() }
    })
  }

  settle(request: SettleRequest): Settled | Failure {
    return this.#operate((now) => {
      const charge = this.#find(request.id, now)
      if (charge === undefined) return UNKNOWN
      const tokens = request.tokens ?? charge.heldTokens
      const { microcents } = request
      const { state } = charge
      const replayed = state === 'settled'
      if (state === 'released' || (replayed && (charge.microcents !== microcents || charge.tokens !== tokens))) return endedFailure(charge)
      if (!replayed) {
        charge.answeredBy(request.model, request.provider)
        if (state === 'expired') this.#correctExpired(charge, microcents, tokens, request.details, now)
        else this.#end(charge, 'settled', microcents, tokens, request.details, now)
      }
      return { outcome: 'settled', now, microcents, heldMicrocents: charge.heldMicrocents, replayed, late: state === 'expired' || charge.corrected, facts: charge.facts, effects: this.#delivered() }
    })
  }

  release(request: ReleaseRequest): Released | Failure {
    return this.#operate((now) => {
      const charge = this.#find(request.id, now)
      if (charge === undefined) {
        if (request.tombstone !== true) return UNKNOWN
        this.#bury(request.id, now)
        return { outcome: 'released', now, was: 'released', effects: this.#delivered() }
      }
      const was = charge.state
      if (was === 'open' && request.uncount === true) uncountRequests(charge, this.#scopes)
      if (was === 'open') this.#end(charge, 'released', 0, 0, undefined, now)
      if (was === 'expired') this.#correctExpired(charge, 0, 0, undefined, now)
      return { outcome: 'released', now, was, effects: this.#delivered() }
    })
  }

  extend(request: ExtendRequest): Extended | Failure {
    return this.#operate((now) => {
      const charge = this.#find(request.id, now)
      if (charge === undefined) return UNKNOWN
      if (charge.state !== 'open') return endedFailure(charge)
      charge.dueAt = Math.max(charge.dueAt, now + request.ttlMs)
      this.#charges.moved(charge)
      return { outcome: 'extended', now, dueAt: charge.dueAt, effects: this.#delivered() }
    })
  }

  opened(id: string): Opened | Failure {
    return this.#operate((now) => {
      const charge = this.#find(id, now)
      if (charge === undefined) return UNKNOWN
      return openedWith(charge, charge.isTombstone ? NO_EFFECTS : this.#delivered())
    })
  }

  record(request: RecordRequest): Recorded | Failure {
    return this.#operate((now) => {
      const known = this.#charges.find(request.id, now)
      if (known !== undefined) {
        if (known instanceof StoredRefund || known.fingerprint !== request.fingerprint) return REUSED
        return { outcome: 'recorded', now, replayed: true, effects: this.#delivered() }
      }
      const readings = readingsOf(this.#scopes, request.scopes, now)
      const { microcents, tokens } = request.amounts
      const charge = this.#open({ ...request, ttlMs: 0, onExpiry: 'release', rungs: NOTHING_HELD }, readings, now, 0, false)
      endCharge(charge, this.#scopes, 1, microcents, tokens, now, this.#effects)
      charge.ended('settled', microcents, tokens, now)
      this.ledger.write('recorded', charge, now, microcents, tokens, request.details)
      this.#charges.add(charge)
      return { outcome: 'recorded', now, replayed: false, effects: this.#delivered() }
    })
  }

  refund(request: RefundRequest): Refunded | Failure {
    return this.#operate((now) => {
      const known = this.#charges.find(request.id, now)
      if (known !== undefined) return this.#refundedAgain(known, request.fingerprint)
      const charges = request.of === undefined ? this.#chargesFromNewest(request.user) : this.#chargeNamed(request.of, request.user, now)
      if (charges === undefined) return UNKNOWN
      let left = request.microcents
      if (left > 0) {
        for (const charge of charges) {
          const part = refundFrom(charge, this.#scopes, this.ledger, left, now, request.reason, this.#effects)
          if (part > 0) this.#charges.amended(charge)
          left -= part
          if (left === 0) break
        }
      }
      this.#charges.addRefund(request.id, new StoredRefund(request.fingerprint, request.microcents - left, left, now))
      return { outcome: 'refunded', now, appliedMicrocents: request.microcents - left, unappliedMicrocents: left, replayed: false, effects: this.#delivered() }
    })
  }

  read(scopes: readonly ScopeTerms[]): Reading {
    return this.#operate((now) => ({ now, readings: readingsOf(this.#scopes, scopes, now), freeing: freeingsOf(this.#scopes, scopes, now), effects: this.#delivered() }))
  }

  restart(request: RestartRequest): Restarted {
    return this.#operate((now) => {
      const begun = restartWindows(this.#scopes, request, now, this.#effects)
      return { now, begun, effects: this.#delivered() }
    })
  }

  totals(user: UserRef): UserTotals {
    return this.#connection.read(() => {
      const cells = this.#scopes.stored(userScope(user))?.cells
      return { microcents: cells?.[LIFETIME_MICROCENTS] ?? 0, entries: cells?.[LIFETIME_ENTRIES] ?? 0 }
    })
  }

  users(): AsyncIterable<KnownUser> {
    return this.directory.users()
  }

  close(): void {
    this.#connection.close()
    this.#closed()
  }

  /** Runs one operation as one transaction, at store time, after all holds that are due by then have ended. */
  #operate<T>(work: (now: number) => T): T {
    this.#effects = [...this.#undelivered]
    let result: T
    try {
      let now = 0
      result = this.#connection.write(() => {
        this.#checkVersion()
        this.ledger.begin()
        const head = this.#head.get(this.#endedUntil) as Head
        now = Math.max(head.now, assertInstant(this.#clock(), 'clock'))
        if (now > head.now) perform(this.#setNow, now)
        if (head.due !== null && head.due <= now) this.#expireDue(now)
        this.#forgetting.tidy(now)
        const reply = work(now)
        this.#scopes.flush()
        this.ledger.sumUp(head.summed)
        return reply
      })
      this.#endedUntil = now
    } catch (error) {
      this.#forgetAll()
      this.#windows.forget()
      this.#forgetting.restart()
      throw error
    }
    this.#undelivered = this.#effects.length === 0 ? NO_EFFECTS : this.#effects
    return result
  }

  #checkVersion(): void {
    const { data_version: version } = this.#version.get() as { readonly data_version: number }
    if (version !== this.#knownVersion) this.#forgetAll()
    this.#knownVersion = version
  }

  #forgetAll(): void {
    this.#scopes.forget()
    this.#charges.forget()
  }

  #delivered(): readonly Effect[] {
    if (this.#effects.length === 0) return NO_EFFECTS
    const effects = this.#effects
    this.#effects = []
    return effects
  }

  #expireDue(now: number): void {
    for (const charge of this.#charges.due(this.#endedUntil, now)) {
      const { microcents, tokens } = expiryOf(charge, this.#effects)
      this.#end(charge, 'expired', microcents, tokens, undefined, charge.dueAt)
    }
  }

  #find(id: string, now: number): StoredCharge | undefined {
    const known = this.#charges.find(id, now)
    return known instanceof StoredRefund ? undefined : known
  }

  #open(request: ReserveRequest, readings: readonly number[], now: number, rung: number, degrade: boolean): StoredCharge {
    const charge = new StoredCharge()
    charge.open(request, readings, now, rung, degrade)
    place(charge, this.#scopes, now, this.#effects)
    return charge
  }

  #end(charge: StoredCharge, state: 'settled' | 'released' | 'expired', microcents: number, tokens: number, details: CostDetails | undefined, at: number): void {
    end(charge, this.#scopes, this.ledger, state, microcents, tokens, details, at, this.#effects)
    this.#charges.ended(charge)
  }

  #correctExpired(charge: StoredCharge, microcents: number, tokens: number, details: CostDetails | undefined, now: number): void {
    correctExpired(charge, this.#scopes, this.ledger, microcents, tokens, details, now, this.#effects)
    this.#charges.ended(charge)
    this.#charges.amended(charge)
  }

  #bury(id: string, now: number): void {
    const buried = new StoredCharge()
    buried.open(tombstoneOf(id), [], now, 0, false)
    buried.ended('released', 0, 0, now)
    this.#charges.add(buried)
  }

  #repeated(known: StoredCharge | StoredRefund, fingerprint: string): Admitted | Failure {
    if (known instanceof StoredRefund) return REUSED
    if (known.isTombstone) return endedFailure(known)
    return known.fingerprint === fingerprint ? repeated(known, this.#delivered()) : REUSED
  }

  #refundedAgain(known: StoredCharge | StoredRefund, fingerprint: string): Refunded | Failure {
    if (!(known instanceof StoredRefund) || known.fingerprint !== fingerprint) return REUSED
    const { now, appliedMicrocents, unappliedMicrocents } = known
    return { outcome: 'refunded', now, appliedMicrocents, unappliedMicrocents, replayed: true, effects: this.#delivered() }
  }

  *#chargesFromNewest(user: UserRef): Generator<StoredCharge> {
    for (const row of this.#endings.newestFirst(user, this.ledger.summed())) yield this.#charges.chargeEndedBy(row)
  }

  /** The charge of that id: what the id stands for now, else the newest in the ledger. */
  #chargeNamed(id: string, user: UserRef, now: number): readonly StoredCharge[] | undefined {
    const known = this.#find(id, now)
    if (known !== undefined) return isOf(known, user) ? [known] : undefined
    const row = this.#endings.named(id, user, this.ledger.summed())
    return row === undefined ? undefined : [this.#charges.chargeEndedBy(row)]
  }
}
