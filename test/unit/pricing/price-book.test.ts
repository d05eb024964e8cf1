// Which price a name has: exact names, own prices above the catalog's, dated ones by the instant, and an error for everything else.

import { describe, expect, it } from 'vitest'
import { InvalidAmountError, InvalidConfigError, InvalidRequestError, MissingEstimateError, UnpricedModelError } from '../../../src/errors/index.js'
import { PriceBook, pricesConfigSchema, type CatalogEntry, type PriceCatalog, type PricesConfig } from '../../../src/pricing/index.js'

const at = Date.UTC(2026, 5, 1, 12)

/** Two providers, of which both sell "both". "large-2026" is another name of "large". */
const sold: Record<string, CatalogEntry> = {
  'acme/large': { provider: 'acme', model: 'large', prices: { input: 10, output: 20, contextWindow: 1_000 } },
  'acme/large-2026': { provider: 'acme', model: 'large', prices: { input: 10, output: 20, contextWindow: 1_000 } },
  'acme/both': { provider: 'acme', model: 'both', prices: { input: 3, output: 3 } },
  'other/both': { provider: 'other', model: 'both', prices: { input: 4, output: 4 } },
  'other/broken': { provider: 'other', model: 'broken', prices: { reasoning: 4 } },
}
const catalog: PriceCatalog = {
  find: (model, provider) => {
    const found = Object.entries(sold).filter(([name]) => (provider === undefined ? name.endsWith(`/${model}`) : name === `${provider}/${model}`))
    return found.length === 1 ? found[0]?.[1] : undefined
  },
  explain: () => 'The catalog has nothing near.',
  providersOf: (model) => Object.keys(sold).flatMap((name) => (name.endsWith(`/${model}`) ? [name.split('/')[0] as string] : [])),
}
const versionOf = (config: PricesConfig, model: string, provider?: string, tenant?: string): string => new PriceBook(config, catalog).priceOf({ model, provider, tenant, at }).version.split('@')[0] as string

describe('the price of a name', () => {
  it.each<[string, PricesConfig, [string, (string | undefined)?, (string | undefined)?], string]>([
    ["the catalog's", {}, ['large'], 'acme/large'],
    ["the provider's", {}, ['both', 'other'], 'other/both'],
    ["the application's own before the catalog's", { models: { large: { input: 1 } } }, ['large'], 'own/large'],
    ['an own one for all names that the catalog has for the model', { models: { large: { input: 1 } } }, ['large-2026'], 'own/large'],
    ['an own one of the very name before that of the model', { models: { large: { input: 1 }, 'large-2026': { input: 2 } } }, ['large-2026'], 'own/large-2026'],
    ['an own one that names the provider before one that does not', { models: { both: { input: 1 }, 'other/both': { input: 2 } } }, ['both', 'other'], 'own/other/both'],
    ['an own one without a provider for every provider', { models: { both: { input: 1 }, 'other/both': { input: 2 } } }, ['both', 'acme'], 'own/both'],
    ['an own one that names the provider that the catalog finds', { models: { 'acme/large': { input: 1 } } }, ['large'], 'own/acme/large'],
    ["the tenant's before the application's", { models: { large: { input: 1 } }, tenants: { t: { large: { input: 2 } } } }, ['large', undefined, 't'], 'tenant:t/large'],
    ["the tenant's for all names of the model", { tenants: { t: { large: { input: 2 } } } }, ['large-2026', 'acme', 't'], 'tenant:t/large'],
    ["the application's for another tenant", { models: { large: { input: 1 } }, tenants: { t: { large: { input: 2 } } } }, ['large', undefined, 'u'], 'own/large'],
    ['that of what an alias stands for', { aliases: { mine: 'large' } }, ['mine'], 'acme/large'],
    ['that of what an alias of an alias stands for', { aliases: { mine: 'yours', yours: 'other/both' } }, ['mine'], 'other/both'],
    ["the provider's of the request for an alias that names none", { aliases: { mine: 'both' } }, ['mine', 'other'], 'other/both'],
    ['that of an alias for one provider', { aliases: { mine: 'large', 'other/mine': 'other/both' } }, ['mine', 'other'], 'other/both'],
    ['an own one of what an alias stands for', { aliases: { mine: 'acme/large' }, models: { large: { input: 1 } } }, ['mine'], 'own/large'],
    ["a tenant's of what an alias stands for", { aliases: { mine: 'local' }, tenants: { t: { local: { perSecond: 1 } } } }, ['mine', undefined, 't'], 'tenant:t/local'],
    ['an own one of a model that no catalog has', { models: { 'llama/local:8b': { input: 0, output: 0 } } }, ['llama/local:8b'], 'own/llama/local:8b'],
  ])('is %s', (_what, config, [model, provider, tenant], version) => {
    expect(versionOf(config, model, provider, tenant)).toBe(version)
  })

  it.each([['largest'], ['larg'], ['Large'], ['large '], ['large-2026-1'], ['both'], ['toString'], ['__proto__'], ['constructor'], ['acme/'], ['broken']])('is none for %j: names are exact', (model) => {
    const book = new PriceBook({ models: { 'own-one': { input: 1 } } }, catalog)
    expect(() => book.priceOf({ model, at })).toThrow(UnpricedModelError)
    expect(book.find({ model, at })).toBeUndefined()
  })

  it('says what is missing, what is near and what to do', () => {
    const book = new PriceBook({ models: { 'azure/gpt': { input: 1 } }, aliases: { mine: 'azure/gpt' } }, catalog)
    expect(() => book.priceOf({ model: 'nope', provider: 'acme', tenant: 't', at })).toThrow(/^model: "nope" of provider "acme" for tenant "t" has no price\. The catalog has nothing near\. Give its price under prices\.models \(0 is a price\), .*prices\.aliases.*estimatedCost/)
    expect(() => new PriceBook({ models: { 'azure/gpt': { input: 1 } } }).priceOf({ model: 'gpt', at })).toThrow(/There is one for "azure\/gpt"/)
    expect(() => book.priceOf({ model: 'broken', provider: 'other', at })).toThrow(/reasoning: is part of output/)
  })

  it('refuses what is no name and no instant', () => {
    const book = new PriceBook({ models: { m: [{ input: 1 }, { input: 2, from: '2026-01-01' }] } }, catalog)
    for (const model of ['', undefined, null, 5]) expect(() => book.priceOf({ model: model as string, at })).toThrow(InvalidRequestError)
    expect(() => book.priceOf({ model: 'm', provider: 5 as unknown as string, at })).toThrow(InvalidRequestError)
    for (const when of [NaN, Infinity, undefined, '2026']) for (const model of ['m', 'large']) expect(() => book.priceOf({ model, at: when as number })).toThrow(InvalidRequestError)
  })

  it('looks a name up once, and does not keep names that it does not know', () => {
    const asked: string[] = []
    const counting: PriceCatalog = { find: (model, provider) => (asked.push(model), catalog.find(model, provider)) }
    const book = new PriceBook({}, counting)
    const first = book.priceOf({ model: 'large', at })
    expect(book.priceOf({ model: 'large', tenant: 'some tenant', at: at + 1 })).toBe(first)
    expect(asked).toEqual(['large'])
    book.find({ model: 'unknown', at })
    book.find({ model: 'unknown', at })
    expect(asked).toEqual(['large', 'unknown', 'unknown'])
  })

  it('remembers no end of providers', () => {
    let asked = 0
    const book = new PriceBook({ models: { m: { input: 1 } } }, { find: () => void (asked += 1) })
    for (let index = 0; index < 5_001; index += 1) book.priceOf({ model: 'm', provider: `p${index}`, at })
    expect(asked).toBe(5_001)
    book.priceOf({ model: 'm', provider: 'p5000', at })
    expect(asked).toBe(5_001)
    book.priceOf({ model: 'm', provider: 'p0', at })
    expect(asked).toBe(5_002)
  })

  it('does not change with the object that it was given', () => {
    const models = { m: { input: 1 } }
    const book = new PriceBook({ models })
    models.m.input = 5
    expect(book.priceOf({ model: 'm', at }).costOf({ inputTokens: 1 })).toBe(100)
  })
})

describe('prices that change with time', () => {
  const book = new PriceBook({ models: { m: [{ input: 1 }, { input: 2, from: '2026-03-01' }, { input: 3, daily: { from: '22:00', to: '02:30:15' } }, { input: 4, from: '2026-04-01', daily: { from: '08:00', to: '09:00' } }], later: [{ input: 1, from: '2030-01-01' }, { input: 2, from: '2031-01-01' }] } })
  const input = (instant: string): unknown => book.priceOf({ model: 'm', at: Date.parse(instant) }).rates.input

  it.each([
    ['2026-02-28T23:59:59.999Z', 3],
    ['2026-02-28T21:59:59.999Z', 1],
    ['2026-03-01T12:00:00Z', 2],
    ['2026-03-01T22:00:00Z', 3],
    ['2026-03-01T02:30:14.999Z', 3],
    ['2026-03-01T02:30:15Z', 2],
    ['2026-03-31T08:30:00Z', 2],
    ['2026-04-01T07:59:59.999Z', 2],
    ['2026-04-01T08:00:00Z', 4],
    ['2026-04-01T09:00:00Z', 2],
    ['1969-12-31T23:00:00Z', 3],
    ['1969-12-31T12:00:00Z', 1],
  ])('are those of %s', (instant, rate) => {
    expect(input(instant)).toBe(rate)
  })

  it('are the first where none counts yet', () => {
    expect(book.priceOf({ model: 'later', at }).rates.input).toBe(1)
  })

  it('tell when they change on a day', () => {
    const day = Date.parse('2026-04-02T00:00:00Z')
    const hours = (hour: number, minute = 0, second = 0): number => day + ((hour * 60 + minute) * 60 + second) * 1_000
    expect(book.instants({ model: 'm', at: hours(12) })).toEqual([day, hours(2, 30, 15), hours(8), hours(9), hours(12), hours(22)])
    expect(book.instants({ model: 'later', at: day + 5 })).toEqual([day, day + 5])
    expect(book.instants({ model: 'unknown', at: day + 5 })).toEqual([day + 5])
  })

  it('tell whose tenants have their own', () => {
    expect(new PriceBook({ tenants: { t: { m: { input: 1 } }, u: {} } }).tenants).toEqual(['t', 'u'])
  })

  it('have a version each', () => {
    expect(new Set(book.instants({ model: 'm', at: Date.parse('2026-04-02') }).map((instant) => book.priceOf({ model: 'm', at: instant }).version)).size).toBe(3)
  })
})

describe('a model of several names', () => {
  it('is one model', () => {
    const book = new PriceBook({ models: { large: { input: 1 } }, aliases: { mine: 'acme/both', yours: 'acme/both' } }, catalog)
    expect(book.isSameModel('large', 'large-2026', { at })).toBe(true)
    expect(book.isSameModel('mine', 'yours', { at })).toBe(true)
    expect(book.isSameModel('mine', 'both', { provider: 'acme', at })).toBe(true)
    expect(book.isSameModel('nope', 'nope', { at })).toBe(true)
    expect(book.isSameModel('large', 'both', { provider: 'acme', at })).toBe(false)
    expect(book.isSameModel('large', 'larger', { at })).toBe(false)
    expect(book.isSameModel('mine', 'both', { provider: 'other', at })).toBe(false)
  })
})

describe('cost()', () => {
  const book = new PriceBook({ models: { m: [{ input: 1 }, { input: 2, from: '2026-01-01' }] } })

  it('gives USD with the exact integer and the version of the price', () => {
    const early = book.cost({ inputTokens: 150 }, { model: 'm', at: new Date('2025-12-31') })
    expect(early).toEqual({ cost: 0.00015, exact: { costMicrocents: 15_000 }, priceVersion: expect.stringMatching(/^own\/m@/) })
    expect(book.cost({ inputTokens: 150 }, { model: 'm', at: Date.UTC(2026, 1) }).exact.costMicrocents).toBe(30_000)
    expect(book.cost({ inputTokens: 150 }, { model: 'm' }).exact.costMicrocents).toBe(30_000)
  })

  it('takes the word of the provider, also for a model without a price', () => {
    expect(book.cost({ inputTokens: 5, cost: 0.25 }, { model: 'unknown' })).toEqual({ cost: 0.25, exact: { costMicrocents: 25_000_000 }, priceVersion: 'reported' })
    expect(book.cost({ inputTokens: -5, cachedInputTokens: 7, cost: 0.25 }, { model: 'unknown' }).cost).toBe(0.25)
    expect(() => book.cost({ inputTokens: 5, cost: -0.25 }, { model: 'm' })).toThrow(InvalidAmountError)
    expect(() => book.cost({ inputTokens: -5 }, { model: 'm' })).toThrow(InvalidAmountError)
    expect(() => book.cost({ inputTokens: 5 }, { model: 'unknown' })).toThrow(UnpricedModelError)
  })

  it('refuses what is no time', () => {
    for (const when of [new Date(NaN), NaN, 'now' as unknown as number, null as unknown as number]) expect(() => book.cost({ inputTokens: 1 }, { model: 'm', at: when })).toThrow(InvalidRequestError)
  })
})

describe('estimate()', () => {
  const book = new PriceBook({ models: { m: { input: 1, output: 2, reasoning: 4, maxOutputTokens: 50, contextWindow: 500 }, window: { input: 1, output: 2, contextWindow: 500 }, open: { input: 1, output: 2 }, embedding: { input: 1, contextWindow: 500 } } })

  it('is the dearest call with these tokens', () => {
    expect(book.estimate({ model: 'm', inputTokens: 100, maxOutputTokens: 10 })).toEqual({ cost: 0.00014, tokens: 110, exact: { costMicrocents: 14_000 }, priceVersion: expect.stringMatching(/^own\/m@/) })
    expect(book.estimate({ model: 'm', inputTokens: 100, maxOutputTokens: 10, tokenKinds: [] }).exact.costMicrocents).toBe(12_000)
  })

  it('lets the model write as much as it can where nothing caps it', () => {
    expect(book.estimate({ model: 'm', inputTokens: 0 })).toMatchObject({ tokens: 50, exact: { costMicrocents: 20_000 } })
    expect(book.estimate({ model: 'window', inputTokens: 0 })).toMatchObject({ tokens: 500, exact: { costMicrocents: 100_000 } })
    expect(book.estimate({ model: 'embedding', inputTokens: 7 })).toMatchObject({ tokens: 7, exact: { costMicrocents: 700 } })
    expect(() => book.estimate({ model: 'open', inputTokens: 1 })).toThrow(MissingEstimateError)
  })

  it('refuses what is no count, and what has no price', () => {
    for (const bad of [-1, 0.5, NaN, '1' as unknown as number, undefined as unknown as number]) expect(() => book.estimate({ model: 'm', inputTokens: bad })).toThrow(InvalidAmountError)
    for (const bad of [-1, 0.5, NaN, null as unknown as number]) expect(() => book.estimate({ model: 'm', inputTokens: 1, maxOutputTokens: bad })).toThrow(InvalidAmountError)
    expect(() => book.estimate({ model: 'embedding', inputTokens: 1, maxOutputTokens: 1 })).toThrow(UnpricedModelError)
    expect(() => book.estimate({ model: 'unknown', inputTokens: 1 })).toThrow(UnpricedModelError)
  })
})

describe('an own price of a model that the catalog has', () => {
  const estimate = (config: PricesConfig, model: string, provider?: string): number => new PriceBook(config, catalog).estimate({ model, provider, inputTokens: 0 }).tokens

  it('lets it write as much as the catalog says, unless it says otherwise', () => {
    expect(estimate({ models: { large: { input: 1, output: 1 } } }, 'large')).toBe(1_000)
    expect(estimate({ models: { large: [{ input: 1, output: 1 }, { input: 2, output: 2, from: '2020-01-01' }] } }, 'large-2026')).toBe(1_000)
    expect(estimate({ models: { 'acme/large': { input: 1, output: 1, contextWindow: undefined } } }, 'large')).toBe(1_000)
    expect(estimate({ models: { large: { input: 1, output: 1, contextWindow: 300 } } }, 'large')).toBe(300)
    expect(estimate({ models: { large: { input: 1, output: 1, maxOutputTokens: 20 } } }, 'large')).toBe(20)
    expect(new PriceBook({ models: { large: { input: 1, maxOutputTokens: 20 } } }, catalog).priceOf({ model: 'large', at })).toMatchObject({ contextWindow: 1_000, maxOutputTokens: 20 })
    expect(() => estimate({ models: { both: { input: 1, output: 1 } } }, 'both', 'acme')).toThrow(MissingEstimateError)
  })

  it('takes the largest of what the catalog says of several prices', () => {
    const entry: CatalogEntry = { provider: 'acme', model: 'm', prices: [{ input: 1, output: 1, contextWindow: 10, maxOutputTokens: 7 }, { input: 1, output: 1, from: '2026-01-01', contextWindow: 50, maxOutputTokens: 5 }] }
    expect(new PriceBook({ models: { m: { input: 1, output: 1 } } }, { find: () => entry }).priceOf({ model: 'm', at })).toMatchObject({ contextWindow: 50, maxOutputTokens: 7 })
  })
})

describe('own prices that cannot work', () => {
  it.each<[string, unknown, string]>([
    ['a negative rate', { models: { m: { input: -1 } } }, 'prices.models.m.input: -1 is no rate'],
    ['NaN', { models: { m: { input: NaN } } }, 'prices.models.m.input: NaN is no rate'],
    ['an infinity', { models: { m: { input: Infinity } } }, 'prices.models.m.input: Infinity is no rate'],
    ['text that is no decimal', { models: { m: { input: '1,5' } } }, 'prices.models.m.input: "1,5" is no rate'],
    ['a rate of another type', { models: { m: { input: true } } }, 'prices.models.m.input'],
    ['an unknown rate', { models: { m: { input: 1, prompt: 1 } } }, 'prices.models.m.prompt: is no known field'],
    ['an unknown field', { model: {} }, 'prices.model: is no known field'],
    ['no rate at all', { models: { m: {} } }, 'prices.models.m: has no rate at all'],
    ['only what is no rate', { models: { m: { contextWindow: 5 } } }, 'prices.models.m: has no rate at all'],
    ['no price in a list', { models: { m: [] } }, 'prices.models.m: has no price'],
    ['text for a price', { models: { m: '5' } }, 'prices.models.m: must be a price'],
    ['a part without its total', { models: { m: { input: 1, reasoning: 1 } } }, 'prices.models.m.reasoning: is part of output, which has no price'],
    ['no price for what is two things', { models: { m: { input: 1, cachedInput: 1, inputAudio: 1 } } }, 'prices.models.m.cachedInputAudio: is missing'],
    ['a bad rate of a tenant', { tenants: { t: { m: { input: -1 } } } }, 'prices.tenants.t.m.input: -1'],
    ['a bad tier', { models: { m: { input: { base: 1, tiers: [{ above: -5, price: 1 }] } } } }, 'prices.models.m.input: -5 is no count'],
    ['a bad rate of a tier', { models: { m: { input: { base: 1, tiers: [{ above: 5, price: -1 }] } } } }, 'prices.models.m.input: -1 is no rate'],
    ['a tier twice', { models: { m: { input: { base: 1, tiers: [{ above: 5, price: 1 }, { above: 5, price: 2 }] } } } }, 'prices.models.m.input: has two tiers'],
    ['a price for none', { models: { m: { input: { price: 1, per: 0 } } } }, 'prices.models.m.input: per: 0'],
    ['a context window of nothing', { models: { m: { input: 1, contextWindow: 0 } } }, 'prices.models.m.contextWindow'],
    ['part of a token to write', { models: { m: { input: 1, maxOutputTokens: 1.5 } } }, 'prices.models.m.maxOutputTokens'],
    ['a bad least', { models: { m: { perAudioSecond: 1, minAudioSeconds: -1 } } }, 'prices.models.m.minAudioSeconds: -1'],
    ['a day that is none', { models: { m: [{ input: 1, from: '2026-02-30' }] } }, 'prices.models.m.0.from: "2026-02-30" is no day'],
    ['a day in another notation', { models: { m: [{ input: 1 }, { input: 1, from: '1.3.2026' }] } }, 'prices.models.m.1.from'],
    ['a time that is none', { models: { m: [{ input: 1, daily: { from: '24:00', to: '01:00' } }] } }, 'prices.models.m.0.daily.from: "24:00" is no time'],
    ['hours that are none', { models: { m: [{ input: 1, daily: { from: '01:00', to: '01:00' } }] } }, 'prices.models.m.0.daily: starts when it ends'],
    ['days in another order', { models: { m: [{ input: 5, from: '2026-01-01' }, { input: 1, from: '2025-01-01' }] } }, 'prices.models.m.1.from: 2025-01-01 is before a day that stands above it'],
    ['hours from a day in another order', { models: { m: [{ input: 5, from: '2026-01-01' }, { input: 1, from: '2025-01-01', daily: { from: '01:00', to: '02:00' } }] } }, 'prices.models.m.1.from: 2025-01-01 is before'],
    ['a day twice', { models: { m: [{ input: 5, from: '2026-01-01' }, { input: 1, from: '2026-01-01' }] } }, 'prices.models.m.1.from: 2026-01-01 stands above it too'],
    ['a whole day after hours of it', { models: { m: [{ input: 5, from: '2026-01-01', daily: { from: '01:00', to: '02:00' } }, { input: 1, from: '2026-01-01' }] } }, 'prices.models.m.1.from: 2026-01-01 stands above it too'],
    ['one for always after others', { models: { m: [{ input: 5, from: '2026-01-01' }, { input: 1 }] } }, 'prices.models.m.1.from: is missing, and the prices before it would never count'],
    ['days of a tenant in another order', { tenants: { t: { m: [{ input: 1 }, { input: 5, from: '2026-01-01' }, { input: 1, from: '2025-01-01' }] } } }, 'prices.tenants.t.m.2.from: 2025-01-01'],
    ['a time outside a list', { models: { m: { input: 1, from: '2026-01-01' } } }, 'prices.models.m.from: is no known field'],
    ['an empty name', { models: { '': { input: 1 } } }, 'prices.models'],
    ['an alias of itself', { aliases: { a: 'a' } }, 'prices.aliases.a: goes in a circle (a → a)'],
    ['aliases in a circle', { aliases: { a: 'b', b: 'c', c: 'b' } }, 'goes in a circle'],
    ['an alias that leads nowhere', { aliases: { a: 'nowhere' } }, 'prices.aliases.a: leads to "nowhere", which has no price'],
    ['an alias with a price', { aliases: { large: 'both' }, models: { large: { input: 1 } } }, 'prices.aliases.large: is another name of "both", and models.large gives it a price'],
    ['an alias with a price of a tenant', { aliases: { large: 'both' }, tenants: { t: { large: { input: 1 } } } }, 'tenants.t.large'],
    ['no configuration', null, 'prices'],
  ])('are refused: %s', (_what, config, message) => {
    expect(() => new PriceBook(config as PricesConfig, catalog)).toThrow(InvalidConfigError)
    expect(() => new PriceBook(config as PricesConfig, catalog)).toThrow(message)
  })

  it('are refused without a catalog too', () => {
    expect(() => new PriceBook({ aliases: { a: 'large' } })).toThrow('leads to "large"')
    expect(() => new PriceBook({ aliases: { a: 'large' }, models: { large: { input: 1 } } })).not.toThrow()
  })

  it('are let through where only the request can say which provider is meant', () => {
    expect(versionOf({ aliases: { a: 'both' } }, 'a', 'acme')).toBe('acme/both')
  })

  it('can be checked as a JSON file', () => {
    expect(pricesConfigSchema.safeParse(JSON.parse('{"models":{"m":{"input":"0.15","output":0.6},"n":[{"perImage":1},{"perImage":2,"from":"2026-01-31"}]},"aliases":{"x":"m"}}')).success).toBe(true)
    expect(pricesConfigSchema.safeParse({ models: { m: { input: 'free' } } }).success).toBe(false)
  })

  it('are whole in an object of their own: nothing is inherited', () => {
    expect(new PriceBook({ models: JSON.parse('{"__proto__x": {"input": 1}}') }).find({ model: '__proto__x', at })).toBeDefined()
    expect(new PriceBook().find({ model: 'toString', at })).toBeUndefined()
  })
})
