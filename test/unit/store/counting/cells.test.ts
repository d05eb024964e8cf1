// The buckets of a rolling window and the counters of a calendar one, against plain lists of what was spent.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { addToBucket, emptySlot, freeingOf, hasLapsed, rollingSpent } from '../../../../src/store/counting/cells.js'
import { rollingRule } from '../../../../src/time/index.js'
import type { WindowTerms } from '../../../../src/store/index.js'

const rule = rollingRule(60_000)
const terms = { window: 'rolling:60000/usd', source: { kind: 'rolling', rule } } as WindowTerms
const START = 1_768_478_400_000

describe('a rolling window', () => {
  it('counts all of the trailing minute and at most a bucket more, and says when it will count less', () => {
    const spends = fc.array(fc.tuple(fc.nat({ max: 20_000 }), fc.integer({ min: 1, max: 100 })), { maxLength: 60 })
    fc.assert(
      fc.property(spends, fc.nat({ max: 90_000 }), (steps, later) => {
        const cells = Float64Array.from(emptySlot(terms))
        const spent: { at: number; amount: number }[] = []
        let now = START
        for (const [gap, amount] of steps) {
          now += gap
          addToBucket(cells, 0, rule, now, amount)
          spent.push({ at: now, amount })
        }
        now += later
        const sum = (since: number) => spent.filter(({ at }) => at > since).reduce((all, { amount }) => all + amount, 0)
        const counted = rollingSpent(cells, 0, rule, now)
        expect(counted).toBeGreaterThanOrEqual(sum(now - 60_000))
        expect(counted).toBeLessThanOrEqual(sum(now - 63_000))
        let left = counted
        for (const { at, amount } of freeingOf(cells, 0, rule, now)) {
          expect(rollingSpent(cells, 0, rule, at - 1)).toBe(left)
          left -= amount
          expect(rollingSpent(cells, 0, rule, at)).toBe(left)
        }
        expect(left).toBe(0)
      }),
      { numRuns: 500 },
    )
  })

  it('takes a refund from its own bucket, never below zero, and nothing from one that has left', () => {
    const cells = Float64Array.from(emptySlot(terms))
    addToBucket(cells, 0, rule, START, 50)
    addToBucket(cells, 0, rule, START + 30_000, 20)
    addToBucket(cells, 0, rule, START, -80)
    expect(rollingSpent(cells, 0, rule, START + 30_000)).toBe(20)
    addToBucket(cells, 0, rule, START + 90_000, 5)
    addToBucket(cells, 0, rule, START, 1_000)
    expect(rollingSpent(cells, 0, rule, START + 90_000)).toBe(25)
  })

  it('lapses when its last bucket has left', () => {
    const cells = Float64Array.from(emptySlot(terms))
    expect(hasLapsed(cells, 0, terms, START)).toBe(true)
    addToBucket(cells, 0, rule, START, 50)
    expect(hasLapsed(cells, 0, terms, START + 62_999)).toBe(false)
    expect(hasLapsed(cells, 0, terms, START + 63_000)).toBe(true)
  })
})
