// Who a scope is, and the one string that stands for it in a store. Two different scopes never share a key.

import { InvalidRequestError } from '../errors/index.js'
import type { ScopeId } from '../enforcement/index.js'
import { idSchema } from './schema.js'

const SESSION = 'session'
const LIMIT = 'limit'

/** A user is a user id within a tenant: the same id in two tenants is two users. */
export interface UserRef {
  readonly userId: string
  readonly tenant?: string | undefined
}

/** How a method takes a user: the id alone, or with a tenant. */
export type UserArgument = string | UserRef

/** Reads a user argument. Throws `InvalidRequestError` for an empty or malformed id or an unknown field. */
export function toUserRef(user: UserArgument): UserRef {
  const ref: UserRef = typeof user === 'string' ? { userId: user } : user
  if (typeof ref !== 'object' || ref === null) throw new InvalidRequestError(`userId: ${String(user)} is no user. Give a user id, or { userId, tenant }.`)
  const unknown = Object.keys(ref).find((field) => field !== 'userId' && field !== 'tenant')
  if (unknown !== undefined) throw new InvalidRequestError(`${unknown}: is no field of a user. Give { userId, tenant }.`)
  assertId(ref.userId, 'userId')
  if (ref.tenant !== undefined) assertId(ref.tenant, 'tenant')
  return ref
}

/** Throws `InvalidRequestError` unless the value is an id. */
export function assertId(value: unknown, field: string): asserts value is string {
  if (!idSchema.safeParse(value).success) {
    throw new InvalidRequestError(`${field}: ${value === undefined ? 'is missing' : `${JSON.stringify(value)} is no id`}. Give 1 to 256 visible characters.`)
  }
}

/** The scope of a user's own windows. */
export function userScope(user: UserRef): ScopeId {
  return user.tenant === undefined ? { kind: 'user', id: user.userId } : { kind: 'user', id: user.userId, tenant: user.tenant }
}

/** The scope of a session. A session is its user's: the same id of two users is two sessions, of which neither can find the other. */
export function sessionScope(user: UserRef, sessionId: string): ScopeId {
  const id = `${escaped(user.userId)}/${sessionId}`
  return user.tenant === undefined ? { kind: SESSION, id } : { kind: SESSION, id, tenant: user.tenant }
}

/** The user and the id of the session whose scope this is; `undefined` for another kind of scope. */
export function sessionOf({ kind, id, tenant }: ScopeId): { readonly user: UserRef; readonly sessionId: string } | undefined {
  if (kind !== SESSION) return undefined
  const idAt = id.indexOf('/') + 1
  const userId = unescaped(id.slice(0, idAt - 1))
  return { user: tenant === undefined ? { userId } : { userId, tenant }, sessionId: id.slice(idAt) }
}

/**
 * The scope of a limit that was made at run time: its id, and the member that it counts apart, where it counts each apart or is one
 * user's. `generation`: how often a limit of that id was made: what was counted for a removed one is not the next one's.
 */
export function limitScope({ limitId, generation = 1, member, tenant }: LimitScope): ScopeId {
  const name = `${/[/%#]/.test(limitId) ? encodeURIComponent(limitId) : limitId}${generation === 1 ? '' : `#${generation}`}`
  const id = member === undefined ? name : `${name}/${member}`
  return tenant === undefined ? { kind: LIMIT, id } : { kind: LIMIT, id, tenant }
}

/** What a limit's scope stands for. */
export interface LimitScope {
  readonly limitId: string
  readonly generation?: number | undefined
  /** The id of the user, tenant, tier or group member. */
  readonly member?: string | undefined
  /** The tenant that it is, or that its user is of. */
  readonly tenant?: string | undefined
}

/** The limit whose scope this is; `undefined` for another kind of scope. */
export function limitOf({ kind, id, tenant }: ScopeId): Required<LimitScope> | undefined {
  if (kind !== LIMIT) return undefined
  const slash = id.indexOf('/')
  const [name = '', generation] = (slash < 0 ? id : id.slice(0, slash)).split('#')
  return { limitId: unescaped(name), generation: generation === undefined ? 1 : Number(generation), member: slash < 0 ? undefined : id.slice(slash + 1), tenant }
}

/** The key of a scope: kind, tenant and id, with the first two escaped so that no two scopes meet. */
export function scopeKey(scope: ScopeId): string {
  if (scope.kind === 'user' && scope.tenant === undefined) return `user//${scope.id}`
  return `${escaped(scope.kind)}/${scope.tenant === undefined ? '' : escaped(scope.tenant)}/${scope.id}`
}

function escaped(part: string): string {
  return /[/%]/.test(part) ? encodeURIComponent(part) : part
}

/** The scope that has this key. */
export function parseScopeKey(key: string): ScopeId {
  const tenantAt = key.indexOf('/') + 1
  const idAt = key.indexOf('/', tenantAt) + 1
  const kind = unescaped(key.slice(0, tenantAt - 1))
  const tenant = unescaped(key.slice(tenantAt, idAt - 1))
  const id = key.slice(idAt)
  return tenant === '' ? { kind, id } : { kind, id, tenant }
}

/** The user whose scope has this key, or `undefined` for another kind of scope. */
export function parseUserKey(key: string): UserRef | undefined {
  if (!key.startsWith('user/')) return undefined
  const { id: userId, tenant } = parseScopeKey(key)
  return tenant === undefined ? { userId } : { userId, tenant }
}

function unescaped(part: string): string {
  return part.includes('%') ? decodeURIComponent(part) : part
}
