// Keys that would be lost on the way are refused where they come in, before anything is counted.

import { describe, expect, it } from 'vitest'
import { Bursar, CostTracker } from '../../../src/index.js'
import { manualClock } from '../../../src/testing/index.js'

const parsed = (json: string): Record<string, never> => JSON.parse(json) as Record<string, never>
const config = { tiers: { free: { daily: 10 } }, defaultTier: 'free' as const, clock: manualClock() }
const HIDDEN = parsed('{"__proto__":{"team":"x"}}')

describe('a key named __proto__', () => {
  it.each<[string, object]>([
    ['scopes', { scopes: parsed('{"__proto__":"x"}') }],
    ['metadata', { metadata: HIDDEN }],
    ['metadata.a', { metadata: { a: HIDDEN } }],
    ['metadata.list.1', { metadata: { list: [1, HIDDEN] } }],
  ])('in %s is refused, and nothing is counted', async (field, described) => {
    const refused = { code: 'INVALID_REQUEST', message: `${field}.__proto__: is no key that can be kept. Use another name.` }
    const bursar = new Bursar(config)
    const { tracker } = bursar
    await expect(tracker.addCost({ userId: 'u', cost: 1, ...described })).rejects.toMatchObject(refused)
    await expect(tracker.context({ userId: 'u', ...described })).rejects.toMatchObject(refused)
    await expect(bursar.check({ userId: 'u', estimatedCost: 1, ...described })).rejects.toMatchObject(refused)
    expect((await tracker.getSummary()).totalEntries).toBe(0)
    await bursar.close()
  })

  it('as a text is one like any other', async () => {
    const tracker = new CostTracker(config)
    await tracker.addCost({ userId: 'u', cost: 1, metadata: { key: '__proto__', constructor: 'c' } })
    for await (const { metadata } of tracker.entries()) expect(metadata).toEqual({ key: '__proto__', constructor: 'c' })
  })
})
