// What an audit asks of the data set: its counters and open holds of one moment, its ledger up to then, and mending either.

import { parseScopeKey, scopeKey } from '../../budget/index.js'
import type { ScopeId } from '../../enforcement/index.js'
import type { LedgerEntry } from '../../ledger/index.js'
import type { Auditor, AuditSnapshot, CountedScope, CountedWindow, CounterCorrection, OpenHold } from '../auditing.js'
import type { Connection } from './connection.js'
import { chargedBy, packJsonEntry } from './entries.js'
import { unpackHold } from './holds.js'
import type { RedisLedger } from './ledger.js'
import { Unpacker } from './packing.js'
import { codeOf, windowOfCode } from './window-codes.js'

const SCOPE = 's'
const RING = 21
const FIRST_ROLLING = 16

/** Audits one data set. */
export class RedisAuditor implements Auditor {
  readonly #connection: Connection
  readonly #ledger: RedisLedger

  constructor(connection: Connection, ledger: RedisLedger) {
    this.#connection = connection
    this.#ledger = ledger
  }

  async snapshot(): Promise<AuditSnapshot> {
    const reply = await this.#connection.run('snapshot', (to) => to)
    this.#connection.keep(reply)
    const complete = reply.body.u8() === 1
    const { now } = reply
    const fields = reply.more.find((item) => Array.isArray(item)) as Buffer[]
    const scopes: CountedScope[] = []
    const holds: OpenHold[] = []
    for (let index = 0; index < fields.length; index += 2) {
      const name = (fields[index] as Buffer).toString()
      const value = fields[index + 1] as Buffer
      if (name.startsWith(SCOPE)) scopes.push(unpackScope(parseScopeKey(name.slice(1)), value, now))
      else holds.push(openHold(name.slice(1), value))
    }
    const ledger = this.#ledger
    async function* entries(): AsyncIterable<LedgerEntry> {
      for await (const entry of ledger.entries()) if (entry.at <= now) yield entry
    }
    return { now, complete, scopes, holds, entries }
  }

  async correct(corrections: readonly CounterCorrection[]): Promise<void> {
    for (const { scope, window, startsAt, spent, held, entries } of corrections) {
      const { code, lengthMs } = window === undefined ? { code: 0, lengthMs: 0 } : codeOf(window)
      const reply = await this.#connection.run('correct', (to) => {
        return to.u8(1).textZ(scopeKey(scope)).u8(window === undefined ? 0 : 1).u8(code).u56(lengthMs).u56(startsAt).i64(spent).i64(held).i64(entries)
      })
      this.#connection.keep(reply)
    }
  }

  async append(entries: readonly LedgerEntry[]): Promise<void> {
    for (const entry of entries) {
      const reply = await this.#connection.run('correct', (to) => {
        const names = [entry.model, entry.provider, entry.tier].map((name) => (name ?? '').replaceAll('\0', '\ufffd'))
        names.reduce((message, name) => message.textZ(name), to.u8(2))
        return to.i64(entry.microcents).i64(entry.tokens).bytes(packJsonEntry(entry))
      })
      this.#connection.keep(reply)
    }
  }
}

/** The counters of a scope, laid out as in scripts/common.lua. */
function unpackScope(scope: ScopeId, value: Buffer, now: number): CountedScope {
  const from = new Unpacker(value)
  const microcents = from.u56()
  const entries = from.u56()
  from.u32()
  from.textZ()
  const windows: CountedWindow[] = []
  while (!from.isDone) {
    const code = from.u8()
    if (code < FIRST_ROLLING) {
      const startsAt = from.u56()
      from.u56()
      const amount = from.u56()
      const held = from.u56()
      from.u16()
      from.u56()
      windows.push({ ...windowOfCode(code, 0), held, spent: [{ startsAt, amount }] })
    } else {
      const lengthMs = from.u56()
      from.u56()
      const newest = from.u56() - 1
      const held = from.u56()
      from.u16()
      from.u56()
      const ring = Array.from({ length: RING }, () => from.u56())
      const bucketMs = Math.ceil(lengthMs / (RING - 1))
      const spent: { startsAt: number; amount: number }[] = []
      for (let bucket = Math.max(0, newest - RING + 1, Math.floor(now / bucketMs) - RING + 1); bucket <= newest; bucket += 1) {
        const amount = ring[bucket % RING] as number
        if (amount > 0) spent.push({ startsAt: bucket * bucketMs, amount })
      }
      windows.push({ ...windowOfCode(code, lengthMs), held, spent })
    }
  }
  return { scope, microcents, entries, windows }
}

function openHold(id: string, value: Buffer): OpenHold {
  const hold = unpackHold(new Unpacker(value))
  return { id, amounts: hold.held, openedAt: hold.openedAt, placed: chargedBy(hold, hold.openedAt, hold.openedAt, false) }
}
