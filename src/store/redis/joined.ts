// The directory, ledger and auditor of all data sets as one, where tenants are kept apart.

import { scopeKey, type UserRef } from '../../budget/index.js'
import type { ScopeId } from '../../enforcement/index.js'
import { pageOf, sumsOf, type Conditions, type EntryField, type EntryPage, type EntrySource, type EntrySum, type LedgerEntry, type LedgerTotals, type ModelTotals } from '../../ledger/index.js'
import type { Auditor, AuditSnapshot, CounterCorrection, LedgerStanding } from '../auditing.js'
import type { LedgerSink, MaybePromise } from '../index.js'
import type { Directory, DirectoryChange, DirectoryEntry } from '../directory.js'
import { isHiddenIn } from './auditor.js'
import type { Registry } from '../registry.js'
import type { DataSet, DataSets } from './data-set.js'
import { JoinedStreams } from './joined-streams.js'

/** Each user's entry is where the user is counted. */
export class JoinedDirectory implements Directory {
  readonly #sets: DataSets

  constructor(sets: DataSets) {
    this.#sets = sets
  }

  remembered(user: UserRef): DirectoryEntry | undefined {
    return this.#sets.ofUser(user).directory.remembered(user)
  }

  get(user: UserRef): Promise<DirectoryEntry | undefined> {
    return this.#sets.ofUser(user).directory.get(user)
  }

  change(user: UserRef, change: DirectoryChange): Promise<{ before: DirectoryEntry; after: DirectoryEntry }> {
    return this.#sets.ofUser(user).directory.change(user, change)
  }
}

/** All ledgers, merged by time. */
export class JoinedLedger implements LedgerSink {
  readonly #sets: DataSets

  constructor(sets: DataSets) {
    this.#sets = sets
  }

  /** All of one call stand in one data set, whoever they are of: only there are they all or none. */
  async append(...entries: readonly LedgerEntry[]): Promise<void> {
    const [first] = entries
    if (first !== undefined) await this.#sets.ofUser(userOfEntry(first)).ledger.append(...entries)
  }

  async *entries(): AsyncIterable<LedgerEntry> {
    yield* (await this.#source()).entries()
  }

  async page(conditions: Conditions, limit: number, after?: string): Promise<EntryPage> {
    return pageOf(await this.#source(), conditions, limit, after)
  }

  async sums(conditions: Conditions, by: readonly EntryField[], boundaries: readonly number[]): Promise<readonly EntrySum[]> {
    return sumsOf(await this.#source(), conditions, by, boundaries)
  }

  async #source(): Promise<EntrySource> {
    const sets = this.#sets.all()
    if (this.#sets.sink === undefined) return new JoinedStreams(sets.map(({ ledger }) => ledger.streams))
    for (const { connection, ledger } of sets) if (!connection.isLost) await ledger.drain()
    return this.#sets.sink
  }

  async totals(): Promise<LedgerTotals> {
    const all = { microcents: 0, tokens: 0, entries: 0, byModel: new Map<string, ModelTotals>(), byProvider: new Map<string, ModelTotals>(), byTier: new Map<string, ModelTotals>() }
    for (const { ledger } of this.#sets.all()) {
      const totals = await ledger.totals()
      add(all, totals)
      for (const by of ['byModel', 'byProvider', 'byTier'] as const) {
        for (const [name, sum] of totals[by]) {
          const known = all[by].get(name) ?? { microcents: 0, tokens: 0, entries: 0 }
          all[by].set(name, add({ ...known }, sum))
        }
      }
    }
    return all
  }
}

const MOST_SNAPSHOTS = 10

/** Audits one data set after the other: each as it stood at a moment of its own. */
export class JoinedAuditor implements Auditor {
  readonly #sets: DataSets
  /** How many repairs each data set had at each of the last snapshots, which are numbered here. */
  readonly #made = new Map<number, ReadonlyMap<DataSet, number>>()
  #snapshots = 0

  constructor(sets: DataSets) {
    this.#sets = sets
  }

  get registry(): Registry {
    return this.#sets.first.auditor.registry
  }

  async snapshot(): Promise<AuditSnapshot> {
    const snapshots: AuditSnapshot[] = []
    for (const { auditor } of this.#sets.all()) snapshots.push(await auditor.snapshot())
    const hasSink = this.#sets.all()[0]?.connection.hasSink === true
    const own = new Map(this.#sets.all().map((set, index) => [set, snapshots[index] as AuditSnapshot]))
    const repairs = (this.#snapshots += 1)
    this.#made.set(repairs, new Map([...own].map(([set, snapshot]) => [set, snapshot.repairs])))
    this.#made.delete(repairs - MOST_SNAPSHOTS)
    const sets = this.#sets
    async function* entries(): AsyncIterable<LedgerEntry> {
      if (!hasSink) {
        for (const snapshot of snapshots) yield* snapshot.entries()
        return
      }
      // One sink for all: each entry counts up to the moment of its own data set.
      for (const { connection, ledger } of sets.all()) if (!connection.isLost) await ledger.drain()
      for await (const entry of (sets.all()[0] as DataSet).ledger.entries()) {
        if (entry.at <= (own.get(sets.ofUser(userOfEntry(entry)))?.now ?? 0)) yield entry
      }
    }
    return {
      now: Math.min(...snapshots.map(({ now }) => now)),
      complete: snapshots.every(({ complete }) => complete),
      scopes: snapshots.flatMap(({ scopes }) => scopes),
      holds: snapshots.flatMap(({ holds }) => holds),
      repairs,
      entries,
    }
  }

  /** What moves spend stands in one data set, whoever it is of: only there is it all or none. */
  standing(): Promise<LedgerStanding> {
    return this.#sets.first.auditor.standing()
  }

  hides(field: EntryField): boolean {
    return isHiddenIn(this.#sets.sink, field)
  }

  /** Each data set is mended by itself: where one was repaired meanwhile, the others are, and an audit finds what is left. */
  async correct(corrections: readonly CounterCorrection[], repairs?: number): Promise<boolean> {
    return this.#each(corrections, ({ scope }) => this.#of(scope), repairs, (auditor, own, made) => auditor.correct(own, made))
  }

  async append(entries: readonly LedgerEntry[], repairs?: number): Promise<boolean> {
    if (entries.length > 0 && entries.every(({ calls }) => calls !== undefined)) return this.#sets.first.auditor.append(entries, repairs)
    return this.#each(entries, (entry) => this.#sets.ofUser(userOfEntry(entry)), repairs, (auditor, own, made) => auditor.append(own, made))
  }

  async repaired(): Promise<void> {
    for (const { auditor } of this.#sets.all()) await auditor.repaired()
  }

  async #each<T>(all: readonly T[], setOf: (one: T) => DataSet, repairs: number | undefined, mend: (auditor: Auditor, own: readonly T[], made: number | undefined) => MaybePromise<boolean>): Promise<boolean> {
    const groups = new Map<DataSet, T[]>()
    for (const one of all) groups.set(setOf(one), [...(groups.get(setOf(one)) ?? []), one])
    let isDone = true
    for (const [set, own] of groups) {
      const made = repairs === undefined ? undefined : this.#made.get(repairs)?.get(set)
      if (repairs !== undefined && made === undefined) return false
      if (!(await mend(set.auditor, own, made))) isDone = false
    }
    return isDone
  }

  #of(scope: ScopeId): DataSet {
    return this.#sets.ofScopes([{ scope, key: scopeKey(scope), windows: [] }])
  }
}

function userOfEntry({ userId, tenant }: LedgerEntry): UserRef {
  return tenant === undefined ? { userId } : { userId, tenant }
}

function add<Sum extends { microcents: number; tokens: number; entries: number }>(to: Sum, from: ModelTotals): Sum {
  to.microcents += from.microcents
  to.tokens += from.tokens
  to.entries += from.entries
  return to
}
