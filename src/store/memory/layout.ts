// Where each window of a scope stands in its cells. Layouts only grow, and scopes with the same windows share one, so that the
// places of a request's windows are found by one comparison.

import type { WindowTerms } from '../contract.js'
import { emptySlot, FIRST_SLOT } from './cells.js'

/** The places of a list of windows: −1 for one that the layout does not have. */
export interface Places {
  readonly slots: readonly number[]
  readonly complete: boolean
}

/** A list of windows with their slots. {@link Layout.empty} has none; others grow from it. */
export class Layout {
  readonly windows: readonly WindowTerms[]
  readonly #slots: ReadonlyMap<string, number>
  readonly #size: number
  readonly #grown = new Map<string, Layout>()
  readonly #places = new WeakMap<readonly WindowTerms[], Places>()
  #lastWindows: readonly WindowTerms[] | undefined
  #lastPlaces: Places | undefined

  private constructor(windows: readonly WindowTerms[], slots: ReadonlyMap<string, number>, size: number) {
    this.windows = windows
    this.#slots = slots
    this.#size = size
  }

  static empty(): Layout {
    return new Layout([], new Map(), FIRST_SLOT)
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

  /** The layout with these windows too; `cells` gets their empty slots. */
  grownBy(windows: readonly WindowTerms[], cells: number[]): Layout {
    let layout: Layout = this
    for (const terms of windows) if (layout.slotOf(terms.window) < 0) layout = layout.#with(terms)
    for (const terms of layout.windows.slice(this.windows.length)) cells.push(...emptySlot(terms))
    return layout
  }

  #with(terms: WindowTerms): Layout {
    let grown = this.#grown.get(terms.window)
    if (grown === undefined) {
      grown = new Layout([...this.windows, terms], new Map([...this.#slots, [terms.window, this.#size]]), this.#size + emptySlot(terms).length)
      this.#grown.set(terms.window, grown)
    }
    return grown
  }
}
