// The tables, as numbered steps that are only ever added to: a file of any earlier version is brought up to date, one of a later
// version or of another program is refused.

import { InvalidConfigError } from '../../errors/index.js'
import type { Connection } from './connection.js'

/** A kind of file: how it is told from others, and how its tables came about. */
export interface FileKind {
  readonly what: string
  /** `application_id` of the file's header. */
  readonly applicationId: number
  /** Append only: a file says how many of them it has had. */
  readonly migrations: readonly string[]
}

/** One row for each ledger entry, as it began. Amounts are microcents and tokens, instants ms since the epoch; `charged` and `metadata` are JSON. */
const ENTRY = `
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL,
  kind TEXT NOT NULL,
  at INTEGER NOT NULL,
  decision_id TEXT NOT NULL,
  tenant TEXT,
  user_id TEXT NOT NULL,
  tier TEXT,
  session_id TEXT,
  provider TEXT,
  requested_model TEXT,
  model TEXT,
  microcents INTEGER NOT NULL,
  tokens INTEGER NOT NULL,
  estimated_microcents INTEGER,
  opened_at INTEGER,
  charged TEXT NOT NULL,
  reason TEXT,
  metadata TEXT,
  placed TEXT`

/** How the cost of an entry was found: JSON. */
const ENTRY_DETAILS = 'ALTER TABLE entry ADD COLUMN details TEXT;'

/** What the request named and could have run on: `scopes` and `rungs` are JSON. `calls`: NULL where it follows from the kind. */
const ENTRY_REQUEST = `
  ALTER TABLE entry ADD COLUMN scopes TEXT;
  ALTER TABLE entry ADD COLUMN estimated_tokens INTEGER;
  ALTER TABLE entry ADD COLUMN rungs TEXT;
  ALTER TABLE entry ADD COLUMN calls INTEGER;`

/** The file of a store. */
export const STORE_FILE: FileKind = {
  what: 'a bursar store',
  applicationId: 0x62757273,
  migrations: [
    `
    -- One row: store time; up to which entry "sum" has summed, up to which generated and given ids were forgotten; how many repairs were made.
    CREATE TABLE head (id INTEGER PRIMARY KEY CHECK (id = 1), now INTEGER NOT NULL, summed INTEGER NOT NULL, forgot_generated INTEGER NOT NULL, forgot_given INTEGER NOT NULL, repairs INTEGER NOT NULL);
    INSERT INTO head VALUES (1, 0, 0, 0, 0, 0);
    -- Which windows stand in which order in a scope's cells: JSON, a list of names.
    CREATE TABLE layout (id INTEGER PRIMARY KEY, windows TEXT NOT NULL UNIQUE);
    -- What was limited when something was placed: JSON, a list of { window, unit, limit, alerts }.
    CREATE TABLE terms (id INTEGER PRIMARY KEY, windows TEXT NOT NULL UNIQUE);
    -- The counters of a scope: doubles, laid out by its layout.
    CREATE TABLE scope (key TEXT PRIMARY KEY, kind TEXT NOT NULL, tenant TEXT, id TEXT NOT NULL, tier TEXT, layout INTEGER NOT NULL, cells BLOB NOT NULL) WITHOUT ROWID;
    -- What an id stands for: a hold, a recorded cost, a refund. wakes_at: when an open one is due, or an ended one forgotten. What ends
    -- with an entry is found by it when it is to be forgotten.
    CREATE TABLE hold (id TEXT PRIMARY KEY, wakes_at INTEGER NOT NULL, state TEXT NOT NULL, opening TEXT NOT NULL, ending TEXT) WITHOUT ROWID;
    CREATE INDEX hold_without_entry ON hold (wakes_at) WHERE state IN ('refunded', 'buried');
    -- When holds are, or were once, due. A row stays until its time, however its hold has ended: so an ending does not write here.
    CREATE TABLE due (due_at INTEGER NOT NULL, id TEXT NOT NULL, PRIMARY KEY (due_at, id)) WITHOUT ROWID;
    CREATE TABLE entry (${ENTRY});
    -- Which entries ended a user's charges: of all entries up to head.summed, written many at a time.
    CREATE TABLE ending (user_id TEXT NOT NULL, tenant TEXT NOT NULL, seq INTEGER NOT NULL, decision_id TEXT NOT NULL, PRIMARY KEY (user_id, tenant, seq)) WITHOUT ROWID;
    -- What became of an ended charge: by the entry of its ending.
    CREATE TABLE amended (
      seq INTEGER PRIMARY KEY, microcents INTEGER NOT NULL, refunded INTEGER NOT NULL, added INTEGER NOT NULL, added_at INTEGER NOT NULL,
      corrections INTEGER NOT NULL, model TEXT);
    -- Running sums by dimension and name. REAL: a sum may pass 2^53.
    CREATE TABLE sum (dimension TEXT NOT NULL, name TEXT NOT NULL, microcents REAL NOT NULL, tokens REAL NOT NULL, entries INTEGER NOT NULL, UNIQUE (dimension, name));
    CREATE TABLE directory (key TEXT PRIMARY KEY, tenant TEXT, user_id TEXT NOT NULL, tier TEXT, overrides TEXT) WITHOUT ROWID;
    `,
    `
    -- JSON, as the contract has it.
    ALTER TABLE directory ADD COLUMN billing TEXT;
    -- Shared facts. until: when a record is no longer there, in store time; NULL: it stays until it is deleted.
    CREATE TABLE registry (kind TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, version INTEGER NOT NULL, until INTEGER, PRIMARY KEY (kind, key)) WITHOUT ROWID;
    CREATE INDEX registry_until ON registry (until) WHERE until IS NOT NULL;
    -- The highest version that a record was ever given, deleted ones and deletions included.
    ALTER TABLE head ADD COLUMN registry_version INTEGER NOT NULL DEFAULT 0;
    `,
    `
    ${ENTRY_DETAILS}
    -- Whose model has answered; NULL: the provider of the entry.
    ALTER TABLE amended ADD COLUMN provider TEXT;
    `,
    // No index for who reads: every request would pay for it.
    ENTRY_REQUEST,
  ],
}

/** The file of a ledger that is kept for a store elsewhere. */
export const LEDGER_FILE: FileKind = {
  what: 'a bursar ledger',
  applicationId: 0x6275726c,
  migrations: [
    `CREATE TABLE entry (${ENTRY}); CREATE UNIQUE INDEX entry_once ON entry (id, at, coalesce(opened_at, 0));`,
    ENTRY_DETAILS,
    `${ENTRY_REQUEST} CREATE INDEX entry_at ON entry (at);`,
  ],
}

/**
 * Brings the tables of a file up to date, in one transaction. Throws `InvalidConfigError`, and writes nothing, for a file of a
 * later version or of another program.
 */
export function migrate(connection: Connection, kind: FileKind): void {
  // At one moment: between two looks another process may give the new file its tables.
  if (connection.read(() => versionOf(connection, kind)) === kind.migrations.length) return
  connection.write(() => {
    // Another process may have been quicker.
    const version = versionOf(connection, kind)
    for (const migration of kind.migrations.slice(version)) connection.exec(migration)
    connection.exec(`PRAGMA user_version = ${kind.migrations.length}; PRAGMA application_id = ${kind.applicationId}`)
  })
}

function versionOf(connection: Connection, kind: FileKind): number {
  const applicationId = numberOf(connection, 'SELECT application_id AS value FROM pragma_application_id')
  const version = numberOf(connection, 'SELECT user_version AS value FROM pragma_user_version')
  if (applicationId !== kind.applicationId) {
    if (applicationId === 0 && version === 0 && numberOf(connection, 'SELECT count(*) AS value FROM sqlite_schema') === 0) return 0
    throw new InvalidConfigError(`sqlite.path: ${connection.name} is a database of something else (application_id ${applicationId}), not ${kind.what}. Give a file of its own.`)
  }
  if (version > kind.migrations.length) {
    throw new InvalidConfigError(`sqlite.path: ${connection.name} was written by a later version of bursar (schema ${version}; this one knows ${kind.migrations.length}). Update bursar.`)
  }
  return version
}

function numberOf(connection: Connection, sql: string): number {
  const statement = connection.prepare(sql)
  return connection.once(() => (statement.get() as { readonly value: number }).value)
}
