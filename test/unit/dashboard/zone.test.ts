import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { instantIn, wallTime } from '../../../src/dashboard/data/zone.js'

describe('local times of a zone', () => {
  it.each([
    ['2026-12-01T00:00', 'UTC', '2026-12-01T00:00:00.000Z'],
    ['2026-12-01T00:00', 'America/New_York', '2026-12-01T05:00:00.000Z'],
    ['2026-07-01T00:00', 'Europe/Berlin', '2026-06-30T22:00:00.000Z'],
    ['2026-07-01T00:00', 'Asia/Kolkata', '2026-06-30T18:30:00.000Z'],
    ['2026-01-01T00:00:30', 'Pacific/Kiritimati', '2025-12-31T10:00:30.000Z'],
  ])('%s in %s is %s', (text, zone, instant) => expect(instantIn(text, zone)).toBe(instant))

  it('are the later one of two, and after the gap where there is none', () => {
    expect(instantIn('2026-11-01T01:30', 'America/New_York')).toBe('2026-11-01T06:30:00.000Z')
    expect(instantIn('2026-03-08T02:30', 'America/New_York')).toBe('2026-03-08T07:30:00.000Z')
    expect(wallTime('2026-03-08T07:30:00.000Z', 'America/New_York')).toBe('2026-03-08T03:30')
  })

  it.each(['', '2026-12-01', '2026-13-01T00:00', 'tomorrow'])('are none: %j', (text) => expect(instantIn(text, 'UTC')).toBeUndefined())

  it('are written back as they were entered, but for those that a clock leaves out', () => {
    const minutes = fc.integer({ min: Date.UTC(1990, 0, 1) / 60_000, max: Date.UTC(2099, 0, 1) / 60_000 })
    fc.assert(
      fc.property(minutes, fc.constantFrom('UTC', 'America/New_York', 'Australia/Lord_Howe', 'Asia/Kathmandu', 'Pacific/Apia'), (minute, zone) => {
        const instant = new Date(minute * 60_000).toISOString()
        const text = wallTime(instant, zone)
        const read = instantIn(text, zone) as string
        expect(wallTime(read, zone)).toBe(text)
        expect(read >= instant).toBe(true)
      }),
    )
  })
})
