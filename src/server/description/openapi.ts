// The description of the service as an OpenAPI document: what the routes say of themselves, and what is the same for all of them. Reads
// routes, and knows none by name.

import type { OpenAPIHono } from '@hono/zod-openapi'
import { readFileSync } from 'node:fs'
import { ROLES, type Role } from '../caller.js'
import { EXAMPLES } from './docs-examples.js'
import type { Env } from '../service.js'

/** A JSON schema as it stands in the document: of draft 2020-12, as far as zod writes it. */
export interface JsonSchema {
  readonly $ref?: string
  readonly type?: string | readonly string[]
  readonly format?: string
  readonly description?: string
  readonly default?: unknown
  readonly example?: unknown
  readonly examples?: readonly unknown[]
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: boolean | JsonSchema
  readonly propertyNames?: JsonSchema
  readonly items?: JsonSchema
  readonly prefixItems?: readonly JsonSchema[]
  readonly minItems?: number
  readonly maxItems?: number
  readonly minLength?: number
  readonly maxLength?: number
  readonly pattern?: string
  readonly minimum?: number
  readonly maximum?: number
  readonly exclusiveMinimum?: number
  readonly exclusiveMaximum?: number
  readonly multipleOf?: number
  readonly anyOf?: readonly JsonSchema[]
  readonly oneOf?: readonly JsonSchema[]
  readonly allOf?: readonly JsonSchema[]
  readonly not?: JsonSchema
}

/** What is sent or answered, by its media type. */
export type ApiContent = Readonly<Record<string, { readonly schema?: JsonSchema; readonly example?: unknown }>>

/** A parameter of a path, a query or a header. */
export interface ApiParameter {
  readonly name: string
  readonly in: 'path' | 'query' | 'header' | 'cookie'
  readonly required?: boolean
  readonly description?: string
  readonly schema?: JsonSchema
  readonly example?: unknown
}

/** One answer. */
export interface ApiAnswer {
  readonly description: string
  readonly content?: ApiContent
}

/** One operation. */
export interface ApiOperation {
  /** Of the method and the path: `postHoldsByIdSettle`. */
  readonly operationId: string
  readonly summary?: string
  readonly description?: string
  readonly tags?: readonly string[]
  readonly parameters?: readonly ApiParameter[]
  readonly requestBody?: { readonly required?: boolean; readonly description?: string; readonly content: ApiContent }
  readonly responses: Readonly<Record<string, ApiAnswer>>
  readonly security?: readonly Readonly<Record<string, readonly string[]>>[]
  /** The role that a key needs; absent: no key is needed. */
  readonly 'x-role'?: Role
}

/** The whole document. */
export interface ApiDocument {
  readonly openapi: string
  readonly info: { readonly title: string; readonly version: string; readonly description: string }
  readonly servers: readonly { readonly url: string; readonly description: string }[]
  readonly tags: readonly { readonly name: string; readonly description: string }[]
  readonly paths: Readonly<Record<string, Readonly<Record<string, ApiOperation>>>>
  readonly components: { readonly schemas: Readonly<Record<string, JsonSchema>>; readonly securitySchemes: Readonly<Record<string, object>> }
}

const DESCRIPTION = `bursar decides before each LLM request whether a user may spend. Ask with \`POST /v1/check\`, call the model, and settle what it cost. \
Money is USD, as numbers; \`exact\` members are microcents (1 USD = 100,000,000). Times are ISO 8601. What goes wrong is a problem document (RFC 9457).`

const KEY = `\`Authorization: Bearer bursar_…\`. A key has roles (${ROLES.join(', ')}: the last does what the others do, too), and reaches one tenant, one user, or everything.`

/** What the groups of operations are for, in the order in which they are read. */
const TAGS: Readonly<Record<string, string>> = {
  Decisions: 'Ask before a call, and say afterwards what it cost.',
  Sessions: 'A budget for one run of a user.',
  Users: 'The budget, the tier and the own limits of a user.',
  Customers: 'Users with a name, as somebody has written them down.',
  Tenants: 'What is set for the users of a tenant.',
  Limits: 'Limits that are made while the service runs.',
  Usage: 'What was spent, entry by entry.',
  Reports: 'What was spent, added up.',
  Dashboard: 'What the dashboard shows: the state now, and what happens.',
  Keys: 'Who may ask.',
  Webhooks: 'Who is told of thresholds and denials.',
  Stripe: 'Where Stripe sends its events, if it is configured.',
  Operation: 'For whoever runs the service.',
}

/** The document of an app, when all its routes are mounted. */
export function describeApp(app: OpenAPIHono<Env>): ApiDocument {
  const info = { title: 'bursar', version: versionOfPackage(), description: DESCRIPTION, license: { name: 'MIT', identifier: 'MIT' } }
  const servers = [{ url: '/', description: 'This server.' }]
  const told = app.getOpenAPI31Document({ openapi: '3.1.0', info, servers }) as unknown as ApiDocument
  const paths = Object.fromEntries(Object.keys(told.paths).map((path) => [path, withIds(path, told.paths)]))
  const used = new Set(Object.values(paths).flatMap((item) => Object.values(item).flatMap(({ tags = [] }) => tags)))
  const names = [...Object.keys(TAGS).filter((name) => used.has(name)), ...[...used].filter((name) => !Object.hasOwn(TAGS, name))]
  const schemas = Object.fromEntries(Object.entries(told.components.schemas).map(([name, schema]) => [name, joined(schema, told.components.schemas)]))
  const components = { ...told.components, schemas, securitySchemes: { key: { type: 'http', scheme: 'bearer', description: KEY } } }
  return { ...told, info, servers, tags: names.map((name) => ({ name, description: TAGS[name] ?? name })), paths, components }
}

/** The id of an operation: `GET /v1/users/{id}/budget` is `getUsersByIdBudget`. */
function operationIdOf(method: string, path: string): string {
  const words = path.replace(/^\/v1(?=\/)/, '').split(/[/.\-_]/).filter((word) => word !== '')
  return `${method}${words.map((word) => (word.startsWith('{') ? `By${capital(word.slice(1, -1))}` : capital(word))).join('')}`
}

function withIds(path: string, paths: ApiDocument['paths']): Record<string, ApiOperation> {
  // The same address without a version has the same words.
  const suffix = Object.hasOwn(paths, `/v1${path}`) ? 'Unversioned' : ''
  return Object.fromEntries(Object.entries(paths[path] ?? {}).map(([method, operation]) => [method, withExample({ ...operation, operationId: operation.operationId ?? `${operationIdOf(method, path)}${suffix}` })]))
}

/** With the values of its worked example, but for ids that the server chooses. */
function withExample(operation: ApiOperation): ApiOperation {
  const { params = {}, query = {}, body } = EXAMPLES[operation.operationId] ?? {}
  const { parameters, requestBody } = operation
  const json = requestBody?.content['application/json']
  return {
    ...operation,
    ...(parameters !== undefined && {
      parameters: parameters.map((each) => {
        const value = each.in === 'path' ? params[each.name] : each.in === 'query' ? query[each.name] : undefined
        return typeof value === 'string' ? { ...each, example: each.schema?.type === 'array' ? [value] : value } : each
      }),
    }),
    ...(requestBody !== undefined && json !== undefined && body !== undefined && { requestBody: { ...requestBody, content: { ...requestBody.content, 'application/json': { ...json, example: body } } } }),
  }
}

/**
 * A schema that extends another as one whole. As `allOf`, it would be what nothing fits: the other says of its fields that there are no more,
 * and it is asked of the whole as well.
 */
function joined(schema: JsonSchema, schemas: Readonly<Record<string, JsonSchema>>): JsonSchema {
  const { allOf, ...own } = schema
  if (allOf === undefined) return schema
  const parts = allOf.map(({ $ref, ...part }) => ($ref === undefined ? part : joined(schemas[$ref.slice($ref.lastIndexOf('/') + 1)] ?? {}, schemas)))
  if (![...parts, own].every(({ type }) => type === undefined || type === 'object')) return schema
  const properties = Object.assign({}, ...[...parts, own].map((part) => part.properties)) as Record<string, JsonSchema>
  const required = [...new Set([...parts, own].flatMap((part) => part.required ?? []))]
  return { type: 'object', ...own, properties, required, additionalProperties: own.additionalProperties ?? parts.at(-1)?.additionalProperties ?? true }
}

function capital(word: string): string {
  return `${word.slice(0, 1).toUpperCase()}${word.slice(1)}`
}

/** The package is three folders above the sources, and four above what is built from them. */
function versionOfPackage(): string {
  for (const path of ['../../../package.json', '../../../../package.json']) {
    try {
      const { name, version } = JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8')) as { readonly name?: string; readonly version?: string }
      if (name === 'bursar' && version !== undefined) return version
    } catch {
      // The other one.
    }
  }
  return 'unknown'
}
