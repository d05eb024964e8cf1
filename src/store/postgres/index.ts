export { postgresLedger, type PostgresLedger } from './postgres-ledger.js'
export type { PostgresConnection, PostgresPool, PostgresQuery, PostgresRows } from './client.js'
export type { PostgresLedgerOptions } from './options.js'
