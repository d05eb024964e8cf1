// Which limits apply at an instant, and for how long that stays so.

import { describe, expect, it } from 'vitest'
import { LimitsInForce, type KnownLimit } from '../../../src/limits/index.js'

function limit(id: string, from: number | null, until: number | null): KnownLimit {
  return { id, version: 1, value: { scope: { kind: 'global' }, budget: { daily: 1 }, from, until, mode: 'block', thresholds: null, description: null, createdAt: 0, generation: 1 } }
}

const met = (inForce: LimitsInForce): string[] => inForce.of({ user: { userId: 'ada' }, tier: undefined }, undefined).map(({ limit: { id } }) => id)

describe('the limits in force', () => {
  it('stay the same from the last beginning or end up to the next one', () => {
    const limits = [limit('a', null, null), limit('b', 10, 30), limit('c', 30, null), limit('d', null, 5)]
    const at = (now: number): unknown[] => {
      const inForce = new LimitsInForce(limits, now)
      return [inForce.startsAt, inForce.endsAt, met(inForce)]
    }
    expect(at(4)).toEqual([-Infinity, 5, ['a', 'd']])
    expect(at(5)).toEqual([5, 10, ['a']])
    expect(at(29)).toEqual([10, 30, ['a', 'b']])
    expect(at(30)).toEqual([30, Infinity, ['a', 'c']])
  })

  it('may be very many', () => {
    const limits = Array.from({ length: 100_000 }, (_, index) => limit(`l${index}`, index, 1_000_000 + index))
    const inForce = new LimitsInForce(limits, 500_000)
    expect([inForce.startsAt, inForce.endsAt, met(inForce).length]).toEqual([99_999, 1_000_000, 100_000])
  })
})
