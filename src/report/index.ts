// The door of the room: reports on a ledger, and how they are written.

export type { ClientModel, ClientRow } from './clients.js'
export type { ReportOptions, SummaryOptions, TimedReportOptions } from './options.js'
export { Report, type ReportFormat, type WriteReportOptions } from './report.js'
export { Reports, type BillingOptions, type BillingRow, type ReportsOptions, type TopSpendersOptions } from './reports.js'
export type { ReportRow, ReportSums } from './rows.js'
export { TIME_UNITS, type TimeUnit } from './stretches.js'
