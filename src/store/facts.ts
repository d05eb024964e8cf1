// What is known of a request beside money: whose it is, and which model was asked for.

import type { UserRef } from '../budget/index.js'

/** What a ledger entry says of a request beside money. */
export interface ChargeFacts {
  readonly user: UserRef
  readonly tier: string | undefined
  readonly provider?: string | undefined
  /** The model asked for: rung 0. */
  readonly model?: string | undefined
  /** The models of the rungs below. */
  readonly cheaperModels?: readonly string[] | undefined
  readonly sessionId?: string | undefined
  /** The scope ids by kind that the request named. */
  readonly scopes?: Readonly<Record<string, string>> | undefined
  readonly metadata?: Readonly<Record<string, unknown>> | undefined
}

/** The model of a rung. */
export function modelOf(facts: ChargeFacts, rung: number): string | undefined {
  return rung === 0 ? facts.model : facts.cheaperModels?.[rung - 1]
}
