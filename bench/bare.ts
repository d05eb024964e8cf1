// The yardstick: reserve and settle over a day, a week and a month on one plain Map with integers, a hold table, and one await
// each. No validation, no policies, no ledger, no expiry, no memory of what ended: the least that could be called the same job.

const DAY_MS = 86_400_000
const LENGTHS_MS = [DAY_MS, 7 * DAY_MS, 30 * DAY_MS] as const
const LIMITS_MICROCENTS = [1e12, 5e12, 2e13] as const
const SLOT = 3 // spent, held, end of the window

interface Hold {
  readonly cells: number[]
  readonly microcents: number
}

/** Integers in a Map. Amounts are microcents; a window starts at a user's first request in it. */
export class Bare {
  readonly #users = new Map<string, number[]>()
  readonly #holds = new Map<number, Hold>()
  #newest = 0

  /** The id of a new hold, or 0 where one of the windows has no room; then nothing has changed. */
  async reserve(userId: string, microcents: number): Promise<number> {
    const now = Date.now()
    let cells = this.#users.get(userId)
    if (cells === undefined) this.#users.set(userId, (cells = [0, 0, now + LENGTHS_MS[0], 0, 0, now + LENGTHS_MS[1], 0, 0, now + LENGTHS_MS[2]]))
    for (let at = 0; at < cells.length; at += SLOT) {
      if (now >= cells[at + 2]!) {
        cells[at] = 0
        cells[at + 2] = now + LENGTHS_MS[at / SLOT]!
      }
      if (cells[at]! + cells[at + 1]! + microcents > LIMITS_MICROCENTS[at / SLOT]!) return 0
    }
    for (let at = 0; at < cells.length; at += SLOT) cells[at + 1]! += microcents
    this.#holds.set((this.#newest += 1), { cells, microcents })
    return this.#newest
  }

  /** Puts the cost in the place of the hold. */
  async settle(id: number, microcents: number): Promise<void> {
    const hold = this.#holds.get(id)
    if (hold === undefined) throw new Error(`${id}: no such hold`)
    this.#holds.delete(id)
    for (let at = 0; at < hold.cells.length; at += SLOT) {
      hold.cells[at]! += microcents
      hold.cells[at + 1]! -= hold.microcents
    }
  }
}
