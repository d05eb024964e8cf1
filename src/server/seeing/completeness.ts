// Whether the ledger tells of everything that was charged since some time: one in memory keeps the newest entries, and of a Redis store another
// process may move them to a ledger that nobody has named here. What is summed over less is too small.

import { ASSIGNED, type EntryFilter } from '../../ledger/index.js'
import { Problem } from '../problem.js'
import { Recent } from './recent.js'
import type { Engine } from '../service.js'

/** What adds to a sum of money, or takes from it. */
const CHARGES: EntryFilter = { where: { kind: ['settled', 'expired', 'recorded', 'corrected'] } }
/** It is looked up rarely: it may cost a look at the whole ledger. */
const SLOW = { leastMs: 60_000, times: 20 } as const

/** Why entries are missing, and what to do. */
export const LACKS_ENTRIES = "the store has charged more than its ledger tells here: another process moves its entries to a ledger of its own, or the ledger keeps the newest alone. Name the whole one as 'ledger' in the configuration of the server"

/** What is known of a ledger. */
export class Completeness {
  readonly #tracker: Engine['tracker']
  readonly #known: Recent<boolean>

  /** `stopwatch` is for tests. */
  constructor(tracker: Engine['tracker'], stopwatch?: () => number) {
    this.#tracker = tracker
    this.#known = new Recent({ ...SLOW, stopwatch })
  }

  /** True where the ledger has everything that was charged since an instant; `-Infinity`: since counting began. */
  since(instant: number): Promise<boolean> {
    return this.#known.get(String(instant), () => this.#find(instant))
  }

  /** Throws a 409 where it has not, and no part was asked for. */
  async assert(instant: number, isPartial: boolean): Promise<void> {
    if (!isPartial && !(await this.since(instant))) throw new Problem(409, 'INCOMPLETE', `ledger: ${LACKS_ENTRIES}, or give partial=true for what there is.`)
  }

  async #find(instant: number): Promise<boolean> {
    const { ledger } = this.#tracker
    const { entries: [oldest] } = await ledger.query(CHARGES, { limit: 1 })
    // What moves spend stands at the time of what it moves, and is kept longer.
    if (oldest !== undefined && oldest.at < instant && oldest.reason !== ASSIGNED) return true
    const { totalEntries } = await this.#tracker.getSummary()
    if (totalEntries === 0) return true
    const kept = (await ledger.sums(CHARGES, ['reason'])).filter(({ texts }) => texts[0] !== ASSIGNED)
    return kept.reduce((sum, { entries }) => sum + entries, 0) >= totalEntries
  }
}
