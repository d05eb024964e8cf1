import { definePolicy, EnforcementAction } from '../src/enforcement/index.js'

/**
 * Asks for a cheaper model for users whose payment is overdue and whose grace has run out (`standing: 'past_due'`); says ALLOW of
 * everybody else. It runs before the windows are asked, and beside a policy that judges the budget.
 */
export const pastDueDegradation = definePolicy({
  name: 'past-due',
  on: 'request',
  evaluate: ({ standing }) => (standing === 'past_due' ? { action: EnforcementAction.DEGRADE, reason: 'the payment of the subscription is overdue' } : EnforcementAction.ALLOW),
})
