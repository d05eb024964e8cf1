// How holds end: the methods of a decision, and the same by id for other processes. Turns what a call reported into integers
// before the store is asked, so that bad input changes nothing.

import { z } from 'zod'
import { countSchema, usdSchema } from '../budget/index.js'
import type { EventHub } from '../events/index.js'
import { MissingCostError, PricesNotConfigured } from '../errors/index.js'
import { parseUsd, toUsd } from '../money/index.js'
import type { UsageMeter } from '../session/index.js'
import { isStoresFailure, type OutageGuard, type Placement } from '../outage/index.js'
import { failureError, isPromise, type ChargeFacts, type Failure, type MaybePromise, type Released, type Settled, type Store } from '../store/index.js'
import { parseDuration, type Duration } from '../time/index.js'
import { parseStrictly, totalTokens, type Foundation } from '../tracker/index.js'
import type { BursarEvents } from './events.js'
import type { Decided, Endings, Outcome, Settlement } from './decision.js'
import { uncounted } from './uncounted-cost.js'

/** What a call cost, in integers. */
export interface Actual {
  readonly microcents: number
  readonly tokens: number | undefined
  readonly model: string | undefined
}

const NOTHING_REPORTED: Outcome = Object.freeze({})
const outcomeSchema = z.strictObject({
  cost: usdSchema.optional(),
  usage: z.unknown().optional(),
  tokens: z.union([countSchema, z.record(z.string(), countSchema)]).optional(),
  model: z.string().min(1).optional(),
})

/** Ends holds in the store, and announces how. What a shared store cannot be told now waits for it. */
export class Holds implements Endings {
  readonly #foundation: Foundation
  readonly #events: EventHub<BursarEvents>
  readonly #ttlMs: number

  constructor(foundation: Foundation, events: EventHub<BursarEvents>, ttlMs: number) {
    this.#foundation = foundation
    this.#events = events
    this.#ttlMs = ttlMs
  }

  settle(id: string, outcome: Outcome | undefined, meter?: UsageMeter, decided?: Decided): Promise<Settlement> {
    // No async function: see Bursar.check.
    try {
      const actual = readOutcome(outcome, meter)
      const { microcents, tokens, model } = actual
      let reply: MaybePromise<Settled | Failure>
      try {
        reply = this.#store.settle({ id, microcents, tokens, model })
      } catch (error) {
        return this.#kept(id, actual, decided, error)
      }
      if (isPromise(reply)) {
        return Promise.resolve(
          reply.then(
            (settled) => this.#settled(id, settled, actual, decided),
            (error: unknown) => this.#kept(id, actual, decided, error),
          ),
        )
      }
      return Promise.resolve(this.#settled(id, reply, actual, decided))
    } catch (error) {
      return Promise.reject(error as Error)
    }
  }

  async release(id: string): Promise<void> {
    let reply: Released | Failure
    try {
      reply = await this.#store.release({ id })
    } catch (error) {
      await this.#guardFor(error).keep({ id, kind: 'release', microcents: 0 }, error)
      return
    }
    if (reply.outcome !== 'released') throw failureError(reply, id, 'release')
    this.#foundation.effects.announce(reply.effects)
  }

  async extend(id: string, ttl: Duration | undefined): Promise<Date> {
    const reply = await this.#store.extend({ id, ttlMs: ttl === undefined ? this.#ttlMs : parseDuration(ttl, 'ttl') })
    if (reply.outcome !== 'extended') throw failureError(reply, id, 'extend')
    this.#foundation.effects.announce(reply.effects)
    return new Date(reply.dueAt)
  }

  usageError(id: string, error: Error): void {
    this.#events.emit('usage-error', { id, error })
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

  async #kept(id: string, { microcents, tokens, model }: Actual, decided: Decided | undefined, error: unknown): Promise<Settlement> {
    const guard = this.#guardFor(error)
    const rung = decided?.rung
    const ending = { id, kind: 'settle', microcents, tokens: tokens ?? rung?.amounts.tokens, model, placed: placementOn(decided, model) } as const
    const kept = await guard.keep(ending, error).catch((lost: unknown) => {
      throw uncounted(id, microcents, 'settle its id when the store is back, else its hold is charged with its estimate when it expires (onHoldExpiry)', lost)
    })
    const overage = rung === undefined ? 0 : Math.max(0, microcents - rung.amounts.microcents)
    const settlement: Settlement = { ...settlementOf(microcents, overage, kept === 'repeated'), queued: true }
    if (decided !== undefined && kept === 'kept') this.#announce(id, settlement, decided.placement().facts, rung?.model, model, false)
    return settlement
  }

  #settled(id: string, reply: Settled | Failure, { microcents, model }: Actual, decided: Decided | undefined): Settlement {
    if (reply.outcome !== 'settled') throw failureError(reply, id, 'settle')
    this.#foundation.effects.announce(reply.effects)
    const settlement = settlementOf(microcents, Math.max(0, microcents - reply.heldMicrocents), reply.replayed)
    if (reply.replayed) return settlement
    if (settlement.overage > 0 && decided !== undefined) this.#foundation.guard?.noteOverage(() => decided.placement().scopes, settlement.exact.overageMicrocents)
    if (this.#events.hearsAnything) this.#announce(id, settlement, reply.facts, decided?.rung.model, model, reply.late)
    return settlement
  }

  #announce(id: string, { cost, overage, exact }: Settlement, facts: ChargeFacts, decided: string | undefined, answered: string | undefined, late: boolean): void {
    if (this.#events.hears('settled')) this.#events.emit('settled', { id, user: facts.user, cost, overage, exact, model: answered ?? decided, late })
    if (overage > 0) this.#events.emit('overage', { id, user: facts.user, cost, overage, exact })
    if (answered !== undefined && decided !== undefined && answered !== decided) this.#events.emit('model-mismatch', { id, decided, answered })
  }
}

/** Where a cost belongs, under the model that it was spent on. */
export function placementOn(decided: Decided | undefined, answered: string | undefined): Placement | undefined {
  if (decided === undefined) return undefined
  const placed = decided.placement()
  return { ...placed, facts: { ...placed.facts, model: answered ?? decided.rung.model, cheaperModels: undefined } }
}

/** The integers of what a call reported. Throws `MissingCostError`, `PricesNotConfigured` or what is wrong with it. */
export function readOutcome(outcome: Outcome | undefined, meter: UsageMeter | undefined): Actual {
  const given: Outcome = outcome === undefined || isPlainOutcome(outcome) ? (outcome ?? NOTHING_REPORTED) : (parseStrictly(outcomeSchema, outcome, 'outcome') as Outcome)
  const tokens = given.tokens === undefined ? (meter?.used === true ? meter.tokens : undefined) : totalTokens(given.tokens, 'tokens')
  if (given.cost !== undefined) return { microcents: parseUsd(given.cost, 'cost', 'round-up'), tokens, model: given.model }
  if (given.usage !== undefined) throw new PricesNotConfigured('usage: what its tokens cost is not configured. Give cost in USD.')
  if (meter === undefined || !meter.used) {
    throw new MissingCostError('cost: is missing, and nothing was metered. Give cost in USD, meter usage with addUsage(), or release() a call that was not made.')
  }
  if (meter.microcents === undefined) throw new PricesNotConfigured('addUsage: tokens were metered without a cost, and no prices are configured. Give each piece its cost, or give cost in USD.')
  return { microcents: meter.microcents, tokens, model: given.model }
}

/** True for an outcome that the schema accepts and that has a cost alone: most have, and need no schema (see isPlainRequest). */
export function isPlainOutcome(outcome: unknown): outcome is Outcome {
  if (typeof outcome !== 'object' || outcome === null) return false
  for (const field in outcome) {
    const content = (outcome as Record<string, unknown>)[field]
    if (field !== 'cost' || (typeof content !== 'string' && !Number.isFinite(content))) return false
  }
  return true
}

/** What `settle` resolves with. */
export function settlementOf(costMicrocents: number, overageMicrocents: number, replayed: boolean): Settlement {
  return { cost: toUsd(costMicrocents), overage: toUsd(overageMicrocents), replayed, exact: { costMicrocents, overageMicrocents } }
}
