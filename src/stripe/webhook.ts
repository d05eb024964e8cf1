// The endpoint that Stripe delivers events to: each has its effect once, and one that fails is delivered again. What a look at a
// customer does is the sync's.

import { InvalidConfigError } from '../errors/index.js'
import { parseDuration, type Duration } from '../time/index.js'
import { EventClaims } from './claims.js'
import { openDelivery, type DeliveryRules, type Refusal } from './delivery.js'
import { readExpressBody, readFetchBody, type ExpressRequest, type ExpressResponse } from './bodies.js'
import { hintOf } from './hints.js'
import type { StripeEvent } from './shapes.js'
import { StripeTierSync } from './sync.js'
import { checkSyncConfig, type StripeTierSyncConfig } from './sync-config.js'

/** Configuration of {@link stripeWebhook}. */
export interface StripeWebhookConfig<Tier extends string = string> extends StripeTierSyncConfig<Tier> {
  /** The endpoint's signing secret, `whsec_…`; while it is being replaced, the old one and the new one. */
  readonly secrets: string | readonly string[]
  /** How old a delivery may be, and how far ahead its clock. Default 5 minutes. */
  readonly tolerance?: Duration | undefined
  /** False for an endpoint that takes events of test mode. Default true. */
  readonly livemode?: boolean | undefined
  /** The connected account whose events these are (then the client must be made with it, too). Events of others are ignored. */
  readonly account?: string | undefined
  /** How long an event that was handled is known: at least 30 days, which is the default. */
  readonly eventsKept?: Duration | undefined
}

/** What a delivery is answered with. */
export interface WebhookReply {
  /** 200 handled, or nothing to do; 400 refused; 500 failed; 503 another process is handling it: Stripe delivers the last two again. */
  readonly status: 200 | 400 | 500 | 503
  readonly body: { readonly received: boolean; readonly outcome?: string | undefined; readonly error?: string | undefined }
}

/** The endpoint: a handler for the Fetch API, with one for Express and for a plain server of Node's. */
export interface StripeWebhook<Tier extends string = string> {
  /** For Hono, Next.js and whatever else gives a `Request`: `export const POST = stripeWebhook({ … })`. */
  (request: Request): Promise<Response>
  /** For Express, and for `node:http`. The body must be raw: mount it before `express.json()`, or behind `express.raw({ type: () => true })`. */
  readonly express: (request: ExpressRequest, response: ExpressResponse) => Promise<void>
  /** For everything else: the raw body, and the header `stripe-signature`. Does not reject. */
  readonly handle: (body: string | Uint8Array, signature: string | null | undefined) => Promise<WebhookReply>
  readonly sync: StripeTierSync<Tier>
}

const MORE_OPTIONS = ['secrets', 'tolerance', 'livemode', 'account', 'eventsKept']
const DEFAULT_TOLERANCE = '5m'
const LEAST_KEPT = '30d'

/**
 * Makes the endpoint for Stripe's events. It tests the signature on the raw body, claims each event once over all processes, and looks at
 * the customer that it is about: see {@link StripeTierSync}. Throws `InvalidConfigError` for options that cannot work.
 */
export function stripeWebhook<Tier extends string>(config: StripeWebhookConfig<Tier>): StripeWebhook<Tier> {
  checkSyncConfig(config as unknown as StripeTierSyncConfig, MORE_OPTIONS)
  const { secrets, tolerance, livemode, account, eventsKept, ...syncConfig } = config
  const rules = checkedRules({ secrets, tolerance, livemode, account })
  const sync = new StripeTierSync<Tier>(syncConfig)
  const claims = new EventClaims(() => config.tracker.registry, keptMs(eventsKept ?? LEAST_KEPT))

  async function handle(body: string | Uint8Array, signature: string | null | undefined): Promise<WebhookReply> {
    try {
      const event = await openDelivery(config.stripe, body, signature, rules, config.tracker.clock())
      return 'refused' in event ? refuse(event.refused) : await once(event)
    } catch (error) {
      // A store that is away, or Stripe itself: what an event was about is not known to be done.
      sync.announceError(undefined, error)
      return FAILED
    }
  }

  function refuse(reason: string): WebhookReply {
    sync.announceRefusal(reason)
    return { status: 400, body: { received: false, error: reason } }
  }

  async function answer(body: string | Uint8Array | Refusal, signature: string | null | undefined): Promise<WebhookReply> {
    return isRefusal(body) ? refuse(body.refused) : handle(body, signature)
  }

  async function once(event: StripeEvent): Promise<WebhookReply> {
    const hint = event.account === rules.account ? hintOf(event) : undefined
    if (hint === undefined || (hint.onlyIfParked === true && !(await sync.isParked(hint.customer)))) return done('ignored')
    const claim = await claims.claim(event.id)
    if (claim.state !== 'claimed') return claim.state === 'completed' ? done('duplicate') : BUSY
    let outcome: string
    try {
      outcome = (await sync.syncCheckout(hint.customer, hint.checkout, `${event.type} ${event.id}`)).outcome
      await claims.complete(event.id, claim.version)
    } catch (error) {
      sync.announceError(hint.customer, error)
      await claims.giveBack(event.id, claim.version)
      return FAILED
    }
    await sync.retryParkedNowAndThen()
    return done(outcome)
  }

  return Object.assign(
    async (request: Request): Promise<Response> => {
      const { status, body } = await answer(await readFetchBody(request), request.headers.get('stripe-signature'))
      return Response.json(body, { status })
    },
    {
      sync,
      handle,
      express: async (request: ExpressRequest, response: ExpressResponse): Promise<void> => {
        const body = await readExpressBody(request)
        const { 'stripe-signature': signature } = request.headers
        const { status, body: reply } = await answer(body, typeof signature === 'string' ? signature : undefined)
        response.statusCode = status
        // Of a body that was not read to its end the rest would stand before the next delivery.
        if (isRefusal(body)) response.setHeader('connection', 'close')
        response.setHeader('content-type', 'application/json')
        response.end(JSON.stringify(reply))
      },
    },
  )
}

const FAILED: WebhookReply = Object.freeze({ status: 500, body: Object.freeze({ received: false, error: 'The event could not be handled. Deliver it again.' }) })
const BUSY: WebhookReply = Object.freeze({ status: 503, body: Object.freeze({ received: false, error: 'The event is being handled. Deliver it again.' }) })

function isRefusal(body: string | Uint8Array | Refusal): body is Refusal {
  return typeof body === 'object' && 'refused' in body
}

function done(outcome: string): WebhookReply {
  return { status: 200, body: { received: true, outcome } }
}

function checkedRules({ secrets, tolerance = DEFAULT_TOLERANCE, livemode = true, account }: Pick<StripeWebhookConfig, 'secrets' | 'tolerance' | 'livemode' | 'account'>): DeliveryRules {
  const all = typeof secrets === 'string' ? [secrets] : secrets
  if (!Array.isArray(all) || all.length === 0) throw new InvalidConfigError("stripe.secrets: names no secret. Give the endpoint's signing secret, whsec_….")
  // Its value is a secret, and stands in no message.
  for (const secret of all as readonly unknown[]) if (typeof secret !== 'string' || secret.trim() === '' || /\s/.test(secret)) throw new InvalidConfigError('stripe.secrets: one of them is empty or has white space in it. Give the signing secret as Stripe shows it, whsec_….')
  const toleranceMs = parseDuration(tolerance, 'stripe.tolerance')
  if (toleranceMs < 1_000) throw new InvalidConfigError(`stripe.tolerance: ${toleranceMs} ms would refuse everything, or nothing. Give at least 1 second; 5 minutes are usual.`)
  if (typeof livemode !== 'boolean') throw new InvalidConfigError(`stripe.livemode: ${String(livemode)} is neither true nor false. Give false for test mode.`)
  if (account !== undefined && (typeof account !== 'string' || account === '')) throw new InvalidConfigError(`stripe.account: ${JSON.stringify(account)} is no account. Give acct_…, or leave it out.`)
  return { secrets: [...all], toleranceMs, livemode, account }
}

function keptMs(kept: Duration): number {
  const ms = parseDuration(kept, 'stripe.eventsKept')
  if (ms < parseDuration(LEAST_KEPT, 'stripe.eventsKept')) throw new InvalidConfigError(`stripe.eventsKept: ${ms} ms is less than 30 days, for which Stripe may deliver an event again. Give at least '30d'.`)
  return ms
}
