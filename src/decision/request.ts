// What an application asks: validated strictly, and turned into integers, before anything else happens.

import { z } from 'zod'
import { countSchema, idSchema, isId, usdSchema, type Spender } from '../budget/index.js'
import { parseCount, parseUsd, type Usd } from '../money/index.js'
import type { TokenKind } from '../pricing/index.js'
import { parseDuration, type Duration } from '../time/index.js'
import { parseStrictly, withPlainMetadata, type NamedScopes } from '../tracker/index.js'

/** A question before one LLM call. One of `estimatedCost`, `inputTokens` with a price, or the option `estimate` is needed. */
export interface CheckRequest<Tier extends string = string, Group extends string = string> {
  /** Whose money. Inside `Bursar.runAs` it may be left out; there a request of the same user takes from the identity what it does not say itself. */
  readonly userId?: string | undefined
  /** Default: the directory's, else `defaultTier`. */
  readonly userTier?: Tier | undefined
  readonly tenant?: string | undefined
  readonly model?: string | undefined
  readonly provider?: string | undefined
  /** For policies; bursar does not read or store it. */
  readonly query?: string | undefined
  /** USD. 0 asks only whether the budget is exhausted. */
  readonly estimatedCost?: Usd | undefined
  /** The most tokens that the call reads, those from a cache included. */
  readonly inputTokens?: number | undefined
  /** The most that it may write; default: the most that the model can, as far as its price says so. */
  readonly maxOutputTokens?: number | undefined
  /** Which tokens beside plain text (and text from a cache) there may be. Default: all that the model has a price for, at the dearest. */
  readonly tokenKinds?: readonly TokenKind[] | undefined
  /** USD: a model that is expected to cost more than this is not taken for this call. */
  readonly maxCost?: Usd | undefined
  /** The same in tokens. */
  readonly maxTokens?: number | undefined
  /** One key for one LLM call: a repeat with the same arguments gets the first decision, `replayed`. */
  readonly idempotencyKey?: string | undefined
  /** A session of the user, in which the request counts too: see {@link Bursar.session}. */
  readonly sessionId?: string | undefined
  /** Ids of configured scope groups: `{ team: 'search' }`. */
  readonly scopes?: NamedScopes<Group> | undefined
  /** How long the money is held for a call that never reports back. Default 10 minutes. */
  readonly holdTtl?: Duration | undefined
  readonly metadata?: Readonly<Record<string, unknown>> | undefined
}

/** A request that says whose it is. */
export interface IdentifiedRequest<Tier extends string = string, Group extends string = string> extends CheckRequest<Tier, Group> {
  readonly userId: string
}

/** A request whose shape is right. */
export interface ParsedRequest extends Spender {
  readonly given: IdentifiedRequest
  /** inputTokens + maxOutputTokens, where both were given. */
  readonly tokens: number | undefined
  readonly inputTokens: number | undefined
  readonly maxOutputTokens: number | undefined
  /** What one call may cost, in integers; absent: no such cap. */
  readonly caps: CallCaps | undefined
  readonly holdTtlMs: number | undefined
  /** False: windows of requests are left out. */
  readonly countsRequest: boolean
  /** It is only asked what would be decided. */
  readonly isDryRun: boolean
  /** What `enrich` loaded for the policies. */
  readonly facts: Readonly<Record<string, unknown>> | undefined
}

/** The most that a single call may be expected to use. */
export interface CallCaps {
  readonly microcents: number | undefined
  readonly tokens: number | undefined
}

const TOKEN_KINDS: readonly TokenKind[] = ['cache-write', 'cache-write-1h', 'audio', 'image', 'video', 'reasoning', 'citation']

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
  tokenKinds: z.array(z.enum(TOKEN_KINDS)).optional(),
  maxCost: usdSchema.optional(),
  maxTokens: countSchema.optional(),
  idempotencyKey: idSchema.optional(),
  sessionId: idSchema.optional(),
  scopes: z.record(idSchema, idSchema.optional()).optional(),
  holdTtl: usdSchema.optional(),
  metadata: z.record(z.string(), z.unknown()).optional(),
})

/** Throws `InvalidRequestError`, `InvalidAmountError` or (for `holdTtl`) `InvalidConfigError`, naming the field. */
export function parseRequest(value: unknown, countsRequest = true, isDryRun = false): ParsedRequest {
  const given = isPlainRequest(value) ? { ...value } : (withPlainMetadata(parseStrictly(checkRequest, value, 'request') as CheckRequest) as IdentifiedRequest)
  const { userId, tenant, inputTokens, maxOutputTokens, maxCost, maxTokens, holdTtl } = given
  const input = inputTokens === undefined ? undefined : parseCount(inputTokens, 'inputTokens')
  const output = maxOutputTokens === undefined ? undefined : parseCount(maxOutputTokens, 'maxOutputTokens')
  const hasCaps = maxCost !== undefined || maxTokens !== undefined
  return {
    user: tenant === undefined ? { userId } : { userId, tenant },
    tier: given.userTier,
    scopes: given.scopes,
    session: given.sessionId,
    given,
    tokens: input === undefined || output === undefined ? undefined : parseCount(input + output, 'inputTokens + maxOutputTokens'),
    inputTokens: input,
    maxOutputTokens: output,
    caps: hasCaps ? { microcents: maxCost === undefined ? undefined : parseCap(maxCost), tokens: maxTokens === undefined ? undefined : parseCount(maxTokens, 'maxTokens') } : undefined,
    holdTtlMs: holdTtl === undefined ? undefined : parseDuration(holdTtl, 'holdTtl'),
    countsRequest: countsRequest && !isDryRun,
    isDryRun,
    facts: undefined,
  }
}

/** A cap in microcents, rounded down: no call costs a part of one. */
function parseCap(maxCost: Usd): number {
  const up = parseUsd(maxCost, 'maxCost', 'round-up')
  try {
    return parseUsd(maxCost, 'maxCost', 'refuse')
  } catch {
    return up - 1
  }
}

/**
 * True for a request that the schema accepts and that has only the fields of most requests. Every request passes here: the
 * schema takes half a microsecond and two kilobytes for what this takes nothing. Whatever it does not know is the schema's.
 */
export function isPlainRequest(value: unknown): value is IdentifiedRequest {
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
