// The demo on the stores that keep their data: in one process, in several that share it, and stopped half-way. It must agree to the
// microcent, be able to notice that it does not, and leave nothing behind.

import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { CostTracker } from 'bursar'
import { sqliteStore } from 'bursar/sqlite'
import type { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { sharedRedis } from '../support/redis/index.js'
import { temporaryFiles } from '../support/sqlite/temporary-files.js'
import { leftRunning, rowOf, runDemo, stopDemos, workerPids, type DemoResult } from './demo-run.js'

const files = temporaryFiles()

afterEach(() => {
  stopDemos()
  files.removeAll()
})

function expectAgreement({ code, output, errors }: DemoResult, processes: number): void {
  expect(errors).toBe('')
  expect(output).toMatch(/^agree: settlements, budgets, ledger and the stand-in counted the same \$\d+\.\d{8}, user by user and SDK by SDK/m)
  expect(code).toBe(0)
  expect(output).not.toMatch(/DIFFER/)
  expect(output.match(/ agree$/gm)).toHaveLength(16)
  expect(output).toMatch(/the store's own audit is clean: \d+ ledger entries, 0 open holds/)
  expect(output).toMatch(/ thresholds were crossed, each announced once$/m)
  expect(workerPids(output)).toHaveLength(processes === 1 ? 0 : processes)
  expect(leftRunning(output)).toEqual([])
  const all = rowOf(output, 'everybody')
  expect(all.allow + all.warn + all.degrade + all.block).toBe(all.calls)
  expect(all.calls).toBe(545)
  // Limits of each kind are reached: a plan's, one that degrades, and a team's.
  for (const user of ['cleo', 'dan', 'gus', 'kim']) expect(rowOf(output, user).block).toBeGreaterThan(0)
  expect(rowOf(output, 'gus').degrade).toBeGreaterThan(0)
}

describe('the demo on SQLite', () => {
  test('agrees, and what --keep leaves in the file is what was reported', async () => {
    const path = files.path('demo.db')
    const result = await runDemo(['--store', `sqlite:${path}`, '--keep'])
    expectAgreement(result, 1)
    const store = sqliteStore({ path })
    try {
      const [, dollars] = /^agree: .* \$([\d.]+),/m.exec(result.output) ?? []
      const tracker = new CostTracker({ store })
      expect((await tracker.getSummary()).totalCost).toBe(Number(dollars))
      expect((await tracker.audit()).status).toBe('clean')
    } finally {
      await store.close()
    }
    const again = await runDemo(['--store', `sqlite:${path}`])
    expect(again).toMatchObject({ code: 2, output: '' })
    expect(again.errors).toMatch(/^bursar demo: --store: .+ exists already, and the demo touches no file that it has not made\. Remove it, .+\.\n$/)
    expect(existsSync(path)).toBe(true)
  })

  test('agrees in four processes, and removes its file', async () => {
    const path = files.path('demo.db')
    expectAgreement(await runDemo(['--store', `sqlite:${path}`, '--processes', '4']), 4)
    expect(readdirSync(dirname(path))).toEqual([])
  })

  test('finds out, in four processes, a stand-in that counts one microcent too many, by name and amount', async () => {
    const { code, output } = await runDemo(['--store', `sqlite:${files.path()}`, '--processes', '4', '--miscount', 'ben'])
    expect(code).toBe(1)
    expect(output).toMatch(/^ {2}ben: the stand-in counted [\d,]+ microcents, 1 more than settlements/m)
    expect(output).toMatch(/^ {2}everybody: the stand-in counted [\d,]+ microcents, 1 more than the budget/m)
    expect(output).toMatch(/^ {2}bursar\/ai-sdk: the stand-in counted [\d,]+ microcents, 1 more than settlements/m)
    expect(output).toMatch(/^ {2}ben .*DIFFER$/m)
    expect(output).toMatch(/^DIFFER: the counts do not agree, see the 4 lines above/m)
    expect(output).not.toMatch(/^agree/m)
    expect(output.match(/ agree$/gm)).toHaveLength(13)
    expect(leftRunning(output)).toEqual([])
  })

  test('a worker that dies makes it fail with its name, and nothing is left', async () => {
    const path = files.path('demo.db')
    let killed = 0
    const { code, output, errors } = await runDemo(['--store', `sqlite:${path}`, '--processes', '2'], (soFar) => {
      killed = workerPids(soFar)[1] as number
      process.kill(killed, 'SIGKILL')
    })
    expect(code).toBe(1)
    expect(errors).toBe(`bursar demo: worker 2 (process ${killed}) ended before its calls were made (SIGKILL)\n`)
    expect(output).not.toMatch(/^agree/m)
    expect(leftRunning(output)).toEqual([])
    expect(readdirSync(dirname(path))).toEqual([])
  })

  test('says in one line that the file cannot be made', async () => {
    const path = files.path('folder')
    writeFileSync(path, '')
    const { code, output, errors } = await runDemo(['--store', `sqlite:${path}/demo.db`])
    expect({ code, output }).toEqual({ code: 1, output: '' })
    expect(errors).toBe(`bursar demo: --store: ${path}/demo.db cannot be made (ENOTDIR). Create its folder, and make it writable.\n`)
  })
})

describe('the demo on Redis', () => {
  let url: string
  let client: Redis

  beforeAll(async () => {
    const redis = await sharedRedis()
    url = redis.url
    client = redis.client()
  })

  afterAll(() => client.quit())

  /** The keys that a run has left. */
  async function keysOf(output: string): Promise<string[]> {
    const prefix = /under the prefix (bursar-demo-\w+), removed at the end$/m.exec(output)?.[1]
    expect(prefix).toBeDefined()
    return client.keys(`*${prefix}*`)
  }

  test.each([1, 4])('agrees with %i at work, and removes its keys', async (processes) => {
    let during: Promise<string[]> | undefined
    const result = await runDemo(['--store', url, '--processes', String(processes)], (output) => {
      during = keysOf(output)
    })
    expectAgreement(result, processes)
    expect((await during)?.length).toBeGreaterThan(0)
    expect(await keysOf(result.output)).toEqual([])
  })

  test('stopped half-way, it stops everything and removes its keys', async () => {
    const { code, output, errors } = await runDemo(['--store', url, '--processes', '2'], (_, demo) => demo.kill('SIGINT'))
    expect({ code, errors }).toEqual({ code: 130, errors: 'bursar demo: stopped by SIGINT\n' })
    expect(output).not.toMatch(/^agree/m)
    expect(leftRunning(output)).toEqual([])
    expect(await keysOf(output)).toEqual([])
  })

  test('says in one line that nobody answers', async () => {
    // Port 1 is never given out: nobody listens there.
    const { code, output, errors } = await runDemo(['--store', 'redis://127.0.0.1:1', '--processes', '4'])
    expect({ code, output }).toEqual({ code: 1, output: '' })
    expect(errors).toMatch(/^bursar demo: --store: no Redis to work with at 127\.0\.0\.1:1 \(connect ECONNREFUSED .+\)\. Start one, .+\.\n$/)
  })
})
