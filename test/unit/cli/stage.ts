// Commands run in this process, on streams that are kept and a clock that stands still.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { onTestFinished } from 'vitest'
import { runCommand } from '../../../src/cli/program.js'
import { Bursar, type BursarConfig } from '../../../src/index.js'
import { sqliteStore } from '../../../src/store/sqlite/index.js'

/** What a command has said, and how it ended. */
export interface Ended {
  readonly code: number
  readonly out: string
  readonly errors: string
}

/** Noon of a Sunday. */
export const NOW = Date.UTC(2026, 10, 22, 12)

/** What differs from a pipe in an empty environment. */
export interface Surroundings {
  readonly env?: Readonly<Record<string, string>>
  readonly isTTY?: boolean
  readonly signal?: AbortSignal
  readonly stdout?: Writable
}

class Kept extends Writable {
  text = ''
  readonly isTTY: boolean
  readonly columns = 100
  constructor(isTTY: boolean) {
    super({ decodeStrings: false })
    this.isTTY = isTTY
  }
  override _write(chunk: string | Buffer, _encoding: string, done: () => void): void {
    this.text += String(chunk)
    done()
  }
}

/** A folder of its own in which commands are run, and that is removed afterwards. */
export class Stage {
  readonly folder = mkdtempSync(join(tmpdir(), 'bursar-cli-'))
  now = NOW

  constructor() {
    onTestFinished(() => rmSync(this.folder, { recursive: true, force: true }))
  }

  /** A path in the folder. */
  path(name: string): string {
    return join(this.folder, name)
  }

  /** Writes a file into the folder. */
  write(name: string, content: string | object): string {
    writeFileSync(this.path(name), typeof content === 'string' ? content : JSON.stringify(content))
    return this.path(name)
  }

  /** Runs one command line. */
  async run(args: readonly string[], { env = {}, isTTY = false, signal, stdout }: Surroundings = {}): Promise<Ended> {
    const [out, errors] = [new Kept(isTTY), new Kept(isTTY)]
    const code = await runCommand(args, { stdout: stdout ?? out, stderr: errors, clock: () => this.now, env, cwd: this.folder, signal })
    return { code, out: out.text, errors: errors.text }
  }

  /** Runs it and gives what it has printed; throws where it did not end well. */
  async ok(...args: string[]): Promise<string> {
    const { code, out, errors } = await this.run(args)
    if (code !== 0) throw new Error(`bursar ${args.join(' ')} ended with ${code}: ${errors}`)
    return out
  }

  /** The same, read as JSON. */
  async json(...args: string[]): Promise<any> {
    return JSON.parse(await this.ok(...args, '--json'))
  }

  /** An engine on the file that the commands use. */
  async engine<Result>(work: (engine: Bursar<string, string>) => Promise<Result>, config: BursarConfig<string, string> = CONFIG): Promise<Result> {
    const clock = (): number => this.now
    const bursar = new Bursar<string, string>({ ...config, clock, store: sqliteStore({ path: this.path('bursar.db'), clock }) })
    try {
      return await work(bursar)
    } finally {
      await bursar.close()
    }
  }

  /** Some days of traffic: five calls of ada (free), three of bob (pro, of acme), a refund of bob's, and a refusal of ada. */
  async traffic(): Promise<void> {
    await this.engine(async (bursar) => {
      for (let call = 0; call < 5; call += 1) await bursar.tracker.addCost({ userId: 'ada', model: 'gpt-4o-mini', provider: 'openai', cost: '0.01', tokens: 100, metadata: { project: 'search' } })
      await bursar.tracker.setUserTier({ userId: 'bob', tenant: 'acme' }, 'pro')
      for (let call = 0; call < 3; call += 1) await bursar.tracker.addCost({ userId: 'bob', tenant: 'acme', model: 'gpt-4o', provider: 'openai', cost: '0.2', tokens: 1_000 })
      await bursar.tracker.refund({ userId: 'bob', tenant: 'acme', cost: '0.05', reason: 'sorry\u001b[31m' })
      await bursar.check({ userId: 'ada', model: 'gpt-4o', estimatedCost: 1 })
    })
    this.write('bursar.config.json', { ...CONFIG, store: 'sqlite:./bursar.db' })
  }
}

/** What the application is configured with. */
export const CONFIG: BursarConfig<string, string> = {
  tiers: { free: { daily: '0.10' }, pro: { daily: 1, weekly: 5, monthly: 20 } },
  defaultTier: 'free',
  scopes: { tenant: { acme: { monthly: 500 }, '*': {} }, team: { '*': {} } },
}
