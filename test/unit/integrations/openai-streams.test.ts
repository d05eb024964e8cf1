// bursar/openai: streams, and the ways of the SDK that make calls of their own.

import OpenAI, { APIConnectionError, OpenAIError } from 'openai'
import { zodResponseFormat, zodTextFormat } from 'openai/helpers/zod'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { BudgetExceededError, type BursarConfig } from '../../../src/index.js'
import { withBudget } from '../../../src/integrations/openai.js'
import { events, json, startProvider, type Provider } from '../../support/integrations/provider.js'
import { allOf } from '../setting.js'
import { CHUNKS_COST, chunks, COMPLETION_COST, completion, response, responseEvents } from './openai-replies.js'
import { charged, charges, engine, errorOf, moneyOf } from './setting.js'

const hello = { model: 'gpt-4o', messages: [{ role: 'user' as const, content: 'Hello' }], max_completion_tokens: 50 }
const streamed = { ...hello, stream: true as const }
/** What is estimated of a stream that was left: all that it may have read, and the bytes that it has written. */
const leftAfter = (text: string): number => (Buffer.byteLength(JSON.stringify(streamed)) + 68) * 250 + Buffer.byteLength(text) * 1_000

let provider: Provider
let openai: OpenAI
beforeEach(async () => {
  provider = await startProvider(events(chunks))
  openai = new OpenAI({ baseURL: provider.url, apiKey: 'any', maxRetries: 0, logLevel: 'off' })
})
afterEach(() => provider[Symbol.asyncDispose]())

function budgeted(config: Partial<BursarConfig> = {}): ReturnType<typeof engine> & { client: OpenAI } {
  const setting = engine(config)
  return { ...setting, client: withBudget(openai, setting.bursar, { userId: 'ada' }) }
}

describe('a stream of chat completions', () => {
  it('asks for its usage, charges it, and keeps it from a caller who did not ask', async () => {
    const { client, bursar } = budgeted()
    const stream = await client.chat.completions.create(streamed)
    const pieces = await allOf(stream)
    expect(provider.bodies).toEqual([{ ...streamed, stream_options: { include_usage: true } }])
    expect(pieces).toEqual(chunks.slice(0, 3))
    expect(await charges(bursar)).toMatchObject([{ kind: 'settled', microcents: CHUNKS_COST, model: 'gpt-4o' }])
  })

  it('gives the usage to a caller who asked for it, and keeps the other options of the stream', async () => {
    const { client, bursar } = budgeted()
    const options = { include_usage: true, include_obfuscation: false }
    const pieces = await allOf(await client.chat.completions.create({ ...streamed, stream_options: options }))
    expect(provider.bodies[0].stream_options).toEqual(options)
    expect(pieces).toEqual(chunks)
    expect(await moneyOf(bursar)).toEqual({ spent: CHUNKS_COST, held: 0 })
  })

  it('is charged for what it has used when its reader leaves, and its request ends', async () => {
    const { client, bursar } = budgeted()
    provider.reply(events(chunks.slice(0, 1), 'silence'))
    for await (const piece of await client.chat.completions.create(streamed)) {
      expect(piece.choices[0]?.delta.content).toBe('Hel')
      break
    }
    await provider.left
    expect(await charges(bursar)).toMatchObject([{ kind: 'settled', microcents: leftAfter('Hel'), details: { estimated: true } }])
  })

  it('ends its request when its reader leaves while it waits for a piece', async () => {
    const { client, bursar } = budgeted()
    provider.reply(events(chunks.slice(0, 1), 'silence'))
    const pieces = (await client.chat.completions.create(streamed))[Symbol.asyncIterator]()
    await pieces.next()
    const waiting = pieces.next()
    await pieces.return?.()
    await provider.left
    expect(await waiting).toEqual({ done: true, value: undefined })
    expect(await charges(bursar)).toMatchObject([{ kind: 'settled', microcents: leftAfter('Hel') }])
  })

  it.each([
    ['its controller', (stream: { controller: AbortController }) => stream.controller.abort()],
    ['the signal of its caller', (_stream: unknown, abort: AbortController) => abort.abort()],
  ])('is charged for what it has used when %s aborts, and ends as the SDK lets it', async (_what, stop) => {
    const { client, bursar } = budgeted()
    provider.reply(events(chunks.slice(0, 2), 'silence'))
    const abort = new AbortController()
    const stream = await client.chat.completions.create(streamed, { signal: abort.signal })
    const seen: unknown[] = []
    for await (const piece of stream) if (seen.push(piece) === 2) stop(stream, abort)
    expect(seen).toHaveLength(2)
    expect(await charges(bursar)).toMatchObject([{ kind: 'settled', microcents: leftAfter('Hello.'), details: { estimated: true } }])
  })

  it('is charged when it is aborted and nobody reads it', async () => {
    const { client, bursar } = budgeted()
    const settled = charged(bursar)
    provider.reply(events([], 'silence'))
    const stream = await client.chat.completions.create(streamed)
    stream.controller.abort()
    expect(await settled).toBe(leftAfter(''))
    expect(await allOf(stream)).toEqual([])
  })

  it('is charged for what it has used when it breaks off, and the error goes on', async () => {
    const { client, bursar } = budgeted()
    provider.reply(events(chunks.slice(0, 2), 'reset'))
    const stream = await client.chat.completions.create(streamed)
    expect(await errorOf(allOf(stream))).toBeInstanceOf(Error)
    expect(await charges(bursar)).toMatchObject([{ kind: 'settled', microcents: leftAfter('Hello.'), details: { estimated: true } }])
  })

  it('is charged for what it has used when the provider says in the middle that it failed', async () => {
    const { client, bursar } = budgeted()
    provider.reply(events([...chunks.slice(0, 2), { error: { message: 'overloaded' } }]))
    expect((await errorOf(allOf(await client.chat.completions.create(streamed)))).message).toContain('overloaded')
    expect(await charges(bursar)).toMatchObject([{ microcents: leftAfter('Hello.'), details: { estimated: true } }])
  })

  it('is charged for what can be seen of it where it ends without usage', async () => {
    const { client, bursar } = budgeted()
    provider.reply(events(chunks.slice(0, 3)))
    await allOf(await client.chat.completions.create(streamed))
    expect(await charges(bursar)).toMatchObject([{ microcents: leftAfter('Hello.'), details: { estimated: true } }])
  })

  it('does not add up a usage that is told again and again', async () => {
    const { client, bursar } = budgeted()
    const { usage } = chunks[3] as { usage: object }
    provider.reply(events([...chunks.slice(0, 3).map((chunk) => ({ ...chunk, usage })), chunks[3] as object]))
    await allOf(await client.chat.completions.create(streamed))
    expect(await moneyOf(bursar)).toEqual({ spent: CHUNKS_COST, held: 0 })
  })

  it('says what is wrong with a usage that is none, and charges its estimate', async () => {
    const { client, bursar, errors } = budgeted()
    provider.reply(events([...chunks.slice(0, 3), { ...chunks[3], usage: { prompt_tokens: 'many' } }]))
    await allOf(await client.chat.completions.create(streamed))
    expect(errors[0]).toContain('prompt_tokens')
    const [settled] = await charges(bursar)
    expect(settled).toMatchObject({ microcents: settled?.estimatedMicrocents, details: { estimated: true } })
  })

  it('adds up two answers of one model under two of its names', async () => {
    const { client, bursar } = budgeted({ prices: { models: { 'gpt-4o': { input: 2.5, output: 10 } }, aliases: { 'gpt-4o-2024-08-06': 'gpt-4o' } } })
    const answer = (id: string, model: string) => [
      { id, model, object: 'chat.completion.chunk', choices: [{ index: 0, delta: { content: 'Hi' }, finish_reason: null }] },
      { id, model, object: 'chat.completion.chunk', choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] },
      { id, model, object: 'chat.completion.chunk', choices: [], usage: { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 } },
    ]
    provider.reply(events([...answer('a', 'gpt-4o'), ...answer('b', 'gpt-4o-2024-08-06')]))
    await allOf(await client.chat.completions.create(streamed))
    expect((await charges(bursar)).map(({ microcents }) => microcents)).toEqual([2 * (10 * 250 + 5 * 1_000)])
  })

  it('takes a usage alone for that of the answer before it, whatever id it has', async () => {
    const { client, bursar } = budgeted()
    provider.reply(events(chunks.map((chunk) => ((chunk as { choices: unknown[] }).choices.length === 0 ? { ...chunk, id: 'another' } : chunk))))
    await allOf(await client.chat.completions.create(streamed))
    expect((await charges(bursar)).map(({ microcents }) => microcents)).toEqual([CHUNKS_COST])
  })

  it('gives its hold back when it does not begin', async () => {
    const { client, bursar } = budgeted()
    provider.reply(json({ error: { message: 'no' } }, 400))
    await errorOf(client.chat.completions.create(streamed))
    expect((await charges(bursar)).map(({ kind }) => kind)).toEqual(['released'])
  })

  it('can be split, handed on as bytes, and read once', async () => {
    const { client, bursar } = budgeted()
    const [left, right] = (await client.chat.completions.create(streamed)).tee()
    const both = await Promise.all([allOf(left), allOf(right)])
    expect(both).toEqual([chunks.slice(0, 3), chunks.slice(0, 3)])
    const { data, response: raw } = await client.chat.completions.create(streamed).withResponse()
    expect(raw.status).toBe(200)
    const lines = (await new Response(data.toReadableStream() as ReadableStream).text()).trim().split('\n')
    expect(lines.map((line) => JSON.parse(line))).toEqual(chunks.slice(0, 3))
    expect(await errorOf(allOf(data))).toBeInstanceOf(OpenAIError)
    expect(await moneyOf(bursar)).toEqual({ spent: 2 * CHUNKS_COST, held: 0 })
  })
})

describe('what the SDK makes calls with', () => {
  it('counts chat.completions.stream()', async () => {
    const { client, bursar } = budgeted()
    const final = await client.chat.completions.stream(hello).finalChatCompletion()
    expect(final.choices[0]?.message.content).toBe('Hello.')
    expect(await moneyOf(bursar)).toEqual({ spent: CHUNKS_COST, held: 0 })
  })

  it('says through stream() what was refused, as its cause', async () => {
    const { client } = budgeted({ tiers: { free: { daily: 0 } } })
    const error = await errorOf(client.chat.completions.stream(hello).finalChatCompletion())
    expect(error.cause).toBeInstanceOf(BudgetExceededError)
    expect(provider.received).toEqual([])
  })

  it('counts chat.completions.parse()', async () => {
    const { client, bursar } = budgeted()
    provider.reply(json(completion({ choices: [{ index: 0, finish_reason: 'stop', message: { role: 'assistant', content: '{"answer":4}', refusal: null } }] })))
    const parsed = await client.chat.completions.parse({ ...hello, response_format: zodResponseFormat(z.object({ answer: z.number() }), 'sum') })
    expect(parsed.choices[0]?.message.parsed).toEqual({ answer: 4 })
    expect(await moneyOf(bursar)).toEqual({ spent: COMPLETION_COST, held: 0 })
  })

  it('counts every step of runTools()', async () => {
    const { client, bursar } = budgeted()
    const call = { id: 'call_1', type: 'function', function: { name: 'add', arguments: '{"a":2,"b":2}' } }
    provider.reply(json(completion({ choices: [{ index: 0, finish_reason: 'tool_calls', message: { role: 'assistant', content: null, tool_calls: [call] } }] })), json(completion()))
    const tools = [{ type: 'function' as const, function: { name: 'add', parameters: { type: 'object', properties: {} }, parse: JSON.parse, function: ({ a, b }: { a: number; b: number }) => a + b } }]
    // oxlint-disable-next-line typescript/no-explicit-any -- the SDK's own type of a tool depends on its function's argument
    const runner = client.chat.completions.runTools({ ...hello, tools: tools as any })
    expect(await runner.finalContent()).toBe('Hello.')
    expect(provider.bodies[1].messages.at(-1)).toMatchObject({ role: 'tool', content: '4' })
    expect((await charges(bursar)).map(({ microcents }) => microcents)).toEqual([COMPLETION_COST, COMPLETION_COST])
  })

  it('counts responses, parsed and streamed ones too', async () => {
    const { client, bursar } = budgeted()
    const body = { model: 'gpt-4o', input: 'What is 2 + 2?', max_output_tokens: 50 }
    const text = { format: zodTextFormat(z.object({ answer: z.number() }), 'sum') }
    provider.reply(json(response()))
    expect((await client.responses.create(body)).output_text).toBe('{"answer":4}')
    expect((await client.responses.parse({ ...body, text })).output_parsed).toEqual({ answer: 4 })
    provider.reply(events(responseEvents))
    expect(await allOf(await client.responses.create({ ...body, stream: true }))).toHaveLength(responseEvents.length)
    expect((await client.responses.stream({ ...body, text }).finalResponse()).output_parsed).toEqual({ answer: 4 })
    expect((await charges(bursar)).map(({ microcents }) => microcents)).toEqual([COMPLETION_COST, COMPLETION_COST, COMPLETION_COST, COMPLETION_COST])
    expect(provider.bodies.map(({ stream_options: options }) => options)).toEqual([undefined, undefined, undefined, undefined])
  })

  it('counts what a response has searched, which stands in its output alone', async () => {
    const prices = { models: { 'gpt-4o': { input: 2.5, output: 10, contextWindow: 1_000, perWebSearch: 0.01, perStorageSearch: 0.002 } } }
    const { client, bursar, errors } = budgeted({ prices })
    const output = [
      { type: 'web_search_call', id: 'ws_1', status: 'completed', action: { type: 'search', query: 'x' } },
      { type: 'web_search_call', id: 'ws_2', status: 'completed', action: { type: 'open_page', url: 'x' } },
      { type: 'file_search_call', id: 'fs_1', status: 'completed', queries: [] },
    ]
    const body = { model: 'gpt-4o', input: 'x', max_output_tokens: 50, tools: [{ type: 'web_search' as const }] }
    const cost = 100 * 250 + 20 * 1_000 + 1_000_000 + 200_000
    provider.reply(json(response({ output, model: 'gpt-4o' })), events([{ type: 'response.completed', sequence_number: 0, response: response({ output, model: 'gpt-4o' }) }]))
    await client.responses.create(body)
    await allOf(await client.responses.create({ ...body, stream: true }))
    expect(errors).toEqual([])
    expect((await charges(bursar)).map(({ microcents, details }) => [microcents, details?.usage?.['webSearches']])).toEqual([[cost, 1], [cost, 1]])
  })

  it.each([
    ['an earlier response', { previous_response_id: 'resp_0' }],
    ['a conversation', { conversation: 'conv_1' }],
    ['a stored prompt', { prompt: { id: 'pmpt_1' } }],
    ['a hosted tool', { tools: [{ type: 'file_search' as const, vector_store_ids: ['vs_1'] }] }],
    ['a file', { input: [{ role: 'user' as const, content: [{ type: 'input_file' as const, file_id: 'file_1' }] }] }],
    ['reasoning that the provider keeps', { input: [{ type: 'reasoning' as const, id: 'rs_1', summary: [] }] }],
    ['a reference to an item', { input: [{ type: 'item_reference' as const, id: 'msg_1' }] }],
  ])('takes all that the model can read for a response with %s', async (_what, more) => {
    const { client, bursar } = budgeted()
    provider.reply(json(response()))
    await client.responses.create({ model: 'gpt-4o', input: 'x', max_output_tokens: 50, ...more })
    expect((await charges(bursar))[0]?.estimatedMicrocents).toBe(128_000 * 250 + 50 * 1_000)
  })

  it('expects of a response that follows another what that one has read and written, and what is new', async () => {
    const { client, bursar } = budgeted()
    const body = { model: 'gpt-4o', input: 'x', max_output_tokens: 50 }
    provider.reply(json(response({ id: 'resp_a' })), events([{ type: 'response.completed', sequence_number: 0, response: response({ id: 'resp_b' }) }]), json(response({ id: 'resp_c' })))
    await client.responses.create(body)
    await allOf(await client.responses.create({ ...body, stream: true, previous_response_id: 'resp_a' }))
    // Clients of one engine go on with each other's conversations.
    await withBudget(openai, bursar, { userId: 'ada' }).responses.create({ ...body, previous_response_id: 'resp_b' })
    const estimates = (await charges(bursar)).map(({ estimatedMicrocents }) => estimatedMicrocents)
    const expected = provider.bodies.map((sent, index) => (Buffer.byteLength(JSON.stringify(sent)) + 64 + (index === 0 ? 0 : 120)) * 250 + 50_000)
    expect(estimates).toEqual(expected)
  })

  it('takes the text of an agent that sends its whole history for what it is', async () => {
    const { client, bursar } = budgeted()
    provider.reply(json(response()))
    const body: OpenAI.Responses.ResponseCreateParamsNonStreaming = {
      model: 'gpt-4o',
      max_output_tokens: 50,
      instructions: 'Be brief. Ä',
      tools: [{ type: 'function', name: 'add', parameters: { type: 'object', properties: { type: { type: 'image_url' } } }, strict: true }, { type: 'custom', name: 'shell' }],
      input: [
        { role: 'user', content: 'What is 2 + 2?' },
        { type: 'reasoning', id: 'rs_1', summary: [], encrypted_content: 'xyz' },
        { type: 'function_call', call_id: 'c', name: 'add', arguments: '{}' },
        { type: 'function_call_output', call_id: 'c', output: [{ type: 'input_text', text: '4' }] },
        { type: 'message', id: 'msg_1', role: 'assistant', status: 'completed', content: [{ type: 'output_text', text: '4', annotations: [{ type: 'url_citation', url: 'x', title: 'x', start_index: 0, end_index: 1 }] }] },
      ],
    }
    await client.responses.create(body)
    expect((await charges(bursar))[0]?.estimatedMicrocents).toBe((Buffer.byteLength(JSON.stringify(body)) + 64 + 5 * 4 + 500) * 250 + 50_000)
  })

  it('breaks off no call of a client that is not wrapped', async () => {
    provider.reply((answer) => answer.destroy())
    expect(await errorOf(openai.chat.completions.create(hello))).toBeInstanceOf(APIConnectionError)
  })
})
