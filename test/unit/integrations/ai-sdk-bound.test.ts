// How much a call of the AI SDK can use, as far as the call says so: never less than what is in it.

import { createOpenAI } from '@ai-sdk/openai'
import { embedMany, generateText, streamText, wrapEmbeddingModel, wrapLanguageModel } from 'ai'
import { MockEmbeddingModelV3 } from 'ai/test'
import { describe, expect, it } from 'vitest'
import { inputTokensAtMost, outputTokensAtMost, tokenKindsOf } from '../../../src/integrations/ai-sdk-bound.js'
import { priceProviderOf } from '../../../src/integrations/ai-sdk-providers.js'
import { budgetEmbeddingMiddleware, budgetMiddleware } from '../../../src/integrations/ai-sdk.js'
import { allOf, entriesOf } from '../setting.js'
import { priceBook } from '../../../src/prices/index.js'
import { answer, engine, mockModel, pieces, usage, type CallOptions } from './ai-sdk-kit.js'

const user = (text: string): CallOptions['prompt'] => [{ role: 'user', content: [{ type: 'text', text }] }]
const bound = (call: Partial<CallOptions>) => inputTokensAtMost({ prompt: user('hi'), ...call })
const FILE = { type: 'file', data: new Uint8Array([1]), mediaType: 'image/png' } as const

describe('the input', () => {
  it('is at least the bytes of every text in it, of its tools and of its schema', () => {
    const alone = bound({}) as number
    expect(bound({ prompt: user('hiä€😀') })).toBe(alone + 2 + 3 + 4)
    expect(bound({ prompt: [{ role: 'system', content: 'x'.repeat(100) }, ...user('hi')] })).toBeGreaterThanOrEqual(alone + 100)
    expect(bound({ tools: [{ type: 'function', name: 'find', description: 'y'.repeat(200), inputSchema: {} }] })).toBeGreaterThanOrEqual(alone + 200 + 500)
    expect(bound({ responseFormat: { type: 'json', schema: { description: 'z'.repeat(300) } } })).toBeGreaterThanOrEqual(alone + 300 + 500)
  })

  it('has results of tools in it, whatever their data say of themselves', () => {
    const results = (value: unknown): CallOptions['prompt'] => [
      { role: 'assistant', content: [{ type: 'reasoning', text: 'r'.repeat(10) }, { type: 'tool-call', toolCallId: 'c', toolName: 'find', input: { type: 'image', q: 'i'.repeat(20) } }] },
      { role: 'tool', content: [{ type: 'tool-result', toolCallId: 'c', toolName: 'find', output: value as never }] },
    ]
    expect(bound({ prompt: results({ type: 'json', value: { type: 'image', v: 'v'.repeat(30) } }) })).toBeGreaterThanOrEqual(60)
    expect(bound({ prompt: results({ type: 'content', value: [{ type: 'text', text: 'v'.repeat(30) }] }) })).toBeGreaterThanOrEqual(60)
    expect(bound({ prompt: results({ type: 'content', value: [{ type: 'image-url', url: 'https://example.com' }] }) })).toBeUndefined()
  })

  it.each<[string, Partial<CallOptions>]>([
    ['a file', { prompt: [{ role: 'user', content: [{ type: 'text', text: 'look' }, FILE] }] }],
    ['a part of a kind that is new', { prompt: [{ role: 'assistant', content: [{ type: 'custom', kind: 'x' } as never] }] }],
    ['a tool that the provider runs', { tools: [{ type: 'provider', id: 'openai.web_search', name: 'web_search', args: {} }] }],
    ['a conversation that the provider has kept', { providerOptions: { openai: { previousResponseId: 'r' } } }],
    ['a tool that the provider has run', { prompt: [{ role: 'assistant', content: [{ type: 'tool-call', toolCallId: 'c', toolName: 'web_search', input: {}, providerExecuted: true }] }] }],
    ['the result of such a tool', { prompt: [{ role: 'assistant', content: [{ type: 'tool-result', toolCallId: 'c', toolName: 'web_search', output: { type: 'json', value: {} } }] }] }],
    ['reasoning that the provider has kept', { prompt: [{ role: 'assistant', content: [{ type: 'reasoning', text: 's', providerOptions: { azure: { itemId: 'rs' } } }] }] }],
    ['another such', { providerOptions: { openai: { conversation: 'c' } } }],
  ])('is not in the call with %s', (_what, call) => {
    expect(bound(call)).toBeUndefined()
  })

  it('that is not in the call is the context window, or what the application says', async () => {
    const reserved: number[] = []
    const bursar = engine()
    bursar.on('decision', (decision) => reserved.push(decision.context.tokens as number))
    const model = (options = {}) => wrapLanguageModel({ model: mockModel('large'), middleware: budgetMiddleware(bursar, { identity: { userId: 'ada' }, ...options }) })
    const messages = [{ role: 'user' as const, content: [{ type: 'file' as const, data: new Uint8Array([1]), mediaType: 'image/png' }] }]
    await generateText({ model: model(), messages, maxOutputTokens: 7 })
    await generateText({ model: model({ inputTokens: ({ prompt }: { prompt: readonly unknown[] }) => prompt.length * 40 }), messages, maxOutputTokens: 7 })
    expect(reserved).toEqual([10_007, 47])
  })

  it('is counted by the tokenizer of the engine, where it has one', async () => {
    const reserved: number[] = []
    const asked = new Set<string | undefined>()
    const tokenizer = (text: string, model?: string) => {
      asked.add(model)
      return Math.ceil(text.length / 100)
    }
    const bursar = engine({ tokenizer, ladder: undefined })
    bursar.on('decision', (decision) => reserved.push(decision.context.tokens as number))
    const model = (stream?: Parameters<typeof mockModel>[1]) => wrapLanguageModel({ model: mockModel('large', stream), middleware: budgetMiddleware(bursar, { identity: { userId: 'ada' } }) })
    await generateText({ model: model(), prompt: 'x'.repeat(1_000), maxOutputTokens: 7 })
    expect(reserved[0]).toBeGreaterThan(10 + 7)
    expect(reserved[0]).toBeLessThan(30)
    await streamText({ model: model({ stream: pieces('y'.repeat(450)) }), prompt: 'x', maxOutputTokens: 7 }).consumeStream()
    expect((await entriesOf(bursar.tracker)).at(-1)?.details).toMatchObject({ estimated: true, usage: { outputTokens: 5 } })
    const vectors = wrapEmbeddingModel({ model: new MockEmbeddingModelV3({ modelId: 'vectors', doEmbed: { embeddings: [[1]], usage: { tokens: 1 }, warnings: [] } }), middleware: budgetEmbeddingMiddleware(bursar, { identity: { userId: 'ada' } }) })
    await embedMany({ model: vectors, values: ['z'.repeat(300)] })
    expect(reserved.at(-1)).toBe(3)
    expect([...asked]).toEqual(['large', 'vectors'])
  })

  it('without a price that says how much the model reads, or anything else that does, is an error', async () => {
    const bursar = engine({ prices: { models: { large: { input: 1, output: 1 } } }, ladder: undefined })
    const model = wrapLanguageModel({ model: mockModel('large'), middleware: budgetMiddleware(bursar, { identity: { userId: 'ada' } }) })
    const call = generateText({ model, messages: [{ role: 'user', content: [{ type: 'file', data: new Uint8Array([1]), mediaType: 'image/png' }] }], maxOutputTokens: 7 })
    await expect(call).rejects.toThrow(/^inputTokens: is missing/)
    expect(await allOf(bursar.tracker.users())).toEqual([])
  })
})

describe('the output', () => {
  it('is what the call may write, with a budget for thinking that comes on top', () => {
    expect(outputTokensAtMost({ prompt: [] })).toBeUndefined()
    expect(outputTokensAtMost({ prompt: [], maxOutputTokens: 100, providerOptions: { openai: { thinking: { budgetTokens: 5 } } } })).toBe(100)
    expect(outputTokensAtMost({ prompt: [], maxOutputTokens: 100, providerOptions: { anthropic: { thinking: { type: 'enabled', budgetTokens: 2_000 } } } })).toBe(2_100)
    expect(outputTokensAtMost({ prompt: [], maxOutputTokens: 100, providerOptions: { bedrock: { reasoningConfig: { budgetTokens: 2_000 } } } })).toBe(2_100)
    expect(outputTokensAtMost({ prompt: [], maxOutputTokens: 100, providerOptions: { anthropic: { thinking: { budgetTokens: Number.NaN } } } })).toBe(100)
  })
})

describe('the kinds of tokens', () => {
  const kindsOf = (call: CallOptions) => tokenKindsOf(call)
  const ephemeral = { anthropic: { cacheControl: { type: 'ephemeral' } } }
  it('are without writing to a cache, hearing and speaking, where the call does not say so', () => {
    expect(kindsOf({ prompt: user('write to the cache, by audio') })).toEqual(['reasoning', 'citation', 'image'])
  })

  it('are with a cache wherever it is named', () => {
    expect(kindsOf({ prompt: user('hi'), providerOptions: ephemeral })).toContain('cache-write')
    expect(kindsOf({ prompt: [{ role: 'system', content: 'x', providerOptions: ephemeral }] })).toContain('cache-write')
    expect(kindsOf({ prompt: [{ role: 'user', content: [{ type: 'text', text: 'x', providerOptions: ephemeral }] }] })).toContain('cache-write')
    expect(kindsOf({ prompt: user('hi'), tools: [{ type: 'function', name: 't', inputSchema: {}, providerOptions: ephemeral }] })).not.toContain('cache-write-1h')
    expect(kindsOf({ prompt: user('hi'), providerOptions: { anthropic: { cacheControl: { type: 'ephemeral', ttl: '1h' } } } })).toContain('cache-write-1h')
  })

  it('are with sound where there are files, or it is asked for', () => {
    expect(kindsOf({ prompt: [{ role: 'user', content: [FILE] }] })).toContain('audio')
    expect(kindsOf({ prompt: user('hi'), providerOptions: { google: { responseModalities: ['AUDIO'] } } })).toContain('audio')
  })
})

describe('what only the provider counts', () => {
  it.each([
    ['written to a cache for an hour', { cache_creation: { ephemeral_1h_input_tokens: 50 } }, { cacheWrite1hTokens: 50 }],
    ['searched on the web', { server_tool_use: { web_search_requests: 2 } }, { webSearches: 2 }],
    ['heard and spoken', { prompt_tokens_details: { audio_tokens: 3 }, completion_tokens_details: { audio_tokens: 4 } }, { inputAudioTokens: 3, outputAudioTokens: 4 }],
    ['in no known shape', { cache_creation: 'much', prompt_tokens_details: { audio_tokens: '3' } }, {}],
  ])('is what was %s', async (_what, raw, counts) => {
    const bursar = engine({ prices: { models: { large: { input: 10, cacheWrite: 12, cacheWrite1h: 20, inputAudio: 30, output: 100, outputAudio: 200, perWebSearch: 0.01, contextWindow: 10_000 } } }, ladder: undefined, tiers: { free: { daily: 10 } } })
    const model = mockModel('large', { generate: answer(usage(100, 10, { cacheWrite: 60, raw })) })
    await generateText({ model: wrapLanguageModel({ model, middleware: budgetMiddleware(bursar, { identity: { userId: 'ada' } }) }), prompt: 'hi' })
    const [entry] = await entriesOf(bursar.tracker)
    expect(entry?.details).toEqual({ action: 'ALLOW', priceVersion: expect.any(String), usage: { inputTokens: 100, cacheWriteTokens: 60, outputTokens: 10, ...counts } })
  })
})

describe('the provider', () => {
  const named = (provider: string) => ({ specificationVersion: 'v3', provider, modelId: 'm' })
  it.each([
    ['openai.chat', 'openai'],
    ['openai.responses', 'openai'],
    ['anthropic.messages', 'anthropic'],
    ['google.generative-ai', 'google'],
    ['google.vertex.chat', 'google'],
    ['vertex.anthropic.messages', 'google'],
    ['amazon-bedrock', 'aws'],
    ['azure-openai.chat', 'azure'],
    ['azure.responses', 'azure'],
    ['xai.chat', 'x-ai'],
    ['togetherai.chat', 'together'],
    ['groq.chat', 'groq'],
    ['mine', 'mine'],
    ['constructor', 'constructor'],
    ['gateway', undefined],
  ])('of %s has the prices of %s', (provider, priced) => {
    expect(priceProviderOf(named(provider), undefined)).toBe(priced)
  })

  it('is what the application says', () => {
    expect(priceProviderOf(named('mine.chat'), 'openai')).toBe('openai')
    expect(priceProviderOf(named('mine.chat'), ({ provider }) => (provider === 'mine.chat' ? 'groq' : undefined))).toBe('groq')
    expect(priceProviderOf(named('xai.chat'), () => undefined)).toBe('x-ai')
  })

  it('of a real model finds its real price', async () => {
    const openai = createOpenAI({ apiKey: 'none' })
    const book = priceBook()
    for (const model of [openai('gpt-4o'), openai.chat('gpt-4o-mini'), openai.embeddingModel('text-embedding-3-small')]) {
      expect(book.priceOf({ model: model.modelId, provider: priceProviderOf(model, undefined), at: 0 })).toMatchObject({ model: model.modelId, provider: 'openai' })
    }
  })
})
