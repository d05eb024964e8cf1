// What was and is to be delivered, in the registry of the store, by endpoint: those under way apart from those that have ended, so that whoever
// looks reads little and nothing of others. A claim is one compare-and-set: of several processes one sends. Sends nothing itself.

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
  /** Whose doing it is, where that is another tenant than the endpoint's own. */
  readonly by?: string | undefined
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

const pendingKind = (endpoint: string): string => `webhook-pending-${endpoint}`
const doneKind = (endpoint: string): string => `webhook-done-${endpoint}`
const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
/** How long after each attempt in vain the next one comes; */
const RETRIES_MS = [5 * SECOND, 30 * SECOND, 2 * MINUTE, 10 * MINUTE, HOUR, 5 * HOUR, 12 * HOUR]
/** up to so much later, so that not all of them come at once when a receiver is back. */
const JITTER = 0.2
/** A delivery, and that it was made, is known for so long. */
const KEPT_MS = 30 * 24 * HOUR
/** Of what has ended, so many of each type are kept for each endpoint: the newest. */
const MOST_KEPT = 1_000
/** Whoever has ended so many of an endpoint looks whether there are more. */
const COUNTED_EACH = 100
/** Longer than an attempt may take. */
const CLAIM_MS = 30 * SECOND
/** Whoever makes a delivery sends it; others do where it has died. */
const HEAD_START_MS = 5 * SECOND

/** See the head of this file. */
export class Deliveries {
  readonly #registry: Registry
  /** How many this process has ended since it looked how many there are. */
  readonly #endedOf = new Map<string, number>()

  constructor(registry: Registry) {
    this.#registry = registry
  }

  /** Makes a delivery; `undefined` where it was made before, by whichever process. */
  async add(id: string, { endpoint, type, by, body }: Pick<WrittenDelivery, 'endpoint' | 'type' | 'by' | 'body'>, now: number): Promise<Held | undefined> {
    const kind = doneKind(endpoint)
    if ((await this.#registry.get(kind, id)) !== undefined) return undefined
    const value: WrittenDelivery = { endpoint, type, ...(by !== undefined && { by }), body, createdAt: now, state: 'pending', attempts: 0, step: 0, nextAt: now + HEAD_START_MS }
    const held = await this.#put({ id, value, version: 0 }, value, now)
    if (held === undefined) return undefined
    // It may have been delivered, and have left, since the look: what has ended is written before what is under way is deleted.
    if ((await this.#registry.get(kind, id)) === undefined) return held
    await this.drop(held)
    return undefined
  }

  /** Takes it for as long as an attempt lasts; `undefined` where another process was faster. */
  claim(held: Held, now: number): Promise<Held | undefined> {
    return this.#put(held, { ...held.value, claimedUntil: now + CLAIM_MS }, now)
  }

  /** An attempt has ended. `jitter` from 0 up to 1. Gives what has become of it; `undefined` where the claim had run out and another process has it. */
  async ended(held: Held, attempt: Attempt, now: number, jitter: number): Promise<Held | undefined> {
    const { claimedUntil: _claimed, error: _error, status: _status, ...value } = held.value
    if (attempt.isStopped === true) return this.#put(held, { ...value, nextAt: now }, now)
    const { isTaken, status, error } = attempt
    const told = { ...value, attempts: value.attempts + 1, lastAt: now, ...(status !== undefined && { status }), ...(error !== undefined && { error }) }
    const wait = RETRIES_MS[value.step]
    if (!isTaken && wait !== undefined) return this.#put(held, { ...told, step: value.step + 1, nextAt: now + Math.floor(wait * (1 + JITTER * jitter)) }, now)
    const done: WrittenDelivery = { ...told, state: isTaken ? 'delivered' : 'failed' }
    const kind = doneKind(done.endpoint)
    const before = await this.#registry.get(kind, held.id)
    await this.#registry.put(kind, held.id, JSON.stringify(done), { expected: before?.version ?? 0, ttlMs: leftOf(done, now) })
    await this.drop(held)
    await this.#keepNewest(done.endpoint)
    return { id: held.id, value: done, version: 0 }
  }

  /** Sends it anew from the beginning of the schedule. `undefined` where the endpoint has no such delivery; without a version where somebody sends it at this moment. */
  async again(endpoint: string, id: string, now: number): Promise<Held | undefined> {
    const pending = await this.#registry.get(pendingKind(endpoint), id)
    const done = await this.#registry.get(doneKind(endpoint), id)
    const found = pending ?? done
    if (found === undefined) return undefined
    const value = JSON.parse(found.value) as WrittenDelivery
    if (pending !== undefined && (value.claimedUntil ?? 0) > now) return { id, value, version: 0 }
    const held = await this.#put({ id, value, version: pending?.version ?? 0 }, { ...value, state: 'pending', step: 0, nextAt: now }, now)
    if (held !== undefined && done !== undefined) await this.#registry.put(doneKind(endpoint), id, null, { expected: done.version })
    return held ?? { id, value, version: 0 }
  }

  /** Everything of an endpoint that is under way. */
  async *pending(endpoint: string): AsyncIterable<Held> {
    for await (const { key: id, value, version } of this.#registry.list(pendingKind(endpoint))) yield { id, value: JSON.parse(value) as WrittenDelivery, version }
  }

  /** All of an endpoint, the newest first. */
  async of(endpoint: string): Promise<Delivery[]> {
    const found = new Map<string, Delivery>()
    // Those under way last: one that is sent again may still stand among those that have ended.
    for (const kind of [doneKind(endpoint), pendingKind(endpoint)]) {
      for await (const { key: id, value } of this.#registry.list(kind)) found.set(id, shownDelivery(id, JSON.parse(value) as WrittenDelivery))
    }
    return [...found.values()].sort((a, b) => b.createdAt.getTime() - a.createdAt.getTime() || (a.id < b.id ? -1 : 1))
  }

  /** Takes it away, where it is still as it was read. */
  async drop({ id, value: { endpoint }, version }: Held): Promise<void> {
    await this.#registry.put(pendingKind(endpoint), id, null, { expected: version })
  }

  /** Forgets all of an endpoint that is gone. */
  async forget(endpoint: string): Promise<void> {
    this.#endedOf.delete(endpoint)
    for (const kind of [pendingKind(endpoint), doneKind(endpoint)]) {
      for await (const { key, version } of this.#registry.list(kind)) await this.#registry.put(kind, key, null, { expected: version })
    }
  }

  async #keepNewest(endpoint: string): Promise<void> {
    const ended = (this.#endedOf.get(endpoint) ?? COUNTED_EACH) + 1
    this.#endedOf.set(endpoint, ended > COUNTED_EACH ? 0 : ended)
    if (ended <= COUNTED_EACH) return
    const kind = doneKind(endpoint)
    const found = new Map<MessageType, { readonly key: string; readonly version: number; readonly createdAt: number }[]>()
    for await (const { key, value, version } of this.#registry.list(kind)) {
      const { type, createdAt } = JSON.parse(value) as WrittenDelivery
      const ofType = found.get(type)
      if (ofType === undefined) found.set(type, [{ key, version, createdAt }])
      else ofType.push({ key, version, createdAt })
    }
    for (const ofType of found.values()) {
      const tooMany = ofType.sort((a, b) => b.createdAt - a.createdAt).slice(MOST_KEPT)
      for (const { key, version } of tooMany) await this.#registry.put(kind, key, null, { expected: version })
    }
  }

  async #put({ id, version: expected }: Held, value: WrittenDelivery, now: number): Promise<Held | undefined> {
    const version = await this.#registry.put(pendingKind(value.endpoint), id, JSON.stringify(value), { expected, ttlMs: leftOf(value, now) })
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
