// What is set at run time for the users of a tenant: the tier of those who have none themselves, and the models that they may use.

import { z } from 'zod'
import { describeIssues, idSchema } from '../budget/index.js'
import type { Verdict } from '../enforcement/index.js'
import { InvalidRequestError } from '../errors/index.js'

/** What `limits.tenants.set` takes. It replaces what was set before. */
export interface TenantSettings {
  /** The tier of the tenant's users for whom neither the request nor the directory names one. */
  readonly tier?: string | undefined
  /**
   * The models that its users may use: exact names, or the beginning of names and a `*` (`gpt-4o*`). Absent: all. A request that names
   * no model is not judged by it.
   */
  readonly models?: readonly string[] | undefined
}

/** What is set for a tenant. */
export interface Tenant extends TenantSettings {
  readonly tenant: string
  /** Changes with every change. */
  readonly version: number
}

/** As it is written down. */
export type TenantRecord = TenantSettings

/** The name of the verdict that refuses a model. */
const POLICY = 'tenantModels'

const settings = z.strictObject({ tier: idSchema.optional(), models: z.array(idSchema).min(1, 'must name a model. Leave it out for all').optional() })

/** Settings that somebody wants. Throws `InvalidRequestError` for what is none, and for none at all. */
export function readSettings(given: TenantSettings): TenantRecord {
  const parsed = settings.safeParse(given)
  if (!parsed.success) throw new InvalidRequestError(describeIssues(parsed.error, 'tenant'))
  const { tier, models } = parsed.data
  if (tier === undefined && models === undefined) throw new InvalidRequestError('tier, models: are missing. Give one of them; limits.tenants.remove(tenant) takes both away.')
  const wild = models?.find((name) => name.slice(0, -1).includes('*'))
  if (wild !== undefined) throw new InvalidRequestError(`models: "${wild}" has a * that is not at its end. Give exact names, or the beginning of names and one *.`)
  return { ...(tier !== undefined && { tier }), ...(models !== undefined && { models }) }
}

/** A record as it is shown. */
export function tenantFrom(tenant: string, record: TenantRecord, version: number): Tenant {
  return Object.freeze({ tenant, ...record, version })
}

/** What a tenant's models say of one; `undefined` where it is one of them, and of a request that names none. */
export function modelVerdict(models: readonly string[], model: string | undefined, tenant: string | undefined): Verdict | undefined {
  if (model === undefined || models.some((name) => (name.endsWith('*') ? model.startsWith(name.slice(0, -1)) : name === model))) return undefined
  return Object.freeze({ policy: POLICY, action: 'BLOCK', reason: `tenant ${tenant} may use ${models.join(', ')}, and ${model} is none of them` })
}
