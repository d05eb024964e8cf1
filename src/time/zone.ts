// What the clock on the wall shows in a time zone, and when it shows it. The only user of date-fns-tz, and of it only the
// offset: its conversions are wrong around some transitions, and depend on the time zone of the process. Knows no windows.
//
// A wall time is written as the milliseconds of the same date and hour on the UTC calendar.

import { formatInTimeZone } from 'date-fns-tz/formatInTimeZone'
import { InvalidConfigError } from '../errors/errors.js'

const dayMs = 86_400_000

// Intl also takes three-letter names of its own, of which some do not mean what they seem to ('AST' is Alaska). These are IANA's.
const threeLetterZones = new Set(['CET', 'EET', 'EST', 'GMT', 'HST', 'MET', 'MST', 'PRC', 'ROC', 'ROK', 'UCT', 'UTC', 'WET'])

/**
 * Returns the zone as it was given, if it is the name of an IANA time zone or alias that this runtime knows: `'Europe/Berlin'`,
 * `'US/Eastern'`, `'UTC'`. Throws {@link InvalidConfigError}, naming `field`, for anything else. Offsets such as `'+05:30'` are
 * refused: runtimes disagree on them, and an offset is not a zone (it has no daylight-saving time); so are Intl's own
 * abbreviations (`'PST'`, `'IST'`), which are ambiguous. An invalid zone would otherwise become an Invalid Date in silence.
 */
export function assertTimeZone(zone: unknown, field: string): string {
  if (typeof zone === 'string' && isIanaZone(zone)) return zone
  const shown = typeof zone === 'string' ? JSON.stringify(zone) : String(zone)
  const remedy = typeof zone === 'string' && /^(?:GMT|UTC)?[+-]\d/i.test(zone)
    ? "Offsets are not zones: give a place such as 'Asia/Kolkata', or 'Etc/GMT+5' for five hours behind UTC."
    : "Give an IANA name such as 'UTC', 'Europe/Berlin' or 'America/New_York'."
  throw new InvalidConfigError(`${field}: ${shown} is not a time zone. ${remedy}`)
}

function isIanaZone(zone: string): boolean {
  if (zone === 'UTC') return true
  if (!/^[a-z]/i.test(zone) || /^SystemV\//i.test(zone)) return false
  if (zone.length === 3 && !threeLetterZones.has(zone.toUpperCase())) return false
  try {
    return new Intl.DateTimeFormat('en-US', { timeZone: zone }).format(0) !== ''
  } catch {
    return false
  }
}

/**
 * How far the wall clock of the zone is ahead of UTC at that instant, in milliseconds, whatever the time zone of the process.
 * Offsets are read to the minute: exact for every zone since 1973. `zone` must have passed {@link assertTimeZone}.
 */
export function zoneOffsetMs(zone: string, instant: number): number {
  if (zone === 'UTC') return 0
  // As a Date: date-fns-tz takes the number 0 for "no date given".
  const text = formatInTimeZone(new Date(instant), zone, 'xxx')
  const minutes = Number(text.slice(1, 3)) * 60 + Number(text.slice(4, 6))
  return (text.startsWith('-') ? -minutes : minutes) * 60_000
}

/**
 * The first instant whose wall time in the zone is `wallMs`; if that wall time was skipped, the first instant whose wall time is
 * not before it. Monotone in `wallMs`, so that periods cut at wall times tile (WINDOW-TRUTH).
 */
export function firstInstantOf(zone: string, wallMs: number): number {
  if (zone === 'UTC') return wallMs
  // No offset is as long as a day, so a transition that matters lies between these two.
  const before = wallMs - dayMs
  const after = wallMs + dayMs
  // The larger offset gives the earlier instant.
  const offsets = [zoneOffsetMs(zone, before), zoneOffsetMs(zone, after)].sort((a, b) => b - a)
  for (const offset of offsets) {
    const candidate = wallMs - offset
    if (zoneOffsetMs(zone, candidate) === offset) return candidate
  }
  return firstInstantNotBefore(zone, wallMs, before, after)
}

function firstInstantNotBefore(zone: string, wallMs: number, from: number, to: number): number {
  let tooEarly = from
  let found = to
  while (found - tooEarly > 1) {
    const middle = Math.floor((tooEarly + found) / 2)
    if (middle + zoneOffsetMs(zone, middle) >= wallMs) found = middle
    else tooEarly = middle
  }
  return found
}
