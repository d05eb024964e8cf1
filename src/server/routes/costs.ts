// Costs that no check stood for, and money given back.

import type { OpenAPIHono } from '@hono/zod-openapi'
import type { CostEntry, RefundEntry } from '../../tracker/index.js'
import { asObject, requestIdOf, whoseOf } from '../asking.js'
import { answerBatch } from '../batch.js'
import type { Caller } from '../caller.js'
import type { Answer } from '../decision-view.js'
import { clientId, storeIdFor } from '../ids.js'
import { body, described, json, problem, routes } from '../route.js'
import { batchAnswerSchema, costBatchSchema, costSchema, countedSchema, idempotencyHeader, refundedSchema, refundSchema } from '../schemas.js'
import { quickAnswer } from '../security-headers.js'
import type { Env, Service } from '../service.js'

const reused = problem('The Idempotency-Key was used before with other arguments.')

const cost = {
  method: 'post',
  path: '/v1/costs',
  tags: ['Decisions'],
  summary: 'Count a cost that no check stood for',
  description: 'The money is spent: it counts whatever the limits say.',
  request: { headers: idempotencyHeader, body: body(costSchema) },
  responses: { 200: json(countedSchema, 'It had been counted before.'), 201: json(countedSchema, 'It is counted.'), 404: problem('The session is not there, or has ended.'), 409: reused },
} as const

const costBatch = {
  method: 'post',
  path: '/v1/costs/batch',
  tags: ['Decisions'],
  summary: 'Count up to 1,000 costs',
  request: { body: body(costBatchSchema) },
  responses: { 200: json(batchAnswerSchema, 'What each came to, in the order of the items.') },
} as const

const refund = {
  method: 'post',
  path: '/v1/refunds',
  tags: ['Decisions'],
  summary: 'Give money back',
  description: 'To the decision that is named, else to the newest charges of the user. Never more than was charged: the rest is `unapplied`. It makes room in a budget, and needs the role admin.',
  request: { headers: idempotencyHeader, body: body(refundSchema) },
  responses: { 200: json(refundedSchema, 'It had been given back before.'), 201: json(refundedSchema, 'It is given back.'), 404: problem('The decision is not there, or not remembered.'), 409: reused },
} as const

/** Costs that no check stood for, and money given back. */
export function costRoutes(service: Service): OpenAPIHono<Env> {
  const { engine, options } = service
  const app = routes()

  const countOne = async (caller: Caller, value: unknown, header: string | undefined): Promise<Answer> => {
    const given = asObject(value, 'entry')
    const { userId, tenant } = whoseOf(caller, options, given)
    const { id, isOwn } = requestIdOf(caller, tenant, header, given['idempotencyKey'])
    const counted = await engine.tracker.addCost({ ...given, userId, tenant, idempotencyKey: id } as unknown as CostEntry<string, string>)
    return answerOf(counted, tenant, isOwn)
  }

  described(app, 'check', cost, async (context) => {
    const { status, body: told } = await countOne(context.get('caller'), context.get('body'), context.req.header('idempotency-key'))
    return quickAnswer(status, told, context.get('requestId'))
  })
  described(app, 'check', costBatch, (context) => {
    const caller = context.get('caller')
    return answerBatch(context, service, (item) => (item as CostEntry | null | undefined)?.idempotencyKey, (item) => countOne(caller, item, undefined))
  })
  described(app, 'admin', refund, async (context) => {
    const caller = context.get('caller')
    const given = asObject(context.get('body'), 'refund')
    const { userId, tenant } = whoseOf(caller, options, given)
    const { id, isOwn } = requestIdOf(caller, tenant, context.req.header('idempotency-key'), given['idempotencyKey'])
    const { decisionId: of } = given
    const decisionId = typeof of === 'string' ? storeIdFor(caller, tenant, of) : of
    const refunded = await engine.tracker.refund({ ...given, userId, tenant, idempotencyKey: id, decisionId } as unknown as RefundEntry)
    const { status, body: told } = answerOf(refunded, tenant, isOwn)
    return quickAnswer(status, told, context.get('requestId'))
  })
  return app
}

/** What was counted now is new; what had been before is not. A request that the engine itself has sent again is no repeat of the client's. */
function answerOf<Counted extends { readonly id: string; readonly replayed: boolean }>(counted: Counted, tenant: string | undefined, isOwnId: boolean): Answer {
  const replayed = counted.replayed && !isOwnId
  return { status: replayed ? 200 : 201, body: { ...counted, id: clientId(tenant, counted.id), replayed } }
}
