// Who sends a request: the key in its Authorization header. What a key is, src/server/keys knows.

import { createMiddleware } from 'hono/factory'
import { Problem } from './problem.js'
import type { Env, Service } from './service.js'

const BEARER = /^bearer +(\S+) *$/i

/** Sets the caller, or answers 401. */
export function authentication({ keys }: Service): ReturnType<typeof createMiddleware<Env>> {
  return createMiddleware<Env>(async (context, next) => {
    const header = context.req.header('authorization')
    const token = header === undefined ? undefined : BEARER.exec(header)?.[1]
    const caller = header !== undefined && token === undefined ? undefined : await keys.authenticate(token)
    if (caller === undefined) {
      const detail = header === undefined ? 'authorization: is missing. Send "Authorization: Bearer <key>".' : 'authorization: the key is unknown, revoked or expired. Send "Authorization: Bearer <key>" with one that is valid.'
      throw new Problem(401, 'UNAUTHENTICATED', detail, { 'www-authenticate': 'Bearer realm="bursar"' })
    }
    context.set('caller', caller)
    await next()
  })
}
