// Sessions over HTTP: a budget for one run of a user.

import type { OpenAPIHono } from '@hono/zod-openapi'
import { routes } from '../route.js'
import type { Env, Service } from '../service.js'

/** Sessions over HTTP: a budget for one run of a user. */
export function sessionRoutes(_service: Service): OpenAPIHono<Env> {
  return routes()
}
