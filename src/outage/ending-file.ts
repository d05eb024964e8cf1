// Endings on disk: a file that is appended to, one line of JSON for each ending and for what became of it. An ending is safe when
// its line has reached the disk. Decides how lines are written and read; knows no store.

import { InvalidConfigError } from '../errors/index.js'
import { endingFromPlain, plainEnding, type Ending } from './ending.js'
import { nodeModule, type NodeFs } from './node-modules.js'
import { lockPath } from './path-lock.js'

interface Job {
  readonly text: string
  /** The caller relies on it: it must have reached the disk. */
  readonly durable: boolean
  readonly done: () => void
  readonly failed: (error: unknown) => void
}

type Line = { readonly end: unknown } | { readonly sent: readonly string[]; readonly at: number } | { readonly done: string }

/** The file of one queue, locked for this process until it is closed. */
export class EndingFile {
  /** What was in it and not replayed, oldest first. */
  readonly left: readonly Ending[]
  readonly #fs: NodeFs
  readonly #file: number
  readonly #unlock: () => void
  #size: number
  #jobs: Job[] = []
  #writing: Promise<void> | undefined
  #isClosed = false

  /**
   * Opens the file, or makes it. Throws `InvalidConfigError` where another process has it, or where a line is damaged; a last line
   * without its end was never promised to anybody and is dropped.
   */
  constructor(path: string) {
    this.#fs = nodeModule('node:fs')
    const { dirname, resolve } = nodeModule('node:path')
    const file = resolve(path)
    try {
      this.#unlock = lockPath(file)
    } catch (error) {
      throw unusable(path, error)
    }
    try {
      const text = this.#fs.existsSync(file) ? this.#fs.readFileSync(file, 'utf8') : ''
      this.left = endingsIn(text, path)
      const kept = this.left.map((ending) => lineOf({ end: plainEnding(ending) })).join('')
      if (kept !== text || text === '') replaceFile(this.#fs, file, dirname(file), kept)
      this.#file = this.#fs.openSync(file, 'r+')
      this.#size = this.#fs.fstatSync(this.#file).size
    } catch (error) {
      this.#unlock()
      throw unusable(path, error)
    }
  }

  /** Resolves once the ending is on the disk. Rejects where it cannot be written; then nothing of it is there. */
  add(ending: Ending): Promise<void> {
    return this.#write(lineOf({ end: plainEnding(ending) }), true)
  }

  /** Notes on the disk that these are being sent: whoever reads them after a crash knows that they may have taken effect. */
  markSent(ids: readonly string[], at: number): Promise<void> {
    return this.#write(lineOf({ sent: ids, at }), true)
  }

  /** Notes that an ending is the store's now. It survives this process; repeating it after more than that is harmless. */
  remove(id: string): Promise<void> {
    return this.#write(lineOf({ done: id }), false)
  }

  /** Empties the file once everything is written, if nothing waits any more by then. */
  async clearIf(isEmpty: () => boolean): Promise<void> {
    while (this.#writing !== undefined) await this.#writing
    if (this.#isClosed || this.#size === 0 || !isEmpty()) return
    this.#fs.ftruncateSync(this.#file, 0)
    this.#size = 0
  }

  /** Writes what is under way and lets the file go. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    while (this.#writing !== undefined) await this.#writing
    this.#fs.closeSync(this.#file)
    this.#unlock()
  }

  #write(text: string, durable: boolean): Promise<void> {
    if (this.#isClosed) return Promise.reject(new Error('the file is closed'))
    return new Promise((done, failed) => {
      this.#jobs.push({ text, durable, done, failed })
      this.#writing ??= this.#writeAll()
    })
  }

  /** One write and one sync for all that came meanwhile: many endings at once cost the disk little more than one. */
  async #writeAll(): Promise<void> {
    // What is asked for in the same turn shares the first write too.
    await Promise.resolve()
    while (this.#jobs.length > 0) {
      const jobs = this.#jobs
      this.#jobs = []
      try {
        await this.#append(Buffer.from(jobs.map(({ text }) => text).join('')), jobs.some(({ durable }) => durable))
        for (const { done } of jobs) done()
      } catch (error) {
        for (const { failed } of jobs) failed(error)
      }
    }
    this.#writing = undefined
  }

  async #append(bytes: Buffer, durable: boolean): Promise<void> {
    const end = this.#size + bytes.length
    try {
      let at = 0
      while (at < bytes.length) at += progress(await called<number>((back) => this.#fs.write(this.#file, bytes, at, bytes.length - at, this.#size + at, back)))
      if (durable) await called<void>((back) => this.#fs.fdatasync(this.#file, back))
      this.#size = end
    } catch (error) {
      // Half a line must not be what the next one is glued to.
      this.#fs.ftruncateSync(this.#file, this.#size)
      throw error
    }
  }
}

function called<T>(call: (back: (error: Error | null, result?: T) => void) => void): Promise<T> {
  return new Promise((resolve, reject) => call((error, result) => (error === null ? resolve(result as T) : reject(error))))
}

function lineOf(line: Line): string {
  return `${JSON.stringify(line)}\n`
}

function endingsIn(text: string, path: string): Ending[] {
  const endings = new Map<string, Ending>()
  const lines = text.split('\n')
  lines.pop()
  lines.forEach((written, index) => {
    const where = `settleQueue.path: line ${index + 1} of ${path}`
    const line = parsed(written, where)
    if ('done' in line) endings.delete(line.done)
    else if ('sent' in line) {
      for (const id of line.sent) {
        const ending = endings.get(id)
        if (ending !== undefined) endings.set(id, { ...ending, sentAt: ending.sentAt ?? line.at })
      }
    } else {
      const ending = endingFromPlain(line.end, where)
      endings.set(ending.id, ending)
    }
  })
  return [...endings.values()]
}

function parsed(written: string, where: string): Line {
  let line: unknown
  try {
    line = JSON.parse(written)
  } catch {
    line = undefined
  }
  if (typeof line === 'object' && line !== null && ('end' in line || 'sent' in line || 'done' in line)) return line as Line
  throw new InvalidConfigError(`${where}: is damaged. Move the file away to start without it; what it holds has not been charged.`)
}

/** How much was written. A file system that takes nothing, and says no reason, would be asked for ever. */
function progress(written: number): number {
  if (written > 0) return written
  throw new Error('the disk takes no more bytes')
}

/** A new content, whole or not at all: until all of it is on the disk, the file of before stays. */
function replaceFile(fs: NodeFs, file: string, folder: string, text: string): void {
  const draft = `${file}.${crypto.randomUUID()}.unfinished`
  try {
    const written = fs.openSync(draft, 'w')
    try {
      const bytes = Buffer.from(text)
      // A disk that becomes full takes a part, and says so only when asked for the rest.
      for (let at = 0; at < bytes.length; ) at += progress(fs.writeSync(written, bytes, at, bytes.length - at))
      fs.fsyncSync(written)
    } finally {
      fs.closeSync(written)
    }
    fs.renameSync(draft, file)
  } catch (error) {
    fs.rmSync(draft, { force: true })
    throw error
  }
  // The name is safe only with the folder. Windows cannot sync folders, and needs not.
  if (process.platform === 'win32') return
  const listing = fs.openSync(folder, 'r')
  fs.fsyncSync(listing)
  fs.closeSync(listing)
}

function unusable(path: string, error: unknown): InvalidConfigError {
  if (error instanceof InvalidConfigError) return error
  return new InvalidConfigError(`settleQueue.path: ${path} cannot be used (${(error as Error).message}). Give a path in a folder that exists, that this process may write to, and whose disk has room.`, { cause: error })
}
