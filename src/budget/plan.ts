// The whole configuration of budgets, compiled: which windows a request counts in, for whom, and with which limits. Knows who
// a user is and what a tier is; knows no policy and no store.

import { InvalidConfigError, UnknownScopeError, UnknownTierError } from '../errors/index.js'
import type { ScopeId } from '../enforcement/index.js'
import type { Unit } from '../money/index.js'
import { subscriptionCalendarFor, type PaidPeriod, type Tiling } from '../time/index.js'
import type { UserRef } from './scope.js'
import type { BudgetConfig, CalendarConfig, ScopeGroups, TierBudgetConfig } from './schema.js'
import { ALWAYS_COUNTED, calendarOf, periodsOf, unlimited, windowName, windowsOf, withMonths, type BudgetWindow, type Calendars, type Limits } from './window.js'

/** A budget as a list of windows. Its identity stands for its contents: it is frozen, and made once for equal settings. */
export interface CompiledBudget {
  readonly windows: readonly BudgetWindow[]
  /** The path in the configuration, for error messages. */
  readonly path: string
  readonly policies: BudgetConfig['policies']
  /** Set for a budget that was made at run time: see {@link limitBudget}. `onlyAlerts`: nothing of it refuses a request. */
  readonly limit?: { readonly onlyAlerts: boolean } | undefined
}

/** One scope that a request counts in. */
export interface PlannedScope {
  readonly scope: ScopeId
  readonly budget: CompiledBudget
}

/** Who spends: the part of a request that budgets depend on. */
export interface Spender {
  readonly user: UserRef
  /** The tier that the request names. */
  readonly tier: string | undefined
  /** Scope ids by kind that the request names. */
  readonly scopes?: Readonly<Record<string, string | undefined>> | undefined
  /** The id of the user's session that it counts in, with all that this one is nested in. */
  readonly session?: string | undefined
}

/** What a plan is made of. */
export interface PlanConfig extends CalendarConfig {
  readonly tiers: Readonly<Record<string, TierBudgetConfig>>
  readonly defaultTier?: string | undefined
  readonly onUnknownTier?: string | undefined
  readonly global?: BudgetConfig | undefined
  readonly scopes?: ScopeGroups | undefined
}

/** A limit that one user has instead of the tier's (`null`: none), until a moment (ms since the epoch) or for good. */
export interface Override {
  readonly limit: number | null
  readonly until: number | null
}

/** A user's overrides, each under its {@link overrideKey}. */
export type Overrides = Readonly<Record<string, Override>>

/**
 * The key of an override: period and unit, such as `daily/usd`. One with an end has a key of its own, so that the lasting one is
 * there again when it ends.
 */
export function overrideKey(period: string, unit: Unit, ends: boolean): string {
  return `${period}/${unit}${ends ? ENDS : ''}`
}

const ENDS = ' (ends)'
const WILDCARD = '*'
/** Of an id that only a limit speaks of: the limit has a scope of its own. */
const NO_BUDGET: CompiledBudget = Object.freeze({ windows: Object.freeze([]), path: 'a scope that is known by its limits', policies: undefined })
const NONE: readonly PlannedScope[] = Object.freeze([])
const RESERVED_GROUPS = ['user', 'global', 'session', 'limit']

/** The compiled configuration. Throws `InvalidConfigError` and `InvalidAmountError` with the path of what is wrong. */
export class BudgetPlan {
  readonly config: PlanConfig
  readonly #tiers = new Map<string, CompiledBudget>()
  readonly #followingTiers: ReadonlySet<string>
  /** The budgets of tiers that follow a subscription, by its months. */
  readonly #following = new WeakMap<Tiling, Map<string, CompiledBudget>>()
  readonly #groups = new Map<string, Map<string, CompiledBudget>>()
  readonly #global: PlannedScope | undefined
  readonly #withoutTier: CompiledBudget
  readonly #counted = new Map<string, BudgetWindow>()

  constructor(config: PlanConfig) {
    this.config = config
    this.#followingTiers = new Set(Object.entries(config.tiers).flatMap(([tier, { monthly }]) => (typeof monthly === 'object' && 'anchor' in monthly && monthly.anchor === 'subscription' ? [tier] : [])))
    const compiled = Object.entries(config.tiers).map(([tier, budget]) => {
      if (budget.policies !== undefined) {
        throw new InvalidConfigError(`tiers.${tier}.policies: a tier's budget is judged by the registered policies. Register the policy, or name the tier in definePolicy({ tiers }).`)
      }
      return [tier, budget, compile(budget, config, `tiers.${tier}`)] as const
    })
    // A user is counted in every window that any tier names, so that a change of tier finds true usage (DESIGN 3.1).
    const always = new Map<string, Limits>(ALWAYS_COUNTED.map((period) => [period, { usd: 0 }]))
    for (const window of windowsOf(always, config)) this.#counted.set(window.window, window)
    for (const [, , own] of compiled) for (const window of own.windows) if (!this.#counted.has(window.window)) this.#counted.set(window.window, window)
    for (const [tier, budget, own] of compiled) this.#tiers.set(tier, { ...own, windows: this.#complete(own.windows, calendarOf(budget, config)) })
    this.#withoutTier = { path: 'users without a tier', policies: undefined, windows: this.#complete([], config) }
    if (config.global !== undefined) this.#global = planned({ kind: 'global', id: 'global' }, compile(config.global, config, 'global'))
    for (const [kind, group] of Object.entries(config.scopes ?? {})) this.#groups.set(kind, this.#compileGroup(kind, group))
    this.#knownTier(config.defaultTier, 'defaultTier')
    this.#knownTier(config.onUnknownTier, 'onUnknownTier')
  }

  /** The names of the tiers, in the order of the configuration. */
  get tiers(): readonly string[] {
    return [...this.#tiers.keys()]
  }

  /** Every budget of the plan, once: a tier's with the tier's name, a shared one with its kind. */
  *budgets(): Generator<{ readonly kind: string; readonly tier: string | undefined; readonly budget: CompiledBudget }> {
    for (const [tier, budget] of this.#tiers) yield { kind: 'user', tier, budget }
    if (this.#global !== undefined) yield { kind: 'global', tier: undefined, budget: this.#global.budget }
    for (const [kind, group] of this.#groups) for (const budget of group.values()) yield { kind, tier: undefined, budget }
  }

  /**
   * The tier that rules: the request's own, else the directory's, else `defaultTier`, else a tier called `default`. Throws
   * `UnknownTierError` for a name that the configuration lacks (unless `onUnknownTier` names another) and where nothing names a tier.
   */
  tierOf(requested: string | undefined, stored: string | undefined): string | undefined {
    const name = requested ?? stored ?? this.config.defaultTier ?? (this.#tiers.has('default') ? 'default' : undefined)
    if (name !== undefined && this.#tiers.has(name)) return name
    if (name !== undefined && this.config.onUnknownTier !== undefined) return this.config.onUnknownTier
    if (name !== undefined) throw new UnknownTierError(`userTier: "${name}" is no tier of the configuration. ${this.#tierRemedy()}`, name)
    if (this.#tiers.size === 0) return undefined
    throw new UnknownTierError(`userTier: the request names no tier, nobody has stored one for this user (tracker.setUserTier), and there is no defaultTier. Name it where you ask. ${this.#tierRemedy()}`, undefined)
  }

  /** True where a tier's months are those of the user's subscription: its budget depends on the period that a user has paid for. */
  followsSubscription(tier: string | undefined): boolean {
    return tier !== undefined && this.#followingTiers.has(tier)
  }

  /**
   * The user's own budget: the tier's, with those overrides over it that are still valid at `now`. Where the tier follows the
   * subscription, its monthly windows are those of the period that the user has paid for, under the names that they have in every
   * tier; without a period, and in every other tier, they are the calendar's.
   */
  userBudget(tier: string | undefined, overrides?: Overrides, now = 0, period?: PaidPeriod): CompiledBudget {
    const months = period !== undefined && this.followsSubscription(tier) ? subscriptionCalendarFor(period) : undefined
    const base = months === undefined ? this.#baseOf(tier) : this.#followingBase(tier as string, months)
    if (overrides === undefined) return base
    const valid = Object.entries(overrides).filter(([, override]) => override.until === null || override.until > now)
    if (valid.length === 0) return base
    const calendars = { ...calendarOf((tier === undefined ? undefined : this.config.tiers[tier]) ?? {}, this.config), months }
    const own = new Map<string, BudgetWindow | undefined>()
    // Those with an end come last: they stand over the lasting ones.
    for (const [key, { limit }] of valid.sort(([a], [b]) => Number(a.endsWith(ENDS)) - Number(b.endsWith(ENDS)))) {
      const [period, unit] = key.replace(ENDS, '').split('/') as [string, Unit]
      own.set(windowName(period, unit), limit === null ? undefined : windowsOf(new Map([[period, { [unit]: limit }]]), calendars)[0])
    }
    const kept = base.windows.filter(({ window }) => !own.has(window))
    const windows = this.#complete([...kept, ...[...own.values()].filter((window) => window !== undefined)], calendars)
    return { path: `the overrides of a user of tier ${tier ?? '(none)'}`, policies: undefined, windows }
  }

  /** The configured groups of shared budgets. */
  get groups(): readonly string[] {
    return [...this.#groups.keys()]
  }

  /** The shared scopes that the configuration names one by one: `global`, and each id of a group (all but `'*'`). */
  namedScopes(): readonly PlannedScope[] {
    const named = [...this.#groups].flatMap(([kind, group]) => [...group].filter(([id]) => id !== WILDCARD).map(([id, budget]) => planned({ kind, id }, budget)))
    return this.#global === undefined ? named : [this.#global, ...named]
  }

  /**
   * The shared scopes that a request of a spender of this tier counts in. Throws `UnknownScopeError` for an id that its group lacks,
   * unless `isKnown` knows it from elsewhere.
   */
  sharedScopes(spender: Spender, tier: string | undefined, isKnown?: (kind: string, id: string) => boolean): readonly PlannedScope[] {
    if (this.#global === undefined && this.#groups.size === 0 && spender.scopes === undefined) return NONE
    const found: PlannedScope[] = this.#global === undefined ? [] : [this.#global]
    const { tenant } = spender.user
    if (tenant !== undefined && this.#groups.has('tenant')) found.push(this.#named('tenant', tenant, isKnown))
    const pool = tier === undefined ? undefined : this.#groups.get('tier')?.get(tier)
    if (tier !== undefined && pool !== undefined) found.push(planned({ kind: 'tier', id: tier }, pool))
    for (const [kind, id] of Object.entries(spender.scopes ?? {})) {
      if (id === undefined) continue
      if (kind === 'tenant' || kind === 'tier') throw new UnknownScopeError(`scopes.${kind}: is not named here. Give the request's ${kind === 'tenant' ? 'tenant' : 'userTier'}.`)
      found.push(this.#named(kind, id, isKnown))
    }
    return found.filter((scope) => scope.budget.windows.length > 0)
  }

  #named(kind: string, id: string, isKnown?: (kind: string, id: string) => boolean): PlannedScope {
    const group = this.#groups.get(kind)
    if (group === undefined) throw new UnknownScopeError(`scopes.${kind}: no such group is configured. Add scopes.${kind} to the configuration, or leave it out of the request.`)
    const budget = group.get(id) ?? group.get(WILDCARD)
    if (budget === undefined && isKnown?.(kind, id) === true) return planned({ kind, id }, NO_BUDGET)
    if (budget === undefined) {
      const where = kind === 'tenant' ? 'tenant' : `scopes.${kind}`
      throw new UnknownScopeError(`${where}: "${id}" has no entry in the configuration's scopes.${kind}. Add one, or '*' for all others ('*': {} is without a limit).`)
    }
    return planned({ kind, id }, budget)
  }

  #compileGroup(kind: string, group: Readonly<Record<string, BudgetConfig>>): Map<string, CompiledBudget> {
    if (RESERVED_GROUPS.includes(kind)) throw new InvalidConfigError(`scopes.${kind}: the name is taken. Use ${kind === 'global' ? 'the option global' : kind === 'user' ? 'tiers' : 'another name'}.`)
    if (kind === 'tier') for (const tier of Object.keys(group)) this.#knownTier(tier, `scopes.tier.${tier}`)
    return new Map(Object.entries(group).map(([id, budget]) => [id, compile(budget, this.config, `scopes.${kind}.${id}`)]))
  }

  #baseOf(tier: string | undefined): CompiledBudget {
    return (tier === undefined ? undefined : this.#tiers.get(tier)) ?? this.#withoutTier
  }

  #followingBase(tier: string, months: Tiling): CompiledBudget {
    let byTier = this.#following.get(months)
    if (byTier === undefined) {
      byTier = new Map()
      this.#following.set(months, byTier)
    }
    let budget = byTier.get(tier)
    if (budget === undefined) {
      const base = this.#baseOf(tier)
      budget = Object.freeze({ ...base, windows: withMonths(base.windows, months) })
      byTier.set(tier, budget)
    }
    return budget
  }

  #complete(own: readonly BudgetWindow[], calendars: Calendars): readonly BudgetWindow[] {
    const limited = new Map(own.map((window) => [window.window, window]))
    const counted = [...this.#counted].map(([name, window]) => limited.get(name) ?? unlimited(window, calendars))
    return Object.freeze([...counted, ...own.filter((window) => !this.#counted.has(window.window))])
  }

  #knownTier(tier: string | undefined, field: string): void {
    if (tier !== undefined && !this.#tiers.has(tier)) throw new InvalidConfigError(`${field}: "${tier}" is no tier of the configuration. ${this.#tierRemedy()}`)
  }

  #tierRemedy(): string {
    return this.#tiers.size === 0 ? 'The configuration has no tiers: add them under tiers.' : `The tiers are ${this.tiers.join(', ')}.`
  }
}

function compile(budget: BudgetConfig, defaults: CalendarConfig, path: string): CompiledBudget {
  const windows = windowsOf(periodsOf(budget, path), calendarOf(budget, defaults))
  return Object.freeze({ windows: Object.freeze(windows), path, policies: budget.policies })
}

function planned(scope: ScopeId, budget: CompiledBudget): PlannedScope {
  return { scope, budget }
}
