// A report: rows that come one by one, as objects, as text, or as a file. Knows how rows look in each, and not what they say.

import { InvalidRequestError } from '../errors/index.js'
import { amountCell, csvLine, jsonArray, jsonLines, shown, watched, writeFile, type Cell, type Watching } from '../ledger/index.js'
import { formatUsd } from '../money/index.js'
import type { ReportSums } from './rows.js'

/** One line of a table: a cell for each column. */
export type Line = readonly Cell[]

/** The formats of a written report. */
export type ReportFormat = 'csv' | 'json' | 'jsonl'

/** How a report is written to a file. */
export interface WriteReportOptions extends Watching {
  /** By default what the name ends with. */
  readonly format?: ReportFormat | undefined
}

const OPTIONS: readonly string[] = ['format', 'onProgress', 'signal'] satisfies (keyof WriteReportOptions)[]
const FORMATS: readonly string[] = ['csv', 'json', 'jsonl']

/**
 * The rows of a report. They are read from the ledger as they are asked for, anew each time. In text, USD are exact decimals, tokens exact
 * integers, and times in ISO 8601.
 */
export class Report<Row extends object> implements AsyncIterable<Row> {
  /** The names of the columns of its table. */
  readonly columns: readonly string[]
  readonly #rows: () => AsyncIterable<Row>
  readonly #linesOf: (row: Row) => Iterable<Line>

  /** `linesOf` gives the lines of a row, with a cell for each of the columns. */
  constructor(columns: readonly string[], rows: () => AsyncIterable<Row>, linesOf: (row: Row) => Iterable<Line>) {
    this.columns = columns
    this.#rows = rows
    this.#linesOf = linesOf
  }

  [Symbol.asyncIterator](): AsyncIterator<Row> {
    return this.#rows()[Symbol.asyncIterator]()
  }

  /** All rows at once. */
  async all(): Promise<Row[]> {
    const all: Row[] = []
    for await (const row of this) all.push(row)
    return all
  }

  /** The table as CSV (RFC 4180, CRLF), the header first. Text that a spreadsheet would take for a formula is defused. */
  toCsv(): AsyncIterable<string> {
    return this.#csv(this)
  }

  /** The rows as one JSON array. */
  toJson(): AsyncIterable<string> {
    return jsonArray(this, publicRow)
  }

  /** The rows as JSON lines. */
  toJsonLines(): AsyncIterable<string> {
    return jsonLines(this, publicRow)
  }

  /**
   * Writes it to a file, whole or not at all; a file that is there is replaced, and its permissions stay. Rejects with `InvalidRequestError`
   * for a name that says no format, an option that is none, and a path that is none or leads to a folder or a database, before anything is read.
   */
  async writeTo(path: string, options: WriteReportOptions = {}): Promise<void> {
    if (typeof options !== 'object' || options === null) throw new InvalidRequestError(`options: ${shown(options)} are no options. Give { format, onProgress, signal }, or none.`)
    const unknown = Object.keys(options).find((name) => !OPTIONS.includes(name))
    if (unknown !== undefined) throw new InvalidRequestError(`options.${unknown}: is no option of a written report. Use ${OPTIONS.join(', ')}.`)
    const format = options.format ?? (typeof path === 'string' ? path.slice(path.lastIndexOf('.') + 1).toLowerCase() : undefined)
    if (format === undefined || !FORMATS.includes(format)) throw new InvalidRequestError(`format: ${JSON.stringify(options.format ?? path)} is no format of a report. Use csv, json or jsonl, as an option or at the end of the path.`)
    const rows = watched(this, options)
    await writeFile(path, format === 'csv' ? this.#csv(rows) : format === 'json' ? jsonArray(rows, publicRow) : jsonLines(rows, publicRow))
  }

  async *#csv(rows: AsyncIterable<Row>): AsyncIterable<string> {
    // What names a column may come from an application too: a key of its metadata.
    yield csvLine(this.columns)
    for await (const row of rows) for (const line of this.#linesOf(row)) yield csvLine(line)
  }
}

/** The cells of the sums of a row: calls, tokens, cost. */
export function sumCells({ calls, exact }: ReportSums): readonly [calls: Cell, tokens: Cell, cost: Cell] {
  return [calls, exact.tokens, amountCell(formatUsd(exact.microcents))]
}

/** A row as JSON has it: exact amounts in place of the numbers. Tokens that a number cannot hold become a text. */
function publicRow(row: object): object {
  const { exact, ...rest } = row as Partial<ReportSums> & Readonly<Record<string, unknown>>
  const shown: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(rest)) shown[name] = Array.isArray(value) ? value.map(publicRow) : value
  if (exact === undefined) return shown
  const tokens = Number(exact.tokens)
  return { ...shown, tokens: Number.isSafeInteger(tokens) ? tokens : String(exact.tokens), cost: formatUsd(exact.microcents) }
}
