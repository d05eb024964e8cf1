// Whose failure an error is: the caller's, who hears of it, or the store's, which the configuration has an answer to.

import { isBursarError, type BursarError } from '../errors/index.js'
import { isStoresFailure } from '../outage/index.js'

/** What bursar itself refuses (an unknown tier, a clock that is none) is the caller's to hear; the rest is the store's failure. */
export function assertStoreFailed(error: unknown): void {
  if (!isStoresFailure(error)) throw error
}

/** True where the store answers, and has lost its data: nothing is let through by what it says, nor without it. */
export function isStoreReset(error: unknown): boolean {
  return isBursarError(error) && error.code === 'STORE_RESET'
}

/** True for what a call reported and nothing can be charged by: its estimate stands in. */
export function isUnusableOutcome(error: unknown): error is BursarError {
  return isBursarError(error) && ['MISSING_COST', 'INVALID_AMOUNT', 'INVALID_REQUEST', 'PRICES_NOT_CONFIGURED', 'UNPRICED_MODEL'].includes(error.code)
}
