// A check over HTTP: what it is answered with, what it may say, and what it costs to ask again.

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { memoryStore, type BursarConfig } from '../../../src/index.js'
import { manualClock } from '../../../src/testing/index.js'
import { caller, OPERATOR, PLAIN_OPTIONS, testApp, type TestApp } from '../../support/server/app.js'
import { storeWith } from '../setting.js'

const ASK = caller(['check'])
const clock = manualClock()
let app: TestApp

const setUp = (config: Partial<BursarConfig> = {}, options = PLAIN_OPTIONS): TestApp => testApp({ config: { clock, ...config } as BursarConfig, options })

beforeEach(() => {
  clock.set(new Date('2026-01-15T12:00:00Z'))
  app = setUp()
})
afterEach(() => app.close())

describe('POST /v1/check', () => {
  it('answers what is allowed with the whole decision of the library, under the id that the client has chosen', async () => {
    const { status, headers, json } = await app.ask(ASK, 'POST', '/v1/check', { userId: 'ada', model: 'gpt-4o', estimatedCost: 0.25, metadata: { feature: 'chat' }, query: 'why?' }, { 'idempotency-key': 'job-1' })
    expect(status).toBe(200)
    expect(headers.get('content-type')).toBe('application/json')
    const same = await app.engine.check({ userId: 'ada', model: 'gpt-4o', estimatedCost: 0.25, metadata: { feature: 'chat' }, query: 'why?', idempotencyKey: '/job-1' })
    const { id: _id, replayed: _replayed, ...whole } = JSON.parse(JSON.stringify(same))
    expect(json).toEqual({ id: 'job-1', replayed: false, ...whole })
    expect(json).toMatchObject({ allowed: true, action: 'ALLOW', model: 'gpt-4o', estimatedCost: 0.25, exact: { estimatedMicrocents: 25_000_000 }, expiresAt: '2026-01-15T12:10:00.000Z', enforcedBy: 'store' })
  })

  it('tells the limits of the user’s own, and what is left of them, in header fields', async () => {
    const { headers } = await app.ask(ASK, 'POST', '/v1/check', { userId: 'ada', estimatedCost: 0.25 })
    expect(headers.get('ratelimit-policy')).toBe('"daily";q=100000000;qu="microcents";w=86400')
    expect(headers.get('ratelimit')).toBe('"daily";r=75000000;t=43200')
  })

  it('says no more than what to call and what is held where that is preferred, in batches too, and of a denial all the same', async () => {
    const ask = { userId: 'ada', model: 'gpt-4o', estimatedCost: 0.25 }
    const minimal = { prefer: 'respond-async, return=minimal' }
    const { headers, json } = await app.ask(ASK, 'POST', '/v1/check', ask, { ...minimal, 'idempotency-key': 'job-1' })
    const short = { id: 'job-1', allowed: true, action: 'ALLOW', model: 'gpt-4o', requestedModel: 'gpt-4o', estimatedCost: 0.25, exact: { estimatedMicrocents: 25_000_000 }, expiresAt: '2026-01-15T12:10:00.000Z', replayed: false, enforcedBy: 'store' }
    expect(json).toEqual(short)
    expect([headers.get('preference-applied'), headers.get('ratelimit')]).toEqual(['return=minimal', null])
    const batch = await app.ask(ASK, 'POST', '/v1/check/batch', { items: [{ ...ask, idempotencyKey: 'job-1' }] }, minimal)
    expect(batch.json.items).toEqual([{ status: 200, body: { ...short, replayed: true } }])
    expect((await app.ask(ASK, 'POST', '/v1/check', ask, { prefer: 'return=representation' })).json.context.windows).toHaveLength(3)
    const denied = await app.ask(ASK, 'POST', '/v1/check', { ...ask, estimatedCost: 5 }, minimal)
    expect([denied.status, denied.json.context.windows.length, denied.headers.get('preference-applied')]).toEqual([402, 3, null])
    expect((await app.ask(ASK, 'POST', '/v1/holds/job-1/settle', { cost: 0.1 })).status).toBe(200)
  })

  it('answers a denial with its own status, as a problem document that has all of the decision', async () => {
    await app.ask(ASK, 'POST', '/v1/costs', { userId: 'ada', cost: 0.9 })
    const { status, headers, json } = await app.ask(ASK, 'POST', '/v1/check', { userId: 'ada', estimatedCost: 0.5 }, { 'idempotency-key': 'job-2' })
    expect(status).toBe(402)
    expect(headers.get('content-type')).toBe('application/problem+json')
    expect(headers.get('retry-after')).toBe('43200')
    expect(json).toMatchObject({
      type: 'urn:bursar:denial:budget', title: 'Budget exceeded', status: 402, code: 'budget', instance: 'urn:bursar:decision:job-2', window: 'daily', limit: 1, used: 0.9, retryAfterMs: 43_200_000, largestFittingCost: 0.1,
      id: 'job-2', allowed: false, action: 'BLOCK', replayed: false, denial: { code: 'budget', decisionId: 'job-2', error: 'budget_exceeded' }, context: { windows: [{ period: 'daily', spent: 0.9 }, {}, {}] },
    })
  })

  it('answers a limit of requests with 429, and a policy with 403', async () => {
    await app.close()
    app = setUp({ tiers: { free: { rolling: { '1m': { requests: 1 } } } }, defaultTier: 'free' })
    app.engine.callbacks.register(Object.assign((context: { readonly model: string | undefined }) => (context.model === 'gpt-9' ? ('BLOCK' as const) : ('ALLOW' as const)), {}) as never)
    expect((await app.ask(ASK, 'POST', '/v1/check', { userId: 'ada', estimatedCost: 0 })).status).toBe(200)
    const fast = await app.ask(ASK, 'POST', '/v1/check', { userId: 'ada', estimatedCost: 0 })
    expect([fast.status, fast.json.code, Number(fast.headers.get('retry-after')) > 0]).toEqual([429, 'rate', true])
    const policy = await app.ask(ASK, 'POST', '/v1/check', { userId: 'bob', model: 'gpt-9', estimatedCost: 0 })
    expect([policy.status, policy.json.code]).toEqual([403, 'policy'])
  })

  it('answers with 503 while the store is away', async () => {
    await app.close()
    const memory = memoryStore({ clock })
    const fail = (): never => {
      throw new Error('ECONNREFUSED 10.0.0.7:6379')
    }
    app = setUp({ store: storeWith(memory, { shared: true, reserve: fail }) })
    const { status, headers, json, text } = await app.ask(caller(['check'], 'acme'), 'POST', '/v1/check', { userId: 'ada', estimatedCost: 0.1 })
    expect([status, json.code, json.allowed]).toEqual([503, 'store-unavailable', false])
    expect(text).not.toContain('10.0.0.7')
    const told = await app.ask(OPERATOR, 'POST', '/v1/check', { userId: 'ada', estimatedCost: 0.1 })
    for (const answer of [told, { headers, json }]) expect([answer.headers.get('retry-after'), answer.json.detail]).toEqual(['1', expect.stringMatching(/Ask again after Retry-After, with a new Idempotency-Key\.$/)])
  })

  it('gives a repeat the first decision, and says that it is one, and how it has ended', async () => {
    const ask = () => app.ask(ASK, 'POST', '/v1/check', { userId: 'ada', estimatedCost: 0.25, idempotencyKey: 'job-1' })
    expect((await ask()).json).toMatchObject({ replayed: false })
    expect((await ask()).json).toMatchObject({ id: 'job-1', replayed: true, allowed: true })
    await app.ask(ASK, 'POST', '/v1/holds/job-1/settle', { cost: 0.2 })
    expect((await ask()).json).toMatchObject({ id: 'job-1', replayed: true, ended: 'settled' })
    expect(await app.engine.tracker.getUserCost('ada')).toBe(0.2)
  })

  it('refuses the same id with other arguments, by the client’s own id', async () => {
    await app.ask(ASK, 'POST', '/v1/check', { userId: 'ada', estimatedCost: 0.25 }, { 'idempotency-key': 'a/b' })
    const { status, json } = await app.ask(ASK, 'POST', '/v1/check', { userId: 'ada', estimatedCost: 0.26 }, { 'idempotency-key': 'a/b' })
    expect([status, json.code]).toEqual([409, 'ID_REUSED'])
    expect(json.detail).toContain('id: "a/b" was used before')
  })

  it('takes one key from header and body, and refuses two', async () => {
    expect((await app.ask(ASK, 'POST', '/v1/check', { userId: 'ada', estimatedCost: 0, idempotencyKey: 'k' }, { 'idempotency-key': 'k' })).json.id).toBe('k')
    expect((await app.ask(ASK, 'POST', '/v1/check', { userId: 'ada', estimatedCost: 0, idempotencyKey: 'k' }, { 'idempotency-key': 'l' })).status).toBe(422)
  })

  it('gives every request without a key an id of its own, which can be settled', async () => {
    const [one, two] = [await app.ask(ASK, 'POST', '/v1/check', { userId: 'ada', estimatedCost: 0.1 }), await app.ask(ASK, 'POST', '/v1/check', { userId: 'ada', estimatedCost: 0.1 })]
    expect(one.json.id).not.toBe(two.json.id)
    expect((await app.ask(ASK, 'POST', `/v1/holds/${one.json.id}/settle`, { cost: 0.1 })).status).toBe(200)
  })

  it.each([
    ['no object', [], /request/],
    ['nothing', undefined, /request: is missing/],
    ['text', '"ada"', /request/],
    ['no user', { estimatedCost: 1 }, /^userId: is missing/],
    ['a number as user', { userId: 5, estimatedCost: 1 }, /^userId: 5 is no id/],
    ['half a surrogate as user', '{"userId":"\\ud800","estimatedCost":1}', /^userId/],
    ['half a surrogate as tenant', '{"userId":"a","tenant":"\\ud800","estimatedCost":1}', /^tenant/],
    ['null as tenant', { userId: 'ada', tenant: null, estimatedCost: 1 }, /^tenant/],
    ['an unknown field', { userId: 'ada', estimatedCost: 1, cost: 1 }, /cost/],
    ['a prototype', '{"userId":"ada","estimatedCost":1,"__proto__":{"userTier":"pro"}}', /__proto__/],
    ['a prototype in metadata', '{"userId":"ada","estimatedCost":1,"metadata":{"__proto__":{}}}', /metadata/],
    ['a negative estimate', { userId: 'ada', estimatedCost: -1 }, /estimatedCost/],
    ['an estimate beyond all numbers', '{"userId":"ada","estimatedCost":1e999}', /estimatedCost/],
    ['no estimate', { userId: 'ada' }, /estimatedCost/],
    ['an unknown tier', { userId: 'ada', userTier: 'gold', estimatedCost: 1 }, /gold/],
    ['a key with spaces', { userId: 'ada', estimatedCost: 1, idempotencyKey: 'a b' }, /^id: is no id/],
    ['an empty key', { userId: 'ada', estimatedCost: 1, idempotencyKey: '' }, /^id: is no id/],
    ['a key that is a number', { userId: 'ada', estimatedCost: 1, idempotencyKey: 5 }, /^idempotencyKey: 5/],
    ['a key that is too long', { userId: 'ada', estimatedCost: 1, idempotencyKey: 'x'.repeat(129) }, /^id: is no id/],
    ['a hold for a year', { userId: 'ada', estimatedCost: 1, holdTtl: '365d' }, /^holdTtl: "365d" is longer/],
    ['a user that no address can name', { userId: '..', estimatedCost: 1 }, /^userId: "\.\." cannot/],
    ['a key that no address can name', { userId: 'ada', estimatedCost: 1, idempotencyKey: '.' }, /^id: is no id/],
    ['what is neither dry nor not', { userId: 'ada', estimatedCost: 1, dryRun: 'yes' }, /^dryRun/],
    ['a call that is not dry, and says so', { userId: 'ada', estimatedCost: 1, dryRun: false }, /^dryRun/],
    ['a key of what cannot be repeated', { userId: 'ada', estimatedCost: 1, dryRun: true, idempotencyKey: 'k' }, /^dryRun.*Idempotency-Key/],
    ['a dry hold for a year', { userId: 'ada', estimatedCost: 1, dryRun: true, holdTtl: '365d' }, /^holdTtl/],
    ['an unknown field of a dry run', { userId: 'ada', estimatedCost: 1, dryRun: true, cost: 1 }, /cost/],
    ['a hold for no time', { userId: 'ada', estimatedCost: 1, holdTtl: 'soon' }, /^holdTtl/],
    ['a list of scopes', { userId: 'ada', estimatedCost: 1, scopes: ['a'] }, /scopes/],
  ])('refuses %s, and holds nothing', async (_what, body, said) => {
    const { status, json } = await app.ask(ASK, 'POST', '/v1/check', body)
    expect([status, json.status]).toEqual([422, 422])
    expect(json.detail).toMatch(said)
    expect((await app.engine.tracker.getUserSummary('ada')).periodCosts['daily']).toMatchObject({ held: 0 })
  })

  it('holds money for as long as is asked, up to a day', async () => {
    const { json } = await app.ask(ASK, 'POST', '/v1/check', { userId: 'ada', estimatedCost: 0.1, holdTtl: '24h' })
    expect(json.expiresAt).toBe('2026-01-16T12:00:00.000Z')
  })

  it('only says what would be decided in a dry run: nothing is counted, and nothing stays held', async () => {
    await app.close()
    app = setUp({ tiers: { free: { daily: 1, rolling: { '1m': { requests: 1 } } } }, defaultTier: 'free' })
    const dry = (estimatedCost: number) => app.ask(ASK, 'POST', '/v1/check', { userId: 'ada', estimatedCost, dryRun: true })
    for (let time = 0; time < 3; time += 1) expect(await dry(0.9)).toMatchObject({ status: 200, json: { allowed: true, dryRun: true, replayed: false, estimatedCost: 0.9 } })
    expect((await app.engine.tracker.getUserSummary('ada')).periodCosts['daily']).toMatchObject({ held: 0, cost: 0 })
    expect(await dry(1.1)).toMatchObject({ status: 402, json: { allowed: false, dryRun: true } })
    const { json } = await dry(0.5)
    expect((await app.ask(ASK, 'POST', `/v1/holds/${json.id}/settle`, { cost: 0.5 })).status).toBe(409)
    const { json: batch } = await app.ask(ASK, 'POST', '/v1/check/batch', { items: [{ userId: 'ada', estimatedCost: 0.1, dryRun: true }, { userId: 'ada', estimatedCost: 0.1 }] })
    expect(batch.items.map(({ body }: { readonly body: { readonly dryRun?: true; readonly allowed: boolean } }) => [body.allowed, body.dryRun])).toEqual([[true, true], [true, undefined]])
    expect((await app.ask(caller(['check'], 'acme', 'ada'), 'POST', '/v1/check', { estimatedCost: 0.5, dryRun: true })).json).toMatchObject({ allowed: true, context: { userId: 'ada', tenant: 'acme' } })
  })

  it('answers a dry run whose hold cannot be given back, which then ends by itself in five seconds, uncharged', async () => {
    await app.close()
    const memory = memoryStore({ clock })
    app = setUp({
      store: storeWith(memory, {
        release: () => {
          throw new Error('ECONNRESET')
        },
      }),
    })
    expect(await app.ask(ASK, 'POST', '/v1/check', { userId: 'ada', estimatedCost: 0.9, dryRun: true })).toMatchObject({ status: 200, json: { allowed: true, dryRun: true } })
    const daily = async () => (await app.engine.tracker.getUserSummary('ada')).periodCosts['daily']
    expect(await daily()).toMatchObject({ held: 0.9, cost: 0 })
    clock.advance('5s')
    expect(await daily()).toMatchObject({ held: 0, cost: 0 })
  })

  it('is for keys with the role check', async () => {
    expect((await app.ask(caller(['read']), 'POST', '/v1/check', { userId: 'ada', estimatedCost: 0 })).status).toBe(403)
    expect((await app.ask(OPERATOR, 'POST', '/v1/check', { userId: 'ada', estimatedCost: 0 })).status).toBe(200)
  })

  it('calls a reserve that the engine itself has sent again no repeat', async () => {
    await app.close()
    const memory = memoryStore({ clock })
    let isLost = false
    app = setUp({
      store: storeWith(memory, {
        reserve: (request) => {
          const reply = memory.reserve(request)
          if (isLost) return reply
          isLost = true
          throw new Error('the reply was lost')
        },
      }),
    })
    const { status, json } = await app.ask(ASK, 'POST', '/v1/check', { userId: 'ada', estimatedCost: 0.1 })
    expect([status, json.allowed, json.replayed]).toEqual([200, true, false])
  })
})

describe('POST /v1/check/batch', () => {
  it('answers each item by itself, in their order', async () => {
    const items = [{ userId: 'ada', estimatedCost: 0.4, idempotencyKey: 'a' }, { userId: 'ada', estimatedCost: -1 }, null, { userId: 'ada', estimatedCost: 5 }, { userId: 'bob', estimatedCost: 0.1 }]
    const { status, json } = await app.ask(ASK, 'POST', '/v1/check/batch', { items })
    expect(status).toBe(200)
    expect(json.items.map((item: { readonly status: number }) => item.status)).toEqual([200, 422, 422, 402, 200])
    expect(json.items[0].body).toMatchObject({ id: 'a', allowed: true })
    expect(json.items[1].body).toMatchObject({ code: 'INVALID_AMOUNT', status: 422 })
    expect(json.items[3].body).toMatchObject({ allowed: false, code: 'budget' })
  })

  it('takes items with one key as repeats of the first', async () => {
    const item = { userId: 'ada', estimatedCost: 0.4, idempotencyKey: 'a' }
    const { json } = await app.ask(ASK, 'POST', '/v1/check/batch', { items: [item, item, { ...item, estimatedCost: 0.5 }, item] })
    expect(json.items.map(({ status, body }: { readonly status: number; readonly body: { readonly replayed?: boolean } }) => [status, body.replayed])).toEqual([[200, false], [200, true], [409, undefined], [200, true]])
    expect((await app.engine.tracker.getUserSummary('ada')).periodCosts['daily']).toMatchObject({ held: 0.4 })
  })

  it('lets no more through than one after another', async () => {
    const items = Array.from({ length: 1_000 }, () => ({ userId: 'ada', estimatedCost: 0.01 }))
    const { json } = await app.ask(ASK, 'POST', '/v1/check/batch', { items })
    expect(json.items.map(({ status }: { readonly status: number }) => status)).toEqual([...Array(100).fill(200), ...Array(900).fill(402)])
  })

  it.each([
    ['no list', { items: 'a' }],
    ['an unknown field', { items: [], more: 1 }],
    ['no object', [1]],
    ['more than a thousand', { items: Array.from({ length: 1_001 }, () => ({})) }],
  ])('refuses %s as a whole', async (_what, body) => {
    expect((await app.ask(ASK, 'POST', '/v1/check/batch', body)).status).toBe(422)
  })

  it('refuses a key for all of them', async () => {
    const { status, json } = await app.ask(ASK, 'POST', '/v1/check/batch', { items: [] }, { 'idempotency-key': 'k' })
    expect([status, json.detail.startsWith('Idempotency-Key:')]).toEqual([422, true])
  })
})
