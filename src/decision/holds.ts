// How holds end: the methods of a decision, and the same by id for other processes. Turns what a call reported into integers
// before the store is asked, so that bad input changes nothing.

import { StoreUnavailableError } from '../errors/index.js'
import type { CostDetails } from '../ledger/index.js'
import type { EventHub } from '../events/index.js'
import { toUsd, type Amounts } from '../money/index.js'
import type { UsageMeter } from '../pricing/index.js'
import { isStoresFailure, type OutageGuard, type Placement } from '../outage/index.js'
import { failureError, isPromise, modelOf, type ChargeFacts, type Failure, type HoldState, type MaybePromise, type Opened, type Released, type Settled, type Store } from '../store/index.js'
import { parseDuration, type Duration } from '../time/index.js'
import type { Foundation } from '../tracker/index.js'
import type { BursarEvents } from './events.js'
import type { Decided, Endings, Outcome, Release, Settlement } from './decision.js'
import type { Actual, OutcomeReader, Priced } from './outcome.js'
import type { Rung } from './rungs.js'
import type { StoreFailures } from './store-failures.js'
import type { Instruments, SettleNote } from './telemetry.js'
import { uncounted } from './uncounted-cost.js'

/** What was held for a call, where that is known. */
type Held = Pick<Rung, 'model' | 'amounts'>

/** Ends holds in the store, and announces how. What a shared store cannot be told now waits for it. */
export class Holds implements Endings {
  /** Who watches. */
  readonly instruments: Instruments
  readonly #foundation: Foundation
  readonly #events: EventHub<BursarEvents>
  readonly #ttlMs: number
  readonly #outcomes: OutcomeReader
  readonly #failures: StoreFailures

  constructor(foundation: Foundation, events: EventHub<BursarEvents>, ttlMs: number, outcomes: OutcomeReader, failures: StoreFailures, instruments: Instruments) {
    this.instruments = instruments
    this.#foundation = foundation
    this.#events = events
    this.#ttlMs = ttlMs
    this.#outcomes = outcomes
    this.#failures = failures
  }

  /** See {@link OutcomeReader.read}; a total that contradicts its pieces is announced. */
  read(id: string, outcome: Outcome | undefined, meter: UsageMeter | undefined, decided: Priced | undefined): Actual {
    const actual = this.#outcomes.read(outcome, meter, decided)
    for (const wrong of [meter?.totalError, actual.flaw]) if (wrong !== undefined) this.usageError(id, wrong)
    return actual
  }

  metered(meter: UsageMeter, decided: Decided): { readonly microcents: number; readonly isComplete: boolean } {
    return this.#outcomes.metered(meter, decided)
  }

  settle(id: string, outcome: Outcome | undefined, meter?: UsageMeter, decided?: Decided): Promise<Settlement> {
    return this.instruments.isOn ? this.instruments.settle(id, decided, (note) => this.#settle(id, outcome, meter, decided, note)) : this.#settle(id, outcome, meter, decided, undefined)
  }

  async release(id: string): Promise<void> {
    await this.releaseNamed(id)
  }

  /** The same by id alone, with how the hold stood before. */
  async releaseNamed(id: string): Promise<Release> {
    let was: HoldState | undefined
    const release = async (): Promise<void> => void (was = await this.#release(id))
    await (this.instruments.isOn ? this.instruments.release(id, release) : release())
    return { was }
  }

  extend(id: string, ttl: Duration | undefined): Promise<Date> {
    return this.instruments.isOn ? this.instruments.extend(id, () => this.#extend(id, ttl)) : this.#extend(id, ttl)
  }

  #settle(id: string, outcome: Outcome | undefined, meter: UsageMeter | undefined, decided: Decided | undefined, note: SettleNote | undefined): Promise<Settlement> {
    if (note !== undefined) note.answered = outcome?.model
    // No async function: see Bursar.check.
    try {
      if (decided === undefined && this.#store.opened !== undefined && this.#outcomes.asksForPrice(outcome)) return this.#settleOpened(id, outcome, note)
      return this.#charge(id, this.read(id, outcome, meter, decided), decided, decided?.rung, note)
    } catch (error) {
      return Promise.reject(error as Error)
    }
  }

  /** Settles usage by its id alone: the hold itself says which price it has, so that a repeat has the same, wherever and whenever it is made. */
  async #settleOpened(id: string, outcome: Outcome | undefined, note: SettleNote | undefined): Promise<Settlement> {
    const opened = await this.#opened(id)
    const { facts, rungs, rung } = opened
    const held: Held = { model: modelOf(facts, rung), amounts: rungs[rung] ?? NOTHING_HELD }
    return this.#charge(id, this.read(id, outcome, undefined, this.#outcomes.pricedBy(opened)), undefined, held, note)
  }

  /** When an id that is open or remembered was opened, in store time. */
  async openedAt(id: string): Promise<number | undefined> {
    const reply = await this.#store.opened?.(id)
    if (reply?.outcome !== 'opened') return undefined
    this.#foundation.effects.announce(reply.effects)
    return reply.openedAt
  }

  async #opened(id: string): Promise<Opened> {
    let reply: Opened | Failure | undefined
    try {
      reply = await this.#store.opened?.(id)
    } catch (cause) {
      if (!isStoresFailure(cause)) throw cause
      throw new StoreUnavailableError(`usage: which price it has stands with the hold "${id}", and the store does not answer. Settle it again when the store is back, or give its cost, which waits for the store.`, { cause, asked: false })
    }
    if (reply?.outcome !== 'opened') throw failureError(reply ?? { outcome: 'unknown-hold' }, id, 'settle')
    this.#foundation.effects.announce(reply.effects)
    return reply
  }

  #charge(id: string, actual: Actual, decided: Decided | undefined, held: Held | undefined, note: SettleNote | undefined): Promise<Settlement> {
    // Nor this one.
    try {
      if (note !== undefined) note.actual = decided === undefined ? { ...actual, model: actual.model ?? held?.model } : actual
      const { microcents, tokens, model, provider } = actual
      const details = withAction(actual.details, decided)
      let reply: MaybePromise<Settled | Failure>
      try {
        reply = this.#store.settle(details === undefined && provider === undefined ? { id, microcents, tokens, model } : { id, microcents, tokens, model, provider, details })
      } catch (error) {
        return this.#kept(id, actual, decided, held, error)
      }
      if (isPromise(reply)) {
        return Promise.resolve(
          reply.then(
            (settled) => this.#settled(id, settled, actual, decided, held, note),
            (error: unknown) => this.#kept(id, actual, decided, held, error),
          ),
        )
      }
      return Promise.resolve(this.#settled(id, reply, actual, decided, held, note))
    } catch (error) {
      return Promise.reject(error as Error)
    }
  }

  async #release(id: string): Promise<HoldState | undefined> {
    let reply: Released | Failure
    try {
      reply = await this.#store.release({ id })
    } catch (error) {
      await this.#guardFor(error).keep({ id, kind: 'release', microcents: 0 }, error)
      return undefined
    }
    if (reply.outcome !== 'released') throw failureError(reply, id, 'release')
    this.#foundation.effects.announce(reply.effects)
    return reply.was
  }

  async #extend(id: string, ttl: Duration | undefined): Promise<Date> {
    const reply = await this.#store.extend({ id, ttlMs: ttl === undefined ? this.#ttlMs : parseDuration(ttl, 'ttl') })
    if (reply.outcome !== 'extended') throw failureError(reply, id, 'extend')
    this.#foundation.effects.announce(reply.effects)
    return new Date(reply.dueAt)
  }

  usageError(id: string, error: Error): void {
    this.#events.emit('usage-error', { id, error })
  }

  failed(operation: string, error: unknown): void {
    this.#failures.failed(operation, error)
  }

  get #store(): Store {
    return this.#foundation.store
  }

  /** The guard behind which an ending may wait after this error. Throws the error where there is none, or where it is not the store's. */
  #guardFor(error: unknown): OutageGuard {
    const { guard } = this.#foundation
    if (guard === undefined || !isStoresFailure(error)) throw error
    return guard
  }

  async #kept(id: string, { microcents, tokens, model, provider, details: found }: Actual, decided: Decided | undefined, held: Held | undefined, error: unknown): Promise<Settlement> {
    const guard = this.#guardFor(error)
    const details = withAction(found, decided)
    const ending = { id, kind: 'settle', microcents, tokens: tokens ?? held?.amounts.tokens, model, provider, details, placed: decided && placementOn(decided, model, provider) } as const
    const kept = await guard.keep(ending, error).catch((lost: unknown) => {
      throw uncounted(id, microcents, 'settle its id when the store is back, else its hold is charged with its estimate when it expires (onHoldExpiry)', lost)
    })
    const overage = held === undefined ? 0 : Math.max(0, microcents - held.amounts.microcents)
    const settlement: Settlement = { ...settlementOf(microcents, overage, kept === 'repeated'), queued: true }
    if (decided !== undefined) decided.isSettled = true
    if (decided !== undefined && kept === 'kept') this.announce(id, settlement, decided.placement().facts, held?.model, model, false)
    return settlement
  }

  #settled(id: string, reply: Settled | Failure, { microcents, model }: Actual, decided: Decided | undefined, held: Held | undefined, note: SettleNote | undefined): Settlement {
    if (reply.outcome !== 'settled') throw failureError(reply, id, 'settle')
    if (note !== undefined) note.facts = reply.facts
    this.#foundation.effects.announce(reply.effects)
    if (decided !== undefined) decided.isSettled = true
    const settlement = settlementOf(microcents, Math.max(0, microcents - reply.heldMicrocents), reply.replayed)
    if (reply.replayed) return settlement
    if (settlement.overage > 0 && decided !== undefined) this.#foundation.guard?.noteOverage(() => decided.placement().scopes, settlement.exact.overageMicrocents)
    if (this.#events.hearsAnything) this.announce(id, settlement, reply.facts, held?.model, model, reply.late)
    return settlement
  }

  /** Announces a settle: `decided` and `answered` are models. */
  announce(id: string, { cost, overage, exact }: Settlement, facts: ChargeFacts, decided: string | undefined, answered: string | undefined, late: boolean): void {
    if (this.#events.hears('settled')) this.#events.emit('settled', { id, user: facts.user, cost, overage, exact, model: answered ?? decided, late })
    if (overage > 0) this.#events.emit('overage', { id, user: facts.user, cost, overage, exact })
    if (answered !== undefined && decided !== undefined && answered !== decided) this.#events.emit('model-mismatch', { id, decided, answered })
  }
}

const NOTHING_HELD: Amounts = Object.freeze({ microcents: 0, tokens: 0 })

// One object for each action: most settles have nothing else to say, and each says it.
const ACTIONS = { ALLOW: Object.freeze({ action: 'ALLOW' }), WARN: Object.freeze({ action: 'WARN' }), DEGRADE: Object.freeze({ action: 'DEGRADE' }) } as const

/** How a cost was found, with what the decision was, where that is known. */
export function withAction(details: CostDetails | undefined, decided: Decided | undefined): CostDetails | undefined {
  const action = decided?.action
  if (action === undefined) return details
  return details === undefined ? ACTIONS[action] : { ...details, action }
}

/** Where a cost belongs, under the model that it was spent on. */
export function placementOn(decided: Decided, answered: string | undefined, provider: string | undefined): Placement {
  const placed = decided.placement()
  return { ...placed, facts: { ...placed.facts, model: answered ?? decided.rung.model, provider: provider ?? placed.facts.provider, cheaperModels: undefined } }
}

/** What `settle` resolves with. */
export function settlementOf(costMicrocents: number, overageMicrocents: number, replayed: boolean): Settlement {
  return { cost: toUsd(costMicrocents), overage: toUsd(overageMicrocents), replayed, exact: { costMicrocents, overageMicrocents } }
}
