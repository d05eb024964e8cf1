// What is written down of sessions beside their money: that one was opened or raised, and with what.

import type { UserRef } from '../budget/index.js'
import { noteConfigured } from '../tracker/index.js'
import type { SessionEngine } from './session.js'

/** Appends a line to the ledger. The session is there by now: a line that is lost is announced, and stops nobody. */
export async function noteSession({ foundation, failures }: Pick<SessionEngine, 'foundation' | 'failures'>, user: UserRef, sessionId: string, reason: string, metadata: Readonly<Record<string, unknown>>): Promise<void> {
  try {
    await noteConfigured(foundation, { ...user, sessionId }, reason, metadata)
  } catch (error) {
    failures.failed('ledger', error)
  }
}
