// What the dashboard shows: the state now, a user, and what happens.

import { z, type OpenAPIHono } from '@hono/zod-openapi'
import type { Caller } from '../caller.js'
import { LiveListeners } from '../seeing/live-listeners.js'
import { LiveStream } from '../seeing/live-stream.js'
import { Problem } from '../problem.js'
import { idParameter, json, operation, problem, routes, tenantQuery } from '../route.js'
import type { Env, Service } from '../service.js'
import { StateBook } from '../seeing/state-book.js'
import { liveEventSchema, stateSchema, userSchema } from '../seeing/view-schemas.js'

const BEARER = /^bearer +(\S+) *$/i

const state = operation('read', {
  method: 'get',
  path: '/v1/state',
  tags: ['Dashboard'],
  summary: 'The state of all budgets that the key may see',
  responses: { 200: json(stateSchema, 'The state at one moment: it may be a second old.') },
})

const user = operation('read', {
  method: 'get',
  path: '/v1/users/{id}',
  tags: ['Dashboard'],
  summary: 'Everything of one user',
  request: { params: z.strictObject({ id: idParameter }), query: tenantQuery },
  responses: { 200: json(userSchema, 'The user: it may be a second old.'), 404: problem('Nothing is known of such a user.') },
})

const live = operation('read', {
  method: 'get',
  path: '/v1/live',
  tags: ['Dashboard'],
  summary: 'What happens, as it happens',
  description: 'Server-sent events, named by their type: those of this process that the key may see. Ends after an hour, and within a second when the key is no longer valid: come again.',
  responses: { 200: { description: 'The events.', content: { 'text/event-stream': { schema: liveEventSchema } } } },
})

/** `/v1/state`, `/v1/users/{id}` and `/v1/live`. */
export function stateRoutes({ engine, clock, feed, keys, options }: Service): OpenAPIHono<Env> {
  const book = new StateBook({ engine, clock, feed, options })
  const listeners = new LiveListeners()

  const stillTheSame = async (caller: Caller, token: string | undefined): Promise<boolean> => {
    const found = await keys.authenticate(token)
    return found !== undefined && found.may('read') && found.keyId === caller.keyId && found.tenant === caller.tenant && found.userId === caller.userId
  }

  return routes()
    .openapi(state, async (context) => context.json((await book.state(context.get('caller'))) as never, 200))
    .openapi(user, async (context) => {
      const caller = context.get('caller')
      const found = await book.user(caller, caller.userOf(context.req.valid('param').id, context.req.valid('query').tenant))
      if (found === undefined) throw new Problem(404, 'NOT_FOUND', 'id: nothing is known of a user of this id. Give the id of one who has asked or spent, or who is of a tier.')
      return context.json(found as never, 200)
    })
    .openapi(live, (context) => {
      const caller = context.get('caller')
      const headers = { 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-accel-buffering': 'no' }
      // Nobody would read a stream, and nobody end it.
      if (context.req.method === 'HEAD') return context.body(null, 200, headers) as never
      const header = context.req.header('authorization')
      const token = header === undefined ? undefined : BEARER.exec(header)?.[1]
      const onEnd = listeners.enter(caller)
      const { body } = new LiveStream({ feed, caller, isValid: () => stillTheSame(caller, token), now: clock, onEnd })
      return context.body(body, 200, headers) as never
    })
}
