// What each client used, model by model. Knows how it is added up, not where from.

import { UNKNOWN, type EntrySum } from '../ledger/index.js'
import { Report, sumCells } from './report.js'
import { byTexts, sumsShown, UNASSIGNED, type ReportSums } from './rows.js'

/** What one client used of one model. */
export interface ClientModel extends ReportSums {
  /** `unknown` where none was named. */
  readonly model: string
}

/** What one client used: all in all, and by model. */
export interface ClientRow extends ReportSums {
  /** The tenant; `unassigned` where there is none. */
  readonly client: string
  readonly models: readonly ClientModel[]
}

/** The report of sums by tenant and model. In its table each line is one model of one client. */
export function clientsOf(sums: () => Promise<readonly EntrySum[]>): Report<ClientRow> {
  const rows = async function* (): AsyncIterable<ClientRow> {
    const used = (await sums()).filter((sum) => isUsed({ calls: sum.calls, exact: sum })).sort((one, other) => byTexts(one.texts, other.texts))
    for (let first = 0, next = 0; first < used.length; first = next) {
      const tenant = used[first]?.texts[0]
      while (next < used.length && used[next]?.texts[0] === tenant) next += 1
      yield clientRow(tenant ?? UNASSIGNED, used.slice(first, next))
    }
  }
  const columns = ['Client', 'Model', 'Calls', 'Tokens', 'Cost']
  return new Report(columns, rows, ({ client, models }) => models.map((row) => [client, row.model, ...sumCells(row)]))
}

/** True where there is anything to show or to invoice: what was taken back entirely is not. */
export function isUsed({ calls, exact }: Pick<ReportSums, 'calls' | 'exact'>): boolean {
  return calls !== 0 || exact.tokens !== 0n || exact.microcents !== 0n
}

function clientRow(client: string, sums: readonly EntrySum[]): ClientRow {
  let calls = 0
  let tokens = 0n
  let microcents = 0n
  for (const sum of sums) {
    calls += sum.calls
    tokens += sum.tokens
    microcents += sum.microcents
  }
  return { client, ...sumsShown({ calls, tokens, microcents }), models: sums.map((sum) => ({ model: sum.texts[1] ?? UNKNOWN, ...sumsShown(sum) })) }
}
