// The processes of docker-compose.yml, Grafana aside, started by hand: the built service with the configuration of deploy/ on a real Redis, its
// ledger in a real Postgres, and a real Prometheus that scrapes it with a key.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { expressionsOf, metricsIn, withTimes, type Dashboard } from '../support/grafana.js'
import { startPostgres, type PostgresServer } from '../support/postgres/index.js'
import { PrometheusServer, wrongWith } from '../support/prometheus/server.js'
import { startRedis, until, type RedisServer } from '../support/redis/index.js'
import { watchdog } from '../support/watchdog.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const KEY = 'the-key-of-the-operator-0123456789'
const watch = watchdog('kill -9 $pids 2> /dev/null')

/** A running service. */
interface Running {
  readonly url: string
  /** By an address that is not the loopback's, as from another container; `undefined` on a machine without one. */
  readonly outside: string | undefined
  readonly said: () => string
  stop(): Promise<number | null>
}

const folder = mkdtempSync(join(tmpdir(), 'bursar-deployment-'))
const closers: (() => unknown)[] = []
let redis: RedisServer
let postgres: PostgresServer
let service: Running
let prometheus: PrometheusServer

beforeAll(async () => {
  ;[redis, postgres] = await Promise.all([startRedis({ appendOnly: 'everysec' }), startPostgres()])
  closers.push(() => redis.stop(), () => postgres.stop())
  service = await serve()
  closers.push(() => service.stop())
  const keyFile = join(folder, 'key')
  writeFileSync(keyFile, KEY)
  // The configuration that is deployed: its target, key and interval are those of this machine.
  const configuration = readFileSync(join(root, 'deploy/prometheus.yml'), 'utf8')
    .replace('/run/secrets/bursar_key', keyFile)
    .replace('bursar:8787', new URL(service.outside ?? service.url).host)
    .replaceAll('_interval: 15s', '_interval: 250ms')
  prometheus = await PrometheusServer.start(configuration)
  closers.push(() => prometheus.stop())
}, 180_000)

afterAll(async () => {
  for (const close of closers.toReversed()) await close()
  rmSync(folder, { recursive: true, force: true })
})

async function serve(): Promise<Running> {
  copyFileSync(join(root, 'deploy/bursar.config.json'), join(folder, 'bursar.config.json'))
  const env = { ...process.env, NODE_OPTIONS: '', BURSAR_HOST: '0.0.0.0', BURSAR_PORT: '0', BURSAR_STORE: redis.url, BURSAR_LEDGER: postgres.url, BURSAR_ADMIN_KEY: KEY }
  const child = spawn(process.execPath, [join(root, 'dist/src/cli/main.js'), 'serve'], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] })
  const unwatch = child.pid === undefined ? () => {} : watch(child.pid)
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text: Buffer) => (said += text.toString()))
  const port = await until('the service listens', () => child.exitCode ?? /listens on http:\/\/[^\s:]+:(\d+)/.exec(said)?.[1])
  if (child.exitCode !== null) throw new Error(`the service did not start: ${said}`)
  const address = Object.values(networkInterfaces()).flatMap((list) => list ?? []).find(({ family, internal }) => family === 'IPv4' && !internal)?.address
  return {
    url: `http://127.0.0.1:${port}`,
    outside: address === undefined ? undefined : `http://${address}:${port}`,
    said: () => said,
    async stop() {
      if (child.exitCode === null && child.signalCode === null) {
        const exited = once(child, 'exit')
        child.kill('SIGTERM')
        await exited
      }
      unwatch()
      return child.exitCode
    },
  }
}

async function ask(method: string, path: string, body?: unknown, headers: Readonly<Record<string, string>> = {}): Promise<{ readonly status: number; readonly json: Record<string, any> }> { // oxlint-disable-line typescript/no-explicit-any
  const sent = body === undefined ? {} : { body: JSON.stringify(body) }
  const response = await fetch(`${service.url}${path}`, { method, ...sent, headers: { authorization: `Bearer ${KEY}`, ...(body !== undefined && { 'content-type': 'application/json' }), ...headers } })
  const text = await response.text()
  return { status: response.status, json: text === '' ? {} : JSON.parse(text) }
}

/** The value of a question that has one answer, once Prometheus has it. */
function value(expression: string, wanted: (value: number) => boolean): Promise<number> {
  return until(`${expression} is as wanted`, async () => {
    const [sample] = await prometheus.query(expression)
    return sample !== undefined && wanted(sample.value) ? { value: sample.value } : undefined
  }).then((found) => found.value)
}

describe('the service with all that is around it', () => {
  it('counts in Redis, writes its ledger to Postgres, and Prometheus has the figures', async () => {
    // From the first scrape on a counter is seen to rise.
    expect(await value('bursar_store_up', (up) => up === 1)).toBe(1)
    const tenants = ['acme', 'initech', 'hooli']
    for (let call = 0; call < 12; call += 1) {
      const tenant = tenants[call % 3] as string
      const checked = await ask('POST', '/v1/check', { userId: `user-${call}`, tenant, userTier: call % 2 === 0 ? 'pro' : 'free', model: 'gpt-4o', estimatedCost: 0.02 })
      expect(checked.status).toBe(200)
      const settled = await ask('POST', `/v1/holds/${checked.json['id']}/settle?tenant=${tenant}`, { cost: 0.01 })
      expect([settled.status, settled.json['cost']]).toEqual([200, 0.01])
    }
    const open = await ask('POST', '/v1/check', { userId: 'held', userTier: 'free', estimatedCost: 0.25 })
    expect(open.status).toBe(200)
    const refused = await ask('POST', '/v1/check', { userId: 'greedy', userTier: 'free', estimatedCost: 5 })
    expect(refused.status).toBe(402)

    expect(await value('sum(bursar_decisions_total{action="ALLOW"})', (sum) => sum === 13)).toBe(13)
    expect(await value('bursar_decisions_total{action="BLOCK",tier="free"}', (count) => count === 1)).toBe(1)
    expect(await value('bursar_denials_total{code="budget",tier="free"}', (count) => count === 1)).toBe(1)
    expect(await value('sum(bursar_spent_usd_total)', (sum) => sum > 0.119)).toBeCloseTo(0.12, 8)
    expect(await value('bursar_tenant_spent_usd_total{tenant="acme"}', (sum) => sum > 0.039)).toBeCloseTo(0.04, 8)
    expect(await value('bursar_held_usd{tier="free"}', (held) => held === 0.25)).toBe(0.25)
    expect(await value('bursar_tier_pool_held_usd{tier="free"}', (held) => held === 0.25)).toBe(0.25)
    expect(await value('bursar_http_requests_total{route="/v1/check",status="402"}', (count) => count === 1)).toBe(1)
  })

  it('answers every question of the dashboard', async () => {
    const dashboard = JSON.parse(readFileSync(join(root, 'deploy/grafana/dashboard.json'), 'utf8')) as Dashboard
    const wrong: string[] = []
    for (const expression of expressionsOf(dashboard)) await prometheus.query(withTimes(expression)).catch((error: Error) => wrong.push(error.message))
    expect(wrong).toEqual([])
    // What traffic moves is there under the name by which it is asked for.
    const moving = ['sum(rate(bursar_decisions_total[1m]))', 'sum(increase(bursar_spent_usd_total[1h]))', 'histogram_quantile(0.95, sum by (le) (rate(bursar_check_duration_seconds_bucket[1m])))']
    for (const expression of moving) {
      expect(expressionsOf(dashboard).map(withTimes)).toContain(expression)
      await until(`${expression} is above 0`, async () => {
        await ask('POST', '/v1/check', { userId: 'ann', userTier: 'pro', estimatedCost: 0 })
        return ((await prometheus.query(expression))[0]?.value ?? 0) > 0
      })
    }
    const declared: readonly string[] = (await (await fetch(`${service.url}/metrics`, { headers: { authorization: `Bearer ${KEY}` } })).text()).match(/^# TYPE \S+/gm) ?? []
    expect(metricsIn(expressionsOf(dashboard).join(' + ')).filter((name) => !declared.includes(`# TYPE ${name.replace(/_bucket$/, '')}`))).toEqual([])
  })

  it('gives the figures to nobody without a key, from this machine neither', async () => {
    const scrape = async (url: string, headers = {}): Promise<[number, boolean]> => {
      const response = await fetch(`${url}/metrics`, { headers })
      return [response.status, (await response.text()).includes('bursar_decisions_total')]
    }
    expect(await scrape(service.url)).toEqual([401, false])
    expect(await scrape(service.url, { authorization: `Bearer ${KEY}` })).toEqual([200, true])
    if (service.outside === undefined) return
    expect(await scrape(service.outside)).toEqual([401, false])
    expect(await scrape(service.outside, { authorization: `Bearer ${KEY}` })).toEqual([200, true])
  })

  it('shows a store that is away, and that it is back', async () => {
    await redis.kill()
    expect((await ask('POST', '/v1/check', { userId: 'ann', userTier: 'free', estimatedCost: 0.01 })).status).toBe(503)
    expect(await value('bursar_store_up', (up) => up === 0)).toBe(0)
    expect(await value('sum(bursar_decisions_without_store_total)', (count) => count >= 1)).toBeGreaterThanOrEqual(1)
    expect(await value('sum(bursar_store_errors_total)', (count) => count >= 1)).toBeGreaterThanOrEqual(1)
    await redis.restart()
    expect(await value('bursar_store_up', (up) => up === 1)).toBe(1)
    expect(await value('bursar_store_recoveries_total', (count) => count >= 1)).toBeGreaterThanOrEqual(1)
  })

  it('has in Postgres what was settled, and stops when it is told to', async () => {
    expect(await service.stop()).toBe(0)
    expect(service.said()).not.toContain(KEY)
    const { default: pg } = await import('pg')
    const client = new pg.Client({ connectionString: postgres.url })
    await client.connect()
    const { rows } = await client.query<{ table_schema: string; table_name: string }>(`SELECT table_schema, table_name FROM information_schema.columns WHERE column_name = 'microcents'`)
    const [table] = rows
    const settled = await client.query<{ sum: string; count: string }>(`SELECT sum(microcents) AS sum, count(*) AS count FROM "${table?.table_schema}"."${table?.table_name}" WHERE kind = 'settled'`)
    await client.end()
    expect(settled.rows).toEqual([{ sum: '12000000', count: '12' }])
  })
})

describe('deploy/prometheus.yml', () => {
  it('is a configuration of Prometheus', async () => {
    expect(await wrongWith(join(root, 'deploy/prometheus.yml'))).toBe('')
    const broken = join(folder, 'broken.yml')
    writeFileSync(broken, 'scrape_configs:\n  - job_nam: x\n')
    expect(await wrongWith(broken)).not.toBe('')
  })
})
