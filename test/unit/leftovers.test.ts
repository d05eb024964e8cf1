// What a failure between the hold and the answer must not leave behind, and what an outage must not let in.

import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { modelAccess, strictBudgetEnforcement } from '../../policies/index.js'
import { Bursar, definePolicy, memoryStore, type CheckRequest, type Store } from '../../src/index.js'
import { manualClock } from '../../src/testing/index.js'

const tiers = { free: { daily: 10, rolling: { '1m': { requests: 2 } } } } as const
const open = (options: object = {}) => new Bursar({ tiers, defaultTier: 'free', clock: manualClock(), ...options })
const held = async (bursar: Bursar<'free'>) => (await bursar.tracker.getUserSummary('ada')).held
const ask = (bursar: Bursar<'free'>, more: Partial<CheckRequest<'free', never>> = {}) => bursar.check({ userId: 'ada', estimatedCost: 4, ...more })

/** A store whose operations fail as told: before they do anything, or after (a reply that is lost). */
function failing(fails: { reserve?: ('before' | 'after' | undefined)[]; release?: 'before'; settle?: 'before'; directory?: boolean }): Store {
  const store = memoryStore({ clock: manualClock() })
  return new Proxy(store, {
    get(target, name: keyof Store) {
      if (name === 'directory' && fails.directory === true) return { change: target.directory.change.bind(target.directory), get: () => Promise.reject(new Error('directory down')) }
      const value = target[name]
      if (typeof value !== 'function') return value
      return async (...args: unknown[]) => {
        const fault = name === 'reserve' ? fails.reserve?.shift() : name === 'release' ? fails.release : name === 'settle' ? fails.settle : undefined
        if (fault === 'before') throw new Error(`${name} down`)
        const reply: unknown = await (value as (...given: unknown[]) => unknown).apply(target, args)
        if (fault === 'after') throw new Error(`${name}: reply lost`)
        return reply
      }
    },
  })
}

describe('a hold that nobody was told of', () => {
  it('is taken back, with its place in the rate limit, when a function policy refuses', async () => {
    let blocks = true
    const bursar = open({ policies: [strictBudgetEnforcement, () => (blocks ? 'BLOCK' : 'ALLOW')] })
    for (let call = 0; call < 5; call += 1) expect(await ask(bursar)).toMatchObject({ allowed: false, code: 'policy' })
    expect(await held(bursar)).toBe(0)
    blocks = false
    expect((await ask(bursar)).action).toBe('ALLOW')
  })

  it('is taken back when the caller aborts', async () => {
    const bursar = open()
    const controller = new AbortController()
    const store = open({ store: failing({}) })
    const asked = store.check({ userId: 'ada', estimatedCost: 4 }, { signal: controller.signal })
    controller.abort(new Error('gone'))
    await expect(asked).rejects.toThrow('gone')
    expect(await held(store)).toBe(0)
    expect(await held(bursar)).toBe(0)
  })

  it('is taken back when the store gives it late: the reserve is repeated with the same id', async () => {
    const bursar = open({ store: failing({ reserve: ['after'] }) })
    const decision = await ask(bursar)
    expect(decision).toMatchObject({ allowed: true, replayed: false, enforcedBy: 'store' })
    expect(await held(bursar)).toBe(4)
    if (decision.allowed) await decision.settle({ cost: 1 })
    expect(await bursar.tracker.getUserCost('ada')).toBe(1)
  })

  it('is buried when the repeat fails too', async () => {
    const bursar = open({ store: failing({ reserve: ['after', 'before'] }) })
    expect(await ask(bursar)).toMatchObject({ allowed: false, code: 'store-unavailable' })
    await new Promise((resolve) => setImmediate(resolve))
    expect(await held(bursar)).toBe(0)
  })

  it('still denies, and says so, when taking it back fails', async () => {
    const errors: unknown[] = []
    const bursar = open({ store: failing({ release: 'before' }), policies: [strictBudgetEnforcement, () => 'BLOCK'] }).on('store-error', (event) => errors.push(event.operation))
    expect((await ask(bursar)).allowed).toBe(false)
    expect(errors).toEqual(['release'])
  })
})

describe('an outage that lets requests through', () => {
  it('lets through no model and no request that a policy refuses', async () => {
    const down = { store: failing({ directory: true }), onStoreError: 'allow' }
    expect(await ask(open({ ...down, policies: [strictBudgetEnforcement, modelAccess({ free: { deny: ['gpt-4'] } })] }), { model: 'gpt-4' })).toMatchObject({ allowed: false, code: 'policy' })
    expect(await ask(open({ ...down, policies: [strictBudgetEnforcement, () => 'BLOCK'] }))).toMatchObject({ allowed: false, code: 'policy' })
    expect(await ask(open(down))).toMatchObject({ allowed: true, enforcedBy: 'none' })
  })

  it('counts every call, also those with one idempotency key', async () => {
    const bursar = open({ store: failing({ reserve: ['before', 'before', 'before', 'before'] }), onStoreError: 'allow' })
    for (let call = 0; call < 2; call += 1) await bursar.guard({ userId: 'ada', estimatedCost: 4, idempotencyKey: 'k' }, async () => ({ result: 1, cost: 3 }))
    expect(await bursar.tracker.getUserCost('ada')).toBe(6)
  })

  it('gives the answer of a guarded call though its settle failed', async () => {
    const errors: unknown[] = []
    const bursar = open({ store: failing({ settle: 'before' }) }).on('store-error', ({ operation }) => errors.push(operation))
    expect(await bursar.guard({ userId: 'ada', estimatedCost: 4 }, async () => ({ result: 'paid for', cost: 3 }))).toBe('paid for')
    expect(errors).toEqual(['settle'])
    expect(await held(bursar)).toBe(4)
  })
})

describe('a repeat', () => {
  it('never denies what is still held, whatever the policies have become', async () => {
    const bursar = open()
    const request = { idempotencyKey: 'k' }
    await ask(bursar, request)
    bursar.callbacks.register(() => 'BLOCK')
    const repeat = await ask(bursar, request)
    expect(repeat).toMatchObject({ allowed: true, replayed: true, action: 'DEGRADE' })
    if (repeat.allowed) await repeat.settle({ cost: 2 })
    expect(await held(bursar)).toBe(0)
  })
})

describe('a temporary override', () => {
  it('stands over the lasting one, and gives way to it when it ends', async () => {
    const clock = manualClock()
    const bursar = open({ clock })
    await bursar.tracker.updateUserBudget('ada', { daily: 50 })
    await bursar.tracker.updateUserBudget('ada', { daily: 100 }, { until: clock() + 1_000 })
    await bursar.tracker.updateUserBudget('ada', { daily: { tokens: 5 } })
    const limit = async () => (await bursar.tracker.getPeriodCosts('ada', 'daily')).limit
    expect(await limit()).toBe(100)
    clock.advance('1s')
    expect(await limit()).toBe(50)
    expect((await bursar.tracker.getPeriodCosts('ada', 'daily/tokens')).limit).toBe(5)
  })

  it('survives a clock that fails for a moment', async () => {
    let now = Date.UTC(2026, 0, 15)
    const bursar = open({ clock: () => now })
    await bursar.tracker.updateUserBudget('ada', { daily: 100 }, { until: now + 1_000 })
    now = Number.NaN
    await expect(ask(bursar)).rejects.toMatchObject({ code: 'INVALID_REQUEST' })
    now = Date.UTC(2026, 0, 15)
    expect((await ask(bursar, { estimatedCost: 50 })).allowed).toBe(true)
  })
})

describe('memory', () => {
  it('is small for windows that one user alone has', async () => {
    const bursar = open()
    const before = process.memoryUsage().arrayBuffers
    for (let minutes = 60; minutes < 160; minutes += 1) {
      await bursar.tracker.updateUserBudget('ada', { rolling: { [`${minutes}m`]: 1, ...(minutes > 60 && { [`${minutes - 1}m`]: null }) } })
      await bursar.tracker.addCost({ userId: 'ada', cost: 0.001 })
    }
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(20_000_000)
  })
})

describe('canAfford', () => {
  it('says no from where a policy refuses on', async () => {
    const bursar = open({ policies: [definePolicy({ name: 'half', thresholds: { block: 50 } })] })
    expect(await bursar.tracker.canAfford('ada', 4.99, 'free')).toBe(true)
    expect(await bursar.tracker.canAfford('ada', 5, 'free')).toBe(false)
    const denied = await ask(bursar, { estimatedCost: 5 })
    expect(denied.allowed ? undefined : denied.toDenial()).toMatchObject({ refusedFromPct: 50, message: expect.stringContaining('refused from 50 % of it on') })
  })
})

describe('a decision on the console', () => {
  it('shows its action and its reason', async () => {
    const decision = await ask(open())
    expect(inspect(decision)).toContain("action: 'ALLOW'")
    expect(inspect(decision)).toContain('40 % of the daily budget would be used')
  })
})

describe('amounts beyond fifteen digits', () => {
  it('are charged to the microcent when a guarded call says no cost, or abandons what it metered', async () => {
    const cost = '12345678.12345678'
    const bursar = new Bursar({ tiers: { whale: { total: 90_000_000 } }, defaultTier: 'whale' })
    const spent = async () => (await bursar.tracker.getUserSummary('ada')).exact.totalMicrocents
    await expect(bursar.guard({ userId: 'ada', estimatedCost: cost }, async () => ({ result: 1 }))).rejects.toMatchObject({ code: 'MISSING_COST' })
    expect(await spent()).toBe(1_234_567_812_345_678)
    const decision = await bursar.check({ userId: 'ada', estimatedCost: cost })
    if (!decision.allowed) throw new Error('there is room')
    decision.addUsage(10, 'output')
    await decision.abandon()
    expect(await spent()).toBe(2 * 1_234_567_812_345_678)
  })
})

describe('what a user has', () => {
  it('is never touched by a group whose name looks like it', async () => {
    const bursar = new Bursar({ tiers: { free: { daily: 1 } }, defaultTier: 'free', scopes: { 'user of a tenant': { '*': { daily: 100 } } } })
    await bursar.tracker.addCost({ userId: 'eve', cost: 0.6, scopes: { 'user of a tenant': 'user/acme/ann' } })
    expect(await bursar.tracker.getPeriodCosts({ userId: 'ann', tenant: 'acme' }, 'daily')).toMatchObject({ cost: 0 })
  })

  it('is summed in as many entries by user as over all: a release is none', async () => {
    const bursar = open()
    const decision = await ask(bursar)
    if (decision.allowed) await decision.release()
    await bursar.tracker.addCost({ userId: 'ada', cost: 1 })
    await bursar.tracker.refund({ userId: 'ada', cost: 0.4 })
    expect((await bursar.tracker.getUserSummary('ada')).totalEntries).toBe(2)
    expect((await bursar.tracker.getSummary()).totalEntries).toBe(2)
  })
})

describe('a window that has ended', () => {
  it('announces nothing more when a call of yesterday is settled', async () => {
    const clock = manualClock('2026-01-15T23:59:00Z')
    const bursar = new Bursar({ tiers: { free: { daily: 10 } }, defaultTier: 'free', clock })
    const alerts: string[] = []
    bursar.on('threshold', ({ period }) => alerts.push(period))
    const decision = await bursar.check({ userId: 'ada', estimatedCost: 9 })
    clock.advance('5m')
    if (decision.allowed) await decision.settle({ cost: 9 })
    expect(alerts).toEqual([])
    expect(await bursar.tracker.getUserCost('ada')).toBe(9)
  })
})
