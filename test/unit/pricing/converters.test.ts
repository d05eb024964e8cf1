// Providers' own usage objects, in the shapes that their SDKs declare, as one Usage; every other shape is refused.

import type { CacheCreation, MessageDeltaUsage, Usage as AnthropicUsage } from '@anthropic-ai/sdk/resources/messages/messages.js'
import type { CompletionUsage } from 'openai/resources/completions.js'
import type { CreateEmbeddingResponse } from 'openai/resources/embeddings.js'
import type { Transcription } from 'openai/resources/audio/transcriptions.js'
import type { RealtimeResponseUsage } from 'openai/resources/realtime/realtime.js'
import type { ResponseUsage } from 'openai/resources/responses/responses.js'
import { describe, expect, it } from 'vitest'
import { InvalidAmountError, InvalidRequestError } from '../../../src/errors/index.js'
import { anthropicUsage, openaiUsage, PriceBook, type Usage } from '../../../src/pricing/index.js'

describe('openaiUsage', () => {
  it('reads the usage of a chat completion', () => {
    const usage: CompletionUsage = {
      prompt_tokens: 100,
      completion_tokens: 50,
      total_tokens: 150,
      prompt_tokens_details: { cached_tokens: 40, audio_tokens: 0, cache_write_tokens: 5 },
      completion_tokens_details: { reasoning_tokens: 30, audio_tokens: 2, accepted_prediction_tokens: 1, rejected_prediction_tokens: 3 },
    }
    expect(openaiUsage(usage)).toEqual({ inputTokens: 100, cachedInputTokens: 40, cacheWriteTokens: 5, inputAudioTokens: 0, outputTokens: 50, reasoningTokens: 30, outputAudioTokens: 2 })
  })

  it('reads the usage of a response', () => {
    const usage: ResponseUsage = { input_tokens: 10, output_tokens: 5, total_tokens: 15, input_tokens_details: { cached_tokens: 4, cache_write_tokens: 0 }, output_tokens_details: { reasoning_tokens: 3 } }
    expect(openaiUsage(usage)).toEqual({ inputTokens: 10, cachedInputTokens: 4, cacheWriteTokens: 0, outputTokens: 5, reasoningTokens: 3 })
  })

  it('reads the usage of an embedding, which writes nothing', () => {
    const usage: CreateEmbeddingResponse.Usage = { prompt_tokens: 8, total_tokens: 8 }
    expect(openaiUsage(usage)).toEqual({ inputTokens: 8 })
  })

  it('reads the usage of an image', () => {
    const usage = { input_tokens: 50, output_tokens: 1_000, total_tokens: 1_050, input_tokens_details: { text_tokens: 10, image_tokens: 40 }, output_tokens_details: { image_tokens: 1_000, text_tokens: 0 } }
    expect(openaiUsage(usage)).toEqual({ inputTokens: 50, inputImageTokens: 40, outputTokens: 1_000, outputImageTokens: 1_000 })
  })

  it('reads the usage of a realtime response', () => {
    const usage: RealtimeResponseUsage = {
      total_tokens: 1_600,
      input_tokens: 1_000,
      output_tokens: 600,
      input_token_details: { text_tokens: 100, audio_tokens: 800, image_tokens: 100, cached_tokens: 500, cached_tokens_details: { text_tokens: 60, audio_tokens: 400, image_tokens: 40 } },
      output_token_details: { text_tokens: 100, audio_tokens: 500 },
    }
    expect(openaiUsage(usage)).toEqual({ inputTokens: 1_000, cachedInputTokens: 500, inputAudioTokens: 800, cachedInputAudioTokens: 400, inputImageTokens: 100, cachedInputImageTokens: 40, outputTokens: 600, outputAudioTokens: 500 })
  })

  it('reads the usage of a transcription, by tokens or by its length', () => {
    const tokens: Transcription.Tokens = { type: 'tokens', input_tokens: 14, output_tokens: 45, total_tokens: 59, input_token_details: { text_tokens: 4, audio_tokens: 10 } }
    expect(openaiUsage(tokens)).toEqual({ inputTokens: 14, inputAudioTokens: 10, outputTokens: 45 })
    const duration: Transcription.Duration = { type: 'duration', seconds: 9.5 }
    expect(openaiUsage(duration)).toEqual({ audioSeconds: 9.5, inputAudioSeconds: 9.5 })
  })

  it("counts Perplexity's research beside what was written, once", () => {
    const usage = { prompt_tokens: 33, completion_tokens: 7_163, total_tokens: 7_196, search_context_size: 'low', citation_tokens: 20_016, num_search_queries: 18, reasoning_tokens: 73_997 }
    const read = { inputTokens: 33, outputTokens: 101_176, citationTokens: 20_016, reasoningTokens: 73_997, webSearches: 18 }
    expect(openaiUsage(usage)).toEqual(read)
    expect(openaiUsage({ ...usage, total_tokens: 101_209 })).toEqual(read)
    expect(openaiUsage({ ...usage, cost: { total_cost: 0.409 } })).toEqual({ ...read, cost: 0.409 })
  })

  it('takes reasoning for part of what was written where nothing else was researched', () => {
    expect(openaiUsage({ prompt_tokens: 10, completion_tokens: 50, total_tokens: 60, reasoning_tokens: 30 })).toEqual({ inputTokens: 10, outputTokens: 50, reasoningTokens: 30 })
  })

  it.each<[string, object, Usage]>([
    ['DeepSeek', { prompt_cache_hit_tokens: 960, prompt_cache_miss_tokens: 40 }, { cachedInputTokens: 960 }],
    ['Moonshot', { cached_tokens: 960 }, { cachedInputTokens: 960 }],
    ['both in the details and beside them', { cached_tokens: 960, prompt_tokens_details: { cached_tokens: 950 } }, { cachedInputTokens: 950 }],
    ['LiteLLM', { prompt_tokens_details: { cached_tokens: 500 }, cache_creation_input_tokens: 20, cache_read_input_tokens: 500 }, { cachedInputTokens: 500, cacheWriteTokens: 20 }],
    ['LiteLLM without details', { cache_creation_input_tokens: 20, cache_read_input_tokens: 500 }, { cachedInputTokens: 500, cacheWriteTokens: 20 }],
    ['LiteLLM with writes for an hour', { prompt_tokens_details: { cache_creation_tokens: 20, cache_creation_token_details: { ephemeral_5m_input_tokens: 5, ephemeral_1h_input_tokens: 15 } } }, { cacheWriteTokens: 20, cacheWrite1hTokens: 15 }],
  ])('reads what %s says of caches as part of the prompt', (_who, said, parts) => {
    expect(openaiUsage({ prompt_tokens: 1_000, completion_tokens: 10, total_tokens: 1_010, ...said })).toEqual({ inputTokens: 1_000, outputTokens: 10, ...parts })
  })

  it("takes xAI's cost in ticks exactly, and its sources with a cost only", () => {
    const usage = { prompt_tokens: 32, completion_tokens: 9, total_tokens: 135, num_sources_used: 5 }
    expect(openaiUsage({ ...usage, cost_in_usd_ticks: 37_756_000 })).toEqual({ inputTokens: 32, outputTokens: 103, cost: '0.0037756000' })
    expect(openaiUsage({ ...usage, cost_in_usd_ticks: 12_345_678_901 }).cost).toBe('1.2345678901')
    expect(openaiUsage({ ...usage, cost: 0.5 }).cost).toBe(0.5)
    expect(() => openaiUsage(usage)).toThrow(/^usage\.num_sources_used: 5, .*Settle the call with its cost/)
    expect(openaiUsage({ ...usage, num_sources_used: 0 })).toEqual({ inputTokens: 32, outputTokens: 103 })
  })

  it('does not lose a cost to a total that does not add up', () => {
    expect(openaiUsage({ prompt_tokens: 5, completion_tokens: 5, total_tokens: 9, cost: 0.25 })).toEqual({ inputTokens: 5, outputTokens: 5, cost: 0.25 })
  })

  it('says what to do where there is no usage, which SDKs let be absent', () => {
    const answer: { usage?: CompletionUsage | null } = {}
    expect(() => openaiUsage(answer.usage)).toThrow(InvalidRequestError)
    expect(() => openaiUsage(answer.usage)).toThrow(/^usage: is missing in the answer\. .*include_usage: true/)
    expect(() => openaiUsage(null)).toThrow(/^usage: is missing/)
  })

  it('takes null and silence about details for nothing', () => {
    expect(openaiUsage({ prompt_tokens: 1, completion_tokens: 2, total_tokens: 3, prompt_tokens_details: null, completion_tokens_details: { reasoning_tokens: null } })).toEqual({ inputTokens: 1, outputTokens: 2 })
    expect(openaiUsage({ prompt_tokens: 1, completion_tokens: 2 })).toEqual({ inputTokens: 1, outputTokens: 2 })
  })

  it('counts as output what only the total has', () => {
    expect(openaiUsage({ prompt_tokens: 10, completion_tokens: 5, total_tokens: 22, completion_tokens_details: { reasoning_tokens: 7 } })).toEqual({ inputTokens: 10, outputTokens: 12, reasoningTokens: 7 })
    expect(openaiUsage({ prompt_tokens: 10, total_tokens: 22 })).toEqual({ inputTokens: 10, outputTokens: 12 })
  })

  it.each<[string, object, unknown]>([
    ['a number', { cost: 0.0012 }, 0.0012],
    ['text', { cost: '0.0012' }, '0.0012'],
    ['nothing', { cost: 0 }, 0],
    ['parts and their total', { cost: { input_tokens_cost: 0.1, total_cost: 0.3 } }, 0.3],
    ['null', { cost: null }, undefined],
    ['only a fee, for a key of its own', { cost: 0.0001, is_byok: true }, undefined],
  ])('takes the cost that the provider reports: %s', (_what, cost, expected) => {
    expect(openaiUsage({ prompt_tokens: 1, completion_tokens: 2, ...cost }).cost).toBe(expected)
  })

  it.each<[string, unknown]>([
    ['nothing', {}],
    ['null', null],
    ['undefined', undefined],
    ['text', 'usage'],
    ['a list', [{ prompt_tokens: 1 }]],
    ['a response around it', { usage: { prompt_tokens: 1, completion_tokens: 1 } }],
    ["Anthropic's", { input_tokens: 1, output_tokens: 1, cache_read_input_tokens: 5, cache_creation_input_tokens: 0 }],
    ['our own', { inputTokens: 1, outputTokens: 2 }],
    ["LiteLLM's words in a response", { input_tokens: 1, output_tokens: 1, total_tokens: 2, cache_read_input_tokens: 5 }],
    ['two shapes at once', { prompt_tokens: 1, input_tokens: 1, completion_tokens: 1 }],
    ['input without output', { prompt_tokens: 1 }],
    ['output without input', { completion_tokens: 1, total_tokens: 1 }],
    ['null for input', { prompt_tokens: null, completion_tokens: 1 }],
    ['a total below its parts', { prompt_tokens: 5, completion_tokens: 5, total_tokens: 9 }],
    ["sources of xAI's, which no catalog prices", { prompt_tokens: 5, completion_tokens: 5, total_tokens: 10, num_sources_used: 1 }],
    ['details that are none', { prompt_tokens: 5, completion_tokens: 5, prompt_tokens_details: 3 }],
  ])('refuses %s', (_what, usage) => {
    expect(() => openaiUsage(usage as object)).toThrow(InvalidRequestError)
  })

  it.each([
    { prompt_tokens: -1, completion_tokens: 1 },
    { prompt_tokens: 1.5, completion_tokens: 1 },
    { prompt_tokens: '5', completion_tokens: 1 },
    { prompt_tokens: 5, completion_tokens: NaN },
    { prompt_tokens: 5, completion_tokens: 1, prompt_tokens_details: { cached_tokens: -1 } },
    { prompt_tokens: 5, completion_tokens: 1, cost: -1 },
    { prompt_tokens: 5, completion_tokens: 1, cost: NaN },
    { prompt_tokens: 5, completion_tokens: 1, cost: true },
    { prompt_tokens: 5, completion_tokens: 1, cost: 'free' },
    { prompt_tokens: 5, completion_tokens: 1, cost_in_usd_ticks: 0.5 },
    { prompt_tokens: 5, completion_tokens: 1, num_sources_used: -1, cost: 1 },
    { type: 'duration', seconds: -1 },
    { type: 'duration' },
  ])('refuses %j: no count', (usage) => {
    expect(() => openaiUsage(usage)).toThrow(InvalidAmountError)
  })
})

describe('anthropicUsage', () => {
  const creation: CacheCreation = { ephemeral_5m_input_tokens: 20, ephemeral_1h_input_tokens: 10 }
  const usage: AnthropicUsage = {
    input_tokens: 100,
    cache_creation: creation,
    cache_creation_input_tokens: 30,
    cache_read_input_tokens: 400,
    inference_geo: null,
    output_tokens: 50,
    output_tokens_details: { thinking_tokens: 12 },
    server_tool_use: { web_search_requests: 2, web_fetch_requests: 1 },
    service_tier: 'standard',
    speed: null,
  }

  it('reads the usage of a message: input is all that was read, cached or not', () => {
    expect(anthropicUsage(usage)).toEqual({ inputTokens: 530, cachedInputTokens: 400, cacheWriteTokens: 30, cacheWrite1hTokens: 10, outputTokens: 50, reasoningTokens: 12, webSearches: 2 })
  })

  it('takes null and silence for nothing', () => {
    expect(anthropicUsage({ input_tokens: 3, output_tokens: 4, cache_creation: null, cache_creation_input_tokens: null, cache_read_input_tokens: null, server_tool_use: null, output_tokens_details: null })).toEqual({ inputTokens: 3, outputTokens: 4 })
    expect(anthropicUsage({ input_tokens: 3, output_tokens: 4 })).toEqual({ inputTokens: 3, outputTokens: 4 })
  })

  it('reads the end of a stream', () => {
    const delta: MessageDeltaUsage = { input_tokens: 3, output_tokens: 4, cache_creation_input_tokens: 0, cache_read_input_tokens: 7, output_tokens_details: null, server_tool_use: null }
    expect(anthropicUsage(delta)).toEqual({ inputTokens: 10, cachedInputTokens: 7, cacheWriteTokens: 0, outputTokens: 4 })
  })

  it('reads the end of a stream over its start, so that writes for an hour cost what they cost', () => {
    const book = new PriceBook({ models: { m: { input: 3, cacheWrite: 3.75, cacheWrite1h: 6, output: 15 } } })
    const delta: MessageDeltaUsage = { input_tokens: 0, output_tokens: 0, cache_creation_input_tokens: 1_000_000, cache_read_input_tokens: 0, output_tokens_details: null, server_tool_use: null }
    const start = { ...usage, cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 1_000_000 } }
    expect(book.cost(anthropicUsage({ ...start, ...delta }), { model: 'm' }).cost).toBe(6)
    expect(book.cost(anthropicUsage(delta), { model: 'm' }).cost).toBe(3.75)
  })

  it('says what to do where there is no usage', () => {
    const answer: { usage?: AnthropicUsage } = {}
    expect(() => anthropicUsage(answer.usage)).toThrow(InvalidRequestError)
    expect(() => anthropicUsage(answer.usage)).toThrow(/^usage: is missing in the answer\. Give the usage of a message/)
    expect(() => anthropicUsage(null)).toThrow(/^usage: is missing/)
  })

  it('adds up what was written where only the parts are there', () => {
    expect(anthropicUsage({ input_tokens: 1, output_tokens: 1, cache_creation: creation })).toEqual({ inputTokens: 31, cacheWriteTokens: 30, cacheWrite1hTokens: 10, outputTokens: 1 })
  })

  it.each<[string, unknown]>([
    ['nothing', {}],
    ['null', null],
    ['text', 'usage'],
    ["OpenAI's chat", { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 }],
    ["OpenAI's response", { input_tokens: 1, output_tokens: 1, total_tokens: 2, input_tokens_details: { cached_tokens: 1 } }],
    ['our own', { inputTokens: 1, outputTokens: 2 }],
    ['input without output', { input_tokens: 1 }],
    ['output without input', { output_tokens: 1, input_tokens: null }],
    ['writes that do not add up', { ...usage, cache_creation_input_tokens: 31 }],
    ['more writes for an hour than writes', { ...usage, cache_creation: { ephemeral_1h_input_tokens: 31 } }],
    ["LiteLLM's", { prompt_tokens: 9, completion_tokens: 1, total_tokens: 10, cache_read_input_tokens: 5 }],
    ['details that are none', { ...usage, server_tool_use: 5 }],
  ])('refuses %s', (_what, other) => {
    expect(() => anthropicUsage(other as object)).toThrow(InvalidRequestError)
  })

  it.each([
    { input_tokens: -1, output_tokens: 1 },
    { input_tokens: 1.5, output_tokens: 1 },
    { input_tokens: '1', output_tokens: 1 },
    { input_tokens: 1, output_tokens: NaN },
    { input_tokens: 1, output_tokens: 1, cache_read_input_tokens: -3 },
    { input_tokens: 2 ** 53 - 1, output_tokens: 1, cache_read_input_tokens: 3 },
  ])('refuses %j: no count', (other) => {
    expect(() => anthropicUsage(other)).toThrow(InvalidAmountError)
  })
})

describe('iterations of Anthropic', () => {
  const own = { input_tokens: 10, output_tokens: 2, cache_read_input_tokens: 5 }

  it('are added where they compacted the context, which the totals leave out, and are in the totals otherwise', () => {
    const iterations = [
      { type: 'compaction', input_tokens: 1_000, output_tokens: 100, cache_read_input_tokens: 0, cache_creation_input_tokens: 7, cache_creation: { ephemeral_1h_input_tokens: 7, ephemeral_5m_input_tokens: 0 } },
      { type: 'message', input_tokens: 10, output_tokens: 2, cache_read_input_tokens: 5, cache_creation_input_tokens: 0 },
    ]
    expect(anthropicUsage({ ...own, iterations })).toEqual({ inputTokens: 1_022, cachedInputTokens: 5, cacheWriteTokens: 7, cacheWrite1hTokens: 7, outputTokens: 102 })
    expect(anthropicUsage({ ...own, iterations: null })).toEqual({ inputTokens: 15, cachedInputTokens: 5, outputTokens: 2 })
  })

  it.each([
    [[{ type: 'advisor_message', model: 'claude-opus-5', input_tokens: 1, output_tokens: 1 }], 'usage.iterations.0: is that of an adviser'],
    [[{ type: 'compaction', input_tokens: -1, output_tokens: 1 }], 'usage.iterations.0.input_tokens: -1'],
    [[5], 'usage.iterations.0: number is no usage'],
    ['many', 'usage.iterations: is no list'],
  ])('refuses %j', (iterations, says) => {
    expect(() => anthropicUsage({ ...own, iterations })).toThrow(says)
  })
})
