// Filters, pages and sums over the table of entries, asked of SQLite itself. Knows how this database says them; what they mean is the
// ledger's.

import { noCursor, type Conditions, type EntryField, type EntryPage, type EntrySum } from '../../ledger/index.js'
import { pageSql, sumsOfRows, sumsSql, type Dialect, type SumsRow } from '../../ledger/sql.js'
import type { Connection } from './connection.js'
import { ENTRY_COLUMNS, entryOf, type EntryRow } from './entries.js'

/** How many texts are given one by one: SQLite takes no more than some thousands of parameters. */
const MOST_TEXTS = 500

const SQLITE: Dialect = {
  parameter: () => '?',
  // A path takes a key in quotes as JSON writes it, dots, quotes and all.
  jsonAt: (column, keys, add) => `(${column} -> ${add(`$${keys.map((key) => `.${JSON.stringify(key)}`).join('')}`)})`,
  oneOf: (expression, texts, add) => `${expression} IN (${texts.length > MOST_TEXTS ? `SELECT value FROM json_each(${add(JSON.stringify(texts))})` : texts.map(add).join(', ')})`,
  // As a text: the drivers give no integer above 2^53.
  sum: (column) => `CAST(sum(${column}) AS TEXT)`,
}

/** For sums above 2^63, which SQLite refuses: the upper and the lower half of the amounts apart. */
const IN_HALVES: Dialect = { ...SQLITE, sum: (column) => `sum(${column} >> 32) || ' ' || sum(${column} & 4294967295)` }
const HALF_BITS = 32n

/** What can be asked of a file with a table of entries. A page is of the entries that are there when it is asked for. */
export class EntryQueries {
  readonly #connection: Connection

  constructor(connection: Connection) {
    this.#connection = connection
  }

  /** See `EntrySource.page`. */
  page(conditions: Conditions, limit: number, after?: string): EntryPage {
    // An index on anything but the number would have every page look at all entries and sort them.
    const { text, parameters } = pageSql(SQLITE, 'entry NOT INDEXED', ENTRY_COLUMNS, conditions, limit + 1, after === undefined ? 0 : numberOf(after))
    const rows = this.#connection.once(() => this.#connection.prepare(text).all(...parameters)) as EntryRow[]
    const entries = rows.slice(0, limit).map(entryOf)
    return rows.length > limit ? { entries, next: String((rows[limit - 1] as EntryRow).seq) } : { entries }
  }

  /** See `EntrySource.sums`. */
  sums(conditions: Conditions, by: readonly EntryField[], boundaries: readonly number[]): readonly EntrySum[] {
    return this.#connection.read(() => {
      try {
        return this.#sums(SQLITE, conditions, by, boundaries)
      } catch (error) {
        if (!isOverflow(error)) throw error
        return this.#sums(IN_HALVES, conditions, by, boundaries)
      }
    })
  }

  #sums(dialect: Dialect, conditions: Conditions, by: readonly EntryField[], boundaries: readonly number[]): readonly EntrySum[] {
    const answers = sumsSql(dialect, 'entry', conditions, by, boundaries).map((query) => {
      const rows = this.#connection.prepare(query.text).all(...query.parameters) as SumsRow[]
      return [query, dialect === IN_HALVES ? rows.map(whole) : rows] as const
    })
    return sumsOfRows(by, answers)
  }
}

/** The number of an entry that a cursor names. Throws `InvalidRequestError` for what is no cursor. */
function numberOf(after: string): number {
  if (typeof after !== 'string' || !/^[1-9]\d{0,14}$/.test(after)) throw noCursor(after)
  return Number(after)
}

function whole(row: SumsRow): SumsRow {
  return { ...row, tokens: joined(row['tokens'] as string), microcents: joined(row['microcents'] as string) }
}

function joined(halves: string): bigint {
  const [upper, lower] = halves.split(' ') as [string, string]
  return (BigInt(upper) << HALF_BITS) + BigInt(lower)
}

function isOverflow(error: unknown): boolean {
  return error instanceof Error && error.message.includes('integer overflow')
}
