// What the newest holds of this process were opened with: so much of it as says what their usage costs while the store is away. Knows
// nothing of how they ended.

import type { Admitted, ChargeFacts, Effect, Opened, ReserveRequest } from '../store/index.js'

/** Beyond so many the oldest are forgotten: then the store alone knows them. */
const MOST_HOLDS = 10_000
const NO_EFFECTS: readonly Effect[] = Object.freeze([])

/** See the head of this file. */
export class KnownHolds {
  /** By id, the newest last. */
  readonly #holds = new Map<string, Opened>()

  /** Notes what a reserve has opened, now or before. */
  note(request: ReserveRequest, { now, rung, replay }: Admitted): void {
    const { id } = request
    const { facts, rungs } = replay ?? request
    if (this.#holds.size >= MOST_HOLDS) this.#holds.delete(this.#holds.keys().next().value as string)
    this.#holds.set(id, { outcome: 'opened', openedAt: now, facts: pricing(facts), rungs, rung, state: replay?.state ?? 'open', effects: NO_EFFECTS })
  }

  /** What a hold was opened with, as it stood when this process last heard of it: without what has no price. */
  find(id: string): Opened | undefined {
    return this.#holds.get(id)
  }
}

/** What an application has attached to its request may be large. */
function pricing({ user, tier, provider, model, cheaperModels }: ChargeFacts): ChargeFacts {
  return { user, tier, provider, model, cheaperModels }
}
