// Tenants, for the operator: what they are called, and what is set for their users.

import { z, type OpenAPIHono } from '@hono/zod-openapi'
import { assertId } from '../../budget/index.js'
import { nameSchema, pageFields, pageSchema, timeSchema } from '../administration/budget-schemas.js'
import { MOST_TENANT } from '../ids.js'
import { body, idParameter, json, operation, problem, routes } from '../route.js'
import { Problem } from '../problem.js'
import type { Env, Service } from '../service.js'
import { TenantBook } from '../administration/tenant-book.js'

const TAGS = ['Tenants']
const MOST_MODELS = 1_000

const tenantSchema = z
  .strictObject({
    id: z.string(),
    name: z.string().nullable(),
    tier: z.string().nullable().openapi({ description: 'Of its users who have none themselves.' }),
    models: z.array(z.string()).nullable().openapi({ description: 'What its users may use: names, or beginnings of names with a `*`. null: all.' }),
    createdAt: timeSchema.nullable().openapi({ description: 'null: nobody has written it down; it has settings alone.' }),
    updatedAt: timeSchema.nullable(),
  })
  .openapi('Tenant')

const tenantId = z.string().min(1).max(MOST_TENANT)
const facts = { name: nameSchema.optional(), tier: idParameter.optional(), models: z.array(idParameter).min(1).max(MOST_MODELS).optional() }
const params = z.strictObject({ tenant: idParameter })

const list = operation('read', {
  method: 'get',
  path: '/v1/tenants',
  tags: TAGS,
  summary: 'List tenants',
  description: "Those that were written down, or for whose users anything is set, in the order of their ids. For the operator's keys.",
  request: { query: z.strictObject(pageFields) },
  responses: { 200: json(pageSchema(tenantSchema, 'Tenants'), 'A page of them.') },
})
const create = operation('admin', {
  method: 'post',
  path: '/v1/tenants',
  tags: TAGS,
  summary: 'Make a tenant',
  description: 'A budget for it is made with `POST /v1/limits`.',
  request: { body: body(z.strictObject({ id: tenantId, ...facts })) },
  responses: { 201: json(tenantSchema, 'It was made.'), 409: problem('It is there already.') },
})
const get = operation('read', { method: 'get', path: '/v1/tenants/{tenant}', tags: TAGS, summary: 'One tenant', request: { params }, responses: { 200: json(tenantSchema, 'What is known of it.'), 404: problem('Nothing is.') } })
const set = operation('admin', {
  method: 'put',
  path: '/v1/tenants/{tenant}',
  tags: TAGS,
  summary: 'Set a tenant',
  description: 'In the place of what was set before: what is left out is taken away.',
  request: { params: z.strictObject({ tenant: tenantId }), body: body(z.strictObject(facts)) },
  responses: { 200: json(tenantSchema, 'It is set.'), 201: json(tenantSchema, 'It was made.') },
})
const remove = operation('admin', {
  method: 'delete',
  path: '/v1/tenants/{tenant}',
  tags: TAGS,
  summary: 'Forget a tenant',
  description: 'Its name, and what is set for its users. Users, keys, limits and what was spent stay.',
  request: { params },
  responses: { 204: { description: 'Nothing is known of it any more.' }, 404: problem('Nothing was.') },
})

/** Tenants. */
export function tenantRoutes({ engine, clock, feed }: Service): OpenAPIHono<Env> {
  const book = new TenantBook(engine, clock)
  return routes()
    .openapi(list, async (context) => {
      context.get('caller').assertOperator()
      return context.json((await book.list(context.req.valid('query'))) as never, 200)
    })
    .openapi(create, async (context) => {
      context.get('caller').assertOperator()
      const { id, ...given } = context.req.valid('json')
      assertId(id, 'tenant')
      const tenant = await book.create(id, given)
      feed.changed('tenant', id)
      return context.json(tenant as never, 201)
    })
    .openapi(get, async (context) => {
      context.get('caller').assertOperator()
      const { tenant: id } = context.req.valid('param')
      assertId(id, 'tenant')
      const tenant = await book.get(id)
      if (tenant === undefined) throw new Problem(404, 'NOT_FOUND', `tenant: nothing is known of ${JSON.stringify(id)}.`)
      return context.json(tenant as never, 200)
    })
    .openapi(set, async (context) => {
      context.get('caller').assertOperator()
      const { tenant: id } = context.req.valid('param')
      const given = context.req.valid('json')
      assertId(id, 'tenant')
      const { tenant, isNew } = await book.set(id, given)
      feed.changed('tenant', id)
      return context.json(tenant as never, isNew ? 201 : 200)
    })
    .openapi(remove, async (context) => {
      context.get('caller').assertOperator()
      const { tenant: id } = context.req.valid('param')
      assertId(id, 'tenant')
      await book.remove(id)
      feed.changed('tenant', id)
      return context.body(null, 204)
    })
}
