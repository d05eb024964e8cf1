// The document service as its reader runs it: in a process of its own, from the built package, asked over HTTP, and killed at work.

import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeAll, expect, test } from 'vitest'
import { until } from '../support/redis/index.js'
import { watch } from '../support/redis/watchdog.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const PART = 'A hold is money that is reserved for one request, until it is known what the request has cost.'

interface Running {
  readonly url: string
  readonly keys: Readonly<Record<string, string>>
  readonly output: () => string
  end(signal: NodeJS.Signals): Promise<number | null>
}

interface Answer {
  readonly status: number
  readonly type: string
  readonly json: any // oxlint-disable-line typescript/no-explicit-any
}

const started: ChildProcess[] = []
const folders: string[] = []

beforeAll(() => {
  if (!existsSync(`${root}/dist/src/index.js`)) throw new Error('dist/ is missing, and the example imports the built package. Run npm run build first.')
})

afterEach(() => {
  for (const child of started.splice(0)) child.kill('SIGKILL')
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

async function start(file: readonly string[] = [], latencyMs = 1, port = 0): Promise<Running> {
  const child = spawn(process.execPath, ['--import', 'tsx', 'examples/document-api/main.ts', ...file], { cwd: root, env: { ...process.env, LATENCY_MS: String(latencyMs), PORT: String(port) }, stdio: ['ignore', 'pipe', 'pipe'] })
  started.push(child)
  const unwatch = watch(child.pid as number)
  const exited = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve((unwatch(), code))))
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text: Buffer) => (output += text.toString()))
  let hasEnded = false
  child.once('close', () => (hasEnded = true))
  const url = await until('the service listens', () => (hasEnded ? '' : /^listening on (\S+),/m.exec(output)?.[1]))
  if (url === '') throw new Error(output)
  const keysIn = (): Record<string, string> => Object.fromEntries([...output.matchAll(/^(\w+) \(\w+\) has the key (\S+)$/gm)].map(([, id, key]) => [id as string, key as string]))
  return { url, keys: keysIn(), output: () => output, end: (signal) => (child.kill(signal), exited) }
}

async function ask(url: string, key: string | undefined, path: string, body?: unknown): Promise<Answer> {
  const headers = { ...(key !== undefined && { authorization: `Bearer ${key}` }), ...(body !== undefined && { 'content-type': 'application/json' }) }
  const response = await fetch(`${url}${path}`, { headers, ...(body !== undefined && { method: 'POST', body: JSON.stringify(body) }) })
  return { status: response.status, type: response.headers.get('content-type') ?? '', json: await response.json() }
}

function ended(url: string, key: string, jobId: string): Promise<Answer['json']> {
  return until(`the job ${jobId} has ended`, async () => {
    const { json } = await ask(url, key, `/jobs/${jobId}`)
    return json.state === 'done' || json.state === 'failed' ? json : undefined
  })
}

test('a document is taken, summarised part by part and paid for; nobody else sees the job', async () => {
  const { url, keys, end } = await start()
  expect(Object.keys(keys)).toEqual(['ada', 'ben'])
  const { ada, ben } = keys as Record<'ada' | 'ben', string>
  expect((await ask(url, undefined, '/budget')).status).toBe(401)
  expect((await ask(url, `${ada}x`, '/budget')).status).toBe(401)

  const taken = await ask(url, ben, '/analyze', { document: [PART, PART, PART].join('\n\n') })
  expect(taken.status).toBe(202)
  const job = await ended(url, ben, taken.json.jobId)
  expect(job).toEqual({ jobId: taken.json.jobId, state: 'done', partsDone: 3, parts: 3, summary: [expect.any(String), expect.any(String), expect.any(String)] })

  expect((await ask(url, ada, `/jobs/${taken.json.jobId}`)).status).toBe(404)
  expect((await ask(url, ada, `/jobs/${taken.json.jobId}`)).json).toEqual((await ask(url, ada, '/jobs/none')).json)
  expect((await ask(url, ben, '/analyze', { document: '' })).status).toBe(422)

  const { json: budget } = await ask(url, ben, '/budget')
  expect(Object.keys(budget)).toEqual(['customer_id', 'budget_limit_usd', 'budget_used_usd', 'budget_remaining_usd', 'requests_count', 'period_start', 'period_end'])
  expect(budget).toMatchObject({ customer_id: 'ben', budget_limit_usd: 1, requests_count: 3 })
  expect(budget.budget_used_usd).toBeGreaterThan(0)
  expect(budget.budget_used_usd + budget.budget_remaining_usd).toBeCloseTo(1, 8)
  expect((await ask(url, ada, '/budget')).json).toMatchObject({ customer_id: 'ada', budget_used_usd: 0, requests_count: 0 })
  expect(await end('SIGTERM')).toBe(0)
})

test('a port that is in use is said so, and no key is made that nobody sees', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'bursar-documents-'))
  folders.push(folder)
  const file = [join(folder, 'documents.db')]
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  const { port } = taken.address() as AddressInfo
  await expect(start(file, 1, port)).rejects.toThrow(new RegExp(`^PORT: ${port} is in use\\. .*\\n$`))
  taken.close()
  const { keys, end } = await start(file)
  expect(Object.keys(keys)).toEqual(['ada', 'ben'])
  expect(await end('SIGTERM')).toBe(0)
})

test('a budget that ends in the middle fails the job with the reason; what was spent stays, and soon no job is taken', async () => {
  const { url, keys } = await start()
  const key = keys['ada'] as string
  const document = Array.from({ length: 20 }, () => PART).join('\n\n')
  const taken = await ask(url, key, '/analyze', { document })
  expect(taken.status).toBe(202)
  const job = await ended(url, key, taken.json.jobId)
  expect(job).toMatchObject({ state: 'failed', parts: 20, reason: expect.stringMatching(/^The daily budget of user ada is \$0\.01; \$0\.\d+ is used and this request would add/) })
  expect(job.partsDone).toBeGreaterThan(0)

  const { json: budget } = await ask(url, key, '/budget')
  expect(budget.requests_count).toBe(job.partsDone)
  expect(budget.budget_used_usd).toBeLessThanOrEqual(0.01)
  expect(budget.budget_used_usd).toBeGreaterThan(0.005)

  // Shorter parts may still fit; then nothing does.
  const refused = await until('no job is taken', async () => {
    const answer = await ask(url, key, '/analyze', { document: 'Short.' })
    if (answer.status === 202) await ended(url, key, answer.json.jobId)
    return answer.status === 202 ? undefined : answer
  })
  expect(refused).toMatchObject({ status: 402, type: 'application/problem+json', json: { code: 'budget', status: 402 } })
  expect((await ask(url, key, '/budget')).json.budget_used_usd).toBeLessThanOrEqual(0.01)
  // Another customer is none the worse.
  expect((await ask(url, keys['ben'] as string, '/analyze', { document })).status).toBe(202)
})

test('a process that is killed at work is gone on with by the next: every part is counted once', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'bursar-documents-'))
  folders.push(folder)
  const file = [join(folder, 'documents.db')]
  const parts = 6
  const first = await start(file, 100)
  const key = first.keys['ben'] as string
  const jobs: string[] = []
  for (let job = 0; job < 3; job += 1) jobs.push((await ask(first.url, key, '/analyze', { document: Array.from({ length: parts }, () => PART).join('\n\n') })).json.jobId as string)
  await until('work has begun', async () => (await ask(first.url, key, `/jobs/${jobs[0]}`)).json.partsDone >= 2)
  await first.end('SIGKILL')

  const second = await start(file)
  expect(second.keys).toEqual({})
  for (const job of jobs) expect(await ended(second.url, key, job)).toMatchObject({ state: 'done', partsDone: parts })
  const { json: once } = await ask(second.url, key, '/budget')
  expect(once.requests_count).toBe(jobs.length * parts)

  // The same work without a crash costs the same.
  const calm = await start()
  const other = calm.keys['ben'] as string
  for (let job = 0; job < 3; job += 1) await ended(calm.url, other, (await ask(calm.url, other, '/analyze', { document: Array.from({ length: parts }, () => PART).join('\n\n') })).json.jobId as string)
  expect((await ask(calm.url, other, '/budget')).json.budget_used_usd).toBe(once.budget_used_usd)
})
