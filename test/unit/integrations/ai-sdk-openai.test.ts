// The AI SDK's own provider for OpenAI, on answers as OpenAI gives them: what is charged beside plain tokens, and what is read again.

import { createOpenAI } from '@ai-sdk/openai'
import { generateText, streamText, wrapLanguageModel, type ModelMessage, type ToolSet } from 'ai'
import { describe, expect, it } from 'vitest'
import { budgetMiddleware, type BudgetMiddlewareOptions } from '../../../src/integrations/ai-sdk.js'
import { InvalidRequestError, UnpricedModelError, type Bursar } from '../../../src/index.js'
import { entriesOf } from '../setting.js'
import { engine } from './ai-sdk-kit.js'

type Body = Readonly<Record<string, unknown>>

const own = { input: 10, output: 100, perWebSearch: 0.01, perStorageSearch: 0.0025, contextWindow: 10_000, maxOutputTokens: 1_000 }
const PRICES = { models: { 'gpt-4o': own, 'gpt-4o-mini': { ...own, input: 1, output: 10 }, o3: own } }
const PRIORITY = { models: { ...PRICES.models, 'gpt-4o:priority': { ...own, input: 20, output: 200 } } }
const MESSAGE = { type: 'message', id: 'm1', role: 'assistant', status: 'completed', content: [{ type: 'output_text', text: 'hi', annotations: [] }] }

const response = (output: readonly object[] = [], more: object = {}): Body => ({
  id: 'r1',
  created_at: 1,
  status: 'completed',
  model: 'gpt-4o',
  output: [...output, MESSAGE],
  usage: { input_tokens: 100, output_tokens: 10, input_tokens_details: { cached_tokens: 0 }, output_tokens_details: { reasoning_tokens: 0 } },
  ...more,
})

const completion = (more: object = {}): Body => ({
  id: 'c1',
  created: 1,
  model: 'gpt-4o',
  choices: [{ index: 0, message: { role: 'assistant', content: 'hi' }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 100, completion_tokens: 10 },
  ...more,
})

const events = (...pieces: readonly object[]): string => pieces.map((piece) => `data: ${JSON.stringify(piece)}\n\n`).join('')

/** A response as a stream of its events. */
const streamed = (answer: Body): string => {
  const items = answer['output'] as readonly object[]
  return events(
    { type: 'response.created', response: { id: 'r1', created_at: 1, model: answer['model'] } },
    ...items.flatMap((item, index) => [
      { type: 'response.output_item.added', output_index: index, item },
      ...(item === MESSAGE ? [{ type: 'response.output_text.delta', item_id: 'm1', delta: 'hi' }] : []),
      { type: 'response.output_item.done', output_index: index, item },
    ]),
    { type: 'response.completed', response: answer },
  )
}

/** OpenAI with these answers, one after the other, and what it was sent. */
function standIn(...answers: readonly (Body | string)[]) {
  const sent: Body[] = []
  const openai = createOpenAI({
    apiKey: 'any',
    fetch: async (_url, init) => {
      const answer = answers[sent.length] ?? answers.at(-1)
      sent.push(JSON.parse(String(init?.body)) as Body)
      return typeof answer === 'string' ? new Response(answer, { headers: { 'content-type': 'text/event-stream' } }) : Response.json(answer)
    },
  })
  return { openai, sent }
}

type OpenAI = ReturnType<typeof createOpenAI>

const setting = (config: Parameters<typeof engine>[0] = {}): Bursar => engine({ prices: PRICES, ladder: undefined, tiers: { free: { daily: 100 } }, ...config })

function under(bursar: Bursar, model: Parameters<typeof wrapLanguageModel>[0]['model'], options: BudgetMiddlewareOptions = {}) {
  return wrapLanguageModel({ model, middleware: budgetMiddleware(bursar, { identity: { userId: 'ada' }, ...options }) })
}

const usageOf = async (bursar: Bursar) => ((await entriesOf(bursar.tracker))[0]?.details as { usage?: object } | undefined)?.usage
const sumOf = async (bursar: Bursar) => {
  const { totalCost, held } = await bursar.tracker.getUserSummary('ada')
  return { totalCost, held }
}

describe('searches that OpenAI makes itself', () => {
  const web = (id: string, action: object) => ({ type: 'web_search_call', id, status: 'completed', action })
  const found = [web('w1', { type: 'search', query: 'q' }), web('w2', { type: 'search', query: 'q' }), web('w3', { type: 'open_page', url: 'https://example.com' })]
  const read = [1, 2, 3].map((index) => ({ type: 'file_search_call', id: `f${index}`, status: 'completed', queries: ['q'], results: null }))
  const toolsOf = (openai: OpenAI) => ({ look: openai.tools.webSearch({}), files: openai.tools.fileSearch({ vectorStoreIds: ['v'] }) }) as unknown as ToolSet
  const tokens = { inputTokens: 100, cachedInputTokens: 0, outputTokens: 10, reasoningTokens: 0 }

  it.each([
    ['on the web, of which opening a page is none', found, { webSearches: 2 }, 0.022],
    ['in files', read, { storageSearches: 3 }, 0.0095],
    ['of both kinds', [...found, ...read], { webSearches: 2, storageSearches: 3 }, 0.0295],
  ])('%s are charged one by one, whole and streamed', async (_what, items, searches, totalCost) => {
    const whole = setting()
    const one = standIn(response(items))
    await generateText({ model: under(whole, one.openai.responses('gpt-4o')), tools: toolsOf(one.openai), prompt: 'hi', maxOutputTokens: 50 })
    expect(await usageOf(whole)).toEqual({ ...tokens, ...searches })
    expect(await sumOf(whole)).toEqual({ totalCost, held: 0 })

    const inPieces = setting()
    const other = standIn(streamed(response(items)))
    await streamText({ model: under(inPieces, other.openai.responses('gpt-4o')), tools: toolsOf(other.openai), prompt: 'hi', maxOutputTokens: 50 }).consumeStream()
    expect(await usageOf(inPieces)).toEqual({ ...tokens, ...searches })
    expect(await sumOf(inPieces)).toEqual({ totalCost, held: 0 })
  })

  it('are charged where the stream breaks off after them', async () => {
    const bursar = setting()
    const { openai } = standIn(streamed(response(found)).replace(/data: [^\n]*response\.completed[^\n]*\n\n/, ''))
    await streamText({ model: under(bursar, openai.responses('gpt-4o'), { inputTokens: () => 40 }), tools: toolsOf(openai), prompt: 'hi', maxOutputTokens: 50, onError: () => {} }).consumeStream()
    expect(await usageOf(bursar)).toMatchObject({ inputTokens: 40, webSearches: 2 })
  })
})

describe('tools whose fee nobody counts', () => {
  const cases: readonly [string, (openai: OpenAI) => object][] = [
    ['openai.image_generation', (openai) => openai.tools.imageGeneration({ quality: 'high' })],
    ['openai.code_interpreter', (openai) => openai.tools.codeInterpreter({})],
    ['openai.shell', (openai) => openai.tools.shell({ environment: { type: 'containerAuto' } })],
  ]
  it.each(cases)('%s is refused before anything is sent, and not where it is allowed', async (id, toolOf) => {
    const bursar = setting()
    const { openai, sent } = standIn(response())
    const call = (options: BudgetMiddlewareOptions) => generateText({ model: under(bursar, openai.responses('gpt-4o'), options), tools: { own: toolOf(openai) as never }, prompt: 'hi', maxOutputTokens: 50 })
    const refused = call({})
    await expect(refused).rejects.toThrow(`tools: "${id}" is run by the provider`)
    await expect(refused).rejects.toThrow(InvalidRequestError)
    await expect(refused).rejects.toThrow("unmetered: 'allow'")
    expect([sent.length, await sumOf(bursar)]).toEqual([0, { totalCost: 0, held: 0 }])
    await call({ unmetered: 'allow' })
    expect([sent.length, await sumOf(bursar)]).toEqual([1, { totalCost: 0.002, held: 0 }])
  })

  it('are those of models that search for every answer', async () => {
    const { openai, sent } = standIn(completion({ model: 'gpt-4o-search-preview' }))
    const bursar = setting({ prices: { models: { 'gpt-4o-search-preview': own } } })
    const call = (options: BudgetMiddlewareOptions) => generateText({ model: under(bursar, openai.chat('gpt-4o-search-preview'), options), prompt: 'hi', maxOutputTokens: 50 })
    await expect(call({})).rejects.toThrow('model: "gpt-4o-search-preview" searches for a fee that is in no usage')
    expect(sent).toEqual([])
    await call({ unmetered: 'allow' })
    expect(sent).toHaveLength(1)
  })

  it('are not those that the application runs', async () => {
    const { openai, sent } = standIn(response())
    const tools = { shell: openai.tools.shell({}), local: openai.tools.localShell({}) }
    await generateText({ model: under(setting(), openai.responses('gpt-4o')), tools: tools as never, prompt: 'hi', maxOutputTokens: 50 })
    expect(sent).toHaveLength(1)
  })
})

describe('the priority tier', () => {
  const ask = { prompt: 'hi', maxOutputTokens: 50, providerOptions: { openai: { serviceTier: 'priority' } } } as const

  it.each([
    ['a chat', (openai: OpenAI) => openai.chat('gpt-4o'), completion],
    ['a response', (openai: OpenAI) => openai.responses('gpt-4o'), (more: object) => response([], more)],
  ])('of %s has its own price, by what the answer says', async (_what, modelOf, answer) => {
    for (const [said, totalCost] of [[{ service_tier: 'priority', model: 'gpt-4o-2024-08-06' }, 0.004], [{ service_tier: 'default' }, 0.002], [{}, 0.004]] as const) {
      const bursar = setting({ prices: PRIORITY })
      const { openai, sent } = standIn(answer(said))
      await generateText({ model: under(bursar, modelOf(openai)), ...ask })
      expect(sent[0]).toMatchObject({ model: 'gpt-4o', service_tier: 'priority' })
      expect(await sumOf(bursar)).toEqual({ totalCost, held: 0 })
    }
  })

  it('of a stream has its own price, by what the end of it says', async () => {
    for (const [tier, totalCost] of [['priority', 0.004], ['default', 0.002]] as const) {
      const bursar = setting({ prices: PRIORITY })
      const { openai } = standIn(streamed(response([], { service_tier: tier })))
      await streamText({ model: under(bursar, openai.responses('gpt-4o')), ...ask }).consumeStream()
      expect(await sumOf(bursar)).toEqual({ totalCost, held: 0 })
      expect(await entriesOf(bursar.tracker)).toHaveLength(1)
    }
  })

  it('that nobody asked for, and that the answer was made in, has its price', async () => {
    const bursar = setting({ prices: PRIORITY })
    const { openai } = standIn(completion({ service_tier: 'priority' }))
    await generateText({ model: under(bursar, openai.chat('gpt-4o')), prompt: 'hi', maxOutputTokens: 50 })
    expect(await sumOf(bursar)).toEqual({ totalCost: 0.004, held: 0 })
  })

  it('is held at its price, and refused without one', async () => {
    const estimates: unknown[] = []
    for (const providerOptions of [{}, ask.providerOptions]) {
      const bursar = setting({ prices: PRIORITY })
      bursar.on('decision', (decision) => estimates.push('estimatedCost' in decision && decision.estimatedCost))
      await generateText({ model: under(bursar, standIn(completion()).openai.chat('gpt-4o')), ...ask, providerOptions })
    }
    expect(Number(estimates[1])).toBeGreaterThan(Number(estimates[0]) * 1.9)
    const { openai, sent } = standIn(completion())
    await expect(generateText({ model: under(setting(), openai.chat('gpt-4o')), ...ask })).rejects.toThrow(UnpricedModelError)
    expect(sent).toEqual([])
  })

  it.each([
    ['the same model in the standard tier', 'gpt-4o', 'gpt-4o', 'default'],
    ['a cheaper model in the standard tier', 'gpt-4o-mini', 'gpt-4o-mini', 'default'],
    ['a cheaper model in the same tier', 'gpt-4o-mini:priority', 'gpt-4o-mini', 'priority'],
  ])('is left for %s where the ladder leads there', async (_what, rung, model, tier) => {
    const prices = { models: { ...PRIORITY.models, 'gpt-4o-mini:priority': { ...own, input: 2, output: 20 } } }
    const bursar = setting({ prices, policies: ['graceful'], ladder: { 'gpt-4o:priority': rung }, tiers: { free: { daily: 1 } } })
    await bursar.tracker.addCost({ userId: 'ada', cost: 0.91 })
    const { openai, sent } = standIn(completion({ model, service_tier: tier }))
    const provider = (id: string) => openai.chat(id)
    await generateText({ model: under(bursar, openai.chat('gpt-4o'), { provider }), ...ask, providerOptions: { openai: { ...ask.providerOptions.openai, user: 'u' } } })
    expect(sent).toMatchObject([{ model, service_tier: tier, user: 'u' }])
    expect((await entriesOf(bursar.tracker)).find(({ kind }) => kind === 'settled')).toMatchObject({ model: rung })
  })

  it('of other providers is not that of the model', async () => {
    const bursar = setting()
    await generateText({ model: under(bursar, standIn(completion()).openai.chat('gpt-4o')), ...ask, providerOptions: { anthropic: { speed: 'fast' }, openai: { serviceTier: 'auto' } } })
    expect(await sumOf(bursar)).toEqual({ totalCost: 0.002, held: 0 })
  })
})

describe('items that OpenAI keeps', () => {
  const thought = { type: 'reasoning', id: 'rs_1', summary: [{ type: 'summary_text', text: 's' }] }
  const reasoned = response([thought], { model: 'o3', usage: { input_tokens: 100, output_tokens: 900, output_tokens_details: { reasoning_tokens: 890 } } })
  const turn: ModelMessage[] = [
    { role: 'user', content: 'hi' },
    { role: 'assistant', content: [{ type: 'reasoning', text: 's', providerOptions: { openai: { itemId: 'rs_1', reasoningEncryptedContent: 'e' } } }, { type: 'text', text: 'hi', providerOptions: { openai: { itemId: 'm1' } } }] },
    { role: 'user', content: 'go on' },
  ]

  async function heldFor(bursar: Bursar, openai: OpenAI, messages: ModelMessage[], store?: boolean): Promise<number> {
    let tokens = 0
    bursar.on('decision', (decision) => {
      tokens = decision.context.tokens as number
    })
    await generateText({ model: under(bursar, openai.responses('o3')), messages, maxOutputTokens: 10, ...(store !== undefined && { providerOptions: { openai: { store } } }) })
    return tokens
  }

  it('are the context window where this process does not know them', async () => {
    const { openai, sent } = standIn(reasoned)
    expect(await heldFor(setting(), openai, turn)).toBe(10_010)
    expect(sent[0]?.['input']).toContainEqual({ type: 'item_reference', id: 'rs_1' })
  })

  it('are what their answer has written where it does, whole and streamed', async () => {
    for (const first of [reasoned, streamed(reasoned)]) {
      const bursar = setting()
      const { openai } = standIn(first, reasoned)
      const model = under(bursar, openai.responses('o3'))
      if (first === reasoned) await generateText({ model, prompt: 'hi', maxOutputTokens: 10 })
      else await streamText({ model, prompt: 'hi', maxOutputTokens: 10 }).consumeStream()
      const tokens = await heldFor(bursar, openai, turn)
      expect(tokens).toBeGreaterThanOrEqual(900)
      expect(tokens).toBeLessThan(2_000)
    }
  })

  it('are none where the call says that nothing is kept', async () => {
    expect(await heldFor(setting(), standIn(reasoned).openai, turn, false)).toBeLessThan(1_000)
  })
})
