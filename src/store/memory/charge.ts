// One thing that money was held or counted for, from its opening to the end of its retention.

import type { Amounts } from '../../money/index.js'
import { modelOf, type HoldState, type ReserveRequest } from '../contract.js'

/** A hold, or a recorded cost (which is one that ended as it began). Mutable: the store's own. */
export class Charge {
  readonly request: ReserveRequest
  /** The windows as they stood before: what a repeat is told, and in which windows the charge was placed. */
  readonly readings: readonly number[]
  readonly openedAt: number
  readonly rung: number
  readonly degrade: boolean
  readonly held: Amounts
  dueAt: number
  state: HoldState = 'open'
  /** It ended in two steps: it expired, and the real cost came later. */
  corrected = false
  endedAt = 0
  microcents = 0
  tokens = 0
  refundedMicrocents = 0
  corrections = 0
  /** The model that answered. */
  model: string | undefined
  /** The hash of its id; the index's own. */
  idHash = 0
  /** Its place in the queue of what is due; the queue's own. */
  queueIndex = -1

  constructor(request: ReserveRequest, readings: readonly number[], openedAt: number, rung: number, degrade: boolean) {
    this.request = request
    this.readings = readings
    this.openedAt = openedAt
    this.rung = rung
    this.degrade = degrade
    this.held = request.rungs[rung] as Amounts
    this.dueAt = openedAt + request.ttlMs
    this.model = modelOf(request.facts, rung)
  }

  get id(): string {
    return this.request.id
  }

  /** Left by the release of a hold whose reserve never answered: it stands for no request. */
  get isTombstone(): boolean {
    return this.request.fingerprint === TOMBSTONE.fingerprint
  }
}

const TOMBSTONE = {
  fingerprint: '',
  idGiven: true,
  ttlMs: 0,
  onExpiry: 'release',
  scopes: [],
  rungs: [{ microcents: 0, tokens: 0 }],
  facts: { user: { userId: '' }, tier: undefined },
} as const

/** The tombstone of an id: a late reserve with it opens nothing. */
export function tombstone(id: string, now: number): Charge {
  return new Charge({ id, ...TOMBSTONE }, [], now, 0, false)
}
