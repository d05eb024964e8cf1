// Contexts for tests of policies.

import { completeContext, type EnforcementContext, type PartialContext } from '../enforcement/index.js'

const CALM: PartialContext = { userId: 'user', userTier: 'free', currentCost: 0, estimatedCost: 0, budgetLimit: 1, periodName: 'daily', now: new Date('2026-01-15T12:00:00Z') }

/**
 * A frozen context with these fields; the others are those of a user of the tier `free` who has spent nothing of a daily limit of
 * 1 USD. What follows from others follows: `contextFor({ currentCost: 0.95 })` is 95 % full, and `contextFor({ budgetUsedPct: 95 })`
 * needs no costs. Throws `InvalidRequestError` for a figure that is none.
 */
export function contextFor(partial: PartialContext = {}): EnforcementContext {
  return completeContext({ ...CALM, ...partial })
}
