// How text becomes a file that is complete or not there, and what is never written over. Knows nothing of what is written.

import { InvalidRequestError, type BursarError } from '../errors/index.js'
import { shown } from './filter.js'

/** How long a piece of text grows before it is written to a file. */
const WRITTEN_AT_ONCE = 65_536
/** What a SQLite file begins with. */
const SQLITE_HEADER = 'SQLite format 3\0'
/** What SQLite keeps beside a database. */
const BESIDE_DATABASE = /-(wal|shm|journal)$/
/** How many links are followed: as many as an operating system follows. */
const MOST_LINKS = 40

/** Where a file will be. */
export interface Place {
  /** The file itself, behind links. */
  readonly path: string
  /** Its neighbour, to be written first. */
  readonly unfinished: string
  /** The permissions of the file that is there. */
  readonly mode: number | undefined
  /** What the file that is there begins with: up to 100 bytes, a SQLite header in full. */
  readonly head: Uint8Array
}

/**
 * Looks at where a file is to be written, before anything is read for it. Throws what `refuse` makes of a message, by default
 * `InvalidRequestError`, for what is no path, or leads to a folder, to something else that is no file, to a database in use,
 * or through links in a circle.
 */
export async function placeOf(path: unknown, refuse: (message: string) => BursarError = (message) => new InvalidRequestError(message)): Promise<Place> {
  if (typeof path !== 'string' || path === '' || path.includes('\0')) throw refuse(`path: ${shown(path)} is no path. Give the path of a file.`)
  const { closeSync, existsSync, openSync, readSync, statSync } = await import('node:fs')
  const real = await realPath(path, refuse)
  const there = statSync(real, { throwIfNoEntry: false })
  if (there?.isDirectory() === true) throw refuse(`path: ${path} is a folder. Give the path of a file in it.`)
  if (there !== undefined && !there.isFile()) throw refuse(`path: ${path} is no regular file, and is not to be replaced by one. Give the path of a file, and copy it from there.`)
  // Before it is opened: closing it again would end the locks that SQLite has on it in this process.
  if (existsSync(`${real}-wal`)) throw refuse(`path: ${path} is a database in use (${real}-wal is there). Give another path, or one that nobody has open.`)
  const head = new Uint8Array(100)
  let length = 0
  if (there !== undefined) {
    try {
      const file = openSync(real, 'r')
      // At once, so that no transaction of this process begins in between.
      length = readSync(file, head, 0, head.length, 0)
      closeSync(file)
    } catch (cause) {
      throw refuse(`path: ${path} cannot be read (${(cause as Error).message}), so that nobody knows what would be replaced. Give another path, or remove it.`)
    }
  }
  return { path: real, unfinished: `${real}.${crypto.randomUUID()}.unfinished`, mode: there && there.mode & 0o777, head: head.subarray(0, length) }
}

/** True for the beginning of a SQLite file. */
export function isSqlite(head: Uint8Array): boolean {
  return new TextDecoder('latin1').decode(head.subarray(0, SQLITE_HEADER.length)) === SQLITE_HEADER
}

/**
 * Writes pieces of text to a file: to a neighbour first, which is on the disk before it is renamed, so that a reader never sees half of it,
 * also after a power cut. A file that is there is replaced and its permissions stay; links to it stay links, also where they
 * lead to no file yet. Where the process is killed, its `….unfinished` is left beside it, and is nobody's. Throws `InvalidRequestError` before
 * it asks for the first piece, where the path leads to no file, to a SQLite database, or into no folder.
 */
export async function writeFile(path: string, pieces: AsyncIterable<string>): Promise<void> {
  const { open, rename, rm } = await import('node:fs/promises')
  const place = await placeOf(path)
  await assertNoDatabase(path, place)
  const file = await open(place.unfinished, 'wx').catch((cause: unknown) => {
    throw codeOf(cause) === 'ENOENT' ? new InvalidRequestError(`path: ${path} is in no folder that is there (ENOENT). Make the folder, or give another path.`, { cause }) : cause
  })
  try {
    if (place.mode !== undefined) await file.chmod(place.mode)
    let waiting = ''
    for await (const piece of pieces) {
      waiting += piece
      if (waiting.length < WRITTEN_AT_ONCE) continue
      await file.writeFile(waiting)
      waiting = ''
    }
    await file.writeFile(waiting)
    await file.sync()
    await file.close()
    await rename(place.unfinished, place.path)
  } catch (error) {
    await file.close().catch(() => {})
    await rm(place.unfinished, { force: true })
    throw error
  }
}

/** Text in place of a database would take it from whoever has it open, and all that is in it. */
async function assertNoDatabase(path: string, { path: real, head }: Place): Promise<void> {
  const database = BESIDE_DATABASE.test(real) ? await placeOf(real.replace(BESIDE_DATABASE, '')) : undefined
  if (!isSqlite(head) && !(database !== undefined && isSqlite(database.head))) return
  throw new InvalidRequestError(`path: ${path} is ${database === undefined ? '' : 'part of '}a SQLite database, perhaps that of a store. Give another path, or remove it first if nobody needs it.`)
}

/**
 * What a path stands for: links are followed one by one until one names none, so that what leads nowhere yet stands for what the last link
 * names. Each is read from the folder that it is really in.
 */
async function realPath(path: string, refuse: (message: string) => BursarError): Promise<string> {
  const { readlink, realpath, stat } = await import('node:fs/promises')
  const { basename, dirname, isAbsolute, join, sep } = await import('node:path')
  let at = path
  for (let followed = 0; followed <= MOST_LINKS; followed += 1) {
    if (at.endsWith('/') || at.endsWith(sep)) throw refuse(`path: ${path} is a folder. Give the path of a file in it.`)
    const folder = await realpath(dirname(at)).catch((error: unknown) => {
      if (codeOf(error) === 'ELOOP') throw refuse(loopMessage(path))
      return undefined
    })
    // Whoever opens it finds out why.
    if (folder === undefined) return at
    const place = join(folder, basename(at))
    const named = await readlink(place).catch(() => undefined)
    if (named === undefined) return place
    // An open pipe is a link to a name that no file has, as behind /dev/stdout.
    const there = await stat(place).catch(() => undefined)
    if (there !== undefined && !there.isFile() && !there.isDirectory()) return place
    // Not joined: `..` behind a link is above the folder that the link leads to.
    at = isAbsolute(named) ? named : `${folder}${sep}${named}`
  }
  throw refuse(loopMessage(path))
}

function loopMessage(path: string): string {
  return `path: ${path} leads through links in a circle, or through more than ${MOST_LINKS}. Give the path of a file, or mend the links.`
}

function codeOf(error: unknown): unknown {
  return (error as { readonly code?: unknown } | null)?.code
}
