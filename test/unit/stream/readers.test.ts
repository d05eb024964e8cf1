// What providers' pieces say, as the official clients type them.

import type Anthropic from '@anthropic-ai/sdk'
import type OpenAI from 'openai'
import { describe, expect, it } from 'vitest'
import { anthropicReader, anyReader, openaiReader, type StreamReading } from '../../../src/stream/index.js'
import { drain, engine, Tap } from './kit.js'

type Chunk = OpenAI.Chat.Completions.ChatCompletionChunk
type ResponseEvent = OpenAI.Responses.ResponseStreamEvent
type MessageEvent = Anthropic.Messages.RawMessageStreamEvent

const chunk = (delta: object, more: Partial<Chunk> = {}, finish: 'stop' | null = null): Chunk => ({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'gpt-4o-2024-08-06', choices: [{ index: 0, delta, finish_reason: finish }], ...more })
const usage = { prompt_tokens: 20, completion_tokens: 5, total_tokens: 25, prompt_tokens_details: { cached_tokens: 8 }, completion_tokens_details: { reasoning_tokens: 2 } }
const read = { inputTokens: 20, cachedInputTokens: 8, outputTokens: 5, reasoningTokens: 2 }

describe('openaiReader', () => {
  it('reads a chat completion, whose usage comes last and without choices', () => {
    const reader = openaiReader()
    const pieces = [chunk({ role: 'assistant', content: '', refusal: null }), chunk({ content: 'Hé' }), chunk({}, {}, 'stop'), { ...chunk({}), choices: [], usage }]
    expect(pieces.map(reader)).toEqual([
      { model: 'gpt-4o-2024-08-06', text: '' },
      { id: 'c', model: 'gpt-4o-2024-08-06', text: 'Hé' },
      { id: 'c', model: 'gpt-4o-2024-08-06', text: '' },
      { id: 'c', model: 'gpt-4o-2024-08-06', text: '', usage: read, isFinal: true },
    ])
  })

  it.each<[string, object, string]>([
    ['a refusal', { refusal: 'I cannot' }, 'I cannot'],
    ['reasoning', { reasoning_content: 'Let me', content: null }, 'Let me'],
    ['reasoning by another name', { reasoning: 'Let me' }, 'Let me'],
    ['the calls of tools', { tool_calls: [{ index: 0, id: 't', type: 'function', function: { name: 'find', arguments: '{"q":' } }, { index: 1, custom: { input: 'x' } }] }, 'find{"q":x'],
    ['a call of a function', { function_call: { arguments: '1}' } }, '1}'],
    ['what is spoken', { audio: { id: 'a', data: 'AAAA', transcript: 'Hello' } }, 'HelloAAAA'],
    ['parts', { content: [{ type: 'text', text: 'Hi' }] }, '[{"type":"text","text":"Hi"}]'],
  ])('counts %s as text', (_what, delta, text) => {
    expect(openaiReader()(chunk(delta))?.text).toBe(text)
  })

  it('counts what several choices write', () => {
    expect(openaiReader()({ ...chunk({}), choices: [{ index: 0, delta: { content: 'a' } }, { index: 1, delta: { content: 'b' } }] })?.text).toBe('ab')
    expect(openaiReader()({ object: 'text_completion', model: 'm', choices: [{ text: 'abc', finish_reason: null }] })).toEqual({ model: 'm', text: 'abc' })
  })

  it('takes a usage that comes with every chunk as the last word only when the model has finished', () => {
    const reader = openaiReader()
    const pieces = [chunk({ content: 'a' }, { usage }), chunk({ content: 'b' }, { usage }, 'stop'), chunk({}, { usage })]
    expect(pieces.map((piece) => reader(piece)?.isFinal)).toEqual([false, true, true])
    expect(openaiReader()(chunk({}, { usage: null }))).toEqual({ model: 'gpt-4o-2024-08-06', text: '' })
  })

  it('names answers by their ids once these recur, and takes no finish of one for that of the next', () => {
    const reader = openaiReader()
    const pieces = [chunk({}, { id: 'a' }), chunk({}, { id: 'a', usage }, 'stop'), chunk({}, { id: 'b', usage }), chunk({}, { id: 'b', usage }, 'stop')]
    expect(pieces.map((piece) => [reader(piece)].map((reading) => [reading?.id, reading?.isFinal])[0])).toEqual([[undefined, undefined], ['a', true], ['b', false], ['b', true]])
    const single = openaiReader()
    expect(['a', 'b', 'c'].map((id) => single(chunk({}, { id }))?.id)).toEqual([undefined, undefined, undefined])
  })

  it('reads the cost that a provider reports', () => {
    expect(openaiReader()({ ...chunk({}), choices: [], usage: { ...usage, cost: 0.0125 } })?.usage).toEqual({ ...read, cost: 0.0125 })
  })

  it('reads the events of a response', () => {
    const response = { id: 'r', object: 'response', model: 'gpt-4o', usage: null } as unknown as OpenAI.Responses.Response
    const finished = { ...response, usage: { input_tokens: 20, output_tokens: 5, total_tokens: 25, input_tokens_details: { cached_tokens: 8 }, output_tokens_details: { reasoning_tokens: 2 } } } as OpenAI.Responses.Response
    const events = [
      { type: 'response.created', response, sequence_number: 0 },
      { type: 'response.output_text.delta', delta: 'Hé', item_id: 'i', output_index: 0, content_index: 0, logprobs: [], sequence_number: 1 },
      { type: 'response.reasoning_summary_text.delta', delta: 'Why', item_id: 'i', output_index: 0, summary_index: 0, sequence_number: 2 },
      { type: 'response.function_call_arguments.delta', delta: '{"q":', item_id: 'i', output_index: 0, sequence_number: 3 },
      { type: 'response.audio.delta', delta: 'AAAA', sequence_number: 4 },
      { type: 'response.output_text.done', text: 'Hé', item_id: 'i', output_index: 0, content_index: 0, logprobs: [], sequence_number: 5 },
      { type: 'response.completed', response: finished, sequence_number: 6 },
    ] satisfies ResponseEvent[]
    const reader = openaiReader()
    expect(events.map(reader)).toEqual([{ id: 'r', model: 'gpt-4o' }, { text: 'Hé' }, { text: 'Why' }, { text: '{"q":' }, { text: 'AAAA' }, {}, { id: 'r', model: 'gpt-4o', usage: read, isFinal: true }])
    for (const type of ['response.incomplete', 'response.failed']) expect(openaiReader()({ type, response: finished })?.isFinal).toBe(true)
    expect(openaiReader()({ type: 'response.in_progress', response: finished })?.isFinal).toBe(false)
  })

  it.each([undefined, null, 5, 'text', [], {}, { type: 'error', message: 'x' }, { type: 'message_stop' }])('says nothing of %j', (piece) => {
    expect(openaiReader()(piece)).toBeUndefined()
  })

  it.each([{ prompt_tokens: -1, completion_tokens: 1 }, { prompt_tokens: '5', completion_tokens: 1 }, { inputTokens: 1 }])('refuses the usage %j', (wrong) => {
    expect(() => openaiReader()({ ...chunk({}), choices: [], usage: wrong })).toThrow('usage')
  })
})

const start = (given: object): object => ({ type: 'message_start', message: { id: 'm', type: 'message', role: 'assistant', model: 'claude-test', content: [], stop_reason: null, stop_sequence: null, usage: given } })
const started = { input_tokens: 10, cache_creation_input_tokens: 30, cache_read_input_tokens: 50, cache_creation: { ephemeral_5m_input_tokens: 20, ephemeral_1h_input_tokens: 10 }, output_tokens: 1 }
const wholeInput = { inputTokens: 90, cachedInputTokens: 50, cacheWriteTokens: 30, cacheWrite1hTokens: 10 }
const delta = (given: object | undefined, reason: string | null = 'end_turn'): object => ({ type: 'message_delta', delta: { stop_reason: reason, stop_sequence: null }, usage: given })
const readAll = (...pieces: object[]): (StreamReading | undefined)[] => pieces.map(anthropicReader())

describe('anthropicReader', () => {
  it('reads a message: the input from its start, the output from its last count', () => {
    const events = [
      start(started) as MessageEvent,
      { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '', citations: null } },
      { type: 'content_block_delta', index: 0, delta: { type: 'thinking_delta', thinking: 'Let me' } as never },
      { type: 'content_block_delta', index: 0, delta: { type: 'signature_delta', signature: 'AAAA' } },
      { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'Hé' } },
      { type: 'content_block_stop', index: 0 },
      { type: 'content_block_start', index: 1, content_block: { type: 'tool_use', id: 't', name: 'find', input: {} } as never },
      { type: 'content_block_delta', index: 1, delta: { type: 'input_json_delta', partial_json: '{"q":' } },
      delta({ output_tokens: 15 }) as MessageEvent,
      { type: 'message_stop' },
    ] satisfies MessageEvent[]
    expect(readAll(...events)).toEqual([
      { model: 'claude-test', id: 'm', usage: { ...wholeInput, outputTokens: 1 }, isFinal: false },
      { text: '' }, { text: 'Let me' }, { text: '' }, { text: 'Hé' }, { text: '' }, { text: 'find' }, { text: '{"q":' },
      { usage: { ...wholeInput, outputTokens: 15 }, isFinal: true },
      { usage: { ...wholeInput, outputTokens: 15 }, isFinal: true },
    ])
  })

  it('takes the whole of a count that comes again, and keeps what is left out of it', () => {
    const again = { input_tokens: 12, cache_creation_input_tokens: 30, cache_read_input_tokens: 60, output_tokens: 15, server_tool_use: { web_search_requests: 2 } }
    expect(readAll(start(started), delta(again))[1]).toEqual({ usage: { inputTokens: 102, cachedInputTokens: 60, cacheWriteTokens: 30, cacheWrite1hTokens: 10, outputTokens: 15, webSearches: 2 }, isFinal: true })
    expect(readAll(start(started), delta({ input_tokens: 12, cache_creation_input_tokens: null, cache_read_input_tokens: null, output_tokens: 15 }))[1]?.usage).toEqual({ ...wholeInput, inputTokens: 92, outputTokens: 15 })
    expect(readAll(start(started), delta({ cache_creation_input_tokens: 40, output_tokens: 15 }))[1]?.usage).toEqual({ inputTokens: 100, cachedInputTokens: 50, cacheWriteTokens: 40, cacheWrite1hTokens: 10, outputTokens: 15 })
  })

  it('has no last word before the model has stopped', () => {
    expect(readAll(start(started), delta({ output_tokens: 7 }, null), { type: 'ping' }).map((reading) => reading?.isFinal)).toEqual([false, false, undefined])
    expect(readAll(start(started), delta({ output_tokens: 7 }, null), { type: 'message_stop' })[2]?.isFinal).toBe(true)
  })

  it('counts reasoning that is not shown as text', () => {
    expect(anthropicReader()({ type: 'content_block_start', index: 0, content_block: { type: 'redacted_thinking', data: 'AAAA' } })).toEqual({ text: 'AAAA' })
  })

  it('takes nothing of one message for the next', () => {
    const second = { type: 'message_start', message: { id: 'n', usage: { input_tokens: 5, output_tokens: 1 } } }
    expect(readAll(start(started), delta({ output_tokens: 15 }), second, { type: 'message_stop' }).slice(2)).toEqual([{ id: 'n', usage: { inputTokens: 5, outputTokens: 1 }, isFinal: false }, {}])
  })

  it('takes the first tokens of the start for no total', () => {
    expect(readAll(start(started), delta(undefined), { type: 'message_stop' }).map((reading) => reading?.isFinal)).toEqual([false, false, undefined])
  })

  it('knows the output of a message whose start it did not see', () => {
    expect(readAll(delta({ output_tokens: 15 }), { type: 'message_stop' })).toEqual([{ usage: { outputTokens: 15 } }, {}])
    expect(readAll({ type: 'message_start' }, { type: 'content_block_delta' })).toEqual([{}, { text: '' }])
  })

  it.each([undefined, null, 5, 'text', [], {}, { type: 'error', error: {} }, { type: 'response.created' }])('says nothing of %j', (piece) => {
    expect(anthropicReader()(piece)).toBeUndefined()
  })

  it.each([{ input_tokens: -1, output_tokens: 1 }, { input_tokens: '5', output_tokens: 1 }])('refuses the usage %j', (wrong) => {
    expect(() => anthropicReader()(start(wrong))).toThrow('usage')
  })
})

describe('anyReader', () => {
  it('tells by the shape whose a piece is', () => {
    const reader = anyReader()
    expect([chunk({ content: 'a' }), start(started), 'text', { type: 'response.output_text.delta', delta: 'b' }, { other: 1 }, new Uint8Array(3), null].map((piece) => reader(piece)?.text ?? reader(piece)?.model)).toEqual(['a', 'claude-test', 'text', 'b', undefined, undefined, undefined])
  })

  it('charges a stream of each provider to the microcent', async () => {
    const { bursar, standing } = engine()
    const request = { userId: 'u', inputTokens: 100, maxOutputTokens: 50 }
    await drain(await bursar.stream({ ...request, model: 'gpt-4o' }, () => new Tap<unknown>().give(chunk({ content: 'Hi' }, { model: 'gpt-4o' }), { ...chunk({}, { model: 'gpt-4o' }), choices: [], usage }).end()))
    expect(await standing()).toEqual({ spent: 20 * 1_000 + 5 * 4_000, held: 0 })
    await drain(await bursar.stream({ ...request, model: 'claude-test' }, () => new Tap<unknown>().give(start(started), delta({ output_tokens: 15, server_tool_use: { web_search_requests: 2 } }), { type: 'message_stop' }).end()))
    expect((await standing()).spent).toBe(40_000 + 10 * 1_000 + 50 * 100 + 20 * 1_200 + 10 * 2_000 + 15 * 4_000 + 2 * 1_000_000)
  })

  it('reads no stream by what another one said', async () => {
    const { bursar, entries } = engine()
    const request = { userId: 'u', model: 'gpt-4o', inputTokens: 100, maxOutputTokens: 50 }
    await drain(await bursar.stream(request, () => new Tap<unknown>().give(chunk({}, { model: 'gpt-4o' }, 'stop')).end()))
    await drain(await bursar.stream(request, () => new Tap<unknown>().give(chunk({ content: 'a' }, { model: 'gpt-4o', usage })).end()))
    expect((await entries()).map(({ details }) => details?.estimated)).toEqual([true, true])
  })
})
