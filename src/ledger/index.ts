export type { ChargedWindow, CostDetails, LedgerEntry, LedgerKind, LedgerTotals, ModelTotals } from './entry.js'
export { MAX_NAMES, OTHERS, RunningTotals, UNKNOWN } from './totals.js'
export { toCsv, toJson, writeFile } from './export.js'
