// The life of a hold over HTTP: settle, release, extend.

import { z, type OpenAPIHono } from '@hono/zod-openapi'
import type { Outcome } from '../../decision/index.js'
import { AlreadyEndedError, InvalidRequestError, PricesNotConfigured } from '../../errors/index.js'
import { asObject, assertHoldable, tenantNamed, type Given } from '../decisions/asking.js'
import { answerBatch } from '../http/batch.js'
import type { Caller } from '../caller.js'
import type { Answer } from '../decisions/decision-view.js'
import { clientIdFor, storeIdFor } from '../ids.js'
import { body, described, idParameter, json, problem, routes, tenantQuery } from '../route.js'
import { batchAnswerSchema, extendedSchema, extendSchema, settleBatchSchema, settlementSchema, settleSchema } from '../decisions/schemas.js'
import { quickAnswer } from '../http/security-headers.js'
import type { Env, Service } from '../service.js'
import { readUsage } from '../decisions/usage-reader.js'
import { parseDuration, type Duration } from '../../time/index.js'
import type { Context } from 'hono'

const params = z.object({ id: idParameter.openapi({ description: 'The id of the decision.' }) })
const request = { params, query: tenantQuery } as const
const ended = problem('The hold has ended in another way, or was settled with another cost.')
const unknown = problem('There is no hold of that id, or none that is remembered.')

const settle = {
  method: 'post',
  path: '/v1/holds/{id}/settle',
  tags: ['Decisions'],
  summary: 'Replace a hold by what its call cost',
  description:
    'By `cost`, or by `usage`, which has the price of the decision: that of its moment, tenant, provider and model, or of the model that answered. What is above the hold is charged whole. A repeat with the same cost or usage is answered as the first time was. ' +
    'While the store is away a cost is taken down (202) without asking whether there is such a hold; usage waits for the store where this process has not made the decision (503: send it again).',
  request: { ...request, body: body(settleSchema) },
  responses: { 200: json(settlementSchema, 'It is charged.'), 202: json(settlementSchema, 'The store is away, and will be told when it is back. That is no word that the hold is there: see `queued`.'), 404: unknown, 409: ended },
} as const

const settleBatch = {
  method: 'post',
  path: '/v1/holds/settle/batch',
  tags: ['Decisions'],
  summary: 'Settle up to 1,000 holds',
  request: { body: body(settleBatchSchema) },
  responses: { 200: json(batchAnswerSchema, 'What each came to, in the order of the items.') },
} as const

const release = {
  method: 'post',
  path: '/v1/holds/{id}/release',
  tags: ['Decisions'],
  summary: 'Give a hold back: no call was made',
  description: 'To release again has no effect. One that has expired gives back what it was charged then. While the store is away it is told when it is back.',
  request,
  responses: { 204: { description: 'Nothing is held any more.' }, 404: unknown, 409: problem('It was settled: what it cost stays charged.') },
} as const

const extend = {
  method: 'post',
  path: '/v1/holds/{id}/extend',
  tags: ['Decisions'],
  summary: 'Hold the money for longer, from now on',
  request: { ...request, body: { ...body(extendSchema), required: false } },
  responses: { 200: json(extendedSchema, 'It is held for so long.'), 404: unknown, 409: problem('The hold has ended.') },
} as const

/** The life of a hold over HTTP: settle, release, extend. */
export function holdRoutes(service: Service): OpenAPIHono<Env> {
  const { engine, unheld, webhooks } = service
  const app = routes()

  const settleOne = async (caller: Caller, named: unknown, id: string, outcome: Given): Promise<Answer> => {
    const tenant = caller.tenantOf(tenantNamed(named))
    const stored = storeIdFor(caller, tenant, id)
    const called = outcomeOf(outcome)
    // What was let through without the store has no hold there: it is known here alone.
    const settlement = await (unheld.settle(stored, called) ?? engine.settle(stored, called)).catch(inWordsOfHttp)
    await webhooks.written()
    return { status: settlement.queued === true ? 202 : 200, body: { id: clientIdFor(caller, tenant, stored), ...settlement } }
  }

  described(app, 'check', settle, async (context) => {
    const { id, tenant } = namedIn(context)
    const { status, body: told } = await settleOne(context.get('caller'), tenant, id, asObject(context.get('body'), 'outcome'))
    return quickAnswer(status, told, context.get('requestId'))
  })
  described(app, 'check', settleBatch, (context) => {
    const caller = context.get('caller')
    return answerBatch(context, service, (item) => (item as { readonly id?: unknown } | null | undefined)?.id, async (item) => {
      const { id, tenant, ...outcome } = asObject(item, 'item')
      if (typeof id !== 'string') throw new InvalidRequestError(`id: is ${id === undefined ? 'missing' : 'no text'}. Give the id of a decision.`)
      return settleOne(caller, tenant, id, outcome)
    })
  })
  described(app, 'check', release, async (context) => {
    const { id, tenant } = namedIn(context)
    const given = context.get('body')
    if (given !== undefined) assertFields(asObject(given, 'body'), [])
    const caller = context.get('caller')
    const stored = storeIdFor(caller, caller.tenantOf(tenant), id)
    if (!(await unheld.release(stored)) && (await engine.release(stored)).was === 'settled') throw new AlreadyEndedError(stored, 'settled', 'What it cost stays charged; give money back with tracker.refund().')
    return context.body(null, 204)
  })
  described(app, 'check', extend, async (context) => {
    const { id, tenant: named } = namedIn(context)
    const given = asObject(context.get('body') ?? {}, 'body')
    assertFields(given, ['ttl'])
    assertHoldable(given['ttl'], 'ttl')
    const caller = context.get('caller')
    const tenant = caller.tenantOf(named)
    const stored = storeIdFor(caller, tenant, id)
    const ttl = given['ttl'] as Duration | undefined
    const expiresAt = unheld.extend(stored, ttl === undefined ? engine.holdTtlMs : parseDuration(ttl, 'ttl')) ?? (await engine.extend(stored, ttl))
    return quickAnswer(200, { id: clientIdFor(caller, tenant, stored), expiresAt }, context.get('requestId'))
  })
  return app
}

/** What a body says of a call, with its usage in the library's words. Which price that has, the hold says. */
function outcomeOf(given: Given): Outcome {
  if (given['usage'] === undefined && given['usageFormat'] === undefined) return given as Outcome
  const { usageFormat: _read, ...outcome } = given
  return { ...outcome, usage: readUsage(given) }
}

/** What the library says of its own configuration, as a client can use it. */
function inWordsOfHttp(error: unknown): never {
  if (error instanceof PricesNotConfigured) throw new PricesNotConfigured('usage: what its tokens cost is not configured on this server. Send cost in USD, or have prices configured.')
  throw error
}

/** The hold that a path names, and the tenant that a query does. */
function namedIn(context: Context<Env>): { readonly id: string; readonly tenant: string | undefined } {
  return { id: context.req.param('id') as string, tenant: tenantNamed(context.req.query('tenant')) }
}

function assertFields(given: object, known: readonly string[]): void {
  const other = Object.keys(given).find((field) => !known.includes(field))
  if (other !== undefined) throw new InvalidRequestError(`${other}: is no known field. ${known.length === 0 ? 'Leave it out' : `Use ${known.join(' or ')}`}.`)
}
