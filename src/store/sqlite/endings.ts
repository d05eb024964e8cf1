// Finds the entries that ended a user's charges, newest first, for refunds. The index is written many entries at a time: one at a
// time it would cost every request a page of the file, and a refund is rare.

import type { UserRef } from '../../budget/index.js'
import type { Connection } from './connection.js'
import { perform, type SqliteStatement } from './driver.js'
import type { EntryRow } from './entries.js'

/** The entry of a charge's ending, with the scopes and terms of the charge. */
export interface EndingRow extends EntryRow {
  readonly placed: string
}

interface Found {
  readonly seq: number
}

/** How many are read at once. */
const PAGE = 64

/** The table of endings, and those in the ledger that are not in it yet. What an audit has appended ended no charge. */
export class EndingTable {
  readonly #index: SqliteStatement
  readonly #recent: SqliteStatement
  readonly #indexed: SqliteStatement
  readonly #recentNamed: SqliteStatement
  readonly #indexedNamed: SqliteStatement
  readonly #entry: SqliteStatement

  constructor(connection: Connection) {
    this.#index = connection.prepare(`
      INSERT INTO ending (user_id, tenant, seq, decision_id)
      SELECT user_id, coalesce(tenant, ''), seq, decision_id FROM entry WHERE seq > ? AND seq <= ? AND placed IS NOT NULL ORDER BY 1, 2, 3`)
    const recent = "FROM entry WHERE seq > ? AND user_id = ? AND coalesce(tenant, '') = ? AND placed IS NOT NULL"
    const indexed = 'FROM ending WHERE user_id = ? AND tenant = ?'
    this.#recent = connection.prepare(`SELECT seq ${recent} ORDER BY seq DESC`)
    this.#indexed = connection.prepare(`SELECT seq ${indexed} AND seq < ? ORDER BY seq DESC LIMIT ${PAGE}`)
    this.#recentNamed = connection.prepare(`SELECT seq ${recent} AND decision_id = ? ORDER BY seq DESC LIMIT 1`)
    this.#indexedNamed = connection.prepare(`SELECT seq ${indexed} AND decision_id = ? ORDER BY seq DESC LIMIT 1`)
    this.#entry = connection.prepare('SELECT * FROM entry WHERE seq = ?')
  }

  /** Indexes the entries after one number up to another. */
  index(after: number, until: number): void {
    perform(this.#index, after, until)
  }

  /** From the newest back, read as far as somebody asks. `summed`: up to where the entries are indexed. */
  *newestFirst({ userId, tenant = '' }: UserRef, summed: number): Generator<EndingRow> {
    for (const { seq } of this.#recent.all(summed, userId, tenant) as Found[]) yield this.#at(seq)
    for (let before = summed + 1; ; ) {
      const page = this.#indexed.all(userId, tenant, before) as Found[]
      for (const { seq } of page) yield this.#at(seq)
      if (page.length < PAGE) return
      before = (page.at(-1) as Found).seq
    }
  }

  /** The newest of a user's charges with that id. */
  named(id: string, { userId, tenant = '' }: UserRef, summed: number): EndingRow | undefined {
    const found = (this.#recentNamed.get(summed, userId, tenant, id) ?? this.#indexedNamed.get(userId, tenant, id)) as Found | undefined
    return found === undefined ? undefined : this.#at(found.seq)
  }

  #at(seq: number): EndingRow {
    return this.#entry.get(seq) as EndingRow
  }
}
