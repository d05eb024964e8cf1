// The façade: check before the call, settle after it. One way from the request to the decision; the only file of src/ that
// knows the built-in policies, for its default and for configurations that name them.

import { gracefulDegradation, strictBudgetEnforcement, tierBasedEnforcement } from '../policies/index.js'
import type { Spender } from './budget/index.js'
import { bursarConfig, type BursarConfig } from './config.js'
import {
  AllowedDecision,
  Assessment,
  BudgetExceededError,
  DeniedDecision,
  Holds,
  parseRequest,
  prepareRungs,
  Unheld,
  type BursarEvents,
  type CheckRequest,
  type Decision,
  type DenialCode,
  type Endings,
  type Evidence,
  type Outcome,
  type ParsedRequest,
  type Rung,
  type Rungs,
  type RungSources,
  type Settlement,
} from './decision/index.js'
import { EnforcementCallbacks, type Policy } from './enforcement/index.js'
import { ClosedError, DuplicateRequestError, InvalidRequestError, isBursarError, MissingCostError, type BursarError } from './errors/index.js'
import type { EventHub } from './events/index.js'
import { Ladder } from './pricing/index.js'
import { PoliciesInForce } from './policies-in-force.js'
import { failureError, modelOf, type Admitted, type ChargeFacts, type Failure, type Freeing, type MaybePromise, type Refused } from './store/index.js'
import { parseDuration, type Duration } from './time/index.js'
import { checkConfig, CostTracker, fingerprintOf, layFoundation, newId, type Account, type BudgetsConfig, type Foundation, type JudgedScope } from './tracker/index.js'

/** Options of a single check. */
export interface CheckOptions {
  /** Aborting before the decision rejects with the signal's reason, and nothing stays held. */
  readonly signal?: AbortSignal | undefined
}

/** What a guarded call is given: the model to call, the signal to pass on, and the decision for metering. */
export interface GuardedCall<Model extends string | undefined = string | undefined> {
  /** The model asked for, or a cheaper one; a string where the request names one. */
  readonly model: Model extends string ? string : string | undefined
  readonly signal: AbortSignal | undefined
  readonly decision: AllowedDecision
}

/** What a guarded call gives back: its result, and what it cost. */
export interface GuardedOutcome<Result> extends Outcome {
  readonly result: Result
}

const DEFAULT_HOLD_TTL = '10m'
const NO_FREEING: ReadonlyMap<number, readonly Freeing[]> = new Map()
const NAMED_POLICIES = { strict: strictBudgetEnforcement, graceful: gracefulDegradation, 'tier-based': tierBasedEnforcement }

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
    const plain = config as unknown as BursarConfig
    this.#config = plain
    const { onPolicyError, combine, verbose, logger } = plain
    this.callbacks = new EnforcementCallbacks({ onPolicyError, combine, verbose, logger })
    this.#policies = new PoliciesInForce(this.callbacks, NAMED_POLICIES, strictBudgetEnforcement, plain.alertThresholds ?? [], () => Object.keys(plain.tiers ?? plain.userBudgets ?? {}))
    const policies = plain.policies ?? [strictBudgetEnforcement]
    policies.forEach((policy, index) => this.callbacks.register(this.#policies.resolve(policy as Policy<string>, `config.policies.${index}`)))
    this.#holdTtlMs = parseDuration(plain.holdTtl ?? DEFAULT_HOLD_TTL, 'config.holdTtl')
    const ladder = plain.ladder === undefined ? undefined : new Ladder(plain.ladder)
    this.#foundation = layFoundation(plain as BudgetsConfig, () => this.#policies.current)
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
  async check(request: CheckRequest<Tier, Group>, options: CheckOptions = {}): Promise<Decision> {
    const { signal } = options
    this.#assertOpen()
    signal?.throwIfAborted()
    let parsed = parseRequest(request)
    if (this.#config.enrich !== undefined) parsed = { ...parsed, facts: await this.#enriched(request as CheckRequest, signal) }
    const { user, given } = parsed
    const { requestPolicies, asksFunctions } = this.#policies.current
    const spender: Spender = { user, tier: given.userTier, scopes: given.scopes }
    let account: Account
    try {
      const found = this.#foundation.accounts.find(spender)
      account = found instanceof Promise ? await found : found
    } catch (error) {
      assertStoreFailed(error)
      const known = this.#foundation.accounts.findWithoutDirectory(spender)
      return this.#withoutStore(error, 'directory', newId(), parsed, spender, known, prepareRungs(parsed, known, requestPolicies, this.#rungSources))
    }
    const prepared = prepareRungs(parsed, account, requestPolicies, this.#rungSources)
    const id = given.idempotencyKey ?? newId()
    const { policies } = this.callbacks
    let reply: Admitted | Refused | Failure
    try {
      const answer = this.#reserve(id, parsed, account, prepared)
      reply = answer instanceof Promise ? await answer : answer
    } catch (error) {
      assertStoreFailed(error)
      return this.#withoutStore(error, 'reserve', id, parsed, spender, account, prepared)
    }
    if (this.#failing) this.#recovered()
    if (reply.outcome === 'refused') return this.#refuse(id, parsed, account, prepared, policies, reply)
    if (reply.outcome !== 'admitted') throw failureError(reply, id, 'reserve')
    const assessment = this.#assess(id, parsed, account, prepared, policies, reply)
    if (signal?.aborted === true) {
      if (reply.replay === undefined) await this.#holds.release(id)
      signal.throwIfAborted()
    }
    const action = assessment.action(asksFunctions)
    if (action === 'BLOCK') {
      // A function said so after the hold: the one refusal that was held for a moment (NO-FALSE-BLOCK).
      if (reply.replay === undefined) await this.#holds.release(id)
      return this.#denied(assessment, assessment.code())
    }
    const state = reply.replay?.state
    return this.#allowed(assessment, action, reply.dueAt, state === 'open' ? undefined : state, this.#holds)
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
    const { result, ...cost } = isObject(outcome) ? outcome : ({ result: outcome } as unknown as GuardedOutcome<Result>)
    try {
      await decision.settle(cost)
    } catch (error) {
      if (!isUnusableOutcome(error)) throw error
      // The call was made: until somebody says what it cost, it cost what was held for it.
      await decision.settle({ cost: decision.estimatedCost })
      throw error.code === 'MISSING_COST' ? new MissingCostError('cost: the guarded call returned neither cost nor usage, so its estimate was charged. Return { result, cost }.') : error
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

  /** Takes no more checks and closes the store. Holds that are open stay so: another process may settle them. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await this.#foundation.store.close()
  }

  /** See {@link close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #reserve(id: string, request: ParsedRequest, account: Account, prepared: Rungs): MaybePromise<Admitted | Refused | Failure> {
    const { given } = request
    return this.#foundation.store.reserve({
      id,
      fingerprint: given.idempotencyKey === undefined ? id : fingerprintOf('check', given),
      idGiven: given.idempotencyKey !== undefined,
      ttlMs: request.holdTtlMs ?? this.#holdTtlMs,
      onExpiry: this.#config.onHoldExpiry ?? 'charge',
      scopes: account.scopes,
      rungs: prepared.rungs.length === 1 ? [(prepared.rungs[0] as Rung).amounts] : prepared.rungs.map(({ amounts }) => amounts),
      refusedRungs: prepared.refused,
      degrade: prepared.degrade,
      degradeBlocks: prepared.degradeBlocks,
      facts: chargeFacts(request, account, prepared),
    })
  }

  #refuse(id: string, request: ParsedRequest, account: Account, prepared: Rungs, policies: readonly Policy<string>[], reply: Refused): DeniedDecision {
    this.#foundation.effects.announce(reply.effects)
    const { readings, freeing, now } = reply
    const { callbacks } = this
    const evidence: Evidence = { id, request, account, prepared, policies, callbacks, readings, freeing, now, rung: 0, refused: true, degrade: true, replayed: false, enforcedBy: 'store' }
    return this.#denied(new Assessment(evidence), undefined)
  }

  #assess(id: string, request: ParsedRequest, account: Account, prepared: Rungs, policies: readonly Policy<string>[], reply: Admitted): Assessment {
    this.#foundation.effects.announce(reply.effects)
    const { readings, now, rung, degrade, replay } = reply
    const { callbacks } = this
    const replayed = replay !== undefined
    const first = replay === undefined ? undefined : firstRequest(replay, prepared)
    return new Assessment({
      id,
      request,
      account: first === undefined ? account : first.account,
      prepared: first === undefined ? prepared : first.prepared,
      policies,
      callbacks,
      readings,
      freeing: NO_FREEING,
      now,
      rung,
      refused: false,
      degrade,
      replayed,
      enforcedBy: 'store',
    })
  }

  #allowed(assessment: Assessment, action: 'ALLOW' | 'WARN' | 'DEGRADE', expiresAt: number, ended: AllowedDecision['ended'], endings: Endings): AllowedDecision {
    const decision = new AllowedDecision(assessment, action, assessment.rung, expiresAt, ended, endings)
    this.#announce(decision)
    return decision
  }

  #denied(assessment: Assessment, known: DenialCode | undefined): DeniedDecision {
    if (this.callbacks.verbose) assessment.verdicts()
    const code = known ?? assessment.code()
    const decision = new DeniedDecision(assessment, code, () => assessment.denial(code, this.#config.upgradeUrl))
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
    const entry = { id: `${id}:denied`, kind: 'denied' as const, at: context.now.getTime(), decisionId: id, tenant, userId, tier, provider, requestedModel, microcents: 0, tokens: 0, estimatedMicrocents: requested.microcents, charged: [], reason: code, metadata }
    try {
      const appended = this.#foundation.store.ledger.append(entry)
      if (appended instanceof Promise) appended.catch((error: unknown) => this.#failed('ledger', error))
    } catch (error) {
      this.#failed('ledger', error)
    }
  }

  #withoutStore(error: unknown, operation: string, id: string, request: ParsedRequest, spender: Spender, account: Account, prepared: Rungs): Decision {
    this.#failed(operation, error)
    const refused = this.#config.onStoreError !== 'allow'
    const evidence: Evidence = {
      id,
      request,
      account: { ...account, scopes: [] },
      prepared,
      policies: refused ? [storeUnavailable] : [],
      callbacks: this.callbacks,
      readings: [],
      freeing: NO_FREEING,
      now: this.#foundation.clock(),
      rung: 0,
      refused,
      degrade: false,
      replayed: false,
      enforcedBy: 'none',
    }
    const assessment = new Assessment(evidence)
    if (refused) return this.#denied(assessment, 'store-unavailable')
    return this.#allowed(assessment, 'ALLOW', evidence.now, undefined, new Unheld(this.#foundation, this.#holds, spender, chargeFacts(request, account, prepared)))
  }

  async #enriched(request: CheckRequest, signal: AbortSignal | undefined): Promise<Readonly<Record<string, unknown>>> {
    const facts: unknown = await this.#config.enrich?.(request, { signal })
    if (!isObject(facts)) throw new InvalidRequestError(`enrich: returned ${String(facts)}. Return an object of facts for the policies.`)
    return Object.freeze({ ...facts })
  }

  async #abandon(decision: AllowedDecision): Promise<void> {
    try {
      await decision.abandon()
    } catch (error) {
      this.#failed('abandon', error)
    }
  }

  #failed(operation: string, error: unknown): void {
    this.#failing = true
    this.#events.emit('store-error', { operation, error })
  }

  #recovered(): void {
    this.#failing = false
    this.#events.emit('store-recovered', { operation: 'reserve' })
  }

  #assertOpen(): void {
    if (this.#closed) throw new ClosedError('bursar')
  }
}

const storeUnavailable: Policy<string> = () => ({ action: 'BLOCK', reason: 'the store is not available' })

/** What bursar itself refuses (an unknown tier, a clock that is none) is the caller's to hear; the rest is the store's failure. */
function assertStoreFailed(error: unknown): void {
  if (isBursarError(error) && error.code !== 'STORE_UNAVAILABLE') throw error
}

function chargeFacts({ user, given }: ParsedRequest, { tier }: Account, { rungs }: Rungs): ChargeFacts {
  const { provider, model, sessionId, metadata } = given
  const cheaperModels = rungs.length === 1 ? undefined : rungs.slice(1).map((rung) => rung.model as string)
  return { user, tier, provider, model, cheaperModels, sessionId, metadata }
}

/** The account and rungs to which a repeated decision's readings belong: a store gives back the scopes that it was given. */
function firstRequest(replay: NonNullable<Admitted['replay']>, prepared: Rungs): { account: Account; prepared: Rungs } {
  const rungs = replay.rungs.map((amounts, index) => ({ model: modelOf(replay.facts, index), amounts, verdicts: prepared.rungs[index]?.verdicts ?? [] }))
  return { account: { tier: replay.facts.tier, scopes: replay.scopes as readonly JudgedScope[] }, prepared: { ...prepared, rungs } }
}

function isUnusableOutcome(error: unknown): error is BursarError {
  return isBursarError(error) && ['MISSING_COST', 'INVALID_AMOUNT', 'INVALID_REQUEST', 'PRICES_NOT_CONFIGURED'].includes(error.code)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
