// Streams under a hold: every way in which one ends, by everything that a provider may have said until then.

import assert from 'node:assert/strict'
import { describe, expect, it, vi } from 'vitest'
import { memoryStore, type Store } from '../../../src/index.js'
import { manualClock } from '../../../src/testing/index.js'
import { storeWith } from '../setting.js'
import { drain, engine, heard, INPUT, meter, OUTPUT, Tap, type Piece } from './kit.js'

const SMALL = 0.1
/** What came before the stream ended, what that is at an end that the provider did not announce, and whether that is an estimate. */
const SAID: [string, Piece[], number, true | undefined][] = [
  ['nothing of it yet', [{}], 100 * INPUT, true],
  ['text alone', [{ text: 'héllo' }, { text: '€' }], 100 * INPUT + 9 * OUTPUT, true],
  ['more text than it may write', [{ text: 'x'.repeat(80) }], 100 * INPUT + 50 * OUTPUT, true],
  ['its input so far', [{ usage: { inputTokens: 70, cachedInputTokens: 20, outputTokens: 1 } }, { text: 'abc' }], 50 * INPUT + 20 * INPUT * 0.1 + 3 * OUTPUT, true],
  ['more output than can be seen', [{ usage: { inputTokens: 70, outputTokens: 60 } }, { text: 'abc' }], 70 * INPUT + 60 * OUTPUT, true],
  ['its usage', [{ text: 'abc' }, { usage: { inputTokens: 70, outputTokens: 5 }, isFinal: true }], 70 * INPUT + 5 * OUTPUT, undefined],
  ['its usage twice', [{ usage: { inputTokens: 70, outputTokens: 5 }, isFinal: true }, { usage: { inputTokens: 70, outputTokens: 5 }, isFinal: true }], 70 * INPUT + 5 * OUTPUT, undefined],
  ['its usage, and then more', [{ usage: { inputTokens: 70, outputTokens: 5 }, isFinal: true }, { usage: { outputTokens: 6 } }], 70 * INPUT + 6 * OUTPUT, undefined],
  ['what it cost', [{ text: 'abc' }, { usage: { outputTokens: 7, cost: '0.00000042' }, isFinal: true }], 42, undefined],
  ['what it cost so far', [{ text: 'abc' }, { usage: { outputTokens: 7, cost: '0.00000042' } }], 42, true],
  ['that a cache answered', [{ text: 'abc' }, { usage: { cost: 0 }, isFinal: true }], 0, undefined],
  ['the output without the input', [{ text: 'abcdefgh' }, { usage: { outputTokens: 5 }, isFinal: true }], 100 * INPUT + 5 * OUTPUT, true],
  ['another model before', [{ model: 'large' }, { model: 'small', text: 'abc' }, { usage: { inputTokens: 70, outputTokens: 5 }, isFinal: true }], (70 * INPUT + 5 * OUTPUT) * SMALL, undefined],
  ['its usage, in which nobody can read a piece', [{ text: 5 } as never, { usage: { inputTokens: 70, outputTokens: 5 }, isFinal: true }], 70 * INPUT + 5 * OUTPUT, undefined],
  ['what two models wrote', [{ model: 'large', text: 'abc' }, { model: 'small', text: 'ab' }, { usage: { inputTokens: 70, outputTokens: 5 }, isFinal: true }], 100 * INPUT + 3 * OUTPUT + (70 * INPUT + 5 * OUTPUT) * SMALL, true],
  ['the usage of two models', [{ model: 'large', usage: { inputTokens: 60, outputTokens: 4 }, isFinal: true }, { model: 'small', usage: { inputTokens: 70, outputTokens: 5 }, isFinal: true }], 60 * INPUT + 4 * OUTPUT + (70 * INPUT + 5 * OUTPUT) * SMALL, undefined],
  ['two usages of one answer', [{ id: 'a', usage: { inputTokens: 60, outputTokens: 4 }, isFinal: true }, { id: 'a', model: 'large', usage: { inputTokens: 60, outputTokens: 4 }, isFinal: true }], 60 * INPUT + 4 * OUTPUT, undefined],
  ['the usages of two answers', [{ id: 'a', usage: { inputTokens: 60, cachedInputTokens: 20, outputTokens: 4 }, isFinal: true }, { id: 'b', usage: { inputTokens: 70, outputTokens: 5 }, isFinal: true }], 110 * INPUT + 20 * INPUT * 0.1 + 9 * OUTPUT, undefined],
  ['what two answers cost', [{ id: 'a', usage: { outputTokens: 4, cost: '0.00000042' }, isFinal: true }, { id: 'b', usage: { outputTokens: 5, cost: '0.00000013' }, isFinal: true }], 55, undefined],
]

const ENDINGS: [string, (tap: Tap<Piece>, count: number, controller: AbortController, stream: ReturnType<typeof meter<Piece>>) => Promise<unknown>][] = [
  ['the end', (tap, _count, _controller, stream) => drain(tap.end() && stream)],
  ['an error of the provider', (tap, _count, _controller, stream) => expect(drain(tap.fail(new Error('reset')) && stream)).rejects.toThrow('reset')],
  ['a break', async (_tap, count, _controller, stream) => {
    const iterator = stream[Symbol.asyncIterator]()
    for (let taken = 0; taken < count; taken += 1) await iterator.next()
    expect(await iterator.return?.()).toEqual({ done: true, value: undefined })
    expect(await iterator.next()).toEqual({ done: true, value: undefined })
  }],
  ['a throw of the reader', async (_tap, count, _controller, stream) => {
    const iterator = stream[Symbol.asyncIterator]()
    for (let taken = 0; taken < count; taken += 1) await iterator.next()
    await expect(iterator.throw?.(new Error('reader'))).rejects.toThrow('reader')
  }],
  ['an abort while a piece is awaited', async (_tap, count, controller, stream) => {
    const iterator = stream[Symbol.asyncIterator]()
    for (let taken = 0; taken < count; taken += 1) await iterator.next()
    const asked = iterator.next()
    controller.abort(new Error('gone'))
    await expect(asked).rejects.toThrow('gone')
    expect(await iterator.next()).toEqual({ done: true, value: undefined })
  }],
  ['an abort between two pieces', async (_tap, count, controller, stream) => {
    const iterator = stream[Symbol.asyncIterator]()
    for (let taken = 0; taken < count; taken += 1) await iterator.next()
    controller.abort(new Error('gone'))
    await expect(iterator.next()).rejects.toThrow('gone')
    expect(await iterator.next()).toEqual({ done: true, value: undefined })
  }],
  ['its disposal', async (_tap, count, _controller, stream) => {
    const iterator = stream[Symbol.asyncIterator]()
    for (let taken = 0; taken < count; taken += 1) await iterator.next()
    const asked = iterator.next()
    await stream[Symbol.asyncDispose]()
    expect(await asked).toEqual({ done: true, value: undefined })
  }],
]

describe.each(ENDINGS)('a stream that ends by %s', (how, end) => {
  it.each(SAID)('is charged once where the provider said %s', async (what, pieces, microcents, estimated) => {
    const { bursar, ask, standing, entries } = engine()
    const errors = [heard(bursar, 'usage-error'), heard(bursar, 'store-error')]
    const misread = what.includes('nobody') ? 1 : 0
    const tap = new Tap<Piece>().give(...pieces)
    const controller = new AbortController()
    const decision = await ask()
    const stream = meter(decision, tap, { signal: controller.signal })
    await end(tap, pieces.length, controller, stream)
    expect(await standing()).toEqual({ spent: microcents, held: 0 })
    expect(await stream.settled).toMatchObject({ exact: { costMicrocents: microcents }, replayed: false })
    const [entry, ...others] = await entries()
    expect([entry?.kind, entry?.details?.estimated, others, errors.map(({ length }) => length)]).toEqual(['settled', estimated, [], [misread, 0]])
    const settled = heard(bursar, 'settled')
    await stream.cancel()
    expect(tap.returned).toBe(how === 'the end' || how === 'an error of the provider' ? 0 : 1)
    expect([await entries(), settled]).toEqual([[entry], []])
  })
})

describe('a metered stream', () => {
  it('passes every piece on as it is, and settles before it says that it is over', async () => {
    const { ask, standing } = engine()
    const pieces = [{ text: 'a' }, { text: 'b' }, { usage: { inputTokens: 1, outputTokens: 1 }, isFinal: true }]
    const read = await drain(meter(await ask(), new Tap<Piece>().give(...pieces).end()))
    expect(read.map((piece, index) => piece === pieces[index])).toEqual([true, true, true])
    expect(await standing()).toEqual({ spent: INPUT + OUTPUT, held: 0 })
  })

  it('is read once', async () => {
    const { ask } = engine()
    const stream = meter(await ask(), new Tap<Piece>().give({ text: 'a' }).end())
    await drain(stream)
    expect(() => stream[Symbol.asyncIterator]()).toThrow(expect.objectContaining({ code: 'INVALID_REQUEST' }))
    await expect(drain(stream)).rejects.toThrow('stream: is read already')
  })

  it('answers several questions at once, each with a piece of its own', async () => {
    const { ask, standing } = engine()
    const tap = new Tap<Piece>()
    const iterator = meter(await ask(), tap)[Symbol.asyncIterator]()
    const asked = [iterator.next(), iterator.next(), iterator.next()]
    tap.give({ text: 'a' }, { text: 'b' }).end()
    expect(await Promise.all(asked)).toEqual([{ done: false, value: { text: 'a' } }, { done: false, value: { text: 'b' } }, { done: true, value: undefined }])
    expect(await standing()).toEqual({ spent: 100 * INPUT + 2 * OUTPUT, held: 0 })
  })

  it('lets go of everybody who waits when it is cancelled', async () => {
    const { ask } = engine()
    const tap = new Tap<Piece>()
    const stream = meter(await ask(), tap)
    const iterator = stream[Symbol.asyncIterator]()
    const asked = [iterator.next(), iterator.next()]
    await stream.cancel()
    expect(await Promise.all(asked)).toEqual([{ done: true, value: undefined }, { done: true, value: undefined }])
  })

  it('settles although the source cannot be stopped, and lets its reader hear of that', async () => {
    const { ask, standing } = engine()
    const tap = new Tap<Piece>().give({ text: 'a' }, { text: 'b' })
    tap.onReturn = () => Promise.reject(new Error('stuck'))
    const read = async () => {
      for await (const _piece of meter(await ask(), tap)) break
    }
    await expect(read()).rejects.toThrow('stuck')
    expect(await standing()).toEqual({ spent: 100 * INPUT + OUTPUT, held: 0 })
  })

  it('settles although the source never says that it has stopped', async () => {
    const { ask, standing } = engine()
    const tap = new Tap<Piece>().give({ text: 'a' }, { text: 'b' })
    tap.onReturn = () => new Promise(() => {})
    const stream = meter(await ask(), tap)
    const iterator = stream[Symbol.asyncIterator]()
    await iterator.next()
    void iterator.return?.()
    await stream.settled
    expect(await standing()).toEqual({ spent: 100 * INPUT + OUTPUT, held: 0 })
    await stream.cancel()
  })

  it('does not wait for a source that is still asked for a piece when its reader leaves', async () => {
    const { ask } = engine()
    const tap = new Tap<Piece>()
    tap.onReturn = () => new Promise(() => {})
    const iterator = meter(await ask(), tap)[Symbol.asyncIterator]()
    const asked = iterator.next()
    expect(await iterator.return?.()).toEqual({ done: true, value: undefined })
    expect(await asked).toEqual({ done: true, value: undefined })
  })

  it('waits for what a source has to clean up', async () => {
    const { ask } = engine()
    const tap = new Tap<Piece>().give({ text: 'a' })
    const events: string[] = []
    tap.onReturn = async () => {
      await new Promise((resolve) => setImmediate(resolve))
      events.push('clean')
      return { done: true, value: undefined }
    }
    for await (const _piece of meter(await ask(), tap, { leave: () => events.push('leave') })) break
    events.push('read on')
    expect(events).toEqual(['leave', 'clean', 'read on'])
  })

  it.each(['cancel', 'abort'] as const)('passes a %s on to a source that was never asked for a piece, and charges the input', async (how) => {
    const { ask, standing } = engine()
    const tap = new Tap<Piece>()
    const controller = new AbortController()
    const left = vi.fn()
    const stream = meter(await ask(), tap, { signal: controller.signal, leave: left })
    if (how === 'cancel') await stream.cancel()
    else controller.abort(new Error('gone'))
    await stream.settled
    expect([tap.returned, tap.asked, left.mock.calls.length]).toEqual([1, 0, 1])
    expect(await standing()).toEqual({ spent: 100 * INPUT, held: 0 })
    if (how === 'abort') await expect(drain(stream)).rejects.toThrow('gone')
    else expect(await drain(stream)).toEqual([])
  })

  it('ends at once under a signal that has aborted before', async () => {
    const { ask, standing } = engine()
    const stream = meter(await ask(), new Tap<Piece>().give({ text: 'a' }), { signal: AbortSignal.abort(new Error('gone')) })
    await stream.settled
    expect(await standing()).toEqual({ spent: 100 * INPUT, held: 0 })
    await expect(drain(stream)).rejects.toThrow('gone')
  })

  it('does not listen to its signal any more when it has ended', async () => {
    const { ask, standing } = engine()
    const controller = new AbortController()
    const removed = vi.spyOn(controller.signal, 'removeEventListener')
    await drain(meter(await ask(), new Tap<Piece>().give({ text: 'a' }).end(), { signal: controller.signal }))
    const before = await standing()
    controller.abort()
    expect([await standing(), removed.mock.calls.length]).toEqual([before, 1])
  })

  it('gives the error of a source that cannot even begin', async () => {
    const { ask, standing } = engine()
    const broken: AsyncIterable<Piece> = { [Symbol.asyncIterator]: () => { throw new Error('no stream') } }
    await expect(drain(meter(await ask(), broken, { isLazy: true }))).rejects.toThrow('no stream')
    expect(await standing()).toEqual({ spent: 0, held: 0 })
    const cancelled = meter(await ask(), broken)
    await cancelled.cancel()
    expect(await standing()).toEqual({ spent: 100 * INPUT, held: 0 })
  })
})

describe('what a stream does not say', () => {
  const estimate = 100 * INPUT + 50 * OUTPUT

  it.each<[string, Piece[], object]>([
    ['nothing says how much was read', [{ text: 'abc' }], { inputTokens: undefined }],
    ['its model has no price', [{ model: 'unheard-of', usage: { inputTokens: 1, outputTokens: 1 }, isFinal: true }], {}],
    ['nobody can read its pieces', [{ text: 'abc' }], { read: () => undefined }],
    ['its reader fails at all of them', [{ text: 'abc' }], { read: () => assert.fail('no such shape') }],
    ['its usage is none', [{ usage: { inputTokens: -5, outputTokens: 1 }, isFinal: true }], {}],
    ['its usage contradicts itself', [{ usage: { inputTokens: 5, cachedInputTokens: 6, outputTokens: 1 }, isFinal: true }], {}],
    ['its usage is of something without a price', [{ usage: { images: 1 }, isFinal: true }], {}],
  ])('is charged as it was estimated, marked and announced, where %s', async (_what, pieces, options) => {
    const { bursar, ask, standing, entries } = engine()
    const errors = heard(bursar, 'usage-error')
    const stream = meter(await ask(), new Tap<Piece>().give(...pieces).end(), options)
    expect(await drain(stream)).toEqual(pieces)
    expect(await standing()).toEqual({ spent: estimate, held: 0 })
    expect((await entries())[0]?.details).toEqual({ action: 'ALLOW', estimated: true })
    expect(new Set(errors.map(({ id }) => id)).size).toBe(1)
    expect((await stream.settled)?.exact.costMicrocents).toBe(estimate)
  })

  it('is announced once where its reader throws, and the pieces are passed on', async () => {
    const { bursar, ask, standing } = engine()
    const errors = heard(bursar, 'usage-error')
    let read = 0
    const stream = meter(await ask(), new Tap<Piece>().give({ text: 'a' }, { text: 'b' }, { text: 'c' }).end(), {
      read: (piece) => {
        if ((read += 1) > 1) throw new Error(`cannot read ${piece.text}`)
        return piece
      },
    })
    expect(await drain(stream)).toHaveLength(3)
    expect(errors.map(({ error }) => error.message)).toEqual(['cannot read b', expect.stringContaining('usage: says nothing')])
    expect(await standing()).toEqual({ spent: estimate, held: 0 })
  })

  it('is what the caller metered, where it did', async () => {
    const { ask, standing, entries } = engine()
    const decision = await ask()
    const stream = meter(decision, new Tap<Piece>().give({ text: 'abc', usage: { inputTokens: 3 } }).end())
    decision.addUsage(40, 'input')
    decision.addUsage(2, 'output', { model: 'large' })
    await drain(stream)
    expect(await standing()).toEqual({ spent: 40 * INPUT + 2 * OUTPUT, held: 0 })
    expect((await entries())[0]?.details?.usage).toEqual({ inputTokens: 40, outputTokens: 2 })
  })

  it('is less than the last word of the provider, whatever the caller metered', async () => {
    const { ask, standing } = engine()
    const decision = await ask()
    decision.addUsage(40, 'input')
    await drain(meter(decision, new Tap<Piece>().give({ usage: { inputTokens: 7, outputTokens: 1 }, isFinal: true }).end()))
    expect(await standing()).toEqual({ spent: 7 * INPUT + OUTPUT, held: 0 })
  })
})

describe('a reader that gives no reading', () => {
  const estimate = 100 * INPUT + 50 * OUTPUT

  it.each<[string, unknown, string]>([
    ['a promise', Promise.resolve({ text: 'abc' }), 'gave a promise'],
    ['a field that is none', { txt: 'abc' }, '"txt" is no field'],
    ['a number', 5, 'gave 5'],
    ['a text', 'abc', 'gave "abc"'],
    ['a list', [{ text: 'abc' }], 'gave a list'],
    ['an object of a class', new Map([['text', 'abc']]), 'an object of a class'],
    ['text that is none', { text: ['abc'] }, 'text is a list'],
    ['a usage that is none', { usage: 5 }, 'usage is 5'],
    ['a last word that is none', { isFinal: 'yes' }, 'isFinal is "yes"'],
  ])('is charged the estimate, and told once what is wrong: %s', async (_what, given, message) => {
    const { bursar, ask, standing } = engine()
    const errors = heard(bursar, 'usage-error')
    await drain(meter(await ask(), new Tap<Piece>().give({ text: 'a' }, { text: 'b' }, { text: 'c' }).end(), { read: (piece) => (piece.text === 'a' ? piece : (given as Piece)) }))
    expect(errors.filter(({ error }) => error.message.startsWith('read: ')).map(({ error }) => error.message)).toEqual([expect.stringContaining(message)])
    expect(await standing()).toEqual({ spent: estimate, held: 0 })
  })

  it('and whose promise fails is no error of the process', async () => {
    const { ask, standing } = engine()
    const unhandled = vi.fn()
    process.on('unhandledRejection', unhandled)
    await drain(meter(await ask(), new Tap<Piece>().give({ text: 'a' }).end(), { read: (() => Promise.reject(new Error('late'))) as never }))
    await new Promise((resolve) => setImmediate(resolve))
    process.off('unhandledRejection', unhandled)
    expect([unhandled.mock.calls, await standing()]).toEqual([[], { spent: estimate, held: 0 }])
  })

  it('says nothing with null, as a whole or in a field', async () => {
    const { bursar, ask, standing } = engine()
    const errors = heard(bursar, 'usage-error')
    const read = (piece: Piece): Piece => (piece.text === 'a' ? ({ ...piece, model: null, usage: null } as never) : (null as never))
    await drain(meter(await ask(), new Tap<Piece>().give({ text: 'a' }, { text: 'b' }).end(), { read }))
    expect([await standing(), errors]).toEqual([{ spent: 100 * INPUT + OUTPUT, held: 0 }, []])
  })

  it('is charged the estimate where all that it says is null', async () => {
    const { ask, standing } = engine()
    await drain(meter(await ask(), new Tap<Piece>().give({ text: 'a' }, { text: 'b' }).end(), { read: () => null as never }))
    expect(await standing()).toEqual({ spent: estimate, held: 0 })
  })
})

describe('a source', () => {
  it('that is lazy and fails before its first piece is a call that failed: nothing is charged', async () => {
    const { ask, standing, entries } = engine()
    const stream = meter(await ask(), new Tap<Piece>().fail(new Error('503')), { isLazy: true })
    await expect(drain(stream)).rejects.toThrow('503')
    expect([await standing(), await stream.settled]).toEqual([{ spent: 0, held: 0 }, undefined])
    expect((await entries()).map(({ kind }) => kind)).toEqual(['released'])
  })

  it('that has answered and fails before its first piece is charged its input', async () => {
    const { ask, standing } = engine()
    await expect(drain(meter(await ask(), new Tap<Piece>().fail(new Error('reset'))))).rejects.toThrow('reset')
    expect(await standing()).toEqual({ spent: 100 * INPUT, held: 0 })
  })

  it('that is lazy and fails before its first piece is charged what was metered', async () => {
    const { ask, standing } = engine()
    const decision = await ask()
    decision.addUsage(40, 'input')
    await expect(drain(meter(decision, new Tap<Piece>().fail(new Error('503')), { isLazy: true }))).rejects.toThrow('503')
    expect(await standing()).toEqual({ spent: 40 * INPUT, held: 0 })
  })

  it('that ends without any piece is charged its estimate, and announced', async () => {
    const { bursar, ask, standing } = engine()
    const errors = heard(bursar, 'usage-error')
    expect(await drain(meter(await ask(), new Tap<Piece>().end()))).toEqual([])
    expect(await standing()).toEqual({ spent: 100 * INPUT + 50 * OUTPUT, held: 0 })
    expect(errors[0]?.error.message).toContain('without a single piece')
  })

  it.each([undefined, null, 5])('that gives %j for a result ends with an error, is told to stop, and is charged its estimate', async (given) => {
    const { ask, standing } = engine()
    const left = vi.fn()
    const tap = new Tap<Piece>()
    tap.next = () => Promise.resolve(given as never)
    await expect(drain(meter(await ask(), tap, { leave: left }))).rejects.toMatchObject({ code: 'INVALID_REQUEST', message: expect.stringContaining('{ done, value }') as string })
    expect([await standing(), tap.returned, left.mock.calls.length]).toEqual([{ spent: 100 * INPUT + 50 * OUTPUT, held: 0 }, 1, 1])
  })

  it('that gives no result under a signal that its end aborts ends with that error too', async () => {
    const { bursar, standing } = engine()
    const source = { [Symbol.asyncIterator]: () => ({ next: () => Promise.resolve(undefined as never) }) }
    const stream = await bursar.stream({ userId: 'u', model: 'large', inputTokens: 100, maxOutputTokens: 50 }, () => source)
    await expect(drain(stream)).rejects.toThrow('{ done, value }')
    expect(await standing()).toEqual({ spent: 100 * INPUT + 50 * OUTPUT, held: 0 })
  })

  it('that never says that it has stopped does not keep its reader for ever', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    try {
      const { ask, standing } = engine()
      const tap = new Tap<Piece>().give({ text: 'a' }, { text: 'b' })
      tap.onReturn = () => new Promise(() => {})
      const iterator = meter(await ask(), tap)[Symbol.asyncIterator]()
      await iterator.next()
      const left = iterator.return?.()
      await vi.advanceTimersByTimeAsync(250)
      expect(await left).toEqual({ done: true, value: undefined })
      expect([await standing(), vi.getTimerCount()]).toEqual([{ spent: 100 * INPUT + OUTPUT, held: 0 }, 0])
    } finally {
      vi.useRealTimers()
    }
  })
})

describe('the tokens of a stream', () => {
  it('are counted beside its cost, and estimated where that is all that was said of them', async () => {
    const { ask, entries } = engine()
    await drain(meter(await ask(), new Tap<Piece>().give({ text: 'abc' }, { usage: { cost: 0.01 } }).end()))
    await drain(meter(await ask(), new Tap<Piece>().give({ text: 'abc' }, { usage: { cost: 0.03, outputTokens: 2 }, isFinal: true }).end()))
    expect((await entries()).map(({ tokens, microcents, details }) => [tokens, microcents, details?.estimated])).toEqual([[103, 1_000_000, true], [2, 3_000_000, undefined]])
  })
})

describe('a settle that takes its time', () => {
  it.each<[string, (tap: Tap<Piece>, iterator: AsyncIterator<Piece>, controller: AbortController) => Promise<unknown> | undefined]>([
    ['the end', (tap, iterator) => tap.give({}).end() && iterator.next().then(() => iterator.next())],
    ['an error', (tap, iterator) => tap.give({}).fail(new Error('reset')) && iterator.next().then(() => iterator.next())],
    ['a break', (_tap, iterator) => iterator.return?.()],
    ['a throw', (_tap, iterator) => iterator.throw?.(new Error('reader'))],
    ['an abort', (_tap, iterator, controller) => {
      controller.abort(new Error('gone'))
      return iterator.next()
    }],
    ['an abort while a piece is awaited', (_tap, iterator, controller) => {
      const asked = iterator.next()
      controller.abort(new Error('gone'))
      return asked
    }],
  ])('is waited for at %s', async (_what, end) => {
    const store = memoryStore({ clock: manualClock() })
    let settle = (): void => {}
    const { ask, standing } = engine({ store: storeWith(store, { settle: (request) => new Promise((resolve) => (settle = () => resolve(store.settle(request)))) }) })
    const tap = new Tap<Piece>()
    const controller = new AbortController()
    const iterator = meter(await ask(), tap, { signal: controller.signal })[Symbol.asyncIterator]()
    let isOver = false
    const over = (end(tap, iterator, controller) ?? Promise.reject(new Error('no such method'))).catch(() => {}).then(() => (isOver = true))
    await new Promise((resolve) => setImmediate(resolve))
    expect(isOver).toBe(false)
    settle()
    await over
    expect(await standing()).toEqual({ spent: 100 * INPUT, held: 0 })
  })

  it.each<[string, (tap: Tap<Piece>) => unknown]>([
    ['a piece', (tap) => tap.give({ text: 'late' })],
    ['an error', (tap) => tap.fail(new Error('late'))],
    ['the end', (tap) => tap.end()],
  ])('lets %s that comes after an abort or a cancel change nothing', async (_what, come) => {
    const store = memoryStore({ clock: manualClock() })
    let settle = (): void => {}
    const slow: Store['settle'] = (request) => new Promise((resolve) => (settle = () => resolve(store.settle(request))))
    const { ask, standing } = engine({ store: storeWith(store, { settle: slow }) })
    for (const how of ['abort', 'cancel'] as const) {
      const tap = new Tap<Piece>()
      const controller = new AbortController()
      const read = vi.fn((piece: Piece) => piece)
      const stream = meter(await ask(), tap, { signal: controller.signal, read })
      const iterator = stream[Symbol.asyncIterator]()
      const asked = iterator.next().then(({ done }) => done, (error: unknown) => error)
      const cancelled = how === 'cancel' ? stream.cancel() : controller.abort('gone')
      come(tap)
      await new Promise((resolve) => setImmediate(resolve))
      settle()
      await cancelled
      expect(await asked).toBe(how === 'cancel' ? true : 'gone')
      expect(read).not.toHaveBeenCalled()
    }
    expect(await standing()).toEqual({ spent: 200 * INPUT, held: 0 })
  })
})

describe('a settle that fails', () => {
  it('is an event, and no error of the stream', async () => {
    const store = memoryStore({ clock: manualClock() })
    const { bursar, ask } = engine({ store: storeWith(store, { settle: () => Promise.reject(new Error('down')) }) })
    const failed = heard(bursar, 'store-error')
    const stream = meter(await ask(), new Tap<Piece>().give({ text: 'a' }).end())
    expect(await drain(stream)).toEqual([{ text: 'a' }])
    expect(await stream.settled).toBeUndefined()
    expect(failed).toMatchObject([{ operation: 'settle' }])
  })

  it('changes nothing where the caller has settled the decision', async () => {
    const { bursar, ask, standing } = engine()
    const failed = heard(bursar, 'store-error')
    const decision = await ask()
    const stream = meter(decision, new Tap<Piece>().give({ text: 'a' }).end())
    await decision.settle({ cost: 0.5 })
    expect(await drain(stream)).toHaveLength(1)
    expect(await standing()).toEqual({ spent: 50_000_000, held: 0 })
    expect(failed).toEqual([])
  })
})
