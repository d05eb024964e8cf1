// Outgoing webhooks: endpoints and what was delivered to them.

import type { OpenAPIHono } from '@hono/zod-openapi'
import { routes } from '../route.js'
import type { Env, Service } from '../service.js'

/** Outgoing webhooks: endpoints and what was delivered to them. */
export function webhookRoutes(_service: Service): OpenAPIHono<Env> {
  return routes()
}
