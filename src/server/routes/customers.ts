// Customers: users with a name, as somebody has written them down.

import type { OpenAPIHono } from '@hono/zod-openapi'
import { routes } from '../route.js'
import type { Env, Service } from '../service.js'

/** Customers: users with a name, as somebody has written them down. */
export function customerRoutes(_service: Service): OpenAPIHono<Env> {
  return routes()
}
