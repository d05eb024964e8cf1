// The AI SDK's own functions on its own mock models: each call is decided before and settled after.

import { APICallError, defaultSettingsMiddleware, embedMany, generateObject, generateText, RetryError, stepCountIs, streamText, tool, wrapEmbeddingModel, wrapLanguageModel, wrapProvider, type LanguageModelMiddleware } from 'ai'
import { MockEmbeddingModelV3, MockLanguageModelV3, MockProviderV3 } from 'ai/test'
import { describe, expect, it, vi } from 'vitest'
import { z } from 'zod'
import { budgetEmbeddingMiddleware, budgetMiddleware, type BudgetMiddlewareOptions } from '../../../src/integrations/ai-sdk.js'
import { Bursar, BudgetExceededError, InvalidConfigError } from '../../../src/index.js'
import { entriesOf } from '../setting.js'
import { answer, engine, eventually, finish, mockModel, pieces, usage } from './ai-sdk-kit.js'

const ada = { userId: 'ada' }

function wrapped(bursar: Bursar, model: MockLanguageModelV3, options: BudgetMiddlewareOptions = {}) {
  return wrapLanguageModel({ model, middleware: budgetMiddleware(bursar, { identity: ada, ...options }) })
}

async function dayOf(bursar: Bursar, userId = 'ada') {
  const { cost, held } = (await bursar.tracker.getUserSummary(userId)).periodCosts['daily'] as { cost: number; held: number }
  return { spent: cost, held }
}

describe('a whole answer', () => {
  it('is held before and settled at its price', async () => {
    const bursar = engine()
    const model = mockModel('large')
    const holding: number[] = []
    model.doGenerate = async () => {
      holding.push((await dayOf(bursar)).held)
      return answer(usage(1_000, 100, { cacheRead: 400, reasoning: 50 }))
    }
    const { text } = await generateText({ model: wrapped(bursar, model), prompt: 'hi', maxOutputTokens: 200 })
    expect(text).toBe('hello')
    expect(holding[0]).toBeGreaterThan(0.02)
    expect(await dayOf(bursar)).toEqual({ spent: 0.0164, held: 0 })
    const [entry] = await entriesOf(bursar.tracker)
    expect(entry).toMatchObject({ kind: 'settled', userId: 'ada', provider: 'openai', model: 'large', details: { usage: { inputTokens: 1_000, cachedInputTokens: 400, outputTokens: 100, reasoningTokens: 50 } } })
  })

  it.each([
    ['nothing of its usage', usage(undefined, undefined)],
    ['nothing of what it wrote', usage(1, undefined)],
    ['nothing of what it read', usage(undefined, 1)],
    ['nothing at all', {} as never],
  ])('that says %s is charged its estimate, and says so', async (_what, said) => {
    const bursar = engine()
    const heard = vi.fn()
    bursar.on('usage-error', heard)
    const decided = vi.fn()
    bursar.on('decision', decided)
    await generateText({ model: wrapped(bursar, mockModel('large', { generate: answer(said) })), prompt: 'hi', maxOutputTokens: 10 }).catch(() => {})
    expect(await dayOf(bursar)).toEqual({ spent: decided.mock.calls[0]?.[0].estimatedCost, held: 0 })
    expect(heard).toHaveBeenCalledTimes(1)
    expect((await entriesOf(bursar.tracker))[0]).toMatchObject({ kind: 'settled', details: { estimated: true } })
  })

  it('that fails gives the money back, and its error comes as it is', async () => {
    const bursar = engine()
    const model = new MockLanguageModelV3({
      modelId: 'large',
      doGenerate: async () => {
        throw new TypeError('broken')
      },
    })
    await expect(generateText({ model: wrapped(bursar, model), prompt: 'hi' })).rejects.toThrow('broken')
    expect(await dayOf(bursar)).toEqual({ spent: 0, held: 0 })
  })

  it('that is aborted gives the money back', async () => {
    const bursar = engine()
    const controller = new AbortController()
    const model = new MockLanguageModelV3({
      modelId: 'large',
      doGenerate: ({ abortSignal }) =>
        new Promise((_, reject) => {
          abortSignal?.addEventListener('abort', () => reject(abortSignal.reason))
          controller.abort()
        }),
    })
    await expect(generateText({ model: wrapped(bursar, model), prompt: 'hi', abortSignal: controller.signal })).rejects.toThrow(/abort/)
    expect(await dayOf(bursar)).toEqual({ spent: 0, held: 0 })
  })

  it('of an object is the same', async () => {
    const bursar = engine()
    const model = mockModel('large', { generate: answer(usage(100, 10), { content: [{ type: 'text', text: '{"name":"Ada"}' }] }) })
    const { object } = await generateObject({ model: wrapped(bursar, model), schema: z.object({ name: z.string() }), prompt: 'who?' })
    expect(object).toEqual({ name: 'Ada' })
    expect(await dayOf(bursar)).toEqual({ spent: 0.002, held: 0 })
  })

  it('of another model is priced as what it is, and announced', async () => {
    const bursar = engine()
    const heard = vi.fn()
    bursar.on('model-mismatch', heard)
    const model = mockModel('large', { generate: answer(usage(100, 10), { response: { modelId: 'small' } }) })
    await generateText({ model: wrapped(bursar, model), prompt: 'hi' })
    expect(await dayOf(bursar)).toEqual({ spent: 0.0002, held: 0 })
    expect(heard).toHaveBeenCalledTimes(1)
  })
})

describe("the provider's own cost", () => {
  const metadata = (providerMetadata: object) => ({ providerMetadata: providerMetadata as never })
  it.each([
    ['of OpenRouter counts', metadata({ openrouter: { usage: { cost: 0.0123 } } }), 0.0123],
    ["of Vercel's gateway counts", metadata({ gateway: { cost: '0.0456' } }), 0.0456],
    ["of Vercel's gateway on a key of one's own is that of the market", metadata({ gateway: { cost: '0', marketCost: '0.03' } }), 0.03],
    ['in another notation counts', metadata({ gateway: { cost: '4.5e-3' } }), 0.0045],
    ["of OpenRouter is a fee on a key of one's own, and the price counts", metadata({ openrouter: { usage: { cost: 0.0001, costDetails: { upstreamInferenceCost: 0.002 } } } }), 0.002],
    ['that is nothing with no price of the market is not taken for free', metadata({ gateway: { cost: '0' } }), 0.002],
    ['that is none is not taken', metadata({ openrouter: { usage: { cost: Number.NaN } }, gateway: { cost: 'free' } }), 0.002],
  ])('%s', async (_what, more, spent) => {
    const bursar = engine()
    await generateText({ model: wrapped(bursar, mockModel('large', { generate: answer(usage(100, 10), more) })), prompt: 'hi' })
    expect(await dayOf(bursar)).toEqual({ spent, held: 0 })
    await streamText({ model: wrapped(bursar, mockModel('large', { stream: [...pieces('hello'), finish(usage(100, 10), more)] })), prompt: 'hi' }).consumeStream()
    expect(await dayOf(bursar)).toEqual({ spent: Math.round(spent * 2 * 1e8) / 1e8, held: 0 })
  })

  it("of OpenRouter is not taken where its usage says that the key was one's own", async () => {
    const bursar = engine()
    const own = answer(usage(100, 10, { raw: { is_byok: true } }), metadata({ openrouter: { usage: { cost: 0.0001 } } }))
    await generateText({ model: wrapped(bursar, mockModel('large', { generate: own })), prompt: 'hi' })
    expect(await dayOf(bursar)).toEqual({ spent: 0.002, held: 0 })
  })

  it('stands without counts, too', async () => {
    const bursar = engine()
    const silent = answer(usage(undefined, undefined), metadata({ openrouter: { usage: { cost: 0.5 } } }))
    await generateText({ model: wrapped(bursar, mockModel('large', { generate: silent })), prompt: 'hi' })
    expect(await dayOf(bursar)).toEqual({ spent: 0.5, held: 0 })
  })
})

describe('a streamed answer', () => {
  it('comes piece by piece as the model gives it, and is settled at its end', async () => {
    const bursar = engine()
    const given = [...pieces('hel', 'lo'), finish(usage(1_000, 100))]
    const { stream } = await wrapped(bursar, mockModel('large', { stream: given })).doStream({ prompt: [{ role: 'user', content: [{ type: 'text', text: 'hi' }] }] })
    const got = []
    for await (const piece of stream) got.push(piece)
    expect(got).toEqual(given)
    expect(await dayOf(bursar)).toEqual({ spent: 0.02, held: 0 })
  })

  it('is read no further than somebody asks', async () => {
    const pulled = vi.fn((source: ReadableStreamDefaultController) => source.enqueue({ type: 'text-delta', id: '1', delta: 'a' }))
    const model = new MockLanguageModelV3({ modelId: 'large', doStream: async () => ({ stream: new ReadableStream({ pull: pulled }, { highWaterMark: 0 }) }) })
    const { stream } = await wrapped(engine(), model, { inputTokens: () => 1 }).doStream({ prompt: [] })
    const reader = stream.getReader()
    await reader.read()
    await new Promise((resolve) => setImmediate(resolve))
    expect(pulled).toHaveBeenCalledTimes(1)
    await reader.cancel()
  })

  it('is settled when the reader of streamText has its end', async () => {
    const bursar = engine()
    const { textStream } = streamText({ model: wrapped(bursar, mockModel('large', { stream: [{ type: 'response-metadata', modelId: 'small' }, ...pieces('hel', 'lo'), finish()] })), prompt: 'hi' })
    let text = ''
    for await (const piece of textStream) text += piece
    expect(text).toBe('hello')
    expect(await dayOf(bursar)).toEqual({ spent: 0.0002, held: 0 })
  })

  it.each([
    ['that listens to the signal', true],
    ['that does not', false],
  ])('is settled by what came when it is aborted, on a model %s', async (_what, listens) => {
    const bursar = engine()
    const controller = new AbortController()
    const model = new MockLanguageModelV3({
      modelId: 'large',
      doStream: async ({ abortSignal }) => ({
        stream: new ReadableStream({
          start(source) {
            for (const piece of pieces('four', 'five5').slice(0, 3)) source.enqueue(piece)
            if (listens) abortSignal?.addEventListener('abort', () => source.error(abortSignal.reason))
          },
        }),
      }),
    })
    const parts: string[] = []
    const result = streamText({ model: wrapped(bursar, model, { inputTokens: () => 100 }), prompt: 'hi', abortSignal: controller.signal, onError: () => {} })
    for await (const { type } of result.fullStream) {
      parts.push(type)
      if (parts.filter((part) => part === 'text-delta').length === 2) controller.abort()
    }
    expect(parts.at(-1)).toBe('abort')
    await eventually(async () => expect(await dayOf(bursar)).toEqual({ spent: 0.0019, held: 0 }))
    expect((await entriesOf(bursar.tracker))[0]).toMatchObject({ kind: 'settled', details: { estimated: true, usage: { inputTokens: 100, outputTokens: 9 } } })
  })

  it('is settled by what came when its reader leaves, and the model hears of it', async () => {
    const bursar = engine()
    const left = vi.fn()
    const model = new MockLanguageModelV3({
      modelId: 'large',
      doStream: async () => ({ stream: new ReadableStream({ pull: (source) => source.enqueue({ type: 'text-delta', id: '1', delta: 'a' }), cancel: left }, { highWaterMark: 0 }) }),
    })
    const { stream } = await wrapped(bursar, model, { inputTokens: () => 100 }).doStream({ prompt: [] })
    const reader = stream.getReader()
    await reader.read()
    await reader.read()
    await reader.cancel()
    expect(left).toHaveBeenCalledTimes(1)
    expect(await dayOf(bursar)).toEqual({ spent: 0.0012, held: 0 })
  })

  it('that ends without usage is estimated by its text, its reasoning and the arguments of its tools, each once', async () => {
    const bursar = engine()
    const model = mockModel('large', {
      stream: [
        { type: 'stream-start', warnings: [] },
        { type: 'reasoning-start', id: 'r' },
        { type: 'reasoning-delta', id: 'r', delta: '0123456789' },
        { type: 'reasoning-end', id: 'r' },
        ...pieces('äö'),
        { type: 'tool-input-start', id: 't', toolName: 'find' },
        { type: 'tool-input-delta', id: 't', delta: '{"a":1}' },
        { type: 'tool-input-end', id: 't' },
        { type: 'tool-call', toolCallId: 't', toolName: 'find', input: '{"a":1}' },
        { type: 'tool-call', toolCallId: 'u', toolName: 'find', input: '{}' },
        finish(usage(undefined, undefined)),
      ],
    })
    const { stream } = await wrapped(bursar, model, { inputTokens: () => 0 }).doStream({ prompt: [] })
    for await (const _ of stream);
    expect((await entriesOf(bursar.tracker))[0]).toMatchObject({ details: { estimated: true, usage: { inputTokens: 0, outputTokens: 10 + 4 + 7 + 2 } } })
  })

  it('of nothing that anybody knows is charged its estimate', async () => {
    const bursar = engine()
    const decided = vi.fn()
    bursar.on('decision', decided)
    bursar.on('usage-error', () => {})
    const { stream } = await wrapped(bursar, mockModel('large', { stream: [{ type: 'hologram' } as never] })).doStream({ prompt: [], maxOutputTokens: 10 })
    for await (const _ of stream);
    expect(await dayOf(bursar)).toEqual({ spent: decided.mock.calls[0]?.[0].estimatedCost, held: 0 })
  })

  it('that cannot begin gives the money back', async () => {
    const bursar = engine()
    const model = new MockLanguageModelV3({
      modelId: 'large',
      doStream: async () => {
        throw new TypeError('broken')
      },
    })
    await expect(wrapped(bursar, model).doStream({ prompt: [] })).rejects.toThrow('broken')
    expect(await dayOf(bursar)).toEqual({ spent: 0, held: 0 })
  })
})

describe('tools', () => {
  const call = answer(usage(100, 10), { content: [{ type: 'tool-call', toolCallId: 'c', toolName: 'find', input: '{}' }], finishReason: { unified: 'tool-calls', raw: undefined } })
  const tools = { find: tool({ inputSchema: z.object({}), execute: async () => ({ type: 'image', found: 1 }) }) }

  it('over three steps are three calls, each decided and settled', async () => {
    const bursar = engine()
    const decided = vi.fn()
    bursar.on('decision', decided)
    const { steps } = await generateText({ model: wrapped(bursar, mockModel('large', { generate: [call, call, answer()] })), tools, prompt: 'find it', stopWhen: stepCountIs(5) })
    expect(steps).toHaveLength(3)
    expect(decided).toHaveBeenCalledTimes(3)
    expect(await dayOf(bursar)).toEqual({ spent: 0.006, held: 0 })
    expect((await entriesOf(bursar.tracker)).map(({ kind }) => kind)).toEqual(['settled', 'settled', 'settled'])
  })

  it('are stopped at the step that does not fit any more', async () => {
    const bursar = engine({ tiers: { free: { daily: 0.12 } } })
    const model = mockModel('large', { generate: [answer(usage(5_000, 500), { content: call.content, finishReason: call.finishReason }), answer()] })
    await expect(generateText({ model: wrapped(bursar, model), tools, prompt: 'find it', maxOutputTokens: 500, stopWhen: stepCountIs(5) })).rejects.toThrow(BudgetExceededError)
    expect(model.doGenerateCalls).toHaveLength(1)
    expect(await dayOf(bursar)).toEqual({ spent: 0.1, held: 0 })
  })
})

describe('a refusal', () => {
  const poor = () => engine({ tiers: { free: { daily: 0.000001 } } })

  it('comes from generateText as it is, once, and the model is not asked', async () => {
    const bursar = poor()
    const denied = vi.fn()
    bursar.on('block', denied)
    const model = mockModel('large')
    const refused = await generateText({ model: wrapped(bursar, model), prompt: 'hi', maxOutputTokens: 10, maxRetries: 5 }).catch((error: unknown) => error)
    expect(refused).toBeInstanceOf(BudgetExceededError)
    expect((refused as BudgetExceededError).denial).toMatchObject({ code: 'budget', status: 402, window: 'daily' })
    expect(denied).toHaveBeenCalledTimes(1)
    expect(model.doGenerateCalls).toHaveLength(0)
  })

  it('comes from generateObject as it is', async () => {
    await expect(generateObject({ model: wrapped(poor(), mockModel('large')), schema: z.object({}), prompt: 'hi', maxOutputTokens: 10 })).rejects.toThrow(BudgetExceededError)
  })

  it('of a retry is the last error of the RetryError', async () => {
    const bursar = engine({ tiers: { free: { daily: 1, rolling: { '1m': { requests: 1 } } } } })
    const model = new MockLanguageModelV3({
      modelId: 'large',
      doGenerate: async () => {
        throw new APICallError({ message: 'overloaded', url: 'http://localhost', requestBodyValues: {}, statusCode: 529, isRetryable: true, responseHeaders: { 'retry-after-ms': '1' } })
      },
    })
    const refused = await generateText({ model: wrapped(bursar, model), prompt: 'hi' }).catch((error: unknown) => error)
    expect(RetryError.isInstance(refused) && refused.lastError).toBeInstanceOf(BudgetExceededError)
  })

  it('is an error part of streamText, and goes to onError, once', async () => {
    const bursar = poor()
    const denied = vi.fn()
    const onError = vi.fn()
    bursar.on('block', denied)
    const model = mockModel('large')
    const result = streamText({ model: wrapped(bursar, model), prompt: 'hi', maxOutputTokens: 10, maxRetries: 5, onError })
    const errors = []
    for await (const part of result.fullStream) if (part.type === 'error') errors.push(part.error)
    expect(errors).toEqual([expect.any(BudgetExceededError)])
    expect(onError).toHaveBeenCalledWith({ error: errors[0] })
    expect(denied).toHaveBeenCalledTimes(1)
    expect(model.doStreamCalls).toHaveLength(0)
  })
})

describe('a cheaper model', () => {
  const degrading = () => engine({ policies: ['graceful'], tiers: { free: { daily: 1 } } })
  const spentMost = async (bursar: Bursar) => bursar.tracker.addCost({ userId: 'ada', cost: 0.92 })

  it.each([
    ['a provider', (small: MockLanguageModelV3) => new MockProviderV3({ languageModels: { small } })],
    ['a function', (small: MockLanguageModelV3) => (id: string) => (id === 'small' ? small : (undefined as never))],
    ['a function with models of its own, as providers are', (small: MockLanguageModelV3) => Object.assign(() => undefined as never, { languageModel: () => small })],
  ])('from %s answers instead of the dear one', async (_what, providerOf) => {
    const bursar = degrading()
    await spentMost(bursar)
    const [large, small] = [mockModel('large'), mockModel('small')]
    const model = wrapped(bursar, large, { provider: providerOf(small) })
    await generateText({ model, prompt: 'hi', maxOutputTokens: 10 })
    expect(await dayOf(bursar)).toEqual({ spent: 0.9202, held: 0 })
    await streamText({ model, prompt: 'hi', maxOutputTokens: 10 }).consumeStream()
    expect(await dayOf(bursar)).toEqual({ spent: 0.9204, held: 0 })
    expect([large.doGenerateCalls.length, large.doStreamCalls.length, small.doGenerateCalls.length, small.doStreamCalls.length]).toEqual([0, 0, 1, 1])
    expect(small.doGenerateCalls[0]).toMatchObject({ maxOutputTokens: 10 })
  })

  it.each([
    ['without a provider', {}, /^ai-sdk\.provider: is missing, and the decision is for "small" instead of "large"/],
    ['from a provider that has none', { provider: () => undefined as never }, /^ai-sdk\.provider: gave no model for "small"/],
    ['of another specification', { provider: () => ({ ...mockModel('small'), doGenerate: () => {}, specificationVersion: 'v2' }) as never }, /^ai-sdk\.provider: gave a model of specification v2/],
  ])('%s is an error, and neither model is asked nor money held', async (_what, options, message) => {
    const bursar = degrading()
    await spentMost(bursar)
    const large = mockModel('large')
    const call = generateText({ model: wrapped(bursar, large, options), prompt: 'hi', maxOutputTokens: 10 })
    await expect(call).rejects.toThrow(message)
    await expect(call).rejects.toThrow(InvalidConfigError)
    expect(large.doGenerateCalls).toHaveLength(0)
    expect(await dayOf(bursar)).toEqual({ spent: 0.92, held: 0 })
  })

  it("of another provider has that provider's price", async () => {
    const own = (price: number) => ({ input: price, output: price, contextWindow: 1_000, maxOutputTokens: 100 })
    const bursar = engine({ policies: ['graceful'], prices: { models: { large: own(10), small: own(9), 'anthropic/small': own(2) } } })
    await spentMost(bursar)
    const small = new MockLanguageModelV3({ provider: 'anthropic.messages', modelId: 'small', doGenerate: answer(usage(100, 0)), doStream: mockModel('small', { stream: [finish(usage(100, 0))] }).doStream })
    const model = wrapped(bursar, mockModel('large'), { provider: () => small })
    await generateText({ model, prompt: 'hi', maxOutputTokens: 10 })
    await streamText({ model, prompt: 'hi', maxOutputTokens: 10 }).consumeStream()
    expect((await dayOf(bursar)).spent).toBe(0.9204)
  })
})

describe('a model that is wrapped twice', () => {
  const refused = /^middleware: the model is under this budget already/
  const held = async (call: Promise<unknown>, bursar: Bursar, model: MockLanguageModelV3) => {
    await expect(call).rejects.toThrow(refused)
    await expect(call).rejects.toThrow(InvalidConfigError)
    expect([model.doGenerateCalls.length, model.doStreamCalls.length]).toEqual([0, 0])
    expect(await dayOf(bursar)).toEqual({ spent: 0, held: 0 })
  }
  const ask = { prompt: 'hi', maxOutputTokens: 10 }

  it('by one list is an error, and neither is the model asked nor money held', async () => {
    const [bursar, model] = [engine(), mockModel('large')]
    const middleware = budgetMiddleware(bursar, { identity: ada })
    await held(generateText({ model: wrapLanguageModel({ model, middleware: [middleware, middleware] }), ...ask }), bursar, model)
  })

  it('with middlewares between that copy the call, or by its provider too, is the same', async () => {
    const [bursar, model] = [engine(), mockModel('large')]
    const rewriting: LanguageModelMiddleware = { specificationVersion: 'v3', transformParams: async ({ params }) => ({ ...params, prompt: [{ role: 'system', content: 'be brief' }, ...params.prompt] }) }
    for (const between of [defaultSettingsMiddleware({ settings: { temperature: 0.5 } }), rewriting]) {
      await held(generateText({ model: wrapLanguageModel({ model: wrapped(bursar, model), middleware: [budgetMiddleware(bursar, { identity: ada }), between] }), ...ask }), bursar, model)
    }
    const provider = wrapProvider({ provider: new MockProviderV3({ languageModels: { large: model } }) as never, languageModelMiddleware: budgetMiddleware(bursar, { identity: ada }) })
    await held(generateText({ model: wrapped(bursar, provider.languageModel('large') as never), ...ask }), bursar, model)
  })

  it('and streamed is an error of the stream', async () => {
    const [bursar, model] = [engine(), mockModel('large')]
    const errors: unknown[] = []
    await streamText({ model: wrapped(bursar, wrapped(bursar, model) as never), ...ask, onError: ({ error }) => void errors.push(error) }).consumeStream()
    expect(errors).toEqual([expect.objectContaining({ message: expect.stringMatching(refused) })])
    expect(model.doStreamCalls).toHaveLength(0)
    expect(await dayOf(bursar)).toEqual({ spent: 0, held: 0 })
  })

  it('because the cheaper ones come wrapped is an error', async () => {
    const bursar = engine({ policies: ['graceful'] })
    await bursar.tracker.addCost({ userId: 'ada', cost: 0.92 })
    const small = mockModel('small')
    const call = generateText({ model: wrapped(bursar, mockModel('large'), { provider: () => wrapped(bursar, small) as never }), ...ask })
    await expect(call).rejects.toThrow(refused)
    expect(small.doGenerateCalls).toHaveLength(0)
    expect(await dayOf(bursar)).toEqual({ spent: 0.92, held: 0 })
  })

  it('for embeddings is an error', async () => {
    const bursar = engine()
    const middleware = budgetEmbeddingMiddleware(bursar, { identity: ada })
    const model = wrapEmbeddingModel({ model: new MockEmbeddingModelV3({ modelId: 'vectors' }), middleware: [middleware, middleware] })
    await expect(embedMany({ model, values: ['a'] })).rejects.toThrow(refused)
    expect(await dayOf(bursar)).toEqual({ spent: 0, held: 0 })
  })

  it('for two engines is under both', async () => {
    const [own, team] = [engine(), engine()]
    await generateText({ model: wrapLanguageModel({ model: mockModel('large'), middleware: [own, team].map((bursar) => budgetMiddleware(bursar, { identity: ada })) }), ...ask })
    expect([await dayOf(own), await dayOf(team)].map(({ spent }) => spent)).toEqual([0.002, 0.002])
  })

  it('is not one that asks another model about a call, or the same one again', async () => {
    const bursar = engine()
    const other = wrapped(bursar, mockModel('small'))
    const asking: LanguageModelMiddleware = {
      specificationVersion: 'v3',
      wrapGenerate: async ({ doGenerate }) => {
        await generateText({ model: other, ...ask })
        await doGenerate()
        return doGenerate()
      },
    }
    const model = wrapLanguageModel({ model: mockModel('large'), middleware: [asking, budgetMiddleware(bursar, { identity: ada })] })
    const { steps } = await generateText({ model, ...ask })
    expect(steps).toHaveLength(1)
    expect(await entriesOf(bursar.tracker)).toHaveLength(3)
  })
})

describe('identity', () => {
  it('is a function of the call, also one that has to wait', async () => {
    const bursar = engine()
    const model = wrapLanguageModel({ model: mockModel('large'), middleware: budgetMiddleware(bursar, { identity: async ({ providerOptions = {} }) => providerOptions['app'] as { userId: string } }) })
    await generateText({ model, prompt: 'hi', providerOptions: { app: { userId: 'bob' } } })
    expect([await dayOf(bursar, 'bob'), await dayOf(bursar, 'ada')].map(({ spent }) => spent)).toEqual([0.002, 0])
  })

  it('is that of runAs where none is given, for each of many at once', async () => {
    const bursar = engine()
    const model = wrapLanguageModel({ model: mockModel('large'), middleware: budgetMiddleware(bursar) })
    const users = Array.from({ length: 20 }, (_, index) => `user${index}`)
    await Promise.all(users.map((userId) => bursar.runAs({ userId }, () => generateText({ model, prompt: 'hi' }))))
    for (const userId of users) expect(await dayOf(bursar, userId)).toEqual({ spent: 0.002, held: 0 })
    await expect(generateText({ model, prompt: 'hi' })).rejects.toThrow(/^userId/)
  })
})

describe('one hundred calls at once', () => {
  it('on a budget for ten are ten', async () => {
    const bursar = engine({ tiers: { free: { daily: 1 } } })
    let mostHeld = 0
    const model = mockModel('large')
    model.doGenerate = async () => {
      mostHeld = Math.max(mostHeld, (await dayOf(bursar)).held)
      return answer(usage(5_000, 500))
    }
    const dear = wrapped(bursar, model, { inputTokens: () => 5_000 })
    const calls = await Promise.allSettled(Array.from({ length: 100 }, () => generateText({ model: dear, prompt: 'hi', maxOutputTokens: 500 })))
    expect(calls.filter(({ status }) => status === 'fulfilled')).toHaveLength(10)
    expect(calls.every((call) => call.status === 'fulfilled' || call.reason instanceof BudgetExceededError)).toBe(true)
    expect(mostHeld).toBeLessThanOrEqual(1)
    expect(await dayOf(bursar)).toEqual({ spent: 1, held: 0 })
  })
})

describe('options', () => {
  it('cap the output of calls that have no cap, and send it with them', async () => {
    const model = mockModel('large')
    const capped = wrapped(engine(), model, { maxOutputTokens: 50 })
    await generateText({ model: capped, prompt: 'hi' })
    await generateText({ model: capped, prompt: 'hi', maxOutputTokens: 70 })
    await streamText({ model: capped, prompt: 'hi' }).consumeStream()
    expect([...model.doGenerateCalls, ...model.doStreamCalls].map(({ maxOutputTokens }) => maxOutputTokens)).toEqual([50, 70, 50])
  })

  it('are of the tiers and groups that are configured', () => {
    const bursar = new Bursar({ tiers: { free: { daily: 1 }, pro: { daily: 2 } }, defaultTier: 'free', scopes: { team: { search: {} } } })
    budgetMiddleware(bursar, { identity: { userId: 'ada', userTier: 'pro', scopes: { team: 'search' } } })
    // @ts-expect-error -- a tier that is none
    budgetMiddleware(bursar, { identity: { userId: 'ada', userTier: 'gold' } })
    // @ts-expect-error -- a group that is none
    budgetMiddleware(bursar, { identity: () => ({ userId: 'ada', scopes: { tema: 'search' } }) })
  })

  it.each([
    [{ maxOutputTokens: 0 }, /^ai-sdk\.maxOutputTokens: 0/],
    [{ maxOutputTokens: 1.5 }, /^ai-sdk\.maxOutputTokens: 1\.5/],
    [{ idempotencyKey: 'k' }, /idempotencyKey/],
    [{ unmetered: true }, /^ai-sdk\.unmetered: true is unknown/],
    [{ identity: { user: 'u' } }, /^userId/],
  ])('that cannot work are refused at once: %j', (options, message) => {
    expect(() => budgetMiddleware(engine(), options as never)).toThrow(message)
  })
})

describe('embeddings', () => {
  const vectors = (tokens: number | undefined) => new MockEmbeddingModelV3({ provider: 'openai.embedding', modelId: 'vectors', maxEmbeddingsPerCall: 2, doEmbed: async ({ values }) => ({ embeddings: values.map(() => [1]), warnings: [], ...(tokens !== undefined && { usage: { tokens } }) }) })
  const embed = (bursar: Bursar, model: MockEmbeddingModelV3) => embedMany({ model: wrapEmbeddingModel({ model, middleware: budgetEmbeddingMiddleware(bursar, { identity: ada }) }), values: ['a', 'b', 'c'] })

  it('are decided and settled call by call', async () => {
    const bursar = engine()
    expect((await embed(bursar, vectors(1_000))).embeddings).toHaveLength(3)
    expect(await dayOf(bursar)).toEqual({ spent: 0.01, held: 0 })
    expect(await entriesOf(bursar.tracker)).toHaveLength(2)
  })

  it('without usage are charged their estimate', async () => {
    const bursar = engine()
    await embed(bursar, vectors(undefined))
    expect(await dayOf(bursar)).toEqual({ spent: 0.000015, held: 0 })
  })

  it('are refused where the budget is exhausted', async () => {
    const bursar = engine()
    await bursar.tracker.addCost({ userId: 'ada', cost: 1 })
    await expect(embed(bursar, vectors(1))).rejects.toThrow(BudgetExceededError)
  })

  it('of a cheaper model are none: the ladder is refused when it leads there', async () => {
    const bursar = engine({ policies: ['graceful'], ladder: { vectors: 'small' } as never, prices: { models: { vectors: { input: 5 }, small: { input: 1 } } } })
    await bursar.tracker.addCost({ userId: 'ada', cost: 0.95 })
    await expect(embed(bursar, vectors(1))).rejects.toThrow(/^ladder: leads from "vectors" to "small"/)
    expect(await dayOf(bursar)).toEqual({ spent: 0.95, held: 0 })
  })
})
