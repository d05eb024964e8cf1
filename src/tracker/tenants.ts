// What is set for tenants at run time: the tier of their users, and the models that these may use. Seen by every process like limits.

import { assertId } from '../budget/index.js'
import { UnknownTierError } from '../errors/index.js'
import { readSettings, tenantFrom, type Tenant, type TenantSettings } from '../limits/index.js'
import { noteChange } from './configured.js'
import type { Foundation } from './foundation.js'

/** `limits.tenants`. A model that a tenant may not use is refused with the verdict `tenantModels`; a ladder passes over it. */
export class Tenants {
  readonly #foundation: Foundation

  /** Made by `Limits`. */
  constructor(foundation: Foundation) {
    this.#foundation = foundation
  }

  /**
   * Sets a tenant's tier and models, in the place of what was set before. The tier is that of users who have none themselves: the
   * request's and the directory's come before it, `defaultTier` after it. Rejects with `InvalidRequestError` for what is none, and with
   * `UnknownTierError` for a tier that the configuration lacks; then nothing has changed.
   */
  async set(tenant: string, settings: TenantSettings): Promise<Tenant> {
    assertId(tenant, 'tenant')
    const record = readSettings(settings)
    const { tiers } = this.#foundation.plan
    if (record.tier !== undefined && !tiers.includes(record.tier)) throw new UnknownTierError(`tier: "${record.tier}" is no tier of the configuration. ${tiers.length === 0 ? 'It has none: add them under tiers.' : `The tiers are ${tiers.join(', ')}.`}`, record.tier)
    const { after } = await this.#records.write('tenant', tenant, () => record)
    await noteChange(this.#foundation, { tenant }, `tenant "${tenant}" was set`, 'tenant set', { ...record, version: after?.version })
    return tenantFrom(tenant, record, after?.version ?? 0)
  }

  /** What is set for one; `undefined` where nothing is. */
  async get(tenant: string): Promise<Tenant | undefined> {
    assertId(tenant, 'tenant')
    const known = await this.#records.get('tenant', tenant)
    return known && tenantFrom(tenant, known.value, known.version)
  }

  /** All tenants for whom anything is set, by their names. */
  async list(): Promise<Tenant[]> {
    const { tenants } = await this.#records.load()
    return [...tenants.values()].map(({ id, value, version }) => tenantFrom(id, value, version))
  }

  /** Takes away what is set; nothing, where nothing is. */
  async remove(tenant: string): Promise<void> {
    assertId(tenant, 'tenant')
    const { before, replaced: version } = await this.#records.write('tenant', tenant, () => null)
    if (before !== undefined) await noteChange(this.#foundation, { tenant }, `what was set for tenant "${tenant}" was taken away`, 'tenant removed', { version })
  }

  get #records(): Foundation['accounts']['limits']['records'] {
    return this.#foundation.accounts.limits.records
  }
}
