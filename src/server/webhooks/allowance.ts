// How much an endpoint is told: so much of each type of message that its own tenant causes, and less of what others do, so that no tenant
// uses up what is to be said of another, and no denial what is to be said of a threshold. Pure, but for its clock.

import type { Clock } from '../../time/index.js'
import type { MessageType } from './message.js'

/** What a message takes from. */
export interface Share {
  readonly endpoint: string
  readonly type: MessageType
  /** Whose doing it is, where that is another tenant than the endpoint's own (for the operator's: any tenant). */
  readonly by?: string | undefined
}

/** What was left out since it was last told. */
export interface LeftOut {
  readonly endpoint: string
  readonly event: MessageType
  readonly count: number
}

interface Terms {
  /** What the endpoint's own tenant causes; for the operator's, what is of no tenant. */
  readonly own: number
  readonly byEach: number
  readonly byOthers: number
}

/** As many may be under way, and as many does one process make in an hour. */
const MOST: Readonly<Record<MessageType, Terms>> = {
  'threshold.reached': { own: 1_000, byEach: 250, byOthers: 2_000 },
  'request.denied': { own: 1_000, byEach: 250, byOthers: 1_000 },
  'webhook.test': { own: 100, byEach: 0, byOthers: 0 },
}
const HOUR_MS = 3_600_000
/** What is left out is told so often. */
const TOLD_EACH_MS = 60_000

/** See the head of this file. */
export class Allowance {
  readonly #clock: Clock
  /** As they were when somebody looked, and what has come and gone since. */
  #pending = new Map<string, number>()
  readonly #made = new Map<string, number>()
  readonly #leftOut = new Map<string, { readonly share: Share; count: number; toldAt: number }>()
  #madeIn = -1

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** True where one more may be made. */
  has(share: Share): boolean {
    this.#turnHour()
    return accountsOf(share).every(([name, most]) => (this.#pending.get(name) ?? 0) < most && (this.#made.get(name) ?? 0) < most)
  }

  /** One was made. */
  made(share: Share): void {
    this.#turnHour()
    for (const [name] of accountsOf(share)) {
      count(this.#made, name, 1)
      count(this.#pending, name, 1)
    }
  }

  /** One is no longer under way. */
  ended(share: Share): void {
    for (const [name] of accountsOf(share)) count(this.#pending, name, -1)
  }

  /** Those that are under way, as somebody has counted them. */
  counted(pending: Iterable<Share>): void {
    this.#pending = new Map()
    for (const share of pending) for (const [name] of accountsOf(share)) count(this.#pending, name, 1)
  }

  /** One was left out. */
  leftOut(share: Share): void {
    const name = `${share.endpoint} ${share.type}`
    const known = this.#leftOut.get(name)
    if (known === undefined) this.#leftOut.set(name, { share, count: 1, toldAt: -Infinity })
    else known.count += 1
  }

  /** What was left out and is to be told now: of each endpoint and type once a minute. */
  *tellLeftOut(): Iterable<LeftOut> {
    const now = this.#clock()
    for (const [name, left] of this.#leftOut) {
      if (Math.abs(now - left.toldAt) < TOLD_EACH_MS) continue
      if (left.count === 0) {
        this.#leftOut.delete(name)
        continue
      }
      yield { endpoint: left.share.endpoint, event: left.share.type, count: left.count }
      left.count = 0
      left.toldAt = now
    }
  }

  #turnHour(): void {
    const hour = Math.floor(this.#clock() / HOUR_MS)
    if (hour === this.#madeIn) return
    this.#madeIn = hour
    this.#made.clear()
  }
}

function accountsOf({ endpoint, type, by }: Share): readonly (readonly [string, number])[] {
  const { own, byEach, byOthers } = MOST[type]
  const name = `${endpoint} ${type}`
  return by === undefined ? [[name, own]] : [[`${name} others`, byOthers], [`${name} by ${by}`, byEach]]
}

function count(counts: Map<string, number>, name: string, more: number): void {
  counts.set(name, Math.max(0, (counts.get(name) ?? 0) + more))
}
