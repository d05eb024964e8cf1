// The endpoint for Stripe's events, where Stripe is configured.

import type { OpenAPIHono } from '@hono/zod-openapi'
import { routes } from '../route.js'
import type { Env, Service } from '../service.js'

/** The endpoint for Stripe's events, where Stripe is configured. */
export function stripeRoutes(_service: Service): OpenAPIHono<Env> {
  return routes()
}
