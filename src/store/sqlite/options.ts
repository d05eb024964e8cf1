// What the parts of this store take, checked strictly before any file is touched.

import { InvalidConfigError } from '../../errors/index.js'
import type { Clock } from '../../time/index.js'
import type { ConnectionOptions } from './connection.js'
import type { SqliteDatabase } from './driver.js'

/** Where a database is: exactly one of the two. */
export interface SqliteFile {
  /** The path of the file; it is made if it is not there. Not on a network drive: SQLite's locks do not work there. */
  readonly path?: string | undefined
  /** A `DatabaseSync` of `node:sqlite` or `@photostructure/sqlite` that is already open, outside any transaction. Its pragmas stay as they are, and it is not closed. */
  readonly database?: SqliteDatabase | undefined
  /** How long to wait for another process's transaction, in ms. All of the process waits with it. Default 1,000. Of a given database: its own. */
  readonly busyTimeout?: number | undefined
  /**
   * What a commit survives. `'process'` (default): `kill -9` at any moment loses nothing; a power cut may lose the last commits, but
   * never leaves half of one. `'power'`: nothing is lost then either, for a disk flush with each operation.
   */
  readonly durability?: 'process' | 'power' | undefined
}

/** Options of {@link sqliteStore}. */
export interface SqliteStoreOptions extends SqliteFile {
  /** Store time in ms since the epoch, for tests; default: the system's. Store time never goes back, whichever process asks. */
  readonly clock?: Clock | undefined
}

const BUSY_TIMEOUT_MS = 1_000
const FIELDS = ['path', 'database', 'busyTimeout', 'durability']

/** The options of a connection. Throws `InvalidConfigError` for what is no option. */
export function connectionOptions(of: string, options: SqliteFile & { readonly clock?: unknown }, others: readonly string[] = []): ConnectionOptions {
  if (typeof options !== 'object' || options === null) throw new InvalidConfigError(`${of}: ${String(options)} are no options. Give { path }.`)
  const unknown = Object.keys(options).find((name) => !FIELDS.includes(name) && !others.includes(name))
  if (unknown !== undefined) throw new InvalidConfigError(`${of}.${unknown}: is no known option. Use ${[...FIELDS, ...others].join(', ')}.`)
  const { path, database, busyTimeout = BUSY_TIMEOUT_MS, durability = 'process', clock } = options
  if ((path === undefined) === (database === undefined)) throw new InvalidConfigError(`${of}.path: ${path === undefined ? 'is missing' : 'and database are both given'}. Give the path of a file, or an open database.`)
  if (path !== undefined && (typeof path !== 'string' || path === '')) throw new InvalidConfigError(`${of}.path: ${JSON.stringify(path)} is no path. Give the path of a file.`)
  if (database !== undefined && (typeof database?.prepare !== 'function' || typeof database.exec !== 'function')) throw new InvalidConfigError(`${of}.database: is no open database. Give a DatabaseSync of node:sqlite or @photostructure/sqlite.`)
  if (!(Number.isSafeInteger(busyTimeout) && busyTimeout >= 0 && busyTimeout < 2 ** 31)) throw new InvalidConfigError(`${of}.busyTimeout: ${String(busyTimeout)} is no number of milliseconds. Give a whole number from 0 up.`)
  if (durability !== 'process' && durability !== 'power') throw new InvalidConfigError(`${of}.durability: ${JSON.stringify(durability)} is neither 'process' nor 'power'. Choose what a commit has to survive.`)
  if (clock !== undefined && typeof clock !== 'function') throw new InvalidConfigError(`${of}.clock: ${String(clock)} is no function. Give one that returns milliseconds since the epoch.`)
  return { path, database, busyTimeout, durability }
}
