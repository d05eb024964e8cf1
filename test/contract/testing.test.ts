// What 'bursar/testing' gives applications beside the suite: contexts and forced answers.

import { describe, expect, it } from 'vitest'
import { gracefulDegradation, strictBudgetEnforcement } from '../../policies/index.js'
import { contextFor, forcedBursar, manualClock } from '../../src/testing/index.js'

describe('contextFor', () => {
  it('makes contexts whose figures follow from each other', () => {
    expect(contextFor()).toMatchObject({ userTier: 'free', budgetUsedPct: 0, budgetExceeded: false, budgetLimit: 1 })
    expect(strictBudgetEnforcement(contextFor({ currentCost: 0.85 }))).toBe('WARN')
    expect(gracefulDegradation(contextFor({ budgetUsedPct: 95 }))).toBe('DEGRADE')
    expect(strictBudgetEnforcement(contextFor({ currentCost: 1 }))).toBe('BLOCK')
    expect(Object.isFrozen(contextFor())).toBe(true)
  })
})

describe('forcedBursar', () => {
  it('gives the answer that it is told to, and everything else is real', async () => {
    const blocked = await forcedBursar({ action: 'BLOCK', reason: 'not today' }).check({ userId: 'ann' })
    expect(blocked).toMatchObject({ allowed: false, action: 'BLOCK', code: 'policy' })
    expect(blocked.reason).toContain('not today')
    for (const action of ['ALLOW', 'WARN', 'DEGRADE'] as const) {
      const decision = await forcedBursar({ action }).check({ userId: 'ann', estimatedCost: 0.5 })
      expect(decision.action).toBe(action)
      if (decision.allowed) expect(await decision.settle({ cost: 0.75 })).toMatchObject({ cost: 0.75, overage: 0.25 })
    }
  })

  it('can choose by request, know tiers, and step down a ladder', async () => {
    const clock = manualClock()
    const bursar = forcedBursar({ action: ({ userTier }) => (userTier === 'free' ? 'DEGRADE' : 'ALLOW'), tiers: ['free', 'pro'], ladder: { large: 'small' }, clock })
    expect(await bursar.check({ userId: 'ann', model: 'large', estimatedCost: 1 })).toMatchObject({ action: 'DEGRADE', model: 'small' })
    expect(await bursar.check({ userId: 'ann', userTier: 'pro', model: 'large', estimatedCost: 1 })).toMatchObject({ action: 'ALLOW', model: 'large' })
  })
})
