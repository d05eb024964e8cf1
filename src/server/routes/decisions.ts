// What a decision was made from, for whoever made it.

import { z, type OpenAPIHono } from '@hono/zod-openapi'
import { explainText, type Explanation } from '../../decision/index.js'
import type { Caller } from '../caller.js'
import { explanationFor } from '../seeing/explained.js'
import { isClientId, storeIdFor } from '../ids.js'
import { Problem } from '../problem.js'
import { idParameter, operation, problem, routes, tenantQuery } from '../route.js'
import type { Engine, Env, Service } from '../service.js'

const explanationSchema = z
  .looseObject({
    decisionId: z.string(),
    at: z.iso.datetime(),
    action: z.enum(['ALLOW', 'WARN', 'DEGRADE', 'BLOCK']),
    code: z.string().optional(),
    reason: z.string(),
    enforcedBy: z.enum(['store', 'local', 'none']),
    replayed: z.boolean(),
    who: z.looseObject({ userId: z.string() }),
    windows: z.array(z.looseObject({ period: z.string(), unit: z.string() })),
    rungs: z.array(z.looseObject({ result: z.string() })),
    verdicts: z.array(z.looseObject({ policy: z.string(), action: z.string() })),
  })
  .openapi('Explanation')

const decision = operation('read', {
  method: 'get',
  path: '/v1/decisions/{id}',
  tags: ['Decisions'],
  summary: 'What a decision was made from',
  description: 'Of decisions that are kept (by default those that were degraded or refused). Budgets that are shared with others stand in the answers to keys of the operator alone.',
  request: {
    params: z.strictObject({ id: idParameter }),
    query: tenantQuery.extend({ text: z.enum(['true', 'false']).optional().openapi({ description: 'true: as text for people.' }) }),
  },
  responses: {
    200: { description: 'The explanation.', content: { 'application/json': { schema: explanationSchema }, 'text/plain': { schema: z.string() } } },
    404: problem('No such decision is kept.'),
  },
})

/** `/v1/decisions/{id}`. */
export function decisionRoutes({ engine }: Service): OpenAPIHono<Env> {
  return routes().openapi(decision, async (context) => {
    const caller = context.get('caller')
    const { tenant, text } = context.req.valid('query')
    const found = await find(engine, caller, caller.tenantOf(tenant), context.req.valid('param').id)
    if (found === undefined) throw new Problem(404, 'NOT_FOUND', `id: no such decision is kept. Only those that degrade or refuse are, unless decisionLog.keep says otherwise, and not for ever.${caller.isOperator && tenant === undefined ? " Of one of a tenant's, say ?tenant= too." : ''}`)
    if (text === 'true') return context.text(`${explainText(found)}\n`, 200) as never
    return context.json(found as never, 200)
  })
}

/** By the id that its tenant knows; else by that of a decision which the application has made itself. */
async function find(engine: Engine, caller: Caller, tenant: string | undefined, id: string): Promise<Explanation | undefined> {
  const own = isClientId(id) ? await explanationFor(engine, caller, storeIdFor(caller, tenant, id)) : undefined
  const found = own ?? (await explanationFor(engine, caller, id))
  return tenant === undefined || found?.who.tenant === tenant ? found : undefined
}
