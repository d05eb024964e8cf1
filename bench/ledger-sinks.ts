// How the processes of the ledger benchmark open the same ledgers.

import type { PostgresLedger } from '../src/store/postgres/index.js'
import type { SqliteLedger } from '../src/store/sqlite/index.js'
import { loadLedgers } from './package-under-test.js'

/** Where a ledger is. */
export type SinkAddress = { readonly sqlite: string } | { readonly postgres: string }

/** A ledger of a build. */
export async function openSink(dist: string, address: SinkAddress): Promise<SqliteLedger | PostgresLedger> {
  const { sqliteLedger, postgresLedger } = await loadLedgers(dist)
  return 'sqlite' in address ? sqliteLedger({ path: address.sqlite }) : postgresLedger({ url: address.postgres })
}
