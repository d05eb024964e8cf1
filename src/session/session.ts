// A run of an agent, or whatever else has a budget of its own beside its user's: its checks count in it, in all that it is nested in, and
// with the user, all in one step. Decides nothing: its caps are windows like any other.

import { sessionOf, type UserRef } from '../budget/index.js'
import { checkAndCall, type AllowedDecision, type CallOptions, type CheckOptions, type CheckRequest, type Decision, type GuardedCall, type GuardedOutcome, type Identity, type StoreFailures } from '../decision/index.js'
import type { ScopeId } from '../enforcement/index.js'
import { InvalidRequestError, UnknownSessionError } from '../errors/index.js'
import { parseCount, parseUsd, toUsd, type Usd } from '../money/index.js'
import type { MeteredStream, StreamCall, StreamOptions } from '../stream/index.js'
import { assertRuns, windowViews, type Foundation, type KnownSession, type NamedScopes } from '../tracker/index.js'
import { unlessStoreAway } from './away.js'
import { figuresOf, usdOrNull, type Figures } from './figures.js'
import { noteSession } from './noting.js'

/** A question of a session: whose it is, is known. */
export type SessionRequest<Tier extends string = string, Group extends string = string> = Omit<CheckRequest<Tier, Group>, 'userId' | 'tenant' | 'sessionId'>

/** What a nested run is opened with. Without caps it is counted apart, and stopped by those of the sessions around it. */
export interface NestedSessionConfig {
  /** USD. */
  readonly maxCost?: Usd | undefined
  readonly maxTokens?: number | undefined
  /** Default: a new one. One that is known is resumed. */
  readonly id?: string | undefined
}

/** A session as the store has it. Money is USD; `exact` has the same as integers. */
export interface SessionSummary {
  readonly id: string
  readonly userId: string
  readonly tenant: string | undefined
  /** The session that it is nested in. */
  readonly parentId: string | undefined
  readonly startsAt: Date
  readonly endsAt: Date
  /** What it and the sessions within it have been charged. */
  readonly totalCost: number
  readonly totalTokens: number
  /** What their open holds hold. */
  readonly held: number
  readonly heldTokens: number
  /** Its own caps; `null`: none. */
  readonly maxCost: number | null
  readonly maxTokens: number | null
  /** The least that its caps and those of the sessions around it leave; `null` where there is none. */
  readonly remainingBudget: number | null
  readonly remainingTokens: number | null
  readonly exact: { readonly totalMicrocents: number; readonly heldMicrocents: number; readonly capMicrocents: number | null; readonly remainingMicrocents: number | null }
}

/** What a session works through. */
export interface SessionEngine {
  readonly foundation: Foundation
  readonly failures: StoreFailures
  check(request: CheckRequest, options?: CheckOptions): Promise<Decision>
  /** Makes a streamed call that `check` decides on. */
  stream<Piece, Model extends string | undefined>(check: (options: CheckOptions) => Promise<Decision>, request: CheckRequest, call: StreamCall<Piece, Model>, options: StreamOptions<Piece>): Promise<MeteredStream<Piece>>
  /** Opens a session nested in another one. */
  nest(parent: readonly KnownSession[], identity: Identity, config: NestedSessionConfig): Promise<Session<string, string>>
}

/**
 * A session of one user. Any number of them, in any number of processes, may stand for the same one: what counts is in the store. The
 * figures are those of the last decision that was made through this object (or of its opening, a raise or `summary()`, if that was
 * later); what was spent elsewhere since then is not in them, and is tested all the same.
 */
export class Session<Tier extends string = string, Group extends string = never> {
  readonly id: string
  readonly userId: string
  readonly tenant: string | undefined
  /** The session that it is nested in. */
  readonly parentId: string | undefined
  readonly startsAt: Date
  /** From then on it takes no more requests; what still runs is settled. */
  readonly endsAt: Date
  /** Whose it is, with its id: for `runAs` and for wrapped clients. */
  readonly identity: Identity<Tier, Group>
  readonly #engine: SessionEngine
  readonly #user: UserRef
  readonly #scope: ScopeId
  #figures: Figures

  /** For `openSession`: a session is opened by `bursar.session()`. */
  constructor(engine: SessionEngine, session: KnownSession, identity: Identity<Tier, Group>, figures: Figures) {
    this.id = session.id
    this.#user = (sessionOf(session.scope) as { readonly user: UserRef }).user
    this.userId = this.#user.userId
    this.tenant = this.#user.tenant
    this.parentId = session.parents[0]
    this.startsAt = new Date(session.life.startsAt)
    this.endsAt = new Date(session.life.endsAt)
    this.identity = Object.freeze({ ...identity, ...this.#user, sessionId: session.id })
    this.#engine = engine
    this.#scope = session.scope
    this.#figures = figures
  }

  /** What it has been charged, with the sessions within it, in USD. */
  get totalCost(): number {
    return toUsd(this.#figures.usd.spent)
  }

  /** The same in tokens. */
  get totalTokens(): number {
    return this.#figures.tokens.spent
  }

  /** The least that its cap and those of the sessions around it leave, in USD, never below 0; `null` where there is no cap. */
  get remainingBudget(): number | null {
    return usdOrNull(this.#figures.usd.remaining)
  }

  /** The same in tokens. */
  get remainingTokens(): number | null {
    return this.#figures.tokens.remaining
  }

  /** Its own cap in USD; `null`: none. */
  get maxCost(): number | null {
    return usdOrNull(this.#figures.usd.cap)
  }

  /** The same in tokens. */
  get maxTokens(): number | null {
    return this.#figures.tokens.cap
  }

  /** The same money as integers. */
  get exact(): SessionSummary['exact'] {
    const { spent, held, cap, remaining } = this.#figures.usd
    return Object.freeze({ totalMicrocents: spent, heldMicrocents: held, capMicrocents: cap, remainingMicrocents: remaining })
  }

  /**
   * Decides one request as `Bursar.check` does: it must fit the user's budgets, the session and all around it, or holds nothing. Rejects with
   * `UnknownSessionError` once it has ended, also where its id was given to another session since.
   */
  async check(request: SessionRequest<Tier, Group>, options?: CheckOptions): Promise<Decision> {
    const own = this.#own(request)
    await this.#assertNotAnother()
    const decision = await this.#engine.check(own, options)
    if (this.#note(decision) && decision.allowed) await this.#assertStillKnown(decision)
    return decision
  }

  /**
   * Checks, calls, settles, as `Bursar.guard` does. Throws `SessionBudgetExceeded` where the cap of this session, or of one around it, is
   * what stands longest against the call.
   */
  guard<Result, Model extends string | undefined = undefined>(
    request: SessionRequest<Tier, Group> & { readonly model?: Model },
    call: (guarded: GuardedCall<Model>) => Promise<GuardedOutcome<Result>>,
    options: CallOptions = {},
  ): Promise<Result> {
    return checkAndCall((checkOptions) => this.check(request, checkOptions), call, options, this.#engine.failures)
  }

  /** The same for an answer that comes in pieces: see `Bursar.stream`. */
  stream<Piece, Model extends string | undefined = undefined>(
    request: SessionRequest<Tier, Group> & { readonly model?: Model },
    call: StreamCall<Piece, Model>,
    options: StreamOptions<Piece> = {},
  ): Promise<MeteredStream<Piece>> {
    return this.#engine.stream((checkOptions) => this.check(request, checkOptions), request as CheckRequest, call, options)
  }

  /** Opens a session within this one, or resumes it by its id: what it spends counts in both. It ends with this one. */
  async session(config: NestedSessionConfig = {}): Promise<Session<Tier, Group>> {
    if (typeof config !== 'object' || config === null) throw new InvalidRequestError(`session: ${String(config)} is no nested session. Give { maxCost }, or nothing for one without a cap of its own.`)
    return unlessStoreAway('session()', async () => {
      const chain = await this.#chain()
      return (await this.#engine.nest(chain, this.identity as Identity, config)) as unknown as Session<Tier, Group>
    })
  }

  /**
   * Asks the store how the session stands. Once it has ended nobody counts it any more: it rejects with `UnknownSessionError`, and the
   * figures of this object stay what they were last.
   */
  async summary(): Promise<SessionSummary> {
    await unlessStoreAway('summary()', () => this.#look())
    const { usd, tokens } = this.#figures
    const { id, userId, tenant, parentId, startsAt, endsAt, totalCost, totalTokens, maxCost, maxTokens, remainingBudget, remainingTokens, exact } = this
    return Object.freeze({ id, userId, tenant, parentId, startsAt, endsAt, totalCost, totalTokens, held: toUsd(usd.held), heldTokens: tokens.held, maxCost, maxTokens, remainingBudget, remainingTokens, exact })
  }

  /**
   * Raises the cap to so many USD, for every process. Rejects with `InvalidAmountError` for what is no amount and `InvalidRequestError`
   * for one below the cap that stands, or where there is none; then nothing has changed.
   */
  async raiseCostCap(usd: Usd): Promise<void> {
    await this.#raise('usd', parseUsd(usd, 'usd', 'refuse'))
  }

  /** The same in tokens. */
  async raiseTokenCap(tokens: number): Promise<void> {
    await this.#raise('tokens', parseCount(tokens, 'tokens'))
  }

  async #raise(unit: 'usd' | 'tokens', amount: number): Promise<void> {
    return unlessStoreAway(unit === 'usd' ? 'raiseCostCap()' : 'raiseTokenCap()', async () => {
      const now = await this.#look()
      const isRaised = await this.#sessions.raise(this.#user, this.id, unit, amount, now)
      if (isRaised) await noteSession(this.#engine, this.#user, this.id, 'session raised', unit === 'usd' ? { maxCost: toUsd(amount) } : { maxTokens: amount })
      await this.#look()
    })
  }

  get #sessions(): Foundation['accounts']['sessions'] {
    return this.#engine.foundation.accounts.sessions
  }

  async #look(): Promise<number> {
    const chain = await this.#chain()
    const figures = await readFigures(this.#engine.foundation, chain)
    // By store time, which may be ahead of this process's: then what was read is no window of its life.
    assertRuns(chain[0] as KnownSession, figures.at)
    this.#figures = figures
    return figures.at
  }

  async #chain(): Promise<readonly KnownSession[]> {
    const chain = await this.#sessions.look(this.#user, this.id)
    this.#assertSame(chain)
    return chain
  }

  /** Where the store is away, or there is no session of that id, that is the check's to say. */
  async #assertNotAnother(): Promise<void> {
    let chain: readonly KnownSession[] | undefined
    try {
      chain = await this.#sessions.find(this.#user, this.id)
    } catch {
      chain = this.#sessions.remembered(this.#user, this.id)
    }
    if (chain !== undefined) this.#assertSame(chain)
  }

  #assertSame([session]: readonly KnownSession[]): void {
    if (session?.life.startsAt !== this.startsAt.getTime()) throw new UnknownSessionError(this.id, this.endsAt)
  }

  #own(request: SessionRequest<Tier, Group>): CheckRequest {
    if (typeof request !== 'object' || request === null) return request
    const { userId, tenant, sessionId } = request as CheckRequest
    if (userId !== undefined || tenant !== undefined || sessionId !== undefined) {
      throw new InvalidRequestError('userId, tenant, sessionId: are the session\'s own. Leave them out, or ask bursar.check() for another user.')
    }
    const own = this.identity as Identity
    const { metadata, scopes } = request
    return {
      ...own,
      ...(request as CheckRequest),
      ...(scopes !== undefined && own.scopes !== undefined && { scopes: { ...own.scopes, ...scopes } as NamedScopes<string> }),
      ...(metadata !== undefined && own.metadata !== undefined && { metadata: { ...own.metadata, ...metadata } }),
    }
  }

  /** True where less is counted than this object has seen: a refund, or the counters are of a data set that was lost. */
  #note(decision: Decision): boolean {
    // A repeat tells of the first time, and without the store nobody knows more than before.
    if (decision.replayed || decision.enforcedBy !== 'store' || decision.windows.length === 0) return false
    const at = decision.context.now.getTime()
    if (at < this.#figures.at) return false
    const before = this.#figures
    this.#figures = figuresOf(decision.windows, this.#scope, at, decision.allowed)
    return this.#figures.usd.spent < before.usd.spent || this.#figures.tokens.spent < before.tokens.spent
  }

  /** INVARIANT (NO-OVERSPEND): what was admitted on counters that began anew is given back where the session was lost with the old ones. */
  async #assertStillKnown(decision: AllowedDecision): Promise<void> {
    try {
      await this.#chain()
    } catch (error) {
      // While the store is away nobody can say: the hold stands.
      if (!(error instanceof UnknownSessionError)) return
      await decision.release()
      throw error
    }
  }
}

/** How a session stands in the store. `chain`: itself and those around it. */
export async function readFigures({ accounts, store, effects }: Foundation, chain: readonly KnownSession[]): Promise<Figures> {
  const scopes = accounts.sessionScopes(chain)
  const { readings, now, effects: brought } = await store.read(scopes)
  effects.announce(brought)
  return figuresOf(windowViews(scopes, readings, { microcents: 0, tokens: 0 }), (chain[0] as KnownSession).scope, now, false)
}
