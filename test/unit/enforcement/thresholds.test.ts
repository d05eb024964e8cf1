// Percentages as integers, against BigInt arithmetic that knows no rounding.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { InvalidConfigError } from '../../../src/errors/index.js'
import { ceilingOf, hits, judgeThresholds, lowerCeiling, percentOf } from '../../../src/enforcement/index.js'
import { checkThresholds } from '../../../src/enforcement/thresholds.js'

const limits = fc.oneof(fc.nat({ max: 30_000 }), fc.maxSafeNat()).filter((limit) => limit > 0)
const basisPoints = fc.integer({ min: 1, max: 10_000 })

/** A request of `amount` on `used` reaches `points` hundredths of a percent of the limit; at 100 % it must pass it, or find it reached. */
function reaches(limit: number, points: number, used: number, amount: number): boolean {
  const after = BigInt(used) + BigInt(amount)
  if (points === 10_000) return after > BigInt(limit) || used >= limit
  return after * 10_000n >= BigInt(points) * BigInt(limit)
}

describe('ceilingOf', () => {
  it.each([
    [100, 80, 79, 80],
    [100, 100, 100, 100],
    [3, 50, 1, 2],
    [1, 0.01, 0, 1],
    [10_000_000, 99.99, 9_998_999, 9_999_000],
    [Number.MAX_SAFE_INTEGER, 100, Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
  ])('of %d at %d %% lets a request end at %d and none start at %d', (limit, percent, max, pre) => {
    expect(ceilingOf(limit, percent)).toEqual({ max, pre })
  })

  it('is hit exactly where exact arithmetic says so', () => {
    const near = fc.tuple(limits, basisPoints, fc.integer({ min: -2, max: 2 }), fc.float({ min: 0, max: 1, noNaN: true }))
    fc.assert(
      fc.property(near, ([limit, points, off, share]) => {
        const target = Number((BigInt(limit) * BigInt(points)) / 10_000n) + off
        const total = Math.min(Number.MAX_SAFE_INTEGER, Math.max(0, target))
        const used = Math.floor(total * share)
        expect(hits(ceilingOf(limit, points / 100), used, total - used)).toBe(reaches(limit, points, used, total - used))
      }),
      { numRuns: 2_000 },
    )
  })

  it('agrees with the percentage that people read', () => {
    fc.assert(
      fc.property(limits, basisPoints, fc.maxSafeNat(), (limit, points, any) => {
        const used = any % (2 * Math.min(limit, 2 ** 51))
        const percent = points / 100
        const context = { budgetUsedPct: percentOf(limit, used), budgetExceeded: used > limit }
        const said = judgeThresholds({ block: percent }, context).action === 'BLOCK'
        expect(said).toBe(hits(ceilingOf(limit, percent), 0, used))
      }),
      { numRuns: 2_000 },
    )
  })

  it('does not overflow where spent, held and estimate together pass 2^53', () => {
    const { max } = ceilingOf(Number.MAX_SAFE_INTEGER, 100)
    expect(hits({ max, pre: max }, max - 1, max)).toBe(true)
    expect(hits({ max, pre: max }, 0, max)).toBe(false)
  })
})

describe('lowerCeiling', () => {
  it('takes the lower one, in either order', () => {
    const low = { max: 79, pre: 80 }
    const high = { max: 100, pre: 100 }
    expect(lowerCeiling(null, high)).toBe(high)
    expect(lowerCeiling(low, high)).toBe(low)
    expect(lowerCeiling(high, low)).toBe(low)
    expect(lowerCeiling({ max: 5, pre: 6 }, { max: 5, pre: 5 })).toEqual({ max: 5, pre: 5 })
  })
})

describe('percentOf', () => {
  it.each([
    [0, 0, 100],
    [100, 0, 0],
    [100, 100, 100],
    [3, 1, 33.33],
    [3, 2, 66.66],
    [3, 4, 133.34],
    [10_000, 10_001, 100.01],
    [1_000_000_000, 1_000_000_001, 100.01],
    [1_000_000_000, 999_999_999, 99.99],
  ])('of %d shows %d as %d %%', (limit, used, percent) => {
    expect(percentOf(limit, used)).toBe(percent)
  })

  it('rounds down up to the limit and up above it, at every size', () => {
    fc.assert(
      fc.property(limits, fc.maxSafeNat(), (limit, used) => {
        const scaled = BigInt(used) * 10_000n
        const divisor = BigInt(limit)
        const hundredths = used <= limit ? scaled / divisor : (scaled + divisor - 1n) / divisor
        expect(percentOf(limit, used)).toBe(Number(hundredths) / 100)
      }),
      { numRuns: 2_000 },
    )
  })
})

describe('checkThresholds', () => {
  it('takes multiples of 0.01 above 0 and up to 100', () => {
    expect(checkThresholds({ warn: 0.01, degrade: 90.5, block: 100 }, 'thresholds')).toEqual({ warn: 0.01, degrade: 90.5, block: 100 })
  })

  it.each([0, -1, 100.01, 80.001, Number.NaN, Infinity, '80'])('refuses %s', (value) => {
    expect(() => checkThresholds({ warn: value as never }, 'thresholds')).toThrow(InvalidConfigError)
    expect(() => checkThresholds({ warn: value as never }, 'thresholds')).toThrow(/^thresholds\.warn: .* Give a multiple of 0\.01/)
  })

  it('refuses an unknown name', () => {
    expect(() => checkThresholds({ warning: 80 } as never, 'thresholds')).toThrow('thresholds.warning: is no threshold. Use warn, degrade, block.')
  })
})
