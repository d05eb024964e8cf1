// Tenants: what is set for their users. For the operator alone.

import type { OpenAPIHono } from '@hono/zod-openapi'
import { routes } from '../route.js'
import type { Env, Service } from '../service.js'

/** Tenants: what is set for their users. For the operator alone. */
export function tenantRoutes(_service: Service): OpenAPIHono<Env> {
  return routes()
}
