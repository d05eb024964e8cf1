export type { ChargedWindow, LedgerEntry, LedgerKind, LedgerTotals, ModelTotals } from './entry.js'
export { RunningTotals } from './totals.js'
export { toCsv, toJson, writeFile } from './export.js'
