// State and reports: what was spent by whom, in which window, under which limit. It records and answers; it never holds money
// and never decides (that is Bursar's).

import type { AuditOptions, AuditReport } from '../audit/index.js'
import { assertId, canonicalPeriod, toUserRef, type Spender, type UserArgument, type UserRef } from '../budget/index.js'
import { hits, type EnforcementContext } from '../enforcement/index.js'
import type { EventHub, TrackerEvents } from '../events/index.js'
import type { Forecast } from '../forecast/index.js'
import { InvalidRequestError, UnknownTierError } from '../errors/index.js'
import type { EntryFilter, LedgerEntry } from '../ledger/index.js'
import { parseCount, parseUsd, toUsd, type Amounts, type Usd } from '../money/index.js'
import { Reports } from '../report/index.js'
import { failureError, type Failure, type MaybePromise, type Recorded, type Registry } from '../store/index.js'
import type { Clock } from '../time/index.js'
import type { Account } from './accounts.js'
import { auditStore } from './auditing.js'
import { plainBilling, restartWindows, toMs, userBilling, writeBilling, type BillingUpdate, type Instant, type UserBilling } from './billing.js'
import { countCalls } from './calls.js'
import { checkTrackerConfig, type BudgetsConfig } from './config.js'
import { entriesFor, exportEntries, type ExportOptions } from './exports.js'
import { layFoundation, noJudges, type Foundation } from './foundation.js'
import { forecastFor, type ForecastOptions, type ForecastSubject } from './forecast.js'
import { fingerprintOf, newId } from './ids.js'
import { LedgerBook } from './ledger-book.js'
import { Limits } from './limits.js'
import { overrideChanges, userOverrides, type UserOverride } from './overrides.js'
import {
  assertKnownFields,
  namedScopes,
  parseContextRequest,
  parseCostEntry,
  parseOverride,
  parseRefundEntry,
  totalTokens,
  type BudgetOverride,
  type ContextRequest,
  type CostEntry,
  type RefundEntry,
} from './requests.js'
import { summaryOf, userSummary, type PeriodCost, type Summary, type UserSummary } from './summary.js'
import type { JudgedWindow } from './terms.js'
import { contextOf, windowViews } from './views.js'

/** Configuration of a {@link CostTracker}. */
export type CostTrackerConfig<Tier extends string = string, Group extends string = string> = BudgetsConfig<Tier, Group>

/** What was counted: the cost in USD, exactly in microcents, and whether the same entry had been counted before. */
export interface CountedCost {
  readonly id: string
  readonly cost: number
  readonly exact: { readonly microcents: number }
  readonly replayed: boolean
}

/** What was given back. `unapplied` is the part for which no remembered charge was left. */
export interface RefundedCost {
  readonly id: string
  readonly refunded: number
  readonly unapplied: number
  readonly exact: { readonly refundedMicrocents: number; readonly unappliedMicrocents: number }
  readonly replayed: boolean
}

/**
 * Tracks costs per user and tier in daily, weekly, monthly and rolling windows. Every question is answered for the present
 * moment: a window that has ended counts nothing, without anything having run in between. Methods throw
 * `InvalidRequestError`, `InvalidAmountError`, `UnknownTierError` or `UnknownScopeError` before anything changes.
 */
export class CostTracker<Tier extends string = string, Group extends string = string> {
  /** The ledger page by page, and spend of nobody's assigned to a client. */
  readonly ledger: LedgerBook
  /** Where the money went: summaries, clients, days, top spenders, billing. Time is cut by the configuration's zone and start of week. */
  readonly reports: Reports
  /** Budgets that are made, changed and removed at run time, and what is set for tenants. */
  readonly limits: Limits
  readonly #foundation: Foundation

  /** Throws `InvalidConfigError` or `InvalidAmountError` with the path of what is wrong. `foundation` is for Bursar, which brings its own. */
  constructor(config: CostTrackerConfig<Tier, Group> = {}, foundation?: Foundation) {
    if (foundation === undefined) checkTrackerConfig(config)
    const judges = noJudges(config.alertThresholds)
    this.#foundation = foundation ?? layFoundation(config as BudgetsConfig, () => judges)
    const { store, clock } = this.#foundation
    this.limits = new Limits(this.#foundation)
    this.ledger = new LedgerBook(store, clock)
    this.reports = new Reports(store.ledger, { timeZone: config.timeZone, weekStartsOn: config.weekStartsOn, clock })
  }

  /** The events of windows, thresholds and tiers. A listener that throws or rejects changes nothing. */
  get events(): EventHub<TrackerEvents> {
    return this.#foundation.hub
  }

  /** The clock that it was configured with. */
  get clock(): Clock {
    return this.#foundation.clock
  }

  /** Small facts that processes share through the store, such as which event of a payment provider was handled. */
  get registry(): Registry {
    return this.#foundation.store.registry
  }

  /** The names of the tiers. */
  get tiers(): readonly string[] {
    return this.#foundation.plan.tiers
  }

  /**
   * Counts a cost that has been spent, whatever the limits say: the money is gone. In all of the user's windows, and in those of
   * the shared scopes; with a `sessionId` in that session too. Rounds up to a microcent. With an `idempotencyKey` a repeat counts nothing. Rejects with
   * `StoreUnavailableError` while the store is away: repeat it with the same `idempotencyKey` (where its `asked` is false, nothing has
   * happened).
   */
  async addCost(entry: CostEntry<Tier, Group>): Promise<CountedCost> {
    const parsed = parseCostEntry(entry)
    const amounts = { microcents: parseUsd(parsed.cost, 'cost', 'round-up'), tokens: parsed.tokens === undefined ? 0 : totalTokens(parsed.tokens, 'tokens') }
    const user = userOf(parsed)
    const id = parsed.idempotencyKey ?? newId()
    const { idempotencyKey, model, provider, sessionId, metadata } = parsed
    const fingerprint = idempotencyKey === undefined ? id : fingerprintOf('record', parsed)
    const { accounts, store } = this.#foundation
    let payer: string | undefined
    const reply = await accounts.ask<Recorded | Failure>({ user, tier: parsed.userTier, scopes: parsed.scopes, session: sessionId }, ({ tier, scopes, entry: known }) => {
      payer = tier
      return store.record({ id, fingerprint, idGiven: idempotencyKey !== undefined, scopes, amounts, facts: { user, tier, provider, model, sessionId, scopes: namedScopes(parsed.scopes), metadata }, entry: known })
    })
    if (reply.outcome !== 'recorded') throw failureError(reply, id, 'record')
    this.#foundation.effects.announce(reply.effects)
    const counted = { id, cost: toUsd(amounts.microcents), exact: { microcents: amounts.microcents } }
    if (!reply.replayed) this.events.emit('recorded', { ...counted, user, tier: payer, model })
    return { ...counted, replayed: reply.replayed }
  }

  /**
   * Gives money back: to the decision that is named, else to the user's newest charges first. Never takes more from a charge than
   * it cost; what finds no charge is reported as `unapplied`. Writes `corrected` entries; alerts are not armed again. Rejects while the
   * store is away, as `addCost` does.
   */
  async refund(entry: RefundEntry): Promise<RefundedCost> {
    const parsed = parseRefundEntry(entry)
    const microcents = parseUsd(parsed.cost, 'cost', 'round-up')
    const id = parsed.idempotencyKey ?? newId()
    const request = { id, fingerprint: parsed.idempotencyKey === undefined ? id : fingerprintOf('refund', parsed), user: userOf(parsed), microcents, of: parsed.decisionId, reason: parsed.reason }
    const reply = await this.#foundation.store.refund(request)
    if (reply.outcome !== 'refunded') throw failureError(reply, parsed.decisionId ?? id, 'refund')
    this.#foundation.effects.announce(reply.effects)
    const { appliedMicrocents, unappliedMicrocents, replayed } = reply
    const exact = { refundedMicrocents: appliedMicrocents, unappliedMicrocents }
    return { id, refunded: toUsd(appliedMicrocents), unapplied: toUsd(unappliedMicrocents), exact, replayed }
  }

  /**
   * The context of a request as policies see it, read without holding anything: between this and the call others may spend.
   * `Bursar.check` is what carries NO-OVERSPEND.
   */
  async context(request: ContextRequest<Tier, Group>): Promise<EnforcementContext> {
    const parsed = parseContextRequest(request)
    const microcents = parseUsd(parsed.estimatedCost ?? 0, 'estimatedCost', 'round-up')
    const tokens = parsed.estimatedTokens === undefined ? undefined : parseCount(parsed.estimatedTokens, 'estimatedTokens')
    const user = userOf(parsed)
    const account = await this.#account(user, parsed.userTier, parsed.scopes)
    return this.#contextFor(user, account, { microcents, tokens: tokens ?? 0 }, tokens, parsed)
  }

  /** A user's windows, limits and totals. */
  async getUserSummary(user: UserArgument, tier?: Tier): Promise<UserSummary> {
    const ref = toUserRef(user)
    const context = await this.#emptyContext(ref, tier)
    return userSummary(context, await this.#foundation.store.totals(ref))
  }

  /** Everything charged to a user since the store began to count them, in USD. */
  async getUserCost(user: UserArgument): Promise<number> {
    return toUsd((await this.#foundation.store.totals(toUserRef(user))).microcents)
  }

  /** One window of a user: `daily`, `weekly`, `monthly`, `total` or `rolling:5h`. Throws where nothing counts such a window. */
  async getPeriodCosts(user: UserArgument, period: string, tier?: Tier): Promise<PeriodCost> {
    const { periodCosts } = await this.getUserSummary(user, tier)
    const name = canonicalPeriod(period)
    const found = Object.hasOwn(periodCosts, name) ? periodCosts[name] : undefined
    if (found === undefined) throw new InvalidRequestError(`period: "${period}" is not counted. Use one of ${Object.keys(periodCosts).join(', ')}.`)
    return found
  }

  /** True if one of the user's own windows has reached its limit. */
  async isBudgetExceeded(user: UserArgument, tier?: Tier): Promise<boolean> {
    return (await this.getUserSummary(user, tier)).budgetExceeded
  }

  /**
   * True if a cost would now fit every window of the user and of the shared scopes, up to where policies refuse. Only a hold makes
   * it stay true.
   */
  async canAfford(user: UserArgument, cost: Usd, tier?: Tier): Promise<boolean> {
    const amounts = { microcents: parseUsd(cost, 'cost', 'round-up'), tokens: 0 }
    const scopes = (await this.#account(toUserRef(user), tier)).scopes.filter(({ onlyAlerts }) => !onlyAlerts)
    const { readings, effects } = await this.#foundation.store.read(scopes)
    this.#foundation.effects.announce(effects)
    const terms = scopes.flatMap(({ windows }) => windows)
    return windowViews(scopes, readings, amounts).every(({ exceeded, exact }, index) => {
      const { block } = terms[index] as JudgedWindow
      return !exceeded && !hits(block, exact.spent + exact.held, exact.estimate)
    })
  }

  /**
   * Gives one user limits of their own, unit by unit over the tier's, until a moment or for good; one with an end stands over a
   * lasting one, which is there again afterwards. `null` takes the overrides of a period away; `{}` lifts its limits. What was
   * spent stays. A period that no tier names is counted from now on.
   */
  async updateUserBudget(user: UserArgument, budget: BudgetOverride, options: { readonly until?: Date | number | undefined } = {}): Promise<void> {
    const ref = toUserRef(user)
    assertKnownFields(options, ['until'], 'options')
    const limits = parseOverride(budget)
    const until = options.until === undefined ? null : this.#future(options.until, 'until')
    const overrides = overrideChanges(limits, until)
    const entry = await this.#foundation.store.directory.get(ref)
    this.#foundation.accounts.checkOverrides(entry?.tier, overrides)
    await this.#foundation.store.directory.change(ref, { overrides })
    await this.#configured(ref, 'budget override', { budget, until })
  }

  /** The limits of a user's own that stand in the directory, without those that have ended. */
  async getUserOverrides(user: UserArgument): Promise<UserOverride[]> {
    const entry = await this.#foundation.store.directory.get(toUserRef(user))
    return userOverrides(entry?.overrides ?? {}, this.#foundation.clock())
  }

  /**
   * How many LLM calls the ledger has of a user from `from` on (included): what was settled or recorded, or never reported back. `null`
   * where the ledger does not keep all entries of that time, or hides who made them. Reads the entries of that time where nothing sums them.
   */
  async getUserCalls(user: UserArgument, options: { readonly from: Instant }): Promise<number | null> {
    const ref = toUserRef(user)
    assertKnownFields(options, ['from'], 'options')
    return countCalls(this.#foundation, ref, toMs(options.from, 'options.from'))
  }

  /** Writes a user's tier into the directory, where requests that name none find it. `null` takes it away. Usage stays. */
  async setUserTier(user: UserArgument, tier: Tier | null): Promise<void> {
    const ref = toUserRef(user)
    if (tier !== null) this.#knownTier(tier)
    const { before, after } = await this.#foundation.store.directory.change(ref, { tier })
    await this.#tierChanged(ref, before.tier, after.tier)
  }

  /** The tier that the directory has for a user. */
  async getUserTier(user: UserArgument): Promise<string | undefined> {
    return (await this.#foundation.store.directory.get(toUserRef(user)))?.tier
  }

  /**
   * Writes what a look at a payment provider's state has found of a user: the tier, how they stand, their period. Usage stays. False,
   * and nothing is changed, where a look that began later (by `fence`) was written before, or it was worked out from other billing
   * (`replaces`) than what stands there. Throws `UnknownTierError` for a tier that
   * the configuration lacks.
   */
  async setUserBilling(user: UserArgument, update: BillingUpdate<Tier>): Promise<boolean> {
    const ref = toUserRef(user)
    if (update?.tier != null) this.#knownTier(update.tier)
    const { written, changed, before, after } = await writeBilling(this.#foundation, ref, update)
    if (changed) await this.#configured(ref, 'billing', plainBilling(update))
    if (written) await this.#tierChanged(ref, before.tier, after.tier, update.reason)
    return written
  }

  /** What the directory knows of a user's payments; `undefined` where no payment provider has said anything. */
  async getUserBilling(user: UserArgument): Promise<UserBilling | undefined> {
    const billing = (await this.#foundation.store.directory.get(toUserRef(user)))?.billing
    return billing && userBilling(billing, this.#foundation.clock())
  }

  /**
   * Begins a user's daily, weekly and monthly windows anew, now, where they began before `since`, used or not: what was spent in them
   * is counted no more, and stays in the ledger. They end where the calendar, or the subscription's period, says. Rolling windows and
   * `total` go on. Gives how many began anew; a repeat finds none. For a payment that buys a fresh budget; nothing else in bursar
   * forgets what was spent.
   */
  async restartWindows(user: UserArgument, options: { readonly since: Instant }): Promise<number> {
    const ref = toUserRef(user)
    assertKnownFields(options, ['since'], 'options')
    const restarted = await restartWindows(this.#foundation, ref, options.since)
    if (restarted > 0) await this.#configured(ref, 'windows restarted', { since: new Date(options.since).toISOString() })
    return restarted
  }

  /**
   * How fast a budget burns, when it will be empty and what its window comes to, by the last 28 days of the ledger (`lookback`): of a user,
   * or of `{ scope: { kind, id } }`. `enough: false` where there is too little to go by. Rejects with `InvalidRequestError` for a period
   * or scope that is none, and `UnknownScopeError` or `UnknownTierError` for one that the configuration lacks.
   */
  forecast(subject: ForecastSubject, options: ForecastOptions = {}): Promise<Forecast> {
    return forecastFor(this.#foundation, subject, options)
  }

  /**
   * Running sums over everything that was ever charged, by model, provider and tier; exact up to 2^53 microcents, see {@link Summary}. Where
   * Redis lost its data set and its counters were repaired, they count from the repair on; reports go by the ledger, and are whole.
   */
  async getSummary(): Promise<Summary> {
    return summaryOf(await this.#foundation.store.ledger.totals())
  }

  /** The users that are counted or named in the directory, or those of one tier (the directory's, else the last seen). */
  async *users(filter: { readonly tier?: Tier | undefined } = {}): AsyncIterable<UserRef> {
    if (filter.tier !== undefined) this.#knownTier(filter.tier)
    for await (const known of this.#foundation.store.users()) {
      if (filter.tier === undefined || known.tier === filter.tier) yield known.user
    }
  }

  /** The ledger entries that are still kept, oldest first, or those that match. Throws `InvalidRequestError` at once for a filter that is none. */
  entries(filter?: EntryFilter): AsyncIterable<LedgerEntry> {
    return entriesFor(this.#foundation.store.ledger, filter)
  }

  /**
   * Compares the store's counters with its ledger and its open holds. `repair: 'counters'` adds to the counters what the ledger says
   * that they lack, after limits and settings of tenants that the store lacks are made again by it; `'ledger'` appends `corrected`
   * entries (reason `audit`) for what the counters say that the ledger lacks; then both are compared again. Safe while requests run; run one repair at a time. Throws `InvalidConfigError` for a store that cannot
   * be audited, and `InvalidRequestError` for a repair from a ledger that no longer has all entries.
   */
  async audit(options: AuditOptions = {}): Promise<AuditReport> {
    return auditStore(this.#foundation, options)
  }

  /**
   * Writes the kept entries, or those that match, as CSV (RFC 4180); text that a spreadsheet would run as a formula is defused. A file is complete or not there; one that is there is
   * replaced and keeps its permissions. What `onProgress` throws ends it. Rejects before anything is read for what is no path, a folder, or a database (`InvalidRequestError`).
   */
  async exportToCsv(path: string, options: ExportOptions = {}): Promise<void> {
    await exportEntries(this.#foundation.store.ledger, 'csv', path, options)
  }

  /** The same as a JSON array. */
  async exportToJson(path: string, options: ExportOptions = {}): Promise<void> {
    await exportEntries(this.#foundation.store.ledger, 'json', path, options)
  }

  /** The same as JSON lines: one object on each. */
  async exportToJsonLines(path: string, options: ExportOptions = {}): Promise<void> {
    await exportEntries(this.#foundation.store.ledger, 'jsonl', path, options)
  }

  /**
   * The same as an SQLite file: the table `entry`, USD as exact decimal text, times in ISO 8601. A
   * file that is there is replaced, unless it is a database in use, or that of a store or a ledger (`InvalidConfigError`). Needs Node 22.13 or later, or the package @photostructure/sqlite.
   */
  async exportToSqlite(path: string, options: ExportOptions = {}): Promise<void> {
    await exportEntries(this.#foundation.store.ledger, 'sqlite', path, options)
  }

  #account(user: UserRef, tier: string | undefined, scopes?: Spender['scopes']): MaybePromise<Account> {
    return this.#foundation.accounts.find({ user, tier, scopes })
  }

  async #emptyContext(user: UserRef, tier: string | undefined): Promise<EnforcementContext> {
    return this.#contextFor(user, await this.#account(user, tier), { microcents: 0, tokens: 0 }, undefined, {})
  }

  async #contextFor(user: UserRef, account: Account, amounts: Amounts, tokens: number | undefined, request: Partial<ContextRequest>): Promise<EnforcementContext> {
    const reading = await this.#foundation.store.read(account.scopes)
    this.#foundation.effects.announce(reading.effects)
    const { model, provider, query, metadata } = request
    const facts = { userId: user.userId, tenant: user.tenant, model, provider, query, metadata, facts: undefined }
    return contextOf(facts, account, windowViews(account.scopes, reading.readings, amounts), amounts, tokens, reading.now)
  }

  #future(value: Date | number, field: string): number {
    const instant = value instanceof Date ? value.getTime() : value
    if (instant > this.#foundation.clock() && instant < Infinity) return instant
    throw new InvalidRequestError(`${field}: ${String(value)} is no instant to come. Give a Date, or milliseconds since the epoch.`)
  }

  #knownTier(tier: string): void {
    assertId(tier, 'tier')
    const { tiers } = this.#foundation.plan
    if (!tiers.includes(tier)) throw new UnknownTierError(`tier: "${tier}" is no tier of the configuration. The tiers are ${tiers.join(', ')}.`, tier)
  }

  async #tierChanged(user: UserRef, from: string | undefined, to: string | undefined, cause?: string): Promise<void> {
    if (from === to) return
    this.#foundation.hub.emit('tier-changed', { user, from, to })
    await this.#configured(user, 'tier', { from, to, ...(cause !== undefined && { cause }) })
  }

  async #configured(user: UserRef, reason: string, metadata: Readonly<Record<string, unknown>>): Promise<void> {
    const id = newId()
    const at = this.#foundation.clock()
    await this.#foundation.store.ledger.append({ id, kind: 'configured', at, decisionId: id, tenant: user.tenant, userId: user.userId, microcents: 0, tokens: 0, charged: [], reason, metadata })
  }
}

function userOf(entry: UserRef): UserRef {
  return entry.tenant === undefined ? { userId: entry.userId } : { userId: entry.userId, tenant: entry.tenant }
}
