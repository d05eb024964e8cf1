// Who makes the calls: one worker in this process, or several processes that share the store. Both do the same shift, and both end
// with reports that are added up.

import type { EnforcementAction } from 'bursar'
import type { DemoBursar } from './budgets.js'
import { startChild, type Child } from './child.js'
import { Complaint } from './complaint.js'
import { work, type Share } from './shift.js'
import type { StoreAddress } from './stores.js'
import type { Report } from './tally.js'

/** What a worker process is told: where it works, and then that all are ready. */
export type Order = ({ readonly kind: 'prepare'; readonly address: StoreAddress } & Share) | { readonly kind: 'go' }

/** What a worker process tells. */
export type News =
  | { readonly kind: 'ready' }
  | { readonly kind: 'called'; readonly action: EnforcementAction }
  | { readonly kind: 'done'; readonly report: Report }
  | { readonly kind: 'failed'; readonly message: string }

/** Workers that are ready. Disposing of them stops them. */
export interface Crew extends AsyncDisposable {
  /** Who they are, in words. */
  readonly who: string
  /** Makes all calls. Rejects with what went wrong first, and with the signal's reason. */
  work(onCall: (action: EnforcementAction) => void, signal: AbortSignal): Promise<readonly Report[]>
}

const GRACE_MS = 10_000

/** One worker in this process. */
export function crewOfOne(bursar: DemoBursar, url: string): Crew {
  return {
    who: 'this process makes all calls',
    work: async (onCall, signal) => [await work({ index: 0, of: 1, url }, { bursar, onCall, signal })],
    [Symbol.asyncDispose]: async () => {},
  }
}

/** So many processes on one data set, all ready before the first call. */
export async function crewOf(count: number, address: StoreAddress, url: string): Promise<Crew> {
  const workers = Array.from({ length: count }, (_, index) => new WorkerProcess({ index, of: count, url }))
  const end = async (): Promise<void> => void (await Promise.all(workers.map((worker) => worker.end())))
  try {
    await Promise.all(workers.map((worker) => worker.prepare(address)))
  } catch (error) {
    await end()
    throw error
  }
  return {
    who: `processes ${workers.map(({ pid }) => pid).join(', ')} each make a share of every user's calls`,
    work: (onCall, signal) => {
      const interrupted = new Promise<never>((_, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
      })
      return Promise.race([Promise.all(workers.map((worker) => worker.work(onCall))), interrupted])
    },
    [Symbol.asyncDispose]: end,
  }
}

class WorkerProcess {
  readonly #share: Share
  readonly #child: Child

  constructor(share: Share) {
    this.#share = share
    this.#child = startChild('./worker.ts', [], ['ignore', 'inherit', 'inherit', 'ipc'])
  }

  get pid(): number {
    return this.#child.process.pid as number
  }

  async prepare(address: StoreAddress): Promise<void> {
    await this.#order({ kind: 'prepare', address, ...this.#share }, 'ready')
  }

  async work(onCall: (action: EnforcementAction) => void): Promise<Report> {
    this.#child.process.on('message', (news: News) => news.kind === 'called' && onCall(news.action))
    return (await this.#order({ kind: 'go' }, 'done')).report
  }

  /** Lets it end the calls that are running; kills it if that takes too long. */
  async end(): Promise<void> {
    const { process: child, exited } = this.#child
    if (child.connected) child.disconnect()
    const killing = setTimeout(() => child.kill('SIGKILL'), GRACE_MS)
    await exited
    clearTimeout(killing)
  }

  /** Sends an order and waits for the answer. Rejects if the worker fails or ends before that. */
  #order<Kind extends News['kind']>(order: Order, answer: Kind): Promise<Extract<News, { kind: Kind }>> {
    const name = `worker ${this.#share.index + 1} (process ${this.pid})`
    const { process: child, exited } = this.#child
    return new Promise((resolve, reject) => {
      child.on('message', (news: News) => {
        if (news.kind === answer) resolve(news as Extract<News, { kind: Kind }>)
        else if (news.kind === 'failed') reject(new Complaint(`${name} failed: ${news.message}`))
      })
      void exited.then(([code, signal]) => reject(new Complaint(`${name} ended before its calls were made (${signal ?? `exit code ${code}`})`)))
      // That nobody is there to hear it is said by the exit.
      child.send(order, () => {})
    })
  }
}
