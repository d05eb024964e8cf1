// Decisions over HTTP: a check, and up to a thousand of them at once.

import { z, type OpenAPIHono } from '@hono/zod-openapi'
import type { AllowedDecision, CheckRequest } from '../../decision/index.js'
import { InvalidRequestError } from '../../errors/index.js'
import { asObject, assertHoldable, requestIdOf, whoseOf, type Given } from '../decisions/asking.js'
import { answerBatch } from '../http/batch.js'
import type { Caller } from '../caller.js'
import { decisionAnswer, type Answer, type Asked } from '../decisions/decision-view.js'
import { jsonText } from '../http/json-text.js'
import { body, described, json, problem, problemSchema, routes } from '../route.js'
import { batchAnswerSchema, checkBatchSchema, checkSchema, decisionSchema, denialSchema, idempotencyHeader, minimalDecisionSchema, preferHeader } from '../decisions/schemas.js'
import { quickAnswer } from '../http/security-headers.js'
import type { Engine, Env, Service } from '../service.js'

type Request = Parameters<Engine['check']>[0]

const DRY_RUN = { dryRun: true } as const

const refused = (description: string) => ({ description, content: { 'application/problem+json': { schema: denialSchema } } }) as const

/** A refusal by bursar, with its decision, or one by the server, which has decided nothing. */
const refusedOrProblem = (description: string) => ({ description, content: { 'application/problem+json': { schema: z.union([denialSchema, problemSchema]) } } }) as const

const check = {
  method: 'post',
  path: '/v1/check',
  tags: ['Decisions'],
  summary: 'Decide before a call, and hold its estimate',
  description: 'A denial has its own status, and all of the decision. Whatever is allowed must be settled or released; what is forgotten expires after `holdTtl`. Header fields `RateLimit` and `RateLimit-Policy` tell of the limits of the user’s own. With `dryRun` nothing is counted, and nothing stays held.',
  request: { headers: idempotencyHeader.extend(preferHeader.shape), body: body(checkSchema) },
  responses: {
    200: json(z.union([decisionSchema, minimalDecisionSchema]), 'It may go on: the money is held. The short form where `Prefer: return=minimal` asks for it.'),
    402: refused('A budget has no room for it.'),
    403: refusedOrProblem('A policy refuses it, or the key may not ask this.'),
    404: problem('The session is not there, or has ended.'),
    409: problem('The Idempotency-Key was used before with other arguments; or its first request was given up while the store was away, and nothing is held: ask with a new one.'),
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
  request: { headers: preferHeader, body: body(checkBatchSchema) },
  responses: { 200: json(batchAnswerSchema, 'What each came to, in the order of the items.') },
} as const

/** Decisions over HTTP: a check, and up to a thousand of them at once. */
export function checkRoutes(service: Service): OpenAPIHono<Env> {
  const { engine, options, unheld } = service
  const app = routes()

  // No async functions on this path: each takes its time, and there is one thing to wait for.
  const answerOne = (caller: Caller, value: unknown, header: string | undefined, isMinimal: boolean): Promise<Answer> => {
    const given = asObject(value, 'request')
    const { userId, tenant } = whoseOf(caller, options, given)
    if (given['dryRun'] !== undefined) return answerDryRun(caller, tenant, userId, header, given, isMinimal)
    const { id, isOwn } = requestIdOf(caller, { userId, tenant }, header, given['idempotencyKey'])
    assertHoldable(given['holdTtl'], 'holdTtl')
    given['userId'] = userId
    if (tenant !== undefined) given['tenant'] = tenant
    given['idempotencyKey'] = id
    const asked = { caller, tenant, id, isOwnId: isOwn, isMinimal }
    if (!unheld.isEmpty && !isOwn) {
      const known = unheld.findRepeated(id, jsonText(given))
      if (known !== undefined) return Promise.resolve(decisionAnswer(known, { ...asked, isRepeat: true }))
    }
    // The library reads it strictly: what is wrong with any other field, it says.
    return engine.check(given as unknown as Request).then((decision) => {
      if (decision.enforcedBy === 'store' || !decision.allowed) return decisionAnswer(decision, asked)
      return answerUnheld(decision, jsonText(given), asked)
    })
  }

  /** Its end is this process's to know: no hold stands behind it. */
  const answerUnheld = (decision: AllowedDecision, text: string, asked: Asked & { readonly id: string }): Answer => {
    const counted = unheld.keep(asked.id, decision, text)
    return decisionAnswer(counted, counted === decision ? asked : { ...asked, isRepeat: true })
  }

  const answerDryRun = async (caller: Caller, tenant: string | undefined, userId: string, header: string | undefined, { dryRun, ...given }: Given, isMinimal: boolean): Promise<Answer> => {
    if (dryRun !== true) throw new InvalidRequestError('dryRun: is not true. Send true, or leave it out.')
    if (header !== undefined || given['idempotencyKey'] !== undefined) throw new InvalidRequestError('dryRun: makes no call that could be repeated. Leave the Idempotency-Key out.')
    assertHoldable(given['holdTtl'], 'holdTtl')
    const { id } = requestIdOf(caller, { userId, tenant }, undefined, undefined)
    const decision = await engine.check({ ...given, userId, ...(tenant !== undefined && { tenant }), idempotencyKey: id } as unknown as Request, DRY_RUN)
    return decisionAnswer(decision, { caller, tenant, id, isOwnId: true, isDryRun: true, isMinimal })
  }

  described(app, 'check', check, (context) => {
    const asked = answerOne(context.get('caller'), context.get('body'), context.req.header('idempotency-key'), prefersMinimal(context.req.header('prefer')))
    return asked.then(({ status, body: told, headers }) => quickAnswer(status, told, context.get('requestId'), headers))
  })
  described(app, 'check', checkBatch, (context) => {
    const caller = context.get('caller')
    const isMinimal = prefersMinimal(context.req.header('prefer'))
    return answerBatch(context, service, keyOf, (item) => answerOne(caller, item, undefined, isMinimal))
  })
  return app
}

/** RFC 7240. */
function prefersMinimal(prefer: string | undefined): boolean {
  return prefer !== undefined && /(?:^|[,;\s])return="?minimal"?(?:$|[,;\s])/i.test(prefer)
}

function keyOf(item: unknown): unknown {
  return (item as CheckRequest | null | undefined)?.idempotencyKey
}
