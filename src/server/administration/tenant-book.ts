// Tenants as the operator sees them: a name that was written down, and what the limits have set for their users. A tenant need not be here
// to have users, keys or budgets.

import { UnknownTierError } from '../../errors/index.js'
import { readSettings, type TenantSettings } from '../../limits/index.js'
import type { Registry } from '../../store/index.js'
import type { Clock } from '../../time/index.js'
import { pageByKey, type Page, type PageOptions } from './paging.js'
import { Problem } from '../problem.js'
import type { Engine } from '../service.js'

/** What a tenant may be told to be. */
export interface TenantFacts extends TenantSettings {
  /** For people. */
  readonly name?: string | undefined
}

/** A tenant. Dates are `null` for one that has only settings. */
export interface TenantView {
  readonly id: string
  readonly name: string | null
  /** Of its users who have none themselves. */
  readonly tier: string | null
  /** The models that its users may use; `null`: all. */
  readonly models: readonly string[] | null
  readonly createdAt: string | null
  readonly updatedAt: string | null
}

interface TenantRecord {
  readonly name: string | null
  /** ms since the epoch. */
  readonly createdAt: number
  readonly updatedAt: number
}

const KIND = 'tenant-profile'
const MOST_ATTEMPTS = 20

/** All tenants of which anything was written down or set. Ids must have been checked. */
export class TenantBook {
  readonly #registry: Registry
  readonly #tracker: Engine['tracker']
  readonly #clock: Clock

  constructor({ tracker }: Engine, clock: Clock) {
    this.#registry = tracker.registry
    this.#tracker = tracker
    this.#clock = clock
  }

  /** One; `undefined` where nothing is known of it. */
  async get(id: string): Promise<TenantView | undefined> {
    const record = await this.#registry.get(KIND, id)
    const settings = await this.#tracker.limits.tenants.get(id)
    return record === undefined && settings === undefined ? undefined : viewOf(id, record && (JSON.parse(record.value) as TenantRecord), settings)
  }

  /** A page of them, in the order of their ids. */
  async list(options: PageOptions): Promise<Page<TenantView>> {
    const settings = new Map((await this.#tracker.limits.tenants.list()).map((tenant) => [tenant.tenant, tenant]))
    const known = new Map<string, TenantRecord | undefined>([...settings.keys()].map((id) => [id, undefined]))
    for await (const { key, value } of this.#registry.list(KIND)) known.set(key, JSON.parse(value) as TenantRecord)
    const { items, next } = await pageByKey([...known].map(([key, record]) => ({ key, record })), '', options)
    return { items: items.map(({ key, record }) => viewOf(key, record, settings.get(key))), ...(next !== undefined && { next }) }
  }

  /** Writes a new one down. Throws a 409 for one of which anything is known, and the errors of {@link set}. */
  async create(id: string, facts: TenantFacts): Promise<TenantView> {
    const taken = new Problem(409, 'CONFLICT', `id: tenant "${id}" is there already. PUT changes it; or choose another id.`)
    const settings = this.#checked(facts)
    if ((await this.get(id)) !== undefined) throw taken
    const now = this.#clock()
    const record: TenantRecord = { name: facts.name ?? null, createdAt: now, updatedAt: now }
    if ((await this.#registry.put(KIND, id, JSON.stringify(record), { expected: 0 })) === undefined) throw taken
    return viewOf(id, record, await this.#apply(id, settings))
  }

  /**
   * Writes a tenant down in the place of what was known of it. Throws `UnknownTierError` and `InvalidRequestError` before anything has
   * changed.
   */
  async set(id: string, facts: TenantFacts): Promise<{ readonly tenant: TenantView; readonly isNew: boolean }> {
    const settings = this.#checked(facts)
    const hadSettings = (await this.#tracker.limits.tenants.get(id)) !== undefined
    for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt += 1) {
      const before = await this.#registry.get(KIND, id)
      const now = this.#clock()
      const record: TenantRecord = { name: facts.name ?? null, createdAt: before === undefined ? now : (JSON.parse(before.value) as TenantRecord).createdAt, updatedAt: now }
      if ((await this.#registry.put(KIND, id, JSON.stringify(record), { expected: before?.version ?? 0 })) === undefined) continue
      return { tenant: viewOf(id, record, await this.#apply(id, settings)), isNew: before === undefined && !hadSettings }
    }
    throw restless(id)
  }

  /** Takes away the name and the settings; users, keys and limits stay. Throws a 404 where nothing is known of it. */
  async remove(id: string): Promise<void> {
    if ((await this.get(id)) === undefined) throw new Problem(404, 'NOT_FOUND', `tenant: nothing is known of "${id}".`)
    await this.#tracker.limits.tenants.remove(id)
    for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt += 1) {
      const before = await this.#registry.get(KIND, id)
      if (before === undefined || (await this.#registry.put(KIND, id, null, { expected: before.version })) !== undefined) return
    }
    throw restless(id)
  }

  /** The settings, or `undefined` for none at all. */
  #checked({ tier, models }: TenantFacts): TenantSettings | undefined {
    if (tier === undefined && models === undefined) return undefined
    const { tiers } = this.#tracker
    if (tier !== undefined && !tiers.includes(tier)) throw new UnknownTierError(`tier: ${JSON.stringify(tier)} is no tier of the configuration. The tiers are ${tiers.join(', ')}.`, tier)
    return readSettings({ ...(tier !== undefined && { tier }), ...(models !== undefined && { models }) })
  }

  async #apply(id: string, settings: TenantSettings | undefined): Promise<TenantSettings | undefined> {
    if (settings === undefined) await this.#tracker.limits.tenants.remove(id)
    else await this.#tracker.limits.tenants.set(id, settings)
    return settings
  }
}

function viewOf(id: string, record: TenantRecord | undefined, settings: TenantSettings | undefined): TenantView {
  const at = (instant: number | undefined): string | null => (instant === undefined ? null : new Date(instant).toISOString())
  return { id, name: record?.name ?? null, tier: settings?.tier ?? null, models: settings?.models ?? null, createdAt: at(record?.createdAt), updatedAt: at(record?.updatedAt) }
}

function restless(id: string): Problem {
  return new Problem(503, 'UNAVAILABLE', `tenant: others changed "${id}" again and again. Try again.`)
}
