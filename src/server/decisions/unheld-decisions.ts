// Decisions that no hold in the store stands behind, because it was away when they were made (onStoreError). What they cost is known to them
// alone, so whoever settles one by its id finds it here: in the process that has made it, for as long as its id is remembered.

import type { AllowedDecision, Outcome, Settlement } from '../../decision/index.js'
import { AlreadyEndedError, IdReusedError } from '../../errors/index.js'
import type { Clock } from '../../time/index.js'

interface Kept {
  readonly decision: AllowedDecision
  /** What was asked, as text: a repeat asks the same. */
  readonly asked: string
  readonly at: number
  /** How it has ended. */
  ended?: 'settled' | 'released'
}

/** As ids of holds are remembered after their end. */
const REMEMBERED_MS = 86_400_000

/** Beyond so many the oldest are forgotten: an outage in which that many calls are let through has other worries. */
const MOST_DECISIONS = 20_000

const SETTLED = 'What it cost stays charged; give money back with tracker.refund().'

/** The decisions without a hold that this process has made, by their ids in the store. */
export class UnheldDecisions {
  readonly #clock: Clock
  readonly #kept = new Map<string, Kept>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** True where there is none: nobody need look. */
  get isEmpty(): boolean {
    return this.#kept.size === 0
  }

  /** The decision of that id in the store, also after it has ended: it takes a repeat of its ending. */
  find(id: string): AllowedDecision | undefined {
    if (this.#kept.size === 0) return undefined
    this.#forgetOld()
    return this.#kept.get(id)?.decision
  }

  /** The same for a repeat of its request. Throws `IdReusedError` where something else was asked. */
  findRepeated(id: string, asked: string): AllowedDecision | undefined {
    const decision = this.find(id)
    if (decision !== undefined && this.#kept.get(id)?.asked !== asked) throw new IdReusedError(id, 'check')
    return decision
  }

  /**
   * Keeps a decision without a hold, and gives the one that counts under the id: of two requests with one id that were decided at the same
   * time it is the first, and the other is given up.
   */
  keep(id: string, decision: AllowedDecision, asked: string): AllowedDecision {
    this.#forgetOld()
    const known = this.#kept.get(id)
    if (known !== undefined) {
      void decision.release()
      return known.decision
    }
    if (this.#kept.size >= MOST_DECISIONS) this.#kept.delete(this.#kept.keys().next().value as string)
    this.#kept.set(id, { decision, asked, at: this.#clock() })
    return decision
  }

  /** Settles the decision of that id, as it does itself; `undefined` where there is none. */
  settle(id: string, outcome: Outcome): Promise<Settlement> | undefined {
    const kept = this.#keptOf(id)
    return kept?.decision.settle(outcome).then((settlement) => {
      kept.ended = 'settled'
      return settlement
    })
  }

  /** Releases the decision of that id; false where there is none. Rejects with `AlreadyEndedError` for one that was settled. */
  async release(id: string): Promise<boolean> {
    const kept = this.#keptOf(id)
    if (kept === undefined) return false
    if (kept.ended === 'settled') throw new AlreadyEndedError(id, 'settled', SETTLED)
    await kept.decision.release()
    kept.ended ??= 'released'
    return true
  }

  /**
   * The new end of the decision of that id, `ttlMs` milliseconds from now; `undefined` where there is none. Nothing is held,
   * so that nothing depends on it. Throws `AlreadyEndedError` for one that has ended.
   */
  extend(id: string, ttlMs: number): Date | undefined {
    const kept = this.#keptOf(id)
    if (kept === undefined) return undefined
    if (kept.ended !== undefined) throw new AlreadyEndedError(id, kept.ended, kept.ended === 'settled' ? SETTLED : 'Check again before another call.')
    return new Date(this.#clock() + ttlMs)
  }

  #keptOf(id: string): Kept | undefined {
    return this.find(id) && this.#kept.get(id)
  }

  /** They stand in the order in which they came. */
  #forgetOld(): void {
    const oldest = this.#clock() - REMEMBERED_MS
    for (const [id, { at }] of this.#kept) {
      if (at > oldest) return
      this.#kept.delete(id)
    }
  }
}
