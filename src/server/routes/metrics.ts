// What Prometheus scrapes. It says what tenants spend: as soon as there is any key, it needs one of the operator's, as all else does.

import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi'
import { Authentication } from '../http/authentication.js'
import { problem, routes } from '../route.js'
import type { Env, Service } from '../service.js'

const metrics = createRoute({
  method: 'get',
  path: '/metrics',
  tags: ['Operation'],
  summary: 'What Prometheus scrapes',
  description: "With a key of the operator's that may read. Without one only as long as there is none, and the server listens on its own machine alone.",
  security: [{}, { key: [] }],
  responses: {
    200: { description: 'Metrics in the text format of Prometheus.', content: { 'text/plain': { schema: z.string() } } },
    401: problem('No key, or one that is unknown, revoked or expired.'),
    403: problem('The key may not do this.'),
    429: problem('Too many keys that are none have come from this address.'),
    503: problem('Whether the key is one cannot be looked up: the store does not answer.'),
  },
})

/** `/metrics`. */
export function metricsRoutes(service: Service): OpenAPIHono<Env> {
  const authentication = new Authentication(service)
  return routes().openapi(metrics, async (context) => {
    const caller = await authentication.callerOf(context)
    caller.assertOperator()
    caller.assertMay('read')
    const { contentType, text } = await service.metrics.exposition()
    return context.body(text, 200, { 'content-type': contentType, 'cache-control': 'no-store' }) as never
  })
}
