// How an invoice comes to be and moves between its statuses, and what that means for its subscription. It writes no events.

import type { Book } from './book.js'
import { newInvoice, type Invoice, type InvoiceStatus, type Item, type Subscription } from './shapes.js'

/** Bills the items' prices for the current period. The invoice is the subscription's latest from now on. */
export function issue(book: Book, subscription: Subscription, status: InvoiceStatus, reason: string): Invoice {
  const { data } = subscription.items
  const amount = subscription.status === 'trialing' ? 0 : data.reduce((sum, { price }) => sum + price.unit_amount, 0)
  const { current_period_start: startS, current_period_end: endS } = data[0] as Item
  const invoice = book.put(newInvoice(book.birth('in'), subscription, amount, reason, [startS, endS]))
  invoice.status_transitions.finalized_at = book.nowS()
  move(book, invoice, status)
  subscription.latest_invoice = invoice.id
  return invoice
}

/** Moves an invoice to another status. */
export function move(book: Book, invoice: Invoice, status: InvoiceStatus): void {
  invoice.status = status
  const transition = { draft: undefined, open: undefined, paid: 'paid_at', uncollectible: 'marked_uncollectible_at', void: 'voided_at' } as const
  const at = transition[status]
  if (at !== undefined) invoice.status_transitions[at] = book.nowS()
  if (status === 'paid') {
    invoice.amount_paid = invoice.amount_due
    invoice.amount_remaining = 0
    invoice.attempted = true
    invoice.attempt_count += 1
  }
}

/** A charge of the invoice fails; it stays open. */
export function refuse(book: Book, invoice: Invoice): void {
  invoice.attempted = true
  invoice.attempt_count += 1
  invoice.next_payment_attempt = book.nowS() + 3 * 86_400
}

/** The invoice that `latest_invoice` names. Throws when there is none. */
export function latestInvoice(book: Book, subscription: Subscription): Invoice {
  if (subscription.latest_invoice === null) throw new Error(`${subscription.id} has no invoice`)
  return book.get('invoice', subscription.latest_invoice)
}

/**
 * The status that the newest invoice that is not void gives a subscription: paid and uncollectible ones make it active
 * (docs.stripe.com/billing/subscriptions/overview, statuses), and so does having none left.
 */
export function standing(book: Book, subscription: Subscription): 'active' | 'past_due' {
  const own = book.all('invoice').filter(({ parent }) => parent?.subscription_details?.subscription === subscription.id)
  const newest = own.findLast(({ status }) => status !== 'void')
  return newest === undefined || newest.status === 'paid' || newest.status === 'uncollectible' ? 'active' : 'past_due'
}
