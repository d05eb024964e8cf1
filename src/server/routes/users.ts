// A user's budget, tier and own limits.

import { z, type OpenAPIHono } from '@hono/zod-openapi'
import { canonicalPeriod, toUserRef, type UserRef } from '../../budget/index.js'
import type { BudgetOverride, UserOverride } from '../../tracker/index.js'
import { idParams, overrideFields, overrideSchema, timeSchema, windowSchema } from '../administration/budget-schemas.js'
import { BudgetSummaries } from '../administration/budget-summary.js'
import type { Caller } from '../caller.js'
import { gate } from '../http/gate.js'
import { body, idParameter, json, operation, routes, tenantQuery } from '../route.js'
import { Problem } from '../problem.js'
import type { Engine, Env, Service } from '../service.js'
import { instantOf, instantSchema } from '../seeing/when.js'

const TAGS = ['Users']
/** Each is a window that every request of the user is counted in. */
const MOST_PERIODS = 30
const period = z.string().min(1).max(40).optional().openapi({ description: '`daily`, `weekly`, `monthly`, `total`, or a trailing window such as `rolling:5h`.' })

const budgetSchema = z
  .strictObject({
    customer_id: z.string(),
    budget_limit_usd: z.number().nullable().openapi({ description: 'null: without a limit.' }),
    budget_used_usd: z.number().openapi({ description: 'What was spent, and what open holds keep: limit − used is what remains.' }),
    budget_remaining_usd: z.number().nullable(),
    requests_count: z.int().nullable().openapi({ description: 'LLM calls charged in that period; null where the ledger does not keep all of them. Where it takes long to count them, it may be some seconds old.' }),
    period_start: timeSchema,
    period_end: timeSchema.nullable().openapi({ description: 'null: never.' }),
    budget_available_usd: z.number().nullable().openapi({ description: 'What can be spent now: the least that remains in any of the `windows` that limit USD and refuse requests; null: none does.' }),
    budget_spent_usd: z.number(),
    budget_held_usd: z.number(),
    period: z.string().openapi({ example: 'monthly', description: 'The longest calendar window that has a limit, if none was asked for; else the longest that has one; else the month.' }),
    tenant: z.string().nullable(),
    tier: z.string().nullable(),
    windows: z.array(windowSchema).openapi({ description: "All that the key may see: the user's own, and those of limits and shared budgets." }),
  })
  .openapi('Budget')

const overridesSchema = z.strictObject({ userId: z.string(), tenant: z.string().nullable(), overrides: z.array(overrideSchema) }).openapi('UserOverrides')
const tierSchema = z.strictObject({ userId: z.string(), tenant: z.string().nullable(), tier: z.string().nullable().openapi({ description: 'What the directory has; null: none.' }) }).openapi('UserTier')

const userBudget = operation('read', {
  method: 'get',
  path: '/v1/users/{id}/budget',
  tags: TAGS,
  summary: "A user's budget",
  request: { params: idParams, query: tenantQuery.extend({ period, tier: idParameter.optional().openapi({ description: 'As if the user were of this tier: for keys that may give tiers.' }) }) },
  responses: { 200: json(budgetSchema, 'The budget as it stands.') },
})
const ownBudget = (path: '/v1/budget' | '/budget') =>
  operation('read', {
    method: 'get',
    path,
    tags: TAGS,
    summary: "The budget of the key's own user",
    description: 'For a key that is bound to a user.',
    request: { query: z.strictObject({ period }) },
    responses: { 200: json(budgetSchema, 'The budget as it stands.') },
  })
const setTier = operation('admin', {
  method: 'put',
  path: '/v1/users/{id}/tier',
  tags: TAGS,
  summary: "Set a user's tier",
  description: 'In the directory, where requests that name none find it. null takes it away. What was spent stays.',
  request: { params: idParams, query: tenantQuery, body: body(z.strictObject({ tier: idParameter.nullable() })) },
  responses: { 200: json(tierSchema, 'It is set.') },
})
const setBudget = operation('admin', {
  method: 'put',
  path: '/v1/users/{id}/budget',
  tags: TAGS,
  summary: 'Give a user limits of their own',
  description: "Over the tier's, window by window and unit by unit, until a moment or for good. What is left out stays as it is; null takes the limits of a window away, `{}` lifts them. What was spent stays.",
  request: { params: idParams, query: tenantQuery, body: body(z.strictObject({ ...overrideFields, until: instantSchema.nullable().optional() })) },
  responses: { 200: json(overridesSchema, 'All limits of their own that the user has now.') },
})
const clearBudget = operation('admin', {
  method: 'delete',
  path: '/v1/users/{id}/budget',
  tags: TAGS,
  summary: "Take a user's own limits away",
  description: "Of one period, or all of them: the tier's count again. What was spent stays.",
  request: { params: idParams, query: tenantQuery.extend({ period }) },
  responses: { 204: { description: 'The user has none any more.' } },
})

/** A user's budget, tier and own limits. */
export function userRoutes(service: Service): OpenAPIHono<Env> {
  const { engine, feed, options } = service
  const { tracker } = engine
  const summaries = new BudgetSummaries(engine)

  /** A user whose budget this caller may change. */
  function raisable(caller: Caller, id: string, tenant: string | undefined): UserRef {
    const user = toUserRef(caller.userOf(id, tenant))
    caller.assertMayRaise(options)
    return user
  }

  const app = routes()
  app.use('/budget', gate(service))
  for (const path of ['/v1/budget', '/budget'] as const) {
    app.openapi(ownBudget(path), async (context) => {
      const caller = context.get('caller')
      return context.json((await summaries.of(caller, caller.self, context.req.valid('query'))) as never, 200)
    })
  }
  return app
    .openapi(userBudget, async (context) => {
      const { tenant, period: asked, tier } = context.req.valid('query')
      const caller = context.get('caller')
      const user = toUserRef(caller.userOf(context.req.valid('param').id, tenant))
      if (tier !== undefined) caller.assertMayRaise(options)
      return context.json((await summaries.of(caller, user, { period: asked, tier })) as never, 200)
    })
    .openapi(setTier, async (context) => {
      const user = raisable(context.get('caller'), context.req.valid('param').id, context.req.valid('query').tenant)
      const { tier } = context.req.valid('json')
      await tracker.setUserTier(user, tier)
      feed.changed('tier', user.tenant)
      return context.json({ userId: user.userId, tenant: user.tenant ?? null, tier }, 200)
    })
    .openapi(setBudget, async (context) => {
      const user = raisable(context.get('caller'), context.req.valid('param').id, context.req.valid('query').tenant)
      const { until, ...budget } = context.req.valid('json')
      if (Object.keys(budget).length === 0) throw new Problem(422, 'INVALID_REQUEST', 'budget: names no window. Give an amount for one, such as { "daily": 5 }.')
      const { rolling = {}, ...named } = budget
      const lengths = Object.keys(rolling).map((length) => canonicalPeriod(`rolling:${length}`))
      const periods = new Set([...(await tracker.getUserOverrides(user)).map((each) => each.period), ...Object.keys(named), ...lengths])
      if (periods.size > MOST_PERIODS) throw new Problem(422, 'INVALID_REQUEST', `budget: with these the user has limits of their own in more than ${MOST_PERIODS} windows. Take some away first.`)
      await tracker.updateUserBudget(user, budget as BudgetOverride, until == null ? {} : { until: new Date(instantOf(until, 'until', tracker.reports.timeZone)) })
      feed.changed('budget', user.tenant)
      return context.json(await overridesOf(tracker, user), 200)
    })
    .openapi(clearBudget, async (context) => {
      const { tenant, period: asked } = context.req.valid('query')
      const user = raisable(context.get('caller'), context.req.valid('param').id, tenant)
      if (await clearOverrides(tracker, user, asked)) feed.changed('budget', user.tenant)
      return context.body(null, 204)
    })
}

/** Takes away the limits that a user has of their own: of one period, or all; false where there were none. Throws a 422 for what is no period. */
export async function clearOverrides(tracker: Engine['tracker'], user: UserRef, period?: string): Promise<boolean> {
  const name = period === undefined ? undefined : canonicalPeriod(period)
  if (name !== undefined && !/^(daily|weekly|monthly|total|rolling:.+)$/.test(name)) throw new Problem(422, 'INVALID_REQUEST', `period: ${JSON.stringify(period)} is none. Use daily, weekly, monthly, total, or a trailing window such as rolling:5h.`)
  const found = await tracker.getUserOverrides(user)
  const periods = new Set(found.map((each) => each.period).filter((each) => name === undefined || each === name))
  if (periods.size === 0) return false
  const named: Record<string, null> = {}
  const rolling: Record<string, null> = {}
  for (const each of periods) {
    if (each.startsWith('rolling:')) rolling[each.slice('rolling:'.length)] = null
    else named[each] = null
  }
  await tracker.updateUserBudget(user, { ...named, ...(Object.keys(rolling).length > 0 && { rolling }) } as BudgetOverride)
  return true
}

async function overridesOf(tracker: Engine['tracker'], user: UserRef): Promise<z.output<typeof overridesSchema>> {
  return { userId: user.userId, tenant: user.tenant ?? null, overrides: (await tracker.getUserOverrides(user)).map(overrideShown) }
}

function overrideShown({ period: name, unit, limit, until }: UserOverride): z.output<typeof overrideSchema> {
  return { period: name, unit, limit, until: until?.toISOString() ?? null }
}
