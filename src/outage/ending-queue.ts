// The endings that wait for the store: at most so many, one for each id, in memory or in a file too. Knows what may follow what;
// sends nothing.

import { AlreadyEndedError, IdReusedError, StoreUnavailableError } from '../errors/index.js'
import { EndingFile } from './ending-file.js'
import type { Ending } from './ending.js'

/** Where endings wait while the store is away. */
export interface SettleQueueConfig {
  /** A file of this process alone: endings survive a crash, and a process with the same path replays them. Default: in memory. */
  readonly path?: string | undefined
  /** How many may wait. Default 10,000. What does not fit is rejected. */
  readonly max?: number | undefined
}

interface Waiting {
  ending: Ending
  /** Resolves once it is as safe as the queue makes it. */
  readonly safe: Promise<void>
}

const DEFAULT_MOST = 10_000

/** See the head of this file. */
export class EndingQueue {
  #most: number
  readonly #file: EndingFile | undefined
  readonly #waiting = new Map<string, Waiting>()

  /** Throws `InvalidConfigError` for a path that cannot be used or that another process uses. */
  constructor({ path, max = DEFAULT_MOST }: SettleQueueConfig = {}) {
    this.#most = max
    this.#file = path === undefined ? undefined : new EndingFile(path)
    for (const ending of this.#file?.left ?? []) this.#waiting.set(ending.id, { ending, safe: Promise.resolve() })
  }

  get size(): number {
    return this.#waiting.size
  }

  /** True where endings outlive this process. */
  get isOnDisk(): boolean {
    return this.#file !== undefined
  }

  has(id: string): boolean {
    return this.#waiting.size > 0 && this.#waiting.has(id)
  }

  /** All that waits, oldest first. */
  endings(): readonly Ending[] {
    return [...this.#waiting.values()].map(({ ending }) => ending)
  }

  /**
   * Keeps an ending; resolves once it is safe. A repeat of one that waits changes nothing and says `repeated`. Rejects with
   * `StoreUnavailableError` where there is no room (nothing was kept), and where another ending of that id waits, with what the
   * store would have said (INVARIANT (ONE-ENDING)).
   */
  async add(ending: Ending): Promise<'kept' | 'repeated'> {
    const { id } = ending
    const before = this.#waiting.get(id)
    if (before !== undefined) {
      assertRepeats(before.ending, ending)
      await before.safe
      return 'repeated'
    }
    if (this.#most === 0) throw new StoreUnavailableError(`settleQueue: is closed, and the ${ending.kind} of "${id}" was not kept. Settle before close().`, { asked: ending.sentAt !== undefined })
    if (this.#waiting.size >= this.#most) {
      throw new StoreUnavailableError(`settleQueue: ${this.#most} endings wait for the store, and there is no room for the ${ending.kind} of "${id}". Repeat it when the store is back, or give settleQueue.max more.`, { asked: ending.sentAt !== undefined })
    }
    const safe = this.#file === undefined ? Promise.resolve() : this.#file.add(ending)
    this.#waiting.set(id, { ending, safe })
    try {
      await safe
    } catch (cause) {
      this.#waiting.delete(id)
      throw new StoreUnavailableError(`settleQueue.path: the ${ending.kind} of "${id}" cannot be written (${String(cause)}). Repeat it when the store is back.`, { cause, asked: ending.sentAt !== undefined })
    }
    return 'kept'
  }

  /** Notes that these are about to be sent, before they are. */
  async markSent(endings: readonly Ending[], at: number): Promise<void> {
    const first = endings.filter(({ sentAt }) => sentAt === undefined).map(({ id }) => id)
    if (first.length > 0) await this.#file?.markSent(first, at)
    for (const id of first) {
      const waiting = this.#waiting.get(id)
      if (waiting !== undefined) waiting.ending = { ...waiting.ending, sentAt: at }
    }
  }

  /** Keeps another ending in the place of one that waits under the same id. */
  async replace(ending: Ending): Promise<void> {
    const waiting = this.#waiting.get(ending.id)
    if (waiting !== undefined) waiting.ending = ending
    await this.#file?.add(ending)
  }

  /** Forgets an ending that has been replayed, or reported. */
  async remove(id: string): Promise<void> {
    this.#waiting.delete(id)
    await this.#file?.remove(id)
    if (this.#waiting.size === 0) await this.#file?.clearIf(() => this.#waiting.size === 0)
  }

  /** Takes no more, and lets the file go; what waits stays in it. */
  async close(): Promise<void> {
    this.#most = 0
    await this.#file?.close()
  }
}

function assertRepeats(before: Ending, again: Ending): void {
  if (again.kind === 'release' || again.kind === 'withdraw') return
  if (before.kind === 'release' || before.kind === 'withdraw') throw new AlreadyEndedError(again.id, 'released', 'Count money that was spent nevertheless with tracker.addCost().')
  if (before.microcents === again.microcents && before.tokens === again.tokens) return
  if (again.kind === 'record') throw new IdReusedError(again.id, 'record')
  throw new AlreadyEndedError(again.id, 'settled', 'It waits for the store with another cost. Count further money with tracker.addCost() or give some back with tracker.refund().')
}
