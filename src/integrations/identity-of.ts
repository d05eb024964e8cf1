// Whose money a call through a wrapped client is: said once, worked out for each call, or that of the running code. Knows no SDK.

import { parseIdentity, type Identity } from '../decision/index.js'
import { InvalidRequestError } from '../errors/index.js'

/** Who spends: a value, or a function of the call. Left out, it is the identity of `bursar.runAs`. */
export type IdentityOf<Call, Tier extends string = string, Group extends string = string> =
  | Identity<Tier, Group>
  | ((call: Call) => Identity<Tier, Group> | Promise<Identity<Tier, Group>>)

/** What says whose the running code is: a Bursar. */
export interface Running<Tier extends string, Group extends string> {
  readonly identity: Identity<Tier, Group> | undefined
}

/**
 * Gives the identity of each call; `undefined` where that is left to `bursar.runAs`. Where both say it, both must mean one user: what the running code says
 * (a session, above all) stands over a value, and a function of the call over both. Throws `InvalidRequestError` for a value that is no
 * identity; a function that gives none, and a call for one user in code that runs as another, rejects with it.
 */
export function identityReader<Call, Tier extends string, Group extends string>(
  identity: IdentityOf<Call, Tier, Group> | undefined,
  running: Running<Tier, Group> = { identity: undefined },
): (call: Call) => Promise<Identity<Tier, Group> | undefined> {
  if (typeof identity === 'function') {
    return async (call) => {
      // Asked first: what the function awaits may change nothing of it.
      const current = running.identity
      const own = parseIdentity<Tier, Group>(await identity(call))
      return current === undefined ? own : { ...ofOneUser(own, current), ...own }
    }
  }
  const fixed = identity === undefined ? undefined : parseIdentity<Tier, Group>(identity)
  return async () => (fixed === undefined || running.identity === undefined ? fixed : { ...fixed, ...ofOneUser(fixed, running.identity) })
}

function ofOneUser<Tier extends string, Group extends string>(own: Identity<Tier, Group>, current: Identity<Tier, Group>): Identity<Tier, Group> {
  if (own.userId === current.userId && own.tenant === current.tenant) return current
  throw new InvalidRequestError(`identity: the call is for ${nameOf(own)}, and runs as ${nameOf(current)}. Leave the identity of the wrapped client out, so that it is that of runAs(), or make the call outside of it.`)
}

function nameOf({ userId, tenant }: Identity): string {
  return tenant === undefined ? `user "${userId}"` : `user "${userId}" of tenant "${tenant}"`
}
