// Options of the Postgres ledger, checked whole before anything is opened. A url is never repeated in a message: it may hold a password.

import { InvalidConfigError } from '../../errors/index.js'
import type { PostgresPool } from './client.js'

/** Where a ledger is: exactly one of `client` and `url`. */
export interface PostgresLedgerOptions {
  /** A `Pool` of pg, as it is. Whoever made it closes it, and listens for its errors. */
  readonly client?: PostgresPool | undefined
  /** Instead of a pool: the ledger makes a small one with pg, and closes it. `postgres://user:password@host:5432/database`. */
  readonly url?: string | undefined
  /** The schema of the tables; it is made if it is not there. Default `bursar`. Two applications in one database need two schemas. */
  readonly schema?: string | undefined
}

const KNOWN = ['client', 'url', 'schema']

/** Options that were checked, with a name of the database that may be shown. */
export interface CheckedOptions {
  readonly client: PostgresPool | undefined
  readonly url: string | undefined
  readonly schema: string
  readonly name: string
  /** What no message may repeat. */
  readonly secret: string
}

/** Throws `InvalidConfigError` with the field, the value and what would be right. */
export function checkedOptions(options: PostgresLedgerOptions): CheckedOptions {
  if (typeof options !== 'object' || options === null) throw new InvalidConfigError('postgresLedger: give { client } or { url }.')
  const unknown = Object.keys(options).find((field) => !KNOWN.includes(field))
  if (unknown !== undefined) throw new InvalidConfigError(`postgresLedger.${unknown}: is no known option. Use ${KNOWN.join(', ')}.`)
  const { client, url, schema = 'bursar' } = options
  if ((client === undefined) === (url === undefined)) throw new InvalidConfigError('postgresLedger.client: give either a Pool of pg or a url.')
  if (client !== undefined && !isPool(client)) throw new InvalidConfigError('postgresLedger.client: is no pool of connections. Give new Pool(…) of pg; a single Client cannot be shared.')
  if (typeof schema !== 'string' || !/^[a-z_][a-z0-9_]{0,62}$/i.test(schema) || /^pg_/i.test(schema)) {
    throw new InvalidConfigError(`postgresLedger.schema: ${JSON.stringify(schema)} is no name of a schema. Give 1 to 63 letters, digits and underscores that do not begin with a digit or pg_.`)
  }
  return { client, url, schema, ...(url === undefined ? { name: `the given pool, schema ${schema}`, secret: '' } : addressed(url, schema)) }
}

function isPool(value: unknown): value is PostgresPool {
  const { connect, query, connectionParameters } = (value ?? {}) as Record<string, unknown>
  return typeof connect === 'function' && typeof query === 'function' && connectionParameters === undefined
}

function addressed(url: unknown, schema: string): { name: string; secret: string } {
  const address = typeof url === 'string' && /^postgres(ql)?:\/\//.test(url) ? parsed(url) : undefined
  // An unescaped @ or / of a password moves the rest of it into the host or the path.
  if (address === undefined || address.pathname.includes('@')) {
    throw new InvalidConfigError('postgresLedger.url: is no address (it is not shown here: it may hold a password). Give postgres://user:password@host:5432/database, with special characters of the password percent-encoded.')
  }
  const secret = address.password || address.searchParams.get('password') || ''
  return { name: `${address.host || 'localhost'}${address.pathname}, schema ${schema}`, secret }
}

function parsed(url: string): URL | undefined {
  try {
    const address = new URL(url)
    decodeURIComponent(address.password)
    return address
  } catch {
    return undefined
  }
}
