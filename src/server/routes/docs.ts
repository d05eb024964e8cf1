// The description of the service: as OpenAPI, and as a page to read.

import type { OpenAPIHono } from '@hono/zod-openapi'
import { routes } from '../route.js'
import type { Env, Service } from '../service.js'

/** The description of the service: as OpenAPI, and as a page to read. */
export function docsRoutes(_service: Service): OpenAPIHono<Env> {
  return routes()
}
