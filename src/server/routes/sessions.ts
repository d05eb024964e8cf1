// Sessions over HTTP: a budget for one run of a user.

import { z, type OpenAPIHono } from '@hono/zod-openapi'
import { assertId } from '../../budget/index.js'
import { InvalidRequestError, UnknownSessionError } from '../../errors/index.js'
import type { Session } from '../../session/index.js'
import { asObject, assertAddressable, whoseOf } from '../decisions/asking.js'
import { Problem } from '../problem.js'
import { body, described, idParameter, json, operation, problem, routes, tenantQuery } from '../route.js'
import { sessionSchema, sessionSummarySchema } from '../decisions/schemas.js'
import { quickAnswer } from '../http/security-headers.js'
import type { Engine, Env, Service } from '../service.js'

type Config = Parameters<Engine['session']>[0]

const open = {
  method: 'post',
  path: '/v1/sessions',
  tags: ['Sessions'],
  summary: 'Open a session, or resume it by its id',
  description: 'Checks that name it as `sessionId` must fit its caps and the budgets of its user. Whoever opens it again with what it was opened with gets it.',
  request: { body: body(sessionSchema) },
  responses: { 200: json(sessionSummarySchema, 'It was there.'), 201: json(sessionSummarySchema, 'It is opened.'), 404: problem('It is not there and no cap is given, or it has ended.'), 409: problem('It was opened with other caps.') },
} as const

const look = operation('read', {
  method: 'get',
  path: '/v1/users/{id}/sessions/{session}',
  tags: ['Sessions'],
  summary: 'How a session stands',
  request: { params: z.object({ id: idParameter.openapi({ description: 'The user.' }), session: idParameter.openapi({ description: 'The session.' }) }), query: tenantQuery },
  responses: { 200: json(sessionSummarySchema, 'What it was charged, and what is left.'), 404: problem('No such session is the user’s, or it has ended.') },
})

/** Sessions over HTTP: a budget for one run of a user. */
export function sessionRoutes({ engine, options }: Service): OpenAPIHono<Env> {
  const app = routes()

  described(app, 'check', open, async (context) => {
    const given = asObject(context.get('body'), 'session')
    const user = whoseOf(context.get('caller'), options, given)
    const { sessionId, id, ...others } = given
    if (id !== undefined) throw new InvalidRequestError('id: is no field of a session. Give its id as sessionId.')
    if (sessionId !== undefined) {
      assertId(sessionId, 'sessionId')
      assertAddressable(sessionId, 'sessionId')
    }
    const config = { ...others, ...user } as Config
    const isThere = sessionId !== undefined && (await isKnown(engine, { ...user, id: sessionId }))
    const session = await engine.session(sessionId === undefined ? config : { ...config, id: sessionId }).catch((error: unknown) => {
      throw isThere ? asConflict(error) : inWordsOf(error)
    })
    return quickAnswer(isThere ? 200 : 201, await summaryOf(session), context.get('requestId'))
  })

  return app.openapi(look, async (context) => {
    const { id, session } = context.req.valid('param')
    assertId(id, 'userId')
    assertId(session, 'sessionId')
    const { tenant } = context.req.valid('query')
    if (tenant !== undefined) assertId(tenant, 'tenant')
    const found = await engine.session({ ...context.get('caller').userOf(id, tenant), id: session } as Config)
    return context.json((await summaryOf(found)) as never, 200)
  })
}

/** Without caps nothing is opened. */
async function isKnown(engine: Engine, config: Config): Promise<boolean> {
  try {
    await engine.session(config)
    return true
  } catch (error) {
    if (error instanceof UnknownSessionError && error.endedAt === undefined) return false
    throw error
  }
}

/** Other caps than those that it was opened with. */
function asConflict(error: unknown): unknown {
  const [, detail] = error instanceof InvalidRequestError ? (/^((maxCost|maxTokens): session ".*" has .* to resume the session)(?:; raise\w+\(\) raises it)?\.$/.exec(error.message) ?? []) : []
  return detail === undefined ? error : new Problem(409, 'CONFLICT', `${detail}, or choose another sessionId.`)
}

/** Its id is a field of another name here. */
function inWordsOf(error: unknown): unknown {
  return error instanceof InvalidRequestError ? new InvalidRequestError(error.message.replace(/ give its id\.$/, ' give its sessionId.')) : error
}

async function summaryOf(session: Session<string, string>): Promise<object> {
  const { id: sessionId, ...summary } = await session.summary()
  return { sessionId, ...summary }
}
