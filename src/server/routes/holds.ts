// The life of a hold over HTTP: settle, release, extend.

import { z, type OpenAPIHono } from '@hono/zod-openapi'
import { isId } from '../../budget/index.js'
import type { Outcome } from '../../decision/index.js'
import { InvalidRequestError, PricesNotConfigured } from '../../errors/index.js'
import { formatUsd } from '../../money/index.js'
import { readReported, type Usage } from '../../pricing/index.js'
import { asObject, assertHoldable, tenantNamed, type Given } from '../asking.js'
import { answerBatch } from '../batch.js'
import type { Caller } from '../caller.js'
import type { Answer } from '../decision-view.js'
import { clientId, storeIdFor } from '../ids.js'
import { body, described, idParameter, json, problem, routes, tenantQuery } from '../route.js'
import { batchAnswerSchema, extendedSchema, extendSchema, settleBatchSchema, settlementSchema, settleSchema } from '../schemas.js'
import { quickAnswer } from '../security-headers.js'
import type { Env, Service } from '../service.js'
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
  description: 'By `cost`, or by `usage` and `model`, which are priced here. What is above the hold is charged whole. A repeat with the same cost is answered as the first time was.',
  request: { ...request, body: body(settleSchema) },
  responses: { 200: json(settlementSchema, 'It is charged.'), 202: json(settlementSchema, 'The store is away, and will be told when it is back.'), 404: unknown, 409: ended },
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
  description: 'To release again, or after a settle, has no effect.',
  request,
  responses: { 204: { description: 'Nothing is held any more.' }, 404: unknown },
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
  const { engine, clock } = service
  const app = routes()

  const settleOne = async (caller: Caller, named: unknown, id: string, outcome: Given): Promise<Answer> => {
    const tenant = caller.tenantOf(tenantNamed(named))
    const stored = storeIdFor(caller, tenant, id)
    const settlement = await engine.settle(stored, withCost(service, tenant, outcome, clock()))
    return { status: settlement.queued === true ? 202 : 200, body: { id: clientId(tenant, stored), ...settlement } }
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
    await engine.release(storeIdFor(caller, caller.tenantOf(tenant), id))
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
    const expiresAt = await engine.extend(stored, given['ttl'] as number | undefined)
    return quickAnswer(200, { id: clientId(tenant, stored), expiresAt }, context.get('requestId'))
  })
  return app
}

/** The outcome with the cost that its usage comes to: which price that is, an engine that is asked by an id alone does not know. */
function withCost({ engine }: Service, tenant: string | undefined, outcome: Given, at: number): Outcome {
  const { usage, cost, model, provider } = outcome
  if (usage === undefined || cost !== undefined) return outcome as Outcome
  const used = asObject(usage, 'usage') as Usage
  // What the provider says that it cost needs no price.
  if (readReported(used) !== undefined) return outcome as Outcome
  if (engine.prices === undefined) throw new PricesNotConfigured('usage: what its tokens cost is not configured on this server. Send cost in USD, or have prices configured.')
  if (!isId(model)) throw new InvalidRequestError(`model: is ${model === undefined ? 'missing' : 'no name'}, and the price of usage depends on it. Send the model that answered, or cost in USD.`)
  if (provider !== undefined && !isId(provider)) throw new InvalidRequestError('provider: is no name. Send a name, or leave it out.')
  const { exact } = engine.prices.cost(used, { model, provider, tenant, at })
  return { ...outcome, cost: formatUsd(exact.costMicrocents) }
}

/** The hold that a path names, and the tenant that a query does. */
function namedIn(context: Context<Env>): { readonly id: string; readonly tenant: string | undefined } {
  const query = context.req.queries()
  assertFields(query, ['tenant'])
  const { tenant } = query
  if (tenant !== undefined && tenant.length > 1) throw new InvalidRequestError('tenant: is given more than once. Give it once.')
  return { id: context.req.param('id') as string, tenant: tenantNamed(tenant?.[0]) }
}

function assertFields(given: object, known: readonly string[]): void {
  const other = Object.keys(given).find((field) => !known.includes(field))
  if (other !== undefined) throw new InvalidRequestError(`${other}: is no known field. ${known.length === 0 ? 'Leave it out' : `Use ${known.join(' or ')}`}.`)
}
