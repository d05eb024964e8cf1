// The largest of many sums, without sorting them all.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { largest } from '../../../../src/server/seeing/state-sums.js'
import { assertProperty } from '../../../support/property.js'

interface Sum {
  readonly microcents: bigint
  readonly calls: number
  readonly denials: number
}

describe('the largest sums', () => {
  it('are those of both stretches together that a sort of all would put first', async () => {
    const amounts = fc.array(fc.tuple(fc.integer({ min: 0, max: 60 }), fc.integer({ min: -5, max: 50 }), fc.integer({ min: 0, max: 2 })), { maxLength: 80 })
    const property = fc.asyncProperty(amounts, amounts, fc.integer({ min: 1, max: 6 }), async (one, other, count) => {
      const sums = (of: typeof one): Map<number, Sum> => new Map(of.map(([key, microcents, denials]) => [key, { microcents: BigInt(microcents), calls: 1, denials }]))
      const [first, second] = [sums(one), sums(other)]
      const all = [...new Set([...first.keys(), ...second.keys()])].map((key) => {
        const of = [first.get(key), second.get(key)].flatMap((sum) => sum ?? [])
        return { microcents: of.reduce((sum, { microcents }) => sum + microcents, 0n), calls: of.length, denials: of.reduce((sum, { denials }) => sum + denials, 0) }
      })
      all.sort((a, b) => Number(b.microcents - a.microcents) || b.denials - a.denials || b.calls - a.calls)
      expect(largest(first, second, count).map(([, sum]) => sum)).toEqual(all.slice(0, count))
    })
    await assertProperty('largest', property, 300)
  })
})
