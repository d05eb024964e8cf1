// Budgets and policies together: the integers that a store tests for each window, made once for each (budget, tier) and set of
// policies. The only place where it is decided who judges what (DESIGN 3.2).

import { periodOf, type CompiledBudget, type BudgetWindow } from '../budget/index.js'
import { ceilingOf, lowerCeiling, policyName, thresholdsFor, type Ceiling, type ThresholdPolicy } from '../enforcement/index.js'
import { InvalidConfigError } from '../errors/index.js'
import { describeAmount, MAX_AMOUNT } from '../money/index.js'
import type { AlertThreshold, WindowTerms } from '../store/index.js'

/** A window with its judges: what the store tests, and what is needed to say why. */
export interface JudgedWindow extends WindowTerms {
  readonly period: string
  /** Warnings are decided outside the store. */
  readonly warn: Ceiling | null
  /** The threshold policies whose word counts for this window; empty for one without a limit. */
  readonly judges: readonly ThresholdPolicy<string>[]
}

/** A budget with its judges, and what every request asks of it. */
export interface JudgedBudget {
  readonly windows: readonly JudgedWindow[]
  /** Some window may refuse or degrade by this unit: a request must bring an estimate of it. */
  readonly limitsMoney: boolean
  readonly limitsTokens: boolean
  /** Some window has a degrade threshold: the ladder may be walked. */
  readonly canDegrade: boolean
}

/** Who judges: the registered threshold policies, those of a shared budget, and the strict one for what is always strict. */
export interface Judges {
  readonly own: readonly ThresholdPolicy<string>[]
  shared(budget: CompiledBudget): readonly ThresholdPolicy<string>[]
  readonly strict: ThresholdPolicy<string> | undefined
  /** Percentages that are announced beside those of the judging policies. */
  readonly alertThresholds: readonly number[]
}

const UNLIMITED: Ceiling = Object.freeze({ max: MAX_AMOUNT, pre: MAX_AMOUNT })

/** The terms of all budgets under one set of judges. */
export class TermsBook {
  readonly judges: Judges
  readonly #terms = new WeakMap<CompiledBudget, Map<string | undefined, JudgedBudget>>()
  #lastBudget: CompiledBudget | undefined
  #lastTier: string | undefined
  #lastTerms: JudgedBudget | undefined

  constructor(judges: Judges) {
    this.judges = judges
  }

  /**
   * The windows of a budget as a store tests them for a user of that tier. Throws `InvalidConfigError` for a limit that no
   * policy judges (FAIL-LOUD).
   */
  termsOf(budget: CompiledBudget, isUsers: boolean, tier: string | undefined): JudgedBudget {
    if (budget === this.#lastBudget && tier === this.#lastTier) return this.#lastTerms as JudgedBudget
    let byTier = this.#terms.get(budget)
    if (byTier === undefined) {
      byTier = new Map()
      this.#terms.set(budget, byTier)
    }
    let terms = byTier.get(tier)
    if (terms === undefined) {
      terms = summedUp(budget.windows.map((window) => this.#judged(window, budget, isUsers, tier)))
      byTier.set(tier, terms)
    }
    this.#lastBudget = budget
    this.#lastTier = tier
    this.#lastTerms = terms
    return terms
  }

  /**
   * A window that a repeat was placed in: as it stands among the present ones, or under the limit that it had then. `known`: who judges
   * it, where nobody has to be found.
   */
  judgedAgain({ window, unit, limit }: Pick<WindowTerms, 'window' | 'unit' | 'limit'>, present: readonly JudgedWindow[], isUsers: boolean, tier: string | undefined, known?: readonly ThresholdPolicy<string>[]): JudgedWindow {
    const same = present.find((each) => each.window === window)
    if (same !== undefined && same.limit === limit) return same
    const rule = periodOf(window)
    const placed = { window, unit, limit, period: rule.period, source: same?.source ?? rule.source }
    // Those of requests have judges of their own, which are not always strict: a limit may only alert.
    const own = known ?? (unit === 'requests' && same !== undefined && same.limit !== null ? same.judges : undefined)
    if (own !== undefined) return this.#judgedBy(placed, own, tier, undefined)
    const others = present.find((each) => each.limit !== null && each.limit !== 0 && each.unit !== 'requests')?.judges
    const judges = this.#isAlwaysStrict(placed) ? [this.judges.strict as ThresholdPolicy<string>] : isUsers ? this.judges.own : (others ?? [this.judges.strict].filter((each) => each !== undefined))
    return this.#judgedBy(placed, judges, tier, undefined)
  }

  #judged(window: BudgetWindow, budget: CompiledBudget, isUsers: boolean, tier: string | undefined): JudgedWindow {
    return this.#judgedBy(window, window.limit === null ? [] : this.#judgesOf(window, budget, isUsers), tier, budget)
  }

  /** `budget`: where a limit that nobody judges is an error of the configuration. */
  #judgedBy(window: BudgetWindow, judges: readonly ThresholdPolicy<string>[], tier: string | undefined, budget: CompiledBudget | undefined): JudgedWindow {
    const { limit } = window
    if (limit === null) return Object.freeze({ ...window, block: UNLIMITED, degrade: null, warn: null, alerts: [], judges: [] })
    let block: Ceiling = UNLIMITED
    let degrade: Ceiling | null = null
    let warn: Ceiling | null = null
    const announced = new Set(this.judges.alertThresholds)
    let judged = false
    for (const policy of judges) {
      const thresholds = thresholdsFor(policy, tier)
      if (thresholds === undefined) continue
      for (const [kind, percent] of Object.entries(thresholds) as ['warn' | 'degrade' | 'block', number | undefined][]) {
        if (percent === undefined) continue
        judged = true
        announced.add(percent)
        const ceiling = ceilingOf(limit, percent)
        if (kind === 'warn' || policy.observes) warn = lowerCeiling(warn, ceiling)
        else if (kind === 'degrade') degrade = lowerCeiling(degrade, ceiling)
        else block = lowerCeiling(block, ceiling)
      }
    }
    if (!judged && budget !== undefined && this.judges.strict !== undefined) throw unjudged(window, budget, judges, tier)
    const alerts = limit === 0 ? [] : [...announced].sort((a, b) => a - b).map((percent) => alertAt(limit, percent))
    return Object.freeze({ ...window, block, degrade, warn, alerts, judges })
  }

  #judgesOf(window: BudgetWindow, budget: CompiledBudget, isUsers: boolean): readonly ThresholdPolicy<string>[] {
    if (budget.limit?.onlyAlerts !== true && this.#isAlwaysStrict(window)) return [this.judges.strict as ThresholdPolicy<string>]
    return isUsers ? this.judges.own : this.judges.shared(budget)
  }

  #isAlwaysStrict({ unit, limit }: Pick<BudgetWindow, 'unit' | 'limit'>): boolean {
    return (unit === 'requests' || limit === 0) && this.judges.strict !== undefined
  }
}

/** A budget of judged windows. */
export function summedUp(windows: readonly JudgedWindow[]): JudgedBudget {
  return Object.freeze({
    windows: Object.freeze(windows),
    limitsMoney: windows.some((window) => window.unit === 'usd' && mayRefuse(window)),
    limitsTokens: windows.some((window) => window.unit === 'tokens' && mayRefuse(window)),
    canDegrade: windows.some(({ degrade }) => degrade !== null),
  })
}

/** False for a window that only counts, and for one that only warns. */
function mayRefuse({ limit, block, degrade }: JudgedWindow): boolean {
  return limit !== null && (block.max < MAX_AMOUNT || degrade !== null)
}

function alertAt(limit: number, thresholdPct: number): AlertThreshold {
  return { thresholdPct, at: ceilingOf(limit, thresholdPct).pre }
}

function unjudged(window: BudgetWindow, budget: CompiledBudget, judges: readonly ThresholdPolicy<string>[], tier: string | undefined): InvalidConfigError {
  const who = judges.length === 0 ? 'no threshold policy is registered' : `${judges.map(policyName).join(', ')} ${judges.length === 1 ? 'says' : 'say'} nothing of tier ${tier ?? '(none)'}`
  const limit = describeAmount(window.unit, window.limit as number)
  return new InvalidConfigError(`${budget.path}: nothing judges the ${window.period} limit of ${limit}: ${who}. Register a policy such as strictBudgetEnforcement, or remove the limit.`)
}
