// What is asked and answered of decisions, holds, costs and sessions, as the description of the service says it: every field with its unit.
// What is right and wrong about a value, the library says.

import { z } from '@hono/zod-openapi'
import type { CheckRequest, Outcome } from '../../decision/index.js'
import { METERS, type TokenKind } from '../../pricing/index.js'
import type { SessionConfig } from '../../session/index.js'
import type { CostEntry, RefundEntry } from '../../tracker/index.js'
import { MOST_ID } from '../ids.js'
import { idParameter, problemSchema } from '../route.js'
import { USAGE_FORMATS } from './usage-reader.js'

/** Every field that a request may have, and no other. */
type Fields<Request> = { readonly [Field in keyof Request]-?: z.ZodType }

/** The most items of a batch. */
export const MOST_ITEMS = 1_000

const usd = (description: string): z.ZodType => z.union([z.number().min(0), z.string()]).openapi({ description: `USD: a number, or a decimal string. ${description}`, example: 0.02 })
const count = (description: string): z.ZodType => z.int().min(0).openapi({ description })
const id = (description: string): z.ZodType => idParameter.openapi({ description })
const duration = (description: string, example: string): z.ZodType => z.union([z.int().min(1), z.string()]).openapi({ description: `Milliseconds, or a number and a unit (ms, s, m, h, d, w). ${description}`, example })
const key = z.string().min(1).max(MOST_ID).regex(/^[\x21-\x7e]+$/)

const TOKEN_KINDS = ['cache-write', 'cache-write-1h', 'audio', 'image', 'video', 'reasoning', 'citation'] as const satisfies readonly TokenKind[]

const userId = id('Whose money. A key of a user may leave it out.')
const tenant = id("The tenant of the user; a tenant's own key may leave it out.").optional()
const userTier = id("The tier, where it is not to be what the directory says. For keys of the operator, or with the role admin: nobody chooses a tier for themselves.").optional()
const scopes = z.record(z.string(), idParameter).optional().openapi({ description: 'Ids of configured groups: `{ "team": "search" }`. Keys of tenants may name those groups alone that the operator has opened to them.' })
const metadata = z.record(z.string(), z.unknown()).optional().openapi({ description: 'Plain data of your own, nested at most 16 deep: policies see it, and the ledger keeps it.' })
const idempotencyKey = key.optional().openapi({ description: 'The same as the header Idempotency-Key, where that cannot be sent: in batches.' })

/** The header field with the id of a request. */
export const idempotencyHeader = z.object({
  'idempotency-key': key.optional().openapi({ description: 'One key for one call: a repeat with the same arguments is answered as the first time was, and with others 409. Remembered for 24 hours after the end.', example: 'job-4711' }),
})

/** How much of a decision is wanted. */
export const preferHeader = z.object({
  prefer: z.string().optional().openapi({ description: '`return=minimal`: of what is allowed only what to call, and what is held, without what it was decided by. Denials are always whole.', example: 'return=minimal' }),
})

const checkFields = {
  userId,
  userTier,
  tenant,
  model: id('The model that is to be called, by the name that its provider knows.').optional(),
  provider: id('Whose model it is.').optional(),
  query: z.string().optional().openapi({ description: 'What is asked of the model, for policies. It is not stored.' }),
  estimatedCost: usd('What the call is expected to cost. 0 asks only whether the budget is exhausted.').optional(),
  inputTokens: count('The most tokens that the call reads, those from a cache included.').optional(),
  maxOutputTokens: count('The most tokens that it may write. Default: the most that the model can.').optional(),
  tokenKinds: z.array(z.enum(TOKEN_KINDS)).optional().openapi({ description: 'Which tokens beside plain text there may be. Default: all that the model has a price for.' }),
  maxCost: usd('A model that is expected to cost more is not taken for this call.').optional(),
  maxTokens: count('The same in tokens.').optional(),
  idempotencyKey,
  sessionId: id('A session of the user, in which the request counts too.').optional(),
  scopes,
  holdTtl: duration('How long the money is held for a call that never reports back: at most 24 hours.', '10m').optional(),
  metadata,
} as const satisfies Fields<CheckRequest>

/** The body of `POST /v1/check`. */
export const checkSchema = z
  .strictObject({ ...checkFields, dryRun: z.literal(true).optional().openapi({ description: 'Only what would be decided: the request counts in no limit of requests, nothing stays held, and there is no Idempotency-Key. Of what is admitted or refused another request may have taken the place since.' }) })
  .openapi('CheckRequest', { description: 'A question before one LLM call. Needs one of estimatedCost, or inputTokens with a model that has a price.' })

const ownUsage = z
  .strictObject({ ...Object.fromEntries(METERS.map(({ field, decimal }) => [field, (decimal === true ? z.number().min(0) : z.int().min(0)).optional()])), cost: usd('What the provider itself says that the call cost.').optional() })
  .openapi({ description: "In bursar's own fields: inputTokens and outputTokens are totals; the other counts of tokens are parts of them." })

/** What a call has used: in bursar's own fields, or as the provider has reported it. */
export const usageFields = {
  usage: z
    .union([ownUsage, z.looseObject({}).openapi({ description: 'With usageFormat: the object `usage` of the answer, as the provider has sent it.' })])
    .optional()
    .openapi({ description: 'What the model has used, in the place of a cost: it is priced here.', example: { inputTokens: 1187, cachedInputTokens: 1024, outputTokens: 211 } }),
  usageFormat: z.enum(USAGE_FORMATS).optional().openapi({ description: "Whose words usage is in: `openai` (prompt_tokens or input_tokens, …) or `anthropic` (input_tokens, cache_read_input_tokens, …). Default: bursar's own." }),
} as const

const settleFields = {
  cost: usd('What the call has cost; rounded up to a microcent (1 USD = 100,000,000).').optional(),
  ...usageFields,
  tokens: z.union([z.int().min(0), z.record(z.string(), z.int().min(0))]).optional().openapi({ description: 'Tokens that were used: one number, or counts by type. Default: those of usage, else the estimate.' }),
  model: id('The model that answered. Default: the one that was decided; usage has its price.').optional(),
  provider: id('Whose model answered. Default: the provider of the request.').optional(),
  estimated: z.literal(true).optional().openapi({ description: 'The cost or usage is an estimate, because the provider did not say: the ledger marks it so.' }),
} as const satisfies Fields<Outcome & { readonly usageFormat?: string | undefined }>

/** The body of a settle. */
export const settleSchema = z.strictObject(settleFields).openapi('Outcome', { description: 'What a call came to: cost or usage.' })

/** One item of a batch of settles. */
const settleItemSchema = z.strictObject({ id: id('The id of the decision.'), tenant, ...settleFields }).openapi('SettleItem')

/** The body of an extension. */
export const extendSchema = z.strictObject({ ttl: duration('How long the money is held from now on: at most 24 hours. Default: as configured.', '10m').optional() }).openapi('Extension')

const costFields = {
  userId,
  tenant,
  userTier,
  model: id('The model that was called. Needed with usage.').optional(),
  provider: id('Whose model it was.').optional(),
  tokens: settleFields.tokens,
  cost: usd('What was spent. It counts whatever the limits say.').optional(),
  sessionId: id('A session of the user, in which it counts too.').optional(),
  scopes,
  metadata,
  idempotencyKey,
} as const satisfies Fields<CostEntry>

/** The body of `POST /v1/costs`. */
export const costSchema = z.strictObject({ ...costFields, ...usageFields }).openapi('CostEntry', { description: 'A cost that no check stood for: cost, or usage with model.' })

/** The body of `POST /v1/refunds`. */
export const refundSchema = z
  .strictObject({
    userId,
    tenant,
    cost: usd('What is given back.'),
    reason: z.string().optional().openapi({ description: 'Why, for the ledger.' }),
    decisionId: id("The decision or cost that is refunded. Default: the user's newest charges first.").optional(),
    idempotencyKey,
  } as const satisfies Fields<RefundEntry>)
  .openapi('RefundEntry')

const sessionFields = {
  userId,
  tenant,
  userTier,
  sessionId: id('Its id. One that is there is resumed. Default: a new one.').optional(),
  maxCost: usd('The most that the run may cost. A new session needs this or maxTokens.').optional(),
  maxTokens: count('The most tokens that it may use.').optional(),
  ttl: duration('How long a new one lives. Default 30 days.', '1d').optional(),
  scopes,
  metadata,
} as const satisfies Fields<Omit<SessionConfig, 'id'> & { readonly sessionId: string }>

/** The body of `POST /v1/sessions`. */
export const sessionSchema = z.strictObject(sessionFields).openapi('SessionConfig')

function batchOf(item: z.ZodType, name: string): z.ZodType {
  return z.strictObject({ items: z.array(item).max(MOST_ITEMS).openapi({ description: `At most ${MOST_ITEMS}. What is wrong with one is its own answer, and no other's.` }) }).openapi(name)
}

/** The body of `POST /v1/check/batch`. */
export const checkBatchSchema = batchOf(checkSchema, 'CheckBatch')
/** The body of `POST /v1/holds/settle/batch`. */
export const settleBatchSchema = batchOf(settleItemSchema, 'SettleBatch')
/** The body of `POST /v1/costs/batch`. */
export const costBatchSchema = batchOf(costSchema, 'CostBatch')

const money = (description: string): z.ZodNumber => z.number().openapi({ description: `USD. ${description}` })
const microcents = (description: string): z.ZodInt => z.int().openapi({ description: `Microcents (1 USD = 100,000,000). ${description}` })
const time = (description: string): z.ZodType => z.string().openapi({ format: 'date-time', description })

const windowSchema = z.looseObject({
  scope: z.looseObject({ kind: z.string(), id: z.string(), tenant: z.string().optional() }).openapi({ description: 'Whose money the window counts.' }),
  period: z.string().openapi({ description: '`daily`, `weekly`, `monthly`, `total`, or `rolling:` and a length.' }),
  unit: z.enum(['usd', 'tokens', 'requests']),
  limit: z.number().nullable().openapi({ description: 'In the unit; null: counted, but without a limit.' }),
  spent: z.number(),
  held: z.number(),
  remaining: z.number().nullable(),
  usedPct: z.number(),
  projectedPct: z.number().openapi({ description: 'The same with this request.' }),
  exceeded: z.boolean(),
  startsAt: time('When it began.'),
  resetsAt: time('When it ends; null: never.').nullable(),
})

const decisionFields = {
  id: z.string().openapi({ description: 'The id under which it is settled: the Idempotency-Key, where one was given; that of a key of a user has `~`, the user and `:` before it for everybody else.' }),
  requestedModel: z.string().optional(),
  rungs: z.array(z.looseObject({ model: z.string().optional(), estimatedCost: money('What it is expected to cost.') })).openapi({ description: 'The models that were open, from the one asked for to the cheapest.' }),
  reason: z.string().openapi({ description: 'One sentence for people.' }),
  verdicts: z.array(z.looseObject({ policy: z.string(), action: z.string(), reason: z.string().optional() })).openapi({ description: 'What each policy said; of budgets that are shared with others only what it came to.' }),
  context: z.looseObject({ windows: z.array(windowSchema) }).openapi({ description: 'What the policies were shown, as far as the key may see it.' }),
  replayed: z.boolean().openapi({ description: 'An earlier request with the same key got this decision: do not make the call again.' }),
  dryRun: z.literal(true).optional().openapi({ description: 'It was only asked: nothing is held.' }),
  enforcedBy: z.enum(['store', 'local', 'none']).openapi({ description: 'What stood behind it: the store, a share of what was left when it was last heard of, or nothing.' }),
}

const allowedFields = {
  allowed: z.literal(true),
  action: z.enum(['ALLOW', 'WARN', 'DEGRADE']),
  model: z.string().optional().openapi({ description: 'The model to call: the one asked for, or a cheaper one.' }),
  estimatedCost: money('What is held.'),
  exact: z.strictObject({ estimatedMicrocents: microcents('The same.') }),
  expiresAt: time('When the hold expires if nothing ends or extends it.'),
  ended: z.enum(['settled', 'released', 'expired']).optional().openapi({ description: "On a repeat: how the first request's hold has ended." }),
}

/** What a check that is allowed is answered with. */
export const decisionSchema = z.looseObject({ ...decisionFields, ...allowedFields }).openapi('Decision')

const { id: decisionId, requestedModel, replayed, dryRun, enforcedBy } = decisionFields

/** The same with `Prefer: return=minimal`. */
export const minimalDecisionSchema = z.strictObject({ id: decisionId, requestedModel, ...allowedFields, replayed, enforcedBy, dryRun }).openapi('MinimalDecision')

/** What a check that is refused is answered with: a problem document with all of the decision. */
export const denialSchema = z
  .looseObject({
    ...problemSchema.shape,
    ...decisionFields,
    allowed: z.literal(false),
    action: z.literal('BLOCK'),
    retryAfterMs: z.int().nullable().optional().openapi({ description: 'Milliseconds until the request would fit if nothing else changed; null: never, or nobody knows. Absent where a budget refuses that is shared with others: when there is room again tells what they spend.' }),
    denial: z.looseObject({ code: z.enum(['budget', 'rate', 'policy', 'policy-error', 'store-unavailable']), message: z.string() }).openapi({ description: 'The refusal: which budget, how full, when it resets, what would still fit.' }),
  })
  .openapi('Denial')

/** What a settle came to. */
export const settlementSchema = z
  .strictObject({
    id: z.string(),
    cost: money('What was charged.'),
    overage: money('The part above what was held.'),
    replayed: z.boolean().openapi({ description: 'The same settle had been made before; nothing was charged again.' }),
    queued: z.literal(true).optional().openapi({ description: 'The store is away and will be told; until then nothing is charged. Where it turns out to know no such hold, or one that has ended in another way, nothing is charged, and the log of the server says so (`store-error`).' }),
    exact: z.strictObject({ costMicrocents: microcents('What was charged.'), overageMicrocents: microcents('The part above what was held.') }),
  })
  .openapi('Settlement')

/** The new end of a hold. */
export const extendedSchema = z.strictObject({ id: z.string(), expiresAt: time('When the hold expires now.') }).openapi('Extended')

/** A cost that was counted. */
export const countedSchema = z
  .strictObject({ id: z.string(), cost: money('What was counted.'), exact: z.strictObject({ microcents: microcents('The same.') }), replayed: z.boolean().openapi({ description: 'The same entry had been counted before.' }) })
  .openapi('CountedCost')

/** Money that was given back. */
export const refundedSchema = z
  .strictObject({
    id: z.string(),
    refunded: money('What was given back.'),
    unapplied: money('The part for which no charge was left.'),
    exact: z.strictObject({ refundedMicrocents: microcents('What was given back.'), unappliedMicrocents: microcents('The rest.') }),
    replayed: z.boolean(),
  })
  .openapi('RefundedCost')

/** A session as it stands. */
export const sessionSummarySchema = z
  .strictObject({
    sessionId: z.string(),
    userId: z.string(),
    tenant: z.string().optional(),
    parentId: z.string().optional().openapi({ description: 'The session that it is nested in.' }),
    startsAt: time('When it was opened.'),
    endsAt: time('From then on it takes no more requests.'),
    totalCost: money('What it has been charged.'),
    totalTokens: z.int(),
    held: money('What its open holds hold.'),
    heldTokens: z.int(),
    maxCost: money('Its cap; null: none.').nullable(),
    maxTokens: z.int().nullable(),
    remainingBudget: money('The least that its caps, and those of the sessions around it, leave; null: there is none.').nullable(),
    remainingTokens: z.int().nullable(),
    exact: z.strictObject({ totalMicrocents: z.int(), heldMicrocents: z.int(), capMicrocents: z.int().nullable(), remainingMicrocents: z.int().nullable() }).openapi({ description: 'The same money in microcents.' }),
  })
  .openapi('Session')

/** The answers to a batch, in the order of its items. */
export const batchAnswerSchema = z
  .strictObject({ items: z.array(z.strictObject({ status: z.int().openapi({ description: 'The status that the item would have been answered with by itself.' }), body: z.looseObject({}).openapi({ description: 'What it would have been answered with.' }) })) })
  .openapi('BatchAnswer')
