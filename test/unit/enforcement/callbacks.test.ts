// The chain of policies on its own: combining, counting, listening.

import { describe, expect, it, vi } from 'vitest'
import { EnforcementAction, EnforcementCallbacks, InvalidConfigError, InvalidRequestError, type EnforcementContext } from '../../../src/index.js'
import { strictBudgetEnforcement } from '../../../policies/index.js'

const silent = { debug: vi.fn(), warn: vi.fn() }
const half = { userId: 'u', userTier: 'free', budgetUsedPct: 50, budgetExceeded: false }

describe('EnforcementCallbacks', () => {
  it('says ALLOW without any policy', () => {
    expect(new EnforcementCallbacks().check(half)).toBe('ALLOW')
  })

  it('asks a function of the context, synchronously', () => {
    const callbacks = new EnforcementCallbacks()
    callbacks.register((ctx) => (ctx.userTier === 'free' && ctx.model === 'gpt-4' ? EnforcementAction.BLOCK : EnforcementAction.ALLOW))
    expect(callbacks.check({ ...half, model: 'gpt-4' })).toBe('BLOCK')
    expect(callbacks.check({ ...half, userTier: 'pro', model: 'gpt-4' })).toBe('ALLOW')
  })

  it('gives the most severe verdict in either order, and the first that is not ALLOW where that is asked for', () => {
    const warns = () => 'WARN' as const
    const blocks = () => 'BLOCK' as const
    const said = (combine: 'most-severe' | 'first-match', ...policies: (() => EnforcementAction)[]) => {
      const callbacks = new EnforcementCallbacks({ combine })
      for (const policy of policies) callbacks.register(policy)
      return callbacks.check(half)
    }
    expect(said('most-severe', warns, blocks)).toBe('BLOCK')
    expect(said('most-severe', blocks, warns)).toBe('BLOCK')
    expect(said('first-match', warns, blocks)).toBe('WARN')
    expect(said('first-match', blocks, warns)).toBe('BLOCK')
  })

  it('shows every verdict, none skipped, and calls no listener for it', () => {
    const callbacks = new EnforcementCallbacks()
    callbacks.onBlock = vi.fn()
    callbacks.register(() => 'BLOCK').register(strictBudgetEnforcement).register(() => ({ action: 'WARN', reason: 'why' }))
    const { action, verdicts } = callbacks.explain(half)
    expect(action).toBe('BLOCK')
    expect(verdicts.map((verdict) => [verdict.policy, verdict.action])).toEqual([['anonymous policy', 'BLOCK'], ['strict', 'ALLOW'], ['anonymous policy', 'WARN']])
    expect(callbacks.onBlock).not.toHaveBeenCalled()
    expect(callbacks.getStats().checks).toBe(0)
  })

  it('hands every policy a frozen context that none can edit', () => {
    const callbacks = new EnforcementCallbacks()
    callbacks.register((ctx) => {
      ;(ctx as { budgetUsedPct: number }).budgetUsedPct = 0
      return 'ALLOW'
    })
    expect(callbacks.explain(half).verdicts[0]?.error).toBeInstanceOf(TypeError)
    expect(callbacks.check(half)).toBe('BLOCK')
  })

  it('calls the listener of the action with the context', () => {
    const callbacks = new EnforcementCallbacks()
    const heard: string[] = []
    const hear = (name: string) => (ctx: EnforcementContext) => heard.push(`${name} ${ctx.budgetUsedPct}`)
    callbacks.onAllow = hear('allow')
    callbacks.onWarn = hear('warn')
    callbacks.onDegrade = hear('degrade')
    callbacks.onBlock = hear('block')
    callbacks.register((ctx) => ((ctx.budgetUsedPct === 92 ? 'DEGRADE' : 'ALLOW')))
    callbacks.register(strictBudgetEnforcement)
    for (const budgetUsedPct of [50, 85, 92, 105]) callbacks.check({ ...half, budgetUsedPct })
    expect(heard).toEqual(['allow 50', 'warn 85', 'degrade 92', 'block 105'])
  })

  it('goes on where a listener throws or rejects, and writes it down', async () => {
    const warn = vi.fn()
    const callbacks = new EnforcementCallbacks({ logger: { debug() {}, warn } })
    callbacks.onAllow = () => {
      throw new Error('listener broke')
    }
    expect(callbacks.check(half)).toBe('ALLOW')
    callbacks.onAllow = async () => {
      throw new Error('broke later')
    }
    expect(callbacks.check(half)).toBe('ALLOW')
    await Promise.resolve()
    await Promise.resolve()
    expect(warn.mock.calls.map(([line]) => line)).toEqual([expect.stringContaining('listener broke'), expect.stringContaining('broke later')])
  })

  it('counts what it said, and starts anew when cleared', () => {
    const callbacks = new EnforcementCallbacks({ logger: silent })
    callbacks.register(strictBudgetEnforcement)
    for (const budgetUsedPct of [10, 20, 85, 105]) callbacks.check({ ...half, budgetUsedPct })
    expect(callbacks.getStats()).toEqual({ checks: 4, actions: { ALLOW: 2, WARN: 1, DEGRADE: 0, BLOCK: 1 }, policyErrors: 0, policies: ['strict'] })
    callbacks.clear()
    expect(callbacks.getStats()).toEqual({ checks: 0, actions: { ALLOW: 0, WARN: 0, DEGRADE: 0, BLOCK: 0 }, policyErrors: 0, policies: [] })
    expect(callbacks.check({ ...half, budgetUsedPct: 105 })).toBe('ALLOW')
  })

  it('counts failing policies and lets onPolicyError decide', () => {
    for (const onPolicyError of ['ALLOW', 'WARN', 'DEGRADE', 'BLOCK'] as const) {
      const callbacks = new EnforcementCallbacks({ onPolicyError })
      callbacks.register(() => {
        throw new Error('broken')
      })
      expect(callbacks.check(half)).toBe(onPolicyError)
      expect(callbacks.getStats().policyErrors).toBe(1)
    }
  })

  it('registers a policy once, and unregisters it', () => {
    const callbacks = new EnforcementCallbacks()
    const before = callbacks.policies
    callbacks.register(strictBudgetEnforcement)
    expect(callbacks.policies).not.toBe(before)
    expect(() => callbacks.register(strictBudgetEnforcement)).toThrow('policy: "strict" is registered already')
    expect(callbacks.unregister(strictBudgetEnforcement)).toBe(true)
    expect(callbacks.unregister(strictBudgetEnforcement)).toBe(false)
    expect(callbacks.policies).toEqual([])
  })

  it('writes every verdict to the logger where verbose is set', () => {
    const debug = vi.fn()
    const callbacks = new EnforcementCallbacks({ verbose: true, logger: { debug, warn() {} } })
    callbacks.register(strictBudgetEnforcement)
    callbacks.check({ ...half, budgetUsedPct: 85 })
    expect(debug).toHaveBeenCalledWith(expect.stringMatching(/strict says WARN for u/))
  })

  it.each([
    [{ onPolicyError: 'DENY' }, 'onPolicyError: "DENY"'],
    [{ combine: 'last' }, 'combine: "last"'],
    [{ policies: [] }, 'policies: is no option'],
  ])('refuses the options %j', (options, message) => {
    expect(() => new EnforcementCallbacks(options as never)).toThrow(InvalidConfigError)
    expect(() => new EnforcementCallbacks(options as never)).toThrow(message)
  })

  it('refuses what is no function, and a context that says nothing', () => {
    const callbacks = new EnforcementCallbacks()
    expect(() => callbacks.register('strict' as never)).toThrow(InvalidConfigError)
    expect(() => callbacks.check({ userId: 'u' })).toThrow(InvalidRequestError)
    expect(callbacks.getStats().checks).toBe(0)
  })
})
