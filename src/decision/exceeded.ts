// A refusal as an error, for whoever must throw: the denial, and the decision that it comes from.

import { sessionOf } from '../budget/index.js'
import { BursarError } from '../errors/index.js'
import type { Unit } from '../money/index.js'
import type { DeniedDecision } from './decision.js'
import type { Denial } from './denial.js'

/** Thrown by `guard` and by integrations that must throw: the request was refused, and `denial` says why. */
export class BudgetExceededError extends BursarError {
  readonly denial: Denial
  readonly #decision: DeniedDecision | undefined

  constructor(denial: Denial, decision?: DeniedDecision) {
    super('BUDGET_EXCEEDED', denial.message, { retryable: denial.retryAfterMs !== null || denial.code === 'store-unavailable' || denial.local === true })
    this.denial = denial
    this.#decision = decision
  }

  /** The decision that it comes from, with its windows and verdicts; `undefined` for an error that was made of a denial alone. */
  get decision(): DeniedDecision | undefined {
    return this.#decision
  }
}

/** The refusal that lasts longest is a session's: its cap, or that of one which it is nested in, has no room for the call. */
export class SessionBudgetExceeded extends BudgetExceededError {
  /** Whose cap it is: the request's own session, or one that it is nested in. */
  readonly sessionId: string
  readonly unit: Unit
  /** What is spent and held: USD, or tokens, as `unit` says. */
  readonly used: number
  /** The same of the cap. */
  readonly cap: number

  constructor(denial: Denial, sessionId: string, decision?: DeniedDecision) {
    super(denial, decision)
    const { unit = 'usd', used = 0, limit = 0 } = denial
    this.sessionId = sessionId
    this.unit = unit
    this.used = used
    this.cap = limit
  }
}

/** What whoever must throw throws for a refusal. */
export function exceeded(decision: DeniedDecision): BudgetExceededError {
  const denial = decision.toDenial()
  const session = denial.scope && sessionOf(denial.scope)
  return session === undefined ? new BudgetExceededError(denial, decision) : new SessionBudgetExceeded(denial, session.sessionId, decision)
}
