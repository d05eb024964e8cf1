// A policy that only watches: for a careful roll-out of a new one.

import { EnforcementAction } from './action.js'
import { isThresholdPolicy, named, policyName, thresholdPolicy, watched, type DefinedPolicy, type Policy } from './policy.js'
import { ask } from './verdict.js'

/**
 * The same policy, only watching: its DEGRADE and BLOCK become WARN, and the verdict says what it would have done. Nothing is
 * refused or degraded by an observed policy, also where it throws or returns no action: that too is a WARN.
 */
export function observe<Tiers extends string = never>(policy: Policy<Tiers>): DefinedPolicy<Tiers> {
  const name = `observe(${policyName(policy)})`
  if (isThresholdPolicy(policy)) return thresholdPolicy(name, policy.thresholds, policy.tiers, policy.namesTiers, true) as unknown as DefinedPolicy<Tiers>
  const { on = 'window', namesTiers } = policy as Partial<DefinedPolicy<Tiers>>
  return named(name, (context) => watched(ask(policy, context, EnforcementAction.BLOCK)), { on, namesTiers }) as DefinedPolicy<Tiers>
}
