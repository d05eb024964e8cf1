// NO-FALSE-BLOCK: threshold policies refuse a request only if it hits a block threshold at that instant, and a refused request
// opened no hold, not even for a moment: nobody else is ever refused for it.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { memoryStore } from '../../src/store/memory/index.js'
import { Accountant } from '../support/accountant.js'
import { opensThenGivesBack } from '../support/broken-stores.js'
import { chooseRung } from '../support/plain-store.js'
import { assertProperty, propertyHolds, type StoreFactory } from '../support/property.js'
import { Stage, traces } from '../support/trace.js'

describe('NO-FALSE-BLOCK', () => {
  it('refuses only what hits a block threshold of true figures, and holds nothing for it', async () => {
    await assertProperty('NO-FALSE-BLOCK', neverBlocksFalsely((clock) => memoryStore({ clock })))
  })

  it('is told from a store that opens a hold and gives it back when it was too much', async () => {
    expect(await propertyHolds(neverBlocksFalsely(opensThenGivesBack))).toBe(false)
  })
})

function neverBlocksFalsely(open: StoreFactory): fc.IAsyncProperty<unknown> {
  return fc.asyncProperty(traces, async ({ world, commands }) => {
    const stage: Stage = new Stage(world, open, (seen) => {
      if (seen.operation === 'reserve' && seen.reply.outcome === 'refused') {
        expect(chooseRung(seen.request, accountant.truth(seen.request.scopes)).rung, 'every rung is blocked').toBe(-1)
      }
      accountant.follow(seen)
    })
    const accountant = new Accountant(stage.clock)
    for (const command of commands) {
      const refused = (await stage.play(command)).some((seen) => 'decision' in seen && !seen.decision.allowed)
      if (!refused) continue
      const scopes = [...stage.scopes.values()]
      expect(heldOf((await stage.store.read(scopes)).readings), JSON.stringify(command)).toEqual(heldOf(accountant.truth(scopes)))
    }
  })
}

function heldOf(readings: readonly number[]): readonly number[] {
  return readings.filter((_, index) => index % 4 === 3)
}
