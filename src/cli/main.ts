#!/usr/bin/env node
// The process around a command: its streams, its signals and its exit code. Everything else is below.

import { EXIT, Interrupted } from './failure.js'
import { OutputClosed, type Io } from './io.js'
import { runCommand } from './program.js'
import { systemClock } from '../time/index.js'

const stopping = new AbortController()

// The first asks the command to stop and close what it has open; the second does not wait for it.
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    if (stopping.signal.aborted) process.exit(130)
    stopping.abort(new Interrupted())
  })
}

// A pipe that nobody reads any more says so here, whoever wrote to it.
process.stdout.on('error', (error: NodeJS.ErrnoException) => stopping.abort(error.code === 'EPIPE' ? new OutputClosed() : error))
process.stderr.on('error', () => {})

const io: Io = { stdout: process.stdout, stderr: process.stderr, clock: systemClock, env: process.env, cwd: process.cwd(), signal: stopping.signal }
let hasEnded = false
void runCommand(process.argv.slice(2), io).then((code) => {
  process.exitCode = code
  hasEnded = true
})

// Nothing is left that could go on, and the command has not ended.
process.on('beforeExit', () => {
  if (hasEnded) return
  hasEnded = true
  process.exitCode = EXIT.failed
  process.stderr.write('bursar: waits for something that never comes. Is there a promise in the configuration that nobody keeps?\n')
})
