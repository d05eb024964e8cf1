// Real Postgres servers for tests.

export { PostgresServer, startPostgres } from './server.js'
export { sharedPostgres, type SharedPostgres } from './shared.js'
export { PostgresLine } from './line.js'
