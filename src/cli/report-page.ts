// Reports for people: the rows of each as a table, with what they add up to.

import type { BillingRow, ClientRow, ReportRow, ReportSums } from '../report/index.js'
import { show, showCount } from './amounts.js'
import type { Column } from './table.js'
import { showDay, showTime } from './times.js'

/** Rows as lines of a table. */
export interface Page<Row> {
  readonly columns: readonly Column[]
  linesOf(row: Row): readonly (readonly (string | undefined)[])[]
  /** The sums of a row, which are added up below the table. */
  sumsOf(row: Row): Sums
}

/** What is added up. */
export interface Sums {
  readonly calls: number
  readonly denials?: number | undefined
  readonly tokens: bigint
  readonly microcents: bigint
}

const SUMS: readonly Column[] = [{ head: 'calls', number: true }, { head: 'tokens', number: true }, { head: 'cost (USD)', number: true }]

/** A summary by `fields`, in stretches of time where `unit` names them. */
export function summaryPage(fields: readonly string[], unit: string | undefined, zone: string): Page<ReportRow> {
  const time: readonly Column[] = unit === undefined ? [] : [{ head: `${unit} (${zone})` }]
  return {
    columns: [...time, ...fields.map((head) => ({ head })), { head: 'calls', number: true }, { head: 'denials', number: true }, { head: 'tokens', number: true }, { head: 'cost (USD)', number: true }],
    linesOf: (row) => {
      const start = row.start?.getTime()
      const shown = start === undefined ? [] : [unit === 'hour' ? showTime(start, zone).slice(0, 16) : unit === 'month' ? showDay(start, zone).replace(/^(\d{4}-\d{2})-01$/, '$1') : showDay(start, zone)]
      const [calls, tokens, cost] = sumCells(row)
      return [[...shown, ...fields.map((field) => row[field as 'tenant']), calls, showCount(row.denials), tokens, cost]]
    },
    sumsOf: ({ calls, denials, exact }) => ({ calls, denials, ...exact }),
  }
}

/** By client, and for each by model. */
export const CLIENTS_PAGE: Page<ClientRow> = {
  columns: [{ head: 'client' }, { head: 'model' }, ...SUMS],
  linesOf: ({ client, models, ...sums }) => [...models.map(({ model, ...row }) => [client, model, ...sumCells(row)]), ...(models.length > 1 ? [[client, 'all', ...sumCells(sums)]] : [])],
  sumsOf: ({ calls, exact }) => ({ calls, ...exact }),
}

/** What to invoice, by days of `zone`. */
export const billingPage = (zone: string): Page<BillingRow> => ({
  columns: [{ head: `date (${zone})` }, { head: 'client' }, { head: 'service' }, { head: 'model' }, ...SUMS, { head: 'project' }],
  linesOf: (row) => [[row.date, row.client, row.service, row.model, ...sumCells(row), row.project]],
  sumsOf: ({ calls, exact }) => ({ calls, ...exact }),
})

/** One more line: the sum of all. */
export function totalLine<Row>(page: Page<Row>, rows: readonly Row[]): readonly (string | undefined)[] {
  let [calls, denials, tokens, microcents] = [0, 0, 0n, 0n]
  for (const row of rows) {
    const sums = page.sumsOf(row)
    calls += sums.calls
    denials += sums.denials ?? 0
    tokens += sums.tokens
    microcents += sums.microcents
  }
  const cells: Readonly<Record<string, string | undefined>> = { calls: showCount(calls), denials: showCount(denials), tokens: showCount(tokens), 'cost (USD)': show(microcents) }
  return page.columns.map(({ head, number }, index) => (number === true ? cells[head] : index === 0 ? 'total' : ' '))
}

function sumCells({ calls, exact }: ReportSums): [string, string, string] {
  return [showCount(calls), showCount(exact.tokens), show(exact.microcents) as string]
}
