// `bursar serve` in this process: what it is told and by whom, what it refuses, and how it ends.

import { createServer } from 'node:net'
import { once } from 'node:events'
import { PassThrough, Writable } from 'node:stream'
import { copyFileSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import Stripe from 'stripe'
import { describe, expect, it, onTestFinished } from 'vitest'
import { Interrupted } from '../../../src/cli/failure.js'
import { settleFile } from '../../../src/cli/settle-queue.js'
import { runCommand } from '../../../src/cli/program.js'
import { Bursar, type LedgerEntry } from '../../../src/index.js'
import { sqliteStore } from '../../../src/store/sqlite/index.js'
import { freePorts } from '../../support/free-ports.js'
import { until } from '../../support/redis/until.js'
import { CONFIG, Stage } from './stage.js'

const ADMIN_KEY = 'an-operators-key-of-a-test'

interface Serving {
  readonly url: string
  readonly line: string
  errors(): string
  ask(path: string, body?: object, token?: string): Promise<{ status: number; json: any }> // oxlint-disable-line typescript/no-explicit-any
  /** Stops it as a signal would, and gives its exit code. */
  stop(): Promise<number>
}

/** Starts it and waits until it listens; throws what it said where it does not. */
async function serving(stage: Stage, args: readonly string[] = [], env: Readonly<Record<string, string>> = {}): Promise<Serving> {
  const stopping = new AbortController()
  const stdout = new PassThrough()
  let errors = ''
  const stderr = new Writable({
    write(chunk, _encoding, done) {
      errors += String(chunk)
      done()
    },
  })
  const io = { stdout, stderr, clock: () => stage.now, env, cwd: stage.folder, signal: stopping.signal }
  const ended = runCommand(['serve', '--port', '0', ...args], io)
  const stop = (): Promise<number> => {
    stopping.abort(new Interrupted())
    return ended
  }
  onTestFinished(async () => void (await stop()))
  const first = await Promise.race([once(stdout, 'data'), ended])
  if (typeof first === 'number') throw new Error(`ended with ${first}: ${errors}`)
  const line = String(first[0])
  const url = /http:\/\/[^\s]+:\d+/.exec(line)?.[0] as string
  return {
    url,
    line,
    errors: () => errors,
    stop,
    async ask(path, body, token) {
      const response = await fetch(url + path, { method: body === undefined ? 'GET' : 'POST', headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...(token !== undefined && { authorization: `Bearer ${token}` }) }, ...(body !== undefined && { body: JSON.stringify(body) }) })
      return { status: response.status, json: await response.json() }
    },
  }
}

/** What the sample has of the running day. */
async function entriesOfSample(stage: Stage): Promise<LedgerEntry[]> {
  const store = sqliteStore({ path: stage.path('bursar-sample.db'), clock: () => stage.now })
  try {
    const entries: LedgerEntry[] = []
    for await (const entry of store.ledger.entries()) if (entry.at >= stage.now - (stage.now % 86_400_000)) entries.push(entry)
    return entries
  } finally {
    await store.close()
  }
}

function configured(stage: Stage, server?: object): void {
  stage.write('bursar.config.json', { ...CONFIG, store: 'sqlite:./bursar.db', ...(server !== undefined && { server }) })
}

describe('bursar serve', () => {
  it('answers from the configured store until somebody stops it, which is no failure', async () => {
    const stage = new Stage()
    configured(stage)
    const server = await serving(stage)
    expect(server.line).toMatch(/^bursar listens on http:\/\/127\.0\.0\.1:\d+ .*no key is needed.*\n$/)
    const { status, json } = await server.ask('/v1/check', { userId: 'ada', estimatedCost: '0.04' })
    expect([status, json.action]).toEqual([200, 'ALLOW'])
    expect((await server.ask(`/v1/holds/${json.id}/settle`, { cost: '0.03' })).status).toBe(200)
    expect(await server.stop()).toBe(0)
    await expect(fetch(server.url)).rejects.toThrow()
    expect(await stage.engine((engine) => engine.tracker.getUserCost('ada'))).toBe(0.03)
  })

  it('writes its log as JSON lines on stderr, on its own clock, and as much as it is told to', async () => {
    const stage = new Stage()
    configured(stage)
    const server = await serving(stage)
    await server.ask('/v1/check', { userId: 'ada', estimatedCost: '0.04' })
    await server.stop()
    const lines = server.errors().trim().split('\n').map((line) => JSON.parse(line))
    expect(lines.map(({ msg }) => msg)).toEqual(['listening', 'answered', 'stopping', 'stopped'])
    expect(lines[1]).toMatchObject({ level: 'info', time: new Date(stage.now).toISOString(), method: 'POST', route: '/v1/check', status: 200 })
    const quiet = await serving(stage, ['--log-level', 'error'])
    await quiet.ask('/v1/check', { userId: 'ada', estimatedCost: '0.04' })
    await quiet.stop()
    expect(quiet.errors()).toBe('')
  })

  it('takes flags before the environment, and that before the file', async () => {
    const stage = new Stage()
    configured(stage, { host: '192.0.2.1', port: 1, logLevel: 'silent', maxBodyBytes: 1_024 })
    const server = await serving(stage, [], { BURSAR_HOST: 'localhost', BURSAR_PORT: '2', BURSAR_LOG_LEVEL: 'info' })
    expect(server.line).toMatch(/http:\/\/localhost:\d{4,5} /)
    expect((await server.ask('/v1/check', { userId: 'ada', estimatedCost: 0, query: 'x'.repeat(1_100) })).status).toBe(413)
    await server.stop()
    expect(server.errors()).toMatch('"status":413')
  })

  it('keeps the store that the environment names, beside where it was started', async () => {
    const stage = new Stage()
    configured(stage)
    const server = await serving(stage, [], { BURSAR_STORE: 'sqlite:./other.db', BURSAR_LEDGER: '' })
    await server.ask('/v1/costs', { userId: 'ada', cost: 1 })
    await server.stop()
    expect(existsSync(stage.path('other.db'))).toBe(true)
    expect(existsSync(stage.path('bursar.db'))).toBe(false)
  })

  it('needs the key of the environment where there is one, and shows it nowhere', async () => {
    const stage = new Stage()
    configured(stage)
    const server = await serving(stage, ['--host', '0.0.0.0'], { BURSAR_ADMIN_KEY: ADMIN_KEY })
    expect(server.line).not.toMatch('no key')
    expect((await server.ask('/v1/check', { userId: 'ada', estimatedCost: 0 })).status).toBe(401)
    expect((await server.ask('/v1/check', { userId: 'ada', estimatedCost: 0 }, ADMIN_KEY)).status).toBe(200)
    await server.stop()
    expect(server.errors() + server.line).not.toMatch(ADMIN_KEY)
  })

  it('listens beyond this machine when a key was made by the command', async () => {
    const stage = new Stage()
    configured(stage)
    await expect(serving(stage, ['--host', '0.0.0.0'])).rejects.toThrow(/ended with 2: bursar: host: 0\.0\.0\.0 is reached by others.*bursar keys create/)
    const token = /bursar_\S+/.exec(await stage.ok('keys', 'create', '--name', 'operator', '--role', 'admin'))?.[0] as string
    const server = await serving(stage, ['--host', '0.0.0.0'])
    expect((await server.ask('/v1/check', { userId: 'ada', estimatedCost: 0 }, token)).status).toBe(200)
    expect((await server.ask('/v1/check', { userId: 'ada', estimatedCost: 0 })).status).toBe(401)
  })

  it('says which port is in use', async () => {
    const stage = new Stage()
    configured(stage)
    const taken = createServer().listen(0, '127.0.0.1')
    onTestFinished(() => void taken.close())
    await once(taken, 'listening')
    const { port } = taken.address() as { port: number }
    const { code, errors } = await stage.run(['serve', '--port', String(port)])
    expect([code, errors]).toEqual([2, expect.stringContaining(`port: ${port} of 127.0.0.1 is in use`)])
  })

  it('leaves nothing behind where it cannot listen, and does not say that it stops', async () => {
    const stage = new Stage()
    configured(stage)
    const taken = createServer().listen(0, '127.0.0.1')
    onTestFinished(() => void taken.close())
    await once(taken, 'listening')
    for (const where of [['--port', String((taken.address() as { port: number }).port)], ['--host', '0.0.0.0', '--port', '0'], ['--host', 'no.such.machine.invalid', '--port', '0']]) {
      const { code, out, errors } = await stage.run(['serve', ...where])
      expect([code, out]).toEqual([2, ''])
      expect(errors).toMatch(/^bursar: (port|host): [^\n]+\n$/)
    }
    expect(readdirSync(stage.folder)).toEqual(['bursar.config.json'])
  })

  it('says that a key is needed when the last one has expired', async () => {
    const stage = new Stage()
    configured(stage)
    await stage.ok('keys', 'create', '--name', 'operator', '--role', 'admin', '--expires', '1h')
    stage.now += 3_600_000
    const server = await serving(stage)
    expect(server.line).toMatch('there is no key that is valid')
    expect(server.line).not.toMatch('no key is needed')
    expect((await server.ask('/v1/check', { userId: 'ada', estimatedCost: 0 })).status).toBe(401)
    await server.stop()
    expect(await stage.run(['keys', 'list'])).toMatchObject({ code: 0, errors: '' })
  })

  it.each([
    [['--port', '70000'], {}, '--port: "70000" is no port'],
    [['--port', 'http'], {}, '--port: "http" is no port'],
    [['--port', ''], {}, '--port: "" is no port'],
    [['--host', ''], {}, '--host: is empty'],
    [['--log-level', 'loud'], {}, '--log-level: "loud" is no level'],
    [['--tls'], {}, "unknown option '--tls'"],
    [[], { BURSAR_PORT: '-1' }, 'BURSAR_PORT: "-1" is no port'],
    [[], { PORT: 'x' }, 'PORT: "x" is no port'],
    [[], { BURSAR_LOG_LEVEL: 'x' }, 'BURSAR_LOG_LEVEL: "x" is no level'],
    [[], { BURSAR_ADMIN_KEY: 'short' }, 'BURSAR_ADMIN_KEY: must be 16 to 512'],
    [[], { BURSAR_STORE: './bursar.db' }, 'BURSAR_STORE: has no scheme'],
    [[], { BURSAR_LEDGER: 'sqlite:./ledger.db' }, 'a SQLite store keeps its own ledger'],
  ])('refuses %j with %j, and changes nothing', async (args, env, message) => {
    const stage = new Stage()
    configured(stage)
    const { code, out, errors } = await stage.run(['serve', ...args], { env: env as Record<string, string> })
    expect([code, out]).toEqual([2, ''])
    expect(errors).toContain(message)
    expect(readdirSync(stage.folder)).toEqual(['bursar.config.json'])
  })

  it.each([
    [{ port: '80' }, 'config.server.port'],
    [{ prot: 80 }, 'config.server'],
    [{ logLevel: 'loud' }, 'config.server.logLevel'],
    [{ rateLimit: { perSecond: 1 } }, 'config.server.rateLimit.burst'],
    [{ adminKey: 'hunter2' }, 'config.server.adminKey'],
    [{ tenantScopes: ['squad'] }, '"squad" is no group of config.scopes'],
    [{ drain: 'soon' }, 'drain'],
  ])('refuses a file whose section says %j', async (section, message) => {
    const stage = new Stage()
    configured(stage, section)
    const { code, errors } = await stage.run(['serve', '--port', '0'])
    expect([code, errors]).toEqual([2, expect.stringContaining(message)])
    expect(errors).not.toContain('hunter2')
  })

  it('needs a configuration and a store, and says how to get them', async () => {
    const stage = new Stage()
    const without = await stage.run(['serve'])
    expect([without.code, without.errors]).toEqual([2, expect.stringMatching(/there is no configuration .*bursar init.*--sample/)])
    const alone = await stage.run(['serve', '--store', 'sqlite:./bursar.db'])
    expect([alone.code, alone.errors]).toEqual([2, expect.stringContaining('there is no configuration')])
    stage.write('bursar.config.json', CONFIG)
    const memory = await stage.run(['serve'])
    expect([memory.code, memory.errors]).toEqual([2, expect.stringContaining('BURSAR_STORE')])
    expect(readdirSync(stage.folder)).toEqual(['bursar.config.json'])
  })

  it('takes events of Stripe where their secret is configured, and those alone that are signed', async () => {
    const stage = new Stage()
    const mapper = { tiers: { free: { budget: { daily: 1 } }, pro: { prices: ['price_pro'], budget: { daily: 10 } } }, fallbackTier: 'free' }
    stage.write('bursar.config.json', { store: 'sqlite:./bursar.db', stripe: { secretKey: 'sk_test_of_a_test', webhookSecrets: '${WEBHOOK_SECRET}', livemode: false, mapper } })
    const server = await serving(stage, [], { WEBHOOK_SECRET: 'whsec_of_a_test' })
    const deliver = async (secret: string): Promise<Response> => {
      const payload = JSON.stringify({ id: 'evt_1', object: 'event', type: 'product.created', livemode: false, created: Math.floor(stage.now / 1_000), data: { object: { id: 'prod_1', object: 'product' } } })
      const header = new Stripe('sk_test_of_a_test').webhooks.generateTestHeaderString({ payload, secret, timestamp: Math.floor(stage.now / 1_000) })
      return fetch(`${server.url}/webhooks/stripe`, { method: 'POST', headers: { 'stripe-signature': header, 'content-type': 'application/json' }, body: payload })
    }
    const taken = await deliver('whsec_of_a_test')
    expect([taken.status, await taken.json()]).toEqual([200, { received: true, outcome: 'ignored' }])
    const forged = await deliver('whsec_of_another')
    expect([forged.status, await forged.json()]).toEqual([400, { received: false, error: expect.stringContaining('by none of the secrets') }])
    await server.stop()
    expect(server.errors()).not.toMatch('of_a_test')
  })

  it('has nothing at that address where Stripe is not configured', async () => {
    const stage = new Stage()
    configured(stage)
    const server = await serving(stage)
    expect(await server.ask('/webhooks/stripe', {})).toMatchObject({ status: 404, json: { code: 'NOT_FOUND' } })
  })
})

describe('the settles that a server has left', () => {
  const SETTLE = `${JSON.stringify({ end: { id: 'of-nobody', at: 0, kind: 'settle', microcents: 5_000_000 } })}\n`
  const OF_ANOTHER = JSON.stringify({ pid: 1, host: `not-${hostname()}`, token: 'of another' })

  it('are sent by the next one, and one that the store refuses stands in the log, once', async () => {
    const stage = new Stage()
    stage.write('bursar.config.json', { ...CONFIG, store: 'sqlite:./bursar.db', settleQueue: { path: stage.write('settles.queue', SETTLE) } })
    const server = await serving(stage)
    await until('it is in the log', () => server.errors().includes('replay of settle'))
    await server.stop()
    const lines = server.errors().trim().split('\n').map((line) => JSON.parse(line)).filter(({ operation }) => operation === 'replay of settle')
    expect(lines).toEqual([expect.objectContaining({ level: 'error', code: 'UNKNOWN_HOLD', id: 'of-nobody', error: expect.stringContaining('no hold "of-nobody"') })])
  })

  it.each(['a port of its own', 'any port'])('stay where they are when another machine has them, and it says how to send them: %s', async (which) => {
    const stage = new Stage()
    configured(stage)
    const port = which === 'any port' ? 0 : ((await freePorts(1))[0] as number)
    const { path } = settleFile(stage.folder, port, stage.path('bursar.db'))
    writeFileSync(path, SETTLE)
    writeFileSync(`${path}.lock`, OF_ANOTHER)
    const server = await serving(stage, ['--port', String(port)])
    expect(existsSync(path.replace('.queue', '-2.queue'))).toBe(true)
    await server.stop()
    const warned = server.errors().split('\n').filter((line) => line.includes('settleQueue.path'))
    expect(warned.map((line) => JSON.parse(line))).toEqual([{ level: 'warn', time: expect.any(String), msg: expect.stringContaining(`remove ${path}.lock, and start once with settleQueue.path = "${path}"`) }])
    expect(readFileSync(path, 'utf8')).toBe(SETTLE)
    // It was empty.
    expect(existsSync(path.replace('.queue', '-2.queue'))).toBe(false)
    rmSync(`${path}.lock`)
    const next = await serving(stage, ['--port', String(port)])
    await until('it is sent', () => next.errors().includes('of-nobody'))
  })

  it('are said where the lock is gone, and another file of the same port has some', async () => {
    const stage = new Stage()
    const { path } = settleFile(stage.folder, 8_787, 'redis://store')
    const second = path.replace('.queue', '-2.queue')
    writeFileSync(second, SETTLE)
    expect(settleFile(stage.folder, 8_787, 'redis://store')).toEqual({ path, others: [second] })
  })

  it('keep a server from starting where their file is the configured one', async () => {
    const stage = new Stage()
    const path = stage.write('settles.queue', SETTLE)
    stage.write('settles.queue.lock', OF_ANOTHER)
    stage.write('bursar.config.json', { ...CONFIG, store: 'sqlite:./bursar.db', settleQueue: { path } })
    expect(await stage.run(['serve', '--port', '0'])).toMatchObject({ code: 2, errors: expect.stringContaining(`remove ${path}.lock`) })
  })
})

describe('bursar serve --sample', () => {
  it('has tenants, spenders, refusals and money held, all of it decided by the engine, and keeps it', async () => {
    const stage = new Stage()
    const server = await serving(stage, ['--sample'])
    expect(server.errors()).toMatch('bursar-sample.db is filled')
    const { json: state } = await server.ask('/v1/state')
    expect(state.byTenant.map(({ name }: { name: string }) => name).sort()).toEqual(['acme', 'globex', 'initech'])
    expect(state.today.spent).toBeGreaterThan(1)
    expect(state.month.calls).toBeGreaterThan(2_000)
    expect(state.blocked.length).toBeGreaterThan(2)
    expect(state.triggered.length).toBeGreaterThan(0)
    await server.ask('/v1/costs', { userId: 'zoe', tenant: 'acme', cost: '0.01' })
    expect(await server.stop()).toBe(0)

    const again = await serving(stage, ['--sample'])
    expect(again.errors()).not.toMatch('filled')
    await again.stop()
    const store = sqliteStore({ path: stage.path('bursar-sample.db'), clock: () => stage.now })
    const engine = new Bursar<string, string>({ tiers: { free: { daily: '0.25', monthly: 3 }, pro: { daily: 2, monthly: 30 }, enterprise: { daily: 12, monthly: 200 } }, defaultTier: 'free', store, clock: () => stage.now })
    expect(await engine.tracker.getUserCost({ userId: 'zoe', tenant: 'acme' })).toBe(0.01)
    expect((await engine.tracker.audit()).differences).toEqual([])
    await engine.close()
    expect(readdirSync(stage.folder).filter((name) => name.includes('unfinished'))).toEqual([])
  })

  it('is the same each time at the same moment', async () => {
    const figures = async (): Promise<unknown> => {
      const server = await serving(new Stage(), ['--sample'])
      const { json } = await server.ask('/v1/state')
      await server.stop()
      return { ...json, blocked: json.blocked.length }
    }
    expect(await figures()).toEqual(await figures())
  })

  it('spreads the day over its hours, and what was refused can be explained when all is started again', async () => {
    const stage = new Stage()
    await (await serving(stage, ['--sample'])).stop()
    const server = await serving(stage, ['--sample'])
    const hours = new Map<number, number>()
    const entries = await entriesOfSample(stage)
    for (const { at } of entries) hours.set(new Date(at).getUTCHours(), (hours.get(new Date(at).getUTCHours()) ?? 0) + 1)
    expect(hours.size).toBeGreaterThan(9)
    expect(Math.max(...hours.values())).toBeLessThan(entries.length / 3)
    const { json } = await server.ask('/v1/state')
    const blocked = json.blocked as { userId: string; tenant: string; decisionId: string }[]
    expect(blocked.length).toBeGreaterThan(2)
    for (const { userId, tenant, decisionId } of blocked) {
      expect(await server.ask(`/v1/decisions/${decisionId}?tenant=${tenant}`)).toMatchObject({ status: 200, json: { action: 'BLOCK', who: { userId } } })
    }
  })

  it('has nothing of a file that was removed without what stands beside it', async () => {
    const stage = new Stage()
    const [path, kept] = [stage.path('bursar-sample.db-wal'), stage.path('kept')]
    const before = await serving(stage, ['--sample'])
    await before.ask('/v1/costs', { userId: 'zoe', cost: '0.01' })
    copyFileSync(path, kept)
    await before.stop()
    rmSync(stage.path('bursar-sample.db'))
    copyFileSync(kept, path)
    const { code, errors } = await stage.run(['serve', '--sample', '--port', '0'])
    expect([code, errors]).toEqual([2, expect.stringContaining('bursar-sample.db-wal is of a file that was removed. Remove it too')])
    rmSync(path)
    const after = await serving(stage, ['--sample'])
    expect(await after.ask('/v1/users/zoe')).toMatchObject({ status: 404 })
    expect((await after.ask('/v1/state')).json.month.calls).toBeGreaterThan(2_000)
  })

  it('is one for two servers that begin at once: none takes the place of the other', async () => {
    const stage = new Stage()
    const [one, other] = await Promise.all([serving(stage, ['--sample']), serving(stage, ['--sample'])])
    await one.ask('/v1/costs', { userId: 'zoe', cost: '0.01' })
    await other.ask('/v1/costs', { userId: 'zoe', cost: '0.02' })
    for (const server of [one, other]) expect((await server.ask('/v1/users/zoe/budget')).json.budget_used_usd).toBe(0.03)
  })

  it('is not filled for a server that cannot listen', async () => {
    const stage = new Stage()
    const server = await serving(stage, ['--sample'])
    const beside = new Stage()
    const { code, errors } = await beside.run(['serve', '--sample', '--port', new URL(server.url).port])
    expect([code, errors]).toEqual([2, expect.stringContaining('is in use')])
    expect(readdirSync(beside.folder)).toEqual([])
  })

  it('is no place of what the environment names', async () => {
    const stage = new Stage()
    const server = await serving(stage, ['--sample'], { BURSAR_STORE: 'sqlite:./production.db', BURSAR_LEDGER: 'sqlite:./ledger.db' })
    expect(server.errors()).toMatch(/BURSAR_STORE is not used.*\n.*BURSAR_LEDGER is not used/)
    expect((await server.ask('/v1/state')).status).toBe(200)
    await server.stop()
    expect(readdirSync(stage.folder).filter((name) => !name.startsWith('bursar-sample.db'))).toEqual([])
  })

  it.each([
    [['--sample', '--config', 'x.json'], '--config is given too'],
    [['--sample', '--store', 'redis://127.0.0.1:1'], 'in a file of its own'],
    [['--sample', '--store', 'sqlite:./no/such/folder.db'], 'there is no folder'],
  ])('refuses %j', async (args, message) => {
    const stage = new Stage()
    const { code, errors } = await stage.run(['serve', ...args])
    expect([code, errors]).toEqual([2, expect.stringContaining(message)])
    expect(readdirSync(stage.folder)).toEqual([])
  })
})
