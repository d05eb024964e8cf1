// Points in time as requests say them: ISO 8601, and what has no zone of its own in the zone that is asked for. A day is written as its
// first instant.

import { z } from '@hono/zod-openapi'
import { InvalidRequestError } from '../../errors/index.js'
import { assertInstant, firstInstantOf } from '../../time/index.js'

const WRITTEN = /^(\d{4})-(\d{2})(?:-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,3}))?)?)?)?$/
const WITH_OFFSET = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2})$/

const REMEDY = "is no point in time. Give a day ('2026-11-01'), a month ('2026-11'), or a time ('2026-11-01T08:30:00Z')."

/** An instant in a body: as {@link instantOf} reads it. */
export const instantSchema = z
  .string()
  .refine((text) => isWritten(text), REMEDY)
  .openapi({ format: 'date-time', description: '`2027-01-01T00:00:00Z`; a day or a month (`2027-01`) is that of the configured time zone.', example: '2027-01-01T00:00:00Z' })

/** True for what is a point in time, whichever the zone is. */
function isWritten(text: string): boolean {
  try {
    return Number.isFinite(instantOf(text, '', 'UTC'))
  } catch {
    return false
  }
}

/** The instant in ms; throws `InvalidRequestError` naming the field for anything else, also for days that there are not. */
export function instantOf(text: string, field: string, zone: string): number {
  // In a query, a plus that was not escaped is a space.
  const written = text.replace(/ (?=\d{2}:\d{2}$)(?<=T.*)/, '+')
  const found = WITH_OFFSET.test(written) ? (isDay(written.slice(0, 10)) ? Date.parse(written) : Number.NaN) : inZone(written, zone)
  if (Number.isNaN(found)) throw new InvalidRequestError(`${field}: ${JSON.stringify(text)} ${REMEDY}`)
  return assertInstant(found, field)
}

function inZone(text: string, zone: string): number {
  const parts = WRITTEN.exec(text)
  if (parts === null) return Number.NaN
  const [, year, month, day = '01', hour = '00', minute = '00', second = '00', fraction = '0'] = parts
  if (!isDay(`${year}-${month}-${day}`) || Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return Number.NaN
  return firstInstantOf(zone, Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute), Number(second), Number(fraction.padEnd(3, '0'))))
}

/** Date.UTC would take the 31st of November for the 1st of December. */
function isDay(text: string): boolean {
  const at = Date.parse(`${text}T00:00:00Z`)
  return !Number.isNaN(at) && new Date(at).toISOString().startsWith(text)
}
