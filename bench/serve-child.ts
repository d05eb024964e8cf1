// The servers that bench/server.ts loads, in a process of their own: the service on each store, and a bare route on the same adapter.

import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { getRequestListener } from '@hono/node-server'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Hono } from 'hono'
import { DEFAULT_BUILD, loadPackage, loadRedisStore } from './package-under-test.js'

const [folder, redisPort] = process.argv.slice(2) as [string, string]
const at = (file: string): string => pathToFileURL(join(DEFAULT_BUILD, file)).href
const { createServer: createBursarServer } = (await import(at('src/server/index.js'))) as typeof import('../src/server/index.js')
const { sqliteStore } = (await import(at('src/store/sqlite/index.js'))) as typeof import('../src/store/sqlite/index.js')
const { Bursar, memoryStore } = await loadPackage(DEFAULT_BUILD)
const { redisStore } = await loadRedisStore(DEFAULT_BUILD)

const LIMITS = { daily: 10_000, weekly: 50_000, monthly: 200_000 }
const stores = {
  memory: memoryStore(),
  sqlite: sqliteStore({ path: join(folder, 'bench.db') }),
  redis: redisStore({ url: `redis://127.0.0.1:${redisPort}` }),
}
const told: Record<string, { url: string; token: string }> = {}
const keysOf: Record<string, unknown> = {}
let decision = ''
for (const [name, store] of Object.entries(stores)) {
  const bursar = new Bursar({ tiers: { pro: LIMITS }, defaultTier: 'pro', store })
  const server = createBursarServer({ bursar, rateLimit: null })
  const { token } = await server.keys.create({ name: 'bench', roles: ['check'] })
  const { url } = await server.listen({ port: 0, ownsProcess: true })
  const answer = await fetch(`${url}/v1/check`, { method: 'POST', headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' }, body: JSON.stringify({ userId: 'first', model: 'gpt-4o', estimatedCost: 0.03 }) })
  decision = await answer.text()
  if (answer.status !== 200) throw new Error(decision)
  told[name] = { url, token }
  keysOf[name] = server.keys
}

const constant = JSON.parse(decision) as Record<string, unknown>
const minimal = Object.fromEntries(Object.entries(constant).filter(([field]) => !['rungs', 'reason', 'verdicts', 'context'].includes(field)))

// The same route: everything around the decision (key, body, metrics, header fields), and a constant in its place.
const { OpenAPIHono } = await import('@hono/zod-openapi')
const { gate } = (await import(at('src/server/http/gate.js'))) as typeof import('../src/server/http/gate.js')
const { requestLog } = (await import(at('src/server/http/request-log.js'))) as typeof import('../src/server/http/request-log.js')
const { quickAnswer } = (await import(at('src/server/http/security-headers.js'))) as typeof import('../src/server/http/security-headers.js')
const { createMetrics } = (await import(at('src/server/metrics.js'))) as typeof import('../src/server/metrics.js')
const around = new Bursar({})
const service = { keys: keysOf.memory, clock: Date.now, log: { info() {} }, metrics: createMetrics({ engine: around as never }), options: { rateLimit: null, maxBodyBytes: 1_048_576 } } as never
const routeTo = (answer: unknown) => {
  const route = new OpenAPIHono<import('../src/server/service.js').Env>()
  route.use('*', requestLog(service))
  route.use('/v1/*', gate(service))
  route.post('/v1/check', (context) => quickAnswer(200, answer, context.get('requestId')))
  return route
}
const bare = new Hono().post('/v1/check', async (context) => {
  await context.req.json()
  return context.json(constant)
})
for (const [name, { fetch }] of Object.entries({ constant: routeTo(constant), short: routeTo(minimal), bare })) {
  const server = createServer(getRequestListener(fetch)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  told[name] = { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, token: told['memory']?.token as string }
}
process.stdout.write(`${JSON.stringify({ servers: told, bytes: decision.length })}\n`)
