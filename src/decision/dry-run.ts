// How a decision ends that was only asked for: it has given its hold back before anybody was told of it, and takes no other ending. Knows
// nothing of why it was allowed.

import { AlreadyEndedError } from '../errors/index.js'
import type { UsageMeter } from '../pricing/index.js'
import type { Decided, Endings, Settlement } from './decision.js'

/** The longest that a dry run holds money, in milliseconds: where its process ends before it is given back, it comes back by itself then. */
export const LONGEST_DRY_RUN_MS = 5_000

/** Endings of a dry run, whose hold `inner` gives back. Settling and extending reject with `AlreadyEndedError`. */
export class DryRun implements Endings {
  readonly #inner: Endings

  constructor(inner: Endings) {
    this.#inner = inner
  }

  settle(id: string): Promise<Settlement> {
    return Promise.reject(endedDry(id))
  }

  release(id: string): Promise<void> {
    return this.#inner.release(id)
  }

  extend(id: string): Promise<Date> {
    return Promise.reject(endedDry(id))
  }

  usageError(id: string, error: Error): void {
    this.#inner.usageError(id, error)
  }

  failed(operation: string, error: unknown): void {
    this.#inner.failed(operation, error)
  }

  metered(meter: UsageMeter, decided: Decided): { readonly microcents: number; readonly isComplete: boolean } {
    return this.#inner.metered(meter, decided)
  }
}

function endedDry(id: string): AlreadyEndedError {
  return new AlreadyEndedError(id, 'released', 'It was a dry run, which nothing follows from: check again without dryRun before a call.')
}
