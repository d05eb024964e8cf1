// Stores and ledgers by address: `sqlite:./bursar.db`, `redis://…`, `postgres://…`. Checked before anything is opened; a file that is
// not there is made only for a command that writes.

import { existsSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { InvalidConfigError, isBursarError } from '../errors/index.js'
import type { EntrySink, Store } from '../store/index.js'
import type { Clock } from '../time/index.js'
import type { Run } from './run.js'

/** Where something is kept. */
export type Place = { readonly kind: 'sqlite'; readonly path: string } | { readonly kind: 'redis' | 'postgres'; readonly url: string }

/** A sink that may have to be closed. */
export type ClosableSink = EntrySink & { close?(): unknown }

/** What SQLite files of ours say that they are: their `application_id`. */
const STORE_FILE = 0x62757273
const LEDGER_FILE = 0x6275726c

const REMEDY = {
  store: "Give 'sqlite:./bursar.db', 'redis://host:6379' or 'rediss://…'.",
  ledger: "Give 'sqlite:./ledger.db' or 'postgres://user@host/database'.",
} as const

/**
 * Reads an address. Paths begin at `folder`. Throws `InvalidConfigError` for what is none, without showing it: there may be a
 * password in it.
 */
export function parsePlace(text: unknown, field: string, what: 'store' | 'ledger', folder: string): Place {
  if (typeof text !== 'string') throw new InvalidConfigError(`${field}: is a ${typeof text}, and no address. ${REMEDY[what]}`)
  const [, path] = /^sqlite:(?:\/\/(?=\/))?(.*)$/s.exec(text) ?? []
  if (path !== undefined) {
    if (path === '' || path.includes('\0') || path === ':memory:') throw new InvalidConfigError(`${field}: ${JSON.stringify(text)} names no file. ${REMEDY[what]}`)
    return { kind: 'sqlite', path: resolve(folder, path) }
  }
  const kind = /^rediss?:\/\//.test(text) ? 'redis' : /^postgres(?:ql)?:\/\//.test(text) ? 'postgres' : undefined
  if (kind === undefined) {
    const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(text)?.[1]
    throw new InvalidConfigError(`${field}: ${scheme === undefined ? 'has no scheme' : `"${scheme}:" is no scheme that is known`}. ${REMEDY[what]}`)
  }
  if (kind !== (what === 'store' ? 'redis' : 'postgres')) throw new InvalidConfigError(`${field}: ${kind} keeps no ${what}. ${REMEDY[what]}`)
  if (!URL.canParse(text)) throw new InvalidConfigError(`${field}: is no address that can be read. Write special characters of the password as %XX.`)
  return { kind, url: text }
}

/** What is opened for a command that only reads must be there: an empty new file would answer every question with nothing. */
export function assertThere(place: Place, field: string, mayCreate: boolean): void {
  if (place.kind !== 'sqlite') return
  if (!mayCreate && !existsSync(place.path)) throw new InvalidConfigError(`${field}: there is no file ${place.path}. Give the path that the application has, or let it make the file first.`)
  if (!existsSync(dirname(place.path))) throw new InvalidConfigError(`${field}: there is no folder ${dirname(place.path)}. Make it, or give another path.`)
}

/** Opens a store; whoever takes it closes it. With a `sink`, its ledger goes there. A file's time is the command's; a server has its own. */
export async function openStore(place: Place, clock: Clock, sink?: EntrySink): Promise<Store> {
  if (place.kind === 'sqlite') {
    const { sqliteStore } = await import('../store/sqlite/index.js')
    try {
      return sqliteStore({ path: place.path, clock })
    } catch (cause) {
      if (isOf(cause, LEDGER_FILE)) throw new InvalidConfigError(`store: ${place.path} is a bursar ledger, which counts no money. Read it with --ledger sqlite:${place.path}.`, { cause })
      throw cause
    }
  }
  const { redisStore } = await import('../store/redis/index.js')
  return redisStore({ url: place.url, sink })
}

/** Opens a ledger, and closes it when the command is over. `field` is where its address was given. */
export async function openLedger(place: Place, run: Run, field = '--ledger'): Promise<ClosableSink> {
  const sink = await sinkAt(place, field)
  run.closeLater(() => sink.close?.())
  return sink
}

async function sinkAt(place: Place, field: string): Promise<ClosableSink> {
  if (place.kind !== 'sqlite') {
    const { postgresLedger } = await import('../store/postgres/index.js')
    return postgresLedger({ url: place.url })
  }
  const { sqliteLedger } = await import('../store/sqlite/index.js')
  try {
    return sqliteLedger({ path: place.path })
  } catch (cause) {
    if (isOf(cause, STORE_FILE)) throw new InvalidConfigError(`${field}: ${place.path} is a bursar store, which has a ledger. ${field === 'log' ? 'Leave the log out, and use' : 'Use'} --store sqlite:${place.path}.`, { cause })
    throw cause
  }
}

function isOf(cause: unknown, applicationId: number): boolean {
  return isBursarError(cause) && cause.message.includes(`application_id ${applicationId}`)
}
