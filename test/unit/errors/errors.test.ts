// One base, literal codes, recognised across copies of the package.

import { describe, expect, it } from 'vitest'
import * as errors from '../../../src/errors/index.js'

const made = [
  [new errors.InvalidConfigError('m'), 'INVALID_CONFIG'],
  [new errors.InvalidRequestError('m'), 'INVALID_REQUEST'],
  [new errors.InvalidAmountError('m'), 'INVALID_AMOUNT'],
  [new errors.UnknownTierError('m', 'gold'), 'UNKNOWN_TIER'],
  [new errors.UnknownScopeError('m'), 'UNKNOWN_SCOPE'],
  [new errors.MissingEstimateError('m'), 'MISSING_ESTIMATE'],
  [new errors.MissingCostError('m'), 'MISSING_COST'],
  [new errors.PricesNotConfigured('m'), 'PRICES_NOT_CONFIGURED'],
  [new errors.IdReusedError('k', 'check'), 'ID_REUSED'],
  [new errors.UnknownHoldError('k'), 'UNKNOWN_HOLD'],
  [new errors.AlreadyEndedError('k', 'settled', 'r'), 'ALREADY_ENDED'],
  [new errors.HoldExpiredError('k'), 'HOLD_EXPIRED'],
  [new errors.DuplicateRequestError('k'), 'DUPLICATE_REQUEST'],
  [new errors.ClosedError('bursar'), 'CLOSED'],
  [new errors.StoreUnavailableError('m'), 'STORE_UNAVAILABLE'],
  [new errors.StoreResetError('m'), 'STORE_RESET'],
] as const

describe('errors', () => {
  it.each(made)('%s has a literal code, a name, and says whether to try again', (error, code) => {
    expect(error).toBeInstanceOf(errors.BursarError)
    expect(error).toBeInstanceOf(Error)
    expect(error).toMatchObject({ code, name: error.constructor.name, retryable: code === 'STORE_UNAVAILABLE' })
    expect(errors.isBursarError(error)).toBe(true)
    expect(error.stack).toContain(error.name)
  })

  it('keep their cause', () => {
    const cause = new Error('beneath')
    expect(new errors.InvalidConfigError('m', { cause }).cause).toBe(cause)
    expect('cause' in new errors.InvalidConfigError('m')).toBe(false)
    expect(new errors.StoreUnavailableError('m', { cause, asked: false })).toMatchObject({ cause, asked: false })
    expect('cause' in new errors.StoreUnavailableError('m')).toBe(false)
    expect(new errors.StoreUnavailableError('m').asked).toBe(true)
  })

  it('are recognised across copies of the package, and nothing else is', () => {
    const fromAnotherCopy = Object.assign(new Error('m'), { [Symbol.for('bursar.error')]: true })
    expect(errors.isBursarError(fromAnotherCopy)).toBe(true)
    for (const other of [new Error('m'), { code: 'CLOSED' }, null, undefined, 'CLOSED', 5]) expect(errors.isBursarError(other)).toBe(false)
  })
})
