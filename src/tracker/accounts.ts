// From who spends to what is tested: the tier, the budget with its overrides, and the terms of every scope of a request. Knows
// the configuration and the directory; knows no amounts.

import { limitOf, scopeKey, standingAt, userScope, type BudgetPlan, type CompiledBudget, type Override, type Spender } from '../budget/index.js'
import type { ScopeId, Standing } from '../enforcement/index.js'
import { StoreUnavailableError, UnknownTierError } from '../errors/index.js'
import { describeLimit, type KnownLimit, type LimitFinder, type LimitsInForce } from '../limits/index.js'
import { isPromise, type Directory, type DirectoryEntry, type MaybePromise, type Outdated, type PlacedScope, type ScopeTerms } from '../store/index.js'
import { assertInstant, type Clock } from '../time/index.js'
import type { KnownSession, Sessions } from './sessions.js'
import { summedUp, TermsBook, type JudgedBudget, type JudgedWindow, type Judges } from './terms.js'

/** One scope of a request with the windows to test, and who judges them. */
export class JudgedScope implements ScopeTerms {
  readonly scope: ScopeId
  readonly budget: JudgedBudget
  readonly windows: readonly JudgedWindow[]
  /** The limit that was made at run time and that it counts. */
  readonly limit: KnownLimit | undefined

  constructor(scope: ScopeId, budget: JudgedBudget, limit?: KnownLimit) {
    this.scope = scope
    this.budget = budget
    this.limit = limit
    this.windows = budget.windows
  }

  /** Made when a store asks for it: the one in memory never does. */
  get key(): string {
    return scopeKey(this.scope)
  }

  /** For a sentence, where a limit has one of its own: `limit "summer" (tenant acme: until the contract ends)`. */
  get title(): string | undefined {
    return this.limit && describeLimit(this.limit)
  }

  /** Nothing of it refuses a request. */
  get onlyAlerts(): boolean {
    return this.limit?.value.mode === 'alert'
  }
}

/** Everything about a spender that a request depends on. The user's own scope comes first. */
export interface Account {
  readonly tier: string | undefined
  readonly scopes: readonly JudgedScope[]
  /** How the user stands now with the payment provider, where one has said anything. */
  readonly standing?: Standing | undefined
  /** What the directory said of the user. */
  readonly entry: DirectoryEntry | undefined
  /** The sessions that it counts in, from the innermost out; absent where the spender names none. Their scopes come last. */
  readonly sessions?: readonly KnownSession[] | undefined
  /** The models that the user's tenant may use; absent: all. */
  readonly models?: readonly string[] | undefined
  /** The limits that applied when it was found, where that depends on the time. */
  readonly limits?: LimitsInForce | undefined
  /** The store is away, and nobody here knows the caps of the session that the spender names. */
  readonly lacksSession?: true | undefined
}

/** How often a user's directory entry may change while one request is asked. */
export const MOST_ATTEMPTS = 5

/** What a request fails with whose user changed at each attempt. */
export function restless({ user }: Spender): StoreUnavailableError {
  return new StoreUnavailableError(`user "${user.userId}": the directory changed at each of ${MOST_ATTEMPTS} attempts. Try again.`)
}

/** The same account for a check that is no request: without the windows that count requests. */
export function withoutRequestWindows(account: Account): Account {
  if (account.scopes.every(({ windows }) => windows.every(({ unit }) => unit !== 'requests'))) return account
  return { ...account, scopes: account.scopes.map(({ scope, windows, limit }) => new JudgedScope(scope, summedUp(windows.filter(({ unit }) => unit !== 'requests')), limit)) }
}

function isOutdated(reply: { readonly outcome: string }): reply is Outdated {
  return reply.outcome === 'outdated'
}

/** Finds accounts. Its terms follow {@link Judges}, which may change between two requests. */
export class Accounts {
  readonly plan: BudgetPlan
  readonly sessions: Sessions
  readonly limits: LimitFinder
  readonly #directory: Directory
  readonly #clock: Clock
  readonly #judges: () => Judges
  readonly #own = new WeakMap<DirectoryEntry, Map<string | undefined, { readonly budget: CompiledBudget; readonly from: number; readonly until: number }>>()
  #book: TermsBook

  constructor(plan: BudgetPlan, directory: Directory, sessions: Sessions, limits: LimitFinder, clock: Clock, judges: () => Judges) {
    this.plan = plan
    this.sessions = sessions
    this.limits = limits
    this.#directory = directory
    this.#clock = clock
    this.#judges = judges
    this.#book = new TermsBook(judges())
    this.checkJudges()
  }

  /** Throws `InvalidConfigError` if a limit of the configuration is judged by no policy. */
  checkJudges(): void {
    const book = this.#currentBook()
    for (const { kind, tier, budget } of this.plan.budgets()) {
      if (kind !== 'user') book.judges.shared(budget)
      if (kind === 'user') book.termsOf(budget, true, tier)
      else for (const each of this.plan.tiers.length === 0 ? [undefined] : this.plan.tiers) book.termsOf(budget, false, each)
    }
  }

  /** Throws `InvalidConfigError` if a limit of these overrides would be judged by no policy. */
  checkOverrides(storedTier: string | undefined, overrides: Readonly<Record<string, Override | null>>): void {
    const given = Object.entries(overrides).filter((entry): entry is [string, Override] => entry[1] !== null)
    const tier = storedTier ?? this.plan.config.defaultTier ?? this.plan.tiers[0]
    this.#currentBook().termsOf(this.plan.userBudget(tier, Object.fromEntries(given)), true, tier)
  }

  /**
   * The account of a spender while the directory is away: by the request's own tier or the default one, without overrides, and in the
   * sessions that this process has heard of.
   */
  findWithoutDirectory(spender: Spender): Account {
    const { user, session } = spender
    const sessions = session === undefined ? undefined : this.sessions.remembered(user, session)
    const account = this.#withoutDirectory(spender, sessions)
    return session !== undefined && sessions === undefined ? { ...account, lacksSession: true } : account
  }

  /** The account of a spender as it is now. Throws for an unknown tier, scope or session; answers at once where the directory does. */
  find(spender: Spender): MaybePromise<Account> {
    const ready = this.limits.ready(true)
    return ready === undefined ? this.#find(spender) : ready.then(() => this.#find(spender))
  }

  #find(spender: Spender): MaybePromise<Account> {
    if (spender.session !== undefined) return this.#inSession(spender, spender.session, () => this.#directory.get(spender.user))
    return this.#from(this.#directory.get(spender.user), spender)
  }

  /** The account as far as this process knows: for operations that are told what was known, and say where it no longer holds. */
  findRemembered(spender: Spender): MaybePromise<Account> {
    const ready = this.limits.ready()
    return ready === undefined ? this.#findRemembered(spender) : ready.then(() => this.#findRemembered(spender))
  }

  #findRemembered(spender: Spender): MaybePromise<Account> {
    if (spender.session !== undefined) return this.#inSession(spender, spender.session, () => this.#remembered(spender))
    return this.#from(this.#remembered(spender), spender)
  }

  /** Asks with the remembered account, and again where the store says that the directory has changed since. */
  async ask<Reply extends { readonly outcome: string }>(spender: Spender, operation: (account: Account) => MaybePromise<Reply | Outdated>): Promise<Reply> {
    for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt += 1) {
      // What is counted at another instant than it was asked for counts in the limits of that one: it cannot be asked again.
      await this.limits.ready(true)
      const reply = await operation(await this.#findRemembered(spender))
      if (!isOutdated(reply)) return reply
    }
    throw restless(spender)
  }

  /** The scopes of sessions, with the caps that are known of them. Nobody's tier matters there. */
  sessionScopes(sessions: readonly KnownSession[]): readonly JudgedScope[] {
    const book = this.#currentBook()
    return sessions.map(({ scope, budget }) => new JudgedScope(scope, book.termsOf(budget, false, undefined)))
  }

  /** True where other limits apply at `now`, in store time, than those that an account was found with. */
  hasOtherLimits(spender: Spender, { tier, limits }: Account, now: number): boolean {
    if (limits === undefined) return false
    this.limits.heard(now)
    return this.limits.differs(spender, tier, limits, now)
  }

  /** The scope in which a limit counts, with its judges. */
  limitScope(limit: KnownLimit, scope: ScopeId): JudgedScope {
    return new JudgedScope(scope, this.#currentBook().termsOf(this.limits.budgetOf(limit), false, undefined), limit)
  }

  /** The shared scopes that the configuration names, with their judges for a user of the first tier. */
  namedScopes(): readonly JudgedScope[] {
    const [first] = this.plan.tiers
    return this.plan.namedScopes().map(({ scope, budget }) => new JudgedScope(scope, this.#currentBook().termsOf(budget, false, scope.kind === 'tier' ? scope.id : first)))
  }

  /**
   * Scopes that a store gave back for a repeat, with who judges them now. What was limited otherwise then is judged by those who
   * judge that window today.
   */
  judgedAgain(placed: readonly PlacedScope[], account: Account, tier: string | undefined): readonly JudgedScope[] {
    const book = this.#currentBook()
    return placed.map(({ scope, key, windows }) => {
      const current = account.scopes.find((each) => each.key === key)
      // A limit that does not apply any more judges nobody.
      const judges = current === undefined && limitOf(scope) !== undefined ? [] : undefined
      const judged = windows.map((window) => book.judgedAgain(window, current?.windows ?? [], scope.kind === 'user', tier, judges))
      return new JudgedScope(scope, summedUp(judged), current?.limit)
    })
  }

  #remembered({ user }: Spender): MaybePromise<DirectoryEntry | undefined> {
    return this.#directory.remembered === undefined ? this.#directory.get(user) : this.#directory.remembered(user)
  }

  #from(entry: MaybePromise<DirectoryEntry | undefined>, spender: Spender, sessions?: readonly KnownSession[]): MaybePromise<Account> {
    return isPromise(entry) ? entry.then((known) => this.#assemble(spender, known, sessions)) : this.#assemble(spender, entry, sessions)
  }

  #inSession(spender: Spender, id: string, ask: () => MaybePromise<DirectoryEntry | undefined>): MaybePromise<Account> {
    const sessions = this.sessions.find(spender.user, id)
    return isPromise(sessions) ? sessions.then((found) => this.#from(ask(), spender, found)) : this.#from(ask(), spender, sessions)
  }

  #withoutDirectory(spender: Spender, sessions: readonly KnownSession[] | undefined): Account {
    try {
      return this.#assemble(spender, undefined, sessions)
    } catch (error) {
      // Only the directory knows this user's tier: nothing can be said of the budget.
      if (spender.tier === undefined && error instanceof UnknownTierError) return { tier: undefined, scopes: [], entry: undefined }
      throw error
    }
  }

  #assemble(spender: Spender, entry: DirectoryEntry | undefined, sessions?: readonly KnownSession[]): Account {
    const { tenant } = spender.user
    const settings = this.limits.tenant(tenant)
    const tier = this.plan.tierOf(spender.tier, entry?.tier ?? settings?.tier)
    const isPlain = entry === undefined || (entry.overrides === undefined && entry.billing === undefined)
    const budget = isPlain ? this.plan.userBudget(tier) : this.#ownBudget(tier, entry)
    const book = this.#currentBook()
    const own = new JudgedScope(userScope(spender.user), book.termsOf(budget, true, tier))
    const limits = this.limits.at()
    const shared = this.plan.sharedScopes(spender, tier, this.limits.isKnown)
    const standing = entry?.billing === undefined ? undefined : standingAt(entry.billing, assertInstant(this.#clock(), 'clock'))
    if (shared.length === 0 && sessions === undefined && limits === undefined && settings?.models === undefined) return { tier, scopes: [own], standing, entry }
    const scopes = [own]
    for (const { scope, budget: terms } of shared) scopes.push(new JudgedScope(scope, book.termsOf(terms, false, tier)))
    for (const { limit, scope } of limits?.of(spender, tier) ?? []) scopes.push(this.limitScope(limit, scope))
    for (const scope of sessions === undefined ? [] : this.sessionScopes(sessions)) scopes.push(scope)
    return { tier, standing, scopes, entry, sessions, models: settings?.models, limits: this.limits.hasDates ? limits : undefined }
  }

  /** The budget of a user of whom the directory knows more than the tier: limits of their own, or the period that they have paid for. */
  #ownBudget(tier: string | undefined, entry: DirectoryEntry): CompiledBudget {
    const period = this.plan.followsSubscription(tier) ? entry.billing?.period : undefined
    if (entry.overrides === undefined && period === undefined) return this.plan.userBudget(tier)
    const now = assertInstant(this.#clock(), 'clock')
    let byTier = this.#own.get(entry)
    if (byTier === undefined) {
      byTier = new Map()
      this.#own.set(entry, byTier)
    }
    let known = byTier.get(tier)
    if (known === undefined || now < known.from || now >= known.until) {
      const ends = Object.values(entry.overrides ?? {}).flatMap(({ until }) => until ?? [])
      const from = Math.max(-Infinity, ...ends.filter((end) => end <= now))
      known = { budget: this.plan.userBudget(tier, entry.overrides, now, period), from, until: Math.min(Infinity, ...ends.filter((end) => end > now)) }
      byTier.set(tier, known)
    }
    return known.budget
  }

  #currentBook(): TermsBook {
    const judges = this.#judges()
    if (this.#book.judges !== judges) this.#book = new TermsBook(judges)
    return this.#book
  }
}
