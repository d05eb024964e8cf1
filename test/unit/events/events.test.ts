// Every event of an engine: when it comes, how often, and what it carries.

import { describe, expect, it, vi } from 'vitest'
import { Bursar, CostTracker, definePolicy, type BursarConfig, type BursarEvents } from '../../../src/index.js'
import { manualClock } from '../../../src/testing/index.js'
import { gracefulDegradation, strictBudgetEnforcement } from '../../../policies/index.js'
import { allowedOf, MIDNIGHT } from '../setting.js'

const NAMES = ['decision', 'allow', 'warn', 'degrade', 'block', 'settled', 'overage', 'model-mismatch', 'hold-expired', 'threshold', 'window-reset', 'tier-changed', 'usage-error', 'policy-error', 'listener-error', 'store-error', 'store-recovered', 'recorded'] as const

function engine(config: Partial<BursarConfig> = {}) {
  const clock = manualClock()
  const bursar = new Bursar({ tiers: { free: { daily: 1 }, pro: { daily: 10 } }, defaultTier: 'free', clock, ...config } as BursarConfig)
  const log: [string, unknown][] = []
  for (const name of NAMES) bursar.on(name, (event) => log.push([name, event]))
  const of = <Name extends keyof BursarEvents>(name: Name) => log.filter(([heard]) => heard === name).map(([, event]) => event as BursarEvents[Name])
  return { bursar, clock, log, of, names: () => log.map(([name]) => name) }
}

describe('the event of a recorded cost', () => {
  it('says whose it was and of which tier, once', async () => {
    const { bursar, of } = engine()
    const entry = { userId: 'ann', tenant: 'acme', userTier: 'pro', model: 'gpt-4o', cost: 0.25, idempotencyKey: 'k' }
    await bursar.tracker.addCost(entry)
    await bursar.tracker.addCost(entry)
    expect(of('recorded')).toEqual([{ id: 'k', user: { userId: 'ann', tenant: 'acme' }, tier: 'pro', cost: 0.25, exact: { microcents: 25_000_000 }, model: 'gpt-4o' }])
  })
})

describe('events of decisions', () => {
  it('come as decision and by their action, with the decision itself', async () => {
    const { bursar, log } = engine({ policies: [gracefulDegradation] })
    const decisions = []
    for (const [userId, cost] of [['a', 0.5], ['b', 0.85], ['c', 0.95], ['d', 1.5]] as const) decisions.push(await bursar.check({ userId, estimatedCost: cost }))
    expect(log).toEqual(decisions.flatMap((decision, index) => [['decision', decision], [['allow', 'warn', 'degrade', 'block'][index], decision]]))
  })

  it('come after the state is safe: a listener may settle at once', async () => {
    const { bursar } = engine()
    const settlements: Promise<unknown>[] = []
    bursar.on('allow', (decision) => settlements.push(decision.settle({ cost: 0.01 })))
    await bursar.check({ userId: 'u', estimatedCost: 0.1 })
    await Promise.all(settlements)
    expect((await bursar.tracker.getUserSummary('u')).periodCosts['daily']).toMatchObject({ cost: 0.01, held: 0 })
  })

  it('tell of every policy that failed', async () => {
    const { bursar, of } = engine({ policies: [strictBudgetEnforcement, definePolicy({ name: 'broken', evaluate: () => { throw new Error('x') } })], onPolicyError: 'WARN' })
    const decision = await bursar.check({ userId: 'u', estimatedCost: 0.1 })
    expect(of('policy-error')).toMatchObject([{ id: decision.id, verdict: { policy: 'broken', action: 'WARN' } }])
  })

  it('once and off', async () => {
    const { bursar } = engine()
    const once = vi.fn()
    const off = vi.fn()
    bursar.once('allow', once).on('allow', off).off('allow', off)
    for (let time = 0; time < 3; time += 1) await bursar.check({ userId: 'u', estimatedCost: 0.1 })
    expect(once).toHaveBeenCalledTimes(1)
    expect(off).not.toHaveBeenCalled()
  })
})

describe('threshold', () => {
  it('comes once for each threshold of the judging policy, ascending, with a stable id', async () => {
    const { bursar, of } = engine()
    for (const cost of [0.7, 0.1, 0.05, 0.3, 0.5]) await bursar.tracker.addCost({ userId: 'u', cost })
    const events = of('threshold')
    expect(events).toMatchObject([
      { thresholdPct: 80, usedPct: 80, spent: 0.8, limit: 1, period: 'daily', unit: 'usd', scope: { kind: 'user', id: 'u' }, userId: 'u', resetsAt: new Date(MIDNIGHT) },
      { thresholdPct: 100, usedPct: 115, spent: 1.15 },
    ])
    expect(new Set(events.map((event) => event.alertId)).size).toBe(2)
  })

  it('comes for all thresholds that one settle crosses, and never for what is only held', async () => {
    const { bursar, of } = engine({ alertThresholds: [50, 95] })
    const decision = allowedOf(await bursar.check({ userId: 'u', estimatedCost: 1 }))
    expect(of('threshold')).toEqual([])
    await decision.settle({ cost: 1 })
    expect(of('threshold').map((event) => event.thresholdPct)).toEqual([50, 80, 95, 100])
  })

  it('is not armed again by a refund, but by a higher limit and by the next window', async () => {
    const { bursar, clock, of } = engine()
    await bursar.tracker.addCost({ userId: 'u', cost: 0.9 })
    await bursar.tracker.refund({ userId: 'u', cost: 0.5 })
    await bursar.tracker.addCost({ userId: 'u', cost: 0.5 })
    expect(of('threshold')).toHaveLength(1)
    await bursar.tracker.updateUserBudget('u', { daily: 2 })
    await bursar.tracker.addCost({ userId: 'u', cost: 0.8 })
    expect(of('threshold')).toHaveLength(2)
    await bursar.tracker.updateUserBudget('u', { daily: null })
    await bursar.tracker.addCost({ userId: 'u', cost: 0.1 })
    expect(of('threshold').map(({ limit, thresholdPct }) => [limit, thresholdPct])).toEqual([[1, 80], [2, 80], [1, 100]])
    clock.set(MIDNIGHT)
    await bursar.tracker.addCost({ userId: 'u', cost: 0.9 })
    expect(of('threshold').at(-1)).toMatchObject({ thresholdPct: 80, spent: 0.9 })
    expect(new Set(of('threshold').map((event) => event.alertId)).size).toBe(4)
  })

  it('comes for a rolling window at most once in its length', async () => {
    const { bursar, clock, of } = engine({ tiers: { free: { rolling: { '1h': 1 } } } })
    await bursar.tracker.addCost({ userId: 'u', cost: 0.9 })
    clock.advance('30m')
    await bursar.tracker.addCost({ userId: 'u', cost: 0.05 })
    expect(of('threshold')).toHaveLength(1)
    clock.advance('34m')
    await bursar.tracker.addCost({ userId: 'u', cost: 0.85 })
    expect(of('threshold')).toMatchObject([{ thresholdPct: 80, period: 'rolling:1h' }, { thresholdPct: 80 }])
  })

  it('names a rolling window as the configuration does', async () => {
    const { bursar, of } = engine({ tiers: { free: { rolling: { '24h': 1 } } } })
    await bursar.tracker.addCost({ userId: 'u', cost: 0.9 })
    const { periodCosts } = await bursar.tracker.getUserSummary('u')
    expect(Object.keys(periodCosts)).toContain(of('threshold')[0]?.period)
  })

  it('comes for shared scopes too, without a user', async () => {
    const { bursar, of } = engine({ global: { monthly: 1 } })
    await bursar.tracker.addCost({ userId: 'u', tenant: 't', userTier: 'pro', cost: 0.8 })
    expect(of('threshold')).toMatchObject([{ scope: { kind: 'global', id: 'global' }, period: 'monthly' }])
    expect(of('threshold')[0]?.userId).toBeUndefined()
  })
})

describe('other events', () => {
  it('window-reset comes when a used window begins anew', async () => {
    const { bursar, clock, of } = engine()
    await bursar.tracker.addCost({ userId: 'u', cost: 0.1 })
    expect(of('window-reset')).toEqual([])
    clock.set(MIDNIGHT)
    await bursar.check({ userId: 'u', estimatedCost: 0.1 })
    await bursar.check({ userId: 'u', estimatedCost: 0.1 })
    expect(of('window-reset')).toEqual([{ scope: { kind: 'user', id: 'u' }, period: 'daily', unit: 'usd', startsAt: new Date(MIDNIGHT), resetsAt: new Date(MIDNIGHT + 86_400_000) }])
  })

  it('tier-changed comes when the directory changes, not when it stays', async () => {
    const { bursar, of } = engine()
    await bursar.tracker.setUserTier('u', 'pro')
    await bursar.tracker.setUserTier('u', 'pro')
    await bursar.tracker.setUserTier({ userId: 'u', tenant: 't' }, 'free')
    await bursar.tracker.setUserTier('u', null)
    expect(of('tier-changed')).toEqual([{ user: { userId: 'u' }, from: undefined, to: 'pro' }, { user: { userId: 'u', tenant: 't' }, from: undefined, to: 'free' }, { user: { userId: 'u' }, from: 'pro', to: undefined }])
  })

  it('a tracker that stands alone announces thresholds of 80 and 100 %, or those configured', async () => {
    const heard = async (alertThresholds?: number[]) => {
      const tracker = new CostTracker({ tiers: { free: { daily: 1 } }, defaultTier: 'free', clock: manualClock(), alertThresholds })
      const seen: number[] = []
      tracker.events.on('threshold', (event) => seen.push(event.thresholdPct))
      await tracker.addCost({ userId: 'u', cost: 1 })
      return seen
    }
    expect(await heard()).toEqual([80, 100])
    expect(await heard([25, 99.5])).toEqual([25, 99.5])
  })
})
