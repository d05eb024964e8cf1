// Filters, pages and sums over the table of entries, asked of SQLite itself. Knows how this database says them; what they mean is the
// ledger's.

import { setImmediate as nextTurn } from 'node:timers/promises'
import { noCursor, type Conditions, type EntryField, type EntryPage, type EntrySum } from '../../ledger/index.js'
import { GroupedSums, pageSql, sumsSql, type Dialect, type SumsRow } from '../../ledger/sql.js'
import type { MaybePromise } from '../maybe-promise.js'
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

/** How many entries are looked at before the process may turn to something else: some milliseconds. */
const LOOKED_AT = 4_000
/** What no instant is before, or after. */
const [EARLIEST, LATEST] = [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER]

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

  /** See `EntrySource.part`. */
  part(conditions: Conditions, limit: number, after?: string): EntryPage {
    const from = after === undefined ? 0 : numberOf(after)
    return this.#connection.read(() => {
      const { last } = this.#connection.prepare('SELECT max(seq) AS last FROM entry').get() as { readonly last: number | null }
      const until = from + LOOKED_AT
      const { text, parameters } = pageSql(SQLITE, 'entry NOT INDEXED', ENTRY_COLUMNS, conditions, limit, from, until)
      const rows = this.#connection.prepare(text).all(...parameters) as EntryRow[]
      const reached = rows.length < limit ? until : (rows[limit - 1] as EntryRow).seq
      const entries = rows.map(entryOf)
      return reached < (last ?? 0) ? { entries, next: String(reached) } : { entries }
    })
  }

  /**
   * See `EntrySource.sums`: of the entries that are there when it is asked for. At once for few of them, else a part at a time, and the
   * process does other things in between.
   */
  sums(conditions: Conditions, by: readonly EntryField[], boundaries: readonly number[]): MaybePromise<readonly EntrySum[]> {
    const found = new GroupedSums(by)
    const last = this.#connection.read(() => {
      const { last } = this.#connection.prepare('SELECT max(seq) AS last FROM entry').get() as { readonly last: number | null }
      if ((last ?? 0) <= LOOKED_AT) this.#addTo(found, conditions, by, boundaries)
      return last ?? 0
    })
    return last <= LOOKED_AT ? found.all : this.#inParts(found, last, conditions, by, boundaries)
  }

  // Entries are never changed or removed, and are numbered as they are written: those up to a number are the ledger of that moment,
  // whatever is written between the parts.
  async #inParts(found: GroupedSums, last: number, conditions: Conditions, by: readonly EntryField[], boundaries: readonly number[]): Promise<readonly EntrySum[]> {
    // Where an index finds entries by their time, it finds fewer than the numbers do.
    const range = rangeOf(conditions, boundaries)
    if (range !== undefined && this.#hasTimeIndex()) {
      const untimed = { ...conditions, bounds: conditions.bounds.filter(({ field }) => field !== 'at') }
      for (let { from, until } = range; from < until; ) {
        await nextTurn()
        const end = this.#endOfPart(from, until)
        this.#connection.read(() => this.#addTo(found, untimed, by, boundaries, `at >= ${from} AND at < ${end} AND +seq <= ${last}`))
        from = end
      }
      return found.all
    }
    for (let after = 0; after < last; after += LOOKED_AT) {
      await nextTurn()
      this.#connection.read(() => this.#addTo(found, conditions, by, boundaries, `seq > ${after} AND seq <= ${Math.min(after + LOOKED_AT, last)}`))
    }
    return found.all
  }

  /** The instant before which there are about as many entries as are looked at once: all of one instant are of one part. */
  #endOfPart(from: number, until: number): number {
    const next = this.#connection.once(() => this.#connection.prepare(`SELECT at FROM entry WHERE at >= ? AND at < ? ORDER BY at LIMIT 1 OFFSET ${LOOKED_AT}`).get(from, until)) as { readonly at: number } | undefined
    return next === undefined ? until : Math.max(next.at, from + 1)
  }

  #hasTimeIndex(): boolean {
    return this.#connection.once(() => this.#connection.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'index' AND name = 'entry_at'").get()) !== undefined
  }

  #addTo(found: GroupedSums, conditions: Conditions, by: readonly EntryField[], boundaries: readonly number[], only?: string): void {
    try {
      this.#add(found, SQLITE, conditions, by, boundaries, only)
    } catch (error) {
      if (!isOverflow(error)) throw error
      this.#add(found, IN_HALVES, conditions, by, boundaries, only)
    }
  }

  #add(found: GroupedSums, dialect: Dialect, conditions: Conditions, by: readonly EntryField[], boundaries: readonly number[], only?: string): void {
    const answers = sumsSql(dialect, 'entry', conditions, by, boundaries, only).map((query) => {
      const rows = this.#connection.prepare(query.text).all(...query.parameters) as SumsRow[]
      return [query, dialect === IN_HALVES ? rows.map(whole) : rows] as const
    })
    // Not before all have answered: what fails is asked again.
    for (const [query, rows] of answers) found.add(query, rows)
  }
}

/** The instants that are asked for, the end not included; `undefined` where time does not matter. */
function rangeOf({ bounds }: Conditions, boundaries: readonly number[]): { readonly from: number; readonly until: number } | undefined {
  const timed = bounds.filter(({ field }) => field === 'at')
  if (timed.length === 0 && boundaries.length === 0) return undefined
  const from = Math.max(EARLIEST, Math.ceil(boundaries[0] ?? EARLIEST), ...timed.map(({ least }) => Math.ceil(least)))
  return { from, until: Math.min(LATEST, Math.ceil(boundaries.at(-1) ?? LATEST), ...timed.map(({ most }) => Math.floor(most) + 1)) }
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
