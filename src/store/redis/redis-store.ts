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
  ScopeTerms,
  Settled,
  SettleRequest,
  Store,
  UserTotals,
} from '../contract.js'
import type { KnownUser } from '../directory.js'
import { RedisAuditor } from './auditor.js'
import { Connection, type Reply } from './connection.js'
import { RedisDirectory } from './directory.js'
import { userOf, unpackHold } from './holds.js'
import { RedisLedger } from './ledger.js'
import { checkRedisOptions, type RedisStoreOptions } from './options.js'
import { Unpacker } from './packing.js'
import { digestOf, packRecord, packReserve, packWindows, unpackFacts } from './requests.js'

const OUTDATED: Outdated = Object.freeze({ outcome: 'outdated' })
const STATES: readonly HoldState[] = ['open', 'settled', 'released', 'expired']
const READING_NUMBERS = 4
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
  readonly directory: RedisDirectory
  readonly ledger: RedisLedger
  readonly auditor: RedisAuditor
  readonly #connection: Connection

  constructor(options: RedisStoreOptions) {
    checkRedisOptions(options)
    this.#connection = new Connection(options)
    this.directory = new RedisDirectory(this.#connection)
    this.ledger = new RedisLedger(this.#connection, options.sink)
    this.auditor = new RedisAuditor(this.#connection, this.ledger)
  }

  async reserve(request: ReserveRequest): Promise<Admitted | Refused | Outdated | Failure> {
    const version = this.directory.versionOf(request.entry)
    const reply = await this.#connection.run('reserve', (to, now) => packReserve(to, request, version, now), request.waitMs)
    const { code, now, body } = reply
    if (code === 'A') {
      const rung = body.u8()
      const degrade = body.u8() === 1
      const dueAt = body.u56()
      return { outcome: 'admitted', now, rung, degrade, dueAt, readings: readingsIn(body, countWindows(request.scopes)), effects: this.#connection.deliver(reply) }
    }
    if (code === 'R') {
      const readings = readingsIn(body, countWindows(request.scopes))
      return { outcome: 'refused', now, readings, freeing: freeingIn(body), effects: this.#connection.deliver(reply) }
    }
    if (code === 'P') {
      body.text16()
      const { openedAt, rung, degrade, dueAt, readings, scopes, state, rungs, facts } = unpackHold(body)
      return { outcome: 'admitted', now: openedAt, rung, degrade, dueAt, readings, replay: { scopes, state, rungs, facts }, effects: this.#connection.deliver(reply) }
    }
    if (code === 'O') return this.#outdated(request.facts.user, reply)
    return this.#failed(reply)
  }

  async settle({ id, microcents, tokens, model }: SettleRequest): Promise<Settled | Failure> {
    const reply = await this.#connection.run('settle', (to) => to.text16(id).u56(microcents).u56(tokens === undefined ? 0 : tokens + 1).textZ(model?.replaceAll('\0', '\ufffd') ?? ''))
    if (reply.code !== 'K') return this.#failed(reply)
    const { now, body } = reply
    const replayed = body.u8() === 1
    const late = body.u8() === 1
    const heldMicrocents = body.u56()
    this.ledger.drainSoon()
    return { outcome: 'settled', now, microcents, heldMicrocents, replayed, late, facts: unpackFacts(body.rest(), userOf), effects: this.#connection.deliver(reply) }
  }

  async release({ id, tombstone, uncount }: ReleaseRequest): Promise<Released | Failure> {
    const reply = await this.#connection.run('release', (to) => to.text16(id).u8((tombstone === true ? 1 : 0) + (uncount === true ? 2 : 0)))
    if (reply.code !== 'K') return this.#failed(reply)
    this.ledger.drainSoon()
    return { outcome: 'released', now: reply.now, was: STATES[reply.body.u8()] as HoldState, effects: this.#connection.deliver(reply) }
  }

  async extend({ id, ttlMs }: ExtendRequest): Promise<Extended | Failure> {
    const reply = await this.#connection.run('extend', (to) => to.text16(id).u56(ttlMs))
    if (reply.code !== 'K') return this.#failed(reply)
    return { outcome: 'extended', now: reply.now, dueAt: reply.body.u56(), effects: this.#connection.deliver(reply) }
  }

  async record(request: RecordRequest): Promise<Recorded | Outdated | Failure> {
    const version = this.directory.versionOf(request.entry)
    const reply = await this.#connection.run('record', (to, now) => packRecord(to, request, version, now))
    if (reply.code === 'O') return this.#outdated(request.facts.user, reply)
    if (reply.code !== 'K') return this.#failed(reply)
    this.ledger.drainSoon()
    return { outcome: 'recorded', now: reply.now, replayed: reply.body.u8() === 1, effects: this.#connection.deliver(reply) }
  }

  async refund({ id, fingerprint, user, microcents, of, reason }: RefundRequest): Promise<Refunded | Failure> {
    const reply = await this.#connection.run('refund', (to) => {
      to.text16(id).bytes(digestOf(id, fingerprint)).textZ(keyOf(user)).u56(microcents)
      return to.u8(of === undefined ? 0 : 1).text16(of ?? '').text16(reason ?? '')
    })
    if (reply.code !== 'K') return this.#failed(reply)
    const { now, body } = reply
    const replayed = body.u8() === 1
    this.ledger.drainSoon()
    return { outcome: 'refunded', now, appliedMicrocents: body.u56(), unappliedMicrocents: body.u56(), replayed, effects: this.#connection.deliver(reply) }
  }

  async read(scopes: readonly ScopeTerms[]): Promise<Reading> {
    const reply = await this.#connection.run('read', (to, now) => packWindows(to, scopes, now))
    return { now: reply.now, readings: readingsIn(reply.body, countWindows(scopes)), freeing: freeingIn(reply.body), effects: this.#connection.deliver(reply) }
  }

  async totals(user: UserRef): Promise<UserTotals> {
    const [state] = this.#connection.keys as [string]
    const bytes = (await this.#connection.command('HGET', state, `s${keyOf(user)}`)) as Buffer | null
    if (bytes === null) return { microcents: 0, entries: 0 }
    const from = new Unpacker(bytes)
    return { microcents: from.u56(), entries: from.u56() }
  }

  async *users(): AsyncIterable<KnownUser> {
    const [state] = this.#connection.keys as [string]
    const seen = new Set<string>()
    let cursor = '0'
    do {
      const [next, fields] = (await this.#connection.command('HSCAN', state, cursor, 'MATCH', '[sd]user/*', 'COUNT', SCANNED_AT_ONCE)) as [Buffer, Buffer[]]
      cursor = next.toString()
      for (let index = 0; index < fields.length; index += 2) {
        const key = (fields[index] as Buffer).toString().slice(1)
        const user = parseUserKey(key)
        if (user === undefined || seen.has(key)) continue
        seen.add(key)
        yield { user, tier: await this.#tierOf(user) }
      }
    } while (cursor !== '0')
  }

  /** Goes on after the data set was lost, with what is there now: what was spent before is forgotten. */
  async acceptReset(): Promise<void> {
    await this.#connection.accept()
  }

  /** Drains what is left to the sink. A client that was given stays open. */
  async close(): Promise<void> {
    await this.ledger.close()
    this.#connection.close()
  }

  async #tierOf(user: UserRef): Promise<string | undefined> {
    const [state] = this.#connection.keys as [string]
    const entry = await this.directory.get(user)
    if (entry?.tier !== undefined) return entry.tier
    const counters = (await this.#connection.command('HGET', state, `s${keyOf(user)}`)) as Buffer | null
    if (counters === null) return undefined
    const from = new Unpacker(counters, 18)
    const tier = from.textZ()
    return tier === '' ? undefined : tier
  }

  #outdated(user: UserRef, { body }: Reply): Outdated {
    this.directory.learn(user, body.rest())
    return OUTDATED
  }

  #failed(reply: Reply): Failure {
    this.#connection.keep(reply)
    if (reply.code === 'I') return { outcome: 'id-reused' }
    if (reply.code === 'E') return { outcome: 'already-ended', state: STATES[reply.body.u8()] as EndedState }
    return { outcome: 'unknown-hold' }
  }
}

function keyOf(user: UserRef): string {
  return scopeKey(userScope(user))
}

function countWindows(scopes: readonly ScopeTerms[]): number {
  let count = 0
  for (const { windows } of scopes) count += windows.length
  return count
}

function readingsIn(body: Unpacker, windows: number): number[] {
  const readings = new Array<number>(windows * READING_NUMBERS)
  for (let index = 0; index < readings.length; index += 1) readings[index] = body.u56()
  return readings
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

