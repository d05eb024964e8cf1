// The scopes that a memory store counts. A scope is made at its first charge and forgotten once all its windows have ended.

import type { ScopeTerms } from '../contract.js'
import { hasLapsed, type Cells } from './cells.js'
import { Layout } from './layout.js'

/** The counters of one scope. */
export class ScopeRecord {
  layout: Layout
  readonly cells: Cells
  /** How many open holds are placed in it: none may be forgotten. */
  openHolds = 0
  /** The tier of the last request, for listing users. */
  tier: string | undefined

  constructor(layout: Layout, cells: Cells) {
    this.layout = layout
    this.cells = cells
  }
}

/** How many other scopes are looked at when a new one is made: more than one, so that the ended are found faster than new ones come. */
const LOOKED_AT = 4

/** All scopes by key. */
export class Scopes {
  readonly #records = new Map<string, ScopeRecord>()
  readonly #root = Layout.empty()
  #round: IterableIterator<[string, ScopeRecord]> | undefined

  get size(): number {
    return this.#records.size
  }

  get(key: string): ScopeRecord | undefined {
    return this.#records.get(key)
  }

  entries(): IterableIterator<[string, ScopeRecord]> {
    return this.#records.entries()
  }

  /** The record of a scope with room for all its windows, made if it is not there. */
  withRoomFor(terms: ScopeTerms, now: number): ScopeRecord {
    let record = this.#records.get(terms.key)
    if (record === undefined) {
      this.#forgetLapsed(now)
      // Fractions keep V8 from counting in small integers first and rebuilding the array later.
      const cells: Cells = [0.5, 0.5]
      cells[0] = 0
      cells[1] = 0
      record = new ScopeRecord(this.#root, cells)
      this.#records.set(terms.key, record)
    }
    if (!record.layout.placesOf(terms.windows).complete) record.layout = record.layout.grownBy(terms.windows, record.cells)
    return record
  }

  #forgetLapsed(now: number): void {
    for (let looked = 0; looked < LOOKED_AT; looked += 1) {
      this.#round ??= this.#records.entries()
      const next = this.#round.next()
      if (next.done === true) {
        this.#round = undefined
        return
      }
      const [key, record] = next.value
      if (record.openHolds === 0 && hasLapsedWholly(record, now)) this.#records.delete(key)
    }
  }
}

function hasLapsedWholly({ layout, cells }: ScopeRecord, now: number): boolean {
  return layout.windows.every((terms) => hasLapsed(cells, layout.slotOf(terms.window), terms, now))
}
