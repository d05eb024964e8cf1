// How long an answer is waited for: one timer for each, and nothing else on the way of an answer in time.

/**
 * The promise's own end if it comes within `timeoutMs`, else a rejection with what `late` makes. What comes later is dropped.
 * cockatiel's timeout policy does the same with signals and events, for thirty times the time: that is for the background.
 */
export function within<T>(promise: Promise<T>, timeoutMs: number, late: () => Error): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(late()), timeoutMs)
    promise.then(
      (value) => {
        clearTimeout(timer)
        resolve(value)
      },
      (error: unknown) => {
        clearTimeout(timer)
        reject(error as Error)
      },
    )
  })
}

/** Milliseconds that pass whatever the clock on the wall does. */
export function elapsedMs(): number {
  return performance.now()
}
