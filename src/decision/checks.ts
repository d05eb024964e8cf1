// One check, from a request whose shape is right to its decision: the account, the rungs, the one question to the store, and the
// decision announced. What each step decides stands in a file of its own; here is their order, and what follows when one fails.

import type { EnforcementCallbacks, Policy } from '../enforcement/index.js'
import type { EventHub } from '../events/index.js'
import { isStoresFailure, mayHaveChanged } from '../outage/index.js'
import { failureError, isPromise, type Admitted, type Failure, type MaybePromise, type Outdated, type Refused, type ReserveRequest } from '../store/index.js'
import { assertRuns, MOST_ATTEMPTS, newId, restless, withoutRequestWindows, type Account, type Foundation, type KnownSession } from '../tracker/index.js'
import { Assessment } from './assessment.js'
import { AllowedDecision, DeniedDecision, type Decision, type Endings } from './decision.js'
import type { DecisionLog } from './decision-log.js'
import type { DenialCode, Offers } from './denial.js'
import type { BursarEvents } from './events.js'
import { DryRun } from './dry-run.js'
import { assertStoreFailed } from './failing.js'
import type { Holds } from './holds.js'
import { firstQuestion, reserveRequest, type Question } from './question.js'
import type { ParsedRequest } from './request.js'
import { refusalsOf } from './retry.js'
import { prepareRungs, type Rung, type RungSources } from './rungs.js'
import { answerWithoutStore, type OnStoreError } from './store-away.js'
import type { StoreFailures } from './store-failures.js'
import { Unheld } from './unheld.js'

type Reply = Admitted | Refused | Outdated | Failure

/** The policies that are in force at the moment. */
export interface PoliciesNow {
  readonly requestPolicies: readonly Policy<string>[]
  /** A function must be asked after the hold. */
  readonly asksFunctions: boolean
}

/** What checks are configured with. */
export interface ChecksOptions {
  readonly holdTtlMs: number
  readonly onHoldExpiry: 'charge' | 'release'
  readonly onStoreError: OnStoreError
  readonly offers: Offers
  readonly log: DecisionLog
}

/** Decides requests, one after another or many at once. */
export class Checks {
  readonly #foundation: Foundation
  readonly #events: EventHub<BursarEvents>
  readonly #callbacks: EnforcementCallbacks
  readonly #inForce: () => PoliciesNow
  readonly #rungSources: RungSources
  readonly #holds: Holds
  readonly #options: ChecksOptions
  readonly #failures: StoreFailures

  constructor(foundation: Foundation, inForce: () => PoliciesNow, rungSources: RungSources, holds: Holds, failures: StoreFailures, options: ChecksOptions) {
    this.#foundation = foundation
    this.#events = foundation.hub as unknown as EventHub<BursarEvents>
    this.#callbacks = rungSources.callbacks
    this.#inForce = inForce
    this.#rungSources = rungSources
    this.#holds = holds
    this.#failures = failures
    this.#options = options
  }

  /** Decides a request. Throws or rejects where the caller must hear of it; nothing is held then. */
  decide(request: ParsedRequest, signal: AbortSignal | undefined, attempt = 1, hasFreshCaps = false): MaybePromise<Decision> {
    let found: MaybePromise<Account>
    try {
      found = this.#foundation.accounts.findRemembered(request)
    } catch (error) {
      return this.#withoutDirectory(error, request, signal)
    }
    if (!isPromise(found)) return this.#hold(request, found, signal, attempt, hasFreshCaps)
    return found.then(
      (account) => this.#hold(request, account, signal, attempt, hasFreshCaps),
      (error: unknown) => this.#withoutDirectory(error, request, signal),
    )
  }

  /** The same for a dry run: what was held for it is given back first. A store that cannot be told does so by itself, soon. */
  async decideDry(request: ParsedRequest, signal: AbortSignal | undefined): Promise<Decision> {
    const decision = await this.decide(request, signal)
    if (decision.allowed) await decision.release().catch((error: unknown) => this.#failures.failed('release', error))
    return decision
  }

  #hold(request: ParsedRequest, found: Account, signal: AbortSignal | undefined, attempt: number, hasFreshCaps: boolean): MaybePromise<Decision> {
    const account = request.countsRequest ? found : withoutRequestWindows(found)
    const { requestPolicies, asksFunctions } = this.#inForce()
    const prepared = prepareRungs(request, account, requestPolicies, this.#rungSources)
    const callbacks = this.#callbacks
    const question: Question = { id: request.given.idempotencyKey ?? newId(), request, account, prepared, policies: callbacks.policies, callbacks, attempt, hasFreshCaps }
    const asked = reserveRequest(question, this.#options.holdTtlMs, this.#options.onHoldExpiry)
    let reply: MaybePromise<Reply>
    try {
      reply = this.#foundation.store.reserve(asked)
    } catch (error) {
      return this.#notReserved(error, question, asked, asksFunctions, signal)
    }
    if (!isPromise(reply)) return this.#decide(question, reply, asksFunctions, signal)
    return reply.then(
      (answer) => this.#decide(question, answer, asksFunctions, signal),
      (error: unknown) => this.#notReserved(error, question, asked, asksFunctions, signal),
    )
  }

  /**
   * A reserve that failed may have taken effect: it is repeated once with the same id. If that fails too, a tombstone is left, so
   * that no hold stays open for a call that nobody makes (the life of a hold, DESIGN 3.4). The guard of a shared store does both.
   */
  #notReserved(error: unknown, question: Question, asked: ReserveRequest, asksFunctions: boolean, signal: AbortSignal | undefined): MaybePromise<Decision> {
    if (this.#foundation.guard === undefined) return this.#askAgain(error, question, asked, asksFunctions, signal)
    return this.#withoutStore(error, 'reserve', question, asked, asksFunctions, signal)
  }

  async #askAgain(error: unknown, question: Question, asked: ReserveRequest, asksFunctions: boolean, signal: AbortSignal | undefined): Promise<Decision> {
    assertStoreFailed(error)
    if (!mayHaveChanged(error)) return this.#withoutStore(error, 'reserve', question, undefined, asksFunctions, signal)
    let reply: Reply
    try {
      reply = await this.#foundation.store.reserve(asked)
    } catch (again) {
      void this.#withdraw(question.id, true)
      return this.#withoutStore(again, 'reserve', question, undefined, asksFunctions, signal)
    }
    // A generated id can only have been this call's own.
    const own = reply.outcome === 'admitted' && !asked.idGiven ? { ...reply, replay: undefined } : reply
    return this.#decide(question, own, asksFunctions, signal)
  }

  #decide(question: Question, reply: Reply, asksFunctions: boolean, signal: AbortSignal | undefined): MaybePromise<Decision> {
    this.#failures.answered()
    if (reply.outcome === 'outdated') {
      if (question.attempt === MOST_ATTEMPTS) throw restless(question.request)
      return this.decide(question.request, signal, question.attempt + 1, question.hasFreshCaps)
    }
    if (reply.outcome !== 'admitted' && reply.outcome !== 'refused') throw failureError(reply, question.id, 'reserve')
    this.#foundation.effects.announce(reply.effects)
    const again = this.#withOtherLimits(question, reply, signal)
    if (again !== undefined) return again
    if (reply.outcome === 'refused') {
      signal?.throwIfAborted()
      if (question.account.sessions !== undefined) return this.#refusedInSession(question, reply, signal)
      return this.#denied(new Assessment(question, reply, 'store'), undefined)
    }
    const { replay } = reply
    try {
      if (replay === undefined) assertAllRun(question, reply)
      return this.#judge(new Assessment(replay === undefined ? question : firstQuestion(question, replay, this.#foundation.accounts), reply, 'store'), reply, asksFunctions, signal)
    } catch (error) {
      // Whoever is not told of a hold cannot end it.
      if (replay !== undefined) throw error
      return this.#withdraw(question.id).then(() => {
        throw error
      })
    }
  }

  /**
   * The store's clock rules when a limit begins and ends: where its reply shows that others applied than it was asked with, a refusal is
   * asked again, and so is what was admitted, once it is withdrawn. An admission whose id was given stands: its repeats must find it.
   * Nothing where it was asked with the right ones.
   */
  #withOtherLimits(question: Question, reply: Admitted | Refused, signal: AbortSignal | undefined): MaybePromise<Decision> | undefined {
    const { id, request, account, attempt, hasFreshCaps } = question
    if (account.limits === undefined || (reply.outcome === 'admitted' && reply.replay !== undefined)) return undefined
    if (!this.#foundation.accounts.hasOtherLimits(request, account, reply.now)) return undefined
    if (reply.outcome === 'admitted' && request.given.idempotencyKey !== undefined) return undefined
    const ask = (): MaybePromise<Decision> => {
      if (attempt === MOST_ATTEMPTS) throw restless(request)
      return this.decide(request, signal, attempt + 1, hasFreshCaps)
    }
    return reply.outcome === 'refused' ? ask() : this.#withdraw(id).then(ask)
  }

  /** What this process has heard of a cap may be less than it is by now: nobody is refused by it before it was looked up. */
  async #refusedInSession(question: Question, reply: Refused, signal: AbortSignal | undefined): Promise<Decision> {
    assertAllRun(question, reply)
    const { account, request, prepared, attempt, hasFreshCaps } = question
    const { amounts } = prepared.rungs.at(-1) as Rung
    if (hasFreshCaps !== true && refusalsOf(account, reply, amounts, prepared.degradeBlocks).some(({ scope }) => scope.kind === 'session')) {
      const now = await this.#lookUp(request)
      if (now?.some((session, index) => session !== account.sessions?.[index]) === true) return this.decide(request, signal, attempt, true)
      signal?.throwIfAborted()
    }
    return this.#denied(new Assessment(question, reply, 'store'), undefined)
  }

  /** The sessions of a request by the registry; `undefined` where it fails: then what was heard stands. */
  async #lookUp({ user, session }: ParsedRequest): Promise<readonly KnownSession[] | undefined> {
    try {
      return await this.#foundation.accounts.sessions.look(user, session as string)
    } catch (error) {
      assertStoreFailed(error)
      this.#failures.failed('registry', error)
      return undefined
    }
  }

  #judge(assessment: Assessment, { dueAt, replay }: Admitted, asksFunctions: boolean, signal: AbortSignal | undefined): MaybePromise<Decision> {
    signal?.throwIfAborted()
    const action = assessment.judge(asksFunctions)
    const ended = replay === undefined || replay.state === 'open' ? undefined : replay.state
    if (action !== 'BLOCK') return this.#allowed(assessment, action, dueAt, ended, this.#holds)
    // What an open hold was admitted for stays admitted, whatever the policies have become: a denial could not be settled.
    if (replay?.state === 'open') return this.#allowed(assessment, 'DEGRADE', dueAt, undefined, this.#holds)
    if (replay !== undefined) return this.#denied(assessment, assessment.code())
    // A function said so after the hold: the one refusal that was held for a moment (NO-FALSE-BLOCK).
    return this.#withdraw(assessment.id).then(() => this.#denied(assessment, assessment.code()))
  }

  /** Takes a hold back that nobody was told of, with its place in the rate limits. */
  async #withdraw(id: string, tombstone = false): Promise<void> {
    try {
      const reply = await this.#foundation.store.release({ id, uncount: true, tombstone })
      if (reply.outcome === 'released') this.#foundation.effects.announce(reply.effects)
    } catch (error) {
      this.#failures.failed('release', error)
      const { guard } = this.#foundation
      if (guard !== undefined && isStoresFailure(error)) await guard.keep({ id, kind: 'withdraw', microcents: 0 }, error).catch((lost: unknown) => this.#failures.failed('release', lost))
    }
  }

  #allowed(assessment: Assessment, action: 'ALLOW' | 'WARN' | 'DEGRADE', expiresAt: number, ended: AllowedDecision['ended'], endings: Endings): AllowedDecision {
    assessment.action = action
    const decision = new AllowedDecision(assessment, action, assessment.rung, expiresAt, ended, assessment.isDryRun ? new DryRun(endings) : endings)
    const { log } = this.#options
    if (action === 'DEGRADE' || log.keepsAll) log.keep(assessment, action)
    this.#announce(decision)
    return decision
  }

  #denied(assessment: Assessment, known: DenialCode | undefined, storeWasReset = false): DeniedDecision {
    if (this.#callbacks.verbose) assessment.verdicts()
    const code = known ?? assessment.code()
    const decision = new DeniedDecision(assessment, code, () => assessment.denial(code, this.#options.offers, storeWasReset))
    this.#noteDenial(decision, assessment)
    this.#options.log.keep(assessment, 'BLOCK', code, storeWasReset)
    this.#announce(decision)
    return decision
  }

  #announce(decision: Decision): void {
    this.#callbacks.announce(decision.action, decision)
    if (!this.#events.hearsAnything) return
    if (this.#events.hears('policy-error')) {
      for (const verdict of decision.verdicts) if (verdict.error !== undefined) this.#events.emit('policy-error', { id: decision.id, verdict })
    }
    this.#events.emit('decision', decision)
    if (!decision.allowed) this.#events.emit('block', decision)
    else if (decision.action === 'ALLOW') this.#events.emit('allow', decision)
    else this.#events.emit(decision.action === 'WARN' ? 'warn' : 'degrade', decision)
  }

  /** A denial is a line in the ledger, without money: a simulation could not reproduce the past otherwise. */
  #noteDenial(decision: DeniedDecision, assessment: Assessment): void {
    const { id, code, context, requestedModel, requested } = decision
    const { userId, tenant, userTier: tier, provider, metadata } = context
    const { sessionId, scopes } = assessment
    const rungs = assessment.rungs.length === 1 ? undefined : assessment.rungs.map(({ model, amounts }) => ({ model, ...amounts }))
    const asked = { requestedModel, estimatedMicrocents: requested.microcents, estimatedTokens: requested.tokens, rungs }
    const entry = { id: newId(), kind: 'denied' as const, at: context.now.getTime(), decisionId: id, tenant, userId, tier, sessionId, scopes, provider, ...asked, microcents: 0, tokens: 0, charged: [], reason: code, metadata }
    try {
      const appended = this.#foundation.store.ledger.append(entry)
      if (isPromise(appended)) appended.catch((error: unknown) => this.#failures.failed('ledger', error))
    } catch (error) {
      this.#failures.failed('ledger', error)
    }
  }

  #withoutDirectory(error: unknown, request: ParsedRequest, signal: AbortSignal | undefined): Decision {
    assertStoreFailed(error)
    const account = this.#foundation.accounts.findWithoutDirectory(request)
    const { requestPolicies, asksFunctions } = this.#inForce()
    const prepared = prepareRungs(request, account, requestPolicies, this.#rungSources)
    const callbacks = this.#callbacks
    return this.#withoutStore(error, 'directory', { id: newId(), request, account, prepared, policies: callbacks.policies, callbacks, attempt: 1 }, undefined, asksFunctions, signal)
  }

  #withoutStore(error: unknown, operation: string, question: Question, asked: ReserveRequest | undefined, asksFunctions: boolean, signal: AbortSignal | undefined): Decision {
    assertStoreFailed(error)
    this.#failures.failed(operation, error)
    signal?.throwIfAborted()
    const answer = answerWithoutStore(this.#foundation, this.#options.onStoreError, error, question, asked, asksFunctions)
    const { assessment } = answer
    if (!answer.allowed) return this.#denied(assessment, answer.code, answer.storeWasReset)
    return this.#allowed(assessment, answer.action, answer.expiresAt, undefined, new Unheld(this.#foundation, this.#holds, question.request, assessment, answer.local))
  }
}

/** The store's clock may be ahead of this process's: what it has admitted in a session that is over is taken back. */
function assertAllRun({ account: { sessions } }: Question, { now }: Admitted | Refused): void {
  if (sessions !== undefined) for (const session of sessions) assertRuns(session, now)
}
