// bursar/openai with the real SDK, over real HTTP: what is asked, what is sent, and what is charged.

import type Anthropic from '@anthropic-ai/sdk'
import OpenAI, { APIConnectionError, APIError, APIUserAbortError, AzureOpenAI } from 'openai'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { gracefulDegradation } from '../../../policies/index.js'
import { Bursar, BudgetExceededError, type BursarConfig } from '../../../src/index.js'
import { withBudget, type WithBudgetOptions } from '../../../src/integrations/openai.js'
import { half, json, malformed, reset, silence, startProvider, type Provider } from '../../support/integrations/provider.js'
import { COMPLETION_COST, completion } from './openai-replies.js'
import { charges, engine, errorOf, moneyOf } from './setting.js'

const ada = { userId: 'ada' }
const hello = { model: 'gpt-4o', messages: [{ role: 'user' as const, content: 'Hello' }], max_completion_tokens: 50 }

let provider: Provider
let openai: OpenAI
beforeEach(async () => {
  provider = await startProvider(json(completion()))
  openai = new OpenAI({ baseURL: provider.url, apiKey: 'any', maxRetries: 0, logLevel: 'off' })
})
afterEach(() => provider[Symbol.asyncDispose]())

function budgeted(config: Partial<BursarConfig> = {}, options: WithBudgetOptions = {}): ReturnType<typeof engine> & { client: OpenAI } {
  const setting = engine(config)
  return { ...setting, client: withBudget(openai, setting.bursar, ada, options) }
}

describe('a client of openai under a budget', () => {
  it('charges what the usage comes to by the price book, before the answer is there', async () => {
    const { client, bursar, mismatches } = budgeted()
    const answer = await client.chat.completions.create(hello)
    expect(answer.choices[0]?.message.content).toBe('Hello.')
    expect(answer._request_id).toBe('req_1')
    expect(await moneyOf(bursar)).toEqual({ spent: COMPLETION_COST, held: 0 })
    const [entry] = await charges(bursar)
    expect(entry).toMatchObject({ kind: 'settled', userId: 'ada', provider: 'openai', requestedModel: 'gpt-4o', model: 'gpt-4o', microcents: COMPLETION_COST, tokens: 120 })
    expect(entry?.details?.priceVersion).toContain('openai/gpt-4o@')
    expect(mismatches).toEqual([])
  })

  it('holds the bytes of what is read and all that may be written, while the call runs', async () => {
    const { client, bursar } = budgeted()
    let held = 0
    provider.reply(async (...args) => {
      held = (await moneyOf(bursar)).held
      json(completion())(...args)
    })
    await client.chat.completions.create(hello)
    const read = Buffer.byteLength(JSON.stringify(hello)) + 64 + 4
    expect(held).toBe(read * 250 + 50 * 1_000)
  })

  it('leaves the client that it was given as it is', async () => {
    const { bursar } = budgeted()
    await openai.chat.completions.create(hello)
    expect(await charges(bursar)).toEqual([])
  })

  it('sends nothing where the budget is exceeded, and throws what says why, as it is', async () => {
    const { client, bursar } = budgeted({ tiers: { free: { daily: '0.0001' } } })
    const error = await errorOf(client.withOptions({ maxRetries: 3 }).chat.completions.create(hello))
    expect(error).toBeInstanceOf(BudgetExceededError)
    expect((error as BudgetExceededError).denial).toMatchObject({ status: 402 })
    expect(provider.received).toEqual([])
    expect(await moneyOf(bursar)).toEqual({ spent: 0, held: 0 })
  })

  it('calls the cheaper model on DEGRADE, and charges its price', async () => {
    const { client, bursar } = budgeted({ tiers: { free: { daily: '0.001' } }, policies: [gracefulDegradation], ladder: { 'gpt-4o': 'gpt-4o-mini' } })
    provider.reply(json(completion({ model: 'gpt-4o-mini-2024-07-18' })))
    const { model } = await client.chat.completions.create(hello)
    expect(model).toBe('gpt-4o-mini-2024-07-18')
    expect(provider.bodies).toEqual([{ ...hello, model: 'gpt-4o-mini' }])
    // 60 × 15 + 40 × 7.5 + 20 × 60.
    expect(await charges(bursar)).toMatchObject([{ requestedModel: 'gpt-4o', model: 'gpt-4o-mini', microcents: 2_400 }])
  })

  it('prices another model that answers as what it is, and says so', async () => {
    const { client, bursar, mismatches } = budgeted()
    provider.reply(json(completion({ model: 'gpt-4o-mini' })))
    await client.chat.completions.create(hello)
    expect(await charges(bursar)).toMatchObject([{ model: 'gpt-4o-mini', microcents: 2_400 }])
    expect(mismatches).toEqual(['gpt-4o → gpt-4o-mini'])
  })

  it.each([
    ['a model without a price', json(completion({ model: 'gpt-99' })), 'gpt-99'],
    ['no usage', json(completion({ usage: undefined })), 'usage: is missing'],
    ['a usage that is none', json(completion({ usage: { prompt_tokens: -1, completion_tokens: 2 } })), 'prompt_tokens'],
    ['a usage of another provider', json(completion({ usage: { input_tokens: 1, prompt_tokens: 1 } })), 'both prompt_tokens and input_tokens'],
    ['a list', json([1]), 'a list'],
    ['nothing', json(null), 'null'],
  ])('charges the estimate and says so where the answer has %s', async (_what, reply, said) => {
    const { client, bursar, errors } = budgeted()
    provider.reply(reply)
    await client.chat.completions.create(hello)
    const [entry, ...others] = await charges(bursar)
    expect(entry?.microcents).toBe(entry?.estimatedMicrocents)
    expect(entry).toMatchObject({ kind: 'settled', details: { estimated: true } })
    expect(others).toEqual([])
    expect(errors).toHaveLength(1)
    expect(errors[0]).toContain(said)
  })

  it.each([
    ['is no JSON', malformed('{"choices": [')],
    ['breaks off', half(completion())],
  ])('charges the estimate of an answer that %s, because it was given', async (_what, reply) => {
    const { client, bursar, errors } = budgeted()
    provider.reply(reply)
    await errorOf(client.chat.completions.create(hello))
    const [entry, ...others] = await charges(bursar)
    expect(entry?.microcents).toBe(entry?.estimatedMicrocents)
    expect(others).toEqual([])
    expect(errors).toHaveLength(1)
  })

  it('gives the hold back, before its caller hears of it, when the call fails for good', async () => {
    const { client, bursar } = budgeted()
    provider.reply(json({ error: { message: 'no' } }, 500))
    const failing = client.withOptions({ maxRetries: 2 }).chat.completions.create(hello)
    expect(await errorOf(failing)).toBeInstanceOf(APIError)
    expect(provider.received).toHaveLength(3)
    expect(await moneyOf(bursar)).toEqual({ spent: 0, held: 0 })
    expect((await charges(bursar)).map(({ kind }) => kind)).toEqual(['released'])
  })

  it('has one hold and one charge for a call that succeeds after retries', async () => {
    const { client, bursar } = budgeted()
    provider.reply(json({ error: {} }, 429), json({ error: {} }, 503), json(completion()))
    await client.withOptions({ maxRetries: 2 }).chat.completions.create(hello)
    expect(provider.received).toHaveLength(3)
    expect((await charges(bursar)).map(({ kind, microcents }) => [kind, microcents])).toEqual([['settled', COMPLETION_COST]])
  })

  it('gives the hold back when the connection breaks before the answer', async () => {
    const { client, bursar } = budgeted()
    provider.reply(reset)
    expect(await errorOf(client.chat.completions.create(hello))).toBeInstanceOf(APIConnectionError)
    expect(await moneyOf(bursar)).toEqual({ spent: 0, held: 0 })
  })

  it('gives the hold back when the caller aborts, who hears of it from the SDK', async () => {
    const { client, bursar } = budgeted()
    const abort = new AbortController()
    provider.reply((...args) => {
      abort.abort()
      return silence(...args)
    })
    expect(await errorOf(client.chat.completions.create(hello, { signal: abort.signal }))).toBeInstanceOf(APIUserAbortError)
    expect(await errorOf(client.chat.completions.create(hello, { signal: AbortSignal.abort() }))).toBeInstanceOf(APIUserAbortError)
    expect(provider.received).toHaveLength(1)
    expect(await moneyOf(bursar)).toEqual({ spent: 0, held: 0 })
  })

  it('gives the data with its response, and charges once', async () => {
    const { client, bursar } = budgeted()
    const { data, response, request_id: id } = await client.chat.completions.create(hello).withResponse()
    expect([data.id, response.status, id]).toEqual(['chatcmpl-1', 200, 'req_1'])
    const calling = client.chat.completions.create(hello)
    const [first, second, raw] = await Promise.all([calling, calling, calling.asResponse()])
    expect([first === second, raw.status]).toEqual([true, 200])
    expect((await charges(bursar)).map(({ microcents }) => microcents)).toEqual([COMPLETION_COST, COMPLETION_COST])
  })

  it('charges a response that is taken as it is', async () => {
    const { client, bursar } = budgeted()
    const settled = new Promise((resolve) => bursar.on('settled', resolve))
    const raw = await client.chat.completions.create(hello).asResponse()
    expect(await raw.json()).toMatchObject({ id: 'chatcmpl-1' })
    await settled
    expect(await moneyOf(bursar)).toEqual({ spent: COMPLETION_COST, held: 0 })
  })

  it('lets through no more at once than the budget has room for', async () => {
    const room = (Buffer.byteLength(JSON.stringify(hello)) + 68) * 250 + 50_000
    const { client, bursar } = budgeted({ tiers: { free: { daily: ((room * 10) / 1e8).toFixed(8) } } })
    let release = (): void => {}
    const go = new Promise<void>((resolve) => {
      release = resolve
    })
    provider.reply(async (...args) => {
      if (provider.received.length === 10) release()
      await go
      json(completion())(...args)
    })
    const ended = await Promise.allSettled(Array.from({ length: 200 }, () => client.chat.completions.create(hello)))
    expect(provider.received).toHaveLength(10)
    expect(ended.filter(({ status }) => status === 'fulfilled')).toHaveLength(10)
    expect(await moneyOf(bursar)).toEqual({ spent: 10 * COMPLETION_COST, held: 0 })
  })

  it('takes the identity from a function of the call, or from runAs', async () => {
    const { bursar } = engine()
    const byCall = withBudget(openai, bursar, ({ body, path }) => ({ userId: `${String(body['user'])}@${path}` }))
    await byCall.chat.completions.create({ ...hello, user: 'bob' })
    const byRun = withBudget(openai, bursar)
    await bursar.runAs({ userId: 'eve', metadata: { team: 'search' } }, () => byRun.chat.completions.create(hello))
    expect((await charges(bursar)).map(({ userId, metadata }) => [userId, metadata])).toEqual([['bob@/chat/completions', undefined], ['eve', { team: 'search' }]])
    expect((await errorOf(byRun.chat.completions.create(hello))).message).toContain('userId')
    const byNobody = withBudget(openai, bursar, () => undefined as never)
    expect((await errorOf(byNobody.chat.completions.create(hello))).message).toContain('identity')
    const withKey = withBudget(openai, bursar, () => ({ userId: 'ada', idempotencyKey: 'one' }))
    expect(await errorOf(withKey.chat.completions.create(hello))).toMatchObject({ code: 'INVALID_REQUEST' })
    expect(provider.received).toHaveLength(2)
  })

  it.each([
    ['max_completion_tokens', { max_completion_tokens: Number.NaN }],
    ['max_tokens', { max_tokens: -1 }],
    ['n', { n: 1.5 }],
    ['model', { model: 7 as unknown as string }],
  ])('refuses a request whose %s is none, and sends nothing', async (field, more) => {
    const { client } = budgeted()
    expect((await errorOf(client.chat.completions.create({ ...hello, ...more }))).message).toContain(`${field}:`)
    expect(provider.received).toEqual([])
  })

  it('counts every answer that is asked for, and sends the cap that it counts with', async () => {
    const { client, bursar } = budgeted({}, { maxOutputTokens: 30 })
    await client.chat.completions.create({ ...hello, max_completion_tokens: null, n: 3 })
    expect(provider.bodies[0]).toMatchObject({ max_completion_tokens: 30, n: 3 })
    const [entry] = await charges(bursar)
    const read = Buffer.byteLength(JSON.stringify({ ...hello, max_completion_tokens: null, n: 3 })) + 68
    expect(entry?.estimatedMicrocents).toBe(read * 250 + 90 * 1_000)
  })

  it('caps the calls of other providers in their own words', async () => {
    const { client } = budgeted({ prices: { models: { 'llama-3': { input: 1, output: 1 } } } }, { provider: 'groq', maxOutputTokens: 30 })
    provider.reply(json(completion({ model: 'llama-3' })))
    await client.chat.completions.create({ model: 'llama-3', messages: hello.messages })
    expect(provider.bodies[0]).toMatchObject({ max_tokens: 30 })
  })

  it('takes all that the model can read where something is no text, or what it is told', async () => {
    const picture = { ...hello, messages: [{ role: 'user' as const, content: [{ type: 'image_url' as const, image_url: { url: 'https://example.org/a.png' } }] }] }
    const { client, bursar } = budgeted()
    await client.chat.completions.create(picture)
    expect((await charges(bursar))[0]?.estimatedMicrocents).toBe(128_000 * 250 + 50_000)
    const told = budgeted({}, { inputTokens: () => 900 })
    await told.client.chat.completions.create(picture)
    expect((await charges(told.bursar))[0]?.estimatedMicrocents).toBe(900 * 250 + 50_000)
    const unknown = budgeted({ prices: { models: { 'gpt-4o': { input: 2.5, output: 10 } } } })
    const error = await errorOf(unknown.client.chat.completions.create(picture))
    expect(error).toMatchObject({ code: 'MISSING_ESTIMATE' })
    expect(error.message).toContain('inputTokens(body)')
  })

  it('makes nothing of a priority call at the standard price', async () => {
    const { client } = budgeted()
    expect(await errorOf(client.chat.completions.create({ ...hello, service_tier: 'priority' }))).toMatchObject({ code: 'UNPRICED_MODEL' })
    const priced = budgeted({ prices: { models: { 'gpt-4o': { input: 2.5, output: 10, contextWindow: 128_000 }, 'gpt-4o:priority': { input: 5, output: 20, contextWindow: 128_000 } } } })
    provider.reply(json(completion({ service_tier: 'priority' })))
    await priced.client.chat.completions.create({ ...hello, service_tier: 'priority' })
    expect(provider.bodies).toEqual([{ ...hello, service_tier: 'priority' }])
    expect(await charges(priced.bursar)).toMatchObject([{ model: 'gpt-4o:priority', microcents: 100 * 500 + 20 * 2_000 }])
    expect(priced.mismatches).toEqual([])
    // The provider may serve it as any other, and charges what that costs.
    provider.reply(json(completion({ service_tier: 'default', model: 'gpt-4o' })))
    await priced.client.chat.completions.create({ ...hello, service_tier: 'priority' })
    expect((await charges(priced.bursar))[1]).toMatchObject({ model: 'gpt-4o', microcents: 100 * 250 + 20 * 1_000 })
    // Another model's name may begin with this one's.
    provider.reply(json(completion({ service_tier: 'priority', model: 'gpt-4o-mini' })))
    await priced.client.chat.completions.create({ ...hello, service_tier: 'priority' })
    expect(priced.errors).toEqual([expect.stringContaining('gpt-4o-mini:priority')])
  })

  it('leaves the priority behind with the model, where the cheaper one has none', async () => {
    const models = { 'gpt-4o': { input: 2.5, output: 10 }, 'gpt-4o:priority': { input: 25, output: 100 } }
    const { client, bursar } = budgeted({ prices: { models }, policies: [gracefulDegradation], ladder: { 'gpt-4o:priority': 'gpt-4o' }, tiers: { free: { daily: '0.01' } } })
    provider.reply(json(completion({ service_tier: 'default', model: 'gpt-4o' })))
    await client.chat.completions.create({ ...hello, service_tier: 'priority' })
    expect(provider.bodies).toEqual([{ ...hello, service_tier: 'default' }])
    expect(await charges(bursar)).toMatchObject([{ requestedModel: 'gpt-4o:priority', model: 'gpt-4o', microcents: 45_000 }])
  })

  it('expects speech to cost what speech costs', async () => {
    const { client, bursar } = budgeted({ prices: { models: { 'gpt-4o': { input: 1, inputAudio: 40, output: 2, outputAudio: 80, contextWindow: 1_000 } } } })
    provider.reply(json(completion({ model: 'gpt-4o' })))
    const speaking = { ...hello, modalities: ['text' as const, 'audio' as const] }
    await client.chat.completions.create(speaking)
    await client.chat.completions.create({ ...speaking, audio: { voice: 'alloy', format: 'wav' } })
    expect((await charges(bursar)).map(({ estimatedMicrocents }) => estimatedMicrocents)).toEqual([(Buffer.byteLength(JSON.stringify(speaking)) + 68) * 4_000 + 50 * 8_000, 1_000 * 4_000 + 50 * 8_000])
  })

  it.each([
    ['images', (client: OpenAI) => client.images.generate({ prompt: 'a cat' }), '/images/generations'],
    ['speech', (client: OpenAI) => client.audio.speech.create({ model: 'tts-1', voice: 'alloy', input: 'hi' }), '/audio/speech'],
    ['batches', (client: OpenAI) => client.batches.create({ endpoint: '/v1/chat/completions', input_file_id: 'f', completion_window: '24h' }), '/batches'],
    ['searches in stored files', (client: OpenAI) => client.vectorStores.search('vs_1', { query: 'x' }), '/vector_stores/vs_1/search'],
    ['paths that nobody knows', (client: OpenAI) => client.post('/chat/completions/', { body: hello }), '/chat/completions/'],
    ['paths that lead elsewhere', (client: OpenAI) => client.post('/conversations/../chat/completions', { body: hello }), '/conversations/..'],
    ['other hosts', (client: OpenAI) => client.post('https://example.org/v1/chat/completions', { body: hello }), 'https://example.org'],
  ])('refuses %s, whose cost it does not know, and sends nothing', async (_what, call, path) => {
    const { client } = budgeted()
    const error = await errorOf(call(client))
    expect(error).toMatchObject({ code: 'INVALID_REQUEST' })
    expect(error.message).toContain(path)
    expect(error.message).toContain('bursar.guard()')
    expect(provider.received).toEqual([])
  })

  it('makes such calls uncounted where it is told so, and free ones anyway', async () => {
    const { client, bursar } = budgeted({}, { unmetered: 'allow' })
    provider.reply(json({ data: [] }))
    await client.images.generate({ prompt: 'a cat' })
    const strict = withBudget(openai, bursar, ada)
    await strict.models.list()
    await strict.moderations.create({ input: 'x' })
    await strict.responses.cancel('resp_1')
    await strict.files.delete('file_1')
    expect(provider.received.map(({ method, path }) => `${method} ${path}`)).toEqual(['POST /images/generations', 'GET /models', 'POST /moderations', 'POST /responses/resp_1/cancel', 'DELETE /files/file_1'])
    expect(await charges(bursar)).toEqual([])
  })

  it('counts calls that are made by their path, and refuses those whose body it cannot read', async () => {
    const { client, bursar } = budgeted()
    await client.post('/chat/completions?trace=1', { body: hello })
    expect(await moneyOf(bursar)).toEqual({ spent: COMPLETION_COST, held: 0 })
    expect((await errorOf(client.post('/chat/completions', { body: JSON.stringify(hello) as never }))).message).toContain('body:')
  })

  it('counts embeddings and completions of the old kind', async () => {
    const { client, bursar } = budgeted()
    provider.reply(json({ object: 'list', model: 'text-embedding-3-small', data: [], usage: { prompt_tokens: 1_000, total_tokens: 1_000 } }))
    await client.embeddings.create({ model: 'text-embedding-3-small', input: ['a', 'b'] })
    provider.reply(json({ object: 'text_completion', model: 'gpt-3.5-turbo-instruct', choices: [{ text: 'x', index: 0, finish_reason: 'stop', logprobs: null }], usage: { prompt_tokens: 10, completion_tokens: 4, total_tokens: 14 } }))
    await client.completions.create({ model: 'gpt-3.5-turbo-instruct', prompt: ['a', 'b'], n: 2, best_of: 3, max_tokens: 16 })
    const [embedding, old] = await charges(bursar)
    expect(embedding).toMatchObject({ model: 'text-embedding-3-small', microcents: 1_000 * 2, tokens: 1_000 })
    expect(old).toMatchObject({ model: 'gpt-3.5-turbo-instruct', microcents: 10 * 150 + 4 * 200 })
    expect(old?.estimatedMicrocents).toBe((Buffer.byteLength(JSON.stringify({ model: 'gpt-3.5-turbo-instruct', prompt: ['a', 'b'], n: 2, best_of: 3, max_tokens: 16 })) + 64) * 150 + 6 * 16 * 200)
  })

  it('works with a client of Azure', async () => {
    const azure = new AzureOpenAI({ endpoint: provider.url, apiKey: 'any', apiVersion: '2025-01-01', maxRetries: 0 })
    const { bursar } = engine({ prices: { models: { 'my-gpt': { input: 2.5, output: 10 }, 'gpt-4o-2024-08-06': { input: 2.5, output: 10 } } } })
    await withBudget(azure, bursar, ada, { provider: 'azure' }).chat.completions.create({ ...hello, model: 'my-gpt' })
    expect(provider.received[0]?.path).toBe('/openai/deployments/my-gpt/chat/completions?api-version=2025-01-01')
    expect(await charges(bursar)).toMatchObject([{ provider: 'azure', microcents: 100 * 250 + 20 * 1_000 }])
  })

  it('is typed: another SDK, a tier that is none, and fields of a single call do not compile', () => {
    const bursar = new Bursar({ tiers: { free: { daily: 1 } }, defaultTier: 'free' })
    const misuse = (): unknown[] => [
      // @ts-expect-error a client of another SDK
      withBudget({} as Anthropic, bursar, ada),
      // @ts-expect-error no such tier
      withBudget(openai, bursar, { userId: 'ada', userTier: 'fre' }),
      // @ts-expect-error a key of one call is no identity
      withBudget(openai, bursar, { userId: 'ada', idempotencyKey: 'x' }),
      // @ts-expect-error no such option
      withBudget(openai, bursar, ada, { maxTokens: 5 }),
    ]
    const typed: OpenAI = withBudget(openai, bursar, { userId: 'ada', userTier: 'free' })
    expect([typed instanceof OpenAI, misuse.length]).toEqual([true, 0])
  })

  it('takes no client twice, none that is none, and no option that it does not know', () => {
    const { client, bursar } = budgeted()
    expect(() => withBudget(client, bursar, ada)).toThrow('is under a budget already')
    expect(() => withBudget(client.withOptions({ timeout: 5 }), bursar, ada)).toThrow('is under a budget already')
    expect(() => withBudget({} as never, bursar, ada)).toThrow('is no client of openai')
    expect(() => withBudget(openai, bursar, { userID: 'ada' } as never)).toThrow('userId')
    expect(() => withBudget(openai, bursar, ada, { maxTokens: 5 } as never)).toThrow('options.maxTokens')
    expect(() => withBudget(openai, bursar, ada, { maxOutputTokens: Number.NaN })).toThrow('options.maxOutputTokens')
    expect(() => withBudget(openai, bursar, ada, { unmetered: 'maybe' as never })).toThrow('options.unmetered')
  })

  it('makes no call through a release of the SDK that it does not know', async () => {
    const { bursar } = engine()
    class Unknown {
      readonly chat = { completions: {} }
      sent: unknown[] = []
      withOptions(): Unknown {
        return new Unknown()
      }
      async request(options: unknown): Promise<unknown> {
        return this.sent.push(await options)
      }
    }
    const client = withBudget(new Unknown(), bursar, ada)
    expect((await errorOf(client.request({ method: 'post', path: '/chat/completions', body: hello }))).message).toContain('this release of openai')
    expect(client.sent).toEqual([])
    expect(await charges(bursar)).toEqual([])
  })
})
