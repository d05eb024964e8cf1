// The façade: check before the call, settle after it. One way from the request to the decision; the only file of src/ that
// knows the built-in policies, for its default and for configurations that name them.

import { gracefulDegradation, pastDueDegradation, strictBudgetEnforcement, tierBasedEnforcement } from '../policies/index.js'
import { bursarConfig, type BursarConfig } from './config.js'
import {
  AllowedDecision,
  answerWithoutStore,
  assertStoreFailed,
  Assessment,
  BudgetExceededError,
  DeniedDecision,
  Holds,
  firstQuestion,
  isUnusableOutcome,
  parseRequest,
  prepareRungs,
  reserveRequest,
  Unheld,
  type BursarEvents,
  type CheckOptions,
  type CheckRequest,
  type Decision,
  type DenialCode,
  type Endings,
  type GuardedCall,
  type GuardedOutcome,
  type Outcome,
  type ParsedRequest,
  type Question,
  type RungSources,
  type Settlement,
} from './decision/index.js'
import { EnforcementCallbacks, frozenCopy, type Policy } from './enforcement/index.js'
import { ClosedError, DuplicateRequestError, InvalidRequestError, isBursarError, MissingCostError } from './errors/index.js'
import type { EventHub } from './events/index.js'
import { formatUsd } from './money/index.js'
import { isStoresFailure, mayHaveChanged } from './outage/index.js'
import { Ladder } from './pricing/index.js'
import { PoliciesInForce } from './policies-in-force.js'
import { failureError, isPromise, type Admitted, type Failure, type MaybePromise, type Outdated, type Refused, type ReserveRequest } from './store/index.js'
import { parseDuration, type Duration } from './time/index.js'
import { assertKnownFields, checkConfig, CostTracker, layFoundation, MOST_ATTEMPTS, newId, restless, type Account, type BudgetsConfig, type Foundation } from './tracker/index.js'

type Reply = Admitted | Refused | Outdated | Failure

const DEFAULT_HOLD_TTL = '10m'
const NO_OPTIONS: CheckOptions = Object.freeze({})
const NAMED_POLICIES = { strict: strictBudgetEnforcement, graceful: gracefulDegradation, 'tier-based': tierBasedEnforcement, 'past-due': pastDueDegradation }

/**
 * Decides, before each LLM request, whether this user may spend, and holds the money while the call runs. Within one store no
 * budget is overspent, whatever runs at the same time (NO-OVERSPEND).
 */
export class Bursar<Tier extends string = string, Group extends string = never> {
  /** The state and its reports. */
  readonly tracker: CostTracker<Tier, Group>
  /** The chain of policies. What is registered here judges from the next check on. */
  readonly callbacks: EnforcementCallbacks
  readonly #config: BursarConfig
  readonly #foundation: Foundation
  readonly #events: EventHub<BursarEvents>
  readonly #policies: PoliciesInForce
  readonly #holds: Holds
  readonly #rungSources: RungSources
  readonly #holdTtlMs: number
  #failing = false
  #closed = false

  /** Throws `InvalidConfigError` or `InvalidAmountError` with the path of what is wrong; then nothing was started. */
  constructor(config: BursarConfig<Tier, Group>) {
    checkConfig(bursarConfig, config)
    const plain = { ...config } as unknown as BursarConfig
    this.#config = plain
    const { onPolicyError, combine, verbose, logger } = plain
    this.callbacks = new EnforcementCallbacks({ onPolicyError, combine, verbose, logger })
    this.#policies = new PoliciesInForce(this.callbacks, NAMED_POLICIES, strictBudgetEnforcement, plain.alertThresholds ?? [], () => Object.keys(plain.tiers ?? plain.userBudgets ?? {}))
    const policies = plain.policies ?? [strictBudgetEnforcement]
    policies.forEach((policy, index) => this.callbacks.register(this.#policies.resolve(policy as Policy<string>, `config.policies.${index}`)))
    this.#holdTtlMs = parseDuration(plain.holdTtl ?? DEFAULT_HOLD_TTL, 'config.holdTtl')
    const ladder = plain.ladder === undefined ? undefined : new Ladder(plain.ladder)
    const { onStoreError, localShare, settleQueue } = plain
    this.#foundation = layFoundation(plain as BudgetsConfig, () => this.#policies.current, { localShare: onStoreError === 'local' ? localShare : undefined, settleQueue })
    this.#events = this.#foundation.hub as unknown as EventHub<BursarEvents>
    this.#holds = new Holds(this.#foundation, this.#events, this.#holdTtlMs)
    const blocksWithoutCheaper = plain.onNoCheaperModel !== 'allow'
    this.#rungSources = { ladder, estimate: plain.estimate, callbacks: this.callbacks, blocksWithoutCheaper, clock: this.#foundation.clock }
    this.tracker = new CostTracker<Tier, Group>(config, this.#foundation)
  }

  /**
   * Decides one request and holds its estimate. A refusal is a value: look at `decision.allowed`. Every allowed decision must be
   * settled or released; what is forgotten expires after `holdTtl`. Rejects for a request that is not of the documented shape
   * (`InvalidRequestError`, `InvalidAmountError`), an unknown tier or scope, a missing estimate, or an id that was used for
   * another request (`IdReusedError`); then nothing has changed.
   */
  check(request: CheckRequest<Tier, Group>, options: CheckOptions = NO_OPTIONS): Promise<Decision> {
    // Not an async function, and none below that need not wait: what such a function keeps for the time after an await is made
    // at its start, and in memory nothing waits.
    try {
      const { signal } = options
      if (options !== NO_OPTIONS) assertKnownFields(options, ['signal'], 'options')
      this.#assertOpen()
      signal?.throwIfAborted()
      const parsed = parseRequest(request)
      if (this.#config.enrich === undefined) return Promise.resolve(this.#find(parsed, signal))
      return this.#enriched(request as CheckRequest, signal).then((facts) => this.#find({ ...parsed, facts }, signal))
    } catch (error) {
      return Promise.reject(error as Error)
    }
  }

  /**
   * Checks, calls, settles. `call` gets the model to use and returns its result with what it cost; the promise is its result.
   * Throws `BudgetExceededError` when refused and `DuplicateRequestError` for an idempotency key that was used. If `call` throws,
   * what it metered is settled, else the hold is released, and its error goes on. A call that reports no cost, or one that
   * is none, is charged its estimate, and rejects with `MissingCostError` or what was wrong with it.
   */
  async guard<Result, Model extends string | undefined = undefined>(
    request: CheckRequest<Tier, Group> & { readonly model?: Model },
    call: (guarded: GuardedCall<Model>) => Promise<GuardedOutcome<Result>>,
    options: CheckOptions = {},
  ): Promise<Result> {
    const decision = await this.check(request, options)
    if (!decision.allowed) throw new BudgetExceededError(decision.toDenial())
    if (decision.replayed) throw new DuplicateRequestError(decision.id)
    let outcome: GuardedOutcome<Result>
    try {
      outcome = await call({ model: decision.model as GuardedCall<Model>['model'], signal: options.signal, decision })
    } catch (error) {
      await this.#abandon(decision)
      throw error
    }
    const { result, cost, usage, tokens, model } = isObject(outcome) ? outcome : ({ result: outcome } as unknown as GuardedOutcome<Result>)
    try {
      await decision.settle({ cost, usage, tokens, model })
    } catch (error) {
      if (isUnusableOutcome(error)) {
        // The call was made: until somebody says what it cost, it cost what was held for it.
        await decision.settle({ cost: formatUsd(decision.exact.estimatedMicrocents) })
        throw error.code === 'MISSING_COST' ? new MissingCostError('cost: the guarded call returned neither cost nor usage, so its estimate was charged. Return { result, cost }.') : error
      }
      assertStoreFailed(error)
      // The answer is paid for: it is not lost with the store. A hold stays, and expires; without one, or with a queue that is full,
      // the error says what was not counted.
      this.#failed('settle', error)
    }
    return result
  }

  /** Settles a decision by its id: for the process that did not make it. See `AllowedDecision.settle`. */
  settle(id: string, outcome: Outcome): Promise<Settlement> {
    return this.#holds.settle(id, outcome)
  }

  /** Releases a decision by its id. Rejects with `UnknownHoldError` if it is not remembered. */
  release(id: string): Promise<void> {
    return this.#holds.release(id)
  }

  /** Holds a decision's money for `ttl` from now, by its id. */
  extend(id: string, ttl?: Duration): Promise<Date> {
    return this.#holds.extend(id, ttl)
  }

  /** Calls the listener at every event of that name. What it throws or rejects with changes nothing. */
  on<Name extends keyof BursarEvents>(name: Name, listener: (event: BursarEvents[Name]) => unknown): this {
    this.#events.on(name, listener)
    return this
  }

  /** The same, for one event only. */
  once<Name extends keyof BursarEvents>(name: Name, listener: (event: BursarEvents[Name]) => unknown): this {
    this.#events.once(name, listener)
    return this
  }

  /** Stops calling the listener. */
  off<Name extends keyof BursarEvents>(name: Name, listener: (event: BursarEvents[Name]) => unknown): this {
    this.#events.off(name, listener)
    return this
  }

  /**
   * Takes no more checks and closes the store. Holds that are open stay so: another process may settle them. Settles that wait for a
   * store which is away are sent if it answers within `storeTimeout`; else they stay in the file of the `settleQueue`, or are lost
   * with a warning.
   */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await this.#foundation.store.close()
  }

  /** See {@link close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #find(request: ParsedRequest, signal: AbortSignal | undefined, attempt = 1): MaybePromise<Decision> {
    let found: MaybePromise<Account>
    try {
      found = this.#foundation.accounts.findRemembered(request)
    } catch (error) {
      return this.#withoutDirectory(error, request, signal)
    }
    if (!isPromise(found)) return this.#hold(request, found, signal, attempt)
    return found.then(
      (account) => this.#hold(request, account, signal, attempt),
      (error: unknown) => this.#withoutDirectory(error, request, signal),
    )
  }

  #hold(request: ParsedRequest, account: Account, signal: AbortSignal | undefined, attempt: number): MaybePromise<Decision> {
    const { requestPolicies, asksFunctions } = this.#policies.current
    const prepared = prepareRungs(request, account, requestPolicies, this.#rungSources)
    const { callbacks } = this
    const question: Question = { id: request.given.idempotencyKey ?? newId(), request, account, prepared, policies: callbacks.policies, callbacks, attempt }
    const asked = reserveRequest(question, this.#holdTtlMs, this.#config.onHoldExpiry ?? 'charge')
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
    if (this.#failing) this.#recovered()
    if (reply.outcome === 'outdated') {
      if (question.attempt === MOST_ATTEMPTS) throw restless(question.request)
      return this.#find(question.request, signal, question.attempt + 1)
    }
    if (reply.outcome !== 'admitted' && reply.outcome !== 'refused') throw failureError(reply, question.id, 'reserve')
    this.#foundation.effects.announce(reply.effects)
    if (reply.outcome === 'refused') {
      signal?.throwIfAborted()
      return this.#denied(new Assessment(question, reply, 'store'), undefined)
    }
    const { replay } = reply
    try {
      return this.#judge(new Assessment(replay === undefined ? question : firstQuestion(question, replay, this.#foundation.accounts), reply, 'store'), reply, asksFunctions, signal)
    } catch (error) {
      // Whoever is not told of a hold cannot end it.
      if (replay !== undefined) throw error
      return this.#withdraw(question.id).then(() => {
        throw error
      })
    }
  }

  #judge(assessment: Assessment, { dueAt, replay }: Admitted, asksFunctions: boolean, signal: AbortSignal | undefined): MaybePromise<Decision> {
    signal?.throwIfAborted()
    const action = assessment.action(asksFunctions)
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
      this.#failed('release', error)
      const { guard } = this.#foundation
      if (guard !== undefined && isStoresFailure(error)) await guard.keep({ id, kind: 'withdraw', microcents: 0 }, error).catch((lost: unknown) => this.#failed('release', lost))
    }
  }

  #allowed(assessment: Assessment, action: 'ALLOW' | 'WARN' | 'DEGRADE', expiresAt: number, ended: AllowedDecision['ended'], endings: Endings): AllowedDecision {
    const decision = new AllowedDecision(assessment, action, assessment.rung, expiresAt, ended, endings)
    this.#announce(decision)
    return decision
  }

  #denied(assessment: Assessment, known: DenialCode | undefined, storeWasReset = false): DeniedDecision {
    if (this.callbacks.verbose) assessment.verdicts()
    const code = known ?? assessment.code()
    const decision = new DeniedDecision(assessment, code, () => assessment.denial(code, this.#config, storeWasReset))
    this.#noteDenial(decision)
    this.#announce(decision)
    return decision
  }

  #announce(decision: Decision): void {
    this.callbacks.announce(decision.action, decision)
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
  #noteDenial({ id, code, context, requestedModel, requested }: DeniedDecision): void {
    const { userId, tenant, userTier: tier, provider, metadata } = context
    const entry = { id: newId(), kind: 'denied' as const, at: context.now.getTime(), decisionId: id, tenant, userId, tier, provider, requestedModel, microcents: 0, tokens: 0, estimatedMicrocents: requested.microcents, charged: [], reason: code, metadata }
    try {
      const appended = this.#foundation.store.ledger.append(entry)
      if (isPromise(appended)) appended.catch((error: unknown) => this.#failed('ledger', error))
    } catch (error) {
      this.#failed('ledger', error)
    }
  }

  #withoutDirectory(error: unknown, request: ParsedRequest, signal: AbortSignal | undefined): Decision {
    assertStoreFailed(error)
    const account = this.#foundation.accounts.findWithoutDirectory(request)
    const { requestPolicies, asksFunctions } = this.#policies.current
    const prepared = prepareRungs(request, account, requestPolicies, this.#rungSources)
    const { callbacks } = this
    return this.#withoutStore(error, 'directory', { id: newId(), request, account, prepared, policies: callbacks.policies, callbacks, attempt: 1 }, undefined, asksFunctions, signal)
  }

  #withoutStore(error: unknown, operation: string, question: Question, asked: ReserveRequest | undefined, asksFunctions: boolean, signal: AbortSignal | undefined): Decision {
    assertStoreFailed(error)
    this.#failed(operation, error)
    signal?.throwIfAborted()
    const answer = answerWithoutStore(this.#foundation, this.#config.onStoreError ?? 'block', error, question, asked, asksFunctions)
    const { assessment } = answer
    if (!answer.allowed) return this.#denied(assessment, answer.code, answer.storeWasReset)
    return this.#allowed(assessment, answer.action, answer.expiresAt, undefined, new Unheld(this.#foundation, this.#holds, question.request, assessment, answer.local))
  }

  async #enriched(request: CheckRequest, signal: AbortSignal | undefined): Promise<Readonly<Record<string, unknown>>> {
    const facts: unknown = await this.#config.enrich?.(request, { signal })
    if (!isObject(facts)) throw new InvalidRequestError(`enrich: returned ${String(facts)}. Return an object of facts for the policies.`)
    return frozenCopy(facts)
  }

  async #abandon(decision: AllowedDecision): Promise<void> {
    try {
      await decision.abandon()
    } catch (error) {
      this.#failed('abandon', error)
    }
  }

  #failed(operation: string, error: unknown): void {
    // What comes too late for a closed store is nobody's failure.
    if (isBursarError(error) && error.code === 'CLOSED') return
    if (this.#foundation.guard?.hasAnnounced(error) === true) return
    this.#failing = true
    this.#events.emit('store-error', { operation, error })
  }

  #recovered(): void {
    this.#failing = false
    if (this.#closed) return
    this.#events.emit('store-recovered', { operation: 'reserve' })
  }

  #assertOpen(): void {
    if (this.#closed) throw new ClosedError('bursar')
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
