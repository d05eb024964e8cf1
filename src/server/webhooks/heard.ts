// What was heard of and is not written down yet: thresholds before denials, so many of each, and so few denials of one tenant, that no tenant
// keeps others from being heard. Writes nothing itself.

import type { Happening } from './message.js'

/** Something that was heard of: made when it is written, so that nobody who asks for a decision waits for it. */
export interface Noted {
  readonly isThreshold: boolean
  /** Who has caused it; `undefined`: somebody of no tenant. */
  readonly tenant: string | undefined
  readonly happening: () => Happening
}

interface Waiter {
  readonly upTo: number
  readonly resolve: () => void
}

/** How many of either wait while the store is away, and how many denials of one tenant. */
const MOST_WAITING = 10_000
const MOST_OF_TENANT = 1_000

/** See the head of this file. */
export class Heard {
  readonly #thresholds: Noted[] = []
  readonly #denials: Noted[] = []
  readonly #denialsOf = new Map<string, number>()
  #waiters: Waiter[] = []
  #heardThresholds = 0
  #writtenThresholds = 0

  /** Takes it in; false where too many wait already. */
  note(noted: Noted): boolean {
    if (noted.isThreshold) {
      if (this.#thresholds.length >= MOST_WAITING) return false
      this.#thresholds.push(noted)
      this.#heardThresholds += 1
      return true
    }
    const { tenant } = noted
    const ofTenant = tenant === undefined ? 0 : (this.#denialsOf.get(tenant) ?? 0)
    if (this.#denials.length >= MOST_WAITING || ofTenant >= MOST_OF_TENANT) return false
    this.#denials.push(noted)
    if (tenant !== undefined) this.#denialsOf.set(tenant, ofTenant + 1)
    return true
  }

  /** What is to be written next; it stays until {@link wrote}. */
  get first(): Noted | undefined {
    return this.#thresholds[0] ?? this.#denials[0]
  }

  /** It is written. */
  wrote({ isThreshold, tenant }: Noted): void {
    if (isThreshold) {
      this.#thresholds.shift()
      this.#writtenThresholds += 1
      this.#answer(({ upTo }) => upTo <= this.#writtenThresholds)
      return
    }
    this.#denials.shift()
    if (tenant === undefined) return
    const left = (this.#denialsOf.get(tenant) ?? 1) - 1
    if (left === 0) this.#denialsOf.delete(tenant)
    else this.#denialsOf.set(tenant, left)
  }

  /** The store does not take it: whoever waits need not. */
  gaveUp(): void {
    this.#answer(() => true)
  }

  /** When all thresholds that were heard of until now are written, or the store has not taken them; `undefined` where they are. */
  written(): Promise<void> | undefined {
    if (this.#thresholds.length === 0) return undefined
    return new Promise((resolve) => this.#waiters.push({ upTo: this.#heardThresholds, resolve }))
  }

  #answer(isDone: (waiter: Waiter) => boolean): void {
    const waiters = this.#waiters
    this.#waiters = waiters.filter((waiter) => !isDone(waiter))
    for (const waiter of waiters) if (isDone(waiter)) waiter.resolve()
  }
}
