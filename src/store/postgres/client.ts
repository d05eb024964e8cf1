// The part of a pg pool that the ledger uses, transactions on it, and how its errors are told. Nothing here is kept in a session: behind
// a pooler, every transaction may run on another connection of the server.

import { ClosedError, InvalidConfigError, isBursarError, StoreUnavailableError } from '../../errors/index.js'
import type { CheckedOptions } from './options.js'

/** A statement with its parameters, `$1` first. */
export interface PostgresQuery {
  readonly text: string
  readonly values?: unknown[]
  /** After how many ms the connection is given up. */
  readonly query_timeout?: number
}

/** What a statement gave. */
export interface PostgresRows {
  readonly rows: readonly unknown[]
}

/** A connection that was taken from a pool. */
export interface PostgresConnection {
  query(query: PostgresQuery): Promise<PostgresRows>
  /** Gives it back; with an error, it is closed. */
  release(error?: Error | boolean): void
  on?(event: 'error', listener: (error: Error) => void): unknown
  removeListener?(event: 'error', listener: (error: Error) => void): unknown
}

/** What a pool must be able to do: `Pool` of pg can. */
export interface PostgresPool {
  connect(): Promise<PostgresConnection>
  query(query: PostgresQuery): Promise<PostgresRows>
  end?(): Promise<void>
}

type OwnPool = PostgresPool & { on(event: 'error', listener: (error: Error) => void): unknown; end(): Promise<void> }

/** How long a connection may take to come about, and a step of a transaction to be answered: whoever waits for it can try again. */
const CONNECT_MS = 10_000
const STEP_MS = 60_000
const MOST_CONNECTIONS = 4

/** The database of a ledger. */
export class Database {
  /** For messages. */
  readonly name: string
  readonly #options: CheckedOptions
  readonly #prepare: (database: Database) => Promise<void>
  #pool: PostgresPool | undefined
  #prepared: Promise<void> | undefined
  #isClosed = false

  /** `prepare` looks at the database before anything else is asked of it, and brings its tables up to date; a failure is tried again the next time. */
  constructor(options: CheckedOptions, prepare: (database: Database) => Promise<void>) {
    this.#options = options
    this.#prepare = prepare
    this.name = options.name
    this.#pool = options.client
  }

  get schema(): string {
    return this.#options.schema
  }

  /** Resolves when the tables are there. */
  async ready(): Promise<void> {
    if (this.#isClosed) throw new ClosedError('The Postgres ledger')
    this.#prepared ??= this.#prepare(this).catch((error: unknown) => {
      this.#prepared = undefined
      throw error
    })
    await this.#prepared
  }

  /** The rows of one statement, which is its own transaction. */
  async rows<Row>(text: string, values: readonly unknown[] = []): Promise<readonly Row[]> {
    try {
      const pool = await this.#connected()
      return (await pool.query({ text, values: [...values] })).rows as readonly Row[]
    } catch (error) {
      throw this.#failure(error, false)
    }
  }

  /**
   * Runs `work` as the only writer of this schema, and commits: what one transaction has numbered is there before the next one numbers
   * anything. Where anything throws, nothing has changed, except that after a lost reply to the commit it may have (`asked` is then true).
   */
  async write(work: (run: (text: string, values?: readonly unknown[]) => Promise<readonly unknown[]>) => Promise<void>): Promise<void> {
    let connection: PostgresConnection | undefined
    let isCommitting = false
    const ignore = (): void => {}
    try {
      const held = (connection = await (await this.#connected()).connect())
      // Who is told of a broken connection is whoever waits for a reply: without a listener, the process would end.
      held.on?.('error', ignore)
      const run = async (text: string, values?: readonly unknown[]): Promise<readonly unknown[]> =>
        (await held.query({ text, ...(values !== undefined && { values: [...values] }), query_timeout: STEP_MS })).rows
      await run(this.#begin)
      await work(run)
      isCommitting = true
      await run('COMMIT')
      held.removeListener?.('error', ignore)
      held.release()
    } catch (error) {
      if (connection !== undefined) await abandon(connection, ignore, error)
      throw this.#failure(error, isCommitting)
    }
  }

  /** Closes a pool that was not given, when what runs has ended. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    if (this.#options.client === undefined) await this.#pool?.end?.()
  }

  // Read committed: whoever waited for the lock must see what the one before has written. What is acknowledged is deleted elsewhere:
  // it must be on disk, whatever the server's default. And a process that vanishes in between must not keep the lock for hours.
  get #begin(): string {
    return `BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
      SET LOCAL idle_in_transaction_session_timeout = ${STEP_MS};
      SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off';
      SELECT pg_advisory_xact_lock(${LOCK}, hashtext('${this.schema}'))`
  }

  async #connected(): Promise<PostgresPool> {
    if (this.#isClosed) throw new ClosedError('The Postgres ledger')
    if (this.#pool !== undefined) return this.#pool
    const pool = await poolFor(this.#options.url as string)
    return (this.#pool ??= pool)
  }

  #failure(error: unknown, isCommitting: boolean): Error {
    if (isBursarError(error)) return error
    const { code } = (error ?? {}) as { code?: unknown }
    const { secret } = this.#options
    let reason = error instanceof Error ? error.message || error.name : String(error)
    for (const each of [secret, decodeURIComponent(secret)]) if (each !== '') reason = reason.replaceAll(each, '***')
    // An error that the server itself has told of a commit (a state that is no connection's) means that it did not happen.
    const asked = isCommitting && !(typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) && !/^(08|57)/.test(code))
    const outcome = asked ? 'Whether it took effect is unknown: repeat it, what is there already is kept once.' : 'Nothing was changed.'
    return new StoreUnavailableError(`postgres: ${this.name}: ${reason}. ${remedyFor(code)} ${outcome}`, { cause: error, asked })
  }
}

/** The first half of the lock that writers take; the second is the schema's. */
const LOCK = 0x62757273

/** A pool of the ledger's own. Throws `InvalidConfigError` where pg is not installed. */
async function poolFor(url: string): Promise<PostgresPool> {
  let Pool: new (options: object) => OwnPool
  try {
    const pg = (await import('pg')) as unknown as { Pool?: typeof Pool; default: { Pool: typeof Pool } }
    Pool = pg.Pool ?? pg.default.Pool
  } catch (cause) {
    throw new InvalidConfigError('postgresLedger.url: the package pg is not installed. Run npm install pg, or give a pool as client.', { cause })
  }
  const pool = new Pool({ connectionString: url, max: MOST_CONNECTIONS, connectionTimeoutMillis: CONNECT_MS, allowExitOnIdle: true, keepAlive: true, application_name: 'bursar' })
  // Failures reach whoever waits for a reply: nobody need be told twice.
  pool.on('error', () => {})
  return pool
}

/** Ends a transaction that failed. A connection of which nobody knows what it does is closed. */
async function abandon(connection: PostgresConnection, ignore: () => void, error: unknown): Promise<void> {
  const { severity } = (error ?? {}) as { severity?: unknown }
  let isUsable = severity === 'ERROR' || isBursarError(error)
  try {
    if (isUsable) await connection.query({ text: 'ROLLBACK', query_timeout: STEP_MS })
  } catch {
    isUsable = false
  }
  connection.release(!isUsable)
  // A connection that is being closed may still fail.
  if (isUsable) connection.removeListener?.('error', ignore)
}

function remedyFor(code: unknown): string {
  const state = typeof code === 'string' ? code : ''
  const [, remedy] = REMEDIES.find(([pattern]) => pattern.test(state)) ?? [undefined, 'See the cause.']
  return remedy
}

/** By SQLSTATE (https://www.postgresql.org/docs/current/errcodes-appendix.html), or the code of a failed connection. */
const REMEDIES: readonly (readonly [state: RegExp, remedy: string])[] = [
  [/^(ECONN|ENOTFOUND|EAI_|ETIMEDOUT|EHOST|ENET|EPIPE)/, 'Start the server, or correct host and port.'],
  [/^28/, 'Correct the user and the password.'],
  [/^3D000/, 'Create the database, or correct its name.'],
  [/^42501/, 'The user needs CREATE on the database to make the schema, and afterwards SELECT and INSERT on its tables.'],
  [/^25006/, 'This server takes no writes: connect to the primary.'],
  [/^42(P01|703)|^3F000/, 'The tables are not as they were made: restore them, or give another schema.'],
  [/^53100/, 'Its disk is full: make room.'],
  [/^53300/, 'It has no connection left: raise max_connections, or use a pooler.'],
  [/^(08|57)/, 'It ended the connection: try again.'],
  [/^(40|55P03)/, 'Another transaction was in the way: try again.'],
]
