// Whose money a call through a wrapped client is: said once, or worked out for each call. Knows no SDK.

import { parseIdentity, type Identity } from '../decision/index.js'

/** Who spends: a value, or a function of the call. Left out, it is the identity of `bursar.runAs`. */
export type IdentityOf<Call, Tier extends string = string, Group extends string = string> =
  | Identity<Tier, Group>
  | ((call: Call) => Identity<Tier, Group> | Promise<Identity<Tier, Group>>)

/**
 * Gives the identity of each call; `undefined` where that is left to `bursar.runAs`. Throws `InvalidRequestError` for a value that is no
 * identity; a function that gives none rejects its call with it.
 */
export function identityReader<Call, Tier extends string, Group extends string>(
  identity: IdentityOf<Call, Tier, Group> | undefined,
): (call: Call) => Promise<Identity<Tier, Group> | undefined> {
  if (typeof identity === 'function') return async (call) => parseIdentity<Tier, Group>(await identity(call))
  const fixed = identity === undefined ? undefined : parseIdentity<Tier, Group>(identity)
  return async () => fixed
}
