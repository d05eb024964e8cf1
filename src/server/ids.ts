// Ids of decisions, holds and costs are unique in a whole store. Over HTTP each tenant has ids of its own: in the store they stand behind
// the tenant's name, so that no id that somebody guesses, or chooses, is another tenant's.

import { Problem } from './problem.js'

/** What a client may choose as an id of a request: also as the value of the header `Idempotency-Key`. */
export const MOST_ID = 128

/** The longest tenant that a key may have: with it, an id still fits the store's. */
export const MOST_TENANT = 100

/** The id in the store. Throws a 422 for one that is none. */
export function storeId(tenant: string | undefined, id: string): string {
  // oxlint-disable-next-line no-control-regex
  if (id.length < 1 || id.length > MOST_ID || !/^[\x21-\x7e]+$/.test(id)) throw new Problem(422, 'INVALID_REQUEST', `id: is no id. Give 1 to ${MOST_ID} visible ASCII characters, without spaces.`)
  return `${prefixOf(tenant)}${id}`
}

/** What stands before the ids of a tenant. */
export function prefixOf(tenant: string | undefined): string {
  return tenant === undefined ? '/' : `${encodeURIComponent(tenant)}/`
}

/** The id as its tenant knows it; what other ways than this server have made (in the application itself) has no prefix, and stays as it is. */
export function clientId(tenant: string | undefined, id: string): string {
  const prefix = prefixOf(tenant)
  return id.startsWith(prefix) ? id.slice(prefix.length) : id
}

/** A new id: nobody can guess it. */
export function newRequestId(): string {
  return crypto.randomUUID()
}
