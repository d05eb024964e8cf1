import { describe, expect, it } from 'vitest'
import { amountsIn, budgetWith, patchOf, type BudgetView } from '../../../src/dashboard/data/budgets.js'

const BUDGET: BudgetView = { daily: 5, weekly: { usd: 70, requests: 500 }, rolling: { '5h': 9 } }
const requests = { period: 'weekly', unit: 'requests', value: 500 }

describe('the amounts of a limit', () => {
  it('are told one by one', () => {
    expect(amountsIn(BUDGET)).toEqual([
      { period: 'daily', unit: 'usd', value: 5 },
      { period: 'weekly', unit: 'usd', value: 70 },
      requests,
      { period: 'rolling:5h', unit: 'usd', value: 9 },
    ])
  })

  it('are written as a budget', () => {
    expect(budgetWith(requests)).toEqual({ weekly: { requests: 500 } })
    expect(budgetWith({ period: 'rolling:5h', unit: 'usd', value: 9 })).toEqual({ rolling: { '5h': 9 } })
  })

  it('are changed within their period without touching what stands beside them', () => {
    expect(patchOf(BUDGET, requests, { ...requests, value: 40 })).toEqual({ weekly: { usd: 70, requests: 40 } })
  })

  it('leave nothing behind in the period from which they are moved', () => {
    expect(patchOf(BUDGET, { period: 'daily', unit: 'usd', value: 5 }, { period: 'monthly', unit: 'usd', value: 50 })).toEqual({ daily: null, monthly: 50 })
    expect(patchOf(BUDGET, requests, { ...requests, period: 'daily' })).toEqual({ weekly: 70, daily: { usd: 5, requests: 500 } })
    expect(patchOf(BUDGET, { period: 'rolling:5h', unit: 'usd', value: 9 }, { period: 'rolling:1d', unit: 'usd', value: 9 })).toEqual({ rolling: { '5h': null, '1d': 9 } })
  })

  it('become one more, or one less', () => {
    expect(patchOf(BUDGET, undefined, { period: 'total', unit: 'tokens', value: 7 })).toEqual({ total: { tokens: 7 } })
    expect(patchOf(BUDGET, requests, undefined)).toEqual({ weekly: 70 })
    expect(patchOf(BUDGET, { period: 'rolling:5h', unit: 'usd', value: 9 }, undefined)).toEqual({ rolling: { '5h': null } })
  })
})
