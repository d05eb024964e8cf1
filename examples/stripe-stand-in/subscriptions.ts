// What happens to subscriptions, and the events it leaves behind. Payments that fail, and what is done about them, are next door.

import type { Book } from './book.js'
import { issue } from './invoices.js'
import { advance, endOfPeriodS, isSameCadence, periodFrom, restart } from './periods.js'
import { newItem, newSubscription, planOf, type Invoice, type InvoiceStatus, type Item, type Price, type Subscription } from './shapes.js'

/** What a subscription is created from. */
export interface NewSubscription {
  readonly customer: string
  readonly priceIds: readonly string[]
  /** Default 'active', or 'trialing' with `trialDays`. Any string is taken. */
  readonly status?: string
  readonly metadata?: Readonly<Record<string, string>>
  readonly trialDays?: number
}

/** Which prices a subscription gains and loses. `replace` maps a price to the one that takes its item over. */
export interface ItemChange {
  readonly replace?: Readonly<Record<string, string>>
  readonly add?: readonly string[]
  readonly remove?: readonly string[]
}

const INVOICE_OF = new Map<string, InvoiceStatus>([
  ['incomplete', 'open'],
  ['past_due', 'open'],
  ['unpaid', 'open'],
  ['incomplete_expired', 'void'],
])
const ENDED = ['canceled', 'incomplete_expired']

/** Whether a subscription is over for good. */
export function isEnded({ status }: Subscription): boolean {
  return ENDED.includes(status)
}

/** The subscriptions of one account. Every method changes the state at once, appends its events, and throws on an unknown id. */
export class Subscriptions {
  readonly #book: Book

  constructor(book: Book) {
    this.#book = book
  }

  /** Creates a subscription in any status, with the invoice that goes with it. Returns its id. */
  create(wanted: NewSubscription): string {
    const { subscription, invoice } = this.begin(wanted)
    this.#book.append('customer.subscription.created', subscription)
    if (invoice.status === 'paid') this.#book.append('invoice.paid', invoice)
    if (invoice.status === 'open') this.#book.append('invoice.payment_failed', invoice)
    return subscription.id
  }

  /** Creates the objects without their events, for whoever has more to tell. */
  begin({ customer, priceIds, status, metadata = {}, trialDays }: NewSubscription): { subscription: Subscription; invoice: Invoice } {
    const book = this.#book
    const owner = book.get('customer', customer)
    if ('deleted' in owner) throw new Error(`${customer} is deleted, it cannot subscribe`)
    const birth = book.birth('sub')
    const trialEndS = trialDays === undefined ? null : birth.created + trialDays * 86_400
    const first = status ?? (trialEndS === null ? 'active' : 'trialing')
    const about = { customer, status: first, metadata: { ...metadata }, anchorS: trialEndS ?? birth.created, trialEndS }
    const subscription = book.put(newSubscription(birth, about))
    for (const id of priceIds) this.#addItem(subscription, id)
    if (priceIds.length === 0) throw new Error('priceIds is empty: a subscription has at least one price')
    if (isEnded(subscription)) this.#close(subscription, first)
    const invoice = issue(book, subscription, INVOICE_OF.get(first) ?? 'paid', 'subscription_create')
    return { subscription, invoice }
  }

  /** Sets metadata fields; '' removes one. */
  updateMetadata(id: string, metadata: Readonly<Record<string, string>>): void {
    this.#update(id, (subscription) => void (subscription.metadata = merged(subscription.metadata, metadata)))
  }

  /** Replaces, adds and removes prices. A price of another interval in a place of its own restarts the period now, as Stripe does. */
  changeItems(id: string, { replace = {}, add = [], remove = [] }: ItemChange): void {
    const book = this.#book
    const subscription = book.get('subscription', id)
    let restarts = false
    const previous = book.change(subscription, () => {
      const { items } = subscription
      for (const [from, to] of Object.entries(replace)) {
        const item = itemOf(subscription, from)
        const price = this.#price(to)
        restarts ||= !isSameCadence(item.price, price)
        Object.assign(item, { price, plan: planOf(price, book.livemode) })
      }
      for (const price of remove) items.data.splice(items.data.indexOf(itemOf(subscription, price)), 1)
      for (const price of add) this.#addItem(subscription, price)
      if (items.data.length === 0) throw new Error(`${id} has no price left: a subscription has at least one, cancel it instead`)
      if (restarts) restart(subscription, book.nowS())
    })
    if (restarts) this.#bill(subscription, previous, 'subscription_update')
    else book.append('customer.subscription.updated', subscription, previous)
  }

  /** Sets any status, also one that Stripe does not have yet. 'canceled' is `cancel`. */
  setStatus(id: string, status: string): void {
    if (status === 'canceled') this.cancel(id)
    else this.#update(id, (subscription) => (ENDED.includes(status) ? this.#close(subscription, status) : void (subscription.status = status)))
  }

  /** Ends a subscription at once. `reason` is what `cancellation_details` says. */
  cancel(id: string, reason: 'cancellation_requested' | 'payment_failed' = 'cancellation_requested'): void {
    const subscription = this.#book.get('subscription', id)
    this.#book.change(subscription, () => this.#close(subscription, 'canceled', reason))
    this.#book.append('customer.subscription.deleted', subscription)
  }

  /** Lets a subscription end with its period, or no longer. */
  cancelAtPeriodEnd(id: string, ends: boolean): void {
    this.#update(id, (subscription) => {
      subscription.cancel_at_period_end = ends
      subscription.cancel_at = ends ? endOfPeriodS(subscription) : null
      subscription.canceled_at = ends ? this.#book.nowS() : null
      details(subscription).reason = ends ? 'cancellation_requested' : null
    })
  }

  /** The status becomes 'paused'. Pausing the collection of payments is something else, and not done here. */
  pause(id: string): void {
    this.#update(id, (subscription) => void (subscription.status = 'paused'))
    this.#book.append('customer.subscription.paused', this.#book.get('subscription', id))
  }

  /** A paused subscription is active again, in a period that begins now. */
  resume(id: string): void {
    const book = this.#book
    const subscription = book.get('subscription', id)
    const previous = book.change(subscription, () => {
      subscription.status = 'active'
      restart(subscription, book.nowS())
    })
    this.#bill(subscription, previous, 'subscription_update', 'customer.subscription.resumed')
  }

  /**
   * The next period begins and is paid for, whatever the clock says: the end of the period that was is where the new one begins.
   * A subscription that was to end with its period ends.
   */
  renew(id: string): void {
    const subscription = this.#book.get('subscription', id)
    if (isEnded(subscription) || subscription.status === 'paused') throw new Error(`${id} is ${subscription.status}, it does not renew`)
    if (subscription.cancel_at_period_end) return this.cancel(id)
    const previous = this.#book.change(subscription, () => {
      advance(subscription)
      if (subscription.status === 'past_due') subscription.status = 'active'
    })
    this.#bill(subscription, previous, 'subscription_cycle')
  }

  /** The billing cycle, and with it the period, begins now. */
  resetAnchor(id: string): void {
    const subscription = this.#book.get('subscription', id)
    const previous = this.#book.change(subscription, () => restart(subscription, this.#book.nowS()))
    this.#bill(subscription, previous, 'subscription_update')
  }

  // Bills a change that was made, and tells of both.
  #bill(subscription: Subscription, previous: Record<string, unknown>, reason: string, also?: string): void {
    let invoice: Invoice | undefined
    const billed = this.#book.change(subscription, () => void (invoice = issue(this.#book, subscription, 'paid', reason)))
    this.#book.append('customer.subscription.updated', subscription, { ...previous, ...billed })
    if (also !== undefined) this.#book.append(also, subscription)
    this.#book.append('invoice.paid', invoice as unknown as Invoice)
  }

  #update(id: string, change: (subscription: Subscription) => void): void {
    const subscription = this.#book.get('subscription', id)
    if (isEnded(subscription)) throw new Error(`${id} is ${subscription.status}, it changes no more`)
    this.#book.update('customer.subscription.updated', subscription, () => change(subscription))
  }

  #close(subscription: Subscription, status: string, reason: string | null = null): void {
    if (subscription.ended_at !== null) throw new Error(`${subscription.id} has ended already`)
    subscription.status = status
    subscription.ended_at = this.#book.nowS()
    subscription.canceled_at ??= this.#book.nowS()
    details(subscription).reason = reason
  }

  #addItem(subscription: Subscription, priceId: string): void {
    const book = this.#book
    const { data } = subscription.items
    const price = this.#price(priceId)
    if (data.some((item) => item.price.id === priceId)) throw new Error(`${subscription.id} has the price ${priceId} already`)
    const alike = data.find((item) => isSameCadence(item.price, price))
    const period = alike === undefined ? periodFrom(subscription, price, book.nowS()) : ([alike.current_period_start, alike.current_period_end] as const)
    data.push(newItem(book.birth('si'), subscription.id, price, period))
  }

  #price(id: string): Price {
    return structuredClone(this.#book.get('price', id))
  }
}

/** Metadata with some fields set; '' removes one. */
export function merged(metadata: Readonly<Record<string, string>>, fields: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries({ ...metadata, ...fields }).filter(([, value]) => value !== ''))
}

function itemOf({ id, items }: Subscription, priceId: string): Item {
  const found = items.data.find(({ price }) => price.id === priceId)
  if (found === undefined) throw new Error(`${id} has no item with the price ${priceId}`)
  return found
}

function details({ cancellation_details: found }: Subscription): { reason: string | null } {
  if (found === null) throw new Error('a subscription has cancellation_details')
  return found
}
