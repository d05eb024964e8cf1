// `bursar check`: what the store, or a server, would say to a request now.

import { createServer as createHttpServer, type Server } from 'node:http'
import { once } from 'node:events'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { Bursar } from '../../../src/index.js'
import { createServer } from '../../../src/server/index.js'
import { sqliteStore } from '../../../src/store/sqlite/index.js'
import { until } from '../../support/redis/until.js'
import { CONFIG, Stage } from './stage.js'

let stage: Stage
beforeEach(async () => {
  stage = new Stage()
  await stage.traffic()
})

/** What is held of a user at the moment, in USD. */
function held(userId: string, tenant?: string): Promise<number> {
  return stage.engine(async (engine) => (await engine.tracker.getUserSummary(tenant === undefined ? userId : { userId, tenant })).held)
}

/** A server on the stage's file, and a key of it. */
async function aServer(more: Partial<typeof CONFIG> = {}): Promise<{ url: string; token: string; engine: Bursar<string, string> }> {
  const clock = (): number => stage.now
  const engine = new Bursar<string, string>({ ...CONFIG, ...more, clock, store: sqliteStore({ path: stage.path('bursar.db'), clock }) })
  const server = createServer({ bursar: engine })
  onTestFinished(async () => void (await server.close()))
  const { token } = await server.keys.create({ name: 'a test', roles: ['admin'] })
  return { ...(await server.listen({ port: 0 })), token, engine }
}

describe('bursar check', () => {
  it('says what a user may, and holds nothing', async () => {
    const { code, out } = await stage.run(['check', 'ada', '--model', 'gpt-4o', '--cost', '0.01'])
    expect(code).toBe(0)
    expect(out).toMatch(/action +ALLOW\n/)
    expect(out).toMatch(/model +gpt-4o\n/)
    expect(out).toMatch(/cost +\$0\.01\n/)
    expect(out).toMatch(/user +daily +USD +\$0\.05 +\$0\.00 +\$0\.10 +50 % +60 %/)
    expect(out).not.toMatch('held as')
    expect(await held('ada')).toBe(0)
  })

  it('ends with 3 where the request would be refused, and says why', async () => {
    const { code, out } = await stage.run(['check', 'ada', '--cost', '0.06'])
    expect(code).toBe(3)
    expect(out).toMatch(/action +BLOCK\n/)
    expect(out).toMatch(/reason +The daily budget of user ada is \$0\.10/)
  })

  it('holds the money where that is asked for, for whoever settles it', async () => {
    const decision = await stage.json('check', 'bob', '--tenant', 'acme', '--cost', '0.2', '--hold')
    expect(decision).toMatchObject({ allowed: true, estimatedCost: 0.2 })
    expect(await held('bob', 'acme')).toBe(0.2)
    await stage.engine((engine) => engine.settle(decision.idInStore, { cost: '0.1' }))
    expect(await held('bob', 'acme')).toBe(0)
    const [, id, idInStore] = /held as +(\S+), until .*\nin the store +(\S+)\n/.exec(await stage.ok('check', 'bob', '--tenant', 'acme', '--cost', '0.2', '--hold')) ?? []
    expect(idInStore).toBe(`acme/${id}`)
  })

  it('holds it by an id that a server knows', async () => {
    const { id, idInStore } = await stage.json('check', 'bob', '--tenant', 'acme', '--cost', '0.2', '--hold')
    const { id: untenanted } = await stage.json('check', 'ada', '--cost', '0.01', '--hold')
    expect(idInStore).toBe(`acme/${id}`)
    const { url, token } = await aServer()
    for (const path of [`${id}/settle?tenant=acme`, `${untenanted}/settle`]) {
      const settled = await fetch(`${url}/v1/holds/${path}`, { method: 'POST', body: '{"cost":0.01}', headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' } })
      expect([settled.status, await settled.json()]).toEqual([200, expect.objectContaining({ cost: 0.01 })])
    }
    expect([await held('bob', 'acme'), await held('ada')]).toEqual([0, 0])
  })

  it('counts no request that nobody makes', async () => {
    const tiers = { free: { daily: 1, rolling: { '1h': { requests: 2 } } } }
    stage.write('bursar.config.json', { ...CONFIG, tiers, store: 'sqlite:./bursar.db' })
    for (let time = 0; time < 4; time += 1) await stage.ok('check', 'zoe', '--cost', '0')
    await stage.ok('check', 'zoe', '--cost', '0', '--hold')
    await stage.ok('check', 'zoe', '--cost', '0', '--hold')
    expect((await stage.run(['check', 'zoe', '--cost', '0', '--hold'])).code).toBe(3)
  })

  it('prices tokens, takes a tier for the asking, and names groups', async () => {
    stage.write('bursar.config.json', { ...CONFIG, store: 'sqlite:./bursar.db', prices: 'catalog' })
    expect(await stage.json('check', 'ada', '--tier', 'pro', '--model', 'gpt-4o', '--input-tokens', '100000', '--max-output-tokens', '1000', '--scope', 'team=search')).toMatchObject({ allowed: true, estimatedCost: 0.26, context: { userTier: 'pro' } })
    expect((await stage.run(['check', 'ada', '--model', 'gpt-4o', '--input-tokens', '100000', '--max-output-tokens', '1000'])).code).toBe(3)
  })

  it.each([
    [['ada'], '--cost: is missing'],
    [['ada', '--cost', 'free'], '--cost'],
    [['ada', '--cost', '-1'], '--cost'],
    [['ada', '--input-tokens', '1.5'], 'whole number'],
    [['ada', '--cost', '1', '--scope', 'search'], 'name=value'],
    [['ada', '--cost', '1', '--scope', 'squad=search'], 'squad'],
    [['ada', '--cost', '1', '--tier', 'gold'], 'gold'],
    [['', '--cost', '1'], 'user'],
    [['ada', '--cost', '1', '--url', 'localhost:8787'], '--url: is no address'],
    [['ada', '--cost', '1', '--url', 'http://127.0.0.1:1', '--store', 'sqlite:./bursar.db'], '--store are both given'],
    [['ada', '--cost', '1', '--url', 'http://operator:hunter2@127.0.0.1:1'], '--url: has a name or a password in it'],
    [['ada', '--cost', '1', '--key', 'k'], '--key: is for a server'],
  ])('refuses %j', async (args, message) => {
    const { code, out, errors } = await stage.run(['check', ...args])
    expect([code, out]).toEqual([2, ''])
    expect(errors).toContain(message)
  })
})

describe('bursar check --url', () => {
  it('asks the server, holds nothing, and says the same', async () => {
    const own = await stage.ok('check', 'ada', '--model', 'gpt-4o', '--cost', '0.01')
    const { url, token } = await aServer()
    const asked = await stage.ok('check', 'ada', '--model', 'gpt-4o', '--cost', '0.01', '--url', url, '--key', token)
    expect(asked).toBe(own)
    const { code, out } = await stage.run(['check', 'ada', '--cost', '0.06', '--json'], { env: { BURSAR_URL: `${url}/`, BURSAR_KEY: token } })
    expect([code, JSON.parse(out)]).toEqual([3, expect.objectContaining({ allowed: false, action: 'BLOCK', status: 402 })])
  })

  it('holds the money there where that is asked for', async () => {
    const { url, token, engine } = await aServer()
    const { id } = await stage.json('check', 'bob', '--tenant', 'acme', '--cost', '0.2', '--hold', '--url', url, '--key', token)
    expect((await engine.tracker.getUserSummary({ userId: 'bob', tenant: 'acme' })).held).toBe(0.2)
    await fetch(`${url}/v1/holds/${id}/release?tenant=acme`, { method: 'POST', headers: { authorization: `Bearer ${token}` } })
  })

  it('counts no request there either', async () => {
    const tiers = { free: { daily: 1, rolling: { '1h': { requests: 2 } } } }
    const { url, token } = await aServer({ tiers })
    const ask = (...more: string[]): Promise<string> => stage.ok('check', 'zoe', '--cost', '0', '--url', url, '--key', token, ...more)
    for (let time = 0; time < 4; time += 1) await ask()
    await ask('--hold')
    await ask('--hold')
    expect((await stage.run(['check', 'zoe', '--cost', '0', '--hold', '--url', url, '--key', token])).code).toBe(3)
  })

  it('leaves nothing held where the answer is lost, and says what may be where something was to be', async () => {
    const { url, token, engine } = await aServer()
    const losing = await listening(
      createHttpServer(async (request, response) => {
        const body = Buffer.concat(await request.toArray())
        const headers = Object.fromEntries(['authorization', 'content-type', 'idempotency-key'].flatMap((name) => (request.headers[name] === undefined ? [] : [[name, String(request.headers[name])]])))
        await (await fetch(url + (request.url as string), { method: 'POST', body, headers })).text()
        response.destroy()
      }),
    )
    const heldThere = async (): Promise<number> => (await engine.tracker.getUserSummary({ userId: 'bob', tenant: 'acme' })).held
    const ask = ['check', 'bob', '--tenant', 'acme', '--cost', '0.2', '--url', losing, '--key', token]
    expect((await stage.run(ask)).code).toBe(1)
    expect(await heldThere()).toBe(0)
    const { code, errors } = await stage.run([...ask, '--hold'])
    expect([code, await heldThere()]).toEqual([1, 0.2])
    const id = /held as ([\w-]+)/.exec(errors)?.[1]
    await fetch(`${url}/v1/holds/${id}/release?tenant=acme`, { method: 'POST', headers: { authorization: `Bearer ${token}` } })
    expect(await heldThere()).toBe(0)
  })

  it('leaves nothing held of a tenant either', async () => {
    const { url, token, engine } = await aServer()
    await stage.ok('check', 'bob', '--tenant', 'acme', '--cost', '0.2', '--url', url, '--key', token)
    expect((await engine.tracker.getUserSummary({ userId: 'bob', tenant: 'acme' })).held).toBe(0)
  })

  it('says what the server finds wrong, and shows no key', async () => {
    const { url, token } = await aServer()
    const wrongKey = await stage.run(['check', 'ada', '--cost', '1', '--url', url, '--key', 'bursar_of_somebody_else'])
    expect([wrongKey.code, wrongKey.errors]).toEqual([2, expect.stringContaining('--key: authorization')])
    expect(wrongKey.errors).not.toContain('bursar_of_somebody_else')
    const wrongTier = await stage.run(['check', 'ada', '--tier', 'gold', '--cost', '1', '--url', url, '--key', token])
    expect([wrongTier.code, wrongTier.errors]).toEqual([2, expect.stringContaining('gold')])
  })

  it('fails where nobody answers, where that is no server of bursar, and where it leads elsewhere', async () => {
    const seen: (string | undefined)[] = []
    const elsewhere = await listening(createHttpServer((request, response) => void seen.push(request.headers.authorization, response.end('{}') && undefined)))
    const leading = await listening(createHttpServer((_request, response) => void response.writeHead(307, { location: elsewhere }).end()))
    const other = await listening(createHttpServer((_request, response) => void response.end('<html>')))
    for (const [url, message] of [['http://127.0.0.1:1', 'does not answer'], [other, 'Is it a bursar server?'], [leading, 'does not answer']] as const) {
      const { code, errors } = await stage.run(['check', 'ada', '--cost', '1', '--url', url, '--key', 'a-key-of-a-test'])
      expect([code, errors]).toEqual([1, expect.stringContaining(message)])
    }
    expect(seen).toEqual([])
  })
})

async function listening(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1')
  onTestFinished(() => void server.close())
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as { port: number }).port}`
}

describe('bursar explain', () => {
  it('finds a decision by the id that a server has shown', async () => {
    const { url, token } = await aServer()
    const ask = async (body: object): Promise<string> => {
      const answer = await fetch(`${url}/v1/check`, { method: 'POST', body: JSON.stringify(body), headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' } })
      expect(answer.status).toBe(402)
      return ((await answer.json()) as { id: string }).id
    }
    const [own, ofAcme] = [await ask({ userId: 'ada', estimatedCost: 9 }), await ask({ userId: 'bob', tenant: 'acme', estimatedCost: 9 })]
    const inStore = new RegExp(`/${own}`)
    await until('it is written down', async () => (await stage.run(['explain', ofAcme, '--tenant', 'acme'])).code === 0)
    expect(await stage.ok('explain', own)).toMatch(inStore)
    expect(await stage.ok('explain', `/${own}`)).toMatch(inStore)
    expect((await stage.json('explain', ofAcme, '--tenant', 'acme')).who).toMatchObject({ userId: 'bob', tenant: 'acme' })
    const wrong = await stage.run(['explain', ofAcme, '--tenant', 'globex'])
    expect([wrong.code, wrong.errors]).toEqual([1, expect.stringContaining(`"${ofAcme}"`)])
    expect((await stage.run(['explain', own, '--tenant', ''])).code).toBe(2)
  })
})
