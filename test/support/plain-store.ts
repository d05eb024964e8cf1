// The store contract a second time, as plainly as it can be said, on books that are lists. Written from the design: what the real
// stores are compared with.

import { scopeKey, userScope, type UserRef } from '../../src/budget/index.js'
import type { CostDetails, LedgerEntry, LedgerTotals, ModelTotals } from '../../src/ledger/index.js'
import { amountIn, type Amounts } from '../../src/money/index.js'
import type {
  Admitted,
  Effect,
  Extended,
  ExtendRequest,
  Failure,
  KnownUser,
  LedgerSink,
  MaybePromise,
  Opened,
  Reading,
  Recorded,
  RecordRequest,
  Refunded,
  RefundRequest,
  Refused,
  Released,
  ReleaseRequest,
  ReserveRequest,
  Restarted,
  RestartRequest,
  ScopeTerms,
  Settled,
  SettleRequest,
  Store,
  UserTotals,
} from '../../src/store/index.js'
import type { Clock } from '../../src/time/index.js'
import { Books, NOTHING, type Hold, type Line } from './plain-books.js'
import { PlainDirectory } from './plain-directory.js'
import { PlainRegistry } from './plain-registry.js'

const GIVEN_KEPT = 24 * 3_600_000
const GENERATED_KEPT = 60_000

/** The oracle: see the head of this file. */
export class PlainStore implements Store {
  readonly name: string = 'plain'
  readonly shared = false
  readonly books: Books
  readonly directory = new PlainDirectory()
  readonly registry = new PlainRegistry(() => this.advance(this.undelivered))
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
    hold.provider = request.provider ?? hold.provider
    if (hold.state === 'open') {
      this.books.end(hold, 'settled', 'settled', cost, now, effects, request.details)
      return { ...reply, replayed: false, late: false, effects: this.deliver() }
    }
    this.correctExpired(hold, cost, now, effects, request.details)
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
    if (was === 'open' && request.uncount === true) this.books.uncounted.add(hold)
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

  opened(id: string): MaybePromise<Opened | Failure> {
    this.advance(this.undelivered)
    const hold = this.find(id)
    if (hold === undefined) return { outcome: 'unknown-hold' }
    if (hold.isTombstone) return { outcome: 'already-ended', state: 'released' }
    const { openedAt, facts, rungs, rung, state } = hold
    return { outcome: 'opened', openedAt, facts, rungs, rung, state, effects: this.deliver() }
  }

  record(request: RecordRequest): MaybePromise<Recorded | Failure> {
    const effects = this.undelivered
    const now = this.advance(effects)
    const known = this.find(request.id)
    if (known !== undefined) return known.fingerprint === request.fingerprint && !known.isTombstone ? { outcome: 'recorded', now, replayed: true, effects: this.deliver() } : { outcome: 'id-reused' }
    if (this.#refundKnown(request.id, now) !== undefined) return { outcome: 'id-reused' }
    const hold = this.books.open({ ...request, ttlMs: 0, rungs: [NOTHING], onExpiry: 'release' }, 0, false, now, effects)
    this.books.end(hold, 'settled', 'recorded', request.amounts, now, effects, request.details)
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

  restart(request: RestartRequest): MaybePromise<Restarted> {
    const effects = this.undelivered
    const now = this.advance(effects)
    const begun = this.books.restart(request, request.since, now, effects)
    return { now, begun, effects: this.deliver() }
  }

  totals(user: UserRef): UserTotals {
    const own = this.books.lines.filter((line) => isOf(line.hold, user))
    return { microcents: own.reduce((sum, line) => sum + line.microcents, 0), entries: own.filter((line) => line.kind !== 'released').length }
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
  protected correctExpired(hold: Hold, cost: Amounts, now: number, effects: Effect[], details?: CostDetails): void {
    const refunded = hold.cost.microcents - this.books.net(hold)
    const microcents = Math.max(cost.microcents, refunded) - hold.cost.microcents
    const tokens = cost.tokens - hold.cost.tokens
    hold.state = 'settled'
    hold.corrected = true
    hold.cost = cost
    this.books.correct(hold, { microcents, tokens }, now, effects, undefined, details)
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

class PlainLedger implements LedgerSink {
  readonly #books: Books
  readonly #notes: { readonly after: number; readonly entry: LedgerEntry }[] = []

  constructor(books: Books) {
    this.#books = books
  }

  append(...entries: readonly LedgerEntry[]): void {
    for (const entry of entries) this.#notes.push({ after: this.#books.lines.length, entry })
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

function isOf(hold: Hold, user: UserRef): boolean {
  return hold.facts.user.userId === user.userId && hold.facts.user.tenant === user.tenant && !hold.isTombstone
}
