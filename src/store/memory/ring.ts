// The newest of many things, in bounded memory, and pages of what is kept in several rings. Knows nothing of what it keeps.

import { matches, noCursor, type Conditions, type EntryPage, type LedgerEntry } from '../../ledger/index.js'

/** Something that has its place in an order of writing. */
export interface Numbered {
  readonly number: number
}

/** The newest of what was put in, up to a number (at least 1). */
export class Ring<T> {
  readonly #capacity: number
  readonly #kept: T[] = []
  #oldest = 0

  constructor(capacity: number) {
    this.#capacity = Math.max(1, capacity)
  }

  /** How many are kept. */
  get size(): number {
    return this.#kept.length
  }

  /** What the next one will take the place of, once the ring is full. */
  get next(): T | undefined {
    return this.#kept.length < this.#capacity ? undefined : this.#kept[this.#oldest]
  }

  /** True where it took the place of another. */
  put(item: T): boolean {
    if (this.#kept.length < this.#capacity) {
      this.#kept.push(item)
      return false
    }
    this.#kept[this.#oldest] = item
    this.#oldest = this.#oldest + 1 === this.#capacity ? 0 : this.#oldest + 1
    return true
  }

  /** The one so many behind the oldest; `undefined` behind the newest. */
  at(place: number): T | undefined {
    if (place >= this.#kept.length) return undefined
    const index = this.#oldest + place
    return this.#kept[index < this.#kept.length ? index : index - this.#kept.length]
  }

  fromOldest(): T[] {
    return [...this.#kept.slice(this.#oldest), ...this.#kept.slice(0, this.#oldest)]
  }
}

/**
 * What rings keep whose numbers ascend, merged by number: from the first with a number above `after`. To be read at once: what is put
 * in meanwhile moves what was not read yet.
 */
export function* mergedRings<T extends Numbered>(rings: readonly Ring<T>[], after = 0): Generator<T> {
  const places = rings.map((ring) => firstAbove(ring, after))
  for (;;) {
    let next: T | undefined
    let from = -1
    for (const [index, ring] of rings.entries()) {
      const head = ring.at(places[index] as number)
      if (head === undefined || (next !== undefined && next.number < head.number)) continue
      next = head
      from = index
    }
    if (next === undefined) return
    places[from] = (places[from] as number) + 1
    yield next
  }
}

/**
 * Up to `limit` entries that match of what rings keep, behind the one whose number `after` is; `written` is the last number that was given.
 * An entry that has fallen out is passed over, and none comes twice. Throws `InvalidRequestError` for an `after` that is no such number.
 */
export function pageOfRings<T extends Numbered>(rings: readonly Ring<T>[], entryOf: (kept: T) => LedgerEntry, written: number, conditions: Conditions, limit: number, after?: string): EntryPage {
  const last = after === undefined ? 0 : numberIn(after, written)
  const entries: LedgerEntry[] = []
  let reached = last
  for (const kept of mergedRings(rings, last)) {
    const entry = entryOf(kept)
    if (!matches(entry, conditions)) continue
    if (entries.length === limit) return { entries, next: String(reached) }
    entries.push(entry)
    reached = kept.number
  }
  return { entries }
}

function numberIn(after: string, written: number): number {
  const number = /^[1-9]\d{0,15}$/.test(after) ? Number(after) : 0
  if (number === 0 || number > written) throw noCursor(after)
  return number
}

function firstAbove(ring: Ring<Numbered>, number: number): number {
  let low = 0
  let high = ring.size
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((ring.at(middle) as Numbered).number <= number) low = middle + 1
    else high = middle
  }
  return low
}
