// The limits and tenants as one engine meets them: as fresh as they must be, at the store's time, with who judges them. Decides which
// apply at an instant; what is counted in them a store knows.

import type { BudgetWindow, CompiledBudget, Spender } from '../budget/index.js'
import type { ScopeId, ThresholdPolicy } from '../enforcement/index.js'
import { isStoresFailure } from '../outage/index.js'
import { isPromise, type MaybePromise } from '../store/index.js'
import { assertInstant, type Clock } from '../time/index.js'
import { budgetFor, limitsOf, LimitsInForce, windowsFor, type KnownLimit, type MetLimit } from './in-force.js'
import { EACH } from './limit.js'
import type { KnownRecords, LimitRecords } from './records.js'
import type { Restored } from './restore.js'
import type { TenantRecord } from './tenant.js'

/** See the head of this file. */
export class LimitFinder {
  readonly records: LimitRecords
  readonly #clock: Clock
  readonly #strict: () => ThresholdPolicy<string> | undefined
  readonly #budgets = new WeakMap<KnownLimit, CompiledBudget>()
  #storeTime: () => MaybePromise<number>
  /** How far the store's clock was ahead of this process's when it was last heard; `undefined`: it has not been. */
  #aheadMs: number | undefined
  #seen: KnownRecords | undefined
  #limits: readonly KnownLimit[] = []
  #hasDates = false
  #knownIds: ReadonlySet<string> = new Set()
  #inForce: LimitsInForce | undefined

  /** `strict`: who judges a limit that does not say how; absent where nobody judges anything. */
  constructor(records: LimitRecords, clock: Clock, strict: () => ThresholdPolicy<string> | undefined) {
    this.records = records
    this.#clock = clock
    this.#strict = strict
    this.#storeTime = clock
  }

  /** From now on the store is asked for its time where the dates of limits depend on it. */
  judgeBy(storeTime: () => MaybePromise<number>): void {
    this.#storeTime = storeTime
  }

  /** Forgets all that was known: it may be of a data set that is lost. */
  forget(): void {
    this.records.forget()
    this.#aheadMs = undefined
  }

  /**
   * Nothing where the limits are known as they must be, else a promise of when they are. `exactly`: with the store's time as it is
   * now, for those whom no reply will tell that they had another.
   */
  ready(exactly = false): Promise<void> | undefined {
    const fresh = this.records.ready()
    if (fresh !== undefined) return fresh.then(() => this.#timed(exactly))
    return this.#timed(exactly)
  }

  /** Store time as far as it is known here. */
  now(): number {
    return assertInstant(this.#clock(), 'clock') + (this.#aheadMs ?? 0)
  }

  /** A reply of the store says what time it is there. */
  heard(now: number): void {
    if (this.#hasDates) this.#aheadMs = now - assertInstant(this.#clock(), 'clock')
  }

  /** True where some limit begins or ends: which ones apply depends on the time. */
  get hasDates(): boolean {
    this.#look()
    return this.#hasDates
  }

  /** The limits that apply at an instant of store time, to whom ever; `undefined`: there are none at all. */
  at(now?: number): LimitsInForce | undefined {
    this.#look()
    if (this.#limits.length === 0) return undefined
    const known = this.#inForce
    if (known !== undefined && !this.#hasDates) return known
    const instant = now ?? this.now()
    if (known !== undefined && instant >= known.startsAt && instant < known.endsAt) return known
    return (this.#inForce = new LimitsInForce(this.#limits, instant))
  }

  /** True where a spender of this tier meets other limits at `now` than those that apply in `inForce`. */
  differs(spender: Spender, tier: string | undefined, inForce: LimitsInForce, now: number): boolean {
    if (now >= inForce.startsAt && now < inForce.endsAt) return false
    const met = (at: LimitsInForce | undefined): readonly MetLimit[] => at?.of(spender, tier) ?? []
    const [before, after] = [met(inForce), met(this.at(now))]
    return before.length !== after.length || before.some(({ limit }, index) => limit !== after[index]?.limit)
  }

  /** The budget of a limit with who judges it. The same object for the same limit. */
  budgetOf(limit: KnownLimit): CompiledBudget {
    let budget = this.#budgets.get(limit)
    if (budget === undefined) this.#budgets.set(limit, (budget = budgetFor(limit, this.#strict())))
    return budget
  }

  /** True for an id of a group of which some limit speaks, whether it applies now or not: an expired one must not block. */
  isKnown = (kind: string, id: string): boolean => {
    this.#look()
    return this.#knownIds.has(keyOf(kind, id))
  }

  /** What is set for a tenant. */
  tenant(tenant: string | undefined): TenantRecord | undefined {
    const { tenants } = this.records.known
    return tenant === undefined || tenants.size === 0 ? undefined : tenants.get(tenant)?.value
  }

  /** The windows of a limit's scope, for an audit: of those that are there and have always turned alike. `restored`: more of them. */
  async windows(restored?: Restored): Promise<(scope: ScopeId) => readonly BudgetWindow[]> {
    let { known } = this.records
    try {
      known = await this.records.load()
    } catch (error) {
      // A store that is to be repaired is audited all the same, with what was known.
      if (!isStoresFailure(error)) throw error
    }
    const limits = new Map([...(restored?.limits ?? []), ...known.limits])
    return (scope) => windowsFor(scope, { limits })
  }

  #timed(exactly: boolean): Promise<void> | undefined {
    this.#look()
    if (!this.#hasDates || (!exactly && this.#aheadMs !== undefined)) return undefined
    let now: MaybePromise<number>
    try {
      now = this.#storeTime()
    } catch (error) {
      return this.#untimed(error)
    }
    if (!isPromise(now)) {
      this.heard(now)
      return undefined
    }
    return now.then(
      (instant) => this.heard(instant),
      (error: unknown) => this.#untimed(error),
    )
  }

  /** While the store is away the clock of this process is all there is. */
  #untimed(error: unknown): undefined {
    if (!isStoresFailure(error)) throw error
    return undefined
  }

  #look(): void {
    const { known } = this.records
    if (known === this.#seen) return
    this.#seen = known
    this.#limits = limitsOf(known)
    this.#hasDates = this.#limits.some(({ value: { from, until } }) => from !== null || until !== null)
    this.#knownIds = new Set(this.#limits.flatMap(({ value: { scope } }) => (scope.id === undefined || scope.id === EACH ? [] : [keyOf(scope.kind, scope.id)])))
    this.#inForce = undefined
    if (!this.#hasDates) this.#aheadMs = undefined
  }
}

function keyOf(kind: string, id: string): string {
  return `${kind}\u0000${id}`
}
