// ALL-OR-NOTHING: one request is admitted by all its windows in all its scopes, or changes none of them. Each reserve is watched
// from just before it to just after it.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { amountIn, type Amounts } from '../../src/money/index.js'
import type { ReserveRequest, Store } from '../../src/store/index.js'
import { memoryStore } from '../../src/store/memory/index.js'
import { chargesEarlierScopes } from '../support/broken-stores.js'
import { assertProperty, propertyHolds, type StoreFactory } from '../support/property.js'
import { Stage, traces } from '../support/trace.js'

describe('ALL-OR-NOTHING', () => {
  it('moves every window of an admitted request by its amount, and none of a refused one', async () => {
    await assertProperty('ALL-OR-NOTHING', allOrNothing((clock) => memoryStore({ clock })))
  })

  it('is told from a store that charges earlier scopes when a later one refuses', async () => {
    expect(await propertyHolds(allOrNothing(chargesEarlierScopes))).toBe(false)
  })
})

function allOrNothing(open: StoreFactory): fc.IAsyncProperty<unknown> {
  return fc.asyncProperty(traces, async ({ world, commands }) => {
    const stage: Stage = new Stage(world, (clock) => watchingReserves(open(clock), (check) => stage.guarded(check)))
    for (const command of commands) await stage.play(command)
  })
}

const CHANGING = ['settle', 'release', 'record', 'refund', 'restart']

/** The same store; a reserve that no other operation overlaps is compared with the windows before and after it. */
function watchingReserves(store: Store, guarded: (check: () => void) => void): Store {
  let running = 0
  let started = 0
  const reserve = async (request: ReserveRequest): Promise<Awaited<ReturnType<Store['reserve']>>> => {
    started += 1
    running += 1
    const first = running === 1
    const mark = started
    const before = await store.read(request.scopes)
    const reply = await store.reserve(request)
    const after = await store.read(request.scopes)
    const alone = first && mark === started
    running -= 1
    if (alone) guarded(() => expect(moved(before.readings, after.readings), `${reply.outcome} ${request.id}`).toEqual(expectedMoves(request, reply)))
    return reply
  }
  return new Proxy(store, {
    get(target, name) {
      if (name === 'reserve') return reserve
      const value: unknown = Reflect.get(target, name, target)
      if (typeof value !== 'function') return value
      return (...args: unknown[]): unknown => {
        if (CHANGING.includes(String(name))) started += 1
        return value.apply(target, args)
      }
    },
  })
}

function moved(before: readonly number[], after: readonly number[]): readonly number[] {
  return after.map((value, index) => value - (before[index] as number))
}

function expectedMoves(request: ReserveRequest, reply: Awaited<ReturnType<Store['reserve']>>): readonly number[] {
  const amounts = reply.outcome === 'admitted' && reply.replay === undefined ? (request.rungs[reply.rung] as Amounts) : undefined
  return request.scopes.flatMap(({ windows }) =>
    windows.flatMap(({ unit }) => {
      if (amounts === undefined) return [0, 0, 0, 0]
      return unit === 'requests' ? [0, 0, 1, 0] : [0, 0, 0, amountIn(unit, amounts)]
    }),
  )
}
