// Two tenants in one service, each with something of everything. What is the second one's carries a marker that nobody ever sends: an answer
// to the first one's keys that has it in it tells what is not theirs.

import { randomBytes } from 'node:crypto'
import type { BursarConfig } from '../../../src/config.js'
import type { CallerFacts } from '../../../src/server/caller.js'
import { storeId } from '../../../src/server/ids.js'
import { caller, OPERATOR, PLAIN_OPTIONS, testApp, type TestApp } from './app.js'

/** Whoever asks, by a name for messages; `undefined`: nobody. */
export type Callers = Readonly<Record<string, CallerFacts | undefined>>

/** Nobody, and whoever has a key of the first tenant. */
export const ACMES: Callers = {
  nobody: undefined,
  'acme check': caller(['check'], 'acme'),
  'acme read': caller(['read'], 'acme'),
  'acme admin': caller(['admin'], 'acme'),
  'acme ada': caller(['check', 'read'], 'acme', 'ada'),
}

/** Whoever has a key of the second, or of none. */
export const OTHERS: Callers = {
  'globex check': caller(['check'], 'globex'),
  'globex admin': caller(['admin'], 'globex'),
  'globex gil': caller(['check', 'read'], 'globex', 'gil'),
  'operator check': caller(['check']),
  'operator read': caller(['read']),
  operator: OPERATOR,
}

/** A service with two tenants in it. */
export interface TwoTenants extends TestApp {
  /** Stands in whatever is secret of the second tenant, and of what tenants share. */
  readonly marker: string
  /** The marker, and what the operator has set upon others and upon all. */
  readonly secret: RegExp
  /** Ids and names that may be guessed; more of them are met on the way. */
  readonly guesses: string[]
  /** Ids that nobody chooses, by the first word of the address that they are for. */
  readonly ids: Readonly<Record<string, readonly string[]>>
  /** Everything of the second tenant, as text: equal before and after, nobody has changed it. */
  snapshot(): Promise<string>
}

const GUESSES = ['ada', 'gil', 'acme', 'globex', 'hold-1', 'cost-1', 'session-1', 'limit-1', 'op-limit', 'op-global', 'free', 'pro', 'gpt-4o', 'globex/hold-1', 'globex/limit-1', 'acme/limit-1', '/hold-1', '/limit-1', 'daily', 'monthly', 'new']
const KINDS = ['api-key', 'customer', 'tenant-profile', 'session', 'webhook', 'delivery']

/** Makes them. Close it. */
export async function twoTenants(config: Partial<BursarConfig> = {}): Promise<TwoTenants> {
  const marker = `mark${randomBytes(8).toString('hex')}`
  const world = testApp({
    config: {
      global: { monthly: '98765.43' },
      scopes: { tenant: { '*': {} }, team: { [`${marker}-team`]: { monthly: 55 } } },
      prices: { models: { 'gpt-4o': { input: 2.5, output: 10 } } },
      ...config,
    } as BursarConfig,
    options: { ...PLAIN_OPTIONS, maxBodyBytes: 200_000, tenantsManageBudgets: true },
  })
  for (const [tenant, note, users] of [['acme', 'acme', ['ada', 'ann']], ['globex', marker, ['gil', `${marker}-user`]]] as const) {
    await plant(world, tenant, note, users)
  }
  const { tracker } = world.engine
  await tracker.limits.create({ id: 'op-limit', scope: { kind: 'tenant', id: 'globex' }, budget: { monthly: '4321.99' }, description: `${marker}-name` })
  await tracker.limits.create({ id: 'op-global', scope: { kind: 'global' }, budget: { monthly: '4321.98' }, description: `${marker}-global` })
  await world.service.keys.create({ name: `${marker} the operator's`, roles: ['admin'] })
  const keys = (await world.service.keys.list()).map(({ id }) => id)
  const webhooks = (await world.ask(OPERATOR, 'GET', '/v1/webhooks')).json.items.map(({ id }: { id: string }) => id) as string[]
  const secret = new RegExp(`${marker}|98765\\.43|9876543000000|4321\\.9[89]|43219[89]000000`)
  return { ...world, marker, secret, guesses: [...GUESSES, ...keys, ...webhooks], ids: { keys, webhooks }, snapshot: () => snapshotOf(world, marker) }
}

/** Something of everything: users with spend, an open hold and a refusal, a session, a limit, a customer, a key, an endpoint. */
async function plant({ engine, service, ask }: TestApp, tenant: string, note: string, users: readonly string[]): Promise<void> {
  const { tracker } = engine
  const admin = caller(['admin'], tenant)
  await must(ask(OPERATOR, 'POST', '/v1/tenants', { id: tenant, name: `${note} limited` }))
  for (const [index, userId] of users.entries()) {
    const who = { userId, tenant }
    const id = (name: string): string => storeId(tenant, index === 0 ? `${name}-1` : `${note}-${name}`)
    const settled = await engine.check({ ...who, model: 'gpt-4o', estimatedCost: 0.05, idempotencyKey: id('settled'), metadata: { note } })
    if (settled.allowed) await settled.settle({ cost: 0.04 })
    await engine.check({ ...who, model: 'gpt-4o', estimatedCost: 0.06, idempotencyKey: id('hold'), holdTtl: '23h', metadata: { note } })
    await engine.check({ ...who, model: `${note}-model`, estimatedCost: 999, idempotencyKey: id('denied') })
    await tracker.addCost({ ...who, model: 'gpt-4o', cost: 0.01, idempotencyKey: id('cost') })
    await tracker.updateUserBudget(who, { weekly: 55.5 })
    const session = await engine.session({ ...who, id: index === 0 ? 'session-1' : `${note}-session`, maxCost: 0.5 })
    void session
    await must(ask(admin, 'POST', '/v1/customers', { id: userId, name: `${note} customer`, metadata: { note } }))
  }
  await tracker.limits.create({ id: `${tenant}/limit-1`, scope: { kind: 'tenant', id: tenant }, budget: { monthly: '77.5' }, description: `${note} limit` })
  await service.keys.create({ name: `${note} key`, roles: ['check'], tenant })
  await must(ask(admin, 'POST', '/v1/webhooks', { url: `http://127.0.0.1:9/${note}`, events: ['threshold.reached'] }))
}

async function must(asked: ReturnType<TestApp['ask']>): Promise<void> {
  const { status, text } = await asked
  if (status !== 201) throw new Error(`could not be planted: ${status} ${text}`)
}

async function snapshotOf({ engine }: TestApp, marker: string): Promise<string> {
  const { tracker } = engine
  // What the others have called after it is theirs.
  const isTheirs = (text: string): boolean => text.includes(marker) || (/\bglobex\b/.test(text) && !/\bacme\b/.test(text))
  const found: unknown[] = []
  for (const userId of ['gil', `${marker}-user`]) {
    const who = { userId, tenant: 'globex' }
    found.push(await tracker.getUserSummary(who), await tracker.getUserTier(who), await tracker.getUserOverrides(who))
  }
  for await (const ref of tracker.users()) if (ref.tenant === 'globex') found.push(ref)
  for (const limit of await tracker.limits.list()) if (!limit.id.startsWith('acme/')) found.push({ ...limit, spent: 0 })
  for await (const entry of tracker.entries({ where: { tenant: 'globex' } })) found.push(entry)
  for (const kind of KINDS) {
    const records: string[] = []
    for await (const { key, value } of tracker.registry.list(kind)) if (isTheirs(`${key} ${value}`)) records.push(`${kind} ${key} ${value}`)
    found.push(records.toSorted())
  }
  return JSON.stringify(found, null, 1)
}
