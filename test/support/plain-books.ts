// The books of the plain store: lists of holds and of ledger lines, from which every number is summed anew whenever it is asked
// for. Slow and without limits.

import type { CostDetails, LedgerEntry, LedgerKind } from '../../src/ledger/index.js'
import { amountIn, MAX_AMOUNT, type Amounts } from '../../src/money/index.js'
import type { ChargeFacts, Effect, EndedState, Freeing, HoldState, ReserveRequest, ScopeTerms, WindowTerms } from '../../src/store/index.js'
import { bucketExpiresAt, bucketIndex, rollingSpan, type RollingRule } from '../../src/time/index.js'

/** No money and no tokens. */
export const NOTHING: Amounts = { microcents: 0, tokens: 0 }

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
  provider: string | undefined
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
  /** Holds whose request never was. */
  readonly uncounted = new Set<Hold>()
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
      provider: request.facts.provider,
    }
    for (const placement of placements) this.begin(placement, effects)
    this.holds.push(hold)
    for (const placement of placements) if (placement.terms.unit === 'requests') this.announce(placement, now, effects)
    return hold
  }

  /** Begins the calendar windows of a scope anew, `total` apart, that began before an instant that has come; used or not. */
  restart(scope: ScopeTerms, since: number, now: number, effects: Effect[]): number {
    let begun = 0
    for (const terms of scope.windows) {
      if (terms.source.kind !== 'calendar' || terms.window.startsWith('total/')) continue
      const { startsAt } = this.running(scope, terms, now)
      if (startsAt >= since || startsAt >= now) continue
      this.beginAnew(scope, terms, { startsAt: now, endsAt: this.calendarSpan(terms, now).endsAt }, effects)
      begun += 1
    }
    return begun
  }

  protected beginAnew(scope: ScopeTerms, terms: WindowTerms, span: { readonly startsAt: number; readonly endsAt: number }, effects: Effect[]): void {
    if (this.stored(scope, terms) !== undefined) effects.push({ kind: 'window-reset', scope: scope.scope, window: terms.window, ...span })
    this.opened.push({ name: nameOf(scope, terms), ...span })
  }

  /** Ends a hold with what it cost. */
  end(hold: Hold, state: EndedState, kind: LedgerKind, cost: Amounts, at: number, effects: Effect[], details?: CostDetails): void {
    hold.state = state
    hold.endedAt = at
    hold.cost = cost
    this.write(hold, kind, at, { microcents: at, tokens: at }, cost, undefined, details)
    for (const placement of hold.placements) if (placement.terms.unit !== 'requests') this.announce(placement, at, effects)
  }

  /** Adds a line to the ledger. */
  write(hold: Hold, kind: LedgerKind, at: number, countsAt: Amounts, { microcents, tokens }: Amounts, reason?: string, details?: CostDetails): void {
    const corrections = this.lines.filter((line) => line.hold === hold && line.kind === 'corrected').length
    const { facts } = hold
    const counting = hold.placements.filter(({ terms }) => terms.unit !== 'requests' || !this.uncounted.has(hold))
    const charged = counting.map(({ scope, terms, startsAt }) => ({ scope: scope.scope, window: terms.window, startsAt: terms.source.kind === 'calendar' ? startsAt : instantIn(terms, countsAt, hold) }))
    const entry: LedgerEntry = {
      id: `${hold.id}:${kind}${kind === 'corrected' ? `:${corrections + 1}` : ''}`,
      kind,
      at,
      decisionId: hold.id,
      tenant: facts.user.tenant,
      userId: facts.user.userId,
      tier: facts.tier,
      sessionId: facts.sessionId,
      scopes: facts.scopes,
      provider: hold.provider,
      requestedModel: facts.model,
      model: hold.model,
      microcents,
      tokens,
      estimatedMicrocents: hold.held.microcents,
      estimatedTokens: hold.held.tokens,
      rungs: hold.rungs.length > 1 ? hold.rungs.map((amounts, rung) => ({ model: rung === 0 ? facts.model : facts.cheaperModels?.[rung - 1], ...amounts })) : undefined,
      openedAt: hold.openedAt,
      charged,
      reason,
      details,
      metadata: facts.metadata,
    }
    this.lines.push({ hold, kind, at, countsAt, microcents, tokens, reason, entry })
  }

  /** Changes what an ended hold was charged: what is added counts from now, what is taken goes from where it was counted, the newest first. */
  correct(hold: Hold, change: Amounts, now: number, effects: Effect[], reason?: string, details?: CostDetails): void {
    const tokens = { microcents: change.tokens > 0 ? now : hold.endedAt, tokens: change.tokens > 0 ? now : hold.endedAt }
    let taken = 0
    for (const instant of change.microcents < 0 ? this.instantsOf(hold) : []) {
      const there = this.lines.filter((line) => line.hold === hold && line.countsAt.microcents === instant).reduce((sum, line) => sum + line.microcents, 0)
      const part = Math.min(there, -change.microcents - taken)
      if (part <= 0) continue
      this.write(hold, 'corrected', now, { ...tokens, microcents: instant }, { microcents: -part, tokens: taken === 0 ? change.tokens : 0 }, reason, details)
      taken += part
    }
    if (taken === 0) this.write(hold, 'corrected', now, { ...tokens, microcents: now }, change, reason, details)
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
    if (source.kind === 'calendar' && at >= (this.stored(scope, terms)?.endsAt ?? 0)) return
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
    if (terms.unit === 'requests') return this.holds.filter((hold) => !this.uncounted.has(hold)).flatMap((hold) => placed(hold).map(({ startsAt }) => ({ startsAt, countsAt: hold.openedAt, amount: 1 })))
    return this.lines.flatMap((line) => placed(line.hold).map(({ startsAt }) => ({ startsAt, countsAt: instantIn(terms, line.countsAt, line.hold), amount: amountIn(terms.unit, line) })))
  }

  private live(scope: ScopeTerms, terms: WindowTerms, rule: RollingRule, now: number): { bucket: number; amount: number }[] {
    const buckets = this.amounts(scope, terms).map(({ countsAt, amount }) => ({ bucket: bucketIndex(rule, countsAt), amount }))
    return buckets.filter(({ bucket }) => now < bucketExpiresAt(rule, bucket))
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
