// Simulating today's configuration on today's log gives exactly what happened: random traffic through a real engine, on each store, whose
// ledger is then replayed. Holds that stay open for a while, expire, are released, settled late, refunded; tiers and overrides change.

import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { Bursar, formatUsd, memoryStore, type BursarConfig, type LedgerEntry, type Store } from '../../src/index.js'
import { readLog, simulate } from '../../src/simulate/index.js'
import { redisStore } from '../../src/store/redis/index.js'
import { sqliteStore } from '../../src/store/sqlite/index.js'
import { manualClock, type ManualClock } from '../../src/testing/index.js'
import { assertProperty } from '../support/property.js'
import { sharedRedis } from '../support/redis/index.js'
import { temporaryFiles } from '../support/sqlite/temporary-files.js'

const MINUTE = 60_000
// What the estimates of lower rungs came to when they were made is in the ledger, and nowhere else.
let cheaperBy = 1
const config = {
  tiers: { free: { daily: '0.000010', rolling: { '5h': { tokens: 900 } } }, pro: { daily: '0.000030', monthly: '0.000100', rolling: { '1h': { requests: 12 } } } },
  defaultTier: 'free',
  global: { daily: '0.000090' },
  scopes: { team: { search: { daily: '0.000040' }, '*': {} } },
  policies: ['graceful'],
  ladder: { large: ['middle', 'small'] },
  estimate: (_request, model) => formatUsd(Math.ceil((model === 'small' ? 90 : 400) / cheaperBy)),
  holdTtl: '10m',
} satisfies BursarConfig<'free' | 'pro', 'team'>

const user = fc.constantFrom('ada', 'ben', 'cleo')
const step = fc.oneof(
  { weight: 12, arbitrary: fc.record({ do: fc.constant('ask' as const), userId: user, model: fc.constantFrom('large', 'middle', undefined), tokens: fc.integer({ min: 0, max: 300 }), cost: fc.integer({ min: 0, max: 900 }), tier: fc.constantFrom('free', 'pro', undefined), team: fc.constantFrom('search', 'other', undefined), tenant: fc.constantFrom('acme', undefined) }) },
  { weight: 10, arbitrary: fc.record({ do: fc.constantFrom('settle' as const, 'settle' as const, 'release' as const), which: fc.nat(5), pct: fc.integer({ min: 0, max: 140 }) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('askAndSettle' as const), userId: user, cost: fc.integer({ min: 1, max: 700 }), pct: fc.integer({ min: 0, max: 120 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('wait' as const), minutes: fc.constantFrom(1, 11, 45, 400) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('record' as const), userId: user, cost: fc.integer({ min: 1, max: 300 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('refund' as const), which: fc.nat(5), cost: fc.integer({ min: 1, max: 500 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('tier' as const), userId: user, tier: fc.constantFrom('free' as const, 'pro' as const, null) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('override' as const), userId: user, cost: fc.integer({ min: 0, max: 3_000 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restart' as const), userId: user }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('limit' as const), team: fc.constantFrom('search', 'other'), cost: fc.integer({ min: 0, max: 1_200 }), isRemoved: fc.constantFrom(true, false, false) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('tenant' as const), tier: fc.constantFrom('free', 'pro', undefined), models: fc.constantFrom(['middle', 'small'], undefined) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('raise' as const), userId: user, cost: fc.integer({ min: 2_000, max: 3_000 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('session' as const), userId: user, cost: fc.integer({ min: 1, max: 2_000 }) }) },
)
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

/** What each decision was, by its id, and what its model cost. */
type Happened = Map<string, { readonly action: string; readonly model: string | undefined }>

async function live(steps: readonly Step[], store: Store, clock: ManualClock): Promise<{ happened: Happened; entries: LedgerEntry[]; totals: unknown }> {
  const bursar = new Bursar({ ...config, store, clock, storeTimeout: '60s', logger: { debug: () => {}, warn: () => {} } })
  const happened: Happened = new Map()
  const open: { id: string; held: number; userId: string; tenant: string | undefined }[] = []
  const settled: { id: string; userId: string; tenant: string | undefined }[] = []
  const sessions = new Map<string, string>()
  const ask = async (request: Parameters<typeof bursar.check>[0]) => {
    const decision = await bursar.check(request)
    happened.set(decision.id, { action: decision.action, model: decision.allowed ? decision.model : undefined })
    return decision
  }
  for (const each of steps) {
    clock.advance(7)
    if (each.do === 'ask') {
      const { userId, model, tokens, cost, tier, team, tenant } = each
      cheaperBy = 1 + (tokens % 5)
      const sessionId = tenant === undefined ? sessions.get(userId) : undefined
      const decision = await ask({ userId, tenant, model, userTier: tier as 'free', inputTokens: tokens, maxOutputTokens: 0, estimatedCost: formatUsd(cost), ...(team !== undefined && { scopes: { team } }), ...(sessionId !== undefined && { sessionId }) })
      if (decision.allowed) open.push({ id: decision.id, held: decision.exact.estimatedMicrocents, userId, tenant })
    } else if (each.do === 'askAndSettle') {
      const decision = await ask({ userId: each.userId, model: 'large', estimatedCost: formatUsd(each.cost), inputTokens: 3, maxOutputTokens: 4 })
      if (!decision.allowed) continue
      await decision.settle({ cost: formatUsd(Math.floor((decision.exact.estimatedMicrocents * each.pct) / 100)), tokens: 5 })
      settled.push({ id: decision.id, userId: each.userId, tenant: undefined })
    } else if (each.do === 'settle' || each.do === 'release') {
      const [chosen] = open.splice(each.which % Math.max(1, open.length), 1)
      if (chosen === undefined) continue
      if (each.do === 'release') await bursar.release(chosen.id)
      else {
        await bursar.settle(chosen.id, { cost: formatUsd(Math.floor((chosen.held * each.pct) / 100)), tokens: each.pct })
        settled.push(chosen)
      }
    } else if (each.do === 'wait') clock.advance(each.minutes * MINUTE)
    else if (each.do === 'record') await bursar.tracker.addCost({ userId: each.userId, userTier: 'free', cost: formatUsd(each.cost), tokens: 9, model: 'small' })
    else if (each.do === 'refund') {
      const chosen = settled[each.which % Math.max(1, settled.length)]
      if (chosen !== undefined) await bursar.tracker.refund({ userId: chosen.userId, tenant: chosen.tenant, cost: formatUsd(each.cost), decisionId: chosen.id })
    } else if (each.do === 'tier') await bursar.tracker.setUserTier(each.userId, each.tier)
    else if (each.do === 'override') await bursar.tracker.updateUserBudget(each.userId, { daily: formatUsd(each.cost) })
    else if (each.do === 'restart') await bursar.tracker.restartWindows(each.userId, { since: clock() })
    else if (each.do === 'limit') {
      const id = `of-${each.team}`
      const known = await bursar.limits.get(id)
      if (known === undefined) await bursar.limits.create({ id, scope: { kind: 'team', id: each.team }, budget: { daily: formatUsd(each.cost) } })
      else if (each.isRemoved) await bursar.limits.remove(id)
      else await bursar.limits.change(id, { budget: { daily: formatUsd(each.cost) } })
    } else if (each.do === 'tenant') {
      if (each.tier === undefined && each.models === undefined) await bursar.limits.tenants.remove('acme')
      else await bursar.limits.tenants.set('acme', { tier: each.tier, models: each.models })
    }
    else if (each.do === 'raise') {
      const id = sessions.get(each.userId)
      // A cap that is not above the one that stands is refused, and nothing has changed.
      if (id !== undefined) await (await bursar.session({ userId: each.userId, id })).raiseCostCap(formatUsd(each.cost)).catch(() => {})
    } else if (each.do === 'session') {
      const session = await bursar.session({ userId: each.userId, maxCost: formatUsd(each.cost) })
      sessions.set(each.userId, session.id)
    }
  }
  // By then every hold has ended.
  clock.advance(11 * MINUTE)
  await store.read([])
  const entries: LedgerEntry[] = []
  for await (const entry of store.ledger.entries()) entries.push(entry)
  return { happened, entries, totals: plain(await bursar.tracker.getSummary()) }
}

function plain(summary: unknown): unknown {
  return JSON.parse(JSON.stringify(summary, (_key, value: unknown) => (typeof value === 'bigint' ? String(value) : value)))
}

async function replayed(steps: readonly Step[], store: Store, clock: ManualClock): Promise<void> {
  const { happened, entries, totals } = await live(steps, store, clock)
  cheaperBy = 1
  const { candidates, log } = await simulate({ log: readLog(entries), candidates: { today: config } })
  const [today] = candidates
  expect(today?.errors, JSON.stringify(entries, undefined, 1)).toEqual([])
  expect(today?.differences).toEqual({ total: 0, requests: 0, failures: 0, costs: 0, others: 0, first: [] })
  expect(today?.exact.spentMicrocents).toBe(log.exact.spentMicrocents)
  expect([today?.failed, today?.failedEndings, today?.failedNotes, today?.missedCorrections]).toEqual([0, 0, 0, 0])
  expect(today?.requests).toBe(happened.size)
  expect([today?.allowed, today?.warned, today?.degraded, today?.blocked]).toEqual(['ALLOW', 'WARN', 'DEGRADE', 'BLOCK'].map((action) => [...happened.values()].filter((decision) => decision.action === action).length))
  const spent = entries.reduce((sum, { microcents }) => sum + microcents, 0)
  expect(today?.exact.spentMicrocents).toBe(BigInt(spent))
  const { byModel, totalCost } = totals as { byModel: Record<string, { cost?: number } | number>; totalCost: number }
  expect(Math.round(totalCost * 1e8)).toBe(spent)
  for (const { model, exact } of today?.byModel ?? []) {
    const known = byModel[model === '' ? 'unknown' : model]
    expect(Number(exact.spentMicrocents), model).toBe(Math.round((typeof known === 'number' ? known : (known?.cost ?? 0)) * 1e8))
  }
}

describe("simulating today's configuration on today's log", () => {
  const files = temporaryFiles()
  const opened: Store[] = []
  afterAll(async () => {
    for (const store of opened) await store.close()
    files.removeAll()
  })

  it('gives exactly what happened, from the ledger of a memory store', async () => {
    await assertProperty('SIMULATION-IS-EXACT, memory', fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const clock = manualClock()
      await replayed(steps, memoryStore({ clock, ledgerCapacity: 100_000 }), clock)
    }), Number(process.env['BURSAR_RUNS'] ?? 300))
  })

  it('gives exactly what happened, from a ledger in SQLite', async () => {
    await assertProperty('SIMULATION-IS-EXACT, sqlite', fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const clock = manualClock()
      const store = sqliteStore({ path: files.path(), clock })
      try {
        await replayed(steps, store, clock)
      } finally {
        await store.close()
      }
    }), 30)
  })

  it('gives exactly what happened, from a ledger in Redis', async () => {
    const redis = await sharedRedis()
    await assertProperty('SIMULATION-IS-EXACT, redis', fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const clock = manualClock()
      const client = redis.client()
      try {
        await replayed(steps, redisStore({ client, prefix: redis.prefix(), storeClock: clock }), clock)
      } finally {
        await client.quit()
      }
    }), 40)
  })
})
