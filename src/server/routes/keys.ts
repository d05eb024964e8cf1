// API keys over HTTP: made, listed, rotated, revoked.

import type { OpenAPIHono } from '@hono/zod-openapi'
import { routes } from '../route.js'
import type { Env, Service } from '../service.js'

/** API keys over HTTP: made, listed, rotated, revoked. */
export function keyRoutes(_service: Service): OpenAPIHono<Env> {
  return routes()
}
