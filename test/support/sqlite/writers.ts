// Starts processes that write to one SQLite file, from the source: bundled once, because a hundred of them are started. Every one
// is gone when the test is over.

import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { build } from 'vite'
import type { WriterOrders } from './writer.js'

const root = fileURLToPath(new URL('../../..', import.meta.url))

/** A line that a writer has said. */
export interface Said {
  readonly ready?: true
  readonly waiting?: true
  readonly admitted?: number
  readonly failed?: string
  readonly message?: string
  readonly cause?: string
}

/** A running writer. */
export interface RunningWriter {
  /** The next line that it says, or `undefined` when it is gone. */
  next(): Promise<Said | undefined>
  /** Lets it begin. */
  go(): void
  /** Kills it without warning; resolves when it is gone. */
  kill(): Promise<void>
}

/** Writers of one test file. */
export class Writers {
  readonly #folder: string
  readonly #running = new Set<ChildProcess>()

  private constructor(folder: string) {
    this.#folder = folder
  }

  /** Bundles the writer. Its folder lies among the modules, so that the SQLite driver is found from there. */
  static async bundled(): Promise<Writers> {
    const folder = mkdtempSync(join(root, 'node_modules', '.bursar-writers-'))
    const entry = join(root, 'test/support/sqlite/writer.ts')
    const bundle = { ssr: entry, outDir: folder, emptyOutDir: true, rollupOptions: { output: { entryFileNames: 'writer.mjs' } } }
    await build({ root, configFile: false, logLevel: 'error', ssr: { noExternal: true }, build: bundle })
    return new Writers(folder)
  }

  /** Starts one. `fileSizeKib`: the largest file that it may write. */
  start(orders: WriterOrders, fileSizeKib?: number): RunningWriter {
    const script = join(this.#folder, 'writer.mjs')
    const env = { ...process.env, BURSAR_WRITER: JSON.stringify(orders) }
    const child =
      fileSizeKib === undefined
        ? spawn(process.execPath, [script], { env, stdio: ['pipe', 'pipe', 'inherit'] })
        : spawn('bash', ['-c', 'ulimit -f "$1"; exec "$2" "$3"', 'bash', String(fileSizeKib), process.execPath, script], { env, stdio: ['pipe', 'pipe', 'inherit'] })
    this.#running.add(child)
    const gone = new Promise<void>((resolve) => {
      child.once('close', () => {
        this.#running.delete(child)
        resolve()
      })
    })
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    return {
      async next() {
        const { done, value } = await lines.next()
        return done === true ? undefined : (JSON.parse(value) as Said)
      },
      go: () => void child.stdin.write('go\n'),
      async kill() {
        child.kill('SIGKILL')
        await gone
      },
    }
  }

  /** Kills whatever is still running and removes the bundle. */
  stop(): void {
    for (const child of this.#running) child.kill('SIGKILL')
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

/** What was acknowledged: id, user and microcents. A last line that was cut off by a kill was never flushed. */
export function acknowledged(witness: string): [id: string, userId: string, microcents: number][] {
  const lines = readFileSync(witness, 'utf8').split('\n')
  return lines.slice(0, -1).map((line) => JSON.parse(line) as [string, string, number])
}
