// A ledger in a file of its own: where entries are kept for good whose money is counted elsewhere.

import type { Conditions, EntryField, EntryPage, EntrySum, LedgerEntry } from '../../ledger/index.js'
import type { EntrySink } from '../auditing.js'
import type { MaybePromise } from '../maybe-promise.js'
import { Connection } from './connection.js'
import { perform, type SqliteStatement } from './driver.js'
import { entryInsert, EntryReader, valuesOf } from './entries.js'
import { LEDGER_FILE, migrate } from './migrations.js'
import { connectionOptions, type SqliteFile } from './options.js'
import { EntryQueries } from './queries.js'

/** A ledger that can be closed. */
export interface SqliteLedger extends EntrySink {
  write(entries: readonly LedgerEntry[]): void
  page(conditions: Conditions, limit: number, after?: string): EntryPage
  sums(conditions: Conditions, by: readonly EntryField[], boundaries: readonly number[]): MaybePromise<readonly EntrySum[]>
  /** Closes the file; a database that was given stays open. */
  close(): void
}

/**
 * Keeps ledger entries in a SQLite file: all of one call or none, each (id, time) once. Throws `InvalidConfigError` for an option
 * that is none and for a file of anything else, also of a store; `StoreUnavailableError` where the file cannot be opened or written.
 */
export function sqliteLedger(options: SqliteFile): SqliteLedger {
  return new LedgerFile(new Connection('The SQLite ledger', connectionOptions('sqliteLedger', options), (connection) => migrate(connection, LEDGER_FILE)))
}

class LedgerFile implements SqliteLedger {
  readonly #connection: Connection
  readonly #insert: SqliteStatement
  readonly #reader: EntryReader
  readonly #queries: EntryQueries

  constructor(connection: Connection) {
    this.#connection = connection
    this.#insert = entryInsert(connection, true)
    this.#reader = new EntryReader(connection)
    this.#queries = new EntryQueries(connection)
  }

  write(entries: readonly LedgerEntry[]): void {
    if (entries.length === 0) return
    this.#connection.write(() => {
      for (const entry of entries) perform(this.#insert, ...valuesOf(entry))
    })
  }

  entries(): AsyncIterable<LedgerEntry> {
    return this.#reader.entries()
  }

  page(conditions: Conditions, limit: number, after?: string): EntryPage {
    return this.#queries.page(conditions, limit, after)
  }

  part(conditions: Conditions, limit: number, after?: string): EntryPage {
    return this.#queries.part(conditions, limit, after)
  }

  sums(conditions: Conditions, by: readonly EntryField[], boundaries: readonly number[]): MaybePromise<readonly EntrySum[]> {
    return this.#queries.sums(conditions, by, boundaries)
  }

  close(): void {
    this.#connection.close()
  }
}
