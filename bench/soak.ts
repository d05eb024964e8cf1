// `npm run bench:soak`: many checks and settles over HTTP on one SQLite file, and whether memory grows, a settle is lost, or the books disagree. PAIRS says
// how many (default 200,000).

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Bursar } from '../src/index.js'
import { sqliteStore } from '../src/store/sqlite/index.js'
import { Connection, idIn } from './http-load.js'
import { printTable } from './table.js'

const PAIRS = Number(process.env['PAIRS'] ?? 200_000)
const CONNECTIONS = 32
const USERS = 5_000
const PARTS = 10
const COST_MICROCENTS = 2_100_000
const SETTLE = JSON.stringify({ cost: COST_MICROCENTS / 1e8 })

interface Memory {
  readonly heapUsed: number
  readonly rss: number
  readonly external: number
}

const folder = mkdtempSync(join(tmpdir(), 'bursar-soak-'))
const path = join(folder, 'soak.db')
const child = spawn(process.execPath, ['--expose-gc', '--import', 'tsx', fileURLToPath(new URL('./soak-child.ts', import.meta.url)), path], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
process.on('SIGTERM', () => process.exit(1)).on('SIGINT', () => process.exit(1))
process.on('exit', () => {
  child.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})
const [{ url, token }] = (await once(child, 'message')) as [{ url: string; token: string }]
const rows: string[][] = []
const memories: Memory[] = []
for (let part = 0; part < PARTS; part += 1) {
  const startedAt = performance.now()
  await pairs(Math.ceil(PAIRS / PARTS), part)
  const perSecond = (PAIRS / PARTS / (performance.now() - startedAt)) * 1_000
  const memory = await measured()
  memories.push(memory)
  rows.push([String(Math.ceil(PAIRS / PARTS) * (part + 1)), perSecond.toFixed(0), mega(memory.heapUsed), mega(memory.external), mega(memory.rss), mega(statSync(path).size)])
}
child.send('close')
await once(child, 'exit')
printTable(['pairs', 'a second', 'heap MB', 'external MB', 'RSS MB', 'file MB'], rows, 0)
await books()
process.exit(process.exitCode ?? 0)

async function pairs(count: number, part: number): Promise<void> {
  let next = 0
  const connections = Array.from({ length: CONNECTIONS }, () => new Connection(url))
  await Promise.all(
    connections.map(async (connection) => {
      while (next < count) {
        next += 1
        const userId = `user_${((part * count + next) * 7_919) % USERS}`
        const answer = await connection.ask('/v1/check', token, JSON.stringify({ userId, model: 'gpt-4o', estimatedCost: 0.03 }))
        await connection.ask(`/v1/holds/${encodeURIComponent(idIn(answer))}/settle`, token, SETTLE)
      }
      connection.close()
    }),
  )
}

async function measured(): Promise<Memory> {
  child.send('measure')
  return ((await once(child, 'message')) as [Memory])[0]
}

/** Every settle was acknowledged: the ledger must have them all, once, and the counters too. */
async function books(): Promise<void> {
  const store = sqliteStore({ path })
  const bursar = new Bursar({ tiers: { pro: { daily: 100_000 } }, defaultTier: 'pro', global: { daily: 5_000_000 }, store })
  const total = Math.ceil(PAIRS / PARTS) * PARTS
  const { totalEntries, exact } = await bursar.tracker.getSummary()
  const { differences } = await bursar.tracker.audit()
  const { heapUsed: first } = memories[1] as Memory
  const { heapUsed: last } = memories.at(-1) as Memory
  console.log(`settles: ${totalEntries} of ${total}; spent ${exact.totalMicrocents === total * COST_MICROCENTS ? 'exactly what was settled' : `${exact.totalMicrocents} of ${total * COST_MICROCENTS}`}; audit: ${differences.length} differences`)
  console.log(`heap after warm-up ${mega(first)} MB, at the end ${mega(last)} MB: ${((last - first) / (((PARTS - 2) * total) / PARTS)).toFixed(1)} bytes a pair`)
  await bursar.close()
  if (totalEntries !== total || exact.totalMicrocents !== total * COST_MICROCENTS || differences.length > 0) process.exitCode = 1
}

function mega(bytes: number): string {
  return (bytes / 1e6).toFixed(1)
}
