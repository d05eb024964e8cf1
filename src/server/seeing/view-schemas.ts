// The shapes of the views as schemas: for the description of the service, and nothing else. What they must be, views.ts says.

import { z } from '@hono/zod-openapi'
import type { ActivityRow, BlockedRow, LiveEvent, RestOfRows, SpendRow, StateView, UserView, WindowRow } from './views.js'

const time = z.iso.datetime()
const text = z.string().nullable()
const count = z.int()
const scope = z.strictObject({ kind: z.string(), id: z.string(), tenant: z.string().optional() })
const forecast = z.strictObject({ perDay: z.number(), emptyAt: time.nullable(), atEnd: z.number().nullable() }).nullable().openapi({ description: 'Burn of a day, when it is empty, and where it ends; null: not enough data, or not asked for.' })

const windowFields = {
  scope,
  limitId: text,
  period: z.string().openapi({ example: 'monthly' }),
  unit: z.enum(['usd', 'tokens', 'requests']),
  spent: z.number(),
  held: z.number(),
  limit: z.number().nullable(),
  remaining: z.number().nullable(),
  usedPct: z.number(),
  exceeded: z.boolean(),
  startsAt: time,
  resetsAt: time.nullable(),
  forecast,
}
const windowRow = z.strictObject(windowFields).openapi('WindowRow') satisfies z.ZodType<WindowRow>
const sums = { spent: z.number(), calls: count, denials: count }
const spendRow = z.strictObject({ name: text, ...sums }).openapi('SpendRow') satisfies z.ZodType<SpendRow>
const spendOf = z.strictObject(sums)
const blockedRow = z.strictObject({ userId: z.string(), tenant: text, at: time, code: z.string(), reason: z.string(), model: text, decisionId: z.string(), count }).openapi('BlockedRow') satisfies z.ZodType<BlockedRow>
const numbers = z.array(z.number())
const rest = z.strictObject({ count, spent: z.number(), calls: count }).openapi('RestOfRows') satisfies z.ZodType<RestOfRows>

/** {@link StateView}. */
export const stateSchema = z
  .strictObject({
    now: time,
    timeZone: z.string(),
    caller: z.strictObject({ name: z.string(), roles: z.array(z.enum(['check', 'read', 'admin'])), tenant: text, userId: text, isOperator: z.boolean(), maySetBudgets: z.boolean() }),
    tiers: z.array(z.string()),
    complete: z.boolean().openapi({ description: 'Whether the ledger has all of the month; where it has not, calls, denials, groups, hours and burn are too small.' }),
    today: spendOf,
    month: spendOf,
    burnPerDay: z.number().nullable(),
    burnDays: count.nullable(),
    budgets: z.array(windowRow),
    limits: z.strictObject({ watched: count, exceeded: count }),
    triggered: z.array(z.strictObject({ ...windowFields, thresholdPct: z.number() })),
    triggeredCount: count,
    byTenant: z.array(spendRow),
    byTier: z.array(spendRow),
    byModel: z.array(spendRow),
    topSpenders: z.array(z.strictObject({ name: text, ...sums, userId: z.string(), tenant: text, tier: text, usedPct: z.number().nullable() })),
    more: z.strictObject({ byTenant: rest, byTier: rest, byModel: rest, topSpenders: rest }),
    blocked: z.array(blockedRow),
    hours: z.strictObject({ times: numbers, allow: numbers, warn: numbers, degrade: numbers, block: numbers, spent: numbers }),
  })
  .openapi('State') satisfies z.ZodType<StateView>

const activityRow = z.strictObject({ at: time, kind: z.string(), action: text, model: text, requestedModel: text, cost: z.number(), tokens: z.number(), decisionId: z.string(), explanation: text }) satisfies z.ZodType<ActivityRow>

/** {@link UserView}. */
export const userSchema = z
  .strictObject({
    userId: z.string(),
    tenant: text,
    name: text,
    tier: text,
    tierFrom: z.enum(['directory', 'tenant', 'last', 'default']).nullable(),
    complete: z.boolean().openapi({ description: 'Whether the ledger has all of the last 28 days.' }),
    totalSpent: z.number(),
    windows: z.array(windowRow),
    overrides: z.array(z.strictObject({ period: z.string(), unit: z.string(), limit: z.number().nullable(), until: time.nullable() })),
    activity: z.array(activityRow),
    days: z.strictObject({ times: numbers, spent: numbers }),
  })
  .openapi('User') satisfies z.ZodType<UserView>

const who = { at: time, userId: z.string(), tenant: text }

/** {@link LiveEvent}: the data of one event. */
export const liveEventSchema = z
  .discriminatedUnion('type', [
    z.strictObject({ type: z.literal('decision'), ...who, action: z.enum(['ALLOW', 'WARN', 'DEGRADE', 'BLOCK']), model: text, estimatedCost: z.number(), decisionId: z.string(), reason: z.string() }),
    z.strictObject({ type: z.literal('settled'), ...who, model: text, cost: z.number(), decisionId: z.string(), recorded: z.literal(true).optional() }),
    z.strictObject({ type: z.literal('threshold'), at: time, scope, period: z.string(), unit: z.string(), thresholdPct: z.number(), usedPct: z.number(), limit: z.number() }),
    z.strictObject({ type: z.literal('changed'), at: time, what: z.string() }),
  ])
  .openapi('LiveEvent') satisfies z.ZodType<LiveEvent>
