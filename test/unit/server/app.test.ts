// What every request meets, whichever route it is for: who asks, how much and how fast, what its answer carries, and what is written of it.

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { StoreUnavailableError, type BursarConfig } from '../../../src/index.js'
import { manualClock } from '../../../src/testing/index.js'
import { caller, OPERATOR, PLAIN_OPTIONS, testApp, type TestApp } from '../../support/server/app.js'

const ASK = caller(['check'])
const clock = manualClock()
const config = { clock } as BursarConfig
const CHECK = { userId: 'ada', estimatedCost: 0 }
/** As `ask` sends it. */
const AUTHORIZATION = `Bearer ${`test-${JSON.stringify(ASK)}`.replaceAll(' ', '_')}`
let app: TestApp

const again = async (options: Partial<typeof PLAIN_OPTIONS>, parts: object = {}): Promise<void> => {
  await app.close()
  app = testApp({ config, options: { ...PLAIN_OPTIONS, ...options }, ...parts })
}

/** As a client of a given address. */
const from = (remoteAddress: string, headers: Record<string, string>): Promise<Response> =>
  Promise.resolve(app.app.fetch(new Request('http://bursar.test/v1/check', { method: 'POST', body: JSON.stringify(CHECK), headers: { 'content-type': 'application/json', ...headers } }), { incoming: { socket: { remoteAddress } } } as never))

beforeEach(() => {
  app = testApp({ config })
})
afterEach(() => app.close())

describe('who asks', () => {
  it('is asked for a key', async () => {
    const { status, headers, json } = await app.ask(undefined, 'POST', '/v1/check', CHECK)
    expect([status, json.code, headers.get('www-authenticate')]).toEqual([401, 'UNAUTHENTICATED', 'Bearer realm="bursar"'])
  })

  it.each(['Basic abc', 'Bearer', 'Bearer ', 'Bearer a b', 'bursar_1_2', 'Bearer bursar_1_2'])('is refused with "%s"', async (authorization) => {
    expect((await app.ask(undefined, 'POST', '/v1/check', CHECK, { authorization })).status).toBe(401)
  })

  it('is slowed down where keys that are none keep coming from one address, which no valid key is', async () => {
    const wrong = { authorization: 'Bearer bursar_nope_nope' }
    for (let attempt = 0; attempt < 30; attempt += 1) expect((await from('192.0.2.1', wrong)).status).toBe(401)
    const tooMany = await from('192.0.2.1', { ...wrong, 'x-forwarded-for': '198.51.100.7' })
    expect([tooMany.status, tooMany.headers.get('retry-after')]).toEqual([429, '2'])
    expect((await from('192.0.2.2', wrong)).status).toBe(401)
    await app.ask(ASK, 'POST', '/v1/check', CHECK)
    expect((await from('192.0.2.1', { authorization: AUTHORIZATION })).status).toBe(200)
    clock.advance('2s')
    expect((await from('192.0.2.1', wrong)).status).toBe(401)
  })
})

describe('how fast', () => {
  it('a key may ask is a bucket for each, and a batch counts as many as it has items', async () => {
    await again({ rateLimit: { perSecond: 2, burst: 4 } })
    const batch = (count: number) => app.ask(ASK, 'POST', '/v1/check/batch', { items: Array.from({ length: count }, () => CHECK) })
    expect((await batch(3)).status).toBe(200)
    expect((await app.ask(ASK, 'POST', '/v1/check', CHECK)).status).toBe(200)
    const fast = await app.ask(ASK, 'POST', '/v1/check', CHECK)
    expect([fast.status, fast.json.code, fast.headers.get('retry-after')]).toEqual([429, 'TOO_FAST', '1'])
    expect((await app.ask(caller(['check'], 'acme'), 'POST', '/v1/check', CHECK)).status).toBe(200)
    clock.advance('1s')
    expect((await batch(3)).status).toBe(429)
    clock.advance('10s')
    expect((await batch(3)).status).toBe(200)
  })

  it('is not asked where there is no such limit', async () => {
    for (let at = 0; at < 50; at += 1) expect((await app.ask(ASK, 'POST', '/v1/check', CHECK)).status).toBe(200)
  })
})

describe('a body', () => {
  it('is JSON, and says so', async () => {
    for (const [type, status] of [['application/json', 200], ['application/json; charset=utf-8', 200], ['application/vnd.acme+json', 200], ['text/plain', 415], ['application/jsonp', 415], ['', 415], ['multipart/form-data; boundary=x', 415], ['application/json; charset="UTF-8"', 200], ['application/json;charset=utf8', 200], ['application/json; charset=iso-8859-1', 415], ['application/json; v=1; charset=utf-16', 415]] as const) {
      expect([type, (await app.ask(ASK, 'POST', '/v1/check', CHECK, { 'content-type': type })).status]).toEqual([type, status])
    }
  })

  it.each(['{', '', '{"userId":', "{'userId':1}", 'NaN', '{"a":1}}'])('that is no JSON is refused: %s', async (body) => {
    expect([400, 422]).toContain((await app.ask(ASK, 'POST', '/v1/check', body)).status)
  })

  it('is UTF-8, and nobody is charged for a name that was mended', async () => {
    await app.ask(ASK, 'POST', '/v1/check', CHECK)
    const send = async (userId: string, encoding: 'latin1' | 'utf8', hasLength: boolean): Promise<readonly unknown[]> => {
      const body = Buffer.from(JSON.stringify({ ...CHECK, userId }), encoding)
      const headers = { 'content-type': 'application/json', authorization: AUTHORIZATION, ...(hasLength && { 'content-length': String(body.byteLength) }) }
      const response = await app.app.fetch(new Request('http://bursar.test/v1/check', { method: 'POST', body, headers }))
      const { code, context } = (await response.json()) as { readonly code?: string; readonly context?: { readonly userId: string } }
      return [response.status, code ?? context?.userId]
    }
    for (const hasLength of [true, false]) {
      for (const name of ['jos\xe9', 'jos\xe8']) expect(await send(name, 'latin1', hasLength)).toEqual([400, 'MALFORMED'])
      for (const name of ['jos\xe9', '\ufffd', '🦊']) expect(await send(name, 'utf8', hasLength)).toEqual([200, name])
    }
  })

  it('is no larger than allowed, by its length or while it is read, and larger for batches', async () => {
    await again({ maxBodyBytes: 500 })
    const large = { ...CHECK, query: 'é'.repeat(300) }
    expect((await app.ask(ASK, 'POST', '/v1/check', large)).status).toBe(413)
    expect(await app.ask(ASK, 'POST', '/v1/check', CHECK, { 'content-length': '501' })).toMatchObject({ status: 413, json: { code: 'TOO_LARGE' } })
    expect((await app.ask(ASK, 'POST', '/v1/check', CHECK, { 'content-length': 'x' })).status).toBe(413)
    expect((await app.ask(ASK, 'POST', '/v1/check/batch', { items: [large] })).json.items[0].status).toBe(200)
    expect((await app.ask(ASK, 'POST', '/v1/check/batch', { items: [large, large, large, large] })).status).toBe(413)
  })

  it('is given up as soon as it is too large', async () => {
    await again({ maxBodyBytes: 1_000 })
    let sent = 0
    const endless = new ReadableStream({ pull: (controller) => { sent += 1; controller.enqueue(new Uint8Array(100).fill(32)) } }, { highWaterMark: 0 })
    await app.ask(ASK, 'POST', '/v1/check', CHECK)
    const authorization = AUTHORIZATION
    const response = await app.app.fetch(new Request('http://bursar.test/v1/check', { method: 'POST', body: endless, duplex: 'half', headers: { 'content-type': 'application/json', authorization } } as RequestInit))
    expect(response.status).toBe(413)
    expect(sent).toBeLessThan(20)
  })

  it('that ends early is refused', async () => {
    const broken = new ReadableStream({ pull: (controller) => controller.error(new Error('gone')) })
    await app.ask(ASK, 'POST', '/v1/check', CHECK)
    const authorization = AUTHORIZATION
    const response = await app.app.fetch(new Request('http://bursar.test/v1/check', { method: 'POST', body: broken, duplex: 'half', headers: { 'content-type': 'application/json', authorization } } as RequestInit))
    expect([response.status, ((await response.json()) as { readonly code: string }).code]).toEqual([400, 'MALFORMED'])
  })

  it('is nested no deeper than anybody needs, wherever the brackets are', async () => {
    const deep = (depth: number): string => `{"userId":"ada","estimatedCost":0,"metadata":{"a":${'['.repeat(depth)}${']'.repeat(depth)}}}`
    expect((await app.ask(ASK, 'POST', '/v1/check', deep(10))).status).toBe(200)
    for (const depth of [65, 100_000]) expect(await app.ask(ASK, 'POST', '/v1/check', deep(depth))).toMatchObject({ status: 422 })
    expect((await app.ask(ASK, 'POST', '/v1/check', { ...CHECK, query: '[{"\\'.repeat(200) })).status).toBe(200)
    expect((await app.ask(ASK, 'POST', '/v1/check', { ...CHECK, metadata: { list: Array.from({ length: 200 }, () => []) } })).status).toBe(200)
  })
})

describe('an address', () => {
  it.each([
    ['POST', '/v1/check'], ['POST', '/v1/check/batch'], ['POST', '/v1/costs'], ['POST', '/v1/costs/batch'], ['POST', '/v1/refunds'], ['POST', '/v1/sessions'], ['POST', '/v1/holds/settle/batch'], ['POST', '/v1/keys'], ['POST', '/v1/limits'], ['GET', '/v1/state'],
  ])('takes no parameter that is not its own: %s %s', async (method, path) => {
    for (const query of ['tenant=acme', 'nonsense=1', 'tenant', '%74enant=acme']) {
      const { status, json } = await app.ask(OPERATOR, method, `${path}?${query}`, method === 'POST' ? CHECK : undefined)
      expect([path, query, status, json.detail]).toEqual([path, query, 422, expect.stringMatching(/is no parameter of this address/)])
    }
    expect(await app.engine.tracker.getUserCost('ada')).toBe(0)
  })

  it('takes a parameter once, and names those that it has', async () => {
    expect(await app.ask(OPERATOR, 'POST', '/v1/holds/x/release?tenant=a&tenant=b')).toMatchObject({ status: 422, json: { detail: expect.stringMatching(/^tenant: is given more than once/) } })
    expect(await app.ask(OPERATOR, 'POST', '/v1/holds/x/release?tenent=a')).toMatchObject({ status: 422, json: { detail: 'tenent: is no parameter of this address. Use tenant.' } })
    expect((await app.ask(OPERATOR, 'GET', '/v1/users/ada/budget?tenant=acme&tier=pro&x=1')).status).toBe(422)
    // Nothing asked for is nothing that is left out.
    expect((await app.ask(OPERATOR, 'POST', '/v1/check?', CHECK)).status).toBe(200)
  })

  it('that is none is 404, and one with other methods 405, for those who have a key', async () => {
    expect(await app.ask(ASK, 'GET', '/v1/nothing')).toMatchObject({ status: 404, json: { code: 'NOT_FOUND' } })
    const { status, headers, json } = await app.ask(ASK, 'DELETE', '/v1/check')
    expect([status, json.code, headers.get('allow')]).toEqual([405, 'METHOD_NOT_ALLOWED', 'POST'])
    expect((await app.ask(undefined, 'DELETE', '/v1/check')).status).toBe(401)
    expect((await app.ask(undefined, 'POST', '/health')).headers.get('allow')).toBe('GET, HEAD')
  })
})

describe('an answer', () => {
  it('carries what keeps a browser from making anything of it, and its id', async () => {
    for (const answer of [await app.ask(ASK, 'POST', '/v1/check', CHECK), await app.ask(undefined, 'GET', '/health'), await app.ask(undefined, 'GET', '/v1/x'), await app.ask(ASK, 'GET', '/v1/x'), await app.ask(ASK, 'POST', '/v1/check', {})]) {
      expect(Object.fromEntries(answer.headers)).toMatchObject({ 'cache-control': 'no-store', 'content-security-policy': "default-src 'none'; frame-ancestors 'none'", 'cross-origin-resource-policy': 'same-origin', 'referrer-policy': 'no-referrer', 'x-content-type-options': 'nosniff' })
      expect(answer.headers.get('x-request-id')).toMatch(/^[\w.-]{8,64}$/)
    }
  })

  it('has the id that the client has given, where that is one', async () => {
    expect((await app.ask(ASK, 'POST', '/v1/check', CHECK, { 'x-request-id': 'trace-1.a_b' })).headers.get('x-request-id')).toBe('trace-1.a_b')
    expect((await app.ask(ASK, 'POST', '/v1/check', CHECK, { 'x-request-id': 'a b"}' })).headers.get('x-request-id')).toMatch(/^[\da-f-]{36}$/)
  })

  it('says nothing of what nobody has foreseen; the log does', async () => {
    await app.ask(ASK, 'POST', '/v1/check', CHECK)
    app.engine.check = () => Promise.reject(new Error('password=hunter2'))
    const { status, text, json, headers } = await app.ask(ASK, 'POST', '/v1/check', CHECK)
    expect([status, json.code]).toEqual([500, 'INTERNAL'])
    expect(text).not.toContain('hunter2')
    expect(app.logged.find(({ level }) => level === 'error')?.fields).toMatchObject({ requestId: headers.get('x-request-id'), route: '/v1/check', err: { message: 'password=hunter2' } })
  })
})

describe('the log', () => {
  it('has one line a second of a store that is away, without a stack, and how many it has left out', async () => {
    app.engine.tracker.addCost = () => Promise.reject(new StoreUnavailableError('redis: away', { asked: false, cause: new Error('ECONNREFUSED') }))
    const fail = async (times: number): Promise<void> => {
      for (let time = 0; time < times; time += 1) expect(await app.ask(ASK, 'POST', '/v1/costs', { userId: 'ada', cost: 1 })).toMatchObject({ status: 503, json: { code: 'STORE_UNAVAILABLE' } })
    }
    await fail(5)
    await app.ask(ASK, 'POST', '/v1/costs/batch', { items: [{ userId: 'ada', cost: 1 }] })
    const lines = () => app.logged.filter(({ level }) => level === 'error').map(({ fields }) => fields)
    expect(lines()).toEqual([{ code: 'STORE_UNAVAILABLE', error: 'redis: away', cause: 'ECONNREFUSED', requestId: expect.any(String), route: '/v1/costs' }])
    clock.advance('1s')
    await fail(2)
    expect(lines()).toMatchObject([{}, { more: 5 }])
    expect(JSON.stringify(app.logged)).not.toContain('.ts:')
  })

  it('has a line for each request: its route, and neither key nor id nor query nor body', async () => {
    await app.ask(ASK, 'POST', '/v1/holds/secret-id/settle?tenant=secret-tenant', { cost: 0.123456 })
    await app.ask(undefined, 'GET', '/v1/secret-path', undefined, { authorization: 'Bearer secret-token' })
    await app.ask(OPERATOR, 'GET', '/v1/secret-path')
    const lines = app.logged.filter(({ message }) => message === 'answered')
    expect(lines.map(({ fields }) => fields)).toMatchObject([
      { method: 'POST', route: '/v1/holds/:id/settle', status: 404, keyId: ASK.keyId, requestId: expect.any(String), ms: expect.any(Number) },
      { method: 'GET', route: 'none', status: 401, keyId: undefined },
      { method: 'GET', route: 'none', status: 404, keyId: OPERATOR.keyId },
    ])
    expect(JSON.stringify(app.logged)).not.toMatch(/secret|0\.123456/)
  })

  it('is spared of those who only ask whether all is well', async () => {
    await app.ask(undefined, 'GET', '/health')
    expect(app.logged).toEqual([])
  })

  it('stands beside what is measured: by the pattern of the route', async () => {
    const measured: unknown[][] = []
    await again({}, { metrics: { answered: (...given: unknown[]) => void measured.push(given), exposition: async () => ({ contentType: 'text/plain', text: '' }) } })
    await app.ask(ASK, 'POST', '/v1/holds/x/settle', { cost: 1 })
    await app.ask(undefined, 'GET', '/health')
    await app.ask(ASK, 'GET', '/v1/none/of/these')
    expect(measured).toEqual([['/v1/holds/:id/settle', 'POST', 404, expect.any(Number)], ['/health', 'GET', 200, expect.any(Number)], ['none', 'GET', 404, expect.any(Number)]])
  })
})
