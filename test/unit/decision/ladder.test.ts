// DEGRADE: when a cheaper model is chosen, when it is only a signal, and when there is nothing cheaper to offer.

import { describe, expect, it } from 'vitest'
import { Bursar, definePolicy, type BursarConfig } from '../../../src/index.js'
import { manualClock } from '../../../src/testing/index.js'
import { gracefulDegradation, modelAccess, strictBudgetEnforcement, tierBasedEnforcement } from '../../../policies/index.js'
import { allowedOf, deniedOf } from '../setting.js'

const prices: Record<string, number> = { large: 0.1, medium: 0.04, small: 0.01 }
const config = { tiers: { free: { daily: 1 }, pro: { daily: 1 } }, defaultTier: 'free', policies: [gracefulDegradation], ladder: { large: 'medium', medium: 'small' } }

async function at(spent: number, more: Partial<BursarConfig> = {}) {
  const bursar = new Bursar({ ...config, clock: manualClock(), ...more } as BursarConfig)
  if (spent > 0) await bursar.tracker.addCost({ userId: 'u', cost: spent, userTier: 'free' })
  return bursar
}
const byPrice = { estimate: (_: unknown, model: string | undefined) => prices[model ?? 'large'] as number }

describe('the ladder', () => {
  it('is not walked below the degrade threshold', async () => {
    const decision = allowedOf(await (await at(0.5)).check({ userId: 'u', model: 'large', estimatedCost: 0.1 }))
    expect([decision.action, decision.model, decision.rungs.length]).toEqual(['ALLOW', 'large', 3])
  })

  it('gives the next model where the one asked for would reach the threshold', async () => {
    const bursar = await at(0.85, byPrice)
    const decision = allowedOf(await bursar.check({ userId: 'u', model: 'large' }))
    expect([decision.action, decision.model, decision.requestedModel, decision.estimatedCost]).toEqual(['DEGRADE', 'medium', 'large', 0.04])
    expect(decision.rungs).toEqual([{ model: 'large', estimatedCost: 0.1 }, { model: 'medium', estimatedCost: 0.04 }, { model: 'small', estimatedCost: 0.01 }])
    expect(decision.context).toMatchObject({ model: 'medium', estimatedCost: 0.04, budgetUsedPct: 89 })
    expect((await bursar.tracker.getUserSummary('u')).held).toBe(0.04)
  })

  it('goes down until a model fits', async () => {
    const bursar = await at(0.97, byPrice)
    const decision = allowedOf(await bursar.check({ userId: 'u', model: 'large' }))
    expect([decision.action, decision.model]).toEqual(['DEGRADE', 'small'])
    await decision.settle({ cost: 0.01 })
    const denied = deniedOf(await (await at(0.995, byPrice)).check({ userId: 'u', model: 'large' }))
    expect(denied.code).toBe('budget')
    expect(denied.context).toMatchObject({ model: 'large', estimatedCost: 0.1 })
  })

  it('gives a model without an estimate of its own the one above it', async () => {
    const decision = allowedOf(await (await at(0.85)).check({ userId: 'u', model: 'large', estimatedCost: 0.1 }))
    expect(decision.rungs.map((rung) => rung.estimatedCost)).toEqual([0.1, 0.1, 0.1])
    expect([decision.action, decision.model]).toEqual(['DEGRADE', 'medium'])
    const priced = allowedOf(await (await at(0.85, byPrice)).check({ userId: 'u', model: 'large', estimatedCost: 0.12 }))
    expect(priced.rungs.map((rung) => rung.estimatedCost)).toEqual([0.12, 0.04, 0.01])
  })

  it('takes tokens of an estimate too', async () => {
    const estimate = (_: unknown, model: string | undefined) => ({ cost: prices[model as string] as number, tokens: model === 'large' ? 100 : 50 })
    const bursar = await at(0, { tiers: { free: { daily: { usd: 1, tokens: 60 } } }, estimate })
    const decision = allowedOf(await bursar.check({ userId: 'u', model: 'large' }))
    expect([decision.action, decision.model]).toEqual(['DEGRADE', 'medium'])
    expect(decision.windows.find(({ unit, limit }) => unit === 'tokens' && limit !== null)?.exact).toMatchObject({ held: 0, estimate: 50 })
  })

  it('leaves a model at its bottom on DEGRADE', async () => {
    const bursar = await at(0.95, byPrice)
    const decision = allowedOf(await bursar.check({ userId: 'u', model: 'small' }))
    expect([decision.action, decision.model]).toEqual(['DEGRADE', 'small'])
    expect((await (await at(0.995, byPrice)).check({ userId: 'u', model: 'small' })).action).toBe('BLOCK')
  })

  it('blocks a model that it does not know where a policy says DEGRADE, with the verdict noCheaperModel', async () => {
    const denied = deniedOf(await (await at(0.85)).check({ userId: 'u', model: 'large-2', estimatedCost: 0.1 }))
    expect(denied.code).toBe('budget')
    expect(denied.verdicts.map(({ policy, action }) => [policy, action])).toEqual([['graceful', 'DEGRADE'], ['noCheaperModel', 'BLOCK']])
    expect((await (await at(0.5)).check({ userId: 'u', model: 'large-2', estimatedCost: 0.1 })).action).toBe('ALLOW')
  })

  it('only says DEGRADE of such a model where that is configured', async () => {
    const decision = allowedOf(await (await at(0.85, { onNoCheaperModel: 'allow' })).check({ userId: 'u', model: 'large-2', estimatedCost: 0.1 }))
    expect([decision.action, decision.model]).toEqual(['DEGRADE', 'large-2'])
  })

  it('is only a signal without a ladder or without a model', async () => {
    const without = allowedOf(await (await at(0.85, { ladder: undefined })).check({ userId: 'u', model: 'large', estimatedCost: 0.1 }))
    expect([without.action, without.model]).toEqual(['DEGRADE', 'large'])
    const nameless = allowedOf(await (await at(0.85)).check({ userId: 'u', estimatedCost: 0.1 }))
    expect([nameless.action, nameless.model]).toEqual(['DEGRADE', undefined])
  })

  it('is never walked by strict alone', async () => {
    const bursar = await at(0.95, { policies: [strictBudgetEnforcement], ...byPrice })
    const denied = deniedOf(await bursar.check({ userId: 'u', model: 'large' }))
    expect(denied.rungs).toEqual([{ model: 'large', estimatedCost: 0.1 }])
    expect(denied.code).toBe('budget')
  })

  it('is walked only for the tiers that can be degraded', async () => {
    const bursar = await at(0.95, { policies: [tierBasedEnforcement], ...byPrice })
    expect((await bursar.check({ userId: 'u', userTier: 'free', model: 'large' })).action).toBe('BLOCK')
    const pro = allowedOf(await bursar.check({ userId: 'u', userTier: 'pro', model: 'large' }))
    expect([pro.action, pro.model]).toEqual(['DEGRADE', 'medium'])
  })

  it('never blocks a pro user by the tier policy, not even at its end', async () => {
    const bursar = await at(2, { policies: [tierBasedEnforcement], ...byPrice })
    const pro = allowedOf(await bursar.check({ userId: 'u', userTier: 'pro', model: 'large' }))
    expect([pro.action, pro.model]).toEqual(['DEGRADE', 'medium'])
  })

  it('serves a shared budget that asks for a cheaper model', async () => {
    const bursar = await at(0.85, { policies: [strictBudgetEnforcement], global: { monthly: 1, policies: ['graceful'] }, tiers: { free: { daily: 10 } }, ...byPrice })
    const decision = allowedOf(await bursar.check({ userId: 'u', model: 'large' }))
    expect([decision.action, decision.model]).toEqual(['DEGRADE', 'medium'])
  })
})

describe('request policies and the ladder', () => {
  const access = modelAccess({ free: { deny: ['large'] } })

  it('turn a model that a tier may not call into a cheaper one', async () => {
    const decision = allowedOf(await (await at(0, { policies: [gracefulDegradation, access], ...byPrice })).check({ userId: 'u', model: 'large' }))
    expect([decision.action, decision.model]).toEqual(['DEGRADE', 'medium'])
    expect(decision.verdicts.map(({ policy, action }) => [policy, action])).toEqual([['graceful', 'ALLOW'], ['model-access', 'ALLOW'], ['ladder', 'DEGRADE']])
    expect(decision.reason).toBe('ladder: medium instead of large: model-access says BLOCK, tier free may not call large')
  })

  it('leave other tiers alone', async () => {
    const decision = allowedOf(await (await at(0, { policies: [gracefulDegradation, access], ...byPrice })).check({ userId: 'u', userTier: 'pro', model: 'large' }))
    expect([decision.action, decision.model]).toEqual(['ALLOW', 'large'])
  })

  it('skip every model that is denied, and refuse where all are', async () => {
    const policies = (deny: string[]) => ({ policies: [gracefulDegradation, modelAccess({ free: { deny } })], ...byPrice })
    expect(allowedOf(await (await at(0, policies(['large', 'medium']))).check({ userId: 'u', model: 'large' })).model).toBe('small')
    expect(deniedOf(await (await at(0, policies(['large', 'medium', 'small']))).check({ userId: 'u', model: 'large' })).code).toBe('policy')
  })

  it('refuse where nothing can be degraded', async () => {
    const denied = deniedOf(await (await at(0, { policies: [strictBudgetEnforcement, access] })).check({ userId: 'u', model: 'large', estimatedCost: 0.1 }))
    expect([denied.code, denied.toDenial().status]).toEqual(['policy', 403])
  })

  it('may ask for a cheaper model themselves', async () => {
    const thrifty = definePolicy({ name: 'thrifty', on: 'request', evaluate: (ctx) => (ctx.query === 'small talk' && ctx.model === 'large' ? 'DEGRADE' : 'ALLOW') })
    const bursar = await at(0, { policies: [strictBudgetEnforcement, thrifty], ...byPrice })
    expect(allowedOf(await bursar.check({ userId: 'u', model: 'large', query: 'small talk' })).model).toBe('medium')
    expect(allowedOf(await bursar.check({ userId: 'u', model: 'large', query: 'proof' })).model).toBe('large')
  })

  it('count a denial by the windows of the models that are left as a budget denial', async () => {
    const denied = deniedOf(await (await at(0.995, { policies: [gracefulDegradation, access], ...byPrice })).check({ userId: 'u', model: 'large' }))
    expect(denied.toDenial()).toMatchObject({ code: 'budget', window: 'daily' })
  })
})

describe('window policies that are functions', () => {
  it('change the action after the hold, not the model', async () => {
    const bursar = await at(0, { policies: [strictBudgetEnforcement, (ctx) => (ctx.windows.some((window) => window.scope.kind === 'user') ? 'DEGRADE' : 'ALLOW')] })
    const decision = allowedOf(await bursar.check({ userId: 'u', model: 'large', estimatedCost: 0.1 }))
    expect([decision.action, decision.model]).toEqual(['DEGRADE', 'large'])
  })

  it('change what is reported under first-match, never a ceiling', async () => {
    const bursar = await at(0.5, { combine: 'first-match', policies: [() => 'WARN', strictBudgetEnforcement, () => 'BLOCK'], ladder: undefined })
    expect((await bursar.check({ userId: 'u', estimatedCost: 0.1 })).action).toBe('WARN')
    expect((await bursar.check({ userId: 'u', estimatedCost: 0.5 })).action).toBe('BLOCK')
  })

  it('are only reported when observed', async () => {
    const { observe } = await import('../../../src/index.js')
    const bursar = await at(0.95, { policies: [observe(strictBudgetEnforcement), observe(() => ({ action: 'BLOCK', reason: 'night' }))], ladder: undefined })
    const decision = allowedOf(await bursar.check({ userId: 'u', estimatedCost: 0.1 }))
    expect(decision.action).toBe('WARN')
    expect(decision.verdicts).toMatchObject([{ policy: 'observe(strict)', action: 'WARN', wouldHave: 'BLOCK' }, { action: 'WARN', wouldHave: 'BLOCK', reason: 'would have said BLOCK: night' }])
  })
})

describe('estimates', () => {
  it.each([
    ['NaN', () => Number.NaN, 'INVALID_AMOUNT', 'estimate(large): NaN'],
    ['a negative cost', () => ({ cost: -1 }), 'INVALID_AMOUNT', 'estimate(large).cost: -1'],
    ['half a token', () => ({ cost: 1, tokens: 0.5 }), 'INVALID_AMOUNT', 'estimate(large).tokens: 0.5'],
    ['a promise', async () => 0.1, 'INVALID_REQUEST', 'estimate(large): returned a promise'],
    ['nothing', () => undefined, 'INVALID_AMOUNT', 'estimate(large): undefined'],
  ])('that are %s reject', async (_what, estimate, code, says) => {
    const bursar = await at(0, { estimate: estimate as never, policies: [strictBudgetEnforcement] })
    await expect(bursar.check({ userId: 'u', model: 'large' })).rejects.toMatchObject({ code, message: expect.stringContaining(says) })
    expect((await bursar.tracker.getUserSummary('u')).held).toBe(0)
  })

  it('need not be there where no money is limited', async () => {
    const bursar = new Bursar({ tiers: { free: { daily: {} } }, defaultTier: 'free', clock: manualClock() })
    expect((await bursar.check({ userId: 'u' })).action).toBe('ALLOW')
  })
})
