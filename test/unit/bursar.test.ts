// The façade: what it is made of, what it loads before it decides, and what changes while it runs.

import { describe, expect, it, vi } from 'vitest'
import { Bursar, bursarConfig, CostTracker, definePolicy, EnforcementCallbacks, memoryStore, type BursarConfig } from '../../src/index.js'
import { manualClock } from '../../src/testing/index.js'
import { gracefulDegradation, strictBudgetEnforcement } from '../../policies/index.js'
import { allowedOf, deniedOf, entriesOf, storeWith } from './setting.js'

const engine = (config: Partial<BursarConfig> = {}) => new Bursar({ tiers: { free: { daily: 1 }, pro: { daily: 10 } }, defaultTier: 'free', clock: manualClock(), ...config } as BursarConfig)

describe('the parts', () => {
  it('are a tracker and a chain of policies that work on their own', async () => {
    const bursar = engine()
    expect(bursar.tracker).toBeInstanceOf(CostTracker)
    expect(bursar.callbacks).toBeInstanceOf(EnforcementCallbacks)
    await bursar.tracker.addCost({ userId: 'u', cost: 0.85 })
    expect(bursar.callbacks.check(await bursar.tracker.context({ userId: 'u' }))).toBe('WARN')
    expect(bursar.callbacks.explain(await bursar.tracker.context({ userId: 'u', estimatedCost: 0.2 })).action).toBe('BLOCK')
  })

  it('judge by strict where nothing else is said', () => {
    expect(engine().callbacks.policies).toEqual([strictBudgetEnforcement])
  })

  it('share a store between engines and trackers', async () => {
    const clock = manualClock()
    const store = memoryStore({ clock })
    const tracker = new CostTracker({ tiers: { free: { daily: 1 } }, store, clock })
    await tracker.addCost({ userId: 'u', userTier: 'free', cost: 1 })
    expect((await engine({ store, clock }).check({ userId: 'u', estimatedCost: 0.1 })).action).toBe('BLOCK')
  })
})

describe('a dry run', () => {
  const limited = (config: Partial<BursarConfig> = {}) => engine({ tiers: { free: { daily: 1, rolling: { '1m': { requests: 1 } } } }, ...config })
  const DRY = { dryRun: true } as const

  it('decides as a check does, counts nothing, holds nothing, and cannot be settled', async () => {
    const bursar = limited()
    for (let time = 0; time < 3; time += 1) {
      const decision = allowedOf(await bursar.check({ userId: 'u', estimatedCost: 0.9, holdTtl: '1h' }, DRY))
      await expect(decision.settle({ cost: 0.1 })).rejects.toMatchObject({ code: 'ALREADY_ENDED', state: 'released' })
      await expect(decision.extend()).rejects.toMatchObject({ code: 'ALREADY_ENDED' })
      await decision.release()
      await decision.abandon()
    }
    deniedOf(await bursar.check({ userId: 'u', estimatedCost: 1.1 }, DRY))
    expect((await bursar.tracker.getUserSummary('u')).periodCosts['daily']).toMatchObject({ held: 0, cost: 0 })
    expect((await bursar.check({ userId: 'u', estimatedCost: 0.9 })).allowed).toBe(true)
  })

  it.each(['charge', 'release'] as const)('whose hold is not given back ends within five seconds, uncharged (onHoldExpiry: %s)', async (onHoldExpiry) => {
    const clock = manualClock()
    const failed: unknown[] = []
    const store = storeWith(memoryStore({ clock }), {
      release: () => {
        throw new Error('ECONNRESET')
      },
    })
    const bursar = limited({ clock, store, onHoldExpiry }).on('store-error', (event) => failed.push(event))
    const decision = allowedOf(await bursar.check({ userId: 'u', estimatedCost: 0.9, holdTtl: '1h' }, DRY))
    expect([decision.expiresAt.getTime(), failed]).toEqual([clock() + 5_000, [expect.objectContaining({ operation: 'release' })]])
    clock.advance('5s')
    expect((await bursar.tracker.getUserSummary('u')).periodCosts['daily']).toMatchObject({ held: 0, cost: 0 })
    expect(allowedOf(await bursar.check({ userId: 'u', estimatedCost: 0.9, holdTtl: '2s' }, DRY)).expiresAt.getTime()).toBe(clock() + 2_000)
  })

  it('never gives back the hold of a check with its id', async () => {
    const bursar = limited()
    const request = { userId: 'u', estimatedCost: 0.5, idempotencyKey: 'k' }
    const decision = allowedOf(await bursar.check(request))
    await expect(bursar.check(request, DRY)).rejects.toMatchObject({ code: 'ID_REUSED' })
    expect(await decision.settle({ cost: 0.5 })).toMatchObject({ cost: 0.5 })
  })

  it('is refused where a call would follow, and where it is not true', async () => {
    const bursar = limited()
    const options = DRY as object
    let calls = 0
    await expect(bursar.guard({ userId: 'u', estimatedCost: 0.1 }, async () => ({ result: (calls += 1), cost: 0 }), options)).rejects.toMatchObject({ code: 'INVALID_REQUEST' })
    await expect(bursar.stream({ userId: 'u', estimatedCost: 0.1 }, async function* () { yield String((calls += 1)) }, options)).rejects.toMatchObject({ code: 'INVALID_REQUEST' })
    await expect(bursar.check({ userId: 'u', estimatedCost: 0.1 }, { dryRun: false } as object)).rejects.toMatchObject({ code: 'INVALID_REQUEST' })
    expect(calls).toBe(0)
  })
})

describe('a store', () => {
  const memory = memoryStore()
  const { ledger, directory } = memory
  it.each([
    ['nothing at all', {}],
    ['null', null],
    ['a promise of one', Promise.resolve(memory)],
    ['a URL', 'redis://localhost'],
    ['a client', { get: () => {}, set: () => {}, evalsha: () => {}, connect: () => {} }],
    ['one without an operation', storeWith(memory, { extend: undefined as never })],
    ['one whose directory cannot be changed', storeWith(memory, { directory: { get: () => undefined } as never })],
    ['one without a ledger', storeWith(memory, { ledger: undefined as never })],
    ['one whose ledger has no sums', storeWith(memory, { ledger: { append: () => {}, entries: () => ledger.entries() } as never })],
  ])('that is %s is refused before it could let everything through', (_what, store) => {
    for (const make of [() => engine({ store: store as never, onStoreError: 'allow' }), () => new CostTracker({ tiers: { free: {} }, store: store as never })]) {
      expect(make).toThrow(/^config\.store: must be a store: give redisStore\(\{ client \}\), sqliteStore\(\{ path \}\) or memoryStore\(\)/)
    }
  })

  it('that has every operation is taken, whatever made it', async () => {
    const { directory: heard, ledger: kept } = { directory, ledger }
    expect((await engine({ store: storeWith(memoryStore(), { directory: heard, ledger: kept }) }).check({ userId: 'u', estimatedCost: 0.1 })).enforcedBy).toBe('store')
  })
})

describe('callbacks', () => {
  it('hear every decision with its context, and count it', async () => {
    const bursar = engine()
    const warned = vi.fn()
    const blocked = vi.fn()
    bursar.callbacks.onWarn = warned
    bursar.callbacks.onBlock = blocked
    await bursar.check({ userId: 'a', estimatedCost: 0.1 })
    await bursar.check({ userId: 'b', estimatedCost: 0.9 })
    await bursar.check({ userId: 'c', estimatedCost: 1.9 })
    expect(warned.mock.calls.map(([context]) => [context.userId, context.budgetUsedPct])).toEqual([['b', 90]])
    expect(blocked.mock.calls.map(([context]) => [context.userId, context.budgetUsedPct])).toEqual([['c', 190]])
    expect(bursar.callbacks.getStats()).toEqual({ checks: 3, actions: { ALLOW: 1, WARN: 1, DEGRADE: 0, BLOCK: 1 }, policyErrors: 0, policies: ['strict'] })
  })

  it('judge from the next check on when a policy is registered', async () => {
    const bursar = engine()
    const ask = () => bursar.check({ userId: 'u', model: 'gpt-4', estimatedCost: 0.001 })
    expect((await ask()).action).toBe('ALLOW')
    const noGpt4 = (ctx: { model: string | undefined }) => (ctx.model === 'gpt-4' ? 'BLOCK' : 'ALLOW')
    bursar.callbacks.register(noGpt4)
    expect((await ask()).action).toBe('BLOCK')
    expect(bursar.callbacks.unregister(noGpt4)).toBe(true)
    expect((await ask()).action).toBe('ALLOW')
    bursar.callbacks.register(definePolicy({ name: 'tight', thresholds: { block: 50 } }))
    expect((await bursar.check({ userId: 'v', estimatedCost: 0.5 })).action).toBe('BLOCK')
    expect((await bursar.check({ userId: 'v', estimatedCost: 0.49 })).action).toBe('ALLOW')
  })

  it('make check reject where no policy judges a limit any more, and nothing is held', async () => {
    const bursar = engine()
    bursar.callbacks.clear()
    await expect(bursar.check({ userId: 'u', estimatedCost: 0.1 })).rejects.toMatchObject({ code: 'INVALID_CONFIG', message: expect.stringContaining('nothing judges the daily limit') })
    bursar.callbacks.register(() => 'ALLOW')
    await expect(bursar.check({ userId: 'u', estimatedCost: 0.1 })).rejects.toMatchObject({ code: 'INVALID_CONFIG' })
    bursar.callbacks.register(gracefulDegradation)
    expect((await bursar.tracker.getUserSummary('u')).held).toBe(0)
    expect((await bursar.check({ userId: 'u', estimatedCost: 0.1 })).action).toBe('ALLOW')
  })

  it('make check reject where a policy names a tier that does not exist', async () => {
    const bursar = engine()
    bursar.callbacks.register(definePolicy({ name: 'p', thresholds: { block: 100 }, tiers: { fre: { block: 50 } } }))
    await expect(bursar.check({ userId: 'u', estimatedCost: 0.1 })).rejects.toMatchObject({ code: 'INVALID_CONFIG', message: expect.stringContaining('names tier "fre"') })
  })

  it('write every verdict to the logger where verbose is set', async () => {
    const debug = vi.fn()
    const bursar = engine({ verbose: true, logger: { debug, warn() {} }, policies: [strictBudgetEnforcement, () => ({ action: 'WARN', reason: 'look' })] })
    await bursar.check({ userId: 'u', estimatedCost: 0.1 })
    expect(debug.mock.calls.map(([line]) => line)).toEqual(['bursar: strict says ALLOW for u', 'bursar: anonymous policy says WARN for u (look)'])
  })

  it('write every verdict where thresholds alone decide, too', async () => {
    const debug = vi.fn()
    const bursar = engine({ verbose: true, logger: { debug, warn() {} } })
    await bursar.check({ userId: 'u', estimatedCost: 0.9 })
    expect(debug.mock.calls.map(([line]) => line)).toEqual([expect.stringContaining('strict says WARN for u')])
  })
})

describe('enrich', () => {
  it('loads facts before the policies run', async () => {
    const enrich = vi.fn(async ({ userId }: { userId: string }) => ({ suspended: userId === 'bad' }))
    const suspended = definePolicy({ name: 'suspended', on: 'request', evaluate: ({ facts }) => (facts['suspended'] === true ? { action: 'BLOCK', reason: 'suspended' } : 'ALLOW') })
    const bursar = engine({ enrich, policies: [strictBudgetEnforcement, suspended] })
    const good = allowedOf(await bursar.check({ userId: 'good', estimatedCost: 0.1 }))
    expect(good.context.facts).toEqual({ suspended: false })
    expect(Object.isFrozen(good.context.facts)).toBe(true)
    expect(deniedOf(await bursar.check({ userId: 'bad', estimatedCost: 0.1 })).toDenial().message).toContain('suspended')
    expect(enrich.mock.calls[0]).toEqual([{ userId: 'good', estimatedCost: 0.1 }, { signal: undefined }])
  })

  it.each([['throws', () => { throw new Error('crm is down') }], ['rejects', async () => { throw new Error('crm is down') }]] as const)('that %s rejects the check with its error', async (_what, enrich) => {
    const bursar = engine({ enrich })
    await expect(bursar.check({ userId: 'u', estimatedCost: 0.1 })).rejects.toThrow('crm is down')
    expect((await bursar.tracker.getUserSummary('u')).held).toBe(0)
  })

  it.each([undefined, null, 'facts', 7])('that returns %s rejects the check', async (facts) => {
    await expect(engine({ enrich: (() => facts) as never }).check({ userId: 'u', estimatedCost: 0.1 })).rejects.toMatchObject({ code: 'INVALID_REQUEST', message: expect.stringContaining('enrich: returned') })
  })

  it('is asked only for a request of the right shape', async () => {
    const enrich = vi.fn(() => ({}))
    await expect(engine({ enrich }).check({ userId: '', estimatedCost: 0.1 })).rejects.toMatchObject({ code: 'INVALID_REQUEST' })
    expect(enrich).not.toHaveBeenCalled()
  })
})

describe('shared budgets', () => {
  it('admit a request in all of them or hold nothing in any', async () => {
    const bursar = engine({ global: { daily: 5 }, scopes: { team: { search: { daily: 0.5 }, '*': {} } } })
    const denied = deniedOf(await bursar.check({ userId: 'u', estimatedCost: 0.6, scopes: { team: 'search' } }))
    expect(denied.toDenial()).toMatchObject({ scope: { kind: 'team', id: 'search' }, message: expect.stringContaining('The daily budget of team search is $0.50') })
    const { windows } = await bursar.tracker.context({ userId: 'u', scopes: { team: 'search' } })
    expect(windows.every(({ spent, held }) => spent === 0 && held === 0)).toBe(true)
    expect((await bursar.check({ userId: 'u', estimatedCost: 0.6, scopes: { team: 'ads' } })).allowed).toBe(true)
    expect((await bursar.check({ userId: 'u', estimatedCost: 0.4, scopes: { team: 'search' } })).allowed).toBe(true)
  })

  it('give each id of a wildcard a budget of its own', async () => {
    const bursar = engine({ scopes: { team: { '*': { daily: 0.5 } } } })
    const ask = (team: string) => bursar.check({ userId: 'u', estimatedCost: 0.4, scopes: { team } })
    expect((await ask('a')).allowed).toBe(true)
    expect((await ask('b')).allowed).toBe(true)
    expect((await bursar.check({ userId: 'v', estimatedCost: 0.4, scopes: { team: 'a' } })).allowed).toBe(false)
  })

  it('pool the users of a tier, where the tier has a pool', async () => {
    const bursar = engine({ scopes: { tier: { free: { daily: 1 } } } })
    expect((await bursar.check({ userId: 'a', estimatedCost: 0.7 })).allowed).toBe(true)
    expect(deniedOf(await bursar.check({ userId: 'b', estimatedCost: 0.7 })).toDenial()).toMatchObject({ scope: { kind: 'tier', id: 'free' } })
    expect((await bursar.check({ userId: 'c', userTier: 'pro', estimatedCost: 0.7 })).allowed).toBe(true)
  })

  it('take a tenant for part of who the user is where no group of tenants is configured', async () => {
    const decision = allowedOf(await engine().check({ userId: 'u', tenant: 'anything', estimatedCost: 0.1 }))
    expect(decision.context.tenant).toBe('anything')
  })

  it('are judged by their own policies', async () => {
    const bursar = engine({ global: { daily: 1, policies: [{ name: 'early', thresholds: { block: 50 } }] }, tiers: { free: { daily: 100 } } })
    expect((await bursar.check({ userId: 'u', estimatedCost: 0.49 })).action).toBe('ALLOW')
    const denied = deniedOf(await bursar.check({ userId: 'u', estimatedCost: 0.01 }))
    expect(denied.verdicts.find(({ action }) => action === 'BLOCK')).toMatchObject({ policy: 'early', scope: { kind: 'global' } })
  })
})

describe('a configuration from JSON', () => {
  const text = JSON.stringify({
    tiers: { free: { daily: '0.10', rolling: { '1m': { requests: 20 } } }, pro: { daily: 1, weekly: { usd: 5, tokens: 100000 } } },
    defaultTier: 'free',
    timeZone: 'Europe/Berlin',
    policies: ['tier-based', { name: 'house', thresholds: { warn: 50 }, tiers: { pro: { block: 90 } } }],
    global: { monthly: 5000, policies: ['graceful'] },
    scopes: { tenant: { acme: { monthly: 500 }, '*': {} }, tier: { free: { monthly: 800 } }, team: { search: { daily: 40 } } },
    ladder: { 'gpt-4o': 'gpt-4o-mini', o3: ['o4-mini', 'gpt-4o-mini'] },
    holdTtl: '5m',
    onPolicyError: 'BLOCK',
    alertThresholds: [50],
  })

  it('makes a working engine', async () => {
    const bursar = new Bursar({ ...(bursarConfig.parse(JSON.parse(text)) as BursarConfig), clock: manualClock() })
    expect(bursar.callbacks.getStats().policies).toEqual(['tier-based', 'house'])
    const request = { userId: 'u', estimatedCost: 0.06, scopes: { team: 'search' } }
    const first = allowedOf(await bursar.check({ ...request, tenant: 'acme' }))
    expect([first.action, first.expiresAt.getTime() - first.context.now.getTime()]).toEqual(['WARN', 300_000])
    expect((await bursar.check({ ...request, tenant: 'acme' })).action).toBe('BLOCK')
    expect((await bursar.check({ userId: 'p', userTier: 'pro', estimatedCost: 0.9, inputTokens: 1, maxOutputTokens: 1 })).action).toBe('BLOCK')
  })

  it.each(['strict', 'graceful', 'tier-based'])('knows the built-in policy %s by name', async (name) => {
    const bursar = new Bursar({ tiers: { free: { daily: 1 } }, policies: [name], clock: manualClock() })
    expect(bursar.callbacks.getStats().policies).toEqual([name])
    expect((await bursar.check({ userId: 'u', userTier: 'free', estimatedCost: 2 })).action).toBe('BLOCK')
  })

  it.each([
    [{ tiers: { free: { dayly: 1 } } }, 'dayly'],
    [{ tiers: { free: { daily: -1 } } }, 'negative'],
    [{ policies: [5] }, 'policies'],
    [{ clock: 'now' }, 'clock'],
    [{ unknown: 1 }, 'unknown'],
  ])('is refused where it is wrong: %j', (config, says) => {
    expect(() => bursarConfig.parse(config)).toThrow(says)
  })

  it('reads the same text as code does', () => {
    const parsed = bursarConfig.parse(JSON.parse(text))
    expect(JSON.parse(JSON.stringify(parsed))).toEqual(JSON.parse(text))
  })
})

describe('a hold that its function policy refuses', () => {
  it('is remembered under its idempotency key: the repeat is refused too', async () => {
    let open = false
    const bursar = engine({ policies: [strictBudgetEnforcement, () => (open ? 'ALLOW' : 'BLOCK')] })
    const ask = () => bursar.check({ userId: 'u', estimatedCost: 0.1, idempotencyKey: 'k' })
    expect((await ask()).allowed).toBe(false)
    expect(await ask()).toMatchObject({ allowed: false, replayed: true })
    open = true
    const again = await ask()
    expect(again.allowed ? again.ended : 'denied').not.toBeUndefined()
    expect((await entriesOf(bursar.tracker)).filter(({ kind }) => kind === 'released')).toHaveLength(1)
  })
})
