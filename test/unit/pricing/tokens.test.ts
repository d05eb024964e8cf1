// Tokens in a text at most, and what so many cost at a price for a thousand.

import { describe, expect, it } from 'vitest'
import { InvalidAmountError } from '../../../src/errors/index.js'
import { calculateCost, tokensAtMost } from '../../../src/pricing/index.js'

describe('tokensAtMost', () => {
  it.each(['', 'hello', 'grüße', '日本語', '😀', 'a😀b', '\ud83d', '\ude00', '\ude00\ud83d', '\ud83d\ud83d\ude00', 'é'.repeat(1_000), 'x\u0000\u007f\u0080\u07ff\u0800\uffff'])('counts the UTF-8 bytes of %j', (text) => {
    expect(tokensAtMost(text)).toBe(new TextEncoder().encode(text).length)
  })

  it('counts those of any text', () => {
    for (let round = 0; round < 2_000; round += 1) {
      const units = Array.from({ length: round % 20 }, (_, index) => [0x41, 0xe9, 0x4e2d, 0xd83d, 0xde00, 0xdfff, 0xd800][(round * 31 + index * index * 7) % 7] as number)
      const text = String.fromCharCode(...units)
      expect(tokensAtMost(text), JSON.stringify(text)).toBe(new TextEncoder().encode(text).length)
    }
  })
})

describe('calculateCost', () => {
  it.each([
    [150, 0.03, '0.004500'],
    [250, 0.06, '0.015000'],
    [0, 0.03, '0.000000'],
    [1_000, 0.03, '0.030000'],
    [1, 0.00001, '0.00000001'],
    [1, '0.00000001', '0.00000001'],
    [3, 0.00015, '0.00000045'],
    [1_000_000, '12.5', '12500.000000'],
    [1_500, 0.1, '0.150000'],
    [7, 0, '0.000000'],
  ])('of %d tokens at %s for a thousand is %s', (tokens, price, cost) => {
    expect(calculateCost(tokens, price)).toBe(cost)
  })

  it.each([[-1, 0.03], [1.5, 0.03], [NaN, 0.03], ['150', 0.03], [150, -0.03], [150, NaN], [150, Infinity], [150, 'free'], [150, ''], [150, undefined], [undefined, 1], [2 ** 53 - 1, 1_000]])('refuses %s tokens at %s', (tokens, price) => {
    expect(() => calculateCost(tokens as number, price as number)).toThrow(InvalidAmountError)
  })
})
