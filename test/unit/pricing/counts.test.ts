// What a provider says that a call cost: money first, and what is wrong with the counts beside it.

import { describe, expect, it } from 'vitest'
import { InvalidAmountError, InvalidRequestError } from '../../../src/errors/index.js'
import { PriceBook, readReported, type Usage } from '../../../src/pricing/index.js'

describe('a reported cost', () => {
  it('is rounded up to microcents', () => {
    expect(readReported({ inputTokens: 5, cost: 0.25 })).toEqual({ microcents: 25_000_000, flaw: undefined })
    expect(readReported({ cost: '0.000000001' })).toEqual({ microcents: 1, flaw: undefined })
    expect(readReported({ inputTokens: 5, outputTokens: 1 })).toBeUndefined()
  })

  it.each<[string, object, typeof InvalidAmountError | typeof InvalidRequestError, RegExp]>([
    ['more was cached than read', { inputTokens: 10, cachedInputTokens: 12, cost: 0.25 }, InvalidRequestError, /cachedInputTokens: 12 is more than inputTokens/],
    ['a count is none', { inputTokens: -5, cost: 0.25 }, InvalidAmountError, /inputTokens: -5 is not a count/],
    ['a field is not known', { prompt: 5, cost: 0.25 }, InvalidRequestError, /usage\.prompt: is no known field/],
  ])('stands where %s, and says so', (_what, usage, flawed, message) => {
    const reported = readReported(usage as Usage)
    expect(reported?.microcents).toBe(25_000_000)
    expect(reported?.flaw).toBeInstanceOf(flawed)
    expect(reported?.flaw?.message).toMatch(message)
    const price = new PriceBook({ models: { m: { input: 1, output: 1 } } }).priceOf({ model: 'm', at: 0 })
    expect(price.costOf(usage as Usage)).toBe(25_000_000)
    expect(() => price.costOf({ ...usage, cost: undefined } as Usage)).toThrow(message)
  })

  it('is refused where it is no cost, and where there is no usage', () => {
    for (const cost of [-1, NaN, 'free', null]) expect(() => readReported({ inputTokens: 1, cost: cost as number })).toThrow(InvalidAmountError)
    for (const usage of [null, undefined, 5]) expect(() => readReported(usage as unknown as Usage)).toThrow(InvalidRequestError)
  })
})
