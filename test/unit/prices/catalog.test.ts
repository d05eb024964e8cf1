// The catalog of genai-prices by exact names: every name that it writes down, and none that it only resembles.

import { calcPrice, waitForUpdate, type MatchLogic, type ModelInfo, type Provider } from '@pydantic/genai-prices'
import { describe, expect, it } from 'vitest'
import { UnpricedModelError } from '../../../src/errors/index.js'
import { catalog } from '../../../src/prices/catalog.js'
import { openaiUsage } from '../../../src/pricing/index.js'
import { priceBook } from '../../../src/prices/index.js'
import { modelPrices } from '../../../src/prices/model-prices.js'
import { PROVIDERS } from '../../../src/prices/providers.js'

const at = Date.UTC(2026, 5, 1, 12)
const providers = (await waitForUpdate()) ?? []
const book = priceBook()

function literalsIn(match: MatchLogic): string[] {
  return Object.values(match).flatMap((value: string | MatchLogic[]) => (typeof value === 'string' ? [value] : value.flatMap(literalsIn)))
}

/** Every model with each of the names that stand in the catalog for it, patterns and endings too. */
const literals = providers.flatMap((provider) => provider.models.flatMap((model) => [...new Set([model.id, ...literalsIn(model.match)])].map((name) => ({ provider, model, name }))))

function matched({ id }: Provider, name: string): ModelInfo | undefined {
  return calcPrice({}, name, { providerId: id })?.model
}

describe('the catalog', () => {
  it('knows every provider that there is', () => {
    expect([...PROVIDERS].sort()).toEqual(providers.map(({ id }) => id).sort())
  })

  it('prices every name that it writes down as the model that it stands for, or not at all', () => {
    const wrong = literals.filter(({ provider, name }) => {
      const found = catalog.find(name, provider.id)
      return found !== undefined && (found.model !== matched(provider, name)?.id || found.provider !== provider.id)
    })
    expect(wrong.map(({ provider, name }) => `${provider.id}/${name}`)).toEqual([])
  })

  it('prices every id and every exact name, but those without a price', () => {
    const exact = literals.filter(({ model, name }) => name === model.id || JSON.stringify(model.match).includes(`{"equals":${JSON.stringify(name)}}`))
    const missing = exact.filter(({ provider, model, name }) => matched(provider, name) === model && typeof modelPrices(provider.id, model) !== 'string' && catalog.find(name, provider.id)?.model !== model.id)
    expect(missing.map(({ provider, name }) => `${provider.id}/${name}`)).toEqual([])
    expect(exact.filter(({ provider, name }) => catalog.find(name, provider.id) !== undefined).length).toBeGreaterThan(1_900)
  })

  it('reaches every model that has a price by some name', () => {
    const reached = new Set(literals.flatMap(({ provider, model, name }) => (catalog.find(name, provider.id)?.model === model.id ? [model] : [])))
    const priced = providers.flatMap((provider) => provider.models.filter((model) => typeof modelPrices(provider.id, model) !== 'string'))
    expect(priced.filter((model) => !reached.has(model)).map(({ id }) => id)).toEqual([])
    expect(priced.length).toBeGreaterThan(1_500)
  })

  it.each(['-foo', '-turbo', 'x', '-2', '-preview-x', '-2024-07-18-turbo', '-latest-turbo', '-latest-v2:0', '.5', '/x'])('never prices a name with %j after it, unless that is a name too', (more) => {
    const wrong = literals.filter(({ provider, name }) => {
      const longer = `${name}${more}`.toLowerCase()
      const model = matched(provider, longer)
      const isWritten = model !== undefined && [model.id, ...literalsIn(model.match)].some((literal) => literal.toLowerCase() === longer)
      return catalog.find(longer, provider.id) !== undefined && !isWritten
    })
    expect(wrong.map(({ provider, name }) => `${provider.id}/${name}${more}`)).toEqual([])
  })

  it('never prices a second version as the first, but of one day', () => {
    const undated = literals.filter(({ name }) => !/\d{2}-?\d{2}$/.test(name))
    const priced = undated.filter(({ provider, model, name }) => catalog.find(`${name}-v2:0`, provider.id) !== undefined && ![model.id, ...literalsIn(model.match)].includes(`${name}-v2:0`))
    expect(undated.length).toBeGreaterThan(1_500)
    expect(priced.map(({ provider, name }) => `${provider.id}/${name}`)).toEqual([])
  })

  it.each(['-2024-07-18', '-20240718', '@20240718', '-latest', '-v1:0', '-20240718-v1:0', '-20240718-v2:0'])('prices a name with %j after it only as what the catalog itself takes it for', (snapshot) => {
    let priced = 0
    for (const { provider, name } of literals) {
      const found = catalog.find(`${name}${snapshot}`, provider.id)
      if (found === undefined) continue
      priced += 1
      expect(found.model, `${provider.id}/${name}${snapshot}`).toBe(matched(provider, `${name}${snapshot}`)?.id)
    }
    expect(priced).toBeGreaterThan(100)
  })

  it('refuses a whole model for a key or hours that the book cannot read, and one without any price', () => {
    const model = (prices: object): ModelInfo => ({ id: 'm', match: { equals: 'm' }, prices: prices as ModelInfo['prices'] })
    expect(modelPrices('p', model({ input_mtok: 1, input_mchars: 2 }))).toMatch(/input_mchars/)
    expect(modelPrices('p', model([{ prices: { input_mtok: 1 } }, { constraint: { type: 'start_date', start_date: '2026-01-01' }, prices: { rerank_searches_kcount: 2 } }]))).toMatch(/rerank_searches_kcount/)
    expect(modelPrices('p', model({}))).toMatch(/without any price/)
    expect(modelPrices('p', model([{ constraint: { type: 'time_of_date', start_time: 'noon', end_time: '13:00:00Z' }, prices: { input_mtok: 1 } }]))).toMatch(/noon/)
  })

  it('reads hours of any offset as UTC', () => {
    const hours = (start_time: string, end_time: string): unknown => modelPrices('p', { id: 'm', match: { equals: 'm' }, prices: [{ constraint: { type: 'time_of_date', start_time, end_time }, prices: { input_mtok: 1 } }] })
    expect(hours('00:30:00Z', '16:30:15Z')).toEqual([{ input: 1, daily: { from: '00:30:00', to: '16:30:15' } }])
    expect(hours('01:00:00+08:00', '23:00:00-02:30')).toEqual([{ input: 1, daily: { from: '17:00:00', to: '01:30:00' } }])
  })
})

describe('the price book on the catalog', () => {
  const versionOf = (model: string, provider?: string): string => book.priceOf({ model, provider, at }).version.split('@')[0] as string

  it.each([
    ['gpt-4o', undefined, 'openai/gpt-4o'],
    ['GPT-4o', 'OpenAI', 'openai/gpt-4o'],
    ['gpt-4o-2024-08-06', undefined, 'openai/gpt-4o'],
    ['gpt-4o-2024-05-13', undefined, 'openai/gpt-4o-2024-05-13'],
    ['gpt-4o-mini', undefined, 'openai/gpt-4o-mini'],
    ['gpt-4o-mini-2024-07-18', undefined, 'openai/gpt-4o-mini'],
    ['gpt-4o', 'azure', 'azure/gpt-4o'],
    ['claude-sonnet-4-5', undefined, 'anthropic/claude-sonnet-4-5'],
    ['claude-sonnet-4-5-20250929', undefined, 'anthropic/claude-sonnet-4-5'],
    ['gemini-2.0-flash-001', undefined, 'google/gemini-2.0-flash'],
    ['us.anthropic.claude-sonnet-4-20250514-v1:0', 'aws', 'aws/regional.anthropic.claude-sonnet-4-20250514-v1:0'],
    ['eu.anthropic.claude-3-5-haiku-20241022-v1:0', 'aws', 'aws/regional.anthropic.claude-3-5-haiku-20241022-v1:0'],
    ['anthropic.claude-3-5-sonnet-20241022-v2:0', 'aws', 'aws/regional.anthropic.claude-3-5-sonnet-20241022-v2:0'],
    ['us.anthropic.claude-3-5-sonnet-20241022-v2:0', 'aws', 'aws/regional.anthropic.claude-3-5-sonnet-20241022-v2:0'],
    ['amazon.titan-embed-text-v1:0', 'aws', 'aws/amazon.titan-embed-text-v1'],
    ['amazon.nova-pro-v1:0', 'aws', 'aws/amazon.nova-pro-v1:0'],
    ['us.mistral.mixtral-8x7b-instruct-v0:1', 'aws', 'aws/mistral.mixtral-8x7b-instruct-v0:1'],
    ['us.meta.llama3-3-70b-instruct-v1:0', 'aws', 'aws/meta.llama3-3-70b-instruct-v1:0'],
    ['llama-3.3-70b-versatile', undefined, 'groq/llama-3.3-70b-versatile'],
    ['openai/gpt-4o', 'openrouter', 'openrouter/openai/gpt-4o'],
  ])('prices %s of %s', (model, provider, version) => {
    expect(versionOf(model, provider)).toBe(version)
  })

  it.each<[string, string | undefined, RegExp]>([
    ['gpt-4o-foo', undefined, /no model of exactly that name under "openai"/],
    ['gpt-4o ', undefined, /no model of exactly that name/],
    ['gpt-4o-2099-01-01', undefined, /no model of exactly that name/],
    ['claude-sonnet-4-5-turbo', undefined, /no model of exactly that name under "anthropic"/],
    ['my-own-model', undefined, /no model of that name/],
    ['text-embedding-3-small', undefined, /Which provider.*"azure", "openai"\. Give provider: 'azure' or 'openai'; or its price under prices\.models/],
    ['amazon.titan-embed-text-v2:0', 'aws', /no model of exactly that name under "aws"/],
    ['amazon.nova-pro-v2:0', 'aws', /no model of exactly that name under "aws"/],
    ['custom.anthropic.claude-3-5-haiku-20241022-v1:0', 'aws', /no model of exactly that name under "aws"/],
    ['gpt-4o', 'open-ai', /no provider "open-ai".*under "github-copilot", "openai"/],
    ['claude-sonnet-4-5', 'my-anthropic-proxy', /no provider "my-anthropic-proxy"/],
    ['gpt-4o', 'anthropic', /no model of exactly that name under "anthropic"\..*"openai"/],
    ['phi-4-reasoning:free', 'azure', /knows it as azure\/phi-4-reasoning:free, but the catalog lists it without any price/],
  ])('has no price for %j of %s, and says why', (model, provider, message) => {
    expect(() => book.priceOf({ model, provider, at })).toThrow(UnpricedModelError)
    expect(() => book.priceOf({ model, provider, at })).toThrow(message)
    expect(book.find({ model, provider, at })).toBeUndefined()
  })

  it('keeps models apart whose prices are not the same', () => {
    expect(book.isSameModel('gpt-4o', 'gpt-4o-2024-08-06', { at })).toBe(true)
    expect(book.isSameModel('gpt-4o', 'gpt-4o-mini', { at })).toBe(false)
    expect(book.isSameModel('gpt-4o', 'gpt-4o-2024-05-13', { at })).toBe(false)
    expect(book.priceOf({ model: 'gpt-4o', at }).version).not.toBe(book.priceOf({ model: 'gpt-4o-2024-05-13', at }).version)
  })

  it('takes an own price for a model for all its names, and says which aliases lead nowhere', () => {
    const own = priceBook({ models: { 'gpt-4o': { input: 1, output: 1 } }, aliases: { deployment: 'openai/gpt-4o-mini', cheap: 'gpt-4o-mini' } })
    expect(own.priceOf({ model: 'gpt-4o-2024-08-06', at }).version).toMatch(/^own\/gpt-4o@/)
    expect(own.priceOf({ model: 'gpt-4o-mini', at }).version).toMatch(/^openai\/gpt-4o-mini@/)
    expect(own.priceOf({ model: 'deployment', provider: 'azure', at }).version).toMatch(/^openai\/gpt-4o-mini@/)
    expect(own.isSameModel('cheap', 'gpt-4o-mini-2024-07-18', { at })).toBe(true)
    expect(() => priceBook({ aliases: { a: 'gpt-4o-foo' } })).toThrow('prices.aliases.a')
  })

  it('keeps an own price of one provider from the model that another sells under that very name', () => {
    const own = priceBook({ models: { 'openai/gpt-4o': { input: 1, output: 1 } }, aliases: { deployment: 'openai/gpt-4o' } })
    const version = (model: string, provider?: string): string => own.priceOf({ model, provider, at }).version.split('@')[0] as string
    expect(version('openai/gpt-4o', 'openrouter')).toBe('openrouter/openai/gpt-4o')
    expect(version('gpt-4o', 'azure')).toBe('azure/gpt-4o')
    expect(version('gpt-4o-2024-08-06')).toBe('own/openai/gpt-4o')
    expect(version('gpt-4o', 'openai')).toBe('own/openai/gpt-4o')
    expect(version('deployment', 'azure')).toBe('own/openai/gpt-4o')
    // Nothing says that another provider is meant.
    expect(version('openai/gpt-4o')).toBe('own/openai/gpt-4o')
    const theirs = priceBook({ models: { 'openrouter/openai/gpt-4o': { input: 1, output: 1 }, 'meta-llama/llama-4-scout-17b-16e-instruct': { input: 2, output: 2 } } })
    expect(theirs.priceOf({ model: 'openai/gpt-4o', provider: 'openrouter', at }).version).toMatch(/^own\/openrouter\/openai\/gpt-4o@/)
    expect(theirs.priceOf({ model: 'gpt-4o', at }).version).toMatch(/^openai\/gpt-4o@/)
    expect(theirs.priceOf({ model: 'meta-llama/llama-4-scout-17b-16e-instruct', provider: 'groq', at }).version).toMatch(/^own\/meta-llama\//)
  })

  it('lets a model with an own price write as much as the catalog says', () => {
    const own = priceBook({ models: { 'gpt-4o': { input: 1, output: 1 } } })
    expect(own.estimate({ model: 'gpt-4o', inputTokens: 0, at }).tokens).toBe(book.priceOf({ model: 'gpt-4o', at }).contextWindow)
  })

  it("prices Perplexity's research as Perplexity does, and no search beside a call that has them in its fee", () => {
    const research = openaiUsage({ prompt_tokens: 33, completion_tokens: 7_163, total_tokens: 7_196, citation_tokens: 20_016, num_search_queries: 18, reasoning_tokens: 73_997 })
    expect(book.cost(research, { model: 'sonar-deep-research', at }).exact.costMicrocents).toBe(33 * 200 + 7_163 * 800 + 20_016 * 200 + 73_997 * 300 + 18 * 500_000)
    const answer = { prompt_tokens: 14, completion_tokens: 200, total_tokens: 214, search_context_size: 'low' }
    expect(book.cost(openaiUsage({ ...answer, num_search_queries: 1 }), { model: 'sonar-pro', at }).cost).toBe(book.cost(openaiUsage(answer), { model: 'sonar-pro', at }).cost)
  })

  it('prices what is heard and spoken in a realtime response as audio, and a transcription by its length', () => {
    const spoken = openaiUsage({ total_tokens: 2_000, input_tokens: 1_000, output_tokens: 1_000, input_token_details: { text_tokens: 0, audio_tokens: 1_000, cached_tokens: 0 }, output_token_details: { text_tokens: 0, audio_tokens: 1_000 } })
    expect(book.cost(spoken, { model: 'gpt-realtime', at }).exact.costMicrocents).toBe(1_000 * 3_200 + 1_000 * 6_400)
    expect(book.cost(openaiUsage({ type: 'duration', seconds: 3_600 }), { model: 'whisper-1', at }).cost).toBe(0.36)
  })

  it('charges a short transcription of Groq for ten seconds', () => {
    const price = book.priceOf({ model: 'whisper-large-v3', provider: 'groq', at })
    expect(price.costOf({ audioSeconds: 0.5 })).toBe(price.costOf({ audioSeconds: 10 }))
    expect(price.costOf({ audioSeconds: 20 })).toBeGreaterThan(price.costOf({ audioSeconds: 10 }))
  })
})
