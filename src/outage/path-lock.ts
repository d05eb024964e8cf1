// One process for each path: a lock file that says who holds it. What a dead process left behind is taken over.

import { InvalidConfigError } from '../errors/index.js'
import type { NodeFs } from './node-modules.js'
import { nodeModule } from './node-modules.js'

interface Holder {
  readonly pid: number
  readonly host: string
  /** When the process started, as the kernel counts: an id that is used again after a crash is another process. */
  readonly startedAt: string | undefined
  readonly token: string
}

/**
 * Takes `path.lock` for this process and gives a function that lets it go. Throws `InvalidConfigError` naming the holder where a
 * living process, or one on another host, has it.
 */
export function lockPath(path: string): () => void {
  const fs = nodeModule('node:fs')
  const lock = `${path}.lock`
  const own: Holder = { pid: process.pid, host: nodeModule('node:os').hostname(), startedAt: startOf(fs, process.pid), token: crypto.randomUUID() }
  const draft = `${lock}.${own.token}`
  fs.writeFileSync(draft, JSON.stringify(own))
  try {
    // A link, not a write: it fails where the lock is held, and a lock is never seen half written.
    for (let attempt = 0; !linked(fs, draft, lock); attempt += 1) {
      const holder = holderOf(fs, lock)
      if (attempt === MOST_TAKEOVERS || (holder !== undefined && isAlive(fs, holder, own.host))) throw refusal(path, lock, holder)
      if (holder !== undefined) takeAway(fs, lock, holder, own)
    }
  } finally {
    fs.rmSync(draft, { force: true })
  }
  return () => {
    if (holderOf(fs, lock)?.token === own.token) fs.rmSync(lock, { force: true })
  }
}

const MOST_TAKEOVERS = 3

function linked(fs: NodeFs, from: string, to: string): boolean {
  try {
    fs.linkSync(from, to)
    return true
  } catch (error) {
    if ((error as { code?: unknown }).code === 'EEXIST') return false
    throw error
  }
}

function holderOf(fs: NodeFs, lock: string): Holder | undefined {
  try {
    return JSON.parse(fs.readFileSync(lock, 'utf8')) as Holder
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ENOENT') return undefined
    throw new InvalidConfigError(`settleQueue.path: the lock file ${lock} cannot be read. Remove it if no process uses the queue.`, { cause: error })
  }
}

/** Moves a dead holder's lock aside, and puts it back if meanwhile it was another one's. */
function takeAway(fs: NodeFs, lock: string, dead: Holder, own: Holder): void {
  const aside = `${lock}.${own.token}.dead`
  try {
    fs.renameSync(lock, aside)
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ENOENT') return
    throw error
  }
  if (holderOf(fs, aside)?.token !== dead.token) linked(fs, aside, lock)
  fs.rmSync(aside, { force: true })
}

function isAlive(fs: NodeFs, { pid, host, startedAt }: Holder, ownHost: string): boolean {
  if (host !== ownHost) return true
  try {
    process.kill(pid, 0)
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ESRCH') return false
  }
  return startedAt === undefined || startOf(fs, pid) === startedAt
}

/** Linux says when a process started; elsewhere its id alone must do. */
function startOf(fs: NodeFs, pid: number): string | undefined {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
  } catch {
    return undefined
  }
}

function refusal(path: string, lock: string, holder: Holder | undefined): InvalidConfigError {
  const who = holder === undefined ? 'another process' : `process ${holder.pid} on ${holder.host}`
  return new InvalidConfigError(`settleQueue.path: ${path} is in use by ${who}. Give each process a path of its own; if that process is gone, remove ${lock}.`)
}
