// The life of a hold over HTTP: settled by cost or by usage, released, extended, by the client's own id.

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { memoryStore, PriceBook, type BursarConfig } from '../../../src/index.js'
import { manualClock } from '../../../src/testing/index.js'
import { caller, OPERATOR, testApp, type TestApp } from '../../support/server/app.js'
import { storeWith } from '../setting.js'

const ASK = caller(['check'])
const ACME = caller(['check'], 'acme')
const clock = manualClock()
const prices = new PriceBook({
  models: { 'gpt-4o': { input: 2, output: 10 }, dated: [{ input: 3 }, { input: 9, from: '2026-01-16' }] },
  tenants: { acme: { 'gpt-4o': { input: 1, output: 5 } } },
})
let app: TestApp

const hold = (id: string, as = ASK, estimatedCost = 0.25, more = {}) => app.ask(as, 'POST', '/v1/check', { userId: 'ada', estimatedCost, ...more }, { 'idempotency-key': id })
const held = async (tenant?: string) => (await app.engine.tracker.getUserSummary(tenant === undefined ? 'ada' : { userId: 'ada', tenant })).periodCosts['daily']

beforeEach(() => {
  clock.set(new Date('2026-01-15T12:00:00Z'))
  app = testApp({ config: { clock, prices } as BursarConfig })
})
afterEach(() => app.close())

describe('settling', () => {
  it('charges the cost, and what is above the hold as overage', async () => {
    await hold('h')
    const { status, json } = await app.ask(ASK, 'POST', '/v1/holds/h/settle', { cost: 0.3 })
    expect([status, json]).toEqual([200, { id: 'h', cost: 0.3, overage: 0.05, replayed: false, exact: { costMicrocents: 30_000_000, overageMicrocents: 5_000_000 } }])
    expect(await held()).toMatchObject({ held: 0, cost: 0.3 })
  })

  it('answers a repeat with the first result, and another cost with 409', async () => {
    await hold('h')
    await app.ask(ASK, 'POST', '/v1/holds/h/settle', { cost: 0.2 })
    expect((await app.ask(ASK, 'POST', '/v1/holds/h/settle', { cost: '0.2' })).json).toMatchObject({ cost: 0.2, replayed: true })
    const other = await app.ask(ASK, 'POST', '/v1/holds/h/settle', { cost: 0.21 })
    expect([other.status, other.json.code]).toEqual([409, 'ALREADY_ENDED'])
    expect(other.json.detail).toContain('hold "h" is already settled')
    expect(other.json.detail).not.toContain('tracker.')
    expect(await app.engine.tracker.getUserCost('ada')).toBe(0.2)
  })

  it('prices usage, at the tenant’s own prices', async () => {
    await hold('h')
    await hold('h', ACME)
    const outcome = { usage: { inputTokens: 10_000, outputTokens: 2_000 }, model: 'gpt-4o' }
    expect((await app.ask(ASK, 'POST', '/v1/holds/h/settle', outcome)).json).toMatchObject({ cost: 0.04, replayed: false })
    expect((await app.ask(ACME, 'POST', '/v1/holds/h/settle', outcome)).json).toMatchObject({ cost: 0.02, replayed: false })
    expect((await app.ask(ACME, 'POST', '/v1/holds/h/settle', outcome)).json).toMatchObject({ cost: 0.02, replayed: true })
    const charged = []
    for await (const entry of app.engine.tracker.entries()) if (entry.kind === 'settled') charged.push(entry)
    expect(charged).toMatchObject([{ microcents: 4_000_000, tokens: 12_000, model: 'gpt-4o', details: { usage: outcome.usage } }, { microcents: 2_000_000, tenant: 'acme' }])
  })

  it('prices usage by the moment and the provider of the decision, and a repeat after a change of prices is a replay', async () => {
    await hold('h', ASK, 0.25, { model: 'dated', holdTtl: '20h' })
    clock.set(new Date('2026-01-16T06:00:00Z'))
    for (const replayed of [false, true]) {
      expect(await app.ask(ASK, 'POST', '/v1/holds/h/settle', { usage: { inputTokens: 1_000 } })).toMatchObject({ status: 200, json: { cost: 0.003, replayed } })
      clock.advance('8h')
    }
    for await (const entry of app.engine.tracker.entries()) expect(entry).toMatchObject({ model: 'dated', details: { usage: { inputTokens: 1_000 }, priceVersion: expect.stringContaining('dated') as string } })
  })

  it.each([
    ['openai', { prompt_tokens: 10_000, completion_tokens: 2_000, total_tokens: 12_000 }],
    ['anthropic', { input_tokens: 10_000, output_tokens: 2_000 }],
  ])('takes usage as %s reports it', async (usageFormat, usage) => {
    await hold('h')
    expect((await app.ask(ASK, 'POST', '/v1/holds/h/settle', { usage, usageFormat, model: 'gpt-4o' })).json).toMatchObject({ cost: 0.04 })
    await hold('i')
    const { json } = await app.ask(ASK, 'POST', '/v1/holds/settle/batch', { items: [{ id: 'i', usage, usageFormat, model: 'gpt-4o' }] })
    expect(json.items).toMatchObject([{ status: 200, body: { cost: 0.04 } }])
  })

  it('is answered when the webhooks that it has caused are written down', async () => {
    await hold('h')
    const order: string[] = []
    const { webhooks } = app.service
    webhooks.written = async () => {
      await new Promise((resolve) => setImmediate(resolve))
      order.push('written')
    }
    await app.ask(ASK, 'POST', '/v1/holds/h/settle', { cost: 0.2 }).then(() => order.push('answered'))
    expect(order).toEqual(['written', 'answered'])
  })

  it('takes a cost that the provider has reported in its usage, without a price', async () => {
    await hold('h')
    expect((await app.ask(ASK, 'POST', '/v1/holds/h/settle', { usage: { inputTokens: 1, cost: 0.07 }, model: 'unheard-of' })).json).toMatchObject({ cost: 0.07 })
  })

  it.each([
    ['nothing', {}, /^cost: is missing/],
    ['no body', undefined, /^outcome: is missing/],
    ['an unknown field', { cost: 1, price: 1 }, /price/],
    ['a negative cost', { cost: -1 }, /cost/],
    ['usage without a model', { usage: { inputTokens: 1 } }, /^model: is missing/],
    ['usage with a model without a price', { usage: { inputTokens: 1 }, model: 'gpt-9' }, /gpt-9.* no price/],
    ['usage of unknown fields', { usage: { prompt_tokens: 1 }, model: 'gpt-4o' }, /prompt_tokens/],
    ['usage that is none', { usage: 5, model: 'gpt-4o' }, /^usage/],
    ['a format of usage that is none', { usage: { inputTokens: 1 }, usageFormat: 'gemini', model: 'gpt-4o' }, /^usageFormat/],
    ['a format without usage', { cost: 0.1, usageFormat: 'openai' }, /^usage: is missing/],
    ['usage of another format', { usage: { input_tokens: -1, output_tokens: 1 }, usageFormat: 'anthropic', model: 'gpt-4o' }, /input/],
    ['tokens that are none', { cost: 0.1, tokens: -1 }, /tokens/],
    ['an estimate that is not true', { cost: 0.1, estimated: false }, /estimated/],
  ])('refuses %s, and the hold stands', async (_what, outcome, said) => {
    await hold('h')
    const { status, json } = await app.ask(ASK, 'POST', '/v1/holds/h/settle', outcome)
    expect(status).toBe(422)
    expect(json.detail).toMatch(said)
    expect(await held()).toMatchObject({ held: 0.25, cost: 0 })
  })

  it('says that prices are missing, where none are configured', async () => {
    await app.close()
    app = testApp({ config: { clock } as BursarConfig })
    await hold('h')
    const { status, json } = await app.ask(ASK, 'POST', '/v1/holds/h/settle', { usage: { inputTokens: 1 }, model: 'gpt-4o' })
    expect([status, json.code]).toEqual([422, 'PRICES_NOT_CONFIGURED'])
    expect(json.detail).toContain('cost in USD')
    expect(json.detail).not.toContain('priceBook')
  })

  it('answers 404 for an unknown id, by the id of the client', async () => {
    const { status, json } = await app.ask(ACME, 'POST', '/v1/holds/nope/settle', { cost: 0.1 })
    expect([status, json.code]).toEqual([404, 'UNKNOWN_HOLD'])
    expect(json.detail).toContain('no hold "nope"')
  })

  it('answers 202 while the store is away, and charges when it is back', async () => {
    await app.close()
    const memory = memoryStore({ clock })
    const away = { is: false }
    app = testApp({
      config: {
        clock,
        store: storeWith(memory, {
          shared: true,
          settle: (request) => {
            if (away.is) throw new Error('ECONNREFUSED')
            return memory.settle(request)
          },
        }),
      } as BursarConfig,
    })
    await hold('h')
    away.is = true
    // Whether there is such a hold, only the store knows: what it costs is kept all the same.
    expect(await app.ask(ASK, 'POST', '/v1/holds/nobody/settle', { cost: 0.9 })).toMatchObject({ status: 202, json: { queued: true } })
    const { status, json } = await app.ask(ASK, 'POST', '/v1/holds/h/settle', { cost: 0.2 })
    expect([status, json.queued, json.cost]).toEqual([202, true, 0.2])
    away.is = false
  })

  it('lets the operator settle the holds of a tenant by naming it', async () => {
    await hold('h', ACME)
    expect((await app.ask(OPERATOR, 'POST', '/v1/holds/h/settle', { cost: 0.1 })).status).toBe(404)
    expect((await app.ask(OPERATOR, 'POST', '/v1/holds/h/settle?tenant=acme', { cost: 0.1 })).json).toMatchObject({ id: 'h', cost: 0.1 })
    expect((await app.ask(OPERATOR, 'POST', '/v1/holds/h/settle?tenant=acme&more=1', { cost: 0.1 })).status).toBe(422)
    expect((await app.ask(OPERATOR, 'POST', '/v1/holds/h/settle?tenant=a&tenant=b', { cost: 0.1 })).status).toBe(422)
  })

  it('finds ids with characters that a path must escape', async () => {
    const id = 'a/b?c#d%25é'.replace('é', '')
    await hold(id)
    expect((await app.ask(ASK, 'POST', `/v1/holds/${encodeURIComponent(id)}/settle`, { cost: 0.1 })).json).toMatchObject({ id })
  })
})

describe('a batch of settles', () => {
  it('answers each by itself, in their order, and repeats as repeats', async () => {
    await hold('a')
    await hold('b')
    const items = [{ id: 'a', cost: 0.1 }, { id: 'zz', cost: 0.1 }, { id: 'a', cost: 0.1 }, { id: 'a', cost: 0.2 }, { cost: 0.2 }, 5, { id: 'b', usage: { inputTokens: 1_000 }, model: 'gpt-4o' }]
    const { status, json } = await app.ask(ASK, 'POST', '/v1/holds/settle/batch', { items })
    expect(status).toBe(200)
    expect(json.items.map((item: { readonly status: number }) => item.status)).toEqual([200, 404, 200, 409, 422, 422, 200])
    expect(json.items.map(({ body }: { readonly body: { readonly replayed?: boolean } }) => body.replayed)).toEqual([false, undefined, true, undefined, undefined, undefined, false])
    expect(json.items[1].body.detail).toContain('"zz"')
    expect(await app.engine.tracker.getUserCost('ada')).toBe(0.102)
  })
})

describe('releasing', () => {
  it('gives the money back, once and for all', async () => {
    await hold('h')
    expect(await app.ask(ASK, 'POST', '/v1/holds/h/release')).toMatchObject({ status: 204, text: '' })
    expect(await held()).toMatchObject({ held: 0, cost: 0 })
    expect((await app.ask(ASK, 'POST', '/v1/holds/h/release', {})).status).toBe(204)
    expect((await app.ask(ASK, 'POST', '/v1/holds/h/settle', { cost: 0.1 })).status).toBe(409)
    expect((await app.ask(ASK, 'POST', '/v1/holds/nope/release')).status).toBe(404)
    expect((await app.ask(ASK, 'POST', '/v1/holds/h/release', { cost: 1 })).status).toBe(422)
  })

  it('is refused after a settle, and says so', async () => {
    await hold('h')
    await app.ask(ASK, 'POST', '/v1/holds/h/settle', { cost: 0.1 })
    const { status, json } = await app.ask(ASK, 'POST', '/v1/holds/h/release')
    expect([status, json.code]).toEqual([409, 'ALREADY_ENDED'])
    expect(json.detail).toMatch(/^id: hold "h" is already settled.*POST \/v1\/refunds/)
    expect(await held()).toMatchObject({ held: 0, cost: 0.1 })
  })

  it('gives back what an expired hold was charged', async () => {
    await hold('h')
    clock.advance('11m')
    expect(await held()).toMatchObject({ cost: 0.25 })
    expect((await app.ask(ASK, 'POST', '/v1/holds/h/release')).status).toBe(204)
    expect(await held()).toMatchObject({ held: 0, cost: 0 })
  })
})

describe('extending', () => {
  it('holds for so long from now on, at most a day', async () => {
    await hold('h')
    clock.advance('5m')
    expect((await app.ask(ASK, 'POST', '/v1/holds/h/extend', { ttl: '1h' })).json).toEqual({ id: 'h', expiresAt: '2026-01-15T13:05:00.000Z' })
    expect((await app.ask(ASK, 'POST', '/v1/holds/h/extend')).json.expiresAt).toBe('2026-01-15T13:05:00.000Z')
    for (const body of [{ ttl: '25h' }, { ttl: 'soon' }, { ttl: null }, { until: 1 }, []]) expect((await app.ask(ASK, 'POST', '/v1/holds/h/extend', body)).status).toBe(422)
    expect((await app.ask(ASK, 'POST', '/v1/holds/nope/extend', {})).status).toBe(404)
  })

  it('cannot bring back what has expired', async () => {
    await hold('h')
    clock.advance('11m')
    const { status, json } = await app.ask(ASK, 'POST', '/v1/holds/h/extend', {})
    expect([status, json.code]).toEqual([409, 'HOLD_EXPIRED'])
  })
})

describe('what was let through while the store was away', () => {
  it.each(['settle', 'release'] as const)('takes an extension and its %s by its id', async (ending) => {
    await app.close()
    const memory = memoryStore({ clock })
    const away = { is: true }
    const refuse = <Given extends unknown[], Reply>(operation: (...given: Given) => Reply) => (...given: Given): Reply => {
      if (away.is) throw new Error('ECONNREFUSED')
      return operation.apply(memory, given)
    }
    const store = storeWith(memory, { shared: true, reserve: refuse(memory.reserve), settle: refuse(memory.settle), release: refuse(memory.release), record: refuse(memory.record) })
    app = testApp({ config: { clock, prices, onStoreError: 'allow', store } as unknown as BursarConfig })
    expect((await hold('h', ASK, 0.25, { model: 'gpt-4o' })).json).toMatchObject({ allowed: true, enforcedBy: 'none' })
    const extend = (body: object) => app.ask(ASK, 'POST', '/v1/holds/h/extend', body)
    clock.advance('5m')
    expect(await extend({ ttl: '1h' })).toMatchObject({ status: 200, json: { id: 'h', expiresAt: '2026-01-15T13:05:00.000Z' } })
    expect(await extend({})).toMatchObject({ status: 200, json: { expiresAt: '2026-01-15T12:15:00.000Z' } })
    expect((await extend({ ttl: 'soon' })).status).toBe(422)
    const usage = { inputTokens: 10_000, outputTokens: 2_000 }
    const settle = () => app.ask(ASK, 'POST', '/v1/holds/h/settle', { usage })
    if (ending === 'settle') {
      expect(await settle()).toMatchObject({ status: 202, json: { id: 'h', cost: 0.04, queued: true, replayed: false } })
      expect((await settle()).json).toMatchObject({ cost: 0.04, replayed: true })
      expect((await app.ask(ASK, 'POST', '/v1/holds/h/settle', { cost: 9 })).status).toBe(409)
      expect(await app.ask(ASK, 'POST', '/v1/holds/h/release')).toMatchObject({ status: 409, json: { code: 'ALREADY_ENDED', detail: expect.stringContaining('settled') } })
    } else {
      expect((await app.ask(ASK, 'POST', '/v1/holds/h/release')).status).toBe(204)
      expect((await settle()).status).toBe(409)
      expect((await app.ask(ASK, 'POST', '/v1/holds/h/release')).status).toBe(204)
    }
    expect(await extend({})).toMatchObject({ status: 409, json: { code: 'ALREADY_ENDED', detail: expect.stringContaining(ending === 'settle' ? 'settled' : 'released') } })
    away.is = false
  })
})
