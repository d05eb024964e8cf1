// What is written of each request: which route, how it was answered, how long it took, and by whose key. Never a key, a path with somebody's id
// in it, a query or a body.

import { createMiddleware } from 'hono/factory'
import { matchedRoutes } from 'hono/route'
import type { Context } from 'hono'
import { secure } from './security-headers.js'
import type { Env, Service } from '../service.js'

const REQUEST_ID = /^[\w.-]{1,64}$/
/** What asks all the time, and says nothing when all is well. */
const QUIET: ReadonlySet<string> = new Set(['/health', '/ready', '/metrics'])

/** Gives each request an id (its own `X-Request-Id`, where that is one), its answer the header fields of every answer, and the log a line. */
export function requestLog({ log, metrics }: Pick<Service, 'log' | 'metrics'>): ReturnType<typeof createMiddleware<Env>> {
  return createMiddleware<Env>(async (context, next) => {
    const startedAt = performance.now()
    const given = context.req.header('x-request-id')
    const requestId = given !== undefined && REQUEST_ID.test(given) ? given : crypto.randomUUID()
    context.set('requestId', requestId)
    await next()
    const { res } = context
    secure(res, requestId)
    const { status } = res
    const { method } = context.req
    const route = routeOf(context)
    const ms = performance.now() - startedAt
    metrics.answered(route, method, status, ms / 1_000)
    if (status < 400 && QUIET.has(route)) return
    const caller = context.get('caller') as Env['Variables']['caller'] | undefined
    log.info({ requestId, method, route, status, ms: Math.round(ms * 1_000) / 1_000, keyId: caller?.keyId }, 'answered')
  })
}

/** The pattern of the route that was meant; `none` where there is none: paths that are none are without end. */
export function routeOf(context: Context<Env>): string {
  const route = matchedRoutes(context).findLast(({ method }) => method !== 'ALL')
  return route?.path ?? 'none'
}
