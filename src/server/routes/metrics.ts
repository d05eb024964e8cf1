// What Prometheus scrapes. It says what tenants spend: whoever asks from this machine may see it, and whoever has a key of the operator's.

import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { Authentication } from '../authentication.js'
import { isLoopback } from '../loopback.js'
import { problem, routes } from '../route.js'
import type { Env, Service } from '../service.js'

/** What a proxy on this machine adds to the requests of others. */
const FROM_PROXY = ['forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'x-real-ip', 'via']

const metrics = createRoute({
  method: 'get',
  path: '/metrics',
  tags: ['Operation'],
  summary: 'What Prometheus scrapes',
  description: "Without a key from this machine, and not through a proxy; else with a key of the operator's that may read.",
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
    if (!isFromHere(context)) {
      const caller = await authentication.callerOf(context)
      caller.assertOperator()
      caller.assertMay('read')
    }
    const { contentType, text } = await service.metrics.exposition()
    return context.body(text, 200, { 'content-type': contentType, 'cache-control': 'no-store' }) as never
  })
}

/** True for this machine's own requests: by their connection, and by the name that was asked for, which a page may have turned to this machine. */
function isFromHere(context: Context<Env>): boolean {
  const { incoming } = (context.env ?? {}) as { readonly incoming?: { readonly socket?: { readonly remoteAddress?: string } } }
  const address = incoming?.socket?.remoteAddress?.replace(/^::ffff:/, '')
  if (address === undefined || !isLoopback(address)) return false
  const host = context.req.header('host') ?? new URL(context.req.url).host
  return isLoopback(host.replace(/:\d+$/, '')) && FROM_PROXY.every((name) => context.req.header(name) === undefined)
}
