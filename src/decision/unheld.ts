// How a decision ends that no hold stands behind, because the store was away: what it cost is recorded, now or when the store is
// back. Knows nothing of why it was allowed.

import type { Spender } from '../budget/index.js'
import { AlreadyEndedError, UnknownSessionError } from '../errors/index.js'
import { isStoresFailure, mayHaveChanged, recordFingerprint, type LocalHold } from '../outage/index.js'
import type { UsageMeter } from '../pricing/index.js'
import { failureError, type ChargeFacts, type Failure, type Recorded } from '../store/index.js'
import type { Duration } from '../time/index.js'
import { newId, type Foundation } from '../tracker/index.js'
import type { Decided, Endings, Outcome, Settlement } from './decision.js'
import { placementOn, settlementOf, withAction, type Holds } from './holds.js'
import type { Actual } from './outcome.js'
import type { SettleNote } from './telemetry.js'
import { uncounted } from './uncounted-cost.js'

/** Endings of one decision without a hold; `local` is what was taken of this process's share for it. */
export class Unheld implements Endings {
  readonly #foundation: Foundation
  readonly #holds: Holds
  readonly #spender: Spender
  readonly #decided: Decided
  readonly #local: LocalHold | undefined
  // Not the decision's: a reserve of that id may have taken effect before its reply was lost.
  readonly #id = newId()
  #exceeded = 0
  /** How it has ended, as the life of a hold has it. */
  #ended: { readonly state: 'settled' | 'released'; readonly microcents: number } | undefined

  constructor(foundation: Foundation, holds: Holds, spender: Spender, decided: Decided, local: LocalHold | undefined) {
    this.#foundation = foundation
    this.#holds = holds
    this.#spender = spender
    this.#decided = decided
    this.#local = local
  }

  settle(decisionId: string, outcome: Outcome | undefined, meter: UsageMeter | undefined): Promise<Settlement> {
    const { instruments } = this.#holds
    return instruments.isOn ? instruments.settle(decisionId, this.#decided, (note) => this.#settle(decisionId, outcome, meter, note)) : this.#settle(decisionId, outcome, meter, undefined)
  }

  release(decisionId: string): Promise<void> {
    const { instruments } = this.#holds
    return instruments.isOn ? instruments.release(decisionId, () => this.#release()) : this.#release()
  }

  extend(id: string, ttl: Duration | undefined): Promise<Date> {
    return this.#holds.extend(id, ttl)
  }

  failed(operation: string, error: unknown): void {
    this.#holds.failed(operation, error)
  }

  metered(meter: UsageMeter, decided: Decided): { readonly microcents: number; readonly isComplete: boolean } {
    return this.#holds.metered(meter, decided)
  }

  usageError(id: string, error: Error): void {
    this.#holds.usageError(id, error)
  }

  async #settle(decisionId: string, outcome: Outcome | undefined, meter: UsageMeter | undefined, note: SettleNote | undefined): Promise<Settlement> {
    const actual = this.#holds.read(decisionId, outcome, meter, this.#decided)
    if (note !== undefined) Object.assign(note, { actual, answered: outcome?.model })
    const { microcents, tokens = 0, model, provider } = actual
    const details = withAction(actual.details, this.#decided)
    const id = this.#id
    this.#assertOpen(decisionId, microcents)
    this.#exceed(microcents)
    const { accounts, store, effects } = this.#foundation
    const { facts } = placementOn(this.#decided, model, provider)
    let reply: Recorded | Failure
    try {
      // Asked for now, not when the decision was made: then the directory may have been away too.
      const ask = (spender: Spender): Promise<Recorded | Failure> =>
        accounts.ask<Recorded | Failure>(spender, ({ scopes, tier, entry }) => {
          return store.record({ id, fingerprint: recordFingerprint(microcents, tokens), idGiven: true, scopes, amounts: { microcents, tokens }, facts: { ...facts, tier }, details, entry })
        })
      // In a session that has ended nobody counts any more: the cost is the user's all the same.
      reply = await ask(this.#spender).catch((error: unknown) => (error instanceof UnknownSessionError ? ask({ ...this.#spender, session: undefined }) : Promise.reject(error as Error)))
    } catch (error) {
      return this.#kept(decisionId, actual, error)
    }
    if (reply.outcome !== 'recorded') throw failureError(reply, id, 'record')
    effects.announce(reply.effects)
    this.#local?.told()
    return this.#settled(decisionId, actual, facts, settlementOf(microcents, microcents, reply.replayed))
  }

  async #release(): Promise<void> {
    this.#local?.told()
    this.#ended ??= { state: 'released', microcents: 0 }
  }

  async #kept(decisionId: string, actual: Actual, error: unknown): Promise<Settlement> {
    const { microcents, tokens = 0, model, provider } = actual
    const details = withAction(actual.details, this.#decided)
    const { guard } = this.#foundation
    const placed = placementOn(this.#decided, model, provider)
    if (!isStoresFailure(error)) throw error
    const notKept = (cause: unknown): never => {
      throw uncounted(decisionId, microcents, `count them with tracker.addCost() when the store is back${mayHaveChanged(cause) ? ', if its ledger does not have them' : ''}`, cause)
    }
    // Where nobody could say which budgets it belongs to, the caller keeps it.
    if (guard === undefined || placed.scopes.length === 0) return notKept(error)
    const kept = await guard.keep({ id: this.#id, kind: 'record', microcents, tokens, model, provider, details, placed }, error, () => this.#local?.told()).catch(notKept)
    return this.#settled(decisionId, actual, placed.facts, { ...settlementOf(microcents, microcents, kept === 'repeated'), queued: true })
  }

  /** INVARIANT (ONE-ENDING): what has ended takes a repeat of its ending, and nothing else. */
  #assertOpen(decisionId: string, microcents: number): void {
    if (this.#ended === undefined || (this.#ended.state === 'settled' && this.#ended.microcents === microcents)) return
    throw new AlreadyEndedError(decisionId, this.#ended.state, 'If its call did cost more, count the rest with tracker.addCost().')
  }

  #settled(decisionId: string, { microcents, model }: Actual, facts: ChargeFacts, settlement: Settlement): Settlement {
    const isFirst = this.#ended === undefined
    this.#ended = { state: 'settled', microcents }
    this.#decided.isSettled = true
    if (isFirst && !settlement.replayed) this.#holds.announce(decisionId, settlement, facts, this.#decided.rung.model, model, false)
    return settlement
  }

  /** A repeated settle must not take from the share twice. */
  #exceed(microcents: number): void {
    const more = microcents - this.#decided.rung.amounts.microcents - this.#exceeded
    if (more <= 0) return
    this.#exceeded += more
    this.#local?.exceed({ microcents: more, tokens: 0 })
  }
}
