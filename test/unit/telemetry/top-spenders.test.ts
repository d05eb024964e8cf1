// Which tenants have a label of their own.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BoundedLabels } from '../../../src/telemetry/bounded-labels.js'
import { OpenHolds } from '../../../src/telemetry/open-holds.js'
import { TopSpenders } from '../../../src/telemetry/top-spenders.js'

describe('top spenders', () => {
  it('are those that have spent most; whoever rises later gets a label too, and nobody loses one', () => {
    const tenants = new TopSpenders(2)
    expect(tenants.spent('a', 10)).toBe('a')
    expect(tenants.spent('b', 20)).toBe('b')
    expect(tenants.spent('c', 5)).toBe('other')
    expect(tenants.spent('c', 4)).toBe('other')
    expect(tenants.spent('c', 3)).toBe('c')
    expect(tenants.spent('a', 0)).toBe('a')
    expect(tenants.spent(undefined, 1_000)).toBe('none')
  })

  it('are none where none is wanted', () => {
    expect(new TopSpenders(0).spent('a', 10)).toBe('other')
  })

  it('never have more than twice as many labels, and a label once given stays', () => {
    const spend = fc.record({ tenant: fc.integer({ min: 0, max: 400 }).map(String), microcents: fc.integer({ min: 0, max: 1_000 }) })
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4 }), fc.array(spend, { maxLength: 600 }), (top, spends) => {
        const tenants = new TopSpenders(top)
        const labelled = new Set<string>()
        for (const { tenant, microcents } of spends) {
          const label = tenants.spent(tenant, microcents)
          expect([tenant, 'other']).toContain(label)
          if (labelled.has(tenant)) expect(label).toBe(tenant)
          if (label !== 'other') labelled.add(label)
        }
        expect(labelled.size).toBeLessThanOrEqual(2 * top)
      }),
      { numRuns: 60 },
    )
  })

  it('find the one that spends most among more than are remembered', () => {
    const tenants = new TopSpenders(1)
    tenants.spent('first', 1_000)
    let label = 'other'
    for (let round = 0; round < 50; round += 1) {
      for (let small = 0; small < 100; small += 1) tenants.spent(`small-${round}-${small}`, 1)
      label = tenants.spent('large', 100)
    }
    expect(label).toBe('large')
  })
})

describe('bounded labels', () => {
  it('are the known ones, and so many more', () => {
    const labels = new BoundedLabels(['free', 'pro'], 1)
    expect(['pro', 'a', 'b', 'a', undefined, '', 'free'].map((value) => labels.of(value))).toEqual(['pro', 'a', 'other', 'a', 'none', 'none', 'free'])
  })
})

describe('open holds', () => {
  it('are no more than memory bears: the oldest are forgotten', () => {
    const holds = new OpenHolds()
    for (let index = 0; index < 200_010; index += 1) holds.opened(`h${index}`, 'free', 1, 100)
    expect(holds.byTier(0).get('free')).toEqual({ microcents: 180_010, holds: 180_010 })
    holds.ended('h200009')
    expect(holds.byTier(0).get('free')?.holds).toBe(180_009)
    expect(holds.byTier(100).get('free')).toEqual({ microcents: 0, holds: 0 })
  })
})
