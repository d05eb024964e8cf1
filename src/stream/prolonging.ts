// Keeps the hold of a running stream open: as long as somebody reads it or waits for it, and no longer. Knows nothing of its pieces.

import type { AllowedDecision } from '../decision/index.js'

/** The longest time that a timer takes. */
const LONGEST_MS = 2 ** 31 - 1
const MOST_FAILURES = 4

/**
 * Extends a hold at every half of its time in which there was progress, or at whose end somebody waits. Else it rests, and the hold expires between one and one
 * and a half of its time after the last progress; progress while it still rests extends it at once.
 */
export class Prolonging {
  readonly #decision: AllowedDecision
  readonly #ttlMs: number
  #timer: ReturnType<typeof setTimeout> | undefined
  /** Somebody waits for the provider, however long it says nothing. */
  isAwaited = false
  #state: 'waiting' | 'asking' | 'resting' | 'stopped' = 'resting'
  #progressed = false
  #failures = 0

  constructor(decision: AllowedDecision, ttlMs: number) {
    this.#decision = decision
    this.#ttlMs = ttlMs
    // What was decided without the store has no hold.
    if (decision.enforcedBy === 'store') this.#wait(ttlMs / 2)
    else this.#state = 'stopped'
  }

  /** The stream is alive: a piece was asked for, or came. */
  progress(): void {
    this.#progressed = true
    if (this.#state === 'resting') void this.#extend()
  }

  /** The hold has ended, or is about to. */
  stop(): void {
    this.#state = 'stopped'
    clearTimeout(this.#timer)
  }

  #wait(delayMs: number): void {
    this.#state = 'waiting'
    this.#timer = setTimeout(() => void this.#tick(), Math.min(Math.max(delayMs, 1), LONGEST_MS))
    // A stream that nobody reads does not keep a process alive.
    this.#timer.unref?.()
  }

  async #tick(): Promise<void> {
    if (this.#progressed || this.isAwaited || (this.#failures > 0 && this.#failures < MOST_FAILURES)) await this.#extend()
    else this.#state = 'resting'
  }

  async #extend(): Promise<void> {
    this.#state = 'asking'
    this.#progressed = false
    const said = await this.#decision.prolong(this.#ttlMs)
    if ((this.#state as string) === 'stopped') return
    if (said === 'ended') return this.stop()
    this.#failures = said === 'failed' ? this.#failures + 1 : 0
    // The next half may be too late for a hold that was not extended.
    this.#wait(said === 'failed' && this.#failures < MOST_FAILURES ? this.#ttlMs / 8 : this.#ttlMs / 2)
  }
}
