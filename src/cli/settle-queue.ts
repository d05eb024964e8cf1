// Where the settles of a server wait while its store is away, if the configuration does not say: a file beside it, of one store and one port
// alone, so that nobody else's money is told to a store. What stands in such a file, the queue knows.

import { createHash } from 'node:crypto'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { InvalidConfigError } from '../errors/index.js'
import { EndingQueue } from '../outage/ending-queue.js'
import { lockPath } from '../outage/path-lock.js'

/** How many servers on ports that nobody chose, or of how many machines, find a file of their own in one folder. */
const MOST_FILES = 100

/** The file of a server. */
export interface SettleFile {
  readonly path: string
  /** Files of the same store and port that this server does not use, and in which settles may wait. Where any port is taken, those of other machines alone. */
  readonly others: readonly string[]
}

/**
 * The file for a server in that folder, on that port, with that store (its address, without a password). Servers that take any port (0) have the
 * first that no other process uses; others the first that no other machine has: what had a name of its own once, as a container has, never comes
 * back to let a file go.
 */
export function settleFile(folder: string, port: number, store: string): SettleFile {
  const { host, pathname } = URL.canParse(store) ? new URL(store) : { host: '', pathname: store }
  const name = `bursar-settles-${port}-${createHash('sha256').update(`${host} ${pathname}`).digest('hex').slice(0, 8)}`
  const paths = Array.from({ length: MOST_FILES }, (_, index) => join(folder, `${name}${index === 0 ? '' : `-${index + 1}`}.queue`))
  const path = paths.find(port === 0 ? (free) => !isTaken(free) : (own) => !isElsewhere(own)) ?? (paths[0] as string)
  return { path, others: paths.filter((other) => other !== path && existsSync(other) && (port !== 0 || isElsewhere(other))) }
}

/** What to do with a file in which settles may wait, and that the server does not use. */
export function howToSend(path: string): string {
  const lock = existsSync(`${path}.lock`) ? `remove ${path}.lock, and ` : ''
  return `Settles may wait for the store in ${path}, which another process has left or uses: this server does not send them. If that process is gone, ${lock}start once with settleQueue.path = ${JSON.stringify(path)}.`
}

/** How many settles wait in a file that no process has open. With `isOwn`, a file in which none does is removed. */
export async function settlesLeft(path: string, isOwn: boolean): Promise<number> {
  if (!existsSync(path)) return 0
  const queue = new EndingQueue({ path })
  try {
    // As long as it is locked: nobody else has begun to write into it.
    if (isOwn && queue.size === 0) rmSync(path, { force: true })
    return queue.endings().filter(({ kind }) => kind === 'settle' || kind === 'record').length
  } finally {
    await queue.close()
  }
}

/** True where the lock names another machine, of which nobody here knows whether it lives. A lock that cannot be read is the queue's to tell. */
function isElsewhere(path: string): boolean {
  try {
    const { host } = JSON.parse(readFileSync(`${path}.lock`, 'utf8')) as { readonly host?: unknown }
    return host !== hostname()
  } catch {
    return false
  }
}

function isTaken(path: string): boolean {
  try {
    lockPath(path)()
    return false
  } catch (error) {
    // A folder that cannot be written is the queue's to tell.
    return error instanceof InvalidConfigError
  }
}
