// One delivery of an event: is it Stripe's own, is it fresh, is it for this endpoint. What is not changes nothing. Pure but for the
// signature, which the official package tests.

import type { StripeClient, StripeEvent } from './shapes.js'

/** What deliveries are tested against. */
export interface DeliveryRules {
  /** The endpoint's secrets: the old one too, while it is being replaced. */
  readonly secrets: readonly string[]
  readonly toleranceMs: number
  readonly livemode: boolean
  /** The connected account whose events these are; absent: the platform's own. */
  readonly account?: string | undefined
}

/** A delivery that is none, with the reason. */
export interface Refusal {
  readonly refused: string
}

/** Stripe's events are some kilobytes. */
export const MAX_BODY_BYTES = 512 * 1024

/** The event of a delivery, or why there is none. `now`: ms since the epoch. */
export async function openDelivery(stripe: StripeClient, body: string | Uint8Array, signature: string | null | undefined, rules: DeliveryRules, now: number): Promise<StripeEvent | Refusal> {
  if (typeof body !== 'string' && !(body instanceof Uint8Array)) return { refused: 'body: is neither text nor bytes. Give the raw body, before anything has parsed it.' }
  if (body.length === 0) return { refused: 'body: is empty. Give the raw body, before anything has read it.' }
  if (sizeOf(body) > MAX_BODY_BYTES) return { refused: `body: is longer than ${MAX_BODY_BYTES} bytes, which no event is.` }
  const text = textOf(body)
  if (text === undefined) return { refused: 'body: is not UTF-8 without a byte order mark, as Stripe sends it.' }
  if (typeof signature !== 'string' || signature === '') return { refused: 'stripe-signature: the header is missing.' }
  const sentAt = timestampOf(signature)
  if (sentAt === undefined) return { refused: 'stripe-signature: has no timestamp, or more than one.' }
  // The official test refuses what is too old, and lets anything pass that claims to come from the future.
  if (Math.abs(now - sentAt) > rules.toleranceMs) return { refused: `stripe-signature: the delivery was signed ${Math.round((now - sentAt) / 1_000)} s ago, and ${rules.toleranceMs / 1_000} s are tolerated. Compare the clocks.` }
  const event = await signedEvent(stripe, text, signature, rules, now)
  if (!isEvent(event)) return { refused: event === undefined ? 'stripe-signature: is by none of the secrets, or the body is not what was signed. Give the raw body, and the secret of this endpoint.' : 'body: is no event.' }
  if (event.livemode !== rules.livemode) return { refused: `livemode: the event is of ${event.livemode ? 'live' : 'test'} mode, and this endpoint takes ${rules.livemode ? 'live' : 'test'} events.` }
  return event
}

async function signedEvent(stripe: StripeClient, body: string, signature: string, { secrets, toleranceMs }: DeliveryRules, now: number): Promise<unknown> {
  for (const secret of secrets) {
    try {
      return await stripe.webhooks.constructEventAsync(body, signature, secret, Math.ceil(toleranceMs / 1_000), undefined, now)
    } catch {
      // Perhaps it was signed with the next one.
    }
  }
  return undefined
}

function isEvent(value: unknown): value is StripeEvent {
  if (typeof value !== 'object' || value === null) return false
  const { id, type, livemode, data } = value as Partial<StripeEvent>
  return typeof id === 'string' && /^[\w-]{1,255}$/.test(id) && typeof type === 'string' && typeof livemode === 'boolean' && typeof data?.object === 'object' && data.object !== null
}

/** The text of a body, byte by byte: what cannot be read exactly is not what was signed. */
function textOf(body: string | Uint8Array): string | undefined {
  try {
    const text = typeof body === 'string' ? body : new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body)
    return text.startsWith('\ufeff') ? undefined : text
  } catch {
    return undefined
  }
}

function timestampOf(signature: string): number | undefined {
  const stamps = signature.split(',').filter((part) => part.trim().startsWith('t='))
  const [, seconds] = /^t=(\d{1,12})$/.exec(stamps[0] ?? '') ?? []
  return stamps.length === 1 && seconds !== undefined ? Number(seconds) * 1_000 : undefined
}

function sizeOf(body: string | Uint8Array): number {
  return typeof body === 'string' ? new TextEncoder().encode(body).length : body.length
}
