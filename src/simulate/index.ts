// The door of bursar/simulate: what would have happened under another configuration.

export { findLimit, type FindLimitOptions, type FoundLimit, type LimitProbe, type LimitTarget } from './find-limit.js'
export type { ColumnMap, Field } from './columns.js'
export { readLog, UsageLog, type LogPass, type ReadLogOptions, type SkippedRows } from './log.js'
export type { LoggedAction, LoggedCall, LoggedEnding, LoggedNote, LoggedRequest, LoggedUsage } from './logged-call.js'
export { renderPage, type PageOptions } from './page.js'
export type { LogSource } from './reading.js'
export type { AffectedUser, ColumnReport, Counts, DayFigures, Difference, Differences, Figures, ModelFigures, Simulation, TierFigures } from './report.js'
export { sampleLog, type SampleOptions } from './sample.js'
export { simulate, type Candidate, type SimulateOptions, type SimulationProgress } from './simulate.js'
export type { RepeatOptions, SpreadOptions, Weights } from './spread.js'
export { renderJson, renderTable } from './text.js'
