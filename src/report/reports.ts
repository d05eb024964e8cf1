// Where the money went: sums of a ledger by its fields and by time, exact, wherever the ledger is kept. Reads only, and decides nothing.

import { InvalidConfigError, InvalidRequestError } from '../errors/index.js'
import { nextTurn, parseField, shown, sumsOf, type Conditions, type EntryField, type EntrySource, type EntrySum } from '../ledger/index.js'
import { assertTimeZone, systemClock, zoneOffsetMs, type Clock, type Weekday } from '../time/index.js'
import { clientsOf, isUsed, type ClientRow } from './clients.js'
import { readSums } from './groups.js'
import { inOrder } from './in-order.js'
import { assertKnown, parseSummary, type Question, type ReportOptions, type SummaryOptions, type TimedReportOptions } from './options.js'
import { Report, sumCells, type Line } from './report.js'
import { byTexts, byTimeAndTexts, rowOf, UNASSIGNED, type ReportRow, type ReportSums } from './rows.js'
import { boundariesOf, Portion, spansWithEntries } from './stretches.js'

/** How reports cut time where they are not told. */
export interface ReportsOptions {
  /** An IANA zone; `'UTC'` by default. */
  readonly timeZone?: string | undefined
  /** 0 is Sunday, 1 Monday (the default). */
  readonly weekStartsOn?: Weekday | undefined
  readonly clock?: Clock | undefined
}

/** What a list of top spenders is asked. */
export interface TopSpendersOptions extends ReportOptions {
  /** Whose spend: users by default (each in their tenant), or any field. */
  readonly by?: EntryField | undefined
  /** How many at most: 1 to 10,000; 10 by default. */
  readonly limit?: number | undefined
}

/** What a billing export is asked: which fields its columns are. */
export interface BillingOptions extends TimedReportOptions {
  /** `tenant` by default. */
  readonly client?: EntryField | undefined
  /** `provider` by default. */
  readonly service?: EntryField | undefined
  /** `metadata.project` by default. */
  readonly project?: EntryField | undefined
}

/** One row of a billing export. */
export interface BillingRow extends ReportSums {
  /** The day in the zone of the report: `2026-03-29`. */
  readonly date: string
  /** `unassigned` where there is none: see `isUnassigned`, since a client may be called so. */
  readonly client: string
  /** True where there is no client; absent where there is one. */
  readonly isUnassigned?: true | undefined
  readonly service: string | undefined
  readonly model: string | undefined
  readonly project: string | undefined
}

const OPTIONS: readonly string[] = ['timeZone', 'weekStartsOn', 'clock'] satisfies (keyof ReportsOptions)[]
/** How many rows are given before the process may turn to something else. */
const ROWS_PER_TURN = 250
const MOST_SPENDERS = 10_000

/**
 * Reports on a ledger: that of a store, or of any sink. Each is a {@link Report}: its rows come as they are asked for, and the same data go
 * to CSV, JSON or a file. Options are checked before anything is read: `InvalidRequestError`, `InvalidConfigError` for a zone.
 */
export class Reports {
  readonly #source: EntrySource
  readonly #defaults: { readonly timeZone: string; readonly weekStartsOn: Weekday }
  readonly #clock: Clock

  /** Throws `InvalidConfigError` for what is no ledger, an option that is none, a zone that does not exist, or a start of the week that is no day. */
  constructor(source: EntrySource, options: ReportsOptions = {}) {
    if (typeof (source as EntrySource | undefined | null)?.entries !== 'function') throw new InvalidConfigError(`source: ${shown(source)} is no ledger. Give a sink such as sqliteLedger({ path }), or use tracker.reports.`)
    if (typeof options !== 'object' || options === null) throw new InvalidConfigError(`options: ${shown(options)} are no options. Give { ${OPTIONS.join(', ')} }, or none.`)
    const unknown = Object.keys(options).find((name) => !OPTIONS.includes(name))
    if (unknown !== undefined) throw new InvalidConfigError(`options.${unknown}: is no option of reports. Use ${OPTIONS.join(', ')}.`)
    const { timeZone = 'UTC', weekStartsOn = 1, clock = systemClock } = options
    if (!Number.isInteger(weekStartsOn) || weekStartsOn < 0 || weekStartsOn > 6) throw new InvalidConfigError(`weekStartsOn: ${String(weekStartsOn)} is no day of the week. Use 0 (Sunday) to 6 (Saturday).`)
    this.#source = source
    this.#defaults = { timeZone: assertTimeZone(timeZone, 'timeZone'), weekStartsOn }
    this.#clock = clock
  }

  /** The zone whose clock cuts time where a report is not told another. */
  get timeZone(): string {
    return this.#defaults.timeZone
  }

  /**
   * Sums by any fields, and by hour, day, week or month: in the order of time, then of the texts (missing ones last). Only what has entries
   * has a row. In memory there are the groups of 64 stretches of time, or of as many more (up to 10,000) as have about 50,000 groups; a field
   * with a text of its own for each entry (`id`) makes as many groups as those stretches have entries. Of a ledger that cannot sum by itself
   * (in memory, or Redis without a sink), all groups are in memory; so they are where time is not asked for.
   */
  summary(options: SummaryOptions): Report<ReportRow> {
    const question = parseSummary(options, this.#defaults)
    return summaryReport(question, () => this.#summed(question))
  }

  /** By tenant, and for each of them by model: calls, tokens, cost. Only what was used. */
  byClient(options: ReportOptions = {}): Report<ClientRow> {
    assertKnown(options, [])
    const question = parseSummary({ ...options, by: ['tenant', 'model'] }, this.#defaults)
    return clientsOf(() => this.#sums(question))
  }

  /** By day and tenant (`unassigned`, with `isUnassigned`, where there is none). Only what was used or denied. */
  daily(options: TimedReportOptions = {}): Report<ReportRow> {
    assertKnown(options, ['timeZone'])
    const question = parseSummary({ ...options, by: ['day', 'tenant'] }, this.#defaults)
    const summed = (): AsyncIterable<ReportRow> => this.#summed(question)
    return summaryReport(question, async function* () {
      for await (const row of summed()) if (isUsed(row) || row.denials > 0) yield { ...row, ...(row.tenant === undefined && { tenant: UNASSIGNED, isUnassigned: true }) }
    })
  }

  /** Who spent most, the largest cost first; the same cost in the order of the texts. What has no such text is left out, and who spent nothing. */
  topSpenders(options: TopSpendersOptions = {}): Report<ReportRow> {
    assertKnown(options, ['by', 'limit'])
    const { by = 'userId', limit = 10, ...rest } = options
    if (!Number.isInteger(limit) || limit < 1 || limit > MOST_SPENDERS) throw new InvalidRequestError(`limit: ${String(limit)} is no number of rows. Use 1 to ${MOST_SPENDERS}.`)
    const field = parseField(by, 'by')
    const question = parseSummary({ ...rest, by: field === 'userId' ? [field, 'tenant'] : [field] }, this.#defaults)
    const sums = (): Promise<readonly EntrySum[]> => this.#sums(question)
    return summaryReport(question, async function* () {
      const spent = (await sums()).filter(({ texts, microcents }) => texts[0] !== undefined && microcents > 0n)
      const ordered = await inOrder(spent, (one, other) => (one.microcents === other.microcents ? byTexts(one.texts, other.texts) : one.microcents > other.microcents ? -1 : 1))
      for (const sum of ordered.slice(0, limit)) yield rowOf(sum, question.fields, undefined)
    })
  }

  /**
   * What to invoice: by day, client, service, model and project. Its rows add up to the ledger of that time, corrections and all. A day is one
   * of the zone's calendar, and its `date` is what the wall showed when it began: where clocks are set back across midnight (23:00 comes
   * twice, the second time after 0:00), all from the first midnight on is the new day's, the repeated hour too.
   */
  billing(options: BillingOptions = {}): Report<BillingRow> {
    assertKnown(options, ['timeZone', 'client', 'service', 'project'])
    const { client = 'tenant', service = 'provider', project = 'metadata.project', ...rest } = options
    const wanted = [parseField(client, 'client'), parseField(service, 'service'), 'model' as const, parseField(project, 'project')] as const
    // Two columns may be one field.
    const question = parseSummary({ ...rest, by: ['day', ...new Set(wanted)] }, this.#defaults)
    const timeZone = options.timeZone ?? this.#defaults.timeZone
    const summed = (): AsyncIterable<ReportRow> => this.#summed(question)
    const rows = async function* (): AsyncIterable<BillingRow> {
      for await (const row of summed()) {
        if (!isUsed(row)) continue
        const [clientText, serviceText, model, projectText] = wanted.map((field) => row[field])
        const { calls, tokens, cost, exact } = row
        yield { date: dayOf(question, row.start as Date, timeZone), client: clientText ?? UNASSIGNED, ...(clientText === undefined && { isUnassigned: true as const }), service: serviceText, model, calls, tokens, cost, project: projectText, exact }
      }
    }
    return new Report(['Date', 'Client', 'Service', 'Model', 'Calls', 'Tokens', 'Cost', 'Project'], rows, (row) => [[row.date, row.client, row.service, row.model, ...sumCells(row), row.project]])
  }

  #sums({ conditions, fields }: Question): Promise<readonly EntrySum[]> {
    return sumsOf(this.#source, conditions, fields)
  }

  async *#summed(question: Question): AsyncIterable<ReportRow> {
    const { conditions, range, fields, stretches } = question
    if (stretches === undefined) {
      for (const sum of await inOrder(await this.#sums(question), byTimeAndTexts)) yield rowOf(sum, fields, undefined)
      return
    }
    const { from = -Infinity, until = Infinity } = range
    if (this.#source.sums === undefined) {
      for (const { stretch, sums } of await readSums(this.#source, conditions, fields, stretches)) {
        const shown = { startsAt: Math.max(stretch.startsAt, from), endsAt: Math.min(stretch.endsAt, until) }
        for (const sum of await inOrder(sums, byTimeAndTexts)) yield rowOf(sum, fields, shown)
      }
      return
    }
    const spans = await spansWithEntries(this.#source, conditions, range, this.#clock)
    const portion = new Portion(fields.length > 0)
    for (const boundaries of boundariesOf(stretches, spans, range, portion)) {
      // Between two questions to a ledger that answers at once, too.
      await nextTurn()
      const sums = await sumsOf(this.#source, withoutTime(conditions), fields, boundaries)
      portion.gave(boundaries.length - 1, sums.length)
      yield* rowsBetween(boundaries, sums, fields)
    }
  }
}

async function* rowsBetween(boundaries: readonly number[], sums: readonly EntrySum[], fields: readonly EntryField[]): AsyncIterable<ReportRow> {
  for (const [index, sum] of (await inOrder(sums, byTimeAndTexts)).entries()) {
    if (index % ROWS_PER_TURN === 0) await nextTurn()
    yield rowOf(sum, fields, { startsAt: boundaries[sum.bucket] as number, endsAt: boundaries[sum.bucket + 1] as number })
  }
}

/** The boundaries say it already. */
function withoutTime(conditions: Conditions): Conditions {
  return { ...conditions, bounds: conditions.bounds.filter(({ field }) => field !== 'at') }
}

function summaryReport({ fields, stretches }: Question, rows: () => AsyncIterable<ReportRow>): Report<ReportRow> {
  const columns = [...(stretches === undefined ? [] : ['start', 'end']), ...fields, 'calls', 'denials', 'entries', 'tokens', 'cost']
  const lineOf = (row: ReportRow): Line => {
    const [calls, tokens, cost] = sumCells(row)
    const time = stretches === undefined ? [] : [row.start?.toISOString(), row.end?.toISOString()]
    return [...time, ...fields.map((field) => row[field]), calls, row.denials, row.entries, tokens, cost]
  }
  return new Report(columns, rows, (row) => [lineOf(row)])
}

/** The date on the wall when the day began that the row is of: the row itself may begin later. */
function dayOf({ stretches }: Question, start: Date, timeZone: string): string {
  const { startsAt } = (stretches as NonNullable<Question['stretches']>).at(start.getTime())
  return new Date(startsAt + zoneOffsetMs(timeZone, startsAt)).toISOString().slice(0, 10)
}
