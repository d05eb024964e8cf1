// The files of the dashboard.

import type { OpenAPIHono } from '@hono/zod-openapi'
import { routes } from '../route.js'
import type { Env, Service } from '../service.js'

/** The files of the dashboard. */
export function dashboardRoutes(_service: Service): OpenAPIHono<Env> {
  return routes()
}
