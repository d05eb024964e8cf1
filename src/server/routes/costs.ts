// Costs that no check stood for, and money given back.

import type { OpenAPIHono } from '@hono/zod-openapi'
import { isId } from '../../budget/index.js'
import { IdReusedError, InvalidRequestError, PricesNotConfigured, UnknownHoldError, UnpricedModelError } from '../../errors/index.js'
import { formatUsd } from '../../money/index.js'
import { assertCounts, readReported, type Usage } from '../../pricing/index.js'
import type { CostEntry, CountedCost, RefundEntry } from '../../tracker/index.js'
import { asObject, requestIdOf, whoseOf, type Given } from '../decisions/asking.js'
import { answerBatch } from '../http/batch.js'
import type { Caller } from '../caller.js'
import type { Answer } from '../decisions/decision-view.js'
import { clientIdFor, storeIdFor } from '../ids.js'
import { Problem } from '../problem.js'
import { body, described, json, problem, routes } from '../route.js'
import { batchAnswerSchema, costBatchSchema, costSchema, countedSchema, idempotencyHeader, refundedSchema, refundSchema } from '../decisions/schemas.js'
import { quickAnswer } from '../http/security-headers.js'
import type { Engine, Env, Service } from '../service.js'
import { readUsage } from '../decisions/usage-reader.js'

const reused = problem('The Idempotency-Key was used before with other arguments.')

const cost = {
  method: 'post',
  path: '/v1/costs',
  tags: ['Decisions'],
  summary: 'Count a cost that no check stood for',
  description: 'The money is spent: it counts whatever the limits say. By `cost`, or by `usage` and `model`, which are priced here: as of now, and a repeat with the same Idempotency-Key as of its first time. Where that price is not known any more, it is 409, and was counted before.',
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
  const { engine, options, clock, webhooks } = service
  const app = routes()

  const countOne = async (caller: Caller, value: unknown, header: string | undefined): Promise<Answer> => {
    const given = asObject(value, 'entry')
    const { userId, tenant } = whoseOf(caller, options, given)
    const { id, isOwn } = requestIdOf(caller, { userId, tenant }, header, given['idempotencyKey'])
    const count = (at: number): Promise<CountedCost> => engine.tracker.addCost({ ...withCost(engine, given, tenant, at), userId, tenant, idempotencyKey: id } as unknown as CostEntry<string, string>)
    const counted = await count(clock()).catch((error: unknown) => {
      if (!(error instanceof IdReusedError) || given['usage'] === undefined || given['cost'] !== undefined) throw error
      return countedBefore(id, count)
    })
    // What it has set off is told whatever becomes of this process.
    const written = webhooks.written()
    if (written !== undefined) await written
    return answerOf(counted, caller, tenant, isOwn)
  }

  /** Usage under an id that has been counted: its price may have changed since, and a repeat has that of the first time. */
  const countedBefore = async (id: string, count: (at: number) => Promise<CountedCost>): Promise<CountedCost> => {
    const at = await engine.openedAt(id)
    try {
      if (at !== undefined) return await count(at)
    } catch (error) {
      if (!(error instanceof IdReusedError) && !(error instanceof UnpricedModelError)) throw error
    }
    throw new Problem(409, 'ID_REUSED', 'idempotencyKey: was used before, and what it stood for then is counted. This has other arguments, or is the same usage at prices that have changed since. Do not send it again if it is a repeat; use a new key for another call.')
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
    caller.assertMayRaise(options)
    const given = asObject(context.get('body'), 'refund')
    const { userId, tenant } = whoseOf(caller, options, given)
    const { id, isOwn } = requestIdOf(caller, { userId, tenant }, context.req.header('idempotency-key'), given['idempotencyKey'])
    const { decisionId: of } = given
    const decisionId = typeof of === 'string' ? storeIdFor(caller, tenant, of) : of
    const refunded = await engine.tracker.refund({ ...given, userId, tenant, idempotencyKey: id, decisionId } as unknown as RefundEntry).catch((error: unknown) => {
      if (!(error instanceof UnknownHoldError)) throw error
      throw new Problem(404, 'UNKNOWN_HOLD', `decisionId: ${JSON.stringify(of)} is no decision or cost of this user, or none that is still remembered. Correct it, or leave it out: then the newest charges of the user are given back.`)
    })
    const { status, body: told } = answerOf(refunded, caller, tenant, isOwn)
    return quickAnswer(status, told, context.get('requestId'))
  })
  return app
}

/** What was counted now is new; what had been before is not. A request that the engine itself has sent again is no repeat of the client's. */
function answerOf<Counted extends { readonly id: string; readonly replayed: boolean }>(counted: Counted, caller: Caller, tenant: string | undefined, isOwnId: boolean): Answer {
  const replayed = counted.replayed && !isOwnId
  return { status: replayed ? 200 : 201, body: { ...counted, id: clientIdFor(caller, tenant, counted.id), replayed } }
}

/** The entry with the cost that its usage comes to, and its tokens; a cost that is given counts before. Throws for usage that is none, or has no price. */
function withCost({ prices }: Engine, given: Given, tenant: string | undefined, at: number): Given {
  const { usage, usageFormat, ...entry } = given
  if (usage === undefined && usageFormat === undefined) return given
  const used = readUsage({ usage, usageFormat })
  const reported = readReported(used)
  const { cost = formatUsd(reported?.microcents ?? costOf(prices, used, entry, tenant, at)) } = entry
  if (reported === undefined) assertCounts(used)
  // Counts that do not add up say nothing of tokens.
  const { tokens = reported?.flaw === undefined ? tokensOf(used) : undefined } = entry
  return { ...entry, cost, ...(tokens !== undefined && { tokens }) }
}

function costOf(prices: Engine['prices'], usage: Usage, { model, provider }: Given, tenant: string | undefined, at: number): number {
  if (prices === undefined) throw new PricesNotConfigured('usage: what its tokens cost is not configured on this server. Send cost in USD, or have prices configured.')
  if (!isId(model)) throw new InvalidRequestError(`model: is ${model === undefined ? 'missing' : 'no name'}, and the price of usage depends on it. Send the model that answered, or cost in USD.`)
  if (provider !== undefined && !isId(provider)) throw new InvalidRequestError('provider: is no name. Send a name, or leave it out.')
  return prices.cost(usage, { model, provider, tenant, at }).exact.costMicrocents
}

function tokensOf({ inputTokens, outputTokens }: Usage): number | undefined {
  return inputTokens === undefined && outputTokens === undefined ? undefined : (inputTokens ?? 0) + (outputTokens ?? 0)
}
