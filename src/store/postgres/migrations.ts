// The tables, as numbered steps that are only ever added to: a schema of any earlier version is brought up to date, one of a later
// version or with tables of another program is refused.

import { InvalidConfigError } from '../../errors/index.js'
import type { Database } from './client.js'

/** Append only: the version of a schema is how many of them it has had. */
const MIGRATIONS: readonly ((schema: string) => string)[] = [
  // Texts compare by their bytes: equal means the same, whatever the database's language. Json, not jsonb: it is kept as it was written.
  (schema) => `
    CREATE TABLE ${schema}.ledger_entry (
      seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      id text COLLATE "C" NOT NULL,
      kind text COLLATE "C" NOT NULL,
      at bigint NOT NULL,
      decision_id text COLLATE "C" NOT NULL,
      tenant text COLLATE "C",
      user_id text COLLATE "C" NOT NULL,
      tier text COLLATE "C",
      session_id text COLLATE "C",
      scopes json,
      provider text COLLATE "C",
      requested_model text COLLATE "C",
      model text COLLATE "C",
      microcents bigint NOT NULL,
      tokens bigint NOT NULL,
      estimated_microcents bigint,
      estimated_tokens bigint,
      rungs json,
      opened_at bigint,
      charged json NOT NULL,
      reason text COLLATE "C",
      calls integer,
      details json,
      metadata json);
    CREATE UNIQUE INDEX ledger_entry_once ON ${schema}.ledger_entry (id, at, coalesce(opened_at, -1));
    CREATE INDEX ledger_entry_at ON ${schema}.ledger_entry (at);
    CREATE INDEX ledger_entry_user ON ${schema}.ledger_entry (user_id, seq);
    CREATE INDEX ledger_entry_decision ON ${schema}.ledger_entry (decision_id);
    COMMENT ON TABLE ${schema}.ledger_entry IS 'One row for each ledger entry of bursar, in the order of writing. Amounts are microcents (1 USD = 100,000,000) and tokens, instants ms since the epoch.'`,
]

/**
 * Brings the tables of a schema up to date, in one transaction. Throws `InvalidConfigError`, and writes nothing, for a schema of a later
 * version, for a table of something else, and for a database that cannot keep every text.
 */
export async function migrate(database: Database): Promise<void> {
  const isCurrent = async (): Promise<boolean> => (await versionOf(database, (text) => database.rows(text))) === MIGRATIONS.length
  // So that a user who may only read and insert can open what is there.
  if (await isCurrent()) return
  await database.write(async (run) => {
    // Another process may have been quicker.
    const version = await versionOf(database, run)
    const { schema } = database
    if (version === 0) await run(`CREATE SCHEMA IF NOT EXISTS "${schema}"; CREATE TABLE "${schema}".ledger_version (version integer NOT NULL); INSERT INTO "${schema}".ledger_version VALUES (0)`)
    for (const migration of MIGRATIONS.slice(version)) await run(migration(`"${schema}"`))
    await run(`UPDATE "${schema}".ledger_version SET version = ${MIGRATIONS.length}`)
  })
}

async function versionOf(database: Database, run: (text: string) => Promise<readonly unknown[]>): Promise<number> {
  const { schema } = database
  // Not to_regclass(): it may remember that there was no such table before this transaction waited for the lock.
  const there = (table: string): string => `count(*) FILTER (WHERE relname = '${table}') > 0`
  const [found] = (await run(`
    SELECT ${there('ledger_version')} AS versioned, ${there('ledger_entry')} AS taken, current_setting('server_encoding') AS encoding
    FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace WHERE nspname = '${schema}'
  `)) as readonly [{ readonly versioned: boolean; readonly taken: boolean; readonly encoding: string }]
  if (found.encoding !== 'UTF8') {
    throw new InvalidConfigError(`postgresLedger: ${database.name}: the database's encoding is ${found.encoding}, which cannot keep every text. Give one that was created with ENCODING 'UTF8'.`)
  }
  if (!found.versioned) {
    if (!found.taken) return 0
    throw new InvalidConfigError(`postgresLedger.schema: ${database.name}: has a table "ledger_entry" of something else. Give bursar a schema of its own.`)
  }
  const [row] = (await run(`SELECT to_json(v) ->> 'version' AS version FROM "${schema}".ledger_version v`)) as readonly ({ readonly version: string | null } | undefined)[]
  const version = Number(row?.version ?? Number.NaN)
  if (!Number.isSafeInteger(version) || (version > 0) !== found.taken) {
    throw new InvalidConfigError(`postgresLedger.schema: ${database.name}: its table "ledger_version" is not bursar's, or its ledger_entry was removed. Give bursar a schema of its own, or restore it.`)
  }
  if (version > MIGRATIONS.length) {
    throw new InvalidConfigError(`postgresLedger.schema: ${database.name}: was written by a later version of bursar (schema ${version}; this one knows ${MIGRATIONS.length}). Update bursar.`)
  }
  return version
}
