// What a limit that was made at run time allows, as a budget of its own. Who is judged by it, and when, is not known here.

import type { ThresholdPolicy } from '../enforcement/index.js'
import type { CompiledBudget } from './plan.js'
import type { LimitBudget } from './schema.js'
import { periodsOf, windowsOf } from './window.js'

/**
 * The windows of a limit, judged by these policies (absent: strictly, like any shared budget). `onlyAlerts`: nothing of it refuses a
 * request, also not what is strict elsewhere. Throws `InvalidAmountError` and `InvalidConfigError` naming the field.
 */
export function limitBudget(limitId: string, budget: LimitBudget, policies: readonly ThresholdPolicy<string>[] | undefined, onlyAlerts: boolean): CompiledBudget {
  const windows = windowsOf(periodsOf(budget, 'budget'), budget)
  return Object.freeze({ windows: Object.freeze(windows), path: `limit "${limitId}"`, policies, limit: Object.freeze({ onlyAlerts }) })
}
