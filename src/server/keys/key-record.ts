// A key as it stands in the registry: whose, for what, and the hashes of its secrets. Decides what may become one, and which secrets are
// valid when; reads no store.

import { createHash, timingSafeEqual } from 'node:crypto'
import { assertId } from '../../budget/index.js'
import { InvalidRequestError } from '../../errors/index.js'
import { Caller, ROLES } from '../caller.js'
import { MOST_TENANT } from '../ids.js'
import type { ApiKey, NewKey } from './key.js'

const MOST_NAME = 100
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/
const ALL_ROLES: ReadonlySet<unknown> = new Set(ROLES)
const FIELDS = ['name', 'roles', 'tenant', 'userId', 'expiresAt']

/** The hash of a secret, and until when it is valid: absent: as long as the key. */
export interface WrittenSecret {
  readonly hash: string
  readonly until?: number | undefined
}

/** The value of a record, as JSON. Instants in ms since the epoch; the newest secret first. */
export interface WrittenKey extends Omit<NewKey, 'expiresAt'> {
  readonly createdAt: number
  readonly expiresAt?: number | undefined
  /** Then it has no secrets. */
  readonly revokedAt?: number | undefined
  readonly secrets: readonly WrittenSecret[]
}

/** A key that was read: what is needed at every request is made once. */
export interface KnownKey {
  readonly caller: Caller
  /** Infinity: it does not expire. */
  readonly expiresAt: number
  readonly secrets: readonly { readonly hash: Uint8Array; readonly until: number }[]
}

/** SHA-256. Secrets are 32 random bytes: nothing slower is needed. */
export function hashOf(secret: string): Buffer {
  return createHash('sha256').update(secret).digest()
}

/** Throws `InvalidRequestError` for what can be no key. */
export function assertNewKey(key: NewKey, now: number): void {
  if (typeof key !== 'object' || key === null) throw new InvalidRequestError('key: is no key. Give { name, roles }.')
  const unknown = Object.keys(key).find((field) => !FIELDS.includes(field))
  if (unknown !== undefined) throw new InvalidRequestError(`${unknown}: is no field of a key. Give ${FIELDS.join(', ')}.`)
  const { name, roles, tenant, userId, expiresAt } = key
  if (typeof name !== 'string' || name.trim() === '' || name.length > MOST_NAME || CONTROL.test(name) || !name.isWellFormed()) {
    throw new InvalidRequestError(`name: is no name. Give 1 to ${MOST_NAME} visible characters that say whose key it is.`)
  }
  if (!Array.isArray(roles) || roles.length === 0 || !roles.every((role) => ALL_ROLES.has(role)) || new Set(roles).size !== roles.length) {
    throw new InvalidRequestError(`roles: are no roles. Give one or more of ${ROLES.join(', ')}, each once.`)
  }
  if (tenant !== undefined) assertTenant(tenant)
  if (userId !== undefined) {
    assertId(userId, 'userId')
    if (roles.includes('admin')) throw new InvalidRequestError('roles: a key of a user is never an admin. Give check, read or both, or leave the userId out.')
  }
  if (expiresAt === undefined) return
  if (!(expiresAt instanceof Date) || Number.isNaN(expiresAt.getTime())) throw new InvalidRequestError('expiresAt: is no date. Give a Date that is yet to come, or leave it out.')
  if (expiresAt.getTime() <= now) throw new InvalidRequestError(`expiresAt: ${expiresAt.toISOString()} is over. Give a time that is yet to come, or leave it out.`)
}

function assertTenant(tenant: string): void {
  assertId(tenant, 'tenant')
  if (tenant.length > MOST_TENANT) throw new InvalidRequestError(`tenant: is too long for a key. Give a tenant of at most ${MOST_TENANT} characters.`)
}

/** A record as what is needed at every request. */
export function knownKey(value: string, id: string): KnownKey {
  const { name, roles, tenant, userId, expiresAt = Infinity, secrets } = JSON.parse(value) as WrittenKey
  return {
    caller: new Caller({ keyId: id, name, roles, tenant, userId }),
    expiresAt,
    secrets: secrets.map(({ hash, until = Infinity }) => ({ hash: Buffer.from(hash, 'base64url'), until })),
  }
}

/** Compared with where there is no key of that id, or one without secrets: it takes as long. No secret has this hash. */
const NO_SECRET = { hash: Buffer.alloc(32), until: -Infinity }

/** True where the secret is one of the key's, now. */
export function isValid(key: KnownKey | undefined, secret: string, now: number): key is KnownKey {
  const hash = hashOf(secret)
  let isFound = false
  const secrets = key === undefined || key.secrets.length === 0 ? [NO_SECRET] : key.secrets
  for (const { hash: of, until } of secrets) if (timingSafeEqual(of, hash) && now < until) isFound = true
  return key !== undefined && isFound && now < key.expiresAt
}

/** A record as it is shown: without its secrets. */
export function shownKey(id: string, record: WrittenKey, now: number): ApiKey {
  const { name, roles, tenant, userId, createdAt, expiresAt, revokedAt, secrets } = record
  const state = stateOf(record, now)
  const valid = state === 'active' ? secrets.filter(({ until = Infinity }) => now < until) : []
  const earlier = valid.flatMap(({ until }) => (until === undefined ? [] : [Math.min(until, expiresAt ?? Infinity)]))
  return {
    id,
    name,
    roles,
    ...(tenant !== undefined && { tenant }),
    ...(userId !== undefined && { userId }),
    createdAt: new Date(createdAt),
    ...(expiresAt !== undefined && { expiresAt: new Date(expiresAt) }),
    state,
    ...(revokedAt !== undefined && { revokedAt: new Date(revokedAt) }),
    secrets: { valid: valid.length, ...(earlier.length > 0 && { earlierUntil: new Date(Math.max(...earlier)) }) },
  }
}

/** Whether it is good now, and if not, why. */
export function stateOf({ expiresAt = Infinity, revokedAt }: WrittenKey, now: number): ApiKey['state'] {
  if (revokedAt !== undefined) return 'revoked'
  return now >= expiresAt ? 'expired' : 'active'
}
