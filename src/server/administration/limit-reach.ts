// Whose limits are whose. The operator sees and changes all of them. A tenant's admin makes limits on the tenant and its users, behind the
// tenant's prefix, and changes these alone; what the operator has set upon that tenant, and upon no other, they may read.

import { UnknownLimitError } from '../../errors/index.js'
import { EACH, type Limit, type LimitTarget } from '../../limits/index.js'
import type { Caller } from '../caller.js'
import { prefixOf, storeId } from '../ids.js'
import { Problem } from '../problem.js'
import type { Engine } from '../service.js'

/** The longest id that a limit has in a store. */
const LONGEST = 256

/** True where nobody is covered but who is the caller's. */
export function isWithin({ isOperator, tenant: own, userId }: Caller, { kind, id, tenant }: LimitTarget): boolean {
  if (isOperator) return true
  if (kind === 'user') return tenant === own && (userId === undefined || id === userId || (id === EACH && own !== undefined))
  return kind === 'tenant' && userId === undefined && id === own && id !== EACH
}

/** True for a limit that the caller may change, with the role for it. */
export function manages(caller: Caller, { id, scope }: Pick<Limit, 'id' | 'scope'>): boolean {
  return caller.isOperator || (caller.userId === undefined && id.startsWith(prefixOf(caller.tenant)) && isWithin(caller, scope))
}

/** The limit that the caller knows by this id: their own first. Throws `UnknownLimitError` for one that is not there for them. */
export async function visibleLimit(tracker: Engine['tracker'], caller: Caller, id: string): Promise<Limit> {
  const own = caller.isOperator ? undefined : await ownLimit(tracker, caller, id)
  const found = own ?? (await tracker.limits.get(id))
  if (found === undefined || !isWithin(caller, found.scope)) throw new UnknownLimitError(id)
  return found
}

/** The same for a limit that the caller may change. Throws a 403 for one that they may read, and the operator has set. */
export async function managedLimit(tracker: Engine['tracker'], caller: Caller, id: string): Promise<Limit> {
  const found = caller.isOperator ? await tracker.limits.get(id) : await ownLimit(tracker, caller, id)
  if (found !== undefined) return found
  await visibleLimit(tracker, caller, id)
  throw new Problem(403, 'FORBIDDEN', `limit: "${id}" is set by the operator. Ask them to change it, or add a limit of your own: of several the tightest counts.`)
}

/** The id in the store of a limit that is made by the caller: one without a `/`, as what stands before one is the name of a tenant. */
export function newLimitId(caller: Caller, id: string): string {
  return caller.isOperator ? id : storeId(caller.tenant, id)
}

/** Whom a limit covers that the caller makes: a tenant's key leaves its tenant out, and names no other. Throws a 403 for what is not the caller's alone. */
export function targetFor(caller: Caller, target: LimitTarget): LimitTarget {
  if (caller.isOperator) return target
  const { kind, id, tenant } = target
  const own: LimitTarget = kind === 'user' ? { kind, id, tenant: tenant ?? caller.tenant } : kind === 'tenant' ? { ...target, id: id ?? caller.tenant } : target
  if (caller.userId !== undefined || caller.tenant === EACH || !isWithin(caller, own)) {
    throw new Problem(403, 'FORBIDDEN', "scope: is not this key's alone. Limit its own tenant ({ kind: 'tenant' }), or users of it ({ kind: 'user', id }).")
  }
  return own
}

async function ownLimit(tracker: Engine['tracker'], caller: Caller, id: string): Promise<Limit | undefined> {
  // What is no id of a store can be none of a limit.
  const inStore = `${prefixOf(caller.tenant)}${id}`
  const found = inStore.length > LONGEST ? undefined : await tracker.limits.get(inStore)
  return found !== undefined && manages(caller, found) ? found : undefined
}
