// The life of a hold over HTTP: settle, release, extend.

import type { OpenAPIHono } from '@hono/zod-openapi'
import { routes } from '../route.js'
import type { Env, Service } from '../service.js'

/** The life of a hold over HTTP: settle, release, extend. */
export function holdRoutes(_service: Service): OpenAPIHono<Env> {
  return routes()
}
