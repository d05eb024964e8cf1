// Windows that were begun anew and whose counters are gone.

import { expect, it } from 'vitest'
import { Bursar, memoryStore, type Store } from '../../../src/index.js'
import type { Auditor } from '../../../src/store/index.js'
import { manualClock } from '../../../src/testing/index.js'
import { witness } from '../../support/witness.js'

it('misses one instance of a window that was begun anew, not two', async () => {
  const clock = manualClock('2026-01-15T12:00:00Z')
  const store = memoryStore({ clock })
  const auditor = store.auditor as Auditor
  let lost = false
  const snapshot: Auditor['snapshot'] = async () => {
    const whole = await auditor.snapshot()
    return lost ? { ...whole, scopes: whole.scopes.filter(({ scope }) => scope.id !== 'ann') } : whole
  }
  const viewed: Store = { ...witness(store, () => {}), auditor: { ...auditor, snapshot } as Auditor }
  const bursar = new Bursar({ tiers: { free: { daily: 1 } }, defaultTier: 'free', store: viewed, clock })
  await bursar.tracker.addCost({ userId: 'ann', cost: 0.1 })
  clock.advance(60_000)
  await bursar.tracker.restartWindows('ann', { since: clock() })
  await bursar.tracker.addCost({ userId: 'ann', cost: 0.05 })
  lost = true
  const { differences } = await bursar.tracker.audit()
  expect(differences.filter(({ window }) => window === 'daily/usd').map(({ startsAt, expected }) => [startsAt.toISOString(), expected])).toEqual([['2026-01-15T12:01:00.000Z', 0.05]])
})
