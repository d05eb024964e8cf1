// `npm run bench:serve`: POST /v1/check beside the same route (key, body, header fields, metrics) answering a constant of the same size, and beside a
// bare route of the framework, in one child process; 32 connections that are kept. Contestants alternate; medians. Where taskset is there, the servers keep to one core and this process to another.

import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { availableParallelism, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Connection, idIn } from './http-load.js'
import { median } from './speed.js'
import { printTable } from './table.js'

const CONNECTIONS = 32
const ROUNDS = Number(process.env['ROUNDS'] ?? 9)
const OPERATIONS = Number(process.env['OPERATIONS'] ?? 8_000)
const WARM_UP = OPERATIONS
const USERS = 5_000
/** One store alone, for a closer look. */
const ONLY = process.env['ONLY']
const CHECK = (index: number): string => JSON.stringify({ userId: `user_${(index * 7_919) % USERS}`, model: 'gpt-4o', estimatedCost: 0.03 })
const MINIMAL = 'Prefer: return=minimal\r\n'
const SETTLE = JSON.stringify({ cost: 0.021 })

interface Told {
  readonly servers: Readonly<Record<string, { readonly url: string; readonly token: string }>>
  readonly bytes: number
}

interface Contestant {
  readonly name: string
  readonly operation: string
  readonly server: string
  readonly settles: boolean
  /** More header fields. */
  readonly fields: string
}

const hasTaskset = canPin()
const folder = mkdtempSync(join(tmpdir(), 'bursar-bench-'))
const redisPort = await freePort()
const redis = spawn(hasTaskset ? 'taskset' : 'redis-server', [...(hasTaskset ? ['-c', '0', 'redis-server'] : []), '--port', String(redisPort), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', folder], { stdio: 'ignore' })
const node = [process.execPath, '--import', 'tsx', fileURLToPath(new URL('./serve-child.ts', import.meta.url)), folder, String(redisPort)]
const child = spawn(hasTaskset ? 'taskset' : (node[0] as string), hasTaskset ? ['-c', '1', ...node] : node.slice(1), { stdio: ['ignore', 'pipe', 'inherit'] })
process.on('SIGTERM', () => process.exit(1)).on('SIGINT', () => process.exit(1))
process.on('exit', () => [child, redis].map((each) => each.kill('SIGKILL')))
try {
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  await run(JSON.parse(line.toString()) as Told)
} finally {
  rmSync(folder, { recursive: true, force: true })
}
process.exit(0)

async function run({ servers, bytes }: Told): Promise<void> {
  const contestant = (name: string, operation: string, server: string, settles = false, fields = ''): Contestant => ({ name, operation, server, settles, fields })
  const constant = contestant('a constant', 'the same route', 'constant')
  const short = contestant('a short constant', 'the same route', 'short')
  const bare = contestant('a constant', 'a bare route', 'bare')
  const contestants = [constant, short, bare, contestant('memory', 'check', 'memory'), contestant('memory', 'check, minimal', 'memory', false, MINIMAL), contestant('sqlite', 'check', 'sqlite'), contestant('redis', 'check', 'redis'), contestant('memory', 'check + settle', 'memory', true), contestant('sqlite', 'check + settle', 'sqlite', true), contestant('redis', 'check + settle', 'redis', true)].filter(({ name }) => name.endsWith('constant') || ONLY === undefined || ONLY === name)
  console.log(`node ${process.version}, ${availableParallelism()} cores, ${hasTaskset ? 'the servers pinned to one, this process and Redis to the other' : 'not pinned'}, load ${loadavg()[0]?.toFixed(1)} at the start`)
  console.log(`${CONNECTIONS} connections, ${ROUNDS} rounds of ${OPERATIONS.toLocaleString('en')} operations, answers of ${bytes.toLocaleString('en')} bytes, a key of the store, no log\n`)
  const perSecond = new Map(contestants.map((each) => [each, [] as number[]]))
  for (const each of contestants) await measure(each, servers, WARM_UP)
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const each of round % 2 === 0 ? contestants : contestants.toReversed()) perSecond.get(each)?.push(await measure(each, servers, OPERATIONS))
  }
  const ofConstant = perSecond.get(constant) as number[]
  printTable(
    ['store', 'one operation', 'thousand/s', '× constant', 'lowest', 'highest'],
    contestants.map((each) => {
      const own = perSecond.get(each) as number[]
      const ratios = own.map((value, round) => value / (ofConstant[round] as number))
      return [each.name, each.operation, (median(own) / 1_000).toFixed(2), median(ratios).toFixed(2), Math.min(...ratios).toFixed(2), Math.max(...ratios).toFixed(2)]
    }),
  )
  console.log(`load ${loadavg()[0]?.toFixed(1)} at the end`)
}

async function measure({ server, settles, fields }: Contestant, servers: Told['servers'], operations: number): Promise<number> {
  const { token, url } = servers[server] as { readonly token: string; readonly url: string }
  // Others than in the round before: a server closes those that nobody uses for a minute.
  const connections = Array.from({ length: CONNECTIONS }, () => new Connection(url))
  await Promise.all(connections.map((connection) => connection.ask('/v1/check', token, CHECK(0))))
  let next = 0
  const startedAt = performance.now()
  await Promise.all(
    connections.map(async (connection) => {
      while (next < operations) {
        next += 1
        const answer = await connection.ask('/v1/check', token, CHECK(next), fields)
        if (!settles) continue
        const id = idIn(answer)
        await connection.ask(`/v1/holds/${encodeURIComponent(id)}/settle`, token, SETTLE)
      }
    }),
  )
  const perSecond = (operations * 1_000) / (performance.now() - startedAt)
  for (const connection of connections) connection.close()
  return perSecond
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address() as { port: number }
  await new Promise((resolve) => probe.close(resolve))
  return port
}

function canPin(): boolean {
  try {
    execFileSync('taskset', ['-acp', '0', String(process.pid)], { stdio: 'ignore' })
    return availableParallelism() > 0
  } catch {
    return false
  }
}
