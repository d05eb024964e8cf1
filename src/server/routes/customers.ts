// Customers: users with a name, as somebody has written them down.

import { z, type OpenAPIHono } from '@hono/zod-openapi'
import { toUserRef } from '../../budget/index.js'
import { UnknownTierError } from '../../errors/index.js'
import { idParams, nameSchema, pageFields, pageSchema, timeSchema } from '../administration/budget-schemas.js'
import type { Caller } from '../caller.js'
import { CustomerBook, type Customer } from '../administration/customer-book.js'
import { body, idParameter, json, operation, problem, routes, tenantQuery } from '../route.js'
import { Problem } from '../problem.js'
import type { Env, Service } from '../service.js'
import { clearOverrides } from './users.js'

const TAGS = ['Customers']
const MOST_METADATA = 50

const email = z.email().max(254)
const metadata = z
  .record(z.string().min(1).max(100), z.union([z.string().max(1_000), z.number(), z.boolean(), z.null()]))
  .refine((given) => Object.keys(given).length <= MOST_METADATA, `has more than ${MOST_METADATA} keys`)
  .openapi({ description: `Up to ${MOST_METADATA} texts, numbers and booleans of your own.` })
const tier = idParameter.nullable().optional().openapi({ description: "The user's tier in the directory; null takes it away, left out it stays." })

const customerSchema = z
  .strictObject({
    id: z.string(),
    tenant: z.string().nullable(),
    name: z.string(),
    email: z.string().nullable(),
    metadata: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])),
    tier: z.string().nullable(),
    createdAt: timeSchema,
    updatedAt: timeSchema,
    version: z.int().openapi({ description: 'Changes with every change of the record: also the ETag.' }),
  })
  .openapi('Customer')

const ifMatch = z.object({ 'if-match': z.string().max(100).optional().openapi({ description: 'The `ETag` that was read: changes nothing where the customer has changed since.' }) })
const answer = (what: string) => ({ ...json(customerSchema, what), headers: z.object({ ETag: z.string().openapi({ example: '"1762560000000"' }) }) })
const gone = problem('There is no such customer.')
const stale = problem('The customer has changed since it was read: nothing was done.')

const list = operation('read', {
  method: 'get',
  path: '/v1/customers',
  tags: TAGS,
  summary: 'List customers',
  description: 'In the order of tenant and id.',
  request: { query: tenantQuery.extend({ ...pageFields, q: z.string().min(1).max(256).optional().openapi({ description: 'How the id, the name or the e-mail address begins.' }) }) },
  responses: { 200: json(pageSchema(customerSchema, 'Customers'), 'A page of them.') },
})
const create = operation('admin', {
  method: 'post',
  path: '/v1/customers',
  tags: TAGS,
  summary: 'Make a customer',
  description: 'What broke off before the tier was set is finished by asking for the same again.',
  request: { body: body(z.strictObject({ id: idParameter, tenant: idParameter.optional(), name: nameSchema, email: email.optional(), metadata: metadata.optional(), tier })) },
  responses: { 201: answer('The customer was made.'), 409: problem('There is a customer of that id.') },
})
const get = operation('read', { method: 'get', path: '/v1/customers/{id}', tags: TAGS, summary: 'One customer', request: { params: idParams, query: tenantQuery }, responses: { 200: answer('The customer.'), 404: gone } })
const replace = operation('admin', {
  method: 'put',
  path: '/v1/customers/{id}',
  tags: TAGS,
  summary: 'Write a customer anew',
  description: 'Name, e-mail address and metadata: what is left out is taken away. The tier stays where it is left out.',
  request: { params: idParams, query: tenantQuery, headers: ifMatch, body: body(z.strictObject({ name: nameSchema, email: email.optional(), metadata: metadata.optional(), tier })) },
  responses: { 200: answer('It is written.'), 404: gone, 412: stale },
})
const change = operation('admin', {
  method: 'patch',
  path: '/v1/customers/{id}',
  tags: TAGS,
  summary: 'Change a customer',
  description: 'What is left out stays; null takes it away. Metadata are replaced as a whole.',
  request: { params: idParams, query: tenantQuery, headers: ifMatch, body: body(z.strictObject({ name: nameSchema.optional(), email: email.nullable().optional(), metadata: metadata.nullable().optional(), tier })) },
  responses: { 200: answer('It is changed.'), 404: gone, 412: stale },
})
const remove = operation('admin', {
  method: 'delete',
  path: '/v1/customers/{id}',
  tags: TAGS,
  summary: 'Remove a customer',
  description: "The record, the tier, and limits of the user's own; by a tenant's admin who may not change these, the record alone. What was spent stays. Asking again finishes a removal that broke off, as it was begun.",
  request: { params: idParams, query: tenantQuery, headers: ifMatch },
  responses: { 204: { description: 'It is gone.' }, 404: gone, 409: problem("The operator's removal broke off: the operator finishes it."), 412: stale },
})

/** Customers. */
export function customerRoutes({ engine: { tracker }, clock, feed, options }: Service): OpenAPIHono<Env> {
  const book = new CustomerBook(tracker, clock)

  async function shown({ user, name: called, email: address, metadata: more, createdAt, updatedAt, version }: Customer): Promise<z.output<typeof customerSchema>> {
    return {
      id: user.userId,
      tenant: user.tenant ?? null,
      name: called,
      email: address ?? null,
      metadata: more,
      tier: (await tracker.getUserTier(user)) ?? null,
      createdAt: createdAt.toISOString(),
      updatedAt: updatedAt.toISOString(),
      version,
    }
  }

  /** Before anything is written. */
  function assertTier(caller: Caller, wanted: string | null | undefined): void {
    if (wanted !== undefined) caller.assertMayRaise(options)
    if (wanted == null || tracker.tiers.includes(wanted)) return
    throw new UnknownTierError(`tier: ${JSON.stringify(wanted)} is no tier of the configuration. The tiers are ${tracker.tiers.join(', ')}.`, wanted)
  }

  return routes()
    .openapi(list, async (context) => {
      const { tenant: named, ...query } = context.req.valid('query')
      const caller = context.get('caller')
      const tenant = caller.tenantOf(named)
      if (tenant !== undefined) toUserRef({ userId: 'any', tenant })
      if (caller.userId !== undefined) {
        const own = await book.get(caller.self)
        return context.json({ items: own === undefined ? [] : [await shown(own)] }, 200)
      }
      const { items, next } = await book.list({ ...query, tenant })
      return context.json({ items: await Promise.all(items.map(shown)), ...(next !== undefined && { next }) }, 200)
    })
    .openapi(create, async (context) => {
      const { id, tenant, tier: wanted, name: called, email: address, metadata: more = {} } = context.req.valid('json')
      const user = toUserRef(context.get('caller').userOf(id, tenant))
      assertTier(context.get('caller'), wanted)
      const made = await book.create(user, { name: called, ...(address !== undefined && { email: address }), metadata: more }, wanted)
      feed.changed('customer', user.tenant)
      return context.json(await shown(made), 201, etag(made))
    })
    .openapi(get, async (context) => {
      const user = toUserRef(context.get('caller').userOf(context.req.valid('param').id, context.req.valid('query').tenant))
      const found = await book.find(user)
      return context.json(await shown(found), 200, etag(found))
    })
    .openapi(replace, async (context) => {
      const user = toUserRef(context.get('caller').userOf(context.req.valid('param').id, context.req.valid('query').tenant))
      const { tier: wanted, name: called, email: address, metadata: more = {} } = context.req.valid('json')
      assertTier(context.get('caller'), wanted)
      const written = await book.change(user, () => ({ name: called, ...(address !== undefined && { email: address }), metadata: more }), { expected: versionIn(context.req.valid('header')['if-match']), tier: wanted })
      feed.changed('customer', user.tenant)
      return context.json(await shown(written), 200, etag(written))
    })
    .openapi(change, async (context) => {
      const user = toUserRef(context.get('caller').userOf(context.req.valid('param').id, context.req.valid('query').tenant))
      const { tier: wanted, name: called, email: address, metadata: more } = context.req.valid('json')
      assertTier(context.get('caller'), wanted)
      const merge = (before: Customer['email'] | null, given: string | null | undefined): string | undefined => (given === undefined ? before : given) ?? undefined
      const written = await book.change(user, (before) => ({ name: called ?? before.name, email: merge(before.email, address), metadata: more === undefined ? before.metadata : (more ?? {}) }), { expected: versionIn(context.req.valid('header')['if-match']), tier: wanted })
      feed.changed('customer', user.tenant)
      return context.json(await shown(written), 200, etag(written))
    })
    .openapi(remove, async (context) => {
      const caller = context.get('caller')
      const user = toUserRef(caller.userOf(context.req.valid('param').id, context.req.valid('query').tenant))
      const clear = caller.mayRaise(options) ? () => clearOverrides(tracker, user) : undefined
      await book.remove(user, { clear, expected: versionIn(context.req.valid('header')['if-match']) })
      feed.changed('customer', user.tenant)
      return context.body(null, 204)
    })
}

function etag({ version }: Customer): { readonly etag: string } {
  return { etag: `"${version}"` }
}

/** The version in an `If-Match`; `undefined` without one, and for `*`: whichever is there. */
function versionIn(header: string | undefined): number | undefined {
  if (header === undefined || header.trim() === '*') return undefined
  const [, version] = /^(?:W\/)?"(\d{1,16})"$/.exec(header.trim()) ?? []
  if (version === undefined) throw new Problem(422, 'INVALID_REQUEST', 'If-Match: is no ETag of a customer. Send the one that was read, in its quotes.')
  return Number(version)
}
