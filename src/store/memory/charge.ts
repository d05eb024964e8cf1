// One thing that money was held or counted for, from its opening to the end of its retention.

import type { Amounts } from '../../money/index.js'
import type { ChargeFacts, HoldState, ScopeTerms } from '../contract.js'
import type { ScopeRecord } from './scopes.js'

/** A hold, or a recorded cost (which is one that ended as it began). Mutable: the store's own. */
export class Charge {
  readonly id: string
  readonly fingerprint: string
  readonly idGiven: boolean
  readonly facts: ChargeFacts
  readonly scopes: readonly ScopeTerms[]
  readonly records: readonly ScopeRecord[]
  /** The windows as they stood before: what a repeat is told, and in which windows the charge was placed. */
  readonly readings: readonly number[]
  readonly openedAt: number
  readonly held: Amounts
  readonly rung: number
  readonly rungs: readonly Amounts[]
  readonly degrade: boolean
  readonly onExpiry: 'charge' | 'release'
  dueAt: number
  state: HoldState = 'open'
  /** Set when it ended in two steps: it expired, and the real cost came later. */
  corrected = false
  endedAt = 0
  microcents = 0
  tokens = 0
  refundedMicrocents = 0
  corrections = 0
  /** The model that answered. */
  model: string | undefined
  /** Its place in the queue of what is due; the queue's own. */
  queueIndex = -1

  constructor(opening: Opening) {
    this.id = opening.id
    this.fingerprint = opening.fingerprint
    this.idGiven = opening.idGiven
    this.facts = opening.facts
    this.scopes = opening.scopes
    this.records = opening.records
    this.readings = opening.readings
    this.openedAt = opening.openedAt
    this.held = opening.held
    this.rung = opening.rung
    this.rungs = opening.rungs
    this.degrade = opening.degrade
    this.onExpiry = opening.onExpiry
    this.dueAt = opening.dueAt
    this.model = opening.facts.models[opening.rung]
  }
}

/** What a charge is opened with. */
export interface Opening {
  readonly id: string
  readonly fingerprint: string
  readonly idGiven: boolean
  readonly facts: ChargeFacts
  readonly scopes: readonly ScopeTerms[]
  readonly records: readonly ScopeRecord[]
  readonly readings: readonly number[]
  readonly openedAt: number
  readonly dueAt: number
  readonly held: Amounts
  readonly rung: number
  readonly rungs: readonly Amounts[]
  readonly degrade: boolean
  readonly onExpiry: 'charge' | 'release'
}
