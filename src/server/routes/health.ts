// Whether the process lives (`/health`), and whether it can decide (`/ready`): for whoever starts, stops and balances it. No key is needed, and
// nothing is said of anybody's money.

import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi'
import { json, problem, routes } from '../route.js'
import { Problem } from '../problem.js'
import type { Env, Service } from '../service.js'

/** Any user will do to ask whether the store answers. */
const NOBODY = 'nobody'

const statusSchema = z.strictObject({ status: z.literal('ok') }).openapi('Health')

const health = createRoute({ method: 'get', path: '/health', tags: ['Operation'], summary: 'Whether the process lives', responses: { 200: json(statusSchema, 'It does.') } })
const ready = createRoute({ method: 'get', path: '/ready', tags: ['Operation'], summary: 'Whether it can decide', responses: { 200: json(statusSchema, 'The store answers.'), 503: problem('The store does not answer, or the server is stopping.') } })

/** `/health` and `/ready`. */
export function healthRoutes({ engine }: Service): OpenAPIHono<Env> {
  return routes()
    .openapi(health, (context) => context.json({ status: 'ok' } as const, 200))
    .openapi(ready, async (context) => {
      try {
        await engine.tracker.getUserTier(NOBODY)
      } catch {
        throw new Problem(503, 'UNAVAILABLE', 'The store does not answer.')
      }
      return context.json({ status: 'ok' } as const, 200)
    })
}
