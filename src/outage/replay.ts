// Telling a store of one ending that it missed. Idempotent by id: whoever is interrupted begins again. Knows the life of a hold
// (DESIGN 3.4); waits for nobody.

import { BursarError, isBursarError, type BursarErrorCode, type StoreUnavailableError } from '../errors/index.js'
import { formatUsd } from '../money/index.js'
import { failureError, type Effect, type Failure, type Outdated, type Recorded, type Store } from '../store/index.js'
import type { Ending } from './ending.js'

/** What became of an ending: the store has it, a rule stands against it for good, or another ending must take its place. */
export type Replayed = { readonly effects: readonly Effect[] } | { readonly refused: BursarError } | { readonly instead: Ending }

const MOST_ATTEMPTS = 5
/** Every store remembers an ended id longer than this (generated ones 60 s, DESIGN 3.4), also by a clock that is somewhat wrong. */
const SURELY_REMEMBERED_MS = 30_000
const AWAY: readonly BursarErrorCode[] = ['STORE_UNAVAILABLE', 'STORE_RESET']

/** True for an error after which the same operation may succeed later: the store's, not a rule's, and no mistake in a program. */
export function isStoresFailure(error: unknown): boolean {
  return isBursarError(error) ? AWAY.includes(error.code) : !isMistake(error)
}

/** What a runtime throws at a mistake has no cause. `fetch` says with a TypeError that nobody answered, and why is its cause. */
function isMistake(error: unknown): boolean {
  if (error instanceof TypeError) return error.cause === undefined
  return error instanceof ReferenceError || error instanceof RangeError || error instanceof SyntaxError
}

/** True where the store answers, and has lost its data. */
export function isReset(error: unknown): error is BursarError {
  return isBursarError(error) && error.code === 'STORE_RESET'
}

/** False where the store was not asked, or says that it has changed nothing. */
export function mayHaveChanged(failure: unknown): boolean {
  return (failure as Partial<StoreUnavailableError>).asked !== false
}

/**
 * Sends an ending: a settle whose hold the store does not know comes back as a `record`, to be kept and sent `instead`. Rejects
 * where the store fails, is closed or has a mistake in it: then nothing is known, and the ending stays. `now` is in ms since the epoch.
 */
export async function replay(store: Store, ending: Ending, now: number): Promise<Replayed> {
  try {
    return await (ending.kind === 'settle' ? settle(store, ending, now) : ending.kind === 'record' ? record(store, ending) : release(store, ending))
  } catch (error) {
    if (!isBursarError(error) || isStoresFailure(error) || error.code === 'CLOSED') throw error
    return { refused: error }
  }
}

async function settle(store: Store, ending: Ending, now: number): Promise<Replayed> {
  const { id, microcents, tokens, model, provider, details, placed, sentAt } = ending
  const reply = await store.settle({ id, microcents, tokens, model, provider, details })
  if (reply.outcome === 'settled') return reply
  if (reply.outcome !== 'unknown-hold' || placed === undefined) return refusedBy(reply, ending, 'settle')
  // INVARIANT (ONE-ENDING): one that may have been settled, and forgotten since, is not charged a second time.
  if (sentAt !== undefined && !placed.idGiven && now - sentAt > SURELY_REMEMBERED_MS) {
    return { refused: new BursarError('UNKNOWN_HOLD', `id: the settle of "${id}" with ${formatUsd(microcents)} USD was sent and not answered, and the store no longer knows the hold: it was most likely charged, and is not charged again. Look for it in the ledger, and count it with tracker.addCost() if it is not there.`) }
  }
  return { instead: { ...ending, kind: 'record', sentAt: undefined } }
}

async function record(store: Store, ending: Ending): Promise<Replayed> {
  const { id, microcents, tokens = 0, provider, details, placed } = ending
  if (placed === undefined) return refusedBy({ outcome: 'unknown-hold' }, ending, 'record')
  const { scopes } = placed
  const facts = provider === undefined ? placed.facts : { ...placed.facts, provider }
  const fingerprint = recordFingerprint(microcents, tokens)
  for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt += 1) {
    const entry = await store.directory.get(facts.user)
    const reply: Recorded | Outdated | Failure = await store.record({ id, fingerprint, idGiven: true, scopes, amounts: { microcents, tokens }, facts, details, entry })
    if (reply.outcome === 'recorded') return reply
    if (reply.outcome !== 'outdated') return refusedBy(reply, ending, 'record')
  }
  throw new Error(`record "${id}": the directory changed at each of ${MOST_ATTEMPTS} attempts`)
}

async function release(store: Store, ending: Ending): Promise<Replayed> {
  const isWithdrawal = ending.kind === 'withdraw'
  const reply = await store.release({ id: ending.id, uncount: isWithdrawal, tombstone: isWithdrawal })
  return reply.outcome === 'released' ? reply : refusedBy(reply, ending, 'release')
}

/** What a cost that nothing held is compared with when it is recorded again. */
export function recordFingerprint(microcents: number, tokens: number): string {
  return `unheld ${microcents} ${tokens}`
}

function refusedBy(failure: Failure, { id }: Ending, operation: 'settle' | 'record' | 'release'): Replayed {
  return { refused: failureError(failure, id, operation) }
}
