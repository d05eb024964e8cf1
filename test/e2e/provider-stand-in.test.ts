// The stand-in for the providers' APIs, held against their official SDKs: what it answers, whole and streamed, is what they read, and
// its bill is what they were told was used, at prices written down here once more.

import Anthropic from '@anthropic-ai/sdk'
import OpenAI from 'openai'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startStandIn, type StandIn } from '../../examples/provider-stand-in/server.js'

let standIn: StandIn
let openai: OpenAI
let anthropic: Anthropic
const messages = [{ role: 'user' as const, content: 'What is a hold?' }]

beforeAll(async () => {
  standIn = await startStandIn({ latencyMs: 0 })
  openai = new OpenAI({ baseURL: standIn.openaiUrl, apiKey: 'openai-key', maxRetries: 0 })
  anthropic = new Anthropic({ baseURL: standIn.anthropicUrl, apiKey: 'anthropic-key', maxRetries: 0 })
})

afterAll(() => standIn.close())

interface BillOfOne {
  readonly requests: number
  readonly failed: number
  readonly microcents: number
}

async function bill(server = standIn): Promise<{ users: Record<string, BillOfOne>; keys: Record<string, BillOfOne>; total: BillOfOne }> {
  return (await fetch(new URL('/served', server.url))).json() as never
}

async function servedTo(user: string, server = standIn): Promise<BillOfOne | undefined> {
  return (await bill(server)).users[user]
}

/** In microcents, rounded up once; tenths keep the halves of `gpt-4o-mini` whole. */
function openaiCost(input: number, cached: number, output: number, mini = false): number {
  const [read, fromCache, written] = mini ? [150, 75, 600] : [2_500, 1_250, 10_000]
  return Math.ceil(((input - cached) * read + cached * fromCache + output * written) / 10)
}

function chatCost({ prompt_tokens: input, completion_tokens: output, prompt_tokens_details: details }: OpenAI.CompletionUsage, mini = false): number {
  return openaiCost(input, details?.cached_tokens ?? 0, output, mini)
}

describe('chat completions', () => {
  test('answer with usage under the name of the snapshot, the same each time, and are billed in integers', async () => {
    const request = { model: 'gpt-4o', messages, max_completion_tokens: 40, user: 'whole' }
    const reply = await openai.chat.completions.create(request)
    const usage = reply.usage as OpenAI.CompletionUsage
    const reasoning = usage.completion_tokens_details?.reasoning_tokens ?? 0
    expect(reply).toMatchObject({ object: 'chat.completion', model: 'gpt-4o-2024-08-06' })
    expect(reply.choices[0]?.message.content?.trim().split(' ')).toHaveLength(usage.completion_tokens - reasoning)
    expect(usage.completion_tokens).toBeLessThanOrEqual(40)
    expect(usage.total_tokens).toBe(usage.prompt_tokens + usage.completion_tokens)
    expect((await openai.chat.completions.create(request)).usage).toEqual(usage)
    expect(await servedTo('whole')).toMatchObject({ requests: 2, failed: 0, microcents: 2 * chatCost(usage) })
  })

  test('stream the same answer, and its usage only where include_usage asks for it', async () => {
    const request = { model: 'gpt-4o-mini', messages, max_completion_tokens: 1_500, user: 'streamed' }
    const whole = await openai.chat.completions.create({ ...request, user: 'other' })
    const texts: string[] = []
    for (const options of [{ stream_options: { include_usage: true } }, {}]) {
      let text = ''
      const usages: unknown[] = []
      const reasons: unknown[] = []
      for await (const chunk of await openai.chat.completions.create({ ...request, ...options, stream: true })) {
        text += chunk.choices[0]?.delta.content ?? ''
        if (chunk.choices[0]?.finish_reason) reasons.push(chunk.choices[0].finish_reason)
        if (chunk.usage) usages.push(chunk.usage)
      }
      texts.push(text)
      expect(usages).toEqual('stream_options' in options ? [whole.usage] : [])
      expect(reasons).toEqual([whole.choices[0]?.finish_reason])
    }
    expect(texts).toEqual([whole.choices[0]?.message.content, whole.choices[0]?.message.content])
    expect(await servedTo('streamed')).toMatchObject({ requests: 2, microcents: 2 * ((await servedTo('other'))?.microcents ?? 0) })
  })

  test('sometimes read from a cache and sometimes reason first: each is billed at its own price, rounded up once', async () => {
    let [microcents, cached, reasoned, halves] = [0, 0, 0, 0]
    for (let number = 0; number < 40; number += 1) {
      const content = `${'What is a hold, then? '.repeat(1 + (number % 5))}${number}`
      const request = { model: 'gpt-4o-mini', messages: [{ role: 'user' as const, content }], max_completion_tokens: 30, user: 'cached' }
      const usage = (await openai.chat.completions.create(request)).usage as OpenAI.CompletionUsage
      const fromCache = usage.prompt_tokens_details?.cached_tokens ?? 0
      microcents += chatCost(usage, true)
      cached += fromCache
      halves += fromCache % 2
      reasoned += usage.completion_tokens_details?.reasoning_tokens ?? 0
    }
    for (const count of [cached, reasoned, halves]) expect(count).toBeGreaterThan(0)
    expect(await servedTo('cached')).toMatchObject({ requests: 40, microcents })
  })

  test('that the client leaves are billed for what was sent, and no more', async () => {
    const slow = await startStandIn({ latencyMs: 100 })
    try {
      const request = { model: 'gpt-4o', messages, max_completion_tokens: 16_000 }
      const client = new OpenAI({ baseURL: slow.openaiUrl, apiKey: 'any', maxRetries: 0 })
      const stream = await client.chat.completions.create({ ...request, user: 'left', stream: true })
      for await (const chunk of stream) if (chunk.choices[0]?.delta.content) break
      stream.controller.abort()
      await client.chat.completions.create({ ...request, user: 'stayed' })
      await expect.poll(async () => (await servedTo('left', slow))?.requests).toBe(1)
      const [left, stayed] = [await servedTo('left', slow), await servedTo('stayed', slow)]
      expect(left?.microcents).toBeGreaterThanOrEqual(400 * 1_000)
      expect(left?.microcents).toBeLessThan(stayed?.microcents ?? 0)
    } finally {
      await slow.close()
    }
  })
})

describe('responses', () => {
  const request = { model: 'gpt-4o', instructions: 'Be brief.', input: 'What is a hold?', max_output_tokens: 600 }

  test('answer as the SDK reads them, whole and streamed, and cost the same', async () => {
    const whole = await openai.responses.create({ ...request, safety_identifier: 'whole response' })
    expect(whole).toMatchObject({ object: 'response', model: 'gpt-4o-2024-08-06', status: 'completed' })
    const streamed = await openai.responses.stream({ ...request, safety_identifier: 'streamed response' }).finalResponse()
    expect(streamed.output_text).toBe(whole.output_text)
    expect(streamed.usage).toEqual(whole.usage)
    const { input_tokens: input, output_tokens: output, input_tokens_details: details } = whole.usage as OpenAI.Responses.ResponseUsage
    const microcents = openaiCost(input, details.cached_tokens, output)
    expect(await servedTo('whole response')).toMatchObject({ requests: 1, microcents })
    expect(await servedTo('streamed response')).toMatchObject({ requests: 1, microcents })
  })

  test('number the events of a stream, and end with the usage', async () => {
    const events: OpenAI.Responses.ResponseStreamEvent[] = []
    for await (const event of await openai.responses.create({ ...request, stream: true })) events.push(event)
    expect(events.map((event) => event.sequence_number)).toEqual(events.map((_, index) => index))
    expect(events[0]?.type).toBe('response.created')
    expect(events.at(-1)).toMatchObject({ type: 'response.completed', response: { usage: { input_tokens: expect.any(Number) as number } } })
  })

  test('that are cut are incomplete, and say why', async () => {
    const cut = await openai.responses.create({ ...request, max_output_tokens: 1 })
    expect(cut).toMatchObject({ status: 'incomplete', incomplete_details: { reason: 'max_output_tokens' }, usage: { output_tokens: 1 } })
  })
})

test('embeddings come as the SDK asks for them, and cost what was read', async () => {
  const request = { model: 'text-embedding-3-small', input: ['What is a hold?', 'And a budget?'], user: 'embedding' }
  const { data, usage } = await openai.embeddings.create(request)
  expect(data.map(({ embedding }) => embedding.reduce((sum, value) => sum + value, 0))).toEqual([1, 1])
  expect((await openai.embeddings.create({ ...request, encoding_format: 'float' })).data).toEqual(data)
  expect(await servedTo('embedding')).toMatchObject({ requests: 2, microcents: 2 * usage.prompt_tokens * 2 })
})

describe("Anthropic's messages", () => {
  const request = { model: 'claude-haiku-4-5', max_tokens: 600, messages, metadata: { user_id: 'message' } }
  const instructions = { type: 'text' as const, text: 'Be brief. '.repeat(30) }

  test('answer as the SDK reads them, whole and streamed, and cost the same', async () => {
    const whole = await anthropic.messages.create(request)
    expect(whole).toMatchObject({ type: 'message', model: 'claude-haiku-4-5-20251001', stop_reason: 'end_turn' })
    const streamed = await anthropic.messages.stream(request).finalMessage()
    expect(streamed.content).toMatchObject([{ type: 'text', text: whole.content[0]?.type === 'text' ? whole.content[0].text : '' }])
    expect(streamed.usage).toEqual(whole.usage)
    expect(whole.usage).toMatchObject({ cache_read_input_tokens: 0, cache_creation_input_tokens: 0 })
    const each = whole.usage.input_tokens * 100 + whole.usage.output_tokens * 500
    expect(await servedTo('message')).toMatchObject({ requests: 2, failed: 0, microcents: 2 * each })
  })

  test('use the cache where they ask for it, at the price of each kind', async () => {
    const seen = { read: 0, fiveMinutes: 0, hour: 0 }
    let microcents = 0
    for (let number = 0; number < 40; number += 1) {
      const cache_control = number % 2 === 0 ? { type: 'ephemeral' as const } : { type: 'ephemeral' as const, ttl: '1h' as const }
      const content = `What is a hold, for the ${number}th time?`
      const system = [{ ...instructions, cache_control }]
      const asked = { ...request, model: 'claude-sonnet-4-6', system, messages: [{ role: 'user' as const, content }], metadata: { user_id: 'cache' } }
      const { usage } = await anthropic.messages.create(asked)
      const { ephemeral_5m_input_tokens: fiveMinutes = 0, ephemeral_1h_input_tokens: hour = 0 } = usage.cache_creation ?? {}
      const read = usage.cache_read_input_tokens ?? 0
      expect(usage.cache_creation_input_tokens).toBe(fiveMinutes + hour)
      microcents += usage.input_tokens * 300 + read * 30 + fiveMinutes * 375 + hour * 600 + usage.output_tokens * 1_500
      seen.read += read
      seen.fiveMinutes += fiveMinutes
      seen.hour += hour
    }
    for (const count of Object.values(seen)) expect(count).toBeGreaterThan(0)
    expect(await servedTo('cache')).toMatchObject({ requests: 40, microcents })
  })

  test('fail, and refuse what the real API refuses, in its own words', async () => {
    const failing = { ...request, messages: [{ role: 'user' as const, content: 'please #529' }], metadata: { user_id: 'overloading' } }
    await expect(anthropic.messages.create(failing)).rejects.toMatchObject({ status: 529, error: { type: 'error', error: { type: 'overloaded_error' } } })
    expect(await servedTo('overloading')).toMatchObject({ requests: 0, failed: 1, microcents: 0 })
    await expect(anthropic.messages.create({ ...request, model: 'gpt-4o' })).rejects.toBeInstanceOf(Anthropic.NotFoundError)
    await expect(anthropic.messages.create({ ...request, max_tokens: 0 })).rejects.toBeInstanceOf(Anthropic.BadRequestError)
  })
})

test('fails as it is asked to, and bills nothing for that', async () => {
  const request = { model: 'gpt-4o', messages: [{ role: 'user' as const, content: 'please #503' }], user: 'failing' }
  await expect(openai.chat.completions.create(request)).rejects.toMatchObject({ status: 503 })
  expect(await servedTo('failing')).toMatchObject({ requests: 0, failed: 1, microcents: 0 })
})

test('bills each API key for what was asked with it, and all of them come to the same as all users', async () => {
  const { users, keys, total } = await bill()
  const sum = (all: Record<string, BillOfOne>): number => Object.values(all).reduce((microcents, one) => microcents + one.microcents, 0)
  expect(Object.keys(keys).toSorted()).toEqual(['anthropic-key', 'openai-key'])
  expect([sum(keys), sum(users)]).toEqual([total.microcents, total.microcents])
})

test('counts one microcent too many for the user that it is told to', async () => {
  const wrong = await startStandIn({ latencyMs: 0, miscounts: 'ben' })
  try {
    const client = new OpenAI({ baseURL: wrong.openaiUrl, apiKey: 'any', maxRetries: 0 })
    for (const user of ['ada', 'ben', 'ben']) await client.chat.completions.create({ model: 'gpt-4o', messages, user })
    const { users, total } = await bill(wrong)
    expect(users['ben']?.microcents).toBe(2 * (users['ada']?.microcents ?? 0) + 1)
    expect(total.microcents).toBe((users['ada']?.microcents ?? 0) + (users['ben']?.microcents ?? 0))
  } finally {
    await wrong.close()
  }
})

test('refuses what the real API refuses: no key, an unknown model, a malformed request', async () => {
  const completions = `${standIn.openaiUrl}/chat/completions`
  expect((await fetch(completions, { method: 'POST', body: '{}' })).status).toBe(401)
  const broken = await fetch(completions, { method: 'POST', headers: { authorization: 'Bearer any' }, body: '{"model":' })
  expect(broken.status).toBe(400)
  expect(await broken.json()).toMatchObject({ error: { type: 'invalid_request_error' } })
  await expect(openai.chat.completions.create({ model: 'gpt-4', messages })).rejects.toBeInstanceOf(OpenAI.NotFoundError)
  await expect(openai.chat.completions.create({ model: 'gpt-4o', messages: [] })).rejects.toMatchObject({ status: 400, param: 'messages' })
  const nothing = openai.chat.completions.create({ model: 'gpt-4o', messages, max_completion_tokens: 0 })
  await expect(nothing).rejects.toMatchObject({ status: 400, param: 'max_completion_tokens' })
  await expect(openai.models.list()).rejects.toMatchObject({ status: 404 })
})
