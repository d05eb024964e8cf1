// Contexts made by hand and by the engine: what follows from what, and which window is the fullest.

import { describe, expect, it } from 'vitest'
import { InvalidRequestError } from '../../../src/errors/index.js'
import { completeContext, focus, fullest, type WindowView } from '../../../src/enforcement/index.js'

function view(fields: Partial<WindowView>): WindowView {
  return {
    scope: { kind: 'user', id: 'u' },
    period: 'daily',
    unit: 'usd',
    limit: 1,
    spent: 0,
    held: 0,
    remaining: 1,
    usedPct: 0,
    projectedPct: 0,
    exceeded: false,
    startsAt: new Date(0),
    resetsAt: new Date(1),
    exact: { limit: 100_000_000, spent: 0, held: 0, estimate: 0 },
    ...fields,
  }
}

describe('completeContext', () => {
  it('works out percentage and exceeded from cost and limit', () => {
    expect(completeContext({ currentCost: 8, budgetLimit: 10 })).toMatchObject({ totalCost: 8, budgetUsedPct: 80, budgetExceeded: false, unit: 'usd', userId: 'anonymous' })
    expect(completeContext({ currentCost: 8, estimatedCost: 2, budgetLimit: 10 })).toMatchObject({ totalCost: 10, budgetUsedPct: 100, budgetExceeded: false })
    expect(completeContext({ currentCost: 10, budgetLimit: 10 })).toMatchObject({ budgetUsedPct: 100, budgetExceeded: true })
    expect(completeContext({ currentCost: 8, estimatedCost: 3, budgetLimit: 10 })).toMatchObject({ budgetUsedPct: 110, budgetExceeded: true })
    expect(completeContext({ currentCost: 0, budgetLimit: 0 })).toMatchObject({ budgetUsedPct: 100, budgetExceeded: true })
    expect(completeContext({ currentCost: 5, budgetLimit: null })).toMatchObject({ budgetUsedPct: 0, budgetExceeded: false, budgetLimit: null })
  })

  it('takes a percentage above 100 as exceeded, and exceeded alone as full', () => {
    expect(completeContext({ budgetUsedPct: 105 }).budgetExceeded).toBe(true)
    expect(completeContext({ budgetUsedPct: 100 }).budgetExceeded).toBe(false)
    expect(completeContext({ budgetExceeded: true })).toMatchObject({ budgetUsedPct: 100, budgetExceeded: true })
    expect(completeContext({ budgetExceeded: false })).toMatchObject({ budgetUsedPct: 0, budgetExceeded: false })
  })

  it('reads a percentage that is exact in decimals as that, whatever the floats say', () => {
    for (let limit = 1; limit <= 300; limit += 1) {
      for (const percent of [80, 90]) {
        const cost = (limit * percent) / 1000
        expect(completeContext({ currentCost: cost, budgetLimit: limit / 10 }).budgetUsedPct, `${cost} of ${limit / 10}`).toBeGreaterThanOrEqual(percent)
      }
    }
  })

  it('is frozen, and completing it again gives the same object', () => {
    const context = completeContext({ currentCost: 1, budgetLimit: 10, metadata: { a: 1 } })
    expect(Object.isFrozen(context)).toBe(true)
    expect(Object.isFrozen(context.windows)).toBe(true)
    expect(completeContext(context)).toBe(context)
  })

  it.each([Number.NaN, -1, Infinity, '5', null])('refuses %s as a figure, naming the field', (value) => {
    for (const field of ['currentCost', 'estimatedCost', 'totalCost', 'budgetUsedPct', 'tokens'] as const) {
      expect(() => completeContext({ budgetExceeded: false, [field]: value as never })).toThrow(InvalidRequestError)
      expect(() => completeContext({ budgetExceeded: false, [field]: value as never })).toThrow(field)
    }
  })

  it('refuses a context that says nothing of the budget, or is none', () => {
    expect(() => completeContext({ userId: 'u', currentCost: 5 })).toThrow('nothing says how full the budget is')
    expect(() => completeContext(undefined as never)).toThrow(InvalidRequestError)
    expect(() => completeContext(null as never)).toThrow(InvalidRequestError)
    expect(() => completeContext('u' as never)).toThrow(InvalidRequestError)
  })

  it('completes a frozen context made by hand like any other', () => {
    const made = Object.freeze({ currentCost: 8.5, budgetLimit: 10, windows: [] })
    expect(completeContext(made)).toMatchObject({ budgetUsedPct: 85, budgetExceeded: false })
    expect(() => completeContext(Object.freeze({ budgetUsedPct: Number.NaN, windows: [] }))).toThrow(InvalidRequestError)
  })
})

describe('fullest', () => {
  it('takes the exceeded window first, then the fuller, then the one that resets last', () => {
    const full = view({ period: 'daily', projectedPct: 99 })
    const exceeded = view({ period: 'weekly', projectedPct: 100, exceeded: true })
    const fuller = view({ period: 'monthly', projectedPct: 99.5 })
    const later = view({ period: 'later', projectedPct: 99, resetsAt: new Date(2) })
    const never = view({ period: 'total', projectedPct: 99, resetsAt: null })
    expect(fullest([full, exceeded, fuller])).toBe(exceeded)
    expect(fullest([full, fuller])).toBe(fuller)
    expect(fullest([full, later])).toBe(later)
    expect(fullest([never, later])).toBe(never)
  })

  it('passes over windows without a limit', () => {
    expect(fullest([view({ limit: null })])).toBeUndefined()
    expect(fullest([])).toBeUndefined()
  })
})

describe('focus', () => {
  it('turns the single fields to the windows given and leaves the rest', () => {
    const context = completeContext({ userId: 'u', budgetUsedPct: 10, budgetExceeded: false })
    const global = view({ scope: { kind: 'global', id: 'global' }, projectedPct: 95, limit: 2, exact: { limit: 200_000_000, spent: 190_000_000, held: 0, estimate: 0 } })
    const focused = focus(context, [global])
    expect(focused).toMatchObject({ userId: 'u', budgetUsedPct: 95, budgetLimit: 2, currentCost: 1.9, periodName: 'daily' })
    expect(Object.isFrozen(focused)).toBe(true)
  })
})
