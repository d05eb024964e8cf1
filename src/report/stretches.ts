// Which stretches of time a report is about: calendar days, weeks and months, or hours, in a zone, and only those in which a ledger may
// have something. Reads no entry but the first.

import { ALL_ENTRIES, sumsOf, type Conditions, type EntrySource } from '../ledger/index.js'
import { assertTimeZone, calendarFor, type Clock, type Span, type Weekday } from '../time/index.js'
import { Hours, type Stretches } from './hours.js'

/** The words for time in a report. */
export const TIME_UNITS = ['hour', 'day', 'week', 'month'] as const

/** A stretch of the calendar, or an hour of the wall clock. */
export type TimeUnit = (typeof TIME_UNITS)[number]

/**
 * How many stretches are summed at once: as many as their rows allow, since each question may cost a look at the whole ledger. What a
 * report needs of memory does not grow with the time that it covers.
 */
const FEWEST_AT_ONCE = 64
const MOST_AT_ONCE = 10_000
/** How many rows one question should give. */
const ROWS_AT_ONCE = 50_000

/** How many stretches to ask for next, by how many rows the last question gave; without fields a stretch is one row at most. */
export class Portion {
  size: number

  constructor(hasFields: boolean) {
    this.size = hasFields ? FEWEST_AT_ONCE : MOST_AT_ONCE
  }

  /** The question was of `stretches`, and `rows` came back. Grows by no more than a factor of 16: what comes next may be busier. */
  gave(stretches: number, rows: number): void {
    const wanted = Math.floor((ROWS_AT_ONCE / Math.max(rows, 1)) * stretches)
    this.size = Math.max(FEWEST_AT_ONCE, Math.min(wanted, this.size * 16, MOST_AT_ONCE))
  }
}

const YEAR_MS = 366 * 86_400_000
const EARLIEST = Date.UTC(1900, 0, 1)
const LATEST = Date.UTC(10_000, 0, 1)

/** The stretches of a unit in a zone. Throws `InvalidConfigError` for a zone that does not exist. */
export function stretchesOf(unit: TimeUnit, timeZone: string, weekStartsOn: Weekday): Stretches {
  return unit === 'hour' ? new Hours(assertTimeZone(timeZone, 'timeZone')) : calendarFor({ unit, timeZone, weekStartsOn, monthStartsOn: 1 })
}

/** The part of time from `from` up to `until` that is to be looked at, where either may be missing. */
export interface Range {
  readonly from: number | undefined
  readonly until: number | undefined
}

/**
 * The spans of the range in which the source may have entries that match: all that it has are in them. In order, and with a gap between
 * them. Costs little where the source finds entries by their time.
 */
export async function spansWithEntries(source: EntrySource, conditions: Conditions, { from, until }: Range, clock: Clock): Promise<readonly Span[]> {
  const startsAt = Math.max(from ?? EARLIEST, EARLIEST)
  const endsAt = Math.min(until ?? LATEST, LATEST)
  if (startsAt >= endsAt) return []
  if (endsAt - startsAt <= YEAR_MS) return [{ startsAt, endsAt }]
  // Most ledgers were written in order: nothing is before the year of the first entry, and nothing after this one.
  const first = (await source.page?.(ALL_ENTRIES, 1))?.entries[0]
  if (first !== undefined) {
    const usual = [yearOf(Math.min(first.at, clock())), yearOf(Math.max(first.at, clock())) + 1] as const
    const core = { startsAt: Math.max(startsAt, Date.UTC(usual[0])), endsAt: Math.min(endsAt, Date.UTC(usual[1])) }
    const outside = [{ startsAt, endsAt: Math.min(core.startsAt, endsAt) }, { startsAt: Math.max(core.endsAt, startsAt), endsAt }]
    const isAll = (await Promise.all(outside.map((span) => hasEntries(source, conditions, span)))).every((has) => !has)
    if (isAll && core.endsAt - core.startsAt <= 5 * YEAR_MS) return core.startsAt < core.endsAt ? [core] : []
  }
  return yearsWithEntries(source, conditions, { startsAt, endsAt })
}

/** The stretches of some spans, as the boundaries of up to `portion.size` of them that follow one another. */
export function* boundariesOf(stretches: Stretches, spans: readonly Span[], { from, until }: Range, portion: { readonly size: number }): Iterable<readonly number[]> {
  let done = -Infinity
  for (const { startsAt, endsAt } of spans) {
    let boundaries: number[] = []
    for (let instant = Math.max(startsAt, done); instant < endsAt; ) {
      const stretch = stretches.at(instant)
      if (boundaries.length === 0) boundaries.push(Math.max(stretch.startsAt, from ?? -Infinity, done))
      done = Math.min(stretch.endsAt, until ?? Infinity)
      boundaries.push(done)
      instant = done
      if (boundaries.length <= portion.size) continue
      yield boundaries
      boundaries = []
    }
    if (boundaries.length > 0) yield boundaries
  }
}

async function hasEntries(source: EntrySource, conditions: Conditions, { startsAt, endsAt }: Span): Promise<boolean> {
  return startsAt < endsAt && (await sumsOf(source, conditions, [], [startsAt, endsAt])).length > 0
}

async function yearsWithEntries(source: EntrySource, conditions: Conditions, { startsAt, endsAt }: Span): Promise<readonly Span[]> {
  const years = Array.from({ length: yearOf(endsAt) - yearOf(startsAt) }, (_, index) => Date.UTC(yearOf(startsAt) + 1 + index))
  const boundaries = [startsAt, ...years.filter((year) => year > startsAt && year < endsAt), endsAt]
  const found = (await sumsOf(source, conditions, [], boundaries)).map(({ bucket }) => bucket).sort((a, b) => a - b)
  const spans: Span[] = []
  for (const bucket of found) {
    const span = { startsAt: boundaries[bucket] as number, endsAt: boundaries[bucket + 1] as number }
    const last = spans.at(-1)
    if (last?.endsAt === span.startsAt) spans[spans.length - 1] = { startsAt: last.startsAt, endsAt: span.endsAt }
    else spans.push(span)
  }
  return spans
}

function yearOf(instant: number): number {
  return new Date(instant).getUTCFullYear()
}
