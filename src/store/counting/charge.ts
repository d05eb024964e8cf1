// One thing that money was held or counted for, from its opening until nobody remembers it: what it is, not where it is kept.

import { modelOf, type ChargeFacts, type HoldState, type ReserveRequest, type ScopeTerms } from '../contract.js'
import type { Amounts } from '../../money/index.js'

const NO_SCOPES: readonly ScopeTerms[] = Object.freeze([])
const NO_RUNGS: readonly Amounts[] = Object.freeze([])
const NO_FACTS: ChargeFacts = Object.freeze({ user: Object.freeze({ userId: '' }), tier: undefined })

/** A hold, or a recorded cost (which is one that ended as it began). Mutable: the store's own. */
export class Charge {
  id = ''
  fingerprint = ''
  idGiven = false
  onExpiry: 'charge' | 'release' = 'release'
  scopes = NO_SCOPES
  facts = NO_FACTS
  /** The windows as they stood before: what a repeat is told, and in which windows the charge was placed. */
  readonly readings: number[] = []
  openedAt = 0
  rung = 0
  degrade = false
  heldMicrocents = 0
  heldTokens = 0
  dueAt = 0
  state: HoldState = 'open'
  /** It ended in two steps: it expired, and the real cost came later. */
  corrected = false
  /** The request never was: no window of requests counts it. */
  uncounted = false
  endedAt = 0
  microcents = 0
  tokens = 0
  refundedMicrocents = 0
  /** What a late settle added to what the expiry had charged, less what was refunded of it; and when. */
  addedMicrocents = 0
  addedAt = 0
  corrections = 0
  /** The model that answered. */
  model: string | undefined
  /** Whose model that was. */
  provider: string | undefined
  #rungs = NO_RUNGS

  /** The estimates of all rungs. */
  get rungs(): readonly Amounts[] {
    // Almost every request has one rung: not kept, because what is kept of a request is what costs.
    return this.#rungs.length > 0 ? this.#rungs : [{ microcents: this.heldMicrocents, tokens: this.heldTokens }]
  }

  /** Left by the release of a hold whose reserve never answered: it stands for no request. */
  get isTombstone(): boolean {
    return this.fingerprint === ''
  }

  /** Takes over what is to be remembered of a request. */
  open(request: ReserveRequest, readings: readonly number[], openedAt: number, rung: number, degrade: boolean): void {
    const { rungs, facts } = request
    const held = rungs[rung] as Amounts
    this.id = request.id
    this.fingerprint = request.fingerprint
    this.idGiven = request.idGiven
    this.onExpiry = request.onExpiry
    this.scopes = request.scopes
    this.facts = facts
    this.#rungs = rungs.length > 1 ? rungs : NO_RUNGS
    // Copied: the reply's own array dies with the reply.
    if (this.readings.length > readings.length) this.readings.length = readings.length
    for (let index = 0; index < readings.length; index += 1) this.readings[index] = readings[index] as number
    this.openedAt = openedAt
    this.rung = rung
    this.degrade = degrade
    this.heldMicrocents = held.microcents
    this.heldTokens = held.tokens
    this.dueAt = openedAt + request.ttlMs
    this.state = 'open'
    this.corrected = false
    this.uncounted = false
    this.refundedMicrocents = 0
    this.addedMicrocents = 0
    this.addedAt = 0
    this.corrections = 0
    this.model = modelOf(facts, rung)
    this.provider = facts.provider
  }

  /** Notes which model answered, and whose it was, where that is said. */
  answeredBy(model: string | undefined, provider: string | undefined): void {
    if (model !== undefined) this.model = model
    if (provider !== undefined) this.provider = provider
  }

  /** Notes how it has ended. */
  ended(state: 'settled' | 'released' | 'expired', microcents: number, tokens: number, at: number): void {
    this.state = state
    this.endedAt = at
    this.microcents = microcents
    this.tokens = tokens
  }

  /** Lets go of everything that belongs to the application. */
  clear(): void {
    this.id = ''
    this.fingerprint = ''
    this.scopes = NO_SCOPES
    this.facts = NO_FACTS
    this.#rungs = NO_RUNGS
    this.model = undefined
    this.provider = undefined
  }
}

const TOMBSTONE = { fingerprint: '', idGiven: true, ttlMs: 0, onExpiry: 'release', scopes: NO_SCOPES, rungs: [{ microcents: 0, tokens: 0 }], facts: NO_FACTS } as const

/** What stands for an id that was released before its reserve came: a late reserve with it opens nothing. */
export function tombstoneOf(id: string): ReserveRequest {
  return { id, ...TOMBSTONE }
}
