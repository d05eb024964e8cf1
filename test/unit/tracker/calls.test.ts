// Calls of a user by the ledger: counted where it has all of them, and unknown where it has not.

import { describe, expect, it } from 'vitest'
import { CostTracker } from '../../../src/index.js'
import type { LedgerEntry } from '../../../src/ledger/index.js'
import type { Store } from '../../../src/store/index.js'
import { memoryStore } from '../../../src/store/memory/index.js'
import { countCalls } from '../../../src/tracker/calls.js'

const DAY_MS = 86_400_000
const START = Date.parse('2026-03-10T00:00:00Z')

describe('calls of a user', () => {
  it('are those of that user and tenant from that instant on', async () => {
    let now = START - 1
    const tracker = new CostTracker({ clock: () => now, store: memoryStore({ clock: () => now }) })
    await tracker.addCost({ userId: 'ada', tenant: 'acme', cost: 1 })
    now = START
    await tracker.addCost({ userId: 'ada', tenant: 'acme', cost: 1 })
    await tracker.addCost({ userId: 'ada', cost: 1 })
    await tracker.addCost({ userId: 'bob', tenant: 'acme', cost: 1 })
    await tracker.refund({ userId: 'ada', tenant: 'acme', cost: 0.5 })
    await tracker.setUserTier({ userId: 'ada', tenant: 'acme' }, null)
    const ada = { userId: 'ada', tenant: 'acme' }
    expect(await tracker.getUserCalls(ada, { from: START })).toBe(1)
    expect(await tracker.getUserCalls(ada, { from: new Date(START - 1) })).toBe(2)
    expect(await tracker.getUserCalls('ada', { from: 0 })).toBe(1)
    expect(await tracker.getUserCalls('nobody', { from: 0 })).toBe(0)
  })

  it('move with spend that is assigned', async () => {
    const tracker = new CostTracker({})
    await tracker.addCost({ userId: 'ada', cost: 1 })
    await tracker.ledger.assign({}, { tenant: 'acme' })
    expect(await tracker.getUserCalls('ada', { from: 0 })).toBe(0)
    expect(await tracker.getUserCalls({ userId: 'ada', tenant: 'acme' }, { from: 0 })).toBe(1)
  })

  it('are asked for properly', async () => {
    const tracker = new CostTracker({})
    await expect(tracker.getUserCalls('', { from: 0 })).rejects.toMatchObject({ code: 'INVALID_REQUEST' })
    await expect(tracker.getUserCalls('ada', { from: Number.NaN })).rejects.toMatchObject({ code: 'INVALID_REQUEST' })
    await expect(tracker.getUserCalls('ada', { from: 0, until: 1 } as never)).rejects.toMatchObject({ code: 'INVALID_REQUEST' })
  })

  const call = (at: number, userId = 'ada'): LedgerEntry => ({ id: `${at}`, kind: 'recorded', at, decisionId: `${at}`, userId, microcents: 1, tokens: 0, charged: [] })
  const storeOf = (entries: readonly LedgerEntry[], charged: number, auditor?: object): { store: Store } => {
    const ledger = {
      async *entries() {
        yield* entries
      },
      totals: () => ({ entries: charged }),
    }
    return { store: { ledger, auditor } as unknown as Store }
  }

  it.each([
    ['of a ledger that has lost older ones, of a time that is younger than what is left', storeOf([call(START), call(START + 5)], 9), START + 1, 1],
    ['of a ledger that may have lost some of that time', storeOf([call(START), call(START + 5)], 9), START, null],
    ['of a ledger without any, where something was charged', storeOf([], 9), START, null],
    ['of a ledger without any, where nothing was', storeOf([], 0), START, 0],
    ['of a ledger that may lose entries, and has lost none', storeOf([call(START), call(START + 5, 'bob')], 2), START - DAY_MS, 1],
    ['of one that has lost one, and got what moves spend', storeOf([call(START), { ...call(START + 5), kind: 'corrected', calls: 0, reason: 'assigned' }], 2), START - DAY_MS, null],
    ['of a ledger that keeps everything', storeOf([call(START)], 1, { standing: () => ({ repairs: 0, room: Infinity, isAnonymised: false }) }), START - DAY_MS, 1],
    ['of one that has lost some, and has no room left', storeOf([call(START)], 2, { standing: () => ({ repairs: 0, room: 0, isAnonymised: false }) }), START - DAY_MS, null],
    ['of one that is anonymised', storeOf([call(START)], 1, { standing: () => ({ repairs: 0, room: Infinity, isAnonymised: true }) }), START, null],
    ['of one that hides users', storeOf([call(START)], 1, { hides: (field: string) => field === 'userId' }), START, null],
    ['of one that hides tenants', storeOf([call(START)], 1, { hides: (field: string) => field === 'tenant' }), START, null],
  ])('%s', async (_what, foundation, from, calls) => {
    expect(await countCalls(foundation, { userId: 'ada' }, from)).toBe(calls)
  })
})

describe('the limits of a user’s own', () => {
  it('are told as they were given, without those that have ended', async () => {
    let now = START
    const tracker = new CostTracker({ clock: () => now, userBudgets: { free: { daily: 1 } } })
    await tracker.updateUserBudget('ada', { daily: '2.5', rolling: { '60m': { tokens: 9 } } })
    await tracker.updateUserBudget('ada', { daily: {} }, { until: START + DAY_MS })
    const lasting = [
      { period: 'daily', unit: 'usd', limit: 2.5, until: null, exact: { limit: 250_000_000 } },
      { period: 'rolling:1h', unit: 'tokens', limit: 9, until: null, exact: { limit: 9 } },
    ]
    const ending = (['usd', 'tokens', 'requests'] as const).map((unit) => ({ period: 'daily', unit, limit: null, until: new Date(START + DAY_MS), exact: { limit: null } }))
    expect(new Set(await tracker.getUserOverrides('ada'))).toEqual(new Set([...lasting, ...ending]))
    now += DAY_MS
    expect(await tracker.getUserOverrides('ada')).toEqual(lasting)
    await tracker.updateUserBudget('ada', { daily: null, rolling: { '1h': null } })
    expect(await tracker.getUserOverrides('ada')).toEqual([])
    expect(await tracker.getUserOverrides('bob')).toEqual([])
    await expect(tracker.getUserOverrides('')).rejects.toMatchObject({ code: 'INVALID_REQUEST' })
  })
})
