// The counters of scopes as rows, loaded when they are needed and written back at the end of the transaction. What was loaded is
// good until another process has written, or a transaction was rolled back.

import { scopeKey } from '../../budget/index.js'
import type { ScopeId } from '../../enforcement/index.js'
import type { ScopeTerms } from '../contract.js'
import type { Books, ScopeRecord } from '../counting/books.js'
import type { Cells } from '../counting/cells.js'
import type { Layout } from '../counting/layout.js'
import type { Connection } from './connection.js'
import { perform, type SqliteStatement } from './driver.js'
import type { WindowTables } from './windows.js'

/** The counters of one scope within a transaction. */
export interface LoadedScope extends ScopeRecord {
  readonly key: string
  readonly scope: ScopeId
  layout: Layout
  cells: Cells
  tier: string | undefined
  isNew: boolean
  isChanged: boolean
}

/** A row of the table, as it is read. */
export interface ScopeRow {
  readonly tier: string | null
  readonly layout: number
  readonly cells: Uint8Array
}

/** How many scopes are kept between transactions. */
const MOST_KNOWN = 4_096

/** The table of scopes. */
export class ScopeTable implements Books<LoadedScope> {
  readonly #windows: WindowTables
  readonly #find: SqliteStatement
  readonly #add: SqliteStatement
  readonly #update: SqliteStatement
  readonly #known = new Map<string, LoadedScope>()
  readonly #changed: LoadedScope[] = []

  constructor(connection: Connection, windows: WindowTables) {
    this.#windows = windows
    this.#find = connection.prepare('SELECT tier, layout, cells FROM scope WHERE key = ?')
    this.#add = connection.prepare('INSERT INTO scope (key, kind, tenant, id, tier, layout, cells) VALUES (?, ?, ?, ?, ?, ?, ?)')
    this.#update = connection.prepare('UPDATE scope SET tier = ?, layout = ?, cells = ? WHERE key = ?')
  }

  get({ scope, key }: Pick<ScopeTerms, 'scope' | 'key'>): LoadedScope | undefined {
    const known = this.#known.get(key)
    if (known !== undefined) return known
    const row = this.#find.get(key) as ScopeRow | undefined
    if (row === undefined) return undefined
    const loaded = this.loadedFrom(row, scope, key)
    this.#known.set(key, loaded)
    return loaded
  }

  withRoomFor(terms: Pick<ScopeTerms, 'scope' | 'key' | 'windows'>): LoadedScope {
    const { scope, windows } = terms
    const key = terms.key
    let loaded = this.get({ scope, key })
    if (loaded === undefined) {
      const { root } = this.#windows
      loaded = { key, scope, layout: root, cells: Float64Array.from(root.empty), base: 0, tier: undefined, isNew: true, isChanged: false }
      this.#known.set(key, loaded)
    }
    this.changing(loaded)
    if (!loaded.layout.placesOf(windows).complete) {
      loaded.layout = loaded.layout.grownBy(windows)
      const cells = Float64Array.from(loaded.layout.empty)
      cells.set(loaded.cells)
      loaded.cells = cells
    }
    return loaded
  }

  noteTier(record: LoadedScope, tier: string | undefined): void {
    record.tier = tier
  }

  /** The counters of a scope as they stand in the file, whatever is known. */
  stored(scope: ScopeId): LoadedScope | undefined {
    const key = scopeKey(scope)
    const row = this.#find.get(key) as ScopeRow | undefined
    return row === undefined ? undefined : this.loadedFrom(row, scope, key)
  }

  /** A row as counters. */
  loadedFrom({ tier, layout, cells }: ScopeRow, scope: ScopeId, key: string): LoadedScope {
    return { key, scope, layout: this.#windows.layout(layout), cells: numbersOf(cells), base: 0, tier: tier ?? undefined, isNew: false, isChanged: false }
  }

  /** Notes that it is about to be changed. */
  changing(loaded: LoadedScope): void {
    if (loaded.isChanged) return
    loaded.isChanged = true
    this.#changed.push(loaded)
  }

  /** Writes back what has changed. */
  flush(): void {
    for (const loaded of this.#changed) {
      const { key, scope, tier = null } = loaded
      const layout = this.#windows.layoutId(loaded.layout)
      const cells = bytesOf(loaded.cells)
      if (loaded.isNew) perform(this.#add, key, scope.kind, scope.tenant ?? null, scope.id, tier, layout, cells)
      else perform(this.#update, tier, layout, cells, key)
      loaded.isNew = false
      loaded.isChanged = false
    }
    this.#changed.length = 0
    if (this.#known.size > MOST_KNOWN) this.#known.clear()
  }

  /** Another process may have changed what is known here, or what was changed here was rolled back. */
  forget(): void {
    this.#known.clear()
    this.#changed.length = 0
  }
}

function numbersOf(bytes: Uint8Array): Cells {
  // A driver may give a view into a larger buffer, at any place.
  const { buffer, byteOffset, byteLength } = byteOffsetIsWhole(bytes) ? bytes : Uint8Array.from(bytes)
  return new Float64Array(buffer as ArrayBuffer, byteOffset, byteLength / Float64Array.BYTES_PER_ELEMENT)
}

function byteOffsetIsWhole({ byteOffset }: Uint8Array): boolean {
  return byteOffset % Float64Array.BYTES_PER_ELEMENT === 0
}

function bytesOf({ buffer, byteOffset, byteLength }: Cells): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength)
}
