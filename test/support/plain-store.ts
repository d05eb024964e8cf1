// The store contract a second time, as plainly as it can be said: lists of holds and of ledger lines, and every number summed
// from them anew whenever it is asked for. Slow and without limits: what the real stores are compared with.

import { scopeKey, userScope, type UserRef } from '../../src/budget/index.js'
import type { LedgerEntry, LedgerKind, LedgerTotals, ModelTotals } from '../../src/ledger/index.js'
import { amountIn, MAX_AMOUNT, type Amounts } from '../../src/money/index.js'
import type {
  Admitted,
  ChargeFacts,
  Directory,
  DirectoryChange,
  DirectoryEntry,
  Effect,
  EndedState,
  Extended,
  ExtendRequest,
  Failure,
  Freeing,
  HoldState,
  KnownUser,
  LedgerSink,
  MaybePromise,
  Reading,
  Recorded,
  RecordRequest,
  Refunded,
  RefundRequest,
  Refused,
  Released,
  ReleaseRequest,
  ReserveRequest,
  ScopeTerms,
  Settled,
  SettleRequest,
  Store,
  UserTotals,
  WindowTerms,
} from '../../src/store/index.js'
import { bucketExpiresAt, bucketIndex, rollingSpan, type Clock, type RollingRule } from '../../src/time/index.js'

const NOTHING: Amounts = { microcents: 0, tokens: 0 }
const HOUR = 3_600_000
const GIVEN_KEPT = 24 * HOUR
const GENERATED_KEPT = 60_000

/** A window of a scope in which a hold was placed. */
export interface Placement {
  readonly scope: ScopeTerms
  readonly terms: WindowTerms
  readonly startsAt: number
  readonly endsAt: number
}

/** A hold, or a recorded cost. Never forgotten; whether its id is still remembered follows from the time. */
export interface Hold {
  readonly id: string
  readonly fingerprint: string
  readonly idGiven: boolean
  readonly scopes: readonly ScopeTerms[]
  readonly placements: readonly Placement[]
  readonly openedAt: number
  readonly held: Amounts
  readonly rung: number
  readonly rungs: readonly Amounts[]
  readonly degrade: boolean
  readonly readings: readonly number[]
  readonly onExpiry: 'charge' | 'release'
  readonly facts: ChargeFacts
  readonly isTombstone: boolean
  dueAt: number
  state: HoldState
  endedAt: number
  /** What its ending said that it cost. */
  cost: Amounts
  corrected: boolean
  model: string | undefined
}

/** One change of money. `countsAt` is the instant whose rolling bucket its microcents and its tokens are in. */
export interface Line {
  readonly hold: Hold
  readonly kind: LedgerKind
  readonly at: number
  readonly countsAt: Amounts
  readonly microcents: number
  readonly tokens: number
  readonly reason: string | undefined
  readonly entry: LedgerEntry
}

interface Announced {
  readonly name: string
  readonly startsAt: number
  readonly highest: number
  readonly thresholdPct: number
  readonly at: number
}

/** Books that keep everything as lists. {@link PlainStore} adds the rules of who may write what into them. */
export class Books {
  readonly holds: Hold[] = []
  readonly lines: Line[] = []
  readonly opened: { readonly name: string; readonly startsAt: number; readonly endsAt: number }[] = []
  readonly announced: Announced[] = []
  readonly limitsSeen: { readonly name: string; readonly startsAt: number; readonly limit: number }[] = []

  /** The running window of a scope: the stored one until its end, then the calendar's, which starts no earlier than that. */
  running(scope: ScopeTerms, terms: WindowTerms, now: number): { startsAt: number; endsAt: number } {
    const { source } = terms
    if (source.kind === 'rolling') return { startsAt: rollingSpan(source.rule, now).startsAt, endsAt: bucketExpiresAt(source.rule, bucketIndex(source.rule, now)) }
    const stored = this.stored(scope, terms)
    if (stored !== undefined && now < stored.endsAt) return stored
    const { startsAt, endsAt } = this.calendarSpan(terms, now)
    return { startsAt: stored === undefined ? startsAt : Math.max(startsAt, stored.endsAt), endsAt }
  }

  /** The span that a calendar has at an instant. */
  calendarSpan(terms: WindowTerms, now: number): { startsAt: number; endsAt: number } {
    if (terms.source.kind !== 'calendar') throw new Error('no calendar')
    return terms.source.calendar.at(now)
  }

  /** The window that was begun last. */
  stored(scope: ScopeTerms, terms: WindowTerms): { startsAt: number; endsAt: number } | undefined {
    return this.opened.filter(({ name }) => name === nameOf(scope, terms)).at(-1)
  }

  /** What has been spent in the running window. */
  spent(scope: ScopeTerms, terms: WindowTerms, now: number): number {
    const { source } = terms
    if (source.kind === 'rolling') return saturated(this.live(scope, terms, source.rule, now).map(({ amount }) => amount))
    const { startsAt } = this.running(scope, terms, now)
    return saturated(this.amounts(scope, terms).filter((each) => each.startsAt === startsAt).map(({ amount }) => amount))
  }

  /** What is held in the running window. */
  held(scope: ScopeTerms, terms: WindowTerms, now: number): number {
    if (terms.unit === 'requests') return 0
    const { startsAt } = this.running(scope, terms, now)
    let held = 0
    for (const hold of this.holds) {
      if (hold.state !== 'open') continue
      for (const placement of hold.placements) {
        if (nameOf(placement.scope, placement.terms) !== nameOf(scope, terms)) continue
        if (terms.source.kind === 'rolling' || placement.startsAt === startsAt) held += amountIn(terms.unit, hold.held)
      }
    }
    return held
  }

  /** startsAt, endsAt, spent and held of each window. */
  readings(scopes: readonly ScopeTerms[], now: number): number[] {
    return scopes.flatMap((scope) =>
      scope.windows.flatMap((terms) => {
        const { startsAt, endsAt } = this.running(scope, terms, now)
        return [startsAt, endsAt, this.spent(scope, terms, now), this.held(scope, terms, now)]
      }),
    )
  }

  /** When rolling windows will count less. */
  freeing(scopes: readonly ScopeTerms[], now: number): Map<number, Freeing[]> {
    const freeing = new Map<number, Freeing[]>()
    const windows = scopes.flatMap((scope) => scope.windows.map((terms) => ({ scope, terms })))
    windows.forEach(({ scope, terms }, index) => {
      const { source } = terms
      if (source.kind !== 'rolling') return
      const byInstant = new Map<number, number>()
      for (const { bucket, amount } of this.live(scope, terms, source.rule, now)) {
        const at = bucketExpiresAt(source.rule, bucket)
        byInstant.set(at, (byInstant.get(at) ?? 0) + amount)
      }
      const parts = [...byInstant].map(([at, amount]) => ({ at, amount })).filter(({ amount }) => amount > 0)
      freeing.set(index, parts.sort((a, b) => a.at - b.at))
    })
    return freeing
  }

  /** Writes a hold into all windows of its scopes. */
  open(request: ReserveRequest, rung: number, degrade: boolean, now: number, effects: Effect[]): Hold {
    const readings = this.readings(request.scopes, now)
    const placements = request.scopes.flatMap((scope) => scope.windows.map((terms) => ({ scope, terms, ...this.running(scope, terms, now) })))
    const hold: Hold = {
      ...request,
      placements,
      openedAt: now,
      held: request.rungs[rung] as Amounts,
      rung,
      degrade,
      readings,
      isTombstone: false,
      dueAt: now + request.ttlMs,
      state: 'open',
      endedAt: 0,
      cost: NOTHING,
      corrected: false,
      model: rung === 0 ? request.facts.model : request.facts.cheaperModels?.[rung - 1],
    }
    for (const placement of placements) this.begin(placement, effects)
    this.holds.push(hold)
    for (const placement of placements) if (placement.terms.unit === 'requests') this.announce(placement, now, effects)
    return hold
  }

  /** Ends a hold with what it cost. */
  end(hold: Hold, state: EndedState, kind: LedgerKind, cost: Amounts, at: number, effects: Effect[]): void {
    hold.state = state
    hold.endedAt = at
    hold.cost = cost
    this.write(hold, kind, at, { microcents: at, tokens: at }, cost)
    for (const placement of hold.placements) if (placement.terms.unit !== 'requests') this.announce(placement, at, effects)
  }

  /** Adds a line to the ledger. */
  write(hold: Hold, kind: LedgerKind, at: number, countsAt: Amounts, { microcents, tokens }: Amounts, reason?: string): void {
    const corrections = this.lines.filter((line) => line.hold === hold && line.kind === 'corrected').length
    const { facts } = hold
    const charged = hold.placements.map(({ scope, terms, startsAt }) => ({ scope: scope.scope, window: terms.window, startsAt: terms.source.kind === 'calendar' ? startsAt : instantIn(terms, countsAt, hold) }))
    const entry: LedgerEntry = {
      id: `${hold.id}:${kind}${kind === 'corrected' ? `:${corrections + 1}` : ''}`,
      kind,
      at,
      decisionId: hold.id,
      tenant: facts.user.tenant,
      userId: facts.user.userId,
      tier: facts.tier,
      sessionId: facts.sessionId,
      provider: facts.provider,
      requestedModel: facts.model,
      model: hold.model,
      microcents,
      tokens,
      estimatedMicrocents: hold.held.microcents,
      openedAt: hold.openedAt,
      charged,
      reason,
      metadata: facts.metadata,
    }
    this.lines.push({ hold, kind, at, countsAt, microcents, tokens, reason, entry })
  }

  /** Changes what an ended hold was charged: what is added counts from now, what is taken goes from where it was counted, the newest first. */
  correct(hold: Hold, change: Amounts, now: number, effects: Effect[], reason?: string): void {
    const tokens = { microcents: change.tokens > 0 ? now : hold.endedAt, tokens: change.tokens > 0 ? now : hold.endedAt }
    let taken = 0
    for (const instant of change.microcents < 0 ? this.instantsOf(hold) : []) {
      const there = this.lines.filter((line) => line.hold === hold && line.countsAt.microcents === instant).reduce((sum, line) => sum + line.microcents, 0)
      const part = Math.min(there, -change.microcents - taken)
      if (part <= 0) continue
      this.write(hold, 'corrected', now, { ...tokens, microcents: instant }, { microcents: -part, tokens: taken === 0 ? change.tokens : 0 }, reason)
      taken += part
    }
    if (taken === 0) this.write(hold, 'corrected', now, { ...tokens, microcents: now }, change, reason)
    for (const placement of hold.placements) if (amountIn(placement.terms.unit, change) >= 0 && placement.terms.unit !== 'requests') this.announce(placement, now, effects)
  }

  private instantsOf(hold: Hold): number[] {
    const instants = this.lines.filter((line) => line.hold === hold).map((line) => line.countsAt.microcents)
    return [...new Set(instants)].reverse()
  }

  /** What is left of a hold's charge after its corrections. */
  net(hold: Hold): number {
    return this.lines.filter((line) => line.hold === hold).reduce((sum, line) => sum + line.microcents, 0)
  }

  private begin({ scope, terms, startsAt, endsAt }: Placement, effects: Effect[]): void {
    if (terms.source.kind !== 'calendar') return
    const stored = this.stored(scope, terms)
    if (stored !== undefined && stored.startsAt === startsAt && stored.endsAt === endsAt) return
    this.opened.push({ name: nameOf(scope, terms), startsAt, endsAt })
    if (stored !== undefined) effects.push({ kind: 'window-reset', scope: scope.scope, window: terms.window, startsAt, endsAt })
  }

  /** Announces what `spent` has reached in the window in which money was placed, if that window is still the stored one. */
  protected announce({ scope, terms, startsAt }: Placement, at: number, effects: Effect[]): void {
    const { limit, alerts, source } = terms
    if (limit === null || alerts.length === 0) return
    const rolling = source.kind === 'rolling'
    if (!rolling && this.stored(scope, terms)?.startsAt !== startsAt) return
    const name = nameOf(scope, terms)
    const instance = rolling ? 0 : startsAt
    this.limitsSeen.push({ name, startsAt: instance, limit })
    const highest = Math.max(...this.limitsSeen.filter((seen) => seen.name === name && seen.startsAt === instance).map((seen) => seen.limit))
    const before = this.announcedIn(name, instance, highest, rolling ? source.rule.lengthMs : Infinity, at)
    const spent = rolling
      ? saturated(this.live(scope, terms, source.rule, at).map(({ amount }) => amount))
      : saturated(this.amounts(scope, terms).filter((each) => each.startsAt === startsAt).map(({ amount }) => amount))
    const endsAt = rolling ? bucketExpiresAt(source.rule, bucketIndex(source.rule, at)) : (this.stored(scope, terms)?.endsAt ?? 0)
    for (const { thresholdPct, at: amount } of alerts) {
      if (spent < amount || before.some((each) => each.thresholdPct >= thresholdPct)) continue
      this.announced.push({ name, startsAt: instance, highest, thresholdPct, at })
      const alertId = `${name}:${rolling ? at : startsAt}:${highest}:${thresholdPct}`
      effects.push({ kind: 'threshold', alertId, scope: scope.scope, window: terms.window, unit: terms.unit, thresholdPct, limit, spent, startsAt: rolling ? at : startsAt, endsAt })
    }
  }

  /** The alerts that still count: of this instance, under this highest limit, and for a rolling window not followed by a whole length of silence. */
  protected announcedIn(name: string, startsAt: number, highest: number, lengthMs: number, at: number): Announced[] {
    let counting: Announced[] = []
    for (const each of this.announced.filter((one) => one.name === name && one.startsAt === startsAt && one.highest === highest)) {
      const last = counting.at(-1)
      if (last !== undefined && each.at >= last.at + lengthMs) counting = []
      counting.push(each)
    }
    const last = counting.at(-1)
    return last !== undefined && at >= last.at + lengthMs ? [] : counting
  }

  /** Every amount that was ever counted in a window of a scope. */
  private amounts(scope: ScopeTerms, terms: WindowTerms): { startsAt: number; countsAt: number; amount: number }[] {
    const name = nameOf(scope, terms)
    const placed = (hold: Hold): readonly Placement[] => hold.placements.filter((placement) => nameOf(placement.scope, placement.terms) === name)
    if (terms.unit === 'requests') return this.holds.flatMap((hold) => placed(hold).map(({ startsAt }) => ({ startsAt, countsAt: hold.openedAt, amount: 1 })))
    return this.lines.flatMap((line) => placed(line.hold).map(({ startsAt }) => ({ startsAt, countsAt: instantIn(terms, line.countsAt, line.hold), amount: amountIn(terms.unit, line) })))
  }

  private live(scope: ScopeTerms, terms: WindowTerms, rule: RollingRule, now: number): { bucket: number; amount: number }[] {
    const buckets = this.amounts(scope, terms).map(({ countsAt, amount }) => ({ bucket: bucketIndex(rule, countsAt), amount }))
    return buckets.filter(({ bucket }) => now < bucketExpiresAt(rule, bucket))
  }
}

/** The oracle: see the head of this file. */
export class PlainStore implements Store {
  readonly name: string = 'plain'
  readonly shared = false
  readonly books: Books
  readonly directory = new PlainDirectory()
  readonly ledger: PlainLedger
  readonly #clock: Clock
  readonly #refunds: { readonly request: RefundRequest; readonly at: number; readonly reply: Refunded }[] = []
  #now = 0
  /** Effects of operations that failed: what a hold brought about by expiring must not be lost because nobody was told then. */
  protected undelivered: Effect[] = []

  constructor(clock: Clock, books = new Books()) {
    this.#clock = clock
    this.books = books
    this.ledger = new PlainLedger(books)
  }

  reserve(request: ReserveRequest): MaybePromise<Admitted | Refused | Failure> {
    const effects = this.undelivered
    const now = this.advance(effects)
    const known = this.find(request.id)
    if (known !== undefined) return this.repeat(known, request.fingerprint)
    if (this.#refundKnown(request.id, now) !== undefined) return { outcome: 'id-reused' }
    const readings = this.books.readings(request.scopes, now)
    const { rung, degrade } = this.choose(request, readings)
    if (rung < 0) return { outcome: 'refused', now, readings, freeing: this.books.freeing(request.scopes, now), effects: this.deliver() }
    const hold = this.books.open(request, rung, degrade, now, effects)
    return { outcome: 'admitted', now, rung, degrade, dueAt: hold.dueAt, readings, effects: this.deliver() }
  }

  settle(request: SettleRequest): MaybePromise<Settled | Failure> {
    const effects = this.undelivered
    const now = this.advance(effects)
    const hold = this.find(request.id)
    if (hold === undefined) return { outcome: 'unknown-hold' }
    if (hold.isTombstone || hold.state === 'released') return { outcome: 'already-ended', state: 'released' }
    const cost = { microcents: request.microcents, tokens: request.tokens ?? hold.held.tokens }
    const reply = { outcome: 'settled' as const, now, microcents: cost.microcents, heldMicrocents: hold.held.microcents, facts: hold.facts }
    if (hold.state === 'settled') {
      const same = hold.cost.microcents === cost.microcents && hold.cost.tokens === cost.tokens
      return same ? { ...reply, replayed: true, late: hold.corrected, effects: this.deliver() } : { outcome: 'already-ended', state: 'settled' }
    }
    hold.model = request.model ?? hold.model
    if (hold.state === 'open') {
      this.books.end(hold, 'settled', 'settled', cost, now, effects)
      return { ...reply, replayed: false, late: false, effects: this.deliver() }
    }
    this.correctExpired(hold, cost, now, effects)
    return { ...reply, replayed: false, late: true, effects: this.deliver() }
  }

  release(request: ReleaseRequest): MaybePromise<Released | Failure> {
    const effects = this.undelivered
    const now = this.advance(effects)
    const hold = this.find(request.id)
    if (hold === undefined && request.tombstone !== true) return { outcome: 'unknown-hold' }
    if (hold === undefined) {
      const facts = { user: { userId: '' }, tier: undefined }
      const nothing = { id: request.id, fingerprint: '', idGiven: true, ttlMs: 0, scopes: [], rungs: [NOTHING], onExpiry: 'release' as const, facts }
      const tombstone = { ...this.books.open(nothing, 0, false, now, effects), isTombstone: true, state: 'released' as const, endedAt: now }
      this.books.holds[this.books.holds.length - 1] = tombstone
      return { outcome: 'released', now, was: 'released', effects: this.deliver() }
    }
    const was = hold.state
    if (was === 'open') this.books.end(hold, 'released', 'released', NOTHING, now, effects)
    if (was === 'expired') this.correctExpired(hold, NOTHING, now, effects)
    return { outcome: 'released', now, was, effects: this.deliver() }
  }

  extend(request: ExtendRequest): MaybePromise<Extended | Failure> {
    const effects = this.undelivered
    const now = this.advance(effects)
    const hold = this.find(request.id)
    if (hold === undefined) return { outcome: 'unknown-hold' }
    if (hold.state !== 'open') return { outcome: 'already-ended', state: hold.state }
    hold.dueAt = Math.max(hold.dueAt, now + request.ttlMs)
    return { outcome: 'extended', now, dueAt: hold.dueAt, effects: this.deliver() }
  }

  record(request: RecordRequest): MaybePromise<Recorded | Failure> {
    const effects = this.undelivered
    const now = this.advance(effects)
    const known = this.find(request.id)
    if (known !== undefined) return known.fingerprint === request.fingerprint && !known.isTombstone ? { outcome: 'recorded', now, replayed: true, effects: this.deliver() } : { outcome: 'id-reused' }
    if (this.#refundKnown(request.id, now) !== undefined) return { outcome: 'id-reused' }
    const hold = this.books.open({ ...request, ttlMs: 0, rungs: [NOTHING], onExpiry: 'release' }, 0, false, now, effects)
    this.books.end(hold, 'settled', 'recorded', request.amounts, now, effects)
    return { outcome: 'recorded', now, replayed: false, effects: this.deliver() }
  }

  refund(request: RefundRequest): MaybePromise<Refunded | Failure> {
    const effects = this.undelivered
    const now = this.advance(effects)
    const before = this.#refundKnown(request.id, now)
    if (before !== undefined) return before.request.fingerprint === request.fingerprint ? { ...before.reply, replayed: true, effects: this.deliver() } : { outcome: 'id-reused' }
    if (this.find(request.id) !== undefined) return { outcome: 'id-reused' }
    const own = this.books.holds.filter((hold) => isOf(hold, request.user))
    const newestFirst = this.books.lines.flatMap((line) => (line.kind !== 'corrected' && own.includes(line.hold) ? [line.hold] : [])).reverse()
    // An id that stands for a newer hold no longer names the older one.
    const remembered = request.of === undefined ? undefined : this.find(request.of)
    const named = own.filter((hold) => hold.id === request.of && (remembered === undefined || hold === remembered))
    if (request.of !== undefined && named.length === 0) return { outcome: 'unknown-hold' }
    let left = request.microcents
    for (const hold of request.of === undefined ? newestFirst : named.slice(-1)) left -= this.refundFrom(hold, left, now, effects, request.reason)
    const reply = { outcome: 'refunded' as const, now, appliedMicrocents: request.microcents - left, unappliedMicrocents: left, replayed: false, effects: [] }
    this.#refunds.push({ request, at: now, reply })
    return { ...reply, effects: this.deliver() }
  }

  read(scopes: readonly ScopeTerms[]): MaybePromise<Reading> {
    const effects = this.undelivered
    const now = this.advance(effects)
    return { now, readings: this.books.readings(scopes, now), freeing: this.books.freeing(scopes, now), effects: this.deliver() }
  }

  totals(user: UserRef): UserTotals {
    const own = this.books.lines.filter((line) => isOf(line.hold, user))
    return { microcents: own.reduce((sum, line) => sum + line.microcents, 0), entries: own.filter((line) => line.kind !== 'corrected').length }
  }

  async *users(): AsyncIterable<KnownUser> {
    const known = new Map<string, KnownUser>()
    for (const { facts, isTombstone } of this.books.holds) if (!isTombstone) known.set(scopeKey(userScope(facts.user)), { user: facts.user, tier: facts.tier })
    for (const { user, entry } of this.directory.all) {
      const key = scopeKey(userScope(user))
      known.set(key, { user, tier: entry.tier ?? known.get(key)?.tier })
    }
    yield* known.values()
  }

  close(): void {}

  /** Store time, after every hold that is due by then has ended. */
  protected advance(effects: Effect[]): number {
    this.#now = Math.max(this.#now, this.#clock())
    for (;;) {
      const due = this.books.holds.filter((hold) => hold.state === 'open' && hold.dueAt <= this.#now)
      const first = due.sort((a, b) => a.dueAt - b.dueAt || (a.id < b.id ? -1 : 1))[0]
      if (first === undefined) return this.#now
      const charged = first.onExpiry === 'charge' ? first.held : NOTHING
      effects.push({ kind: 'hold-expired', id: first.id, dueAt: first.dueAt, charged, facts: first.facts })
      this.books.end(first, 'expired', 'expired', charged, first.dueAt, effects)
    }
  }

  protected choose(request: ReserveRequest, readings: readonly number[]): { rung: number; degrade: boolean } {
    return chooseRung(request, readings)
  }

  protected deliver(): Effect[] {
    const effects = this.undelivered
    this.undelivered = []
    return effects
  }

  /** The hold of an id that is open or still remembered. */
  protected find(id: string): Hold | undefined {
    return this.books.holds.filter((hold) => hold.id === id && this.remembers(hold)).at(-1)
  }

  protected remembers(hold: Hold): boolean {
    const kept = hold.idGiven || hold.state === 'expired' || hold.corrected ? GIVEN_KEPT : GENERATED_KEPT
    return hold.state === 'open' || this.#now < hold.endedAt + kept
  }

  protected repeat(known: Hold, fingerprint: string): Admitted | Failure {
    if (known.isTombstone) return { outcome: 'already-ended', state: 'released' }
    if (known.fingerprint !== fingerprint) return { outcome: 'id-reused' }
    const { openedAt, rung, degrade, dueAt, readings, scopes, state, rungs, facts } = known
    return { outcome: 'admitted', now: openedAt, rung, degrade, dueAt, readings, replay: { scopes, state, rungs, facts }, effects: this.deliver() }
  }

  /** A hold that expired is settled after all: the difference is charged, never giving back what a refund already did. */
  protected correctExpired(hold: Hold, cost: Amounts, now: number, effects: Effect[]): void {
    const refunded = hold.cost.microcents - this.books.net(hold)
    const microcents = Math.max(cost.microcents, refunded) - hold.cost.microcents
    const tokens = cost.tokens - hold.cost.tokens
    hold.state = 'settled'
    hold.corrected = true
    hold.cost = cost
    this.books.correct(hold, { microcents, tokens }, now, effects)
  }

  protected refundFrom(hold: Hold, most: number, now: number, effects: Effect[], reason: string | undefined): number {
    const part = Math.min(most, this.books.net(hold))
    if (part <= 0) return 0
    this.books.correct(hold, { microcents: -part, tokens: 0 }, now, effects, reason)
    return part
  }

  #refundKnown(id: string, now: number): { readonly request: RefundRequest; readonly reply: Refunded } | undefined {
    return this.#refunds.find((refund) => refund.request.id === id && now < refund.at + GIVEN_KEPT)
  }
}

/** The rule of admission in exact arithmetic, rung by rung (DESIGN 3.2). */
export function chooseRung(request: ReserveRequest, readings: readonly number[]): { rung: number; degrade: boolean } {
  const blocked = request.rungs.map((amounts, rung) => request.refusedRungs?.[rung] === true || hitsAny(request.scopes, readings, amounts, 'block'))
  const degrade = request.degrade === true || hitsAny(request.scopes, readings, request.rungs[0] as Amounts, 'degrade')
  if (degrade && request.degradeBlocks === true) blocked[0] = true
  if (blocked[0] === false && !degrade) return { rung: 0, degrade }
  const cheaper = blocked.findIndex((isBlocked, rung) => rung > 0 && !isBlocked)
  if (cheaper > 0) return { rung: cheaper, degrade }
  return { rung: blocked[0] === true ? -1 : 0, degrade }
}

function hitsAny(scopes: readonly ScopeTerms[], readings: readonly number[], amounts: Amounts, threshold: 'block' | 'degrade'): boolean {
  const windows = scopes.flatMap((scope) => scope.windows)
  return windows.some((terms, index) => {
    const ceiling = terms[threshold]
    if (ceiling === null) return false
    const used = BigInt(readings[index * 4 + 2] as number) + BigInt(readings[index * 4 + 3] as number)
    return used + BigInt(amountIn(terms.unit, amounts)) > BigInt(ceiling.max) || used >= BigInt(ceiling.pre)
  })
}

class PlainDirectory implements Directory {
  readonly all: { user: UserRef; entry: DirectoryEntry }[] = []

  get(user: UserRef): DirectoryEntry | undefined {
    return this.all.find((known) => isSame(known.user, user))?.entry
  }

  change(user: UserRef, { tier, overrides = {} }: DirectoryChange): { before: DirectoryEntry; after: DirectoryEntry } {
    const before = this.get(user) ?? {}
    const merged = Object.entries({ ...before.overrides, ...overrides }).filter(([, override]) => override !== null)
    const after: DirectoryEntry = {
      ...((tier === undefined ? before.tier : tier) != null && { tier: (tier === undefined ? before.tier : tier) as string }),
      ...(merged.length > 0 && { overrides: Object.fromEntries(merged) as NonNullable<DirectoryEntry['overrides']> }),
    }
    const rest = this.all.filter((known) => !isSame(known.user, user))
    this.all.splice(0, this.all.length, ...rest)
    if (Object.keys(after).length > 0) this.all.push({ user, entry: after })
    return { before, after }
  }
}

class PlainLedger implements LedgerSink {
  readonly #books: Books
  readonly #notes: { readonly after: number; readonly entry: LedgerEntry }[] = []

  constructor(books: Books) {
    this.#books = books
  }

  append(entry: LedgerEntry): void {
    this.#notes.push({ after: this.#books.lines.length, entry })
  }

  async *entries(): AsyncIterable<LedgerEntry> {
    for (let index = 0; index <= this.#books.lines.length; index += 1) {
      for (const { after, entry } of this.#notes) if (after === index) yield entry
      const line = this.#books.lines[index]
      if (line !== undefined) yield line.entry
    }
  }

  totals(): LedgerTotals {
    const charged = this.#books.lines.filter((line) => line.kind !== 'released')
    const sumOf = (lines: readonly Line[]): ModelTotals => ({
      microcents: lines.reduce((sum, line) => sum + line.microcents, 0),
      tokens: lines.reduce((sum, line) => sum + line.tokens, 0),
      entries: lines.length,
    })
    const by = (name: (line: Line) => string | undefined): Map<string, ModelTotals> => {
      const names = new Set(charged.map((line) => name(line) ?? 'unknown'))
      return new Map([...names].map((each) => [each, sumOf(charged.filter((line) => (name(line) ?? 'unknown') === each))]))
    }
    return { ...sumOf(charged), byModel: by(({ entry }) => entry.model), byProvider: by(({ entry }) => entry.provider), byTier: by(({ entry }) => entry.tier) }
  }
}

function nameOf(scope: ScopeTerms, terms: WindowTerms): string {
  return `${scope.key}:${terms.window}`
}

function instantIn(terms: WindowTerms, countsAt: Amounts, hold: Hold): number {
  return terms.unit === 'requests' ? hold.openedAt : amountIn(terms.unit, countsAt)
}

function saturated(amounts: readonly number[]): number {
  const sum = amounts.reduce((all, amount) => all + BigInt(amount), 0n)
  return Number(sum < 0n ? 0n : sum > BigInt(MAX_AMOUNT) ? BigInt(MAX_AMOUNT) : sum)
}

function isSame(a: UserRef, b: UserRef): boolean {
  return a.userId === b.userId && a.tenant === b.tenant
}

function isOf(hold: Hold, user: UserRef): boolean {
  return isSame(hold.facts.user, user) && !hold.isTombstone
}
