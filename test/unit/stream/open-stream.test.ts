// bursar.stream(): a streamed call from its decision to its settle, with whatever providers are tried in between.

import { afterEach, describe, expect, it, vi } from 'vitest'
import { drain, engine, heard, INPUT, OUTPUT, Tap, type Piece } from './kit.js'

const request = { userId: 'u', model: 'large', inputTokens: 100, maxOutputTokens: 50 }
const read = (piece: Piece): Piece => piece
const SMALL = 0.1

async function* failing(): AsyncGenerator<Piece> {
  yield await Promise.reject(new Error('503'))
}

describe('bursar.stream', () => {
  it('gives the stream of the model that was decided, and settles what it used', async () => {
    const { bursar, standing } = engine()
    const called = vi.fn(async function* ({ model }: { model: string }) {
      yield { model, text: 'abc' }
      yield { usage: { inputTokens: 30, outputTokens: 3 }, isFinal: true }
    })
    const stream = await bursar.stream(request, called, { read })
    expect(stream.decision).toMatchObject({ allowed: true, model: 'large' })
    expect(await drain(stream)).toHaveLength(2)
    expect(await standing()).toEqual({ spent: 30 * INPUT + 3 * OUTPUT, held: 0 })
    expect(called.mock.calls[0]?.[0]).toMatchObject({ model: 'large', signal: expect.any(AbortSignal) as AbortSignal, decision: stream.decision })
  })

  it('knows the pieces of providers by their shape, and takes a string as text', async () => {
    const { bursar, standing } = engine()
    await drain(await bursar.stream(request, async () => new Tap<unknown>().give('ab', 'c').end()))
    expect(await standing()).toEqual({ spent: 100 * INPUT + 3 * OUTPUT, held: 0 })
    await drain(await bursar.stream(request, () => new Tap<unknown>().give({ object: 'chat.completion.chunk', model: 'small', choices: [], usage: { prompt_tokens: 10, completion_tokens: 1, total_tokens: 11 } }).end()))
    expect((await standing()).spent).toBe(100 * INPUT + 3 * OUTPUT + (10 * INPUT + OUTPUT) * SMALL)
  })

  it('charges its estimate where nobody knows the pieces', async () => {
    const { bursar, standing } = engine()
    await drain(await bursar.stream(request, () => new Tap<unknown>().give(new Uint8Array(3), 5, null).end()))
    expect(await standing()).toEqual({ spent: 100 * INPUT + 50 * OUTPUT, held: 0 })
  })

  it('charges its estimate where nobody knows one of the pieces, unless the last word comes', async () => {
    const { bursar, standing } = engine()
    const last = { object: 'chat.completion.chunk', model: 'large', choices: [], usage: { prompt_tokens: 10, completion_tokens: 1, total_tokens: 11 } }
    await drain(await bursar.stream(request, () => new Tap<unknown>().give('abc', { delta: 'def' }).end()))
    expect(await standing()).toEqual({ spent: 100 * INPUT + 50 * OUTPUT, held: 0 })
    await drain(await bursar.stream(request, () => new Tap<unknown>().give({ delta: 'def' }, last).end()))
    expect(await standing()).toEqual({ spent: 110 * INPUT + 51 * OUTPUT, held: 0 })
  })

  it('knows pieces that carry no text', async () => {
    const { bursar, standing } = engine()
    const pieces = [{ type: 'ping' }, { type: 'keepalive' }, { type: 'content_block_stop', index: 0 }, { type: 'response.output_item.added' }, { choices: [{ index: 0, delta: { role: 'assistant' } }] }, { type: 'error', error: {} }]
    await drain(await bursar.stream(request, () => new Tap<unknown>().give('abc', ...pieces).end()))
    expect(await standing()).toEqual({ spent: 100 * INPUT + 3 * OUTPUT, held: 0 })
  })

  it('takes what was read for the dearest of the kinds that the request declares', async () => {
    const models = { large: { input: 10, cacheWrite: 12, inputAudio: 30, inputImage: 11, output: 40, maxOutputTokens: 1_000 } }
    const { bursar, standing } = engine({ prices: { models } })
    const open = (tokenKinds?: readonly ('audio' | 'image' | 'cache-write-1h' | 'reasoning')[]) => bursar.stream({ ...request, ...(tokenKinds && { tokenKinds }) }, () => new Tap<unknown>().give('abc').end())
    await drain(await open(['image', 'audio', 'cache-write-1h', 'reasoning']))
    expect((await standing()).spent).toBe(100 * 3 * INPUT + 3 * OUTPUT)
    await drain(await open(['cache-write-1h', 'image']))
    expect((await standing()).spent).toBe(100 * 3 * INPUT + 100 * 1.2 * INPUT + 6 * OUTPUT)
    await drain(await open())
    expect((await standing()).spent).toBe(100 * 3 * INPUT + 100 * 1.2 * INPUT + 100 * INPUT + 9 * OUTPUT)
  })

  it('counts what it sees by the configured tokenizer', async () => {
    const { bursar, standing } = engine({ tokenizer: (text: string) => text.split(' ').length } as never)
    await drain(await bursar.stream(request, () => new Tap<unknown>().give('two words', 'one').end()))
    expect(await standing()).toEqual({ spent: 100 * INPUT + 3 * OUTPUT, held: 0 })
  })

  it('serves any number of streams under one signal', async () => {
    const { bursar, standing } = engine()
    const warned = vi.fn()
    process.on('warning', warned)
    const controller = new AbortController()
    const added = vi.spyOn(controller.signal, 'addEventListener')
    const streams = []
    for (let opened = 0; opened < 20; opened += 1) streams.push(await bursar.stream(request, () => new Tap<unknown>().give('a'), { signal: controller.signal }))
    await streams[0]?.cancel()
    const asked = streams.slice(1).map((stream) => drain(stream).catch((error: Error) => error.message))
    controller.abort(new Error('gone'))
    expect(new Set(await Promise.all(asked))).toEqual(new Set(['gone']))
    await new Promise((resolve) => setImmediate(resolve))
    process.off('warning', warned)
    expect([added.mock.calls.length, warned.mock.calls]).toEqual([1, []])
    expect((await standing()).held).toBe(0)
  })

  it('sends nothing where the budget refuses, or the key was used', async () => {
    const { bursar, standing } = engine({ tiers: { free: { daily: '0.01' } } })
    const call = vi.fn(() => new Tap<unknown>().give('').end())
    await expect(bursar.stream({ ...request, inputTokens: 5_000 }, call)).rejects.toMatchObject({ code: 'BUDGET_EXCEEDED' })
    expect(call).not.toHaveBeenCalled()
    await drain(await bursar.stream({ ...request, idempotencyKey: 'k' }, call))
    await expect(bursar.stream({ ...request, idempotencyKey: 'k' }, call)).rejects.toMatchObject({ code: 'DUPLICATE_REQUEST' })
    expect(call).toHaveBeenCalledOnce()
    expect(await standing()).toEqual({ spent: 100 * INPUT, held: 0 })
  })

  it.each([[{ timeoutMs: -1 }], [{ timeoutMs: 2 ** 31 }], [{ signals: 1 }], [{ read: 'usage' }], [{ read: null }]])('refuses the options %j before it asks', async (options) => {
    const { bursar, standing } = engine()
    const call = vi.fn(() => new Tap<Piece>())
    await expect(bursar.stream(request, call, options as never)).rejects.toMatchObject({ code: expect.stringContaining('INVALID') as string })
    expect(call).not.toHaveBeenCalled()
    expect(await standing()).toEqual({ spent: 0, held: 0 })
  })

  it.each([() => Promise.reject(new Error('401')), () => { throw new Error('401') }])('gives the money back, and the error on, where the call fails', async (call: () => Promise<Tap<Piece>>) => {
    const { bursar, standing, entries } = engine()
    await expect(bursar.stream(request, call)).rejects.toThrow('401')
    expect(await standing()).toEqual({ spent: 0, held: 0 })
    expect((await entries()).map(({ kind }) => kind)).toEqual(['released'])
  })

  it.each<[string, () => AsyncIterable<Piece> | Promise<AsyncIterable<Piece>>, number]>([
    ['a generator', failing, 0],
    ['a generator behind a promise', async () => failing(), 0],
    ['an iterable that is given at once', () => new Tap<Piece>().fail(new Error('503')), 0],
    ['the answer of a client', async () => new Tap<Piece>().fail(new Error('503')), 100 * INPUT],
  ])('charges nothing for a call that is made when it is read, and fails before its first piece: %s', async (_what, call, spent) => {
    const { bursar, standing } = engine()
    await expect(drain(await bursar.stream(request, call, { read }))).rejects.toThrow('503')
    expect(await standing()).toEqual({ spent, held: 0 })
  })

  it('settles what was metered where the call fails after it', async () => {
    const { bursar, standing } = engine()
    const call = async ({ decision }: { decision: { addUsage(tokens: number, type: 'input'): void } }): Promise<Tap<Piece>> => {
      decision.addUsage(10, 'input')
      throw new Error('overloaded')
    }
    await expect(bursar.stream(request, call)).rejects.toThrow('overloaded')
    expect(await standing()).toEqual({ spent: 10 * INPUT, held: 0 })
  })

  it.each([undefined, null, 'text', { choices: [] }])('charges the estimate of a call that gives %j, and says what it should give', async (given) => {
    const { bursar, standing } = engine()
    await expect(bursar.stream(request, async () => given as never)).rejects.toMatchObject({ code: 'INVALID_REQUEST', message: expect.stringContaining('async iterable') as string })
    expect(await standing()).toEqual({ spent: 100 * INPUT + 50 * OUTPUT, held: 0 })
  })

  it.each(['break', 'cancel', 'fail'] as const)('tells the call that its reader is gone at a %s', async (how) => {
    const { bursar, standing } = engine()
    let signal: AbortSignal | undefined
    const tap = new Tap<Piece>().give({ text: 'a' }, { text: 'b' })
    const stream = await bursar.stream(request, (guarded) => ((signal = guarded.signal), tap), { read })
    if (how === 'break') for await (const _piece of stream) break
    else if (how === 'cancel') await stream.cancel()
    else await expect(drain(tap.fail(new Error('reset')) && stream)).rejects.toThrow('reset')
    expect([signal?.aborted, tap.returned]).toEqual(how === 'fail' ? [false, 0] : [true, 1])
    expect((await standing()).held).toBe(0)
  })

  it('is over, and no error, for a reader who asks on after leaving', async () => {
    const { bursar } = engine()
    const iterator = (await bursar.stream(request, () => new Tap<Piece>().give({ text: 'a' }, { text: 'b' }), { read }))[Symbol.asyncIterator]()
    await iterator.next()
    await iterator.return?.()
    expect(await iterator.next()).toEqual({ done: true, value: undefined })
  })

  it('leaves the signal of the caller alone', async () => {
    const { bursar } = engine()
    const controller = new AbortController()
    const added = vi.spyOn(controller.signal, 'addEventListener')
    const removed = vi.spyOn(controller.signal, 'removeEventListener')
    for await (const _piece of await bursar.stream(request, () => new Tap<Piece>().give({ text: 'a' }), { read, signal: controller.signal })) break
    expect(controller.signal.aborted).toBe(false)
    await vi.waitFor(() => expect(removed.mock.calls.map(([name, listener]) => [name, listener])).toEqual(expect.arrayContaining(added.mock.calls.map(([name, listener]) => [name, listener]))))
  })
})

describe('the time of a streamed call', () => {
  afterEach(() => void vi.restoreAllMocks())

  /** The end of a call's time, at the moment that a test says. */
  function timer(): AbortController {
    const over = new AbortController()
    vi.spyOn(AbortSignal, 'timeout').mockImplementation(() => over.signal)
    return over
  }
  const tooLong = new DOMException('too long', 'TimeoutError')

  it('is over for whoever reads, though the source does not listen, and what was used is settled', async () => {
    const { bursar, standing } = engine()
    const over = timer()
    const tap = new Tap<Piece>().give({ text: 'abc' })
    const iterator = (await bursar.stream(request, () => tap, { read, timeoutMs: '1s' }))[Symbol.asyncIterator]()
    await iterator.next()
    const asked = iterator.next()
    over.abort(tooLong)
    await expect(asked).rejects.toBe(tooLong)
    expect(tap.returned).toBe(1)
    expect(await standing()).toEqual({ spent: 100 * INPUT + 3 * OUTPUT, held: 0 })
  })

  it('is over for whoever waits for the call, and a stream that comes all the same is ended', async () => {
    const { bursar, standing } = engine()
    const over = timer()
    let answer: (tap: Tap<Piece>) => void = () => {}
    let signal: AbortSignal | undefined
    const opening = bursar.stream(request, (guarded) => ((signal = guarded.signal), new Promise<Tap<Piece>>((resolve) => (answer = resolve))), { read, timeoutMs: 1_000 })
    await vi.waitFor(() => expect(signal).toBeDefined())
    over.abort(tooLong)
    await expect(opening).rejects.toBe(tooLong)
    expect(signal?.reason).toBe(tooLong)
    const tap = new Tap<Piece>()
    answer(tap)
    await vi.waitFor(async () => expect(await standing()).toEqual({ spent: 100 * INPUT, held: 0 }))
    expect(tap.returned).toBe(1)
  })

  it('may be over before the call is made, which is not made then', async () => {
    const { bursar, entries } = engine()
    const over = timer()
    bursar.on('decision', () => over.abort(tooLong))
    const call = vi.fn(() => new Tap<Piece>())
    await expect(bursar.stream(request, call, { read, timeoutMs: 1_000 })).rejects.toBe(tooLong)
    expect(call).not.toHaveBeenCalled()
    await vi.waitFor(async () => expect((await entries()).map(({ kind }) => kind)).toEqual(['released']))
  })

  it('ends with the signal of the caller too, which a call that listens to it may answer with an error', async () => {
    const { bursar, standing } = engine()
    const controller = new AbortController()
    const opening = bursar.stream(request, ({ signal }) => new Promise<Tap<Piece>>((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason as Error))), { read, signal: controller.signal })
    await vi.waitFor(async () => expect((await standing()).held).toBeGreaterThan(0))
    controller.abort(new Error('gone'))
    await expect(opening).rejects.toThrow('gone')
    await vi.waitFor(async () => expect(await standing()).toEqual({ spent: 0, held: 0 }))
  })
})

describe('several attempts at one request', () => {
  it('share one hold: what the first has used is added to what the one that answered used', async () => {
    const { bursar, standing, entries } = engine()
    const mismatches = heard(bursar, 'model-mismatch')
    const first = async (): Promise<Tap<Piece>> => Promise.reject(new Error('overloaded'))
    const stream = await bursar.stream({ ...request, provider: 'a' }, ({ decision }) =>
      first().catch(() => {
        decision.addUsage(40, 'input', { model: 'large', provider: 'a' })
        decision.addUsage(2, 'output', { model: 'large', cost: '0.00000007' })
        return new Tap<Piece>().give({ model: 'small', provider: 'b', text: 'abc' }, { usage: { inputTokens: 30, outputTokens: 3 }, isFinal: true }).end()
      }), { read })
    await drain(stream)
    const spent = 40 * INPUT + 7 + (30 * INPUT + 3 * OUTPUT) * SMALL
    expect(await standing()).toEqual({ spent, held: 0 })
    expect(await entries()).toMatchObject([{ kind: 'settled', microcents: spent, tokens: 75, model: 'small', provider: 'b', details: { usage: { inputTokens: 70, outputTokens: 5 } } }])
    expect((await entries())[0]?.details?.priceVersion?.split(' ')).toHaveLength(2)
    expect(mismatches).toMatchObject([{ decided: 'large', answered: 'small' }])
  })

  it('add up in the same way where the last one is broken off, and only its part is estimated', async () => {
    const { bursar, standing, entries } = engine()
    const stream = await bursar.stream(request, ({ decision }) => {
      decision.addUsage(40, 'input', { model: 'large' })
      return new Tap<Piece>().give({ model: 'small', text: 'abc' }, { text: 'def' })
    }, { read })
    for await (const _piece of stream) break
    expect(await standing()).toEqual({ spent: 40 * INPUT + (100 * INPUT + 3 * OUTPUT) * SMALL, held: 0 })
    expect((await entries())[0]?.details?.estimated).toBe(true)
  })

  it('share one stream, to the microcent: another provider after some text of the first', async () => {
    const { bursar, standing, entries } = engine()
    const chunk = (content: string): object => ({ id: 'c1', object: 'chat.completion.chunk', model: 'gpt-4o', choices: [{ index: 0, delta: { content }, finish_reason: null }] })
    const pieces = [chunk('abc'), chunk('de'), { type: 'message_start', message: { id: 'm1', model: 'claude-test', usage: { input_tokens: 70, cache_read_input_tokens: 10, output_tokens: 1 } } }, { type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 6 } }, { type: 'message_stop' }]
    await drain(await bursar.stream({ ...request, model: 'gpt-4o' }, () => new Tap<unknown>().give(...pieces).end()))
    expect(await standing()).toEqual({ spent: 100 * INPUT + 5 * OUTPUT + 70 * INPUT + 10 * INPUT * 0.1 + 6 * OUTPUT, held: 0 })
    expect((await entries())[0]?.tokens).toBe(191)
  })

  it('share one stream, to the microcent: what the first has read from a cache is priced so', async () => {
    const { bursar, standing } = engine()
    const pieces: Piece[] = [{ model: 'large', usage: { inputTokens: 60, cachedInputTokens: 20, outputTokens: 4 }, isFinal: true }, { model: 'small', usage: { inputTokens: 70, outputTokens: 5 }, isFinal: true }]
    await drain(await bursar.stream(request, () => new Tap<Piece>().give(...pieces).end(), { read }))
    expect(await standing()).toEqual({ spent: 40 * INPUT + 20 * INPUT * 0.1 + 4 * OUTPUT + (70 * INPUT + 5 * OUTPUT) * SMALL, held: 0 })
  })

  it('under two names of one model are one answer', async () => {
    const { bursar, standing } = engine()
    await drain(await bursar.stream(request, () => new Tap<Piece>().give({ model: 'our-large', text: 'abc' }, { model: 'large', text: 'de' }).end(), { read }))
    expect(await standing()).toEqual({ spent: 100 * INPUT + 5 * OUTPUT, held: 0 })
  })

  it('share one hold in guard, where a usage is that of the model that answered', async () => {
    const { bursar, standing } = engine()
    await bursar.guard(request, async ({ decision }) => {
      decision.addUsage(40, 'input', { model: 'large' })
      return { result: 'answer', usage: { inputTokens: 30, outputTokens: 3 }, model: 'small' }
    })
    expect(await standing()).toEqual({ spent: 40 * INPUT + (30 * INPUT + 3 * OUTPUT) * SMALL, held: 0 })
  })

  it('on one model count once: a usage says more than what was metered for the same answer', async () => {
    const { bursar, standing } = engine()
    await bursar.guard(request, async ({ decision }) => {
      decision.addUsage(40, 'input', { model: 'large' })
      decision.addUsage(40, 'input')
      return { result: 'answer', usage: { inputTokens: 30, outputTokens: 3 } }
    })
    expect(await standing()).toEqual({ spent: 30 * INPUT + 3 * OUTPUT, held: 0 })
  })

  it('on one model under its other name count once too', async () => {
    const { bursar, standing } = engine()
    await bursar.guard(request, async ({ decision }) => {
      decision.addUsage(40, 'input', { model: 'our-large' })
      return { result: 'answer', usage: { inputTokens: 30, outputTokens: 3 } }
    })
    expect(await standing()).toEqual({ spent: 30 * INPUT + 3 * OUTPUT, held: 0 })
  })

  it('on one model at two providers are two', async () => {
    const { bursar, standing } = engine()
    await bursar.guard({ ...request, provider: 'a' }, async ({ decision }) => {
      decision.addUsage(40, 'input', { provider: 'b' })
      return { result: 'answer', usage: { inputTokens: 30, outputTokens: 3 }, model: 'large', provider: 'a' }
    })
    expect(await standing()).toEqual({ spent: 70 * INPUT + 3 * OUTPUT, held: 0 })
  })

  it('cost what the call estimates in all, whatever was metered', async () => {
    const { bursar, standing } = engine()
    await bursar.guard(request, async ({ decision }) => {
      decision.addUsage(40, 'input')
      return { result: 'answer', cost: '0.00000009', usage: { inputTokens: 30 }, estimated: true }
    })
    expect(await standing()).toEqual({ spent: 9, held: 0 })
  })

  it('cost in all what the call says that it cost', async () => {
    const { bursar, standing } = engine()
    await bursar.guard(request, async ({ decision }) => {
      decision.addUsage(40, 'input', { model: 'small' })
      return { result: 'answer', cost: '0.00000005', usage: { inputTokens: 30, outputTokens: 3 } }
    })
    expect(await standing()).toEqual({ spent: 5, held: 0 })
  })

  it('cost nothing where a cache answered', async () => {
    const { bursar, standing, entries } = engine()
    await bursar.guard(request, async () => ({ result: 'cached', cost: 0 }))
    await drain(await bursar.stream(request, () => new Tap<Piece>().give({ text: 'cached', usage: { cost: 0 }, isFinal: true }).end(), { read }))
    expect(await standing()).toEqual({ spent: 0, held: 0 })
    expect((await entries()).map(({ kind, details }) => [kind, details?.estimated])).toEqual([['settled', undefined], ['settled', undefined]])
  })

  it('cost what those before the cache have used', async () => {
    const { bursar, standing } = engine()
    await drain(await bursar.stream(request, ({ decision }) => {
      decision.addUsage(5, 'input', { model: 'small' })
      return new Tap<Piece>().give({ usage: { cost: 0 }, isFinal: true }).end()
    }, { read }))
    expect(await standing()).toEqual({ spent: 5 * INPUT * SMALL, held: 0 })
  })
})
