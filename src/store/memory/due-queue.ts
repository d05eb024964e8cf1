// Which open hold is due next: a binary heap that knows where each hold stands, so that a hold that ends early leaves at once
// and memory is bounded by the holds that are open.

import type { Charge } from './charge.js'

/** Open holds in the order (due, id). */
export class DueQueue {
  readonly #heap: Charge[] = []

  get size(): number {
    return this.#heap.length
  }

  /** The hold that is due first. */
  get first(): Charge | undefined {
    return this.#heap[0]
  }

  /** All of them, in no order. */
  get holds(): readonly Charge[] {
    return this.#heap
  }

  add(charge: Charge): void {
    charge.queueIndex = this.#heap.length
    this.#heap.push(charge)
    this.#rise(charge)
  }

  remove(charge: Charge): void {
    const last = this.#heap.pop() as Charge
    const index = charge.queueIndex
    charge.queueIndex = -1
    if (last === charge) return
    this.#put(last, index)
    this.#rise(last)
    this.#sink(last)
  }

  /** Gives a hold its place again after its due time moved. */
  moved(charge: Charge): void {
    this.#rise(charge)
    this.#sink(charge)
  }

  #rise(charge: Charge): void {
    while (charge.queueIndex > 0) {
      const parent = this.#heap[(charge.queueIndex - 1) >> 1] as Charge
      if (!isBefore(charge, parent)) return
      const index = charge.queueIndex
      this.#put(charge, parent.queueIndex)
      this.#put(parent, index)
    }
  }

  #sink(charge: Charge): void {
    for (;;) {
      const left = this.#heap[2 * charge.queueIndex + 1]
      const right = this.#heap[2 * charge.queueIndex + 2]
      const child = left !== undefined && right !== undefined && isBefore(right, left) ? right : left
      if (child === undefined || !isBefore(child, charge)) return
      const index = charge.queueIndex
      this.#put(charge, child.queueIndex)
      this.#put(child, index)
    }
  }

  #put(charge: Charge, index: number): void {
    this.#heap[index] = charge
    charge.queueIndex = index
  }
}

function isBefore(a: Charge, b: Charge): boolean {
  return a.dueAt < b.dueAt || (a.dueAt === b.dueAt && a.id < b.id)
}
