// What the ledger and the open holds say that the counters should be, and where they are not. Pure: reads a snapshot once, from
// the first entry to the last, in memory bounded by the counters. Knows no store.

import { scopeKey } from '../budget/index.js'
import type { ScopeId } from '../enforcement/index.js'
import type { ChargedWindow, LedgerEntry } from '../ledger/index.js'
import { amountIn, ExactSum, MAX_AMOUNT } from '../money/index.js'
import type { AuditSnapshot, CountedScope, CountedWindow, OpenHold } from '../store/index.js'
import { bucketExpiresAt, bucketIndex, NEVER, rollingRule, type RollingRule } from '../time/index.js'
import { amountCharged, isOfAudit, LIFETIME_COST, LIFETIME_ENTRIES, unitOf, type CountedUnit } from './audit-entry.js'

/** A counter that is not what the ledger or the open holds say. */
export interface Difference {
  readonly scope: ScopeId
  /** The window's identity; for lifetime totals `lifetime/usd` or `lifetime/entries`. */
  readonly window: string
  readonly unit: CountedUnit
  /** ms since the epoch: when the instance (for a rolling window: the bucket) starts; 0 for lifetime totals. */
  readonly startsAt: number
  /** When the instance ends, where no counter is kept of it at all: what is needed to begin one. */
  readonly endsAt?: number | undefined
  readonly what: 'spent' | 'held' | 'lifetime'
  /** As a counter has it: microcents, tokens, requests or entries. */
  readonly counted: number
  /** What a counter should have: `sum`, kept between 0 and 2^53 − 1. */
  readonly expected: number
  /** What the ledger (for held: the open holds) adds up to. */
  readonly sum: bigint
}

/** The result of {@link compare}. */
export interface Comparison {
  readonly at: number
  /** False: the ledger lacks entries, so that only held was compared. */
  readonly complete: boolean
  /** How many ledger entries were read. */
  readonly entries: number
  readonly holds: number
  readonly scopes: number
  readonly differences: readonly Difference[]
  /** As in the snapshot. */
  readonly repairs: number
}

/** When the instance of a calendar window ends that started then, at the earliest; `undefined` where nobody can say. */
export type EndingOf = (charged: ChargedWindow) => number | undefined

/**
 * Compares counters with the sums of the ledger entries charged to them and with the open holds. An instance that no counter is
 * kept of is a difference too, if it certainly runs: one of `total`, a bucket that still counts, and what `endingOf` says.
 */
export async function compare(snapshot: AuditSnapshot, endingOf: EndingOf = () => undefined): Promise<Comparison> {
  const sums = new Recount(snapshot, endingOf)
  let entries = 0
  if (snapshot.complete) {
    for await (const entry of snapshot.entries()) {
      entries += 1
      sums.addEntry(entry)
    }
  }
  for (const hold of snapshot.holds) sums.addHold(hold)
  const { now: at, complete, holds, scopes, repairs } = snapshot
  return { at, complete, entries, holds: holds.length, scopes: scopes.length, differences: sums.differences(complete), repairs }
}

interface WindowSums {
  readonly counted: CountedWindow
  readonly rule: RollingRule | undefined
  /** By the start of the instance, or the number of the bucket. */
  readonly spent: Map<number, { readonly counted: number; readonly sum: ExactSum }>
  readonly held: ExactSum
  /** The start of the newest instance that is stored. */
  readonly newest: number
}

interface ScopeSums {
  readonly counted: CountedScope
  readonly windows: ReadonlyMap<string, WindowSums>
  readonly microcents: ExactSum
  readonly entries: ExactSum
  lastEntry: LedgerEntry | undefined
}

interface Uncounted {
  readonly scope: ScopeId
  readonly window: string
  readonly startsAt: number
  readonly endsAt: number
  readonly what: 'spent' | 'held'
  readonly sum: ExactSum
}

/** The sums that the counters of a snapshot should show. */
class Recount {
  readonly #now: number
  readonly #endingOf: EndingOf
  readonly #scopes = new Map<string, ScopeSums>()
  /** Of instances that run and that no counter is kept of. */
  readonly #uncounted = new Map<string, Uncounted>()
  /** By window and scope of which no counter is kept: the start of the newest instance that anything was charged to. One that began earlier has ended, by a restart if not by the calendar. */
  readonly #newest = new Map<string, number>()
  readonly #rules = new Map<string, RollingRule | undefined>()

  constructor({ now, scopes }: AuditSnapshot, endingOf: EndingOf) {
    this.#now = now
    this.#endingOf = endingOf
    for (const counted of scopes) {
      const windows = new Map(counted.windows.map((window) => [window.window, this.#windowSums(window)]))
      this.#scopes.set(scopeKey(counted.scope), { counted, windows, microcents: new ExactSum(), entries: new ExactSum(), lastEntry: undefined })
    }
  }

  addEntry(entry: LedgerEntry): void {
    const ofAudit = isOfAudit(entry)
    for (const charged of entry.charged) {
      const key = scopeKey(charged.scope)
      const scope = this.#scopes.get(key)
      if (charged.window === LIFETIME_COST) scope?.microcents.add(entry.microcents)
      else if (charged.window === LIFETIME_ENTRIES) scope?.entries.add(amountCharged(entry, 'entries'))
      else this.#spend(key, scope, charged, amountCharged(entry, unitOf(charged.window)))
      if (scope === undefined || ofAudit || entry.kind === 'released' || scope.lastEntry === entry) continue
      scope.lastEntry = entry
      scope.microcents.add(entry.microcents)
      scope.entries.add(1)
    }
  }

  addHold({ amounts, openedAt, placed }: OpenHold): void {
    for (const charged of placed) {
      const key = scopeKey(charged.scope)
      const scope = this.#scopes.get(key)
      const unit = unitOf(charged.window)
      const rule = this.#ruleOf(charged.window)
      // Requests count from the opening; in a rolling window that is the bucket, whatever the rest of the hold will be charged to.
      if (unit === 'requests') this.#spend(key, scope, rule === undefined ? charged : { ...charged, startsAt: openedAt }, 1)
      else if (unit !== 'entries') this.#hold(key, scope, charged, rule, amountIn(unit, amounts))
    }
  }

  /** Every counter that is not what it should be, in the order of the snapshot. */
  differences(complete: boolean): Difference[] {
    const differences: Difference[] = []
    const compareOne = (scope: ScopeId, window: string, startsAt: number, what: Difference['what'], counted: number, { value: sum }: ExactSum, endsAt?: number): void => {
      const expected = asCounter(sum)
      if (counted !== expected) differences.push({ scope, window, unit: unitOf(window), startsAt, endsAt, what, counted, expected, sum })
    }
    for (const { counted: { scope, microcents, entries, restarted }, windows, ...sums } of this.#scopes.values()) {
      for (const { counted: { window, held }, rule, spent, newest, held: heldSum } of windows.values()) {
        if (complete) for (const [place, { counted, sum }] of spent) compareOne(scope, window, place * (rule?.bucketMs ?? 1), 'spent', counted, sum)
        compareOne(scope, window, rule === undefined ? newest : bucketIndex(rule, this.#now) * rule.bucketMs, 'held', held, heldSum)
      }
      if (!complete) continue
      // What was forgotten is in the ledger alone: a counter above it is wrong all the same.
      if (restarted !== true || microcents > asCounter(sums.microcents.value)) compareOne(scope, LIFETIME_COST, 0, 'lifetime', microcents, sums.microcents)
      if (restarted !== true || entries > asCounter(sums.entries.value)) compareOne(scope, LIFETIME_ENTRIES, 0, 'lifetime', entries, sums.entries)
    }
    for (const { scope, window, startsAt, endsAt, what, sum } of this.#uncounted.values()) {
      if (startsAt < (this.#newest.get(`${window} ${scopeKey(scope)}`) ?? startsAt)) continue
      if (complete || what === 'held') compareOne(scope, window, startsAt, what, 0, sum, endsAt)
    }
    return differences
  }

  #windowSums(counted: CountedWindow): WindowSums {
    const rule = this.#ruleOf(counted.window)
    const live = counted.spent.filter(({ startsAt }) => rule === undefined || this.#counts(rule, startsAt))
    const spent = new Map(live.map(({ startsAt, amount }) => [rule === undefined ? startsAt : bucketIndex(rule, startsAt), { counted: amount, sum: new ExactSum() }]))
    return { counted, rule, spent, held: new ExactSum(), newest: Math.max(-1, ...counted.spent.map(({ startsAt }) => startsAt)) }
  }

  #spend(key: string, scope: ScopeSums | undefined, charged: ChargedWindow, amount: number): void {
    const rule = this.#ruleOf(charged.window)
    const window = scope?.windows.get(charged.window)
    if (window === undefined && rule === undefined) this.#noteStart(key, charged)
    if (amount === 0) return
    if (rule !== undefined && !this.#counts(rule, charged.startsAt)) return
    const place = rule === undefined ? charged.startsAt : bucketIndex(rule, charged.startsAt)
    const instance = window?.spent.get(place)
    if (instance !== undefined) {
      instance.sum.add(amount)
    } else if (window !== undefined && rule !== undefined) {
      const sum = new ExactSum()
      sum.add(amount)
      window.spent.set(place, { counted: 0, sum })
    } else if (rule !== undefined || this.#runsUncounted(charged, window)) {
      this.#sumOfUncounted(key, charged, place * (rule?.bucketMs ?? 1), 'spent').add(amount)
    }
  }

  #hold(key: string, scope: ScopeSums | undefined, charged: ChargedWindow, rule: RollingRule | undefined, amount: number): void {
    const window = scope?.windows.get(charged.window)
    if (window === undefined && rule === undefined) this.#noteStart(key, charged)
    if (amount === 0) return
    // Open holds count in a rolling window wherever it stands; in a calendar window only in the instance that they were placed in.
    if (window !== undefined && (rule !== undefined || window.spent.has(charged.startsAt))) window.held.add(amount)
    else if (rule !== undefined) this.#sumOfUncounted(key, charged, bucketIndex(rule, this.#now) * rule.bucketMs, 'held').add(amount)
    else if (this.#runsUncounted(charged, window)) this.#sumOfUncounted(key, charged, charged.startsAt, 'held').add(amount)
  }

  #noteStart(key: string, { window, startsAt }: ChargedWindow): void {
    const name = `${window} ${key}`
    if (startsAt > (this.#newest.get(name) ?? -1)) this.#newest.set(name, startsAt)
  }

  /** True for an instance of a calendar window that must have a counter and has none. */
  #runsUncounted(charged: ChargedWindow, window: WindowSums | undefined): boolean {
    if (window !== undefined && charged.startsAt < window.newest) return false
    return this.#now < this.#endOf(charged)
  }

  #endOf(charged: ChargedWindow): number {
    const rule = this.#ruleOf(charged.window)
    if (rule !== undefined) return bucketExpiresAt(rule, bucketIndex(rule, charged.startsAt))
    // A session ends, and with it its total.
    return charged.window.startsWith('total/') && charged.scope.kind !== 'session' ? NEVER : (this.#endingOf(charged) ?? -Infinity)
  }

  #sumOfUncounted(key: string, charged: ChargedWindow, startsAt: number, what: Uncounted['what']): ExactSum {
    const { scope, window } = charged
    const name = `${what} ${window} ${startsAt} ${key}`
    let uncounted = this.#uncounted.get(name)
    if (uncounted === undefined) {
      uncounted = { scope, window, startsAt, endsAt: this.#endOf(charged), what, sum: new ExactSum() }
      this.#uncounted.set(name, uncounted)
    }
    return uncounted.sum
  }

  #counts(rule: RollingRule, instant: number): boolean {
    return this.#now < bucketExpiresAt(rule, bucketIndex(rule, instant))
  }

  #ruleOf(window: string): RollingRule | undefined {
    if (!this.#rules.has(window)) {
      const [, lengthMs] = /^rolling:(\d+)\//.exec(window) ?? []
      this.#rules.set(window, lengthMs === undefined ? undefined : rollingRule(Number(lengthMs)))
    }
    return this.#rules.get(window)
  }
}

function asCounter(sum: bigint): number {
  return sum < 0n ? 0 : sum > BigInt(MAX_AMOUNT) ? MAX_AMOUNT : Number(sum)
}
