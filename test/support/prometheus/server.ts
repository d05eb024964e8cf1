// One real Prometheus on a private loopback port, with its data in a folder of its own. Decides how it starts and ends; what it scrapes, its
// configuration says.

import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { freePort } from '../free-ports.js'
import { until } from '../redis/until.js'
import { watchdog } from '../watchdog.js'
import { prometheusPrograms } from './program.js'

const watch = watchdog('kill -9 $pids 2> /dev/null')

/** One value of an answer, with its labels. */
export interface Sample {
  readonly metric: Readonly<Record<string, string>>
  readonly value: number
}

/** A running Prometheus. */
export class PrometheusServer {
  readonly url: string
  readonly #child: ChildProcess
  readonly #folder: string
  readonly #unwatch: () => void

  private constructor(url: string, child: ChildProcess, folder: string, unwatch: () => void) {
    this.url = url
    this.#child = child
    this.#folder = folder
    this.#unwatch = unwatch
  }

  /** Starts it on a free port and waits until it is ready. `configuration` is the text of a prometheus.yml. */
  static async start(configuration: string): Promise<PrometheusServer> {
    const { prometheus } = await prometheusPrograms()
    const folder = mkdtempSync(join(tmpdir(), 'bursar-prometheus-'))
    const file = join(folder, 'prometheus.yml')
    writeFileSync(file, configuration)
    const url = `http://127.0.0.1:${await freePort()}`
    const child = spawn(prometheus, [`--config.file=${file}`, `--storage.tsdb.path=${join(folder, 'data')}`, `--web.listen-address=${new URL(url).host}`, '--log.level=warn'], { stdio: ['ignore', 'pipe', 'pipe'] })
    let said = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text: Buffer) => (said = (said + text.toString()).slice(-2_000)))
    const unwatch = child.pid === undefined ? () => {} : watch(child.pid, folder)
    const server = new PrometheusServer(url, child, folder, unwatch)
    try {
      await until('Prometheus is ready', async () => child.exitCode !== null || (await fetch(`${url}/-/ready`)).ok)
      if (child.exitCode !== null) throw new Error(`${prometheus} did not start: ${said.trim()}`)
    } catch (error) {
      await server.stop()
      throw error
    }
    return server
  }

  /** Asks in PromQL. Rejects with what Prometheus says of a question that it does not understand. */
  async query(expression: string): Promise<Sample[]> {
    const response = await fetch(`${this.url}/api/v1/query?query=${encodeURIComponent(expression)}`)
    const answer = (await response.json()) as { readonly status: string; readonly error?: string; readonly data?: { readonly result: readonly { readonly metric: Readonly<Record<string, string>>; readonly value: readonly [number, string] }[] } }
    if (answer.status !== 'success') throw new Error(`${expression}: ${answer.error}`)
    return (answer.data?.result ?? []).map(({ metric, value }) => ({ metric, value: Number(value[1]) }))
  }

  /** Ends it, and its folder. */
  async stop(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null && this.#child.pid !== undefined) {
      const exited = once(this.#child, 'exit')
      this.#child.kill('SIGKILL')
      await exited
    }
    this.#unwatch()
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

/** What promtool finds wrong with a configuration; empty if nothing. What its files are is not asked: they are elsewhere. */
export async function wrongWith(file: string): Promise<string> {
  const { promtool } = await prometheusPrograms()
  try {
    await promisify(execFile)(promtool, ['check', 'config', '--syntax-only', file])
    return ''
  } catch (error) {
    return String((error as { stderr?: string }).stderr ?? error)
  }
}
