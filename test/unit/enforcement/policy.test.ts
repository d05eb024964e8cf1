// One policy at a time: how it is made, what it may answer, and what its failures count as.

import { describe, expect, it } from 'vitest'
import { InvalidConfigError } from '../../../src/errors/index.js'
import { combineVerdicts, completeContext, definePolicy, EnforcementAction, isEnforcementAction, isThresholdPolicy, mostSevere, observe, policyName, thresholdsFor } from '../../../src/enforcement/index.js'
import { ask } from '../../../src/enforcement/verdict.js'

const at = (budgetUsedPct: number, budgetExceeded = false) => completeContext({ userId: 'u', userTier: 'free', budgetUsedPct, budgetExceeded })

describe('actions', () => {
  it('are ordered ALLOW, WARN, DEGRADE, BLOCK', () => {
    const order = [EnforcementAction.ALLOW, EnforcementAction.WARN, EnforcementAction.DEGRADE, EnforcementAction.BLOCK]
    order.forEach((a, i) => order.forEach((b, j) => expect(mostSevere(a, b)).toBe(order[Math.max(i, j)])))
  })

  it('are recognised by value, own words only', () => {
    expect(['ALLOW', 'WARN', 'DEGRADE', 'BLOCK'].every(isEnforcementAction)).toBe(true)
    for (const other of ['allow', 'toString', '__proto__', '', null, undefined, 0, {}]) expect(isEnforcementAction(other)).toBe(false)
  })
})

describe('definePolicy', () => {
  it('makes a function with its thresholds as data', () => {
    const policy = definePolicy({ name: 'two-step', thresholds: { warn: 50, block: 100 }, tiers: { free: { block: 75 } } })
    expect(isThresholdPolicy(policy)).toBe(true)
    expect(policy.policyName).toBe('two-step')
    expect(policy.name).toBe('two-step')
    expect(policy.namesTiers).toEqual(['free'])
    expect(policy(at(74.99))).toBe('ALLOW')
    expect(policy(at(75))).toBe('BLOCK')
    expect(policy({ ...at(75), userTier: 'pro' })).toBe('WARN')
    expect(Object.isFrozen(policy)).toBe(true)
  })

  it('takes 100 as exceeded: landing exactly on the limit still passes', () => {
    const policy = definePolicy({ name: 'p', thresholds: { block: 100 } })
    expect(policy(at(100))).toBe('ALLOW')
    expect(policy(at(100, true))).toBe('BLOCK')
    expect(policy(at(100.01))).toBe('BLOCK')
  })

  it('does not judge a tier for which it has no thresholds', () => {
    const policy = definePolicy({ name: 'p', tiers: { pro: { block: 100 } } })
    expect(thresholdsFor(policy, 'free')).toBeUndefined()
    expect(thresholdsFor(policy, undefined)).toBeUndefined()
    expect(thresholdsFor(policy, 'toString')).toBeUndefined()
    expect(policy(at(300))).toBe('ALLOW')
  })

  it('names a function', () => {
    const policy = definePolicy({ name: 'night', on: 'request', evaluate: () => 'WARN' })
    expect(policyName(policy)).toBe('night')
    expect(policy.on).toBe('request')
    expect(isThresholdPolicy(policy)).toBe(false)
    expect(policyName(() => 'ALLOW')).toBe('anonymous policy')
  })

  it.each([
    [{ name: '', thresholds: {} }, 'policy.name'],
    [{ thresholds: {} }, 'policy.name'],
    [{ name: 'p' }, 'policy "p"'],
    [{ name: 'p', thresholds: { warn: 120 } }, 'policy "p".thresholds.warn: 120'],
    [{ name: 'p', tiers: { free: { block: -1 } } }, 'policy "p".tiers.free.block: -1'],
    [{ name: 'p', thresholds: { blok: 1 } }, 'policy "p".thresholds.blok'],
  ])('refuses %j', (options, message) => {
    expect(() => definePolicy(options as never)).toThrow(InvalidConfigError)
    expect(() => definePolicy(options as never)).toThrow(message)
  })
})

describe('observe', () => {
  it('turns DEGRADE and BLOCK of thresholds into WARN and says what it would have done', () => {
    const watched = observe(definePolicy({ name: 'p', thresholds: { warn: 50, degrade: 70, block: 90 } }))
    expect(ask(watched, at(95), 'BLOCK')).toMatchObject({ policy: 'observe(p)', action: 'WARN', wouldHave: 'BLOCK' })
    expect(ask(watched, at(75), 'BLOCK')).toMatchObject({ action: 'WARN', wouldHave: 'DEGRADE' })
    expect(ask(watched, at(55), 'BLOCK').wouldHave).toBeUndefined()
    expect(ask(watched, at(10), 'BLOCK').action).toBe('ALLOW')
  })

  it('turns those of a function into WARN, with its reason', () => {
    const watched = observe(() => ({ action: 'BLOCK', reason: 'too late' }))
    expect(ask(watched, at(1), 'BLOCK')).toMatchObject({ action: 'WARN', wouldHave: 'BLOCK', reason: 'would have said BLOCK: too late' })
  })

  it('keeps where a policy runs and the tiers that it names', () => {
    const policy = definePolicy({ name: 'p', on: 'request', namesTiers: ['free'], evaluate: () => 'ALLOW' })
    expect(observe(policy).on).toBe('request')
    expect(observe(policy).namesTiers).toEqual(['free'])
    expect(observe(definePolicy({ name: 'q', tiers: { free: { block: 100 } } })).namesTiers).toEqual(['free'])
  })
})

describe('ask', () => {
  it.each([
    ['throws', () => { throw new Error('no data') }, 'no data'],
    ['throws text', () => { throw 'plain' }, 'plain'],
    ['returns nothing', () => undefined, 'undefined'],
    ['returns null', () => null, 'null'],
    ['returns a word that is no action', () => 'DENY', '"DENY"'],
    ['returns an object without an action', () => ({ reason: 'x' }), 'an object without an action'],
    ['returns an object with a wrong action', () => ({ action: 'block' }), 'an object without an action'],
    ['returns true', () => true, 'true'],
    ['returns a promise', async () => 'ALLOW', 'a promise'],
    ['returns a promise that rejects', async () => { throw new Error('later') }, 'a promise'],
    ['returns a thenable', () => Object.fromEntries([['then', () => {}]]), 'a promise'],
  ])('gives the verdict for errors where a policy %s', (_what, policy, message) => {
    const verdict = ask(policy as never, at(1), 'BLOCK')
    expect(verdict.action).toBe('BLOCK')
    expect(verdict.error).toBeInstanceOf(Error)
    expect(verdict.reason).toContain(message)
    expect(ask(policy as never, at(1), 'WARN').action).toBe('WARN')
  })

  it('keeps the reason of an answer', () => {
    expect(ask(() => ({ action: 'WARN', reason: 'soon' }), at(1), 'BLOCK')).toMatchObject({ action: 'WARN', reason: 'soon' })
  })
})

describe('combineVerdicts', () => {
  const verdicts = (...actions: EnforcementAction[]) => actions.map((action) => ({ policy: 'p', action }))
  it('gives the most severe, whatever the order, and ALLOW for none', () => {
    expect(combineVerdicts([], 'most-severe')).toBe('ALLOW')
    expect(combineVerdicts(verdicts('WARN', 'BLOCK'), 'most-severe')).toBe('BLOCK')
    expect(combineVerdicts(verdicts('BLOCK', 'WARN'), 'most-severe')).toBe('BLOCK')
    expect(combineVerdicts(verdicts('ALLOW', 'DEGRADE', 'WARN'), 'most-severe')).toBe('DEGRADE')
  })
  it('gives the first that is not ALLOW where that is asked for', () => {
    expect(combineVerdicts(verdicts('ALLOW', 'WARN', 'BLOCK'), 'first-match')).toBe('WARN')
    expect(combineVerdicts(verdicts('BLOCK', 'WARN'), 'first-match')).toBe('BLOCK')
    expect(combineVerdicts(verdicts('ALLOW'), 'first-match')).toBe('ALLOW')
  })
})
