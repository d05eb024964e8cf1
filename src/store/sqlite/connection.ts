// One open file: its transactions, and what its failures mean in words. Decides that a failed operation has changed nothing; knows
// no table.

import { ClosedError, InvalidConfigError, isBursarError, StoreUnavailableError, type BursarError } from '../../errors/index.js'
import { openDatabase, perform, type SqliteDatabase, type SqliteStatement } from './driver.js'

/** Which database: a file of its own, or one that is already open. */
export interface ConnectionOptions {
  readonly path?: string | undefined
  readonly database?: SqliteDatabase | undefined
  /** How long to wait for another process's transaction, in ms. */
  readonly busyTimeout: number
  /** What a commit survives: the death of its process, or a power cut. */
  readonly durability: 'process' | 'power'
  /** `'plain'`: one file and no more, for what is written once and moved. Default: a write-ahead log beside it. */
  readonly journal?: 'plain' | undefined
}

const BUSY = 5
const LOCKED = 6
const READ_ONLY = 8
const IO_ERROR = 10
const CORRUPT = 11
const FULL = 13
const CANNOT_OPEN = 14
const NOT_A_DATABASE = 26
/** With these, SQLite refuses before it has written anything, or the transaction could not end and is rolled back. */
const BEFORE_ANY_CHANGE: readonly number[] = [BUSY, LOCKED, READ_ONLY, CANNOT_OPEN]

/** Pages kept in memory, in KiB: the busy part of a large ledger's index. */
const CACHE_KIB = 16_384
/** How long to wait before another attempt at what SQLite itself does not wait for. */
const PAUSE_MS = 10

/** An open database. */
export class Connection {
  /** The path, for messages. */
  readonly name: string
  readonly #what: string
  readonly #database: SqliteDatabase
  readonly #owned: boolean
  readonly #begin: SqliteStatement
  readonly #commit: SqliteStatement
  #closed = false

  /** `prepare` looks at the file before anything is written into it, and brings its tables up to date. */
  constructor(what: string, options: ConnectionOptions, prepare: (connection: Connection) => void) {
    const { path, database, busyTimeout, durability } = options
    this.#what = what
    this.#owned = database === undefined
    this.name = path ?? 'the given database'
    this.#database = database ?? this.#guarded(() => openDatabase(path as string))
    try {
      if (this.#owned) this.exec(`PRAGMA busy_timeout = ${busyTimeout}`)
      this.#begin = this.prepare('BEGIN IMMEDIATE')
      this.#commit = this.prepare('COMMIT')
      this.#patiently(busyTimeout, () => prepare(this))
      // Not before the file is known to be ours: this writes to it.
      if (this.#owned) {
        if (options.journal !== 'plain') this.#patiently(busyTimeout, () => this.exec('PRAGMA journal_mode = WAL'))
        this.exec(`PRAGMA synchronous = ${durability === 'power' ? 'FULL' : 'NORMAL'}; PRAGMA cache_size = -${CACHE_KIB}`)
      }
    } catch (error) {
      this.#closed = true
      if (this.#owned) quietly(() => this.#database.close())
      throw error
    }
  }

  /** Runs SQL that gives nothing back. */
  exec(sql: string): void {
    this.#guarded(() => this.#database.exec(sql))
  }

  /** A statement. What it throws when it runs is an error of the driver's: run it within {@link write}, {@link read} or {@link once}. */
  prepare(sql: string): SqliteStatement {
    return this.#guarded(() => this.#database.prepare(sql))
  }

  /**
   * Runs `work` as the only writer, and commits. Where anything throws, nothing has changed: `StoreUnavailableError` for a failure
   * of the database, with its own error as the cause, and `asked` false where the database was not got at all.
   */
  write<T>(work: () => T): T {
    if (this.#closed) throw new ClosedError(this.#what)
    let begun = false
    try {
      perform(this.#begin)
      begun = true
      const result = work()
      perform(this.#commit)
      return result
    } catch (error) {
      if (begun) this.#rollBack()
      throw this.#failure(error)
    }
  }

  /** Runs `work` on the database as it is at one moment. Nobody waits for it. */
  read<T>(work: () => T): T {
    return this.once(() => {
      this.#database.exec('BEGIN')
      try {
        return work()
      } finally {
        this.#rollBack()
      }
    })
  }

  /** Runs statements that are each their own transaction. */
  once<T>(work: () => T): T {
    if (this.#closed) throw new ClosedError(this.#what)
    return this.#guarded(work)
  }

  /** Closes what was opened here; a database that was given stays open. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    if (this.#owned) this.#guarded(() => this.#database.close())
  }

  #rollBack(): void {
    // SQLite itself may have rolled back what it could not finish.
    quietly(() => this.#database.exec('ROLLBACK'))
  }

  /** Two processes that open a new file at once get in each other's way where SQLite does not wait. */
  #patiently(busyTimeout: number, work: () => void): void {
    const pause = new Int32Array(new SharedArrayBuffer(4))
    for (let waited = 0; ; waited += PAUSE_MS) {
      try {
        work()
        return
      } catch (error) {
        const code = isBursarError(error) ? codeOf(error.cause) : undefined
        if ((code !== BUSY && code !== LOCKED) || waited >= busyTimeout) throw error
        Atomics.wait(pause, 0, 0, PAUSE_MS)
      }
    }
  }

  #guarded<T>(work: () => T): T {
    try {
      return work()
    } catch (error) {
      throw this.#failure(error)
    }
  }

  /** What a failure means. What is no failure of the database passes as it is. */
  #failure(error: unknown): unknown {
    if (isBursarError(error)) return error
    const code = codeOf(error)
    if (code === undefined) return error
    return this.#described(code, error)
  }

  #described(code: number, cause: unknown): BursarError {
    const reason = cause instanceof Error ? cause.message : String(cause)
    if (code === NOT_A_DATABASE) return new InvalidConfigError(`sqlite.path: ${this.name} is no SQLite database (${reason}). Give the path of one, or of a file that does not exist yet.`, { cause })
    return new StoreUnavailableError(`sqlite: ${this.name}: ${reason}. ${remedyFor(code)} Nothing was changed.`, { cause, asked: !BEFORE_ANY_CHANGE.includes(code) })
  }
}

/** For what is done while another error is on its way. */
function quietly(work: () => void): void {
  try {
    work()
  } catch {
    return
  }
}

/** SQLite's primary result code, or `undefined` for an error that is not the database's. */
function codeOf(error: unknown): number | undefined {
  const { code, errcode } = (error ?? {}) as { code?: unknown; errcode?: unknown }
  if (typeof errcode === 'number') return errcode & 0xff
  return code === 'ERR_INVALID_STATE' || code === 'ERR_SQLITE_ERROR' ? 0 : undefined
}

function remedyFor(code: number): string {
  switch (code) {
    case BUSY:
    case LOCKED:
      return 'Another process or transaction kept it locked for longer than busyTimeout: find it, or wait longer.'
    case READ_ONLY:
      return 'Make the file and its folder writable for this process.'
    case IO_ERROR:
      return 'The disk refused to read or write: look for a full disk, a limit on file sizes, or a file that was removed or is on a network drive.'
    case FULL:
      return 'The disk (or the size that the database may have) is full: make room.'
    case CORRUPT:
      return 'The file is damaged: restore it from a backup.'
    case CANNOT_OPEN:
      return 'Create its folder, and make both readable and writable for this process.'
    default:
      return 'See the cause.'
  }
}
