// Whatever a provider answers: the caller gets it, one hold is ended once, and nothing is left held.

import Anthropic from '@anthropic-ai/sdk'
import fc from 'fast-check'
import OpenAI from 'openai'
import { expect, it } from 'vitest'
import type { Bursar } from '../../../src/index.js'
import { withBudget as anthropicWithBudget } from '../../../src/integrations/anthropic.js'
import { withBudget as openaiWithBudget } from '../../../src/integrations/openai.js'
import { events, json, startProvider, type Provider } from '../../support/integrations/provider.js'
import { assertProperty } from '../../support/property.js'
import { completion, response } from './openai-replies.js'
import { charges, engine, moneyOf } from './setting.js'

/** Makes a call, under a budget where an engine is given. */
type Call = (provider: Provider, stream: boolean, bursar?: Bursar) => Promise<unknown>

const ada = { userId: 'ada' }
const messages = [{ role: 'user' as const, content: 'x' }]

function openai({ url }: Provider, bursar: Bursar | undefined): OpenAI {
  const client = new OpenAI({ baseURL: url, apiKey: 'x', maxRetries: 0, logLevel: 'off' })
  return bursar === undefined ? client : openaiWithBudget(client, bursar, ada)
}

function anthropic({ url }: Provider, bursar: Bursar | undefined): Anthropic {
  const client = new Anthropic({ baseURL: url, apiKey: 'x', maxRetries: 0, logLevel: 'off' })
  return bursar === undefined ? client : anthropicWithBudget(client, bursar, ada)
}

const CALLS: Readonly<Record<string, Call>> = {
  chat: async (provider, stream, bursar) => openai(provider, bursar).chat.completions.create({ model: 'gpt-4o', messages, max_completion_tokens: 9, stream, ...(stream && { stream_options: { include_usage: true } }) }),
  responses: async (provider, stream, bursar) => openai(provider, bursar).responses.create({ model: 'gpt-4o', input: 'x', max_output_tokens: 9, stream }),
  messages: async (provider, stream, bursar) => anthropic(provider, bursar).messages.create({ model: 'claude-sonnet-4-6', max_tokens: 9, messages, stream }),
}

/** What a call comes to: its answer, the pieces before an error, the error. */
async function whatComesOf(calling: Promise<unknown>): Promise<unknown> {
  const pieces: unknown[] = []
  try {
    const answer = await calling
    if (typeof answer !== 'object' || answer === null || !(Symbol.asyncIterator in answer)) return { answer }
    for await (const piece of answer as AsyncIterable<unknown>) pieces.push(piece)
    return { pieces }
  } catch (error) {
    return { pieces, error: (error as Error).message }
  }
}

const usage = { input_tokens: 1, output_tokens: 2 }
const GOOD = [completion(), response(), { type: 'message_start', message: { id: 'm', model: 'claude-sonnet-4-6', usage } }, { type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage }, { type: 'response.completed', response: response() }] as Record<string, unknown>[]

/** A good answer with something in it that is not, or anything at all. */
const spoilt = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }),
  fc.tuple(fc.constantFrom(...GOOD), fc.constantFrom('usage', 'model', 'output', 'choices', 'message', 'response', 'delta', 'type', 'service_tier', 'id'), fc.jsonValue({ maxDepth: 2 })).map(([good, field, value]) => ({ ...good, [field]: value })),
)

async function assertSame(provider: Provider, call: Call, stream: boolean): Promise<void> {
  const { bursar } = engine()
  const plain = await whatComesOf(call(provider, stream))
  expect(await whatComesOf(call(provider, stream, bursar))).toEqual(plain)
  expect(await moneyOf(bursar)).toMatchObject({ held: 0 })
  expect((await charges(bursar)).map(({ kind }) => kind)).toEqual(['settled'])
}

it.each(Object.entries(CALLS))('a call of %s comes to the same as without a budget, and ends its hold once, whatever the answer', async (_name, call) => {
  await using provider = await startProvider()
  const answers = fc.asyncProperty(spoilt, async (answer) => {
    provider.reply(json(answer))
    await assertSame(provider, call, false)
  })
  await assertProperty('any-answer', answers, 60)
})

it.each(Object.entries(CALLS))('a stream of %s comes to the same as without a budget, and ends its hold once, whatever its pieces', async (_name, call) => {
  await using provider = await startProvider()
  const pieces = fc.array(spoilt.filter((piece) => typeof piece === 'object' && piece !== null), { maxLength: 5 })
  const streams = fc.asyncProperty(pieces, fc.constantFrom('end' as const, 'reset' as const), async (given, then) => {
    provider.reply(events(given as object[], then))
    await assertSame(provider, call, true)
  })
  await assertProperty('any-pieces', streams, 60)
})
