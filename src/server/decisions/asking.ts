// What somebody may ask for, and for whom: the part of a request about money that depends on the key. What it says beside that is the
// library's to read.

import { assertId, isId } from '../../budget/index.js'
import { InvalidRequestError } from '../../errors/index.js'
import { parseDuration } from '../../time/index.js'
import type { Caller } from '../caller.js'
import { assertOfUser, newRequestId, storeIdFor } from '../ids.js'
import { Problem } from '../problem.js'
import type { ServerOptions } from '../service.js'

/** A body, or an item of one, that is an object. It was read for this request alone. */
export type Given = Record<string, unknown>

/** Whose money it is about. */
export interface Whose {
  readonly userId: string
  readonly tenant: string | undefined
}

/** The id of a request in the store. */
export interface RequestId {
  readonly id: string
  /** Nobody has chosen it: it was made for this request. */
  readonly isOwn: boolean
}

/** What a path cannot have as one of its parts. */
const DOTS: ReadonlySet<string> = new Set(['.', '..'])

/** A client cannot keep money from others for longer. */
const LONGEST_HOLD_MS = 86_400_000

/** The object. Throws `InvalidRequestError` for anything else. */
export function asObject(value: unknown, what: string): Given {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Given
  throw new InvalidRequestError(`${what}: is ${value === undefined ? 'missing' : 'no object'}. Send a JSON object.`)
}

/**
 * Whose money a request is about, where this caller may ask for it. Throws `InvalidRequestError` for what is no user, and a 403 for another
 * user or tenant than the key's, a tier that somebody chooses for themselves, and a group that is not open to keys of tenants.
 */
export function whoseOf(caller: Caller, options: Pick<ServerOptions, 'tenantScopes' | 'tenantsManageBudgets'>, given: Given): Whose {
  const { userId = caller.userId, tenant, userTier, scopes } = given
  named(userId, 'userId')
  assertAddressable(userId, 'userId')
  const user = caller.userOf(userId, tenantNamed(tenant))
  if (!caller.isOperator) {
    if (userTier !== undefined && !caller.mayRaise(options)) throw new Problem(403, 'FORBIDDEN', `userTier: this key may not choose a tier. Leave it out: the directory says which it is${caller.may('admin') ? "; or use a key of the operator's, or set tenantsManageBudgets" : ''}.`)
    if (scopes !== undefined && scopes !== null) assertOpen(scopes, options)
  }
  return { userId, tenant: user.tenant }
}

/** Throws `InvalidRequestError` for an id that no address could name. */
export function assertAddressable(id: string, field: string): void {
  if (DOTS.has(id)) throw new InvalidRequestError(`${field}: "${id}" cannot stand in an address. Give another id.`)
}

/** A tenant that a request names. Throws `InvalidRequestError` for what is none. */
export function tenantNamed(tenant: unknown): string | undefined {
  if (tenant !== undefined) named(tenant, 'tenant')
  return tenant
}

/** The id of a request, by its header field or its body; a new one without. Throws a 422 for what is none, for one of another user's, and where the two differ. */
export function requestIdOf(caller: Caller, { userId, tenant }: Whose, header: string | undefined, inBody: unknown): RequestId {
  if (inBody !== undefined && typeof inBody !== 'string') throw new InvalidRequestError(`idempotencyKey: ${JSON.stringify(inBody)} is no text. Give a string.`)
  if (header !== undefined && inBody !== undefined && header !== inBody) throw new InvalidRequestError('idempotencyKey: is not what the header Idempotency-Key says. Send one of them.')
  const chosen = header ?? inBody
  if (chosen !== undefined && caller.userId === undefined) assertOfUser(userId, chosen)
  return { id: storeIdFor(caller, tenant, chosen ?? newRequestId()), isOwn: chosen === undefined }
}

/** Throws for a time to hold money that is none, or is longer than a client may choose. */
export function assertHoldable(ttl: unknown, field: string): void {
  if (ttl !== undefined && parseDuration(ttl, field) > LONGEST_HOLD_MS) throw new InvalidRequestError(`${field}: ${JSON.stringify(ttl)} is longer than a hold may last. Give at most 24h, and extend the hold while its call runs.`)
}

/** The schema takes its time; it is asked only for what is wrong. */
function named(value: unknown, field: string): asserts value is string {
  if (!isId(value)) assertId(value, field)
}

function assertOpen(scopes: unknown, { tenantScopes }: Pick<ServerOptions, 'tenantScopes'>): void {
  const closed = Object.keys(scopes as object).find((group) => !tenantScopes.includes(group))
  if (closed !== undefined) throw new Problem(403, 'FORBIDDEN', `scopes.${closed}: is not open to this key. Leave it out.`)
}
