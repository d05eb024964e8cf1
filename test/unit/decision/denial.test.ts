// A refusal says which budget, how full, until when, and what would still fit: and what it says is exactly true.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Bursar, BudgetExceededError, definePolicy, isBursarError, memoryStore, type BursarConfig } from '../../../src/index.js'
import { manualClock } from '../../../src/testing/index.js'
import { gracefulDegradation, modelAccess, strictBudgetEnforcement } from '../../../policies/index.js'
import { allowedOf, deniedOf, entriesOf, MIDNIGHT, START, storeWith } from '../setting.js'

const MICROCENT = 0.00000001

function engine(config: Partial<BursarConfig> = {}) {
  const clock = manualClock()
  return { clock, bursar: new Bursar({ tiers: { free: { daily: 1 } }, defaultTier: 'free', clock, ...config } as BursarConfig) }
}

describe('a denial by a budget', () => {
  it('counts one and several in good grammar', async () => {
    const texts: string[] = []
    for (const limit of [1, 2]) {
      const { bursar } = engine({ tiers: { free: { daily: { requests: limit } } } } as never)
      for (let made = 0; made < limit; made += 1) await bursar.check({ userId: 'u', estimatedCost: 0 })
      texts.push(deniedOf(await bursar.check({ userId: 'u', estimatedCost: 0 })).reason)
    }
    expect(texts).toEqual([expect.stringContaining('is 1 request; 1 request is used.'), expect.stringContaining('is 2 requests; 2 requests are used.')])
  })

  it('names the budget, what is used, when it resets and what would fit', async () => {
    const { bursar } = engine({ upgradeUrl: 'https://example.com/upgrade' })
    await bursar.tracker.addCost({ userId: 'u', cost: 0.7 })
    await bursar.check({ userId: 'u', estimatedCost: 0.1 })
    const decision = deniedOf(await bursar.check({ userId: 'u', estimatedCost: 0.3 }))
    expect(decision.toDenial()).toEqual({
      error: 'budget_exceeded',
      code: 'budget',
      status: 402,
      message: 'The daily budget of user u is $1.00; $0.80 is used and this request would add $0.30. It resets at 2026-01-16T00:00:00.000Z.',
      decisionId: decision.id,
      scope: { kind: 'user', id: 'u' },
      window: 'daily',
      unit: 'usd',
      limit: 1,
      used: 0.8,
      resetsAt: new Date(MIDNIGHT),
      retryAfterMs: MIDNIGHT - START,
      largestFittingCost: 0.2,
      upgradeUrl: 'https://example.com/upgrade',
    })
    expect(decision.reason).toBe(decision.toDenial().message)
    expect(Object.isFrozen(decision.toDenial())).toBe(true)
  })

  it('is written into the ledger without any money', async () => {
    const { bursar } = engine()
    const decision = deniedOf(await bursar.check({ userId: 'u', tenant: 't', estimatedCost: 2, model: 'gpt-4o', provider: 'openai', metadata: { trace: 7 } }))
    expect((await entriesOf(bursar.tracker)).at(-1)).toMatchObject({ kind: 'denied', decisionId: decision.id, userId: 'u', tenant: 't', microcents: 0, tokens: 0, estimatedMicrocents: 200_000_000, requestedModel: 'gpt-4o', provider: 'openai', reason: 'budget', metadata: { trace: 7 } })
    expect((await bursar.tracker.getSummary()).totalEntries).toBe(0)
  })

  it('gives a cost that is admitted, where one microcent more is refused', async () => {
    const amounts = fc.integer({ min: 1, max: 150_000_000 })
    await fc.assert(
      fc.asyncProperty(amounts, amounts, amounts, amounts, fc.constantFrom(50, 99.99, 100), async (spent, limit, shared, rolling, block) => {
        const usd = (microcents: number) => (microcents / 1e8).toFixed(8)
        const { bursar } = engine({
          tiers: { free: { daily: usd(limit), rolling: { '5h': usd(rolling) } } },
          global: { monthly: usd(shared) },
          policies: [definePolicy({ name: 'p', thresholds: { block } })],
        })
        await bursar.tracker.addCost({ userId: 'u', cost: usd(spent) })
        const { largestFittingCost, retryAfterMs } = deniedOf(await bursar.check({ userId: 'u', estimatedCost: 80_000_000 })).toDenial()
        expect(retryAfterMs).toBeNull()
        if (largestFittingCost === null || largestFittingCost === undefined) {
          expect((await bursar.check({ userId: 'u', estimatedCost: 0 })).allowed).toBe(false)
          return
        }
        expect((await bursar.check({ userId: 'u', estimatedCost: largestFittingCost + MICROCENT })).allowed).toBe(false)
        expect((await bursar.check({ userId: 'u', estimatedCost: largestFittingCost })).allowed).toBe(true)
      }),
      { numRuns: 200 },
    )
  })

  it('gives the cost that fits where a cheaper model would be needed and there is none', async () => {
    const { bursar } = engine({ policies: [gracefulDegradation], ladder: { a: 'b' } })
    await bursar.tracker.addCost({ userId: 'u', cost: 0.85 })
    const { largestFittingCost } = deniedOf(await bursar.check({ userId: 'u', model: 'other', estimatedCost: 0.1 })).toDenial()
    expect((await bursar.check({ userId: 'u', model: 'other', estimatedCost: largestFittingCost as number })).allowed).toBe(true)
    expect((await bursar.check({ userId: 'u', model: 'other', estimatedCost: (largestFittingCost as number) + MICROCENT })).allowed).toBe(false)
  })

  it('gives no cost where tokens are what does not fit: no price would change that', async () => {
    const { bursar } = engine({ tiers: { free: { daily: { usd: 1, tokens: 100 } } } })
    const { largestFittingCost, unit } = deniedOf(await bursar.check({ userId: 'u', estimatedCost: 0.1, inputTokens: 100, maxOutputTokens: 1 })).toDenial()
    expect([unit, largestFittingCost]).toEqual(['tokens', null])
  })

  it.each(['daily', 'weekly', 'monthly'] as const)('fits the %s window again exactly after retryAfterMs', async (period) => {
    const { bursar, clock } = engine({ tiers: { free: { [period]: 1 } } })
    await bursar.tracker.addCost({ userId: 'u', cost: 0.9 })
    const { retryAfterMs } = deniedOf(await bursar.check({ userId: 'u', estimatedCost: 0.2 })).toDenial()
    clock.advance((retryAfterMs as number) - 1)
    expect((await bursar.check({ userId: 'u', estimatedCost: 0.2 })).allowed).toBe(false)
    clock.advance(1)
    expect((await bursar.check({ userId: 'u', estimatedCost: 0.2 })).allowed).toBe(true)
  })

  it('fits a rolling window again exactly after retryAfterMs', async () => {
    const steps = fc.array(fc.tuple(fc.integer({ min: 0, max: 3_600_000 }), fc.integer({ min: 1, max: 40 })), { minLength: 1, maxLength: 12 })
    await fc.assert(
      fc.asyncProperty(steps, fc.integer({ min: 60, max: 100 }), async (spends, asked) => {
        const { bursar, clock } = engine({ tiers: { free: { rolling: { '5h': 1 } } } })
        for (const [gap, cents] of spends) {
          clock.set(clock() + gap)
          await bursar.tracker.addCost({ userId: 'u', cost: cents / 100 })
        }
        const ask = () => bursar.check({ userId: 'u', estimatedCost: asked / 100 })
        const first = await ask()
        if (first.allowed) return
        const wait = first.toDenial().retryAfterMs as number
        clock.set(clock() + wait - 1)
        expect((await ask()).allowed).toBe(false)
        clock.set(clock() + 1)
        expect((await ask()).allowed).toBe(true)
      }),
      { numRuns: 100 },
    )
  })

  it('says never where the request is larger than the limit, and where the window never ends', async () => {
    const { bursar } = engine({ tiers: { free: { daily: 1, total: 5 } } })
    expect(deniedOf(await bursar.check({ userId: 'u', estimatedCost: 2 })).toDenial()).toMatchObject({ retryAfterMs: null, window: 'daily', largestFittingCost: 1 })
    await bursar.tracker.addCost({ userId: 'u', cost: 5 })
    const denial = deniedOf(await bursar.check({ userId: 'u', estimatedCost: 0.5 })).toDenial()
    expect(denial).toMatchObject({ retryAfterMs: null, window: 'total', resetsAt: null, largestFittingCost: null })
    expect(denial.message).toMatch(/It never resets\.$/)
  })

  it('names the refusal that lasts longest, and waits for it', async () => {
    const { bursar } = engine({ global: { monthly: 2 } })
    await bursar.tracker.addCost({ userId: 'u', cost: 1 })
    await bursar.tracker.addCost({ userId: 'v', cost: 1 })
    const denial = deniedOf(await bursar.check({ userId: 'u', estimatedCost: 0.1 })).toDenial()
    expect(denial).toMatchObject({ scope: { kind: 'global' }, window: 'monthly', retryAfterMs: Date.UTC(2026, 1, 1) - START, resetsAt: new Date(Date.UTC(2026, 1, 1)) })
    expect(denial.message).toContain('The monthly budget of everybody is $2.00')
  })

  it('blocks by a limit of 0, for ever', async () => {
    const { bursar } = engine({ tiers: { free: { daily: 0 } } })
    expect(deniedOf(await bursar.check({ userId: 'u', estimatedCost: 0 })).toDenial()).toMatchObject({ code: 'budget', limit: 0, used: 0, retryAfterMs: null, largestFittingCost: null })
  })
})

describe('other denials', () => {
  it('by a rate limit is 429', async () => {
    const { bursar } = engine({ tiers: { free: { daily: 1, rolling: { '1m': { requests: 1 } } } } })
    await bursar.check({ userId: 'u', estimatedCost: 0.1 })
    expect(deniedOf(await bursar.check({ userId: 'u', estimatedCost: 0.1 })).toDenial()).toMatchObject({ error: 'rate_limited', code: 'rate', status: 429, unit: 'requests', window: 'rolling:1m', limit: 1, used: 1, largestFittingCost: null })
  })

  it('by a rate limit and a budget together is a budget denial', async () => {
    const { bursar } = engine({ tiers: { free: { daily: 1, rolling: { '1m': { requests: 1 } } } } })
    await bursar.check({ userId: 'u', estimatedCost: 1 })
    expect(deniedOf(await bursar.check({ userId: 'u', estimatedCost: 0.1 })).code).toBe('budget')
  })

  it('by a request policy is 403 with its reason, and opens no hold', async () => {
    const { bursar } = engine({ policies: [strictBudgetEnforcement, modelAccess({ free: { deny: ['gpt-4'] } })] })
    const decision = deniedOf(await bursar.check({ userId: 'u', model: 'gpt-4', estimatedCost: 0.1 }))
    expect(decision.toDenial()).toMatchObject({ error: 'policy_blocked', code: 'policy', status: 403, message: 'Policy "model-access" refuses the request: tier free may not call gpt-4.', retryAfterMs: null })
    expect(decision.toDenial().window).toBeUndefined()
    expect((await entriesOf(bursar.tracker)).map((entry) => entry.kind)).toEqual(['denied'])
  })

  it('by a request policy that asks for a cheaper model where there is none is a policy denial', async () => {
    const degrades = definePolicy({ name: 'thrifty', on: 'request', evaluate: () => 'DEGRADE' })
    const { bursar } = engine({ policies: [strictBudgetEnforcement, degrades], ladder: { a: 'b' } })
    const denial = deniedOf(await bursar.check({ userId: 'u', model: 'other', estimatedCost: 0.1 })).toDenial()
    expect(denial).toMatchObject({ code: 'policy', status: 403, retryAfterMs: null })
  })

  it('by a function after the hold is 403, and the hold is given back', async () => {
    const { bursar } = engine({ policies: [strictBudgetEnforcement, (ctx) => (ctx.windows.length > 0 ? { action: 'BLOCK', reason: 'not today' } : 'ALLOW')] })
    const decision = deniedOf(await bursar.check({ userId: 'u', estimatedCost: 0.1 }))
    expect(decision.toDenial()).toMatchObject({ code: 'policy', status: 403, message: expect.stringContaining('not today') })
    expect((await entriesOf(bursar.tracker)).map((entry) => entry.kind)).toEqual(['released', 'denied'])
    expect((await bursar.tracker.getUserSummary('u')).held).toBe(0)
  })

  it('by a policy that throws is a policy error', async () => {
    const { bursar } = engine({ policies: [strictBudgetEnforcement, definePolicy({ name: 'broken', on: 'request', evaluate: () => { throw new Error('no data') } })] })
    expect(deniedOf(await bursar.check({ userId: 'u', estimatedCost: 0.1 })).toDenial()).toMatchObject({ error: 'policy_failed', code: 'policy-error', status: 403, message: expect.stringContaining('no data') })
  })
})

describe('a store that fails', () => {
  function failing(onStoreError?: 'block' | 'allow') {
    const clock = manualClock()
    let down = true
    const memory = memoryStore({ clock })
    const store = storeWith(memory, {
      reserve: (request) => (down ? Promise.reject(new Error('connection lost')) : memory.reserve(request)),
    })
    const bursar = new Bursar({ tiers: { free: { daily: 1 } }, defaultTier: 'free', clock, store, onStoreError })
    const heard: string[] = []
    bursar.on('store-error', ({ operation, error }) => heard.push(`error ${operation} ${String(error)}`))
    bursar.on('store-recovered', ({ operation }) => heard.push(`recovered ${operation}`))
    return { bursar, heard, recover: () => { down = false } }
  }

  it('refuses by default with 503, says so once it is back, and nothing is held', async () => {
    const { bursar, heard, recover } = failing()
    const decision = deniedOf(await bursar.check({ userId: 'u', estimatedCost: 0.1 }))
    expect(decision.toDenial()).toMatchObject({ error: 'store_unavailable', code: 'store-unavailable', status: 503, retryAfterMs: null })
    expect([decision.enforcedBy, decision.windows, decision.action]).toEqual(['none', [], 'BLOCK'])
    expect(decision.verdicts.map((verdict) => verdict.action)).toEqual(['BLOCK'])
    expect(heard).toEqual(['error reserve Error: connection lost'])
    recover()
    expect((await bursar.check({ userId: 'u', estimatedCost: 0.1 })).enforcedBy).toBe('store')
    expect(heard.at(-1)).toBe('recovered reserve')
    expect((await bursar.tracker.getUserSummary('u')).held).toBe(0.1)
  })

  it('allows without a hold where that is configured, and records what the call cost', async () => {
    const { bursar, recover } = failing('allow')
    const decision = allowedOf(await bursar.check({ userId: 'u', estimatedCost: 0.1, model: 'm' }))
    expect([decision.enforcedBy, decision.action, decision.model]).toEqual(['none', 'ALLOW', 'm'])
    recover()
    expect(await decision.settle({ cost: 0.2 })).toMatchObject({ cost: 0.2, overage: 0.2, replayed: false })
    expect(await decision.settle({ cost: 0.2 })).toMatchObject({ replayed: true })
    expect((await bursar.tracker.getUserSummary('u')).periodCosts['daily']).toMatchObject({ cost: 0.2, held: 0 })
  })

  it('settles nothing twice and forgets an unheld decision that is released', async () => {
    const { bursar, recover } = failing('allow')
    const decision = allowedOf(await bursar.check({ userId: 'u', estimatedCost: 0.1 }))
    recover()
    await decision.release()
    expect((await bursar.tracker.getUserSummary('u')).totalCost).toBe(0)
  })

  it('answers the same where the directory fails', async () => {
    const clock = manualClock()
    const memory = memoryStore({ clock })
    const directory = { get: () => Promise.reject(new Error('no directory')), change: memory.directory.change.bind(memory.directory) }
    const bursar = new Bursar({ tiers: { free: { daily: 1 } }, defaultTier: 'free', clock, store: storeWith(memory, { directory }) })
    expect(deniedOf(await bursar.check({ userId: 'u', estimatedCost: 0.1 })).code).toBe('store-unavailable')
  })

  it('charges the windows for a decision that was allowed while the directory was away', async () => {
    const clock = manualClock()
    const memory = memoryStore({ clock })
    let down = true
    const directory = { get: (user: never) => (down ? Promise.reject(new Error('no directory')) : memory.directory.get(user)), change: memory.directory.change.bind(memory.directory) }
    const bursar = new Bursar({ tiers: { free: { daily: 1 } }, defaultTier: 'free', clock, store: storeWith(memory, { directory }), onStoreError: 'allow' })
    const decision = allowedOf(await bursar.check({ userId: 'u', estimatedCost: 0.1 }))
    down = false
    await decision.settle({ cost: 0.2 })
    expect((await bursar.tracker.getPeriodCosts('u', 'daily')).cost).toBe(0.2)
  })

  it('lets what bursar itself refuses through, whatever onStoreError says', async () => {
    const { bursar } = failing('allow')
    await expect(bursar.check({ userId: 'u', userTier: 'gold', estimatedCost: 0.1 } as never)).rejects.toMatchObject({ code: 'UNKNOWN_TIER' })
  })
})

describe('BudgetExceededError', () => {
  it('carries the denial, and is retryable where waiting helps', async () => {
    const { bursar } = engine()
    const thrown = async (estimatedCost: number) => (await bursar.guard({ userId: 'u', estimatedCost }, async () => ({ result: 1, cost: 0 })).catch((error: unknown) => error)) as BudgetExceededError
    await bursar.tracker.addCost({ userId: 'u', cost: 0.9 })
    const later = await thrown(0.5)
    expect(later).toBeInstanceOf(BudgetExceededError)
    expect(isBursarError(later)).toBe(true)
    expect(later).toMatchObject({ code: 'BUDGET_EXCEEDED', retryable: true, name: 'BudgetExceededError', denial: { code: 'budget', window: 'daily' } })
    expect(await thrown(5)).toMatchObject({ retryable: false })
  })
})
