// Changes of what is configured, as lines of the ledger without money: a simulation could not reproduce the past otherwise.

import type { UserRef } from '../budget/index.js'
import { StoreUnavailableError } from '../errors/index.js'
import type { Foundation } from './foundation.js'
import { newId } from './ids.js'

/** Whom a change concerns: nobody in particular, a tenant, or a user and their session. */
export interface Concerned extends Partial<UserRef> {
  readonly sessionId?: string | undefined
}

/** Appends a `configured` entry. `metadata` is plain JSON: instants in ms since the epoch. */
export async function noteConfigured({ store, clock }: Pick<Foundation, 'store' | 'clock'>, { userId = '', tenant, sessionId }: Concerned, reason: string, metadata: Readonly<Record<string, unknown>>): Promise<void> {
  const id = newId()
  await store.ledger.append({ id, kind: 'configured', at: clock(), decisionId: id, tenant, userId, sessionId, microcents: 0, tokens: 0, charged: [], reason, metadata })
}

/** The same for what has been done by now: where its line fails, the error says that it stands. `what`: a clause for that. */
export async function noteChange(foundation: Pick<Foundation, 'store' | 'clock'>, concerned: Concerned, what: string, reason: string, metadata: Readonly<Record<string, unknown>>): Promise<void> {
  try {
    await noteConfigured(foundation, concerned, reason, metadata)
  } catch (cause) {
    throw new StoreUnavailableError(`${what}, and stands so; but its line in the ledger may be missing: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  }
}
