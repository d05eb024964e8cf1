// Traces: lists of commands as plain data, and the stage on which they are played: a Bursar on a store, a clock with hands, and
// what was seen. A command never fails: what bursar throws is part of what was seen.

import { AsyncLocalStorage } from 'node:async_hooks'
import fc from 'fast-check'
import { Bursar, isBursarError, type AllowedDecision, type CheckRequest, type Decision, type Store, type ThresholdEvent } from '../../src/index.js'
import { scopeKey, userScope } from '../../src/budget/index.js'
import type { CostDetails } from '../../src/ledger/index.js'
import type { Effect, MaybePromise, Reading, ScopeTerms } from '../../src/store/index.js'
import { manualClock } from '../../src/testing/index.js'
import { calendarFor } from '../../src/time/index.js'
import type { StoreFactory } from './property.js'
import { witness, type Witnessed } from './witness.js'
import { MODELS, TEAMS, TENANTS, TIERS, usd, USERS, worlds, ZONES, type World } from './world.js'

/** What the running command says of how its cost was found, which the engine passes no further. One for all traces: each costs every promise something. */
const foundByCommand = new AsyncLocalStorage<Found>()

interface Who {
  readonly userId: string
  readonly tenant?: string
  readonly userTier?: string
}

/** What a store is told of an ending beside its cost: how that was found, and whose model answered. */
interface Found {
  readonly provider?: string
  readonly details?: CostDetails
}

/** One step of a trace. `which` picks among the decisions so far. */
export type Command =
  | { readonly do: 'check'; readonly who: Who; readonly team?: string; readonly model?: string; readonly provider?: string; readonly microcents: number; readonly tokens: number; readonly key?: string; readonly ttlMs?: number }
  | { readonly do: 'settle'; readonly which: number; readonly by: number; readonly tokens?: number; readonly found?: Found }
  | { readonly do: 'release'; readonly which: number }
  | { readonly do: 'extend'; readonly which: number; readonly ttlMs: number }
  | { readonly do: 'unknown'; readonly operation: 'settle' | 'release' | 'extend' }
  | { readonly do: 'record'; readonly who: Who; readonly team?: string; readonly microcents: number; readonly tokens: number; readonly key?: string; readonly found?: Found }
  | { readonly do: 'refund'; readonly who: Who; readonly microcents: number; readonly of?: number; readonly key?: string }
  | { readonly do: 'tier'; readonly who: Who; readonly tier: string | null }
  | { readonly do: 'override'; readonly who: Who; readonly period: 'daily' | 'weekly' | 'hour'; readonly microcents: number | null; readonly forMs?: number }
  | { readonly do: 'summary'; readonly who: Who }
  | { readonly do: 'advance'; readonly byMs: number }
  | { readonly do: 'boundary'; readonly unit: 'day' | 'week' | 'month'; readonly zone: string; readonly offsetMs: number }
  /**
   * Begins the windows anew of the user of a decision, else of `who`, that began before then: before the start of the running day, week
   * or month in a zone, else before now, each with an offset.
   */
  | { readonly do: 'restart'; readonly who: Who; readonly of?: number; readonly unit?: 'day' | 'week' | 'month'; readonly zone: string; readonly offsetMs: number }
  /** The same call with the same key once more. */
  | { readonly do: 'again'; readonly which: number }
  | { readonly do: 'batch'; readonly commands: readonly Command[] }

type Single = Exclude<Command, { do: 'batch' }>

const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

const who: fc.Arbitrary<Who> = fc.record(
  { userId: fc.constantFrom(...USERS), tenant: fc.constantFrom(...TENANTS), userTier: fc.constantFrom(...TIERS) },
  { requiredKeys: ['userId'] },
)
const key = fc.constantFrom('k1', 'k2', 'k3', 'k4')
const microcents = fc.nat({ max: 30 })
const tokens = fc.nat({ max: 20 })
const which = fc.nat({ max: 1_000 })
const ttlMs = fc.constantFrom(SECOND, MINUTE, 20 * MINUTE, DAY)
const team = fc.constantFrom(...TEAMS)

const provider = fc.constantFrom('openai', 'azure', 'bedrock')
const counts = fc.dictionary(fc.constantFrom('inputTokens', 'outputTokens', 'grüße "🙂"\0', '=1+1'), fc.nat())
const found: fc.Arbitrary<Found> = fc.record(
  { provider, details: fc.record({ priceVersion: fc.constantFrom('2026-01-15', 'a"b\n'), estimated: fc.constant(true as const), usage: counts, labels: counts }, { requiredKeys: [] }) },
  { requiredKeys: [] },
)

const check: fc.Arbitrary<Command> = fc
  .record(
    { do: fc.constant('check' as const), who, team, model: fc.constantFrom(...MODELS), provider, microcents, tokens, key: fc.option(key, { freq: 3, nil: undefined }), ttlMs },
    { requiredKeys: ['do', 'who', 'microcents', 'tokens'] },
  )
  .map(({ key: id, ...rest }) => (id === undefined ? rest : { ...rest, key: id }))
const settle: fc.Arbitrary<Command> = fc.record({ do: fc.constant('settle' as const), which, by: fc.constantFrom(0, 0, -100, -3, -1, 1, 7), tokens, found }, { requiredKeys: ['do', 'which', 'by'] })
const release: fc.Arbitrary<Command> = fc.record({ do: fc.constant('release' as const), which })
const extend: fc.Arbitrary<Command> = fc.record({ do: fc.constant('extend' as const), which, ttlMs })
const record: fc.Arbitrary<Command> = fc.record({ do: fc.constant('record' as const), who, team, microcents, tokens, key, found }, { requiredKeys: ['do', 'who', 'microcents', 'tokens'] })
const refund: fc.Arbitrary<Command> = fc.record({ do: fc.constant('refund' as const), who, microcents, of: which, key }, { requiredKeys: ['do', 'who', 'microcents'] })
const restart: fc.Arbitrary<Command> = fc.record(
  {
    do: fc.constant('restart' as const),
    who,
    of: which,
    unit: fc.constantFrom('day' as const, 'week' as const, 'month' as const),
    zone: fc.constantFrom(...ZONES),
    offsetMs: fc.constantFrom(0, 0, 0, 1, -1, HOUR, -HOUR, 13 * HOUR, -DAY, 31 * DAY),
  },
  { requiredKeys: ['do', 'who', 'zone', 'offsetMs'] },
)
const again: fc.Arbitrary<Command> = fc.record({ do: fc.constant('again' as const), which })
const concurrent = fc.oneof({ weight: 1, arbitrary: again }, { weight: 5, arbitrary: check }, { weight: 2, arbitrary: settle }, { weight: 1, arbitrary: release }, { weight: 1, arbitrary: refund })

const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 10, arbitrary: check },
  { weight: 7, arbitrary: settle },
  { weight: 2, arbitrary: release },
  { weight: 2, arbitrary: extend },
  { weight: 3, arbitrary: again },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('unknown' as const), operation: fc.constantFrom('settle' as const, 'release' as const, 'extend' as const) }) },
  { weight: 2, arbitrary: record },
  { weight: 2, arbitrary: refund },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('tier' as const), who, tier: fc.constantFrom(...TIERS, null) }) },
  {
    weight: 1,
    arbitrary: fc.record(
      { do: fc.constant('override' as const), who, period: fc.constantFrom('daily' as const, 'weekly' as const, 'hour' as const), microcents: fc.option(fc.nat({ max: 60 })), forMs: fc.constantFrom(MINUTE, DAY) },
      { requiredKeys: ['do', 'who', 'period', 'microcents'] },
    ),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('summary' as const), who }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('advance' as const), byMs: fc.constantFrom(1, 3 * SECOND, MINUTE, 9 * MINUTE, 10 * MINUTE, HOUR, 13 * HOUR, DAY, 31 * DAY, -MINUTE, -DAY) }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('boundary' as const), unit: fc.constantFrom('day' as const, 'day' as const, 'week' as const, 'month' as const), zone: fc.constantFrom(...ZONES), offsetMs: fc.constantFrom(-1, 0, 1) }),
  },
  { weight: 3, arbitrary: restart },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('batch' as const), commands: fc.array(concurrent, { minLength: 2, maxLength: 6 }) }) },
)

/** A world and what happens in it: at least 20 commands. */
export const traces: fc.Arbitrary<{ readonly world: World; readonly commands: readonly Command[] }> = fc.record({
  world: worlds,
  commands: fc.array(command, { minLength: 20, maxLength: 36 }),
})

/** What one command led to, as plain data. */
export type Seen = { readonly error: string } | { readonly decision: Decision } | { readonly reply: unknown }

/** Plays commands on a store. */
export class Stage {
  readonly clock
  readonly store: Store
  readonly bursar: Bursar<string, string>
  readonly world: World
  readonly decisions: AllowedDecision[] = []
  /** Alerts of windows that were running. Whether a late settle still announces a window that has ended depends on eviction. */
  readonly alerts: ThresholdEvent[] = []
  readonly alertIds: string[] = []
  #storeTime = 0
  readonly #watched: Store
  /** What a restart told of that the engine, which did not ask for it, has yet to hear. */
  #untold: readonly Effect[] = []
  readonly #keyed: Single[] = []
  /** What `onAnswer` threw: the engine would take it for a failure of the store, so it is kept until the command has ended. */
  readonly #faults: unknown[] = []
  /** Every scope that was ever asked about, with all its windows. */
  readonly scopes = new Map<string, ScopeTerms>()

  constructor(world: World, open: StoreFactory, onAnswer: (seen: Witnessed) => void = () => {}) {
    this.world = world
    this.clock = manualClock(world.start)
    this.store = open(this.clock)
    const watched = witness(this.store, (seen) => {
      this.#storeTime = Math.max(this.#storeTime, this.clock())
      if (seen.operation === 'reserve' || seen.operation === 'record') for (const scope of seen.request.scopes) this.#know(scope)
      this.guarded(() => onAnswer(seen))
    })
    this.#watched = watched
    // What is written in the background, of decisions that a shared store remembers, moves store time at instants of its own: no operation of the trace.
    this.bursar = new Bursar({ decisionLog: { keep: 'none' }, ...world.config, store: { ...watched, ...this.#toldOfCosts(watched), read: (scopes) => this.#withUntold(watched.read(scopes)) }, clock: this.clock })
    this.bursar.on('threshold', (alert) => {
      this.alertIds.push(alert.alertId)
      if ((alert.resetsAt?.getTime() ?? Infinity) > this.#storeTime) this.alerts.push(alert)
    })
    this.bursar.on('hold-expired', () => {})
  }

  /** Plays one command; a batch runs its commands at the same time. */
  async play(command: Command): Promise<readonly Seen[]> {
    const seen = await Promise.all((command.do === 'batch' ? command.commands : [command]).map((each) => this.#outcome(each as Single)))
    if (this.#faults.length > 0) throw this.#faults[0]
    return seen
  }

  /** Runs a check within the store's answer; what it throws ends the trace after the running command. */
  guarded(check: () => void): void {
    try {
      check()
    } catch (error) {
      this.#faults.push(error)
    }
  }

  async #outcome(command: Single): Promise<Seen> {
    try {
      const seen = await this.#run(command)
      if ('decision' in seen && seen.decision.enforcedBy === 'none') throw new Error('the store failed')
      return seen
    } catch (error) {
      if (!isBursarError(error)) throw error
      return { error: error.code }
    }
  }

  async #run(command: Single): Promise<Seen> {
    const { bursar, clock } = this
    if ('key' in command && command.key !== undefined) this.#keyed.push(command)
    switch (command.do) {
      case 'check': {
        const decision = await bursar.check(requestOf(command))
        if (decision.allowed) this.decisions.push(decision)
        return { decision }
      }
      case 'settle': {
        const decision = this.#decision(command.which)
        if (decision === undefined) return { reply: 'none' }
        const estimate = Math.round(decision.estimatedCost * 1e8)
        const cost = usd(Math.max(0, estimate + command.by))
        return { reply: await foundByCommand.run(command.found ?? {}, () => decision.settle({ cost, ...(command.tokens !== undefined && { tokens: command.tokens }) })) }
      }
      case 'release':
        return { reply: await this.#decision(command.which)?.release() }
      case 'extend':
        return { reply: await this.#decision(command.which)?.extend(command.ttlMs) }
      case 'unknown':
        if (command.operation === 'settle') return { reply: await bursar.settle('nobody', { cost: 0 }) }
        return { reply: await (command.operation === 'release' ? bursar.release('nobody') : bursar.extend('nobody')) }
      case 'record': {
        const { who: spender, team: ofTeam, microcents: cost, tokens: used, key: idempotencyKey } = command
        const { exact, replayed } = await foundByCommand.run(command.found ?? {}, () =>
          bursar.tracker.addCost({ ...spender, cost: usd(cost), tokens: used, ...(ofTeam !== undefined && { scopes: { team: ofTeam } }), ...(idempotencyKey !== undefined && { idempotencyKey }) }),
        )
        return { reply: { exact, replayed } }
      }
      case 'refund': {
        const named = command.of === undefined ? undefined : this.#decision(command.of)
        const owner = userOf(named?.context ?? command.who)
        const { exact, replayed } = await bursar.tracker.refund({
          ...owner,
          cost: usd(command.microcents),
          ...(named !== undefined && { decisionId: named.id }),
          ...(command.key !== undefined && { idempotencyKey: command.key }),
        })
        return { reply: { exact, replayed } }
      }
      case 'again': {
        const before = this.#keyed.at(-1 - (command.which % Math.max(1, Math.min(this.#keyed.length, 4))))
        return before === undefined ? { reply: 'none' } : this.#run(before)
      }
      case 'tier':
        return { reply: await bursar.tracker.setUserTier(userOf(command.who), command.tier) }
      case 'override': {
        const amount = command.microcents === null ? null : usd(command.microcents)
        const budget = command.period === 'hour' ? { rolling: { '1h': amount } } : { [command.period]: amount }
        return { reply: await bursar.tracker.updateUserBudget(userOf(command.who), budget, command.forMs === undefined ? {} : { until: clock() + command.forMs }) }
      }
      case 'summary': {
        const { periodCosts, held, budgetExceeded } = await bursar.tracker.getUserSummary(userOf(command.who), command.who.userTier)
        return { reply: { periodCosts, held, budgetExceeded } }
      }
      case 'restart': {
        const owner = userOf((command.of === undefined ? undefined : this.#decision(command.of))?.context ?? command.who)
        const scope = userScope(owner)
        const from = command.unit === undefined ? clock() : calendarOf(command.unit, command.zone).at(clock()).startsAt
        const { windows } = this.scopes.get(scopeKey(scope)) ?? { windows: [] }
        const { now, begun, effects } = await this.#watched.restart({ scope, key: scopeKey(scope), windows, since: from + command.offsetMs })
        this.#untold = [...this.#untold, ...effects]
        await bursar.tracker.getUserSummary(owner, command.who.userTier)
        // Not which of them had been used: a scope whose windows ended long ago may be forgotten, or not yet.
        return { reply: { now, begun } }
      }
      case 'advance':
        clock.set(clock() + command.byMs)
        return { reply: 'time' }
      case 'boundary':
        clock.set(calendarOf(command.unit, command.zone).at(clock()).endsAt + command.offsetMs)
        return { reply: 'time' }
    }
  }

  #toldOfCosts(store: Store): Pick<Store, 'settle' | 'record'> {
    return {
      settle: (request) => store.settle({ ...request, ...foundByCommand.getStore() }),
      record: (request) => store.record({ ...request, details: foundByCommand.getStore()?.details ?? request.details }),
    }
  }

  #withUntold(answer: MaybePromise<Reading>): MaybePromise<Reading> {
    if (this.#untold.length === 0) return answer
    if (answer instanceof Promise) return answer.then((reading) => this.#withUntold(reading))
    const effects = [...this.#untold, ...(answer as Reading).effects]
    this.#untold = []
    return { ...(answer as Reading), effects }
  }

  #decision(which: number): AllowedDecision | undefined {
    return this.decisions.length === 0 ? undefined : this.decisions.at(-1 - (which % Math.min(this.decisions.length, 8)))
  }

  /** Windows of one scope differ by tier and override: all of them are kept, each once. */
  #know(scope: ScopeTerms): void {
    const known = this.scopes.get(scope.key)
    if (known === undefined) {
      this.scopes.set(scope.key, scope)
      return
    }
    const added = scope.windows.filter((terms) => !known.windows.some((each) => each.window === terms.window))
    if (added.length > 0) this.scopes.set(scope.key, { ...known, windows: [...known.windows, ...added] })
  }
}

/** The request of a check command. */
export function requestOf(command: Extract<Command, { do: 'check' }>): CheckRequest<string, string> {
  const { who: spender, team: ofTeam, model, provider: owner, microcents: cost, tokens: used, key: idempotencyKey, ttlMs: holdTtl } = command
  return {
    ...spender,
    ...(model !== undefined && { model }),
    ...(owner !== undefined && { provider: owner }),
    estimatedCost: usd(cost),
    inputTokens: used,
    maxOutputTokens: 0,
    ...(idempotencyKey !== undefined && { idempotencyKey }),
    ...(holdTtl !== undefined && { holdTtl }),
    ...(ofTeam !== undefined && { scopes: { team: ofTeam } }),
  }
}

/** The key under which a store counts a window's scope. */
export function keyOf(scope: Parameters<typeof scopeKey>[0]): string {
  return scopeKey(scope)
}

function calendarOf(unit: 'day' | 'week' | 'month', timeZone: string): ReturnType<typeof calendarFor> {
  return calendarFor({ unit, timeZone, weekStartsOn: 1, monthStartsOn: 1 })
}

function userOf({ userId, tenant }: { readonly userId: string; readonly tenant?: string | undefined }): { userId: string; tenant?: string } {
  return tenant === undefined ? { userId } : { userId, tenant }
}
