// What a command sees of the world outside: two streams, a clock, an environment and a folder. A test gives its own; nothing below
// reads `process`.

import type { Writable } from 'node:stream'
import type { Clock } from '../time/index.js'

/** A stream that text is written to; where it is a terminal it says so. */
export type Output = Writable & { readonly isTTY?: boolean | undefined; readonly columns?: number | undefined }

/** The world outside of a command. */
export interface Io {
  /** Data, and nothing but data. */
  readonly stdout: Output
  /** What is said to people: messages, warnings, progress. */
  readonly stderr: Output
  readonly clock: Clock
  readonly env: Readonly<Record<string, string | undefined>>
  /** Where relative paths begin. */
  readonly cwd: string
  /** Aborted where somebody wants the command to stop. */
  readonly signal?: AbortSignal | undefined
}

/** Nobody reads the output any more, as with `| head`: no failure, and nothing to say. */
export class OutputClosed extends Error {
  constructor() {
    super('nobody reads the output any more')
    this.name = 'OutputClosed'
  }
}

/** Writes text, and waits until the stream takes more. Throws {@link OutputClosed} where nobody reads it any more. */
export async function write(output: Output, text: string): Promise<void> {
  if (text === '') return
  if (output.destroyed || output.writableEnded) throw new OutputClosed()
  await new Promise<void>((resolve, reject) => {
    output.write(text, (error) => (error == null ? resolve() : reject(isClosed(error) ? new OutputClosed() : error)))
  })
}

function isClosed(error: Error): boolean {
  return ['EPIPE', 'ERR_STREAM_DESTROYED', 'EOF', 'ECONNRESET'].includes((error as NodeJS.ErrnoException).code ?? '')
}
