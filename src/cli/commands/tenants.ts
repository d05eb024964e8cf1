// `bursar limits tenants`: the tier and the models of a tenant's users.

import type { Command } from 'commander'
import { assertId } from '../../budget/index.js'
import type { Tenant } from '../../limits/index.js'
import { collected, type Act } from '../act.js'
import { readConfiguration } from '../configuration.js'
import { openEngine, type Engine } from '../engine.js'
import type { Run } from '../run.js'

interface TenantsOptions {
  readonly tier?: string | undefined
  readonly model?: readonly string[] | undefined
  readonly json?: boolean | undefined
}

/** Adds the commands. */
export function addTenants(limits: Command, act: Act): void {
  const tenants = limits.command('tenants').description("the tier and the models of a tenant's users")
  tenants.command('list', { isDefault: true }).description('tenants for whom anything is set').option('--json', 'as JSON lines').action(act<TenantsOptions, []>(list))
  tenants
    .command('set')
    .description('set them, in the place of what was set before')
    .argument('<tenant>', 'the tenant')
    .option('--tier <tier>', 'the tier of users for whom nobody says another')
    .option('--model <model>', 'a model that they may use, or the beginning of names and a *; may be given again (default: all)', collected)
    .option('--json', 'as JSON')
    .action(act<TenantsOptions, [string]>(set))
  tenants.command('remove').description('take away what is set').argument('<tenant>', 'the tenant').option('--json', 'as JSON').action(act<TenantsOptions, [string]>(remove))
}

async function engineFor(run: Run, mayCreate: boolean): Promise<Engine> {
  return (await openEngine(await readConfiguration(run), run, { mayCreate })).engine
}

async function list(run: Run, { json }: TenantsOptions): Promise<void> {
  const found = await (await engineFor(run, false)).tracker.limits.tenants.list()
  await print(run, found, json)
  if (found.length === 0) run.terminal.say('Nothing is set for any tenant.')
}

async function set(run: Run, { tier, model, json }: TenantsOptions, tenant: string): Promise<void> {
  assertId(tenant, 'tenant')
  const { tracker } = await engineFor(run, true)
  await print(run, [await tracker.limits.tenants.set(tenant, { ...(tier !== undefined && { tier }), ...(model !== undefined && { models: model }) })], json)
}

async function remove(run: Run, { json }: TenantsOptions, tenant: string): Promise<void> {
  assertId(tenant, 'tenant')
  const { tracker } = await engineFor(run, false)
  await tracker.limits.tenants.remove(tenant)
  if (json === true) await run.terminal.json({ tenant, removed: true }, 2)
  run.terminal.say(`Nothing is set for tenant "${tenant}" any more.`)
}

async function print({ terminal }: Run, tenants: readonly Tenant[], json: boolean | undefined): Promise<void> {
  if (json === true) {
    for (const { tenant, tier, models } of tenants) await terminal.json({ tenant, tier: tier ?? null, models: models ?? null })
  } else if (tenants.length > 0) await terminal.table([{ head: 'tenant' }, { head: 'tier' }, { head: 'models' }], tenants.map(({ tenant, tier, models }) => [tenant, tier, models?.join(', ') ?? 'all']))
}
