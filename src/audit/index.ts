export { audit, type AuditDifference, type AuditOptions, type AuditReport, type RestoredRecords } from './audit.js'
export { compare, type Difference, type EndingOf } from './compare.js'
export { endingsOf } from './endings.js'
