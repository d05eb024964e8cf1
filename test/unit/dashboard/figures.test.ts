import { describe, expect, it } from 'vitest'
import { amount, clockTime, counted, lasting, momentInZone, money, numberIn, percent, shown } from '../../../src/dashboard/data/figures.js'

describe('figures for people', () => {
  it.each([
    [0, '$0.00'],
    [0.000_01, '< $0.0001'],
    [0.0123, '$0.0123'],
    [1, '$1.00'],
    [1_234.5, '$1,234.50'],
    [12_345.678, '$12,346'],
    [-3.2, '−$3.20'],
  ])('writes %d USD as %s', (usd, text) => expect(money(usd)).toBe(text))

  it('writes counts with their unit', () => {
    expect([amount(12_000, 'tokens'), amount(1, 'requests'), counted(1, 'call'), counted(0, 'call')]).toEqual(['12,000 tokens', '1 request', '1 call', '0 calls'])
  })

  it.each([
    ['25', 25],
    ['0.5', 0.5],
    ['0x10', undefined],
    ['1e3', undefined],
    ['-3', undefined],
    ['1,5', undefined],
    ['.', undefined],
    ['Infinity', undefined],
  ])('reads %j as %s', (text, value) => expect(numberIn(text)).toBe(value))

  it('says which of two moments is meant where the clocks are put back', () => {
    expect(momentInZone('2026-11-01T06:30:00.000Z', 'America/New_York')).toMatch(/1 Nov 2026, 01:30 UTC[-−]5/)
  })

  it.each([
    [0, '0%'],
    [0.01, '< 0.1%'],
    [99.95, '< 100%'],
    [100, '100%'],
    [100.01, '> 100%'],
    [4_200, '4,200%'],
  ])('writes %d percent as %s', (value, text) => expect(percent(value)).toBe(text))

  it.each([
    [-1, 'now'],
    [400, '1 s'],
    [59_999, '59 s'],
    [60_000, '1 min'],
    [3_600_000, '1 h'],
    [5_460_000, '1 h 31 min'],
    [86_400_000, '1 d'],
    [100_000_000, '1 d 3 h'],
    [100 * 86_400_000, '100 d'],
  ])('writes %d ms as %s', (ms, text) => expect(lasting(ms)).toBe(text))

  it('says the date of what was not today, in the zone of the budgets', () => {
    const now = '2026-03-10T00:30:00.000Z'
    expect(clockTime('2026-03-09T23:30:05.000Z', 'UTC', now)).toBe('9 Mar 23:30')
    expect(clockTime('2026-03-09T23:30:05.000Z', 'Europe/Berlin', now)).toBe('00:30:05')
  })

  it('shows characters that would turn or hide others', () => expect(shown('a\u202eb\u0000c\u200b')).toBe('a\\u202eb\\u0000c\\u200b'))
})
