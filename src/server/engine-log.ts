// What an engine announces that somebody has to know: in the log of its server. What is repeated is one line a second; a cost that is not
// charged is never left out. Knows no request.

import { isBursarError } from '../errors/index.js'
import type { Clock } from '../time/index.js'
import type { Engine, ServerLog } from './service.js'

interface Noted {
  at: number
  /** Those that were not written since. */
  more: number
}

const EVERY_MS = 1_000
/** What was spent, and is charged to nobody: each is somebody's to look after. */
const DROPPED_COSTS = ['replay of settle', 'replay of record']
const WRITTEN = new WeakMap<Engine, WeakSet<ServerLog>>()

/**
 * Writes the events `store-error` (error), `store-recovered` and `usage-error` (warn) of an engine into a log, until the engine is gone.
 * Doing it twice with the same log has no effect. What waits in a file is replayed soon after an engine was made: do it before anything is awaited.
 */
export function writeEvents(engine: Engine, log: ServerLog): void {
  const logs = WRITTEN.get(engine) ?? new WeakSet<ServerLog>()
  if (logs.has(log)) return
  WRITTEN.set(engine, logs.add(log))
  const repeats = new Repeats(engine.tracker.clock)
  engine.on('store-error', ({ operation, error }) => {
    const dropped = DROPPED_COSTS.includes(operation)
    const more = dropped ? 0 : repeats.since(`store-error ${operation} ${codeOf(error)}`)
    if (more !== undefined) log.error({ operation, ...fieldsOf(error), ...(more > 0 && { more }) }, dropped ? 'the store refuses what a call cost, and it is not charged' : 'the store failed')
  })
  engine.on('store-recovered', ({ operation }) => {
    const more = repeats.since(`store-recovered ${operation}`)
    if (more !== undefined) log.warn({ operation, ...(more > 0 && { more }) }, 'the store answers again')
  })
  engine.on('usage-error', ({ id, error }) => {
    const more = repeats.since(`usage-error ${codeOf(error)}`)
    if (more !== undefined) log.warn({ ...fieldsOf(error), id, ...(more > 0 && { more }) }, 'the usage of a call is wrong')
  })
}

/** Events of a kind, as many as are worth a line. */
class Repeats {
  readonly #clock: Clock
  readonly #kinds = new Map<string, Noted>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** How many of a kind were left out since the last that was written; `undefined` where this one is left out too. */
  since(kind: string): number | undefined {
    const known = this.#kinds.get(kind)
    const now = this.#clock()
    if (known !== undefined && now >= known.at && now - known.at < EVERY_MS) {
      known.more += 1
      return undefined
    }
    this.#kinds.set(kind, { at: now, more: 0 })
    return known?.more ?? 0
  }
}

function codeOf(error: unknown): string {
  return isBursarError(error) ? error.code : error instanceof Error ? error.name : typeof error
}

function fieldsOf(error: unknown): object {
  if (!(error instanceof Error)) return { error: String(error) }
  const { message, cause } = error
  // Messages of what is wrong with one hold or call begin so.
  const id = /^id: [^"]*"([^"]+)"/.exec(message)?.[1]
  return { ...(isBursarError(error) && { code: error.code }), error: message, ...(cause instanceof Error && { cause: cause.message }), ...(id !== undefined && { id }) }
}
