// `npm run bench:redis`: the Redis store beside rate-limiter-flexible's union and beside its own script run bare, on a server of its
// own. One process; contestants interleaved; medians. Where taskset is there, this process keeps to one core and Redis to another.

import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { availableParallelism, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { RateLimiterRedis, RateLimiterUnion } from 'rate-limiter-flexible'
import { DEFAULT_BUILD, loadPackage, loadRedisStore } from './package-under-test.js'
import { median } from './speed.js'
import { printTable } from './table.js'

const USERS = 20_000
const OPERATIONS = 15_000
const ROUNDS = 7
const IN_FLIGHT = [64, 512]
const LIMITS_USD = { daily: 10_000, weekly: 50_000, monthly: 200_000 }
const SHARED_USD = { daily: 9_000_000, weekly: 20_000_000, monthly: 30_000_000 }
const ESTIMATE = { userTier: 'pro', model: 'gpt-4o', estimatedCost: 0.03 } as const

interface Contestant {
  readonly name: string
  readonly operation: string
  one(index: number): Promise<unknown>
}

const hasTaskset = canPin()
const server = await startServer()
try {
  await run(server.port)
} finally {
  server.process.kill()
  rmSync(server.folder, { recursive: true, force: true })
}
process.exit(0)

async function run(port: number): Promise<void> {
  const client = new Redis(port)
  const { Bursar } = await loadPackage(DEFAULT_BUILD)
  const { redisStore } = await loadRedisStore(DEFAULT_BUILD)
  const own = new Bursar({ tiers: { pro: LIMITS_USD }, store: redisStore({ client, prefix: 'own' }) })
  const settling = new Bursar({ tiers: { pro: LIMITS_USD }, store: redisStore({ client, prefix: 'settling' }) })
  const shared = new Bursar({ tiers: { pro: LIMITS_USD }, global: SHARED_USD, scopes: { team: { '*': SHARED_USD } }, store: redisStore({ client, prefix: 'shared' }) })
  const limiter = (keyPrefix: string, duration: number): RateLimiterRedis => new RateLimiterRedis({ storeClient: client, keyPrefix, points: 1e9, duration })
  const union = new RateLimiterUnion(limiter('day', 86_400), limiter('week', 604_800), limiter('month', 2_592_000))
  const sha = (await client.script('LOAD', 'return 1')) as string
  const user = (index: number): string => `user_${(index * 7_919) % USERS}`
  const bare = await bareScript(client)
  const admitted = (decision: { readonly allowed: boolean }): void => {
    if (!decision.allowed) throw new Error('a check was refused')
  }
  const check: Contestant = { name: 'bursar', operation: 'check, three windows', one: async (index) => admitted(await own.check({ userId: user(index), ...ESTIMATE })) }
  const three: Contestant = { name: 'rate-limiter-flexible', operation: 'union of three', one: (index) => union.consume(user(index), 1) }
  const contestants: Contestant[] = [
    { name: 'EVALSHA', operation: 'return 1', one: () => client.evalsha(sha, 0) },
    three,
    check,
    bare,
    {
      name: 'bursar',
      operation: 'check + settle',
      async one(index) {
        const decision = await settling.check({ userId: user(index), ...ESTIMATE })
        if (!decision.allowed) throw new Error('a check was refused')
        await decision.settle({ cost: 0.021 })
      },
    },
    { name: 'bursar', operation: 'check, nine windows', one: async (index) => admitted(await shared.check({ userId: user(index), ...ESTIMATE, scopes: { team: `team_${index % 50}` } })) },
  ]
  console.log(`node ${process.version}, ${availableParallelism()} cores, ${hasTaskset ? 'this process pinned to one and Redis to another' : 'not pinned'}, load ${loadavg()[0]?.toFixed(1)} at the start`)
  const version = /redis_version:(\S+)/.exec(await client.info('server'))?.[1]
  console.log(`Redis ${version}, loopback, ${USERS.toLocaleString('en')} users, ${ROUNDS} rounds of ${OPERATIONS.toLocaleString('en')} operations\n`)
  await memory(client, own, user)
  for (const contestant of contestants) await inFlight(contestant, 2 * USERS, 64)
  for (const width of IN_FLIGHT) {
    const perSecond = new Map(contestants.map((contestant) => [contestant, [] as number[]]))
    const micros = new Map(contestants.map((contestant) => [contestant, [] as number[]]))
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const contestant of round % 2 === 0 ? contestants : contestants.toReversed()) {
        await client.config('RESETSTAT')
        perSecond.get(contestant)?.push(await inFlight(contestant, OPERATIONS, width))
        micros.get(contestant)?.push(await scriptMicros(client))
      }
      await trim(client)
    }
    const ratios = (to: Contestant) => (of: Contestant) => median((perSecond.get(of) as number[]).map((value, round) => value / ((perSecond.get(to) as number[])[round] as number)))
    const [toUnion, toBare] = [ratios(three), ratios(bare)]
    printTable(
      [`${width} in flight`, 'one operation', 'thousand/s', '× union', '× bare', 'Redis µs a script'],
      contestants.map((contestant) => [
        contestant.name,
        contestant.operation,
        (median(perSecond.get(contestant) as number[]) / 1_000).toFixed(1),
        toUnion(contestant).toFixed(2),
        toBare(contestant).toFixed(2),
        median(micros.get(contestant) as number[]).toFixed(1),
      ]),
    )
  }
  console.log(`load ${loadavg()[0]?.toFixed(1)} at the end`)
  client.disconnect()

  /** The store's own script with messages made beforehand: what Redis and ioredis take for it, and no more. */
  async function bareScript(connection: Redis): Promise<Contestant> {
    const sent: unknown[][] = []
    const recorder = new Proxy(connection, {
      get(target, name) {
        if (name !== 'callBuffer') {
          const value: unknown = Reflect.get(target, name, target)
          return typeof value === 'function' ? value.bind(target) : value
        }
        return (command: string, ...args: (string | number | Buffer)[]) => {
          if (command === 'EVALSHA') sent.push(args)
          return target.callBuffer(command, ...args)
        }
      },
    })
    const recorded = new Bursar({ tiers: { pro: LIMITS_USD }, store: redisStore({ client: recorder, prefix: 'bare' }) })
    for (let index = 0; index < USERS; index += 1) await recorded.check({ userId: `user_${index}`, ...ESTIMATE })
    const messages = sent.slice(-USERS)
    const ids = messages.map((args) => (args.at(-1) as Buffer).indexOf(/[\w-]{16}-\d/.exec((args.at(-1) as Buffer).toString('latin1'))?.[0] ?? '\0', 0, 'latin1'))
    let count = 0
    return {
      name: 'bare',
      operation: 'its EVALSHA, message ready',
      one(index) {
        const which = (index * 7_919) % USERS
        const args = messages[which] as (string | number | Buffer)[]
        const message = Buffer.from(args.at(-1) as Buffer)
        // Another id each time, of the same length; and no deadline, which stands behind the data set's name and the test time.
        message.fill(0, 15, 22)
        message.write(String((count += 1)).padStart(10, '0'), ids[which], 'latin1')
        return connection.callBuffer('EVALSHA', ...args.slice(0, -1), message)
      },
    }
  }
}

/** Bytes of a user with three windows and one open hold, by the server's own count; afterwards of what is kept when it is settled. */
async function memory(client: Redis, bursar: { check: Awaited<ReturnType<typeof loadPackage>>['Bursar']['prototype']['check'] }, user: (index: number) => string): Promise<void> {
  const used = async (): Promise<number> => Number(/used_memory:(\d+)/.exec(await client.info('memory'))?.[1])
  await bursar.check({ userId: 'first', ...ESTIMATE })
  const before = await used()
  const held: { settle(outcome: { cost: number }): Promise<unknown> }[] = []
  for (let index = 0; index < USERS; index += 1) {
    const decision = await bursar.check({ userId: user(index), ...ESTIMATE })
    if (decision.allowed) held.push(decision)
  }
  const open = await used()
  const outboxBefore = Number((await client.memory('USAGE', '{own}:outbox')) ?? 0)
  for (const decision of held) await decision.settle({ cost: 0.021 })
  const settled = await used()
  const outbox = Number((await client.memory('USAGE', '{own}:outbox', 'SAMPLES', 0)) ?? 0) - outboxBefore
  console.log(`bytes a user with three windows and one open hold: ${((open - before) / USERS).toFixed(0)}`)
  console.log(`after its settle: ${((settled - before - outbox) / USERS).toFixed(0)} (the ended id is remembered for 60 s), and the outbox of about 10,000 entries takes ${(outbox / 1e6).toFixed(1)} MB\n`)
}

async function inFlight({ one }: Contestant, operations: number, width: number): Promise<number> {
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < operations) {
      next += 1
      await one(next)
    }
  }
  const startedAt = performance.now()
  await Promise.all(Array.from({ length: width }, worker))
  return (operations * 1_000) / (performance.now() - startedAt)
}

/** What Redis says that its scripts took, for each. */
async function scriptMicros(client: Redis): Promise<number> {
  const line = /cmdstat_evalsha:calls=(\d+),usec=(\d+)/.exec(await client.info('commandstats'))
  return line === null ? 0 : Number(line[2]) / Number(line[1])
}

/** Open holds of earlier rounds are forgotten, so that no round runs on more than the one before. */
async function trim(client: Redis): Promise<void> {
  for (const prefix of ['own', 'bare', 'shared']) {
    await client.unlink(`{${prefix}}:due`)
    let cursor = '0'
    do {
      const [next, fields] = await client.hscan(`{${prefix}}:state`, cursor, 'MATCH', 'h*', 'COUNT', 1_000)
      cursor = next
      const ids = fields.filter((_, index) => index % 2 === 0)
      if (ids.length > 0) await client.hdel(`{${prefix}}:state`, ...ids)
    } while (cursor !== '0')
  }
}

function canPin(): boolean {
  try {
    execFileSync('taskset', ['-acp', '0', String(process.pid)], { stdio: 'ignore' })
    return availableParallelism() > 0
  } catch {
    return false
  }
}

async function startServer(): Promise<{ port: number; process: ChildProcess; folder: string }> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address() as { port: number }
  await new Promise((resolve) => probe.close(resolve))
  const folder = mkdtempSync(join(tmpdir(), 'bursar-bench-'))
  const args = ['redis-server', '--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', folder]
  const child = spawn(hasTaskset ? 'taskset' : (args[0] as string), hasTaskset ? ['-c', '1', ...args] : args.slice(1), { stdio: 'ignore' })
  const client = new Redis(port, { retryStrategy: () => 50, maxRetriesPerRequest: 100 })
  client.on('error', () => {})
  await client.ping()
  client.disconnect()
  return { port, process: child, folder }
}
