// A cost that neither the store nor the queue took: the error that says so, with all that is needed to count it later.

import { StoreUnavailableError } from '../errors/index.js'
import { formatUsd, toUsd } from '../money/index.js'
import { isStoresFailure, mayHaveChanged } from '../outage/index.js'

/**
 * A call was made, and what it cost is counted nowhere. Rejects a settle while the store is away and the queue is full; of a guarded
 * call, which gives its answer all the same, the event `store-error` carries it.
 */
export class UncountedCostError extends StoreUnavailableError {
  /** The decision that let the call through. */
  readonly decisionId: string
  /** What it cost, in USD. */
  readonly cost: number
  /** The same as an integer. */
  readonly exact: { readonly costMicrocents: number }

  constructor(decisionId: string, microcents: number, remedy: string, cause: unknown) {
    const reason = (cause instanceof Error ? cause.message : String(cause)).replace(/[^.]$/, '$&.')
    super(`${reason} The ${formatUsd(microcents)} USD of decision "${decisionId}" are not counted: ${remedy}.`, { cause, asked: mayHaveChanged(cause) })
    this.decisionId = decisionId
    this.cost = toUsd(microcents)
    this.exact = Object.freeze({ costMicrocents: microcents })
  }
}

/** The error to throw instead of `cause`; what a rule said passes as it is. */
export function uncounted(decisionId: string, microcents: number, remedy: string, cause: unknown): unknown {
  return isStoresFailure(cause) ? new UncountedCostError(decisionId, microcents, remedy, cause) : cause
}
