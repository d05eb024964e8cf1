// Processes that the demo starts, with the flags of its own: stopped with it, however it ends.

import { fork, type ChildProcess, type ForkOptions } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/** A started process. */
export interface Child {
  readonly process: ChildProcess
  /** When it has ended: its exit code, and the signal that ended it. */
  readonly exited: Promise<readonly [code: number | null, signal: NodeJS.Signals | null]>
}

const running = new Set<ChildProcess>()
// Short of being killed outright; then the lost channel ends them.
process.once('exit', () => running.forEach((child) => child.kill()))

/** Starts a module as a process. The path is relative to this file. */
export function startChild(module: string, args: readonly string[], stdio: NonNullable<ForkOptions['stdio']>): Child {
  const child = fork(fileURLToPath(new URL(module, import.meta.url)), args, { stdio })
  running.add(child)
  const exited = once(child, 'exit').then((ending) => {
    running.delete(child)
    return ending as [number | null, NodeJS.Signals | null]
  })
  return { process: child, exited }
}
