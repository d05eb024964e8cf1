// bursar/anthropic with the real SDK, over real HTTP: what is asked, what is sent, and what is charged.

import Anthropic, { APIError, APIUserAbortError } from '@anthropic-ai/sdk'
import { zodOutputFormat } from '@anthropic-ai/sdk/helpers/zod'
import OpenAI from 'openai'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { gracefulDegradation } from '../../../policies/index.js'
import { BudgetExceededError, type BursarConfig } from '../../../src/index.js'
import { withBudget, type WithBudgetOptions } from '../../../src/integrations/anthropic.js'
import { events, half, json, silence, startProvider, type Provider } from '../../support/integrations/provider.js'
import { allOf } from '../setting.js'
import { charged, charges, engine, errorOf, moneyOf } from './setting.js'

// claude-sonnet-4-6 costs 300 microcents for a token in, 30 for one from the cache, 375 and 600 for one written to it, 1500 for one out.
const hello = { model: 'claude-sonnet-4-6', max_tokens: 50, messages: [{ role: 'user' as const, content: 'Hello' }] }
const usage = { input_tokens: 100, output_tokens: 20, cache_creation_input_tokens: 0, cache_read_input_tokens: 40 }
const COST = 100 * 300 + 40 * 30 + 20 * 1_500

const message = (more: object = {}): object => ({
  id: 'msg_1',
  type: 'message',
  role: 'assistant',
  model: 'claude-sonnet-4-6-20260217',
  content: [{ type: 'text', text: '{"answer":4}', citations: null }],
  stop_reason: 'end_turn',
  stop_sequence: null,
  usage,
  ...more,
})

const pieces = [
  { type: 'message_start', message: message({ content: [], stop_reason: null, usage: { ...usage, output_tokens: 1 } }) },
  { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '', citations: null } },
  { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: '{"answer":4}' } },
  { type: 'content_block_stop', index: 0 },
  { type: 'message_delta', delta: { stop_reason: 'end_turn', stop_sequence: null }, usage: { output_tokens: 20 } },
  { type: 'message_stop' },
]

let provider: Provider
let anthropic: Anthropic
beforeEach(async () => {
  provider = await startProvider(json(message()))
  anthropic = new Anthropic({ baseURL: provider.url, apiKey: 'any', maxRetries: 0, logLevel: 'off' })
})
afterEach(() => provider[Symbol.asyncDispose]())

function budgeted(config: Partial<BursarConfig> = {}, options: WithBudgetOptions = {}): ReturnType<typeof engine> & { client: Anthropic } {
  const setting = engine(config)
  return { ...setting, client: withBudget(anthropic, setting.bursar, { userId: 'ada' }, options) }
}

const bytes = (body: object): number => Buffer.byteLength(JSON.stringify(body))

describe('a client of @anthropic-ai/sdk under a budget', () => {
  it('charges what the usage comes to by the price book, before the answer is there', async () => {
    const { client, bursar, mismatches } = budgeted()
    const answer = await client.messages.create(hello)
    expect(answer._request_id).toBe('req_1')
    expect(await moneyOf(bursar)).toEqual({ spent: COST, held: 0 })
    const [entry] = await charges(bursar)
    expect(entry).toMatchObject({ kind: 'settled', provider: 'anthropic', requestedModel: 'claude-sonnet-4-6', model: 'claude-sonnet-4-6', microcents: COST, tokens: 160 })
    expect(entry?.estimatedMicrocents).toBe((bytes(hello) + 68) * 300 + 50 * 1_500)
    expect(mismatches).toEqual([])
    await anthropic.messages.create(hello)
    expect(await charges(bursar)).toHaveLength(1)
  })

  it('sends nothing where the budget is exceeded, and calls the cheaper model on DEGRADE', async () => {
    const { client: refused } = budgeted({ tiers: { free: { daily: '0.0001' } } })
    expect(await errorOf(refused.withOptions({ maxRetries: 3 }).messages.create(hello))).toBeInstanceOf(BudgetExceededError)
    expect(provider.received).toEqual([])
    const { client, bursar } = budgeted({ tiers: { free: { daily: '0.00135' } }, policies: [gracefulDegradation], ladder: { 'claude-sonnet-4-6': 'claude-haiku-4-5' } })
    provider.reply(json(message({ model: 'claude-haiku-4-5-20251001' })))
    await client.messages.create(hello)
    expect(provider.bodies).toEqual([{ ...hello, model: 'claude-haiku-4-5' }])
    expect(await charges(bursar)).toMatchObject([{ requestedModel: 'claude-sonnet-4-6', model: 'claude-haiku-4-5', microcents: COST / 3 }])
  })

  it('charges what is written to a cache, and expects it only where the request asks for it', async () => {
    const { client, bursar } = budgeted()
    const system = [{ type: 'text' as const, text: 'Be brief.', cache_control: { type: 'ephemeral' as const } }]
    const hour = [{ type: 'text' as const, text: 'Be brief.', cache_control: { type: 'ephemeral' as const, ttl: '1h' as const } }]
    const written = { ...usage, cache_creation_input_tokens: 50, cache_creation: { ephemeral_5m_input_tokens: 30, ephemeral_1h_input_tokens: 20 } }
    provider.reply(json(message({ usage: written })))
    await client.messages.create({ ...hello, system })
    await client.messages.create({ ...hello, system: hour })
    await client.messages.create({ ...hello, cache_control: { type: 'ephemeral' } })
    const entries = await charges(bursar)
    expect(entries.map(({ microcents }) => microcents)).toEqual(entries.map(() => COST + 30 * 375 + 20 * 600))
    expect(entries.map(({ estimatedMicrocents }) => estimatedMicrocents)).toEqual([
      (bytes({ ...hello, system }) + 68) * 375 + 75_000,
      (bytes({ ...hello, system: hour }) + 68) * 600 + 75_000,
      (bytes({ ...hello, cache_control: { type: 'ephemeral' } }) + 68) * 375 + 75_000,
    ])
  })

  it.each([
    ['no usage', message({ usage: undefined }), 'usage: is missing'],
    ['a usage that is none', message({ usage: { ...usage, output_tokens: 1.5 } }), 'output_tokens'],
    ['a usage of another provider', message({ usage: { ...usage, prompt_tokens: 1 } }), 'prompt_tokens'],
    ['a model without a price', message({ model: 'claude-99' }), 'claude-99'],
    ['a speed that costs more and has no price', message({ usage: { ...usage, speed: 'fast' } }), 'claude-sonnet-4-6:fast'],
    ['a place that costs more and has no price', message({ usage: { ...usage, inference_geo: 'us' } }), 'claude-sonnet-4-6:us'],
  ])('charges the estimate and says so where the answer has %s', async (_what, reply, said) => {
    const { client, bursar, errors } = budgeted()
    provider.reply(json(reply))
    await client.messages.create(hello)
    const [entry, ...others] = await charges(bursar)
    expect(entry?.microcents).toBe(entry?.estimatedMicrocents)
    expect(others).toEqual([])
    expect(errors).toEqual([expect.stringContaining(said)])
    if (said.includes(':')) expect(errors[0]).toMatch(/prices\.models|usage: is missing/)
  })

  it('prices a faster answer as one, also where a cheaper model is slower', async () => {
    const { client } = budgeted()
    expect(await errorOf(client.messages.create({ ...hello, speed: 'fast' }))).toMatchObject({ code: 'UNPRICED_MODEL' })
    const models = { 'claude-sonnet-4-6': { input: 3, output: 15, contextWindow: 1_000 }, 'claude-sonnet-4-6:fast': { input: 18, output: 90, contextWindow: 1_000 } }
    const ladder = { 'claude-sonnet-4-6:fast': 'claude-sonnet-4-6' }
    const fast = budgeted({ prices: { models }, ladder, policies: [gracefulDegradation], tiers: { free: { daily: '0.009' } } })
    provider.reply(json(message({ model: 'claude-sonnet-4-6', usage: { ...usage, cache_read_input_tokens: 0, speed: 'fast' } })), json(message({ model: 'claude-sonnet-4-6' })))
    await fast.client.messages.create({ ...hello, speed: 'fast' })
    await fast.client.messages.create({ ...hello, speed: 'fast' })
    expect(provider.bodies).toEqual([{ ...hello, speed: 'fast' }, hello])
    expect((await charges(fast.bursar)).map(({ model, microcents }) => [model, microcents])).toEqual([['claude-sonnet-4-6:fast', 100 * 1_800 + 20 * 9_000], ['claude-sonnet-4-6', 140 * 300 + 20 * 1_500]])
  })

  it('gives the hold back when the call fails for good or is aborted, after all retries', async () => {
    const { client, bursar } = budgeted()
    provider.reply(json({ type: 'error', error: { type: 'overloaded_error', message: 'no' } }, 529))
    expect(await errorOf(client.withOptions({ maxRetries: 1 }).messages.create(hello))).toBeInstanceOf(APIError)
    expect(provider.received).toHaveLength(2)
    const abort = new AbortController()
    provider.reply((...args) => {
      abort.abort()
      return silence(...args)
    })
    expect(await errorOf(client.messages.create(hello, { signal: abort.signal }))).toBeInstanceOf(APIUserAbortError)
    expect(await errorOf(client.messages.create(hello, { signal: AbortSignal.abort() }))).toBeInstanceOf(APIUserAbortError)
    expect((await charges(bursar)).map(({ kind }) => kind)).toEqual(['released', 'released'])
    expect(await moneyOf(bursar)).toEqual({ spent: 0, held: 0 })
  })

  it('has one hold and one charge for a call that succeeds after retries, and charges an answer that breaks off', async () => {
    const { client, bursar } = budgeted()
    provider.reply(json({}, 429), json({}, 500), json(message()))
    await client.withOptions({ maxRetries: 2 }).messages.create(hello)
    expect((await charges(bursar)).map(({ kind, microcents }) => [kind, microcents])).toEqual([['settled', COST]])
    provider.reply(half(message()))
    await errorOf(client.messages.create(hello))
    expect((await charges(bursar))[1]).toMatchObject({ kind: 'settled', microcents: (bytes(hello) + 68) * 300 + 75_000, details: { estimated: true } })
  })

  it('charges a stream at its end, and what it has used where its reader leaves or it breaks off', async () => {
    const { client, bursar } = budgeted()
    const streamed = { ...hello, stream: true as const }
    provider.reply(events(pieces))
    expect(await allOf(await client.messages.create(streamed))).toEqual(pieces)
    provider.reply(events(pieces.slice(0, 3), 'silence'))
    for await (const { type } of await client.messages.create(streamed)) if (type === 'content_block_delta') break
    await provider.left
    provider.reply(events(pieces.slice(0, 3), 'reset'))
    await errorOf(allOf(await client.messages.create(streamed)))
    provider.reply(events(pieces.slice(0, 3), 'silence'))
    const stream = await client.messages.create(streamed)
    let seen = 0
    for await (const _ of stream) if (++seen === 3) stream.controller.abort()
    // What was read is known since its start; the text that was seen has 12 bytes.
    const left = 100 * 300 + 40 * 30 + 12 * 1_500
    expect((await charges(bursar)).map(({ microcents, details }) => [microcents, details?.estimated])).toEqual([[COST, undefined], [left, true], [left, true], [left, true]])
  })

  it('counts what the SDK makes calls with: parse, stream, the beta and its tools', async () => {
    const { client, bursar } = budgeted()
    const output_config = { format: zodOutputFormat(z.object({ answer: z.number() })) }
    expect((await client.messages.parse({ ...hello, output_config })).parsed_output).toEqual({ answer: 4 })
    const { data, response } = await client.messages.create(hello).withResponse()
    expect([(data as { id: string }).id, response.status]).toEqual(['msg_1', 200])
    provider.reply(events(pieces))
    expect(await client.messages.stream(hello).finalText()).toBe('{"answer":4}')
    provider.reply(json(message()))
    await client.beta.messages.create(hello)
    expect(provider.received.at(-1)?.path).toContain('/v1/messages')
    provider.reply(json(message({ stop_reason: 'tool_use', content: [{ type: 'tool_use', id: 'tu_1', name: 'add', input: { type: 'image' } }] })), json(message()))
    const tool = { type: 'custom' as const, name: 'add', input_schema: { type: 'object' as const }, run: () => '4', parse: (input: unknown) => input }
    const final = await client.beta.messages.toolRunner({ ...hello, tools: [tool] })
    expect(final.content[0]).toMatchObject({ text: '{"answer":4}' })
    // The SDK sends only what is new of a conversation that the provider keeps.
    const { thread, messages } = provider.bodies.at(-1)
    expect([thread, messages.length]).toEqual([{ type: 'continue', previous_message_id: 'msg_1' }, 1])
    expect((await charges(bursar)).map(({ microcents }) => microcents)).toEqual(Array.from({ length: 6 }, () => COST))
    // The input of a tool is data, whatever stands in it.
    const estimates = (await charges(bursar)).map(({ estimatedMicrocents }) => estimatedMicrocents)
    expect(estimates.at(-1)).toBe((160 + bytes(provider.bodies.at(-1)) + 68) * 300 + 75_000)
    expect(Math.max(...estimates.map(Number))).toBeLessThan(1_000_000)
  })

  it('knows how long a thread is that has begun as a stream', async () => {
    const { client, bursar } = budgeted()
    provider.reply(events(pieces), json(message()))
    await allOf(await client.beta.messages.create({ ...hello, stream: true, thread: { type: 'create' } }))
    await client.beta.messages.create({ ...hello, thread: { type: 'continue', previous_message_id: 'msg_1' } })
    expect((await charges(bursar)).map(({ estimatedMicrocents }) => estimatedMicrocents)).toEqual(provider.bodies.map((body, index) => (index * 160 + bytes(body) + 68) * 300 + 75_000))
  })

  it('charges a response that is taken as it is, whole or streamed', async () => {
    const { client, bursar } = budgeted()
    const whole = charged(bursar)
    expect(await (await client.messages.create(hello).asResponse()).json()).toMatchObject({ id: 'msg_1' })
    expect(await whole).toBe(COST)
    provider.reply(events(pieces))
    const streamed = charged(bursar)
    expect(await (await client.messages.create({ ...hello, stream: true }).asResponse()).text()).toContain('message_stop')
    expect(await streamed).toBe(COST)
  })

  it.each([
    ['a picture', { messages: [{ role: 'user' as const, content: [{ type: 'image' as const, source: { type: 'url' as const, url: 'https://example.org/a.png' } }] }] }],
    ['a document that is no text', { messages: [{ role: 'user' as const, content: [{ type: 'document' as const, source: { type: 'base64' as const, media_type: 'application/pdf' as const, data: '' } }] }] }],
    ['a tool of the provider', { tools: [{ type: 'web_search_20250305' as const, name: 'web_search' as const }] }],
    ['something in its system that is no text', { system: [{ type: 'image' }] as never }],
    ['a thread that nobody has seen', { thread: { type: 'continue', previous_message_id: 'msg_0' } as never }],
    ['a container', { container: 'c_1' as never }],
  ])('takes all that the model can read for a message with %s', async (_what, more) => {
    const { client, bursar } = budgeted({ tiers: { free: { daily: 100 } } })
    await client.messages.create({ ...hello, ...more })
    const [entry] = await charges(bursar)
    expect(entry?.estimatedMicrocents).toBeGreaterThanOrEqual(1_000_000 * 300)
    const told = budgeted({}, { inputTokens: () => 1_000 })
    await told.client.messages.create({ ...hello, ...more })
    expect((await charges(told.bursar))[0]?.estimatedMicrocents).toBeLessThanOrEqual(1_000 * 600 + 75_000)
  })

  it('takes text for text, tools of the application with their introduction', async () => {
    const { client, bursar } = budgeted()
    const body = {
      ...hello,
      messages: [
        { role: 'user' as const, content: [{ type: 'document' as const, source: { type: 'text' as const, media_type: 'text/plain' as const, data: 'x' }, citations: { enabled: true } }] },
        { role: 'assistant' as const, content: [{ type: 'thinking' as const, thinking: 'x', signature: 'y' }, { type: 'tool_use' as const, id: 't', name: 'bash', input: { file_id: 'x' } }] },
        { role: 'user' as const, content: [{ type: 'tool_result' as const, tool_use_id: 't', content: [{ type: 'text' as const, text: 'ok' }] }] },
      ],
      tools: [{ type: 'bash_20250124' as const, name: 'bash' as const }],
    }
    await client.messages.create(body)
    expect((await charges(bursar))[0]?.estimatedMicrocents).toBe((bytes(body) + 64 + 12 + 2_000) * 300 + 75_000)
  })

  it('refuses a cap that is none, sends its own where there is none, and counts searches', async () => {
    const { client, bursar } = budgeted({ prices: { models: { 'claude-sonnet-4-6': { input: 3, output: 15, contextWindow: 1_000, perWebSearch: 0.01 } } } }, { maxOutputTokens: 30 })
    expect((await errorOf(client.messages.create({ ...hello, max_tokens: Number.NaN }))).message).toContain('max_tokens:')
    expect(provider.received).toEqual([])
    provider.reply(json(message({ model: 'claude-sonnet-4-6', usage: { input_tokens: 10, output_tokens: 2, server_tool_use: { web_search_requests: 2 } } })))
    const { max_tokens: _cap, ...uncapped } = hello
    await client.messages.create({ ...uncapped, tools: [{ type: 'web_search_20250305', name: 'web_search' }] } as never, { timeout: 1_000 })
    expect(provider.bodies[0].max_tokens).toBe(30)
    expect(await charges(bursar)).toMatchObject([{ microcents: 10 * 300 + 2 * 1_500 + 2_000_000 }])
  })

  it('lets through what costs nothing, refuses what it does not know, and makes it uncounted where it is told so', async () => {
    const { client, bursar } = budgeted()
    provider.reply(json({ input_tokens: 3 }))
    await client.messages.countTokens({ model: hello.model, messages: hello.messages })
    await client.models.list()
    const requests = [{ custom_id: 'a', params: hello }]
    const error = await errorOf(client.messages.batches.create({ requests }))
    expect(error).toMatchObject({ code: 'INVALID_REQUEST' })
    expect(error.message).toContain('/v1/messages/batches')
    expect(provider.received).toHaveLength(2)
    await withBudget(anthropic, bursar, undefined, { unmetered: 'allow' }).messages.batches.create({ requests })
    expect(provider.received).toHaveLength(3)
    expect(await charges(bursar)).toEqual([])
  })

  it.each([
    ['code_execution_20250825', [{ type: 'code_execution_20250825' as const, name: 'code_execution' as const }]],
    ['code_execution_20260120', [{ type: 'code_execution_20260120' as const, name: 'code_execution' as const }, { type: 'web_search_20250305' as const, name: 'web_search' as const }]],
    ['advisor_20260301', [{ type: 'advisor_20260301' as const, name: 'advisor' as const, model: 'claude-opus-4-6' }]],
    ['hologram_20300101', [{ type: 'hologram_20300101' as 'web_search_20250305', name: 'web_search' as const }]],
  ])('refuses the tool %s, whose fee is in no usage, and lets it through where it is to', async (type, tools) => {
    const { client } = budgeted()
    const error = await errorOf(client.beta.messages.create({ ...hello, tools }))
    expect(error).toMatchObject({ code: 'INVALID_REQUEST' })
    expect(error.message).toContain(type)
    expect(error.message).toContain("unmetered: 'allow'")
    expect(error.message.includes('web_fetch_20260209')).toBe(type.startsWith('code_execution'))
    expect(provider.received).toEqual([])
    const { client: allowed, bursar } = budgeted({ tiers: { free: { daily: 100 } } }, { unmetered: 'allow' })
    await allowed.beta.messages.create({ ...hello, tools })
    expect(await moneyOf(bursar)).toEqual({ spent: COST, held: 0 })
  })

  it('runs code where that costs no more than its tokens, and tools that cost nothing else', async () => {
    const { client, bursar } = budgeted({ tiers: { free: { daily: 100 } } })
    await client.beta.messages.create({
      ...hello,
      tools: [
        { type: 'code_execution_20260120', name: 'code_execution' }, { type: 'web_fetch_20260209', name: 'web_fetch' }, { type: 'computer_20251124', name: 'computer', display_height_px: 1, display_width_px: 1 },
        { type: 'tool_search_tool_bm25', name: 'tool_search_tool_bm25' }, { type: 'memory_20250818', name: 'memory' }, { name: 'own', input_schema: { type: 'object' } },
      ],
    })
    expect(await moneyOf(bursar)).toEqual({ spent: COST, held: 0 })
  })

  it('sends what was measured, by the tokenizer of the engine where it has one, whatever becomes of the request meanwhile', async () => {
    const { bursar } = engine({ tokenizer: () => 7 })
    const messages = [{ role: 'user' as const, content: 'Hello' }]
    const client = withBudget(anthropic, bursar, async () => {
      messages.push({ role: 'user', content: 'y'.repeat(10_000) })
      return { userId: 'ada' }
    })
    await client.messages.create({ ...hello, messages })
    expect(provider.bodies).toEqual([hello])
    expect((await charges(bursar))[0]?.estimatedMicrocents).toBe((7 + 68) * 300 + 75_000)
  })

  it('ends the request of a stream that is taken as it is when its reader cancels, and takes no client of another SDK', async () => {
    const { client, bursar } = budgeted()
    provider.reply(events(pieces.slice(0, 3), 'silence'))
    const reader = (await client.messages.create({ ...hello, stream: true }).asResponse()).body?.getReader()
    await reader?.read()
    await reader?.cancel()
    await provider.left
    expect(await charges(bursar)).toMatchObject([{ kind: 'settled', details: { estimated: true } }])
    expect(() => withBudget(new OpenAI({ apiKey: 'any' }) as never, bursar)).toThrow('is no client of @anthropic-ai/sdk')
  })

  it('takes the identity from a function of the call, or from runAs', async () => {
    const { bursar } = engine()
    await withBudget(anthropic, bursar, async ({ options }) => ({ userId: String((options as { headers: Headers }).headers !== undefined), tenant: 'acme' })).messages.create(hello)
    await bursar.runAs({ userId: 'eve' }, async () => withBudget(anthropic, bursar).messages.create(hello))
    expect((await charges(bursar)).map(({ userId, tenant }) => [userId, tenant])).toEqual([['true', 'acme'], ['eve', undefined]])
  })
})
