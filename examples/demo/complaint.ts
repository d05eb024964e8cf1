// What the demo says in one line instead of a stack trace, and with which exit code it then ends. What it did not expect keeps its
// stack trace.

import { isBursarError } from 'bursar'

/** Something that a reader of the demo can put right: one line and an exit code (2: the arguments, else 1). */
export class Complaint extends Error {
  constructor(
    message: string,
    readonly exitCode: number = 1,
  ) {
    super(message)
  }
}

/** The one line of an error, or its stack trace if nobody expected it. */
export function lineOf(error: unknown): string {
  if (error instanceof Complaint || isBursarError(error)) return error.message
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}

/** Writes an error to the error output. Gives the exit code. */
export function complain(error: unknown): number {
  if (isSuppressed(error)) {
    const exitCode = complain(error.suppressed)
    complain(error.error)
    return exitCode
  }
  console.error(`bursar demo: ${lineOf(error)}`)
  return error instanceof Complaint ? error.exitCode : 1
}

/** True where a second thing failed while the first was being cleaned up. */
export function isSuppressed(error: unknown): error is { readonly error: unknown; readonly suppressed: unknown } {
  return error instanceof Error && 'error' in error && 'suppressed' in error
}
