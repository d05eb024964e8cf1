// A user's budget, tier and own limits.

import type { OpenAPIHono } from '@hono/zod-openapi'
import { routes } from '../route.js'
import type { Env, Service } from '../service.js'

/** A user's budget, tier and own limits. */
export function userRoutes(_service: Service): OpenAPIHono<Env> {
  return routes()
}
