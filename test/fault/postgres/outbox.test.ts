// From the Redis outbox to a ledger in Postgres exactly once, whatever breaks in between: replies to commits, connections, the server, the
// process that drains. Afterwards the ledger's sums, the windows and the audit agree to the microcent.

import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { Redis } from 'ioredis'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { postgresLedger, type PostgresLedger } from '../../../src/store/postgres/index.js'
import { unpackEntry } from '../../../src/store/redis/entries.js'
import { redisStore, type RedisStore } from '../../../src/store/redis/index.js'
import { expectAgreement } from '../../support/fault/agreement.js'
import { expectExact } from '../../support/fault/exact.js'
import { Traffic } from '../../support/fault/traffic.js'
import { PostgresLine, startPostgres, type PostgresServer } from '../../support/postgres/index.js'
import { startRedis, until, type RedisServer } from '../../support/redis/index.js'
import { watch } from '../../support/redis/watchdog.js'
import type { DrainOrders } from './drain-worker.js'

const SCRIPT = fileURLToPath(new URL('drain-worker.ts', import.meta.url))

let redis: RedisServer
let postgres: PostgresServer
let pool: pg.Pool
let client: Redis
let schemas = 0
let schema: string
const opened: (() => unknown)[] = []

beforeAll(async () => {
  redis = await startRedis()
  postgres = await startPostgres()
  client = redis.client()
})
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close()
})
afterAll(async () => {
  await redis?.stop()
  await postgres?.stop()
})

describe('the outbox of a Redis store, drained to Postgres', () => {
  it('arrives once though the reply to a commit is lost, again and again', async () => {
    const line = await PostgresLine.start(postgres.url)
    opened.push(() => line.stop())
    const { store, traffic } = begin(line.url)
    for (let loss = 0; loss < 5; loss += 1) {
      await line.loseCommit()
      const { settled } = traffic
      await until('it goes on', () => traffic.settled > settled)
    }
    await expectOnce(store, traffic)
  })

  it('arrives once though its connections are ended in the middle of writing', async () => {
    const { store, traffic } = begin(postgres.url)
    let ended = 0
    await until('ten connections were ended in a transaction', async () => {
      const { rowCount } = await pool.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'bursar' AND (state = 'idle in transaction' OR query LIKE 'INSERT%' AND state = 'active')")
      return (ended += rowCount ?? 0) >= 10
    }, { everyMs: 0 })
    await expectOnce(store, traffic)
  })

  it('arrives once though the server crashes and comes back, and waits in the outbox meanwhile', async () => {
    const { store, traffic, prefix } = begin(postgres.url)
    await until('something has arrived', async () => (await arrived()) > 0)
    for (let crash = 0; crash < 2; crash += 1) {
      await postgres.kill()
      const { settled } = traffic
      await until('requests are answered without it', () => traffic.settled >= settled + 200)
      expect(await waiting(prefix)).toBeGreaterThan(0)
      await postgres.restart()
      const before = await arrived()
      await until('more has arrived', async () => (await arrived()) > before)
    }
    await expectOnce(store, traffic)
  })

  it('arrives once though the process is killed before it commits', async () => {
    const orders = ordersFor('first')
    const worker = await start(orders)
    await until('something has arrived', async () => (await arrived()) > 0)
    const blocker = await pool.connect()
    await blocker.query(`BEGIN; LOCK TABLE "${schema}".ledger_entry IN ACCESS EXCLUSIVE MODE`)
    await until('it waits in the middle of a transaction', async () => {
      const { rows } = await pool.query("SELECT 1 FROM pg_stat_activity WHERE application_name = 'bursar' AND wait_event_type = 'Lock' AND query LIKE 'INSERT%'")
      return rows.length > 0
    })
    await kill(worker)
    await blocker.query('COMMIT')
    blocker.release()
    await expectAgreed(orders)
  })

  it('arrives once though the process is killed when it has committed, and has not yet cleared the outbox', async () => {
    const orders = ordersFor('second')
    const worker = await start(orders)
    await until('something has arrived', async () => (await arrived()) > 0)
    // A drain that has read, and writes to Postgres at that moment, cannot delete afterwards. One that has not read waits behind the traffic: then the next one is tried.
    await until('some of it has arrived and still stands there', async () => {
      await client.call('CLIENT', 'PAUSE', '100000', 'WRITE')
      const isCaught = await until('it has arrived', async () => (await inBoth(orders.redis.prefix)) > 0, { withinMs: 300 }).catch(() => false)
      if (!isCaught) await client.call('CLIENT', 'UNPAUSE')
      return isCaught
    }, { everyMs: 7 })
    await kill(worker)
    await client.call('CLIENT', 'UNPAUSE')
    expect(await inBoth(orders.redis.prefix), 'entries that stand in both').toBeGreaterThan(0)
    await expectAgreed(orders)
  })

  it('arrives once though four processes drain it at the same time, one of them killed', async () => {
    const orders = ordersFor('')
    const workers = await Promise.all(['a', 'b', 'c', 'd'].map((name) => start({ ...orders, name })))
    await until('much has arrived', async () => (await arrived()) > 500)
    await kill(workers[0] as ChildProcess)
    const before = await arrived()
    await until('more has arrived', async () => (await arrived()) > before + 500)
    const settled = await Promise.all(workers.slice(1).map(stop))
    await expectAgreed(orders)
    expect(await arrived()).toBeGreaterThanOrEqual(settled.reduce((all, count) => all + count, 0))
  })
})

function ordersFor(name: string): DrainOrders {
  schema = `bursar_${(schemas += 1)}`
  pool = new pg.Pool({ connectionString: postgres.url, allowExitOnIdle: true })
  pool.on('error', () => {})
  opened.push(() => pool.end())
  return { name, redis: { url: redis.url, prefix: schema }, postgres: { url: postgres.url, schema } }
}

/** A store of this process with traffic on it. */
function begin(url: string): { readonly store: RedisStore; readonly traffic: Traffic; readonly prefix: string } {
  const orders = ordersFor('traffic')
  const { store } = open({ ...orders, postgres: { url, schema } })
  const traffic = new Traffic(store, 'traffic', 4)
  opened.push(() => traffic.stop())
  return { store, traffic, prefix: orders.redis.prefix }
}

function open({ redis: address, postgres: place }: DrainOrders): { readonly store: RedisStore; readonly sink: PostgresLedger } {
  const sink = postgresLedger(place)
  const store = redisStore({ ...address, sink })
  opened.push(() => sink.close(), () => store.close())
  return { store, sink }
}

async function expectOnce(store: RedisStore, traffic: Traffic): Promise<void> {
  const testimonies = await traffic.stop()
  await untilDrained(store)
  await expectExact(store, testimonies)
  await expectAgreement(store)
  await expectOneEach()
}

/** The same of what other processes did. */
async function expectAgreed(orders: DrainOrders): Promise<void> {
  const { store } = open(orders)
  await untilDrained(store)
  await expectAgreement(store)
  await expectOneEach()
  expect(await waiting(orders.redis.prefix)).toBe(0)
}

/** A connection that was ended a moment ago may fail once more. */
async function untilDrained(store: RedisStore): Promise<void> {
  await until('the outbox is drained', async () => {
    for await (const _ of store.ledger.entries()) break
    return true
  })
}

async function expectOneEach(): Promise<void> {
  const { rows } = await pool.query<{ all: string; different: string; ended: string }>(`SELECT count(*) AS all, count(DISTINCT id) AS different, count(DISTINCT decision_id) AS ended FROM "${schema}".ledger_entry`)
  const [{ all, different, ended } = { all: '0', different: '', ended: '' }] = rows
  expect(Number(all)).toBeGreaterThan(0)
  expect([different, ended]).toEqual([all, all])
}

async function arrived(): Promise<number> {
  try {
    return Number((await pool.query<{ all: string }>(`SELECT count(*) AS all FROM "${schema}".ledger_entry`)).rows[0]?.all)
  } catch {
    return 0
  }
}

function outboxOf(prefix: string): string {
  return `{${prefix}}:outbox`
}

/** How many entries stand in the outbox. */
async function waiting(prefix: string): Promise<number> {
  return client.xlen(outboxOf(prefix))
}

/** How many entries stand in the outbox and in Postgres. */
async function inBoth(prefix: string): Promise<number> {
  const items = (await client.xrangeBuffer(outboxOf(prefix), '-', '+')) as [Buffer, Buffer[]][]
  const ids = items.map(([, [, item, , details]]) => unpackEntry(item as Buffer, details)?.id)
  return Number((await pool.query<{ all: string }>(`SELECT count(*) AS all FROM "${schema}".ledger_entry WHERE id = ANY ($1)`, [ids])).rows[0]?.all)
}

async function start(orders: DrainOrders): Promise<ChildProcess> {
  const child = spawn(process.execPath, ['--import', 'tsx', SCRIPT, JSON.stringify(orders)], { stdio: ['pipe', 'pipe', 'inherit'] })
  const unwatch = watch(child.pid as number)
  child.once('exit', unwatch)
  opened.push(() => kill(child))
  const ready = once(createInterface({ input: child.stdout as NodeJS.ReadableStream }), 'line')
  const [said] = (await Promise.race([ready, once(child, 'exit')])) as [unknown]
  if (said !== 'ready') throw new Error(`worker ${orders.name} ended before it was ready`)
  return child
}

async function stop(child: ChildProcess): Promise<number> {
  const said = once(child.stdout as NodeJS.ReadableStream, 'data')
  const gone = once(child, 'exit')
  child.stdin?.write('stop\n')
  expect(await gone).toEqual([0, null])
  const [text] = (await said) as [Buffer]
  return Number(text.toString())
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, 'exit')
  child.kill('SIGKILL')
  await gone
}
