// API keys over HTTP: made, shown, rotated, revoked. An admin of a tenant makes and sees those of the tenant alone.

import { z, type OpenAPIHono } from '@hono/zod-openapi'
import { ROLES, type Caller } from '../caller.js'
import type { ApiKey, IssuedKey } from '../keys/index.js'
import { Problem } from '../problem.js'
import { body, idParameter, json, operation, problem, routes, tenantQuery } from '../route.js'
import type { Env, Service } from '../service.js'
import { instantOf, instantSchema } from '../seeing/when.js'

const roleSchema = z.enum(ROLES as ['check', 'read', 'admin'])

const keySchema = z
  .strictObject({
    id: z.string().openapi({ description: 'Its public part: it stands in the key, in logs and in the dashboard.' }),
    name: z.string(),
    roles: z.array(roleSchema),
    tenant: z.string().optional(),
    userId: z.string().optional(),
    createdAt: z.iso.datetime(),
    expiresAt: z.iso.datetime().optional(),
    state: z.enum(['active', 'expired', 'revoked']).openapi({ description: 'A key that has expired or was revoked is shown for 30 days.' }),
    revokedAt: z.iso.datetime().optional(),
    secrets: z
      .strictObject({ valid: z.int().min(0), earlierUntil: z.iso.datetime().optional() })
      .openapi({ description: 'How many secrets are valid now, and until when the last of those is that were rotated away.' }),
  })
  .openapi('ApiKey')

const issuedSchema = z.strictObject({ key: keySchema, token: z.string().openapi({ description: 'What a client sends. It is shown this once.' }) }).openapi('IssuedApiKey')

const newKeySchema = z
  .strictObject({
    name: z.string().min(1).max(100).openapi({ description: 'For people.' }),
    roles: z.array(roleSchema).min(1).max(ROLES.length),
    tenant: idParameter.optional().openapi({ description: "Binds it to a tenant; a tenant's own admin leaves it out." }),
    userId: idParameter.optional().openapi({ description: 'Binds it to one user; then `admin` is none of its roles.' }),
    expiresAt: instantSchema.optional(),
  })
  .openapi('NewApiKey')

const rotationSchema = z
  .strictObject({
    graceMs: z.int().min(0).max(2_592_000_000).optional().openapi({ description: 'For how long the secret before is still valid: by default a day; 0: not at all.' }),
  })
  .openapi('ApiKeyRotation')

const listSchema = z.strictObject({ items: z.array(keySchema) }).openapi('ApiKeys')
const params = z.strictObject({ id: idParameter })
const tags = ['Keys']
const UNKNOWN = problem('There is no such key.')

const create = operation('admin', { method: 'post', path: '/v1/keys', tags, summary: 'Make a key', request: { body: body(newKeySchema) }, responses: { 201: json(issuedSchema, 'The key, with what a client sends: it is shown this once.') } })
const list = operation('admin', { method: 'get', path: '/v1/keys', tags, summary: 'List keys', request: { query: tenantQuery }, responses: { 200: json(listSchema, 'The keys, the oldest first; without their secrets.') } })
const show = operation('admin', { method: 'get', path: '/v1/keys/{id}', tags, summary: 'Show a key', request: { params }, responses: { 200: json(keySchema, 'The key, without its secrets.'), 404: UNKNOWN } })
const revoke = operation('admin', { method: 'delete', path: '/v1/keys/{id}', tags, summary: 'Revoke a key: every process refuses it within a second', request: { params }, responses: { 204: { description: 'It is revoked.' }, 404: UNKNOWN } })
const rotate = operation('admin', {
  method: 'post',
  path: '/v1/keys/{id}/rotate',
  tags,
  summary: 'Give a key another secret',
  request: { params, body: { content: { 'application/json': { schema: rotationSchema } } } },
  responses: { 200: json(issuedSchema, 'The same key, with what a client sends from now on: it is shown this once.'), 404: UNKNOWN, 409: problem('Five of its secrets are valid already.') },
})

/** `/v1/keys`. */
export function keyRoutes({ keys, log, engine: { tracker } }: Service): OpenAPIHono<Env> {
  return routes()
    .openapi(create, async (context) => {
      const { name, roles, tenant, userId, expiresAt } = context.req.valid('json')
      const caller = context.get('caller')
      const of = caller.tenantOf(tenant)
      const issued = await keys.create({ name, roles, tenant: of, userId, ...(expiresAt !== undefined && { expiresAt: new Date(instantOf(expiresAt, 'expiresAt', tracker.reports.timeZone)) }) })
      log.info({ keyId: issued.key.id, by: caller.keyId, tenant: of }, 'a key was made')
      return context.json(issuedView(issued), 201)
    })
    .openapi(list, async (context) => {
      const of = context.get('caller').tenantOf(context.req.valid('query').tenant)
      const found = await keys.list()
      return context.json({ items: found.filter(({ tenant }) => of === undefined || tenant === of).map(keyView) }, 200)
    })
    .openapi(show, async (context) => {
      const { id } = context.req.valid('param')
      const key = await keys.get(id)
      const caller = context.get('caller')
      if (key === undefined || (!caller.isOperator && key.tenant !== caller.tenant)) throw noKey()
      return context.json(keyView(key), 200)
    })
    .openapi(revoke, async (context) => {
      const { id } = context.req.valid('param')
      const caller = context.get('caller')
      await assertOwn(caller, id)
      await keys.revoke(id)
      log.info({ keyId: id, by: caller.keyId }, 'a key was revoked')
      return context.body(null, 204)
    })
    .openapi(rotate, async (context) => {
      const { id } = context.req.valid('param')
      // Without a body there is nothing to validate.
      const { graceMs } = (context.req.valid('json') as { graceMs?: number | undefined } | undefined) ?? {}
      const caller = context.get('caller')
      await assertOwn(caller, id)
      const issued = await keys.rotate(id, graceMs === undefined ? {} : { graceMs })
      log.info({ keyId: id, by: caller.keyId }, 'a key was rotated')
      return context.json(issuedView(issued), 200)
    })

  /** Another tenant's key is not there. */
  async function assertOwn(caller: Caller, id: string): Promise<void> {
    if (caller.isOperator) return
    if ((await keys.get(id))?.tenant !== caller.tenant) throw noKey()
  }
}

function noKey(): Problem {
  return new Problem(404, 'NOT_FOUND', 'key: there is none of this id. Give the id of a key that is listed.')
}

function keyView({ createdAt, expiresAt, revokedAt, roles, secrets: { valid, earlierUntil }, ...key }: ApiKey): z.infer<typeof keySchema> {
  return {
    ...key,
    roles: [...roles],
    createdAt: createdAt.toISOString(),
    ...(expiresAt !== undefined && { expiresAt: expiresAt.toISOString() }),
    ...(revokedAt !== undefined && { revokedAt: revokedAt.toISOString() }),
    secrets: { valid, ...(earlierUntil !== undefined && { earlierUntil: earlierUntil.toISOString() }) },
  }
}

function issuedView({ key, token }: IssuedKey): z.infer<typeof issuedSchema> {
  return { key: keyView(key), token }
}
