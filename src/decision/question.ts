// One request as it is put to a store: who asks, for what, and who judges. What is known before the answer stands here, so that
// the answer needs only to be set beside it.

import type { EnforcementCallbacks, Policy } from '../enforcement/index.js'
import { modelOf, type Admitted, type ChargeFacts, type ReserveRequest } from '../store/index.js'
import { fingerprintOf, namedScopes, type Account, type Accounts } from '../tracker/index.js'
import { LONGEST_DRY_RUN_MS } from './dry-run.js'
import type { ParsedRequest } from './request.js'
import type { Rung, Rungs } from './rungs.js'

/** What a store is asked, and what its answer is judged by. */
export interface Question {
  readonly id: string
  readonly request: ParsedRequest
  readonly account: Account
  readonly prepared: Rungs
  /** The policies registered when the request was made. */
  readonly policies: readonly Policy<string>[]
  readonly callbacks: EnforcementCallbacks
  /** How often it has been asked: again where the directory had changed. */
  readonly attempt: number
  /** The caps of its sessions were looked up for it: no process has raised them since it was asked. */
  readonly hasFreshCaps?: boolean | undefined
  /** The account that pays, where the request is judged without its windows. */
  readonly spending?: Account | undefined
}

/**
 * The question in the words of the store contract. A dry run is another operation than a check: what it gives back can only have been a dry
 * run's, whatever id it was given.
 */
export function reserveRequest({ id, request, account, prepared }: Question, holdTtlMs: number, onExpiry: 'charge' | 'release'): ReserveRequest {
  const { given } = request
  const { rungs, refused, degrade, degradeBlocks } = prepared
  const isGiven = given.idempotencyKey !== undefined
  const { isDryRun } = request
  const ttlMs = request.holdTtlMs ?? holdTtlMs
  return {
    id,
    fingerprint: isGiven ? fingerprintOf(isDryRun ? 'dry-run' : 'check', given) : id,
    idGiven: isGiven,
    ttlMs: isDryRun ? Math.min(ttlMs, LONGEST_DRY_RUN_MS) : ttlMs,
    onExpiry: isDryRun ? 'release' : onExpiry,
    scopes: account.scopes,
    rungs: rungs.length === 1 ? [(rungs[0] as Rung).amounts] : rungs.map(({ amounts }) => amounts),
    refusedRungs: refused,
    degrade,
    degradeBlocks,
    facts: chargeFacts(request, account, prepared),
    entry: account.entry,
  }
}

/** What the ledger will say of a request. */
export function chargeFacts({ user, given }: ParsedRequest, { tier }: Account, { rungs }: Rungs): ChargeFacts {
  const { provider, model, sessionId, scopes, metadata } = given
  const cheaperModels = rungs.length === 1 ? undefined : rungs.slice(1).map((rung) => rung.model as string)
  return { user, tier, provider, model, cheaperModels, sessionId, scopes: namedScopes(scopes), metadata }
}

/** The question to which a repeat's readings belong: with the windows of the first time, judged as they are now. */
export function firstQuestion(question: Question, replay: NonNullable<Admitted['replay']>, accounts: Accounts): Question {
  const { prepared, account } = question
  const { tier } = replay.facts
  const rungs = replay.rungs.map((amounts, index) => ({ model: modelOf(replay.facts, index), provider: replay.facts.provider, amounts, price: undefined, verdicts: prepared.rungs[index]?.verdicts ?? [] }))
  return { ...question, account: { ...account, tier, scopes: accounts.judgedAgain(replay.scopes, account, tier) }, prepared: { ...prepared, rungs } }
}
