// Hours of the wall clock around the instants at which it is set.

import { describe, expect, it } from 'vitest'
import { Hours } from '../../../src/report/hours.js'

/** The starts of the hours from one instant to another. */
function starts(zone: string, from: string, until: string): string[] {
  const hours = new Hours(zone)
  const found: string[] = []
  for (let at = Date.parse(from); at < Date.parse(until); at = hours.at(at).endsAt) found.push(new Date(hours.at(at).startsAt).toISOString().slice(5, 16))
  return found
}

describe('hours', () => {
  it('start at full hours of the wall, also where the zone is half an hour or a quarter off', () => {
    expect(starts('UTC', '2026-01-01T00:10Z', '2026-01-01T02:00Z')).toEqual(['01-01T00:00', '01-01T01:00'])
    expect(starts('Asia/Kolkata', '2026-01-01T00:10Z', '2026-01-01T02:00Z')).toEqual(['12-31T23:30', '01-01T00:30', '01-01T01:30'])
    expect(starts('Asia/Kathmandu', '2026-01-01T00:10Z', '2026-01-01T01:00Z')).toEqual(['12-31T23:15', '01-01T00:15'])
  })

  it('are two where the hour comes twice, and none where it is skipped', () => {
    expect(starts('Europe/Berlin', '2026-10-24T23:00Z', '2026-10-25T03:00Z')).toEqual(['10-24T23:00', '10-25T00:00', '10-25T01:00', '10-25T02:00'])
    expect(starts('Europe/Berlin', '2026-03-29T00:00Z', '2026-03-29T03:00Z')).toEqual(['03-29T00:00', '03-29T01:00', '03-29T02:00'])
  })

  it('are cut where the clock is set by half an hour', () => {
    expect(starts('Australia/Lord_Howe', '2026-04-04T13:00Z', '2026-04-04T17:00Z')).toEqual(['04-04T13:00', '04-04T14:00', '04-04T15:00', '04-04T15:30', '04-04T16:30'])
    expect(starts('Australia/Lord_Howe', '2026-10-03T14:30Z', '2026-10-03T17:00Z')).toEqual(['10-03T14:30', '10-03T15:30', '10-03T16:00'])
  })

  it('end where the next one starts, from whatever side they are looked at', () => {
    for (const zone of ['Europe/Berlin', 'Australia/Lord_Howe', 'Pacific/Apia', 'America/St_Johns']) {
      const forwards = new Hours(zone)
      for (const day of ['2011-12-30T00:00Z', '2026-03-08T00:00Z', '2026-03-29T00:00Z', '2026-04-04T00:00Z', '2026-10-25T00:00Z', '2026-11-01T00:00Z']) {
        for (let at = Date.parse(day); at < Date.parse(day) + 86_400_000; at += 600_000) {
          const { startsAt, endsAt } = forwards.at(at)
          expect(startsAt <= at && at < endsAt && endsAt - startsAt <= 3_600_000).toBe(true)
          expect([startsAt, endsAt - 1].map((edge) => new Hours(zone).at(edge))).toEqual([{ startsAt, endsAt }, { startsAt, endsAt }])
          expect(new Hours(zone).at(endsAt).startsAt).toBe(endsAt)
        }
      }
    }
  })
})
