// The stand-in for the OpenAI API as a process of its own: started here, stopped here by its process id, whatever happens.

import { fork } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'

/** What the stand-in says it served to one user. */
export interface ServedCount {
  readonly requests: number
  readonly failed: number
  readonly microcents: number
}

/** The stand-in's own bill. */
export interface ServedBill {
  readonly users: Readonly<Record<string, ServedCount>>
  readonly total: ServedCount
}

/** A running stand-in. */
export interface StandInProcess {
  readonly pid: number
  /** What the SDK takes as `baseURL`. */
  readonly url: string
  served(): Promise<ServedBill>
  stop(): Promise<void>
}

/** Starts the stand-in and waits until it listens. `miscounts`: a user for whom it counts one microcent too many. */
export async function startStandInProcess(miscounts: string | undefined): Promise<StandInProcess> {
  const main = fileURLToPath(new URL('../openai-stand-in/main.ts', import.meta.url))
  const args = ['--latency-ms', '25', ...(miscounts === undefined ? [] : ['--miscount', miscounts])]
  const child = fork(main, args, { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] })
  const exited = once(child, 'exit')
  // However this process ends, short of being killed outright; then the lost channel ends the stand-in.
  process.once('exit', () => child.kill())
  const lines = createInterface({ input: child.stdout as Readable })
  const [line] = (await Promise.race([once(lines, 'line'), exited])) as [unknown]
  const url = typeof line === 'string' ? /^listening on (\S+)$/.exec(line)?.[1] : undefined
  if (url === undefined) throw new Error(`the stand-in did not start: ${String(line)}`)
  return {
    pid: child.pid as number,
    url,
    served: async () => (await (await fetch(new URL('/served', url))).json()) as ServedBill,
    stop: async () => {
      child.kill()
      await exited
    },
  }
}
