// The one server that a test file uses where it needs no more than a Postgres: POSTGRES_URL if that is set, else one for this process,
// started on first use and ended with the process.

import pg from 'pg'
import { startPostgres } from './server.js'

/** A server that others may use at the same time: keep to schemas of your own. */
export interface SharedPostgres {
  readonly url: string
  /** A pool for questions of the test's own. */
  readonly pool: pg.Pool
  /** The name of a schema that nobody else uses; there is none of that name yet. */
  schema(): string
  /** The url of a database of its own, which is empty. `as`: how it is made, such as `ENCODING 'SQL_ASCII' TEMPLATE template0`. */
  database(as?: string): Promise<string>
  /** Drops the schemas and databases that were named, and ends the pool. */
  close(): Promise<void>
}

let shared: Promise<SharedPostgres> | undefined

/** The shared server of this process. Rejects with what to install or to set if there is none. */
export function sharedPostgres(): Promise<SharedPostgres> {
  shared ??= open()
  return shared
}

async function open(): Promise<SharedPostgres> {
  const url = process.env['POSTGRES_URL'] || (await startPostgres()).url
  const pool = new pg.Pool({ connectionString: url, allowExitOnIdle: true })
  pool.on('error', () => {})
  try {
    await pool.query('SELECT 1')
  } catch (cause) {
    throw new Error(`POSTGRES_URL: no Postgres answers at ${new URL(url).host}. Start it, or unset POSTGRES_URL to let the tests start their own.`, { cause })
  }
  const schemas: string[] = []
  const databases: string[] = []
  return {
    url,
    pool,
    schema: () => {
      const name = `bursar_test_${process.pid}_${Math.trunc(performance.timeOrigin)}_${schemas.length}`
      schemas.push(name)
      return name
    },
    database: async (as = '') => {
      const name = `bursar_test_${process.pid}_${Math.trunc(performance.timeOrigin)}_database_${databases.length}`
      databases.push(name)
      await pool.query(`CREATE DATABASE "${name}" ${as}`)
      const address = new URL(url)
      address.pathname = name
      return address.href
    },
    close: async () => {
      for (const name of databases) await pool.query(`DROP DATABASE IF EXISTS "${name}" WITH (FORCE)`)
      for (const name of schemas) await pool.query(`DROP SCHEMA IF EXISTS "${name}" CASCADE`)
      await pool.end()
    },
  }
}
