// The stand-in for the providers' APIs as a process of its own: started here, stopped here by its process id, whatever happens.

import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { startChild } from './child.js'

/** What the stand-in says it served to one user, or under one API key. */
export interface ServedCount {
  readonly requests: number
  readonly failed: number
  readonly inputTokens: number
  readonly outputTokens: number
  readonly microcents: number
}

/** The stand-in's own bill. */
export interface ServedBill {
  readonly users: Readonly<Record<string, ServedCount>>
  readonly keys: Readonly<Record<string, ServedCount>>
  readonly total: ServedCount
}

/** A running stand-in. Disposing of it stops it. */
export interface StandInProcess extends AsyncDisposable {
  readonly pid: number
  readonly url: string
  served(): Promise<ServedBill>
}

/** Starts the stand-in and waits until it listens. `miscounts`: a user for whom it counts one microcent too many. */
export async function startStandInProcess(miscounts: string | undefined): Promise<StandInProcess> {
  const args = ['--latency-ms', '25', ...(miscounts === undefined ? [] : ['--miscount', miscounts])]
  const { process: child, exited } = startChild('../provider-stand-in/main.ts', args, ['ignore', 'pipe', 'inherit', 'ipc'])
  const lines = createInterface({ input: child.stdout as Readable })
  const [line] = (await Promise.race([once(lines, 'line'), exited])) as [unknown]
  const url = typeof line === 'string' ? /^listening on (\S+)$/.exec(line)?.[1] : undefined
  if (url === undefined) throw new Error(`the stand-in did not start: ${String(line)}`)
  return {
    pid: child.pid as number,
    url,
    served: async () => (await (await fetch(new URL('/served', url))).json()) as ServedBill,
    [Symbol.asyncDispose]: async () => {
      child.kill()
      await exited
    },
  }
}
