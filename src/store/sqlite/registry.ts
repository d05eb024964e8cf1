// Shared facts as rows. Each call is a transaction at store time: a record whose time is over is not there for anybody, whatever the
// clock of whoever asks.

import type { Registry, RegistryRecord, RegistryWrite } from '../registry.js'
import type { Connection } from './connection.js'
import { perform, type SqliteStatement } from './driver.js'

interface RegistryRow extends RegistryRecord {
  readonly key: string
}

/** How many records are read at once. */
const PAGE = 500
/** How many of those whose time is over are deleted when one is written. */
const BATCH = 8

/** The table of shared facts. */
export class RegistryTable implements Registry {
  readonly #connection: Connection
  readonly #operate: <T>(work: (now: number) => T) => T
  readonly #find: SqliteStatement
  readonly #put: SqliteStatement
  readonly #remove: SqliteStatement
  readonly #removeLapsed: SqliteStatement
  readonly #highest: SqliteStatement
  readonly #setHighest: SqliteStatement
  readonly #page: SqliteStatement

  /** `operate` runs a transaction of the store at store time. */
  constructor(connection: Connection, operate: <T>(work: (now: number) => T) => T) {
    this.#connection = connection
    this.#operate = operate
    this.#find = connection.prepare('SELECT value, version FROM registry WHERE kind = ? AND key = ? AND (until IS NULL OR until > ?)')
    this.#put = connection.prepare('INSERT OR REPLACE INTO registry (kind, key, value, version, until) VALUES (?, ?, ?, ?, ?)')
    this.#remove = connection.prepare('DELETE FROM registry WHERE kind = ? AND key = ?')
    this.#removeLapsed = connection.prepare(`DELETE FROM registry WHERE (kind, key) IN (SELECT kind, key FROM registry WHERE until <= ? ORDER BY until LIMIT ${BATCH})`)
    this.#highest = connection.prepare('SELECT registry_version AS version FROM head')
    this.#setHighest = connection.prepare('UPDATE head SET registry_version = ?')
    this.#page = connection.prepare(`SELECT key, value, version FROM registry WHERE kind = ? AND key >= ? AND key IS NOT ? AND (until IS NULL OR until > ?) ORDER BY key LIMIT ${PAGE}`)
  }

  get(kind: string, key: string): RegistryRecord | undefined {
    return this.#operate((now) => {
      const found = this.#found(kind, key, now)
      return found && { value: found.value, version: found.version }
    })
  }

  put(kind: string, key: string, value: string | null, { expected, ttlMs }: RegistryWrite): number | undefined {
    return this.#operate((now) => {
      if ((this.#found(kind, key, now)?.version ?? 0) !== expected) return undefined
      const version = Math.max((this.#highest.get() as { readonly version: number }).version + 1, now)
      perform(this.#setHighest, version)
      if (value === null) perform(this.#remove, kind, key)
      else perform(this.#put, kind, key, value, version, ttlMs === undefined ? null : now + ttlMs)
      perform(this.#removeLapsed, now)
      return version
    })
  }

  async *list(kind: string): AsyncIterable<RegistryRow> {
    const now = this.#operate((at) => at)
    for (let last: string | null = null; ; ) {
      const after: string | null = last
      const rows = this.#connection.once(() => this.#page.all(kind, after ?? '', after, now)) as RegistryRow[]
      for (const { key, value, version } of rows) yield { key, value, version }
      if (rows.length < PAGE) return
      last = (rows.at(-1) as RegistryRow).key
    }
  }

  #found(kind: string, key: string, now: number): RegistryRecord | undefined {
    return this.#find.get(kind, key, now) as RegistryRecord | undefined
  }
}
