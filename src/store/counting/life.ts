// The turns in the life of a hold that take more than one step: an ending, a cost that comes after the hold has expired, and money
// given back. Keeps nothing: the charge is its store's, and so are the books and the ledger.

import type { UserRef } from '../../budget/index.js'
import type { CostDetails, LedgerKind } from '../../ledger/index.js'
import type { Amounts } from '../../money/index.js'
import type { Admitted, Effect, Failure, Opened } from '../contract.js'
import type { Books } from './books.js'
import type { Charge } from './charge.js'
import { correct, endCharge } from './counting.js'

/** Ids of the caller's, and expired holds, are remembered for so long after their end (DESIGN 3.4). */
export const GIVEN_IDS_KEPT_MS = 24 * 60 * 60_000
/** Generated ids are remembered for so long after their end. */
export const GENERATED_IDS_KEPT_MS = 60_000

/** Where changes of money are written down. */
export interface ChargeLedger {
  /** Writes one change of money of a charge: how its cost was found, why it was changed, and the instants whose rolling buckets it changed. */
  write(kind: LedgerKind, charge: Charge, at: number, microcents: number, tokens: number, details?: CostDetails, reason?: string, microcentsAt?: number, tokensAt?: number): void
}

const NOTHING: Amounts = Object.freeze({ microcents: 0, tokens: 0 })

/** What a hold that never ended is charged, and what is told of it. */
export function expiryOf(charge: Charge, effects: Effect[]): Amounts {
  const { id, dueAt, facts, heldMicrocents: microcents, heldTokens: tokens } = charge
  const charged = charge.onExpiry === 'charge' ? { microcents, tokens } : NOTHING
  effects.push({ kind: 'hold-expired', id, dueAt, charged, facts })
  return charged
}

/** Ends a charge with what it cost, and how that was found. */
export function end(charge: Charge, books: Books, ledger: ChargeLedger, state: 'settled' | 'released' | 'expired', microcents: number, tokens: number, details: CostDetails | undefined, at: number, effects: Effect[]): void {
  endCharge(charge, books, state === 'released' ? 0 : 1, microcents, tokens, at, effects)
  charge.ended(state, microcents, tokens, at)
  ledger.write(state, charge, at, microcents, tokens, details)
}

/** Gives an expired charge the cost that it had after all. */
export function correctExpired(charge: Charge, books: Books, ledger: ChargeLedger, microcents: number, tokens: number, details: CostDetails | undefined, now: number, effects: Effect[]): void {
  // What was refunded since it expired is not given back a second time.
  const moreMicrocents = Math.max(microcents, charge.refundedMicrocents) - charge.microcents
  const moreTokens = tokens - charge.tokens
  charge.state = 'settled'
  charge.corrected = true
  charge.microcents = microcents
  charge.tokens = tokens
  if (moreMicrocents > 0) {
    charge.addedMicrocents = moreMicrocents
    charge.addedAt = now
  }
  correct(charge, books, moreMicrocents, moreTokens, charge.endedAt, now, effects)
  ledger.write('corrected', charge, now, moreMicrocents, moreTokens, details, undefined, moreMicrocents < 0 ? charge.endedAt : now, moreTokens > 0 ? now : charge.endedAt)
}

/**
 * Takes up to that much money from where it was counted, the newest first: what a late settle added, then what the ending charged.
 * Gives what was taken.
 */
export function refundFrom(charge: Charge, books: Books, ledger: ChargeLedger, microcents: number, now: number, reason: string | undefined, effects: Effect[]): number {
  const part = Math.min(microcents, charge.microcents - charge.refundedMicrocents)
  if (part <= 0) return 0
  const { addedAt, endedAt } = charge
  const added = addedAt === endedAt ? 0 : Math.min(part, charge.addedMicrocents)
  charge.addedMicrocents -= added
  charge.refundedMicrocents += part
  if (added > 0) take(charge, books, ledger, added, addedAt, now, reason, effects)
  if (added < part) take(charge, books, ledger, part - added, endedAt, now, reason, effects)
  return part
}

function take(charge: Charge, books: Books, ledger: ChargeLedger, microcents: number, countedAt: number, now: number, reason: string | undefined, effects: Effect[]): void {
  correct(charge, books, -microcents, 0, countedAt, now, effects)
  ledger.write('corrected', charge, now, -microcents, 0, undefined, reason, countedAt, charge.endedAt)
}

/** The answer to a reserve with the id and the fingerprint of one that is remembered. */
export function repeated(charge: Charge, effects: readonly Effect[]): Admitted {
  const { openedAt, rung, degrade, dueAt, readings, state, scopes, rungs, facts } = charge
  return { outcome: 'admitted', now: openedAt, rung, degrade, dueAt, readings: [...readings], replay: { scopes, state, rungs, facts }, effects }
}

/** What an id stands for that is remembered: what it was opened with, where anything ever was. */
export function openedWith(charge: Charge, effects: readonly Effect[]): Opened | Failure {
  if (charge.isTombstone) return endedFailure(charge)
  const { openedAt, facts, rungs, rung, state } = charge
  return { outcome: 'opened', openedAt, facts, rungs, rung, state, effects }
}

/** What an operation fails with that came after the end. */
export function endedFailure(charge: Charge): Failure {
  return { outcome: 'already-ended', state: charge.state === 'open' ? 'released' : charge.state }
}

/** True for a charge of that user. */
export function isOf(charge: Charge, user: UserRef): boolean {
  return charge.facts.user.userId === user.userId && charge.facts.user.tenant === user.tenant
}
