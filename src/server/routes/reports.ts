// Reports over HTTP: days, clients, models.

import type { OpenAPIHono } from '@hono/zod-openapi'
import { routes } from '../route.js'
import type { Env, Service } from '../service.js'

/** Reports over HTTP: days, clients, models. */
export function reportRoutes(_service: Service): OpenAPIHono<Env> {
  return routes()
}
