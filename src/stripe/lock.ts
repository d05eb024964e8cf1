// One at a time, over all processes: who looks at a customer, and with which number. The lock saves work; the number is what keeps
// an old look from overwriting a new one, also where a holder was so slow that its lock ran out.

import { StoreUnavailableError } from '../errors/index.js'
import type { Registry } from '../store/index.js'

const LOCK = 'stripe-lock'
/** How long a holder that died keeps others out. */
const LOCK_TTL_MS = 30_000
/** How long others wait; then whoever sent them tries again. */
const WAIT_MS = 10_000
const FIRST_PAUSE_MS = 5
const LONGEST_PAUSE_MS = 100

/** A lock that is held. */
export class Lock {
  readonly #registry: Registry
  readonly #key: string
  #fence: number

  constructor(registry: Registry, key: string, fence: number) {
    this.#registry = registry
    this.#key = key
    this.#fence = fence
  }

  /** The number that was drawn with it, or when it was last renewed: higher than all that were drawn before. */
  get fence(): number {
    return this.#fence
  }

  /** Draws a new number. Rejects with `StoreUnavailableError` where the lock has run out. */
  async renew(): Promise<void> {
    const fence = await this.#registry.put(LOCK, this.#key, '', { expected: this.#fence, ttlMs: LOCK_TTL_MS })
    if (fence === undefined) throw new StoreUnavailableError(`${this.#key}: this look took longer than ${LOCK_TTL_MS / 1_000} s, and another may have begun. Try again.`)
    this.#fence = fence
  }

  /** Lets the next one in. */
  async giveBack(): Promise<void> {
    try {
      await this.#registry.put(LOCK, this.#key, null, { expected: this.#fence })
    } catch {
      // It runs out by itself.
    }
  }
}

/** Does the work while nobody else does work of that key. Rejects with `StoreUnavailableError` where another process is at it for too long. */
export async function withLock<T>(registry: Registry, key: string, work: (lock: Lock) => Promise<T>): Promise<T> {
  const lock = new Lock(registry, key, await acquire(registry, key))
  try {
    return await work(lock)
  } finally {
    await lock.giveBack()
  }
}

async function acquire(registry: Registry, key: string): Promise<number> {
  let waitedMs = 0
  for (let pauseMs = FIRST_PAUSE_MS; waitedMs <= WAIT_MS; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
    const fence = await registry.put(LOCK, key, '', { expected: 0, ttlMs: LOCK_TTL_MS })
    if (fence !== undefined) return fence
    await new Promise((resolve) => setTimeout(resolve, pauseMs))
    waitedMs += pauseMs
  }
  throw new StoreUnavailableError(`${key}: another process has been looking at this customer for ${WAIT_MS / 1_000} s. Try again.`)
}
