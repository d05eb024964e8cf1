// Who calls, as bursar and the providers are told.

import type { Sdk, User } from './traffic.js'

/** Whose money a call spends, and through which integration: that stands in the ledger beside the cost. */
export function identityOf({ id, tier, team, sdk }: User) {
  return { userId: id, userTier: tier, ...(team !== undefined && { scopes: { team } }), metadata: { through: nameOf(sdk) } }
}

/** The integration as it is imported. */
export function nameOf(sdk: Sdk): string {
  return `bursar/${sdk}`
}

/** The API key under which the calls of an integration are made: providers count by it as well. */
export function apiKeyOf(sdk: Sdk): string {
  return `key-of-${sdk}`
}
