// Sessions while the store is away: a cap that this process has heard of counts as far as anything does, and one that it has not heard
// of is not "none".

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Bursar } from '../../../src/index.js'
import { allowedOf, deniedOf, entriesOf } from '../setting.js'
import { engine, fakeTimers } from './fickle-store.js'

beforeEach(fakeTimers)
afterEach(() => void vi.useRealTimers())

const inSession = { userId: 'ada', sessionId: 's', estimatedCost: 0.4 }
const opened = async ({ bursar }: { bursar: Bursar }) => bursar.session({ userId: 'ada', id: 's', maxCost: 1 })

describe('while the store is away', () => {
  it.each([['block'], ['allow'], ['local']])('a session that nobody here has heard of is refused (%s)', async (onStoreError) => {
    const first = engine()
    await opened(first)
    const { bursar, fickle } = engine({ onStoreError, ...(onStoreError === 'local' && { localShare: 0.5 }) }, first.inner, first.clock)
    await bursar.check({ userId: 'ada', estimatedCost: 0.1 })
    fickle.mood = 'refuses'
    expect(deniedOf(await bursar.check(inSession)).toDenial()).toMatchObject({ code: 'store-unavailable', status: 503 })
    await expect(bursar.session({ userId: 'ada', id: 's' })).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    await expect(bursar.tracker.addCost({ userId: 'ada', sessionId: 's', cost: 1 })).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
  })

  it('and only the registry fails, that is so too', async () => {
    const first = engine()
    await opened(first)
    const { bursar, fickle } = engine({ onStoreError: 'allow' }, first.inner, first.clock)
    fickle.moods.set('registry', 'refuses')
    expect(deniedOf(await bursar.check(inSession)).code).toBe('store-unavailable')
  })

  it('a refused request is one of the session’s ledger entries', async () => {
    const { bursar } = engine()
    const session = await bursar.session({ userId: 'ada', id: 's', maxCost: 1 })
    deniedOf(await session.check({ estimatedCost: 2 }))
    expect((await entriesOf(bursar.tracker)).map(({ kind, sessionId }) => [kind, sessionId])).toEqual([['configured', 's'], ['denied', 's']])
  })

  it('one that is known is refused under block, and let through under allow, where it is counted later', async () => {
    const blocked = engine()
    await opened(blocked)
    blocked.fickle.mood = 'refuses'
    expect(deniedOf(await blocked.bursar.check(inSession)).code).toBe('store-unavailable')

    const { bursar, fickle, pass } = engine({ onStoreError: 'allow' })
    const session = await bursar.session({ userId: 'ada', id: 's', maxCost: 1 })
    fickle.mood = 'refuses'
    const decision = allowedOf(await session.check({ estimatedCost: 0.4 }))
    expect([decision.enforcedBy, session.remainingBudget]).toEqual(['none', 1])
    expect(await decision.settle({ cost: 0.3 })).toMatchObject({ queued: true })
    fickle.mood = 'well'
    await pass(10_000)
    expect(await session.summary()).toMatchObject({ totalCost: 0.3, remainingBudget: 0.7 })
    expect((await bursar.tracker.audit()).status).toBe('clean')
  })

  it('a local share is one of its cap, too', async () => {
    const { bursar, fickle } = engine({ onStoreError: 'local', localShare: 0.5 })
    const session = await bursar.session({ userId: 'ada', id: 's', maxCost: 1 })
    await allowedOf(await session.check({ estimatedCost: 0.2 })).settle({ cost: 0.2 })
    fickle.mood = 'refuses'
    expect(allowedOf(await session.check({ estimatedCost: 0.3 })).enforcedBy).toBe('local')
    expect(deniedOf(await session.check({ estimatedCost: 0.2 })).toDenial()).toMatchObject({ scope: { kind: 'session' }, local: true })
  })

  it('a refusal by a cap stands where it cannot be looked up', async () => {
    const { bursar, fickle, said } = engine({ onStoreError: 'allow' })
    const session = await opened({ bursar })
    fickle.moods.set('registry', 'refuses')
    expect(deniedOf(await session.check({ estimatedCost: 2 })).toDenial()).toMatchObject({ code: 'budget', limit: 1 })
    expect(said).toHaveLength(1)
  })
})

describe('what was let through without the store', () => {
  it('is the user’s where the session has ended by the time it is counted', async () => {
    const { bursar, fickle, clock } = engine({ onStoreError: 'allow' })
    const session = await bursar.session({ userId: 'ada', id: 's', maxCost: 1, ttl: '1m' })
    fickle.moods.set('reserve', 'read-only')
    const decision = allowedOf(await session.check({ estimatedCost: 0.4 }))
    expect(decision.enforcedBy).toBe('none')
    fickle.moods.clear()
    await vi.advanceTimersByTimeAsync(10_000)
    clock.advance('2m')
    await decision.settle({ cost: 0.3 })
    expect(await bursar.tracker.getUserCost('ada')).toBe(0.3)
  })
})
