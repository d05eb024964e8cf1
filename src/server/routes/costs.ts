// Costs that no check stood for, and money given back.

import type { OpenAPIHono } from '@hono/zod-openapi'
import { routes } from '../route.js'
import type { Env, Service } from '../service.js'

/** Costs that no check stood for, and money given back. */
export function costRoutes(_service: Service): OpenAPIHono<Env> {
  return routes()
}
