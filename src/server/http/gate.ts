// What every request under /v1 passes before its route: who asks, how fast, and what its body says.

import { createMiddleware } from 'hono/factory'
import { Authentication, retryAfter } from './authentication.js'
import { readBody } from './body-limit.js'
import type { Caller } from '../caller.js'
import { Problem } from '../problem.js'
import { Buckets } from './rate-limit.js'
import type { Env, Service } from '../service.js'

/** How much larger the body of a batch may be. */
const BATCH_FACTOR = 4

const GATES = new WeakMap<Service, ReturnType<typeof createMiddleware<Env>>>()

/** Sets the caller, the body, and what a batch is charged by. One of a service, wherever it stands: a key has one allowance. */
export function gate(service: Service): ReturnType<typeof createMiddleware<Env>> {
  const known = GATES.get(service) ?? newGate(service)
  GATES.set(service, known)
  return known
}

function newGate(service: Service): ReturnType<typeof createMiddleware<Env>> {
  const { rateLimit, maxBodyBytes } = service.options
  const authentication = new Authentication(service)
  const buckets = rateLimit === null ? undefined : new Buckets(rateLimit, service.clock)
  const charge = (caller: Caller, requests: number): void => {
    // On an open server everybody is the same caller.
    const waitMs = buckets === undefined ? 0 : buckets.take(caller.keyId ?? '', requests)
    if (waitMs > 0) throw new Problem(429, 'TOO_FAST', `key: asks more often than ${rateLimit?.perSecond} times a second. Wait, and repeat the request with the same Idempotency-Key.`, retryAfter(waitMs))
  }
  return createMiddleware<Env>(async (context, next) => {
    const caller = await authentication.callerOf(context)
    context.set('caller', caller)
    charge(caller, 1)
    const { method, path } = context.req
    if (method !== 'GET' && method !== 'HEAD') {
      const isBatch = path.endsWith('/batch')
      if (isBatch) context.set('charge', (requests) => charge(caller, requests))
      context.set('body', await readBody(context, isBatch ? maxBodyBytes * BATCH_FACTOR : maxBodyBytes))
    }
    await next()
  })
}
