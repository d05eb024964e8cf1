// The holds that this process has opened and that, as far as it knows, are open: what is held, by tier. One that another process ends is
// taken for open until it is due.

/** A hold that was opened here. */
interface OpenHold {
  readonly tier: string
  readonly microcents: number
  dueAt: number
}

/** Above this the oldest are forgotten: they are likely to have ended elsewhere. */
const MOST = 200_000
/** So many at once: a map that is emptied from its front one by one has to look for it each time. */
const FORGOTTEN = 20_000

/** What is held in one tier. */
export interface Held {
  readonly microcents: number
  readonly holds: number
}

/** The holds of one process. */
export class OpenHolds {
  readonly #holds = new Map<string, OpenHold>()
  readonly #tiers = new Set<string>()

  opened(id: string, tier: string, microcents: number, dueAt: number): void {
    this.#tiers.add(tier)
    this.#holds.set(id, { tier, microcents, dueAt })
    if (this.#holds.size > MOST) this.#forgetOldest()
  }

  ended(id: string): void {
    this.#holds.delete(id)
  }

  extended(id: string, dueAt: number): void {
    const hold = this.#holds.get(id)
    if (hold !== undefined) hold.dueAt = dueAt
  }

  /** By tier, for each that has ever held anything; without what is due at `now`. */
  byTier(now: number): Map<string, Held> {
    const sums = new Map<string, Held>([...this.#tiers].map((tier) => [tier, { microcents: 0, holds: 0 }]))
    for (const [id, { tier, microcents, dueAt }] of this.#holds) {
      if (dueAt <= now) {
        this.#holds.delete(id)
        continue
      }
      const before = sums.get(tier) as Held
      sums.set(tier, { microcents: before.microcents + microcents, holds: before.holds + 1 })
    }
    return sums
  }

  #forgetOldest(): void {
    let left = FORGOTTEN
    for (const id of this.#holds.keys()) {
      if ((left -= 1) < 0) return
      this.#holds.delete(id)
    }
  }
}
