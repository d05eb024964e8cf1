// One candidate: an engine of its own in memory, whose clock is the log's, asked what the log's users asked. It decides nothing itself: what
// a request would have cost on another model is all that it has to work out.

import { Bursar } from '../bursar.js'
import type { BursarConfig } from '../config.js'
import type { AllowedDecision, CheckRequest } from '../decision/index.js'
import { isBursarError } from '../errors/index.js'
import { formatUsd, MAX_AMOUNT, toUsd, type Usd } from '../money/index.js'
import type { Price, Usage } from '../pricing/index.js'
import { memoryStore } from '../store/memory/index.js'
import { parseDuration, type Clock } from '../time/index.js'
import type { LoggedNote, LoggedRequest } from './logged-call.js'
import { columnOf } from './column.js'
import { configure, OpenedSessions } from './configured.js'
import { ACTION_PLACES, type ColumnReport, type Difference } from './report.js'
import { Tally, type Frame, type Place } from './tally.js'

/** What a lane is made with. */
export interface LaneSettings {
  readonly clock: Clock
  readonly frame: Frame
  /** The log has estimates and ids of its own. */
  readonly isLedger: boolean
  /** The candidate's directory says who is of which tier, not the log. */
  readonly asksDirectory: boolean
}

const MOST_NAMED = 20
const EXACT_NUMBERS_BELOW = 1e15
const DEFAULT_TTL = '10m'
const FAILED = ACTION_PLACES.FAILED
/** More than any window has: how a rung is refused that the log left out. */
const TOO_DEAR = { cost: formatUsd(MAX_AMOUNT), tokens: MAX_AMOUNT }
/** Compared where a log does not say what was used. */
const SOME_USAGE: Usage = { inputTokens: 100_000, outputTokens: 100_000 }
// Ids are remembered for refunds and late settles: those of a busy day.
const REMEMBERED = { maxGivenIds: 250_000, ledgerCapacity: 1_000 }

/** See the head of this file. */
export class Lane {
  readonly name: string
  readonly bursar: Bursar
  readonly tally: Tally
  readonly sessions = new OpenedSessions()
  readonly #settings: LaneSettings
  readonly #config: BursarConfig
  readonly #ttlMs: number
  readonly #chargesExpired: boolean
  readonly #reportsTokens: boolean
  readonly #errors = new Map<string, { code: string; count: number; row: number; message: string }>()
  readonly #differences: Difference[] = []
  #current: LoggedRequest | undefined
  readonly #differing = { requests: 0, failures: 0, costs: 0, others: 0 }
  #lost = 0
  #repeats = 0
  #missed = 0
  #failedEndings = 0
  #failedNotes = 0

  /** Throws what `new Bursar` throws. */
  constructor(name: string, config: BursarConfig, settings: LaneSettings) {
    const { clock, isLedger, frame } = settings
    this.name = name
    this.tally = new Tally(frame)
    this.#settings = settings
    this.#config = config
    const { settleQueue: _queue, storeTimeout: _timeout, ...rest } = config
    const estimated = isLedger ? { estimate: (request: CheckRequest, model: string | undefined) => this.#estimate(request, model) } : {}
    this.bursar = new Bursar({ ...rest, store: memoryStore({ clock, ...REMEMBERED }), clock, logger: { debug: () => {}, warn: () => {} }, decisionLog: { keep: 'none' }, ...estimated } as BursarConfig)
    this.#ttlMs = parseDuration(config.holdTtl ?? DEFAULT_TTL, 'config.holdTtl')
    this.#chargesExpired = config.onHoldExpiry !== 'release'
    // Tokens beside a cost take the engine a second look, which is for nothing where no limit counts them.
    this.#reportsTokens = isLedger || /"tokens":/.test(JSON.stringify([config.tiers, config.userBudgets, config.global, config.scopes]))
  }

  /** Asks for a request. Gives the decision where its end is still to come. */
  async request(call: LoggedRequest, asked: CheckRequest, place: Place, day: number): Promise<AllowedDecision | undefined> {
    this.#current = call
    let decision
    try {
      decision = await this.bursar.check(this.#held(call, asked))
    } catch (error) {
      this.#differs(call, 'failure', call.action ?? 'allowed', this.#failed(call, error))
      this.tally.decided(FAILED, place, day, call.at)
      if (call.action !== 'BLOCK') this.#lost += 1
      return undefined
    }
    if (decision.replayed) {
      // The caller asked again because the log had refused it; here the first time has done.
      this.#repeats += 1
      this.tally.decided(ACTION_PLACES[decision.action], place, day, call.at)
      if (call.action === 'BLOCK') this.#differs(call, 'action', call.action, decision.action)
      else this.#differs(call, 'cost', usd(call.microcents), 'not called again')
      return undefined
    }
    this.tally.decided(ACTION_PLACES[decision.action], place, day, call.at)
    if (!decision.allowed) {
      if (call.action !== 'BLOCK') {
        this.#lost += 1
        this.#differs(call, 'action', call.action ?? 'allowed', 'BLOCK')
      }
      return undefined
    }
    if (call.action === 'BLOCK' || (call.action !== undefined && call.action !== decision.action)) this.#differs(call, 'action', call.action, decision.action)
    else if (decision.model !== call.decidedModel) this.#differs(call, 'model', call.decidedModel ?? 'none', decision.model ?? 'none')
    if (call.endedAt > call.at) return decision
    await this.end(call, decision, place, day)
    return undefined
  }

  /** Ends a request as the log says that it ended. */
  async end(call: LoggedRequest, decision: AllowedDecision, { tier }: Place, day: number): Promise<void> {
    const model = this.#settings.frame.models.place(decision.model ?? '')
    if (call.ending === 'expired') {
      // The engine expires it by itself; what it charges then is known.
      const charged = this.#chargesExpired ? decision.exact.estimatedMicrocents : 0
      if (decision.model === call.decidedModel && charged !== call.microcents) this.#differs(call, 'cost', usd(call.microcents), usd(charged))
      this.tally.spent(charged, tier, day, model, 1)
      return
    }
    try {
      if (call.ending === 'released') {
        await decision.release()
        return
      }
      const microcents = this.costOf(call, decision.model, decision.exact.estimatedMicrocents)
      const cost = usdOf(microcents)
      const { tokens, answeredModel } = call
      const isSame = decision.model === call.decidedModel && answeredModel !== undefined
      await decision.settle(this.#reportsTokens && (tokens !== undefined || isSame) ? { cost, ...(tokens !== undefined && { tokens }), ...(isSame && { model: answeredModel }) } : { cost })
      this.tally.spent(microcents, tier, day, isSame ? this.#settings.frame.models.place(answeredModel) : model, 1)
    } catch (error) {
      this.#failedEndings += 1
      this.#differs(call, 'other', call.ending ?? 'refused', this.#failed(call, error))
    }
  }

  /** What the request would have cost on a model: as logged on the model of the log, else by what it used, else in the ratio of the estimates. */
  costOf(call: LoggedRequest, model: string | undefined, estimatedMicrocents: number): number {
    const { microcents, decidedModel, usage, estimatedMicrocents: logged } = call
    if (microcents !== undefined && model === decidedModel) return microcents
    const priced = usage === undefined ? undefined : this.#priced(call, model, usage)
    if (priced !== undefined) return priced
    if (microcents === undefined) return estimatedMicrocents
    const held = call.rungs?.find((rung) => rung.model === decidedModel)?.microcents ?? logged
    return held === undefined || held === 0 ? microcents : Math.min(MAX_AMOUNT, Math.ceil(microcents * (estimatedMicrocents / held)))
  }

  /** Does what else the log says, a change of configuration, a cost or a correction. */
  async note(note: LoggedNote, day: number, expired: { readonly call: LoggedRequest; readonly decision: AllowedDecision | undefined } | undefined): Promise<void> {
    const { entry } = note
    const { userId, tenant, decisionId } = entry
    const { frame } = this.#settings
    const tier = frame.tiers.place(entry.tier ?? '')
    try {
      if (note.kind === 'configured') {
        await configure(this.bursar, entry, this.sessions)
      } else if (note.kind === 'recorded') {
        const { model, provider, scopes, metadata } = entry
        const sessionId = this.sessionOf(entry)
        await this.bursar.tracker.addCost({ userId, tenant, userTier: this.#settings.asksDirectory ? undefined : entry.tier, model, provider, scopes: scopes as never, metadata, sessionId, tokens: entry.tokens, cost: usdOf(entry.microcents), idempotencyKey: decisionId })
        this.tally.spent(entry.microcents, tier, day, frame.models.place(model ?? ''), 1)
      } else if (expired !== undefined) {
        await this.#settleLate(note, day, tier, expired)
      } else if (entry.microcents < 0) {
        const { exact } = await this.bursar.tracker.refund({ userId, tenant, cost: usdOf(-entry.microcents), decisionId, reason: entry.reason })
        this.tally.spent(-exact.refundedMicrocents, tier, day, frame.models.place(entry.model ?? ''), 0)
        if (exact.refundedMicrocents !== -entry.microcents) this.#differs(happened(note), 'cost', usd(entry.microcents), usd(-exact.refundedMicrocents))
      } else if (entry.microcents > 0 || entry.tokens !== 0) {
        this.#misses(note)
      }
    } catch (error) {
      // What was refused here, or failed, or was too long ago, has nothing to give back.
      if (isBursarError(error) && error.code === 'UNKNOWN_HOLD') return this.#misses(note)
      this.#failedNotes += 1
      this.#differs(happened(note), 'other', note.kind, this.#failed(note, error))
    }
  }

  /** The session of a request, if the log has opened it. */
  sessionOf({ userId, tenant, sessionId }: { readonly userId: string; readonly tenant?: string | undefined; readonly sessionId?: string | undefined }): string | undefined {
    return sessionId !== undefined && this.sessions.has(userId, tenant, sessionId) ? sessionId : undefined
  }

  /** What this candidate came to, but what can be said only beside others. */
  report(topUsers: number, than: { readonly log: bigint; readonly first: bigint }): ColumnReport {
    const column = columnOf(this.name, this.tally, topUsers, than)
    const { requests, costs, others } = this.#differing
    const differences = { total: requests + costs + others, ...this.#differing, first: this.#differences }
    return { ...column, lost: this.#lost, failedEndings: this.#failedEndings, failedNotes: this.#failedNotes, missedCorrections: this.#missed, differences, errors: [...this.#errors.values()] }
  }

  /** What does not show in the figures, in words. */
  get remarks(): string[] {
    const remarks: string[] = []
    if (this.#repeats > 0) remarks.push(`${this.name}: ${this.#repeats} repeats of requests that the log had refused, and that were let through the first time here, were not made again.`)
    if (this.#missed > 0) remarks.push(`${this.name}: ${this.#missed} corrections found nothing to correct: what they belong to was not let through here, is not in the log, or was too long ago.`)
    return remarks
  }

  #held(call: LoggedRequest, asked: CheckRequest): CheckRequest {
    const durationMs = call.endedAt - call.at
    if (durationMs === 0) return asked
    if (call.ending === 'expired') return { ...asked, holdTtl: durationMs }
    // It was extended: what was settled in the log had not expired.
    return durationMs < this.#ttlMs ? asked : { ...asked, holdTtl: durationMs + 1 }
  }

  async #settleLate(note: LoggedNote, day: number, tier: number, { call, decision }: { readonly call: LoggedRequest; readonly decision: AllowedDecision | undefined }): Promise<void> {
    if (decision === undefined) return this.#misses(note)
    const { entry } = note
    const logged = Math.max(0, (call.microcents ?? 0) + entry.microcents)
    const microcents = this.costOf({ ...call, microcents: logged, usage: entry.details?.usage }, decision.model, decision.exact.estimatedMicrocents)
    const model = decision.model === call.decidedModel && entry.model !== decision.model ? entry.model : undefined
    await decision.settle({ cost: usdOf(microcents), tokens: Math.max(0, (call.tokens ?? 0) + entry.tokens), ...(model !== undefined && { model }) })
    const charged = this.#chargesExpired ? decision.exact.estimatedMicrocents : 0
    this.tally.spent(microcents - charged, tier, day, this.#settings.frame.models.place(model ?? decision.model ?? ''), 0)
    if (decision.model === call.decidedModel && microcents - charged !== entry.microcents) this.#differs(happened(note), 'cost', usd(entry.microcents), usd(microcents - charged))
  }

  /** The estimate of a model as the log has it; of others by the ratio of the prices. */
  #estimate(request: CheckRequest, model: string | undefined): Usd | { readonly cost: Usd; readonly tokens?: number | undefined } {
    const call = this.#current as LoggedRequest
    const { rungs, estimatedMicrocents = 0, estimatedTokens } = call
    const first = rungs?.[0] ?? { microcents: estimatedMicrocents, tokens: estimatedTokens ?? 0 }
    if (model === call.model) return { cost: usdOf(first.microcents), tokens: first.tokens }
    const logged = rungs?.find((rung) => rung.model === model)
    if (logged !== undefined) return { cost: usdOf(logged.microcents), tokens: logged.tokens }
    if (this.#config.estimate !== undefined) return this.#config.estimate(request as never, model)
    const usage = call.usage ?? SOME_USAGE
    const asked = this.#priced(call, call.model, usage)
    const lower = this.#priced(call, model, usage)
    if (asked === undefined || lower === undefined || asked === 0) return { cost: usdOf(first.microcents), tokens: first.tokens }
    // What would cost more on a lower rung is left out, as the engine does.
    return lower > asked ? TOO_DEAR : { cost: usdOf(Math.ceil(first.microcents * (lower / asked))), tokens: first.tokens }
  }

  #priced(call: LoggedRequest, model: string | undefined, usage: Usage): number | undefined {
    if (model === undefined) return undefined
    try {
      return this.#priceOf(call, model)?.costOf(usage)
    } catch {
      // A price without a word for what was used.
      return undefined
    }
  }

  #priceOf({ provider, tenant, at }: LoggedRequest, model: string): Price | undefined {
    const { prices } = this.bursar
    return prices?.find({ model, provider, tenant, at }) ?? (provider === undefined ? undefined : prices?.find({ model, tenant, at }))
  }

  #misses(note: LoggedNote): void {
    this.#missed += 1
    this.#differs(happened(note), 'other', usd(note.entry.microcents), 'nothing to correct')
  }

  #failed({ row }: { readonly row: number }, error: unknown): string {
    const code = isBursarError(error) ? error.code : error instanceof Error ? error.name : 'ERROR'
    const known = this.#errors.get(code)
    if (known === undefined) this.#errors.set(code, { code, count: 1, row, message: error instanceof Error ? error.message : String(error) })
    else known.count += 1
    return code
  }

  #differs({ row, at, id, userId }: Pick<LoggedRequest, 'row' | 'at' | 'id' | 'userId'>, what: Difference['what'], log: string, candidate: string): void {
    if (what === 'cost' || what === 'other') this.#differing[`${what}s`] += 1
    else this.#differing.requests += 1
    if (what === 'failure') this.#differing.failures += 1
    if (this.#differences.length < MOST_NAMED) this.#differences.push({ row, at: new Date(at), id, userId, what, log, candidate })
  }
}

/** USD for the engine: a number where that is exact. */
function usdOf(microcents: number): Usd {
  return microcents < EXACT_NUMBERS_BELOW ? toUsd(microcents) : formatUsd(microcents)
}

function happened({ row, at, entry }: LoggedNote): Pick<LoggedRequest, 'row' | 'at' | 'id' | 'userId'> {
  return { row, at, id: entry.decisionId, userId: entry.userId }
}

function usd(microcents: number | undefined): string {
  return microcents === undefined ? 'unknown' : `$${formatUsd(microcents)}`
}
