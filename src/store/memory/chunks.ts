// The cells of all scopes with one layout: large arrays of numbers, and which stretches of them are free.

import type { Cells } from '../counting/cells.js'
import type { Layout } from '../counting/layout.js'

/** How many scopes share one array. The first array of a layout grows up to that: most layouts of overrides have one scope. */
const CHUNK = 1_024

/** Places for scopes of one layout, by number. */
export class Chunks {
  readonly #empty: Readonly<Cells>
  readonly #chunks: Cells[] = []
  readonly #free: number[] = []
  #used = 0

  constructor(layout: Layout) {
    this.#empty = layout.empty
  }

  /** A place for one more scope, with empty cells. */
  newPlace(): number {
    const freed = this.#free.pop()
    const place = freed ?? this.#used
    if (freed === undefined) {
      this.#makeRoomFor(place)
      this.#used += 1
    }
    this.cellsAt(place).set(this.#empty, this.baseOf(place))
    return place
  }

  /** Frees a place; a layout without scopes keeps nothing. */
  freePlace(place: number): void {
    this.#free.push(place)
    if (this.#free.length < this.#used) return
    this.#free.length = 0
    this.#chunks.length = 0
    this.#used = 0
  }

  /** The array in which a place's cells are. */
  cellsAt(place: number): Cells {
    return this.#chunks[(place / CHUNK) | 0] as Cells
  }

  /** Where they begin in it. */
  baseOf(place: number): number {
    return (place % CHUNK) * this.#empty.length
  }

  #makeRoomFor(place: number): void {
    const size = this.#empty.length
    const first = this.#chunks[0]
    if (place >= CHUNK) {
      if (place % CHUNK === 0) this.#chunks.push(new Float64Array(CHUNK * size))
    } else if (first === undefined || first.length <= place * size) {
      const grown = new Float64Array(Math.max(1, 2 * place) * size)
      if (first !== undefined) grown.set(first)
      this.#chunks[0] = grown
    }
  }
}
