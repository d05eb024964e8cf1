// What happens, as it happens, for whoever looks: the events of the engine as plain data, each to those alone who may see it.

import { limitOf, type UserRef } from '../../budget/index.js'
import type { BursarEvents, Decision } from '../../decision/index.js'
import type { ThresholdEvent } from '../../events/index.js'
import type { Caller } from '../caller.js'
import { decisionAnswer } from '../decisions/decision-view.js'
import { clientId } from '../ids.js'
import type { Engine } from '../service.js'
import type { LiveEvent } from './views.js'
import { limitIdFor } from './window-row.js'

type Listener = (event: LiveEvent) => void

/** One who listens, and who they are. */
interface Listening {
  readonly caller: Caller
  readonly listener: Listener
}

/** The events of one process. Nothing is asked of the engine while nobody listens. */
export class Feed {
  readonly #engine: Engine
  readonly #listening = new Set<Listening>()
  readonly #closing = new Set<() => void>()
  #changes = 0

  constructor(engine: Engine) {
    this.#engine = engine
  }

  /** Calls the listener with what the caller may see, until the function that it gives is called. */
  subscribe(caller: Caller, listener: Listener): () => void {
    const listening = { caller, listener }
    if (this.#listening.size === 0) this.#hear()
    this.#listening.add(listening)
    return () => {
      if (this.#listening.delete(listening) && this.#listening.size === 0) this.#hearNoMore()
    }
  }

  /** Tells that somebody has changed a tier, a limit or a budget: those of that tenant, or, where it is of none, the operator alone. */
  changed(what: string, tenant: string | undefined): void {
    this.#changes += 1
    if (this.#listening.size === 0) return
    const event: LiveEvent = { type: 'changed', at: this.#now(), what }
    for (const { caller, listener } of this.#listening) {
      if (caller.isOperator || (tenant !== undefined && caller.userId === undefined && caller.tenant === tenant)) listener(event)
    }
  }

  /** How often {@link changed} was told: what was worked out before is old. */
  get changes(): number {
    return this.#changes
  }

  /** How many listen. */
  get listeners(): number {
    return this.#listening.size
  }

  /** Calls a function when the feed is closed, until the function that it gives is called. */
  onClose(end: () => void): () => void {
    this.#closing.add(end)
    return () => void this.#closing.delete(end)
  }

  /** Ends with everybody who listens. */
  close(): void {
    for (const end of this.#closing) end()
    this.#closing.clear()
    if (this.#listening.size > 0) this.#hearNoMore()
    this.#listening.clear()
  }

  #hear(): void {
    this.#engine.on('decision', this.#onDecision).on('settled', this.#onSettled).on('recorded', this.#onRecorded).on('threshold', this.#onThreshold).on('tier-changed', this.#onTier)
  }

  #hearNoMore(): void {
    this.#engine.off('decision', this.#onDecision).off('settled', this.#onSettled).off('recorded', this.#onRecorded).off('threshold', this.#onThreshold).off('tier-changed', this.#onTier)
  }

  readonly #onDecision = (decision: Decision): void => {
    const { id, action, context } = decision
    const { userId, tenant } = context
    const base = { type: 'decision', at: context.now.toISOString(), userId, tenant: tenant ?? null, action, estimatedCost: estimateOf(decision), decisionId: clientId(tenant, id) } as const
    const model = (decision.allowed ? decision.model : decision.requestedModel) ?? null
    this.#tell({ userId, tenant }, (caller) => ({ ...base, model, reason: reasonFor(decision, caller) }))
  }

  readonly #onSettled = ({ id, user, cost, model }: BursarEvents['settled']): void => {
    this.#tell(user, () => ({ type: 'settled', at: this.#now(), userId: user.userId, tenant: user.tenant ?? null, model: model ?? null, cost, decisionId: clientId(user.tenant, id) }))
  }

  readonly #onRecorded = ({ id, user, cost, model }: BursarEvents['recorded']): void => {
    this.#tell(user, () => ({ type: 'settled', at: this.#now(), userId: user.userId, tenant: user.tenant ?? null, model: model ?? null, cost, decisionId: clientId(user.tenant, id), recorded: true }))
  }

  readonly #onThreshold = ({ scope, period, unit, thresholdPct, usedPct, limit }: ThresholdEvent): void => {
    const { kind, tenant } = scope
    const at = this.#now()
    const limitId = limitOf(scope)?.limitId
    for (const { caller, listener } of this.#listening) {
      if (!caller.maySee(scope)) continue
      const id = limitId === undefined ? scope.id : limitIdFor(caller, limitId)
      listener({ type: 'threshold', at, scope: { kind, id, ...(tenant !== undefined && { tenant }) }, period, unit, thresholdPct, usedPct, limit })
    }
  }

  readonly #onTier = ({ user }: BursarEvents['tier-changed']): void => {
    this.#changes += 1
    this.#tell(user, () => ({ type: 'changed', at: this.#now(), what: `the tier of ${user.userId}` }))
  }

  #tell(user: UserRef, eventFor: (caller: Caller) => LiveEvent): void {
    for (const { caller, listener } of this.#listening) if (reaches(caller, user)) listener(eventFor(caller))
  }

  #now(): string {
    return new Date(this.#engine.tracker.clock()).toISOString()
  }
}

function reaches({ isOperator, tenant, userId }: Caller, user: UserRef): boolean {
  return isOperator || (user.tenant === tenant && (userId === undefined || userId === user.userId))
}

function estimateOf(decision: Decision): number {
  return decision.allowed ? decision.estimatedCost : (decision.rungs[0]?.estimatedCost ?? 0)
}

/** The sentence that the caller would have got as an answer. */
function reasonFor(decision: Decision, caller: Caller): string {
  if (caller.isOperator) return decision.reason
  return (decisionAnswer(decision, { caller, tenant: decision.context.tenant, isOwnId: true }).body as { readonly reason: string }).reason
}
