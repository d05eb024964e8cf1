// What an application asks: validated strictly, and turned into integers, before anything else happens.

import { z } from 'zod'
import { countSchema, idSchema, isId, usdSchema, type Spender } from '../budget/index.js'
import { parseCount, type Usd } from '../money/index.js'
import { parseDuration, type Duration } from '../time/index.js'
import { parseStrictly, withPlainMetadata, type NamedScopes } from '../tracker/index.js'

/** A question before one LLM call. One of `estimatedCost`, tokens with a price, or the option `estimate` is needed. */
export interface CheckRequest<Tier extends string = string, Group extends string = string> {
  readonly userId: string
  /** Default: the directory's, else `defaultTier`. */
  readonly userTier?: Tier | undefined
  readonly tenant?: string | undefined
  readonly model?: string | undefined
  readonly provider?: string | undefined
  /** For policies; bursar does not read or store it. */
  readonly query?: string | undefined
  /** USD. 0 asks only whether the budget is exhausted. */
  readonly estimatedCost?: Usd | undefined
  readonly inputTokens?: number | undefined
  readonly maxOutputTokens?: number | undefined
  /** One key for one LLM call: a repeat with the same arguments gets the first decision, `replayed`. */
  readonly idempotencyKey?: string | undefined
  readonly sessionId?: string | undefined
  /** Ids of configured scope groups: `{ team: 'search' }`. */
  readonly scopes?: NamedScopes<Group> | undefined
  /** How long the money is held for a call that never reports back. Default 10 minutes. */
  readonly holdTtl?: Duration | undefined
  readonly metadata?: Readonly<Record<string, unknown>> | undefined
}

/** A request whose shape is right. */
export interface ParsedRequest extends Spender {
  readonly given: CheckRequest
  /** inputTokens + maxOutputTokens, where both were given. */
  readonly tokens: number | undefined
  readonly holdTtlMs: number | undefined
  /** What `enrich` loaded for the policies. */
  readonly facts: Readonly<Record<string, unknown>> | undefined
}

const checkRequest = z.strictObject({
  userId: idSchema,
  userTier: idSchema.optional(),
  tenant: idSchema.optional(),
  model: idSchema.optional(),
  provider: idSchema.optional(),
  query: z.string().optional(),
  estimatedCost: usdSchema.optional(),
  inputTokens: countSchema.optional(),
  maxOutputTokens: countSchema.optional(),
  idempotencyKey: idSchema.optional(),
  sessionId: idSchema.optional(),
  scopes: z.record(idSchema, idSchema.optional()).optional(),
  holdTtl: usdSchema.optional(),
  metadata: z.record(z.string(), z.unknown()).optional(),
})

/** Throws `InvalidRequestError`, `InvalidAmountError` or (for `holdTtl`) `InvalidConfigError`, naming the field. */
export function parseRequest(value: unknown): ParsedRequest {
  const given = isPlainRequest(value) ? { ...value } : withPlainMetadata(parseStrictly(checkRequest, value, 'request') as CheckRequest)
  const { userId, tenant, inputTokens, maxOutputTokens, holdTtl } = given
  const input = inputTokens === undefined ? undefined : parseCount(inputTokens, 'inputTokens')
  const output = maxOutputTokens === undefined ? undefined : parseCount(maxOutputTokens, 'maxOutputTokens')
  return {
    user: tenant === undefined ? { userId } : { userId, tenant },
    tier: given.userTier,
    scopes: given.scopes,
    given,
    tokens: input === undefined || output === undefined ? undefined : parseCount(input + output, 'inputTokens + maxOutputTokens'),
    holdTtlMs: holdTtl === undefined ? undefined : parseDuration(holdTtl, 'holdTtl'),
    facts: undefined,
  }
}

/**
 * True for a request that the schema accepts and that has only the fields of most requests. Every request passes here: the
 * schema takes half a microsecond and two kilobytes for what this takes nothing. Whatever it does not know is the schema's.
 */
export function isPlainRequest(value: unknown): value is CheckRequest {
  if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) !== Object.prototype || !Object.hasOwn(value, 'userId')) return false
  for (const field in value) {
    const content = (value as Record<string, unknown>)[field]
    switch (field) {
      case 'userId':
        if (!isId(content)) return false
        break
      case 'userTier':
      case 'tenant':
      case 'model':
      case 'provider':
      case 'idempotencyKey':
      case 'sessionId':
        if (content !== undefined && !isId(content)) return false
        break
      case 'estimatedCost':
        if (content !== undefined && typeof content !== 'string' && !Number.isFinite(content)) return false
        break
      case 'inputTokens':
      case 'maxOutputTokens':
        if (content !== undefined && !Number.isFinite(content)) return false
        break
      default:
        return false
    }
  }
  return true
}
