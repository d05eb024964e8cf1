import { describe, expect, it } from 'vitest'
import { InvalidRequestError } from '../../../src/errors/errors.js'
import { assertInstant, systemClock } from '../../../src/time/index.js'

describe('assertInstant', () => {
  it('rounds down to a whole millisecond', () => {
    expect(assertInstant(1_700_000_000_000)).toBe(1_700_000_000_000)
    expect(assertInstant(1_700_000_000_000.9)).toBe(1_700_000_000_000)
    expect(assertInstant(-0.5)).toBe(-1)
  })

  it.each([Number.NaN, Infinity, -Infinity, 8.64e15, -1e13, '1700000000000', undefined, new Date(0)])('refuses %s', (value) => {
    expect(() => assertInstant(value as number, 'now')).toThrow(InvalidRequestError)
    expect(() => assertInstant(value as number, 'now')).toThrow('now: ')
  })

  it('accepts what the clock of this machine says', () => {
    const now = systemClock()
    expect(assertInstant(now)).toBe(now)
  })
})
