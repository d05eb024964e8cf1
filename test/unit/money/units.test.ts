// The three units of a limit: what an amount is in each, and how counts are read.

import { describe, expect, it } from 'vitest'
import { InvalidAmountError } from '../../../src/errors/index.js'
import { amountIn, describeAmount, MAX_AMOUNT, parseCount, saturatingAdd, toPublic, UNITS } from '../../../src/money/index.js'

describe('units', () => {
  it('counts of an amount what the unit names, and every request once', () => {
    const amounts = { microcents: 7, tokens: 9 }
    expect(UNITS.map((unit) => amountIn(unit, amounts))).toEqual([7, 9, 1])
  })

  it('shows money as USD and counts as they are', () => {
    expect(toPublic('usd', 10_000_000)).toBe(0.1)
    expect(toPublic('tokens', 1200)).toBe(1200)
    expect(describeAmount('usd', 10_000_000)).toBe('$0.10')
    expect(describeAmount('tokens', 1200)).toBe('1200 tokens')
    expect(describeAmount('requests', 20)).toBe('20 requests')
    expect([describeAmount('requests', 1), describeAmount('tokens', 1), describeAmount('tokens', 0)]).toEqual(['1 request', '1 token', '0 tokens'])
  })

  it('keeps a sum at 2^53 − 1', () => {
    expect(saturatingAdd(1, 2)).toBe(3)
    expect(saturatingAdd(MAX_AMOUNT, 1)).toBe(MAX_AMOUNT)
    expect(saturatingAdd(MAX_AMOUNT, MAX_AMOUNT)).toBe(MAX_AMOUNT)
  })

  it.each([0, 1, 4096, MAX_AMOUNT])('reads the count %d', (count) => {
    expect(parseCount(count, 'tokens')).toBe(count)
  })

  it.each([-1, 0.5, Number.NaN, Infinity, MAX_AMOUNT + 1, '5', null, undefined, 5n, {}])('refuses the count %s', (count) => {
    expect(() => parseCount(count, 'inputTokens')).toThrow(InvalidAmountError)
    expect(() => parseCount(count, 'inputTokens')).toThrow(/^inputTokens: .* is not a count\. Give an integer/)
  })

  it('reads minus zero as zero', () => {
    expect(Object.is(parseCount(-0, 'tokens'), 0)).toBe(true)
  })
})
