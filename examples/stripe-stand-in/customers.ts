// What happens to customers, and the events it leaves behind.

import type { Book } from './book.js'
import { newCustomer, type Customer } from './shapes.js'
import { isEnded, merged, type Subscriptions } from './subscriptions.js'

/** The customers of one account. */
export class Customers {
  readonly #book: Book
  readonly #subscriptions: Subscriptions

  constructor(book: Book, subscriptions: Subscriptions) {
    this.#book = book
    this.#subscriptions = subscriptions
  }

  /** Creates a customer. Returns its id. */
  create({ email, metadata = {} }: { email?: string; metadata?: Readonly<Record<string, string>> } = {}): string {
    const customer = this.#book.put(newCustomer(this.#book.birth('cus'), email ?? null, { ...metadata }))
    this.#book.append('customer.created', customer)
    return customer.id
  }

  /** Sets metadata fields; '' removes one. */
  updateMetadata(id: string, metadata: Readonly<Record<string, string>>): void {
    const customer = this.live(id)
    this.#book.update('customer.updated', customer, () => void (customer.metadata = merged(customer.metadata, metadata)))
  }

  /** Deletes a customer: its subscriptions are canceled, and its id is all that can be retrieved. */
  delete(id: string): void {
    const customer = this.live(id)
    const own = this.#book.all('subscription').filter((subscription) => subscription.customer === id && !isEnded(subscription))
    for (const subscription of own) this.#subscriptions.cancel(subscription.id)
    this.#book.put({ id, object: 'customer', deleted: true })
    this.#book.append('customer.deleted', customer)
  }

  /** A customer that is not deleted. Throws otherwise. */
  live(id: string): Customer {
    const customer = this.#book.get('customer', id)
    if ('deleted' in customer) throw new Error(`${id} is deleted`)
    return customer
  }
}
