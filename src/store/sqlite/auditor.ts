// What an audit sees of this store, and how it mends it: counters, holds and ledger at one moment of the file.

import { scopeKey } from '../../budget/index.js'
import type { LedgerEntry } from '../../ledger/index.js'
import type { Auditor, AuditSnapshot, CountedScope, CounterCorrection, LedgerStanding } from '../auditing.js'
import { correctCounters, countedWindows, openHold } from '../counting/audited.js'
import { LIFETIME_ENTRIES, LIFETIME_MICROCENTS } from '../counting/cells.js'
import type { ChargeTable } from './charges.js'
import type { Connection } from './connection.js'
import type { SqliteStatement } from './driver.js'
import type { StoreLedger } from './ledger.js'
import type { ScopeRow, ScopeTable } from './scopes.js'

/** How many scopes are read at once. */
const PAGE = 500

interface WholeScopeRow extends ScopeRow {
  readonly key: string
  readonly kind: string
  readonly tenant: string | null
  readonly id: string
}

/** The auditor of a SQLite store. The ledger of one is never trimmed: what it lacks was never written. */
export class SqliteAuditor implements Auditor {
  readonly #connection: Connection
  readonly #scopes: ScopeTable
  readonly #charges: ChargeTable
  readonly #ledger: StoreLedger
  readonly #operate: <T>(work: (now: number) => T) => T
  readonly #page: SqliteStatement
  readonly #repairs: SqliteStatement
  readonly #nextRepair: SqliteStatement

  constructor(connection: Connection, scopes: ScopeTable, charges: ChargeTable, ledger: StoreLedger, operate: <T>(work: (now: number) => T) => T) {
    this.#connection = connection
    this.#scopes = scopes
    this.#charges = charges
    this.#ledger = ledger
    this.#operate = operate
    this.#page = connection.prepare(`SELECT key, kind, tenant, id, tier, layout, cells FROM scope WHERE key > ? ORDER BY key LIMIT ${PAGE}`)
    this.#repairs = connection.prepare('SELECT repairs FROM head')
    this.#nextRepair = connection.prepare('UPDATE head SET repairs = repairs + 1')
  }

  snapshot(): AuditSnapshot {
    // Due holds end first; then nobody has to wait while everything is read.
    const now = this.#operate((at) => at)
    return this.#connection.read(() => {
      const until = this.#ledger.last()
      const scopes = [...this.#countedScopes(now)]
      const holds = this.#charges.open().map(openHold)
      return { now, complete: true, scopes, holds, repairs: this.#made(), entries: () => this.#ledger.entries(until) }
    })
  }

  standing(): LedgerStanding {
    return { repairs: this.#made(), room: Infinity, isAnonymised: false }
  }

  correct(corrections: readonly CounterCorrection[], repairs?: number): boolean {
    return this.#operate(() => {
      if (!this.#isNext(repairs)) return false
      for (const correction of corrections) {
        const { scope } = correction
        const loaded = this.#scopes.get({ scope, key: scopeKey(scope) })
        if (loaded === undefined) continue
        this.#scopes.changing(loaded)
        correctCounters(loaded, correction)
      }
      return true
    })
  }

  append(entries: readonly LedgerEntry[], repairs?: number): boolean {
    return this.#operate(() => {
      if (!this.#isNext(repairs)) return false
      for (const entry of entries) this.#ledger.add(entry)
      return true
    })
  }

  #made(): number {
    return (this.#repairs.get() as { readonly repairs: number }).repairs
  }

  /** Counts a repair, if none was made since. */
  #isNext(repairs: number | undefined): boolean {
    if (repairs !== undefined && repairs !== this.#made()) return false
    this.#nextRepair.get()
    return true
  }

  *#countedScopes(now: number): Generator<CountedScope> {
    for (let after = ''; ; ) {
      const rows = this.#page.all(after) as WholeScopeRow[]
      for (const row of rows) {
        const { key, kind, id, tenant } = row
        const scope = tenant === null ? { kind, id } : { kind, id, tenant }
        const loaded = this.#scopes.loadedFrom(row, scope, key)
        yield { scope, microcents: loaded.cells[LIFETIME_MICROCENTS] as number, entries: loaded.cells[LIFETIME_ENTRIES] as number, windows: countedWindows(loaded, now) }
      }
      if (rows.length < PAGE) return
      after = (rows.at(-1) as WholeScopeRow).key
    }
  }
}
