// What a refusal says over HTTP, to whom, and that nothing in it can break the header fields.

import { describe, expect, it } from 'vitest'
import { Bursar, BudgetExceededError, definePolicy, InvalidRequestError, type BursarConfig, type Denial, type WindowView } from '../../../src/index.js'
import { denialOf, problemAnswer, problemOf, refusalOf } from '../../../src/integrations/problem.js'
import { rateLimitFields } from '../../../src/integrations/rate-limit-fields.js'
import { manualClock } from '../../../src/testing/index.js'
import { deniedOf } from '../setting.js'

const NOON = Date.UTC(2026, 0, 15, 12)
const BEFORE = { allowed: true, windows: [], context: { now: new Date(NOON) } } as never
const OWN = { rateLimit: true, sharedBudgets: false }
const DENIAL: Denial = { error: 'budget_exceeded', code: 'budget', status: 402, message: 'The daily budget of user ada is $1.', decisionId: 'd', scope: { kind: 'user', id: 'ada' }, window: 'daily', unit: 'usd', limit: 1, used: 1, resetsAt: null, retryAfterMs: 1_500 }

/** The windows of a request as an engine shows them. */
async function windowsOf(config: object, request: object = {}): Promise<{ windows: readonly WindowView[]; denial: Denial | undefined }> {
  const bursar = new Bursar({ tiers: { free: config }, defaultTier: 'free', clock: manualClock(NOON), ...request } as unknown as BursarConfig)
  await bursar.tracker.addCost({ userId: 'ada', cost: 0.25, tokens: 30 })
  const decision = await bursar.check({ userId: 'ada', estimatedCost: 0.125, inputTokens: 5, maxOutputTokens: 5 })
  return { windows: decision.windows, denial: decision.allowed ? undefined : decision.toDenial() }
}

describe('the RateLimit fields', () => {
  it('have each limited window of the user in its unit, as integers', async () => {
    const { windows } = await windowsOf({ daily: { usd: 1, tokens: 1_000, requests: 10 }, monthly: '20.00', total: 50, rolling: { '5h': 0.5, '1m': { requests: 3 } } })
    const fields = rateLimitFields(windows, NOON, { isAdmitted: true })
    expect(fields['ratelimit-policy']?.split(', ').sort()).toEqual([
      '"daily";q=100000000;qu="microcents";w=86400',
      '"daily/requests";q=10;w=86400',
      '"daily/tokens";q=1000;qu="tokens";w=86400',
      '"monthly";q=2000000000;qu="microcents";w=2678400',
      '"rolling:1m/requests";q=3;w=60',
      '"rolling:5h";q=50000000;qu="microcents";w=18000',
      '"total";q=5000000000;qu="microcents"',
    ])
    expect(fields['ratelimit']?.split(', ').sort()).toEqual([
      '"daily";r=62500000;t=43200',
      '"daily/requests";r=8;t=43200',
      '"daily/tokens";r=960;t=43200',
      '"monthly";r=1962500000;t=1425600',
      expect.stringMatching(/^"rolling:1m\/requests";r=1;t=\d+$/),
      expect.stringMatching(/^"rolling:5h";r=12500000;t=\d+$/),
      '"total";r=4962500000',
    ])
  })

  it('count what a refused request would have taken as still there', async () => {
    const { windows } = await windowsOf({ daily: 0.3 })
    expect(rateLimitFields(windows, NOON, { isAdmitted: false })['ratelimit']).toBe('"daily";r=5000000;t=43200')
  })

  it('come without windows that are shared, unlimited, or larger than such a field can say', async () => {
    const { windows } = await windowsOf({ daily: {}, weekly: 9_999_999.99999999, monthly: 10_000_000 }, { global: { daily: 5 } })
    expect(rateLimitFields(windows, NOON, { isAdmitted: true })['ratelimit-policy']).toBe('"weekly";q=999999999999999;qu="microcents";w=604800')
    expect(rateLimitFields((await windowsOf({}, { global: { daily: 5 } })).windows, NOON, { isAdmitted: true })).toEqual({})
  })

  it('never say of a rolling window that it is full for longer than Retry-After', async () => {
    const { windows } = await windowsOf({ rolling: { '1m': 0.5 }, daily: 1 })
    const field = rateLimitFields(windows, NOON, { isAdmitted: false, retryAfterS: 7 })['ratelimit']
    expect(field).toMatch(/"rolling:1m";r=25000000;t=7/)
    expect(field).toMatch(/"daily";r=75000000;t=43200/)
  })

  it('of a session have its name before them, and no id', async () => {
    const { windows: [window] } = await windowsOf({ daily: 1 })
    const session = { ...(window as WindowView), scope: { kind: 'session', id: 'secret', tenant: 'acme' }, period: 'total', resetsAt: null }
    expect(rateLimitFields([session], NOON, { isAdmitted: false })).toEqual({ 'ratelimit-policy': '"session/total";q=100000000;qu="microcents"', ratelimit: '"session/total";r=75000000' })
  })

  it('are one line of ASCII in quotes, whatever a name is', async () => {
    const { windows: [window] } = await windowsOf({ daily: 1 })
    const fields = rateLimitFields([{ ...(window as WindowView), period: 'a"b\\c\r\nset-cookie: ä' }], NOON, { isAdmitted: true })
    expect(fields['ratelimit']).toMatch(/^"a\\"b\\\\cset-cookie: ";r=/)
    expect(() => new Headers(fields)).not.toThrow()
  })
})

describe('a problem document', () => {
  it('has the whole seconds to wait, rounded up, and none where it never fits', () => {
    const headersOf = (retryAfterMs: number | null) => problemAnswer({ ...DENIAL, retryAfterMs }, BEFORE, OWN).headers
    expect([1_500, 1_000, 1, 0].map((ms) => headersOf(ms)['retry-after'])).toEqual(['2', '1', '1', '0'])
    expect('retry-after' in headersOf(null)).toBe(false)
  })

  it('says all of a budget of the user, and of his session', () => {
    for (const scope of [{ kind: 'user', id: 'ada' }, { kind: 'session', id: 's' }]) {
      expect(problemOf({ ...DENIAL, scope, refusedFromPct: 90, upgrade: 'Pro', largestFittingOutput: null }, [], OWN)).toMatchObject({ detail: DENIAL.message, window: 'daily', limit: 1, used: 1, resetsAt: null, refusedFromPct: 90, upgrade: 'Pro', largestFittingOutput: null })
    }
  })

  it.each(['global', 'tenant', 'tier', 'team'])('says of a budget of the %s only that it refuses', (kind) => {
    const shared = { ...DENIAL, scope: { kind, id: 'secret' }, message: 'secret', largestFittingCost: 0.5, refusedFromPct: 90, upgradeUrl: 'https://example.com' }
    const document = problemOf(shared, [], OWN)
    expect(Object.keys(document).sort()).toEqual(['code', 'detail', 'instance', 'retryAfterMs', 'status', 'title', 'type', 'upgradeUrl'])
    expect(JSON.stringify(document)).not.toContain('secret')
    expect(problemOf(shared, [], { sharedBudgets: true })).toMatchObject({ detail: 'secret', limit: 1, used: 1 })
  })

  it("says a policy's reason, and not the error of one that failed", async () => {
    const denialBy = async (policy: () => never) => {
      const bursar = new Bursar({ tiers: { free: { daily: 1 } }, defaultTier: 'free', policies: [definePolicy({ name: 'mine', on: 'request', evaluate: policy }), 'strict'] } as unknown as BursarConfig)
      bursar.on('policy-error', () => {})
      return deniedOf(await bursar.check({ userId: 'ada', estimatedCost: 0 })).toDenial()
    }
    expect(problemOf(await denialBy(() => ({ action: 'BLOCK', reason: 'not on Sundays' }) as never), [], OWN)).toMatchObject({ status: 403, code: 'policy', detail: expect.stringContaining('not on Sundays') })
    const failed = problemOf(await denialBy(() => { throw new Error('postgres://secret') }), [], OWN)
    expect(failed).toMatchObject({ status: 403, code: 'policy-error' })
    expect(JSON.stringify(failed)).not.toContain('secret')
  })

  it('cannot be broken by an id or a message', () => {
    const { headers, body } = problemAnswer({ ...DENIAL, decisionId: 'a\r\nset-cookie: x="ä', message: 'two\r\nlines' }, BEFORE, OWN)
    expect(Object.fromEntries(new Headers(headers))).toEqual(headers)
    expect(JSON.parse(body)).toMatchObject({ instance: 'urn:bursar:decision:a%0D%0Aset-cookie%3A%20x%3D%22%C3%A4', detail: 'two\r\nlines' })
    expect(JSON.stringify(headers)).not.toContain('lines')
  })

  it('is made of an id that is no text in Unicode, too', () => {
    expect(() => problemOf({ ...DENIAL, decisionId: 'half \ud800' }, [], OWN)).not.toThrow()
  })

  const asking = { model: 'large', inputTokens: 1_000, maxOutputTokens: 100_000 }
  const PRICES = { models: { large: { input: 10, output: 100 } } }
  /** The refusal of a budget of the user's own, beside others. */
  const refusedBeside = async (others: object) => {
    const bursar = new Bursar({ tiers: { free: { daily: 1 } }, defaultTier: 'free', prices: PRICES, clock: manualClock(NOON), ...others } as unknown as BursarConfig)
    await bursar.tracker.addCost({ userId: 'bob', tenant: 'acme', cost: 99.87654321 })
    const refused = deniedOf(await bursar.check({ userId: 'ada', tenant: 'acme', ...asking }))
    const answer = (disclosure: object = {}) => JSON.parse(problemAnswer(refused.toDenial(), refused, { ...OWN, ...disclosure }).body) as Record<string, unknown>
    return { refused, answer }
  }

  it.each<[string, object]>([
    ['of everybody', { global: { monthly: 100 } }],
    ['of a tenant', { scopes: { tenant: { acme: { monthly: 100 } } } }],
    ['of a tier', { scopes: { tier: { free: { monthly: 100 } } } }],
    ['of everybody that has room', { global: { monthly: 1_000 } }],
  ])('of an own budget says nothing of what would still fit beside one %s', async (_what, others) => {
    const { refused, answer } = await refusedBeside(others)
    expect(refused.toDenial()).toMatchObject({ scope: { kind: 'user' }, largestFittingCost: expect.any(Number), largestFittingOutput: { model: 'large' }, message: expect.stringContaining('would fit now') })
    const told = answer()
    expect(told).toMatchObject({ window: 'daily', limit: 1, used: 0, detail: expect.stringMatching(/^The daily budget of .+ is \$1\b.* It resets at 2026-01-16T00:00:00.000Z\.$/) })
    expect(Object.keys(told).filter((member) => member.startsWith('largest'))).toEqual([])
    expect(answer({ sharedBudgets: true })).toMatchObject({ largestFittingCost: expect.any(Number), largestFittingOutput: { model: 'large' }, detail: expect.stringMatching(/With at most \d+ output tokens, large would fit now\.$/) })
  })

  it.each<[string, object]>([
    ['alone', {}],
    ['beside a shared one that has no limit', { global: { monthly: {} } }],
  ])('of an own budget %s says what would still fit', async (_what, others) => {
    const { answer } = await refusedBeside(others)
    expect(answer()).toMatchObject({ largestFittingCost: 1, largestFittingOutput: { model: 'large', maxOutputTokens: 9_900 }, detail: expect.stringMatching(/With at most 9900 output tokens, large would fit now\.$/) })
  })

  it('of a call whose windows nobody knows says nothing of what would still fit', async () => {
    const { refused } = await refusedBeside({})
    expect(Object.keys(JSON.parse(problemAnswer(refused.toDenial(), { ...(BEFORE as object), windows: refused.windows } as never, OWN).body) as object).filter((member) => member.startsWith('largest'))).toEqual([])
  })
})

describe('the refusal within an error', () => {
  const refusal = new BudgetExceededError(DENIAL)
  const wrapping = (cause: unknown, more: object = {}) => Object.assign(new Error('wrapped', { cause }), more)

  it.each<[string, unknown]>([
    ['itself', refusal],
    ['its cause', wrapping(refusal)],
    ['the cause of its cause', wrapping(wrapping(refusal))],
    ['the last error of retries', wrapping(undefined, { lastError: wrapping(refusal) })],
    ['one of many errors', new AggregateError([new TypeError('x'), refusal])],
    ['the cause of another error of bursar', new InvalidRequestError('x', { cause: refusal })],
    ['no Error at all', { cause: refusal }],
  ])('is found: %s', (_what, error) => {
    expect(denialOf(error)).toBe(DENIAL)
  })

  it('brings its decision', async () => {
    const bursar = new Bursar({ tiers: { free: { daily: 1 } }, defaultTier: 'free' })
    const error: unknown = await bursar.guard({ userId: 'ada', estimatedCost: 2 }, async () => ({ result: 1, cost: 1 })).catch((thrown: unknown) => thrown)
    expect(refusalOf(wrapping(error))?.windows).toEqual(refusalOf(error)?.windows)
    expect(refusalOf(wrapping(error))?.allowed).toBe(false)
    expect(refusalOf(wrapping(refusal))).toBeUndefined()
  })

  it.each<[string, () => unknown]>([
    ['nothing', () => undefined],
    ['null', () => null],
    ['a text', () => 'denial'],
    ['an error that is its own cause', () => { const error = new Error('x'); error.cause = error; return error }],
    ['two that cause each other', () => { const error = wrapping(undefined); error.cause = wrapping(error); return error }],
    ['one without an end', () => { const endless: () => object = () => ({ get cause() { return endless() } }); return endless() }],
    ['another error of bursar', () => new InvalidRequestError('x')],
    ['somebody else\'s error with a denial', () => wrapping({ denial: DENIAL })],
  ])('is not found in %s', (_what, make) => {
    expect(denialOf(make())).toBeUndefined()
    expect(refusalOf(make())).toBeUndefined()
  })
})
