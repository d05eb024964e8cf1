// How a memory store is audited. Everything is copied at once: nothing else runs meanwhile, so it is of one moment.

import type { LedgerEntry } from '../../ledger/index.js'
import type { AuditSnapshot, Auditor, CounterCorrection, LedgerStanding } from '../auditing.js'
import { correctCounters, countedWindows, openHold } from '../counting/audited.js'
import { LIFETIME_ENTRIES, LIFETIME_MICROCENTS } from '../counting/cells.js'
import type { DueQueue } from './due-queue.js'
import type { StoreLedger } from './ledger.js'
import type { Scopes } from './scopes.js'

/** The auditor of one store. `advance` ends what is due and gives store time. */
export class MemoryAuditor implements Auditor {
  readonly #advance: () => number
  readonly #scopes: Scopes
  readonly #due: DueQueue
  readonly #ledger: StoreLedger
  #repairs = 0

  constructor(advance: () => number, scopes: Scopes, due: DueQueue, ledger: StoreLedger) {
    this.#advance = advance
    this.#scopes = scopes
    this.#due = due
    this.#ledger = ledger
  }

  snapshot(): AuditSnapshot {
    const now = this.#advance()
    const { hasForgotten: restarted } = this.#scopes
    const scopes = [...this.#scopes.all()].map(({ scope, record }) => {
      const { cells, base } = record
      const microcents = cells[base + LIFETIME_MICROCENTS] as number
      return { scope, microcents, entries: cells[base + LIFETIME_ENTRIES] as number, restarted, windows: countedWindows(record, now) }
    })
    const { complete } = this.#ledger
    const entries = this.#ledger.written()
    return { now, complete, scopes, holds: this.#due.holds.map(openHold), repairs: this.#repairs, entries: () => each(entries) }
  }

  standing(): LedgerStanding {
    return { repairs: this.#repairs, room: this.#ledger.room, isAnonymised: false }
  }

  correct(corrections: readonly CounterCorrection[], repairs = this.#repairs): boolean {
    if (repairs !== this.#repairs) return false
    this.#repairs += 1
    this.#advance()
    for (const correction of corrections) {
      const record = this.#scopes.get(correction)
      if (record !== undefined) correctCounters(record, correction)
    }
    return true
  }

  append(entries: readonly LedgerEntry[], repairs = this.#repairs): boolean {
    if (repairs !== this.#repairs) return false
    const moved = entries.filter(({ calls }) => calls !== undefined)
    if (moved.length > 0 && moved.length > this.#ledger.room) return false
    this.#repairs += 1
    for (const entry of entries) {
      if (entry.calls === undefined) this.#ledger.charge(entry)
      else this.#ledger.move(entry)
    }
    return true
  }
}

async function* each(entries: readonly LedgerEntry[]): AsyncIterable<LedgerEntry> {
  yield* entries
}
