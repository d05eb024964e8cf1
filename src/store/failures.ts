// One outcome, one error: what an operation of any store may refuse, as the error that an application sees.

import { AlreadyEndedError, BursarError, HoldExpiredError, IdReusedError, UnknownHoldError } from '../errors/index.js'
import type { Failure } from './contract.js'

/** The error for a failed operation on `id`. */
export function failureError(failure: Failure, id: string, operation: 'reserve' | 'settle' | 'release' | 'extend' | 'record' | 'refund'): BursarError {
  if (failure.outcome === 'id-reused') return new IdReusedError(id, operation)
  if (failure.outcome === 'unknown-hold') return new UnknownHoldError(id)
  if (operation === 'extend' && failure.state === 'expired') return new HoldExpiredError(id)
  return new AlreadyEndedError(id, failure.state, remedyOf(operation))
}

function remedyOf(operation: string): string {
  if (operation === 'settle') return 'A hold is settled once, with one cost; count further money with tracker.addCost() or give some back with tracker.refund().'
  return 'Ask for a new decision with a new id.'
}
