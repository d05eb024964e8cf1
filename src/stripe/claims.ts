// Which event is being handled, and which was: each has its effect once, however often it is delivered.

import type { Registry } from '../store/index.js'

const EVENT = 'stripe-event'
/** How long a handler that died keeps the event from others. */
const PROCESSING_TTL_MS = 60_000
const MOST_ATTEMPTS = 5
const PROCESSING = 'processing'
const COMPLETED = 'completed'

/** How a claim ended: it is the caller's, or another handler has it, or had it. */
export type Claim = { readonly state: 'claimed'; readonly version: number } | { readonly state: 'processing' | 'completed' }

/** Claims of events in a store's registry. */
export class EventClaims {
  readonly #registry: () => Registry
  readonly #keptMs: number

  /** `keptMs`: how long an event that was handled is known. */
  constructor(registry: () => Registry, keptMs: number) {
    this.#registry = registry
    this.#keptMs = keptMs
  }

  /** Claims an event for a minute. */
  async claim(event: string): Promise<Claim> {
    for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt += 1) {
      const version = await this.#registry().put(EVENT, event, PROCESSING, { expected: 0, ttlMs: PROCESSING_TTL_MS })
      if (version !== undefined) return { state: 'claimed', version }
      const known = await this.#registry().get(EVENT, event)
      // Gone in between: the claim ran out, or was given back.
      if (known !== undefined) return { state: known.value === COMPLETED ? 'completed' : 'processing' }
    }
    return { state: 'processing' }
  }

  /** The event has had its effect. */
  async complete(event: string, version: number): Promise<void> {
    await this.#registry().put(EVENT, event, COMPLETED, { expected: version, ttlMs: this.#keptMs })
  }

  /** The event has had none: the next delivery may claim it at once. */
  async giveBack(event: string, version: number): Promise<void> {
    await this.#registry().put(EVENT, event, null, { expected: version })
  }
}
