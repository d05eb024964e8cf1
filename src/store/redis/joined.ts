// The directory, ledger and auditor of all data sets as one, where tenants are kept apart.

import { scopeKey, type UserRef } from '../../budget/index.js'
import type { ScopeId } from '../../enforcement/index.js'
import type { LedgerEntry, LedgerTotals, ModelTotals } from '../../ledger/index.js'
import type { Auditor, AuditSnapshot, CounterCorrection } from '../auditing.js'
import type { LedgerSink } from '../contract.js'
import type { Directory, DirectoryChange, DirectoryEntry } from '../directory.js'
import type { DataSet, DataSets } from './data-set.js'

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

  append(entry: LedgerEntry): Promise<void> {
    return this.#sets.ofUser(userOfEntry(entry)).ledger.append(entry)
  }

  async *entries(): AsyncIterable<LedgerEntry> {
    const [first] = this.#sets.all()
    if (first?.connection.hasSink === true) {
      for (const { ledger } of this.#sets.all()) await ledger.drain()
      yield* first.ledger.entries()
    } else yield* merged(this.#sets.all().map(({ ledger }) => ledger.entries()))
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

/** Audits one data set after the other: each as it stood at a moment of its own. */
export class JoinedAuditor implements Auditor {
  readonly #sets: DataSets

  constructor(sets: DataSets) {
    this.#sets = sets
  }

  async snapshot(): Promise<AuditSnapshot> {
    const snapshots: AuditSnapshot[] = []
    for (const { auditor } of this.#sets.all()) snapshots.push(await auditor.snapshot())
    const hasSink = this.#sets.all()[0]?.connection.hasSink === true
    const own = new Map(this.#sets.all().map((set, index) => [set, snapshots[index] as AuditSnapshot]))
    const sets = this.#sets
    async function* entries(): AsyncIterable<LedgerEntry> {
      if (!hasSink) {
        for (const snapshot of snapshots) yield* snapshot.entries()
        return
      }
      // One sink for all: each entry counts up to the moment of its own data set.
      for (const { ledger } of sets.all()) await ledger.drain()
      for await (const entry of (sets.all()[0] as DataSet).ledger.entries()) {
        if (entry.at <= (own.get(sets.ofUser(userOfEntry(entry)))?.now ?? 0)) yield entry
      }
    }
    return {
      now: Math.min(...snapshots.map(({ now }) => now)),
      complete: snapshots.every(({ complete }) => complete),
      scopes: snapshots.flatMap(({ scopes }) => scopes),
      holds: snapshots.flatMap(({ holds }) => holds),
      entries,
    }
  }

  async correct(corrections: readonly CounterCorrection[]): Promise<void> {
    for (const correction of corrections) await this.#of(correction.scope).auditor.correct([correction])
  }

  async repaired(): Promise<void> {
    for (const { auditor } of this.#sets.all()) await auditor.repaired()
  }

  async append(entries: readonly LedgerEntry[]): Promise<void> {
    for (const entry of entries) await this.#sets.ofUser(userOfEntry(entry)).auditor.append([entry])
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

async function* merged(ledgers: readonly AsyncIterable<LedgerEntry>[]): AsyncIterable<LedgerEntry> {
  const iterators = ledgers.map((ledger) => ledger[Symbol.asyncIterator]())
  const heads = await Promise.all(iterators.map((iterator) => iterator.next()))
  for (;;) {
    let earliest = -1
    heads.forEach((head, index) => {
      if (head.done === true) return
      const best = heads[earliest]
      if (best === undefined || best.done === true || head.value.at < best.value.at) earliest = index
    })
    if (earliest < 0) return
    yield (heads[earliest] as IteratorYieldResult<LedgerEntry>).value
    heads[earliest] = await (iterators[earliest] as AsyncIterator<LedgerEntry>).next()
  }
}
