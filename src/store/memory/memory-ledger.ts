// A sink in memory: the newest entries of a store elsewhere, for tests and for reports that need not outlive the process. Knows no store.

import { InvalidConfigError } from '../../errors/index.js'
import type { Conditions, EntryPage, LedgerEntry } from '../../ledger/index.js'
import type { EntrySink } from '../auditing.js'
import { pageOfRings, Ring, type Numbered } from './ring.js'

/** Options of {@link memoryLedger}. */
export interface MemoryLedgerOptions {
  /** How many entries are kept, the newest. Default 100,000. */
  readonly max?: number | undefined
}

/** A bounded ledger of entries that were written elsewhere. */
export interface MemoryLedger extends EntrySink {
  /** Entries fall out and are gone with the process: a store of which this is the sink is never audited as complete. */
  readonly isBounded: true
  write(entries: readonly LedgerEntry[]): void
  page(conditions: Conditions, limit: number, after?: string): EntryPage
}

const MAX = 100_000

/**
 * Keeps ledger entries in this process's memory, the newest `max`: all of one call or none, each (id, time) once for as long as it is kept.
 * Throws `InvalidConfigError` for an option that is none.
 */
export function memoryLedger(options: MemoryLedgerOptions = {}): MemoryLedger {
  if (typeof options !== 'object' || options === null) throw new InvalidConfigError(`memoryLedger: ${String(options)} are no options. Give { max }, or none.`)
  const unknown = Object.keys(options).find((name) => name !== 'max')
  if (unknown !== undefined) throw new InvalidConfigError(`memoryLedger.${unknown}: is no known option. Use max.`)
  const { max = MAX } = options
  if (!(Number.isSafeInteger(max) && max >= 1)) throw new InvalidConfigError(`memoryLedger.max: ${String(max)} is no count. Give a whole number of at least 1.`)
  return new BoundedLedger(max)
}

interface Kept extends Numbered {
  readonly identity: string
  readonly entry: LedgerEntry
}

class BoundedLedger implements MemoryLedger {
  readonly isBounded = true
  readonly #kept: Ring<Kept>
  readonly #known = new Set<string>()
  #written = 0

  constructor(max: number) {
    this.#kept = new Ring(max)
  }

  write(entries: readonly LedgerEntry[]): void {
    // All of them are read before the first is kept.
    const named = entries.map((entry) => ({ identity: identityOf(entry), entry }))
    for (const { identity, entry } of named) {
      if (this.#known.has(identity)) continue
      const dropped = this.#kept.next
      if (dropped !== undefined) this.#known.delete(dropped.identity)
      this.#known.add(identity)
      this.#kept.put({ number: (this.#written += 1), identity, entry })
    }
  }

  async *entries(): AsyncIterable<LedgerEntry> {
    for (const { entry } of this.#kept.fromOldest()) yield entry
  }

  page(conditions: Conditions, limit: number, after?: string): EntryPage {
    return pageOfRings([this.#kept], ({ entry }) => entry, this.#written, conditions, limit, after)
  }
}

function identityOf({ id, at, openedAt }: LedgerEntry): string {
  return `${at} ${openedAt ?? 0} ${id}`
}
