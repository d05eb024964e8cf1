// Several processes at the limits of the same users, and what they were told. Decides when they begin, die and stop; what it all
// has to add up to is said in judge.ts.

import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { formatUsd } from '../../../src/index.js'
import { watch } from '../redis/watchdog.js'
import type { StoreAddress } from './open-store.js'
import { testimonies, type Testimony } from './witness-log.js'

/** What a worker is told. */
export interface HammerOrders {
  readonly name: string
  readonly address: StoreAddress
  /** The witness log that it writes. */
  readonly log: string
  readonly userIds: readonly string[]
  readonly limitMicrocents: number
  /** Users that share a budget besides their own. */
  readonly team?: { readonly userIds: readonly string[]; readonly limitMicrocents: number }
  readonly holdTtlMs: number
  /** How many requests it has in flight at once. */
  readonly loops: number
  /** How long a call takes, at most. */
  readonly callMs: number
  /** Half of its calls hang: it has holds open whenever it dies. */
  readonly callsNeverEnd: boolean
}

/** One worker process. */
export interface Worker {
  readonly orders: HammerOrders
  readonly process: ChildProcess
  readonly said: () => string
}

/** The configuration that all workers have, and whoever looks at what they did. */
export function hammerBudgets({ limitMicrocents, team }: Pick<HammerOrders, 'limitMicrocents' | 'team'>) {
  const shared = team === undefined ? {} : { shared: { total: formatUsd(team.limitMicrocents) } }
  return { tiers: { free: { total: formatUsd(limitMicrocents) } }, defaultTier: 'free', scopes: { team: shared } } as const
}

const SCRIPT = fileURLToPath(new URL('hammer-worker.ts', import.meta.url))

/** A set of worker processes: see the head of this file. */
export class Hammer {
  readonly workers: readonly Worker[]
  readonly #folder: string

  private constructor(workers: readonly Worker[], folder: string) {
    this.workers = workers
    this.#folder = folder
  }

  /** Starts the workers and waits until each has reached its store. */
  static async start(workers: readonly Omit<HammerOrders, 'log'>[]): Promise<Hammer> {
    const folder = mkdtempSync(join(tmpdir(), 'bursar-hammer-'))
    const hammer = new Hammer(workers.map((orders) => startWorker({ ...orders, log: join(folder, `${orders.name}.log`) })), folder)
    try {
      await Promise.all(hammer.workers.map(ready))
      return hammer
    } catch (error) {
      await hammer.close()
      throw error
    }
  }

  /** All begin at once, or those that are named. */
  go(workers: readonly Worker[] = this.workers): void {
    for (const worker of workers) worker.process.stdin?.write('go\n')
  }

  /** What all have been told so far, or those that are named. */
  testimonies(workers: readonly Worker[] = this.workers): Testimony[] {
    return workers.flatMap(({ orders }) => testimonies(orders.log))
  }

  /** SIGKILL, and waits until it is gone. */
  async kill(worker: Worker): Promise<void> {
    const gone = once(worker.process, 'exit')
    worker.process.kill('SIGKILL')
    await gone
  }

  /** Tells those that still run to finish, and waits until they have. Throws if one ended in any other way. */
  async stop(): Promise<void> {
    await Promise.all(
      this.workers.filter(isRunning).map(async (worker) => {
        const gone = once(worker.process, 'exit')
        worker.process.stdin?.write('stop\n')
        await gone
      }),
    )
    const failed = this.workers.find(({ process: { exitCode, signalCode } }) => exitCode !== 0 && signalCode !== 'SIGKILL')
    if (failed !== undefined) throw new Error(`worker ${failed.orders.name} failed: ${failed.said()}`)
  }

  /** Ends what is left of it, with its logs. */
  async close(): Promise<void> {
    await Promise.all(this.workers.filter(isRunning).map((worker) => this.kill(worker)))
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

function startWorker(orders: HammerOrders): Worker {
  const child = spawn(process.execPath, ['--import', 'tsx', SCRIPT, JSON.stringify(orders)], { stdio: ['pipe', 'pipe', 'pipe'] })
  let said = ''
  child.stderr.on('data', (text: Buffer) => (said = (said + text.toString()).slice(-4_000)))
  child.stdin.on('error', () => {})
  if (child.pid !== undefined) child.once('exit', watch(child.pid))
  return { orders, process: child, said: () => said }
}

async function ready(worker: Worker): Promise<void> {
  const stdout = worker.process.stdout
  if (stdout === null) throw new Error('the worker has no output')
  for await (const line of createInterface({ input: stdout })) if (line === 'ready') return
  throw new Error(`worker ${worker.orders.name} ended before it was ready: ${worker.said()}`)
}

function isRunning({ process: { exitCode, signalCode } }: Worker): boolean {
  return exitCode === null && signalCode === null
}
