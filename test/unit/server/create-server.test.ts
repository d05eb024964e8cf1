// A whole server: what it may be told, where it listens and to whom it answers without a key, and how it ends.

import { request } from 'node:http'
import { connect } from 'node:net'
import { once } from 'node:events'
import { describe, expect, it, onTestFinished } from 'vitest'
import { Bursar, InvalidConfigError, memoryStore, StoreUnavailableError, type BursarConfig, type Store } from '../../../src/index.js'
import { createServer, type BursarServer, type ServerConfig, type ServerLog } from '../../../src/server/index.js'
import { writeEvents } from '../../../src/server/engine-log.js'
import { isLoopback, strangeness } from '../../../src/server/http/loopback.js'
import { until } from '../../support/redis/until.js'
import { allowedOf, storeWith } from '../setting.js'

const NOON = Date.UTC(2026, 10, 22, 12)
const ADMIN_KEY = 'an-operators-key-of-a-test'
const ASKED = { userId: 'ada', model: 'gpt-4o', estimatedCost: 0.01 }

function anEngine(more: Partial<BursarConfig<'free'>> = {}): Bursar<'free'> {
  return new Bursar<'free'>({ tiers: { free: { daily: 1 } }, defaultTier: 'free', ...more } as BursarConfig<'free', never>)
}

function aServer(config: Partial<ServerConfig> = {}, bursar = anEngine()): BursarServer {
  const server = createServer({ bursar, ...config })
  onTestFinished(async () => void (await server.close()))
  return server
}

/** A request whose Host and origin are what is wanted: `fetch` would not send them. */
async function ask(url: string, method: string, path: string, headers: Record<string, string>, body?: object): Promise<{ status: number; text: string; headers: NodeJS.Dict<string | string[]> }> {
  const sent = request(new URL(path, url), { method, headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers }, agent: false })
  sent.end(body === undefined ? undefined : JSON.stringify(body))
  const [response] = (await once(sent, 'response')) as [import('node:http').IncomingMessage]
  let text = ''
  for await (const chunk of response) text += String(chunk)
  return { status: response.statusCode as number, text, headers: response.headers }
}

describe('what a server is told', () => {
  const bursar = new Bursar({ tiers: { free: { daily: 1 } } })

  it.each([
    [{}, 'config.bursar'],
    [{ bursar: {} }, 'config.bursar'],
    [{ bursar, rateLimits: null }, 'rateLimits'],
    [{ bursar, rateLimit: { perSecond: 0, burst: 1 } }, 'config.rateLimit.perSecond'],
    [{ bursar, rateLimit: { perSecond: 5 } }, 'config.rateLimit.burst'],
    [{ bursar, maxBodyBytes: 1.5 }, 'config.maxBodyBytes'],
    [{ bursar, maxBodyBytes: Number.NaN }, 'config.maxBodyBytes'],
    [{ bursar, tenantScopes: 'team' }, 'config.tenantScopes'],
    [{ bursar, tenantsManageBudgets: 'yes' }, 'config.tenantsManageBudgets'],
    [{ bursar, adminKey: 'too short' }, 'config.adminKey'],
    [{ bursar, drain: 'soon' }, 'config.drain'],
    [{ bursar, stripe: {} }, 'config.stripe'],
    [{ bursar, log: console.log }, 'config.log'],
    [{ bursar, metrics: {} }, 'config.metrics'],
  ])('is refused where it is wrong: %#', (config, field) => {
    const make = (): unknown => createServer(config as never)
    expect(make).toThrow(InvalidConfigError)
    expect(make).toThrow(field)
  })

  it('never shows the key that is wrong', () => {
    expect(() => createServer({ bursar, adminKey: 'hunter2 hunter2 hunter2' })).toThrow(/^(?!.*hunter2)/s)
  })
})

describe('where a server listens', () => {
  it('takes a free port of this machine, and says which', async () => {
    const server = aServer()
    const address = await server.listen({ port: 0 })
    expect(address).toMatchObject({ host: '127.0.0.1', url: `http://127.0.0.1:${address.port}` })
    expect(address.port).toBeGreaterThan(0)
    expect(await (await fetch(`${address.url}/health`)).json()).toEqual({ status: 'ok' })
  })

  it('says which port is in use, and can be told another', async () => {
    const { port } = await aServer().listen({ port: 0 })
    const server = aServer()
    await expect(server.listen({ port })).rejects.toThrow(`port: ${port} of 127.0.0.1 is in use`)
    await expect(server.listen({ port: 0 })).resolves.toMatchObject({ host: '127.0.0.1' })
    await expect(server.listen({ port: 0 })).rejects.toThrow('listens already')
  })

  it.each([[{ port: 65_536 }], [{ port: -1 }], [{ port: 80.5 }], [{ port: '80' as never }], [{ host: '' }]])('refuses %j', async (options) => {
    await expect(aServer().listen(options)).rejects.toThrow(InvalidConfigError)
  })

  it('refuses an address that others reach as long as there is no key', async () => {
    const server = aServer()
    for (const host of ['0.0.0.0', '::', '192.0.2.1', 'localhost.example', '127.0.0.1.example']) {
      const refused = server.listen({ host, port: 0 })
      await expect(refused).rejects.toThrow(/bursar keys create .*BURSAR_ADMIN_KEY/)
    }
    await server.keys.create({ name: 'operator', roles: ['admin'] })
    const { url } = await server.listen({ host: '0.0.0.0', port: 0 })
    expect((await ask(url.replace('0.0.0.0', '127.0.0.1'), 'POST', '/v1/check', {}, ASKED)).status).toBe(401)
  })

  it('takes such an address with a key of the environment', async () => {
    const server = aServer({ adminKey: ADMIN_KEY })
    const { port } = await server.listen({ host: '0.0.0.0', port: 0 })
    const url = `http://127.0.0.1:${port}`
    expect((await ask(url, 'POST', '/v1/check', { authorization: `Bearer ${ADMIN_KEY}`, host: 'bursar.example' }, ASKED)).status).toBe(200)
    expect((await ask(url, 'POST', '/v1/check', {}, ASKED)).status).toBe(401)
  })

  it.each([
    ['127.0.0.1', true],
    ['127.9.8.7', true],
    ['::1', true],
    ['[::1]', true],
    ['LOCALHOST', true],
    ['0.0.0.0', false],
    ['::', false],
    ['127.0.0.1.example', false],
    ['127.1', false],
    ['localhost.example', false],
    ['', false],
  ])('knows whether %s is this machine alone: %s', (host, is) => {
    expect(isLoopback(host)).toBe(is)
  })
})

describe('a server without keys', () => {
  it('answers without a key only where it listens, and on this machine', async () => {
    const server = aServer()
    const question = (): Request => new Request('http://localhost/v1/check', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(ASKED) })
    expect((await server.fetch(question())).status).toBe(401)
    const { url } = await server.listen({ port: 0 })
    expect((await ask(url, 'POST', '/v1/check', {}, ASKED)).status).toBe(200)
  })

  it.each([
    ['a name that somebody has turned to this machine', { host: 'evil.example' }],
    ['such a name with a port', { host: 'evil.example:8787' }],
    ['a page of another site', { 'sec-fetch-site': 'cross-site' }],
    ['a page of another port', { 'sec-fetch-site': 'same-site' }],
    ['a page of another origin', { origin: 'http://evil.example' }],
    ['a page of no origin', { origin: 'null' }],
    ['a proxy', { 'x-forwarded-for': '192.0.2.1' }],
  ])('takes no change from %s', async (_whom, headers) => {
    const server = aServer()
    const { url } = await server.listen({ port: 0 })
    const answer = await ask(url, 'POST', '/v1/check', headers as unknown as Record<string, string>, ASKED)
    expect(answer.status).toBe(403)
    expect(JSON.parse(answer.text)).toMatchObject({ code: 'FORBIDDEN', status: 403 })
    // With a key, who asks is known, however they come.
    const { token } = await server.keys.create({ name: 'operator', roles: ['admin'] })
    expect((await ask(url, 'POST', '/v1/check', { ...headers, authorization: `Bearer ${token}` } as never, ASKED)).status).toBe(200)
  })

  it('says that the store is away, and nothing of keys, where nobody can look', async () => {
    const store = memoryStore()
    let looks = 0
    const registry = { ...bound(store.registry), get: () => (looks++, Promise.reject(new StoreUnavailableError('away', { asked: false }))), list: () => expect.unreachable() }
    const server = aServer({}, anEngine({ store: storeWith(store, { registry } as never) }))
    const { url } = await server.listen({ port: 0 })
    expect((await ask(url, 'POST', '/v1/check', { host: 'evil.example' }, ASKED)).status).toBe(503)
    expect(looks).toBe(1)
  })

  it('looks for its keys at most once a second for all whom it refuses', async () => {
    const store = memoryStore()
    let looks = 0
    const { get, list, put } = bound(store.registry)
    const counting = { get: (...asked: Parameters<typeof get>) => (looks++, get(...asked)), list: (...asked: Parameters<typeof list>) => (looks++, list(...asked)), put }
    const server = aServer({}, anEngine({ clock: () => NOON, store: storeWith(store, { registry: counting } as never) }))
    const { url } = await server.listen({ port: 0 })
    const statuses = await Promise.all(Array.from({ length: 20 }, () => ask(url, 'POST', '/v1/check', { host: 'evil.example' }, ASKED).then(({ status }) => status)))
    expect(new Set(statuses)).toEqual(new Set([403]))
    expect(looks).toBeLessThan(5)
  })

  it('gives its figures to whoever is here, and once there is a key to nobody without one', async () => {
    const server = aServer()
    const { url } = await server.listen({ port: 0 })
    expect((await ask(url, 'GET', '/metrics', {})).status).toBe(200)
    expect((await ask(url, 'GET', '/metrics', { 'x-forwarded-for': '192.0.2.1' })).status).toBe(403)
    const { token } = await server.keys.create({ name: 'prometheus', roles: ['read'] })
    // As a proxy with nothing but its defaults sends it.
    expect((await ask(url, 'GET', '/metrics', { connection: 'close' })).status).toBe(401)
    expect((await ask(url, 'GET', '/metrics', { authorization: `Bearer ${token}` })).status).toBe(200)
  })

  it('takes changes from its own pages, and lets others be read by name only', () => {
    const from = (method: string, headers: Record<string, string>): string | undefined => strangeness({ method, header: (name) => headers[name] })
    expect(from('POST', { host: 'localhost:8787', origin: 'http://localhost:8787', 'sec-fetch-site': 'same-origin' })).toBeUndefined()
    expect(from('DELETE', { host: '[::1]:8787', origin: 'http://[::1]:8787' })).toBeUndefined()
    expect(from('POST', { host: '127.0.0.1:8787' })).toBeUndefined()
    expect(from('POST', { host: '127.0.0.1:8787', origin: 'http://127.0.0.1:9999' })).toMatch('another origin')
    expect(from('GET', { host: '127.0.0.1:8787', 'sec-fetch-site': 'cross-site' })).toBeUndefined()
    expect(from('GET', { host: 'evil.example' })).toMatch('host')
    expect(from('GET', {})).toMatch('host')
  })
})

describe('the end of a server', () => {
  it('answers what is under way, is not ready meanwhile, and closes its engine', async () => {
    const { asked, goOn, enrich } = held()
    const bursar = anEngine({ enrich })
    const server = aServer({}, bursar)
    const { url } = await server.listen({ port: 0 })
    const answer = ask(url, 'POST', '/v1/check', {}, ASKED)
    await asked
    const closing = server.close()
    expect((await server.fetch(new Request('http://localhost/ready'))).status).toBe(503)
    expect((await server.fetch(new Request('http://localhost/health'))).status).toBe(200)
    goOn()
    expect(await answer).toMatchObject({ status: 200, headers: { connection: 'close' } })
    expect(await closing).toEqual({ cutOff: 0 })
    await expect(bursar.check(ASKED)).rejects.toThrow('closed')
    await expect(fetch(`${url}/health`)).rejects.toThrow()
    await expect(server.listen({ port: 0 })).rejects.toThrow('closed')
    expect(server.close()).toBe(server.close())
  })

  it('answers a connection that is kept once more, with word that it was the last', async () => {
    const server = aServer()
    const { port } = await server.listen({ port: 0 })
    const socket = connect(port, '127.0.0.1')
    onTestFinished(() => void socket.destroy())
    let got = ''
    socket.on('data', (chunk) => (got += String(chunk)))
    const ended = once(socket, 'close')
    socket.write('GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n')
    await until('the first answer is there', () => got.includes('"ok"'))
    expect(got).toMatch(/connection: keep-alive/i)
    got = ''
    const closing = server.close()
    socket.write('GET /ready HTTP/1.1\r\nHost: localhost\r\n\r\n')
    await ended
    expect(got).toMatch(/^HTTP\/1.1 503/)
    expect(got).toMatch(/connection: close/i)
    expect(await closing).toEqual({ cutOff: 0 })
  })

  it('cuts off what takes longer than it may, and says how much', async () => {
    const warned: object[] = []
    const { asked, enrich } = held()
    const server = aServer({ drain: '30ms', log: { info: () => {}, error: () => {}, warn: (fields) => void warned.push(fields) } }, anEngine({ enrich }))
    const { url } = await server.listen({ port: 0 })
    const answer = ask(url, 'POST', '/v1/check', {}, ASKED).catch((error: Error) => error)
    await asked
    expect(await server.close()).toEqual({ cutOff: 1 })
    expect(await answer).toBeInstanceOf(Error)
    expect(warned).toEqual([{ requests: 1 }])
  })

  it('ends when the last answer is out, though the client keeps its connection, and others have sent nothing', async () => {
    const { asked, goOn, enrich } = held()
    const warned: object[] = []
    const server = aServer({ drain: '1h', log: { info: () => {}, error: () => {}, warn: (fields) => void warned.push(fields) } }, anEngine({ enrich }))
    const { port } = await server.listen({ port: 0 })
    const [silent, kept] = [connect(port, '127.0.0.1'), connect(port, '127.0.0.1')]
    onTestFinished(() => void [silent, kept].map((socket) => socket.destroy()))
    await Promise.all([once(silent, 'connect'), once(kept, 'connect')])
    const body = JSON.stringify(ASKED)
    kept.write(`POST /v1/check HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
    await asked
    const closing = server.close()
    goOn()
    const answer = String((await once(kept, 'data'))[0])
    expect(answer).toMatch(/^HTTP\/1.1 200/)
    expect(answer).toMatch(/connection: close/i)
    // Else it would be an hour.
    expect(await closing).toEqual({ cutOff: 0 })
    expect(warned).toEqual([])
  })

  it('cuts off no more than requests: half a head is none', async () => {
    const server = aServer({ drain: '30ms' })
    const { port } = await server.listen({ port: 0 })
    const socket = connect(port, '127.0.0.1')
    onTestFinished(() => void socket.destroy())
    socket.on('error', () => {})
    socket.write('POST /v1/che')
    await new Promise<void>((resolve, reject) => socket.write('ck', (error) => (error ? reject(error) : resolve())))
    expect(await server.close()).toEqual({ cutOff: 0 })
  })

  it('ends the streams of those who watch', async () => {
    const server = aServer()
    const { url } = await server.listen({ port: 0 })
    const response = await fetch(`${url}/v1/live`)
    expect(response.headers.get('content-type')).toMatch('text/event-stream')
    const text = response.text()
    expect(await server.close()).toEqual({ cutOff: 0 })
    expect(await text).toMatch(/^retry/)
  })

  it('does not keep a client waiting that never sends its headers', async () => {
    const server = aServer({ drain: '50ms' })
    const { port } = await server.listen({ port: 0 })
    const socket = connect(port, '127.0.0.1')
    const gone = once(socket, 'close')
    socket.on('error', () => {})
    await once(socket, 'connect')
    socket.write('POST /v1/check HTTP/1.1\r\nHost: localhost\r\nContent-Le')
    await server.close()
    await gone
  })
})

describe('the log of a server', () => {
  it('says which settles that waited for the store are refused when it is back, each of them', async () => {
    const { bursar, lines, away, back } = fickle()
    aServer({ log: lines.log }, bursar)
    const decisions = await Promise.all([1, 2, 3].map(async () => allowedOf(await bursar.check(ASKED))))
    away()
    for (const decision of decisions) await decision.settle({ cost: 0.02 })
    for (const { id } of decisions) await back.released(id)
    back.now()
    await until('the store is back', () => lines.of('store answers again').length > 0)
    const dropped = lines.of('not charged')
    expect(dropped.map(({ id }) => id)).toEqual(decisions.map(({ id }) => id))
    expect(dropped[0]).toMatchObject({ level: 'error', operation: 'replay of settle', code: 'ALREADY_ENDED', error: expect.stringContaining(`"${decisions[0]?.id}" is already released`) })
    expect(lines.of('the store failed')).toMatchObject([{ level: 'error', operation: 'settle', code: 'STORE_UNAVAILABLE' }])
    expect(lines.of('store answers again')).toMatchObject([{ level: 'warn', operation: 'probe' }])
  })

  it('says what is wrong with usage, and of what is repeated one line a second, with how many there were', async () => {
    let now = NOON
    const bursar = anEngine({ clock: () => now })
    const lines = someLines()
    aServer({ log: lines.log }, bursar)
    const decision = allowedOf(await bursar.check(ASKED))
    for (let times = 0; times < 3; times += 1) decision.addUsage(-1, 'input')
    expect(lines.of('usage')).toEqual([expect.objectContaining({ level: 'warn', id: decision.id, error: expect.stringContaining('-1 is not a count') })])
    now += 1_000
    decision.addUsage(-1, 'input')
    expect(lines.of('usage')).toHaveLength(2)
    expect(lines.of('usage')[1]).toMatchObject({ more: 2 })
  })

  it('says nothing twice where its engine was written into the same log before', async () => {
    const bursar = anEngine({ clock: () => NOON })
    const lines = someLines()
    writeEvents(bursar as never, lines.log)
    aServer({ log: lines.log }, bursar)
    allowedOf(await bursar.check(ASKED)).addUsage(-1, 'input')
    expect(lines.of('usage')).toHaveLength(1)
  })
})

interface Lines {
  readonly log: ServerLog
  of(words: string): Record<string, unknown>[]
}

/** A log that is kept. */
function someLines(): Lines {
  const lines: Record<string, unknown>[] = []
  const write = (level: string) => (fields: object, message: string): void => void lines.push({ level, message, ...fields })
  return { log: { info: write('info'), warn: write('warn'), error: write('error') }, of: (words) => lines.filter(({ message }) => String(message).includes(words)) }
}

/** An engine whose store takes no ending while it is away. */
function fickle(): { bursar: Bursar<'free'>; lines: Lines; away: () => void; back: { now: () => void; released: (id: string) => Promise<unknown> } } {
  const inner = memoryStore()
  let isAway = false
  const refusing = <Given extends unknown[], T>(operation: (...given: Given) => T) => (...given: Given): T | Promise<never> =>
    isAway ? Promise.reject(new StoreUnavailableError('away', { asked: false })) : operation(...given)
  const store = storeWith(inner, { shared: true, settle: refusing(inner.settle.bind(inner)), release: refusing(inner.release.bind(inner)) } as never)
  return {
    bursar: anEngine({ store }),
    lines: someLines(),
    away: () => void (isAway = true),
    back: { now: () => void (isAway = false), released: async (id) => inner.release({ id }) },
  }
}

/** The registry of a store as functions. */
function bound(registry: Store['registry']): Pick<Store['registry'], 'get' | 'list' | 'put'> {
  return { get: registry.get.bind(registry), list: registry.list.bind(registry), put: registry.put.bind(registry) }
}

/** Facts that are waited for until the test says so. */
function held(): { asked: Promise<void>; goOn: () => void; enrich: () => Promise<Record<string, unknown>> } {
  let [goOn, say] = [(): void => {}, (): void => {}]
  const gate = new Promise<void>((resolve) => (goOn = resolve))
  const asked = new Promise<void>((resolve) => (say = resolve))
  const enrich = async (): Promise<Record<string, unknown>> => {
    say()
    await gate
    return {}
  }
  return { asked, goOn: () => goOn(), enrich }
}
