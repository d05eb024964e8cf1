// Charges by id: an open-addressing table. Not a Map, because ids come and go by the million: V8 links every table that a Map
// with deletions has outgrown to the next one, and once one of them is old, whatever the later ones held lives on as well.

import type { Charge } from './charge.js'

const LEAST_SIZE = 1_024

/** Finds charges by their ids, as long as they are remembered. */
export class IdIndex {
  #places: (Charge | undefined)[] = emptyPlaces(LEAST_SIZE)
  #count = 0
  // Callers choose ids: without a seed they could choose ones that all want the same place.
  readonly #seed = (Math.random() * 2 ** 32) | 0
  // An id that was not found is added next, and one that was added is often looked for next: its hash need not be made twice.
  #lastId = ''
  #lastHash = 0

  get(id: string): Charge | undefined {
    const mask = this.#places.length - 1
    const hash = this.#hash(id)
    for (let at = hash & mask; ; at = (at + 1) & mask) {
      const found = this.#places[at]
      if (found === undefined || (found.idHash === hash && found.id === id)) return found
    }
  }

  /** Adds a charge whose id is not in the table. */
  add(charge: Charge): void {
    if (this.#count * 2 >= this.#places.length) this.#grow()
    charge.idHash = this.#hash(charge.id)
    this.#put(charge)
    this.#count += 1
  }

  /** Removes a charge that was added. */
  forget(charge: Charge): void {
    const mask = this.#places.length - 1
    let hole = charge.idHash & mask
    while (this.#places[hole] !== charge) hole = (hole + 1) & mask
    this.#count -= 1
    // Those behind that were pushed along by the one that leaves move up: a look-up may stop at the first empty place.
    for (let at = (hole + 1) & mask; ; at = (at + 1) & mask) {
      const next = this.#places[at]
      if (next === undefined) break
      if (((at - next.idHash) & mask) >= ((at - hole) & mask)) {
        this.#places[hole] = next
        hole = at
      }
    }
    this.#places[hole] = undefined
  }

  #put(charge: Charge): void {
    const mask = this.#places.length - 1
    let at = charge.idHash & mask
    while (this.#places[at] !== undefined) at = (at + 1) & mask
    this.#places[at] = charge
  }

  #hash(id: string): number {
    if (id === this.#lastId) return this.#lastHash
    let hash = this.#seed
    for (let index = 0; index < id.length; index += 1) hash = Math.imul(hash ^ id.charCodeAt(index), 0x01000193) ^ (hash >>> 15)
    this.#lastId = id
    this.#lastHash = (hash ^ (hash >>> 13)) & 0x3fffffff
    return this.#lastHash
  }

  #grow(): void {
    const charges = this.#places
    this.#places = emptyPlaces(charges.length * 2)
    for (const charge of charges) if (charge !== undefined) this.#put(charge)
  }
}

function emptyPlaces(size: number): (Charge | undefined)[] {
  return new Array<Charge | undefined>(size).fill(undefined)
}
