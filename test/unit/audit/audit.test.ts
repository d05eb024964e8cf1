// tracker.audit(): what it reports, what it refuses, and what it finds of counters that are gone.

import { describe, expect, it } from 'vitest'
import { CostTracker, memoryStore, type CostTrackerConfig, type Store } from '../../../src/index.js'
import type { AuditSnapshot, Auditor } from '../../../src/store/index.js'
import { manualClock } from '../../../src/testing/index.js'
import { PlainStore } from '../../support/plain-store.js'
import { witness } from '../../support/witness.js'
import { HOUR } from './kit.js'

const config = { userBudgets: { free: { daily: 1 }, pro: { daily: 5, timeZone: 'America/New_York' } }, defaultTier: 'free', global: { monthly: 100 }, scopes: { team: { search: { daily: 10 } } } } as const

function opened(view: (snapshot: AuditSnapshot) => AuditSnapshot | Promise<AuditSnapshot> = (snapshot) => snapshot, start = '2026-01-15T12:00:00Z') {
  const clock = manualClock(start)
  const store = memoryStore({ clock })
  const auditor = store.auditor as Auditor
  const viewed: Store = { ...witness(store, () => {}), auditor: { snapshot: async () => view(await auditor.snapshot()), correct: (corrections) => auditor.correct(corrections), append: (entries) => auditor.append(entries) } }
  return { clock, store, auditor, tracker: new CostTracker({ ...(config as CostTrackerConfig), store: viewed, clock }) }
}

describe('tracker.audit', () => {
  it('reports what it looked at, and money in USD beside the exact integers', async () => {
    const { tracker, auditor, clock } = opened()
    await tracker.addCost({ userId: 'ann', cost: 0.25 })
    expect(await tracker.audit()).toEqual({ status: 'clean', at: new Date(clock()), entries: 1, holds: 0, scopes: 2, differences: [], repaired: [] })
    const startsAt = Date.UTC(2026, 0, 15)
    await auditor.correct([{ scope: { kind: 'user', id: 'ann' }, window: 'daily/usd', startsAt, spent: 5_000_000, held: 0, entries: 0 }])
    const difference = { scope: { kind: 'user', id: 'ann' }, window: 'daily/usd', unit: 'usd', startsAt: new Date(startsAt), what: 'spent', counted: 0.3, expected: 0.25, exact: { counted: 30_000_000, expected: 25_000_000 } }
    expect(await tracker.audit()).toMatchObject({ status: 'different', differences: [difference], repaired: [] })
    expect(await tracker.audit({ repair: 'counters' })).toMatchObject({ status: 'repaired', differences: [], repaired: [difference] })
    expect((await tracker.getPeriodCosts('ann', 'daily')).cost).toBe(0.25)
    expect(await tracker.audit({ repair: 'counters' })).toMatchObject({ status: 'clean', repaired: [] })
  })

  it('lets the ledger say what the counters say, without charging an amount twice', async () => {
    const { tracker, auditor } = opened()
    await tracker.addCost({ userId: 'ann', cost: 0.25 })
    const ann = { kind: 'user', id: 'ann' }
    const more = { spent: 7, held: 0, entries: 0 }
    const starts = { 'daily/usd': Date.UTC(2026, 0, 15), 'weekly/usd': Date.UTC(2026, 0, 12), 'monthly/usd': Date.UTC(2026, 0, 1) }
    await auditor.correct([...Object.entries(starts).map(([window, startsAt]) => ({ ...more, scope: ann, window, startsAt })), { ...more, scope: ann, startsAt: 0 }])
    await auditor.correct([{ ...more, scope: { kind: 'global', id: 'global' }, window: 'monthly/usd', startsAt: Date.UTC(2026, 0, 1) }])
    expect(await tracker.audit({ repair: 'ledger' })).toMatchObject({ status: 'repaired', differences: [] })
    expect((await tracker.getSummary()).exact.totalMicrocents).toBe(25_000_007)
    const entries = []
    for await (const entry of tracker.entries()) entries.push(entry)
    expect(entries.slice(1)).toMatchObject([{ kind: 'corrected', reason: 'audit', userId: 'ann', microcents: 7 }])
  })

  it.each(['counters', 'ledger'] as const)('mends the %s while others spend and windows turn', async (repair) => {
    let meanwhile: (() => Promise<unknown>) | undefined
    const { tracker, auditor, clock } = opened(async (snapshot) => {
      const happens = meanwhile
      meanwhile = undefined
      await happens?.()
      return snapshot
    })
    const wrong = { scope: { kind: 'user', id: 'ann' }, spent: 500, held: 0, entries: 0 }
    await tracker.addCost({ userId: 'ann', cost: 0.25 })
    await auditor.correct([{ ...wrong, window: 'daily/usd', startsAt: Date.UTC(2026, 0, 15) }, { ...wrong, window: 'monthly/usd', startsAt: Date.UTC(2026, 0, 1) }])
    meanwhile = async () => {
      await tracker.addCost({ userId: 'ann', cost: 0.125 })
      clock.advance(24 * HOUR)
      await tracker.addCost({ userId: 'ann', cost: 0.5 })
    }
    expect(await tracker.audit({ repair })).toMatchObject({ status: 'repaired', entries: repair === 'counters' ? 3 : 4, repaired: [{ window: 'daily/usd' }, { window: 'monthly/usd' }] })
    const wrongly = repair === 'counters' ? 0 : 500
    expect((await tracker.getPeriodCosts('ann', 'daily')).exact.cost).toBe(50_000_000)
    expect((await tracker.getPeriodCosts('ann', 'monthly')).exact.cost).toBe(87_500_000 + wrongly)
  })

  it('compares only what is held where the ledger has lost entries, and repairs nothing by it', async () => {
    const clock = manualClock()
    const store = memoryStore({ clock, ledgerCapacity: 2 })
    const tracker = new CostTracker({ ...(config as CostTrackerConfig), store, clock })
    await tracker.addCost({ userId: 'ann', cost: 0.1 })
    await tracker.updateUserBudget('ann', { daily: 3 })
    await tracker.addCost({ userId: 'ann', cost: 0.1 })
    expect((await tracker.audit()).status).toBe('clean')
    await tracker.addCost({ userId: 'ann', cost: 0.1 })
    expect(await tracker.audit()).toMatchObject({ status: 'incomplete', entries: 0, differences: [] })
    for (const repair of ['counters', 'ledger'] as const) await expect(tracker.audit({ repair })).rejects.toMatchObject({ code: 'INVALID_REQUEST', message: expect.stringContaining('no longer has all entries') })
    expect((await tracker.getPeriodCosts('ann', 'daily')).cost).toBe(0.3)
  })

  it('counts what audits have appended among what a bounded ledger may lose', async () => {
    const store = memoryStore({ clock: manualClock(), ledgerCapacity: 2 })
    const auditor = store.auditor as Auditor
    const appended = (id: string) => ({ id, kind: 'corrected' as const, at: 0, decisionId: id, userId: 'ann', microcents: 1, tokens: 0, charged: [] })
    await auditor.append([appended('a'), appended('b')])
    expect((await auditor.snapshot()).complete).toBe(true)
    await auditor.append([appended('c')])
    expect((await auditor.snapshot()).complete).toBe(false)
  })

  it('refuses a store without an auditor, a repair that is none, and an unknown option', async () => {
    const clock = manualClock()
    const plain = new CostTracker({ ...(config as CostTrackerConfig), store: new PlainStore(clock), clock })
    await expect(plain.audit()).rejects.toMatchObject({ code: 'INVALID_CONFIG', message: expect.stringContaining('"plain"') })
    const { tracker } = opened()
    await expect(tracker.audit({ repair: 'both' as never })).rejects.toMatchObject({ code: 'INVALID_REQUEST', message: expect.stringContaining('"both"') })
    await expect(tracker.audit({ fix: 'counters' } as never)).rejects.toMatchObject({ code: 'INVALID_REQUEST', message: expect.stringContaining('options.fix') })
  })

  it('is clean across a change of clocks, in both zones', async () => {
    const { tracker, clock } = opened(undefined, '2026-03-08T04:30:00Z')
    for (let hour = 0; hour < 50; hour += 1) {
      await tracker.addCost({ userId: 'ann', userTier: hour % 3 === 0 ? 'free' : 'pro', cost: '0.00000003' })
      expect((await tracker.audit()).differences).toEqual([])
      clock.advance(HOUR)
    }
    expect(await tracker.audit()).toMatchObject({ status: 'clean', entries: 50 })
  })
})

describe('counters that are gone', () => {
  const without = (kind: string) => (snapshot: AuditSnapshot) => ({ ...snapshot, scopes: snapshot.scopes.filter(({ scope }) => scope.kind !== kind) })

  it.each([['user', ['daily/usd', 'weekly/usd', 'monthly/usd']], ['global', ['monthly/usd']], ['team', ['daily/usd']]])('of a %s are missed as long as their windows run', async (kind, windows) => {
    const { tracker, clock } = opened(without(kind))
    await tracker.addCost({ userId: 'ann', userTier: 'pro', scopes: { team: 'search' }, cost: 0.25 } as never)
    const { status, differences } = await tracker.audit()
    expect(status).toBe('different')
    expect(differences.map(({ scope, window, what, counted, expected }) => [scope.kind, window, what, counted, expected])).toEqual(windows.map((window) => [kind, window, 'spent', 0, 0.25]))
    clock.set(Date.UTC(2026, 1, 1, 5))
    expect((await tracker.audit()).status).toBe('clean')
  })

  it('are not missed of a scope that is no longer configured', async () => {
    const { store, clock } = opened()
    const before = new CostTracker({ ...(config as CostTrackerConfig), scopes: { team: { gone: { daily: 1 } } }, store, clock } as CostTrackerConfig)
    await before.addCost({ userId: 'ann', scopes: { team: 'gone' }, cost: 0.25 } as never)
    const auditor = store.auditor as Auditor
    const viewed = { ...witness(store, () => {}), auditor: { ...auditor, snapshot: async () => without('team')(await auditor.snapshot()) } as Auditor }
    expect((await new CostTracker({ ...(config as CostTrackerConfig), store: viewed, clock }).audit()).status).toBe('clean')
  })
})
