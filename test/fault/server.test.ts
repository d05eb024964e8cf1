// Servers that are stopped, and killed, while clients load them. Each client's testimony is the witness: what was acknowledged is in the store, once,
// and nothing is half done.

import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { Bursar, type Store } from '../../src/index.js'
import { redisStore } from '../../src/store/redis/index.js'
import { sqliteStore } from '../../src/store/sqlite/index.js'
import { startRedis, until } from '../support/redis/index.js'
import { Client, load, ServerProcess, type Testimony } from '../support/server/process.js'

const CONFIG = { tiers: { free: { daily: 1_000 } }, defaultTier: 'free' as const, global: { daily: 5_000 }, server: { rateLimit: null } }
const CLIENTS = 8

interface Place {
  readonly folder: string
  readonly open: () => Store
}

const onSqlite = async (): Promise<Place> => {
  const folder = aFolder({ ...CONFIG, store: 'sqlite:./bursar.db' })
  return { folder, open: () => sqliteStore({ path: join(folder, 'bursar.db') }) }
}

const onRedis = async (): Promise<Place> => {
  const redis = await startRedis()
  onTestFinished(() => redis.stop())
  return { folder: aFolder({ ...CONFIG, store: redis.url }), open: () => redisStore({ url: redis.url }) }
}

describe('a server that is told to stop under load', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)('answers every request that it has taken, leaves nothing half done, and ends with 0 (%s)', async (signal) => {
    const place = await onSqlite()
    const server = await ServerProcess.start(place.folder)
    const testimonies: Testimony[] = []
    const clients = Promise.all(Array.from({ length: CLIENTS }, (_, index) => load(server.url, `client-${index}`, testimonies)))
    await until('a lot is settled', () => testimonies.filter(({ isSettled }) => isSettled).length >= 150)
    expect(await server.end(signal)).toBe(0)
    await clients

    expect(testimonies.filter(({ failure }) => failure !== undefined)).toEqual([])
    expect(testimonies.filter(({ isSettleSent, isSettled }) => isSettleSent !== isSettled)).toEqual([])
    const { settled, held, differences } = await booksOf(place)
    expect(settled).toEqual(chargesOf(testimonies.filter(({ isSettled }) => isSettled)))
    // What is still held is what was allowed to clients whose connection ended with that answer.
    expect(held).toBeCloseTo(0.02 * testimonies.filter(({ id, isSettled }) => id !== undefined && !isSettled).length, 8)
    expect(differences).toEqual([])
    expect(server.said).toBe('')
  })
})

describe('a server that is told to stop twice', () => {
  it('does not wait for a request that takes long', async () => {
    const folder = aFolder({})
    const store = `sqliteStore({ path: ${JSON.stringify(join(folder, 'bursar.db'))} })`
    rmSync(join(folder, 'bursar.config.json'))
    const module = new URL('../../src/store/sqlite/index.ts', import.meta.url).href
    writeFileSync(join(folder, 'bursar.config.mjs'), `import { sqliteStore } from ${JSON.stringify(module)}\nexport default () => ({ tiers: { free: { daily: 1 } }, defaultTier: 'free', enrich: () => { console.error('asked'); return new Promise(() => {}) }, store: ${store} })\n`)
    const server = await ServerProcess.start(folder)
    const client = new Client(server.url)
    onTestFinished(() => client.close())
    const answer = client.post('/v1/check', { userId: 'ada', estimatedCost: 0.1 }).catch((error: Error) => error)
    await until('it is asked', () => server.said.includes('asked'))
    const ended = server.end('SIGTERM')
    await until('it has heard of it', async () => (await fetch(`${server.url}/ready`, { headers: { connection: 'close' } }).catch(() => ({ status: 503 }))).status === 503)
    await server.end('SIGTERM')
    expect(await ended).toBe(130)
    expect(await answer).toBeInstanceOf(Error)
  })
})

describe.each([
  ['SQLite', onSqlite],
  ['Redis', onRedis],
])('a server on %s that is killed under load', (_name, somewhere) => {
  it('has lost nothing that it has acknowledged, and the next one ends what was under way, once', async () => {
    const place = await somewhere()
    const server = await ServerProcess.start(place.folder)
    const testimonies: Testimony[] = []
    const clients = Promise.all(Array.from({ length: CLIENTS }, (_, index) => load(server.url, `client-${index}`, testimonies)))
    await until('a lot is settled', () => testimonies.filter(({ isSettled }) => isSettled).length >= 150)
    expect(await server.end('SIGKILL')).toBe('SIGKILL')
    await clients

    const before = await booksOf(place)
    const acknowledged = chargesOf(testimonies.filter(({ isSettled }) => isSettled))
    for (const [id, cost] of acknowledged) expect([id, before.settled.get(id)]).toEqual([id, cost])
    const sent = chargesOf(testimonies.filter(({ isSettleSent }) => isSettleSent))
    expect([...before.settled.keys()].filter((id) => !sent.has(id))).toEqual([])

    // What the clients know nothing of, they ask again: with the same key, and the same cost.
    const next = await ServerProcess.start(place.folder)
    const client = new Client(next.url)
    onTestFinished(() => client.close())
    for (const { key, userId, cost, id, isSettleSent, isSettled } of testimonies) {
      if (isSettled) continue
      if (isSettleSent) {
        expect((await client.post(`/v1/holds/${id}/settle`, { cost })).status).toBe(200)
        continue
      }
      const again = await client.post('/v1/check', { userId, model: 'gpt-4o', estimatedCost: 0.02 }, key)
      expect(again).toMatchObject({ status: 200, json: { allowed: true } })
      if (id !== undefined) expect(again.json).toMatchObject({ id, replayed: true })
      expect((await client.post(`/v1/holds/${again.json.id}/release`, undefined)).status).toBe(204)
    }
    expect(await next.end('SIGTERM')).toBe(0)
    const after = await booksOf(place)
    expect(after.settled).toEqual(sent)
    expect(after.held).toBe(0)
    expect(after.differences).toEqual([])
  })
})

describe('a server whose store is away', () => {
  it.each(['SIGKILL', 'SIGTERM'] as const)('loses no settle that it has accepted when it is ended (%s): the next one charges it, once', async (signal) => {
    const redis = await startRedis()
    onTestFinished(() => redis.stop())
    const place = { folder: aFolder({ ...CONFIG, store: redis.url, storeTimeout: '2s' }), open: () => redisStore({ url: redis.url }) }
    const server = await ServerProcess.start(place.folder)
    const client = new Client(server.url)
    onTestFinished(() => client.close())
    const ids: string[] = []
    for (let call = 0; call < 5; call += 1) ids.push((await client.post('/v1/check', { userId: `user-${call}`, estimatedCost: 0.02 })).json.id)
    redis.suspend()
    for (const [index, id] of ids.slice(0, 3).entries()) expect((await client.post(`/v1/holds/${id}/settle`, { cost: (index + 1) / 100 })).status).toBe(202)
    expect(await server.end(signal)).toBe(signal === 'SIGTERM' ? 0 : signal)
    const queues = (): string[] => readdirSync(place.folder).filter((name) => name.endsWith('.queue'))
    expect(queues()).toHaveLength(1)
    if (signal === 'SIGTERM') expect(server.said).toMatch(/"3 settles wait for the store in [^"]*\.queue/)
    redis.resume()

    const next = await ServerProcess.start(place.folder)
    const again = new Client(next.url)
    onTestFinished(() => again.close())
    await until('all is charged', async () => (await fetch(`${next.url}/v1/usage?kind=settled`).then((answer) => answer.json() as Promise<{ items: unknown[] }>)).items.length >= 3)
    // Who repeats what was accepted is told so, and charged nothing.
    expect(await again.post(`/v1/holds/${ids[0]}/settle`, { cost: 0.01 })).toMatchObject({ status: 200, json: { cost: 0.01, replayed: true } })
    expect((await again.post(`/v1/holds/${ids[3]}/settle`, { cost: 0.04 })).status).toBe(200)
    expect(await next.end('SIGTERM')).toBe(0)
    expect(next.said).toBe('')
    expect(queues()).toEqual([])
    const { settled, held, differences } = await booksOf(place)
    expect([...settled.values()].sort()).toEqual([1_000_000, 2_000_000, 3_000_000, 4_000_000])
    expect(held).toBeCloseTo(0.02, 8)
    expect(differences).toEqual([])
  })

  it('shares its file with no other server, and starts with none that it cannot write', async () => {
    const redis = await startRedis()
    onTestFinished(() => redis.stop())
    const folder = aFolder({ ...CONFIG, store: redis.url })
    const servers = [await ServerProcess.start(folder), await ServerProcess.start(folder)]
    expect(readdirSync(folder).filter((name) => name.endsWith('.queue'))).toHaveLength(2)
    expect(await Promise.all(servers.map((server) => server.end('SIGTERM')))).toEqual([0, 0])
    expect(readdirSync(folder)).toEqual(['bursar.config.json'])
    const elsewhere = aFolder({ ...CONFIG, store: redis.url, settleQueue: { path: '/no/such/folder/settles.queue' } })
    await expect(ServerProcess.start(elsewhere)).rejects.toThrow(/settleQueue\.path: \/no\/such\/folder\/settles\.queue cannot be used .* Give a path in a folder that exists/)
    const named = aFolder({ ...CONFIG, store: redis.url, settleQueue: { path: join(folder, 'mine.queue') } })
    const server = await ServerProcess.start(named)
    expect([readdirSync(named), readdirSync(folder).includes('mine.queue')]).toEqual([['bursar.config.json'], true])
    expect(await server.end('SIGTERM')).toBe(0)
  })
})

function aFolder(config: object): string {
  const folder = mkdtempSync(join(tmpdir(), 'bursar-serve-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  writeFileSync(join(folder, 'bursar.config.json'), JSON.stringify(config))
  return folder
}

/** What each decision should have been charged, in microcents. */
function chargesOf(testimonies: readonly Testimony[]): Map<string, number> {
  return new Map(testimonies.map(({ id, cost }): [string, number] => [id as string, Math.round(cost * 1e8)]).sort())
}

/** What the store says: charges by decision, what is held of everybody, and what an audit finds. */
async function booksOf({ open }: Place): Promise<{ settled: Map<string, number>; held: number; differences: readonly unknown[] }> {
  const store = open()
  const { server: _server, ...config } = CONFIG
  const engine = new Bursar({ ...config, store, logger: { debug: () => {}, warn: () => {} } })
  try {
    const charges: [string, number][] = []
    for await (const entry of store.ledger.entries()) {
      if (entry.kind === 'settled') charges.push([(entry.decisionId as string).replace(/^\//, ''), entry.microcents])
    }
    const settled = new Map(charges.sort())
    // Each decision was charged once.
    expect(settled.size).toBe(charges.length)
    const [everybody] = await engine.limits.standing()
    return { settled, held: everybody?.held ?? Number.NaN, differences: (await engine.tracker.audit()).differences }
  } finally {
    await engine.close()
  }
}
