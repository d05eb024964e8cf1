// Waiting for a store to come back: one attempt at a time, in the background, further and further apart. Requests neither wait for
// it nor make it. Knows when to try; what an attempt is, it is told.

import { ExponentialBackoff, halfJitterGenerator, timeout, TimeoutStrategy, type IBackoff } from 'cockatiel'

// Half of each wait is by chance, so that a thousand processes do not come back at once: from a quarter of a second to five.
const BACKOFF = new ExponentialBackoff({ generator: halfJitterGenerator, initialDelay: 500, maxDelay: 5_000 })

/** Tries until an attempt says that nothing is left to do. Its timers keep no process alive. */
export class Recovery {
  readonly #attempt: () => Promise<boolean>
  #backoff: IBackoff<unknown> | undefined
  #timer: ReturnType<typeof setTimeout> | undefined
  #running: Promise<void> | undefined
  #again = false
  #stopped = false

  /** `attempt` gives true when it is done; false, or a rejection, is tried again. */
  constructor(attempt: () => Promise<boolean>) {
    this.#attempt = attempt
  }

  /** Begins once the caller is done, unless an attempt is under way or waited for: then that one does it. */
  start(): void {
    // Never within the caller: a store that answers at once would make a request wait for the attempt too.
    if (this.#running === undefined && this.#timer === undefined) this.#runIn(0)
    else this.#again = true
  }

  /** The same, without waiting for the time of the next attempt. */
  startNow(): void {
    if (this.#timer !== undefined) {
      clearTimeout(this.#timer)
      this.#timer = undefined
      this.#backoff = undefined
    }
    this.start()
  }

  /** Stops for good. Resolves when the attempt under way has ended. */
  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    this.#timer = undefined
    await this.#running
  }

  #run(): void {
    this.#timer = undefined
    this.#again = false
    this.#running = this.#attempt().then((done) => this.#ended(done && !this.#again), () => this.#ended(false))
  }

  #ended(done: boolean): void {
    this.#running = undefined
    if (this.#stopped) return
    this.#backoff = done ? undefined : (this.#backoff ?? BACKOFF).next(undefined)
    if (this.#backoff !== undefined) this.#runIn(this.#backoff.duration)
  }

  #runIn(ms: number): void {
    if (this.#stopped) return
    this.#timer = setTimeout(() => this.#run(), ms)
    ;(this.#timer as { unref?: () => void }).unref?.()
  }
}

/** Runs one step of an attempt, in time or not at all. */
export type Step = <T>(step: () => Promise<T>) => Promise<T>

/** A limit for each step: its rejection is cockatiel's `TaskCancelledError`. */
export function stepTimeout(timeoutMs: number): Step {
  const policy = timeout(timeoutMs, TimeoutStrategy.Aggressive)
  return (step) => policy.execute(step)
}
