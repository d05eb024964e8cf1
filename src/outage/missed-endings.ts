// The endings that a store has missed, and the telling of them: each once, in the order in which they came. Knows the queue and how
// one is replayed; when to do it, it is told.

import { isTaskCancelledError } from 'cockatiel'
import type { Effect, Store } from '../store/index.js'
import type { Clock } from '../time/index.js'
import type { Ending } from './ending.js'
import { EndingQueue, type SettleQueueConfig } from './ending-queue.js'
import type { Step } from './recovery.js'
import { replay } from './replay.js'

/** What becomes of endings, as {@link MissedEndings} tells it. */
export interface MissedOptions {
  readonly clock: Clock
  readonly settleQueue?: SettleQueueConfig | undefined
  readonly onError: (operation: string, error: unknown) => void
  readonly onEffects: (effects: readonly Effect[]) => void
}

/** How many are sent at a time. */
const BATCH = 64

/** See the head of this file. */
export class MissedEndings {
  readonly #store: Store
  readonly #step: Step
  readonly #options: MissedOptions
  readonly #queue: EndingQueue
  readonly #told = new Map<string, () => void>()

  /** Throws `InvalidConfigError` where the file of the queue cannot be used. */
  constructor(store: Store, step: Step, options: MissedOptions) {
    this.#store = store
    this.#step = step
    this.#options = options
    this.#queue = new EndingQueue(options.settleQueue)
  }

  get size(): number {
    return this.#queue.size
  }

  /** How many of them cost something: the others end a hold whose call was not made. */
  get costs(): number {
    return this.#queue.endings().filter(({ kind }) => kind === 'settle' || kind === 'record').length
  }

  /** True where they outlive this process. */
  get isOnDisk(): boolean {
    return this.#queue.isOnDisk
  }

  has(id: string): boolean {
    return this.#queue.has(id)
  }

  /** Keeps an ending until it is replayed; then `told` is called. `wasAsked`: it may have taken effect. See {@link EndingQueue.add}. */
  async keep(ending: Omit<Ending, 'at' | 'sentAt'>, wasAsked: boolean, told: (() => void) | undefined): Promise<'kept' | 'repeated'> {
    const at = this.#options.clock()
    const kept = await this.#queue.add({ ...ending, at, ...(wasAsked && { sentAt: at }) })
    if (told !== undefined && kept === 'kept') this.#told.set(ending.id, told)
    return kept
  }

  /** Sends what waits. False where some could not be sent; stops where the store does not answer. */
  async replay(): Promise<boolean> {
    const endings = this.#queue.endings()
    let complete = true
    for (let first = 0; first < endings.length; first += BATCH) {
      const batch = endings.slice(first, first + BATCH)
      await this.#queue.markSent(batch, this.#options.clock()).catch(() => {})
      const failures = (await Promise.all(batch.map((ending) => this.#replayOne(ending)))).filter((failure) => failure !== undefined)
      if (failures.some(isTaskCancelledError) || failures.length === BATCH) return false
      complete &&= failures.length === 0
    }
    return complete
  }

  /** Takes no more; what waits stays in the file. */
  close(): Promise<void> {
    return this.#queue.close()
  }

  /** What it failed with, if the store failed. */
  async #replayOne(ending: Ending): Promise<unknown> {
    try {
      const replayed = await this.#step(() => replay(this.#store, ending, this.#options.clock()))
      if ('instead' in replayed) {
        await this.#queue.replace(replayed.instead)
        return await this.#replayOne(replayed.instead)
      }
      if ('refused' in replayed) this.#options.onError(`replay of ${ending.kind}`, replayed.refused)
      else this.#options.onEffects(replayed.effects)
    } catch (error) {
      return error
    }
    this.#told.get(ending.id)?.()
    this.#told.delete(ending.id)
    // A disk that is full keeps nobody out: after a crash it would be sent again, and the store knows it.
    await this.#queue.remove(ending.id).catch(() => {})
    return undefined
  }
}
