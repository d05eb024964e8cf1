// Runs the demo as a newcomer runs it, in a process of its own, and reads what it says. Knows the output, decides nothing.

import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
const MOST_MS = 120_000

/** What a run of the demo came to. */
export interface DemoResult {
  readonly code: number | null
  readonly output: string
  readonly errors: string
}

/** Runs that have not ended; {@link stopDemos} ends them. */
const running = new Set<ChildProcess>()

/** Runs the demo to its end. `onProgress` is called once, when a quarter of the calls have been made, with the output so far. */
export function runDemo(args: readonly string[], onProgress?: (output: string, demo: ChildProcess) => void): Promise<DemoResult> {
  if (!existsSync(`${root}/dist/src/index.js`)) {
    throw new Error('dist/ is missing, and the demo imports the built package. Run npm run build first.')
  }
  const command = ['--import', 'tsx', 'examples/demo.ts', ...args]
  const demo = spawn(process.execPath, command, { cwd: root, timeout: MOST_MS, stdio: ['ignore', 'pipe', 'pipe'] })
  running.add(demo)
  let [output, errors, isUnderWay] = ['', '', false]
  demo.stderr.on('data', (text: Buffer) => (errors += text.toString()))
  demo.stdout.on('data', (text: Buffer) => {
    output += text.toString()
    if (isUnderWay || !/^ *\d+ of \d+ calls /m.test(output)) return
    isUnderWay = true
    onProgress?.(output, demo)
  })
  return new Promise((resolve, reject) => {
    demo.once('error', reject)
    demo.once('close', (code) => {
      running.delete(demo)
      resolve({ code, output, errors })
    })
  })
}

/** Stops what a failed test has left running. */
export function stopDemos(): void {
  for (const demo of running) demo.kill()
}

/** The numbers of a row. */
export interface DemoRow {
  readonly calls: number
  readonly allow: number
  readonly warn: number
  readonly degrade: number
  readonly block: number
  readonly failed: number
}

/** A user's row of the table; -1 for what is not there. */
export function rowOf(output: string, user: string): DemoRow {
  const cells = new RegExp(`^ {2}${user} +(?:\\d )?[a-z]+ +(?:[a-z-]+ +)?(\\d+) +(\\d+) +(\\d+) +(\\d+) +(\\d+) +(\\d+) `, 'm').exec(output)
  const [calls = -1, allow = -1, warn = -1, degrade = -1, block = -1, failed = -1] = (cells ?? []).slice(1).map(Number)
  return { calls, allow, warn, degrade, block, failed }
}

/** The processes of the workers, in their order. */
export function workerPids(output: string): number[] {
  return (/callers: processes ([\d, ]+) each/.exec(output)?.[1] ?? '').split(', ').filter(Boolean).map(Number)
}

/** The processes that the demo started and that still run. */
export function leftRunning(output: string): number[] {
  const standIn = Number(/process (\d+)\)/.exec(output)?.[1])
  return [standIn, ...workerPids(output)].filter((pid) => {
    try {
      return process.kill(pid, 0)
    } catch {
      return false
    }
  })
}
