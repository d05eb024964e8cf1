export { actionOf, ASSIGNED, callsOf, type ChargedWindow, type CostDetails, type LedgerEntry, type LedgerKind, type LedgerRung, type LedgerTotals, type ModelTotals } from './entry.js'
export {
  ALL_ENTRIES,
  KEYED_FIELDS,
  matches,
  momentOf,
  NAMED_FIELDS,
  parseField,
  parseFilter,
  shown,
  textOf,
  type AmountRange,
  type Bound,
  type BoundedField,
  type Conditions,
  type EntryField,
  type EntryFilter,
  type FieldCondition,
  type Moment,
} from './filter.js'
export { bucketOf, entriesOf, nextTurn, noCursor, pageOf, sumsOf, type EntryPage, type EntrySource, type EntrySum } from './source.js'
export { newestOf } from './newest.js'
export { MAX_NAMES, OTHERS, RunningTotals, UNKNOWN } from './totals.js'
export { anonymiseAssigned } from './assignments.js'
export { Anonymiser, anonymiseEntry, parseAnonymised, REDACTED, type AnonymisableField, type AnonymisingOptions } from './anonymise.js'
export { isAssignment } from './shapes.js'
export { amountCell, csvLine, jsonArray, jsonLines, toCsv, toJson, toJsonLines, watched, type Cell, type Watching } from './export.js'
export { isSqlite, placeOf, writeFile } from './file.js'
