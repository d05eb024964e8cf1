// No entry of a ledger twice: exports that overlap, put together, would double the money. Remembers so much of a ledger as can still be
// mistaken for what is read.

import { InvalidRowError } from '../errors/index.js'
import type { LedgerEntry } from '../ledger/index.js'

/** Remembered at least, however long ago. */
const LEAST_REMEMBERED = 100_000
const ENDINGS: readonly string[] = ['settled', 'released', 'expired']

interface Remembered {
  readonly row: number
  readonly at: number
}

interface Generation {
  readonly entries: Map<string, number>
  /** How holds ended, by decision. */
  readonly endings: Map<string, Remembered>
  latestAt: number
}

/** The entries of a ledger that were read. */
export class Repeats {
  readonly #lookAheadMs: number
  #young = generation()
  #old = generation()
  #readAt = -Infinity

  constructor(lookAheadMs: number) {
    this.#lookAheadMs = lookAheadMs
  }

  /** Remembers an entry. Throws `InvalidRowError` for one that was read before, and for a second ending of one hold. */
  assertNew(row: number, { id, kind, at, openedAt = at, decisionId }: LedgerEntry): void {
    const key = `${at} ${openedAt} ${id}`
    const known = this.#young.entries.get(key) ?? this.#old.entries.get(key)
    if (known !== undefined) throw new InvalidRowError(row, `id: ${JSON.stringify(id)} was in row ${known} already. Exports that overlap count what they share once only: leave such rows out with onBadRow: 'skip'.`)
    const isEnding = ENDINGS.includes(kind)
    if (isEnding) {
      const ended = this.#young.endings.get(decisionId) ?? this.#old.endings.get(decisionId)
      // Ids may be used again, but not while they are in use.
      if (ended !== undefined && openedAt <= ended.at) throw new InvalidRowError(row, `decisionId: ${JSON.stringify(decisionId)} ended in row ${ended.row} already, and a hold ends once. Leave one of the two out, or all later ones with onBadRow: 'skip'.`)
    }
    this.#readAt = Math.max(this.#readAt, at)
    if (this.#young.entries.size >= LEAST_REMEMBERED && this.#old.latestAt < this.#readAt - this.#lookAheadMs) {
      this.#old = this.#young
      this.#young = generation()
    }
    this.#young.entries.set(key, row)
    if (isEnding) this.#young.endings.set(decisionId, { row, at })
    this.#young.latestAt = Math.max(this.#young.latestAt, at)
  }
}

function generation(): Generation {
  return { entries: new Map(), endings: new Map(), latestAt: -Infinity }
}
