// `readLog`: a log of any kind as what happened, in the order of happening, in constant memory, and as often as it is asked for.

import { z } from 'zod'
import { describeIssues } from '../budget/index.js'
import { InvalidConfigError, InvalidRowError } from '../errors/index.js'
import type { LedgerEntry } from '../ledger/index.js'
import { assertTimeZone, parseDuration, type Duration } from '../time/index.js'
import type { ColumnMap, ForeignRow } from './columns.js'
import { callOf, inOrder } from './from-ledger.js'
import type { LoggedCall, LoggedRequest } from './logged-call.js'
import { openLog, type LogSource, type Opened } from './reading.js'
import { Repeats } from './repeats.js'
import { Spread, startsOf, type Drawn, type RepeatOptions, type SpreadOptions } from './spread.js'

/** Options of {@link readLog}. */
export interface ReadLogOptions {
  /** For logs that are not bursar's own: which column means what. `time` is needed; without `userId`, `spread.users`. */
  readonly map?: ColumnMap | undefined
  /** The zone of times that name no offset. Default UTC. */
  readonly timeZone?: string | undefined
  /** What stands between the cells of a CSV. Default a comma. */
  readonly separator?: string | undefined
  /** A row that cannot be read ends the reading (default), or is left out and counted. */
  readonly onBadRow?: 'stop' | 'skip' | undefined
  /**
   * How far rows may be out of order, and in a ledger how long a hold may last. So much of the log is kept in memory. Default for a
   * ledger `'1h'`, else `0`: in the order of time.
   */
  readonly lookAhead?: Duration | 0 | undefined
  /** What a request may write at most, where no column says it. Default: `headroom` times what it wrote. */
  readonly maxOutputTokens?: number | undefined
  /** How many times what it came to a request was expected to write, or (where tokens are unknown) to cost. Default 2. */
  readonly headroom?: number | undefined
  /** What to draw where the log does not say it. Not for ledgers, which do. */
  readonly spread?: SpreadOptions | undefined
  /** What the log is called in reports. Default: the name of its file. */
  readonly name?: string | undefined
}

/** Rows that were left out. */
export interface SkippedRows {
  readonly count: number
  /** The first 20. */
  readonly first: readonly { readonly row: number; readonly message: string }[]
}

/** One reading of a log from its beginning. */
export interface LogPass {
  /** What it says, in the order of happening, some at a time. */
  batches(): AsyncIterable<readonly LoggedCall[]>
  /** What was left out so far. */
  readonly skipped: SkippedRows
  /** What was assumed, in words; complete after the last batch. */
  readonly rules: readonly string[]
}

const weights = z.record(z.string().min(1), z.number().min(0).max(1e9))
const options = z.strictObject({
  map: z.record(z.string(), z.string().optional()).optional(),
  timeZone: z.string().optional(),
  separator: z.string().length(1, 'must be one character').refine((one) => one !== '"' && one !== '\n' && one !== '\r', 'must be no quote and no line break').optional(),
  onBadRow: z.enum(['stop', 'skip']).optional(),
  lookAhead: z.union([z.string(), z.number()]).optional(),
  maxOutputTokens: z.int().min(0).optional(),
  headroom: z.number().min(1).max(1_000).optional(),
  name: z.string().min(1).optional(),
  spread: z.strictObject({
    seed: z.int().min(0).optional(),
    users: z.strictObject({ count: z.int().min(1).max(10_000_000), exponent: z.number().min(0).max(10).optional() }).optional(),
    tiers: weights.optional(),
    models: weights.optional(),
    repeat: z.strictObject({ times: z.int().min(1).max(1_000_000), over: z.union([z.string(), z.number()]), starts: z.enum(['evenly', 'business-hours']).optional() }).optional(),
  }).optional(),
})

const MOST_NAMED = 20
/** A log of fewer rows is kept while it is repeated; a longer one is read again. */
const MOST_KEPT = 65_536
const LEDGER_LOOK_AHEAD = '1h'
const DEFAULT_HEADROOM = 2
const NOTHING_DRAWN: Drawn = Object.freeze({ userId: undefined, tier: undefined, model: undefined })

/**
 * Reads a log: a ledger (a store's, a sink's, or the CSV or JSON that was exported from one), or anybody's CSV or JSON lines with a map of
 * columns. The result is read anew each time it is iterated, in constant memory. Throws `InvalidConfigError` for options that are none;
 * iterating rejects with `InvalidRowError` for a row that cannot be read (unless `onBadRow` is `'skip'`).
 */
export function readLog(source: LogSource, options: ReadLogOptions = {}): UsageLog {
  return new UsageLog(source, options)
}

/** See {@link readLog}. */
export class UsageLog implements AsyncIterable<LoggedCall> {
  /** What reports call it. */
  readonly name: string
  readonly #source: LogSource
  readonly #options: ReadLogOptions
  readonly #timeZone: string
  readonly #spread: Spread | undefined
  #opened = 0

  constructor(source: LogSource, given: ReadLogOptions) {
    const parsed = options.safeParse(given)
    if (!parsed.success) throw new InvalidConfigError(describeIssues(parsed.error, 'options'))
    this.#timeZone = assertTimeZone(given.timeZone ?? 'UTC', 'options.timeZone')
    if (given.lookAhead !== undefined && given.lookAhead !== 0) parseDuration(given.lookAhead, 'options.lookAhead')
    if (given.spread?.repeat !== undefined) parseDuration(given.spread.repeat.over, 'options.spread.repeat.over')
    if (given.map !== undefined && given.map.userId === undefined && given.spread?.users === undefined) {
      throw new InvalidConfigError('map.userId: is missing. Name the column that says whose request it was, or draw users with spread: { users: { count: 10_000 } }.')
    }
    this.#spread = given.spread === undefined ? undefined : new Spread(given.spread)
    this.#source = source
    this.#options = given
    this.name = given.name ?? (typeof source === 'string' ? (source.split(/[/\\]/).at(-1) as string) : 'log')
  }

  async *[Symbol.asyncIterator](): AsyncIterator<LoggedCall> {
    for await (const batch of this.pass().batches()) yield* batch
  }

  /** Reads it from the beginning. */
  pass(): LogPass {
    const first: { row: number; message: string }[] = []
    const skipped = { count: 0, first }
    const rules: string[] = []
    const bad = (error: InvalidRowError): void => {
      if (this.#options.onBadRow !== 'skip') throw error
      skipped.count += 1
      if (first.length < MOST_NAMED) first.push({ row: error.row, message: error.message })
    }
    return { batches: () => this.#batches(bad, rules), skipped, rules }
  }

  async *#batches(bad: (error: InvalidRowError) => void, rules: string[]): AsyncIterable<readonly LoggedCall[]> {
    this.#assertRepeatable()
    const opened = await this.#open(bad)
    const { lookAhead } = this.#options
    if (opened.isLedger) {
      if (this.#spread !== undefined) throw new InvalidConfigError('options.spread: is for logs that lack something, and this is a ledger: it says whose each request was. Leave it out.')
      rules.push(
        'The log is a ledger: each request is replayed with the estimates that were held, at its own times. Where requests ask at the millisecond in which others end, they come after them. Holds that were still open stand in no ledger.',
        'What had been spent, and which tiers, limits, overrides and sessions stood, before the first row is not known: every candidate begins with nothing.',
      )
      const lookAheadMs = lookAhead === 0 ? 0 : parseDuration(lookAhead ?? LEDGER_LOOK_AHEAD, 'lookAhead')
      yield* inOrder(callsOf(opened.batches, lookAheadMs, bad), lookAheadMs, bad)
      return
    }
    rules.push(...this.#foreignRules(), ...(this.#spread?.rules ?? []))
    const calls = this.#requests(opened.batches, bad)
    if (lookAhead === undefined || lookAhead === 0) yield* ascending(calls, bad)
    else yield* inOrder(calls, parseDuration(lookAhead, 'lookAhead'), bad)
  }

  async #open(bad: (error: InvalidRowError) => void): Promise<Opened> {
    const { map, separator = ',' } = this.#options
    const opened = await openLog(this.#source, { map, timeZone: this.#timeZone, separator, bad, skipsBad: this.#options.onBadRow === 'skip' })
    return opened.isLedger || this.#spread?.drawsUsers === true ? opened : { isLedger: false, batches: owned(opened.batches, bad) }
  }

  #assertRepeatable(): void {
    this.#opened += 1
    const source = this.#source
    const isOnce = typeof source === 'object' && Symbol.asyncIterator in source && !('entries' in source) && (source as AsyncIterable<unknown>)[Symbol.asyncIterator]() === (source as unknown)
    if (this.#opened > 1 && isOnce) throw new InvalidConfigError('log: was read before, and what it comes from can be read once. Give a function that opens it anew, such as () => createReadStream(path).')
  }

  #foreignRules(): string[] {
    const { map, maxOutputTokens, headroom = DEFAULT_HEADROOM } = this.#options
    const rules: string[] = []
    if (map?.estimatedCost === undefined && map?.maxOutputTokens === undefined) {
      if (map?.outputTokens === undefined) rules.push(`Each request is expected to cost ${headroom} times what it came to.`)
      else rules.push(maxOutputTokens === undefined ? `Each request may write ${headroom} times what it wrote.` : `Each request may write ${maxOutputTokens.toLocaleString('en')} tokens.`)
    }
    if (map?.endedAt === undefined && map?.durationMs === undefined && map?.durationSeconds === undefined) rules.push('The log has no durations: each request ends when it has begun.')
    return rules
  }

  async *#requests(batches: AsyncIterable<ForeignRow[]>, bad: (error: InvalidRowError) => void): AsyncIterable<LoggedRequest[]> {
    const draw = this.#spread?.start()
    const repeat = this.#spread?.repeat
    let order = 0
    const shifted = (rows: readonly ForeignRow[], byMs: number): LoggedRequest[] => rows.map((row) => this.#request(row, byMs, (order += 1), draw))
    if (repeat === undefined) {
      for await (const rows of batches) yield shifted(rows, 0)
      return
    }
    for await (const { rows, byMs } of this.#repeated(batches, repeat, bad)) yield shifted(rows, byMs)
  }

  async *#repeated(batches: AsyncIterable<ForeignRow[]>, repeat: RepeatOptions, bad: (error: InvalidRowError) => void): AsyncIterable<{ readonly rows: readonly ForeignRow[]; readonly byMs: number }> {
    let starts: readonly number[] = []
    let firstAt = 0
    let lastAt = -Infinity
    let kept: ForeignRow[][] | undefined = []
    let count = 0
    for await (const rows of batches) {
      const [first] = rows
      if (first === undefined) continue
      if (starts.length === 0) {
        firstAt = first.at
        starts = startsOf(repeat, firstAt, this.#timeZone)
      }
      for (const { at } of rows) lastAt = Math.max(lastAt, at)
      count += rows.length
      if (count > MOST_KEPT) kept = undefined
      kept?.push(rows)
      yield { rows, byMs: (starts[0] as number) - firstAt }
    }
    const lengthMs = lastAt - firstAt
    const tight = starts.findIndex((start, index) => index > 0 && start - (starts[index - 1] as number) < lengthMs)
    if (tight > 0) throw new InvalidConfigError(`options.spread.repeat: the log lasts ${Math.ceil(lengthMs / 60_000)} minutes, and its repetition ${tight + 1} would begin before the one before it has ended. Repeat it less often, or over more time.`)
    for (const start of starts.slice(1)) {
      if (kept !== undefined) {
        for (const rows of kept) yield { rows, byMs: start - firstAt }
        continue
      }
      // What was wrong with a row was said the first time.
      const again = await this.#open(this.#options.onBadRow === 'skip' ? () => {} : bad)
      if (!again.isLedger) for await (const rows of again.batches) yield { rows, byMs: start - firstAt }
    }
  }

  #request(row: ForeignRow, byMs: number, order: number, draw: ((userId: string | undefined) => Drawn) | undefined): LoggedRequest {
    const { inputTokens, outputTokens, microcents } = row
    const { headroom = DEFAULT_HEADROOM, maxOutputTokens } = this.#options
    const drawn = draw === undefined ? NOTHING_DRAWN : draw(row.userId)
    // One of the two there is: rows without either were left out.
    const userId = (row.userId ?? drawn.userId) as string
    const at = row.at + byMs
    const model = row.model ?? drawn.model
    const isDenied = row.action === 'BLOCK'
    const hasTokens = inputTokens !== undefined || outputTokens !== undefined
    const isPriced = inputTokens !== undefined && row.estimatedMicrocents === undefined
    return {
      kind: 'request',
      row: row.row,
      at,
      order,
      opensLast: true,
      id: undefined,
      userId,
      tenant: row.tenant,
      tier: row.tier ?? drawn.tier,
      sessionId: row.sessionId,
      scopes: row.scopes,
      provider: row.provider,
      model,
      metadata: row.metadata,
      inputTokens,
      maxOutputTokens: row.maxOutputTokens ?? (inputTokens === undefined && outputTokens === undefined ? undefined : (maxOutputTokens ?? Math.ceil((outputTokens ?? 0) * headroom))),
      estimatedMicrocents: row.estimatedMicrocents ?? (isPriced || microcents === undefined ? undefined : Math.min(Number.MAX_SAFE_INTEGER, Math.ceil(microcents * headroom))),
      estimatedTokens: undefined,
      rungs: undefined,
      action: row.action,
      decidedModel: isDenied ? undefined : model,
      answeredModel: undefined,
      ending: isDenied ? undefined : 'settled',
      endedAt: at + row.durationMs,
      microcents: isDenied ? undefined : microcents,
      tokens: isDenied || !hasTokens ? undefined : (inputTokens ?? 0) + (outputTokens ?? 0),
      usage: hasTokens ? { inputTokens: inputTokens ?? 0, outputTokens: outputTokens ?? 0 } : undefined,
      windowsSince: undefined,
    }
  }
}

async function* callsOf(batches: AsyncIterable<{ readonly row: number; readonly entry: LedgerEntry }[]>, lookAheadMs: number, bad: (error: InvalidRowError) => void): AsyncIterable<LoggedCall[]> {
  const repeats = new Repeats(lookAheadMs)
  for await (const batch of batches) {
    const calls: LoggedCall[] = []
    for (const { row, entry } of batch) {
      try {
        repeats.assertNew(row, entry)
      } catch (error) {
        bad(error as InvalidRowError)
        continue
      }
      const call = callOf(entry, row)
      if (call !== undefined) calls.push(call)
    }
    yield calls
  }
}

/** The rows that say whose they are. */
async function* owned(batches: AsyncIterable<ForeignRow[]>, bad: (error: InvalidRowError) => void): AsyncIterable<ForeignRow[]> {
  for await (const batch of batches) {
    yield batch.filter(({ row, userId }) => {
      if (userId === undefined) bad(new InvalidRowError(row, "userId: is missing. Fill it in, draw users with spread.users, or leave such rows out with onBadRow: 'skip'."))
      return userId !== undefined
    })
  }
}

/** The same, where nothing may come out of order. */
async function* ascending(batches: AsyncIterable<LoggedRequest[]>, late: (error: InvalidRowError) => void): AsyncIterable<LoggedRequest[]> {
  let last: LoggedRequest | undefined
  for await (const batch of batches) {
    yield batch.filter((call) => {
      if (last === undefined || call.at >= last.at) {
        last = call
        return true
      }
      late(new InvalidRowError(call.row, `time: ${new Date(call.at).toISOString()} is before that of row ${last.row}, ${new Date(last.at).toISOString()}. Sort the log, or say with lookAhead, such as '5m', how far rows may be out of order.`))
      return false
    })
  }
}
