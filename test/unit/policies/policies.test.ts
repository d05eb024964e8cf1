// The built-in policies as data and as functions; their table of actions is in facts.test.ts.

import { describe, expect, it } from 'vitest'
import { completeContext, InvalidConfigError, isThresholdPolicy } from '../../../src/enforcement/index.js'
import { gracefulDegradation, modelAccess, strictBudgetEnforcement, tierBasedEnforcement } from '../../../policies/index.js'

const request = (userTier: string | undefined, model: string | undefined) => completeContext({ userTier, model, budgetUsedPct: 0, budgetExceeded: false })

describe('built-in policies', () => {
  it('are thresholds that a dashboard can show', () => {
    expect([strictBudgetEnforcement, gracefulDegradation, tierBasedEnforcement].map((policy) => [policy.policyName, policy.thresholds, policy.tiers])).toEqual([
      ['strict', { warn: 80, block: 100 }, {}],
      ['graceful', { warn: 80, degrade: 90, block: 100 }, {}],
      ['tier-based', { warn: 80, block: 100 }, { free: { warn: 80, block: 100 }, pro: { warn: 90, degrade: 100 }, enterprise: { warn: 90 } }],
    ])
    expect([strictBudgetEnforcement, gracefulDegradation, tierBasedEnforcement].every(isThresholdPolicy)).toBe(true)
    expect(tierBasedEnforcement.namesTiers).toBeUndefined()
  })

  it('cannot be changed', () => {
    for (const policy of [strictBudgetEnforcement, gracefulDegradation, tierBasedEnforcement]) {
      expect(Object.isFrozen(policy)).toBe(true)
      expect(() => { (policy as { policyName: string }).policyName = 'x' }).toThrow(TypeError)
      expect(() => { (policy.thresholds as { block?: number }).block = 1_000 }).toThrow(TypeError)
    }
    expect(() => { (tierBasedEnforcement.tiers['free'] as { block?: number }).block = 1_000 }).toThrow(TypeError)
  })
})

describe('modelAccess', () => {
  const policy = modelAccess({ free: { deny: ['gpt-4'] }, trial: { allow: ['gpt-4o-mini'] }, both: { allow: ['a', 'b'], deny: ['b'] } })

  it.each([
    ['free', 'gpt-4', 'BLOCK'],
    ['free', 'gpt-4o', 'ALLOW'],
    ['free', 'gpt-4-turbo', 'ALLOW'],
    ['free', undefined, 'ALLOW'],
    ['trial', 'gpt-4o-mini', 'ALLOW'],
    ['trial', 'gpt-4o-mini-2024-07-18', 'BLOCK'],
    ['trial', 'gpt-4o', 'BLOCK'],
    ['trial', undefined, 'BLOCK'],
    ['both', 'a', 'ALLOW'],
    ['both', 'b', 'BLOCK'],
    ['both', 'c', 'BLOCK'],
    ['pro', 'gpt-4', 'ALLOW'],
    [undefined, 'gpt-4', 'ALLOW'],
  ])('for %s and %s says %s', (tier, model, action) => {
    const answer = policy(request(tier, model))
    expect(typeof answer === 'string' ? answer : answer.action).toBe(action)
  })

  it('says why, runs before the windows, and names its tiers', () => {
    expect(policy(request('free', 'gpt-4'))).toEqual({ action: 'BLOCK', reason: 'tier free may not call gpt-4' })
    expect(policy.on).toBe('request')
    expect(policy.namesTiers).toEqual(['free', 'trial', 'both'])
  })

  it.each([[{ free: { deny: 'gpt-4' } }], [{ free: { allow: [''] } }], [{ free: { allow: [4] } }]])('refuses %j', (rules) => {
    expect(() => modelAccess(rules as never)).toThrow(InvalidConfigError)
    expect(() => modelAccess(rules as never)).toThrow(/^modelAccess\.free: .* is no list of models/)
  })

  it('refuses a rule that is neither allow nor deny', () => {
    expect(() => modelAccess({ free: { block: ['gpt-4'] } } as never)).toThrow(InvalidConfigError)
  })
})
