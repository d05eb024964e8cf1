// Whose customer is whose, as all processes know it. A customer belongs to one user for good; a user may have several customers.

import { scopeKey, userScope, type UserRef } from '../budget/index.js'
import { StoreUnavailableError } from '../errors/index.js'
import type { Registry } from '../store/index.js'

/** What is known of a customer. */
export interface Binding {
  /** Absent: it was deleted before anybody knew whose it was. */
  readonly user?: UserRef | undefined
  /** A tombstone: it was deleted, and nothing of it counts any more. */
  readonly deleted?: true | undefined
}

const CUSTOMER = 'stripe-customer'
const CUSTOMERS_OF = 'stripe-customers'
const MOST_ATTEMPTS = 50

/** The bindings in a store's registry. */
export class Bindings {
  readonly #registry: () => Registry

  constructor(registry: () => Registry) {
    this.#registry = registry
  }

  /** What is known of a customer. */
  async get(customer: string): Promise<Binding | undefined> {
    const record = await this.#registry().get(CUSTOMER, customer)
    return record && (JSON.parse(record.value) as Binding)
  }

  /** Binds a customer that is bound to nobody, and gives the binding that holds then: the first one stays. */
  async bind(customer: string, user: UserRef): Promise<Binding> {
    const written = await this.#registry().put(CUSTOMER, customer, JSON.stringify({ user }), { expected: 0 })
    return written === undefined ? ((await this.get(customer)) ?? {}) : { user }
  }

  /** Notes that a customer was deleted. */
  async bury(customer: string): Promise<void> {
    await this.#change(CUSTOMER, customer, (known) => {
      const binding = (known ?? {}) as Binding
      return binding.deleted === true ? undefined : { ...binding, deleted: true }
    })
  }

  /** Notes that a customer is a user's. Gives the version of the record in which that stands. */
  async note(user: UserRef, customer: string): Promise<number> {
    return this.#change(CUSTOMERS_OF, scopeKey(userScope(user)), (known) => {
      const list = (known ?? []) as readonly string[]
      return list.includes(customer) ? undefined : [...list, customer].sort()
    })
  }

  /** All customers of a user. */
  async customersOf(user: UserRef): Promise<readonly string[]> {
    const record = await this.#registry().get(CUSTOMERS_OF, scopeKey(userScope(user)))
    return record === undefined ? [] : (JSON.parse(record.value) as readonly string[])
  }

  /** Every customer that was ever bound, and is not buried. */
  async *all(): AsyncIterable<string> {
    for await (const { key, value } of this.#registry().list(CUSTOMER)) if ((JSON.parse(value) as Binding).deleted !== true) yield key
  }

  /** Changes a record in one step; `undefined` leaves it. Gives the version that stands there then. */
  async #change(kind: string, key: string, change: (known: unknown) => unknown): Promise<number> {
    const registry = this.#registry()
    for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt += 1) {
      const record = await registry.get(kind, key)
      const changed = change(record && JSON.parse(record.value))
      if (changed === undefined) return record?.version ?? 0
      const version = await registry.put(kind, key, JSON.stringify(changed), { expected: record?.version ?? 0 })
      if (version !== undefined) return version
    }
    throw new StoreUnavailableError(`${kind}: the record of "${key}" changed at each of ${MOST_ATTEMPTS} attempts. Try again.`)
  }
}
