// The endpoint for Stripe's events, where Stripe is configured. Stripe signs what it sends: no key is needed, and what is signed is the body as it
// came.

import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi'
import { json, problem, routes } from '../route.js'
import { documentOf, problemAnswer } from '../problem.js'
import type { Env, Service } from '../service.js'

const replySchema = z
  .strictObject({ received: z.boolean(), outcome: z.string().optional().openapi({ description: 'What became of it, such as `set`, `ignored` or `duplicate`.' }), error: z.string().optional() })
  .openapi('StripeReply')

const events = createRoute({
  method: 'post',
  path: '/webhooks/stripe',
  tags: ['Stripe'],
  summary: "Takes an event of Stripe's",
  description: 'For Stripe alone: the header `stripe-signature` says that it is. An event has its effect once, however often it is delivered; one that could not be handled is delivered again.',
  responses: {
    200: json(replySchema, 'Handled, or nothing to do.'),
    400: json(replySchema, 'Refused: not signed with the secret of this endpoint, too old, or no event.'),
    404: problem('Stripe is not configured.'),
    500: json(replySchema, 'It could not be handled; Stripe delivers it again.'),
    503: json(replySchema, 'Another process is handling it; Stripe delivers it again.'),
  },
})

/** `POST /webhooks/stripe`; 404 where Stripe is not configured. */
export function stripeRoutes({ stripe }: Service): OpenAPIHono<Env> {
  return routes().openapi(events, ((context: { readonly req: { readonly raw: Request } }) =>
    stripe === undefined ? problemAnswer(documentOf(404, 'NOT_FOUND', 'Stripe is not configured here. Give stripe.webhookSecrets in the configuration.')) : stripe(context.req.raw)) as never)
}
