// How routes are written: one description that validates, documents and guards. Every operation under /v1 says its role, and shares the
// answers that any of them may give.

import { createRoute, OpenAPIHono, z, type RouteConfig } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { createMiddleware } from 'hono/factory'
import { isId } from '../budget/index.js'
import type { Role } from './caller.js'
import { Problem } from './problem.js'
import { describeRequest } from './http/request-issues.js'
import type { Env } from './service.js'

/** The shape of every problem. Members beside these say more of one kind of them. */
export const problemSchema = z
  .looseObject({
    type: z.string().openapi({ example: 'urn:bursar:problem:invalid-request' }),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.string(),
  })
  .openapi('Problem')

/** An answer that is a problem. */
export function problem(description: string): { readonly description: string; readonly content: { readonly 'application/problem+json': { readonly schema: typeof problemSchema } } } {
  return { description, content: { 'application/problem+json': { schema: problemSchema } } }
}

/** An answer of JSON. */
export function json<Schema extends z.ZodType>(schema: Schema, description: string): { readonly description: string; readonly content: { readonly 'application/json': { readonly schema: Schema } } } {
  return { description, content: { 'application/json': { schema } } }
}

/** A body of JSON. */
export function body<Schema extends z.ZodType>(schema: Schema): { readonly required: true; readonly content: { readonly 'application/json': { readonly schema: Schema } } } {
  return { required: true, content: { 'application/json': { schema } } }
}

/** An id in a path or a body: 1 to 256 visible characters, as everywhere in bursar. */
export const idParameter = z.string().min(1).max(256).refine(isId, 'is no id. Give 1 to 256 visible characters')

/** The tenant that an operator's key speaks of; a key of a tenant leaves it out. */
export const tenantQuery = z.strictObject({ tenant: idParameter.optional().openapi({ description: "The tenant; a tenant's own key leaves it out." }) })

const SHARED_PROBLEMS = {
  401: problem('No key, or one that is unknown, revoked or expired.'),
  403: problem('The key may not do this.'),
  413: problem('The body is too large.'),
  422: problem('Something is wrong with the request: nothing has changed.'),
  429: problem('Too fast: repeat it after `Retry-After`.'),
  503: problem('The store does not answer: nothing is known to have changed.'),
} as const

/** Of operations that may be sent a body. */
const BODY_PROBLEMS = {
  400: problem('The body is no JSON in UTF-8.'),
  415: problem('The body is not said to be `application/json`.'),
} as const

/** An operation that needs a role. Its problems are added to what it answers by itself. */
export function operation<const Config extends RouteConfig>(role: Role, config: Config): Config & { getRoutingPath(): string } {
  const described = { ...config, security: [{ key: [] }], 'x-role': role, middleware: guard(role, config), responses: { ...(config.method !== 'get' && BODY_PROBLEMS), ...SHARED_PROBLEMS, ...config.responses } }
  return createRoute(described as never) as never
}

/** A handler of an operation that reads its body itself: the gate has it as JSON. */
export type Handler = (context: Context<Env>) => Response | Promise<Response>

/** An operation as it is described. */
export type Description = Omit<RouteConfig, 'tags'> & { readonly tags: readonly string[] }

/**
 * Adds an operation whose request the library behind it validates: its schemas describe, and are not run. For what the library reads as
 * strictly, and says better. It is the handler's own to look at everything that is sent.
 */
export function described(app: OpenAPIHono<Env>, role: Role, config: Description, handler: Handler): void {
  const { middleware: _guard, ...description } = operation(role, config as RouteConfig)
  app.openAPIRegistry.registerPath(description)
  const routingPath = config.path.replaceAll(/\/\{(.+?)\}/g, '/:$1')
  const names = parametersOf(config as RouteConfig)
  app.on([config.method.toUpperCase()], [routingPath], (context) => {
    context.get('caller').assertMay(role)
    assertQuery(context, names, true)
    return handler(context)
  })
}

/** An empty set of routes: what does not fit its description is a 422 that names the fields. */
export function routes(): OpenAPIHono<Env> {
  return new OpenAPIHono<Env>({
    defaultHook: (result) => {
      if (result.success) return
      throw new Problem(422, 'INVALID_REQUEST', describeRequest(result.error.issues, result.target))
    },
  })
}

function guard(role: Role, config: RouteConfig): ReturnType<typeof createMiddleware<Env>> {
  const names = parametersOf(config)
  return createMiddleware<Env>(async (context, next) => {
    context.get('caller').assertMay(role)
    assertQuery(context, names)
    assertNamed(context.get('body'), '')
    await next()
  })
}

/** Throws a 422 for a name that schemas leave out without a word. Bodies are as deep as the gate allows, and no deeper. */
function assertNamed(value: unknown, path: string): void {
  if (typeof value !== 'object' || value === null) return
  for (const [name, below] of Object.entries(value)) {
    const at = path === '' ? name : `${path}.${name}`
    if (name === '__proto__') throw new Problem(422, 'INVALID_REQUEST', `${at}: is no name of a field. Choose another one.`)
    assertNamed(below, at)
  }
}

/** The parameters that an operation has in its query; `undefined` where their names are not all known beforehand, and its schema tells which are none. */
function parametersOf({ request }: RouteConfig): readonly string[] | undefined {
  const query = request?.query as z.ZodObject | undefined
  if (query === undefined) return []
  const { catchall } = query.def
  return catchall === undefined || catchall instanceof z.ZodNever ? Object.keys(query.shape) : undefined
}

/** Throws a 422 for a parameter that is none of the operation's (what is not read would be taken for granted), and, with `isOnce`, for one that is there twice. */
function assertQuery(context: Context<Env>, names: readonly string[] | undefined, isOnce = false): void {
  if (names === undefined || !context.req.url.includes('?')) return
  for (const [name, { length }] of Object.entries(context.req.queries())) {
    if (!names.includes(name)) throw new Problem(422, 'INVALID_REQUEST', `${name}: is no parameter of this address. ${names.length === 0 ? 'It has none: leave it out; what a request is about stands in its body' : `Use ${names.join(' or ')}`}.`)
    if (isOnce && length > 1) throw new Problem(422, 'INVALID_REQUEST', `${name}: is given more than once. Give it once.`)
  }
}
