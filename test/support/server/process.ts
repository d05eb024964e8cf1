// `bursar serve` as a process of its own, and clients that load it. What a client was told is kept: the witness of what a server has promised.

import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { Agent, request, type IncomingMessage } from 'node:http'
import { fileURLToPath } from 'node:url'
import { watchdog } from '../watchdog.js'

const PROGRAM = fileURLToPath(new URL('../../../src/cli/main.ts', import.meta.url))
const TSX = import.meta.resolve('tsx')
const watch = watchdog('kill -9 $pids 2>/dev/null')

/** A server in a process of its own. */
export class ServerProcess {
  readonly url: string
  readonly #child: ChildProcess
  readonly #said: () => string

  private constructor(child: ChildProcess, url: string, said: () => string) {
    this.#child = child
    this.url = url
    this.#said = said
  }

  /** Starts `bursar serve` in a folder, on a free port, and waits until it listens. */
  static async start(folder: string, args: readonly string[] = [], env: Readonly<Record<string, string>> = {}): Promise<ServerProcess> {
    const child = spawn(process.execPath, ['--import', TSX, PROGRAM, 'serve', '--port', '0', '--log-level', 'warn', ...args], { cwd: folder, env: { ...process.env, NODE_OPTIONS: '', ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
    let said = ''
    child.stderr?.on('data', (text: Buffer) => (said = (said + text.toString()).slice(-4_000)))
    if (child.pid !== undefined) child.once('exit', watch(child.pid))
    const first = await Promise.race([once(child.stdout as NodeJS.ReadableStream, 'data'), once(child, 'exit').then(([code]) => Number(code))])
    const url = typeof first === 'number' ? undefined : /http:\/\/\S+:\d+/.exec(String(first[0]))?.[0]
    if (url === undefined) throw new Error(`bursar serve ended before it listened: ${said}`)
    return new ServerProcess(child, url, () => said)
  }

  /** What it has said on stderr, the last of it. */
  get said(): string {
    return this.#said()
  }

  /** Sends a signal, and gives how the process has ended: its exit code, or the signal that ended it. */
  async end(signal: 'SIGTERM' | 'SIGINT' | 'SIGKILL'): Promise<number | string> {
    const ended = this.#child.exitCode ?? this.#child.signalCode
    if (ended !== null) return ended
    const exit = once(this.#child, 'exit')
    this.#child.kill(signal)
    const [code, by] = (await exit) as [number | null, string | null]
    return code ?? (by as string)
  }
}

/** An answer. */
export interface Answer {
  readonly status: number
  readonly json: any // oxlint-disable-line typescript/no-explicit-any
  /** The server has said that it closes this connection. */
  readonly isLast: boolean
}

/** A client with one connection that it keeps. */
export class Client {
  readonly #url: string
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 })

  constructor(url: string) {
    this.#url = url
  }

  /** Posts JSON. Rejects where no answer came. */
  async post(path: string, body: object | undefined, key?: string): Promise<Answer> {
    const headers = { ...(body !== undefined && { 'content-type': 'application/json' }), ...(key !== undefined && { 'idempotency-key': key }) }
    const sent = request(new URL(path, this.#url), { method: 'POST', agent: this.#agent, headers })
    sent.end(body === undefined ? undefined : JSON.stringify(body))
    const [response] = (await once(sent, 'response')) as [IncomingMessage]
    let text = ''
    for await (const chunk of response) text += String(chunk)
    return { status: response.statusCode as number, json: text === '' ? undefined : JSON.parse(text), isLast: response.headers.connection === 'close' }
  }

  close(): void {
    this.#agent.destroy()
  }
}

/** One request of a user through a server: what was sent, and what was answered. */
export interface Testimony {
  /** The key of the check. */
  readonly key: string
  readonly userId: string
  readonly cost: number
  /** The id of the decision, once that was answered. */
  id?: string
  isSettleSent: boolean
  isSettled: boolean
  /** What was asked and not answered. */
  failure?: Error
}

/** A client that checks and settles, one after the other, until its connection ends. */
export async function load(url: string, name: string, testimonies: Testimony[]): Promise<void> {
  const client = new Client(url)
  try {
    for (let call = 0; ; call += 1) {
      const testimony: Testimony = { key: `${name}-${call}`, userId: `user-${(call * 7) % 10}`, cost: ((call % 9) + 1) / 1_000, isSettleSent: false, isSettled: false }
      testimonies.push(testimony)
      try {
        const checked = await client.post('/v1/check', { userId: testimony.userId, model: 'gpt-4o', estimatedCost: 0.02 }, testimony.key)
        if (checked.status !== 200) throw new Error(`check: ${checked.status} ${JSON.stringify(checked.json)}`)
        testimony.id = checked.json.id
        if (checked.isLast) return
        testimony.isSettleSent = true
        const settled = await client.post(`/v1/holds/${testimony.id}/settle`, { cost: testimony.cost })
        if (settled.status !== 200) throw new Error(`settle: ${settled.status} ${JSON.stringify(settled.json)}`)
        testimony.isSettled = true
        if (settled.isLast) return
      } catch (error) {
        testimony.failure = error as Error
        return
      }
    }
  } finally {
    client.close()
  }
}
