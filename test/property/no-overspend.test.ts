// NO-OVERSPEND: no admission leaves spent + held above the ceiling that it was tested against, under any interleaving. What alone
// can exceed a limit is a settle above its hold, a late settle, record and a lowered limit: the traces are full of them.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { amountIn, type Amounts } from '../../src/money/index.js'
import type { ReserveRequest } from '../../src/store/index.js'
import { memoryStore } from '../../src/store/memory/index.js'
import { Accountant } from '../support/accountant.js'
import { checkThenAct } from '../support/broken-stores.js'
import { assertProperty, propertyHolds, type StoreFactory } from '../support/property.js'
import { Stage, traces } from '../support/trace.js'

describe('NO-OVERSPEND', () => {
  it('admits nothing that leaves spent + held above a ceiling', async () => {
    await assertProperty('NO-OVERSPEND', neverOverspends((clock) => memoryStore({ clock })))
  })

  it('is told from a store that tests, waits and then acts', async () => {
    expect(await propertyHolds(neverOverspends(checkThenAct))).toBe(false)
  })
})

function neverOverspends(open: StoreFactory): fc.IAsyncProperty<unknown> {
  return fc.asyncProperty(traces, async ({ world, commands }) => {
    const stage: Stage = new Stage(world, open, (seen) => {
      if (seen.operation === 'reserve' && seen.reply.outcome === 'admitted' && seen.reply.replay === undefined) {
        expect(overspent(seen.request, accountant.truth(seen.request.scopes), seen.request.rungs[seen.reply.rung] as Amounts)).toEqual([])
      }
      accountant.follow(seen)
    })
    const accountant = new Accountant(stage.clock)
    for (const command of commands) await stage.play(command)
  })
}

/** The windows in which an admission of these amounts would stand above what it was tested against. */
function overspent({ scopes }: ReserveRequest, truth: readonly number[], amounts: Amounts): string[] {
  const windows = scopes.flatMap((scope) => scope.windows.map((terms) => ({ key: scope.key, terms })))
  return windows.flatMap(({ key, terms }, index) => {
    const total = (truth[index * 4 + 2] as number) + (truth[index * 4 + 3] as number) + amountIn(terms.unit, amounts)
    return total <= terms.block.max ? [] : [`${key} ${terms.window}: ${total} of at most ${terms.block.max}`]
  })
}
