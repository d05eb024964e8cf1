// What an event says of where to look: a customer, and by which checkout. What else it carries may be old, and is not read.

import { boughtSubscription } from './owner.js'
import type { StripeEvent, StripeSession } from './shapes.js'

/** Where to look. */
export interface Hint {
  readonly customer: string
  /** The checkout of a subscription: what it refers to never changes. */
  readonly checkout?: StripeSession | undefined
  /** Only a customer that waits for a user may have become somebody's by it. */
  readonly onlyIfParked?: true | undefined
}

const SUBSCRIPTION = ['created', 'updated', 'deleted', 'paused', 'resumed', 'pending_update_applied', 'pending_update_expired', 'trial_will_end']
const INVOICE = ['paid', 'payment_failed', 'payment_action_required', 'marked_uncollectible', 'voided']
const SCHEDULE = ['aborted', 'canceled', 'completed', 'created', 'expiring', 'released', 'updated']
const CHECKOUT = ['completed', 'async_payment_succeeded']

/** The events that mean something: subscribe the endpoint to these. */
export const STRIPE_EVENTS: readonly string[] = Object.freeze([
  ...SUBSCRIPTION.map((name) => `customer.subscription.${name}`),
  ...INVOICE.map((name) => `invoice.${name}`),
  ...SCHEDULE.map((name) => `subscription_schedule.${name}`),
  ...CHECKOUT.map((name) => `checkout.session.${name}`),
  'customer.updated',
  'customer.deleted',
])

/** Where an event says to look; `undefined` for one that says nothing. */
export function hintOf({ type, data }: StripeEvent): Hint | undefined {
  if (!STRIPE_EVENTS.includes(type) && !type.startsWith('subscription_schedule.')) return undefined
  const object = data.object as { readonly id?: unknown; readonly customer?: unknown }
  if (type === 'customer.deleted') return typeof object.id === 'string' ? { customer: object.id } : undefined
  if (type === 'customer.updated') return typeof object.id === 'string' ? { customer: object.id, onlyIfParked: true } : undefined
  const customer = idOf(object.customer)
  if (customer === undefined) return undefined
  const checkout = data.object as StripeSession
  return type.startsWith('checkout.session.') && boughtSubscription(checkout) ? { customer, checkout } : { customer }
}

function idOf(reference: unknown): string | undefined {
  const id = typeof reference === 'object' && reference !== null ? (reference as { id?: unknown }).id : reference
  return typeof id === 'string' && id !== '' ? id : undefined
}
