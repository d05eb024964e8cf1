// What Prometheus reads of an engine: every figure, and no more labels than are good for it.

import { Counter, Registry } from 'prom-client'
import { describe, expect, it } from 'vitest'
import { memoryStore, StoreUnavailableError } from '../../../src/index.js'
import { prometheusMetrics } from '../../../src/telemetry/prometheus.js'
import { allowedOf, storeWith } from '../setting.js'
import { engine, samplesOf } from './kit.js'

function measured(...[config]: Parameters<typeof engine>) {
  const { bursar, clock } = engine(config)
  const metrics = prometheusMetrics(bursar)
  const value = async (sample: string): Promise<number | undefined> => (await samplesOf(metrics.registry)).get(sample)
  return { bursar, clock, metrics, value }
}

describe('decisions', () => {
  it('are counted by action, tier and the policy that said so', async () => {
    const { bursar, value } = measured()
    await bursar.check({ userId: 'a', estimatedCost: 0.1 })
    await bursar.check({ userId: 'b', estimatedCost: 0.85 })
    await bursar.check({ userId: 'c', estimatedCost: 2 })
    await bursar.check({ userId: 'c', estimatedCost: 2 })
    await bursar.check({ userId: 'd', userTier: 'pro', model: 'gpt-4o', estimatedCost: 11 })
    expect(await value('bursar_decisions_total{action="ALLOW",tier="free",policy="none"}')).toBe(1)
    expect(await value('bursar_decisions_total{action="WARN",tier="free",policy="tier-based"}')).toBe(1)
    expect(await value('bursar_decisions_total{action="BLOCK",tier="free",policy="tier-based"}')).toBe(2)
    expect(await value('bursar_denials_total{code="budget",tier="free"}')).toBe(2)
    expect(await value('bursar_decisions_total{action="DEGRADE",tier="pro",policy="tier-based"}')).toBe(1)
    expect(await value('bursar_check_duration_seconds_count{result="denied"}')).toBe(2)
    expect(await value('bursar_check_duration_seconds_count{result="allowed"}')).toBe(3)
  })

  it('that could not be made are counted by their error', async () => {
    const { bursar, value } = measured()
    await bursar.check({ userId: '', estimatedCost: 1 }).catch(() => {})
    await bursar.check({ userId: 'u' }).catch(() => {})
    await bursar.check({ userId: 'u', userTier: 'gold', estimatedCost: 1 }).catch(() => {})
    expect(await value('bursar_check_errors_total{code="INVALID_REQUEST"}')).toBe(1)
    expect(await value('bursar_check_errors_total{code="MISSING_ESTIMATE"}')).toBe(1)
    expect(await value('bursar_check_errors_total{code="UNKNOWN_TIER"}')).toBe(1)
    expect(await value('bursar_check_duration_seconds_count{result="error"}')).toBe(3)
  })

  it('without the store are counted by what stood behind them, and hold nothing', async () => {
    const reserve = (): never => {
      throw new StoreUnavailableError('away', { asked: false })
    }
    const { bursar, value } = measured({ store: storeWith(memoryStore(), { reserve }), onStoreError: 'allow' })
    await bursar.check({ userId: 'a', estimatedCost: 0.1 })
    expect(await value('bursar_decisions_without_store_total{enforced_by="none"}')).toBe(1)
    expect(await value('bursar_store_errors_total{operation="reserve"}')).toBe(1)
    expect(await value('bursar_held_usd{tier="free"}')).toBeUndefined()
    await bursar.close()
  })
})

describe('money', () => {
  it('is counted by tier and tenant when it is settled, by the decision or by its id, and once', async () => {
    const { bursar, value } = measured()
    const own = allowedOf(await bursar.check({ userId: 'a', tenant: 'acme', userTier: 'pro', estimatedCost: 0.5 }))
    await own.settle({ cost: 0.75 })
    await own.settle({ cost: 0.75 })
    const other = allowedOf(await bursar.check({ userId: 'b', estimatedCost: 0.5 }))
    await bursar.settle(other.id, { cost: 0.25 })
    await bursar.settle('none', { cost: 1 }).catch(() => {})
    expect(await value('bursar_spent_usd_total{tier="pro"}')).toBe(0.75)
    expect(await value('bursar_overage_usd_total{tier="pro"}')).toBe(0.25)
    expect(await value('bursar_spent_usd_total{tier="free"}')).toBe(0.25)
    expect(await value('bursar_tenant_spent_usd_total{tenant="acme"}')).toBe(0.75)
    expect(await value('bursar_tenant_spent_usd_total{tenant="none"}')).toBe(0.25)
    expect(await value('bursar_settles_total{result="settled"}')).toBe(2)
    expect(await value('bursar_settles_total{result="replayed"}')).toBe(1)
    expect(await value('bursar_settles_total{result="error"}')).toBe(1)
    expect(await value('bursar_settle_duration_seconds_count')).toBe(4)
  })

  it('that was recorded without a decision is counted too, once', async () => {
    const { bursar, value } = measured()
    const entry = { userId: 'a', tenant: 'acme', cost: 0.5, idempotencyKey: 'k' }
    await bursar.tracker.addCost(entry)
    await bursar.tracker.addCost(entry)
    expect(await value('bursar_spent_usd_total{tier="free"}')).toBe(0.5)
    expect(await value('bursar_tenant_spent_usd_total{tenant="acme"}')).toBe(0.5)
  })

  it('that is held is what this process has opened and not seen end', async () => {
    const { bursar, clock, value } = measured()
    const held = (tier = 'free') => Promise.all([value(`bursar_held_usd{tier="${tier}"}`), value(`bursar_open_holds{tier="${tier}"}`)])
    const check = async (idempotencyKey: string, estimatedCost = 0.125, userTier?: string) => allowedOf(await bursar.check({ userId: idempotencyKey, idempotencyKey, estimatedCost, ...(userTier !== undefined && { userTier }) }))
    const settled = await check('settled')
    const released = await check('released')
    const extended = await check('extended')
    await check('forgotten')
    await check('of-another-tier', 1, 'pro')
    await check('forgotten')
    expect(await held()).toEqual([0.5, 4])
    expect(await held('pro')).toEqual([1, 1])
    await settled.settle({ cost: 0.5 })
    await bursar.release(released.id)
    await check('settled')
    expect(await held()).toEqual([0.25, 2])
    await extended.extend('1h')
    clock.advance(600_001)
    expect(await held()).toEqual([0.125, 1])
    expect(await held('pro')).toEqual([0, 0])
    await bursar.check({ userId: 'forgotten', estimatedCost: 0 })
    expect(await value('bursar_holds_expired_total{tier="free"}')).toBe(1)
    expect(await value('bursar_holds_expired_usd_total{tier="free"}')).toBe(0.125)
    await extended.release()
    expect(await held()).toEqual([0, 1])
    expect(await value('bursar_releases_total')).toBe(2)
  })

  it('that all processes hold in a tier with a shared budget is read from the store, while it answers', async () => {
    let isAway = false
    const store = memoryStore()
    const read: typeof store.read = (...asked) => {
      if (isAway) throw new StoreUnavailableError('away', { asked: false })
      return store.read(...asked)
    }
    const { bursar, value } = measured({ store: storeWith(store, { read }) })
    const other = engine({ store })
    await other.bursar.check({ userId: 'a', userTier: 'pro', estimatedCost: 0.5 })
    await bursar.check({ userId: 'b', userTier: 'pro', estimatedCost: 0.25 })
    expect(await value('bursar_tier_pool_held_usd{tier="pro"}')).toBe(0.75)
    expect(await value('bursar_held_usd{tier="pro"}')).toBe(0.25)
    expect(await value('bursar_tier_pool_held_usd{tier="free"}')).toBeUndefined()
    isAway = true
    expect(await value('bursar_tier_pool_held_usd{tier="pro"}')).toBeUndefined()
  })
})

describe('other events', () => {
  it('are counted: thresholds by the kind of their scope, and usage that was refused', async () => {
    const { bursar, value } = measured()
    const decision = allowedOf(await bursar.check({ userId: 'a', estimatedCost: 0.5 }))
    decision.addUsage(-1, 'input')
    await decision.settle({ cost: 0.9 })
    expect(await value('bursar_thresholds_total{scope="user"}')).toBeGreaterThanOrEqual(1)
    expect(await value('bursar_usage_errors_total')).toBe(1)
  })
})

describe('counters', () => {
  it('of what is known beforehand begin at 0, so that their first step is seen', async () => {
    const { value } = measured()
    for (const sample of ['bursar_spent_usd_total{tier="pro"}', 'bursar_denials_total{code="rate",tier="free"}', 'bursar_settles_total{result="queued"}', 'bursar_decisions_total{action="ALLOW",tier="pro",policy="none"}', 'bursar_usage_errors_total']) expect(await value(sample)).toBe(0)
  })
})

describe('labels', () => {
  it('are bounded, whatever clients name, and none is a user, a session, a model or an id', async () => {
    const { bursar } = engine({ scopes: { tenant: { '*': {} }, team: { '*': {} } } as never, onUnknownTier: 'free' } as never)
    const { registry } = prometheusMetrics(bursar, { topTenants: 3 })
    for (let index = 0; index < 200; index += 1) {
      const mark = `secret-${index}`
      const decision = await bursar.check({ userId: mark, tenant: mark, userTier: mark, model: mark, provider: mark, estimatedCost: 0.01 + (index % 7) / 100, scopes: { team: mark }, idempotencyKey: mark, metadata: { mark } })
      await allowedOf(decision).settle({ cost: 0.01, model: `${mark}-answered` })
    }
    const text = await registry.metrics()
    const marks = [...text.matchAll(/(\w+)="(secret-[^"]*)"/g)].map(([, label, mark]) => `${label} ${mark}`)
    expect(new Set(marks).size).toBeLessThanOrEqual(6)
    expect(marks.every((mark) => mark.startsWith('tenant '))).toBe(true)
    expect((await samplesOf(registry)).get('bursar_tenant_spent_usd_total{tenant="other"}')).toBeGreaterThan(1.5)
    expect(text.split('\n').length).toBeLessThan(200)
  })

  it('of tenants that are anything are written so that the text can be read', async () => {
    const { bursar, value } = measured()
    await bursar.tracker.addCost({ userId: 'a', tenant: 'a"b\\c', cost: 0.5 })
    expect(await value('bursar_tenant_spent_usd_total{tenant="a\\"b\\\\c"}')).toBe(0.5)
  })
})

describe('prometheusMetrics', () => {
  it('measures into a registry that is there, under a prefix of its own, and leaves it as it was', async () => {
    const registry = new Registry()
    new Counter({ name: 'mine_total', help: 'mine', registers: [registry] })
    const before = await registry.metrics()
    const { bursar } = engine()
    const metrics = prometheusMetrics(bursar, { registry, prefix: 'shop_' })
    await bursar.check({ userId: 'a', estimatedCost: 0.1 })
    expect((await samplesOf(registry)).get('shop_decisions_total{action="ALLOW",tier="free",policy="none"}')).toBe(1)
    metrics.detach()
    metrics.detach()
    expect(bursar.tracker.events.hearsAnything).toBe(false)
    expect(await registry.metrics()).toBe(before)
    await bursar.check({ userId: 'a', estimatedCost: 0.1 })
    await bursar.tracker.addCost({ userId: 'a', cost: 1 })
    prometheusMetrics(bursar, { registry, prefix: 'shop_' })
    expect((await samplesOf(registry)).get('shop_decisions_total{action="ALLOW",tier="free",policy="none"}')).toBe(0)
    expect((await samplesOf(registry)).get('shop_spent_usd_total{tier="free"}')).toBe(0)
  })

  it('refuses names that the registry has, and leaves nothing there', async () => {
    const registry = new Registry()
    new Counter({ name: 'bursar_spent_usd_total', help: 'mine', registers: [registry] })
    const before = await registry.metrics()
    const { bursar } = engine()
    expect(() => prometheusMetrics(bursar, { registry })).toThrowError(expect.objectContaining({ code: 'INVALID_CONFIG' }))
    expect(await registry.metrics()).toBe(before)
  })

  it.each([{ topTenants: -1 }, { topTenants: 1.5 }, { topTenants: 5_000 }, { topTenants: Number.NaN }, { prefix: '1x' }, { prefix: 'a b' }, { prefix: 1 }, { tenants: 5 }])('refuses %j', (options) => {
    expect(() => prometheusMetrics(engine().bursar, options as never)).toThrowError(expect.objectContaining({ code: 'INVALID_CONFIG' }))
  })

  it('changes no decision', async () => {
    const run = async (isMeasured: boolean): Promise<unknown> => {
      const { bursar } = engine()
      if (isMeasured) prometheusMetrics(bursar)
      const actions = []
      for (const estimatedCost of [0.3, 0.3, 0.3, 0.3, 2]) actions.push((await bursar.check({ userId: 'a', estimatedCost })).action)
      return { actions, summary: await bursar.tracker.getUserSummary('a') }
    }
    expect(await run(true)).toEqual(await run(false))
  })
})
