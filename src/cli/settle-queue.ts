// Where the settles of a server wait while its store is away, if the configuration does not say: a file beside it, of one store and one port
// alone, so that nobody else's money is told to a store. What stands in such a file, the queue knows.

import { createHash } from 'node:crypto'
import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { InvalidConfigError } from '../errors/index.js'
import { EndingQueue } from '../outage/ending-queue.js'
import { lockPath } from '../outage/path-lock.js'

/** How many servers on ports that nobody chose find a file of their own in one folder. */
const MOST_FILES = 100

/**
 * The file for a server in that folder, on that port, with that store (its address, without a password). Servers that take any port (0) have the
 * first that no other process uses.
 */
export function settleFile(folder: string, port: number, store: string): string {
  const { host, pathname } = URL.canParse(store) ? new URL(store) : { host: '', pathname: store }
  const name = `bursar-settles-${port}-${createHash('sha256').update(`${host} ${pathname}`).digest('hex').slice(0, 8)}`
  const paths = Array.from({ length: port === 0 ? MOST_FILES : 1 }, (_, index) => join(folder, `${name}${index === 0 ? '' : `-${index + 1}`}.queue`))
  return paths.find((path) => paths.length === 1 || !isTaken(path)) ?? (paths[0] as string)
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

function isTaken(path: string): boolean {
  try {
    lockPath(path)()
    return false
  } catch (error) {
    // A folder that cannot be written is the queue's to tell.
    return error instanceof InvalidConfigError
  }
}
