// One Stripe account as a state machine: what its owner and its customers do to it, step by step. Pure: time is passed in, nothing is sent.

import type { Cadence } from './billing-cycle.js'
import { Book, type AccountEvent, type AccountOptions, type Shown } from './book.js'
import { Customers } from './customers.js'
import { Payments } from './payments.js'
import { Schedules } from './schedules.js'
import { newPrice, newProduct, newSession } from './shapes.js'
import { Subscriptions } from './subscriptions.js'

/** What a price is made from. `unitAmount` in cents. */
export interface NewPrice extends Partial<Cadence> {
  readonly id: string
  readonly product: string
  readonly lookupKey?: string
  readonly interval: Cadence['interval']
  readonly unitAmount: number
}

/** What a customer orders at the checkout. Without `customer` one is made. */
export interface Order {
  readonly priceIds: readonly string[]
  readonly clientReferenceId?: string
  readonly customer?: string
  readonly email?: string
  /** Of the session. */
  readonly metadata?: Readonly<Record<string, string>>
  readonly subscriptionMetadata?: Readonly<Record<string, string>>
  readonly trialDays?: number
}

/** One Stripe account. Methods return ids; `show` gives the object. */
export class StripeAccount {
  readonly customers: Customers
  readonly subscriptions: Subscriptions
  readonly payments: Payments
  readonly schedules: Schedules
  /** The objects themselves, for whoever answers requests about them. */
  readonly book: Book

  constructor(options: AccountOptions) {
    this.book = new Book(options)
    this.subscriptions = new Subscriptions(this.book)
    this.customers = new Customers(this.book, this.subscriptions)
    this.payments = new Payments(this.book, this.subscriptions)
    this.schedules = new Schedules(this.book, this.subscriptions)
  }

  /** Everything that happened, oldest first. */
  get events(): readonly AccountEvent[] {
    return this.book.events
  }

  /** A copy of the object with this id as the API shows it. Throws when there is none. */
  show(id: string): Shown {
    const found = this.book.show(id)
    if (found === undefined) throw new Error(`the account has no object '${id}'`)
    return found
  }

  /** Adds a product. Returns its id. */
  addProduct({ id, metadata = {} }: { id?: string; metadata?: Readonly<Record<string, string>> } = {}): string {
    return this.book.put(newProduct(this.book.birth('prod', id), { ...metadata })).id
  }

  /** Adds a price to a product. Returns its id. */
  addPrice({ id, product, lookupKey, interval, intervalCount = 1, unitAmount }: NewPrice): string {
    this.book.get('product', product)
    return this.book.put(newPrice(this.book.birth('price', id), { product, lookupKey: lookupKey ?? null, interval, intervalCount, unitAmount })).id
  }

  /** A customer completes a checkout for a subscription and pays. Returns the ids of what it made. */
  completeCheckout(order: Order): { session: string; customer: string; subscription: string; invoice: string } {
    const { priceIds, clientReferenceId = null, email, metadata = {}, subscriptionMetadata = {}, trialDays } = order
    const customerId = order.customer ?? this.customers.create({ ...(email !== undefined && { email }) })
    const trial = trialDays !== undefined
    const wanted = { customer: customerId, priceIds, metadata: subscriptionMetadata, ...(trial && { trialDays }) }
    const { subscription, invoice } = this.subscriptions.begin(wanted)
    const customer = this.customers.live(customerId)
    const birth = this.book.birth(this.book.livemode ? 'cs_live' : 'cs_test')
    const about = { customer, subscription: subscription.id, invoice, clientReferenceId, metadata: { ...metadata }, trial }
    const session = this.book.put(newSession(birth, about))
    this.book.append('customer.subscription.created', subscription)
    this.book.append('invoice.paid', invoice)
    this.book.append('checkout.session.completed', session)
    return { session: session.id, customer: customerId, subscription: subscription.id, invoice: invoice.id }
  }
}
