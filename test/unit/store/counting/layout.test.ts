// Where windows stand in the cells of a scope.

import { describe, expect, it } from 'vitest'
import { Layout } from '../../../../src/store/counting/layout.js'
import { DAY, HOUR, windowOf } from '../../../../src/testing/contract/kit.js'

const daily = windowOf(5)
const weekly = windowOf(5, { period: 'weekly' })
const rolling = windowOf(5, { rollingMs: HOUR })

describe('Layout', () => {
  it('gives each window room of its own, and those that came first the same room in all that grow from it', () => {
    const root = Layout.root()
    const small = root.grownBy([daily, rolling])
    const large = small.grownBy([weekly, daily])
    expect(small.windows).toEqual([daily, rolling])
    expect(large.windows).toEqual([daily, rolling, weekly])
    expect(large.placesOf([daily, rolling]).slots).toEqual(small.placesOf([daily, rolling]).slots)
    expect(large.empty.slice(0, small.empty.length)).toEqual(small.empty)
    const starts = [...large.placesOf([daily, rolling, weekly]).slots, large.empty.length]
    expect(starts).toEqual([...starts].sort((a, b) => a - b))
    expect(new Set(starts).size).toBe(starts.length)
  })

  it('is the same for the same windows, whatever their limits', () => {
    const root = Layout.root()
    const layout = root.grownBy([daily, weekly])
    expect(root.grownBy([windowOf(9), windowOf(null, { period: 'weekly' })])).toBe(layout)
    expect(layout.grownBy([weekly])).toBe(layout)
    expect(root.layoutOf(layout.number)).toBe(layout)
  })

  it('says which windows it does not have', () => {
    const layout = Layout.root().grownBy([daily])
    expect(layout.placesOf([daily])).toMatchObject({ complete: true })
    expect(layout.placesOf([weekly, daily])).toEqual({ slots: [-1, layout.slotOf('daily/usd')], complete: false })
    expect(layout.slotOf(`rolling:${DAY}/usd`)).toBe(-1)
  })
})
