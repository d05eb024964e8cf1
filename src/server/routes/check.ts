// Decisions over HTTP: a check, and up to a thousand of them at once.

import type { OpenAPIHono } from '@hono/zod-openapi'
import { routes } from '../route.js'
import type { Env, Service } from '../service.js'

/** Decisions over HTTP: a check, and up to a thousand of them at once. */
export function checkRoutes(_service: Service): OpenAPIHono<Env> {
  return routes()
}
