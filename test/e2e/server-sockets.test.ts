// What comes over a socket and is no request as a library would send it: too slow, too large, cut off, or no HTTP at all. Others are answered
// meanwhile, nobody is answered with a 500, and no answer has a header field that a client has written.

import { connect, type Socket } from 'node:net'
import { once } from 'node:events'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Bursar } from '../../src/bursar.js'
import { createServer, type BursarServer } from '../../src/server/index.js'
import { until } from '../support/redis/index.js'

const KEY = 'the-operators-own-key'
const MOST_BYTES = 100_000

let server: BursarServer
let port: number
const logged: string[] = []
const sockets: Socket[] = []

beforeAll(async () => {
  const note = (fields: object, message: string): void => void logged.push(`${message} ${JSON.stringify(fields)}`)
  server = createServer({ bursar: new Bursar({ tiers: { free: { daily: 1_000 } }, defaultTier: 'free' }), adminKey: KEY, maxBodyBytes: MOST_BYTES, drain: 1, log: { info: note, warn: note, error: (fields, message) => note(fields, `ERROR ${message}`) } })
  ;({ port } = await server.listen({ port: 0 }))
})

afterAll(async () => {
  for (const socket of sockets) socket.destroy()
  await server.close()
})

/** A connection, and what has come over it so far. */
async function open(): Promise<{ socket: Socket; said: () => string; isClosed: () => boolean }> {
  const socket = connect(port, '127.0.0.1')
  sockets.push(socket)
  let [said, isClosed] = ['', false]
  socket.on('data', (data: Buffer) => (said += data.toString('latin1')))
  socket.on('error', () => {})
  socket.once('close', () => (isClosed = true))
  await once(socket, 'connect')
  return { socket, said: () => said, isClosed: () => isClosed }
}

/** Sends bytes, and gives the first status line that comes, or `closed`. */
async function raw(bytes: string | Buffer): Promise<string> {
  const { socket, said, isClosed } = await open()
  socket.write(bytes)
  const answer = await until('it is answered', () => (/^HTTP\/1\.1 \d+[\s\S]*?\r\n\r\n/.test(said()) || isClosed() ? said() || 'closed' : undefined))
  socket.destroy()
  return answer
}

async function isResponsive(): Promise<boolean> {
  const response = await fetch(`http://127.0.0.1:${port}/v1/check`, { method: 'POST', headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' }, body: JSON.stringify({ userId: 'ada', estimatedCost: 0 }) })
  return response.status === 200
}

const HEAD = `Host: 127.0.0.1\r\nAuthorization: Bearer ${KEY}\r\n`
const JSON_HEAD = `${HEAD}Content-Type: application/json\r\n`

describe('slow clients', () => {
  test('a hundred that send their header fields byte by byte, or never the body, keep nobody else waiting', async () => {
    const slow = await Promise.all(Array.from({ length: 100 }, open))
    const request = `POST /v1/check HTTP/1.1\r\n${JSON_HEAD}Content-Length: 50\r\n\r\n{"userId":"ada",`
    for (let at = 0; at < request.length; at += 1) {
      for (const [index, { socket }] of slow.entries()) {
        if (index % 2 === 0) socket.write(request.slice(at, at + 1))
        else if (at === 0) socket.write(request)
      }
      if (at % 50 === 0) expect(await isResponsive()).toBe(true)
    }
    expect(slow.filter(({ said }) => said() !== '')).toEqual([])
    expect(await isResponsive()).toBe(true)
    // What they have begun counts nothing.
    for (const { socket } of slow) socket.destroy()
    expect(await isResponsive()).toBe(true)
  })

  test('one that hangs up in the middle of its body has asked nothing', async () => {
    const { socket } = await open()
    socket.end(`POST /v1/costs HTTP/1.1\r\n${JSON_HEAD}Content-Length: 100\r\n\r\n{"userId":"cut-off","cost":1}`)
    await once(socket, 'close')
    const { json } = await ask('/v1/users/cut-off/budget')
    expect(json).toMatchObject({ budget_used_usd: 0 })
  })
})

describe('large requests', () => {
  test('a body whose length is too large is refused before any of it is sent', async () => {
    expect(await raw(`POST /v1/check HTTP/1.1\r\n${JSON_HEAD}Content-Length: 10000000\r\n\r\n`)).toMatch(/^HTTP\/1\.1 413 /)
    expect(await raw(`POST /v1/check HTTP/1.1\r\n${JSON_HEAD}Content-Length: 99999999999999999999\r\n\r\n{`)).toMatch(/^HTTP\/1\.1 4\d\d /)
  })

  test('a body that does not say how long it is is refused as soon as it is too long', async () => {
    const { socket, said, isClosed } = await open()
    socket.write(`POST /v1/check HTTP/1.1\r\n${JSON_HEAD}Transfer-Encoding: chunked\r\n\r\n`)
    const chunk = `4000\r\n${' '.repeat(0x4000)}\r\n`
    let chunks = 0
    // It would go on for ever.
    await until('it is refused', async () => {
      if (said() !== '' || isClosed()) return true
      if (!socket.write(chunk)) await Promise.race([once(socket, 'drain'), once(socket, 'close'), once(socket, 'data')])
      chunks += 1
      return undefined
    }, { everyMs: 0 })
    expect(said()).toMatch(/^HTTP\/1\.1 413 /)
    expect(chunks * 0x4000).toBeLessThan(100 * MOST_BYTES)
    expect(await isResponsive()).toBe(true)
  })

  test('header fields, and addresses, of a megabyte are refused', async () => {
    expect(await raw(`GET /v1/state HTTP/1.1\r\n${HEAD}X-Large: ${'x'.repeat(1_000_000)}\r\n\r\n`)).toMatch(/^(HTTP\/1\.1 431 |closed)/)
    expect(await raw(`GET /v1/users/${'x'.repeat(1_000_000)} HTTP/1.1\r\n${HEAD}\r\n`)).toMatch(/^(HTTP\/1\.1 (414|431) |closed)/)
    expect(await raw(`GET /v1/state HTTP/1.1\r\n${HEAD}${Array.from({ length: 5_000 }, (_, index) => `X-${index}: x\r\n`).join('')}\r\n`)).toMatch(/^(HTTP\/1\.1 |closed)/)
    expect(await isResponsive()).toBe(true)
  })
})

describe('what is no request', () => {
  const CHECK = '{"userId":"ada","estimatedCost":0}'
  const requests: readonly (readonly [string, string | Buffer, RegExp])[] = [
    ['no HTTP', 'hello\r\n\r\n', /^(HTTP\/1\.1 400 |closed)/],
    ['the beginning of TLS', Buffer.from('16030100c4010000c0030300', 'hex'), /^(HTTP\/1\.1 400 |closed)/],
    ['a preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', /^(HTTP\/1\.1 [45]0\d |closed)/],
    ['an address with a scheme and somebody else in it', `GET http://elsewhere.test/health HTTP/1.1\r\n${HEAD}\r\n`, /^HTTP\/1\.1 (200|4\d\d) /],
    ['an address that is none', `GET //[ HTTP/1.1\r\n${HEAD}\r\n`, /^HTTP\/1\.1 4\d\d /],
    ['an address with bytes that are no text', Buffer.from(`GET /v1/users/%ff%fe%00 HTTP/1.1\r\n${HEAD}\r\n`, 'latin1'), /^HTTP\/1\.1 4\d\d /],
    ['bare bytes above ASCII in an address', Buffer.from(`GET /v1/users/\xff\xfe HTTP/1.1\r\n${HEAD}\r\n`, 'latin1'), /^HTTP\/1\.1 4\d\d /],
    ['an asterisk', `OPTIONS * HTTP/1.1\r\n${HEAD}\r\n`, /^HTTP\/1\.1 4\d\d /],
    ['an address that goes up', `GET /v1/../../../etc/passwd HTTP/1.1\r\n${HEAD}\r\n`, /^HTTP\/1\.1 404 /],
    ['no host', `GET /health HTTP/1.1\r\n\r\n`, /^HTTP\/1\.1 (200|400) /],
    ['a host that is none', `GET /health HTTP/1.1\r\nHost: a b/c@d\r\n\r\n`, /^HTTP\/1\.1 (200|400) /],
    ['a method that nobody knows', `FROBNICATE /v1/check HTTP/1.1\r\n${HEAD}\r\n`, /^(HTTP\/1\.1 4\d\d |closed)/],
    ['TRACE', `TRACE /v1/check HTTP/1.1\r\n${HEAD}\r\n`, /^HTTP\/1\.1 4\d\d /],
    ['CONNECT', `CONNECT 127.0.0.1:22 HTTP/1.1\r\n${HEAD}\r\n`, /^(HTTP\/1\.1 4\d\d |closed)/],
    ['an upgrade', `GET /v1/live HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n`, /^HTTP\/1\.1 (401|426) /],
    ['two lengths', `POST /v1/check HTTP/1.1\r\n${JSON_HEAD}Content-Length: 2\r\nContent-Length: 34\r\n\r\n${CHECK}`, /^(HTTP\/1\.1 400 |closed)/],
    ['a length and chunks', `POST /v1/check HTTP/1.1\r\n${JSON_HEAD}Content-Length: 34\r\nTransfer-Encoding: chunked\r\n\r\n22\r\n${CHECK}\r\n0\r\n\r\n`, /^(HTTP\/1\.1 400 |closed)/],
    ['two keys', `GET /v1/state HTTP/1.1\r\n${HEAD}Authorization: Bearer another-key-of-somebody\r\n\r\n`, /^HTTP\/1\.1 (200|400|401) /],
    ['a line feed in a header field', `GET /v1/state HTTP/1.1\r\n${HEAD}X-A: b\nSet-Cookie: a=b\r\n\r\n`, /^(HTTP\/1\.1 (200|400) |closed)/],
    ['a NUL in a header field', `GET /v1/state HTTP/1.1\r\n${HEAD}X-A: b\0c\r\n\r\n`, /^(HTTP\/1\.1 400 |closed)/],
    ['an Idempotency-Key that is none', `POST /v1/check HTTP/1.1\r\n${JSON_HEAD}Idempotency-Key: \xff \r\nContent-Length: 34\r\n\r\n${CHECK}`, /^HTTP\/1\.1 422 /],
    ['a body that is said to be packed', `POST /v1/check HTTP/1.1\r\n${JSON_HEAD}Content-Encoding: gzip\r\nContent-Length: 34\r\n\r\n${CHECK}`, /^HTTP\/1\.1 (200|4\d\d) /],
    ['UTF-16', Buffer.concat([Buffer.from(`POST /v1/check HTTP/1.1\r\n${JSON_HEAD}Content-Length: ${CHECK.length * 2}\r\n\r\n`), Buffer.from(CHECK, 'utf16le')]), /^HTTP\/1\.1 4\d\d /],
  ]

  test.each(requests)('%s', async (_what, bytes, expected) => {
    const answer = await raw(bytes)
    expect(answer).toMatch(expected)
    expect(answer.toLowerCase()).not.toMatch(/set-cookie|etc\/passwd|root:/)
    expect(await isResponsive()).toBe(true)
  })

  test('requests on one connection are answered in their order, up to the first that is none', async () => {
    const { socket, said, isClosed } = await open()
    socket.write(`GET /health HTTP/1.1\r\n${HEAD}\r\nGET /ready HTTP/1.1\r\n${HEAD}\r\n\0\0\0garbage\r\n\r\nGET /health HTTP/1.1\r\n${HEAD}\r\n`)
    await until('the connection is closed', isClosed)
    const statuses = [...said().matchAll(/HTTP\/1\.1 (\d+) /g)].map(([, status]) => status)
    expect(statuses.slice(0, 2).every((status) => status === '200' || status === '400')).toBe(true)
    expect(statuses.at(-1)).toBe('400')
    expect(statuses.length).toBeLessThanOrEqual(3)
  })

  test('header fields with line breaks in them are none of an answer', async () => {
    for (const path of ['/v1/users/a%0d%0aSet-Cookie:%20a=b', '/v1/users/ada/budget?period=%0d%0aSet-Cookie:%20a=b', '/v1/decisions/a%0d%0aLocation:%20http:%2f%2felsewhere', '/a%0d%0aSet-Cookie:%20a=b']) {
      const [head = ''] = (await raw(`GET ${path} HTTP/1.1\r\n${HEAD}\r\n`)).split('\r\n\r\n')
      expect(head).toMatch(/^HTTP\/1\.1 4\d\d /)
      expect(head.toLowerCase()).not.toMatch(/^(set-cookie|location):/m)
    }
  })
})

test('nothing of it was unforeseen, and no key stands in the log', () => {
  expect(logged.filter((line) => line.startsWith('ERROR'))).toEqual([])
  expect(logged.join('\n')).not.toContain(KEY)
})

async function ask(path: string): Promise<{ status: number; json: unknown }> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { headers: { authorization: `Bearer ${KEY}` } })
  return { status: response.status, json: await response.json() }
}
