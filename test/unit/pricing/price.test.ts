// What a usage costs at a price: exact arithmetic, rounded up once, and loud about everything that it cannot price.

import { describe, expect, it } from 'vitest'
import { InvalidAmountError, InvalidRequestError, UnpricedModelError } from '../../../src/errors/index.js'
import { PriceBook, type ModelPrice, type ModelPrices, type Price, type TokenKind, type Usage } from '../../../src/pricing/index.js'

const at = Date.UTC(2026, 5, 1, 12)

function price(prices: ModelPrices): Price {
  return new PriceBook({ models: { m: prices } }).priceOf({ model: 'm', at })
}

const chat: ModelPrice = { input: 2.5, cachedInput: 1.25, output: 10 }
const voice: ModelPrice = { input: 4, cachedInput: 0.4, inputAudio: 32, cachedInputAudio: 0.5, output: 16, outputAudio: 64 }

describe('the cost of a usage', () => {
  it.each<[string, ModelPrices, Usage, number]>([
    ['tokens in and out', chat, { inputTokens: 1_000, outputTokens: 100 }, 350_000],
    ['tokens from a cache', chat, { inputTokens: 1_000, cachedInputTokens: 400, outputTokens: 100 }, 300_000],
    ['parts without a price as what their total costs', chat, { inputTokens: 1_000, cacheWriteTokens: 300, inputAudioTokens: 200, outputTokens: 100, reasoningTokens: 90 }, 350_000],
    ['writes to a cache, for an hour and for less', { ...chat, cacheWrite: 3, cacheWrite1h: 5 }, { inputTokens: 100, cacheWriteTokens: 70, cacheWrite1hTokens: 20 }, 30 * 250 + 50 * 300 + 20 * 500],
    ['what is audio and cached at once', voice, { inputTokens: 1_000, cachedInputTokens: 300, inputAudioTokens: 500, cachedInputAudioTokens: 200 }, 400 * 400 + 100 * 40 + 300 * 3_200 + 200 * 50],
    ['a fraction of a microcent as a whole one', { input: 0.003625 }, { inputTokens: 1 }, 1],
    ['no more than one of them for a call', { input: 0.003625, output: 0.003625 }, { inputTokens: 1, outputTokens: 1 }, 1],
    ['exactly 0.1 and 0.2 together', { input: 0.1, output: 0.2 }, { inputTokens: 1, outputTokens: 1 }, 30],
    ['a string as it is written', { input: '0.000000000000000001' }, { inputTokens: 1_000_000 }, 1],
    ['a price of nothing', { input: 0, output: 0 }, { inputTokens: 1_000_000, outputTokens: 5 }, 0],
    ['a call for itself', { perCall: 0.005 }, { inputTokens: 0 }, 500_000],
    ['what is given as 0 and has no price', { input: 1 }, { inputTokens: 10, outputTokens: 0, webSearches: 0 }, 1_000],
    ['searches', { input: 1, perWebSearch: 0.01, perStorageSearch: { price: 2.5, per: 1_000 } }, { inputTokens: 0, webSearches: 3, storageSearches: 2 }, 3_500_000],
    ['pages, those with annotations among them', { perDocumentPage: 0.001, perAnnotatedDocumentPage: 0.003 }, { documentPages: 10, annotatedDocumentPages: 4 }, 1_800_000],
    ['images, messages and seconds', { perImage: '0.04', perTextMessage: 0.004, perSecond: 0.1 }, { images: 2, textMessages: 1, seconds: 2.5 }, 33_400_000],
    ['a call for itself and part of a second', { perCall: 0.005, perSecond: 1 }, { seconds: 0.5 }, 50_500_000],
    ['an hour of audio', { perAudioSecond: { price: 0.111, per: 3_600 } }, { audioSeconds: 3_600 }, 11_100_000],
    ['a part of a second of audio', { perAudioSecond: { price: 0.111, per: 3_600 } }, { audioSeconds: 0.1 }, 309],
    ['seconds to fifteen digits', { perSecond: 1 }, { seconds: 0.1 + 0.2 }, 30_000_000],
    ['audio that is short, as the least that is charged for', { perAudioSecond: 0.001, minAudioSeconds: 10 }, { audioSeconds: 0.5 }, 1_000_000],
    ['no audio, as none', { perAudioSecond: 0.001, input: 1, minAudioSeconds: 10 }, { audioSeconds: 0, inputTokens: 1 }, 100],
    ['what the provider says that it cost', chat, { inputTokens: 1_000, outputTokens: 1_000_000, cost: '0.0000000101' }, 2],
    ['what the provider says, also where there is no price for it', chat, { images: 3, cost: 0 }, 0],
  ])('has %s', (_what, prices, usage, microcents) => {
    expect(price(prices).costOf(usage)).toBe(microcents)
  })

  it('takes the last tier that the input tokens pass, for all tokens', () => {
    const tiered = price({ input: { base: 1, tiers: [{ above: 200, price: 4 }, { above: 100, price: 2 }] }, cachedInput: { base: '0.5', tiers: [{ above: 150, price: 1 }] }, output: 10 })
    const cost = (inputTokens: number): number => tiered.costOf({ inputTokens, cachedInputTokens: 50, outputTokens: 1 })
    expect([100, 101, 150, 151, 200, 201].map(cost)).toEqual([50 * 100 + 50 * 50 + 1_000, 51 * 200 + 50 * 50 + 1_000, 100 * 200 + 50 * 50 + 1_000, 101 * 200 + 50 * 100 + 1_000, 150 * 200 + 50 * 100 + 1_000, 151 * 400 + 50 * 100 + 1_000])
  })

  it('stays exact where floats are not', () => {
    const odd = price({ input: '1.000000000000001', output: 1 / 3 })
    expect(odd.costOf({ inputTokens: 90_071_992_547, outputTokens: 3 })).toBe(9_007_199_254_801)
    expect(() => odd.costOf({ inputTokens: 90_071_992_547_410 })).toThrow(InvalidAmountError)
    expect(price({ input: 1 }).costOf({ inputTokens: 90_071_992_547_409 })).toBe(9_007_199_254_740_900)
  })

  it('stays exact where large sums nearly cancel out', () => {
    const nearlyFree = price({ input: '3.0000000001', cachedInput: '0.0000000001' })
    for (let cost = 10_000; cost < 10_100; cost += 1) expect(nearlyFree.costOf({ inputTokens: cost * 1e8, cachedInputTokens: cost * 1e8 })).toBe(cost)
  })

  it.each<[string, unknown, RegExp]>([
    ['a negative count', { inputTokens: -1 }, /usage\.inputTokens: -1/],
    ['part of a token', { inputTokens: 1.5 }, /usage\.inputTokens: 1\.5/],
    ['NaN', { inputTokens: 1, outputTokens: NaN }, /usage\.outputTokens: NaN/],
    ['an infinity', { inputTokens: Infinity }, /usage\.inputTokens: Infinity/],
    ['text', { inputTokens: '5' }, /usage\.inputTokens: "5"/],
    ['null', { inputTokens: null }, /usage\.inputTokens: null/],
    ['more than 2^53', { inputTokens: 2 ** 53 }, /usage\.inputTokens/],
    ['negative seconds', { seconds: -0.5 }, /usage\.seconds: -0\.5/],
    ['NaN seconds', { audioSeconds: NaN }, /usage\.audioSeconds: NaN/],
    ['a negative cost', { inputTokens: 1, cost: -1 }, /usage\.cost: -1/],
  ])('refuses %s as no count', (_what, usage, message) => {
    expect(() => price(chat).costOf(usage as Usage)).toThrow(InvalidAmountError)
    expect(() => price(chat).costOf(usage as Usage)).toThrow(message)
  })

  it.each<[string, ModelPrices, unknown, RegExp]>([
    ['nothing', chat, {}, /says nothing/],
    ['fields without values', chat, { inputTokens: undefined }, /says nothing/],
    ['what is no object', chat, 5, /usage: 5/],
    ['null', chat, null, /usage: null/],
    ['an unknown field', chat, { inputTokens: 1, outputToken: 5 }, /usage\.outputToken/],
    ['a list', chat, [1], /usage\.0/],
    ['a part above its total', chat, { inputTokens: 10, cachedInputTokens: 11 }, /cachedInputTokens: 11 is more than inputTokens \(10\)/],
    ['a part above its total that has no price', chat, { outputTokens: 10, reasoningTokens: 11 }, /reasoningTokens: 11/],
    ['a part without its total', chat, { cachedInputTokens: 11 }, /usage\.inputTokens: is missing/],
    ['a part of a part above it', chat, { inputTokens: 10, cacheWriteTokens: 3, cacheWrite1hTokens: 4 }, /cacheWrite1hTokens: 4 is more than cacheWriteTokens/],
    ['parts that together are more', { ...chat, cacheWrite: 3 }, { inputTokens: 10, cachedInputTokens: 6, cacheWriteTokens: 5 }, /inputTokens: 10 is less than its parts together: cachedInputTokens \(6\), cacheWriteTokens \(5\)/],
    ['silence about what is both', voice, { inputTokens: 10, cachedInputTokens: 2, inputAudioTokens: 3 }, /cachedInputAudioTokens: is missing/],
  ])('refuses %s', (_what, prices, usage, message) => {
    expect(() => price(prices).costOf(usage as Usage)).toThrow(InvalidRequestError)
    expect(() => price(prices).costOf(usage as Usage)).toThrow(message)
  })

  it.each<[string, ModelPrices, Usage, RegExp]>([
    ['output', { input: 1 }, { inputTokens: 1, outputTokens: 1 }, /usage\.outputTokens: 1.*"m".*output/],
    ['web searches', chat, { inputTokens: 1, webSearches: 2 }, /usage\.webSearches: 2.*perWebSearch/],
    ['images', chat, { images: 1 }, /usage\.images: 1.*perImage/],
    ['tokens of a service by the second', { perSecond: 1 }, { inputTokens: 7 }, /usage\.inputTokens: 7/],
  ])('never takes %s without a price for free', (_what, prices, usage, message) => {
    expect(() => price(prices).costOf(usage)).toThrow(UnpricedModelError)
    expect(() => price(prices).costOf(usage)).toThrow(message)
  })
})

describe('the most that a call can cost', () => {
  it.each<[string, ModelPrices, number, number, readonly TokenKind[] | undefined, number]>([
    ['plain text', chat, 1_000, 100, undefined, 350_000],
    ['the dearest kind', voice, 10, 10, undefined, 10 * 3_200 + 10 * 6_400],
    ['plain text where no other kind can be', voice, 10, 10, [], 10 * 400 + 10 * 1_600],
    ['a cache that is dearer than what is new', { input: 1, cachedInput: 2 }, 10, 0, [], 2_000],
    ['a kind without a price as its total', { input: 1, cacheWrite: 3, output: 1 }, 10, 0, ['cache-write-1h'], 3_000],
    ['writes to a cache where there can be', { input: 1, cacheWrite: 3, cacheWrite1h: 5 }, 10, 0, ['cache-write'], 3_000],
    ['reasoning where there can be', { input: 1, output: 1, reasoning: 3 }, 0, 10, ['reasoning'], 3_000],
    ['no reasoning where there cannot be', { input: 1, output: 1, reasoning: 3 }, 0, 10, [], 1_000],
    ['the call itself', { input: 1, perCall: 0.01 }, 10, 0, undefined, 1_001_000],
    ['a dearer tier', { input: { base: 1, tiers: [{ above: 100, price: 2 }] } }, 101, 0, undefined, 101 * 200],
    ['no tier that begins where the tokens end', { input: { base: 1, tiers: [{ above: 100, price: 2 }] } }, 100, 0, undefined, 10_000],
    ['a cheaper tier above, with as many tokens as the dear one takes', { input: { base: 10, tiers: [{ above: 100, price: 1 }] } }, 500, 0, undefined, 100_000],
    ['nothing', chat, 0, 0, undefined, 0],
  ])('has %s', (_what, prices, input, output, kinds, microcents) => {
    expect(price(prices).mostFor(input, output, kinds)).toBe(microcents)
  })

  it('is exact beyond what floats can hold, up to the largest amount', () => {
    expect(price({ input: '1.000000000000001' }).mostFor(90_071_992_547, 0)).toBe(9_007_199_254_701)
    expect(() => price(chat).mostFor(2 ** 52, 0)).toThrow(InvalidAmountError)
  })

  it('refuses what is no count, what has no price, and what is no kind', () => {
    for (const bad of [-1, 1.5, NaN, Infinity, '1' as unknown as number]) {
      expect(() => price(chat).mostFor(bad, 0)).toThrow(/inputTokens/)
      expect(() => price(chat).mostFor(0, bad)).toThrow(/outputTokens/)
    }
    expect(() => price({ input: 1 }).mostFor(1, 1)).toThrow(UnpricedModelError)
    expect(() => price({ perImage: 1 }).mostFor(1, 0)).toThrow(UnpricedModelError)
    expect(() => price(chat).mostFor(1, 1, ['text' as TokenKind])).toThrow(/tokenKinds: "text"/)
  })
})

describe('the version of a price', () => {
  const version = (prices: ModelPrices): string => price(prices).version

  it('is that of its rates, in whatever notation', () => {
    expect(version(chat)).toMatch(/^own\/m@[0-9a-f]{12}$/)
    expect(version({ output: '10.00', input: '2.5', cachedInput: { price: 0.00125, per: 1_000 }, contextWindow: 5, maxOutputTokens: 3 })).toBe(version(chat))
  })

  it('is another for other rates', () => {
    const others: ModelPrice[] = [chat, { ...chat, input: 2.51 }, { ...chat, output: 2.5, input: 10 }, { ...chat, reasoning: 10 }, { input: 2.5, output: 10 }, { ...chat, input: { base: 2.5, tiers: [{ above: 5, price: 3 }] } }, { ...chat, input: { base: 2.5, tiers: [{ above: 6, price: 3 }] } }, { ...chat, perCall: 0 }, { ...chat, perAudioSecond: 1 }, { ...chat, perAudioSecond: 1, minAudioSeconds: 1 }]
    expect(new Set(others.map(version)).size).toBe(others.length)
  })

  it('stays the same from one release to the next', () => {
    // Ledgers keep it: another way to write a price down would make all of them look changed.
    expect(version(chat)).toBe('own/m@b1814319e102')
  })

  it('stands beside the rates, for people to read', () => {
    const { rates, contextWindow, maxOutputTokens } = price({ ...chat, contextWindow: 128_000, maxOutputTokens: 4_096 })
    expect(rates).toEqual(chat)
    expect([contextWindow, maxOutputTokens]).toEqual([128_000, 4_096])
    expect(Object.isFrozen(rates)).toBe(true)
  })
})
