// Limits that are made at run time, each within the reach of its caller.

import type { OpenAPIHono } from '@hono/zod-openapi'
import { routes } from '../route.js'
import type { Env, Service } from '../service.js'

/** Limits that are made at run time, each within the reach of its caller. */
export function limitRoutes(_service: Service): OpenAPIHono<Env> {
  return routes()
}
