// Reading a request: the short way that most requests take gives what the schema gives.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Bursar } from '../../../src/index.js'
import { parseRequest } from '../../../src/decision/index.js'
import { manualClock } from '../../../src/testing/index.js'

const outcome = (request: unknown): unknown => {
  try {
    return parseRequest(request)
  } catch (error) {
    return (error as { code?: string }).code
  }
}

describe('parseRequest', () => {
  it('gives for a plain request what the schema gives, field by field', () => {
    const text = fc.constantFrom(undefined, 'a', '', ' ', 'a\u0000', 'x'.repeat(257), 'x'.repeat(256), '\ud800', '🙂', 5, null, Number.NaN, {}, ['a'], true, 1n)
    const figure = fc.constantFrom(undefined, 0, -0, 1, 0.5, -1, Number.NaN, Infinity, '0.1', '', null, {}, true, 1n, 2 ** 60)
    const request = fc.record(
      { userId: text, userTier: text, tenant: text, model: text, provider: text, idempotencyKey: text, sessionId: text, estimatedCost: figure, inputTokens: figure, maxOutputTokens: figure, query: text, unknown: text },
      { requiredKeys: [] },
    )
    fc.assert(
      fc.property(fc.oneof(request, request.map((given) => ({ ...given, userId: 'u' })), request.map(({ estimatedCost, userTier }) => ({ userId: 'u', estimatedCost, userTier }))), (given) => {
        // `metadata` is not among the fields of a plain request: with it the schema reads the request.
        const bySchema = outcome({ ...given, metadata: undefined })
        const own = (parsed: unknown) => (typeof parsed === 'object' && parsed !== null ? { ...parsed, given: { ...(parsed as { given: object }).given, metadata: undefined } } : parsed)
        expect(own(outcome(given))).toEqual(own(bySchema))
      }),
      { numRuns: 5_000 },
    )
  })

  it.each([
    ['inherits its fields', () => Object.create({ userId: 'u', estimatedCost: 0.9 }) as object],
    ['inherits its user', () => Object.assign(Object.create({ userId: 'u' }) as object, { estimatedCost: 0.9 })],
    ['has getters', () => new (class { get userId() { return 'u' } get estimatedCost() { return 0.9 } })()],
    ['is an instance of a class', () => new (class { userId = 'u'; estimatedCost = 0.9 })()],
  ])('never counts a request that %s for a user of another name', async (_what, make) => {
    const bursar = new Bursar({ tiers: { free: { daily: 1 } }, defaultTier: 'free', clock: manualClock() })
    const decision = await bursar.check(make() as never).catch((error: { code: string }) => error.code)
    if (typeof decision === 'string') {
      expect(decision).toBe('INVALID_REQUEST')
      return
    }
    expect(decision.context).toMatchObject({ userId: 'u', estimatedCost: 0.9 })
    expect((await bursar.tracker.getUserSummary('u')).held).toBe(0.9)
  })

  it('reads each field once: what was checked is what counts', async () => {
    let reads = 0
    const request = { userId: 'u', get estimatedCost() { return (reads += 1) === 1 ? 0.9 : Number.NaN } }
    const bursar = new Bursar({ tiers: { free: { daily: 1 } }, defaultTier: 'free', clock: manualClock() })
    const decision = await bursar.check(request).catch((error: { code: string }) => error.code)
    expect(typeof decision === 'string' ? decision : decision.context.estimatedCost).toSatisfy((seen: unknown) => seen === 0.9 || seen === 'INVALID_AMOUNT' || seen === 'INVALID_REQUEST')
  })
})

describe('a check that no call follows from', () => {
  const engine = () => new Bursar({ tiers: { free: { daily: 1, rolling: { '1m': { requests: 2 } } } }, defaultTier: 'free', clock: manualClock() })
  const used = async (bursar: Bursar) => (await bursar.tracker.context({ userId: 'u' })).windows.find(({ unit }) => unit === 'requests')?.spent

  it('is counted in no window of requests, nor refused by one, and holds money as any other', async () => {
    const bursar = engine()
    for (let call = 1; call <= 5; call += 1) expect((await bursar.check({ userId: 'u', estimatedCost: 0.1 }, { countRequest: false })).allowed).toBe(true)
    expect(await used(bursar)).toBe(0)
    expect((await bursar.tracker.getUserSummary('u')).held).toBe(0.5)
    await bursar.check({ userId: 'u', estimatedCost: 0 })
    await bursar.check({ userId: 'u', estimatedCost: 0 }, { countRequest: true })
    expect(await used(bursar)).toBe(2)
    expect((await bursar.check({ userId: 'u', estimatedCost: 0 })).allowed).toBe(false)
    expect((await bursar.check({ userId: 'u', estimatedCost: 0.6 }, { countRequest: false })).allowed).toBe(false)
  })

  it.each([['no'], [0], [null]])('says %j in so many words', async (countRequest) => {
    await expect(engine().check({ userId: 'u', estimatedCost: 0 }, { countRequest: countRequest as never })).rejects.toThrow('options.countRequest')
  })
})
