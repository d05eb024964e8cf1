// The answer to one request: frozen data, and on an allowed one the ways to end its hold. What is expensive to say (context,
// verdicts, reason) is worked out when somebody asks, from what was read when the decision was made.

import { describeScope, type EnforcementContext, type Verdict, type WindowView } from '../enforcement/index.js'
import { AlreadyEndedError, HoldExpiredError, InvalidRequestError, UnknownHoldError } from '../errors/index.js'
import { formatUsd, toUsd, type Amounts, type Usd } from '../money/index.js'
import { UsageMeter, type PriceQuery, type Usage, type UsageDetails, type UsageType } from '../pricing/index.js'
import type { Placement } from '../outage/index.js'
import type { ChargeFacts, EndedState } from '../store/index.js'
import type { Duration } from '../time/index.js'
import type { TokenCounts } from '../tracker/index.js'
import type { Denial, DenialCode } from './denial.js'
import { isUnusableOutcome } from './failing.js'
import type { Rung } from './rungs.js'

/** What stood behind a decision: the store, a local share while the store was away, or nothing. */
export type EnforcedBy = 'store' | 'local' | 'none'

/** What a call really cost. Without any of it, what `addUsage` metered counts. */
export interface Outcome {
  /** USD; rounded up to a microcent. */
  readonly cost?: Usd | undefined
  /**
   * What the model that answered has used: priced by the price book, unless it brings the provider's own cost. What `addUsage` metered
   * under the name of another model, one that was tried before, is added to it.
   */
  readonly usage?: Usage | undefined
  /** Tokens that were used; without it those of `usage`, else the estimate of tokens is charged. */
  readonly tokens?: TokenCounts | undefined
  /** The model that answered, if the reply says so: its price counts. */
  readonly model?: string | undefined
  /** Whose model answered, where it was another provider than the request's. */
  readonly provider?: string | undefined
  /**
   * The cost or usage is an estimate, because the provider did not say: the ledger entry is marked so. What `addUsage` metered for the same
   * model counts before an estimated usage.
   */
  readonly estimated?: true | undefined
}

/** What a settle came to. `overage` is the part above what was held, in USD. */
export interface Settlement {
  readonly cost: number
  readonly overage: number
  /** The same settle had been made before; nothing was charged again. */
  readonly replayed: boolean
  /** The store is away and will be told: until then nothing is charged, and `overage` is what the decision says of it. Else absent. */
  readonly queued?: true
  readonly exact: { readonly costMicrocents: number; readonly overageMicrocents: number }
}

/** What a release by id found: only a hold that was `open` or `expired` has given money back. `undefined`: the store is away, and will be told. */
export interface Release {
  readonly was: 'open' | EndedState | undefined
}

/** One model of the ladder with its estimate in USD. */
export interface RungView {
  readonly model: string | undefined
  readonly estimatedCost: number
}

/** What the engine does for a decision's methods. */
export interface Endings {
  settle(id: string, outcome: Outcome | undefined, meter: UsageMeter | undefined, decided: Decided | undefined): Promise<Settlement>
  release(id: string): Promise<void>
  extend(id: string, ttl: Duration | undefined): Promise<Date>
  usageError(id: string, error: Error): void
  /** Announces that the store has failed. */
  failed(operation: string, error: unknown): void
  /** What the meter comes to; not complete where something of it has no price. */
  metered(meter: UsageMeter, decided: Decided): { readonly microcents: number; readonly isComplete: boolean }
}

/** What an ending may need of its decision. */
export interface Decided {
  readonly rung: Rung
  /** Set by whoever settles it: from then on nothing can be metered. */
  isSettled: boolean
  /** What the decision was, once it is made: for the ledger. */
  readonly action: 'ALLOW' | 'WARN' | 'DEGRADE' | undefined
  /** Which price the call has if nothing else is said: that of the decided model at the moment of the decision. */
  priced(): Omit<PriceQuery, 'model'> & { readonly model: string | undefined }
  /** Where the cost belongs if the store does not know the hold. */
  placement(): Placement
}

/** What a decision was made from; the parts that cost something are functions, which work them out once. */
export interface Basis extends Decided {
  readonly id: string
  readonly requestedModel: string | undefined
  readonly replayed: boolean
  readonly enforcedBy: EnforcedBy
  readonly rungs: readonly Rung[]
  readonly context: () => EnforcementContext
  readonly verdicts: () => readonly Verdict[]
}

abstract class BaseDecision {
  readonly id: string
  /** The model that the request named. */
  readonly requestedModel: string | undefined
  /** An earlier request with the same idempotency key got this decision; this one opened nothing. */
  readonly replayed: boolean
  readonly enforcedBy: EnforcedBy
  readonly #basis: Basis

  constructor(basis: Basis) {
    this.id = basis.id
    this.requestedModel = basis.requestedModel
    this.replayed = basis.replayed
    this.enforcedBy = basis.enforcedBy
    this.#basis = basis
  }

  /** What the policies were shown. */
  get context(): EnforcementContext {
    return this.#basis.context()
  }

  /** Every window of every scope as it stood before this request. */
  get windows(): readonly WindowView[] {
    return this.context.windows
  }

  /** What each policy said. */
  get verdicts(): readonly Verdict[] {
    return this.#basis.verdicts()
  }

  /** What was asked for: the integers of rung 0. */
  get requested(): Amounts {
    return (this.#basis.rungs[0] as Rung).amounts
  }

  protected decided(): Decided {
    return this.#basis
  }

  /**
   * Whose a decision is, without working out its context.
   * @internal
   */
  static factsOf(decision: BaseDecision): ChargeFacts {
    return decision.#basis.placement().facts
  }

  /** What `console.log` shows in Node: the answer and its reason, not how it was found. */
  [Symbol.for('nodejs.util.inspect.custom')](): object {
    const { id, allowed, action, requestedModel, reason, replayed, enforcedBy } = this as unknown as Decision
    const { model, estimatedCost, expiresAt } = this as unknown as Partial<AllowedDecision>
    return { id, allowed, action, requestedModel, ...(allowed && { model, estimatedCost, expiresAt }), reason, replayed, enforcedBy }
  }

  /** The models that were open to this request, from the one asked for to the cheapest. */
  get rungs(): readonly RungView[] {
    return this.#basis.rungs.map(({ model, amounts }) => ({ model, estimatedCost: toUsd(amounts.microcents) }))
  }
}

/** The request may go on: money is held for it until it is settled, released or expires. */
export class AllowedDecision extends BaseDecision {
  readonly allowed = true as const
  readonly action: 'ALLOW' | 'WARN' | 'DEGRADE'
  /** The model to call: the one asked for, or a cheaper one. */
  readonly model: string | undefined
  /** What is held, in USD. */
  readonly estimatedCost: number
  /** The same as an integer. */
  readonly exact: { readonly estimatedMicrocents: number }
  /** On a repeat: how the first request's hold has ended, if it has. Do not make the call again. */
  readonly ended: EndedState | undefined
  readonly #expiresAt: number
  readonly #endings: Endings
  #meter: UsageMeter | undefined

  constructor(basis: Basis, action: 'ALLOW' | 'WARN' | 'DEGRADE', rung: Rung, expiresAt: number, ended: EndedState | undefined, endings: Endings) {
    super(basis)
    this.action = action
    this.model = rung.model
    this.estimatedCost = toUsd(rung.amounts.microcents)
    this.exact = Object.freeze({ estimatedMicrocents: rung.amounts.microcents })
    this.ended = ended
    this.#expiresAt = expiresAt
    this.#endings = endings
    Object.freeze(this)
  }

  /** When the hold expires if nothing ends or extends it. */
  get expiresAt(): Date {
    return new Date(this.#expiresAt)
  }

  /** One sentence for people. */
  get reason(): string {
    return reasonOf(this.action, this.verdicts, this.context)
  }

  /**
   * Replaces the hold by what the call cost. What is above the hold is recorded whole and reported as overage. Repeating it with
   * the same cost changes nothing. While a shared store is away the settle waits for it (`queued`). Rejects with
   * `MissingCostError`, `PricesNotConfigured`, `UnpricedModelError`, `UnknownHoldError`, `AlreadyEndedError`, or `StoreUnavailableError` where it can
   * neither be made nor wait; then nothing has changed, as far as is known.
   */
  settle(outcome?: Outcome): Promise<Settlement> {
    return this.#endings.settle(this.id, outcome, this.#meter, this.decided())
  }

  /** Gives the held money back: no call was made. Releasing again, or after a settle, has no effect. */
  release(): Promise<void> {
    return this.#endings.release(this.id)
  }

  /** Holds the money for `ttl` from now (default: the configured time). Gives the new end. Rejects once the hold has ended. */
  extend(ttl?: Duration): Promise<Date> {
    return this.#endings.extend(this.id, ttl)
  }

  /** Meters a piece of usage while the call runs. Never throws: what is wrong goes to the event `usage-error`. */
  addUsage(tokens: number | string, type: UsageType, details?: UsageDetails): void {
    if (this.decided().isSettled) return this.#endings.usageError(this.id, new InvalidRequestError('addUsage: the decision is settled, and what is metered now is not charged. Meter before the call is settled, or count it with tracker.addCost().'))
    this.#meter ??= new UsageMeter()
    const error = this.#meter.add(tokens, type, details)
    if (error !== undefined) this.#endings.usageError(this.id, error)
  }

  /**
   * Ends the hold of a call that did not report: what was metered is settled (where a piece has no cost and no price, at
   * least the estimate), and if nothing was, the hold is released. Called on a throw, an abort and by `await using`; an ended hold stays
   * as it is.
   */
  async abandon(): Promise<void> {
    const meter = this.#meter
    try {
      if (meter === undefined || !meter.used) return await this.release()
      const { microcents, isComplete } = this.#endings.metered(meter, this.decided())
      if (isComplete) await this.settle()
      else await this.settle({ cost: formatUsd(Math.max(this.exact.estimatedMicrocents, microcents)), tokens: meter.tokens, estimated: true })
    } catch (error) {
      if (!(error instanceof AlreadyEndedError || error instanceof UnknownHoldError)) throw error
    }
  }

  /**
   * Settles what a wrapper has learnt of its call, and never rejects: the answer is paid for, and is not lost with what is wrong with its
   * cost. Without a usable cost the estimate (or what was metered, if that is more) is charged and marked, and the event `usage-error` says why; a store that fails is the
   * event `store-error`, and gives `undefined`.
   * @internal
   */
  async conclude(outcome?: Outcome): Promise<Settlement | undefined> {
    try {
      return await this.settle(outcome)
    } catch (error) {
      // Whoever has ended it before has had the word.
      if (error instanceof AlreadyEndedError) return undefined
      if (!isUnusableOutcome(error)) return this.#unsettled(error)
      this.#endings.usageError(this.id, error)
      const metered = this.#meter === undefined ? 0 : this.#endings.metered(this.#meter, this.decided()).microcents
      return this.settle({ cost: formatUsd(Math.max(this.exact.estimatedMicrocents, metered)), estimated: true }).catch((again: unknown) => this.#unsettled(again))
    }
  }

  #unsettled(error: unknown): undefined {
    this.#endings.failed('settle', error)
    return undefined
  }

  /**
   * The same for a call that failed: see {@link abandon}.
   * @internal
   */
  async giveUp(): Promise<void> {
    await this.abandon().catch((error: unknown) => this.#endings.failed('abandon', error))
  }

  /**
   * Extends for a wrapper that runs the call, and never rejects: `ended` where no hold is open any more, `failed` where the store did not
   * do it, which is the event `store-error`.
   * @internal
   */
  async prolong(ttl: Duration): Promise<'extended' | 'ended' | 'failed'> {
    try {
      await this.extend(ttl)
      return 'extended'
    } catch (error) {
      if (error instanceof AlreadyEndedError || error instanceof UnknownHoldError || error instanceof HoldExpiredError) return 'ended'
      this.#endings.failed('extend', error)
      return 'failed'
    }
  }

  /**
   * Announces what is wrong with what a call says of its usage: the event `usage-error`.
   * @internal
   */
  reportUsageError(error: Error): void {
    this.#endings.usageError(this.id, error)
  }

  /** See {@link abandon}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.abandon()
  }

  toJSON(): object {
    const { id, allowed, action, model, requestedModel, estimatedCost, exact, expiresAt, rungs, reason, verdicts, context, replayed, ended, enforcedBy } = this
    return { id, allowed, action, model, requestedModel, estimatedCost, exact, expiresAt, rungs, reason, verdicts: plain(verdicts), context, replayed, ended, enforcedBy }
  }
}

/** The request is refused. Nothing is held. */
export class DeniedDecision extends BaseDecision {
  readonly allowed = false as const
  readonly action = 'BLOCK' as const
  readonly code: DenialCode
  readonly #denial: () => Denial

  constructor(basis: Basis, code: DenialCode, denial: (decision: DeniedDecision) => Denial) {
    super(basis)
    this.code = code
    this.#denial = () => denial(this)
    Object.freeze(this)
  }

  /** One sentence for people. */
  get reason(): string {
    return this.toDenial().message
  }

  /** The refusal as plain data: which budget, how full, when it resets, what would still fit. */
  toDenial(): Denial {
    return this.#denial()
  }

  /** Nothing is held, so there is nothing to end: lets `await using` take either decision. */
  async [Symbol.asyncDispose](): Promise<void> {}

  toJSON(): object {
    const { id, allowed, action, code, requestedModel, rungs, reason, verdicts, context, replayed, enforcedBy } = this
    return { id, allowed, action, code, requestedModel, rungs, reason, verdicts: plain(verdicts), context, replayed, enforcedBy, denial: this.toDenial() }
  }
}

/** The final answer for one request; it narrows on `allowed` and on `action`. */
export type Decision = AllowedDecision | DeniedDecision

function reasonOf(action: string, verdicts: readonly Verdict[], context: EnforcementContext): string {
  const spoken = verdicts.find((verdict) => verdict.action === action && verdict.reason !== undefined) ?? verdicts.find((verdict) => verdict.reason !== undefined && verdict.action !== 'ALLOW')
  if (spoken !== undefined) return `${spoken.policy}${spoken.scope === undefined ? '' : ` for ${describeScope(spoken.scope)}`}: ${spoken.reason}`
  if (context.periodName === undefined) return 'no limit applies'
  return `${context.budgetUsedPct} % of the ${context.periodName} budget would be used`
}

function plain(verdicts: readonly Verdict[]): object[] {
  return verdicts.map((verdict) => (verdict.error === undefined ? verdict : { ...verdict, error: verdict.error.message }))
}
