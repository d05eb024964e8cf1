// How a command speaks: data to stdout, everything else to stderr, bars and colours only where somebody looks.

import { SingleBar } from 'cli-progress'
import { write, type Io, type Output } from './io.js'
import type { Secrets } from './secrets.js'
import { tableOf, type Column } from './table.js'
import { visible } from './visible.js'

/** How far something is. */
export interface Progress {
  /** So many more are done. */
  add(count?: number): void
  /** Takes the bar away. */
  end(): void
}

/** How long a command may be at work before its bar is worth drawing again, in frames a second. */
const FRAMES = 8

/** What a command says, and to whom. */
export class Terminal {
  readonly #io: Io
  readonly #quiet: boolean
  readonly #secrets: Secrets

  constructor(io: Io, quiet: boolean, secrets: Secrets) {
    this.#io = io
    this.#quiet = quiet
    this.#secrets = secrets
  }

  /** True where stdout is a terminal that shows colours. */
  get coloured(): boolean {
    const { stdout, env } = this.#io
    return stdout.isTTY === true && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb'
  }

  /** Writes data to stdout, as it is. Waits for whoever reads it. */
  print(text: string): Promise<void> {
    return write(this.#io.stdout, text)
  }

  /** Writes one value as JSON and a line end. */
  async json(value: unknown, spaces?: number): Promise<void> {
    await this.print(`${JSON.stringify(value, undefined, spaces)}\n`)
  }

  /** Writes a table. */
  async table(columns: readonly Column[], rows: readonly (readonly (string | undefined)[])[]): Promise<void> {
    await this.print(tableOf(columns, rows, this.coloured))
  }

  /** Says something to whoever looks, on stderr; nothing with `--quiet`. */
  say(text: string): void {
    if (!this.#quiet) this.complain(text)
  }

  /** Says what must be said, on stderr: also with `--quiet`. One line, without secrets. */
  complain(text: string): void {
    sayTo(this.#io.stderr, visible(this.#secrets.hide(text)))
  }

  /** A bar on stderr, where that is a terminal; nothing elsewhere. Without a total it counts. */
  progress(what: string, total?: number): Progress {
    const { stderr } = this.#io
    if (this.#quiet || stderr.isTTY !== true) return { add: () => {}, end: () => {} }
    const format = total === undefined ? `${what}: {value} · {duration_formatted}` : `${what} {bar} {percentage}% · {value} of {total} · {eta_formatted} left`
    const bar = new SingleBar({ format, stream: stderr, fps: FRAMES, clearOnComplete: true, hideCursor: null, barCompleteChar: '█', barIncompleteChar: '░', barsize: 30, gracefulExit: false, emptyOnZero: true })
    bar.start(total ?? 0, 0)
    return { add: (count = 1) => bar.increment(count), end: () => bar.stop() }
  }
}

function sayTo(output: Output, text: string): void {
  if (!output.destroyed && !output.writableEnded) output.write(`${text}\n`)
}
