// Keeps the true books beside a store under test: it is told every answer that the store gave, believes it in the one point of
// who was admitted, and works out everything else for itself.

import type { Effect, ReserveRequest, ScopeTerms } from '../../src/store/index.js'
import type { Clock } from '../../src/time/index.js'
import { PlainStore } from './plain-store.js'
import type { Witnessed } from './witness.js'

/** What the accountant would have answered itself. */
export type Expected = { readonly outcome: string; readonly effects?: readonly Effect[] }

/** See above. Give it the answers in their order, on the store's clock. */
export class Accountant extends PlainStore {
  override readonly name = 'accountant'
  /** Every effect that the witnessed operations should have brought about, apart from alerts of windows that had ended. */
  readonly effects: Effect[] = []
  #dictated = { rung: -1, degrade: false }

  constructor(clock: Clock) {
    super(clock)
  }

  /** Every window as it truly stands now. */
  truth(scopes: readonly ScopeTerms[]): readonly number[] {
    return this.books.readings(scopes, this.advance(this.undelivered))
  }

  /** Writes down one answer of the store, and says what it should have been. */
  follow({ operation, request, reply }: Witnessed): Expected {
    if (operation === 'reserve') this.#dictated = reply.outcome === 'admitted' ? { rung: reply.rung, degrade: reply.degrade } : { rung: -1, degrade: false }
    const expected = (this[operation] as (request: never) => unknown)(request as never) as Expected
    this.#note(expected.effects ?? [])
    return expected
  }

  /** Has whatever is due by now ended, and gives all effects so far. */
  settled(): readonly Effect[] {
    this.advance(this.undelivered)
    this.#note(this.deliver())
    return this.effects
  }

  #note(effects: readonly Effect[]): void {
    const now = this.advance(this.undelivered)
    this.effects.push(...effects.filter((effect) => effect.kind !== 'threshold' || effect.endsAt > now))
  }

  protected override choose(_request: ReserveRequest, _readings: readonly number[]): { rung: number; degrade: boolean } {
    return this.#dictated
  }
}
