// Sessions over HTTP: opened once, resumed by their id, and their user's alone.

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { BursarConfig } from '../../../src/index.js'
import { manualClock } from '../../../src/testing/index.js'
import { caller, testApp, type TestApp } from '../../support/server/app.js'

const ASK = caller(['check', 'read'])
const clock = manualClock()
let app: TestApp

beforeEach(() => {
  clock.set(new Date('2026-01-15T12:00:00Z'))
  app = testApp({ config: { clock } as BursarConfig })
})
afterEach(() => app.close())

const open = (body: object, as = ASK) => app.ask(as, 'POST', '/v1/sessions', body)

describe('a session over HTTP', () => {
  it('is opened, and found again with what was spent in it', async () => {
    const { status, json } = await open({ userId: 'ada', sessionId: 's', maxCost: 0.5, ttl: '1h' })
    expect([status, json]).toEqual([201, {
      sessionId: 's', userId: 'ada', startsAt: '2026-01-15T12:00:00.000Z', endsAt: '2026-01-15T13:00:00.000Z', totalCost: 0, totalTokens: 0, held: 0, heldTokens: 0, maxCost: 0.5, maxTokens: null, remainingBudget: 0.5, remainingTokens: null,
      exact: { totalMicrocents: 0, heldMicrocents: 0, capMicrocents: 50_000_000, remainingMicrocents: 50_000_000 },
    }])
    await app.ask(ASK, 'POST', '/v1/check', { userId: 'ada', sessionId: 's', estimatedCost: 0.2 })
    await app.ask(ASK, 'POST', '/v1/costs', { userId: 'ada', sessionId: 's', cost: 0.1 })
    expect(await app.ask(ASK, 'GET', '/v1/users/ada/sessions/s')).toMatchObject({ status: 200, json: { sessionId: 's', totalCost: 0.1, held: 0.2, remainingBudget: 0.2 } })
    expect(await open({ userId: 'ada', sessionId: 's', maxCost: 0.5 })).toMatchObject({ status: 200, json: { totalCost: 0.1 } })
    expect(await open({ userId: 'ada', sessionId: 's' })).toMatchObject({ status: 200, json: { totalCost: 0.1 } })
  })

  it('refuses a request that does not fit its cap, and opens no fresh budget by another’s or another user’s id', async () => {
    await open({ userId: 'ada', sessionId: 's', maxCost: 0.1 })
    expect(await app.ask(ASK, 'POST', '/v1/check', { userId: 'ada', sessionId: 's', estimatedCost: 0.2 })).toMatchObject({ status: 402, json: { denial: { scope: { kind: 'session' } } } })
    expect((await app.ask(ASK, 'POST', '/v1/check', { userId: 'bob', sessionId: 's', estimatedCost: 0.01 })).status).toBe(404)
    expect(await open({ userId: 'ada', sessionId: 's', maxCost: 100 })).toMatchObject({ status: 409, json: { code: 'CONFLICT', detail: 'maxCost: session "s" has a cap of $0.10, and $100.00 was given. Leave it out to resume the session, or choose another sessionId.' } })
    expect(await open({ userId: 'ada', sessionId: 's', maxTokens: 100 })).toMatchObject({ status: 409, json: { detail: expect.stringMatching(/^maxTokens: .* no such cap.*sessionId\.$/) } })
    expect((await open({ userId: 'ada', sessionId: 's', maxCost: -1 })).status).toBe(422)
    expect(await open({ userId: 'ada' })).toMatchObject({ status: 422, json: { detail: expect.stringMatching(/to resume one, give its sessionId\.$/) } })
    for (const sessionId of ['.', '..']) expect(await open({ userId: 'ada', sessionId, maxCost: 1 })).toMatchObject({ status: 422, json: { detail: expect.stringMatching(/^sessionId/) } })
    await open({ userId: 'ada', sessionId: 'big', maxCost: 100 })
    expect(await app.ask(ASK, 'POST', '/v1/check', { userId: 'ada', sessionId: 'big', estimatedCost: 2 })).toMatchObject({ status: 402, json: { window: 'daily', limit: 1 } })
  })

  it('gives a new one an id', async () => {
    const { status, json } = await open({ userId: 'ada', maxTokens: 100 })
    expect([status, json.maxTokens]).toEqual([201, 100])
    expect((await app.ask(ASK, 'GET', `/v1/users/ada/sessions/${json.sessionId}`)).status).toBe(200)
  })

  it('is not there for another user, nor after its end', async () => {
    await open({ userId: 'ada', sessionId: 's', maxCost: 0.1, ttl: '1h' })
    expect((await app.ask(ASK, 'GET', '/v1/users/bob/sessions/s')).status).toBe(404)
    expect((await open({ userId: 'ada', sessionId: 'unheard-of' })).status).toBe(404)
    clock.advance('2h')
    expect((await app.ask(ASK, 'GET', '/v1/users/ada/sessions/s')).status).toBe(404)
    expect(await open({ userId: 'ada', sessionId: 's', maxCost: 0.1 })).toMatchObject({ status: 404, json: { code: 'UNKNOWN_SESSION' } })
  })

  it.each([
    ['no user', { maxCost: 1 }],
    ['no cap', { userId: 'ada' }],
    ['a negative cap', { userId: 'ada', maxCost: -1 }],
    ['an unknown field', { userId: 'ada', maxCost: 1, cap: 1 }],
    ['the name of the library for its id', { userId: 'ada', maxCost: 1, id: 's' }],
    ['an id that is none', { userId: 'ada', maxCost: 1, sessionId: '' }],
    ['a life that is none', { userId: 'ada', maxCost: 1, ttl: 'long' }],
    ['a list', []],
  ])('refuses %s', async (_what, body) => {
    expect((await open(body)).status).toBe(422)
  })

  it('needs the role check to be opened, and read to be looked at', async () => {
    expect((await open({ userId: 'ada', maxCost: 1 }, caller(['read']))).status).toBe(403)
    expect((await app.ask(caller(['check']), 'GET', '/v1/users/ada/sessions/s')).status).toBe(403)
  })

  it('refuses what its path and query cannot be', async () => {
    for (const path of ['/v1/users/%01/sessions/s', '/v1/users/ada/sessions/%01', '/v1/users/ada/sessions/s?tenant=', '/v1/users/ada/sessions/s?x=1', '/v1/users/ada/sessions/%ED%A0%80']) expect([404, 422]).toContain((await app.ask(ASK, 'GET', path)).status)
  })
})
