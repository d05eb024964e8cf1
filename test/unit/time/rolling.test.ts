import { describe, expect, it } from 'vitest'
import { InvalidConfigError, InvalidRequestError } from '../../../src/errors/errors.js'
import { ROLLING_BUCKETS, bucketExpiresAt, bucketIndex, rollingRule, rollingSpan } from '../../../src/time/index.js'

const now = Date.UTC(2024, 4, 5, 10, 20, 30)

describe('rolling windows', () => {
  it('have at least twelve buckets', () => {
    expect(ROLLING_BUCKETS).toBeGreaterThanOrEqual(12)
  })

  it.each([
    [60_000, 3000],
    [86_400_000, 4_320_000],
    [61_001, 3051],
    [1, 1],
    [20, 1],
    [21, 2],
  ])('of %d ms have buckets of %d ms', (lengthMs, bucketMs) => {
    expect(rollingRule(lengthMs)).toEqual({ lengthMs, bucketMs })
  })

  it.each([0, -1, Number.NaN, 1.5, Infinity])('of %d ms are refused', (lengthMs) => {
    expect(() => rollingRule(lengthMs)).toThrow(InvalidConfigError)
  })

  it('count a bucket from its first instant to the one before it expires', () => {
    const rule = rollingRule(60_000)
    const index = bucketIndex(rule, now)
    const expiresAt = bucketExpiresAt(rule, index)
    expect(rollingSpan(rule, expiresAt - 1).startsAt).toBe(index * rule.bucketMs)
    expect(rollingSpan(rule, expiresAt).startsAt).toBe((index + 1) * rule.bucketMs)
  })

  it('count the trailing period whole, and at most one bucket and a bit more', () => {
    const rule = rollingRule(60_000)
    for (let at = now; at < now + 10_000; at += 7) {
      const { startsAt, endsAt } = rollingSpan(rule, at)
      expect(startsAt).toBeLessThanOrEqual(at - rule.lengthMs)
      expect(startsAt).toBeGreaterThan(at - rule.lengthMs - rule.bucketMs)
      expect(endsAt).toBeGreaterThan(at)
      expect((endsAt - startsAt) / rule.bucketMs).toBe(ROLLING_BUCKETS + 1)
    }
  })

  it('refuse what is no instant', () => {
    expect(() => bucketIndex(rollingRule(1000), Number.NaN)).toThrow(InvalidRequestError)
    expect(() => rollingSpan(rollingRule(1000), Infinity)).toThrow(InvalidRequestError)
  })
})
