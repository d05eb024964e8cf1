// Ledger entries as clients see them: ids as they know them, money as USD numbers beside the exact integers, and of what was charged only
// what is theirs to see.

import { z } from '@hono/zod-openapi'
import { actionOf, callsOf, type CostDetails, type LedgerEntry } from '../../ledger/index.js'
import { toUsd } from '../../money/index.js'
import type { Caller } from '../caller.js'
import { clientId } from '../ids.js'

const time = z.iso.datetime()
const texts = z.record(z.string(), z.string())

/** One entry. What an entry does not say is left out. */
export const entrySchema = z
  .strictObject({
    id: z.string(),
    kind: z.enum(['settled', 'released', 'expired', 'recorded', 'corrected', 'denied', 'configured']),
    at: time,
    decisionId: z.string(),
    tenant: z.string().optional(),
    userId: z.string().openapi({ description: 'Empty for what concerns no user.' }),
    tier: z.string().optional(),
    sessionId: z.string().optional(),
    scopes: texts.optional(),
    provider: z.string().optional(),
    requestedModel: z.string().optional(),
    model: z.string().optional(),
    action: z.enum(['ALLOW', 'WARN', 'DEGRADE', 'BLOCK']).optional(),
    cost: z.number().openapi({ description: 'USD; negative for a refund.' }),
    tokens: z.number(),
    calls: z.number(),
    estimatedCost: z.number().optional(),
    estimatedTokens: z.number().optional(),
    openedAt: time.optional(),
    rungs: z.array(z.strictObject({ model: z.string().optional(), cost: z.number(), tokens: z.number() })).optional(),
    charged: z.array(z.strictObject({ scope: z.strictObject({ kind: z.string(), id: z.string(), tenant: z.string().optional() }), window: z.string(), startsAt: time })).openapi({ description: 'The windows that it was charged to; of budgets that are shared with others only the operator is told.' }),
    reason: z.string().optional(),
    details: z.looseObject({}).optional(),
    metadata: z.record(z.string(), z.unknown()).optional(),
    exact: z.strictObject({ microcents: z.number(), estimatedMicrocents: z.number().optional() }),
  })
  .openapi('LedgerEntry')

/** One entry for a caller. */
export function entryView(entry: LedgerEntry, caller: Caller): z.input<typeof entrySchema> {
  const { kind, tenant, userId, tier, sessionId, scopes, provider, requestedModel, model, tokens, estimatedTokens, reason, metadata, microcents, estimatedMicrocents, openedAt, rungs, charged } = entry
  const { id, decisionId, details } = ownWords(entry, caller)
  return {
    id,
    kind,
    at: isoOf(entry.at),
    decisionId,
    tenant,
    userId,
    tier,
    sessionId,
    scopes: scopes as Record<string, string> | undefined,
    provider,
    requestedModel,
    model,
    action: actionOf(entry),
    cost: toUsd(microcents),
    tokens,
    calls: callsOf(entry),
    estimatedCost: estimatedMicrocents === undefined ? undefined : toUsd(estimatedMicrocents),
    estimatedTokens,
    openedAt: openedAt === undefined ? undefined : isoOf(openedAt),
    rungs: rungs?.map((rung) => ({ model: rung.model, cost: toUsd(rung.microcents), tokens: rung.tokens })),
    charged: charged.filter(({ scope }) => caller.maySee(scope)).map(({ scope, window, startsAt }) => ({ scope: { ...scope }, window, startsAt: isoOf(startsAt) })),
    reason,
    details: details as Record<string, unknown> | undefined,
    metadata: metadata as Record<string, unknown> | undefined,
    exact: { microcents, estimatedMicrocents },
  }
}

/** The entry with ids as its tenant knows them; what the operator notes of an assignment is the operator's. */
export function ownWords(entry: LedgerEntry, caller: Caller): LedgerEntry {
  const { id, decisionId, tenant } = entry
  return { ...entry, id: clientId(tenant, id), decisionId: clientId(tenant, decisionId), details: caller.isOperator ? entry.details : withoutAssignment(entry.details) }
}

function withoutAssignment(details: CostDetails | undefined): CostDetails | undefined {
  if (details?.assignment === undefined) return details
  const { assignment: _assignment, ...rest } = details
  return Object.keys(rest).length === 0 ? undefined : rest
}

function isoOf(instant: number): string {
  return new Date(instant).toISOString()
}
