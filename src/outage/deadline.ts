// How long an answer is waited for: one timer for each, and nothing else on the way of an answer in time.

import type { ReserveRequest } from '../store/index.js'

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

/** Waits for that, but no longer; then it goes on without anybody. */
export async function atMost(work: Promise<unknown>, timeoutMs: number): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, timeoutMs)))
  try {
    await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}

/** Milliseconds that pass whatever the clock on the wall does. */
export function elapsedMs(): number {
  return performance.now()
}

/** The request with a time limit. Field by field: to copy whatever there is takes ten times as long, on every request. */
export function waiting(request: ReserveRequest, waitMs: number): ReserveRequest {
  const { id, fingerprint, idGiven, ttlMs, onExpiry, scopes, rungs, refusedRungs, degrade, degradeBlocks, facts, entry } = request
  const limited: { readonly [field in keyof Required<ReserveRequest>]: ReserveRequest[field] } = { id, fingerprint, idGiven, ttlMs, onExpiry, scopes, rungs, refusedRungs, degrade, degradeBlocks, facts, entry, waitMs }
  return limited
}
