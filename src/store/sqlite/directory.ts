// Tiers, overrides and billing as rows. Every look-up reads the file: another process may have changed them a moment ago.

import { scopeKey, userScope, type Billing, type Overrides, type UserRef } from '../../budget/index.js'
import { isEmptyEntry, mergeEntry } from '../counting/directory-entry.js'
import type { Directory, DirectoryChange, DirectoryEntry, KnownUser } from '../directory.js'
import type { Connection } from './connection.js'
import type { SqliteStatement } from './driver.js'

interface DirectoryRow {
  readonly tier: string | null
  readonly overrides: string | null
  readonly billing: string | null
}

interface UserRow {
  readonly key: string
  readonly tenant: string | null
  readonly user_id: string
  readonly tier: string | null
}

const NOTHING: DirectoryEntry = Object.freeze({})
/** How many entries are kept as objects. */
const MOST_KNOWN = 10_000
/** How many users are read at once. */
const PAGE = 500

/** The table of tiers, overrides and billing, and of who was counted. */
export class DirectoryTable implements Directory {
  readonly #connection: Connection
  readonly #find: SqliteStatement
  readonly #put: SqliteStatement
  readonly #remove: SqliteStatement
  readonly #named: SqliteStatement
  readonly #counted: SqliteStatement
  // By content, so that users with the same entry have the same object, and one that has not changed keeps its identity.
  readonly #entries = new Map<string, DirectoryEntry>()

  constructor(connection: Connection) {
    this.#connection = connection
    this.#find = connection.prepare('SELECT tier, overrides, billing FROM directory WHERE key = ?')
    this.#put = connection.prepare('INSERT OR REPLACE INTO directory (key, tenant, user_id, tier, overrides, billing) VALUES (?, ?, ?, ?, ?, ?)')
    this.#remove = connection.prepare('DELETE FROM directory WHERE key = ?')
    this.#named = connection.prepare(`
      SELECT key, directory.tenant, user_id, coalesce(directory.tier, scope.tier) AS tier FROM directory LEFT JOIN scope USING (key) WHERE key > ? ORDER BY key LIMIT ${PAGE}`)
    this.#counted = connection.prepare(`
      SELECT key, tenant, id AS user_id, tier FROM scope WHERE key > ? AND key < 'user0' AND key NOT IN (SELECT key FROM directory) ORDER BY key LIMIT ${PAGE}`)
  }

  get(user: UserRef): DirectoryEntry | undefined {
    return this.#connection.once(() => this.#read(scopeKey(userScope(user))))
  }

  change(user: UserRef, change: DirectoryChange): { before: DirectoryEntry; after: DirectoryEntry } {
    const key = scopeKey(userScope(user))
    return this.#connection.write(() => {
      const before = this.#read(key) ?? NOTHING
      const after = mergeEntry(before, change)
      if (isEmptyEntry(after)) this.#remove.run(key)
      else if (after !== before) this.#put.run(key, user.tenant ?? null, user.userId, after.tier ?? null, jsonOf(after.overrides), jsonOf(after.billing))
      return { before, after }
    })
  }

  /** Every user that the directory names or that was counted, with the tier last seen. */
  async *users(): AsyncIterable<KnownUser> {
    yield* this.#users(this.#named, '')
    yield* this.#users(this.#counted, 'user/')
  }

  async *#users(page: SqliteStatement, first: string): AsyncIterable<KnownUser> {
    for (let after = first; ; ) {
      const from = after
      const rows = this.#connection.once(() => page.all(from)) as UserRow[]
      for (const { user_id: userId, tenant, tier } of rows) yield { user: tenant === null ? { userId } : { userId, tenant }, tier: tier ?? undefined }
      if (rows.length < PAGE) return
      after = (rows.at(-1) as UserRow).key
    }
  }

  #read(key: string): DirectoryEntry | undefined {
    const row = this.#find.get(key) as DirectoryRow | undefined
    if (row === undefined) return undefined
    const { tier, overrides, billing } = row
    const content = JSON.stringify([tier, overrides, billing])
    let entry = this.#entries.get(content)
    if (entry === undefined) {
      entry = Object.freeze({
        ...(tier !== null && { tier }),
        ...(overrides !== null && { overrides: Object.freeze(JSON.parse(overrides) as Overrides) }),
        ...(billing !== null && { billing: Object.freeze(JSON.parse(billing) as Billing) }),
      })
      if (this.#entries.size >= MOST_KNOWN) this.#entries.clear()
      this.#entries.set(content, entry)
    }
    return entry
  }
}

function jsonOf(value: Overrides | Billing | undefined): string | null {
  return value === undefined ? null : JSON.stringify(value)
}
