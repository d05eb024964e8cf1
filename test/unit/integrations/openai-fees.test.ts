// bursar/openai: what is in no usage is refused, what is counted is charged, and what was measured is what is sent.

import Anthropic from '@anthropic-ai/sdk'
import OpenAI from 'openai'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { BursarConfig } from '../../../src/index.js'
import { withBudget, type WithBudgetOptions } from '../../../src/integrations/openai.js'
import { json, startProvider, type Provider } from '../../support/integrations/provider.js'
import { COMPLETION_COST, completion, response } from './openai-replies.js'
import { charges, engine, errorOf, moneyOf } from './setting.js'

const hello = { model: 'gpt-4o', messages: [{ role: 'user' as const, content: 'Hello' }], max_completion_tokens: 50 }
const asked = { model: 'gpt-4o', input: 'x', max_output_tokens: 50 }

let provider: Provider
let openai: OpenAI
beforeEach(async () => {
  provider = await startProvider(json(response()))
  openai = new OpenAI({ baseURL: provider.url, apiKey: 'any', maxRetries: 0, logLevel: 'off' })
})
afterEach(() => provider[Symbol.asyncDispose]())

function budgeted(config: Partial<BursarConfig> = {}, options: WithBudgetOptions = {}): ReturnType<typeof engine> & { client: OpenAI } {
  const setting = engine(config)
  return { ...setting, client: withBudget(openai, setting.bursar, { userId: 'ada' }, options) }
}

const container = { type: 'container_auto' as const }
const UNCOUNTED: readonly (readonly [string, Partial<OpenAI.Responses.ResponseCreateParamsNonStreaming>])[] = [
  ['background', { background: true }],
  ['image_generation', { tools: [{ type: 'image_generation' }] }],
  ['code_interpreter', { tools: [{ type: 'function', name: 'f', parameters: null, strict: true }, { type: 'code_interpreter', container: { type: 'auto' } }] }],
  ['shell', { tools: [{ type: 'shell', environment: container }] }],
  ['shell', { tools: [{ type: 'shell' }] }],
  ['x_search', { tools: [{ type: 'x_search' as never }] }],
]

describe('fees that are in no usage', () => {
  it.each(UNCOUNTED)('are not run up: a response with %s is refused, with what to do', async (field, more) => {
    const { client, bursar } = budgeted()
    const error = await errorOf(client.responses.create({ ...asked, ...more }))
    expect(error).toMatchObject({ code: 'INVALID_REQUEST' })
    expect(error.message).toContain(field)
    expect(error.message).toContain("unmetered: 'allow'")
    expect([provider.received, await charges(bursar)]).toEqual([[], []])
  })

  it.each(UNCOUNTED)('are let through where they are to be: a response with %s is charged its usage', async (_field, more) => {
    const { client, bursar } = budgeted({}, { unmetered: 'allow' })
    await client.responses.create({ ...asked, ...more })
    expect(await moneyOf(bursar)).toEqual({ spent: COMPLETION_COST, held: 0 })
  })

  it('leave what is made in the background, where it is let through, at its estimate', async () => {
    const { client, bursar, errors } = budgeted({}, { unmetered: 'allow' })
    provider.reply(json(response({ status: 'queued', usage: null })))
    await client.responses.create({ ...asked, background: true })
    const [entry] = await charges(bursar)
    expect(entry?.microcents).toBe(entry?.estimatedMicrocents)
    expect(errors).toHaveLength(1)
  })

  it.each([
    ['functions and custom tools', [{ type: 'function', name: 'f', parameters: null, strict: true }, { type: 'custom', name: 'c' }]],
    ['searches', [{ type: 'web_search' }, { type: 'web_search_2025_08_26' }, { type: 'web_search_preview' }, { type: 'file_search', vector_store_ids: ['v'] }]],
    ['a computer, a server of tools, and a shell here', [{ type: 'computer_use_preview', display_height: 1, display_width: 1, environment: 'linux' }, { type: 'mcp', server_label: 'x' }, { type: 'shell', environment: { type: 'local' } }, { type: 'local_shell' }, { type: 'apply_patch' }]],
  ] as [string, OpenAI.Responses.Tool[]][])('are not feared of %s', async (_what, tools) => {
    const { client, bursar } = budgeted()
    await client.responses.create({ ...asked, tools })
    expect(await moneyOf(bursar)).toEqual({ spent: COMPLETION_COST, held: 0 })
  })

  it.each([
    ['web_search_options', { web_search_options: {} }],
    ['gpt-4o-search-preview', { model: 'gpt-4o-search-preview' }],
    ['gpt-4o-mini-search-preview-2025-03-11', { model: 'gpt-4o-mini-search-preview-2025-03-11' }],
    ['gpt-5-search-api', { model: 'gpt-5-search-api' }],
  ])('are not run up by a chat with %s', async (field, more) => {
    const { client } = budgeted()
    const error = await errorOf(client.chat.completions.create({ ...hello, ...more }))
    expect(error).toMatchObject({ code: 'INVALID_REQUEST' })
    expect(error.message).toContain(field)
    expect(provider.received).toEqual([])
  })

  it('of a search in a chat are let through where they are to be, and are another provider\'s own', async () => {
    provider.reply(json(completion()))
    const searching = { ...hello, web_search_options: {} }
    await budgeted({}, { unmetered: 'allow' }).client.chat.completions.create(searching)
    const models = { 'gpt-4o': { input: 1, output: 1, contextWindow: 1_000 } }
    await budgeted({ prices: { models } }, { provider: 'openrouter' }).client.chat.completions.create(searching)
    expect(provider.received).toHaveLength(2)
  })
})

describe('a dearer mode that nobody asked for', () => {
  it('is charged the estimate, and the event says what to configure', async () => {
    const { client, bursar, errors } = budgeted()
    provider.reply(json(completion({ service_tier: 'priority' })))
    await client.chat.completions.create(hello)
    const [entry] = await charges(bursar)
    expect(entry?.microcents).toBe(entry?.estimatedMicrocents)
    expect(errors).toEqual([expect.stringMatching(/"gpt-4o:priority".*prices\.models/)])
  })

  it('is charged what it costs where it has a price', async () => {
    const models = { 'gpt-4o': { input: 2.5, output: 10 }, 'gpt-4o:priority': { input: 5, output: 20 } }
    const { client, bursar, errors } = budgeted({ prices: { models } })
    provider.reply(json(completion({ service_tier: 'priority' })))
    await client.chat.completions.create(hello)
    expect(await charges(bursar)).toMatchObject([{ model: 'gpt-4o:priority', microcents: 100 * 500 + 20 * 2_000 }])
    expect(errors).toEqual([])
  })
})

describe('what was measured', () => {
  it('is what is sent, whatever becomes of the request meanwhile', async () => {
    let go = (): void => {}
    const decided = new Promise<void>((resolve) => {
      go = resolve
    })
    let asking = (): void => {}
    const reached = new Promise<void>((resolve) => {
      asking = resolve
    })
    const setting = engine()
    const client = withBudget(openai, setting.bursar, async () => {
      asking()
      await decided
      return { userId: 'ada' }
    })
    provider.reply(json(completion()))
    const messages = [{ role: 'user' as const, content: 'x' }]
    const body = { ...hello, messages }
    const before = structuredClone(body)
    const calling = client.chat.completions.create(body)
    await reached
    messages.push({ role: 'user', content: 'y'.repeat(10_000) })
    Object.assign(messages[0] as object, { content: 'z'.repeat(10_000) })
    body.max_completion_tokens = 100_000
    go()
    await calling
    expect(provider.bodies).toEqual([before])
    expect((await charges(setting.bursar))[0]?.estimatedMicrocents).toBe((Buffer.byteLength(JSON.stringify(before)) + 68) * 250 + 50_000)
  })

  it('is what the tokenizer of the engine counts, where it has one', async () => {
    const counted: [string, string | undefined][] = []
    const tokenizer = (text: string, model?: string): number => counted.push([text, model]) * 7
    const { client, bursar } = budgeted({ tokenizer })
    provider.reply(json(completion()))
    await client.chat.completions.create({ ...hello, user: 'unread' })
    expect(counted).toEqual([[JSON.stringify(hello), 'gpt-4o']])
    expect((await charges(bursar))[0]?.estimatedMicrocents).toBe((7 + 68) * 250 + 50_000)
  })
})

it('takes no client of another SDK, whatever its type is said to be', () => {
  const { bursar } = engine()
  expect(() => withBudget(new Anthropic({ apiKey: 'any' }) as never, bursar)).toThrow('is no client of openai')
})
