// How long the hold of a stream lasts: as long as it is read, and as declared when nobody reads it. Timers and store time go together.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { memoryStore, StoreUnavailableError, type Store } from '../../../src/index.js'
import { manualClock } from '../../../src/testing/index.js'
import { storeWith } from '../setting.js'
import { drain, engine, heard, INPUT, meter, OUTPUT, Tap, TTL_MS, type Piece } from './kit.js'

const STEP_MS = TTL_MS / 60
const ESTIMATE = 100 * INPUT + 50 * OUTPUT

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }))
afterEach(() => void vi.useRealTimers())

async function pass({ clock }: { clock: { advance(ms: number): void } }, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += STEP_MS) {
    clock.advance(STEP_MS)
    await vi.advanceTimersByTimeAsync(STEP_MS)
  }
}

/** What would be spent and held if everything that is due ended now. */
async function isOpen({ standing }: { standing(): Promise<{ spent: number; held: number }> }): Promise<boolean> {
  return (await standing()).held > 0
}

describe('the hold of a stream', () => {
  it.each([TTL_MS / 10, TTL_MS / 2, TTL_MS * 0.9])('lasts as long as a piece comes every %d ms', async (gapMs) => {
    const setting = engine()
    const expired = heard(setting.bursar, 'hold-expired')
    const tap = new Tap<Piece>()
    const reading = drain(meter(await setting.ask(), tap))
    for (let pieces = 0; pieces < 20; pieces += 1) {
      await pass(setting, gapMs)
      tap.give({ text: 'a' })
      await vi.advanceTimersByTimeAsync(0)
      expect(await isOpen(setting)).toBe(true)
    }
    tap.end()
    await reading
    expect(await setting.standing()).toEqual({ spent: 100 * INPUT + 20 * OUTPUT, held: 0 })
    expect(expired).toEqual([])
    expect(vi.getTimerCount()).toBe(0)
  })

  it('lasts as long as the request says', async () => {
    const setting = engine()
    const tap = new Tap<Piece>()
    const stream = await setting.bursar.stream({ userId: 'u', model: 'large', inputTokens: 100, maxOutputTokens: 50, holdTtl: 10 * TTL_MS }, () => tap, { read: (piece: Piece) => piece })
    const iterator = stream[Symbol.asyncIterator]()
    tap.give({ text: 'a' })
    await iterator.next()
    await pass(setting, 10 * TTL_MS)
    expect(await isOpen(setting)).toBe(true)
    await pass(setting, 5 * TTL_MS)
    expect(await isOpen(setting)).toBe(false)
  })

  it('expires as declared where nobody reads it, and is still settled late by who does in the end', async () => {
    const setting = engine()
    const tap = new Tap<Piece>().give({ text: 'abc' }).end()
    const stream = meter(await setting.ask(), tap)
    await pass(setting, TTL_MS - STEP_MS)
    expect(await isOpen(setting)).toBe(true)
    await pass(setting, STEP_MS)
    expect(await setting.standing()).toEqual({ spent: ESTIMATE, held: 0 })
    expect(vi.getTimerCount()).toBe(0)
    await drain(stream)
    expect(await setting.standing()).toEqual({ spent: 100 * INPUT + 3 * OUTPUT, held: 0 })
    expect((await setting.entries()).map(({ kind }) => kind)).toEqual(['expired', 'corrected'])
  })

  it.each([['charge', ESTIMATE], ['release', 0]] as const)('expires, and is %sd, where a reader has gone without a word', async (onHoldExpiry, spent) => {
    const setting = engine({ onHoldExpiry })
    const tap = new Tap<Piece>().give({ text: 'abc' })
    const iterator = meter(await setting.ask(), tap)[Symbol.asyncIterator]()
    await pass(setting, TTL_MS * 0.4)
    await iterator.next()
    await pass(setting, TTL_MS)
    expect(await isOpen(setting)).toBe(true)
    await pass(setting, TTL_MS * 0.5)
    expect(await setting.standing()).toEqual({ spent, held: 0 })
    expect(vi.getTimerCount()).toBe(0)
    await iterator.return?.()
    expect(await setting.standing()).toEqual({ spent: 100 * INPUT + 3 * OUTPUT, held: 0 })
  })

  it('is extended after a piece that came late, though its reader takes time over it', async () => {
    const setting = engine()
    const tap = new Tap<Piece>()
    const asked = meter(await setting.ask(), tap)[Symbol.asyncIterator]().next()
    await pass(setting, TTL_MS * 0.9)
    tap.give({ text: 'a' })
    await asked
    await pass(setting, TTL_MS * 0.9)
    expect(await isOpen(setting)).toBe(true)
  })

  it('is extended at once by a reader who comes back in time', async () => {
    const setting = engine()
    const tap = new Tap<Piece>().give({ text: 'a' })
    const iterator = meter(await setting.ask(), tap)[Symbol.asyncIterator]()
    await pass(setting, TTL_MS * 0.9)
    await iterator.next()
    await pass(setting, TTL_MS * 0.9)
    expect(await isOpen(setting)).toBe(true)
  })

  it('is extended while the provider has not answered the call yet', async () => {
    const setting = engine()
    const tap = new Tap<Piece>().give({ text: 'a' }).end()
    let answer: (tap: Tap<Piece>) => void = () => {}
    const opening = setting.bursar.stream({ userId: 'u', model: 'large', inputTokens: 100, maxOutputTokens: 50 }, () => new Promise<Tap<Piece>>((resolve) => (answer = resolve)), { read: (piece) => piece })
    await pass(setting, TTL_MS * 1.4)
    expect(await isOpen(setting)).toBe(true)
    answer(tap)
    await drain(await opening)
    expect(await setting.standing()).toEqual({ spent: 100 * INPUT + OUTPUT, held: 0 })
  })

  it('lasts as long as its reader waits, however long the provider says nothing', async () => {
    const setting = engine()
    const expired = heard(setting.bursar, 'hold-expired')
    const tap = new Tap<Piece>()
    const iterator = meter(await setting.ask(), tap)[Symbol.asyncIterator]()
    const asked = iterator.next()
    await pass(setting, 5 * TTL_MS)
    expect([await isOpen(setting), expired]).toEqual([true, []])
    tap.give({ text: 'a' })
    await asked
    await pass(setting, 2 * TTL_MS)
    expect(await isOpen(setting)).toBe(false)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('lasts as long as the call is waited for, and not when that is over', async () => {
    const setting = engine()
    const controller = new AbortController()
    const opening = setting.bursar.stream({ userId: 'u', model: 'large', inputTokens: 100, maxOutputTokens: 50 }, () => new Promise<Tap<Piece>>(() => {}), { signal: controller.signal })
    await pass(setting, 5 * TTL_MS)
    expect(await isOpen(setting)).toBe(true)
    controller.abort(new Error('gone'))
    await expect(opening).rejects.toThrow('gone')
    await pass(setting, 2 * TTL_MS)
    expect(await isOpen(setting)).toBe(false)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('is not extended for a call that failed', async () => {
    const setting = engine()
    await expect(setting.bursar.stream({ userId: 'u', model: 'large', inputTokens: 100 }, () => Promise.reject(new Error('401')))).rejects.toThrow('401')
    expect(vi.getTimerCount()).toBe(0)
  })

  it('is asked to be extended again, soon, where the store fails, and each failure is announced', async () => {
    const clock = manualClock()
    const store = memoryStore({ clock })
    let failures = 3
    const setting = engine({ clock, store: storeWith(store, { extend: ((request: never) => ((failures -= 1) >= 0 ? Promise.reject(new StoreUnavailableError('down')) : store.extend(request))) as Store['extend'] }) })
    const failed = heard(setting.bursar, 'store-error')
    const tap = new Tap<Piece>()
    const reading = drain(meter(await setting.ask(), tap))
    await pass({ clock }, TTL_MS)
    expect(failed.map(({ operation }) => operation)).toEqual(['extend', 'extend', 'extend'])
    expect(await isOpen(setting)).toBe(true)
    tap.end()
    await reading
  })

  it('is not asked for without end where the store stays away and nobody reads', async () => {
    const clock = manualClock()
    const setting = engine({ clock, store: storeWith(memoryStore({ clock }), { extend: () => Promise.reject(new StoreUnavailableError('down')) }) })
    const failed = heard(setting.bursar, 'store-error')
    const iterator = meter(await setting.ask(), new Tap<Piece>().give({ text: 'a' }))[Symbol.asyncIterator]()
    await iterator.next()
    await pass({ clock }, 5 * TTL_MS)
    expect(failed).toHaveLength(4)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('is left alone once it has been ended elsewhere', async () => {
    const setting = engine()
    const failed = heard(setting.bursar, 'store-error')
    const decision = await setting.ask()
    const extended = vi.spyOn(Object.getPrototypeOf(decision) as typeof decision, 'extend')
    const iterator = meter(decision, new Tap<Piece>().give({ text: 'a' }, { text: 'b' }, { text: 'c' }))[Symbol.asyncIterator]()
    await iterator.next()
    await decision.release()
    for (let read = 0; read < 2; read += 1) {
      await pass(setting, TTL_MS)
      await iterator.next()
    }
    expect([extended.mock.calls.length, failed, vi.getTimerCount()]).toEqual([1, [], 0])
    extended.mockRestore()
  })

  it('is not extended again when the stream has ended meanwhile', async () => {
    const clock = manualClock()
    const store = memoryStore({ clock })
    let answer = (): void => {}
    const setting = engine({ clock, store: storeWith(store, { extend: async (request) => {
      const reply = await store.extend(request)
      return new Promise((resolve) => (answer = () => resolve(reply)))
    } }) })
    const failed = heard(setting.bursar, 'store-error')
    const tap = new Tap<Piece>()
    const reading = drain(meter(await setting.ask(), tap))
    await pass({ clock }, TTL_MS / 2)
    tap.end()
    await reading
    answer()
    await vi.advanceTimersByTimeAsync(0)
    expect([failed, vi.getTimerCount()]).toEqual([[], 0])
  })

  it('does not exist where the store was away, and is not extended', async () => {
    const extend = vi.fn(() => Promise.reject(new StoreUnavailableError('down')))
    const setting = engine({ onStoreError: 'allow', store: storeWith(memoryStore(), { reserve: () => Promise.reject(new StoreUnavailableError('down')), extend }) })
    const tap = new Tap<Piece>()
    const reading = drain(meter(await setting.ask(), tap))
    await pass(setting, 3 * TTL_MS)
    tap.give({ text: 'a' }).end()
    await reading
    expect(extend).not.toHaveBeenCalled()
    expect(await setting.standing()).toEqual({ spent: 100 * INPUT + OUTPUT, held: 0 })
  })

  it('does not keep a process alive, and takes a time that is longer than any timer', async () => {
    const setting = engine()
    const timers = vi.spyOn(globalThis, 'setTimeout')
    meter(await setting.ask({ holdTtl: '60d' }), new Tap<Piece>(), { holdTtlMs: 60 * 86_400_000 })
    expect(timers.mock.calls.map(([, delayMs]) => delayMs)).toEqual([2 ** 31 - 1])
    expect(timers.mock.results.map(({ value }) => (value as NodeJS.Timeout).hasRef())).toEqual([false])
  })
})
