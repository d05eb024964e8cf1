// What goes into a check beside its request, and in and out of a guarded call: shapes only.

import type { Duration } from '../time/index.js'
import type { AllowedDecision, Outcome } from './decision.js'

/** Options of a single check. */
export interface CheckOptions {
  /** Aborting before the decision rejects with the signal's reason, and nothing stays held. */
  readonly signal?: AbortSignal | undefined
  /**
   * `false`: no call follows from this check itself (a server asks at its door, and its calls ask again), so that windows of `requests` neither
   * count nor refuse it. Default `true`.
   */
  readonly countRequest?: boolean | undefined
  /**
   * `true`: only says what would be decided. No request is counted, and the estimate, which the store must hold for a moment to judge it, is given back
   * before the decision is given: it says `allowed`, and can neither be settled nor extended. Should the process end, or the store fail, in that moment, the money comes
   * back within five seconds, uncharged. An `idempotencyKey` is used up by it. Not for `guard` and `stream`, which make a call.
   */
  readonly dryRun?: true | undefined
}

/** Options of a call that is made under its decision. */
export interface CallOptions extends Pick<CheckOptions, 'signal'> {
  /** How long the call may take, once it was decided. Then its signal is aborted, and whoever waits for it is told so at once. */
  readonly timeoutMs?: Duration | undefined
}

/** What a guarded call is given: the model to call, the signal to pass on, and the decision for metering. */
export interface GuardedCall<Model extends string | undefined = string | undefined> {
  /** The model asked for, or a cheaper one; a string where the request names one. */
  readonly model: Model extends string ? string : string | undefined
  readonly signal: AbortSignal | undefined
  readonly decision: AllowedDecision
}

/** What a guarded call gives back: its result, and what it cost. */
export interface GuardedOutcome<Result> extends Outcome {
  readonly result: Result
}
