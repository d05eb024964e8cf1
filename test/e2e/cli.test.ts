// The bursar command as its user has it: the built program in a process of its own, on real stores, with pipes and signals.

import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { startPostgres } from '../support/postgres/index.js'
import { RedisServer } from '../support/redis/server.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const program = join(root, 'dist/src/cli/main.js')

interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly out: string
  readonly errors: string
}

/** A folder of an application that has installed bursar. */
function application(): string {
  const folder = mkdtempSync(join(tmpdir(), 'bursar-cli-e2e-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  mkdirSync(join(folder, 'node_modules'))
  symlinkSync(root, join(folder, 'node_modules/bursar'))
  return folder
}

/** Runs a command in a folder; `stopAt` is called with what it has said on stderr so far. */
function execute(command: string, args: readonly string[], folder: string, watch?: (errors: string, kill: (signal: NodeJS.Signals) => void) => void): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: folder, env: { ...process.env, NODE_OPTIONS: '' }, stdio: ['ignore', 'pipe', 'pipe'] })
    let [out, errors] = ['', '']
    child.stdout.on('data', (piece: Buffer) => (out += String(piece)))
    child.stderr.on('data', (piece: Buffer) => {
      errors += String(piece)
      watch?.(errors, (signal) => child.kill(signal))
    })
    child.on('error', reject)
    child.on('close', (code, signal) => resolve({ code, signal, out, errors }))
  })
}

const bursar = (folder: string, ...args: string[]): Promise<Ended> => execute(process.execPath, [program, ...args], folder)

/** Counts costs through the built package, as the application does. */
async function spend(folder: string, count: number, store: string): Promise<void> {
  const script = `
    import { Bursar } from 'bursar'
    import { sqliteStore } from 'bursar/sqlite'
    import { redisStore } from 'bursar/redis'
    const bursar = new Bursar({ tiers: { free: { daily: 1 } }, defaultTier: 'free', store: ${store} })
    for (let call = 0; call < ${count}; call += 1) await bursar.tracker.addCost({ userId: 'ada', model: 'gpt-4o', cost: '0.0001', metadata: { note: 'x'.repeat(100) } })
    await bursar.close()
  `
  writeFileSync(join(folder, 'spend.mjs'), script)
  const { code, errors } = await execute(process.execPath, ['spend.mjs'], folder)
  if (code !== 0) throw new Error(errors)
}

beforeAll(() => {
  if (!existsSync(program)) throw new Error('dist/ is missing, and the command is built into it. Run npm run build first.')
})

describe('the bursar command', () => {
  it('is a program', async () => {
    const { code, out, errors } = await execute(program, ['help'], application())
    expect({ code, errors }).toEqual({ code: 0, errors: '' })
    for (const command of ['init', 'budget', 'usage', 'report', 'export', 'assign', 'limits', 'explain', 'simulate', 'audit', 'stripe']) expect(out).toMatch(new RegExp(`^  ${command} `, 'm'))
    expect(out).toMatch(/^Exit codes:$/m)
  })

  it('knows its version', async () => {
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
    expect((await bursar(application(), '--version')).out).toBe(`${version}\n`)
  })

  it('writes a module that runs', async () => {
    const folder = application()
    expect((await bursar(folder, 'init')).code).toBe(0)
    expect((await bursar(folder, 'simulate', '--sample', '50')).code).toBe(0)
    expect(existsSync(join(folder, 'bursar.db'))).toBe(false)
    // What only reads makes no store: it is the application that begins.
    expect(await bursar(folder, 'audit')).toMatchObject({ code: 2, errors: expect.stringContaining('the configuration has made it just now') })
    expect((await bursar(folder, 'limits', 'create', 'global', '--set', 'daily=5')).code).toBe(0)
    // Wherever it is started, it is the file beside the configuration.
    mkdirSync(join(folder, 'jobs'))
    const { code, out, errors } = await bursar(join(folder, 'jobs'), 'budget', 'ada', '--json', '--config', '../bursar.config.mjs')
    expect({ code, errors }).toEqual({ code: 0, errors: 'Nothing was ever counted for user "ada", and the directory does not know that user.\n' })
    expect(JSON.parse(out)).toMatchObject({ userId: 'ada', tier: 'free', totalCost: '0.00' })
    expect(existsSync(join(folder, 'jobs/bursar.db'))).toBe(false)
  })

  it('fails where a configuration never comes to an end', async () => {
    const folder = application()
    writeFileSync(join(folder, 'bursar.config.mjs'), 'export default () => new Promise(() => {})')
    expect(await bursar(folder, 'usage')).toMatchObject({ code: 1, out: '', errors: expect.stringMatching(/^bursar: waits for something that never comes\./) })
  })

  it('ends quietly when nobody reads on', async () => {
    const folder = application()
    await spend(folder, 2_000, "sqliteStore({ path: './bursar.db' })")
    for (const command of ['export --format jsonl', 'usage --limit 10000', 'usage --json --limit 10000']) {
      const { code, out, errors } = await execute('bash', ['-c', `set -o pipefail; "${process.execPath}" "${program}" ${command} --quiet --store sqlite:./bursar.db | head -n 1`], folder)
      expect({ command, code, errors, lines: out.split('\n').length }).toEqual({ command, code: 0, errors: '', lines: 2 })
    }
  })

  it('fails with 1 where the store is away, soon and without its password', async () => {
    const { code, out, errors } = await bursar(application(), 'usage', '--store', 'redis://someone:hunter22@127.0.0.1:1', '--debug')
    expect({ code, out }).toEqual({ code: 1, out: '' })
    expect(errors).toMatch(/^bursar: /)
    expect(errors).toMatch(/\n +at /)
    expect(errors).not.toContain('hunter22')
  })

  it('stops when it is interrupted, and leaves nothing half-written', async () => {
    const folder = application()
    writeFileSync(join(folder, 'slow.mjs'), `
      import { memoryStore } from 'bursar'
      export default () => {
        const store = memoryStore()
        store.ledger.page = async () => { process.stderr.write('reading\\n'); return new Promise(() => setTimeout(() => {}, 100_000)) }
        const close = store.close.bind(store)
        store.close = () => { process.stderr.write('closed\\n'); return close() }
        return { tiers: { free: { daily: 1 } }, defaultTier: 'free', store }
      }
    `)
    let interrupted = false
    const { code, errors } = await execute(process.execPath, [program, 'export', '--out', 'x.csv', '--config', 'slow.mjs'], folder, (said, kill) => {
      if (!said.includes('reading')) return
      // The second does not wait for what the first is waiting for.
      if (!interrupted || said.includes('closed')) kill('SIGINT')
      interrupted = true
    })
    expect(code).toBe(130)
    expect(errors).toContain('closed')
    expect(existsSync(join(folder, 'x.csv'))).toBe(false)
  })

  it('stops a long simulation when it is interrupted', async () => {
    const folder = application()
    await bursar(folder, 'init', '--json')
    const child = spawn(process.execPath, [program, 'simulate', '--sample', '100000000'], { cwd: folder, stdio: 'ignore' })
    onTestFinished(() => void child.kill('SIGKILL'))
    const ended = new Promise<number | null>((resolve) => child.on('close', resolve))
    // Until it listens, a signal ends it by itself, with another code.
    const asking = setInterval(() => child.kill('SIGINT'), 1_500)
    onTestFinished(() => clearInterval(asking))
    expect([130, null]).toContain(await ended)
  })
})

describe('on Redis', () => {
  it('fails soon where the server does not answer, and says which and what to do', async () => {
    const redis = await RedisServer.start()
    onTestFinished(() => redis.stop())
    const folder = application()
    await spend(folder, 1, `redisStore({ url: '${redis.url}' })`)
    await redis.stop()
    for (const command of [['budget', 'ada'], ['audit'], ['usage']]) {
      const { code, out, errors } = await bursar(folder, ...command, '--store', redis.url.replace('//', '//someone:hunter22@'))
      expect({ command, code, out }).toEqual({ command, code: 1, out: '' })
      expect(errors).toMatch(new RegExp(`bursar: store: redis at 127\\.0\\.0\\.1:${redis.port} does not answer: .*\\. Start it, or correct --store\\.\n$`))
      expect(errors).not.toMatch(/hunter22|took effect/)
    }
  })

  it('tells nothing of a ledger that is kept elsewhere, but where to look', async () => {
    const redis = await RedisServer.start()
    onTestFinished(() => redis.stop())
    const folder = application()
    await spend(folder, 5, `redisStore({ url: '${redis.url}', sink: (await import('bursar/sqlite')).sqliteLedger({ path: './kept.db' }) })`)
    writeFileSync(join(folder, 'bursar.config.json'), JSON.stringify({ store: redis.url, tiers: { free: { daily: 1 } }, defaultTier: 'free' }))
    for (const command of [['usage'], ['report'], ['export', '--format', 'csv'], ['simulate'], ['assign', '--tenant', 'x', '--user', 'ada']]) {
      expect(await bursar(folder, ...command)).toMatchObject({ code: 2, out: '', errors: expect.stringContaining('Pass that one with --ledger') })
    }
    // What is counted is known all the same.
    const budget = await bursar(folder, 'budget', 'ada', '--json')
    expect(budget).toMatchObject({ code: 1, errors: expect.stringMatching(/^bursar: no forecast: .*--ledger/) })
    expect(JSON.parse(budget.out)).toMatchObject({ totalCost: '0.0005', forecasts: [] })
    expect(await bursar(folder, 'audit')).toMatchObject({ code: 3, out: expect.stringMatching(/^incomplete: /), errors: expect.stringContaining('pass that one with --ledger') })
    for (const command of [['usage'], ['report']]) expect(await bursar(folder, ...command, '--ledger', 'sqlite:./kept.db')).toMatchObject({ code: 0, errors: '' })
    writeFileSync(join(folder, 'bursar.config.json'), JSON.stringify({ store: redis.url, ledger: 'sqlite:./kept.db', tiers: { free: { daily: 1 } }, defaultTier: 'free' }))
    for (const command of [['usage'], ['report'], ['audit'], ['budget', 'ada']]) expect((await bursar(folder, ...command)).code).toBe(0)
  })

  it('reads a ledger that the store keeps itself, whatever became of the holds', async () => {
    const redis = await RedisServer.start()
    onTestFinished(() => redis.stop())
    const folder = application()
    writeFileSync(join(folder, 'calls.mjs'), `
      import { Bursar } from 'bursar'
      import { redisStore } from 'bursar/redis'
      const bursar = new Bursar({ tiers: { free: { daily: 1 } }, defaultTier: 'free', store: redisStore({ url: '${redis.url}' }) })
      const ask = (cost) => bursar.check({ userId: 'ada', estimatedCost: cost })
      await (await ask(0.1)).settle({ cost: 0.05 })
      await (await ask(0.1)).release()
      await ask(5)
      await (await ask(0.1)).settle({ cost: 0 })
      await bursar.tracker.refund({ userId: 'ada', cost: '0.01' })
      await bursar.tracker.setUserTier('ada', 'free')
      await bursar.close()
    `)
    expect((await execute(process.execPath, ['calls.mjs'], folder)).errors).toBe('')
    expect(await bursar(folder, 'report', '--by', 'kind', '--store', redis.url)).toMatchObject({ code: 0, errors: '' })
  })
})

describe('with a ledger in Postgres', () => {
  it('fails where that does not answer, and says which and what to do', async () => {
    const { code, out, errors } = await bursar(application(), 'report', '--ledger', 'postgres://someone:hunter22@127.0.0.1:1/ledger')
    expect({ code, out }).toEqual({ code: 1, out: '' })
    expect(errors).toMatch(/^bursar: ledger: postgres at 127\.0\.0\.1:1 does not answer: .*ECONNREFUSED.* correct .*\n$/)
    expect(errors).not.toMatch(/hunter22|took effect|was changed/)
  })
})

describe('on Redis, with a ledger in Postgres', () => {
  it('reads budgets and the ledger, and copies it where it is kept for good', async () => {
    const redis = await RedisServer.start()
    onTestFinished(() => redis.stop())
    const server = await startPostgres()
    onTestFinished(() => server.stop())
    const postgres = server.url
    const folder = application()
    await spend(folder, 5, `redisStore({ url: '${redis.url}' })`)
    writeFileSync(join(folder, 'bursar.config.json'), JSON.stringify({ store: redis.url, tiers: { free: { daily: 1 } }, defaultTier: 'free' }))
    expect(JSON.parse((await bursar(folder, 'budget', 'ada', '--json')).out)).toMatchObject({ totalCost: '0.0005', totalEntries: 5 })
    expect((await bursar(folder, 'audit')).out).toMatch(/^clean: 5 entries/)
    const made = await bursar(folder, 'limits', 'create', 'user:ada', '--id', 'less', '--set', 'daily=0.001', '--json')
    expect(JSON.parse(made.out)).toMatchObject({ id: 'less', state: 'active' })
    for (let time = 0; time < 2; time += 1) expect((await bursar(folder, 'export', '--to', postgres)).errors).toMatch(/^6 entries read/)
    const direct = await bursar(folder, 'report', '--by', 'kind,model', '--format', 'csv')
    const kept = await bursar(folder, 'report', '--by', 'kind,model', '--format', 'csv', '--ledger', postgres)
    expect(kept).toEqual(direct)
    expect(kept.out).toContain('recorded,gpt-4o,5,0,5,0,0.0005')
  })

  it('takes the ledger of the configuration for the sink of the store', async () => {
    const redis = await RedisServer.start()
    onTestFinished(() => redis.stop())
    const folder = application()
    await spend(folder, 3, `redisStore({ url: '${redis.url}' })`)
    writeFileSync(join(folder, 'bursar.config.json'), JSON.stringify({ store: '${REDIS_URL}', ledger: 'sqlite:./kept.db', tiers: { free: { daily: 1 } }, defaultTier: 'free' }))
    const read = (): Promise<Ended> => execute('env', [`REDIS_URL=${redis.url}`, process.execPath, program, 'report', '--by', 'model', '--format', 'csv'], folder)
    expect(await read()).toMatchObject({ code: 0, out: 'model,calls,denials,entries,tokens,cost\r\ngpt-4o,3,0,3,0,0.0003\r\n' })
    await spend(folder, 2, `redisStore({ url: '${redis.url}', sink: (await import('bursar/sqlite')).sqliteLedger({ path: './kept.db' }) })`)
    expect((await read()).out).toContain('gpt-4o,5,0,5,0,0.0005')
  })
})
