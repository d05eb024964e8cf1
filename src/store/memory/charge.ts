// The charges of a memory store. They are used again and again: a store opens one for each request, and what would be made anew
// and outlive the young generation costs more than all the rest.

import { Charge as CountedCharge } from '../counting/charge.js'

/** A charge with what the parts of this store note on it. */
export class Charge extends CountedCharge {
  /** The hash of its id; the index's own. */
  idHash = 0
  /** Its place in the queue of what is due; the queue's own. */
  queueIndex = -1
  /** By how many it is remembered: the index of ids, and each ledger line. The pool's own. */
  holders = 0
}

/** More than this are not kept for later: memory is bounded by what is remembered, not by the most that ever was. */
const MOST_FREE = 1_024

/** Charges that nobody remembers any more, for later ones. */
export class ChargePool {
  readonly #free: Charge[] = []

  /** A charge with one holder. */
  take(): Charge {
    const charge = this.#free.pop() ?? new Charge()
    charge.holders = 1
    return charge
  }

  /** One holder less; after the last the charge is another's. */
  letGo(charge: Charge): void {
    charge.holders -= 1
    if (charge.holders > 0) return
    charge.clear()
    if (this.#free.length < MOST_FREE) this.#free.push(charge)
  }
}
