// What was and is to be delivered, in the registry of the store: those under way apart from those that have ended, so that whoever looks for
// work reads little. A claim is one compare-and-set: of several processes one sends. Sends nothing itself.

import type { Registry } from '../../store/index.js'
import type { MessageType } from './message.js'
import type { Attempt } from './sender.js'

/** A delivery as it is shown. */
export interface Delivery {
  /** The same as `webhook-id` on every attempt. */
  readonly id: string
  readonly type: MessageType
  readonly state: 'pending' | 'delivered' | 'failed'
  readonly createdAt: Date
  /** How often it was sent. */
  readonly attempts: number
  readonly lastAttemptAt?: Date | undefined
  /** Of one that is pending. */
  readonly nextAttemptAt?: Date | undefined
  /** What the receiver answered last. */
  readonly status?: number | undefined
  /** Why the last attempt has failed. */
  readonly error?: string | undefined
}

/** The value of a record, as JSON. Instants in ms since the epoch. */
export interface WrittenDelivery {
  readonly endpoint: string
  readonly type: MessageType
  readonly body: string
  readonly createdAt: number
  readonly state: Delivery['state']
  readonly attempts: number
  /** How many attempts of the schedule are made. */
  readonly step: number
  readonly nextAt: number
  /** Whoever sends it has it until then. */
  readonly claimedUntil?: number | undefined
  readonly lastAt?: number | undefined
  readonly status?: number | undefined
  readonly error?: string | undefined
}

/** A record of what is under way, as it was read or written. */
export interface Held {
  readonly id: string
  readonly value: WrittenDelivery
  readonly version: number
}

const PENDING = 'webhook-pending'
const DONE = 'webhook-done'
const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
/** How long after each attempt in vain the next one comes; */
const RETRIES_MS = [5 * SECOND, 30 * SECOND, 2 * MINUTE, 10 * MINUTE, HOUR, 5 * HOUR, 12 * HOUR]
/** up to so much later, so that not all of them come at once when a receiver is back. */
const JITTER = 0.2
/** A delivery, and that it was made, is known for so long. */
const KEPT_MS = 30 * 24 * HOUR
/** Longer than an attempt may take. */
const CLAIM_MS = 30 * SECOND
/** Whoever makes a delivery sends it; others do where it has died. */
const HEAD_START_MS = 5 * SECOND

/** See the head of this file. */
export class Deliveries {
  readonly #registry: Registry

  constructor(registry: Registry) {
    this.#registry = registry
  }

  /** Makes a delivery; `undefined` where it was made before, by whichever process. */
  async add(id: string, { endpoint, type, body }: Pick<WrittenDelivery, 'endpoint' | 'type' | 'body'>, now: number): Promise<Held | undefined> {
    if ((await this.#registry.get(DONE, id)) !== undefined) return undefined
    const value: WrittenDelivery = { endpoint, type, body, createdAt: now, state: 'pending', attempts: 0, step: 0, nextAt: now + HEAD_START_MS }
    const held = await this.#put({ id, value, version: 0 }, value, now)
    if (held === undefined) return undefined
    // It may have been delivered, and have left, since the look: what has ended is written before what is under way is deleted.
    if ((await this.#registry.get(DONE, id)) === undefined) return held
    await this.drop(held)
    return undefined
  }

  /** Takes it for as long as an attempt lasts; `undefined` where another process was faster. */
  claim(held: Held, now: number): Promise<Held | undefined> {
    return this.#put(held, { ...held.value, claimedUntil: now + CLAIM_MS }, now)
  }

  /** An attempt has ended. `jitter` from 0 up to 1. Gives what has become of it; `undefined` where the claim had run out and another process has it. */
  async ended(held: Held, attempt: Attempt, now: number, jitter: number): Promise<WrittenDelivery | undefined> {
    const { claimedUntil: _claimed, error: _error, status: _status, ...value } = held.value
    if (attempt.isStopped === true) return (await this.#put(held, { ...value, nextAt: now }, now))?.value
    const { isTaken, status, error } = attempt
    const told = { ...value, attempts: value.attempts + 1, lastAt: now, ...(status !== undefined && { status }), ...(error !== undefined && { error }) }
    const wait = RETRIES_MS[value.step]
    if (!isTaken && wait !== undefined) return (await this.#put(held, { ...told, step: value.step + 1, nextAt: now + Math.floor(wait * (1 + JITTER * jitter)) }, now))?.value
    const done: WrittenDelivery = { ...told, state: isTaken ? 'delivered' : 'failed' }
    const before = await this.#registry.get(DONE, held.id)
    await this.#registry.put(DONE, held.id, JSON.stringify(done), { expected: before?.version ?? 0, ttlMs: leftOf(done, now) })
    await this.drop(held)
    return done
  }

  /** Sends it anew from the beginning of the schedule. `undefined` where the endpoint has no such delivery. */
  async again(endpoint: string, id: string, now: number): Promise<Held | undefined> {
    const pending = await this.#registry.get(PENDING, id)
    const done = await this.#registry.get(DONE, id)
    const found = pending ?? done
    const value = found && (JSON.parse(found.value) as WrittenDelivery)
    if (value === undefined || value.endpoint !== endpoint) return undefined
    // Somebody sends it at this moment.
    if (pending !== undefined && (value.claimedUntil ?? 0) > now) return { id, value, version: 0 }
    const held = await this.#put({ id, value, version: pending?.version ?? 0 }, { ...value, state: 'pending', step: 0, nextAt: now }, now)
    if (held !== undefined && done !== undefined) await this.#registry.put(DONE, id, null, { expected: done.version })
    return held ?? { id, value, version: 0 }
  }

  /** Everything that is under way. */
  async *pending(): AsyncIterable<Held> {
    for await (const { key: id, value, version } of this.#registry.list(PENDING)) yield { id, value: JSON.parse(value) as WrittenDelivery, version }
  }

  /** All of an endpoint, the newest first. */
  async of(endpoint: string): Promise<Delivery[]> {
    const found = new Map<string, WrittenDelivery>()
    // Those under way last: one that is sent again may still stand among those that have ended.
    for (const kind of [DONE, PENDING]) {
      for await (const { key: id, value: text } of this.#registry.list(kind)) {
        const value = JSON.parse(text) as WrittenDelivery
        if (value.endpoint === endpoint) found.set(id, value)
      }
    }
    return [...found].map(([id, value]) => shownDelivery(id, value)).sort((a, b) => b.createdAt.getTime() - a.createdAt.getTime() || (a.id < b.id ? -1 : 1))
  }

  /** Takes it away, where it is still as it was read. */
  async drop({ id, version }: Held): Promise<void> {
    await this.#registry.put(PENDING, id, null, { expected: version })
  }

  async #put({ id, version: expected }: Held, value: WrittenDelivery, now: number): Promise<Held | undefined> {
    const version = await this.#registry.put(PENDING, id, JSON.stringify(value), { expected, ttlMs: leftOf(value, now) })
    return version === undefined ? undefined : { id, value, version }
  }
}

/** A record as it is shown. */
export function shownDelivery(id: string, { type, state, createdAt, attempts, lastAt, nextAt, status, error }: WrittenDelivery): Delivery {
  return {
    id,
    type,
    state,
    createdAt: new Date(createdAt),
    attempts,
    ...(lastAt !== undefined && { lastAttemptAt: new Date(lastAt) }),
    ...(state === 'pending' && { nextAttemptAt: new Date(nextAt) }),
    ...(status !== undefined && { status }),
    ...(error !== undefined && { error }),
  }
}

/** What is sent again late is kept long enough for its schedule. */
function leftOf({ createdAt }: WrittenDelivery, now: number): number {
  return Math.max(createdAt + KEPT_MS - now, 24 * HOUR)
}
