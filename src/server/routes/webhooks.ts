// Outgoing webhooks: endpoints and what was delivered to them. An admin of a tenant makes and sees those of the tenant alone.

import { z, type OpenAPIHono } from '@hono/zod-openapi'
import type { Caller } from '../caller.js'
import { Problem } from '../problem.js'
import { body, idParameter, json, operation, problem, routes, tenantQuery } from '../route.js'
import type { Env, Service } from '../service.js'
import { EVENTS, noEndpoint, type Delivery, type Endpoint, type IssuedEndpoint } from '../webhooks/index.js'

const MOST_LISTED = 200
const LISTED = 50

const eventSchema = z.enum(EVENTS as ['threshold.reached', 'request.denied'])

const endpointSchema = z
  .strictObject({
    id: z.string(),
    url: z.string(),
    events: z.array(eventSchema),
    tenant: z.string().optional(),
    description: z.string().optional(),
    createdAt: z.iso.datetime(),
  })
  .openapi('WebhookEndpoint')

const issuedSchema = z
  .strictObject({ endpoint: endpointSchema, secret: z.string().openapi({ description: 'With what the receiver verifies what it is sent (Standard Webhooks). It is shown this once.', example: 'whsec_…' }) })
  .openapi('IssuedWebhookEndpoint')

const newEndpointSchema = z
  .strictObject({
    url: z.string().min(1).max(2_048).openapi({ description: 'Where the receiver listens: https:// or http://.', example: 'https://example.com/hooks/bursar' }),
    events: z.array(eventSchema).min(1).max(EVENTS.length).optional().openapi({ description: 'Of what it hears: by default of everything.' }),
    tenant: idParameter.optional().openapi({ description: "Then it hears of that tenant alone; a tenant's own admin leaves it out." }),
    description: z.string().max(200).optional(),
  })
  .openapi('NewWebhookEndpoint')

const changeSchema = z
  .strictObject({
    url: z.string().min(1).max(2_048).optional(),
    events: z.array(eventSchema).min(1).max(EVENTS.length).optional(),
    description: z.string().max(200).optional(),
  })
  .openapi('WebhookEndpointChange')

const deliverySchema = z
  .strictObject({
    id: z.string().openapi({ description: 'The same as `webhook-id` on every attempt.' }),
    type: z.enum([...EVENTS, 'webhook.test'] as ['threshold.reached', 'request.denied', 'webhook.test']),
    state: z.enum(['pending', 'delivered', 'failed']),
    createdAt: z.iso.datetime(),
    attempts: z.int().min(0),
    lastAttemptAt: z.iso.datetime().optional(),
    nextAttemptAt: z.iso.datetime().optional(),
    status: z.int().optional().openapi({ description: 'What the receiver answered last.' }),
    error: z.string().optional(),
  })
  .openapi('WebhookDelivery')

const rotationSchema = z
  .strictObject({
    graceMs: z.int().min(0).max(2_592_000_000).optional().openapi({ description: 'For how long it is signed with the secret before, too: by default a day; 0: not at all.' }),
  })
  .openapi('WebhookRotation')

const pageSchema = z.strictObject({
  limit: z.coerce.number().int().min(1).max(MOST_LISTED).optional(),
  cursor: z.string().min(1).max(100).optional().openapi({ description: '`next` of the page before.' }),
})

const params = z.strictObject({ id: idParameter })
const deliveryParams = z.strictObject({ id: idParameter, delivery: idParameter })
const tags = ['Webhooks']
const UNKNOWN = problem('There is no such endpoint.')
const UNKNOWN_DELIVERY = problem('There is no such endpoint, or no such delivery.')

const create = operation('admin', { method: 'post', path: '/v1/webhooks', tags, summary: 'Make an endpoint', request: { body: body(newEndpointSchema) }, responses: { 201: json(issuedSchema, 'The endpoint and its secret, which is shown this once.') } })
const list = operation('admin', { method: 'get', path: '/v1/webhooks', tags, summary: 'List endpoints', request: { query: tenantQuery }, responses: { 200: json(z.strictObject({ items: z.array(endpointSchema) }), 'The endpoints, the oldest first; without their secrets.') } })
const show = operation('admin', { method: 'get', path: '/v1/webhooks/{id}', tags, summary: 'Show an endpoint', request: { params }, responses: { 200: json(endpointSchema, 'The endpoint, without its secrets.'), 404: UNKNOWN } })
const change = operation('admin', { method: 'patch', path: '/v1/webhooks/{id}', tags, summary: 'Change where an endpoint is, or what it hears of', description: 'What is left out stays, and so does its secret.', request: { params, body: body(changeSchema) }, responses: { 200: json(endpointSchema, 'The endpoint as it is now.'), 404: UNKNOWN } })
const remove = operation('admin', { method: 'delete', path: '/v1/webhooks/{id}', tags, summary: 'Take an endpoint away', request: { params }, responses: { 204: { description: 'It is gone: what is not delivered never is.' }, 404: UNKNOWN } })
const rotate = operation('admin', {
  method: 'post',
  path: '/v1/webhooks/{id}/rotate',
  tags,
  summary: 'Give an endpoint another secret',
  request: { params, body: { content: { 'application/json': { schema: rotationSchema } } } },
  responses: { 200: json(issuedSchema, 'The endpoint and its new secret, which is shown this once.'), 404: UNKNOWN, 409: problem('Five of its secrets are in use already.') },
})
const test = operation('admin', { method: 'post', path: '/v1/webhooks/{id}/test', tags, summary: 'Send `webhook.test` to an endpoint', request: { params }, responses: { 202: json(deliverySchema, 'It is on its way.'), 404: UNKNOWN } })
const deliveries = operation('admin', {
  method: 'get',
  path: '/v1/webhooks/{id}/deliveries',
  tags,
  summary: 'What was delivered to an endpoint, and is to be',
  request: { params, query: pageSchema },
  responses: { 200: json(z.strictObject({ items: z.array(deliverySchema), next: z.string().optional() }), 'Deliveries of the last 30 days, the newest first: of those that have ended, some thousand of each type.'), 404: UNKNOWN },
})
const retry = operation('admin', { method: 'post', path: '/v1/webhooks/{id}/deliveries/{delivery}/retry', tags, summary: 'Send a delivery once more', request: { params: deliveryParams }, responses: { 202: json(deliverySchema, 'It is on its way.'), 404: UNKNOWN_DELIVERY } })

/** `/v1/webhooks`. */
export function webhookRoutes({ webhooks, log }: Service): OpenAPIHono<Env> {
  return routes()
    .openapi(create, async (context) => {
      const { url, events, tenant, description } = context.req.valid('json')
      const caller = context.get('caller')
      const issued = await webhooks.createEndpoint({ url, events, tenant: caller.tenantOf(tenant), description })
      log.info({ endpoint: issued.endpoint.id, by: caller.keyId }, 'a webhook endpoint was made')
      return context.json(issuedView(issued), 201)
    })
    .openapi(list, async (context) => {
      const of = context.get('caller').tenantOf(context.req.valid('query').tenant)
      const found = await webhooks.list()
      return context.json({ items: found.filter(({ tenant }) => of === undefined || tenant === of).map(endpointView) }, 200)
    })
    .openapi(show, async (context) => {
      const endpoint = await webhooks.get(context.req.valid('param').id)
      const caller = context.get('caller')
      if (endpoint === undefined || (!caller.isOperator && endpoint.tenant !== caller.tenant)) throw noEndpoint()
      return context.json(endpointView(endpoint), 200)
    })
    .openapi(change, async (context) => {
      const { id } = context.req.valid('param')
      const caller = context.get('caller')
      await assertOwn(caller, id)
      const endpoint = await webhooks.update(id, context.req.valid('json'))
      log.info({ endpoint: id, by: caller.keyId }, 'a webhook endpoint was changed')
      return context.json(endpointView(endpoint), 200)
    })
    .openapi(remove, async (context) => {
      const { id } = context.req.valid('param')
      const caller = context.get('caller')
      await assertOwn(caller, id)
      await webhooks.remove(id)
      log.info({ endpoint: id, by: caller.keyId }, 'a webhook endpoint was removed')
      return context.body(null, 204)
    })
    .openapi(rotate, async (context) => {
      const { id } = context.req.valid('param')
      // Without a body there is nothing to validate.
      const { graceMs } = (context.req.valid('json') as { graceMs?: number | undefined } | undefined) ?? {}
      const caller = context.get('caller')
      await assertOwn(caller, id)
      const issued = await webhooks.rotate(id, { graceMs })
      log.info({ endpoint: id, by: caller.keyId }, 'a webhook endpoint was given another secret')
      return context.json(issuedView(issued), 200)
    })
    .openapi(test, async (context) => {
      const { id } = context.req.valid('param')
      await assertOwn(context.get('caller'), id)
      return context.json(deliveryView(await webhooks.test(id)), 202)
    })
    .openapi(deliveries, async (context) => {
      const { id } = context.req.valid('param')
      const { limit = LISTED, cursor } = context.req.valid('query')
      await assertOwn(context.get('caller'), id)
      const found = await webhooks.deliveries(id)
      const from = cursor === undefined ? 0 : startOf(found, cursor)
      const items = found.slice(from, from + limit)
      const last = items.at(-1)
      return context.json({ items: items.map(deliveryView), ...(last !== undefined && from + limit < found.length && { next: cursorOf(last) }) }, 200)
    })
    .openapi(retry, async (context) => {
      const { id, delivery } = context.req.valid('param')
      await assertOwn(context.get('caller'), id)
      return context.json(deliveryView(await webhooks.retry(id, delivery)), 202)
    })

  /** Another tenant's endpoint is not there. */
  async function assertOwn(caller: Caller, id: string): Promise<void> {
    if (caller.isOperator) return
    if ((await webhooks.get(id))?.tenant !== caller.tenant) throw noEndpoint()
  }
}

/** The instant and the id: also of one that is forgotten meanwhile. */
function cursorOf({ createdAt, id }: Delivery): string {
  return `${createdAt.getTime()}.${id}`
}

function startOf(found: readonly Delivery[], cursor: string): number {
  const [, at, id = ''] = /^(\d{1,15})\.([\w-]{1,64})$/.exec(cursor) ?? []
  if (at === undefined) throw new Problem(422, 'INVALID_REQUEST', 'cursor: is none of this list. Give `next` of the page before.')
  const start = found.findIndex((each) => each.createdAt.getTime() < Number(at) || (each.createdAt.getTime() === Number(at) && each.id > id))
  return start < 0 ? found.length : start
}

function endpointView({ createdAt, events, ...endpoint }: Endpoint): z.infer<typeof endpointSchema> {
  return { ...endpoint, events: [...events], createdAt: createdAt.toISOString() }
}

function issuedView({ endpoint, secret }: IssuedEndpoint): z.infer<typeof issuedSchema> {
  return { endpoint: endpointView(endpoint), secret }
}

function deliveryView({ createdAt, lastAttemptAt, nextAttemptAt, ...delivery }: Delivery): z.infer<typeof deliverySchema> {
  return {
    ...delivery,
    createdAt: createdAt.toISOString(),
    ...(lastAttemptAt !== undefined && { lastAttemptAt: lastAttemptAt.toISOString() }),
    ...(nextAttemptAt !== undefined && { nextAttemptAt: nextAttemptAt.toISOString() }),
  }
}
