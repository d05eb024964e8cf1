// A small world to be looked at: a service with a clock, and a few things that have happened in it.

import type { CallerFacts } from '../../../src/server/caller.js'
import { storeId } from '../../../src/server/ids.js'
import { StateBook } from '../../../src/server/seeing/state-book.js'
import type { Store } from '../../../src/store/index.js'
import { memoryStore } from '../../../src/store/memory/index.js'
import { manualClock, type ManualClock } from '../../../src/testing/index.js'
import { testApp, type TestApp } from './app.js'

/** A Sunday noon in UTC; in Tokyo it is evening. */
export const NOON = Date.parse('2026-11-15T12:00:00Z')

/** The world, with a book of states whose stopwatch stands still until it is moved. */
export interface SeenWorld extends Omit<TestApp, 'ask'> {
  readonly clock: ManualClock
  readonly book: StateBook
  readonly watch: { now: number }
  /** A GET of the service. */
  look(as: CallerFacts | undefined, path?: string, headers?: Readonly<Record<string, string>>): ReturnType<TestApp['ask']>
  /** Asks, and settles for `cost` (default: what was held); an id as the tenant's client would give it. */
  ask(userId: string, tenant: string | undefined, estimated: number, more?: { readonly id?: string; readonly cost?: number; readonly model?: string; readonly tier?: string }): Promise<string>
}

/** Makes one; what is configured beside two tiers is `config`. */
export function seenWorld(config: object = {}, storeOn?: (clock: ManualClock) => Store): SeenWorld {
  const clock = manualClock(NOON)
  const store = storeOn?.(clock) ?? memoryStore({ clock, ledgerCapacity: 10_000 })
  const app = testApp({ config: { clock, store, tiers: { free: { daily: 1 }, pro: { daily: 10, monthly: 100 } }, defaultTier: 'free', ...config } as never })
  const watch = { now: 0 }
  return {
    ...app,
    clock,
    watch,
    book: new StateBook({ engine: app.engine, clock, feed: app.service.feed, stopwatch: () => watch.now, pause: async (ms) => void (watch.now += ms) }),
    look: (as, path = '/v1/state', headers = {}) => app.ask(as, 'GET', path, undefined, headers),
    async ask(userId, tenant, estimated, { id, cost = estimated, model, tier } = {}) {
      const key = id === undefined ? undefined : storeId(tenant, id)
      const decision = await app.engine.check({ userId, ...(tenant !== undefined && { tenant }), estimatedCost: estimated, ...(model !== undefined && { model }), ...(tier !== undefined && { userTier: tier }), ...(key !== undefined && { idempotencyKey: key }) } as never)
      if (decision.allowed) await decision.settle({ cost })
      return decision.id
    },
  }
}
