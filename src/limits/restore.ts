// Limits and settings of tenants as a ledger remembers them: what was made, changed and removed, in order. Brings back what a store
// that has lost its data lacks. Knows no counters: those are an audit's.

import type { RestoredRecords } from '../audit/index.js'
import type { CalendarConfig } from '../budget/index.js'
import type { LedgerEntry } from '../ledger/index.js'
import type { Registry } from '../store/index.js'
import { movedFrom, recordOf, type LimitRecord, type NewLimit } from './limit.js'
import type { Known, LimitRecords } from './records.js'
import { readSettings, type TenantRecord } from './tenant.js'

/** What a ledger says of limits and tenants, and what of it was missing. */
export interface Restored {
  /** Every limit that the ledger says is there, whether it was missing or not. */
  readonly limits: ReadonlyMap<string, Known<LimitRecord>>
  /** Absent where nothing was missing. */
  readonly report: RestoredRecords | undefined
}

/**
 * Writes what a registry lacks of the limits and tenants that these entries, in the order of writing, tell of; what is there stays as it is.
 * For a registry that was lost: in one that was not, what is lacking was taken away.
 * `defaults`: the calendars of the configuration. `registry`: that of a store that is about to be repaired.
 */
export async function restore(records: LimitRecords, entries: AsyncIterable<LedgerEntry>, defaults: CalendarConfig, registry?: Registry): Promise<Restored> {
  const told = new ToldChanges(defaults)
  for await (const entry of entries) if (entry.kind === 'configured') told.add(entry)
  const limits = await records.bringBack('limit', told.limits, registry)
  const tenants = await records.bringBack('tenant', told.tenants, registry)
  await records.broughtBack(limits.length + tenants.length > 0, told.removed, registry)
  const failed = [...told.failed.values()]
  const isWhole = limits.length + tenants.length + failed.length === 0
  return {
    limits: new Map([...told.limits].map(([id, value]) => [id, { id, value, version: 0 }])),
    report: isWhole ? undefined : Object.freeze({ limits, tenants, failed }),
  }
}

/** The changes of a ledger, one after the other. */
class ToldChanges {
  readonly limits = new Map<string, LimitRecord>()
  readonly tenants = new Map<string, TenantRecord>()
  /** By what it is of: what cannot be restored, as far as nothing later replaces it. */
  readonly failed = new Map<string, string>()
  /** The highest generation of the limits that were removed. */
  removed = 0
  readonly #defaults: CalendarConfig
  readonly #made = new Map<string, number>()
  readonly #versions = new Map<string, number>()

  constructor(defaults: CalendarConfig) {
    this.#defaults = defaults
  }

  add({ reason, metadata = {}, tenant, at }: LedgerEntry): void {
    const { limit, id = (limit as { readonly id?: unknown } | undefined)?.id, version } = metadata
    switch (reason) {
      case 'limit created':
      case 'limit changed':
        if (this.#isNews(`limit "${String(id)}"`, version)) this.#limit(metadata, reason === 'limit created', at)
        return
      case 'limit removed':
        this.#remove(String(id), metadata['generation'], this.#isNews(`limit "${String(id)}"`, version, true))
        return
      case 'tenant set':
        if (tenant !== undefined && this.#isNews(`tenant "${tenant}"`, version)) this.#tenant(tenant, metadata)
        return
      case 'tenant removed':
        if (tenant !== undefined && this.#isNews(`tenant "${tenant}"`, version, true)) this.#forget(`tenant "${tenant}"`, () => this.tenants.delete(tenant))
        return
    }
  }

  /** False for a line that was written after that of a later change: the versions of records tell. A removal has the version of what went. */
  #isNews(name: string, version: unknown, isRemoval = false): boolean {
    if (typeof version !== 'number') return true
    const latest = this.#versions.get(name) ?? 0
    if (version < latest || (version === latest && !isRemoval)) return false
    this.#versions.set(name, version)
    return true
  }

  #limit({ limit, generation }: Readonly<Record<string, unknown>>, isNew: boolean, at: number): void {
    const { id } = (limit ?? {}) as { readonly id?: unknown }
    if (typeof id !== 'string') return
    const before = isNew ? undefined : this.limits.get(id)
    const made = (this.#made.get(id) ?? 0) + (isNew ? 1 : 0)
    this.#made.set(id, made)
    this.#try(`limit "${id}"`, () => this.limits.delete(id), () => {
      const { id: _id, ...read } = recordOf(limit as NewLimit, this.#defaults, at)
      const number = typeof generation === 'number' ? generation : (before?.generation ?? Math.max(made, 1))
      const record = { ...read, generation: number, createdAt: before?.createdAt ?? read.createdAt }
      this.limits.set(id, before === undefined ? record : movedFrom(before, record))
    })
  }

  #remove(id: string, generation: unknown, isNews: boolean): void {
    this.removed = Math.max(this.removed, typeof generation === 'number' ? generation : (this.limits.get(id)?.generation ?? this.#made.get(id) ?? 0))
    if (isNews) this.#forget(`limit "${id}"`, () => this.limits.delete(id))
  }

  #tenant(tenant: string, { tier, models }: Readonly<Record<string, unknown>>): void {
    this.#try(`tenant "${tenant}"`, () => this.tenants.delete(tenant), () => void this.tenants.set(tenant, readSettings({ tier, models } as TenantRecord)))
  }

  /** What went before does not stand in for what cannot be read: it was not what applied. */
  #try(name: string, drop: () => void, take: () => void): void {
    try {
      take()
      this.failed.delete(name)
    } catch (error) {
      drop()
      this.failed.set(name, `${name}: ${error instanceof Error ? error.message : String(error)}`)
    }
  }

  #forget(name: string, drop: () => void): void {
    drop()
    this.failed.delete(name)
  }
}
