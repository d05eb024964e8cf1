// Tokens instead of money: what a request is estimated at, what a call is charged, and what a refusal says would fit.

import { describe, expect, it } from 'vitest'
import { gracefulDegradation } from '../../../policies/index.js'
import { Bursar, PriceBook, type BursarConfig, type BursarEvents } from '../../../src/index.js'
import { manualClock } from '../../../src/testing/index.js'
import { allowedOf, deniedOf, entriesOf } from '../setting.js'

// USD for a million tokens: a token of `large` is 1,000 microcents in and 4,000 out, of `small` 100 and 400.
const prices = {
  models: {
    large: { input: 10, cachedInput: 1, output: 40, contextWindow: 10_000, maxOutputTokens: 1_000 },
    small: { input: 1, output: 4, contextWindow: 10_000 },
    endless: { input: 1, output: 4 },
    embeds: { input: 1, contextWindow: 8_000 },
    own: { input: 0, output: 0, contextWindow: 100 },
    'large-2026-01-01': { input: 20, output: 80 },
  },
  tenants: { acme: { large: { input: 5, output: 20, maxOutputTokens: 1_000 } } },
  aliases: { 'our-deployment': 'large' },
}

function engine(config: Partial<BursarConfig> = {}): Bursar {
  return new Bursar({ tiers: { free: { daily: 1 } }, defaultTier: 'free', clock: manualClock(), prices, ...config } as BursarConfig)
}

function heard<Name extends keyof BursarEvents>(bursar: Bursar, name: Name): BursarEvents[Name][] {
  const events: BursarEvents[Name][] = []
  bursar.on(name, (event) => events.push(event))
  return events
}

describe('a request that brings tokens', () => {
  it('is estimated at the dearest that these tokens can cost', async () => {
    const decision = allowedOf(await engine().check({ userId: 'u', model: 'large', inputTokens: 100, maxOutputTokens: 50 }))
    expect(decision.exact.estimatedMicrocents).toBe(100 * 1_000 + 50 * 4_000)
  })

  it('is estimated at all that the model can write where it says no maximum', async () => {
    expect(allowedOf(await engine().check({ userId: 'u', model: 'large', inputTokens: 1 })).exact.estimatedMicrocents).toBe(1_000 + 1_000 * 4_000)
    expect(allowedOf(await engine().check({ userId: 'u', model: 'small', inputTokens: 1 })).exact.estimatedMicrocents).toBe(100 + 10_000 * 400)
    await expect(engine().check({ userId: 'u', model: 'endless', inputTokens: 1 })).rejects.toMatchObject({ code: 'MISSING_ESTIMATE', message: expect.stringContaining('maxOutputTokens') as string })
  })

  it('is estimated without output on a model that writes none', async () => {
    const bursar = engine({ tiers: { free: { daily: '0.0001' } } })
    const decision = allowedOf(await bursar.check({ userId: 'u', model: 'embeds', inputTokens: 100 }))
    expect((await decision.settle({ usage: { inputTokens: 90 } })).exact.costMicrocents).toBe(9_000)
    expect(deniedOf(await bursar.check({ userId: 'u', model: 'embeds', inputTokens: 100 })).toDenial()).not.toHaveProperty('largestFittingOutput')
  })

  it('takes the prices of its tenant', async () => {
    const decision = allowedOf(await engine().check({ userId: 'u', tenant: 'acme', model: 'large', inputTokens: 100, maxOutputTokens: 0 }))
    expect(decision.exact.estimatedMicrocents).toBe(100 * 500)
    expect(await decision.settle({ usage: { inputTokens: 100 } })).toMatchObject({ exact: { costMicrocents: 50_000 } })
  })

  it('is free on a model that is priced at 0, and an error on one that has no price', async () => {
    expect(allowedOf(await engine().check({ userId: 'u', model: 'own', inputTokens: 100 })).estimatedCost).toBe(0)
    await expect(engine().check({ userId: 'u', model: 'unheard-of', inputTokens: 100, maxOutputTokens: 1 })).rejects.toMatchObject({ code: 'UNPRICED_MODEL', model: 'unheard-of' })
  })

  it('costs on an unpriced model what the configuration says', async () => {
    const bursar = engine({ onUnpricedModel: { input: 100, output: 100 } })
    const decision = allowedOf(await bursar.check({ userId: 'u', model: 'unheard-of', inputTokens: 1, maxOutputTokens: 1 }))
    expect(decision.exact.estimatedMicrocents).toBe(20_000)
    expect((await decision.settle({ usage: { inputTokens: 1, outputTokens: 0 } })).exact.costMicrocents).toBe(10_000)
  })

  it.each([
    [{ maxOutputTokens: 5, model: 'large' }, 'MISSING_ESTIMATE', 'inputTokens'],
    [{ inputTokens: 5 }, 'MISSING_ESTIMATE', 'model'],
    [{ inputTokens: -1, model: 'large' }, 'INVALID_AMOUNT', 'inputTokens: -1'],
    [{ inputTokens: 1.5, model: 'large' }, 'INVALID_AMOUNT', 'inputTokens: 1.5'],
    [{ inputTokens: 1, maxOutputTokens: Number.NaN, model: 'large' }, 'INVALID_', 'maxOutputTokens'],
    [{ inputTokens: 1, model: 'large', tokenKinds: ['smell'] }, 'INVALID_REQUEST', 'tokenKinds'],
  ])('refuses %j', async (request, code, says) => {
    const bursar = engine()
    const error = await bursar.check({ userId: 'u', ...request } as never).then(() => undefined, (thrown: unknown) => thrown as { code: string; message: string })
    expect(error?.code).toContain(code)
    expect(error?.message).toContain(says)
    expect((await bursar.tracker.getUserSummary('u')).held).toBe(0)
  })

  it('counts its tokens where tokens are limited, also when it names no maximum', async () => {
    const bursar = engine({ tiers: { free: { daily: { tokens: 1_500 } } } })
    allowedOf(await bursar.check({ userId: 'u', model: 'large', inputTokens: 100 }))
    expect(deniedOf(await bursar.check({ userId: 'u', model: 'large', inputTokens: 100 })).code).toBe('budget')
  })

  it('says of a refusal the most that the cheapest model may write to fit', async () => {
    const bursar = engine({ policies: [gracefulDegradation], ladder: { large: 'small' }, tiers: { free: { daily: '0.01' } } })
    await bursar.tracker.addCost({ userId: 'u', cost: '0.0099' }) // 10,000 microcents are left
    const { largestFittingOutput, message } = deniedOf(await bursar.check({ userId: 'u', model: 'large', inputTokens: 20, maxOutputTokens: 500 })).toDenial()
    expect(largestFittingOutput).toEqual({ model: 'small', maxOutputTokens: (10_000 - 20 * 100) / 400 })
    expect(message).toContain('With at most 20 output tokens, small would fit now.')
    expect(allowedOf(await bursar.check({ userId: 'u', model: 'small', inputTokens: 20, maxOutputTokens: 20 })).allowed).toBe(true)
  })

  it('says of a refusal that nothing would fit where the input alone is too much', async () => {
    const bursar = engine({ tiers: { free: { daily: '0.0001' } } })
    expect(deniedOf(await bursar.check({ userId: 'u', model: 'large', inputTokens: 20, maxOutputTokens: 500 })).toDenial().largestFittingOutput).toBeNull()
    expect(deniedOf(await bursar.check({ userId: 'u', model: 'large', estimatedCost: 1 })).toDenial()).not.toHaveProperty('largestFittingOutput')
  })
})

describe('a refusal in words', () => {
  const refused = async (config: Partial<BursarConfig>, request: object, spent = '0') => {
    const bursar = engine(config)
    await bursar.tracker.addCost({ userId: 'u', cost: spent })
    return deniedOf(await bursar.check({ userId: 'u', ...request })).toDenial().message
  }
  const small = { tiers: { free: { daily: '0.001' } } }

  it('says that the request names no maximum', async () => {
    expect(await refused(small, { model: 'large', inputTokens: 1 })).toContain('names no maximum of its output')
    expect(await refused(small, { model: 'large', inputTokens: 1, maxOutputTokens: 1_000 })).not.toContain('names no maximum')
  })

  it('says that it never fits', async () => {
    expect(await refused(small, { estimatedCost: 0.002 })).toContain('By itself it is more than the whole budget, and never fits.')
    expect(await refused(small, { estimatedCost: 0.001 }, '0.0005')).not.toContain('never fits')
  })

  it('says that the ladder has nothing cheaper', async () => {
    const config = { ...small, policies: [gracefulDegradation], ladder: { large: 'small' } }
    expect(await refused(config, { model: 'own', estimatedCost: 0 }, '0.00095')).toContain('From 90 % of it on a cheaper model is asked for, and the ladder has none for own (onNoCheaperModel).')
    expect(await refused(config, { model: 'own', estimatedCost: 0 }, '0.002')).toContain('onNoCheaperModel')
  })
})

describe('the ladder and prices', () => {
  const config = { policies: [gracefulDegradation], tiers: { free: { daily: 1 } } }

  it('knows a model by its other names', async () => {
    const bursar = engine({ ...config, ladder: { large: 'small' } })
    await bursar.tracker.addCost({ userId: 'u', cost: '0.95' })
    expect(allowedOf(await bursar.check({ userId: 'u', model: 'our-deployment', inputTokens: 10, maxOutputTokens: 10 })).model).toBe('small')
    expect([bursar.ladder?.nameOf('our-deployment'), bursar.ladder?.nameOf('large-2026-01-01'), bursar.ladder?.nameOf('small')]).toEqual(['large', undefined, 'small'])
  })

  it('leaves a rung out that would be dearer for this request', async () => {
    const long = { input: { base: 2, tiers: [{ above: 200_000, price: 100 }] }, output: 4 }
    const bursar = engine({ ...config, ladder: { large: ['long', 'small'] }, prices: { models: { ...prices.models, long } } })
    await bursar.tracker.addCost({ userId: 'u', cost: '0.5' })
    expect(allowedOf(await bursar.check({ userId: 'u', model: 'large', inputTokens: 1_000, maxOutputTokens: 10 })).rungs.map(({ model }) => model)).toEqual(['large', 'long', 'small'])
    const long300 = allowedOf(await bursar.check({ userId: 'u', model: 'large', inputTokens: 300_000, maxOutputTokens: 10 }))
    expect([long300.model, long300.rungs.map(({ model }) => model)]).toEqual(['small', ['large', 'small']])
  })

  it('prices a rung of another provider as that of nobody in particular, and settles it so', async () => {
    const bursar = engine({ ...config, ladder: { large: 'small' }, prices: { models: { 'one/large': prices.models.large, large: prices.models.large, small: prices.models.small } } })
    await bursar.tracker.addCost({ userId: 'u', cost: '0.95' })
    const decision = allowedOf(await bursar.check({ userId: 'u', model: 'large', provider: 'one', inputTokens: 100, maxOutputTokens: 10 }))
    expect([decision.model, decision.exact.estimatedMicrocents]).toEqual(['small', 100 * 100 + 10 * 400])
    expect((await decision.settle({ usage: { inputTokens: 10 } })).exact.costMicrocents).toBe(1_000)
  })
})

describe('the tokenizer', () => {
  it('counts texts, and bytes do where it fails', () => {
    const warned: string[] = []
    const bursar = engine({ tokenizer: (text, model) => (model === 'bad' ? Number.NaN : text.split(' ').length), logger: { debug() {}, warn: (message: string) => void warned.push(message) } })
    expect([bursar.tokensOf('one two', 'large'), bursar.tokensOf('one two', 'bad'), bursar.tokensOf('é', 'bad'), engine().tokensOf('é')]).toEqual([2, 7, 2, 2])
    expect(warned).toEqual([expect.stringContaining('the tokenizer failed')])
  })
})

describe('caps of one call', () => {
  it('refuse a call that may cost more, and say what the cap is', async () => {
    const bursar = engine()
    const denied = deniedOf(await bursar.check({ userId: 'u', model: 'large', inputTokens: 100, maxOutputTokens: 100, maxCost: '0.001' }))
    expect([denied.code, denied.reason]).toEqual(['policy', expect.stringContaining('maxCost') as string])
    expect(denied.reason).toContain('$0.005')
    expect(deniedOf(await bursar.check({ userId: 'u', estimatedCost: 0.1, inputTokens: 60, maxOutputTokens: 60, maxTokens: 100 })).reason).toContain('maxTokens')
    expect((await bursar.tracker.getUserSummary('u')).held).toBe(0)
    allowedOf(await bursar.check({ userId: 'u', estimatedCost: 0.1, maxCost: 0.1 }))
    allowedOf(await bursar.check({ userId: 'u', estimatedCost: 0, inputTokens: 50, maxOutputTokens: 50, maxTokens: 100 }))
  })

  it('take a cheaper model that fits where the ladder is walked', async () => {
    const bursar = engine({ policies: [gracefulDegradation], ladder: { large: 'small' } })
    const decision = allowedOf(await bursar.check({ userId: 'u', model: 'large', inputTokens: 100, maxOutputTokens: 100, maxCost: '0.001' }))
    expect([decision.action, decision.model]).toEqual(['DEGRADE', 'small'])
  })

  it.each([
    [{ estimatedCost: 0.1, maxTokens: 5 }],
    [{ estimatedCost: 0.1, inputTokens: 1_000, maxTokens: 5 }],
    [{ inputTokens: 5, maxOutputTokens: 5, maxCost: 1 }, { prices: undefined, tiers: { free: { daily: { tokens: 1_000 } } } }],
    [{ maxCost: 1 }, { tiers: { free: {} } }],
  ] as readonly [object, object?][])('refuse %j, of which nobody knows how much it is', async (request, config) => {
    await expect(engine((config ?? {}) as never).check({ userId: 'u', ...request })).rejects.toMatchObject({ code: expect.stringMatching(/MISSING_ESTIMATE|PRICES_NOT_CONFIGURED/) as string })
  })

  it('are not above what was meant, however they are written', async () => {
    expect(deniedOf(await engine().check({ userId: 'u', estimatedCost: '0.03333334', maxCost: 0.1 / 3 })).code).toBe('policy')
    allowedOf(await engine().check({ userId: 'u', estimatedCost: '0.03333333', maxCost: 0.1 / 3 }))
  })

  it.each([[{ maxCost: -1 }, 'maxCost'], [{ maxCost: Number.NaN }, 'maxCost'], [{ maxTokens: 0.5 }, 'maxTokens']])('refuse %j', async (caps, says) => {
    await expect(engine().check({ userId: 'u', estimatedCost: 0, ...caps })).rejects.toThrow(says)
  })
})

describe('a call that reports usage', () => {
  const ask = async (bursar: Bursar) => allowedOf(await bursar.check({ userId: 'u', model: 'large', inputTokens: 1_000, maxOutputTokens: 100, idempotencyKey: 'k' }))

  it('is charged by its price, rounded up once, and the ledger says by which', async () => {
    const bursar = engine()
    const decision = await ask(bursar)
    const usage = { inputTokens: 1_000, cachedInputTokens: 400, outputTokens: 7 }
    expect((await decision.settle({ usage })).exact.costMicrocents).toBe(600 * 1_000 + 400 * 100 + 7 * 4_000)
    const [entry] = await entriesOf(bursar.tracker)
    expect(entry).toMatchObject({ tokens: 1_007, model: 'large', details: { usage, priceVersion: bursar.prices?.priceOf({ model: 'large', at: 0 }).version } })
  })

  it('is charged what the provider says where it says so', async () => {
    const bursar = engine()
    expect((await (await ask(bursar)).settle({ usage: { inputTokens: 10, cost: '0.0123' } })).cost).toBe(0.0123)
    expect((await entriesOf(bursar.tracker))[0]?.details).toEqual({ action: 'ALLOW', priceVersion: 'reported', usage: { inputTokens: 10 } })
  })

  it('is charged what the provider says also where its counts do not add up, which is announced', async () => {
    const bursar = engine()
    const errors = heard(bursar, 'usage-error')
    expect((await (await ask(bursar)).settle({ usage: { inputTokens: 10, cachedInputTokens: 20, cost: '0.0123' } })).cost).toBe(0.0123)
    expect(errors.map(({ error }) => error.message)).toEqual([expect.stringContaining('cachedInputTokens')])
    expect((await entriesOf(bursar.tracker))[0]?.details).toEqual({ action: 'ALLOW', priceVersion: 'reported' })
  })

  it('is refused where its cost is reported twice and differs; once is enough', async () => {
    const decision = await ask(engine())
    await expect(decision.settle({ cost: 0.01, usage: { inputTokens: 1, cost: 0.02 } })).rejects.toMatchObject({ code: 'INVALID_REQUEST', message: expect.stringContaining('0.02') as string })
    expect((await decision.settle({ cost: 0.02, usage: { inputTokens: 1, cost: 0.02 } })).cost).toBe(0.02)
  })

  it('is priced as the model that answered, which is announced where it is another one', async () => {
    const bursar = engine()
    const mismatches = heard(bursar, 'model-mismatch')
    expect((await (await ask(bursar)).settle({ usage: { inputTokens: 1 }, model: 'large-2026-01-01' })).exact.costMicrocents).toBe(2_000)
    expect(mismatches).toEqual([{ id: 'k', decided: 'large', answered: 'large-2026-01-01' }])
    expect((await entriesOf(bursar.tracker))[0]).toMatchObject({ requestedModel: 'large', model: 'large-2026-01-01' })
  })

  it('knows one model under its other names', async () => {
    const bursar = engine()
    const mismatches = heard(bursar, 'model-mismatch')
    await (await ask(bursar)).settle({ usage: { inputTokens: 1 }, model: 'our-deployment' })
    expect(mismatches).toEqual([])
    expect((await entriesOf(bursar.tracker))[0]?.model).toBe('large')
  })

  it.each([
    [{ usage: {} }, 'INVALID_REQUEST', 'usage'],
    [{ usage: { inputTokens: -1 } }, 'INVALID_', 'inputTokens'],
    [{ usage: { inputTokens: 1.5 } }, 'INVALID_AMOUNT', 'inputTokens'],
    [{ usage: { inputTokens: '5' } }, 'INVALID_', 'inputTokens'],
    [{ usage: { inputTokens: 1, cachedInputTokens: 2 } }, 'INVALID_REQUEST', 'cachedInputTokens'],
    [{ usage: { prompt_tokens: 5 } }, 'INVALID_REQUEST', 'prompt_tokens'],
    [{ usage: { prompt_tokens: 5 }, cost: 1 }, 'INVALID_REQUEST', 'prompt_tokens'],
    [{ usage: { inputTokens: 1, images: 1 } }, 'UNPRICED_MODEL', 'images'],
    [{ usage: { inputTokens: 1 }, model: 'unheard-of' }, 'UNPRICED_MODEL', 'unheard-of'],
    [{ usage: 5 }, 'INVALID_REQUEST', 'usage'],
    [{ usage: null }, 'INVALID_REQUEST', 'usage'],
    [{ usage: { inputTokens: 1, cost: -1 } }, 'INVALID_AMOUNT', 'cost'],
  ])('settles nothing by %j', async (outcome, code, says) => {
    const bursar = engine()
    const decision = await ask(bursar)
    const error = await decision.settle(outcome as never).then(() => undefined, (thrown: unknown) => thrown as { code: string; message: string })
    expect(error?.code).toContain(code)
    expect(error?.message).toContain(says)
    expect(await entriesOf(bursar.tracker)).toEqual([])
    expect((await bursar.tracker.getUserSummary('u')).held).toBeCloseTo(decision.estimatedCost, 12)
  })

  it('has its price by its id alone too, and a cost beside it counts', async () => {
    const bursar = engine()
    for (const idempotencyKey of ['k', 'l']) await bursar.check({ userId: 'u', tenant: 'acme', model: 'large', inputTokens: 10, idempotencyKey })
    expect((await bursar.settle('k', { usage: { inputTokens: 1 }, model: 'large' })).exact.costMicrocents).toBe(500)
    const { cost } = (bursar.prices as PriceBook).cost({ inputTokens: 2 }, { model: 'large', tenant: 'acme' })
    expect((await bursar.settle('l', { cost, usage: { inputTokens: 1 }, model: 'large' })).exact.costMicrocents).toBe(1_000)
  })

  it('costs nothing where a cache answered', async () => {
    const bursar = engine()
    await bursar.guard({ userId: 'u', model: 'large', inputTokens: 10 }, async () => ({ result: 'cached', cost: 0 }))
    expect(await bursar.tracker.getUserSummary('u')).toMatchObject({ totalCost: 0, held: 0 })
  })
})

describe('metered usage', () => {
  const ask = async (bursar: Bursar) => allowedOf(await bursar.check({ userId: 'u', model: 'large', inputTokens: 1_000, maxOutputTokens: 100 }))

  it('is priced when the call is settled: what the model writes as output, what it reads as input', async () => {
    const bursar = engine()
    const decision = await ask(bursar)
    decision.addUsage(10, 'prompt', { label: 'question' })
    decision.addUsage('5', 'completion', { label: 'answer' })
    decision.addUsage(2, 'function_call', { label: 'answer' })
    decision.addUsage(3, 'tool_usage')
    decision.addUsage(20, 'total')
    expect((await decision.settle()).exact.costMicrocents).toBe(13 * 1_000 + 7 * 4_000)
    expect((await entriesOf(bursar.tracker))[0]).toMatchObject({ tokens: 20, details: { usage: { inputTokens: 13, outputTokens: 7 }, labels: { question: 10, answer: 7 } } })
  })

  it('adds what came with a cost to what needs a price, model by model', async () => {
    const bursar = engine()
    const decision = await ask(bursar)
    decision.addUsage(10, 'input', { model: 'small' })
    decision.addUsage(10, 'input', { cost: '0.5' })
    decision.addUsage(10, 'input')
    expect((await decision.settle()).exact.costMicrocents).toBe(1_000 + 50_000_000 + 10_000)
    const version = (await entriesOf(bursar.tracker))[0]?.details?.priceVersion
    expect(version?.split(' ')).toHaveLength(2)
  })

  it('keeps fees beside the usage that the call reports, and not the tokens that are in it', async () => {
    const bursar = engine()
    const decision = await ask(bursar)
    decision.addUsage(0, 'tool_usage', { cost: '0.25', label: 'search' })
    decision.addUsage(10, 'input')
    decision.addUsage(10, 'input', { cost: '0.1' })
    expect((await decision.settle({ usage: { inputTokens: 20, outputTokens: 1 } })).exact.costMicrocents).toBe(25_000_000 + 20_000 + 4_000)
  })

  it('of a model that was tried before the one that answered is added, also where it is not named', async () => {
    const bursar = engine()
    const decision = await ask(bursar)
    decision.addUsage(10, 'input')
    decision.addUsage(5, 'input', { model: 'large' })
    expect((await decision.settle({ usage: { inputTokens: 20 }, model: 'small', provider: 'elsewhere' })).exact.costMicrocents).toBe(15_000 + 2_000)
    expect((await entriesOf(bursar.tracker))[0]).toMatchObject({ model: 'small', provider: 'elsewhere', details: { usage: { inputTokens: 35 } } })
  })

  it('counts before a usage that is only estimated where it costs more, and its fees in any case', async () => {
    const [seen, metered] = [engine(), engine()]
    const first = await ask(seen)
    first.addUsage(0, 'tool_usage', { cost: '0.01' })
    expect((await first.settle({ usage: { inputTokens: 100 }, estimated: true })).exact.costMicrocents).toBe(100_000 + 1_000_000)
    const second = await ask(metered)
    second.addUsage(500, 'input')
    expect((await second.settle({ usage: { inputTokens: 100 }, estimated: true })).exact.costMicrocents).toBe(500_000)
  })

  it('is announced as too late once the call is settled', async () => {
    const bursar = engine()
    const errors = heard(bursar, 'usage-error')
    const decision = await ask(bursar)
    await decision.settle({ cost: 0.01 })
    decision.addUsage(10, 'input')
    expect(errors.map(({ error }) => error.message)).toEqual([expect.stringContaining('addUsage: the decision is settled')])
  })

  it('reports a total that is not the sum, and charges the pieces', async () => {
    const bursar = engine()
    const errors = heard(bursar, 'usage-error')
    const decision = await ask(bursar)
    decision.addUsage(10, 'input')
    decision.addUsage(11, 'total')
    expect((await decision.settle()).exact.costMicrocents).toBe(10_000)
    expect(errors.map(({ error }) => error.message)).toEqual([expect.stringContaining('total: 11')])
  })

  it.each([[-1, 'input'], [1.5, 'input'], ['0x10', 'input'], ['1e3', 'input'], [Number.NaN, 'input'], [1, 'thoughts'], [1, 'input', { cost: 'x' }], [1, 'input', { costs: 1 }], [1, 'input', { label: '' }]])('never throws, and counts nothing of %j %s %j', async (...piece) => {
    const bursar = engine()
    const errors = heard(bursar, 'usage-error')
    const decision = await ask(bursar)
    decision.addUsage(...(piece as [never, never, never]))
    expect(errors).toHaveLength(1)
    await expect(decision.settle()).rejects.toMatchObject({ code: 'MISSING_COST' })
  })

  it('of an unpriced model is charged at least the estimate when the call is abandoned, and marked', async () => {
    const bursar = engine()
    const decision = await ask(bursar)
    decision.addUsage(10, 'input', { model: 'unheard-of' })
    await decision.abandon()
    expect(await entriesOf(bursar.tracker)).toMatchObject([{ microcents: decision.exact.estimatedMicrocents, details: { estimated: true } }])
  })

  it('is charged by its price when the call is abandoned', async () => {
    const bursar = engine()
    const decision = await ask(bursar)
    decision.addUsage(10, 'input')
    await decision.abandon()
    expect((await entriesOf(bursar.tracker))[0]?.microcents).toBe(10_000)
  })
})

describe('prices in a configuration', () => {
  it('may be a book or plain data', () => {
    const book = new PriceBook(prices)
    expect(engine({ prices: book }).prices).toBe(book)
    expect(engine().prices).toBeInstanceOf(PriceBook)
  })

  it.each([[{ prices: 5 }, 'prices'], [{ prices: { models: { m: {} } } }, 'prices.models.m'], [{ prices: { models: { m: { input: -1 } } } }, 'prices.models.m'], [{ onUnpricedModel: 'free' }, 'onUnpricedModel'], [{ onUnpricedModel: { input: Number.NaN } }, 'input']])('refuses %j', (config, says) => {
    expect(() => engine(config as never)).toThrow(says)
  })

  it('refuses a ladder that does not lead down, with the figures', () => {
    expect(() => engine({ ladder: { small: 'large' } })).toThrow(/"large" is not cheaper.*"small" costs 1\.00 in and 4\.00 out, "large" 10\.00 in and 40\.00 out/)
    expect(() => engine({ ladder: { large: 'unheard-of' } })).toThrow('"unheard-of" has no price')
    expect(() => engine({ ladder: { large: 'unheard-of' }, estimate: () => 0.01 })).not.toThrow()
  })
})
