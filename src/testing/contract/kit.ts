// What the cases of the store contract are written with: a store on a clock with hands, short words for windows and requests, and
// comparisons that throw plain errors, so that the suite runs under any test runner.

import { audit } from '../../audit/index.js'
import { ceilingOf } from '../../enforcement/index.js'
import type { LedgerEntry } from '../../ledger/index.js'
import { MAX_AMOUNT, type Unit } from '../../money/index.js'
import type { Admitted, Effect, ExtendRequest, Failure, RecordRequest, RefundRequest, ReleaseRequest, Opened, ReserveRequest, Restarted, ScopeTerms, SettleRequest, Store, WindowTerms } from '../../store/index.js'
import { calendarFor, rollingRule, TOTAL, type CalendarUnit, type Clock } from '../../time/index.js'
import { manualClock, type ManualClock } from '../manual-clock.js'

/** Opens the store under test, empty, on this clock as store time. */
export type OpenStore = (clock: Clock) => Store | Promise<Store>

/** One case of the contract: throws an `Error` that says what is wrong, or returns. */
export interface StoreContractCase {
  readonly name: string
  run(open: OpenStore): Promise<void>
}

export const SECOND = 1_000
export const MINUTE = 60 * SECOND
export const HOUR = 60 * MINUTE
export const DAY = 24 * HOUR

/** How a window of the suite differs from a daily limit in USD of nobody. */
export interface WindowOptions {
  readonly unit?: Unit
  readonly period?: 'daily' | 'weekly' | 'monthly' | 'total'
  readonly rollingMs?: number
  readonly timeZone?: string
  readonly block?: number
  readonly degrade?: number
  readonly alerts?: readonly number[]
}

const CALENDAR_UNITS: Readonly<Record<string, CalendarUnit>> = { daily: 'day', weekly: 'week', monthly: 'month' }

/** A window with a limit, or with none. Blocks at 100 % unless told otherwise. */
export function windowOf(limit: number | null, options: WindowOptions = {}): WindowTerms {
  const { unit = 'usd', period = 'daily', rollingMs, timeZone = 'UTC', block = 100, degrade, alerts = [] } = options
  const calendar = period === 'total' ? TOTAL : calendarFor({ unit: CALENDAR_UNITS[period] as CalendarUnit, timeZone, weekStartsOn: 1, monthStartsOn: 1 })
  return {
    window: rollingMs === undefined ? `${period}/${unit}` : `rolling:${rollingMs}/${unit}`,
    unit,
    source: rollingMs === undefined ? { kind: 'calendar', calendar } : { kind: 'rolling', rule: rollingRule(rollingMs) },
    limit,
    block: limit === null ? { max: MAX_AMOUNT, pre: MAX_AMOUNT } : ceilingOf(limit, block),
    degrade: limit === null || degrade === undefined ? null : ceilingOf(limit, degrade),
    alerts: limit === null ? [] : alerts.map((thresholdPct) => ({ thresholdPct, at: ceilingOf(limit, thresholdPct).pre })),
  }
}

/** The own scope of a user with these windows. */
export function userOf(userId: string, ...windows: readonly WindowTerms[]): ScopeTerms {
  return { scope: { kind: 'user', id: userId }, key: `user//${userId}`, windows }
}

/** A shared scope with these windows. */
export function teamOf(id: string, ...windows: readonly WindowTerms[]): ScopeTerms {
  return { scope: { kind: 'team', id }, key: `team//${id}`, windows }
}

/** A reserve as a case writes it: of ann, for money, for ten minutes, with an id of the caller's. */
export type ShortReserve = Partial<Omit<ReserveRequest, 'scopes'>> & { readonly id: string; readonly microcents?: number; readonly tokens?: number }

/** A window as it stands. */
export interface Standing {
  readonly startsAt: number
  readonly endsAt: number
  readonly spent: number
  readonly held: number
}

/** A store under test with its clock, and every effect that it has told of. */
export class Bench {
  readonly store: Store
  readonly clock: ManualClock
  readonly effects: Effect[] = []

  private constructor(store: Store, clock: ManualClock) {
    this.store = store
    this.clock = clock
  }

  /** Opens an empty store at an instant. */
  static async at(open: OpenStore, start = '2026-01-15T12:00:00Z'): Promise<Bench> {
    const clock = manualClock(start)
    return new Bench(await open(clock), clock)
  }

  reserve(scopes: readonly ScopeTerms[], request: ShortReserve): Promise<Awaited<ReturnType<Store['reserve']>>> {
    const { id, microcents = 0, tokens = 0, ...rest } = request
    const facts = { user: { userId: 'ann' }, tier: 'free', model: 'large' }
    return this.#told(this.store.reserve({ id, fingerprint: `reserve ${id}`, idGiven: true, ttlMs: 10 * MINUTE, onExpiry: 'charge', scopes, rungs: [{ microcents, tokens }], facts, ...rest }))
  }

  /** Reserves what must be admitted. */
  async hold(scopes: readonly ScopeTerms[], request: ShortReserve): Promise<Admitted> {
    const reply = await this.reserve(scopes, request)
    if (reply.outcome !== 'admitted') throw new Error(`reserve "${request.id}": is ${shown(reply)}, must be admitted`)
    return reply
  }

  /** Holds and settles at once. */
  async spend(scopes: readonly ScopeTerms[], id: string, microcents: number, tokens = 0): Promise<void> {
    await this.hold(scopes, { id, microcents, tokens })
    await this.settle({ id, microcents, tokens })
  }

  settle(request: SettleRequest): Promise<Awaited<ReturnType<Store['settle']>>> {
    return this.#told(this.store.settle(request))
  }

  release(request: ReleaseRequest): Promise<Awaited<ReturnType<Store['release']>>> {
    return this.#told(this.store.release(request))
  }

  extend(request: ExtendRequest): Promise<Awaited<ReturnType<Store['extend']>>> {
    return this.#told(this.store.extend(request))
  }

  /** What an id was opened with; of a store that has the operation. */
  async opened(id: string): Promise<Opened | Failure> {
    const { store } = this
    if (store.opened === undefined) throw new Error('opened: the store has no such operation')
    return this.#told(await store.opened(id))
  }

  record(scopes: readonly ScopeTerms[], request: Partial<RecordRequest> & { readonly id: string; readonly microcents: number; readonly tokens?: number }): Promise<Awaited<ReturnType<Store['record']>>> {
    const { id, microcents, tokens = 0, ...rest } = request
    const facts = { user: { userId: 'ann' }, tier: 'free', model: 'large' }
    return this.#told(this.store.record({ id, fingerprint: `record ${id}`, idGiven: true, scopes, amounts: { microcents, tokens }, facts, ...rest }))
  }

  refund(request: Partial<RefundRequest> & { readonly id: string; readonly microcents: number }): Promise<Awaited<ReturnType<Store['refund']>>> {
    return this.#told(this.store.refund({ fingerprint: `refund ${request.id}`, user: { userId: 'ann' }, ...request }))
  }

  /** Begins the windows of a scope anew that began before `since`: before now, unless told otherwise. */
  restart(terms: ScopeTerms, since = this.clock()): Promise<Restarted> {
    return this.#told(this.store.restart({ ...terms, since }))
  }

  /** The windows that were begun anew since the last time, as scope, window, start and end. */
  resets(): (string | number)[][] {
    return this.effects.splice(0).flatMap((effect) => (effect.kind === 'window-reset' ? [[effect.scope.id, effect.window, effect.startsAt, effect.endsAt]] : [])).sort()
  }

  /** Every window of these scopes. */
  async standings(...scopes: readonly ScopeTerms[]): Promise<Standing[]> {
    const { readings } = await this.#told(this.store.read(scopes))
    const standings: Standing[] = []
    for (let at = 0; at < readings.length; at += 4) {
      const [startsAt, endsAt, spent, held] = readings.slice(at, at + 4) as [number, number, number, number]
      standings.push({ startsAt, endsAt, spent, held })
    }
    return standings
  }

  /** Spent and held of every window of these scopes, as pairs. */
  async counted(...scopes: readonly ScopeTerms[]): Promise<[number, number][]> {
    return (await this.standings(...scopes)).map(({ spent, held }) => [spent, held])
  }

  /** The thresholds that were announced since the last time, as window and percent. */
  alerts(): string[] {
    const alerts = this.effects.splice(0).flatMap((effect) => (effect.kind === 'threshold' ? [`${effect.scope.id} ${effect.window} ${effect.thresholdPct}`] : []))
    return alerts
  }

  /** The ledger as kind, id, microcents and tokens. */
  async ledger(): Promise<string[]> {
    const lines: string[] = []
    for await (const { kind, decisionId, microcents, tokens } of this.store.ledger.entries()) lines.push(`${kind} ${decisionId} ${microcents} ${tokens}`)
    return lines
  }

  async #told<Reply extends object>(answer: Reply | Promise<Reply>): Promise<Reply> {
    const reply = await answer
    if ('effects' in reply) this.effects.push(...(reply.effects as readonly Effect[]))
    return reply
  }
}

/** Every entry of the ledger. */
export async function entriesOf({ store }: Bench): Promise<LedgerEntry[]> {
  const entries: LedgerEntry[] = []
  for await (const entry of store.ledger.entries()) entries.push(entry)
  return entries
}

/** Throws unless an audit finds nothing. Where a store declares no auditor, there is nothing to find. */
export async function isClean({ store }: Bench, when: string): Promise<void> {
  if (store.auditor === undefined) return
  const { status, differences } = await audit(store, {}, () => crypto.randomUUID())
  equal([status, ...differences.map(({ scope, window, what, exact }) => `${scope.id} ${window} ${what}: ${exact.counted - exact.expected}`)], ['clean'], `an audit ${when}`)
}

/** Throws unless both are the same plain data. */
export function equal(actual: unknown, expected: unknown, what: string): void {
  if (shown(actual) !== shown(expected)) throw new Error(`${what}: is ${shown(actual)}, must be ${shown(expected)}`)
}

/** Throws unless an answer is of this outcome (and says so of the state, where one is named). */
export function outcomeIs(reply: Failure | { readonly outcome: string }, outcome: string, what: string, state?: string): void {
  const given = 'state' in reply ? `${reply.outcome} (${reply.state})` : reply.outcome
  equal(given, state === undefined ? outcome : `${outcome} (${state})`, what)
}

function shown(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) => (isPlain(inner) ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1))) : inner)) ?? 'undefined'
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
