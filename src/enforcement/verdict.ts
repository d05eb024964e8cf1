// What one policy said, and how several of them combine. Pure: the order of registration changes nothing but the list's order.

import { EnforcementAction, isEnforcementAction, mostSevere } from './action.js'
import type { EnforcementContext, ScopeId } from './context.js'
import { askThresholds, isThresholdPolicy, policyName, type PolicyFunction, type PolicyResult } from './policy.js'

/** What one policy said of one request. */
export interface Verdict {
  readonly policy: string
  readonly action: EnforcementAction
  readonly reason?: string | undefined
  /** The shared budget or rate limit that was judged; absent where the policy judged the user's own windows. */
  readonly scope?: ScopeId | undefined
  /** What an observed policy would have said. */
  readonly wouldHave?: EnforcementAction | undefined
  /** Set when the policy threw, or returned something that is no action: `action` is then `onPolicyError`. */
  readonly error?: Error | undefined
}

/** How verdicts become one action: the most severe, or the first that is not ALLOW (for those who come from cascadeflow). */
export type Combine = 'most-severe' | 'first-match'

/**
 * Asks one policy. It never throws: a policy that throws, returns a promise or anything else that is no action gives a verdict
 * of `onError` that carries the error (FAIL-LOUD).
 */
export function ask(policy: PolicyFunction, context: EnforcementContext, onError: EnforcementAction): Verdict {
  try {
    const answer: unknown = isThresholdPolicy(policy) ? askThresholds(policy, context) : policy(context)
    if (isEnforcementAction(answer)) return { policy: policyName(policy), action: answer }
    const result = answer as Partial<PolicyResult & { wouldHave: EnforcementAction }> | null
    if (typeof result === 'object' && result !== null && isEnforcementAction(result.action)) {
      const { action, reason, wouldHave } = result
      return { policy: policyName(policy), action, ...(reason !== undefined && { reason }), ...(wouldHave !== undefined && { wouldHave }) }
    }
    if (answer instanceof Promise) answer.catch(() => {})
    throw new TypeError(`policy "${policyName(policy)}" returned ${describe(answer)}, which is no action. Return EnforcementAction.ALLOW, WARN, DEGRADE or BLOCK; load what a policy needs in enrich().`)
  } catch (thrown) {
    const error = thrown instanceof Error ? thrown : new Error(String(thrown))
    return { policy: policyName(policy), action: onError, reason: `the policy failed: ${error.message}`, error }
  }
}

/** One action from all verdicts; none at all is ALLOW. */
export function combineVerdicts(verdicts: readonly Verdict[], combine: Combine): EnforcementAction {
  let action: EnforcementAction = EnforcementAction.ALLOW
  for (const verdict of verdicts) {
    if (combine === 'first-match' && action !== 'ALLOW') return action
    action = mostSevere(action, verdict.action)
  }
  return action
}

function describe(value: unknown): string {
  if (value instanceof Promise || typeof (value as { then?: unknown } | null)?.then === 'function') return 'a promise'
  return typeof value === 'string' ? `"${value}"` : typeof value === 'object' && value !== null ? 'an object without an action' : String(value)
}
