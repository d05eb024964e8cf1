// The small parts of the service that decide by themselves: buckets, ids, JSON, what errors are told as, and what is described.

import { HTTPException } from 'hono/http-exception'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { AlreadyEndedError, IdReusedError, StoreUnavailableError, UnknownHoldError, UnknownSessionError } from '../../../src/errors/index.js'
import { clientId, clientIdFor, MOST_ID, prefixOf, storeId, storeIdFor } from '../../../src/server/ids.js'
import { jsonText } from '../../../src/server/http/json-text.js'
import { Problem, tell } from '../../../src/server/problem.js'
import { Buckets } from '../../../src/server/http/rate-limit.js'
import { checkSchema, costSchema, refundSchema, sessionSchema, settleSchema } from '../../../src/server/decisions/schemas.js'
import { manualClock } from '../../../src/testing/index.js'
import { caller, OPERATOR, testApp } from '../../support/server/app.js'
import { assertProperty } from '../../support/property.js'

describe('a bucket', () => {
  it('gives what it has, says when there is more, and fills no further than it holds', () => {
    const clock = manualClock()
    const buckets = new Buckets({ perSecond: 2, burst: 4 }, clock)
    expect([buckets.take('a', 3), buckets.take('a', 2), buckets.take('a', 1), buckets.take('a', 1), buckets.take('b', 4)]).toEqual([0, 500, 0, 500, 0])
    clock.advance('1s')
    expect([buckets.take('a', 2), buckets.take('a', 1)]).toEqual([0, 500])
    clock.advance('1h')
    expect([buckets.take('a', 4), buckets.take('a', 1)]).toEqual([0, 500])
  })

  it('gives more than it holds to whoever has a full one, and waits for the rest', () => {
    const clock = manualClock()
    const buckets = new Buckets({ perSecond: 2, burst: 4 }, clock)
    expect([buckets.take('a', 10), buckets.take('a', 1)]).toEqual([0, 3_500])
    clock.advance('4s')
    expect([buckets.take('a', 10), buckets.take('a', 2)]).toEqual([1_000, 0])
  })

  it('neither gives nor takes by a clock that is put back', () => {
    const clock = manualClock()
    const buckets = new Buckets({ perSecond: 1, burst: 1 }, clock)
    buckets.take('a', 1)
    clock.set(clock() - 3_600_000)
    expect(buckets.take('a', 1)).toBe(1_000)
    clock.advance('1s')
    expect(buckets.take('a', 1)).toBe(0)
  })

  it('remembers a bounded number of names', () => {
    const buckets = new Buckets({ perSecond: 1, burst: 1 }, manualClock())
    for (let at = 0; at < 25_000; at += 1) buckets.take(`address ${at}`, 1)
    expect([buckets.take('address 24999', 1), buckets.take('address 0', 1)]).toEqual([1_000, 0])
  })
})

describe('ids', () => {
  const name = fc.oneof(fc.string({ minLength: 1, maxLength: 256, unit: 'grapheme' }).filter((text) => text.isWellFormed() && text.length <= 256), fc.constantFrom('a', 'a/b', 'a%2Fb', '~a', '=', '~=', '.', '..', 'x'.repeat(256), '日'.repeat(256)))
  const id = fc.string({ minLength: 1, maxLength: MOST_ID }).filter((text) => /^[\x21-\x7e]+$/.test(text) && text !== '.' && text !== '..')

  it('are never those of another tenant, nor of another user, and always fit a store', async () => {
    const part = fc.option(name, { nil: undefined })
    await assertProperty('TENANCY of ids', fc.asyncProperty(part, part, part, part, id, id, async (tenant, userId, otherTenant, otherUser, one, two) => {
      const mine = storeIdFor({ userId }, tenant, one)
      const theirs = storeIdFor({ userId: otherUser }, otherTenant, two)
      expect(mine.length).toBeLessThanOrEqual(256)
      expect(storeIdFor({ userId }, tenant, clientId(tenant, mine))).toBe(mine)
      if (tenant !== otherTenant) expect(mine).not.toBe(theirs)
      if (userId !== undefined && otherUser !== undefined && userId !== otherUser) expect(mine).not.toBe(theirs)
    }))
  })

  it('are visible ASCII, and not too long', () => {
    for (const bad of ['', ' ', 'a b', 'é', 'a\n', 'x'.repeat(129), '.', '..']) {
      expect(() => storeId('acme', bad)).toThrow(Problem)
      expect(() => storeIdFor({ userId: 'ada' }, 'acme', bad)).toThrow(Problem)
    }
    expect(storeId(undefined, 'x')).toBe('/x')
    expect(prefixOf('a/b')).toBe('a%2Fb/')
    // A spreadsheet would run what begins with @, = or -.
    expect(storeIdFor({ userId: 'ada' }, 'acme', 'k1')).toBe('acme/~ada:k1')
    for (const userId of [undefined, 'ada']) expect(clientIdFor({ userId }, 'acme', 'acme/~ada:k1')).toBe(userId === undefined ? '~ada:k1' : 'k1')
    expect(clientIdFor({ userId: 'ada' }, 'acme', 'acme/~bob:k1')).toBe('~bob:k1')
    for (const twice of ['~ada:~ada:', '~ada:~ada:k1']) expect(() => storeIdFor({ userId: 'ada' }, 'acme', twice)).toThrow(Problem)
    expect(clientId('acme', 'made-elsewhere')).toBe('made-elsewhere')
  })
})

describe('JSON', () => {
  it('is what JSON.stringify writes', async () => {
    await assertProperty('JSON', fc.asyncProperty(fc.jsonValue({ maxDepth: 5, stringUnit: 'binary' }), async (value) => {
      expect(jsonText(value)).toBe(JSON.stringify(value))
    }))
  })

  it('leaves out what is undefined, and has dates as text', () => {
    const value = { a: undefined, b: new Date(5), c: [new Date(5), undefined, Number.NaN, -0, 1e21], 'd"\\': '\u2028\ud800"\\\u0007', e: null, f: new Date(Number.NaN) }
    expect(jsonText(value)).toBe(JSON.stringify(value))
  })
})

describe('an error is told', () => {
  it('by the ids of the client, and what can be done over HTTP', () => {
    expect(tell(new UnknownHoldError('acme/h'), 'acme/').document).toMatchObject({ status: 404, code: 'UNKNOWN_HOLD', detail: 'id: no hold "h" is open or still remembered. If its call did cost money, count it with POST /v1/costs.' })
    expect(tell(new IdReusedError('acme/a/b', 'reserve'), '/').document).toMatchObject({ status: 409, detail: expect.stringContaining('id: "a/b" was') })
    expect(tell(new IdReusedError('/a/b', 'reserve'), '/').document.detail).toContain('id: "a/b" was')
    expect(tell(new AlreadyEndedError('acme/h', 'settled', 'Give some back with tracker.refund().'), 'acme/').document.detail).toBe('id: hold "h" is already settled. Give some back with POST /v1/refunds.')
    expect(tell(new UnknownSessionError('s'), 'acme/').document.detail).toContain('Open it with POST /v1/sessions')
  })

  it('without what a store says of itself', () => {
    const { document, headers, isUnforeseen } = tell(new StoreUnavailableError('redis://:secret@10.0.0.1 refused'), '/')
    expect([document.status, headers['retry-after'], isUnforeseen]).toEqual([503, '1', true])
    expect(JSON.stringify(document)).not.toContain('secret')
  })

  it('where the framework has refused the request', () => {
    for (const [status, told] of [[415, 415], [413, 413], [400, 400], [418, 400]] as const) expect(tell(new HTTPException(status as never, { message: 'no' }))).toMatchObject({ document: { status: told }, isUnforeseen: false })
    expect(tell(new TypeError('inside'))).toMatchObject({ document: { status: 500, code: 'INTERNAL' }, isUnforeseen: true })
  })
})

describe('the description', () => {
  it('has every field of what is asked, described', async () => {
    const { app, close } = testApp()
    const { paths, components } = app.getOpenAPI31Document({ openapi: '3.1.0', info: { title: 'bursar', version: '1' } }) as never as { paths: Record<string, object>; components: { schemas: Record<string, { properties: Record<string, { description?: string; $ref?: string }> }> } }
    for (const path of ['/v1/check', '/v1/check/batch', '/v1/holds/{id}/settle', '/v1/holds/settle/batch', '/v1/holds/{id}/release', '/v1/holds/{id}/extend', '/v1/costs', '/v1/costs/batch', '/v1/refunds', '/v1/sessions', '/v1/users/{id}/sessions/{session}']) expect(paths).toHaveProperty([path])
    for (const name of ['CheckRequest', 'Outcome', 'CostEntry', 'RefundEntry', 'SessionConfig', 'Extension']) {
      for (const [field, schema] of Object.entries(components.schemas[name]?.properties ?? {})) expect([name, field, typeof schema.description]).toEqual([name, field, 'string'])
    }
    await close()
  })

  it.each([
    ['/v1/check', checkSchema, { userId: 'ada', estimatedCost: 0, inputTokens: 1, maxOutputTokens: 1 }],
    ['/v1/costs', costSchema, { userId: 'ada', cost: 0 }],
    ['/v1/refunds', refundSchema, { userId: 'ada', cost: 0 }],
    ['/v1/sessions', sessionSchema, { userId: 'ada', maxCost: 1 }],
    ['/v1/holds/h/settle', settleSchema, { cost: 0 }],
  ] as const)('of %s has the fields that the library knows', async (path, schema, least) => {
    const app = testApp()
    const values: Record<string, unknown> = { userTier: 'free', tenant: 'acme', model: 'm', provider: 'p', query: 'q', inputTokens: 1, maxOutputTokens: 1, tokenKinds: ['audio'], maxCost: 1, maxTokens: 5, idempotencyKey: 'k', scopes: {}, holdTtl: '1m', metadata: {}, tokens: 1, reason: 'r', ttl: '1h', usage: { inputTokens: 1, cost: 0 }, estimated: true, estimatedCost: 0, cost: 0, userId: 'ada' }
    await app.ask(OPERATOR, 'POST', '/v1/check', { userId: 'ada', estimatedCost: 0, idempotencyKey: 'h' })
    for (const field of Object.keys(schema.shape)) {
      // A session or a decision that is not there is told as that; a settle of other tokens as a conflict.
      if (field === 'sessionId' || field === 'decisionId') continue
      const { status, text } = await app.ask(OPERATOR, 'POST', path, { ...least, [field]: values[field] })
      expect([field, [200, 201, 409].includes(status), text]).toEqual([field, true, text])
    }
    expect((await app.ask(OPERATOR, 'POST', path, { ...least, other: 1 })).status).toBe(422)
    await app.close()
  })

  it('names the role that is asked for', async () => {
    const app = testApp()
    const document = app.app.getOpenAPI31Document({ openapi: '3.1.0', info: { title: 'bursar', version: '1' } }) as never as { paths: Record<string, Record<string, { 'x-role'?: string }>> }
    expect([document.paths['/v1/check']?.['post']?.['x-role'], document.paths['/v1/refunds']?.['post']?.['x-role']]).toEqual(['check', 'admin'])
    expect((await app.ask(caller(['read']), 'POST', '/v1/costs', { userId: 'ada', cost: 1 })).status).toBe(403)
    await app.close()
  })
})
