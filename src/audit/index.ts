export { audit, type AuditDifference, type AuditOptions, type AuditReport } from './audit.js'
export { compare, type Difference } from './compare.js'
export { endingsOf } from './endings.js'
