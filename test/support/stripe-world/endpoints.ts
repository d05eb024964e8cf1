// What a world delivers its events to: bursar's webhook, and some that make mistakes which real ones have made. STRIPE-TRUTH must tell
// them apart; otherwise it says nothing.

import { stripeWebhook, type StripeSubscription, type StripeWebhookConfig, type WebhookReply } from '../../../src/stripe/index.js'

/** The secret that every event is signed with. */
export const SECRET = 'whsec_world'

/** Says nothing of parked customers. */
export const SILENT = { debug: (): void => {}, warn: (): void => {} }

/** The part of a webhook that a world uses. */
export interface Endpoint {
  handle(body: string, signature: string): Promise<WebhookReply>
  readonly sync: { syncAll(): Promise<{ readonly failed: readonly unknown[] }> }
}

/** What an endpoint is made of, one for each process. */
export type EndpointTools = Pick<StripeWebhookConfig, 'stripe' | 'mapper' | 'tracker'>

/** Makes the endpoint of one process. */
export type EndpointMaker = (tools: EndpointTools) => Endpoint

/** Bursar's own. */
export const bursarsEndpoint: EndpointMaker = (tools) => stripeWebhook({ ...tools, secrets: SECRET, livemode: false, logger: SILENT })

/** Believes what the events themselves say of subscriptions, the last that came, instead of asking. */
export const believesEvents: EndpointMaker = (tools) => {
  const heard = new Map<string, StripeSubscription & { readonly customer: string }>()
  const subscriptions = {
    async *list({ customer }: { customer: string }): AsyncIterable<StripeSubscription> {
      yield* [...heard.values()].filter((subscription) => subscription.customer === customer)
    },
  }
  const endpoint = bursarsEndpoint({ ...tools, stripe: instead(tools.stripe, { subscriptions }) })
  return {
    sync: endpoint.sync,
    handle: (body, signature) => {
      const { object } = (JSON.parse(body) as { data: { object: StripeSubscription & { object: string; customer: string } } }).data
      if (object.object === 'subscription') heard.set(object.id, object)
      return endpoint.handle(body, signature)
    },
  }
}

/** Writes what it found whenever it is done, however old that is by then. */
export const writesWithoutFence: EndpointMaker = (tools) => {
  const { tracker } = tools
  return bursarsEndpoint({ ...tools, tracker: instead(tracker, { setUserBilling: (user, update) => tracker.setUserBilling(user, { ...update, fence: (fences += 1) }) }) })
}

let fences = Number.MAX_SAFE_INTEGER / 2

/** Says that it was done before it is. */
export const answersTooSoon: EndpointMaker = (tools) => {
  const endpoint = bursarsEndpoint(tools)
  return {
    sync: endpoint.sync,
    handle: (body, signature) => {
      void endpoint.handle(body, signature)
      return Promise.resolve({ status: 200, body: { received: true } })
    },
  }
}

/** The same object with some members in the place of its own. */
export function instead<T extends object>(target: T, members: Partial<T>): T {
  return new Proxy(target, {
    get: (_target, name) => {
      const member: unknown = Reflect.get(name in members ? members : target, name)
      return typeof member === 'function' && !(name in members) ? (member.bind(target) as unknown) : member
    },
  })
}
