// Running sums: right, bounded, and snapshots that stand still.

import { describe, expect, it } from 'vitest'
import { RunningTotals } from '../../../src/ledger/index.js'

describe('RunningTotals', () => {
  it('sums by name, with unknown for what has none', () => {
    const totals = new RunningTotals()
    totals.add(10, 1, 'm', 'p', 'free')
    totals.add(-4, 0, 'm', undefined, 'pro')
    const { microcents, tokens, entries, byModel, byProvider, byTier } = totals.snapshot()
    expect({ microcents, tokens, entries }).toEqual({ microcents: 6, tokens: 1, entries: 2 })
    expect(byModel.get('m')).toEqual({ microcents: 6, tokens: 1, entries: 2 })
    expect([...byProvider.keys()]).toEqual(['p', 'unknown'])
    expect(byTier.get('pro')).toEqual({ microcents: -4, tokens: 0, entries: 1 })
  })

  it('loses nothing beyond 2^53, where a sum is the nearest double', () => {
    const totals = new RunningTotals()
    const most = Number.MAX_SAFE_INTEGER
    totals.add(most, most, 'm', undefined, undefined)
    for (let time = 0; time < 1_001; time += 1) totals.add(1, 1, 'm', undefined, undefined)
    const { microcents, tokens, byModel } = totals.snapshot()
    expect([microcents, tokens, byModel.get('m')?.microcents]).toEqual(new Array(3).fill(Number(BigInt(most) + 1_001n)))
    totals.add(-most, -most, 'm', undefined, undefined)
    expect(totals.snapshot()).toMatchObject({ microcents: 1_001, tokens: 1_001 })
  })

  it('stays bounded: late names count as others, and the sum stays right', () => {
    const totals = new RunningTotals()
    for (let name = 0; name < 3_000; name += 1) totals.add(1, 1, `model ${name}`, undefined, undefined)
    const { byModel, microcents } = totals.snapshot()
    expect(byModel.size).toBeLessThanOrEqual(1_001)
    expect([...byModel.values()].reduce((all, sum) => all + sum.microcents, 0)).toBe(microcents)
    expect(byModel.get('(others)')?.entries).toBe(2_000)
  })

  it('gives a snapshot that later charges do not change', () => {
    const totals = new RunningTotals()
    totals.add(1, 0, 'm', 'p', 't')
    const before = totals.snapshot()
    totals.add(1, 0, 'm', 'p', 't')
    expect(before.byModel.get('m')?.microcents).toBe(1)
    expect(before.microcents).toBe(1)
  })
})
