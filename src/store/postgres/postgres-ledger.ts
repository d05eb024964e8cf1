// A ledger in Postgres: where entries are kept for good whose money is counted elsewhere.

import { noCursor, type Conditions, type EntryField, type EntryPage, type EntrySum, type LedgerEntry } from '../../ledger/index.js'
import { pageSql, sumsOfRows, sumsSql, type SumsRow } from '../../ledger/sql.js'
import type { EntrySink } from '../auditing.js'
import { Database } from './client.js'
import { givenSum, keptConditions, POSTGRES } from './dialect.js'
import { batchOf, entryOf, insertInto, SELECTED, seqOf } from './entries.js'
import { migrate } from './migrations.js'
import { checkedOptions, type PostgresLedgerOptions } from './options.js'

/** A ledger that can be closed. */
export interface PostgresLedger extends EntrySink {
  write(entries: readonly LedgerEntry[]): Promise<void>
  page(conditions: Conditions, limit: number, after?: string): Promise<EntryPage>
  sums(conditions: Conditions, by: readonly EntryField[], boundaries: readonly number[]): Promise<readonly EntrySum[]>
  /** Closes the ledger's own connections when what runs has ended; a pool that was given stays open. */
  close(): Promise<void>
}

/** How many entries are read at once, and written with one statement. */
const PAGE = 1_000

/**
 * Keeps ledger entries in a schema of a Postgres database (12 or later, UTF-8): all of one call or none, each (id, time) once, in the
 * order in which they were committed. The tables are made on first use, when nothing has been asked of the database yet. No state is
 * kept in a session, so that poolers such as PgBouncer may give every transaction another connection. Throws `InvalidConfigError` for
 * an option that is none; every call rejects with `InvalidConfigError` for a schema of something else or of a later version, and with
 * `StoreUnavailableError` where the database cannot be reached or refuses: then nothing was written, or the same may be written again.
 */
export function postgresLedger(options: PostgresLedgerOptions): PostgresLedger {
  return new LedgerSchema(new Database(checkedOptions(options), migrate))
}

class LedgerSchema implements PostgresLedger {
  readonly #database: Database
  readonly #table: string

  constructor(database: Database) {
    this.#database = database
    this.#table = `"${database.schema}".ledger_entry`
  }

  async write(entries: readonly LedgerEntry[]): Promise<void> {
    // Before anything is waited for: whoever gave the list may change it then.
    const batches = Array.from({ length: Math.ceil(entries.length / PAGE) }, (_, index) => batchOf(entries.slice(index * PAGE, (index + 1) * PAGE)))
    await this.#database.ready()
    if (batches.length === 0) return
    await this.#database.write(async (run) => {
      for (const batch of batches) await run(insertInto(this.#table), [batch])
    })
  }

  async *entries(): AsyncIterable<LedgerEntry> {
    await this.#database.ready()
    const [last] = await this.#database.rows<{ readonly seq: unknown }>(`SELECT max(seq) AS seq FROM ${this.#table}`)
    const page = `SELECT ${SELECTED} FROM ${this.#table} WHERE seq > $1 AND seq <= $2 ORDER BY seq LIMIT ${PAGE}`
    for (let after = '0'; ; ) {
      const rows = await this.#database.rows(page, [after, last?.seq ?? null])
      for (const row of rows) yield entryOf(row)
      if (rows.length < PAGE) return
      after = seqOf(rows.at(-1))
    }
  }

  async page(conditions: Conditions, limit: number, after = '0'): Promise<EntryPage> {
    if (!/^\d{1,18}$/.test(after)) throw noCursor(after)
    await this.#database.ready()
    // One more than is wanted tells whether there is a next page.
    const { text, parameters } = pageSql(POSTGRES, this.#table, SELECTED, keptConditions(conditions), limit + 1, after)
    const rows = await this.#database.rows(text, parameters)
    const entries = rows.slice(0, limit).map(entryOf)
    return rows.length > limit ? { entries, next: seqOf(rows[limit - 1]) } : { entries }
  }

  async sums(conditions: Conditions, by: readonly EntryField[], boundaries: readonly number[]): Promise<readonly EntrySum[]> {
    await this.#database.ready()
    const answers = await Promise.all(
      sumsSql(POSTGRES, this.#table, keptConditions(conditions), by, boundaries).map(async (query) => {
        return [query, await this.#database.rows<SumsRow>(query.text, query.parameters)] as const
      }),
    )
    return sumsOfRows(by, answers).map(givenSum)
  }

  close(): Promise<void> {
    return this.#database.close()
  }
}
