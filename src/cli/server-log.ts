// The log of a server: JSON lines on stderr, without secrets. What is worth a line, the server knows.

import { pino } from 'pino'
import type { Logger } from '../enforcement/index.js'
import type { ServerLog } from '../server/index.js'
import type { Run } from './run.js'

/** Fields that nobody should write, and that are hidden where somebody does. */
const HIDDEN_FIELDS = ['authorization', 'token', 'secret', 'password', 'adminKey', '*.authorization', '*.token', '*.secret', '*.password', '*.adminKey']

/** A log, and the same as an engine wants it. */
export interface ServeLog {
  readonly log: ServerLog
  readonly logger: Logger
  /** Writes what is still to be written. */
  flush(): void
}

/** Opens the log of a run. Lines of one turn of the event loop are written together: a busy server would else wait for its own log. */
export function serverLog(level: string, { io, secrets }: Run): ServeLog {
  let waiting = ''
  const flush = (): void => {
    const text = waiting
    waiting = ''
    if (text !== '' && !io.stderr.destroyed && !io.stderr.writableEnded) io.stderr.write(secrets.hide(text))
  }
  const write = (line: string): void => {
    if (waiting === '') setImmediate(flush)
    waiting += line
  }
  const log = pino({ level, base: null, redact: HIDDEN_FIELDS, timestamp: () => `,"time":"${new Date(io.clock()).toISOString()}"`, formatters: { level: (label) => ({ level: label }) } }, { write })
  const warn = (...words: unknown[]): void => log.warn(words.map((word) => (word instanceof Error ? word.message : typeof word === 'string' ? word : JSON.stringify(word))).join(' '))
  return { log, logger: { debug: () => {}, warn }, flush }
}
