// Costs and refunds over HTTP: counted once for each key, and given back by whoever may.

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { BursarConfig } from '../../../src/index.js'
import { manualClock } from '../../../src/testing/index.js'
import { caller, OPERATOR, testApp, type TestApp } from '../../support/server/app.js'

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

  it('is no matter of those who spend', async () => {
    await app.ask(ASK, 'POST', '/v1/costs', { userId: 'ada', cost: 0.3 })
    expect((await app.ask(caller(['check', 'read']), 'POST', '/v1/refunds', { userId: 'ada', cost: 0.3 })).status).toBe(403)
    expect(await app.engine.tracker.getUserCost('ada')).toBe(0.3)
  })

  it('refuses what is none', async () => {
    for (const body of [{}, { userId: 'ada' }, { userId: 'ada', cost: 1, decisionId: 5 }, { userId: 'ada', cost: 1, of: 'c' }, { userId: 'ada', cost: 1, decisionId: 'a b' }]) expect((await app.ask(OPERATOR, 'POST', '/v1/refunds', body)).status).toBe(422)
  })
})
