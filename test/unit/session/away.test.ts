// A session while the store is away: what is said is what was wanted, and not the operation at which the store was found to be away.

import { describe, expect, it } from 'vitest'
import { Bursar, memoryStore } from '../../../src/index.js'
import { manualClock } from '../../../src/testing/index.js'
import { storeWith } from '../setting.js'

describe('a session while the store is away', () => {
  it('says what could not be done', async () => {
    const clock = manualClock()
    const away = { is: false }
    const memory = memoryStore({ clock })
    const failing = <Given extends readonly unknown[], Result>(operation: (...given: Given) => Result) => (...given: Given): Result => {
      if (away.is) throw new Error('ECONNREFUSED')
      return operation(...given)
    }
    const store = storeWith(memory, { shared: true, reserve: failing((request) => memory.reserve(request)), read: failing((scopes) => memory.read(scopes)), registry: { get: failing((kind, key) => memory.registry.get(kind, key)), put: (...given) => memory.registry.put(...given), list: (kind) => memory.registry.list(kind) } })
    const bursar = new Bursar({ tiers: { free: { daily: 10 } }, defaultTier: 'free', clock, store })
    const session = await bursar.session({ userId: 'ann', id: 's', maxCost: 1 })
    away.is = true
    expect((await session.check({ estimatedCost: 0.1 })).allowed).toBe(false)
    const calls = [['session()', () => bursar.session({ userId: 'ann', maxCost: 1 })], ['session()', () => session.session()], ['summary()', () => session.summary()], ['raiseCostCap()', () => session.raiseCostCap(2)], ['raiseTokenCap()', () => session.raiseTokenCap(2)]] as const
    for (const [what, call] of calls) await expect(call()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', asked: false, retryable: true, cause: { code: 'STORE_UNAVAILABLE' }, message: `${what}: the store is away, and was not asked. Try again when it is back.` })
    // Long after what was heard of it, and past its end by the clock, what is known of it stands: only the store could say more.
    clock.advance('31d')
    expect((await session.check({ estimatedCost: 0.1 })).allowed).toBe(false)
    away.is = false
    await bursar.close()
  })
})
