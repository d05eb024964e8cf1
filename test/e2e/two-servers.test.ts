// Two processes of the service on one Redis, behind which clients must not be able to tell that they are two: budgets, holds, ids, keys and
// limits are those of one, also when one of them is killed.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Bursar } from '../../src/index.js'
import { redisStore } from '../../src/store/redis/index.js'
import { startRedis, until, type RedisServer } from '../support/redis/index.js'
import { ServerProcess } from '../support/server/process.js'

const ADMIN = 'the-operators-own-key'
const TIERS = { free: { daily: 1 }, pro: { daily: 1_000 } }

interface Answer {
  readonly status: number
  readonly json: any // oxlint-disable-line typescript/no-explicit-any
}

let redis: RedisServer
let folder: string
let servers: [ServerProcess, ServerProcess]

beforeAll(async () => {
  redis = await startRedis({ appendOnly: 'always' })
  folder = mkdtempSync(join(tmpdir(), 'bursar-two-'))
  writeFileSync(join(folder, 'bursar.config.json'), JSON.stringify({ tiers: TIERS, defaultTier: 'free', store: redis.url, server: { rateLimit: null } }))
  servers = await Promise.all([start(), start()])
})

afterAll(async () => {
  await Promise.all((servers ?? []).map((server) => server.end('SIGKILL')))
  await redis?.stop()
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true })
})

function start(): Promise<ServerProcess> {
  return ServerProcess.start(folder, [], { BURSAR_ADMIN_KEY: ADMIN })
}

/** Asks one of the two. */
async function ask(which: 0 | 1, method: string, path: string, body?: object, { key = ADMIN, id }: { readonly key?: string; readonly id?: string } = {}): Promise<Answer> {
  const headers = { authorization: `Bearer ${key}`, ...(body !== undefined && { 'content-type': 'application/json' }), ...(id !== undefined && { 'idempotency-key': id }) }
  const response = await fetch(`${servers[which].url}${path}`, { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) })
  const text = await response.text()
  return { status: response.status, json: text === '' ? undefined : JSON.parse(text) }
}

function either(index: number): 0 | 1 {
  return (index % 2) as 0 | 1
}

test('a budget for a hundred calls lets exactly a hundred of two hundred through, whichever they ask', async () => {
  const answers = await Promise.all(Array.from({ length: 200 }, (_, index) => ask(either(index), 'POST', '/v1/check', { userId: 'crowd', estimatedCost: 0.01 })))
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(100)
  expect(answers.filter(({ status }) => status === 402)).toHaveLength(100)
  for (const which of [0, 1] as const) {
    const { json } = await ask(which, 'GET', '/v1/users/crowd/budget?period=daily')
    expect(json).toMatchObject({ budget_limit_usd: 1, budget_used_usd: 1, budget_remaining_usd: 0 })
  }
})

test('a hold that one has opened is settled by the other, once', async () => {
  const { json: decision } = await ask(0, 'POST', '/v1/check', { userId: 'hal', estimatedCost: 0.5 })
  expect((await ask(1, 'POST', `/v1/holds/${decision.id}/settle`, { cost: 0.2 })).json).toMatchObject({ cost: 0.2, replayed: false })
  expect((await ask(0, 'POST', `/v1/holds/${decision.id}/settle`, { cost: 0.2 })).json).toMatchObject({ cost: 0.2, replayed: true })
  expect((await ask(0, 'POST', `/v1/holds/${decision.id}/settle`, { cost: 0.3 })).status).toBe(409)
  for (const which of [0, 1] as const) expect((await ask(which, 'GET', '/v1/users/hal/budget?period=daily')).json).toMatchObject({ budget_used_usd: 0.2 })
})

test('the same Idempotency-Key at both is one decision, and with other arguments none', async () => {
  const body = { userId: 'ida', estimatedCost: 0.4 }
  const answers = await Promise.all([0, 1, 0, 1, 0, 1].map((which) => ask(which as 0 | 1, 'POST', '/v1/check', body, { id: 'one-call' })))
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200, 200])
  expect(new Set(answers.map(({ json }) => json.id))).toEqual(new Set(['one-call']))
  expect(answers.filter(({ json }) => json.replayed === false)).toHaveLength(1)
  expect((await ask(1, 'POST', '/v1/check', { ...body, estimatedCost: 0.3 }, { id: 'one-call' })).status).toBe(409)
  expect((await ask(0, 'GET', '/v1/users/ida/budget?period=daily')).json).toMatchObject({ budget_used_usd: 0.4 })
})

test('a key that one has made is taken by the other, and refused once it is revoked there', async () => {
  const { json: made } = await ask(0, 'POST', '/v1/keys', { name: 'a service', roles: ['check'], tenant: 'acme' })
  const key = made.token as string
  const check = (which: 0 | 1): Promise<Answer> => ask(which, 'POST', '/v1/check', { userId: 'kim', estimatedCost: 0 }, { key })
  await until('both take it', async () => (await check(0)).status === 200 && (await check(1)).status === 200)
  expect((await ask(0, 'DELETE', `/v1/keys/${made.key.id}`)).status).toBe(204)
  await until('the other refuses it', async () => (await check(1)).status === 401, { withinMs: 5_000 })
  expect((await check(0)).status).toBe(401)
})

test('a limit that is made at one refuses at the other, until it is taken away', async () => {
  const check = (which: 0 | 1): Promise<Answer> => ask(which, 'POST', '/v1/check', { userId: 'lea', tenant: 'globex', estimatedCost: 0.5 })
  expect((await check(1)).status).toBe(200)
  expect((await ask(0, 'POST', '/v1/limits', { id: 'tight', scope: { kind: 'tenant', id: 'globex' }, budget: { daily: 0.1 } })).status).toBe(201)
  await until('the other refuses', async () => (await check(1)).status === 402, { withinMs: 5_000 })
  expect((await ask(1, 'DELETE', '/v1/limits/tight')).status).toBe(204)
  await ask(0, 'PUT', '/v1/users/lea/budget?tenant=globex', { daily: 500 })
  await until('the first one takes it again', async () => (await check(0)).status === 200, { withinMs: 5_000 })
})

test('one that is killed under load takes nothing with it: what was acknowledged is there once, and the other goes on', async () => {
  const acknowledged = new Map<string, number>()
  const sent = new Map<string, number>()
  const killing = new AbortController()
  const work = async (worker: number): Promise<void> => {
    for (let call = 0; !killing.signal.aborted || call < 20; call += 1) {
      const id = `load-${worker}-${call}`
      const cost = ((call % 9) + 1) / 1_000
      // Whoever meets a server that is gone asks the other one, with the same key.
      for (const which of [either(worker), either(worker + 1)]) {
        try {
          const { status, json } = await ask(which, 'POST', '/v1/check', { userId: `worker-${worker}`, userTier: 'pro', estimatedCost: 0.01 }, { id })
          expect([status, json.id]).toEqual([200, id])
          sent.set(id, cost)
          const settled = await ask(which, 'POST', `/v1/holds/${id}/settle`, { cost })
          expect([settled.status, settled.json.cost]).toEqual([200, cost])
          acknowledged.set(id, cost)
          break
        } catch (error) {
          if (!(error instanceof TypeError)) throw error
          expect(killing.signal.aborted).toBe(true)
        }
      }
    }
  }
  const working = Promise.all(Array.from({ length: 8 }, (_, worker) => work(worker)))
  await until('there is load', () => acknowledged.size >= 120)
  killing.abort()
  expect(await servers[0].end('SIGKILL')).toBe('SIGKILL')
  await working
  expect(acknowledged).toEqual(sent)

  const engine = new Bursar({ tiers: TIERS, defaultTier: 'free', store: redisStore({ url: redis.url }) })
  try {
    const charged: [string, number][] = []
    for await (const { kind, decisionId, microcents } of engine.tracker.entries()) {
      const id = decisionId?.replace(/^\//, '') ?? ''
      if (kind === 'settled' && id.startsWith('load-')) charged.push([id, microcents])
    }
    expect(charged.toSorted()).toEqual([...acknowledged].map(([id, cost]) => [id, Math.round(cost * 1e8)]).toSorted())
    for (let worker = 0; worker < 8; worker += 1) expect((await engine.tracker.getUserSummary(`worker-${worker}`)).held).toBe(0)
    expect((await engine.tracker.audit()).differences).toEqual([])
  } finally {
    await engine.close()
  }

  // One that is started again joins in.
  servers[0] = await start()
  expect((await ask(0, 'GET', '/v1/users/crowd/budget?period=daily')).json).toMatchObject({ budget_used_usd: 1 })
})
