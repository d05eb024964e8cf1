// What bursar itself writes into entries: what of it is somebody's is replaced, and what is bursar's own stays whoever is called like it.

import { describe, expect, it } from 'vitest'
import { anonymised, Bursar, memoryLedger, type AnonymisableField, type LedgerEntry } from '../../../src/index.js'
import { limitScope } from '../../../src/budget/index.js'
import { manualClock } from '../../../src/testing/index.js'
import { allOf } from '../setting.js'

const hash = (text: string): string => `h${[...text].reduce((sum, letter) => (sum * 31 + (letter.codePointAt(0) as number)) % 1_000_003, 7)}`
const base: LedgerEntry = { id: 'e', kind: 'settled', at: 5, decisionId: 'd', userId: 'ada', microcents: 7, tokens: 3, charged: [] }
const limit = { id: 'cap-ada', scope: { kind: 'user', id: 'ada', tenant: 'acme' }, budget: { daily: 5, rolling: { '5h': 1 } }, mode: 'block', from: 5, description: 'for Ada of acme' }

async function one(fields: readonly AnonymisableField[], entry: Partial<LedgerEntry>): Promise<LedgerEntry> {
  const inner = memoryLedger()
  await anonymised(inner, { fields, using: hash }).write([{ ...base, ...entry }])
  return (await allOf(inner.entries()))[0] as LedgerEntry
}

const configured = async (fields: readonly AnonymisableField[], reason: string, metadata: Readonly<Record<string, unknown>>, more: Partial<LedgerEntry> = {}): Promise<unknown> =>
  (await one(fields, { kind: 'configured', reason, metadata, ...more })).metadata

describe('what bursar writes about changes', () => {
  it('hides the sessions around a session', async () => {
    expect(await configured(['sessionId'], 'session opened', { maxCost: 1, parents: ['run', 'outer'], startsAt: 1, endsAt: 2 }, { sessionId: 'step' })).toEqual({ maxCost: 1, parents: [hash('run'), hash('outer')], startsAt: 1, endsAt: 2 })
    expect(await configured(['userId'], 'session opened', { parents: ['ada-1'] })).toEqual({ parents: [`${hash('ada')}-1`] })
  })

  it('hides tiers, where they changed, where a tenant has one, and where a payment brought one', async () => {
    expect(await configured(['tier'], 'tier', { from: 'free', to: 'pro', cause: 'moved from Free to pro' })).toEqual({ from: hash('free'), to: hash('pro'), cause: `moved from ${hash('free')} to ${hash('pro')}` })
    expect(await configured(['tier'], 'tenant set', { tier: 'pro', models: ['gpt-4o'] })).toEqual({ tier: hash('pro'), models: ['gpt-4o'] })
    const billing = { tier: 'pro', standing: 'active', customers: ['cus_ada'], passedOver: [{ subscription: 's', status: 'active', tier: 'max' }], period: { startsAt: 1, endsAt: 2 }, reason: 'pro it is', fence: 3 }
    expect(await configured(['tier', 'userId'], 'billing', billing)).toEqual({ ...billing, tier: hash('pro'), customers: [`cus_${hash('ada')}`], passedOver: [{ subscription: 's', status: 'active', tier: hash('max') }], reason: `${hash('pro')} it is` })
  })

  it.each<AnonymisableField>(['model', 'requestedModel'])('hides both models and those of a tenant where %s is chosen', async (field) => {
    expect(await configured([field], 'tenant set', { tier: 'gpt', models: ['gpt*', 'o3'] })).toEqual({ tier: 'gpt', models: [hash('gpt*'), hash('o3')] })
    const rungs = ['gpt', 'mini', 'nano'].map((model) => ({ model, microcents: 1, tokens: 0 }))
    const entry = await one([field], { requestedModel: 'gpt', model: 'mini', rungs, sessionId: 'gpt', metadata: { why: 'GPT, or nano' } })
    expect(entry).toMatchObject({ requestedModel: hash('gpt'), model: hash('mini'), rungs: ['gpt', 'mini', 'nano'].map((model) => ({ model: hash(model) })), sessionId: 'gpt', metadata: { why: `${hash('gpt')}, or ${hash('nano')}` } })
  })

  it('hides whom a limit is for, and in its id and description too', async () => {
    const ada = hash('ada')
    for (const reason of ['limit created', 'limit changed']) {
      expect(await configured(['userId', 'tenant'], reason, { limit }, { userId: '' })).toEqual({ limit: { ...limit, id: `cap-${ada}`, scope: { kind: 'user', id: ada, tenant: hash('acme') }, description: `for ${ada} of ${hash('acme')}` } })
    }
    expect(await configured(['tier', 'scopes.team'], 'limit created', { limit: { ...limit, scope: { kind: 'team', id: 'search' } } }, { userId: '' })).toMatchObject({ limit: { scope: { kind: 'team', id: hash('search') } } })
    expect(await configured(['userId'], 'limit created', { limit: { ...limit, scope: { kind: 'user', id: '*' } } }, { userId: '' })).toEqual({ limit: { ...limit, scope: { kind: 'user', id: '*' } } })
    expect(await configured(['userId'], 'limit removed', { id: 'cap-ada' })).toEqual({ id: `cap-${ada}` })
  })

  it('sweeps what it does not know as any text', async () => {
    expect(await configured(['userId'], 'moved', { to: 'ada', budget: 'of Ada' })).toEqual({ to: hash('ada'), budget: `of ${hash('ada')}` })
    expect(await configured(['userId'], 'tier', { from: 'ada', by: 'ada' })).toEqual({ from: 'ada', by: hash('ada') })
    expect(await one(['userId'], { kind: 'configured', reason: 'ada has moved' })).toMatchObject({ reason: `${hash('ada')} has moved` })
  })

  it('leaves its own words, whoever is called like them', async () => {
    for (const [userId, entry] of [
      ['assigned', { kind: 'corrected', reason: 'assigned', calls: 1, id: 'x:assigned:to' }],
      ['audit', { kind: 'corrected', reason: 'audit', id: 'audit:1', decisionId: 'audit:1', metadata: { requests: 2 } }],
      ['2', { kind: 'corrected', reason: 'audit', id: 'audit:1', decisionId: 'audit:1', metadata: { requests: 2, entries: 2 } }],
      ['budget', { kind: 'denied', reason: 'budget' }],
      ['limit', { kind: 'configured', reason: 'limit created', metadata: { limit: { id: 'x', scope: { kind: 'global' }, budget: { daily: 1 }, mode: 'block' } } }],
      ['user', { kind: 'configured', reason: 'limit changed', metadata: { limit: { id: 'x', scope: { kind: 'user', id: '*' }, budget: { daily: 1 }, mode: 'block' } } }],
      ['block', { kind: 'configured', reason: 'limit changed', metadata: { limit: { id: 'x', scope: { kind: 'global' }, budget: { daily: 1 }, mode: 'block' } } }],
      ['daily', { kind: 'configured', reason: 'budget override', metadata: { budget: { daily: '5' }, until: null }, charged: [{ scope: { kind: 'global', id: 'daily' }, window: 'daily/usd', startsAt: 0 }] }],
      ['active', { kind: 'configured', reason: 'billing', metadata: { standing: 'active', customers: [] } }],
      ['tier', { kind: 'configured', reason: 'tier', metadata: { from: 'a', to: 'b' } }],
      ['project', { metadata: { project: 'apollo' }, scopes: { project: 'p' }, details: { labels: { project: 1 } } }],
    ] as const) {
      expect(await one(['userId', 'reason'], { userId, ...entry })).toEqual(expect.objectContaining({ ...entry, userId: hash(userId) }))
    }
  })

  it('takes an application\'s reason for its own, also where it is one of these words', async () => {
    expect(await one(['userId'], { userId: 'assigned', kind: 'corrected', reason: 'assigned' })).toMatchObject({ reason: hash('assigned') })
    expect(await one(['reason'], { kind: 'corrected', reason: 'audit', metadata: { note: 'Audit' } })).toMatchObject({ reason: hash('audit'), metadata: { note: hash('audit') } })
  })
})

describe('whom a limit counts apart', () => {
  const charged = (member: string): LedgerEntry['charged'] => [{ scope: limitScope({ limitId: 'each', member }), window: 'w', startsAt: 0 }]

  it.each<[AnonymisableField, string]>([['tier', 'pro'], ['tenant', 'acme'], ['scopes.team', 'search'], ['userId', 'ada']])('is hidden where it is a %s and that is chosen, and stays where it is not', async (field, member) => {
    const entry = { tenant: 'acme', tier: 'pro', scopes: { team: 'search' }, charged: charged(member) }
    const fields: readonly AnonymisableField[] = ['tier', 'tenant', 'scopes.team', 'userId']
    expect((await one([field], entry)).charged).toEqual(charged(hash(member)))
    expect((await one(fields.filter((other) => other !== field), entry)).charged).toEqual(charged(member))
  })

  it('is hidden where the entry does not say who it is', async () => {
    const entry = { userId: '', kind: 'corrected' as const, charged: charged('bob') }
    expect((await one(['metadata.x', 'scopes.team'], entry)).charged).toEqual(charged(hash('bob')))
    expect((await one(['metadata.x'], entry)).charged).toEqual(charged('bob'))
  })
})

describe('chosen metadata', () => {
  it('is replaced as a whole, whatever it is, and what it says is swept from other texts', async () => {
    const metadata = { number: 5_550_101, flag: true, list: ['x@y.test'], object: { mail: 'Bob@y.test' }, note: 'call 5550101, x@y.test or bob@y.test', copies: [5_550_101, 4, { mail: 'Bob@y.test' }] }
    const entry = await one(['metadata.number', 'metadata.flag', 'metadata.list', 'metadata.object'], { metadata, reason: '5550101!', sessionId: '5550101' })
    const phone = hash('5550101')
    expect(entry).toMatchObject({ reason: `${phone}!`, sessionId: '5550101' })
    expect(entry.metadata).toEqual({
      number: phone, flag: hash('true'), list: hash('["x@y.test"]'), object: hash('{"mail":"Bob@y.test"}'),
      note: `call ${phone}, ${hash('x@y.test')} or ${hash('Bob@y.test')}`, copies: [phone, 4, { mail: hash('Bob@y.test') }],
    }) // prettier-ignore
  })

  it('is reached within objects and lists, and under a key with dots', async () => {
    const metadata = { user: { email: 'a@b.test', plan: 'pro', phones: [{ home: 'p1' }, { home: 'p2' }] }, 'user.email': 'c@d.test', note: 'A@b.test, p2', email: 'other' }
    expect((await one(['metadata.user.email', 'metadata.user.phones.home'], { metadata })).metadata).toEqual({
      user: { email: hash('a@b.test'), plan: 'pro', phones: [{ home: hash('p1') }, { home: hash('p2') }] },
      'user.email': hash('c@d.test'), note: `${hash('a@b.test')}, ${hash('p2')}`, email: 'other',
    }) // prettier-ignore
  })

  it('is reached in what bursar writes', async () => {
    expect(await configured(['metadata.limit.description', 'metadata.customers'], 'limit changed', { limit })).toEqual({ limit: { ...limit, description: hash(limit.description) } })
    expect(await configured(['metadata.customers'], 'billing', { customers: ['cus_1'] })).toEqual({ customers: hash('["cus_1"]') })
  })

  it('keeps apart what has become the same key', async () => {
    expect((await one(['userId'], { metadata: { spent: { ada: 1, Ada: 2, bob: 3 } } })).metadata).toEqual({ spent: { [hash('ada')]: 1, [`${hash('ada')} (2)`]: 2, bob: 3 } })
  })
})

it('hides models that only the chosen fields of the entry name: what else a text says of models is the application\'s', async () => {
  expect(await one(['model'], { requestedModel: 'small', metadata: { note: 'small, not big' } })).toMatchObject({ metadata: { note: `${hash('small')}, not big` } })
})

it('leaves no trace in anything that an engine writes about sessions, limits, tenants, tiers and payments', async () => {
  const bursar = new Bursar({ tiers: { basic: { daily: 1 }, premium: { daily: 9 } }, defaultTier: 'basic', scopes: { team: { '*': { daily: 100 } } }, clock: manualClock() })
  const { tracker, limits } = bursar
  const user = { userId: 'lovelace', tenant: 'acmecorp' }
  await limits.create({ id: 'each', scope: { kind: 'tier', id: '*' }, budget: { daily: 50 } })
  await limits.create({ id: 'of-lovelace', scope: { kind: 'user', id: 'lovelace', tenant: 'acmecorp' }, budget: { daily: 50 }, description: 'Lovelace of Acmecorp' })
  await limits.create({ id: 'all-users', scope: { kind: 'user', id: '*' }, budget: { daily: 50 } })
  await limits.change('of-lovelace', { budget: { daily: 40 } })
  await limits.tenants.set('acmecorp', { tier: 'premium', models: ['bigmodel', 'smallmodel*'] })
  await tracker.setUserTier(user, 'premium')
  await tracker.setUserBilling(user, { tier: 'basic', standing: 'active', customers: ['cus_lovelace'], reason: 'basic now', fence: 1 })
  const session = await bursar.session({ ...user, id: 'parentrun', maxCost: 1 })
  const nested = await session.session({ id: 'childrun', maxCost: 0.5 })
  const metadata = { user: { email: 'deep@mail.test' }, phone: 123_456_789, note: 'deep%40mail.test, 123456789; LOVELACE' }
  const decision = await nested.check({ model: 'bigmodel', estimatedCost: 0.1, scopes: { team: 'searchteam' }, metadata })
  if (!decision.allowed) throw new Error(decision.reason)
  await decision.settle({ cost: 0.1 })
  await bursar.check({ ...user, model: 'smallmodel-1', estimatedCost: 500, scopes: { team: 'searchteam' }, metadata })
  const sink = memoryLedger()
  const fields = ['userId', 'tenant', 'tier', 'sessionId', 'model', 'scopes.team', 'metadata.user.email', 'metadata.phone'] as const
  await anonymised(sink, { fields, using: hash }).write(await allOf(tracker.entries()))
  const text = JSON.stringify(await allOf(sink.entries())).toLowerCase()
  for (const reason of ['limit created', 'limit changed', 'tenant set', 'tier', 'billing', 'session opened', 'budget']) expect(text).toContain(`"reason":"${reason}"`)
  for (const plain of ['lovelace', 'acmecorp', 'basic', 'premium', 'parentrun', 'childrun', 'searchteam', 'bigmodel', 'smallmodel', 'mail.test', '123456789']) expect(text).not.toContain(plain)
})
