// Costs and refunds over HTTP: counted once for each key, and given back by whoever may.

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { memoryStore, type BursarConfig } from '../../../src/index.js'
import { manualClock } from '../../../src/testing/index.js'
import { caller, OPERATOR, testApp, type TestApp } from '../../support/server/app.js'
import { storeWith } from '../setting.js'

const ASK = caller(['check'])
let app: TestApp

beforeEach(() => {
  app = testApp({ config: { clock: manualClock() } as BursarConfig })
})
afterEach(() => app.close())

describe('POST /v1/costs', () => {
  it('counts a cost whatever the limits say', async () => {
    const { status, json } = await app.ask(ASK, 'POST', '/v1/costs', { userId: 'ada', cost: 5, model: 'gpt-4o', tokens: { input: 3, output: 4 }, metadata: { a: 1 } }, { 'idempotency-key': 'c' })
    expect([status, json]).toEqual([201, { id: 'c', cost: 5, exact: { microcents: 500_000_000 }, replayed: false }])
    expect(await app.engine.tracker.getUserCost('ada')).toBe(5)
  })

  it('counts a repeat once, and refuses the same key with other arguments', async () => {
    const ask = (cost: number) => app.ask(ASK, 'POST', '/v1/costs', { userId: 'ada', cost, idempotencyKey: 'c' })
    expect((await ask(0.1)).status).toBe(201)
    expect(await ask(0.1)).toMatchObject({ status: 200, json: { id: 'c', replayed: true } })
    expect(await ask(0.2)).toMatchObject({ status: 409, json: { code: 'ID_REUSED' } })
    expect(await app.engine.tracker.getUserCost('ada')).toBe(0.1)
  })

  it('does not take the key of a check for one of a cost', async () => {
    await app.ask(ASK, 'POST', '/v1/check', { userId: 'ada', estimatedCost: 0.1, idempotencyKey: 'k' })
    expect((await app.ask(ASK, 'POST', '/v1/costs', { userId: 'ada', cost: 0.1, idempotencyKey: 'k' })).status).toBe(409)
  })

  it.each([
    ['no cost', { userId: 'ada' }],
    ['a negative cost', { userId: 'ada', cost: -1 }],
    ['an unknown field', { userId: 'ada', cost: 1, estimatedCost: 1 }],
    ['no user', { cost: 1 }],
  ])('refuses %s', async (_what, body) => {
    expect((await app.ask(ASK, 'POST', '/v1/costs', body)).status).toBe(422)
    expect(await app.engine.tracker.getUserCost('ada')).toBe(0)
  })

  it('counts what usage costs, as bursar or its provider says it, and its tokens', async () => {
    await app.close()
    app = testApp({ config: { clock: manualClock(), prices: { models: { 'gpt-4o': { input: 2.5, output: 10, cachedInput: 1.25 }, claude: { input: 3, output: 15, cachedInput: 0.3 } } } } as unknown as BursarConfig })
    const ask = (body: object) => app.ask(ASK, 'POST', '/v1/costs', { userId: 'ada', model: 'gpt-4o', ...body })
    const openai = { prompt_tokens: 1_000, completion_tokens: 100, total_tokens: 1_100, prompt_tokens_details: { cached_tokens: 400 } }
    for (const body of [{ usage: { inputTokens: 1_000, cachedInputTokens: 400, outputTokens: 100 } }, { usage: openai, usageFormat: 'openai' }]) expect(await ask(body)).toMatchObject({ status: 201, json: { cost: 0.003 } })
    expect(await ask({ model: 'claude', usage: { input_tokens: 600, cache_read_input_tokens: 400, output_tokens: 100 }, usageFormat: 'anthropic' })).toMatchObject({ status: 201, json: { cost: 0.00342 } })
    // What the provider says that it cost needs no price; a cost of the client's own counts before usage.
    expect(await ask({ model: 'unheard-of', usage: { inputTokens: 1, cost: 0.5 } })).toMatchObject({ status: 201, json: { cost: 0.5 } })
    expect(await ask({ usage: { inputTokens: 1_000, outputTokens: 100 }, cost: 0.25 })).toMatchObject({ status: 201, json: { cost: 0.25 } })
    expect((await app.engine.tracker.getUserSummary('ada')).periodCosts['daily']).toMatchObject({ cost: 0.003 * 2 + 0.00342 + 0.75 })
    const again = () => ask({ usage: openai, usageFormat: 'openai', idempotencyKey: 'u' })
    expect([(await again()).status, (await again()).status]).toEqual([201, 200])
    const { json } = await app.ask(ASK, 'POST', '/v1/costs/batch', { items: [{ userId: 'bob', model: 'gpt-4o', usage: openai, usageFormat: 'openai' }, { userId: 'bob', model: 'gpt-4o', usage: openai }] })
    expect(json.items.map(({ status }: { readonly status: number }) => status)).toEqual([201, 422])
  })

  it.each([
    ['a format without usage', { usageFormat: 'openai' }, /^usage: is missing/],
    ['a format that is none', { usage: { inputTokens: 1 }, usageFormat: 'grok' }, /^usageFormat: "grok"/],
    ['a format of the prototype', { usage: { inputTokens: 1 }, usageFormat: 'constructor' }, /^usageFormat/],
    ['usage that is no object', { usage: [1] }, /^usage: is no object/],
    ['usage in another format', { usage: { input_tokens: 1, cache_read_input_tokens: 1 }, usageFormat: 'openai' }, /usageFormat "anthropic"|usageFormat: 'anthropic'/],
    ['counts that do not add up', { usage: { inputTokens: 1, cachedInputTokens: 5 }, cost: 1 }, /cachedInputTokens/],
    ['usage without a price', { usage: { inputTokens: 1 }, model: 'm' }, /not configured/],
  ])('refuses %s', async (_what, body, said) => {
    const { status, json } = await app.ask(ASK, 'POST', '/v1/costs', { userId: 'ada', ...body })
    expect([status, json.detail]).toEqual([422, expect.stringMatching(said)])
    expect(json.detail).not.toMatch(/\(\)/)
  })

  it('asks for the model that the price depends on', async () => {
    await app.close()
    app = testApp({ config: { clock: manualClock(), prices: { models: { m: { input: 1, output: 1 } } } } as unknown as BursarConfig })
    for (const model of [undefined, 5, '']) expect(await app.ask(ASK, 'POST', '/v1/costs', { userId: 'ada', usage: { inputTokens: 1 }, model })).toMatchObject({ status: 422, json: { detail: expect.stringMatching(/^model: /) } })
  })

  it('counts a repeat of usage once, also after its price has changed', async () => {
    await app.close()
    const dayClock = manualClock(new Date('2026-01-15T23:00:00Z'))
    app = testApp({ config: { clock: dayClock, prices: { models: { m: [{ input: 3 }, { input: 9, from: '2026-01-16' }] } } } as unknown as BursarConfig })
    const ask = (inputTokens: number) => app.ask(ASK, 'POST', '/v1/costs', { userId: 'ada', model: 'm', usage: { inputTokens, outputTokens: 0 }, idempotencyKey: 'u' })
    const first = await ask(100_000)
    dayClock.advance('2h')
    expect([first.status, await ask(100_000)]).toMatchObject([201, { status: 200, json: { ...first.json, replayed: true } }])
    expect(await ask(200_000)).toMatchObject({ status: 409, json: { code: 'ID_REUSED' } })
    expect(await app.engine.tracker.getUserCost('ada')).toBe(0.3)
  })

  it('says that a repeat of usage was counted, where its first price is not known any more', async () => {
    await app.close()
    const dayClock = manualClock(new Date('2026-01-15T23:00:00Z'))
    const memory = memoryStore({ clock: dayClock })
    app = testApp({ config: { clock: dayClock, store: storeWith(memory, { opened: undefined }), prices: { models: { m: [{ input: 3 }, { input: 9, from: '2026-01-16' }] } } } as unknown as BursarConfig })
    const ask = () => app.ask(ASK, 'POST', '/v1/costs', { userId: 'ada', model: 'm', usage: { inputTokens: 100_000, outputTokens: 0 }, idempotencyKey: 'u' })
    await ask()
    dayClock.advance('2h')
    expect(await ask()).toMatchObject({ status: 409, json: { code: 'ID_REUSED', detail: expect.stringMatching(/is counted.*prices that have changed/) } })
    expect(await app.engine.tracker.getUserCost('ada')).toBe(0.3)
  })

  it('answers when the webhooks are written down that it has caused, and not before', async () => {
    const { webhooks } = app.service
    let write = (): void => {}
    webhooks.written = () => new Promise<void>((resolve) => { write = resolve })
    let isAnswered = false
    const answer = app.ask(ASK, 'POST', '/v1/costs', { userId: 'ada', cost: 1 }).then(({ status }) => { isAnswered = true; return status })
    while ((await app.engine.tracker.getUserCost('ada')) === 0) await Promise.resolve()
    for (let turn = 0; turn < 50; turn += 1) await Promise.resolve()
    expect(isAnswered).toBe(false)
    write()
    expect(await answer).toBe(201)
  })

  it('answers 404 for a session that is not there', async () => {
    expect(await app.ask(ASK, 'POST', '/v1/costs', { userId: 'ada', cost: 1, sessionId: 's' })).toMatchObject({ status: 404, json: { code: 'UNKNOWN_SESSION' } })
  })

  it('counts a batch item by item', async () => {
    const items = [{ userId: 'ada', cost: 0.1, idempotencyKey: 'a' }, { userId: 'ada', cost: -1 }, { userId: 'ada', cost: 0.1, idempotencyKey: 'a' }, { userId: 'bob', cost: 0.3 }]
    const { json } = await app.ask(ASK, 'POST', '/v1/costs/batch', { items })
    expect(json.items.map(({ status }: { readonly status: number }) => status)).toEqual([201, 422, 200, 201])
    expect([await app.engine.tracker.getUserCost('ada'), await app.engine.tracker.getUserCost('bob')]).toEqual([0.1, 0.3])
  })
})

describe('POST /v1/refunds', () => {
  it('gives back what a decision has cost, and no more', async () => {
    await app.ask(OPERATOR, 'POST', '/v1/costs', { userId: 'ada', cost: 0.3, idempotencyKey: 'c' })
    const { status, json } = await app.ask(OPERATOR, 'POST', '/v1/refunds', { userId: 'ada', cost: 0.5, decisionId: 'c', reason: 'a bad answer' }, { 'idempotency-key': 'r' })
    expect([status, json]).toEqual([201, { id: 'r', refunded: 0.3, unapplied: 0.2, exact: { refundedMicrocents: 30_000_000, unappliedMicrocents: 20_000_000 }, replayed: false }])
    expect(await app.ask(OPERATOR, 'POST', '/v1/refunds', { userId: 'ada', cost: 0.5, decisionId: 'c', reason: 'a bad answer', idempotencyKey: 'r' })).toMatchObject({ status: 200, json: { replayed: true, refunded: 0.3 } })
    expect(await app.engine.tracker.getUserCost('ada')).toBe(0)
  })

  it('says what is wrong with a decision of another user', async () => {
    await app.ask(OPERATOR, 'POST', '/v1/costs', { userId: 'ada', cost: 0.3, idempotencyKey: 'c' })
    const { status, json } = await app.ask(OPERATOR, 'POST', '/v1/refunds', { userId: 'bob', cost: 0.1, decisionId: 'c' })
    expect([status, json.code, json.detail]).toEqual([404, 'UNKNOWN_HOLD', expect.stringMatching(/^decisionId: "c" is no decision or cost of this user.*leave it out/)])
  })

  it('is no matter of those who spend', async () => {
    await app.ask(ASK, 'POST', '/v1/costs', { userId: 'ada', cost: 0.3 })
    expect((await app.ask(caller(['check', 'read']), 'POST', '/v1/refunds', { userId: 'ada', cost: 0.3 })).status).toBe(403)
    expect(await app.engine.tracker.getUserCost('ada')).toBe(0.3)
  })

  it('refuses what is none', async () => {
    for (const body of [{}, { userId: 'ada' }, { userId: 'ada', cost: 1, decisionId: 5 }, { userId: 'ada', cost: 1, of: 'c' }, { userId: 'ada', cost: 1, decisionId: 'a b' }]) expect((await app.ask(OPERATOR, 'POST', '/v1/refunds', body)).status).toBe(422)
  })
})
