// Decisions over HTTP: a check, and up to a thousand of them at once.

import { z, type OpenAPIHono } from '@hono/zod-openapi'
import type { CheckRequest } from '../../decision/index.js'
import { asObject, assertHoldable, requestIdOf, whoseOf } from '../asking.js'
import { answerBatch } from '../batch.js'
import type { Caller } from '../caller.js'
import { decisionAnswer, type Answer } from '../decision-view.js'
import { body, described, json, problem, problemSchema, routes } from '../route.js'
import { batchAnswerSchema, checkBatchSchema, checkSchema, decisionSchema, denialSchema, idempotencyHeader } from '../schemas.js'
import { quickAnswer } from '../security-headers.js'
import type { Env, Service } from '../service.js'

const refused = (description: string) => ({ description, content: { 'application/problem+json': { schema: denialSchema } } }) as const

/** A refusal by bursar, with its decision, or one by the server, which has decided nothing. */
const refusedOrProblem = (description: string) => ({ description, content: { 'application/problem+json': { schema: z.union([denialSchema, problemSchema]) } } }) as const

const check = {
  method: 'post',
  path: '/v1/check',
  tags: ['Decisions'],
  summary: 'Decide before a call, and hold its estimate',
  description: 'A denial has its own status, and all of the decision. Whatever is allowed must be settled or released; what is forgotten expires after `holdTtl`. Header fields `RateLimit` and `RateLimit-Policy` tell of the limits of the user’s own.',
  request: { headers: idempotencyHeader, body: body(checkSchema) },
  responses: {
    200: json(decisionSchema, 'It may go on: the money is held.'),
    402: refused('A budget has no room for it.'),
    403: refusedOrProblem('A policy refuses it, or the key may not ask this.'),
    404: problem('The session is not there, or has ended.'),
    409: problem('The Idempotency-Key was used before with other arguments.'),
    429: refusedOrProblem('A limit of requests is reached; or the key asks too fast.'),
    503: refusedOrProblem('The store of the budgets does not answer, and without it nothing is allowed.'),
  },
} as const

const checkBatch = {
  method: 'post',
  path: '/v1/check/batch',
  tags: ['Decisions'],
  summary: 'Decide up to 1,000 calls',
  description: 'Each item has its own `idempotencyKey`, status and answer. Items with the same key are repeats of the first of them.',
  request: { body: body(checkBatchSchema) },
  responses: { 200: json(batchAnswerSchema, 'What each came to, in the order of the items.') },
} as const

/** Decisions over HTTP: a check, and up to a thousand of them at once. */
export function checkRoutes(service: Service): OpenAPIHono<Env> {
  const { engine, options } = service
  const app = routes()

  // No async functions on this path: each takes its time, and there is one thing to wait for.
  const answerOne = (caller: Caller, value: unknown, header: string | undefined): Promise<Answer> => {
    const given = asObject(value, 'request')
    const { userId, tenant } = whoseOf(caller, options, given)
    const { id, isOwn } = requestIdOf(caller, tenant, header, given['idempotencyKey'])
    assertHoldable(given['holdTtl'], 'holdTtl')
    given['userId'] = userId
    if (tenant !== undefined) given['tenant'] = tenant
    given['idempotencyKey'] = id
    // The library reads it strictly: what is wrong with any other field, it says.
    return engine.check(given as unknown as Parameters<typeof engine.check>[0]).then((decision) => decisionAnswer(decision, { caller, tenant, isOwnId: isOwn }))
  }

  described(app, 'check', check, (context) => {
    const asked = answerOne(context.get('caller'), context.get('body'), context.req.header('idempotency-key'))
    return asked.then(({ status, body: told, headers }) => quickAnswer(status, told, context.get('requestId'), headers))
  })
  described(app, 'check', checkBatch, (context) => {
    const caller = context.get('caller')
    return answerBatch(context, service, keyOf, (item) => answerOne(caller, item, undefined))
  })
  return app
}

function keyOf(item: unknown): unknown {
  return (item as CheckRequest | null | undefined)?.idempotencyKey
}
