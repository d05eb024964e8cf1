// Dearer modes and hosted tools of providers other than OpenAI, on the AI SDK's mock models: each has a price of its own, or is refused.

import { generateText, streamText, wrapLanguageModel } from 'ai'
import { MockLanguageModelV3 } from 'ai/test'
import { describe, expect, it } from 'vitest'
import { budgetMiddleware } from '../../../src/integrations/ai-sdk.js'
import { InvalidRequestError, UnpricedModelError } from '../../../src/index.js'
import { entriesOf } from '../setting.js'
import { answer, engine, finish, mockModel, pieces, usage } from './ai-sdk-kit.js'

const own = (price: number) => ({ input: price, output: price, perWebSearch: 0.01, contextWindow: 10_000, maxOutputTokens: 1_000 })
const NAMES = ['large', 'large:fast', 'large:us', 'large:fast:us', 'large:priority', 'large:performance']
const PRICES = { models: Object.fromEntries(NAMES.map((name, index) => [name, own(10 * (index + 1))])) }

const setting = (config: Parameters<typeof engine>[0] = {}) => engine({ prices: PRICES, ladder: undefined, tiers: { free: { daily: 100 } }, ...config })
const model = (provider: string, raw?: object, more: object = {}) => {
  const used = usage(100, 0, raw === undefined ? {} : { raw })
  const { doStream } = mockModel('large', { stream: [{ type: 'response-metadata', modelId: 'large' }, ...pieces('hi'), finish(used, more)] })
  return new MockLanguageModelV3({ provider, modelId: 'large', doGenerate: answer(used, { response: { modelId: 'large' }, ...more }), doStream })
}
const under = (bursar: ReturnType<typeof engine>, wrapped: MockLanguageModelV3) => wrapLanguageModel({ model: wrapped, middleware: budgetMiddleware(bursar, { identity: { userId: 'ada' } }) })
const named = async (bursar: ReturnType<typeof engine>) => (await entriesOf(bursar.tracker)).map((entry) => ('model' in entry ? entry.model : undefined))

describe('a mode', () => {
  it.each([
    ['anthropic.messages', { anthropic: { speed: 'fast' } }, 'large:fast'],
    ['anthropic.messages', { anthropic: { inferenceGeo: 'us' } }, 'large:us'],
    ['anthropic.messages', { anthropic: { speed: 'fast', inferenceGeo: 'us' } }, 'large:fast:us'],
    ['anthropic.messages', { anthropic: { speed: 'standard', inferenceGeo: 'global' } }, 'large'],
    ['anthropic.messages', { openai: { serviceTier: 'priority' } }, 'large'],
    ['vertex.anthropic.messages', { anthropic: { speed: 'fast' } }, 'large:fast'],
    ['google.vertex.chat', { vertex: { sharedRequestType: 'priority' } }, 'large:priority'],
    ['google.generative-ai', { google: { serviceTier: 'SERVICE_TIER_PRIORITY' } }, 'large:priority'],
    ['groq.chat', { groq: { serviceTier: 'performance' } }, 'large:performance'],
    ['groq.chat', { groq: { serviceTier: 'on_demand' } }, 'large'],
    ['azure.responses', { openai: { serviceTier: 'priority' } }, 'large:priority'],
    ['azure-openai.chat', { openai: { serviceTier: 'auto' } }, 'large'],
    ['mine', { mine: null, other: 'text' }, 'large'],
  ])('of %s, asked for by %j, is priced as %s', async (provider, providerOptions, name) => {
    const bursar = setting()
    await generateText({ model: under(bursar, model(provider)), prompt: 'hi', maxOutputTokens: 10, providerOptions: providerOptions as never })
    await streamText({ model: under(bursar, model(provider)), prompt: 'hi', maxOutputTokens: 10, providerOptions: providerOptions as never }).consumeStream()
    expect(await named(bursar)).toEqual([name, name])
  })

  it('is priced by what the answer says of it', async () => {
    const bursar = setting()
    const providerOptions = { anthropic: { speed: 'fast', inferenceGeo: 'us' } }
    for (const raw of [{ speed: 'standard', inference_geo: 'us' }, { speed: 'fast', inference_geo: 'global' }, { speed: 'standard', inference_geo: 'global' }, { service_tier: 'priority' }]) {
      await generateText({ model: under(bursar, model('anthropic.messages', raw)), prompt: 'hi', maxOutputTokens: 10, providerOptions })
      await streamText({ model: under(bursar, model('anthropic.messages', raw)), prompt: 'hi', maxOutputTokens: 10, providerOptions }).consumeStream()
    }
    expect((await named(bursar)).toSorted()).toEqual(['large', 'large', 'large:fast', 'large:fast', 'large:fast:us', 'large:fast:us', 'large:us', 'large:us'])
  })

  it('is said by an answer that names no model', async () => {
    const bursar = setting()
    const silent = { response: {}, providerMetadata: { openai: { serviceTier: 'priority' } } }
    await generateText({ model: under(bursar, model('openai.responses', undefined, silent)), prompt: 'hi', maxOutputTokens: 10 })
    expect(await named(bursar)).toEqual(['large:priority'])
  })

  it('without a price of its own is refused, and nothing is sent', async () => {
    const bursar = setting({ prices: { models: { large: own(10) } } })
    const asked = model('anthropic.messages')
    for (const anthropic of [{ speed: 'fast' }, { inferenceGeo: 'us' }, { inference_geo: 'us' }]) {
      await expect(generateText({ model: under(bursar, asked), prompt: 'hi', maxOutputTokens: 10, providerOptions: { anthropic } })).rejects.toThrow(UnpricedModelError)
    }
    expect(asked.doGenerateCalls).toEqual([])
  })

  it('is left part by part where the ladder leads there', async () => {
    const bursar = setting({ policies: ['graceful'], ladder: { 'large:fast:us': 'large:us' }, tiers: { free: { daily: 1 } } })
    await bursar.tracker.addCost({ userId: 'ada', cost: 0.91 })
    const asked = model('anthropic.messages')
    await generateText({ model: under(bursar, asked), prompt: 'hi', maxOutputTokens: 10, providerOptions: { anthropic: { speed: 'fast', inferenceGeo: 'us', effort: 'low' }, other: { speed: 'fast' } } })
    expect(asked.doGenerateCalls).toMatchObject([{ providerOptions: { anthropic: { inferenceGeo: 'us', effort: 'low' }, other: {} } }])
    expect(asked.doGenerateCalls[0]?.providerOptions).not.toHaveProperty('anthropic.speed')
    expect(asked.doGenerateCalls[0]?.providerOptions).not.toHaveProperty('other.speed')
    expect(await named(bursar)).toContain('large:us')
  })
})

describe('a tool that the provider runs', () => {
  const provided = (id: `${string}.${string}`, name: string) => ({ type: 'provider' as const, id, name, args: {} })
  const ask = (tool: ReturnType<typeof provided>) => ({ prompt: [], maxOutputTokens: 10, tools: [tool] })

  it("and whose searches are in Anthropic's usage is counted once", async () => {
    const bursar = setting()
    const searched = model('anthropic.messages', { server_tool_use: { web_search_requests: 2 } }, {
      content: [1, 2].map((index) => ({ type: 'tool-call', toolCallId: `s${index}`, toolName: 'web_search', input: '{}', providerExecuted: true })),
    })
    await under(bursar, searched).doGenerate(ask(provided('anthropic.web_search_20250305', 'web_search')))
    expect((await entriesOf(bursar.tracker))[0]?.details).toMatchObject({ usage: { webSearches: 2 } })
  })

  it.each(['anthropic.code_execution_20250825', 'google.google_search', 'xai.web_search', 'groq.browser_search', 'mine.new'] as const)('is refused where nobody counts its fee: %s', async (id) => {
    const bursar = setting()
    const asked = model('mine')
    await expect(under(bursar, asked).doGenerate(ask(provided(id, 'tool')))).rejects.toThrow(InvalidRequestError)
    await expect(under(bursar, asked).doStream(ask(provided(id, 'tool')))).rejects.toThrow(`tools: "${id}" is run by the provider`)
    expect([asked.doGenerateCalls, asked.doStreamCalls]).toEqual([[], []])
  })

  it('may run code for Anthropic where it searches or fetches as well', async () => {
    const asked = model('anthropic.messages')
    const tools = [provided('anthropic.code_execution_20250825', 'code'), provided('anthropic.web_fetch_20260209', 'fetch')]
    await under(setting(), asked).doGenerate({ ...ask(tools[0] as never), tools })
    expect(asked.doGenerateCalls).toHaveLength(1)
    const older = [provided('anthropic.code_execution_20250825', 'code'), provided('anthropic.web_fetch_20250910', 'fetch')]
    await expect(under(setting(), asked).doGenerate({ ...ask(tools[0] as never), tools: older })).rejects.toThrow(InvalidRequestError)
  })

  it.each(['anthropic.web_fetch_20250910', 'anthropic.bash_20250124', 'google.code_execution', 'openai.mcp', 'openai.local_shell'] as const)('is called where it costs tokens only: %s', async (id) => {
    const asked = model('mine')
    await under(setting(), asked).doGenerate(ask(provided(id, 'tool')))
    expect(asked.doGenerateCalls).toHaveLength(1)
  })
})
