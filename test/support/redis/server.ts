// One real Redis server on a private loopback port, with its data in a folder of its own. Decides how it starts, dies and comes
// back; must not know what is stored in it.

import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis, type RedisOptions } from 'ioredis'
import { freePorts } from '../free-ports.js'
import { redisProgram } from './program.js'
import { until } from './until.js'
import { watch } from './watchdog.js'

/** How a server is started. */
export interface RedisServerOptions {
  /** What survives a kill: everything acknowledged (`always`), all but the last second at worst (`everysec`), or nothing (default). */
  readonly appendOnly?: 'always' | 'everysec'
  /** Further directives of redis.conf, such as `{ maxmemory: '8mb' }`. */
  readonly config?: Readonly<Record<string, string>>
  /** Lines of a configuration file that the server rewrites (a sentinel's). */
  readonly rewritten?: (folder: string) => string
}

/** Options of a client. */
export type ClientOptions = Omit<RedisOptions, 'replyMapping'>

/** A running server. Everything that was started with it ends with {@link stop}. */
export class RedisServer {
  readonly port: number
  readonly busPort: number
  readonly #folder: string
  readonly #options: RedisServerOptions
  readonly #clients = new Set<Redis>()
  #child: ChildProcess | undefined
  #unwatch = (): void => {}

  private constructor(port: number, busPort: number, options: RedisServerOptions) {
    this.port = port
    this.busPort = busPort
    this.#options = options
    this.#folder = mkdtempSync(join(tmpdir(), 'bursar-redis-'))
  }

  /** Starts a server on a free port and waits until it answers. */
  static async start(options: RedisServerOptions = {}): Promise<RedisServer> {
    for (let attempt = 1; ; attempt += 1) {
      const [port, busPort] = (await freePorts(2)) as [number, number]
      const server = new RedisServer(port, busPort, options)
      try {
        await server.#run()
        return server
      } catch (error) {
        await server.stop()
        // Between asking for a free port and taking it, somebody else may have been quicker.
        if (attempt === 3) throw error
      }
    }
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`
  }

  get pid(): number {
    return this.#child?.pid as number
  }

  get isRunning(): boolean {
    return this.#child !== undefined
  }

  /** A client of its own, disconnected with the server. */
  client(options: ClientOptions = {}): Redis {
    const client = new Redis(this.port, '127.0.0.1', options)
    // Nobody listens for the errors of a server that a test has killed.
    client.on('error', () => {})
    this.#clients.add(client)
    return client
  }

  /** Ends it at once, as a crash would: SIGKILL. */
  async kill(): Promise<void> {
    const child = this.#child
    if (child === undefined) return
    if (child.exitCode === null && child.signalCode === null) {
      const exited = once(child, 'exit')
      child.kill('SIGKILL')
      await exited
    }
    this.#ended()
  }

  /** Stops every thread of it, as a paused machine would; `resume` lets it go on. */
  suspend(): void {
    process.kill(this.pid, 'SIGSTOP')
  }

  resume(): void {
    process.kill(this.pid, 'SIGCONT')
  }

  /** Starts it again on the same port, after a kill if it still runs: with what was kept on disk, or with an empty folder. */
  async restart({ keepData = true }: { readonly keepData?: boolean } = {}): Promise<void> {
    await this.kill()
    if (!keepData) for (const name of readdirSync(this.#folder)) rmSync(join(this.#folder, name), { recursive: true })
    await this.#run()
  }

  /** Ends it, its clients and its folder. */
  async stop(): Promise<void> {
    for (const client of this.#clients) client.disconnect()
    await this.kill()
    rmSync(this.#folder, { recursive: true, force: true })
  }

  async #run(): Promise<void> {
    const program = await redisProgram()
    const { appendOnly, config = {}, rewritten } = this.#options
    const directives: Record<string, string> = {
      port: String(this.port),
      bind: '127.0.0.1',
      dir: this.#folder,
      save: '',
      'enable-debug-command': 'local',
      appendonly: appendOnly === undefined ? 'no' : 'yes',
      appendfsync: appendOnly ?? 'everysec',
      ...(config['cluster-enabled'] === 'yes' && { 'cluster-port': String(this.busPort) }),
      ...config,
    }
    const file = rewritten === undefined ? [] : [rewritten(this.#folder), '--sentinel']
    // A sentinel takes the rest of its directives from its file.
    const { port, bind, dir } = directives
    const given = Object.entries(rewritten === undefined ? directives : { port, bind, dir })
    const args = given.flatMap(([name, value]) => [`--${name}`, value as string])
    const child = spawn(program, [...file, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
    let said = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text: Buffer) => (said = (said + text.toString()).slice(-2_000)))
    this.#child = child
    if (child.pid !== undefined) this.#unwatch = watch(child.pid, this.#folder)
    child.once('exit', () => {
      if (this.#child === child) this.#ended()
    })
    await until(`the Redis server on port ${this.port} answers`, async () => {
      if (this.#child !== child) return 'gone'
      return (await ping(this.port)) ? 'answers' : undefined
    })
    if (this.#child !== child) throw new Error(`${program} did not start on port ${this.port}: ${said.trim()}`)
    // Nothing that a test forgets keeps the test process alive: the watchdog ends it afterwards.
    child.unref()
    for (const stream of [child.stdout, child.stderr]) (stream as unknown as { unref(): void }).unref()
  }

  #ended(): void {
    this.#child = undefined
    this.#unwatch()
    this.#unwatch = () => {}
  }
}

/** Starts a server on a private port: see {@link RedisServer}. */
export function startRedis(options?: RedisServerOptions): Promise<RedisServer> {
  return RedisServer.start(options)
}

function ping(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('PING\r\n'))
    const answer = (pong: boolean): void => {
      socket.destroy()
      resolve(pong)
    }
    socket.once('data', (data) => answer(data.toString().startsWith('+PONG')))
    socket.once('error', () => answer(false))
    socket.once('close', () => answer(false))
  })
}
