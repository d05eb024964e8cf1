// Requests that failed, in the log: what nobody has foreseen with all that is known of it, and a store that is away in one line a second,
// however many requests meet it.

import { isBursarError, type BursarErrorCode } from '../../errors/index.js'
import type { Clock } from '../../time/index.js'
import type { Service, ServerLog } from '../service.js'

interface Noted {
  at: number
  /** Those that were not written since. */
  more: number
}

const EVERY_MS = 1_000
const NOTED = new WeakMap<ServerLog, Map<BursarErrorCode, Noted>>()

/** Writes what a request failed with. `fields`: which request it was. */
export function noteFailure({ log, clock }: Pick<Service, 'log' | 'clock'>, error: unknown, fields: object): void {
  if (!isBursarError(error)) return log.error({ err: error, ...fields }, 'a request failed')
  const { code, message } = error
  const more = moreSince(log, clock, code)
  // Where it was thrown is the same every time.
  if (more !== undefined) log.error({ code, error: message, cause: textOf(error.cause), ...(more > 0 && { more }), ...fields }, 'a request failed')
}

/** How many of a kind were left out since the last that was written; `undefined` where this one is left out too. */
function moreSince(log: ServerLog, clock: Clock, code: BursarErrorCode): number | undefined {
  const kinds = NOTED.get(log) ?? new Map<BursarErrorCode, Noted>()
  NOTED.set(log, kinds)
  const known = kinds.get(code)
  const now = clock()
  if (known !== undefined && now >= known.at && now - known.at < EVERY_MS) {
    known.more += 1
    return undefined
  }
  kinds.set(code, { at: now, more: 0 })
  return known?.more ?? 0
}

function textOf(cause: unknown): string | undefined {
  return cause instanceof Error ? cause.message : undefined
}
