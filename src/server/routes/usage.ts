// Ledger entries over HTTP: page by page, and streamed as CSV.

import type { OpenAPIHono } from '@hono/zod-openapi'
import { routes } from '../route.js'
import type { Env, Service } from '../service.js'

/** Ledger entries over HTTP: page by page, and streamed as CSV. */
export function usageRoutes(_service: Service): OpenAPIHono<Env> {
  return routes()
}
