// Where each window of a scope stands in its cells, and the cells of all scopes with that layout. Layouts only grow, and scopes
// with the same windows share one, so that the places of a request's windows are found by one comparison.

import type { WindowTerms } from '../contract.js'
import { emptySlot, FIRST_SLOT, type Cells } from './cells.js'
import type { ScopeRecord } from './scopes.js'

/** The slots of a list of windows, relative to a scope's base: −1 for one that the layout does not have. */
export interface Places {
  readonly slots: readonly number[]
  readonly complete: boolean
}

/** How many scopes share one array. The first array of a layout grows up to that: most layouts of overrides have one scope. */
const CHUNK = 1_024

/** A list of windows with their slots, and the scopes that have them. {@link Layout.root} has no windows; others grow from it. */
export class Layout {
  readonly windows: readonly WindowTerms[]
  /** Its place in the family of layouts that grew from one root. */
  readonly number: number
  readonly #family: Layout[]
  readonly #slots: ReadonlyMap<string, number>
  readonly #empty: Cells
  readonly #grown = new Map<string, Layout>()
  readonly #places = new WeakMap<readonly WindowTerms[], Places>()
  readonly #chunks: Cells[] = []
  readonly #free: number[] = []
  #used = 0
  #lastWindows: readonly WindowTerms[] | undefined
  #lastPlaces: Places | undefined

  private constructor(windows: readonly WindowTerms[], slots: ReadonlyMap<string, number>, empty: Cells, family: Layout[]) {
    this.windows = windows
    this.#slots = slots
    this.#empty = empty
    this.#family = family
    this.number = family.push(this) - 1
  }

  static root(): Layout {
    return new Layout([], new Map(), new Float64Array(FIRST_SLOT), [])
  }

  /** Another layout of the family. */
  layoutOf(number: number): Layout {
    return this.#family[number] as Layout
  }

  /** Where these windows stand. */
  placesOf(windows: readonly WindowTerms[]): Places {
    if (windows === this.#lastWindows) return this.#lastPlaces as Places
    let places = this.#places.get(windows)
    if (places === undefined) {
      const slots = windows.map((terms) => this.slotOf(terms.window))
      places = { slots, complete: !slots.includes(-1) }
      this.#places.set(windows, places)
    }
    this.#lastWindows = windows
    this.#lastPlaces = places
    return places
  }

  /** The slot of one window, or −1. */
  slotOf(window: string): number {
    return this.#slots.get(window) ?? -1
  }

  /** The layout that has these windows too. */
  grownBy(windows: readonly WindowTerms[]): Layout {
    return windows.reduce<Layout>((layout, terms) => (layout.slotOf(terms.window) < 0 ? layout.#with(terms) : layout), this)
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

  /** Takes over what a scope had in a layout with fewer windows: what came first stands first in both. */
  copyFrom(before: ScopeRecord, after: ScopeRecord): void {
    after.cells.set(before.cells.subarray(before.base, before.base + before.layout.#empty.length), after.base)
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

  #with(terms: WindowTerms): Layout {
    let grown = this.#grown.get(terms.window)
    if (grown === undefined) {
      const slots = new Map([...this.#slots, [terms.window, this.#empty.length]])
      grown = new Layout([...this.windows, terms], slots, Float64Array.of(...this.#empty, ...emptySlot(terms)), this.#family)
      this.#grown.set(terms.window, grown)
    }
    return grown
  }
}
