// How holds end: the methods of a decision, and the same by id for other processes. Turns what a call reported into integers
// before the store is asked, so that bad input changes nothing.

import { z } from 'zod'
import { countSchema, usdSchema, type Spender } from '../budget/index.js'
import type { EventHub } from '../events/index.js'
import { MissingCostError, PricesNotConfigured } from '../errors/index.js'
import { parseUsd, toUsd } from '../money/index.js'
import type { UsageMeter } from '../session/index.js'
import { failureError, isPromise, type ChargeFacts, type Failure, type Recorded, type Settled, type Store } from '../store/index.js'
import { parseDuration, type Duration } from '../time/index.js'
import { newId, parseStrictly, totalTokens, type Foundation } from '../tracker/index.js'
import type { BursarEvents } from './events.js'
import type { Endings, Outcome, Settlement } from './decision.js'

interface Actual {
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

/** Ends holds in the store, and announces how. */
export class Holds implements Endings {
  readonly #foundation: Foundation
  readonly #events: EventHub<BursarEvents>
  readonly #ttlMs: number

  constructor(foundation: Foundation, events: EventHub<BursarEvents>, ttlMs: number) {
    this.#foundation = foundation
    this.#events = events
    this.#ttlMs = ttlMs
  }

  settle(id: string, outcome: Outcome | undefined, meter?: UsageMeter, decidedModel?: string): Promise<Settlement> {
    // No async function: see Bursar.check.
    try {
      const actual = readOutcome(outcome, meter)
      const { microcents, tokens, model } = actual
      const reply = this.#store.settle({ id, microcents, tokens, model })
      if (isPromise(reply)) return Promise.resolve(reply.then((settled) => this.#settled(id, settled, actual, decidedModel)))
      return Promise.resolve(this.#settled(id, reply, actual, decidedModel))
    } catch (error) {
      return Promise.reject(error as Error)
    }
  }

  async release(id: string): Promise<void> {
    const reply = await this.#store.release({ id })
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

  #settled(id: string, reply: Settled | Failure, { microcents, model }: Actual, decidedModel: string | undefined): Settlement {
    if (reply.outcome !== 'settled') throw failureError(reply, id, 'settle')
    this.#foundation.effects.announce(reply.effects)
    const settlement = settlementOf(microcents, Math.max(0, microcents - reply.heldMicrocents), reply.replayed)
    if (!reply.replayed && this.#events.hearsAnything) this.#announce(id, settlement, reply.facts, decidedModel, model, reply.late)
    return settlement
  }

  #announce(id: string, { cost, overage, exact }: Settlement, facts: ChargeFacts, decided: string | undefined, answered: string | undefined, late: boolean): void {
    if (this.#events.hears('settled')) this.#events.emit('settled', { id, user: facts.user, cost, overage, exact, model: answered ?? decided, late })
    if (overage > 0) this.#events.emit('overage', { id, user: facts.user, cost, overage, exact })
    if (answered !== undefined && decided !== undefined && answered !== decided) this.#events.emit('model-mismatch', { id, decided, answered })
  }
}

/** Endings of a decision that nothing holds (the store was away, and the configuration says to allow): what it cost is recorded. */
export class Unheld implements Endings {
  readonly #foundation: Foundation
  readonly #spender: Spender
  readonly #facts: ChargeFacts
  readonly #holds: Holds
  // Not the decision's: a reserve of that id may have taken effect before its reply was lost.
  readonly #id = newId()

  constructor(foundation: Foundation, holds: Holds, spender: Spender, facts: ChargeFacts) {
    this.#foundation = foundation
    this.#holds = holds
    this.#spender = spender
    this.#facts = facts
  }

  async settle(_id: string, outcome: Outcome | undefined, meter: UsageMeter | undefined): Promise<Settlement> {
    const { microcents, tokens = 0 } = readOutcome(outcome, meter)
    const id = this.#id
    const fingerprint = `unheld ${microcents} ${tokens}`
    const { accounts, store } = this.#foundation
    // Asked for now, not when the decision was made: then the directory may have been away too.
    const reply = await accounts.ask<Recorded | Failure>(this.#spender, ({ scopes, tier, entry }) => {
      return store.record({ id, fingerprint, idGiven: true, scopes, amounts: { microcents, tokens }, facts: { ...this.#facts, tier }, entry })
    })
    if (reply.outcome !== 'recorded') throw failureError(reply, id, 'record')
    this.#foundation.effects.announce(reply.effects)
    return settlementOf(microcents, microcents, reply.replayed)
  }

  async release(): Promise<void> {}

  extend(id: string, ttl: Duration | undefined): Promise<Date> {
    return this.#holds.extend(id, ttl)
  }

  usageError(id: string, error: Error): void {
    this.#holds.usageError(id, error)
  }
}

function readOutcome(outcome: Outcome | undefined, meter: UsageMeter | undefined): Actual {
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

function settlementOf(costMicrocents: number, overageMicrocents: number, replayed: boolean): Settlement {
  return { cost: toUsd(costMicrocents), overage: toUsd(overageMicrocents), replayed, exact: { costMicrocents, overageMicrocents } }
}
