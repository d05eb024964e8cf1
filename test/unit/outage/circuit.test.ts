// What an outage costs requests: the time limit once, then nothing, until the background has found the store again.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { OutageGuard } from '../../../src/outage/index.js'
import { Bursar, CostTracker, memoryStore, StoreUnavailableError } from '../../../src/index.js'
import type { Auditor, AuditSnapshot } from '../../../src/store/index.js'
import { manualClock } from '../../../src/testing/index.js'
import { modelAccess, strictBudgetEnforcement } from '../../../policies/index.js'
import { allowedOf, deniedOf, entriesOf, START, storeWith } from '../setting.js'
import { engine, fakeTimers, FickleStore, settled } from './fickle-store.js'

beforeEach(fakeTimers)
afterEach(() => void vi.useRealTimers())

/** What a promise has come to by now, without waiting for it. */
async function stateOf(promise: Promise<unknown>): Promise<string> {
  let state = 'waits'
  promise.then(
    () => (state = 'done'),
    () => (state = 'failed'),
  )
  await settled()
  return state
}

/** Its operations, to be spread. */
function bound(auditor: Auditor): Auditor {
  return { snapshot: () => auditor.snapshot(), correct: (...given) => auditor.correct(...given), append: (...given) => auditor.append(...given) }
}

describe('a store that does not answer', () => {
  it('is waited for once, for the time limit, and then not at all', async () => {
    const { fickle, said, pass, ask } = engine({ storeTimeout: '200ms' })
    await ask()
    fickle.mood = 'hangs'
    const first = ask()
    await pass(199)
    expect(await stateOf(first)).toBe('waits')
    await pass(1)
    expect(await stateOf(first)).toBe('done')
    expect(deniedOf(await first)).toMatchObject({ code: 'store-unavailable', enforcedBy: 'none' })
    const reserves = fickle.count('reserve')
    for (let call = 0; call < 50; call += 1) {
      // No time passes: an answer that waited for a timer would never come.
      const asked = ask()
      expect(await stateOf(asked)).toBe('done')
      expect(deniedOf(await asked).code).toBe('store-unavailable')
    }
    expect(fickle.count('reserve')).toBe(reserves)
    expect(said).toEqual(['error directory: directory: the memory store did not answer within 200 ms (storeTimeout). Whether it took effect is unknown: repeat it with the same id.'])
  })

  it('is not waited for twice by one request: a reserve that timed out is not repeated', async () => {
    const { fickle, pass, ask } = engine()
    fickle.moods.set('reserve', 'loses replies')
    const asked = ask()
    await pass(1_000)
    expect(deniedOf(await asked).code).toBe('store-unavailable')
    expect(fickle.count('reserve')).toBe(1)
  })

  it('has one second by default', async () => {
    const { fickle, pass, ask } = engine()
    fickle.mood = 'hangs'
    const asked = ask()
    await pass(999)
    expect(await stateOf(asked)).toBe('waits')
    await pass(1)
    expect(await stateOf(asked)).toBe('done')
  })

  it('is told how long a reserve is waited for, and less on its repeat', async () => {
    const { fickle, pass, ask, clock } = engine({ storeTimeout: 500 })
    await ask()
    const waits = () => fickle.asked.filter(({ operation }) => operation === 'reserve').map(({ argument }) => (argument as { waitMs?: number }).waitMs)
    expect(waits()).toEqual([500])
    const guard = new OutageGuard(
      storeWith(fickle.store, { reserve: (request) => (fickle.asked.push({ operation: 'reserve', argument: request }), new Promise((_, reject) => setTimeout(() => reject(new Error('gone')), 300))) }),
      { timeoutMs: 500, clock, onError: () => {}, onRecovered: () => {}, onEffects: () => {}, warn: () => {} },
    )
    fickle.asked = []
    const failed = (guard.reserve({ id: 'a', fingerprint: 'a', idGiven: true, ttlMs: 1_000, onExpiry: 'charge', scopes: [], rungs: [{ microcents: 1, tokens: 0 }], facts: { user: { userId: 'u' }, tier: undefined } }) as Promise<unknown>).catch((error: unknown) => error)
    await pass(300)
    expect(waits()).toEqual([500, 200])
    // The repeat has what was left of the time, and no more.
    await pass(200)
    expect(await failed).toMatchObject({ code: 'STORE_UNAVAILABLE', asked: true })
  })

  it.each([
    ['addCost', (tracker: CostTracker) => tracker.addCost({ userId: 'ada', cost: 1 })],
    ['refund', (tracker: CostTracker) => tracker.refund({ userId: 'ada', cost: 1 })],
    ['getUserSummary', (tracker: CostTracker) => tracker.getUserSummary('ada')],
    ['getUserCost', (tracker: CostTracker) => tracker.getUserCost('ada')],
    ['getSummary', (tracker: CostTracker) => tracker.getSummary()],
    ['setUserTier', (tracker: CostTracker) => tracker.setUserTier('ada', 'pro')],
  ])('fails %s in time, and whoever called keeps the data', async (_name, call) => {
    const { bursar, fickle, pass } = engine()
    fickle.mood = 'hangs'
    const failed = call(bursar.tracker).catch((error: unknown) => error)
    await pass(1_000)
    expect(await failed).toBeInstanceOf(StoreUnavailableError)
    expect(await failed).toMatchObject({ retryable: true, asked: true })
    expect(await call(bursar.tracker).catch((error: unknown) => error)).toMatchObject({ code: 'STORE_UNAVAILABLE', asked: false })
  })

  it('limits each step of what is read piece by piece', async () => {
    const { fickle, inner, clock, pass } = engine()
    let steps = 0
    const hanging = { append: () => {}, totals: inner.ledger.totals.bind(inner.ledger), entries: () => ({ [Symbol.asyncIterator]: () => ({ next: () => ((steps += 1), new Promise<never>(() => {})) }) }) }
    const tracker = new CostTracker({ tiers: { free: {} }, defaultTier: 'free', store: storeWith(fickle.store, { ledger: hanging }), clock })
    const failed = entriesOf(tracker).catch((error: unknown) => error)
    await pass(1_000)
    expect(await failed).toMatchObject({ code: 'STORE_UNAVAILABLE' })
    expect(steps).toBe(1)
  })

  it('keeps what it has answered in time: a late answer of one opens nothing for another', async () => {
    const { bursar, ask, pass } = engine()
    const decision = allowedOf(await ask())
    await pass(5_000)
    expect(await decision.settle({ cost: 0.5 })).toMatchObject({ cost: 0.5, replayed: false })
    expect('queued' in (await decision.settle({ cost: 0.5 }))).toBe(false)
    expect(await bursar.tracker.getUserCost('ada')).toBe(0.5)
  })
})

describe('a connection that fails', () => {
  it('is tried once more at once, with the same id, and nobody notices', async () => {
    const { bursar, fickle, said, ask } = engine()
    let failures = 1
    const inner = fickle.store.reserve.bind(fickle.store)
    const store = storeWith(fickle.store, { reserve: async (request) => (failures-- > 0 ? Promise.reject(new Error('reset by peer')) : inner(request)) })
    const flaky = new Bursar({ tiers: { free: { daily: 10 } }, defaultTier: 'free', store, clock: manualClock(START) })
    expect(await flaky.check({ userId: 'ada', estimatedCost: 1 })).toMatchObject({ allowed: true, replayed: false, enforcedBy: 'store' })
    expect(said).toEqual([])
    expect((await ask()).enforcedBy).toBe('store')
    expect((await bursar.tracker.getUserSummary('ada')).held).toBe(2)
  })

  it('after the reserve has taken effect is no replay: the hold is this call’s own', async () => {
    const clock = manualClock(START)
    const { store } = new FickleStore(memoryStore({ clock }))
    let failures = 1
    const losing = storeWith(store, {
      reserve: async (request) => {
        const reply = await store.reserve(request)
        if (failures-- > 0) throw new Error('reset by peer')
        return reply
      },
    })
    const bursar = new Bursar({ tiers: { free: { daily: 10 } }, defaultTier: 'free', store: losing, clock })
    expect(await bursar.check({ userId: 'ada', estimatedCost: 1 })).toMatchObject({ allowed: true, replayed: false })
    expect((await bursar.tracker.getUserSummary('ada')).held).toBe(1)
  })

  it('too late is not tried again: nobody waits any more', async () => {
    const { fickle, pass, clock } = engine()
    let reserves = 0
    const late = storeWith(fickle.store, { reserve: () => ((reserves += 1), new Promise((_, reject) => setTimeout(() => reject(new Error('gone')), 1_500))) })
    const bursar = new Bursar({ tiers: { free: { daily: 10 } }, defaultTier: 'free', store: late, clock })
    const asked = bursar.check({ userId: 'ada', estimatedCost: 1 })
    await pass(1_000)
    await asked
    await pass(1_000)
    expect(reserves).toBe(1)
  })

  it('that stays so costs no time, and is announced once', async () => {
    const { fickle, said, ask } = engine()
    fickle.mood = 'refuses'
    for (let call = 0; call < 10; call += 1) expect(deniedOf(await ask()).code).toBe('store-unavailable')
    expect(said).toEqual(['error registry: registry: the memory store failed (registry: connection refused). Whether it took effect is unknown: repeat it with the same id.'])
  })
})

describe('the circuit', () => {
  it('is closed again by the background alone, and says so', async () => {
    const { fickle, said, pass, ask } = engine()
    fickle.mood = 'refuses'
    await ask()
    fickle.mood = 'well'
    expect(said).toHaveLength(1)
    await pass(500)
    expect(said.slice(1)).toEqual(['recovered probe'])
    expect((await ask()).enforcedBy).toBe('store')
    expect(said).toHaveLength(2)
  })

  it('is probed one at a time, further and further apart, and never by a request', async () => {
    const { fickle, pass, ask } = engine()
    fickle.mood = 'hangs'
    const first = ask()
    await pass(1_000)
    await first
    const at: number[] = []
    let seen = fickle.probes
    for (let tick = 0; tick < 600; tick += 1) {
      await ask()
      await pass(100)
      if (fickle.probes > seen) at.push(tick)
      expect(fickle.probes - seen).toBeLessThanOrEqual(1)
      seen = fickle.probes
    }
    expect(fickle.count('reserve') + fickle.count('directory') + fickle.count('registry')).toBe(1)
    const gaps = at.slice(1).map((tick, index) => (tick - (at[index] as number)) * 100)
    // Each probe hangs for a second; the waits between them grow to five.
    expect(Math.max(...gaps)).toBeLessThanOrEqual(6_100)
    expect(Math.min(...gaps.slice(5))).toBeGreaterThanOrEqual(3_400)
    expect(at.length).toBeGreaterThan(8)
  })

  it('stays open while the store can only be read', async () => {
    const { fickle, said, pass, ask } = engine()
    fickle.mood = 'read-only'
    await ask()
    await pass(60_000)
    expect(said).toHaveLength(1)
    fickle.mood = 'well'
    await pass(5_000)
    expect(said.at(-1)).toBe('recovered probe')
  })

  it('is not opened by what the rules or the caller got wrong', async () => {
    const { bursar, said, ask } = engine()
    await expect(ask({ userTier: 'gold' })).rejects.toMatchObject({ code: 'UNKNOWN_TIER' })
    await expect(bursar.settle('nobody', { cost: 1 })).rejects.toMatchObject({ code: 'UNKNOWN_HOLD' })
    await ask({ idempotencyKey: 'k' })
    await expect(ask({ idempotencyKey: 'k', estimatedCost: 2 })).rejects.toMatchObject({ code: 'ID_REUSED' })
    expect((await ask()).enforcedBy).toBe('store')
    expect(said).toEqual([])
  })

  it('is not opened again by an operation of before', async () => {
    const { fickle, said, ask, pass } = engine()
    fickle.moods.set('reserve', 'hangs')
    const slow = ask()
    await pass(100)
    fickle.mood = 'refuses'
    await ask()
    fickle.mood = 'well'
    fickle.moods.clear()
    await pass(600)
    expect(said.at(-1)).toBe('recovered probe')
    await pass(300)
    expect(deniedOf(await slow).code).toBe('store-unavailable')
    expect(said).toHaveLength(2)
    expect((await ask()).enforcedBy).toBe('store')
  })

  it('fails an audit at once, and nothing limits the time of one otherwise', async () => {
    const { bursar, fickle, pass, ask } = engine()
    await ask()
    const auditor = fickle.inner.auditor as Auditor
    let snapshots = 0
    const inner = storeWith(fickle.inner, { auditor: { ...bound(auditor), snapshot: () => ((snapshots += 1), new Promise<AuditSnapshot>((resolve) => setTimeout(() => resolve(auditor.snapshot()), 60_000))) } })
    fickle.inner = inner
    const slow = bursar.tracker.audit()
    await pass(59_000)
    expect(await stateOf(slow)).toBe('waits')
    await pass(1_000)
    expect(await slow).toMatchObject({ status: 'clean' })
    fickle.mood = 'refuses'
    await ask()
    const failed = bursar.tracker.audit()
    expect(await stateOf(failed)).toBe('failed')
    await expect(failed).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', asked: false })
    expect(snapshots).toBe(1)
  })

  it('says with which key to try again', async () => {
    const { fickle, ask } = engine()
    fickle.mood = 'refuses'
    expect(deniedOf(await ask({ idempotencyKey: 'k' })).toDenial().message).toMatch(/not available.*Try again, with a new idempotencyKey if one was given\.$/)
  })

  it('is one for an engine and its tracker', async () => {
    const { bursar, fickle, ask } = engine()
    fickle.mood = 'refuses'
    await bursar.tracker.addCost({ userId: 'ada', cost: 1 }).catch(() => {})
    fickle.asked = []
    expect(deniedOf(await ask()).code).toBe('store-unavailable')
    expect(fickle.count('reserve')).toBe(0)
  })

  it('withdraws a reserve whose reply was lost, before anybody is admitted again', async () => {
    const { bursar, fickle, pass, ask, inner } = engine()
    fickle.moods.set('reserve', 'loses replies')
    const lost = ask({ estimatedCost: 9 })
    await pass(1_000)
    expect(deniedOf(await lost).code).toBe('store-unavailable')
    fickle.moods.clear()
    await pass(5_000)
    expect((await bursar.tracker.getUserSummary('ada')).held).toBe(0)
    expect((await entriesOf(bursar.tracker)).map(({ kind }) => kind)).toContain('released')
    expect(allowedOf(await ask({ estimatedCost: 9 })).enforcedBy).toBe('store')
    expect(inner.shared).toBe(false)
  })
})

describe('a store that answers at once', () => {
  it('is answered at once through the guard too, and its failures open the circuit', async () => {
    const clock = manualClock(START)
    const fickle = new FickleStore(memoryStore({ clock }), true)
    const guard = new OutageGuard(fickle.store, { timeoutMs: 1_000, clock, onError: () => {}, onRecovered: () => {}, onEffects: () => {}, warn: () => {} })
    expect(guard.read([])).toMatchObject({ readings: [] })
    expect(guard.settle({ id: 'x', microcents: 1 })).toEqual({ outcome: 'unknown-hold' })
    expect(guard.directory.get({ userId: 'u' })).toBeUndefined()
    expect(vi.getTimerCount()).toBe(0)
    fickle.mood = 'refuses'
    expect(() => guard.read([])).toThrow(StoreUnavailableError)
    fickle.asked = []
    expect(() => guard.read([])).toThrow(/away, and was not asked/)
    expect(fickle.count('read')).toBe(0)
    await guard.close()
  })

  it('has no guard before it where it is not shared', () => {
    const store = memoryStore()
    const seen: unknown[] = []
    const spied = storeWith(store, { close: function close(this: unknown) { seen.push(this) } })
    void new Bursar({ tiers: { free: { daily: 1 } }, store: spied }).close()
    expect(seen).toEqual([spied])
  })
})

describe('an outage that lets requests through', () => {
  it('lets through no request that a policy refuses, and no model', async () => {
    const { fickle, ask } = engine({ onStoreError: 'allow', policies: [strictBudgetEnforcement, modelAccess({ free: { deny: ['gpt-4'] } })] })
    fickle.mood = 'refuses'
    expect(await ask({ model: 'gpt-4' })).toMatchObject({ allowed: false, code: 'policy' })
    expect(await ask()).toMatchObject({ allowed: true, enforcedBy: 'none', windows: [] })
  })
})

describe('a store that has lost its data', () => {
  it.each(['block', 'allow', 'local'] as const)('blocks, whatever onStoreError says (%s), until the loss is accepted', async (onStoreError) => {
    const { fickle, said, ask, pass } = engine({ onStoreError, localShare: 1 })
    await ask()
    fickle.mood = 'reset'
    for (let call = 0; call < 3; call += 1) expect(deniedOf(await ask())).toMatchObject({ code: 'store-unavailable', enforcedBy: 'none' })
    expect(said).toHaveLength(1)
    expect(said[0]).toContain('store.acceptReset()')
    const { message } = deniedOf(await ask()).toDenial()
    expect(message).toMatch(/has lost its data.*tracker\.audit\(\{ repair: 'counters' \}\).*store\.acceptReset\(\)/)
    expect(message).not.toContain('Try again')
    // Nor does it admit by what was known before, if it goes away then.
    fickle.mood = 'refuses'
    if (onStoreError === 'local') expect(deniedOf(await ask()).code).toBe('store-unavailable')
    fickle.mood = 'well'
    await pass(5_000)
    expect((await ask()).enforcedBy).toBe('store')
    expect(said.at(-1)).toMatch(/^recovered/)
  })

  it('is not admitted by what was known of it before, though the loss was accepted', async () => {
    const { bursar, fickle, ask } = engine({ onStoreError: 'local', localShare: 1 })
    await ask()
    fickle.mood = 'reset'
    await ask()
    fickle.mood = 'well'
    await bursar.tracker.getUserCost('ada')
    fickle.mood = 'refuses'
    expect(deniedOf(await ask()).code).toBe('store-unavailable')
  })

  it('is found by a probe, and then heard first hand', async () => {
    const { bursar, fickle, ask, pass } = engine({ onStoreError: 'allow' })
    fickle.mood = 'refuses'
    expect((await ask()).allowed).toBe(true)
    fickle.mood = 'reset'
    await pass(5_000)
    expect(deniedOf(await ask()).code).toBe('store-unavailable')
    await expect(bursar.tracker.addCost({ userId: 'ada', cost: 1 })).rejects.toMatchObject({ code: 'STORE_RESET', retryable: false })
    fickle.mood = 'well'
    expect((await ask()).enforcedBy).toBe('store')
  })

  it('keeps the settles that it cannot take', async () => {
    const { bursar, fickle, ask, pass } = engine()
    const decision = allowedOf(await ask())
    fickle.mood = 'reset'
    expect(await decision.settle({ cost: 0.5 })).toMatchObject({ queued: true })
    await pass(120_000)
    fickle.mood = 'well'
    await pass(5_000)
    expect(await bursar.tracker.getUserCost('ada')).toBe(0.5)
  })
})
