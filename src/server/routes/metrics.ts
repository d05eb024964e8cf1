// What Prometheus scrapes.

import type { OpenAPIHono } from '@hono/zod-openapi'
import { routes } from '../route.js'
import type { Env, Service } from '../service.js'

/** What Prometheus scrapes. */
export function metricsRoutes(_service: Service): OpenAPIHono<Env> {
  return routes()
}
