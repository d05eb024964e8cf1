// Dates that several readers share.

import { describe, expect, it } from 'vitest'
import { FixedDate } from '../../../src/time/index.js'

describe('FixedDate', () => {
  it('is a date like any other, but cannot be set', () => {
    const date = new FixedDate(Date.UTC(2026, 0, 15))
    expect(date).toEqual(new Date('2026-01-15T00:00:00Z'))
    expect(JSON.stringify({ date })).toBe('{"date":"2026-01-15T00:00:00.000Z"}')
    for (const set of [() => date.setTime(0), () => date.setUTCHours(1), () => date.setFullYear(1999)]) expect(set).toThrow(/fixed/)
    expect(date.getTime()).toBe(Date.UTC(2026, 0, 15))
  })
})
