// The admission rule, against the rule as the design writes it.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { TOTAL } from '../../../src/time/index.js'
import { ceilingOf } from '../../../src/enforcement/index.js'
import { admit, type ReserveRequest, type WindowTerms } from '../../../src/store/index.js'

const amount = fc.integer({ min: 0, max: 130 })
const percent = fc.option(fc.constantFrom(50, 80, 90, 99.99, 100), { nil: undefined })
const window = fc.record({ limit: fc.option(fc.integer({ min: 1, max: 120 }), { nil: null }), block: percent, degrade: percent, spent: amount, held: amount, unit: fc.constantFrom('usd' as const, 'tokens' as const) })
const cases = fc.record({
  windows: fc.array(window, { minLength: 1, maxLength: 4 }),
  rungs: fc.array(fc.record({ microcents: amount, tokens: amount }), { minLength: 1, maxLength: 4 }),
  refused: fc.option(fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }), { nil: undefined }),
  degrade: fc.boolean(),
  degradeBlocks: fc.boolean(),
})

describe('admit', () => {
  it('follows the rule of the design on every case', () => {
    fc.assert(
      fc.property(cases, ({ windows, rungs, refused, degrade, degradeBlocks }) => {
        const terms = windows.map(({ limit, block, degrade: lower, unit }, index): WindowTerms => ({
          window: `${index}/${unit}`,
          unit,
          source: { kind: 'calendar', calendar: TOTAL },
          limit,
          block: limit === null || block === undefined ? { max: Number.MAX_SAFE_INTEGER, pre: Number.MAX_SAFE_INTEGER } : ceilingOf(limit, block),
          degrade: limit === null || lower === undefined ? null : ceilingOf(limit, lower),
          alerts: [],
        }))
        const request = { scopes: [{ scope: { kind: 'user', id: 'u' }, key: 'u', windows: terms }], rungs, refusedRungs: refused, degrade, degradeBlocks } as unknown as ReserveRequest
        const readings = windows.flatMap(({ spent, held }) => [0, 1, spent, held])

        const hit = (at: number, rung: number, threshold: number | undefined) => {
          const { limit, spent, held, unit } = windows[at] as (typeof windows)[number]
          if (limit === null || threshold === undefined) return false
          const used = spent + held
          const after = used + (unit === 'usd' ? rungs[rung]?.microcents as number : rungs[rung]?.tokens as number)
          return threshold === 100 ? used >= limit || after > limit : after * 100 * 100 >= limit * threshold * 100
        }
        const degrades = degrade || windows.some((each, at) => hit(at, 0, each.degrade))
        const blocked = (rung: number) => refused?.[rung] === true || (rung === 0 && degrades && degradeBlocks) || windows.some((each, at) => hit(at, rung, each.block))
        const cheaper = rungs.findIndex((_, rung) => rung > 0 && !blocked(rung))
        const expected = !blocked(0) && !degrades ? 0 : cheaper > 0 ? cheaper : !blocked(0) ? 0 : -1
        expect(admit(request, readings)).toEqual({ rung: expected, degrade: degrades })
      }),
      { numRuns: 5_000 },
    )
  })
})
