// SAME-EVERYWHERE: the same trace gives on every store the same actions, rungs, spent, held, limits, boundaries, error codes and
// alerts. Here: the memory store against the plain one, which was written from the design and shares no counting code with it.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ThresholdEvent } from '../../src/index.js'
import { memoryStore } from '../../src/store/memory/index.js'
import { wrongBoundaries } from '../support/broken-stores.js'
import { PlainStore } from '../support/plain-store.js'
import { assertProperty, propertyHolds, type StoreFactory } from '../support/property.js'
import { Stage, traces, type Seen } from '../support/trace.js'

describe('SAME-EVERYWHERE', () => {
  it('gives the same answers on the memory store as on a plain one', async () => {
    await assertProperty('SAME-EVERYWHERE', sameEverywhere((clock) => memoryStore({ clock })))
  })

  it('is told from a store whose windows turn by another recipe', async () => {
    expect(await propertyHolds(sameEverywhere(wrongBoundaries))).toBe(false)
  })
})

function sameEverywhere(open: StoreFactory): fc.IAsyncProperty<unknown> {
  return fc.asyncProperty(traces, async ({ world, commands }) => {
    const here = new Stage(world, open)
    const there = new Stage(world, (clock) => new PlainStore(clock))
    for (const command of commands) {
      const seenHere = await here.play(command)
      const seenThere = await there.play(command)
      expect(seenHere.map(plain), JSON.stringify(command)).toEqual(seenThere.map(plain))
      expect(alertsOf(here.alerts), JSON.stringify(command)).toEqual(alertsOf(there.alerts))
    }
    const scopes = [...here.scopes.values()]
    expect((await here.store.read(scopes)).readings).toEqual((await there.store.read(scopes)).readings)
  })
}

function plain(seen: Seen): unknown {
  if (!('decision' in seen)) return seen
  const { decision } = seen
  const { action, context, replayed, rungs, requested } = decision
  const windows = context.windows.map(({ scope, period, unit, exact, startsAt, resetsAt }) => ({ scope, period, unit, exact, startsAt, resetsAt }))
  const common = { action, replayed, rungs, requested, windows, now: context.now, tier: context.userTier }
  if (decision.allowed) return { ...common, model: decision.model, held: decision.estimatedCost, expiresAt: decision.expiresAt, ended: decision.ended }
  const { code, retryAfterMs, largestFittingCost, window, resetsAt } = decision.toDenial()
  return { ...common, code, retryAfterMs, largestFittingCost, window, resetsAt }
}

function alertsOf(alerts: readonly ThresholdEvent[]): readonly ThresholdEvent[] {
  return [...alerts].sort((a, b) => (a.alertId < b.alertId ? -1 : 1))
}
