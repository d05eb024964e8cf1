// `simulate`: one pass over a log, all candidates side by side, each an engine of its own on the log's clock. Decides the order in which
// things are replayed; what they come to, each lane counts.

import { z } from 'zod'
import { describeIssues } from '../budget/index.js'
import type { BursarConfig } from '../config.js'
import type { AllowedDecision, CheckRequest } from '../decision/index.js'
import { InvalidConfigError } from '../errors/index.js'
import { toUsd } from '../money/index.js'
import { steadyClock } from '../time/index.js'
import { columnOf } from './column.js'
import { windowsSinceOf } from './from-ledger.js'
import { Heap } from './heap.js'
import { Lane } from './lane.js'
import { UsageLog, type LogPass } from './log.js'
import type { LoggedCall, LoggedNote, LoggedRequest } from './logged-call.js'
import { ACTION_PLACES, type Simulation } from './report.js'
import { Days, Names, Tally, Users, type Frame, type Place } from './tally.js'

/** A configuration to try, whatever its tiers and groups are called. */
export type Candidate = BursarConfig<any, any>

/** How far a simulation has come. */
export interface SimulationProgress {
  readonly requests: number
  /** The time of the log, in ms since the epoch. */
  readonly at: number
}

/** Options of {@link simulate}. */
export interface SimulateOptions {
  /** What happened: `readLog(…)`, or calls in the order of happening. */
  readonly log: UsageLog | AsyncIterable<LoggedCall>
  /** The configurations to try, by name. Their `store`, `clock` and `logger` are not used. */
  readonly candidates: { readonly [name: string]: Candidate }
  /** Where days begin and end in the report. Default UTC. */
  readonly timeZone?: string | undefined
  /** A request is of the tier that the log says (default), or of that which the candidate's directory and `defaultTier` say. */
  readonly tiers?: 'log' | 'directory' | undefined
  /** How many of the affected users are named. Default 20. */
  readonly topUsers?: number | undefined
  /** Called now and then. */
  readonly onProgress?: ((progress: SimulationProgress) => void) | undefined
  readonly signal?: AbortSignal | undefined
}

/** A request that has begun and not ended. */
interface Open {
  readonly call: LoggedRequest
  readonly place: Place
  readonly decisions: readonly (AllowedDecision | undefined)[]
}

const schema = z.strictObject({
  log: z.custom<AsyncIterable<LoggedCall>>((value) => typeof value === 'object' && value !== null && Symbol.asyncIterator in value, 'must be a log: readLog(source, options)'),
  candidates: z.record(z.string().min(1), z.custom<BursarConfig>((value) => typeof value === 'object' && value !== null, 'must be a configuration')),
  timeZone: z.string().optional(),
  tiers: z.enum(['log', 'directory']).optional(),
  topUsers: z.int().min(0).max(100_000).optional(),
  onProgress: z.custom<SimulateOptions['onProgress']>((value) => typeof value === 'function', 'must be a function').optional(),
  signal: z.custom<AbortSignal>((value) => value instanceof AbortSignal, 'must be an AbortSignal').optional(),
})

const TOP_USERS = 20
const BATCH = 256
/** Expired holds may be settled for so long (the life of a hold). */
const LATE_MS = 86_400_000

/**
 * Replays a log against candidates and says side by side what each would have done. Each candidate is the public `Bursar` on a memory store,
 * whose clock shows the log's time. Rejects with `InvalidConfigError` for options or a candidate that cannot work, and with what reading the
 * log rejects with; what a check rejects with is counted in the report.
 */
export async function simulate(options: SimulateOptions): Promise<Simulation> {
  const parsed = schema.safeParse(options)
  if (!parsed.success) throw new InvalidConfigError(describeIssues(parsed.error, 'options'))
  const names = Object.keys(options.candidates)
  if (names.length === 0 || names.includes('log')) throw new InvalidConfigError(`options.candidates: ${names.length === 0 ? 'names none' : '"log" is what the report calls what really happened'}. Give configurations by name, such as { today: config }.`)
  return new Replay(options).run()
}

class Replay {
  readonly #options: SimulateOptions
  readonly #frame: Frame
  readonly #log: Tally
  readonly #open = new Heap<Open>((a, b) => a.call.endedAt - b.call.endedAt || a.call.order - b.call.order)
  readonly #expired = new Map<string, Open>()
  #lanes: readonly Lane[] = []
  #now = 0
  #requests = 0
  #from: number | undefined
  #askedAs: 'log' | 'directory'
  #isLedger = false
  #unknownSessions = 0
  // What was charged to windows that had begun before the first row.
  #chargedBefore = 0
  #earliest = Infinity

  constructor(options: SimulateOptions) {
    this.#options = options
    this.#frame = { users: new Users(), tiers: new Names(), models: new Names(), days: new Days(options.timeZone ?? 'UTC') }
    this.#log = new Tally(this.#frame)
    this.#askedAs = options.tiers ?? 'log'
    // A candidate that cannot work is said before anything is read.
    this.#makeLanes(false)
  }

  async run(): Promise<Simulation> {
    const startedAt = steadyClock()
    const { log, signal, onProgress } = this.#options
    const pass = log instanceof UsageLog ? log.pass() : undefined
    let isFirst = true
    for await (const batch of pass?.batches() ?? batched(log)) {
      signal?.throwIfAborted()
      for (const call of batch) {
        if (isFirst) this.#makeLanes(call.kind !== 'request' || call.id !== undefined)
        isFirst = false
        const next = this.#open.first
        if (next !== undefined && endsBefore(next.call, call)) await this.#endBefore(call)
        this.#now = call.at
        this.#from ??= call.at
        this.#noteWindows(call, this.#from)
        if (call.kind === 'request') await this.#request(call)
        else await this.#note(call)
      }
      onProgress?.({ requests: this.#requests, at: this.#now })
      await turn()
    }
    for (let open = this.#open.pop(); open !== undefined; open = this.#open.pop()) await this.#end(open)
    for (const { bursar } of this.#lanes) await bursar.close()
    return this.#report(pass, steadyClock() - startedAt)
  }

  #makeLanes(isLedger: boolean): void {
    this.#isLedger = isLedger
    const settings = { clock: () => this.#now, frame: this.#frame, isLedger, asksDirectory: this.#askedAs === 'directory' }
    this.#lanes = Object.entries(this.#options.candidates).map(([name, config]) => named(name, () => new Lane(name, config as BursarConfig, settings)))
  }

  async #request(call: LoggedRequest): Promise<void> {
    const { users, tiers, days } = this.#frame
    const user = users.place(call.userId, call.tenant)
    const tier = tiers.place(call.tier ?? '')
    const place: Place = { user, tier, member: users.asks(user, tier) }
    this.#requests += 1
    const day = days.place(call.at)
    this.#log.decided(ACTION_PLACES[call.action ?? 'ALLOW'], place, day, call.at)
    const asked = this.#asked(call)
    if (call.endedAt === call.at) {
      // An open hold of one that would end at once is no use to anybody.
      for (const lane of this.#lanes) await lane.request(call, asked, place, day)
      this.#ended(call, tier, day)
      if (call.ending === 'expired') this.#expired.set(call.id ?? '', { call, place, decisions: [] })
      return
    }
    const decisions: (AllowedDecision | undefined)[] = []
    for (const lane of this.#lanes) decisions.push(await lane.request(call, asked, place, day))
    this.#open.push({ call, place, decisions })
  }

  #asked(call: LoggedRequest): CheckRequest {
    const { userId, model } = call
    const userTier = this.#askedAs === 'log' ? call.tier : undefined
    if (!this.#isLedger && call.estimatedMicrocents === undefined && call.provider === undefined && call.tenant === undefined && call.scopes === undefined && call.metadata === undefined) {
      return { userId, userTier, model, inputTokens: call.inputTokens, maxOutputTokens: call.maxOutputTokens }
    }
    const asked: { -readonly [field in keyof CheckRequest]: CheckRequest[field] } = { userId, userTier, model }
    if (call.tenant !== undefined) asked.tenant = call.tenant
    if (call.provider !== undefined) asked.provider = call.provider
    if (call.scopes !== undefined) asked.scopes = call.scopes as never
    if (call.metadata !== undefined) asked.metadata = call.metadata
    if (call.id !== undefined) asked.idempotencyKey = call.id
    if (call.sessionId !== undefined) {
      asked.sessionId = this.#lanes[0]?.sessionOf(call)
      if (asked.sessionId === undefined) this.#unknownSessions += 1
    }
    if (!this.#isLedger) {
      if (call.estimatedMicrocents !== undefined) asked.estimatedCost = toUsd(call.estimatedMicrocents)
      if (call.inputTokens !== undefined) asked.inputTokens = call.inputTokens
      if (call.maxOutputTokens !== undefined) asked.maxOutputTokens = call.maxOutputTokens
    }
    return asked
  }

  async #note(note: LoggedNote): Promise<void> {
    const { entry } = note
    const { days, tiers, models } = this.#frame
    const day = days.place(note.at)
    const expired = note.kind === 'corrected' && isLateSettle(note) ? this.#expired.get(entry.decisionId) : undefined
    for (const [index, lane] of this.#lanes.entries()) await lane.note(note, day, expired && { call: expired.call, decision: expired.decisions[index] })
    if (expired !== undefined) this.#expired.delete(entry.decisionId)
    if (note.kind !== 'configured') this.#log.spent(entry.microcents, tiers.place(entry.tier ?? ''), day, models.place(entry.model ?? ''), note.kind === 'recorded' ? 1 : 0)
  }

  /** Ends what ends before a call begins. */
  async #endBefore(call: LoggedCall): Promise<void> {
    for (let next = this.#open.first; next !== undefined && endsBefore(next.call, call); next = this.#open.first) {
      this.#open.pop()
      await this.#end(next)
    }
  }

  async #end(open: Open): Promise<void> {
    const { call, place, decisions } = open
    this.#now = call.endedAt
    const day = this.#frame.days.place(call.endedAt)
    for (const [index, lane] of this.#lanes.entries()) {
      const decision = decisions[index]
      if (decision !== undefined) await lane.end(call, decision, place, day)
    }
    this.#ended(call, place.tier, day)
    if (call.ending !== 'expired' || call.id === undefined) return
    for (const [id, { call: old }] of this.#expired) {
      if (old.endedAt + LATE_MS > call.endedAt) break
      this.#expired.delete(id)
    }
    this.#expired.set(call.id, open)
  }

  #ended(call: LoggedRequest, tier: number, day: number): void {
    if (call.ending !== 'settled' && call.ending !== 'expired') return
    const model = call.answeredModel ?? call.decidedModel
    const microcents = call.microcents ?? this.#lanes[0]?.costOf(call, model, 0) ?? 0
    this.#log.spent(microcents, tier, day, this.#frame.models.place(model ?? ''), 1)
  }

  #report(pass: LogPass | undefined, elapsedMs: number): Simulation {
    const { topUsers = TOP_USERS, log } = this.#options
    const than = { log: this.#log.figures.exact.spentMicrocents, first: this.#lanes[0]?.tally.figures.exact.spentMicrocents ?? 0n }
    const decisions = this.#requests * this.#lanes.length
    return {
      source: {
        name: log instanceof UsageLog ? log.name : 'log',
        requests: this.#requests,
        users: this.#frame.users.count,
        from: this.#from === undefined ? undefined : new Date(this.#from),
        until: this.#from === undefined ? undefined : new Date(this.#now),
        skipped: pass?.skipped ?? { count: 0, first: [] },
      },
      rules: [...(pass?.rules ?? []), ...this.#rules()],
      warnings: this.#warnings(),
      timeZone: this.#frame.days.timeZone,
      log: columnOf('log', this.#log, topUsers, undefined),
      candidates: this.#lanes.map((lane) => lane.report(topUsers, than)),
      speed: { elapsedMs, decisions, decisionsPerSecond: elapsedMs === 0 ? 0 : Math.round((decisions * 1_000) / elapsedMs) },
    }
  }

  #noteWindows(call: LoggedCall, from: number): void {
    const since = call.kind === 'request' ? call.windowsSince : windowsSinceOf(call.entry)
    if (since === undefined || since >= from) return
    this.#chargedBefore += 1
    this.#earliest = Math.min(this.#earliest, since)
  }

  #warnings(): string[] {
    if (this.#from === undefined || this.#chargedBefore === 0) return []
    const [entries, charge] = this.#chargedBefore === 1 ? ['1 entry', 'charges'] : [`${this.#chargedBefore.toLocaleString('en')} entries`, 'charge']
    return [`${entries} of the log ${charge} windows that began before its first row (the earliest at ${new Date(this.#earliest).toISOString()}, the first row is of ${new Date(this.#from).toISOString()}). Where anything was spent in them before, the candidates do not know it, and let more through.`]
  }

  #rules(): string[] {
    const rules = [
      'A request that gets another model than in the log costs what it used at the price of that model; where usage or price is not known, its cost changes as the estimates do.',
      'A request that the log refused and a candidate lets through costs its estimate, at once.',
    ]
    if (!this.#isLedger && this.#log.figures.requests > 0) rules.push('What the log does not say of costs is priced with the prices of the first candidate, as if every request had got the model that it asked for.')
    const { count, memberTiers } = this.#frame.users
    if (memberTiers.length > count) rules.push('Users who asked as several tiers count in each of them: as blocked in the tier of the request that was.')
    if (this.#unknownSessions > 0) rules.push(`${this.#unknownSessions} requests name sessions that the log does not open: they are replayed without their session.`)
    return [...rules, ...this.#lanes.flatMap((lane) => lane.remarks)]
  }
}

/** A replay in memory waits for nothing: signals, and everything else, are heard in between. */
function turn(): Promise<void> {
  return new Promise((resolve) => void (globalThis.setImmediate ?? setTimeout)(resolve))
}

/** True where a hold ends before something begins: at one instant, the order of the log decides; see compareCalls. */
function endsBefore(ending: LoggedRequest, call: LoggedCall): boolean {
  return ending.endedAt < call.at || (ending.endedAt === call.at && (call.opensLast || ending.order < call.order))
}

/** A correction that a settle made, not a refund: it says how its cost was found, changes tokens, or adds money. */
function isLateSettle({ entry }: LoggedNote): boolean {
  return entry.details !== undefined || entry.tokens !== 0 || entry.microcents >= 0
}

function named(name: string, make: () => Lane): Lane {
  try {
    return make()
  } catch (cause) {
    throw new InvalidConfigError(`candidates.${name}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  }
}

async function* batched(calls: AsyncIterable<LoggedCall>): AsyncIterable<readonly LoggedCall[]> {
  let batch: LoggedCall[] = []
  for await (const call of calls) {
    batch.push(call)
    if (batch.length < BATCH) continue
    yield batch
    batch = []
  }
  if (batch.length > 0) yield batch
}
