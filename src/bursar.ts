// The façade: check before the call, settle after it. One way from the request to the decision; the only file of src/ that
// knows the built-in policies, for its default and for configurations that name them.

import { gracefulDegradation, pastDueDegradation, strictBudgetEnforcement, tierBasedEnforcement } from '../policies/index.js'
import { assertId } from './budget/index.js'
import { bursarConfig, type BursarConfig } from './config.js'
import {
  assertCalls,
  assertEventName,
  assertMayCall,
  assertTelemetry,
  checkAndCall,
  Checks,
  DecisionLog,
  Holds,
  Identities,
  Instruments,
  OutcomeReader,
  parseRequest,
  parseTimeout,
  signalsOf,
  StoreFailures,
  Tariff,
  type BursarEvents,
  type CallOptions,
  type CheckOptions,
  type CheckRequest,
  type Decision,
  type Explanation,
  type GuardedCall,
  type GuardedOutcome,
  type IdentifiedRequest,
  type Identity,
  type Outcome,
  type ParsedRequest,
  type Release,
  type Settlement,
  type Telemetry,
} from './decision/index.js'
import { EnforcementCallbacks, frozenCopy, type Policy } from './enforcement/index.js'
import { ClosedError, InvalidRequestError, UnknownDecisionError } from './errors/index.js'
import type { EventHub } from './events/index.js'
import { parseCount } from './money/index.js'
import { PoliciesInForce } from './policies-in-force.js'
import { Ladder, PriceBook, tokensAtMost, type Price } from './pricing/index.js'
import { openSession, type OpeningEngine, type Session, type SessionConfig } from './session/index.js'
import { assertReader, openStream, type MeteredStream, type StreamCall, type StreamOptions } from './stream/index.js'
import { assertInstant, parseDuration, systemClock, type Duration } from './time/index.js'
import { assertKnownFields, checkConfig, CostTracker, layFoundation, type BudgetsConfig, type Limits, type Foundation } from './tracker/index.js'

const DEFAULT_HOLD_TTL = '10m'
const DEFAULT_STORE_TIMEOUT = '1s'
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
  /** The prices, where any are configured. */
  readonly prices: PriceBook | undefined
  /** The ladder, where one is configured. */
  readonly ladder: Ladder | undefined
  readonly #config: BursarConfig
  readonly #foundation: Foundation
  readonly #events: EventHub<BursarEvents>
  readonly #holds: Holds
  readonly #checks: Checks
  readonly #failures: StoreFailures
  readonly #log: DecisionLog
  readonly #identities = new Identities<Tier, Group>()
  readonly #instruments: Instruments
  #hasBadTokenizer = false
  #hasBadTelemetry = false
  #closed = false

  /** Throws `InvalidConfigError` or `InvalidAmountError` with the path of what is wrong; then nothing was started. */
  constructor(config: BursarConfig<Tier, Group>) {
    checkConfig(bursarConfig, config)
    const plain = { ...config } as unknown as BursarConfig
    this.#config = plain
    const { onPolicyError, combine, verbose, logger } = plain
    this.callbacks = new EnforcementCallbacks({ onPolicyError, combine, verbose, logger })
    const inForce = new PoliciesInForce(this.callbacks, NAMED_POLICIES, strictBudgetEnforcement, plain.alertThresholds ?? [], () => Object.keys(plain.tiers ?? plain.userBudgets ?? {}))
    const policies = plain.policies ?? [strictBudgetEnforcement]
    policies.forEach((policy, index) => this.callbacks.register(inForce.resolve(policy as Policy<string>, `config.policies.${index}`)))
    const { holdTtlMs } = this
    const { prices, estimate, onUnpricedModel, onStoreError = 'block', localShare, settleQueue } = plain
    this.prices = prices === undefined || prices instanceof PriceBook ? prices : new PriceBook(prices)
    const tariff = new Tariff(this.prices, onUnpricedModel === 'error' ? undefined : onUnpricedModel)
    const laddered = this.prices && { book: this.prices, at: assertInstant((plain.clock ?? systemClock)(), 'clock'), mayBeUnpriced: estimate !== undefined || tariff.hasFallback }
    this.ladder = plain.ladder === undefined ? undefined : new Ladder(plain.ladder, laddered)
    this.#foundation = layFoundation(plain as BudgetsConfig, () => inForce.current, { localShare: onStoreError === 'local' ? localShare : undefined, settleQueue })
    const { hub, clock } = this.#foundation
    this.#events = hub as unknown as EventHub<BursarEvents>
    this.#failures = new StoreFailures(this.#foundation)
    this.#instruments = new Instruments((error) => this.#telemetryFailed(error))
    this.#holds = new Holds(this.#foundation, this.#events, holdTtlMs, new OutcomeReader(tariff, clock), this.#failures, this.#instruments)
    const rungSources = { ladder: this.ladder, estimate, tariff, callbacks: this.callbacks, blocksWithoutCheaper: plain.onNoCheaperModel !== 'allow', clock }
    const { store, guard } = this.#foundation
    this.#log = new DecisionLog(plain.decisionLog ?? {}, guard && store.registry, (error) => this.#failures.failed('registry', error))
    const checksOptions = { holdTtlMs, onHoldExpiry: plain.onHoldExpiry ?? ('charge' as const), onStoreError, offers: plain, log: this.#log }
    this.#checks = new Checks(this.#foundation, () => inForce.current, rungSources, this.#holds, this.#failures, checksOptions)
    this.tracker = new CostTracker<Tier, Group>(config, this.#foundation)
  }

  /**
   * Decides one request and holds its estimate. A refusal is a value: look at `decision.allowed`. Every allowed decision must be
   * settled or released; what is forgotten expires after `holdTtl`. Rejects for a request that is not of the documented shape
   * (`InvalidRequestError`, `InvalidAmountError`), an unknown tier or scope, a missing estimate, or an id that was used for
   * another request (`IdReusedError`); then nothing has changed.
   */
  check(request: CheckRequest<Tier, Group>, options: CheckOptions = NO_OPTIONS): Promise<Decision> {
    if (!this.#instruments.isOn) return this.#check(request, options)
    return this.#instruments.check(request as CheckRequest, (given) => this.#identities.complete(given), () => this.#check(request, options))
  }

  #check(request: CheckRequest<Tier, Group>, options: CheckOptions): Promise<Decision> {
    // Not an async function, and none below that need not wait: what such a function keeps for the time after an await is made
    // at its start, and in memory nothing waits.
    try {
      const { signal, countRequest = true, dryRun = false } = options
      if (options !== NO_OPTIONS) assertCheckOptions(options)
      this.#assertOpen()
      signal?.throwIfAborted()
      const completed = this.#identities.complete(request)
      const parsed = parseRequest(completed, countRequest, dryRun)
      if (this.#config.enrich === undefined) return Promise.resolve(this.#decide(parsed, signal))
      return this.#enriched(parsed.given, signal).then((facts) => this.#decide({ ...parsed, facts }, signal))
    } catch (error) {
      return Promise.reject(error as Error)
    }
  }

  #decide(request: ParsedRequest, signal: AbortSignal | undefined): Decision | PromiseLike<Decision> {
    return request.isDryRun ? this.#checks.decideDry(request, signal) : this.#checks.decide(request, signal)
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
    options: CallOptions = {},
  ): Promise<Result> {
    return checkAndCall((checkOptions) => this.check(request, checkOptions), call, options, this.#failures)
  }

  /**
   * The same for an answer that comes in pieces: `call` gives the provider's stream, and the promise is that stream, passed on piece by
   * piece. Its hold is extended while it is read, and settled once when it ends: at its end, at an error, an abort or an early `break`,
   * by what was used so far. What the provider does not say is estimated (`inputTokens` of the request, the text that was seen) and marked so.
   * Rejects like `guard`, before anything is sent; and with the call's own error, when the hold has been given back.
   */
  stream<Piece, Model extends string | undefined = undefined>(
    request: CheckRequest<Tier, Group> & { readonly model?: Model },
    call: StreamCall<Piece, Model>,
    options: StreamOptions<Piece> = {},
  ): Promise<MeteredStream<Piece>> {
    return this.#streamBy((checkOptions) => this.check(request, checkOptions), request, call, options)
  }

  /**
   * Opens a session: a budget for one run, beside the user's own, in which all its checks count. With the id of one that is there it is
   * resumed, in any process that has the store. Rejects with `InvalidRequestError` or `InvalidAmountError` for what is none, for a new one
   * without `maxCost` or `maxTokens` and for other caps than those of the session that is there, and with `UnknownSessionError` for
   * an id that is none of this user's; then nothing has changed.
   */
  async session(config: SessionConfig<Tier, Group>): Promise<Session<Tier, Group>> {
    this.#assertOpen()
    return openSession(this.#sessionEngine, config)
  }

  /**
   * Runs the function under an identity: in it, and in whatever it awaits, checks, guards and wrapped clients that name no user are that
   * user's, and those that name the same one take from the identity (its session, above all) what they do not say themselves. Gives what the function
   * gives. Throws `InvalidRequestError` for what is no identity.
   */
  runAs<Result>(identity: Identity<Tier, Group>, fn: () => Result): Result {
    return this.#identities.run(identity, fn)
  }

  /** Budgets that are made, changed and removed at run time, and what is set for tenants: those of the tracker. */
  get limits(): Limits {
    return this.tracker.limits
  }

  /** The identity that {@link runAs} has given to the running code, if any has. */
  get identity(): Identity<Tier, Group> | undefined {
    return this.#identities.current
  }

  /** The tokens of a text: by the configured `tokenizer`, else (and where that fails, with a warning) its UTF-8 bytes, which are never fewer. */
  tokensOf(text: string, model?: string): number {
    const { tokenizer } = this.#config
    if (tokenizer === undefined) return tokensAtMost(text)
    try {
      return parseCount(tokenizer(text, model), 'tokenizer')
    } catch (error) {
      if (!this.#hasBadTokenizer) this.#foundation.warn(`bursar: the tokenizer failed (${error instanceof Error ? error.message : String(error)}), and bytes are counted instead. (This is said once.)`)
      this.#hasBadTokenizer = true
      return tokensAtMost(text)
    }
  }

  /**
   * All that a decision was made from, as JSON data: the windows with their sums, the rungs that were tried, every verdict, and what would
   * have fitted. Of what is kept (option `decisionLog`: what was degraded or blocked, by default): by this process, or, where the
   * store is shared, by another one, a moment later. Of an id that was given several times, the last that was kept. Rejects with
   * `UnknownDecisionError` for what is not kept, and `StoreUnavailableError` where only the store could tell.
   */
  async explain(decisionId: string): Promise<Explanation> {
    assertId(decisionId, 'decisionId')
    const remembered = this.#log.remembered(decisionId)
    if (remembered !== undefined) return remembered
    this.#assertOpen()
    const stored = await this.#log.stored(decisionId)
    if (stored === undefined) throw new UnknownDecisionError(decisionId, this.#log.whyUnknown())
    return stored
  }

  /**
   * Settles a decision by its id: for the process that did not make it. See `AllowedDecision.settle`. Usage has the price that it has there: of
   * the moment, provider, tenant and model of the decision, which the store knows.
   */
  settle(id: string, outcome: Outcome): Promise<Settlement> {
    return this.#holds.settle(id, outcome)
  }

  /** Releases a decision by its id, and says how its hold stood before. Rejects with `UnknownHoldError` if it is not remembered. */
  release(id: string): Promise<Release> {
    return this.#holds.releaseNamed(id)
  }

  /** Holds a decision's money for `ttl` from now, by its id. */
  extend(id: string, ttl?: Duration): Promise<Date> {
    return this.#holds.extend(id, ttl)
  }

  /**
   * How long money is held where nothing else is said, in milliseconds.
   * @internal
   */
  get holdTtlMs(): number {
    return parseDuration(this.#config.holdTtl ?? DEFAULT_HOLD_TTL, 'config.holdTtl')
  }

  /**
   * When an id of a hold or a cost was opened, in milliseconds of the store's time; `undefined` where it is not remembered, or the store does not say.
   * @internal
   */
  openedAt(id: string): Promise<number | undefined> {
    return this.#holds.openedAt(id)
  }

  /** Calls the listener at every event of that name. What it throws or rejects with changes nothing. */
  on<Name extends keyof BursarEvents>(name: Name, listener: (event: BursarEvents[Name]) => unknown): this {
    assertEventName(name)
    this.#events.on(name, listener)
    return this
  }

  /** The same, for one event only. */
  once<Name extends keyof BursarEvents>(name: Name, listener: (event: BursarEvents[Name]) => unknown): this {
    assertEventName(name)
    this.#events.once(name, listener)
    return this
  }

  /** Stops calling the listener. */
  off<Name extends keyof BursarEvents>(name: Name, listener: (event: BursarEvents[Name]) => unknown): this {
    this.#events.off(name, listener)
    return this
  }

  /**
   * Tells a telemetry of every check and every ending from now on, whoever makes them: sessions, guards, streams and wrapped clients too.
   * Several may be attached; the function that it gives takes this one off. What it throws or rejects with changes nothing, and is a warning once.
   * Throws `InvalidRequestError` for what is none.
   */
  instrument(telemetry: Telemetry): () => void {
    assertTelemetry(telemetry)
    return this.#instruments.add(telemetry)
  }

  /**
   * Takes no more checks and closes the store. Holds that are open stay so: another process may settle them. Settles that wait for a
   * store which is away are sent if it answers within `storeTimeout`; else they stay in the file of the `settleQueue`, or are lost
   * with a warning.
   */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    const writing = this.#log.close(parseDuration(this.#config.storeTimeout ?? DEFAULT_STORE_TIMEOUT, 'config.storeTimeout'))
    if (writing !== undefined) await writing
    this.#failures.close()
    await this.#foundation.store.close()
  }

  /** See {@link close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #telemetryFailed(error: unknown): void {
    if (!this.#hasBadTelemetry) this.#foundation.warn(`bursar: a telemetry failed (${error instanceof Error ? error.message : String(error)}), and what it was told is lost to it. (This is said once.)`)
    this.#hasBadTelemetry = true
  }

  get #sessionEngine(): OpeningEngine {
    return {
      foundation: this.#foundation,
      failures: this.#failures,
      complete: (request) => this.#identities.complete(request),
      check: (request, options) => this.check(request as CheckRequest<Tier, Group>, options),
      stream: (check, request, call, options) => this.#streamBy(check, request as CheckRequest<Tier, Group>, call, options),
    }
  }

  async #streamBy<Piece, Model extends string | undefined>(
    check: (options: CheckOptions) => Promise<Decision>,
    request: CheckRequest<Tier, Group>,
    call: StreamCall<Piece, Model>,
    options: StreamOptions<Piece>,
  ): Promise<MeteredStream<Piece>> {
    const { timeoutMs, read, ...checkOptions } = options
    assertCalls(checkOptions)
    if (timeoutMs !== undefined) parseTimeout(timeoutMs)
    assertReader(read)
    // Read before anything is awaited: the caller may use the object again. What is wrong with it is the check's to say.
    const { inputTokens, maxOutputTokens, tokenKinds, provider: asked, holdTtl = this.#config.holdTtl ?? DEFAULT_HOLD_TTL } = { ...request }
    const decision = assertMayCall(await check(checkOptions))
    const priceOf = (model = decision.model, provider = asked): Price | undefined => {
      const { tenant, now } = decision.context
      return model === undefined ? undefined : this.prices?.find({ model, provider, tenant, at: now.getTime() })
    }
    const countTokens = (text: string): number => this.tokensOf(text, decision.model)
    return openStream(decision, call, read, { inputTokens, maxOutputTokens, tokenKinds, priceOf, countTokens, holdTtlMs: parseDuration(holdTtl, 'holdTtl'), signal: signalsOf(options).signal })
  }

  async #enriched(request: IdentifiedRequest, signal: AbortSignal | undefined): Promise<Readonly<Record<string, unknown>>> {
    const facts: unknown = await this.#config.enrich?.(request, { signal })
    if (!isObject(facts)) throw new InvalidRequestError(`enrich: returned ${String(facts)}. Return an object of facts for the policies.`)
    return frozenCopy(facts)
  }

  #assertOpen(): void {
    if (this.#closed) throw new ClosedError('bursar')
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

function assertCheckOptions(options: CheckOptions): void {
  assertKnownFields(options, ['signal', 'countRequest', 'dryRun'], 'options')
  const { countRequest, dryRun, signal } = options
  if (signal !== undefined && typeof signal?.throwIfAborted !== 'function') throw new InvalidRequestError(`options.signal: ${String(signal)} is no AbortSignal. Give that of an AbortController, or AbortSignal.timeout().`)
  if (countRequest !== undefined && typeof countRequest !== 'boolean') throw new InvalidRequestError(`options.countRequest: ${String(countRequest)} is neither true nor false. Give false for a check that no call follows from.`)
  if (dryRun !== undefined && dryRun !== true) throw new InvalidRequestError(`options.dryRun: ${String(dryRun)} is not true. Give true, or leave it out.`)
}
