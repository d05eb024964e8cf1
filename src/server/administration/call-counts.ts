// How many calls a user has made in a period. The ledger says it; what it said stands for as long as nothing was charged to the user, and
// where it takes long to say, for a while after that.

import { scopeKey, userScope, type UserRef } from '../../budget/index.js'
import { steadyClock, type Clock } from '../../time/index.js'
import type { Engine } from '../service.js'

interface Count {
  readonly from: number
  /** How many entries were charged to the user, before it was counted. */
  readonly entries: number
  readonly calls: Promise<number | null>
  readonly askedAt: number
  tookMs: number
}

/** What moves spend to another tenant charges nobody: it is seen after so long. */
const STANDS_MS = 60_000
/** What takes longer is not asked again before so many times as long. */
const QUICK_MS = 50
const BELIEVED = 5
const MOST = 10_000

/** Counts of many users: those of the last ones that were asked for. */
export class CallCounts {
  readonly #tracker: Engine['tracker']
  readonly #steady: Clock
  readonly #counts = new Map<string, Count>()

  /** `steady` is for tests. */
  constructor(tracker: Engine['tracker'], steady: Clock = steadyClock) {
    this.#tracker = tracker
    this.#steady = steady
  }

  /** Calls in a user's running window of that period, which began at `from`; `entries`: how many were charged to the user ever. `null`: the ledger cannot tell. */
  of(user: UserRef, period: string, from: Date, entries: number): Promise<number | null> {
    const key = `${period} ${scopeKey(userScope(user))}`
    const known = this.#counts.get(key)
    if (known !== undefined && this.#stands(known, from.getTime(), entries)) return known.calls
    const askedAt = this.#steady()
    const calls = this.#tracker.getUserCalls(user, { from })
    const count: Count = { from: from.getTime(), entries, calls, askedAt, tookMs: 0 }
    this.#counts.delete(key)
    if (this.#counts.size >= MOST) this.#counts.delete(this.#counts.keys().next().value as string)
    this.#counts.set(key, count)
    calls.then(
      () => (count.tookMs = this.#steady() - askedAt),
      () => this.#counts.get(key) === count && this.#counts.delete(key),
    )
    return calls
  }

  #stands({ from: since, entries: counted, askedAt, tookMs }: Count, from: number, entries: number): boolean {
    const age = this.#steady() - askedAt
    if (since === from && counted === entries) return age < STANDS_MS
    return tookMs > QUICK_MS && age < (1 + BELIEVED) * tookMs
  }
}
