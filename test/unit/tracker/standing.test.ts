// Windows as they stand, for whoever looks: which, how full, and that nobody goes through all users for them.

import { describe, expect, it } from 'vitest'
import { Bursar, InvalidRequestError, memoryStore, type BursarConfig } from '../../../src/index.js'
import { manualClock } from '../../../src/testing/index.js'
import { START } from '../setting.js'

function world(config: Partial<BursarConfig> = {}) {
  const clock = manualClock(START)
  const store = memoryStore({ clock })
  const bursar = new Bursar({ tiers: { free: { daily: 1 }, pro: { daily: 10 } }, defaultTier: 'free', global: { daily: 100 }, scopes: { team: { search: { daily: 5 }, docs: {} } }, clock, store, ...config } as BursarConfig) as Bursar<string, string>
  const spend = (userId: string, cost: number, more: object = {}) => bursar.tracker.addCost({ userId, cost, ...more })
  return { clock, store, bursar, limits: bursar.limits, spend }
}

type Windows = readonly Awaited<ReturnType<Bursar['limits']['standing']>>[number][]
const shown = (windows: Windows): string[] => windows.map(({ covers, limitId, period, spent, limit, thresholdPct }) => `${limitId ?? '-'} ${covers.kind} ${covers.tenant ?? ''}/${covers.id} ${period} ${spent}/${limit} ${thresholdPct}`)

describe('limits.standing', () => {
  it('tells of shared budgets and limits, with the thresholds that they have reached', async () => {
    const { limits, spend, clock } = world()
    await limits.create({ id: 'cap', scope: { kind: 'tenant', id: 'acme' }, budget: { daily: 2 } })
    await limits.create({ id: 'anns', scope: { kind: 'user', id: 'ann', tenant: 'acme' }, budget: { daily: 1 } })
    await limits.create({ id: 'later', scope: { kind: 'global' }, budget: { daily: 1 }, from: START + 1_000 })
    await limits.create({ id: 'none', scope: { kind: 'tenant', id: 'globex' }, budget: { daily: 0 } })
    await spend('ann', 1.7, { tenant: 'acme', scopes: { team: 'search' } })
    expect(shown(await limits.standing())).toEqual(['- global /global daily 1.7/100 null', '- team /search daily 1.7/5 null', 'anns user acme/ann daily 1.7/1 100', 'cap tenant /acme daily 1.7/2 80', 'none tenant /globex daily 0/0 100'])
    clock.advance('2s')
    expect(shown(await limits.standing()).filter((line) => line.startsWith('later'))).toEqual(['later global /global daily 0/1 null'])
  })

  it('leaves out what is not to be seen, and of a limit of each whom nobody names', async () => {
    const { limits, spend } = world()
    await limits.create({ id: 'each-tenant', scope: { kind: 'tenant', id: '*' }, budget: { daily: 2 } })
    await limits.create({ id: 'each-tier', scope: { kind: 'tier', id: '*' }, budget: { daily: 2 } })
    await limits.create({ id: 'each-team', scope: { kind: 'team', id: '*' }, budget: { daily: 2 } })
    await limits.create({ id: 'each-user', scope: { kind: 'user', id: '*' }, budget: { daily: 2 } })
    await spend('ann', 0.5, { tenant: 'acme', userTier: 'pro', scopes: { team: 'docs' } })
    await spend('bob', 0.25, { tenant: 'globex' })
    const seen = { sees: ({ kind }: { kind: string }) => kind === 'limit' }
    expect(shown(await limits.standing(seen))).toEqual(['each-team team /docs daily 0.5/2 null', 'each-tier tier /free daily 0.25/2 null', 'each-tier tier /pro daily 0.5/2 null'])
    expect(shown(await limits.standing({ ...seen, tenants: ['acme', 'initech'] })).filter((line) => line.includes('tenant'))).toEqual(['each-tenant tenant /acme daily 0.5/2 null'])
    await limits.create({ id: 'cap', scope: { kind: 'tenant', id: 'acme' }, budget: { daily: 2 } })
    expect(shown(await limits.standing({ sees: ({ tenant }) => tenant === 'globex', tenants: ['acme', 'globex'] }))).toEqual(['each-tenant tenant /globex daily 0.25/2 null'])
    expect(await limits.standing({ sees: () => false, tenants: ['acme'] })).toEqual([])
    await expect(limits.standing({ all: true } as never)).rejects.toThrow(InvalidRequestError)
  })

  it('never reads all counters nor all users', async () => {
    const { limits, store, spend } = world()
    await limits.create({ id: 'each-user', scope: { kind: 'user', id: '*' }, budget: { daily: 2 } })
    await spend('ann', 0.5)
    const all = (): never => {
      throw new Error('everything was read')
    }
    Object.assign(store, { users: all, auditor: { ...store.auditor, snapshot: all } })
    expect(shown(await limits.standing()).length).toBe(2)
    await expect(limits.progress()).rejects.toThrow('everything was read')
  })
})

describe('limits.ofUser', () => {
  it('tells of all windows that a request must fit, and of what the directory says', async () => {
    const { limits, spend, bursar } = world()
    await limits.create({ id: 'each-user', scope: { kind: 'user', id: '*' }, budget: { daily: 2 } })
    const ann = { userId: 'ann', tenant: 'acme' }
    await spend('ann', 1.9, { tenant: 'acme' })
    expect(await limits.ofUser(ann)).toMatchObject({ tier: 'free', directoryTier: undefined, overrides: {} })
    await bursar.tracker.setUserTier(ann, 'pro')
    await bursar.tracker.updateUserBudget(ann, { daily: 2 })
    const found = await limits.ofUser(ann)
    expect(found).toMatchObject({ tier: 'pro', directoryTier: 'pro', overrides: { 'daily/usd': { limit: 200_000_000, until: null } } })
    expect(shown(found.windows).filter((line) => !line.includes('null null'))).toEqual(expect.arrayContaining(['- user acme/ann daily 1.9/2 80', 'each-user user acme/ann daily 1.9/2 80']))
    expect(shown(found.windows)).toContain('- global /global daily 1.9/100 null')
    await expect(limits.ofUser('')).rejects.toThrow(InvalidRequestError)
  })
})
