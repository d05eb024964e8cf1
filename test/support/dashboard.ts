// A server with a dashboard that has something to show: two tenants, three tiers, limits, users with awkward names, and a key for each kind of
// reader.

import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { Bursar } from '../../src/bursar.js'
import { createServer, type BursarServer } from '../../src/server/index.js'
import { foundOrInstalled, onPath } from './debian.js'

/** An id as long as ids may be, without a place to break it. */
export const LONG_ID = `user-${'x'.repeat(240)}`

/** A name that would be markup, were it not text. */
export const MARKUP_ID = '<img src=x onerror="document.title=1">'

/** Only the operator, and who is of that tenant, may read it. */
export const FOREIGN = 'northwind'

/** A running server and its keys. */
export interface World {
  readonly server: BursarServer
  readonly engine: Bursar<string, string>
  readonly origin: string
  /** Tokens. */
  readonly keys: { readonly admin: string; readonly reader: string; readonly tenant: string; readonly tenantReader: string; readonly user: string; readonly check: string }
  close(): Promise<void>
}

const ADMIN = 'an operator of the tests'.replaceAll(' ', '-')

/** Starts a server. `isOpen`: it has no key, and nothing to show yet. `tenantsManageBudgets`: as the option of the server. */
export async function startWorld({ isOpen = false, tenantsManageBudgets = true }: { readonly isOpen?: boolean; readonly tenantsManageBudgets?: boolean } = {}): Promise<World> {
  const engine = new Bursar<string, string>({
    tiers: { free: { daily: 1 }, pro: { daily: 10, monthly: 100 }, enterprise: { monthly: 1_000 } },
    defaultTier: 'free',
    global: { monthly: 500 },
  } as never)
  const server = createServer({ bursar: engine, rateLimit: null, tenantsManageBudgets, ...(!isOpen && { adminKey: ADMIN }) })
  const { url } = await server.listen({ port: 0 })
  const close = async (): Promise<void> => void (await server.close())
  if (isOpen) return { server, engine, origin: url, keys: { admin: '', reader: '', tenant: '', tenantReader: '', user: '', check: '' }, close }
  const make = async (roles: readonly ('check' | 'read' | 'admin')[], tenant?: string, userId?: string): Promise<string> =>
    (await server.keys.create({ name: `${roles.join(' and ')} of ${userId ?? tenant ?? 'all'}`, roles, ...(tenant !== undefined && { tenant }), ...(userId !== undefined && { userId }) })).token
  const keys = { admin: ADMIN, reader: await make(['read']), tenant: await make(['admin'], 'acme'), tenantReader: await make(['read'], 'acme'), user: await make(['read'], 'acme', 'ada'), check: await make(['check']) }
  await fill(engine)
  return { server, engine, origin: url, keys, close }
}

/** Runs `curl`, as people do, and gives the JSON that it prints. */
export async function curl(origin: string, key: string | undefined, path: string, body: object): Promise<Record<string, unknown>> {
  const authorization = key === undefined ? [] : ['-H', `authorization: Bearer ${key}`]
  const program = await foundOrInstalled(() => onPath('curl'), 'curl', 'Install curl.')
  const { stdout } = await promisify(execFile)(program, ['-sS', `${origin}${path}`, '-H', 'content-type: application/json', ...authorization, '-d', JSON.stringify(body)])
  return JSON.parse(stdout) as Record<string, unknown>
}

async function fill(engine: Bursar<string, string>): Promise<void> {
  const { tracker } = engine
  await tracker.setUserTier({ userId: 'ada', tenant: 'acme' }, 'pro')
  await tracker.setUserTier({ userId: 'bob', tenant: FOREIGN }, 'enterprise')
  await tracker.limits.create({ scope: { kind: 'tenant', id: 'acme' }, budget: { monthly: 20 }, description: 'Until the invoice is paid' })
  await tracker.limits.create({ scope: { kind: 'user', id: LONG_ID }, budget: { daily: 2 } })
  await tracker.limits.create({ scope: { kind: 'tenant', id: FOREIGN }, budget: { total: 400 }, mode: 'alert' })
  const spend = async (userId: string, tenant: string | undefined, model: string, costs: readonly number[]): Promise<void> => {
    for (const cost of costs) {
      const decision = await engine.check({ userId, model, estimatedCost: cost, ...(tenant !== undefined && { tenant }) })
      if (decision.allowed) await decision.settle({ cost })
    }
  }
  await spend('ada', 'acme', 'gpt-5', [2, 3.5, 2.75, 1, 0.5, 4])
  await spend('bob', FOREIGN, 'claude-sonnet-4-5', [120, 31.25])
  await spend('eve', 'acme', 'gpt-5-mini', [0.4, 0.45, 0.3, 0.3])
  await spend(LONG_ID, undefined, `model-${'m'.repeat(120)}`, [0.25, 0.6, 0.9])
  await spend(MARKUP_ID, undefined, '<b>model</b>', [0.5, 0.8])
}
