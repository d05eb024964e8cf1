// What a decision was made from, for whoever made it.

import type { OpenAPIHono } from '@hono/zod-openapi'
import { routes } from '../route.js'
import type { Env, Service } from '../service.js'

/** What a decision was made from, for whoever made it. */
export function decisionRoutes(_service: Service): OpenAPIHono<Env> {
  return routes()
}
