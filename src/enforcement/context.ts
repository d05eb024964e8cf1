// What a policy sees of one request: frozen data, in the units that people read, with the exact integers beside them.
// Built from readings that a store gave; knows no store and no policy.

import { InvalidRequestError } from '../errors/index.js'
import { parseUsd, toPublic, type Unit } from '../money/index.js'
import { FixedDate } from '../time/index.js'
import { percentOf } from './thresholds.js'

/** How a user stands with the payment provider: see {@link EnforcementContext.standing}. */
export type Standing = 'active' | 'trialing' | 'grace' | 'past_due' | 'none'

/** Whose money a window counts: `kind` is `user`, `global`, `tenant`, `tier`, `session`, `limit` or a name of the caller's own. */
export interface ScopeId {
  readonly kind: string
  readonly id: string
  /** The tenant that the scope belongs to, where it belongs to one. */
  readonly tenant?: string | undefined
}

/** A scope for a sentence: `user ada`, `team search`, `everybody`. */
export function describeScope({ kind, id }: ScopeId): string {
  return kind === 'global' ? 'everybody' : `${kind} ${id}`
}

/** One window of one scope as it stood when the request was tested. Money is USD numbers; `exact` has the integers. */
export interface WindowView {
  readonly scope: ScopeId
  /** `daily`, `weekly`, `monthly`, `total`, or `rolling:` and the length in its shortest form, such as `rolling:5h`. */
  readonly period: string
  readonly unit: Unit
  /** `null`: counted, but without a limit. */
  readonly limit: number | null
  readonly spent: number
  readonly held: number
  /** limit − spent − held, never below 0; `null` without a limit. */
  readonly remaining: number | null
  /** 100 × (spent + held) / limit, before this request. Rounded to 0.01: down up to the limit, up above it. */
  readonly usedPct: number
  /** The same with this request's estimate. */
  readonly projectedPct: number
  /** The request would pass the limit, or the limit was reached before it. */
  readonly exceeded: boolean
  readonly startsAt: Date
  /** When the window ends (a rolling one: when all that it counts now will have left it); `null` for `total`. */
  readonly resetsAt: Date | null
  /** The same amounts as integers: microcents for money. */
  readonly exact: { readonly limit: number | null; readonly spent: number; readonly held: number; readonly estimate: number }
  /** Set for a window of a limit that was made with `mode: 'alert'`: full or not, it refuses nothing. Absent for every other. */
  readonly alertOnly?: true | undefined
}

/**
 * What a policy decides on. The single fields are those of the fullest of the user's own windows that the registered policies
 * judge; `windows` has every window of every scope (DESIGN 3.2), also of limits that only alert: a function that refuses by what is
 * `exceeded` there leaves out those that say `alertOnly`. Frozen: a policy can only look.
 */
export interface EnforcementContext {
  readonly userId: string
  readonly userTier: string | undefined
  readonly tenant: string | undefined
  /**
   * How the user stands with the payment provider, by the directory: `active`, `trialing`, `grace` (past due, but not yet for long
   * enough to matter), `past_due`, or `none` (nothing is paid for); `undefined` where no provider has said anything.
   */
  readonly standing: Standing | undefined
  /** spent + held of the fullest window, before this request, in `unit`. */
  readonly currentCost: number
  /** What this request is expected to cost, in `unit`. */
  readonly estimatedCost: number
  /** currentCost + estimatedCost. */
  readonly totalCost: number
  readonly budgetLimit: number | null
  /** How full the window would be with this request, in percent. */
  readonly budgetUsedPct: number
  readonly budgetExceeded: boolean
  readonly periodName: string | undefined
  /** The unit of the single fields: `'usd'`, unless a token window is the fullest. */
  readonly unit: Unit
  readonly model: string | undefined
  readonly provider: string | undefined
  readonly query: string | undefined
  /** Estimated tokens of the request, where they were given. */
  readonly tokens: number | undefined
  readonly metadata: Readonly<Record<string, unknown>>
  /** What `enrich` loaded for the policies. */
  readonly facts: Readonly<Record<string, unknown>>
  readonly now: Date
  readonly windows: readonly WindowView[]
}

/**
 * The least that a policy can be asked with by hand: how full the budget is, as percentages or as amounts. The rest follows
 * from it (see {@link completeContext}).
 */
export type PartialContext = { readonly [K in keyof EnforcementContext]?: EnforcementContext[K] | undefined }

/** The fullest window's figures, as a context carries them in its single fields. */
export type Fullness = Pick<
  EnforcementContext,
  'currentCost' | 'estimatedCost' | 'totalCost' | 'budgetLimit' | 'budgetUsedPct' | 'budgetExceeded' | 'periodName' | 'unit'
>

const EMPTY: Readonly<Record<string, never>> = Object.freeze({})
const COMPLETE = new WeakSet<object>()

/** A whole context, frozen: what a policy gets cannot be changed by it. */
export function frozenContext(context: EnforcementContext): EnforcementContext {
  COMPLETE.add(context)
  return Object.freeze(context)
}

/** A copy of plain data, frozen all the way down. What is no plain object or array is left as it is. */
export function frozenCopy<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return Object.freeze(value.map(frozenCopy)) as T
  if (Object.getPrototypeOf(value) !== Object.prototype) return value
  return Object.freeze(Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, frozenCopy(inner)]))) as T
}

/**
 * Completes a context that was made by hand, and freezes it: percentages and `budgetExceeded` follow from `currentCost` and
 * `budgetLimit`, a percentage above 100 is exceeded. Throws `InvalidRequestError` where a figure is no number or nothing says
 * how full the budget is.
 */
export function completeContext(partial: PartialContext): EnforcementContext {
  if (typeof partial !== 'object' || partial === null) throw new InvalidRequestError(`context: ${String(partial)} is not an object. Give an EnforcementContext.`)
  if (COMPLETE.has(partial)) return partial as EnforcementContext
  const currentCost = figure(partial, 'currentCost') ?? 0
  const estimatedCost = figure(partial, 'estimatedCost') ?? 0
  const totalCost = figure(partial, 'totalCost') ?? currentCost + estimatedCost
  const limit = partial.budgetLimit === null ? null : (figure(partial, 'budgetLimit') ?? null)
  const given = figure(partial, 'budgetUsedPct')
  if (given === undefined && partial.budgetExceeded === undefined && partial.budgetLimit === undefined) {
    throw new InvalidRequestError('context: nothing says how full the budget is. Give budgetUsedPct and budgetExceeded, or currentCost and budgetLimit.')
  }
  const unit = partial.unit ?? 'usd'
  const exact = (amount: number, name: string): number => (unit === 'usd' ? parseUsd(amount, `context.${name}`, 'round-up') : Math.ceil(amount))
  const used = exact(totalCost, 'totalCost')
  const full = limit === null ? undefined : exact(limit, 'budgetLimit')
  const overLimit = full !== undefined && (exact(currentCost, 'currentCost') >= full || used > full)
  const exceeded = partial.budgetExceeded === true || overLimit || (given !== undefined && given > 100)
  const budgetUsedPct = given ?? (full === undefined ? (exceeded ? 100 : 0) : percentOf(full, used))
  return frozenContext({
    userId: partial.userId ?? 'anonymous',
    userTier: partial.userTier,
    tenant: partial.tenant,
    standing: partial.standing,
    currentCost,
    estimatedCost,
    totalCost,
    budgetLimit: limit,
    budgetUsedPct,
    budgetExceeded: exceeded,
    periodName: partial.periodName,
    unit,
    model: partial.model,
    provider: partial.provider,
    query: partial.query,
    tokens: figure(partial, 'tokens'),
    metadata: partial.metadata ?? EMPTY,
    facts: partial.facts ?? EMPTY,
    now: new FixedDate(partial.now ?? 0),
    windows: Object.freeze([...(partial.windows ?? [])]),
  })
}

function figure(partial: PartialContext, field: keyof PartialContext): number | undefined {
  const value: unknown = partial[field]
  if (value === undefined) return undefined
  if (typeof value === 'number' && value >= 0 && value < Infinity) return value
  throw new InvalidRequestError(`context.${field}: ${String(value)} is not a number ≥ 0. Give a finite number.`)
}

/** The fullest of some windows: exceeded first, then the projected percentage, then the latest reset; `undefined` if none is limited. */
export function fullest(windows: readonly WindowView[]): WindowView | undefined {
  let best: WindowView | undefined
  for (const window of windows) {
    if (window.limit !== null && (best === undefined || isFuller(window, best))) best = window
  }
  return best
}

function isFuller(a: WindowView, b: WindowView): boolean {
  if (a.exceeded !== b.exceeded) return a.exceeded
  if (a.projectedPct !== b.projectedPct) return a.projectedPct > b.projectedPct
  return (a.resetsAt?.getTime() ?? Infinity) > (b.resetsAt?.getTime() ?? Infinity)
}

/** The single fields of a context, taken from its fullest window; where none is limited, the budget is 0 % full. */
export function fullnessOf(window: WindowView | undefined, estimateUsd: number): Fullness {
  if (window === undefined) {
    return {
      currentCost: 0,
      estimatedCost: estimateUsd,
      totalCost: estimateUsd,
      budgetLimit: null,
      budgetUsedPct: 0,
      budgetExceeded: false,
      periodName: undefined,
      unit: 'usd',
    }
  }
  const { exact, unit } = window
  return {
    currentCost: toPublic(unit, exact.spent + exact.held),
    estimatedCost: toPublic(unit, exact.estimate),
    totalCost: toPublic(unit, exact.spent + exact.held + exact.estimate),
    budgetLimit: window.limit,
    budgetUsedPct: window.projectedPct,
    budgetExceeded: window.exceeded,
    periodName: window.period,
    unit,
  }
}

/** The same context with its single fields turned to some of its windows: how a shared budget's own policies see it. */
export function focus(context: EnforcementContext, windows: readonly WindowView[]): EnforcementContext {
  return frozenContext({ ...context, ...fullnessOf(fullest(windows), 0) })
}

/** True for the windows that the registered policies judge: the user's own, with a limit above 0, that are no rate limits. */
export function isJudgedByPolicies(window: Pick<WindowView, 'scope' | 'unit' | 'limit'>): boolean {
  return window.scope.kind === 'user' && window.unit !== 'requests' && window.limit !== 0
}
