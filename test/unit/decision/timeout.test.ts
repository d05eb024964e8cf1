// A call that takes too long: whoever waits is told at once, and the money follows what the call did.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Bursar } from '../../../src/index.js'
import { entriesOf } from '../setting.js'

const engine = () => new Bursar({ tiers: { free: { daily: 1 } }, defaultTier: 'free' })
const request = { userId: 'u', estimatedCost: 0.1 }

/** The end of a call's time, at the moment that a test says. */
let over: AbortController

describe('timeoutMs', () => {
  beforeEach(() => {
    over = new AbortController()
    vi.spyOn(AbortSignal, 'timeout').mockImplementation(() => over.signal)
  })
  afterEach(() => void vi.restoreAllMocks())

  it('aborts the signal of a call that listens, and gives its money back', async () => {
    const bursar = engine()
    const calling = bursar.guard(request, ({ signal }) => new Promise<never>((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason as Error))), { timeoutMs: 1_000 })
    await vi.waitFor(async () => expect((await bursar.tracker.getUserSummary('u')).held).toBe(0.1))
    over.abort(new DOMException('too long', 'TimeoutError'))
    await expect(calling).rejects.toMatchObject({ name: 'TimeoutError' })
    await vi.waitFor(async () => expect(await bursar.tracker.getUserSummary('u')).toMatchObject({ held: 0, totalCost: 0 }))
  })

  it('does not wait for a call that does not listen, and charges what it reports in the end', async () => {
    const bursar = engine()
    const slow = deferred()
    const calling = bursar.guard(request, () => slow.promise, { timeoutMs: '1s' })
    await vi.waitFor(async () => expect((await bursar.tracker.getUserSummary('u')).held).toBe(0.1))
    over.abort(new DOMException('too long', 'TimeoutError'))
    await expect(calling).rejects.toMatchObject({ name: 'TimeoutError' })
    expect((await bursar.tracker.getUserSummary('u')).held).toBe(0.1)
    slow.resolve({ result: 'late', cost: 0.07 })
    await vi.waitFor(async () => expect(await bursar.tracker.getUserSummary('u')).toMatchObject({ held: 0, totalCost: 0.07 }))
  })

  it('announces what is wrong with the cost that a call reports too late', async () => {
    const bursar = engine()
    const errors: string[] = []
    bursar.on('usage-error', ({ error }) => errors.push(error.message))
    const slow = deferred()
    const calling = bursar.guard(request, () => slow.promise, { timeoutMs: '1s' })
    await vi.waitFor(async () => expect((await bursar.tracker.getUserSummary('u')).held).toBe(0.1))
    over.abort(new DOMException('too long', 'TimeoutError'))
    await expect(calling).rejects.toMatchObject({ name: 'TimeoutError' })
    slow.resolve({ result: 'late', cost: 'much' as never })
    await vi.waitFor(() => expect(errors).toEqual([expect.stringContaining('cost: "much"')]))
    expect(await bursar.tracker.getUserSummary('u')).toMatchObject({ held: 0, totalCost: 0.1 })
  })

  it('says nothing about a call that was in time', async () => {
    const bursar = engine()
    expect(await bursar.guard(request, async () => ({ result: 'answer', cost: 0.05 }), { timeoutMs: 1_000 })).toBe('answer')
    over.abort(new Error('long past'))
    expect((await entriesOf(bursar.tracker)).map(({ kind }) => kind)).toEqual(['settled'])
  })

  it('stands beside the signal of the caller', async () => {
    const bursar = engine()
    const caller = new AbortController()
    const calling = bursar.guard(request, ({ signal }) => new Promise<never>((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason as Error))), { timeoutMs: 1_000, signal: caller.signal })
    await vi.waitFor(async () => expect((await bursar.tracker.getUserSummary('u')).held).toBe(0.1))
    caller.abort(new Error('changed my mind'))
    await expect(calling).rejects.toThrow('changed my mind')
  })
})

describe('a time that is none', () => {
  it.each([[0, 'timeoutMs: 0'], [-5, 'timeoutMs'], [Number.NaN, 'timeoutMs'], ['soon', '"soon"'], ['60d', 'timer']])('refuses %j before anything is held', async (timeoutMs, says) => {
    const bursar = engine()
    await expect(bursar.guard(request, async () => ({ result: 1, cost: 0 }), { timeoutMs: timeoutMs as never })).rejects.toThrow(says)
    expect(await entriesOf(bursar.tracker)).toEqual([])
  })
})

function deferred() {
  let resolve!: (value: { result: string; cost: number }) => void
  const promise = new Promise<{ result: string; cost: number }>((settle) => (resolve = settle))
  return { promise, resolve }
}
