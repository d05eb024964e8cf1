// ALERT-ONCE: each threshold of each window instance gets one alert, decided in the store with a stable id: on spent and never on
// held, ascending, not again after a refund, and again only under a limit above the highest that the instance has seen.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Effect } from '../../src/store/index.js'
import { memoryStore } from '../../src/store/memory/index.js'
import { Accountant } from '../support/accountant.js'
import { alertsAgain } from '../support/broken-stores.js'
import { assertProperty, propertyHolds, type StoreFactory } from '../support/property.js'
import { Stage, traces } from '../support/trace.js'

type Alert = Extract<Effect, { kind: 'threshold' }>

describe('ALERT-ONCE', () => {
  it('announces every threshold that is reached, once', async () => {
    await assertProperty('ALERT-ONCE', alertsOnce((clock) => memoryStore({ clock })))
  })

  it('is told from a store that announces again after a refund', async () => {
    expect(await propertyHolds(alertsOnce(alertsAgain))).toBe(false)
  })
})

function alertsOnce(open: StoreFactory): fc.IAsyncProperty<unknown> {
  return fc.asyncProperty(traces, async ({ world, commands }) => {
    const stage: Stage = new Stage(world, open, (seen) => accountant.follow(seen))
    const accountant = new Accountant(stage.clock)
    for (const command of commands) await stage.play(command)
    // Reading through the engine announces what expired holds brought about in the meantime.
    await stage.bursar.tracker.getUserSummary('ann', 'free')
    expect(new Set(stage.alertIds).size, 'every id once').toBe(stage.alertIds.length)
    for (const { spent, limit, thresholdPct } of stage.alerts) expect(100 * spent).toBeGreaterThanOrEqual(limit * thresholdPct - 1e-6)
    const expected = accountant.settled().filter((effect): effect is Alert => effect.kind === 'threshold')
    expect(stage.alerts.map(({ alertId }) => alertId).sort(), 'no threshold is forgotten').toEqual(expected.map(({ alertId }) => alertId).sort())
    expectAscending(stage.alertIds)
  })
}

/** In one window instance, under one highest limit, thresholds only rise. An alert's id is those three and the threshold. */
function expectAscending(ids: readonly string[]): void {
  const last = new Map<string, number>()
  for (const id of ids) {
    const instance = id.slice(0, id.lastIndexOf(':'))
    const thresholdPct = Number(id.slice(instance.length + 1))
    expect(thresholdPct, id).toBeGreaterThan(last.get(instance) ?? 0)
    last.set(instance, thresholdPct)
  }
}
