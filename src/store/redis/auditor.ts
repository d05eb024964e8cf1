// What an audit asks of the data set: its counters and open holds of one moment, its ledger up to then, and mending either.

import { parseScopeKey, scopeKey } from '../../budget/index.js'
import type { ScopeId } from '../../enforcement/index.js'
import type { EntryField, LedgerEntry } from '../../ledger/index.js'
import type { Auditor, AuditSnapshot, CountedScope, CounterCorrection, EntrySink, LedgerStanding, OpenHold } from '../auditing.js'
import type { Registry } from '../registry.js'
import type { Connection } from './connection.js'
import { unpackCounters } from './counters.js'
import { chargedBy, packJsonEntry } from './entries.js'
import { unpackHold } from './holds.js'
import type { RedisLedger } from './ledger.js'
import { Unpacker, type Packer } from './packing.js'
import { RedisRegistry } from './registry.js'
import { codeOf } from './window-codes.js'

const SCOPE = 's'
/** How many repairs were made: see scripts/correct.lua. */
const REPAIRS = 'R'
/** Where every entry is. A process without the sink of the others does not see what was drained to it. */
const IN_OUTBOX = 1
const WITH_SINK = 2
/** An audit works on a data set that stands in the place of a lost one, too: it is what mends it. */
const MENDS = { mends: true } as const

/** Audits one data set. */
export class RedisAuditor implements Auditor {
  readonly registry: Registry
  readonly #connection: Connection
  readonly #ledger: RedisLedger

  constructor(connection: Connection, ledger: RedisLedger) {
    this.#connection = connection
    this.#ledger = ledger
    this.registry = new RedisRegistry(connection, true)
  }

  async snapshot(): Promise<AuditSnapshot> {
    const reply = await this.#connection.run('snapshot', (to) => to, MENDS)
    this.#connection.keep(reply)
    // Without a sink the ledger was lost with the counters.
    const where = reply.body.u8()
    const complete = where === WITH_SINK ? this.#ledger.keepsAll : where === IN_OUTBOX && !this.#connection.isLost
    const restarted = reply.body.u8() === 1
    const repairs = reply.body.u56()
    const { now } = reply
    const fields = reply.more.find((item) => Array.isArray(item)) as Buffer[]
    const scopes: CountedScope[] = []
    const holds: OpenHold[] = []
    for (let index = 0; index < fields.length; index += 2) {
      const name = (fields[index] as Buffer).toString()
      const value = fields[index + 1] as Buffer
      if (name.startsWith(SCOPE)) scopes.push(countedScope(parseScopeKey(name.slice(1)), value, now, restarted))
      else holds.push(openHold(name.slice(1), value))
    }
    const ledger = this.#ledger
    async function* entries(): AsyncIterable<LedgerEntry> {
      for await (const entry of ledger.entries()) if (entry.at <= now) yield entry
    }
    return { now, complete, scopes, holds, repairs, entries }
  }

  async standing(): Promise<LedgerStanding> {
    const [repairs] = await this.#connection.fields(REPAIRS)
    return { repairs: Number(repairs?.toString() ?? 0), room: this.#keepsAll ? Infinity : 0, isAnonymised: this.#ledger.sink?.isAnonymised === true }
  }

  hides(field: EntryField): boolean {
    return isHiddenIn(this.#ledger.sink, field)
  }

  correct(corrections: readonly CounterCorrection[], repairs?: number): Promise<boolean> {
    return this.#mend(corrections, [], repairs)
  }

  async append(entries: readonly LedgerEntry[], repairs?: number): Promise<boolean> {
    if (!this.#keepsAll && entries.some(({ calls }) => calls !== undefined)) return false
    return this.#mend([], entries, repairs)
  }

  /** Lets every process go on that knew the lost data set. */
  async repaired(): Promise<void> {
    if (this.#connection.isLost) await this.#connection.accept()
  }

  /** Without a sink, entries leave the outbox some at a time, wherever a pair of them may stand. */
  get #keepsAll(): boolean {
    const { sink } = this.#ledger
    return sink !== undefined && sink.isBounded !== true
  }

  async #mend(corrections: readonly CounterCorrection[], entries: readonly LedgerEntry[], repairs: number | undefined): Promise<boolean> {
    const reply = await this.#connection.run('correct', (to) => packEntries(packCorrections(to.u56(repairs === undefined ? 0 : repairs + 1), corrections), entries), MENDS)
    this.#connection.keep(reply)
    return reply.code === 'K'
  }
}

/** True where a sink keeps a field otherwise than it was written. */
export function isHiddenIn(sink: EntrySink | undefined, field: EntryField): boolean {
  return sink?.hides === undefined ? sink?.isAnonymised === true : sink.hides(field)
}

function packCorrections(to: Packer, corrections: readonly CounterCorrection[]): Packer {
  to.u32(corrections.length)
  for (const { scope, window, startsAt, endsAt, spent, held, entries } of corrections) {
    const { code, lengthMs } = window === undefined ? { code: 0, lengthMs: 0 } : codeOf(window)
    to.textZ(scopeKey(scope)).u8(window === undefined ? 0 : 1).u8(code).u56(lengthMs).u56(startsAt)
    to.u56(endsAt === undefined ? 0 : endsAt + 1).i64(spent).i64(held).i64(entries)
  }
  return to
}

function packEntries(to: Packer, entries: readonly LedgerEntry[]): Packer {
  to.u32(entries.length)
  for (const entry of entries) {
    for (const name of [entry.model, entry.provider, entry.tier]) to.textZ((name ?? '').replaceAll('\0', '\ufffd'))
    to.i64(entry.microcents).i64(entry.tokens).u8(entry.calls === undefined ? 1 : 0).sized32(() => to.bytes(packJsonEntry(entry)))
  }
  return to
}

function countedScope(scope: ScopeId, value: Buffer, now: number, restarted: boolean): CountedScope {
  const { microcents, entries, windowsAt } = unpackCounters(value)
  return { scope, microcents, entries, restarted, windows: windowsAt(now) }
}

function openHold(id: string, value: Buffer): OpenHold {
  const hold = unpackHold(new Unpacker(value))
  return { id, amounts: hold.held, openedAt: hold.openedAt, placed: chargedBy(hold, hold.openedAt, hold.openedAt, false) }
}
