// Customers of whom nobody knows yet whose they are: kept with the reason, and tried again at growing distances, until somebody does.

import type { Registry } from '../store/index.js'

/** A customer that waits for its user. */
export interface Parked {
  readonly customer: string
  /** The first event, or whatever made somebody look. */
  readonly cause: string
  readonly since: Date
  readonly attempts: number
  readonly nextAt: Date
}

interface Written {
  readonly cause: string
  readonly since: number
  readonly attempts: number
  readonly nextAt: number
}

const PARKED = 'stripe-parked'
/** Stripe itself tries for three days; whoever has no user after so long is no customer of this application. */
const KEPT_MS = 30 * 86_400_000
const FIRST_RETRY_MS = 60_000
const MOST_MS = 6 * 3_600_000

/** The parked customers in a store's registry. */
export class ParkedCustomers {
  readonly #registry: () => Registry

  constructor(registry: () => Registry) {
    this.#registry = registry
  }

  /** Parks a customer, or notes that another attempt was in vain. */
  async park(customer: string, cause: string, now: number): Promise<void> {
    const record = await this.#registry().get(PARKED, customer)
    const known = record && (JSON.parse(record.value) as Written)
    const leftMs = KEPT_MS - (now - (known?.since ?? now))
    if (leftMs <= 0) return this.unpark(customer)
    const attempts = (known?.attempts ?? 0) + 1
    const written: Written = { cause: known?.cause ?? cause, since: known?.since ?? now, attempts, nextAt: now + Math.min(MOST_MS, FIRST_RETRY_MS * 2 ** Math.min(attempts - 1, 20)) }
    // Where two park at once, either will do.
    await this.#registry().put(PARKED, customer, JSON.stringify(written), { expected: record?.version ?? 0, ttlMs: leftMs })
  }

  /** The customer has a user, or needs none. */
  async unpark(customer: string): Promise<void> {
    const record = await this.#registry().get(PARKED, customer)
    if (record !== undefined) await this.#registry().put(PARKED, customer, null, { expected: record.version })
  }

  async has(customer: string): Promise<boolean> {
    return (await this.#registry().get(PARKED, customer)) !== undefined
  }

  /** Everyone who waits. */
  async *all(): AsyncIterable<Parked> {
    for await (const { key: customer, value } of this.#registry().list(PARKED)) {
      const { cause, since, attempts, nextAt } = JSON.parse(value) as Written
      yield { customer, cause, since: new Date(since), attempts, nextAt: new Date(nextAt) }
    }
  }
}
