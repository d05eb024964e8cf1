// The clock with hands that tests drive.

import { describe, expect, it } from 'vitest'
import { manualClock } from '../../../src/testing/index.js'

describe('manualClock', () => {
  it('stands still until it is moved, forward by durations and anywhere by instants', () => {
    const clock = manualClock()
    expect(clock()).toBe(Date.UTC(2026, 0, 15, 12))
    clock.advance('1m')
    clock.advance(5)
    expect(clock()).toBe(Date.UTC(2026, 0, 15, 12, 1, 0, 5))
    clock.set(new Date(1_000))
    expect(clock()).toBe(1_000)
    clock.set(500)
    expect(clock()).toBe(500)
    expect(manualClock('2026-02-01T00:00:00Z')()).toBe(Date.UTC(2026, 1, 1))
  })

  it('refuses to advance by what is no duration', () => {
    const clock = manualClock(0)
    for (const by of [Number.NaN, -1, 0, '1y']) expect(() => clock.advance(by as never)).toThrow(expect.objectContaining({ code: 'INVALID_CONFIG' }))
    expect(clock()).toBe(0)
  })
})
