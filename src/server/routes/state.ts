// What the dashboard shows: the state now, a user, and what happens.

import type { OpenAPIHono } from '@hono/zod-openapi'
import { routes } from '../route.js'
import type { Env, Service } from '../service.js'

/** What the dashboard shows: the state now, a user, and what happens. */
export function stateRoutes(_service: Service): OpenAPIHono<Env> {
  return routes()
}
