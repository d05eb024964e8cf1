// Calls for the same thing at a time share one run that began after the last of them: whoever asks while one is running waits for the
// next, because the running one may have seen too little.

/** Runs by key: at most one is running and one waiting for each. */
export class LatestRuns<T> {
  readonly #running = new Map<string, Promise<T>>()
  readonly #waiting = new Map<string, Promise<T>>()

  /** Runs the work now, or when what runs of that key has ended; or gives the run that waits already. */
  run(key: string, work: () => Promise<T>): Promise<T> {
    const waiting = this.#waiting.get(key)
    if (waiting !== undefined) return waiting
    const running = this.#running.get(key)
    if (running === undefined) return this.#start(key, work)
    const next = running.then(
      () => this.#startWaiting(key, work),
      () => this.#startWaiting(key, work),
    )
    this.#waiting.set(key, next)
    return next
  }

  #startWaiting(key: string, work: () => Promise<T>): Promise<T> {
    this.#waiting.delete(key)
    return this.#start(key, work)
  }

  #start(key: string, work: () => Promise<T>): Promise<T> {
    const run = work().finally(() => {
      if (this.#running.get(key) === run) this.#running.delete(key)
    })
    this.#running.set(key, run)
    return run
  }
}
