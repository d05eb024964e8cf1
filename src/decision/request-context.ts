// The context of one request on one model: with its windows once they are read, without them before.

import type { EnforcementContext, WindowView } from '../enforcement/index.js'
import type { Amounts } from '../money/index.js'
import { contextOf, type Account } from '../tracker/index.js'
import type { ParsedRequest } from './request.js'

/** The context that policies see for `model` with its estimate. */
export function requestContext(request: ParsedRequest, account: Account, model: string | undefined, windows: readonly WindowView[], amounts: Amounts, now: number): EnforcementContext {
  const { user, given, tokens, facts } = request
  const { provider, query, metadata } = given
  return contextOf({ userId: user.userId, tenant: user.tenant, model, provider, query, metadata, facts }, account, windows, amounts, tokens, now)
}
