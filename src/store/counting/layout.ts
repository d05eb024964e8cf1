// Where each window of a scope stands in its cells. Layouts only grow, and scopes with the same windows share one, so that the
// places of a request's windows are found by one comparison. Knows which windows there are; not where cells are kept.

import type { WindowTerms } from '../contract.js'
import { emptySlot, FIRST_SLOT, type Cells } from './cells.js'

/** The slots of a list of windows, relative to a scope's base: −1 for one that the layout does not have. */
export interface Places {
  readonly slots: readonly number[]
  readonly complete: boolean
}

/** A list of windows with their slots. {@link Layout.root} has no windows; others grow from it. */
export class Layout {
  readonly windows: readonly WindowTerms[]
  /** Its place in the family of layouts that grew from one root. */
  readonly number: number
  /** The cells of a scope in which nothing was counted. */
  readonly empty: Readonly<Cells>
  readonly #family: Layout[]
  readonly #slots: ReadonlyMap<string, number>
  readonly #grown = new Map<string, Layout>()
  readonly #places = new WeakMap<readonly WindowTerms[], Places>()
  #lastWindows: readonly WindowTerms[] | undefined
  #lastPlaces: Places | undefined

  private constructor(windows: readonly WindowTerms[], slots: ReadonlyMap<string, number>, empty: Cells, family: Layout[]) {
    this.windows = windows
    this.#slots = slots
    this.empty = empty
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

  /** The layout that has these windows too: what came first stands first in both. */
  grownBy(windows: readonly WindowTerms[]): Layout {
    return windows.reduce<Layout>((layout, terms) => (layout.slotOf(terms.window) < 0 ? layout.#with(terms) : layout), this)
  }

  #with(terms: WindowTerms): Layout {
    let grown = this.#grown.get(terms.window)
    if (grown === undefined) {
      const slots = new Map([...this.#slots, [terms.window, this.empty.length]])
      grown = new Layout([...this.windows, terms], slots, Float64Array.of(...this.empty, ...emptySlot(terms)), this.#family)
      this.#grown.set(terms.window, grown)
    }
    return grown
  }
}
