// Reading and writing money, against an oracle that works on decimal strings with BigInt.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { InvalidAmountError } from '../../../src/errors/index.js'
import { formatUsd, MAX_AMOUNT, MICROCENTS_PER_USD, parseUsd, toUsd } from '../../../src/money/index.js'

/** Microcents of an unsigned decimal, rounded down, and whether a fraction was left. */
function oracle(text: string): { floor: bigint; rest: boolean } {
  const [mantissa = '', exponent = '0'] = text.toLowerCase().split('e')
  const [whole = '', fraction = ''] = mantissa.split('.')
  const digits = BigInt(whole + fraction)
  const shift = Number(exponent) - fraction.length + 8
  if (shift >= 0) return { floor: digits * 10n ** BigInt(shift), rest: false }
  const divisor = 10n ** BigInt(-shift)
  return { floor: digits / divisor, rest: digits % divisor !== 0n }
}

function expectAsOracle(value: number | string, text: string): void {
  const { floor, rest } = oracle(text)
  const up = floor + (rest ? 1n : 0n)
  if (up > BigInt(MAX_AMOUNT)) {
    expect(() => parseUsd(value, 'cost', 'round-up')).toThrow(InvalidAmountError)
    return
  }
  expect(BigInt(parseUsd(value, 'cost', 'round-up'))).toBe(up)
  if (rest) expect(() => parseUsd(value, 'limit', 'refuse')).toThrow(InvalidAmountError)
  else expect(BigInt(parseUsd(value, 'limit', 'refuse'))).toBe(up)
}

const cents = (usd: unknown): number => parseUsd(usd, 'cost', 'round-up')

describe('parseUsd', () => {
  it.each([
    [0, 0],
    [-0, 0],
    [1, 100_000_000],
    [0.1, 10_000_000],
    [0.1 + 0.2, 30_000_000],
    [0.3, 30_000_000],
    [1.1 * 3, 330_000_000],
    [0.00000001, 1],
    [1e-8, 1],
    [123_456.789, 12_345_678_900_000],
    [90_071_992.547, 9_007_199_254_700_000],
    ['0', 0],
    ['0.10', 10_000_000],
    ['0.30', 30_000_000],
    ['1.', 100_000_000],
    ['+2.5', 250_000_000],
    [' 2.5 ', 250_000_000],
    ['1e-8', 1],
    ['1.5E2', 15_000_000_000],
    ['0e999', 0],
    ['90071992.54740991', MAX_AMOUNT],
    ['000000000000000000000000.01', 1_000_000],
  ])('reads %s as %d microcents', (usd, microcents) => {
    expect(Object.is(cents(usd), microcents)).toBe(true)
    expect(parseUsd(usd, 'limit', 'refuse')).toBe(microcents)
  })

  it('adds ten times 0.1 up to exactly 1', () => {
    let sum = 0
    for (let time = 0; time < 10; time += 1) sum += cents(0.1)
    expect(toUsd(sum)).toBe(1)
    let floats = 0
    for (let time = 0; time < 10; time += 1) floats += 0.1
    expect(floats).not.toBe(1)
    expect(cents(floats)).toBe(MICROCENTS_PER_USD)
  })

  it('reads a number to 15 significant digits and a string to the last one', () => {
    expect(cents(Number('0.123456780000000001'))).toBe(12_345_678)
    expect(cents('0.123456780000000001')).toBe(12_345_679)
    expect(cents(0.30000000000000004)).toBe(30_000_000)
    expect(cents('0.30000000000000004')).toBe(30_000_001)
  })

  it('rounds a cost up to a microcent and refuses a limit that is finer', () => {
    expect(cents(0.000000001)).toBe(1)
    expect(cents('0.000000011')).toBe(2)
    expect(cents(5e-324)).toBe(1)
    expect(() => parseUsd(0.000000001, 'daily', 'refuse')).toThrow('daily: 1e-9 is finer than a microcent')
    expect(() => parseUsd('0.000000011', 'daily', 'refuse')).toThrow('Use at most 8 decimals.')
  })

  it.each([
    [Number.NaN, 'NaN is not a finite number'],
    [Number.POSITIVE_INFINITY, 'Infinity is not a finite number'],
    [Number.NEGATIVE_INFINITY, '-Infinity is not a finite number'],
    [-0.01, '-0.01 is negative'],
    [-1e-12, '-1e-12 is negative'],
    ['-0.01', '"-0.01" is negative'],
    ['-0', '"-0" is negative'],
    [90_071_992.6, 'is more than 2^53 − 1 microcents'],
    [1e300, 'is more than 2^53 − 1 microcents'],
    ['90071992.54740992', 'is more than 2^53 − 1 microcents'],
    ['1e999', 'is more than 2^53 − 1 microcents'],
    ['', '"" is not a decimal'],
    [' ', 'is not a decimal'],
    ['abc', '"abc" is not a decimal'],
    ['.5', '".5" is not a decimal'],
    ['1,5', 'is not a decimal'],
    ['$1', 'is not a decimal'],
    ['0x10', 'is not a decimal'],
    ['1_000', 'is not a decimal'],
    ['1e', 'is not a decimal'],
    ['NaN', 'is not a decimal'],
    ['Infinity', 'is not a decimal'],
    ['1 2', 'is not a decimal'],
    ['١', 'is not a decimal'],
    [null, 'null is neither a number nor a decimal string'],
    [undefined, 'undefined is neither'],
    [true, 'true is neither'],
    [10n, '10 is neither'],
    [{}, 'is neither'],
    [['1'], 'is neither'],
  ])('refuses %s with field, value and remedy', (value, why) => {
    for (const fraction of ['round-up', 'refuse'] as const) {
      expect(() => parseUsd(value, 'estimatedCost', fraction)).toThrow(InvalidAmountError)
      expect(() => parseUsd(value, 'estimatedCost', fraction)).toThrow(why)
      expect(() => parseUsd(value, 'estimatedCost', fraction)).toThrow(/^estimatedCost: .*\. (Give USD as a number|Use at most)/)
    }
  })

  it('agrees with the oracle on decimal strings', () => {
    const digits = (most: number): fc.Arbitrary<string> => fc.string({ unit: fc.constantFrom(...'0123456789'), maxLength: most })
    const exponent = fc.option(fc.integer({ min: -30, max: 20 }), { nil: undefined })
    fc.assert(
      fc.property(digits(12), digits(24), exponent, (whole, fraction, power) => {
        const text = `${whole === '' ? '0' : whole}${fraction === '' ? '' : `.${fraction}`}${power === undefined ? '' : `e${power}`}`
        expectAsOracle(text, text)
      }),
      { numRuns: 2_000 },
    )
  })

  it('agrees with the oracle on numbers', () => {
    const doubles = fc.double({ min: 0, max: 1e9, noNaN: true })
    const sums = fc.array(fc.double({ min: 0, max: 10, noNaN: true }), { maxLength: 12 }).map((parts) => parts.reduce((all, part) => all + part, 0))
    const prices = fc.tuple(fc.nat(1_000_000), fc.integer({ min: 0, max: 12 })).map(([mantissa, decimals]) => mantissa / 10 ** decimals)
    const large = fc.integer({ min: 9e15 - 1_000_000, max: Number.MAX_SAFE_INTEGER }).map((microcents) => microcents / MICROCENTS_PER_USD)
    const any = fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }).map((bits) => new Float64Array(new BigUint64Array([bits]).buffer)[0] as number).filter(Number.isFinite)
    fc.assert(
      fc.property(fc.oneof(doubles, sums, prices, large, any), (value) => expectAsOracle(value, value.toPrecision(15))),
      { numRuns: 5_000 },
    )
  })
})

describe('formatUsd and toUsd', () => {
  it.each([
    [0, '0.00'],
    [3, '0.00000003'],
    [10_000_000, '0.10'],
    [100_000_000, '1.00'],
    [-2_500_000, '-0.025'],
    [123_456_789_012, '1234.56789012'],
    [MAX_AMOUNT, '90071992.54740991'],
  ])('writes %d microcents as %s', (microcents, text) => {
    expect(formatUsd(microcents)).toBe(text)
  })

  it('writes every amount so that it reads back the same', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (microcents) => {
        expect(parseUsd(formatUsd(microcents), 'cost', 'refuse')).toBe(microcents)
        expect(formatUsd(microcents)).toMatch(/^\d+\.\d{2,8}$/)
      }),
    )
  })

  it('gives numbers that read back the same below ten million dollars', () => {
    fc.assert(
      fc.property(fc.nat({ max: Number.MAX_SAFE_INTEGER }).map((n) => n % 1e15), (microcents) => {
        expect(parseUsd(toUsd(microcents), 'cost', 'refuse')).toBe(microcents)
      }),
    )
  })
})
