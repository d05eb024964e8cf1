// From what was bought to the tier: the mapper alone, on plain objects as Stripe's API gives them.

import { describe, expect, it } from 'vitest'
import { Bursar, BursarError, InvalidConfigError, UnknownTierError } from '../../../src/index.js'
import { StripeTierMapper, type StripePrice, type StripeSubscription } from '../../../src/stripe/index.js'
import { deniedOf } from '../setting.js'

const mapper = new StripeTierMapper({
  tiers: {
    free: { budget: { daily: 1 } },
    pro: { prices: ['price_pro'], products: ['prod_pro'], lookupKeys: ['pro_monthly'], budget: { daily: 10 }, monthlyPrice: 29 },
    enterprise: { prices: ['price_enterprise'], products: ['prod_enterprise'], lookupKeys: ['enterprise_monthly'], budget: { daily: 100 }, monthlyPrice: 499 },
  },
  fallbackTier: 'free',
  ignored: ['price_seat', 'prod_support'],
})

const price = (more: Partial<StripePrice> = {}): StripePrice => ({ id: 'price_x', product: 'prod_x', lookup_key: null, ...more })
const tagged = (tier: string) => ({ id: 'prod_x', metadata: { bursar_tier: tier } })

function subscription(prices: readonly StripePrice[], status = 'active'): StripeSubscription {
  return { id: 'sub_1', status, created: 0, items: { data: prices.map((each, index) => ({ id: `si_${index}`, price: each })) } }
}

describe('the tier of a price', () => {
  it.each<[string, StripePrice, string | undefined]>([
    ['its id', price({ id: 'price_pro' }), 'pro'],
    ['its id before its product', price({ id: 'price_pro', product: 'prod_enterprise' }), 'pro'],
    ['its product by id', price({ product: 'prod_pro' }), 'pro'],
    ['its product where it is expanded', price({ product: { id: 'prod_pro', metadata: {} } }), 'pro'],
    ['its product before its lookup key', price({ product: 'prod_pro', lookup_key: 'enterprise_monthly' }), 'pro'],
    ['its lookup key', price({ lookup_key: 'pro_monthly' }), 'pro'],
    ['its lookup key before the metadata of its product', price({ lookup_key: 'pro_monthly', product: tagged('enterprise') }), 'pro'],
    ['the metadata of its product', price({ product: tagged('enterprise') }), 'enterprise'],
    ['metadata that names no tier', price({ product: tagged('platinum') }), undefined],
    ['metadata that names a member of every object', price({ product: tagged('constructor') }), undefined],
    ['a product that was deleted', price({ product: { id: 'prod_x' } }), undefined],
    ['no product', price({ product: null }), undefined],
    ['nothing that is known', price(), undefined],
    ['a product that has the id of a price', price({ product: 'price_pro' }), undefined],
    ['a lookup key that is the id of a price', price({ lookup_key: 'price_pro' }), undefined],
  ])('follows %s', (_what, given, tier) => expect(mapper.tierForPrice(given)).toBe(tier))

  it('is found for a bare id of a price, and for nothing else that is bare', () => {
    expect([mapper.tierForPrice('price_enterprise'), mapper.tierForPrice('prod_enterprise'), mapper.tierForPrice('')]).toEqual(['enterprise', undefined, undefined])
  })

  it('reads the key of metadata that was configured', () => {
    const own = new StripeTierMapper({ tiers: { free: { budget: {} }, pro: { budget: {} } }, fallbackTier: 'free', metadataKey: 'plan' })
    expect(own.tierForPrice(price({ product: { id: 'prod_x', metadata: { plan: 'pro' } } }))).toBe('pro')
    expect(own.tierForPrice(price({ product: tagged('pro') }))).toBeUndefined()
  })
})

describe('the tier of a subscription', () => {
  it('is the highest of its positions, in whatever order they stand', () => {
    const [pro, enterprise] = [price({ id: 'price_pro' }), price({ id: 'price_enterprise' })]
    expect(mapper.tierForSubscription(subscription([pro, enterprise]))).toBe('enterprise')
    expect(mapper.tierForSubscription(subscription([enterprise, price(), pro]))).toBe('enterprise')
  })

  it.each([
    ['active', 'pro'],
    ['trialing', 'pro'],
    ['past_due', 'pro'],
    ['incomplete', 'free'],
    ['incomplete_expired', 'free'],
    ['unpaid', 'free'],
    ['paused', 'free'],
    ['canceled', 'free'],
    ['on_hold', undefined],
    ['constructor', undefined],
    ['', undefined],
  ])('of the status "%s" is %s', (status, tier) => expect(mapper.tierForSubscription(subscription([price({ id: 'price_pro' })], status))).toBe(tier))

  it('cannot be said where nothing maps its prices', () => expect(mapper.tierForSubscription(subscription([price()]))).toBeUndefined())
})

describe('the ranks', () => {
  it('are the order in which the tiers are written', () => {
    expect(mapper.ranks).toEqual(['free', 'pro', 'enterprise'])
    expect(['free', 'pro', 'enterprise', 'platinum', undefined].map((tier) => mapper.rankOf(tier))).toEqual([0, 1, 2, -1, -1])
    expect(mapper.highest(['free', undefined, 'pro'])).toBe('pro')
    expect(mapper.highest([undefined])).toBeUndefined()
    expect(mapper.highest([])).toBeUndefined()
  })

  it('give the next tier up', () => {
    expect([mapper.nextTier('free'), mapper.nextTier('pro'), mapper.nextTier('enterprise')]).toEqual(['pro', 'enterprise', undefined])
    expect(() => mapper.nextTier('platinum' as never)).toThrow(UnknownTierError)
  })

  it('cannot be changed from outside', () => {
    expect(() => (mapper.ranks as string[]).reverse()).toThrow(TypeError)
    expect(() => Object.assign(mapper.tiers, { gold: {} })).toThrow(TypeError)
  })
})

describe('what is offered', () => {
  it('is the next tier up with its price', () => {
    expect(mapper.getUpgradeTier('free')).toBe('Pro ($29/mo)')
    expect(mapper.getUpgradeTier('pro')).toBe('Enterprise ($499/mo)')
    expect(mapper.getUpgradeTier('enterprise')).toBeUndefined()
    expect(() => mapper.getUpgradeTier('platinum')).toThrow(UnknownTierError)
  })

  it.each<[string, object, string]>([
    ['whole dollars', { monthlyPrice: '29.00' }, 'Pro ($29/mo)'],
    ['cents', { monthlyPrice: 29.9 }, 'Pro ($29.90/mo)'],
    ['a round hundred', { monthlyPrice: 100 }, 'Pro ($100/mo)'],
    ['nothing to pay', { monthlyPrice: 0 }, 'Pro ($0/mo)'],
    ['no price', {}, 'Pro'],
    ['a label', { label: 'Team plan', monthlyPrice: 5 }, 'Team plan ($5/mo)'],
  ])('is written with %s as people write it', (_what, more, offer) => {
    const own = new StripeTierMapper({ tiers: { free: { budget: {} }, pro: { budget: {}, ...more } }, fallbackTier: 'free' })
    expect(own.getUpgradeTier('free')).toBe(offer)
  })

  it('stands in a refusal by the own budget, and only there', async () => {
    const bursar = new Bursar({ tiers: mapper.tiers, defaultTier: 'free', global: { daily: 0.5 }, suggestUpgrade: mapper.getUpgradeTier })
    const own = deniedOf(await bursar.check({ userId: 'ada', estimatedCost: 2 }))
    expect(own.toDenial()).toMatchObject({ upgrade: 'Pro ($29/mo)' })
    expect(own.toDenial().message).toContain('Upgrade to Pro ($29/mo)')
    const shared = deniedOf(await bursar.check({ userId: 'ada', estimatedCost: 0.75 }))
    expect(shared.toDenial()).not.toHaveProperty('upgrade')
    expect(shared.toDenial().message).not.toContain('Upgrade')
    const top = deniedOf(await bursar.check({ userId: 'bob', userTier: 'enterprise', estimatedCost: 200 }))
    expect(top.toDenial()).not.toHaveProperty('upgrade')
  })
})

describe('the budgets', () => {
  it('are those of the tiers, by both names', () => {
    expect(mapper.tiers).toEqual({ free: { daily: 1 }, pro: { daily: 10 }, enterprise: { daily: 100 } })
    expect(mapper.userBudgets).toBe(mapper.tiers)
    expect(Object.keys(mapper.tiers)).toEqual(mapper.ranks)
  })
})

describe('a budget', () => {
  it('may have months that follow the subscription', () => {
    const budget = { monthly: { usd: 100, anchor: 'subscription' } } as const
    expect(new StripeTierMapper({ tiers: { free: { budget: {} }, pro: { budget } }, fallbackTier: 'free' }).tiers.pro).toEqual(budget)
  })
})

describe('a configuration that cannot work', () => {
  const tier = (more: object = {}) => ({ budget: {}, ...more })
  it.each<[string, unknown, RegExp]>([
    ['no configuration', undefined, /mapper/],
    ['no tiers', { tiers: {}, fallbackTier: 'free' }, /mapper\.fallbackTier: "free" is no tier/],
    ['a fallback that is no tier', { tiers: { free: tier() }, fallbackTier: 'fre' }, /mapper\.fallbackTier: "fre" is no tier\. The tiers are free\./],
    ['a fallback that every object has', { tiers: { free: tier() }, fallbackTier: 'constructor' }, /mapper\.fallbackTier: "constructor"/],
    ['no fallback', { tiers: { free: tier() } }, /mapper\.fallbackTier/],
    ['a price in two tiers', { tiers: { free: tier({ prices: ['price_1'] }), pro: tier({ prices: ['price_1'] }) }, fallbackTier: 'free' }, /mapper\.tiers\.pro\.prices: "price_1" gives the tier free too/],
    ['a price twice in a tier', { tiers: { free: tier({ prices: ['price_1', 'price_1'] }) }, fallbackTier: 'free' }, /mapper\.tiers\.free\.prices: "price_1" gives this tier twice/],
    ['a product in two tiers', { tiers: { free: tier({ products: ['prod_1'] }), pro: tier({ products: ['prod_1'] }) }, fallbackTier: 'free' }, /mapper\.tiers\.pro\.products/],
    ['a lookup key in two tiers', { tiers: { free: tier({ lookupKeys: ['k'] }), pro: tier({ lookupKeys: ['k'] }) }, fallbackTier: 'free' }, /mapper\.tiers\.pro\.lookupKeys/],
    ['a price that is sold and ignored', { tiers: { free: tier(), pro: tier({ prices: ['price_1'] }) }, fallbackTier: 'free', ignored: ['price_1'] }, /mapper\.ignored: "price_1" gives the tier pro/],
    ['an empty id', { tiers: { free: tier({ prices: [''] }) }, fallbackTier: 'free' }, /mapper\.tiers\.free\.prices/],
    ['ids that are no list', { tiers: { free: tier({ prices: 'price_1' }) }, fallbackTier: 'free' }, /mapper\.tiers\.free\.prices/],
    ['an unknown field', { tiers: { free: tier() }, fallbackTier: 'free', defaultTier: 'free' }, /defaultTier/],
    ['an unknown field of a tier', { tiers: { free: tier({ price: 'price_1' }) }, fallbackTier: 'free' }, /mapper\.tiers\.free.*price/],
    ['a tier without a budget', { tiers: { free: {} }, fallbackTier: 'free' }, /mapper\.tiers\.free\.budget/],
    ['a mistyped window', { tiers: { free: { budget: { dayly: 1 } } }, fallbackTier: 'free' }, /mapper\.tiers\.free\.budget/],
    ['a number for a name', { tiers: { free: tier(), 2: tier() }, fallbackTier: 'free' }, /mapper\.tiers\.2: a number loses its place/],
    ['an empty name', { tiers: { '': tier(), free: tier() }, fallbackTier: 'free' }, /mapper\.tiers/],
    ['an empty label', { tiers: { free: tier({ label: '' }) }, fallbackTier: 'free' }, /mapper\.tiers\.free\.label/],
    ['an empty key of metadata', { tiers: { free: tier() }, fallbackTier: 'free', metadataKey: '' }, /mapper\.metadataKey/],
    ['a price that is no number', { tiers: { free: tier({ monthlyPrice: Number.NaN }) }, fallbackTier: 'free' }, /mapper\.tiers\.free\.monthlyPrice/],
    ['an infinite price', { tiers: { free: tier({ monthlyPrice: Infinity }) }, fallbackTier: 'free' }, /mapper\.tiers\.free\.monthlyPrice/],
    ['a negative price', { tiers: { free: tier({ monthlyPrice: -5 }) }, fallbackTier: 'free' }, /mapper\.tiers\.free\.monthlyPrice/],
    ['a price in words', { tiers: { free: tier({ monthlyPrice: 'free' }) }, fallbackTier: 'free' }, /mapper\.tiers\.free\.monthlyPrice/],
    ['a price that is an object', { tiers: { free: tier({ monthlyPrice: {} }) }, fallbackTier: 'free' }, /mapper\.tiers\.free\.monthlyPrice/],
  ])('is refused by name: %s', (_what, config, message) => {
    expect(() => new StripeTierMapper(config as never)).toThrow(message)
    expect(() => new StripeTierMapper(config as never)).toThrow(BursarError)
  })

  it('is an InvalidConfigError where a price gives two tiers', () => {
    expect(() => new StripeTierMapper({ tiers: { free: tier({ prices: ['p'] }), pro: tier({ prices: ['p'] }) }, fallbackTier: 'free' })).toThrow(InvalidConfigError)
  })
})
