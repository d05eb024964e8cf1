// Events on their way to an endpoint, signed as Stripe signs them. The signature is the official SDK's own.

import type Stripe from 'stripe'
import type { AccountEvent } from './book.js'

/** How an event is signed. `timestamp` in Unix seconds, default now. */
export interface Signing {
  readonly stripe: Pick<Stripe, 'webhooks'>
  readonly timestamp?: number
}

/** A signed event: its exact bytes, and the `stripe-signature` header for them. */
export interface SignedEvent {
  readonly body: string
  readonly header: string
}

/** Signs an event with an endpoint's secret (`whsec_…`). */
export function sign(event: AccountEvent, secret: string, { stripe, timestamp }: Signing): SignedEvent {
  // Stripe sends indented JSON: whoever parses it and writes it anew before checking the signature fails, as with Stripe.
  const body = JSON.stringify(event, null, 2)
  const header = stripe.webhooks.generateTestHeaderString({ payload: body, secret, ...(timestamp !== undefined && { timestamp }) })
  return { body, header }
}

/** Signs an event and posts it to an endpoint. */
export function post(url: string, event: AccountEvent, secret: string, signing: Signing): Promise<Response> {
  const { body, header } = sign(event, secret, signing)
  const sender = { 'content-type': 'application/json; charset=utf-8', 'user-agent': 'Stripe/1.0 (+https://stripe.com/docs/webhooks)' }
  return fetch(url, { method: 'POST', headers: { ...sender, 'stripe-signature': header }, body })
}
