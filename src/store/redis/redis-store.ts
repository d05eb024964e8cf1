// A store that any number of processes share: each operation is one script, run by Redis in one piece and in one round trip. Knows
// the contract and the messages; what the scripts do stands in scripts/.

import { parseUserKey, scopeKey, userScope, type UserRef } from '../../budget/index.js'
import type {
  Admitted,
  EndedState,
  Extended,
  ExtendRequest,
  Failure,
  Freeing,
  HoldState,
  LedgerSink,
  Opened,
  Outdated,
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
import type { Directory, KnownUser } from '../directory.js'
import type { Auditor } from '../auditing.js'
import type { Registry } from '../registry.js'
import type { Connection, Reply } from './connection.js'
import { DataSets, type DataSet } from './data-set.js'
import { readingsIn, unpackHold, userOf } from './holds.js'
import { JoinedAuditor, JoinedDirectory, JoinedLedger } from './joined.js'
import { checkRedisOptions, type RedisStoreOptions } from './options.js'
import { unpackCounters } from './counters.js'
import type { Unpacker } from './packing.js'
import { RedisRegistry } from './registry.js'
import { digestOf, packRecord, packReserve, packSettle, packWindows, unpackFacts } from './requests.js'

const OUTDATED: Outdated = Object.freeze({ outcome: 'outdated' })
const STATES: readonly HoldState[] = ['open', 'settled', 'released', 'expired']
const NO_FREEING: ReadonlyMap<number, readonly Freeing[]> = new Map()
const SCANNED_AT_ONCE = 500

/**
 * A store in Redis 6.2 or later, or Valkey, by way of ioredis. Any number of processes share it; the server's clock rules. Every
 * operation is one script and one round trip. Throws `InvalidConfigError` for options that cannot work; its operations reject with
 * `StoreUnavailableError` (the outcome may be unknown: repeat with the same id), with `StoreResetError` once the data set was lost,
 * and with `InvalidConfigError` where the server may evict budgets.
 */
export function redisStore(options: RedisStoreOptions): RedisStore {
  return new RedisStore(options)
}

/** See {@link redisStore}. */
export class RedisStore implements Store {
  readonly name = 'redis'
  readonly shared = true
  readonly keepsTenantsApart: boolean
  readonly directory: Directory
  readonly registry: Registry
  readonly ledger: LedgerSink
  readonly auditor: Auditor
  readonly #sets: DataSets

  constructor(options: RedisStoreOptions) {
    checkRedisOptions(options)
    this.#sets = new DataSets(options)
    this.keepsTenantsApart = options.partition === 'tenant'
    const together = this.keepsTenantsApart ? joined(this.#sets) : this.#sets.first
    this.directory = together.directory
    // Never split: versions are those of the whole store.
    this.registry = new RedisRegistry(this.#sets.first.connection)
    this.ledger = together.ledger
    this.auditor = together.auditor
  }

  async reserve(request: ReserveRequest): Promise<Admitted | Refused | Outdated | Failure> {
    const set = this.#sets.ofScopes(request.scopes)
    const version = set.directory.versionOf(request.entry)
    // Before it is sent: whoever gives up on the reply must know where to leave a tombstone.
    this.#sets.noteHold(request.id, set)
    const reply = await set.connection.run('reserve', (to, now) => packReserve(to, request, version, now), { waitMs: request.waitMs })
    const { code, now, body } = reply
    // What expired before it is in the outbox.
    if (reply.more.length > 0) set.ledger.drainSoon()
    if (code === 'A') {
      const rung = body.u8()
      const degrade = body.u8() === 1
      const dueAt = body.u56()
      return { outcome: 'admitted', now, rung, degrade, dueAt, readings: readingsIn(body, request.scopes.map(({ windows }) => windows.length)), effects: set.connection.deliver(reply) }
    }
    if (code === 'R') {
      const readings = readingsIn(body, request.scopes.map(({ windows }) => windows.length))
      return { outcome: 'refused', now, readings, freeing: freeingIn(body), effects: set.connection.deliver(reply) }
    }
    if (code === 'P') {
      body.text16()
      const { openedAt, rung, degrade, dueAt, readings, scopes, state, rungs, facts } = unpackHold(body)
      return { outcome: 'admitted', now: openedAt, rung, degrade, dueAt, readings, replay: { scopes, state, rungs, facts }, effects: set.connection.deliver(reply) }
    }
    if (code === 'O') return outdated(set, request.facts.user, reply)
    return failed(set.connection, reply)
  }

  async settle(request: SettleRequest): Promise<Settled | Failure> {
    const { id, microcents } = request
    const { connection, ledger } = await this.#sets.ofHold(id)
    const reply = await connection.run('settle', (to) => packSettle(to, request))
    if (reply.code !== 'K') return failed(connection, reply)
    const { now, body } = reply
    const replayed = body.u8() === 1
    const late = body.u8() === 1
    const heldMicrocents = body.u56()
    ledger.drainSoon()
    return { outcome: 'settled', now, microcents, heldMicrocents, replayed, late, facts: unpackFacts(body.rest(), userOf), effects: connection.deliver(reply) }
  }

  async release({ id, tombstone, uncount }: ReleaseRequest): Promise<Released | Failure> {
    const { connection, ledger } = await this.#sets.ofHold(id)
    const reply = await connection.run('release', (to) => to.text16(id).u8((tombstone === true ? 1 : 0) + (uncount === true ? 2 : 0)))
    if (reply.code !== 'K') return failed(connection, reply)
    ledger.drainSoon()
    return { outcome: 'released', now: reply.now, was: STATES[reply.body.u8()] as HoldState, effects: connection.deliver(reply) }
  }

  async extend({ id, ttlMs }: ExtendRequest): Promise<Extended | Failure> {
    const { connection } = await this.#sets.ofHold(id)
    const reply = await connection.run('extend', (to) => to.text16(id).u56(ttlMs))
    if (reply.code !== 'K') return failed(connection, reply)
    return { outcome: 'extended', now: reply.now, dueAt: reply.body.u56(), effects: connection.deliver(reply) }
  }

  async opened(id: string): Promise<Opened | Failure> {
    const set = await this.#sets.ofHold(id)
    const { connection, ledger } = set
    const reply = await connection.run('opened', (to) => to.text16(id))
    // What expired before it is in the outbox.
    if (reply.more.length > 0) ledger.drainSoon()
    if (reply.code !== 'K') return failed(connection, reply)
    // Whoever asks is about to end it.
    this.#sets.noteHold(id, set)
    const { openedAt, facts, rungs, rung, state } = unpackHold(reply.body)
    return { outcome: 'opened', openedAt, facts, rungs, rung, state, effects: connection.deliver(reply) }
  }

  async record(request: RecordRequest): Promise<Recorded | Outdated | Failure> {
    const set = this.#sets.ofScopes(request.scopes)
    const { connection, directory, ledger } = set
    const version = directory.versionOf(request.entry)
    const reply = await connection.run('record', (to, now) => packRecord(to, request, version, now))
    if (reply.code === 'O') return outdated(set, request.facts.user, reply)
    if (reply.code !== 'K') return failed(connection, reply)
    ledger.drainSoon()
    return { outcome: 'recorded', now: reply.now, replayed: reply.body.u8() === 1, effects: connection.deliver(reply) }
  }

  async refund({ id, fingerprint, user, microcents, of, reason }: RefundRequest): Promise<Refunded | Failure> {
    const { connection, ledger } = this.#sets.ofUser(user)
    const reply = await connection.run('refund', (to) => {
      to.text16(id).bytes(digestOf(id, fingerprint)).textZ(keyOf(user)).u56(microcents)
      return to.u8(of === undefined ? 0 : 1).text16(of ?? '').text16(reason ?? '')
    })
    if (reply.code !== 'K') return failed(connection, reply)
    const { now, body } = reply
    const replayed = body.u8() === 1
    ledger.drainSoon()
    return { outcome: 'refunded', now, appliedMicrocents: body.u56(), unappliedMicrocents: body.u56(), replayed, effects: connection.deliver(reply) }
  }

  async read(scopes: readonly ScopeTerms[]): Promise<Reading> {
    const { connection } = this.#sets.ofScopes(scopes)
    const reply = await connection.run('read', (to, now) => packWindows(to, scopes, now))
    return { now: reply.now, readings: readingsIn(reply.body, scopes.map(({ windows }) => windows.length)), freeing: freeingIn(reply.body), effects: connection.deliver(reply) }
  }

  async restart(request: RestartRequest): Promise<Restarted> {
    const { connection, ledger } = this.#sets.ofScopes([request])
    // Windows begin at whole milliseconds.
    const since = Math.ceil(Math.min(Math.max(request.since, 0), Number.MAX_SAFE_INTEGER))
    const reply = await connection.run('restart', (to, now) => packWindows(to.u56(since), [request], now))
    // What expired before it is in the outbox.
    if (reply.more.length > 0) ledger.drainSoon()
    return { now: reply.now, begun: reply.body.u8(), effects: connection.deliver(reply) }
  }

  async totals(user: UserRef): Promise<UserTotals> {
    const { connection } = this.#sets.ofUser(user)
    const [bytes] = await connection.fields(`s${keyOf(user)}`)
    if (bytes == null) return { microcents: 0, entries: 0 }
    const { microcents, entries } = unpackCounters(bytes)
    return { microcents, entries }
  }

  async *users(): AsyncIterable<KnownUser> {
    for (const set of this.#sets.all()) yield* usersIn(set)
  }

  /** Goes on after the data set was lost, with what is there now: what was spent before is forgotten. */
  async acceptReset(): Promise<void> {
    for (const { connection } of this.#sets.all()) await connection.accept()
  }

  /** Drains what is left to the sink. A client that was given stays open. */
  async close(): Promise<void> {
    await this.#sets.close()
  }
}

/** The parts of all data sets as one: each call goes to the user's own, or to all. */
function joined(sets: DataSets): { directory: Directory; ledger: LedgerSink; auditor: Auditor } {
  return { directory: new JoinedDirectory(sets), ledger: new JoinedLedger(sets), auditor: new JoinedAuditor(sets) }
}

async function* usersIn({ connection, directory }: DataSet): AsyncIterable<KnownUser> {
  const state = connection.keys[0] as string
  await connection.fields()
  const seen = new Set<string>()
  let cursor = '0'
  do {
    const [next, fields] = (await connection.command('HSCAN', state, cursor, 'MATCH', '[sd]user/*', 'COUNT', SCANNED_AT_ONCE)) as [Buffer, Buffer[]]
    cursor = next.toString()
    for (let index = 0; index < fields.length; index += 2) {
      const key = (fields[index] as Buffer).toString().slice(1)
      const user = parseUserKey(key)
      if (user === undefined || seen.has(key)) continue
      seen.add(key)
      yield { user, tier: (await directory.get(user))?.tier ?? (await tierSeen(connection, key)) }
    }
  } while (cursor !== '0')
}

/** The tier with which a user's counters were last changed. */
async function tierSeen(connection: Connection, key: string): Promise<string | undefined> {
  const [counters] = await connection.fields(`s${key}`)
  return counters == null ? undefined : unpackCounters(counters).tier
}

function outdated({ connection, directory }: DataSet, user: UserRef, reply: Reply): Outdated {
  connection.keep(reply)
  directory.learn(user, reply.body.rest())
  return OUTDATED
}

function failed(connection: Connection, reply: Reply): Failure {
  connection.keep(reply)
  if (reply.code === 'I') return { outcome: 'id-reused' }
  if (reply.code === 'E') return { outcome: 'already-ended', state: STATES[reply.body.u8()] as EndedState }
  return { outcome: 'unknown-hold' }
}

function keyOf(user: UserRef): string {
  return scopeKey(userScope(user))
}

function freeingIn(body: Unpacker): ReadonlyMap<number, readonly Freeing[]> {
  if (body.isDone) return NO_FREEING
  const freeing = new Map<number, readonly Freeing[]>()
  while (!body.isDone) {
    const window = body.u16()
    freeing.set(window, Array.from({ length: body.u8() }, () => ({ at: body.u56(), amount: body.u56() })))
  }
  return freeing
}

