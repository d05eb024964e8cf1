// Ids of decisions, holds and costs are unique in a whole store. Over HTTP each tenant has ids of its own: in the store they stand behind
// the tenant's name, so that no id that somebody guesses, or chooses, is another tenant's. A key of one user has ids of that user's within them.

import { createHash } from 'node:crypto'
import type { Caller } from './caller.js'
import { Problem } from './problem.js'

/** What a client may choose as an id of a request: also as the value of the header `Idempotency-Key`. */
export const MOST_ID = 128

/** The longest tenant that a key may have. */
export const MOST_TENANT = 100

/** Names up to so long stand in an id as they are. With both, and the longest id, it is one of at most 256 characters, as every store takes it. */
const LONGEST_TENANT = 64
const LONGEST_USER = 58

/** What an id begins with that a key of one user has made. */
const USER_MARK = '~'

/** True for what a client may name: an id that it has chosen, or one that is shown to it, with a user's name before it. */
export function isClientId(id: string): boolean {
  const most = id.startsWith(USER_MARK) ? MOST_ID + LONGEST_USER + 2 : MOST_ID
  return id.length >= 1 && id.length <= most && id !== '.' && id !== '..' && /^[\x21-\x7e]+$/.test(id)
}

/** The id in the store. Throws a 422 for one that is none, and for `.` and `..`, which no address can name. */
export function storeId(tenant: string | undefined, id: string): string {
  if (!isClientId(id)) throw new Problem(422, 'INVALID_REQUEST', `id: is no id. Give 1 to ${MOST_ID} visible ASCII characters, without spaces; not "." or "..".`)
  return `${prefixOf(tenant)}${id}`
}

/**
 * The id in the store of what a caller names. To a key of one user nothing is there but what that user's keys have made: `job-1` is `~ada:job-1`
 * to it, which is also how that id is shown to its tenant. Throws a 422 for what is no id, and for one that has the user before it twice: it
 * would be shown as another one's name.
 */
export function storeIdFor({ userId }: Pick<Caller, 'userId'>, tenant: string | undefined, id: string): string {
  if (userId === undefined) return storeId(tenant, id)
  const own = userPrefix(userId)
  const named = id.startsWith(own) ? id.slice(own.length) : id
  if (named.startsWith(own)) throw new Problem(422, 'INVALID_REQUEST', `id: begins with "${own}" twice. Give it once, or leave it out.`)
  if (named.length > MOST_ID) return storeId(tenant, 'x'.repeat(named.length))
  return storeId(tenant, named === '' || named === '.' || named === '..' ? named : `${own}${named}`)
}

/**
 * Throws a 422 for an id that somebody else than a key of a user chooses for a request of this user, where it would be one of another
 * user's keys. Their own it may repeat.
 */
export function assertOfUser(userId: string, id: string): void {
  if (!id.startsWith(USER_MARK) || !id.includes(':')) return
  const own = userPrefix(userId)
  if (id.startsWith(own) && !id.startsWith(own, own.length)) return
  throw new Problem(422, 'INVALID_REQUEST', `id: "${id.slice(0, id.indexOf(':') + 1)}" stands before ids that the keys of a user have made, and this is no such id of the user of the request. Choose another one.`)
}

/** What stands before the ids of a tenant. */
export function prefixOf(tenant: string | undefined): string {
  return tenant === undefined ? '/' : `${written(tenant, LONGEST_TENANT)}/`
}

/** The id as its tenant knows it; what other ways than this server have made (in the application itself) has no prefix, and stays as it is. */
export function clientId(tenant: string | undefined, id: string): string {
  const prefix = prefixOf(tenant)
  return id.startsWith(prefix) ? id.slice(prefix.length) : id
}

/** What stands before the ids of whoever asks, in the store: those of a key of one user have the user there too. */
export function ownPrefix({ tenant, userId }: Pick<Caller, 'tenant' | 'userId'>): string {
  return userId === undefined ? prefixOf(tenant) : `${prefixOf(tenant)}${userPrefix(userId)}`
}

/** The id as this caller knows it: to a key of one user its own ids are shown as they were sent. */
export function clientIdFor({ userId }: Pick<Caller, 'userId'>, tenant: string | undefined, id: string): string {
  const shown = clientId(tenant, id)
  if (userId === undefined || shown === id) return shown
  const own = userPrefix(userId)
  return shown.startsWith(own) ? shown.slice(own.length) : shown
}

/** A new id: nobody can guess it. */
export function newRequestId(): string {
  return crypto.randomUUID()
}

/** `~` and `:` stand in a path as they are, and mean nothing to a spreadsheet; `:` stands in no encoded name. */
function userPrefix(userId: string): string {
  return `${USER_MARK}${written(userId, LONGEST_USER)}:`
}

/** A name in visible ASCII without `/`, `:` and `=`: two names never come to the same. A long one is told by its hash. */
function written(name: string, longest: number): string {
  const encoded = encodeURIComponent(name)
  return encoded.length <= longest ? encoded : `=${createHash('sha256').update(name).digest('base64url')}`
}
