// Which tenants have a label of their own: those that have spent most, as far as this process has seen. A label stays once it is given,
// because a counter that goes away and comes back is read as one that was reset.

import { NONE, OTHER } from './bounded-labels.js'

/** How many sums are kept for each label: who spends little now may be among the first later. */
const TRACKED_FOR_EACH = 50
/** Labels that are given in all, for each place among the first: their order changes with time. */
const LABELS_FOR_EACH = 2

/** The tenants that have spent most. */
export class TopSpenders {
  readonly #top: number
  readonly #labelled = new Map<string, number>()
  #others = new Map<string, number>()

  constructor(top: number) {
    this.#top = top
  }

  /** Adds what a tenant has spent, in microcents, and gives its label. */
  spent(tenant: string | undefined, microcents: number): string {
    if (tenant === undefined) return NONE
    const before = this.#labelled.get(tenant)
    if (before !== undefined) {
      this.#labelled.set(tenant, before + microcents)
      return tenant
    }
    const sum = (this.#others.get(tenant) ?? 0) + microcents
    if (this.#isAmongFirst(sum)) {
      this.#others.delete(tenant)
      this.#labelled.set(tenant, sum)
      return tenant
    }
    this.#others.set(tenant, sum)
    if (this.#others.size > this.#top * TRACKED_FOR_EACH) this.#forgetTheSmall()
    return OTHER
  }

  #isAmongFirst(sum: number): boolean {
    if (this.#labelled.size >= this.#top * LABELS_FOR_EACH) return false
    let larger = 0
    for (const other of this.#labelled.values()) if (other >= sum) larger += 1
    return larger < this.#top
  }

  /** The smaller half: who grows later begins anew, and is late by what was forgotten. */
  #forgetTheSmall(): void {
    const largest = [...this.#others].sort(([, a], [, b]) => b - a)
    this.#others = new Map(largest.slice(0, Math.ceil(largest.length / 2)))
  }
}
