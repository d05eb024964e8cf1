// What each client used, model by model. Knows how it is added up, not where from.

import { UNKNOWN, type EntrySum } from '../ledger/index.js'
import { Report, sumCells } from './report.js'
import { byTexts, sumsShown, UNASSIGNED, type ReportSums } from './rows.js'

/** What one client used of one model. */
export interface ClientModel extends ReportSums {
  /** `unknown` where none was named: see `isUnknown`, since a model may be called so. */
  readonly model: string
  /** True where no model was named; absent where one was. */
  readonly isUnknown?: true | undefined
}

/** What one client used: all in all, and by model. */
export interface ClientRow extends ReportSums {
  /** The tenant; `unassigned` where there is none: see `isUnassigned`, since a tenant may be called so. */
  readonly client: string
  /** True where there is no tenant; absent where there is one. */
  readonly isUnassigned?: true | undefined
  readonly models: readonly ClientModel[]
}

/** The report of sums by tenant and model. In its table each line is one model of one client. */
export function clientsOf(sums: () => Promise<readonly EntrySum[]>): Report<ClientRow> {
  const rows = async function* (): AsyncIterable<ClientRow> {
    const used = (await sums()).filter((sum) => isUsed({ calls: sum.calls, exact: sum })).sort((one, other) => byTexts(one.texts, other.texts))
    for (let first = 0, next = 0; first < used.length; first = next) {
      const tenant = used[first]?.texts[0]
      while (next < used.length && used[next]?.texts[0] === tenant) next += 1
      yield clientRow(tenant, used.slice(first, next))
    }
  }
  const columns = ['Client', 'Model', 'Calls', 'Tokens', 'Cost']
  return new Report(columns, rows, ({ client, models }) => models.map((row) => [client, row.model, ...sumCells(row)]))
}

/** True where there is anything to show or to invoice: what was taken back entirely is not. */
export function isUsed({ calls, exact }: Pick<ReportSums, 'calls' | 'exact'>): boolean {
  return calls !== 0 || exact.tokens !== 0n || exact.microcents !== 0n
}

function clientRow(client: string | undefined, sums: readonly EntrySum[]): ClientRow {
  let calls = 0
  let tokens = 0n
  let microcents = 0n
  for (const sum of sums) {
    calls += sum.calls
    tokens += sum.tokens
    microcents += sum.microcents
  }
  const models = sums.map((sum) => {
    const model = sum.texts[1]
    return { model: model ?? UNKNOWN, ...(model === undefined && { isUnknown: true as const }), ...sumsShown(sum) }
  })
  return { client: client ?? UNASSIGNED, ...(client === undefined && { isUnassigned: true as const }), ...sumsShown({ calls, tokens, microcents }), models }
}
