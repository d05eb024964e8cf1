// Metering piece by piece: what is wrong is refused, and nothing of it is counted.

import { describe, expect, it } from 'vitest'
import { MAX_AMOUNT } from '../../../src/money/index.js'
import { UsageMeter } from '../../../src/pricing/usage-meter.js'

describe('UsageMeter', () => {
  it('adds up tokens and costs piece by piece', () => {
    const meter = new UsageMeter()
    expect(meter.used).toBe(false)
    expect(meter.add(10, 'prompt', { cost: 0.1, label: 'question' })).toBeUndefined()
    expect(meter.add('20', 'completion', { cost: '0.2' })).toBeUndefined()
    expect(meter.add(5, 'function_call', { cost: 0 })).toBeUndefined()
    expect(meter.add(5, 'tool_usage', { cost: 0 })).toBeUndefined()
    expect([meter.used, meter.tokens, meter.microcents]).toEqual([true, 40, 30_000_000])
  })

  it('counts a total as nothing: the others say it already', () => {
    const meter = new UsageMeter()
    meter.add(30, 'total', { cost: 1 })
    expect([meter.used, meter.tokens]).toEqual([false, 0])
  })

  it('knows no cost once a piece had none', () => {
    const meter = new UsageMeter()
    meter.add(10, 'input', { cost: 0.1 })
    meter.add(1, 'output')
    expect([meter.microcents, meter.pricedMicrocents]).toEqual([undefined, 10_000_000])
    const empty = new UsageMeter()
    empty.add(0, 'output')
    expect(empty.microcents).toBe(0)
  })

  it.each([
    [-1, 'input', {}, 'tokens: -1'],
    [0.5, 'input', {}, 'tokens: 0.5'],
    [Number.NaN, 'input', {}, 'tokens: NaN'],
    ['', 'input', {}, 'tokens'],
    [' ', 'input', {}, 'tokens'],
    ['ten', 'input', {}, 'tokens'],
    [null, 'input', {}, 'tokens: null'],
    [1, 'thoughts', {}, 'type: "thoughts"'],
    [1, 'toString', {}, 'type: "toString"'],
    [1, 'input', { cost: -1 }, 'cost: -1'],
    [1, 'input', { cost: Number.NaN }, 'cost: NaN'],
    [1, 'input', null, ''],
  ])('refuses %j of %s with %j, and nothing is counted', (tokens, type, details, says) => {
    const meter = new UsageMeter()
    const error = meter.add(tokens as never, type as never, details as never)
    expect(error).toBeInstanceOf(Error)
    expect(error?.message).toContain(says)
    expect([meter.used, meter.tokens, meter.microcents]).toEqual([false, 0, 0])
  })

  it('stays at 2^53 − 1', () => {
    const meter = new UsageMeter()
    meter.add(MAX_AMOUNT, 'input', { cost: '90071992.54740991' })
    meter.add(MAX_AMOUNT, 'input', { cost: '90071992.54740991' })
    expect([meter.tokens, meter.microcents]).toEqual([MAX_AMOUNT, MAX_AMOUNT])
  })
})
