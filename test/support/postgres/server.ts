// One real Postgres server on a private loopback port, with its data in a folder of its own. Decides how it starts, dies and comes back;
// must not know what is stored in it.

import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import { freePort } from '../free-ports.js'
import { until } from '../redis/until.js'
import { temporaryRoot, type Account } from './account.js'
import { postgresPrograms } from './program.js'
import { watch } from './watchdog.js'

/** Settings of postgresql.conf, such as `{ shared_buffers: '256MB' }`. */
export type PostgresSettings = Readonly<Record<string, string>>

const PASSWORD = 'a secret: #1/2@3'

/** A running server. */
export class PostgresServer {
  readonly port: number
  readonly #folder: string
  readonly #settings: PostgresSettings
  #child: ChildProcess | undefined
  #unwatch = (): void => {}

  private constructor(port: number, folder: string, settings: PostgresSettings) {
    this.port = port
    this.#folder = folder
    this.#settings = settings
  }

  /** Makes a database and starts a server for it on a free port. */
  static async start(settings: PostgresSettings = {}): Promise<PostgresServer> {
    const { initdb, account } = await postgresPrograms()
    for (let attempt = 1; ; attempt += 1) {
      const server = new PostgresServer(await freePort(), mkdtempSync(join(temporaryRoot(), 'bursar-postgres-')), settings)
      try {
        await server.#create(initdb, account)
        await server.#run()
        return server
      } catch (error) {
        await server.stop()
        // Between asking for a free port and taking it, somebody else may have been quicker.
        if (attempt === 3) throw error
      }
    }
  }

  /** Of the database `postgres`, as the superuser of that name. */
  get url(): string {
    return `postgres://postgres:${encodeURIComponent(PASSWORD)}@127.0.0.1:${this.port}/postgres`
  }

  get password(): string {
    return PASSWORD
  }

  /** Ends it at once, and its processes with it: SIGQUIT, after which it recovers as it would after a crash. */
  async kill(): Promise<void> {
    const child = this.#child
    if (child === undefined) return
    const exited = once(child, 'exit')
    // Somebody waits for it now.
    child.ref()
    child.kill('SIGQUIT')
    await exited
  }

  /** Starts it again on the same port, after a kill if it still runs. */
  async restart(): Promise<void> {
    await this.kill()
    await this.#run()
  }

  /** Ends it and its folder. */
  async stop(): Promise<void> {
    await this.kill()
    rmSync(this.#folder, { recursive: true, force: true })
  }

  async #create(initdb: string, account: Account | undefined): Promise<void> {
    const passwordFile = join(this.#folder, 'password')
    mkdirSync(this.#data)
    writeFileSync(passwordFile, PASSWORD)
    // The folder around the data too: it holds a file of the server's while it is made.
    if (account !== undefined) for (const path of [this.#folder, this.#data, passwordFile]) chownSync(path, account.uid, account.gid)
    const args = ['--pgdata', this.#data, '--username', 'postgres', '--pwfile', passwordFile, '--auth', 'scram-sha-256', '--encoding', 'UTF8', '--locale', 'C', '--no-sync']
    const child = spawn(initdb, args, { ...account, cwd: this.#folder, stdio: ['ignore', 'pipe', 'pipe'] })
    const said = listen(child)
    const [code] = (await once(child, 'close')) as [number | null]
    if (code !== 0) throw new Error(`${initdb} did not make a database: ${said()}`)
  }

  async #run(): Promise<void> {
    const { postgres, account } = await postgresPrograms()
    const settings = { listen_addresses: '127.0.0.1', unix_socket_directories: '', fsync: 'off', ...this.#settings }
    const args = ['-D', this.#data, '-p', String(this.port), ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])]
    const child = spawn(postgres, args, { ...account, cwd: this.#folder, stdio: ['ignore', 'pipe', 'pipe'] })
    const said = listen(child)
    this.#child = child
    if (child.pid !== undefined) this.#unwatch = watch(child.pid, this.#folder)
    child.once('exit', () => {
      if (this.#child !== child) return
      this.#child = undefined
      this.#unwatch()
    })
    await until(`the Postgres server on port ${this.port} answers`, async () => {
      if (this.#child !== child) return 'gone'
      return (await answers(this.url)) ? 'answers' : undefined
    })
    if (this.#child !== child) throw new Error(`${postgres} did not start on port ${this.port}: ${said()}`)
    // Nothing that a test forgets keeps the test process alive: the watchdog ends it afterwards.
    child.unref()
    for (const stream of [child.stdout, child.stderr]) (stream as unknown as { unref(): void }).unref()
  }

  get #data(): string {
    return join(this.#folder, 'data')
  }
}

/** Starts a server on a private port: see {@link PostgresServer}. */
export function startPostgres(settings?: PostgresSettings): Promise<PostgresServer> {
  return PostgresServer.start(settings)
}

/** The last of what a process says. */
function listen(child: ChildProcess): () => string {
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (text: Buffer) => (said = (said + text.toString()).slice(-2_000)))
  return () => said.trim()
}

async function answers(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => {})
  try {
    await client.connect()
    await client.end()
    return true
  } catch {
    return false
  }
}
