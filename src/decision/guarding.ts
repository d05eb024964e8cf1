// One call under one hold: calls, settles what the call says it cost, and gives the money back where no call was made. Decides nothing.

import { DuplicateRequestError, InvalidRequestError, MissingCostError } from '../errors/index.js'
import { formatUsd } from '../money/index.js'
import { parseDuration, type Duration } from '../time/index.js'
import { exceeded } from './exceeded.js'
import type { AllowedDecision, Decision } from './decision.js'
import { assertStoreFailed, isUnusableOutcome } from './failing.js'
import type { CallOptions, CheckOptions, GuardedCall, GuardedOutcome } from './guarded.js'
import type { StoreFailures } from './store-failures.js'

/** The decision, where it lets a call through that has not been made. Throws `BudgetExceededError` (of a session: `SessionBudgetExceeded`) and `DuplicateRequestError`. */
export function assertMayCall(decision: Decision): AllowedDecision {
  if (!decision.allowed) throw exceeded(decision)
  if (decision.replayed) throw new DuplicateRequestError(decision.id)
  return decision
}

/** When a call must stop: at the caller's own signal, or at the end of its time. */
export interface CallSignals {
  /** Either of them. */
  readonly signal: AbortSignal | undefined
  readonly timeout: AbortSignal | undefined
}

/** The signals of one call that begins now. Throws for a `timeoutMs` that is no duration. */
export function signalsOf({ signal, timeoutMs }: CallOptions): CallSignals {
  if (timeoutMs === undefined) return { signal, timeout: undefined }
  const timeout = AbortSignal.timeout(parseTimeout(timeoutMs))
  return { signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]), timeout }
}

/** Throws `InvalidRequestError` for options of a dry run: no call may follow from one. */
export function assertCalls(options: CheckOptions): void {
  if (options.dryRun !== undefined) throw new InvalidRequestError('options.dryRun: is for a check that no call follows from. Leave it out, or ask check().')
}

/** Asks `check`, and makes the call if it may. See `Bursar.guard`. */
export async function checkAndCall<Result, Model extends string | undefined>(
  check: (options: CheckOptions) => Promise<Decision>,
  call: (guarded: GuardedCall<Model>) => Promise<GuardedOutcome<Result>>,
  options: CallOptions,
  failures: StoreFailures,
): Promise<Result> {
  const { timeoutMs, ...checkOptions } = options
  assertCalls(checkOptions)
  if (timeoutMs !== undefined) parseTimeout(timeoutMs)
  const decision = assertMayCall(await check(checkOptions))
  return guardCall(decision, call, signalsOf(options), failures)
}

/** Makes the call under its decision, ends the hold, and gives the call's result. See `Bursar.guard`. */
export async function guardCall<Result, Model extends string | undefined>(
  decision: AllowedDecision,
  call: (guarded: GuardedCall<Model>) => Promise<GuardedOutcome<Result>>,
  { signal, timeout }: CallSignals,
  failures: StoreFailures,
): Promise<Result> {
  const finished = finish(decision, call, signal, failures)
  return timeout === undefined ? finished : Promise.race([finished, rejection(timeout, finished)])
}

async function finish<Result, Model extends string | undefined>(
  decision: AllowedDecision,
  call: (guarded: GuardedCall<Model>) => Promise<GuardedOutcome<Result>>,
  signal: AbortSignal | undefined,
  failures: StoreFailures,
): Promise<Result> {
  let outcome: GuardedOutcome<Result>
  try {
    outcome = await call({ model: decision.model as GuardedCall<Model>['model'], signal, decision })
  } catch (error) {
    await decision.giveUp()
    throw error
  }
  const { result, cost, usage, tokens, model, provider, estimated } = isObject(outcome) ? outcome : ({ result: outcome } as unknown as GuardedOutcome<Result>)
  const more = { usage, tokens, model, provider, estimated }
  try {
    await decision.settle(Object.values(more).every((value) => value === undefined) ? { cost } : { cost, ...more })
  } catch (error) {
    if (isUnusableOutcome(error)) {
      // Whoever was told of a timeout hears of nothing else.
      decision.reportUsageError(error)
      await decision.settle({ cost: formatUsd(decision.exact.estimatedMicrocents), estimated: true })
      throw error.code === 'MISSING_COST' ? new MissingCostError('cost: the guarded call returned neither cost nor usage, so its estimate was charged. Return { result, cost } or { result, usage }.') : error
    }
    assertStoreFailed(error)
    // The answer is paid for: it is not lost with the store. A hold stays, and expires; without one, or with a queue that is full,
    // the error says what was not counted.
    failures.failed('settle', error)
  }
  return result
}

/** Rejects when the signal's time is over: a call that does not listen to it goes on, and is settled when it ends. */
function rejection(signal: AbortSignal, finished: Promise<unknown>): Promise<never> {
  finished.catch(() => {})
  return new Promise((_, reject) => {
    const stop = (): void => reject(signal.reason)
    if (signal.aborted) stop()
    else signal.addEventListener('abort', stop, { once: true })
    finished.then(
      () => signal.removeEventListener('abort', stop),
      () => signal.removeEventListener('abort', stop),
    )
  })
}

/** Throws for what is no length of time that a timer takes. */
export function parseTimeout(timeoutMs: Duration): number {
  const length = parseDuration(timeoutMs, 'options.timeoutMs')
  if (length > 2 ** 31 - 1) throw new InvalidRequestError(`options.timeoutMs: ${length} ms is more than a timer takes. Give at most 24 days.`)
  return length
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
