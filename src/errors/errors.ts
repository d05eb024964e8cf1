// What can go wrong, as types: one base with a literal code, and a class for each failure that an application may want to
// tell apart. Knows nothing of budgets or stores: whoever throws writes the sentence (field, value, remedy).

const marker = Symbol.for('bursar.error')

/** The literal `code` of every error that bursar throws. */
export type BursarErrorCode =
  | 'INVALID_CONFIG'
  | 'INVALID_REQUEST'
  | 'INVALID_AMOUNT'
  | 'UNKNOWN_TIER'
  | 'UNKNOWN_SCOPE'
  | 'UNKNOWN_SESSION'
  | 'MISSING_ESTIMATE'
  | 'MISSING_COST'
  | 'PRICES_NOT_CONFIGURED'
  | 'UNPRICED_MODEL'
  | 'ID_REUSED'
  | 'UNKNOWN_HOLD'
  | 'ALREADY_ENDED'
  | 'HOLD_EXPIRED'
  | 'DUPLICATE_REQUEST'
  | 'BUDGET_EXCEEDED'
  | 'STORE_STALE'
  | 'STORE_UNAVAILABLE'
  | 'STORE_RESET'
  | 'UNKNOWN_DECISION'
  | 'UNKNOWN_LIMIT'
  | 'INVALID_ROW'
  | 'CLOSED'

/**
 * The base of every error that bursar throws. `code` says what happened, `retryable` whether the same call may succeed later,
 * `cause` what lay beneath. Recognise it with {@link isBursarError}: `instanceof` fails across two copies of the package.
 */
export class BursarError extends Error {
  readonly code: BursarErrorCode
  readonly retryable: boolean
  readonly [marker] = true

  constructor(code: BursarErrorCode, message: string, options: { cause?: unknown; retryable?: boolean } = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined)
    this.name = new.target.name
    this.code = code
    this.retryable = options.retryable ?? false
  }
}

/** True for an error that any copy of bursar threw. */
export function isBursarError(value: unknown): value is BursarError {
  return typeof value === 'object' && value !== null && (value as { [marker]?: unknown })[marker] === true
}

/** A configuration that cannot work: thrown by constructors and setters, before anything has changed. */
export class InvalidConfigError extends BursarError {
  constructor(message: string, options?: { cause?: unknown }) {
    super('INVALID_CONFIG', message, options)
  }
}

/** A request, or the argument of a method, that is not of the documented shape. Nothing has changed. */
export class InvalidRequestError extends BursarError {
  constructor(message: string, options?: { cause?: unknown }) {
    super('INVALID_REQUEST', message, options)
  }
}

/** An amount that is NaN, infinite, negative, too large, or finer than a microcent where that matters. */
export class InvalidAmountError extends BursarError {
  constructor(message: string) {
    super('INVALID_AMOUNT', message)
  }
}

/** A tier that the configuration does not have. */
export class UnknownTierError extends BursarError {
  readonly tier: string | undefined
  constructor(message: string, tier: string | undefined) {
    super('UNKNOWN_TIER', message)
    this.tier = tier
  }
}

/** A scope, or a scope id, that the configuration does not have. */
export class UnknownScopeError extends BursarError {
  constructor(message: string) {
    super('UNKNOWN_SCOPE', message)
  }
}

/** No session of that id is the user's, or it has ended. Nothing has changed, and a cap that is not known is not "none". */
export class UnknownSessionError extends BursarError {
  readonly sessionId: string
  /** When it ended; `undefined`: there is none, or none any more, of this user. */
  readonly endedAt: Date | undefined
  constructor(sessionId: string, endedAt?: Date) {
    super(
      'UNKNOWN_SESSION',
      endedAt === undefined
        ? `sessionId: "${sessionId}" is no session of this user. Open it with bursar.session({ userId, id, maxCost }), for the same user and tenant.`
        : `sessionId: "${sessionId}" ended at ${endedAt.toISOString()}. Open another one with bursar.session(), and give it a longer ttl if it is to last.`,
    )
    this.sessionId = sessionId
    this.endedAt = endedAt
  }
}

/** A window limits a unit for which the request brings no estimate. */
export class MissingEstimateError extends BursarError {
  constructor(message: string) {
    super('MISSING_ESTIMATE', message)
  }
}

/** A call has ended without a cost or usage to settle. */
export class MissingCostError extends BursarError {
  constructor(message: string) {
    super('MISSING_COST', message)
  }
}

/** Tokens were given where money is needed, and nothing says what a token costs. */
export class PricesNotConfigured extends BursarError {
  constructor(message: string) {
    super('PRICES_NOT_CONFIGURED', message)
  }
}

/** Nothing says what a model costs, or what a kind of its usage costs. What is unpriced is never free. */
export class UnpricedModelError extends BursarError {
  readonly model: string
  constructor(message: string, model: string) {
    super('UNPRICED_MODEL', message)
    this.model = model
  }
}

/** An id was used again with other arguments (DESIGN 3.4). Nothing has changed. */
export class IdReusedError extends BursarError {
  readonly id: string
  constructor(id: string, what: string) {
    super('ID_REUSED', `id: "${id}" was used before with other arguments (${what}). Use a new id for another call; repeat the same arguments to retry.`)
    this.id = id
  }
}

/** No hold of that id is open or remembered (DESIGN 3.4). */
export class UnknownHoldError extends BursarError {
  readonly id: string
  constructor(id: string) {
    super('UNKNOWN_HOLD', `id: no hold "${id}" is open or still remembered. If its call did cost money, count it with tracker.addCost().`)
    this.id = id
  }
}

/** The hold has ended, and not in the way that is asked for now (DESIGN 3.4). Nothing has changed. */
export class AlreadyEndedError extends BursarError {
  readonly id: string
  readonly state: 'settled' | 'released' | 'expired'
  constructor(id: string, state: 'settled' | 'released' | 'expired', remedy: string) {
    super('ALREADY_ENDED', `id: hold "${id}" is already ${state}. ${remedy}`)
    this.id = id
    this.state = state
  }
}

/** The hold has expired and cannot be extended; its call may still be settled while the id is remembered. */
export class HoldExpiredError extends BursarError {
  readonly id: string
  constructor(id: string) {
    super('HOLD_EXPIRED', `id: hold "${id}" has expired and cannot be extended. Settle it to correct what it was charged, and give the next one a longer holdTtl.`)
    this.id = id
  }
}

/** `guard` met an idempotency key that has been used: running the call again would spend money that nothing holds. */
export class DuplicateRequestError extends BursarError {
  readonly id: string
  constructor(id: string) {
    super('DUPLICATE_REQUEST', `idempotencyKey: "${id}" has already been used for a call. Use one key for one LLM call; to look at the first decision, use check().`)
    this.id = id
  }
}

/** The object was closed. */
export class ClosedError extends BursarError {
  constructor(what: string) {
    super('CLOSED', `${what} is closed and takes no more calls. Create a new one.`)
  }
}

/** The store could not be reached, or failed. Repeat the operation with the same id. */
export class StoreUnavailableError extends BursarError {
  /** True: whether the operation took effect is unknown. False: the store was known to be away and was not asked, or said that it changed nothing (a lock that it did not get). */
  readonly asked: boolean

  constructor(message: string, { asked = true, ...options }: { cause?: unknown; asked?: boolean } = {}) {
    super('STORE_UNAVAILABLE', message, { ...options, retryable: true })
    this.asked = asked
  }
}

/**
 * The store has lost its data: what it would count from now on is not what was spent. It takes no more requests until somebody
 * repairs it from the ledger, or accepts the loss with `store.acceptReset()`.
 */
export class StoreResetError extends BursarError {
  constructor(message: string, options?: { cause?: unknown }) {
    super('STORE_RESET', message, options)
  }
}

/** A decision that nothing is kept of: it never was, or newer ones have taken its place. See the option `decisionLog`. */
export class UnknownDecisionError extends BursarError {
  readonly decisionId: string
  constructor(decisionId: string, why: string) {
    super('UNKNOWN_DECISION', `decision "${decisionId}": ${why}`)
    this.decisionId = decisionId
  }
}

/** A limit that is not there: it was never created, or was removed. Nothing has changed. */
export class UnknownLimitError extends BursarError {
  readonly limitId: string
  constructor(limitId: string) {
    super('UNKNOWN_LIMIT', `limit: "${limitId}" is not there. limits.list() tells which are; it may have been removed.`)
    this.limitId = limitId
  }
}

/** A row of a log that cannot be read: `row` counts from 1, the header of a CSV included. */
export class InvalidRowError extends BursarError {
  readonly row: number
  constructor(row: number, message: string, options?: { cause?: unknown }) {
    super('INVALID_ROW', `row ${row}: ${message}`, options)
    this.row = row
  }
}
