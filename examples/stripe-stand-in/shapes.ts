// What objects look like on the wire, API 2025-03-31 and later: the official types, with ids where nothing is expanded and decimals as the
// strings that JSON carries. The fields that nothing here sets have the values that Stripe gives them. Knows no rules.

import type Stripe from 'stripe'

/** A customer. */
export type Customer = Omit<Stripe.Customer, 'deleted'>
/** What is left of a customer that was deleted. */
export type DeletedCustomer = Stripe.DeletedCustomer
/** A product. */
export type Product = Omit<Stripe.Product, 'deleted'>
/** A recurring price. */
export type Price = Wire<Stripe.Price, { product: string; unit_amount_decimal: string; recurring: Stripe.Price.Recurring; unit_amount: number }>
/** An item of a subscription. */
export type Item = Wire<Stripe.SubscriptionItem, { price: Price; plan: Plan }>
/** A subscription with all its items. */
export type Subscription = Wire<
  Stripe.Subscription,
  { customer: string; latest_invoice: string | null; schedule: string | null; status: string; items: Listed<Item> }
>
/** An invoice, with the fields that a sync could read. */
export type Invoice = Wire<Pick<Stripe.Invoice, InvoiceField>, { id: string; customer: string; status: InvoiceStatus }>
/** A checkout session, with the fields that a sync could read. */
export type Session = Wire<Pick<Stripe.Checkout.Session, SessionField>, { customer: string; subscription: string; invoice: string }>
/** A schedule, with the fields that a sync could read. */
export type Schedule = Wire<Pick<Stripe.SubscriptionSchedule, ScheduleField>, { customer: string; subscription: string; phases: Phase[] }>
/** Where an invoice stands. */
export type InvoiceStatus = 'draft' | 'open' | 'paid' | 'uncollectible' | 'void'

/** One phase of a schedule: the prices that hold from `start_date` to `end_date` (Unix seconds). */
export interface Phase {
  start_date: number
  end_date: number
  items: { price: string; quantity: number }[]
  metadata: Record<string, string>
}

/** Anything that has an id. */
export type StripeObject = Customer | DeletedCustomer | Product | Price | Subscription | Invoice | Session | Schedule

/** A list as it is embedded and as it is answered. */
export interface Listed<T> {
  object: 'list'
  data: T[]
  has_more: boolean
  url: string
}

/** What every new object is told. */
export interface Birth {
  readonly id: string
  readonly created: number
  readonly livemode: boolean
}

type Wire<T, Own> = Omit<T, keyof Own | 'deleted'> & Own
type Plan = Wire<Stripe.Plan, { amount_decimal: string; product: string }>
type InvoiceField =
  | 'id' | 'object' | 'amount_due' | 'amount_paid' | 'amount_remaining' | 'attempt_count' | 'attempted' | 'auto_advance' | 'billing_reason'
  | 'collection_method' | 'created' | 'currency' | 'customer' | 'livemode' | 'metadata' | 'next_payment_attempt' | 'parent' | 'period_end'
  | 'period_start' | 'status' | 'status_transitions' | 'subtotal' | 'total'
type SessionField =
  | 'id' | 'object' | 'amount_subtotal' | 'amount_total' | 'client_reference_id' | 'created' | 'currency' | 'customer' | 'customer_details'
  | 'customer_email' | 'expires_at' | 'invoice' | 'livemode' | 'metadata' | 'mode' | 'payment_intent' | 'payment_link'
  | 'payment_method_types' | 'payment_status' | 'setup_intent' | 'status' | 'subscription' | 'success_url' | 'ui_mode' | 'url'
type ScheduleField =
  | 'id' | 'object' | 'canceled_at' | 'completed_at' | 'created' | 'current_phase' | 'customer' | 'end_behavior' | 'livemode' | 'metadata'
  | 'phases' | 'released_at' | 'released_subscription' | 'status' | 'subscription'

const CURRENCY = 'usd'

/** A customer that has bought nothing yet. */
export function newCustomer(birth: Birth, email: string | null, metadata: Record<string, string>): Customer {
  const invoice_settings = { custom_fields: null, default_payment_method: null, footer: null, rendering_options: null }
  return {
    ...birth, object: 'customer', address: null, balance: 0, currency: CURRENCY, default_source: null, delinquent: false,
    description: null, email, invoice_prefix: null, invoice_settings, metadata, name: null, next_invoice_sequence: 1, phone: null,
    preferred_locales: [], shipping: null, tax_exempt: 'none', test_clock: null,
  }
}

/** A product. */
export function newProduct(birth: Birth, metadata: Record<string, string>): Product {
  return {
    ...birth, object: 'product', active: true, default_price: null, description: null, images: [], marketing_features: [],
    metadata, name: birth.id, package_dimensions: null, shippable: null, statement_descriptor: null, tax_code: null, tax_details: null,
    type: 'service', unit_label: null, updated: birth.created, url: null,
  }
}

/** A recurring price, `unitAmount` in cents. */
export function newPrice(
  birth: Birth,
  price: { product: string; lookupKey: string | null; interval: string; intervalCount: number; unitAmount: number },
): Price {
  const { product, lookupKey, interval, intervalCount, unitAmount } = price
  const recurring = { interval, interval_count: intervalCount, meter: null, trial_period_days: null, usage_type: 'licensed' }
  return {
    ...birth, object: 'price', active: true, billing_scheme: 'per_unit', currency: CURRENCY, custom_unit_amount: null,
    lookup_key: lookupKey, metadata: {}, nickname: null, product, recurring, tax_behavior: 'unspecified', tiers_mode: null,
    transform_quantity: null, type: 'recurring', unit_amount: unitAmount, unit_amount_decimal: String(unitAmount),
  }
}

/** One item of a subscription, for one piece of `price`. Its period is `startS` to `endS`. */
export function newItem({ id, created, livemode }: Birth, subscription: string, price: Price, [startS, endS]: readonly [number, number]): Item {
  return {
    id, object: 'subscription_item', billing_thresholds: null, created, current_period_end: endS, current_period_start: startS,
    current_trial: null, discounts: [], metadata: {}, plan: planOf(price, livemode), price, quantity: 1, subscription, tax_rates: [],
  }
}

/** The old form of a price, which items still carry. */
export function planOf(price: Price, livemode: boolean): Plan {
  const { id, created, currency, product, recurring, unit_amount: amount, unit_amount_decimal: amount_decimal } = price
  return {
    id, object: 'plan', active: true, amount, amount_decimal, billing_scheme: 'per_unit', created, currency, livemode,
    interval: recurring.interval, interval_count: recurring.interval_count, metadata: {}, meter: null, nickname: null, product,
    tiers_mode: null, transform_usage: null, trial_period_days: null, usage_type: 'licensed',
  }
}

/** A subscription without items. `trialEndS` null: no trial. */
export function newSubscription(
  birth: Birth,
  about: { customer: string; status: string; metadata: Record<string, string>; anchorS: number; trialEndS: number | null },
): Subscription {
  const { id, created } = birth
  const { customer, status, metadata, anchorS, trialEndS } = about
  return {
    ...birth, object: 'subscription', application: null, application_fee_percent: null, billing_cycle_anchor: anchorS,
    automatic_tax: { disabled_reason: null, enabled: false, liability: null }, billing_cycle_anchor_config: null,
    billing_mode: { flexible: null, type: 'flexible' }, billing_schedules: [], billing_thresholds: null, cancel_at: null,
    cancel_at_period_end: false, canceled_at: null, collection_method: 'charge_automatically', currency: CURRENCY, customer,
    cancellation_details: { comment: null, feedback: null, feedback_option: null, reason: null }, customer_account: null,
    days_until_due: null, default_payment_method: null, default_source: null, default_tax_rates: [], description: null, discounts: [],
    ended_at: null, invoice_settings: { account_tax_ids: null, custom_fields: null, description: null, footer: null, issuer: { type: 'self' } },
    items: { object: 'list', data: [], has_more: false, url: `/v1/subscription_items?subscription=${id}` }, latest_invoice: null,
    managed_payments: null, metadata, next_pending_invoice_item_invoice: null, on_behalf_of: null, pause_collection: null,
    payment_settings: null, pending_invoice_item_interval: null, pending_setup_intent: null, pending_update: null, schedule: null,
    start_date: created, status, test_clock: null, transfer_data: null, trial_end: trialEndS, trial_settings: null,
    trial_start: trialEndS === null ? null : created,
  }
}

/** A draft of an invoice of a subscription over `amount` cents. */
export function newInvoice(birth: Birth, subscription: Subscription, amount: number, reason: string, [startS, endS]: readonly [number, number]): Invoice {
  const { id, customer, currency, metadata } = subscription
  const subscription_details = { metadata: structuredClone(metadata), subscription: id }
  return {
    ...birth, object: 'invoice', amount_due: amount, amount_paid: 0, amount_remaining: amount, attempt_count: 0, attempted: false,
    auto_advance: true, billing_reason: reason, collection_method: 'charge_automatically', currency, customer, metadata: {},
    next_payment_attempt: null, parent: { quote_details: null, subscription_details, type: 'subscription_details' },
    period_end: endS, period_start: startS, status: 'draft', subtotal: amount, total: amount,
    status_transitions: { finalized_at: null, marked_uncollectible_at: null, paid_at: null, voided_at: null },
  }
}

/** A checkout session that its customer has completed. */
export function newSession(
  birth: Birth,
  about: { customer: Customer; subscription: string; invoice: Invoice; clientReferenceId: string | null; metadata: Record<string, string>; trial: boolean },
): Session {
  const { customer, subscription, invoice, clientReferenceId, metadata, trial } = about
  return {
    ...birth, object: 'checkout.session', amount_subtotal: invoice.subtotal, amount_total: invoice.total, currency: CURRENCY,
    client_reference_id: clientReferenceId, customer: customer.id, customer_details: null, customer_email: customer.email,
    expires_at: birth.created + 86_400, invoice: invoice.id, metadata, mode: 'subscription', payment_intent: null, payment_link: null,
    payment_method_types: ['card'], setup_intent: null, status: 'complete', subscription, success_url: null, ui_mode: null, url: null,
    // Stripe calls a payment that is delayed to a future date "not required".
    payment_status: trial ? 'no_payment_required' : 'paid',
  }
}

/** A schedule that drives a subscription. */
export function newSchedule(birth: Birth, subscription: Subscription, phases: Phase[]): Schedule {
  return {
    ...birth, object: 'subscription_schedule', canceled_at: null, completed_at: null, current_phase: null, customer: subscription.customer,
    end_behavior: 'release', metadata: {}, phases, released_at: null, released_subscription: null, status: 'active',
    subscription: subscription.id,
  }
}
