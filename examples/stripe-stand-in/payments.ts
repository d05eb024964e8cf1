// Payments that fail, are made up for, or are given up on, and the events they leave behind.

import type { Book } from './book.js'
import { issue, latestInvoice, move, refuse, standing } from './invoices.js'
import { advance } from './periods.js'
import type { Subscription } from './shapes.js'
import type { Subscriptions } from './subscriptions.js'

/** The payments of one account. Every method takes a subscription's id and is about its latest invoice. */
export class Payments {
  readonly #book: Book
  readonly #subscriptions: Subscriptions

  constructor(book: Book, subscriptions: Subscriptions) {
    this.#book = book
    this.#subscriptions = subscriptions
  }

  /**
   * A payment fails: the subscription is past_due and its latest invoice open. Where that invoice is open already, one more attempt fails.
   * Else a new one is made: for the next period, which begins although it is not paid, or with `renews: false` for the current one.
   */
  failPayment(id: string, { renews = true }: { renews?: boolean } = {}): void {
    const book = this.#book
    const subscription = book.get('subscription', id)
    const again = subscription.latest_invoice !== null && latestInvoice(book, subscription).status === 'open'
    const previous = book.change(subscription, () => {
      if (!again) {
        if (renews) advance(subscription)
        issue(book, subscription, 'open', renews ? 'subscription_cycle' : 'subscription_update')
      }
      refuse(book, latestInvoice(book, subscription))
      if (subscription.status === 'active' || subscription.status === 'trialing') subscription.status = 'past_due'
    })
    book.append('invoice.payment_failed', latestInvoice(book, subscription))
    this.#tell(subscription, previous)
  }

  /** The latest invoice is paid: an incomplete, past_due or unpaid subscription is active. */
  payInvoice(id: string): void {
    this.#settle(id, 'paid', 'invoice.paid')
  }

  /** The latest invoice is written off: a past_due subscription is active although nobody paid. */
  markUncollectible(id: string): void {
    this.#settle(id, 'uncollectible', 'invoice.marked_uncollectible')
  }

  /** The latest invoice is void: the one before it decides. A subscription whose first invoice is void never began. */
  voidInvoice(id: string): void {
    this.#settle(id, 'void', 'invoice.voided')
  }

  /** Stripe has tried often enough: the subscription is canceled, or unpaid with its invoice still open. */
  giveUp(id: string, outcome: 'canceled' | 'unpaid' = 'canceled'): void {
    if (outcome === 'canceled') this.#subscriptions.cancel(id, 'payment_failed')
    else this.#subscriptions.setStatus(id, 'unpaid')
  }

  #settle(id: string, status: 'paid' | 'uncollectible' | 'void', type: string): void {
    const book = this.#book
    const subscription = book.get('subscription', id)
    const invoice = latestInvoice(book, subscription)
    const may = status === 'uncollectible' ? ['open'] : ['open', 'uncollectible']
    if (!may.includes(invoice.status)) throw new Error(`${invoice.id} is ${invoice.status}, it cannot become ${status}`)
    const previous = book.change(subscription, () => {
      move(book, invoice, status)
      if (subscription.status === 'incomplete') {
        if (status !== 'uncollectible') subscription.status = status === 'paid' ? 'active' : 'incomplete_expired'
      } else if (subscription.status === 'past_due' || (subscription.status === 'unpaid' && status === 'paid')) {
        subscription.status = standing(book, subscription)
      }
      if (subscription.status === 'incomplete_expired') subscription.ended_at = book.nowS()
    })
    this.#tell(subscription, previous)
    book.append(type, invoice)
  }

  #tell(subscription: Subscription, previous: Record<string, unknown>): void {
    if (Object.keys(previous).length > 0) this.#book.append('customer.subscription.updated', subscription, previous)
  }
}
