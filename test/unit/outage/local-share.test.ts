// What is admitted from a local share: a part of what was last known to be left, once for each outage, and nothing where something
// is not known.

import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Bursar, EnforcementCallbacks, memoryStore, type Decision, type ScopeTerms } from '../../../src/index.js'
import { KnownWindows } from '../../../src/outage/known-windows.js'
import { teamOf, userOf, windowOf } from '../../../src/testing/contract/kit.js'
import { manualClock } from '../../../src/testing/index.js'
import { gracefulDegradation, modelAccess, strictBudgetEnforcement } from '../../../policies/index.js'
import { assertProperty } from '../../support/property.js'
import { allowedOf, DAY, deniedOf, START } from '../setting.js'
import { engine, fakeTimers } from './fickle-store.js'

beforeEach(fakeTimers)
afterEach(() => void vi.useRealTimers())

const LOCAL = { onStoreError: 'local', localShare: 0.5 } as const

describe('the configuration', () => {
  it.each([[{ onStoreError: 'local' }], [{ onStoreError: 'local', localShare: 0 }], [{ onStoreError: 'local', localShare: 1.01 }], [{ onStoreError: 'local', localShare: Number.NaN }], [{ onStoreError: 'local', localShare: '0.5' }]])('refuses %j', (config) => {
    expect(() => new Bursar({ tiers: { free: { daily: 1 } }, ...config } as never)).toThrow(/^config\.localShare: /)
  })

  it.each([[{ storeTimeout: '0s' }, 'config.storeTimeout'], [{ storeTimeout: '30d' }, 'config.storeTimeout'], [{ settleQueue: { max: 0 } }, 'config.settleQueue.max'], [{ settleQueue: { paht: 'x' } }, 'config.settleQueue.paht'], [{ settleQueue: { path: '' } }, 'config.settleQueue.path']])('refuses %j', (config, field) => {
    expect(() => new Bursar({ tiers: { free: { daily: 1 } }, ...config } as never)).toThrow(field)
  })
})

describe('a local share', () => {
  it('admits its part of what was left, and then refuses with what stands against it', async () => {
    const { fickle, ask } = engine(LOCAL)
    await (allowedOf(await ask({ estimatedCost: 4 }))).settle({ cost: 4 })
    await ask({ estimatedCost: 1 })
    // 10 − 4 spent − 1 held: 5 are left, and half of them are this process's.
    fickle.mood = 'refuses'
    const decision = allowedOf(await ask({ estimatedCost: 2 }))
    // With what is set aside for others, 95 % would be used.
    expect(decision).toMatchObject({ enforcedBy: 'local', action: 'WARN' })
    expect(decision.windows.find(({ period }) => period === 'daily')).toMatchObject({ limit: 10, spent: 4, held: 3.5, remaining: 2.5 })
    expect(deniedOf(await ask({ estimatedCost: 0.51 })).toDenial()).toMatchObject({ code: 'budget', status: 402, window: 'daily', local: true, largestFittingCost: 0.5, message: expect.stringContaining('its share of what was left') })
    expect((await ask({ estimatedCost: 0.5 })).allowed).toBe(true)
    expect(deniedOf(await ask({ estimatedCost: 0 })).code).toBe('budget')
  })

  it('counts requests too', async () => {
    const { fickle, ask } = engine({ ...LOCAL, tiers: { free: { daily: 100, rolling: { '1h': { requests: 7 } } } } })
    await ask({ estimatedCost: 0 })
    fickle.mood = 'refuses'
    for (let call = 0; call < 3; call += 1) expect(allowedOf(await ask({ estimatedCost: 0 })).enforcedBy).toBe('local')
    expect(deniedOf(await ask({ estimatedCost: 0 })).toDenial()).toMatchObject({ code: 'rate', status: 429 })
  })

  it('is used once: what a call costs less is not given back, what it costs more is taken too', async () => {
    const { fickle, ask } = engine(LOCAL)
    await ask({ estimatedCost: 0 })
    fickle.mood = 'refuses'
    await allowedOf(await ask({ estimatedCost: 3 })).settle({ cost: 0.1 })
    await allowedOf(await ask({ estimatedCost: 0.5 })).release()
    const dear = allowedOf(await ask({ estimatedCost: 0.5 }))
    await dear.settle({ cost: 1 })
    await dear.settle({ cost: 1 })
    expect(deniedOf(await ask({ estimatedCost: 0.51 })).code).toBe('budget')
    expect((await ask({ estimatedCost: 0.5 })).allowed).toBe(true)
  })

  it('is not renewed by a store that comes and goes, until it has spoken of the scope again', async () => {
    const { bursar, fickle, ask, pass } = engine(LOCAL)
    await ask({ estimatedCost: 0 })
    fickle.mood = 'refuses'
    const open = allowedOf(await ask({ estimatedCost: 4 }))
    for (let outage = 0; outage < 3; outage += 1) {
      fickle.mood = 'well'
      await pass(5_000)
      fickle.mood = 'refuses'
      expect(deniedOf(await ask({ estimatedCost: 1.01 })).code).toBe('budget')
    }
    fickle.mood = 'well'
    await pass(5_000)
    // The store has spoken, but does not know of the open call: what it may cost is still taken from the share.
    await ask({ estimatedCost: 0 })
    fickle.mood = 'refuses'
    expect(deniedOf(await ask({ estimatedCost: 1.01 })).code).toBe('budget')
    fickle.mood = 'well'
    await pass(5_000)
    await open.settle({ cost: 2 })
    await ask({ estimatedCost: 0 })
    fickle.mood = 'refuses'
    expect((await ask({ estimatedCost: 4 })).allowed).toBe(true)
    expect(deniedOf(await ask({ estimatedCost: 0.01 })).code).toBe('budget')
    fickle.mood = 'well'
    await pass(5_000)
    expect(await bursar.tracker.getUserCost('ada')).toBe(2)
  })

  it('is whole again when the store has been told of its calls, and has spoken', async () => {
    const { fickle, ask, pass } = engine(LOCAL)
    await ask({ estimatedCost: 0 })
    fickle.mood = 'refuses'
    await allowedOf(await ask({ estimatedCost: 5 })).settle({ cost: 2 })
    fickle.mood = 'well'
    await pass(5_000)
    await ask({ estimatedCost: 0 })
    fickle.mood = 'refuses'
    expect((await ask({ estimatedCost: 4 })).allowed).toBe(true)
    expect(deniedOf(await ask({ estimatedCost: 0.01 })).code).toBe('budget')
  })

  it('is not renewed by an answer to what was asked before the outage', async () => {
    const { bursar, fickle, ask, pass } = engine(LOCAL)
    await ask({ estimatedCost: 0 })
    let answer: () => void = () => {}
    const reserve = fickle.inner.reserve.bind(fickle.inner)
    fickle.inner.reserve = ((request: Parameters<typeof reserve>[0]) => {
      const reply = reserve(request)
      return new Promise((resolve) => (answer = () => resolve(reply as never)))
    }) as typeof reserve
    const slow = ask({ estimatedCost: 0 })
    await pass(10)
    fickle.mood = 'refuses'
    await bursar.tracker.getUserCost('ada').catch(() => {})
    await allowedOf(await ask({ estimatedCost: 5 })).release()
    answer()
    expect((await slow).enforcedBy).toBe('store')
    expect(deniedOf(await ask({ estimatedCost: 1 })).code).toBe('budget')
  })

  it('knows what was recorded since', async () => {
    const { bursar, fickle, ask } = engine(LOCAL)
    await ask({ estimatedCost: 0 })
    await bursar.tracker.addCost({ userId: 'ada', cost: 8 })
    fickle.mood = 'refuses'
    expect(deniedOf(await ask({ estimatedCost: 1.01 })).code).toBe('budget')
    expect((await ask({ estimatedCost: 1 })).allowed).toBe(true)
  })

  it('takes the cost of its calls to the store when that is back', async () => {
    const { bursar, fickle, ask, pass } = engine(LOCAL)
    await ask({ estimatedCost: 0 })
    fickle.mood = 'refuses'
    const decision = allowedOf(await ask({ estimatedCost: 3, model: 'large' }))
    expect(await decision.settle({ cost: 2 })).toMatchObject({ cost: 2, queued: true, replayed: false })
    expect(await decision.settle({ cost: 2 })).toMatchObject({ cost: 2, queued: true, replayed: true })
    await expect(decision.settle({ cost: 3 })).rejects.toMatchObject({ code: 'ALREADY_ENDED' })
    fickle.mood = 'well'
    await pass(5_000)
    expect(await bursar.tracker.getUserCost('ada')).toBe(2)
    expect(await decision.settle({ cost: 2 })).toMatchObject({ replayed: true })
    expect((await bursar.tracker.getSummary()).byModel).toHaveProperty('large')
  })
})

describe('thresholds and ladders', () => {
  const ladder = { 'gpt-4o': 'gpt-4o-mini' }
  const estimate = (_request: unknown, model: string | undefined) => (model === 'gpt-4o' ? 2 : 0.5)

  it('degrade within a share as they do in the store', async () => {
    const { fickle, ask } = engine({ ...LOCAL, localShare: 1, policies: [gracefulDegradation], ladder, estimate })
    await (allowedOf(await ask({ estimatedCost: undefined, model: 'gpt-4o' }))).settle({ cost: 7.5 })
    fickle.mood = 'refuses'
    const decision = allowedOf(await ask({ estimatedCost: undefined, model: 'gpt-4o' }))
    expect(decision).toMatchObject({ action: 'DEGRADE', model: 'gpt-4o-mini', enforcedBy: 'local' })
    expect(decision.reason).toContain('gpt-4o-mini')
  })

  it('give no rung that a request policy refuses, but one below it', async () => {
    const { fickle, ask } = engine({ ...LOCAL, policies: [strictBudgetEnforcement, gracefulDegradation, modelAccess({ free: { deny: ['gpt-4o'] } })], ladder, estimate })
    await ask({ estimatedCost: undefined, model: 'gpt-4o-mini' })
    fickle.mood = 'refuses'
    expect(await ask({ estimatedCost: undefined, model: 'gpt-4o' })).toMatchObject({ action: 'DEGRADE', model: 'gpt-4o-mini', enforcedBy: 'local' })
  })

  it('take nothing from the share for what a function refuses', async () => {
    let blocks = true
    const { fickle, ask } = engine({ ...LOCAL, policies: [strictBudgetEnforcement, () => (blocks ? 'BLOCK' : 'ALLOW')] })
    await ask({ estimatedCost: 0 })
    fickle.mood = 'refuses'
    for (let call = 0; call < 5; call += 1) expect(deniedOf(await ask({ estimatedCost: 5 })).code).toBe('policy')
    blocks = false
    expect((await ask({ estimatedCost: 5 })).allowed).toBe(true)
  })

  it('EXPLAINED: the policies on the context of a local decision give its action', async () => {
    await assertProperty('EXPLAINED (local)', fc.asyncProperty(fc.integer({ min: 1, max: 100 }), fc.array(fc.tuple(fc.integer({ min: 0, max: 600 }), fc.boolean()), { maxLength: 12 }), fc.integer({ min: 0, max: 900 }), async (percent, calls, before) => {
      const { bursar, fickle, ask } = engine({ ...LOCAL, localShare: percent / 100, policies: [gracefulDegradation], ladder, tiers: { free: { daily: 10 } } })
      const callbacks = new EnforcementCallbacks()
      callbacks.register(gracefulDegradation)
      await bursar.tracker.addCost({ userId: 'ada', cost: before / 100 })
      await ask({ estimatedCost: 0 })
      fickle.mood = 'refuses'
      for (const [cents, named] of calls) {
        const decision: Decision = await ask({ estimatedCost: cents / 100, ...(named && { model: 'gpt-4o' }) })
        expect(decision.enforcedBy).toBe('local')
        const action = callbacks.check(decision.context)
        const changed = decision.allowed && decision.model !== decision.requestedModel
        expect(decision.action).toBe(changed && action !== 'BLOCK' ? 'DEGRADE' : action)
      }
    }), Math.min(200, Number(process.env['BURSAR_RUNS'] ?? 200)))
  })
})

describe('what refuses nothing', () => {
  const watched = { id: 'watch', scope: { kind: 'global' }, budget: { rolling: { '1h': 1 }, daily: 1 }, mode: 'alert' } as const

  it('needs not be known: a limit that only alerts and was never met', async () => {
    const { bursar, fickle, ask } = engine(LOCAL)
    await ask({ estimatedCost: 0 })
    await bursar.limits.create(watched)
    fickle.mood = 'refuses'
    const decision = allowedOf(await ask({ estimatedCost: 0.5 }))
    expect(decision.enforcedBy).toBe('local')
    expect(decision.windows.filter(({ scope }) => scope.kind === 'limit')).toMatchObject([{ period: 'daily', spent: 0, held: 0 }, { period: 'rolling:1h', spent: 0, held: 0 }])
    expect(deniedOf(await ask({ estimatedCost: 6 })).code).toBe('budget')
  })

  it('counts as empty where its window has ended, and one that blocks does not', async () => {
    for (const [mode, allowed] of [['alert', true], ['block', false]] as const) {
      const { bursar, fickle, ask, pass } = engine({ ...LOCAL, tiers: { free: { total: 100 } } })
      await bursar.limits.create({ id: 'l', scope: { kind: 'global' }, budget: { rolling: { '1m': 50 } }, mode })
      await ask({ estimatedCost: 0 })
      fickle.mood = 'refuses'
      await pass(200_000)
      expect((await ask({ estimatedCost: 0.5 })).allowed).toBe(allowed)
    }
  })
})

describe('what is not known', () => {
  it('is refused: a user never seen', async () => {
    const { fickle, ask } = engine(LOCAL)
    await ask()
    fickle.mood = 'refuses'
    expect((await ask()).enforcedBy).toBe('local')
    expect(deniedOf(await ask({ userId: 'eve' }))).toMatchObject({ code: 'store-unavailable', enforcedBy: 'none' })
  })

  it('is refused: one scope of several never seen', async () => {
    const { fickle, ask } = engine({ ...LOCAL, scopes: { team: { search: { daily: 10 }, mail: { daily: 10 } } } })
    await ask({ scopes: { team: 'search' } })
    fickle.mood = 'refuses'
    expect((await ask({ scopes: { team: 'search' } })).enforcedBy).toBe('local')
    expect(deniedOf(await ask({ scopes: { team: 'mail' } })).code).toBe('store-unavailable')
  })

  it('is refused: a calendar window that has ended since', async () => {
    const { fickle, ask, pass } = engine(LOCAL)
    await ask()
    fickle.mood = 'refuses'
    await pass(DAY / 2 - 3_600_001)
    expect(deniedOf(await ask()).code).toBe('store-unavailable')
  })

  it('is refused by whichever clock says that a window has ended', async () => {
    for (const jump of [(clock: { advance(by: '26h'): void }) => clock.advance('26h'), () => vi.advanceTimersByTime(26 * 3_600_000)]) {
      const { fickle, ask, clock } = engine({ ...LOCAL, tiers: { free: { daily: 10 } } })
      await ask()
      fickle.mood = 'refuses'
      expect((await ask()).enforcedBy).toBe('local')
      jump(clock)
      expect(deniedOf(await ask()).code).toBe('store-unavailable')
    }
  })

  it('is no reason where nothing is limited: an unlimited window may end', async () => {
    const { fickle, ask, pass } = engine({ ...LOCAL, tiers: { free: { monthly: 10 } } })
    await ask()
    fickle.mood = 'refuses'
    await pass(DAY)
    expect((await ask()).enforcedBy).toBe('local')
  })

  it('is refused: a rolling window of which nothing is left that was known', async () => {
    const { fickle, ask, pass } = engine({ ...LOCAL, tiers: { free: { total: 100, rolling: { '1h': 10 } } } })
    await ask()
    fickle.mood = 'refuses'
    await pass(3_599_000)
    expect((await ask()).enforcedBy).toBe('local')
    await pass(1_000)
    expect(deniedOf(await ask()).code).toBe('store-unavailable')
  })

  it('is refused: a user of whom the directory alone knows, and it has never spoken', async () => {
    const { bursar, fickle, ask } = engine(LOCAL)
    await bursar.tracker.setUserTier('ann', 'pro')
    await ask({ userId: 'ada' })
    fickle.mood = 'refuses'
    expect(deniedOf(await ask({ userId: 'ann' })).code).toBe('store-unavailable')
  })

  it('is as the directory last said, where it has spoken', async () => {
    const { bursar, fickle, ask } = engine(LOCAL)
    await bursar.tracker.setUserTier('ann', 'pro')
    await bursar.tracker.updateUserBudget('ann', { daily: 2 })
    await ask({ userId: 'ann', estimatedCost: 0 })
    fickle.mood = 'refuses'
    expect(await ask({ userId: 'ann', estimatedCost: 1 })).toMatchObject({ enforcedBy: 'local', allowed: true, context: { userTier: 'pro' } })
    expect(deniedOf(await ask({ userId: 'ann', estimatedCost: 0.1 })).code).toBe('budget')
  })

  it('is forgotten beyond the bound, the scope that was heard of longest ago first', () => {
    const known = new KnownWindows(1, 3)
    const scopeOf = (user: string): readonly ScopeTerms[] => [userOf(user, windowOf(100))]
    const note = (user: string) => known.note(scopeOf(user), [START, START + DAY, 0, 0], START, undefined)
    const knows = (user: string) => known.answer({ id: 'r', fingerprint: 'r', idGiven: false, ttlMs: 1, onExpiry: 'charge', scopes: scopeOf(user), rungs: [{ microcents: 1, tokens: 0 }], facts: { user: { userId: user }, tier: undefined } }, START) !== undefined
    for (const user of ['a', 'b', 'c', 'a', 'd']) note(user)
    expect(['a', 'b', 'c', 'd'].map(knows)).toEqual([true, false, true, true])
  })

  it('is nothing at all for a store that is not shared', async () => {
    const clock = manualClock(START)
    const store = new Proxy(memoryStore({ clock }), { get: (target, name: never) => (name === 'reserve' ? () => Promise.reject(new Error('down')) : target[name]) })
    const bursar = new Bursar({ tiers: { free: { daily: 1 } }, defaultTier: 'free', clock, store, ...LOCAL })
    expect(deniedOf(await bursar.check({ userId: 'u', estimatedCost: 0 })).code).toBe('store-unavailable')
  })
})

describe('shares that sum to at most one', () => {
  it('NO-OVERSPEND without a store: together they never admit more than was left, whatever comes and goes', async () => {
    const shares = fc.array(fc.integer({ min: 1, max: 1_000 }), { minLength: 1, maxLength: 8 }).map((weights) => {
      const sum = weights.reduce((total, weight) => total + weight, 0)
      return weights.map((weight) => weight / sum)
    })
    const amount = fc.oneof(fc.integer({ min: 0, max: 60 }), fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }))
    const request = fc.record({ process: fc.nat(7), microcents: amount, tokens: fc.integer({ min: 0, max: 30 }), outageEnds: fc.boolean(), end: fc.constantFrom('open', 'told', 'exceeds'), team: fc.boolean() })
    await assertProperty('local shares', fc.asyncProperty(shares, fc.tuple(amount, fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 10 })), fc.array(amount, { minLength: 3, maxLength: 3 }), fc.array(request, { maxLength: 60 }), async (parts, limits, used, requests) => {
      const scopes = [userOf('ada', windowOf(limits[0]), windowOf(limits[1], { unit: 'tokens' }), windowOf(limits[2], { unit: 'requests', rollingMs: 60_000 })), teamOf('search', windowOf(limits[0]))]
      const left = (limit: number, spent: number) => Math.max(0, limit - spent)
      const spent = [used[0] as number % (limits[0] + 1), used[1] as number % (limits[1] + 1), used[2] as number % (limits[2] + 1)] as const
      const readings = [...spent, spent[0]].flatMap((amountSpent) => [START, START + DAY, amountSpent, 0])
      const processes = parts.map((share) => new KnownWindows(share))
      for (const known of processes) known.note(scopes, readings, START, undefined)
      const admitted = { usd: 0n, tokens: 0n, requests: 0n, team: 0n }
      let id = 0
      for (const { process, microcents, tokens, end, team } of requests) {
        const known = processes[process % processes.length] as KnownWindows
        const asked = team ? scopes : scopes.slice(0, 1)
        id += 1
        const answer = known.answer({ id: `r${id}`, fingerprint: '', idGiven: false, ttlMs: 1_000, onExpiry: 'charge', scopes: asked, rungs: [{ microcents, tokens }], facts: { user: { userId: 'ada' }, tier: undefined } }, START + 1)
        if (answer?.reply.outcome !== 'admitted') continue
        const hold = answer.take()
        admitted.usd += BigInt(microcents)
        admitted.tokens += BigInt(tokens)
        admitted.requests += 1n
        if (team) admitted.team += BigInt(microcents)
        if (end === 'told') hold.told()
      }
      expect(admitted.usd <= BigInt(left(limits[0], spent[0]))).toBe(true)
      expect(admitted.team <= BigInt(left(limits[0], spent[0]))).toBe(true)
      expect(admitted.tokens <= BigInt(left(limits[1], spent[1]))).toBe(true)
      expect(admitted.requests <= BigInt(left(limits[2], spent[2]))).toBe(true)
    }))
  })

  it('NO-OVERSPEND without a store: engines on one store whose outages interleave', async () => {
    const step = fc.record({ process: fc.nat(3), cents: fc.integer({ min: 0, max: 300 }), mood: fc.constantFrom('refuses', 'well', undefined), settles: fc.boolean() })
    await assertProperty('local shares of engines', fc.asyncProperty(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 0, max: 800 }), fc.array(step, { maxLength: 25 }), async (count, before, steps) => {
      const clock = manualClock(START)
      const store = memoryStore({ clock })
      const engines = Array.from({ length: count }, () => engine({ onStoreError: 'local', localShare: 1 / count, tiers: { free: { daily: 10 } } }, store, clock))
      await engines[0]?.bursar.tracker.addCost({ userId: 'ada', cost: before / 100 })
      for (const { ask } of engines) await ask({ estimatedCost: 0 })
      let locally = 0
      for (const { process, cents, mood, settles } of steps) {
        const { fickle, ask, pass } = engines[process % count] as (typeof engines)[number]
        if (mood === 'well') {
          // The store is there for a moment: long enough for the circuit to close, without a word about the scope.
          fickle.mood = 'well'
          await pass(5_000)
        }
        fickle.mood = 'refuses'
        const decision = await ask({ estimatedCost: cents / 100 })
        if (decision.allowed) {
          expect(decision.enforcedBy).toBe('local')
          locally += decision.exact.estimatedMicrocents
          if (settles) await decision.settle({ cost: decision.estimatedCost })
        }
      }
      expect(locally).toBeLessThanOrEqual((1_000 - before) * 1_000_000)
      for (const { bursar } of engines) await bursar.close()
    }), Math.min(100, Number(process.env['BURSAR_RUNS'] ?? 100)))
  })
})
