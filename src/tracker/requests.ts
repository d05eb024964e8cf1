// What CostTracker's methods take, validated strictly at the edge: unknown fields, empty ids and odd numbers stop here.

import { z } from 'zod'
import { countSchema, describeIssues, idSchema, overrideSchema, usdSchema, type AmountConfig } from '../budget/index.js'
import { InvalidRequestError } from '../errors/index.js'
import { ASSIGNED } from '../ledger/index.js'
import { parseCount, type Usd } from '../money/index.js'
import type { Duration } from '../time/index.js'
import { assertNoPrototypeKey, plainData } from './plain-data.js'

/** Ids of the configured groups that a request may name: `tenant` and `tier` follow from who the user is. */
export type NamedScopes<Group extends string> = [Exclude<Group, 'tenant' | 'tier'>] extends [never]
  ? Readonly<Record<string, never>>
  : { readonly [group in Exclude<Group, 'tenant' | 'tier'>]?: string | undefined }

/** The scope ids that a request names; `undefined` where it names none. */
export function namedScopes(scopes: Readonly<Record<string, string | undefined>> | undefined): Readonly<Record<string, string>> | undefined {
  if (scopes === undefined) return undefined
  const named = Object.entries(scopes).filter((entry): entry is [string, string] => entry[1] !== undefined)
  return named.length === 0 ? undefined : Object.fromEntries(named)
}

/** Tokens as one number or by type. `total` is a check value: it must be the sum of the others. */
export type TokenCounts = number | Readonly<Record<string, number>>

/** A cost that no decision stood for. */
export interface CostEntry<Tier extends string = string, Group extends string = string> {
  readonly userId: string
  readonly tenant?: string | undefined
  readonly userTier?: Tier | undefined
  readonly model?: string | undefined
  readonly provider?: string | undefined
  readonly tokens?: TokenCounts | undefined
  /** USD. */
  readonly cost: Usd
  /** A session of the user: see `Bursar.session`. */
  readonly sessionId?: string | undefined
  readonly scopes?: NamedScopes<Group> | undefined
  readonly metadata?: Readonly<Record<string, unknown>> | undefined
  /** Repeating the same entry with the same key counts it once. */
  readonly idempotencyKey?: string | undefined
}

/** Money to give back. */
export interface RefundEntry {
  readonly userId: string
  readonly tenant?: string | undefined
  /** USD. */
  readonly cost: Usd
  readonly reason?: string | undefined
  /** The decision or recorded cost that is refunded; without it the user's newest charges are taken first. */
  readonly decisionId?: string | undefined
  readonly idempotencyKey?: string | undefined
}

/** A question about a user's budget. */
export interface ContextRequest<Tier extends string = string, Group extends string = string> {
  readonly userId: string
  readonly tenant?: string | undefined
  readonly userTier?: Tier | undefined
  readonly model?: string | undefined
  readonly provider?: string | undefined
  readonly query?: string | undefined
  /** USD; default 0. */
  readonly estimatedCost?: Usd | undefined
  readonly estimatedTokens?: number | undefined
  readonly scopes?: NamedScopes<Group> | undefined
  readonly metadata?: Readonly<Record<string, unknown>> | undefined
}

/** Limits of one user's own: amounts replace the tier's window by window, `null` takes an override away. */
export interface BudgetOverride {
  readonly daily?: AmountConfig | null | undefined
  readonly weekly?: AmountConfig | null | undefined
  readonly monthly?: AmountConfig | null | undefined
  readonly total?: AmountConfig | null | undefined
  readonly rolling?: { readonly [length in Extract<Duration, string>]?: AmountConfig | null } | undefined
}

const spender = { userId: idSchema, tenant: idSchema.optional(), userTier: idSchema.optional() }
const described = { model: idSchema.optional(), provider: idSchema.optional(), scopes: z.record(idSchema, idSchema.optional()).optional(), metadata: z.record(z.string(), z.unknown()).optional() }

const tokens = z.union([countSchema, z.record(z.string(), countSchema)])
const costEntry = z.strictObject({ ...spender, ...described, tokens: tokens.optional(), cost: usdSchema, sessionId: idSchema.optional(), idempotencyKey: idSchema.optional() })
const refundEntry = z.strictObject({ userId: idSchema, tenant: idSchema.optional(), cost: usdSchema, reason: z.string().refine((reason) => reason !== ASSIGNED, `"${ASSIGNED}" is what entries say that ledger.assign writes. Say why otherwise.`).optional(), decisionId: idSchema.optional(), idempotencyKey: idSchema.optional() })
const contextRequest = z.strictObject({ ...spender, ...described, query: z.string().optional(), estimatedCost: usdSchema.optional(), estimatedTokens: countSchema.optional() })

/** Throws `InvalidRequestError` for a field that is none of the known ones. */
export function assertKnownFields(value: object, known: readonly string[], root: string): void {
  const unknown = Object.keys(value).find((name) => !known.includes(name))
  if (unknown !== undefined) throw new InvalidRequestError(`${root}.${unknown}: is no known field. Use ${known.join(' or ')}.`)
}

/** Parses against a schema, or throws `InvalidRequestError` with the path of what is wrong. */
export function parseStrictly<T>(schema: z.ZodType<T>, value: unknown, root: string): T {
  assertNoPrototypeKey(value)
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  throw new InvalidRequestError(value === undefined ? `${root}: is missing. Give an object.` : describeIssues(parsed.error))
}

/** The same request with its metadata copied, checked and frozen. Throws `InvalidRequestError` for what is no plain data. */
export function withPlainMetadata<T extends { readonly metadata?: Readonly<Record<string, unknown>> | undefined }>(request: T): T {
  return request.metadata === undefined ? request : { ...request, metadata: plainData(request.metadata, 'metadata') }
}

/** An argument of `addCost`. */
export const parseCostEntry = (value: unknown): CostEntry => withPlainMetadata(parseStrictly(costEntry, value, 'entry') as CostEntry)
/** An argument of `refund`. */
export const parseRefundEntry = (value: unknown): RefundEntry => parseStrictly(refundEntry, value, 'refund') as RefundEntry
/** An argument of `context`. */
export const parseContextRequest = (value: unknown): ContextRequest => withPlainMetadata(parseStrictly(contextRequest, value, 'request') as ContextRequest)
/** An argument of `updateUserBudget`. */
export const parseOverride = (value: unknown): BudgetOverride => parseStrictly(overrideSchema, value, 'budget') as BudgetOverride

/** The sum of tokens. Throws `InvalidAmountError` for what is no count, `InvalidRequestError` if `total` is not the sum. */
export function totalTokens(counts: TokenCounts, field: string): number {
  if (typeof counts === 'number') return parseCount(counts, field)
  const { total, ...byType } = counts
  const entries = Object.entries(byType)
  const sum = parseCount(entries.reduce((all, [type, count]) => all + parseCount(count, `${field}.${type}`), 0), field)
  if (entries.length === 0 && total === undefined) throw new InvalidRequestError(`${field}: names no tokens. Give a number, or counts by type such as { input, output }.`)
  if (total === undefined) return sum
  if (parseCount(total, `${field}.total`) !== sum && entries.length > 0) {
    throw new InvalidRequestError(`${field}.total: ${total} is not the sum of the other types (${sum}). Correct it, or leave it out.`)
  }
  return entries.length > 0 ? sum : total
}
