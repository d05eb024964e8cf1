// Who is measured, each with the same question: one request of one user under a daily, a weekly and a monthly limit that are
// never reached. Every library has a loop of its own, so that none runs on machine code shaped by another.

import { Budget, MemoryStore } from 'llm-budget'
import { LLMGuard } from 'llm-spend-guard'
import { RateLimiterMemory, RateLimiterUnion } from 'rate-limiter-flexible'
import { Bare } from './bare.js'
import type { PackageUnderTest } from './package-under-test.js'

/** A way to spend: runs a number of requests, one after the other, and ends when the last is settled. */
export interface Contestant {
  readonly name: string
  /** What one operation is. */
  readonly operation: string
  run(operations: number): Promise<void>
}

/** Where the user ids come from: always the next one. */
export interface Users {
  next(): string
}

const STRIDE = 61_803

/** Visits all users again and again, far apart from each other: a walk in the order of making would be kind to caches. */
export function strideOver(ids: readonly string[]): Users {
  let at = 0
  return {
    next() {
      at = (at + STRIDE) % ids.length
      return ids[at] as string
    },
  }
}

const ESTIMATE_USD = 0.03
const COST_USD = 0.021
const ESTIMATE_MICROCENTS = 3_000_000
const COST_MICROCENTS = 2_100_000
const LIMITS_USD = { daily: 10_000, weekly: 50_000, monthly: 200_000 }
const DAY_S = 86_400
const ENDLESS_POINTS = 1e15

/** bursar: `check`, look at the decision as an application must, `settle`. */
export function bursarContestant(name: string, { Bursar, memoryStore, tierBasedEnforcement }: PackageUnderTest, users: Users, options: { clock?: () => number; ledgerCapacity?: number; maxGeneratedIds?: number } = {}): Contestant {
  const { clock } = options
  const bursar = new Bursar({ tiers: { pro: LIMITS_USD }, policies: [tierBasedEnforcement], store: memoryStore(options), clock })
  return {
    name,
    operation: 'check + settle',
    async run(operations) {
      for (let done = 0; done < operations; done += 1) {
        const decision = await bursar.check({ userId: users.next(), userTier: 'pro', model: 'gpt-4o', estimatedCost: ESTIMATE_USD })
        if (!decision.allowed) throw new Error(decision.reason)
        await decision.settle({ cost: COST_USD })
      }
    },
  }
}

/** The same where the application reads all that a decision explains: nothing may hide behind a getter that is never called. */
export function bursarReadContestant(name: string, { Bursar, memoryStore, tierBasedEnforcement }: PackageUnderTest, users: Users): Contestant {
  const bursar = new Bursar({ tiers: { pro: LIMITS_USD }, policies: [tierBasedEnforcement], store: memoryStore() })
  return {
    name,
    operation: 'check + read verdicts, windows, context, reason + settle',
    async run(operations) {
      let read = 0
      for (let done = 0; done < operations; done += 1) {
        const decision = await bursar.check({ userId: users.next(), userTier: 'pro', model: 'gpt-4o', estimatedCost: ESTIMATE_USD })
        read += decision.verdicts.length + decision.windows.length + decision.context.budgetUsedPct + decision.reason.length
        if (!decision.allowed) throw new Error(decision.reason)
        await decision.settle({ cost: COST_USD })
      }
      if (operations > 0 && read === 0) throw new Error('nothing was read')
    },
  }
}

/** The yardstick. */
export function bareContestant(users: Users): Contestant {
  const bare = new Bare()
  return {
    name: 'bare reference',
    operation: 'reserve + settle',
    async run(operations) {
      for (let done = 0; done < operations; done += 1) {
        const id = await bare.reserve(users.next(), ESTIMATE_MICROCENTS)
        if (id === 0) throw new Error('refused')
        await bare.settle(id, COST_MICROCENTS)
      }
    },
  }
}

/**
 * rate-limiter-flexible, three limiters in one union. It has no settle: the nearest to it is to give the difference back in
 * each window. Its memory store keeps a timer for each key, and a timer overflows above 24.8 days (Node then runs it after 1 ms
 * and the window is lost), so its "month" is 20 days here. Windows start at the first request.
 */
export function rateLimiterContestant(users: Users, givesBack: boolean): Contestant {
  const daily = new RateLimiterMemory({ keyPrefix: 'daily', points: ENDLESS_POINTS, duration: DAY_S })
  const weekly = new RateLimiterMemory({ keyPrefix: 'weekly', points: ENDLESS_POINTS, duration: 7 * DAY_S })
  const monthly = new RateLimiterMemory({ keyPrefix: 'monthly', points: ENDLESS_POINTS, duration: 20 * DAY_S })
  const union = new RateLimiterUnion(daily, weekly, monthly)
  const back = ESTIMATE_MICROCENTS - COST_MICROCENTS
  return {
    name: givesBack ? 'rate-limiter-flexible, give-back' : 'rate-limiter-flexible',
    operation: givesBack ? 'consume on a union of 3 + 3 rewards' : 'consume on a union of 3',
    run: givesBack ? consumeAndGiveBack : consume,
  }

  async function consume(operations: number): Promise<void> {
    for (let done = 0; done < operations; done += 1) await union.consume(users.next(), ESTIMATE_MICROCENTS)
  }

  async function consumeAndGiveBack(operations: number): Promise<void> {
    for (let done = 0; done < operations; done += 1) {
      const userId = users.next()
      await union.consume(userId, ESTIMATE_MICROCENTS)
      await Promise.all([daily.reward(userId, back), weekly.reward(userId, back), monthly.reward(userId, back)])
    }
  }
}

/**
 * llm-spend-guard: its budget manager without the SDK wrappers, so without estimating tokens; no warning callback is set. It
 * knows tokens and days only: its true offer is one window of one user. With `threeCounters` it also counts the session and the
 * whole, the nearest to three windows in the number of counters.
 */
export function spendGuardContestant(users: Users, threeCounters: boolean): Contestant {
  const more = threeCounters ? { sessionBudgetTokens: ENDLESS_POINTS, globalBudgetTokens: ENDLESS_POINTS } : {}
  const manager = new LLMGuard({ userBudgetTokens: ENDLESS_POINTS, ...more }).getBudgetManager()
  return {
    name: threeCounters ? 'llm-spend-guard, 3 counters' : 'llm-spend-guard',
    operation: threeCounters ? 'check + record: user, session, global' : 'check + record, one window',
    async run(operations) {
      for (let done = 0; done < operations; done += 1) {
        const userId = users.next()
        const context = { userId, sessionId: userId }
        await manager.checkBudget(3_000, context)
        await manager.recordUsage(2_100, context)
      }
    },
  }
}

/**
 * llm-budget: one budget for each window over one store, reserved and settled at once for all three. It always counts tokens,
 * dollars and requests, nine counters for three windows. The model's price is found at its first look-up.
 */
export function llmBudgetContestant(users: Users): Contestant {
  const store = new MemoryStore()
  const daily = new Budget({ store, prefix: 'd', limits: { usd: LIMITS_USD.daily, window: 'day' } })
  const weekly = new Budget({ store, prefix: 'w', limits: { usd: LIMITS_USD.weekly, window: 7 * DAY_S * 1_000 } })
  const monthly = new Budget({ store, prefix: 'm', limits: { usd: LIMITS_USD.monthly, window: 'month' } })
  const estimate = { model: 'gpt-4o', inputTokens: 2_000, outputTokens: 2_500 }
  const actual = { model: 'gpt-4o', inputTokens: 2_000, outputTokens: 1_600 }
  return {
    name: 'llm-budget',
    operation: 'reserve + settle, 3 budgets',
    async run(operations) {
      for (let done = 0; done < operations; done += 1) {
        const userId = users.next()
        const [day, week, month] = await Promise.all([daily.reserve(userId, estimate), weekly.reserve(userId, estimate), monthly.reserve(userId, estimate)])
        await Promise.all([daily.settle(day, actual), weekly.settle(week, actual), monthly.settle(month, actual)])
      }
    },
  }
}
