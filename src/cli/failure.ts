// From what went wrong to a line for people and an exit code for programs.

import { CommanderError } from 'commander'
import { isBursarError, type BursarErrorCode } from '../errors/index.js'
import { inOptions } from './option-words.js'
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
  const [line] = message.split('\n', 1) as [string]
  return visible(isBursarError(error) ? inOptions(line) : (fileFailure(error) ?? line))
}

/** Why the system refuses a file. */
const FILE_FAILURES: Readonly<Record<string, string>> = {
  ENOENT: 'is not there. Make its folder, or give another path',
  EACCES: 'may not be used: permission is denied. Give another path, or ask for permission',
  EPERM: 'may not be used: it is not permitted. Give another path, or ask for permission',
  EROFS: 'is on a file system that cannot be written. Give another path',
  EISDIR: 'is a folder. Give the path of a file in it',
  ENOTDIR: 'leads through something that is no folder. Give another path',
  ENOSPC: 'has no space left on its device. Make space, or give another path',
}

function fileFailure(error: unknown): string | undefined {
  const { code, path } = (error ?? {}) as NodeJS.ErrnoException
  const why = code === undefined || !Object.hasOwn(FILE_FAILURES, code) ? undefined : FILE_FAILURES[code]
  // What is written first stands beside the file, under a name that nobody gave.
  return why === undefined || path === undefined ? undefined : `${path.replace(/\.[0-9a-f-]{36}\.unfinished$/, '')}: ${why} (${code}).`
}
