import { describe, expect, it } from 'vitest'
import { parseTime, showDay, showLength, showTime } from '../../../src/cli/times.js'

const NOW = Date.UTC(2026, 10, 22, 12, 34, 56)
const read = (text: string, zone = 'UTC'): string => new Date(parseTime(text, '--from', zone, NOW)).toISOString()

describe('times on a command line', () => {
  it.each([
    ['2026-11-01', '2026-11-01T00:00:00.000Z'],
    ['2026-11', '2026-11-01T00:00:00.000Z'],
    ['2026', '2026-01-01T00:00:00.000Z'],
    ['2026-11-01T08:30', '2026-11-01T08:30:00.000Z'],
    ['2026-11-01 08:30:15.5', '2026-11-01T08:30:15.500Z'],
    ['2026-11-01T08:30:00+02:00', '2026-11-01T06:30:00.000Z'],
    ['now', '2026-11-22T12:34:56.000Z'],
    ['today', '2026-11-22T00:00:00.000Z'],
    ['yesterday', '2026-11-21T00:00:00.000Z'],
    ['7d', '2026-11-15T00:00:00.000Z'],
    ['1w', '2026-11-15T00:00:00.000Z'],
    ['12h', '2026-11-22T00:34:56.000Z'],
  ])('reads %s', (text, expected) => {
    expect(read(text)).toBe(expected)
  })

  it('reads what has no zone of its own in the zone that is given', () => {
    expect(read('2026-11-01', 'America/New_York')).toBe('2026-11-01T04:00:00.000Z')
    expect(read('2026-11-02', 'America/New_York')).toBe('2026-11-02T05:00:00.000Z')
    expect(read('today', 'Asia/Tokyo')).toBe('2026-11-21T15:00:00.000Z')
    expect(read('2026-11-01T08:30Z', 'Asia/Tokyo')).toBe('2026-11-01T08:30:00.000Z')
  })

  it('counts days by the calendar, also those of 25 hours', () => {
    // The clocks of New York went back on the 1st of November.
    expect(read('22d', 'America/New_York')).toBe('2026-10-31T04:00:00.000Z')
    expect(read('21d', 'America/New_York')).toBe('2026-11-01T04:00:00.000Z')
    expect(read('20d', 'America/New_York')).toBe('2026-11-02T05:00:00.000Z')
  })

  it.each(['', 'foo', '2026-13', '2026-02-30', '2026-11-31', '2026-11-01T24:00', '2026-11-01T08', '2026-11-31T00:00Z', '2026-11-01T25:00Z', '1.5d', '-7d', '20261101', '1763769600000'])('refuses %j, naming the option and the remedy', (text) => {
    expect(() => parseTime(text, '--from', 'UTC', NOW)).toThrow(/^--from: ".*" is no point in time\. Give a day/)
  })

  it('shows times in the zone', () => {
    expect(showTime(NOW, 'UTC')).toBe('2026-11-22 12:34:56')
    expect(showTime(NOW, 'Asia/Kolkata')).toBe('2026-11-22 18:04:56')
    expect(showDay(Date.UTC(2026, 10, 21, 15), 'Asia/Tokyo')).toBe('2026-11-22')
  })

  it.each([[0, '0s'], [999, '0s'], [61_000, '1m 1s'], [3_600_000, '1h'], [90_061_000, '1d 1h'], [86_400_000 * 3 + 59_000, '3d']])('shows %i ms as %s', (lengthMs, text) => {
    expect(showLength(lengthMs)).toBe(text)
  })
})
