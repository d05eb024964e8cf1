// What counts as a store that is away: not a mistake in a program, and not all that is to be repeated.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Bursar, memoryStore, StoreUnavailableError } from '../../../src/index.js'
import { isStoresFailure } from '../../../src/outage/index.js'
import { manualClock } from '../../../src/testing/index.js'
import { allowedOf, deniedOf, START, storeWith } from '../setting.js'
import { engine, fakeTimers, FickleStore } from './fickle-store.js'

beforeEach(fakeTimers)
afterEach(() => void vi.useRealTimers())

const MISTAKES = [new TypeError('x is not a function'), new ReferenceError('x is not defined'), new RangeError('invalid array length'), new SyntaxError('unexpected end of JSON input')]

describe('a mistake in a program', () => {
  it.each(MISTAKES)('%s is the caller’s to hear, and lets nobody through', async (mistake) => {
    const clock = manualClock(START)
    for (const shared of [true, false]) {
      for (const onStoreError of ['allow', 'block'] as const) {
        let broken = true
        const memory = memoryStore({ clock })
        const store = storeWith(memory, { shared, reserve: (request) => (broken ? Promise.reject(mistake) : memory.reserve(request)) })
        const bursar = new Bursar({ tiers: { free: { daily: 1 } }, defaultTier: 'free', clock, store, onStoreError })
        const heard: unknown[] = []
        bursar.on('store-error', (event) => heard.push(event))
        await expect(bursar.check({ userId: 'u', estimatedCost: 1_000 })).rejects.toBe(mistake)
        await expect(bursar.check({ userId: 'u', estimatedCost: 1_000 })).rejects.toBe(mistake)
        expect(heard).toEqual([])
        broken = false
        expect((await bursar.check({ userId: 'u', estimatedCost: 0.5 })).enforcedBy).toBe('store')
      }
    }
  })

  it('is told apart from a request over the network that failed', () => {
    expect(MISTAKES.map(isStoresFailure)).toEqual([false, false, false, false])
    expect(isStoresFailure(new TypeError('fetch failed', { cause: new Error('connect ECONNREFUSED') }))).toBe(true)
    expect(isStoresFailure(new Error('connection refused'))).toBe(true)
  })

  it('loses no ending that waits: it stays until the store can take it', async () => {
    const { bursar, fickle, inner, ask, pass } = engine()
    const decision = allowedOf(await ask())
    fickle.mood = 'refuses'
    await decision.settle({ cost: 0.4 })
    fickle.mood = 'well'
    fickle.inner = storeWith(inner, { settle: () => { throw new TypeError('x is not a function') } })
    await pass(5_000)
    fickle.inner = inner
    await pass(10_000)
    expect(await bursar.tracker.getUserCost('ada')).toBe(0.4)
  })
})

describe('a reserve of which the store says that it has changed nothing', () => {
  const locked = () => new StoreUnavailableError('locked', { asked: false })

  it.each([[true], [false]])('is not repeated, and leaves no tombstone (answers at once: %s)', async (answersAtOnce) => {
    const { clock, inner } = engine()
    const fickle = new FickleStore(inner, answersAtOnce)
    let reserves = 0
    const store = storeWith(fickle.store, {
      reserve: () => {
        reserves += 1
        if (answersAtOnce) throw locked()
        return Promise.reject(locked())
      },
    })
    const bursar = new Bursar({ tiers: { free: { daily: 1 } }, defaultTier: 'free', clock, store })
    expect(deniedOf(await bursar.check({ userId: 'u', estimatedCost: 0.1 })).code).toBe('store-unavailable')
    expect(reserves).toBe(1)
    await vi.advanceTimersByTimeAsync(5_000)
    expect(fickle.probes).toBeGreaterThan(0)
    expect(fickle.count('release')).toBe(0)
  })

  it('is not repeated without a guard either', async () => {
    const memory = memoryStore()
    let reserves = 0
    let releases = 0
    const store = storeWith(memory, { reserve: () => ((reserves += 1), Promise.reject(locked())), release: (request) => ((releases += 1), memory.release(request)) })
    const bursar = new Bursar({ tiers: { free: { daily: 1 } }, defaultTier: 'free', store })
    expect(deniedOf(await bursar.check({ userId: 'u', estimatedCost: 0.1 })).code).toBe('store-unavailable')
    expect([reserves, releases]).toEqual([1, 0])
  })
})

describe('a store that answers at once', () => {
  it('is never probed within the request that failed', async () => {
    const { clock, inner } = engine()
    const fickle = new FickleStore(inner, true)
    const bursar = new Bursar({ tiers: { free: { daily: 1 } }, defaultTier: 'free', clock, store: fickle.store })
    fickle.mood = 'refuses'
    expect(deniedOf(await bursar.check({ userId: 'u', estimatedCost: 0.1 })).code).toBe('store-unavailable')
    expect(fickle.probes).toBe(0)
    await vi.advanceTimersByTimeAsync(1)
    expect(fickle.probes).toBe(1)
    // The next one waits for its time.
    await vi.advanceTimersByTimeAsync(200)
    expect(fickle.probes).toBe(1)
    await vi.advanceTimersByTimeAsync(5_000)
    expect(fickle.probes).toBeGreaterThan(1)
  })
})
