// What a report is asked, checked once, before anything is read.

import { InvalidRequestError } from '../errors/index.js'
import { momentOf, parseField, parseFilter, type Conditions, type EntryField, type EntryFilter, type Moment } from '../ledger/index.js'
import type { Weekday } from '../time/index.js'
import type { Stretches } from './hours.js'
import { stretchesOf, TIME_UNITS, type Range, type TimeUnit } from './stretches.js'

/** What every report can be asked. */
export interface ReportOptions {
  /** By when entries were written; `from` is included, `until` is not. Absent: all of them. */
  readonly from?: Moment | undefined
  readonly until?: Moment | undefined
  /** Only entries with these texts: as in an {@link EntryFilter}. */
  readonly where?: EntryFilter['where']
}

/** What reports by day or another stretch of time can be asked. */
export interface TimedReportOptions extends ReportOptions {
  /** The IANA zone whose clock cuts time; by default that of the reports. */
  readonly timeZone?: string | undefined
}

/** What a summary is asked. */
export interface SummaryOptions extends TimedReportOptions {
  /** Fields, and at most one of `hour`, `day`, `week` and `month`. */
  readonly by: readonly (TimeUnit | EntryField)[]
}

/** A question that was checked. */
export interface Question {
  readonly conditions: Conditions
  readonly range: Range
  readonly fields: readonly EntryField[]
  /** Absent where time does not matter. */
  readonly stretches: Stretches | undefined
}

const COMMON = ['from', 'until', 'where']

/** Checks a summary's options. Throws `InvalidRequestError` or `InvalidConfigError` (a zone) with the field, the value and what would be right. */
export function parseSummary(options: SummaryOptions, defaults: { readonly timeZone: string; readonly weekStartsOn: Weekday }): Question {
  assertKnown(options, ['by', 'timeZone'])
  if (!Array.isArray(options.by)) throw new InvalidRequestError(`by: ${JSON.stringify(options.by)} is no list. Give fields, and at most one of ${TIME_UNITS.join(', ')}: ['month', 'tenant'].`)
  const units = options.by.filter(isTimeUnit)
  if (units.length > 1) throw new InvalidRequestError(`by: ${units.join(' and ')} are two ways to cut time. Give at most one.`)
  const fields = options.by.filter((word) => !isTimeUnit(word)).map((field) => parseField(field, 'by'))
  const repeated = fields.find((field, index) => fields.indexOf(field) !== index)
  if (repeated !== undefined) throw new InvalidRequestError(`by: "${repeated}" stands there twice. Name each field once.`)
  const { timeZone = defaults.timeZone } = options
  // Also where no time is asked for: a zone that does not exist is a mistake.
  const stretches = stretchesOf(units[0] ?? 'day', timeZone, defaults.weekStartsOn)
  const { conditions, range } = parseRange(options)
  return { conditions, range, fields, stretches: units.length === 0 ? undefined : stretches }
}

/** Throws `InvalidRequestError` for an option that there is not, beside those of all reports. */
export function assertKnown(options: object, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null) throw new InvalidRequestError(`options: ${JSON.stringify(options)} are no options. Give an object.`)
  const all = [...COMMON, ...known]
  const unknown = Object.keys(options).find((name) => !all.includes(name))
  if (unknown !== undefined) throw new InvalidRequestError(`${unknown}: is no option of this report. Use ${all.join(', ')}.`)
}

function parseRange({ from, until, where }: ReportOptions): Pick<Question, 'conditions' | 'range'> {
  const range = { from: momentOf(from, 'from'), until: momentOf(until, 'until') }
  if (range.from !== undefined && range.until !== undefined && range.from >= range.until) {
    throw new InvalidRequestError(`until: ${new Date(range.until).toISOString()} is not after from, ${new Date(range.from).toISOString()}. Give an end that comes later; it is not included.`)
  }
  return { conditions: parseFilter({ from, until, where }), range }
}

function isTimeUnit(word: unknown): word is TimeUnit {
  return (TIME_UNITS as readonly unknown[]).includes(word)
}
