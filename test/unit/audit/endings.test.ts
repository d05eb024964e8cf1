// When instances end of which only the start is known: as early as any calendar of the plan says.

import { describe, expect, it } from 'vitest'
import { endingsOf } from '../../../src/audit/index.js'
import { BudgetPlan } from '../../../src/budget/index.js'

const plan = new BudgetPlan({
  tiers: { free: { daily: 1 }, pro: { daily: 1, total: 9, timeZone: 'America/New_York' }, far: { daily: 1, rolling: { '5h': 1 }, timeZone: 'Pacific/Auckland' } },
  global: { daily: 9 },
  scopes: { tenant: { acme: { daily: 9, timeZone: 'Pacific/Auckland' } }, tier: { free: { weekly: 9 } }, team: { search: { monthly: 9 }, '*': {} } },
  defaultTier: 'free',
})
const endingOf = endingsOf(plan)
const at = (text: string): number => Date.parse(text)
const end = (kind: string, id: string, window: string, startsAt: string): string | undefined => {
  const found = endingOf({ scope: { kind, id }, window, startsAt: at(startsAt) })
  return found === undefined ? undefined : new Date(found).toISOString()
}

describe('the ending of an instance', () => {
  it('is the earliest that a tier would give it, because the user may have been in any', () => {
    expect(end('user', 'ann', 'daily/usd', '2026-01-15T00:00:00Z')).toBe('2026-01-15T05:00:00.000Z')
    expect(end('user', 'ann', 'daily/usd', '2026-01-15T05:00:00Z')).toBe('2026-01-15T11:00:00.000Z')
    expect(end('user', 'ann', 'daily/usd', '2026-01-15T11:00:00Z')).toBe('2026-01-16T00:00:00.000Z')
  })

  it('is that of the one calendar of a shared scope', () => {
    expect(end('global', 'global', 'daily/usd', '2026-01-15T00:00:00Z')).toBe('2026-01-16T00:00:00.000Z')
    expect(end('tenant', 'acme', 'daily/usd', '2026-01-15T11:00:00Z')).toBe('2026-01-16T11:00:00.000Z')
    expect(end('tier', 'free', 'weekly/usd', '2026-01-12T00:00:00Z')).toBe('2026-01-19T00:00:00.000Z')
    expect(end('team', 'search', 'monthly/usd', '2026-01-01T00:00:00Z')).toBe('2026-02-01T00:00:00.000Z')
  })

  it('of a window that was begun anew is where the one before it would have ended', () => {
    expect(end('global', 'global', 'daily/usd', '2026-01-15T13:45:10Z')).toBe('2026-01-16T00:00:00.000Z')
    expect(end('user', 'ann', 'monthly/usd', '2026-01-20T13:45:10Z')).toBe('2026-01-31T11:00:00.000Z')
    expect(end('user', 'ann', 'weekly/usd', '2026-01-20T13:45:10Z')).toBe('2026-01-25T11:00:00.000Z')
  })

  it('is unknown of a user\'s month, in every unit, where some tier follows the subscription, and of nothing else', () => {
    const following = endingsOf(new BudgetPlan({
      tiers: { free: { daily: 1, monthly: 1 }, pro: { monthly: { usd: 20, tokens: 9, anchor: 'subscription' } } },
      scopes: { tier: { pro: { monthly: 9 } } },
    }))
    const user = { kind: 'user', id: 'ann' }
    for (const startsAt of ['2026-01-01T00:00:00Z', '2026-01-20T09:30:00Z']) {
      for (const window of ['monthly/usd', 'monthly/tokens']) expect(following({ scope: user, window, startsAt: at(startsAt) })).toBeUndefined()
    }
    expect(following({ scope: user, window: 'daily/usd', startsAt: at('2026-01-20T00:00:00Z') })).toBe(at('2026-01-21T00:00:00Z'))
    expect(following({ scope: user, window: 'weekly/usd', startsAt: at('2026-01-19T00:00:00Z') })).toBe(at('2026-01-26T00:00:00Z'))
    expect(following({ scope: { kind: 'tier', id: 'pro' }, window: 'monthly/usd', startsAt: at('2026-01-01T00:00:00Z') })).toBe(at('2026-02-01T00:00:00Z'))
  })

  it('is unknown of what is not configured, and of rolling windows', () => {
    const start = '2026-01-15T00:00:00Z'
    expect(end('user', 'ann', 'hourly/usd', start)).toBeUndefined()
    expect(end('user', 'ann', 'rolling:18000000/usd', start)).toBeUndefined()
    expect(end('team', 'ads', 'monthly/usd', start)).toBeUndefined()
    expect(end('tenant', 'zen', 'daily/usd', start)).toBeUndefined()
    expect(end('project', 'x', 'daily/usd', start)).toBeUndefined()
  })
})
