// From what went wrong to a line for people and an exit code for programs.

import { CommanderError } from 'commander'
import { isBursarError, type BursarErrorCode } from '../errors/index.js'
import { visible } from './visible.js'

/** The exit codes: see `bursar help`. */
export const EXIT = { done: 0, failed: 1, usage: 2, found: 3, interrupted: 130 } as const

const USAGE_CODES: readonly BursarErrorCode[] = ['INVALID_CONFIG', 'INVALID_REQUEST', 'INVALID_AMOUNT', 'UNKNOWN_TIER', 'UNKNOWN_SCOPE', 'PRICES_NOT_CONFIGURED', 'UNPRICED_MODEL']

/** Somebody wants the command to stop. */
export class Interrupted extends Error {
  constructor() {
    super('interrupted')
    this.name = 'Interrupted'
  }
}

/** The exit code for what a command threw. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof Interrupted) return EXIT.interrupted
  if (error instanceof CommanderError) return EXIT.usage
  return isBursarError(error) && USAGE_CODES.includes(error.code) ? EXIT.usage : EXIT.failed
}

/** What went wrong, in one line. */
export function describeFailure(error: unknown): string {
  if (error instanceof CommanderError) return visible(`${error.message.replace(/^error: /, '').replace(/\s*\n\s*/g, ' ').replace(/\.?$/, '.')} See bursar help.`)
  const message = error instanceof Error ? error.message || error.name : String(error)
  return visible(message.split('\n', 1)[0] as string)
}
