// Where SQLite comes from: Node's own where it has it, else the drop-in of the same interface. Knows no table and no budget.

import { createRequire } from 'node:module'
import { InvalidConfigError } from '../../errors/index.js'

/** What SQLite stores in a column. */
export type SqliteValue = null | number | bigint | string | Uint8Array

/** A prepared statement, as `node:sqlite` has it. */
export interface SqliteStatement {
  run(...parameters: SqliteValue[]): { readonly changes: number | bigint; readonly lastInsertRowid: number | bigint }
  get(...parameters: SqliteValue[]): unknown
  all(...parameters: SqliteValue[]): unknown[]
}

/** An open database: a `DatabaseSync` of `node:sqlite` or of `@photostructure/sqlite`. */
export interface SqliteDatabase {
  exec(sql: string): void
  prepare(sql: string): SqliteStatement
  close(): void
}

/** Runs a statement for its effect alone: `run` would also ask what has changed, which takes as long as many a statement. */
export function perform(statement: SqliteStatement, ...parameters: SqliteValue[]): void {
  statement.get(...parameters)
}

interface SqliteModule {
  readonly DatabaseSync: new (path: string) => SqliteDatabase
}

const require = createRequire(import.meta.url)

/** Opens a database file. Throws `InvalidConfigError` where neither driver is there, and whatever the driver throws. */
export function openDatabase(path: string): SqliteDatabase {
  const { DatabaseSync } = nodeSqlite() ?? dropIn()
  return new DatabaseSync(path)
}

/** `node:sqlite` from Node 22.13 on. */
function nodeSqlite(): SqliteModule | undefined {
  return process.getBuiltinModule?.('node:sqlite') as SqliteModule | undefined
}

function dropIn(): SqliteModule {
  try {
    return require('@photostructure/sqlite') as SqliteModule
  } catch (cause) {
    throw new InvalidConfigError(`sqlite: Node ${process.version} has no node:sqlite, and the package that stands in for it is not there. Run "npm install @photostructure/sqlite", or use Node 22.13 or later.`, { cause })
  }
}
