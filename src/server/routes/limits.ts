// Limits that are made, changed and removed at run time.

import { z, type OpenAPIHono } from '@hono/zod-openapi'
import { assertId } from '../../budget/index.js'
import { isBursarError } from '../../errors/index.js'
import type { Limit, LimitPatch, LimitTarget, NewLimit } from '../../limits/index.js'
import { Briefly } from '../administration/briefly.js'
import { budgetPatchSchema, idParams, limitBudgetSchema, limitsShown, pageFields, pageSchema, timeSchema, windowSchema } from '../administration/budget-schemas.js'
import type { Caller } from '../caller.js'
import { MOST_ID, newRequestId } from '../ids.js'
import { isWithin, managedLimit, manages, newLimitId, targetFor, visibleLimit } from '../administration/limit-reach.js'
import { pageByKey } from '../administration/paging.js'
import { Problem } from '../problem.js'
import { body, idParameter, json, operation, problem, routes, tenantQuery } from '../route.js'
import type { Engine, Env, Service } from '../service.js'
import { instantOf, instantSchema } from '../seeing/when.js'
import { byId, limitIdFor, windowRow } from '../seeing/window-row.js'

const TAGS = ['Limits']
/** Of one tenant's own making: every process knows all limits there are. */
const MOST_OWN = 1_000
/** And of one scope: a request is counted in each that it meets. */
const MOST_ALIKE = 20

const scopeSchema = z
  .strictObject({ kind: idParameter, id: idParameter.optional(), tenant: idParameter.optional() })
  .openapi('LimitScope', { description: "`{ kind: 'global' }`, `{ kind: 'tenant', id }`, `{ kind: 'tier', id }`, `{ kind: 'user', id, tenant? }`, or a group of the configuration. The id `*` gives each of them a limit apart." })
const percent = z.number().min(0).max(1_000)
const fields = {
  from: instantSchema.nullable().optional(),
  until: instantSchema.nullable().optional(),
  mode: z.enum(['block', 'alert']).optional(),
  thresholds: z.strictObject({ warn: percent.optional(), degrade: percent.optional(), block: percent.optional() }).nullable().optional(),
  description: z.string().min(1).max(1_000).nullable().optional(),
}
const limitId = z.string().max(MOST_ID).regex(/^[!-.0-~]+$/, 'must be visible ASCII characters without spaces and without /')

const limitSchema = z
  .strictObject({
    id: z.string(),
    managed: z.boolean().openapi({ description: 'Whether this key may change it.' }),
    scope: z.strictObject({ kind: z.string(), id: z.string().optional(), tenant: z.string().optional() }),
    budget: limitBudgetSchema,
    from: timeSchema.nullable(),
    until: timeSchema.nullable(),
    mode: z.enum(['block', 'alert']),
    thresholds: z.strictObject({ warn: z.number().optional(), degrade: z.number().optional(), block: z.number().optional() }).nullable(),
    description: z.string().nullable(),
    createdAt: timeSchema,
    state: z.enum(['upcoming', 'active', 'expired']),
    version: z.int(),
  })
  .openapi('Limit')
const triggeredSchema = windowSchema.extend({ thresholdPct: z.number() }).openapi('TriggeredWindow')
const gone = problem('There is no such limit.')

const list = operation('read', {
  method: 'get',
  path: '/v1/limits',
  tags: TAGS,
  summary: 'List limits',
  description: "In the order of their ids; those that have expired too. A tenant's key sees those on that tenant and its users alone.",
  request: { query: tenantQuery.extend({ ...pageFields, kind: idParameter.optional(), id: idParameter.optional(), mode: z.enum(['block', 'alert']).optional(), state: z.enum(['upcoming', 'active', 'expired']).optional() }) },
  responses: { 200: json(pageSchema(limitSchema, 'Limits'), 'A page of them.') },
})
const create = operation('admin', {
  method: 'post',
  path: '/v1/limits',
  tags: TAGS,
  summary: 'Make a limit',
  description: "It counts from now (or `from`) on, and every process knows it within a second. A tenant's admin makes limits on its own tenant and users, and may leave the tenant out.",
  request: { body: body(z.strictObject({ id: limitId.optional(), scope: scopeSchema, budget: limitBudgetSchema, ...fields })) },
  responses: { 201: json(limitSchema, 'It was made.'), 409: problem('There is a limit of that id, or there are too many.') },
})
const triggered = operation('read', {
  method: 'get',
  path: '/v1/limits/triggered',
  tags: TAGS,
  summary: 'Windows at or over a threshold',
  description: 'Of limits and shared budgets, the most severe first. Where it takes long to find them, it may be some seconds old.',
  request: { query: z.strictObject({ budgets: z.enum(['true', 'false']).optional().openapi({ description: 'false leaves out what the configuration names.' }) }) },
  responses: { 200: json(z.strictObject({ items: z.array(triggeredSchema) }).openapi('Triggered'), 'All of them.') },
})
const get = operation('read', { method: 'get', path: '/v1/limits/{id}', tags: TAGS, summary: 'One limit', request: { params: idParams }, responses: { 200: json(limitSchema, 'The limit.'), 404: gone } })
const change = operation('admin', {
  method: 'patch',
  path: '/v1/limits/{id}',
  tags: TAGS,
  summary: 'Change a limit',
  description: 'What is left out stays, and so does all that was counted; null takes it away.',
  request: { params: idParams, body: body(z.strictObject({ budget: budgetPatchSchema.optional(), ...fields })) },
  responses: { 200: json(limitSchema, 'It is changed.'), 404: gone },
})
const remove = operation('admin', { method: 'delete', path: '/v1/limits/{id}', tags: TAGS, summary: 'Remove a limit', request: { params: idParams }, responses: { 204: { description: 'It is gone.' }, 404: gone } })
const progress = operation('read', {
  method: 'get',
  path: '/v1/limits/{id}/progress',
  tags: TAGS,
  summary: 'How full a limit is',
  description: 'Of a limit of `*`: the windows of `member`, or of each in whose anything is spent or held.',
  request: { params: idParams, query: tenantQuery.extend({ member: idParameter.optional().openapi({ description: 'One of those that it counts apart; of users with `tenant`, where the limit names none.' }) }) },
  responses: { 200: json(z.strictObject({ items: z.array(windowSchema) }).openapi('LimitProgress'), 'Its windows.'), 404: gone },
})

/** Limits. */
export function limitRoutes({ engine: { tracker }, feed }: Service): OpenAPIHono<Env> {
  const found = new Briefly<Awaited<ReturnType<Engine['tracker']['limits']['triggered']>>>()
  const windows = new Briefly<Awaited<ReturnType<Engine['tracker']['limits']['progress']>>>()

  function changed({ scope }: Limit): void {
    found.forget()
    windows.forget()
    feed.changed('limit', scope.kind === 'tenant' ? scope.id : scope.tenant)
  }

  return routes()
    .openapi(list, async (context) => {
      const { tenant: named, limit, cursor, ...filter } = context.req.valid('query')
      const caller = context.get('caller')
      const tenant = caller.tenantOf(named)
      const wanted = (await tracker.limits.list(filter)).filter(({ scope }) => isWithin(caller, scope) && (tenant === undefined || (scope.kind === 'tenant' ? scope.id : scope.tenant) === tenant))
      const { items, next } = await pageByKey(wanted.map((each) => ({ key: keyFor(caller, each), each })), '', { limit, cursor })
      return context.json({ items: items.map(({ each }) => shown(caller, each)), ...(next !== undefined && { next }) } as never, 200)
    })
    .openapi(create, async (context) => {
      const caller = context.get('caller')
      const { id = newRequestId(), scope, from, until, ...rest } = context.req.valid('json')
      const target = targetFor(caller, scope)
      const inStore = newLimitId(caller, id)
      const there = await tracker.limits.list()
      if (there.some((each) => each.id === inStore)) throw taken(id)
      if (!caller.isOperator) assertRoom(there.filter((each) => manages(caller, each)), target)
      const made = await tracker.limits.create({ id: inStore, scope: target, ...instants({ from, until }, tracker.reports.timeZone), ...rest } as NewLimit).catch(async (error: unknown) => {
        // Somebody else was faster.
        if (isBursarError(error) && error.code === 'INVALID_REQUEST' && (await tracker.limits.get(inStore)) !== undefined) throw taken(id)
        throw error
      })
      changed(made)
      return context.json(shown(caller, made) as never, 201)
    })
    .openapi(triggered, async (context) => {
      const budgets = context.req.valid('query').budgets !== 'false'
      const caller = context.get('caller')
      const limits = byId(await tracker.limits.list())
      const all = await found.get(String(budgets), () => tracker.limits.triggered({ budgets }))
      const items = all.flatMap((each) => {
        const row = windowRow(caller, each, limits)
        return row === undefined ? [] : [{ ...row, thresholdPct: each.thresholdPct }]
      })
      return context.json({ items } as never, 200)
    })
    .openapi(get, async (context) => {
      const caller = context.get('caller')
      return context.json(shown(caller, await visibleLimit(tracker, caller, limitIn(context.req.valid('param')))) as never, 200)
    })
    .openapi(change, async (context) => {
      const caller = context.get('caller')
      const { from, until, ...patch } = context.req.valid('json')
      const { id } = await managedLimit(tracker, caller, limitIn(context.req.valid('param')))
      const limit = await tracker.limits.change(id, { ...instants({ from, until }, tracker.reports.timeZone), ...patch } as LimitPatch)
      changed(limit)
      return context.json(shown(caller, limit) as never, 200)
    })
    .openapi(remove, async (context) => {
      const limit = await managedLimit(tracker, context.get('caller'), limitIn(context.req.valid('param')))
      await tracker.limits.remove(limit.id)
      changed(limit)
      return context.body(null, 204)
    })
    .openapi(progress, async (context) => {
      const caller = context.get('caller')
      const { tenant: named, member: asked } = context.req.valid('query')
      const limit = await visibleLimit(tracker, caller, limitIn(context.req.valid('param')))
      const tenant = caller.tenantOf(named)
      // A user's key reads nobody else's, and counts nobody to find out.
      const own = caller.userId !== undefined && limit.scope.id === '*' ? caller.userId : undefined
      if (own !== undefined && asked !== undefined) caller.userOf(asked, tenant)
      const id = asked ?? own
      const member = id === undefined ? undefined : limit.scope.kind === 'user' && tenant !== undefined ? { userId: id, tenant } : id
      const read = member === undefined ? await windows.get(limit.id, () => tracker.limits.progress(limit.id)) : await tracker.limits.progress(limit.id, { member })
      const limits = byId([limit])
      return context.json({ items: read.flatMap((each) => windowRow(caller, each, limits) ?? []) } as never, 200)
    })
}

function limitIn({ id }: { readonly id: string }): string {
  assertId(id, 'id')
  return id
}

/** Throws a 409 where a tenant has made so many limits that others would have to wait for its requests. */
function assertRoom(own: readonly Limit[], { kind, id }: LimitTarget): void {
  const alike = own.filter(({ scope }) => scope.kind === kind && scope.id === id).length
  if (alike >= MOST_ALIKE) throw new Problem(409, 'CONFLICT', `limits: there are ${MOST_ALIKE} of this tenant's own on that scope. Remove some, or change one.`)
  if (own.length >= MOST_OWN) throw new Problem(409, 'CONFLICT', `limits: there are ${MOST_OWN} of this tenant's own. Remove some.`)
}

/** What a page is ordered by: as the caller knows it, their own first where two are called the same. */
function keyFor(caller: Caller, limit: Limit): string {
  return `${limitIdFor(caller, limit.id)} ${manages(caller, limit) ? 0 : 1}`
}

/** What is given, as dates. */
function instants(given: Readonly<Record<'from' | 'until', string | null | undefined>>, zone: string): Pick<NewLimit, 'from' | 'until'> {
  return Object.fromEntries(Object.entries(given).flatMap(([field, value]) => (value === undefined ? [] : [[field, value === null ? null : new Date(instantOf(value, field, zone))]])))
}

function taken(id: string): Problem {
  return new Problem(409, 'CONFLICT', `id: limit "${id}" is there already. PATCH changes it; or choose another id.`)
}

function shown(caller: Caller, limit: Limit): object {
  const { id, scope, budget, from, until, mode, thresholds, description, createdAt, state, version } = limit
  return {
    id: limitIdFor(caller, id),
    managed: manages(caller, limit),
    scope,
    budget: limitsShown(budget),
    from: from?.toISOString() ?? null,
    until: until?.toISOString() ?? null,
    mode,
    thresholds,
    description,
    createdAt: createdAt.toISOString(),
    state,
    version,
  }
}
