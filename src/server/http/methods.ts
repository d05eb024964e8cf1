// Which methods a path takes: to tell somebody who has used another one.

import type { Context } from 'hono'
import type { OpenAPIHono } from '@hono/zod-openapi'
import { documentOf, problemAnswer } from '../problem.js'
import type { Env } from '../service.js'

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const

/** What is answered where no route is: 405 with `Allow` where the path has other methods, else 404. */
export function nothingHere(app: OpenAPIHono<Env>): (context: Context<Env>) => Response {
  return (context) => {
    const { path } = context.req
    const allowed = METHODS.filter((method) => app.router.match(method, path)[0].some(([[, route]]) => route.method === method))
    if (allowed.length === 0) return problemAnswer(documentOf(404, 'NOT_FOUND', 'There is nothing at this address. /docs says what there is.'))
    const names = allowed.includes('GET') ? [...allowed, 'HEAD'] : allowed
    return problemAnswer(documentOf(405, 'METHOD_NOT_ALLOWED', `method: ${context.req.method} is not for this address. Use ${names.join(' or ')}.`), { allow: names.join(', ') })
  }
}
