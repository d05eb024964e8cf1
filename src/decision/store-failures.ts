// Who hears that the store has failed, and that it answers again. One of it for each engine: what several of its parts notice is said once.

import { isBursarError } from '../errors/index.js'
import type { EventHub } from '../events/index.js'
import type { Foundation } from '../tracker/index.js'
import type { BursarEvents } from './events.js'

/** Announces `store-error` and `store-recovered` for a store that nobody else speaks for. */
export class StoreFailures {
  readonly #foundation: Foundation
  readonly #events: EventHub<BursarEvents>
  #failing = false
  #closed = false

  constructor(foundation: Foundation) {
    this.#foundation = foundation
    this.#events = foundation.hub as unknown as EventHub<BursarEvents>
  }

  /** Announces an operation that failed. */
  failed(operation: string, error: unknown): void {
    // What comes too late for a closed store is nobody's failure.
    if (isBursarError(error) && error.code === 'CLOSED') return
    if (this.#foundation.guard?.hasAnnounced(error) === true) return
    this.#failing = true
    this.#events.emit('store-error', { operation, error })
  }

  /** The store has answered: announced if it had failed before. */
  answered(): void {
    if (!this.#failing) return
    this.#failing = false
    if (!this.#closed) this.#events.emit('store-recovered', { operation: 'reserve' })
  }

  /** From now on no recovery is announced. */
  close(): void {
    this.#closed = true
  }
}
