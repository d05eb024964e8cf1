// What must not compile, and what must: read by the type check alone, never run. An error that goes away makes its comment one.

import {
  Bursar,
  bursarConfig,
  CostTracker,
  defineConfig,
  definePolicy,
  EnforcementAction,
  EnforcementCallbacks,
  observe,
  type AllowedDecision,
  type BursarConfig,
  type Decision,
  type DeniedDecision,
  type PolicyFunction,
} from '../../src/index.js'
import { gracefulDegradation, modelAccess, strictBudgetEnforcement, tierBasedEnforcement } from '../../policies/index.js'

const bursar = new Bursar({
  tiers: { free: { daily: 0.1 }, pro: { daily: '1.00', weekly: 5, rolling: { '5h': 0.5, '1m': { requests: 20 } } }, enterprise: { daily: { usd: 50, tokens: 1e9 } } },
  defaultTier: 'free',
  onUnknownTier: 'free',
  policies: [tierBasedEnforcement],
  global: { monthly: 5000, policies: [gracefulDegradation] },
  scopes: { tenant: { acme: { monthly: 500 }, '*': {} }, tier: { free: { monthly: 800 } }, team: { search: { daily: 40 } } },
  ladder: { 'gpt-4o': 'gpt-4o-mini' },
})

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const same = <A, B>(isSame: Equal<A, B>): void => void isSame

/** The names of tiers: inferred from `tiers`, and checked wherever one stands. */
export async function tiers(): Promise<void> {
  same<Parameters<typeof bursar.check>[0]['userTier'], 'free' | 'pro' | 'enterprise' | undefined>(true)
  await bursar.check({ userId: 'u', userTier: 'pro', estimatedCost: '0.03' })
  // @ts-expect-error a mistyped tier in the request
  await bursar.check({ userId: 'u', userTier: 'premium', estimatedCost: 0.03 })
  // @ts-expect-error a mistyped tier in a guarded request
  await bursar.guard({ userId: 'u', userTier: 'premium', estimatedCost: 0.03 }, async () => ({ result: 1, cost: 0 }))
  // @ts-expect-error a mistyped tier of a recorded cost
  await bursar.tracker.addCost({ userId: 'u', userTier: 'premium', cost: 0.03 })
  // @ts-expect-error a mistyped tier for the directory
  await bursar.tracker.setUserTier('u', 'premium')
  await bursar.tracker.setUserTier('u', null)
  // @ts-expect-error a mistyped tier of a report
  await bursar.tracker.getUserSummary('u', 'premium')
  // @ts-expect-error users of a mistyped tier
  bursar.tracker.users({ tier: 'premium' })

  // @ts-expect-error a mistyped tier as default
  new Bursar({ tiers: { free: { daily: 1 } }, defaultTier: 'fre' })
  // @ts-expect-error a mistyped tier for unknown ones
  new Bursar({ tiers: { free: { daily: 1 } }, onUnknownTier: 'fre' })
  // @ts-expect-error a pool for a mistyped tier
  new Bursar({ tiers: { free: { daily: 1 } }, scopes: { tier: { fre: { daily: 1 } } } })
  // @ts-expect-error a mistyped tier as default of a tracker
  new CostTracker({ userBudgets: { free: { daily: 1 } }, defaultTier: 'fre' })
}

/** Budgets: the names of windows, the shape of amounts and lengths. */
export function budgets(): void {
  // @ts-expect-error a mistyped window
  new Bursar({ tiers: { free: { dayly: 1 } } })
  // @ts-expect-error a mistyped window of a shared budget
  new Bursar({ tiers: { free: { daily: 1 } }, global: { mothly: 1 } })
  // @ts-expect-error a mistyped window in a scope group
  new Bursar({ tiers: { free: { daily: 1 } }, scopes: { team: { search: { dayly: 1 } } } })
  // @ts-expect-error an unknown unit
  new Bursar({ tiers: { free: { daily: { eur: 1 } } } })
  // @ts-expect-error a length that is none
  new Bursar({ tiers: { free: { rolling: { fortnight: 1 } } } })
  // @ts-expect-error a day that no week has
  new Bursar({ tiers: { free: { daily: 1, weekStartsOn: 7 } } })
  // @ts-expect-error a mistyped option
  new Bursar({ tiers: { free: { daily: 1 } }, timezone: 'UTC' })
  // @ts-expect-error a way to fail that is none
  new Bursar({ tiers: { free: { daily: 1 } }, onStoreError: 'maybe' })
  new Bursar({ tiers: { free: { daily: 1 } }, onStoreError: 'local', localShare: 0.25, storeTimeout: '500ms', settleQueue: { path: '/var/lib/app/endings', max: 100 } })
  // @ts-expect-error a mistyped option of the queue
  new Bursar({ tiers: { free: { daily: 1 } }, settleQueue: { paht: 'x' } })
  // @ts-expect-error a length that is none
  new Bursar({ tiers: { free: { daily: 1 } }, storeTimeout: 'soon' })
  // @ts-expect-error a mistyped window of an override
  void bursar.tracker.updateUserBudget('u', { dayly: 1 })
  new Bursar({ tiers: { free: { monthly: { usd: 1, tokens: 5, anchor: 'subscription' } } } })
  // @ts-expect-error an anchor that is none
  new Bursar({ tiers: { free: { monthly: { usd: 1, anchor: 'billing' } } } })
  // @ts-expect-error an anchor of a day
  new Bursar({ tiers: { free: { daily: { usd: 1, anchor: 'subscription' } } } })
  // @ts-expect-error an anchor of a trailing window
  new Bursar({ tiers: { free: { rolling: { '5h': { usd: 1, anchor: 'subscription' } } } } })
  // @ts-expect-error an anchor of a shared budget
  new Bursar({ tiers: { free: { daily: 1 } }, global: { monthly: { usd: 1, anchor: 'subscription' } } })
  // @ts-expect-error an anchor in a scope group
  new Bursar({ tiers: { free: { daily: 1 } }, scopes: { team: { search: { monthly: { usd: 1, anchor: 'subscription' } } } } })
  // @ts-expect-error an anchor of an override
  void bursar.tracker.updateUserBudget('u', { monthly: { usd: 1, anchor: 'subscription' } })
  void bursar.tracker.updateUserBudget({ userId: 'u', tenant: 't' }, { daily: 5, weekly: null, monthly: {}, rolling: { '1h': '0.5', '1d': null } }, { until: new Date() })
}

/** Requests: scope groups and fields. */
export async function requests(): Promise<void> {
  await bursar.check({ userId: 'u', tenant: 'acme', estimatedCost: 0.1, scopes: { team: 'search' } })
  // @ts-expect-error a mistyped scope group
  await bursar.check({ userId: 'u', estimatedCost: 0.1, scopes: { taem: 'search' } })
  // @ts-expect-error a tenant among the scopes
  await bursar.check({ userId: 'u', estimatedCost: 0.1, scopes: { tenant: 'acme' } })
  // @ts-expect-error a mistyped field
  await bursar.check({ userId: 'u', estimatedCosts: 0.1 })
  // No user: inside runAs() it is the identity's.
  await bursar.runAs({ userId: 'u', userTier: 'free' }, () => bursar.check({ estimatedCost: 0.1 }))
  // @ts-expect-error an identity has no key of one call
  bursar.runAs({ userId: 'u', idempotencyKey: 'k' }, () => 1)
  // @ts-expect-error scopes where no group is configured
  await new Bursar({ tiers: { free: { daily: 1 } } }).check({ userId: 'u', estimatedCost: 0.1, scopes: { team: 'search' } })
}

/** Decisions: they must be awaited and looked at before they are settled. */
export async function decisions(): Promise<void> {
  // @ts-expect-error a forgotten await
  if (bursar.check({ userId: 'u', estimatedCost: 0.1 }).allowed) return
  const decision = await bursar.check({ userId: 'u', estimatedCost: 0.1 })
  // @ts-expect-error settled before looking whether it was allowed
  await decision.settle({ cost: 0.1 })
  // @ts-expect-error a denial of what may be allowed
  decision.toDenial()
  if (!decision.allowed) {
    // @ts-expect-error a denied decision has nothing to settle
    await decision.settle({ cost: 0.1 })
    // @ts-expect-error nor a model to call
    void decision.model
    same<typeof decision, DeniedDecision>(true)
    same<typeof decision.action, 'BLOCK'>(true)
    decision.toDenial().retryAfterMs satisfies number | null
    return
  }
  same<typeof decision, AllowedDecision>(true)
  // @ts-expect-error a decision cannot be changed
  decision.model = 'gpt-4o'
  // @ts-expect-error a mistyped outcome
  await decision.settle({ costs: 0.1 })
  // @ts-expect-error a type of usage that is none
  decision.addUsage(10, 'thoughts')
  const { cost, overage, replayed, queued } = await decision.settle({ cost: '0.021', tokens: { input: 5 }, model: decision.model })
  same<[typeof cost, typeof overage, typeof replayed], [number, number, boolean]>(true)
  same<typeof queued, true | undefined>(true)
}

/** Narrowing on `action` works as narrowing on `allowed` does. */
export async function narrowing(decision: Decision): Promise<string> {
  switch (decision.action) {
    case 'BLOCK':
      return decision.toDenial().message
    case 'DEGRADE':
      return decision.model ?? 'choose a cheaper model'
    case EnforcementAction.WARN:
    case 'ALLOW':
      await decision.settle({ cost: 0 })
      return decision.expiresAt.toISOString()
  }
}

/** Holds end by themselves at the end of a block. */
export async function disposal(): Promise<void> {
  await using engine = new Bursar({ tiers: { free: { daily: 1 } } })
  await using hold = await engine.check({ userId: 'u', userTier: 'free', estimatedCost: 0.1 })
  if (hold.allowed) await hold.settle({ cost: 0.1 })
}

/** Policies: synchronous, for tiers that exist. */
export function policies(): void {
  const callbacks = new EnforcementCallbacks()
  callbacks.register(strictBudgetEnforcement).register(observe(gracefulDegradation))
  callbacks.register((ctx) => (ctx.userTier === 'free' && ctx.model === 'gpt-4' ? EnforcementAction.BLOCK : 'ALLOW'))
  callbacks.register((ctx) => ({ action: 'WARN', reason: `${ctx.budgetUsedPct} %` }))
  // @ts-expect-error an async policy
  callbacks.register(async () => 'ALLOW')
  // @ts-expect-error an async policy in a configuration
  new Bursar({ tiers: { free: { daily: 1 } }, policies: [strictBudgetEnforcement, async () => 'ALLOW'] })
  // @ts-expect-error an async function as definition
  definePolicy({ name: 'async', evaluate: async () => 'ALLOW' })
  // @ts-expect-error a policy that returns no action
  callbacks.register(() => 'DENY')
  // @ts-expect-error a policy that may return nothing
  callbacks.register((ctx) => { if (ctx.budgetExceeded) return 'BLOCK' })
  // @ts-expect-error a policy that edits the context
  callbacks.register((ctx) => { ctx.currentCost = 0; return 'ALLOW' })
  // @ts-expect-error an unknown threshold
  definePolicy({ name: 'p', thresholds: { stop: 90 } })

  const forFree = definePolicy({ name: 'for-free', thresholds: { block: 100 }, tiers: { free: { block: 90 } } })
  const forFre = definePolicy({ name: 'for-fre', thresholds: { block: 100 }, tiers: { fre: { block: 90 } } })
  new Bursar({ tiers: { free: { daily: 1 }, pro: { daily: 2 } }, policies: [forFree, modelAccess({ free: { deny: ['gpt-4'] } }), observe(forFree)] })
  // @ts-expect-error a policy for a tier that does not exist
  new Bursar({ tiers: { free: { daily: 1 } }, policies: [forFre] })
  // @ts-expect-error an observed one
  new Bursar({ tiers: { free: { daily: 1 } }, policies: [observe(forFre)] })
  // @ts-expect-error model access for a tier that does not exist
  new Bursar({ tiers: { free: { daily: 1 } }, policies: [strictBudgetEnforcement, modelAccess({ fre: { deny: ['gpt-4'] } })] })
  // @ts-expect-error a mistyped rule of model access
  modelAccess({ free: { block: ['gpt-4'] } })
  // A built-in policy may name tiers that the configuration lacks.
  new Bursar({ tiers: { only: { daily: 1 } }, policies: [tierBasedEnforcement] })
  // In a shared budget, a function cannot judge.
  // @ts-expect-error a function policy of a shared budget
  new Bursar({ tiers: { free: { daily: 1 } }, global: { daily: 1, policies: [() => 'ALLOW'] } })
  const plain: PolicyFunction = (ctx) => (ctx.facts['suspended'] === true ? 'BLOCK' : 'ALLOW')
  new Bursar({ tiers: { free: { daily: 1 } }, policies: [strictBudgetEnforcement, plain], enrich: async ({ userId, userTier }) => ({ userId, free: userTier === 'free' }) })
}

/** Events: their names and what they carry. */
export function events(): void {
  bursar.on('decision', (decision) => same<typeof decision, Decision>(true))
  bursar.on('block', (decision) => decision.toDenial())
  bursar.on('threshold', ({ alertId, thresholdPct, userId }) => same<[typeof alertId, typeof thresholdPct, typeof userId], [string, number, string | undefined]>(true))
  bursar.on('settled', async ({ cost }) => cost)
  // @ts-expect-error an event that there is not
  bursar.on('blocked', () => {})
  // @ts-expect-error what is allowed has no denial
  bursar.on('allow', (decision) => decision.toDenial())
}

/** A configuration from a file, with tiers that only the file knows. */
export function fromJson(text: string): Bursar {
  const config = bursarConfig.parse(JSON.parse(text))
  const fromFile = new Bursar(config as BursarConfig)
  void fromFile.check({ userId: 'u', userTier: 'whatever the file says', estimatedCost: 0.1, scopes: { team: 'search' } })
  return fromFile
}

/** The same, without a word about types. */
export function fromJsonAsItIs(text: string): Bursar {
  return new Bursar(bursarConfig.parse(JSON.parse(text)))
}

/** A guarded call gives the type of its result. */
export async function guarded(): Promise<void> {
  const answer = await bursar.guard({ userId: 'u', estimatedCost: 0.1 }, async ({ model, signal, decision }) => {
    same<[typeof model, typeof signal, typeof decision], [string | undefined, AbortSignal | undefined, AllowedDecision]>(true)
    return { result: { text: 'hello' }, cost: 0.02 }
  })
  same<typeof answer, { text: string }>(true)
  // @ts-expect-error a call that returns no result
  await bursar.guard({ userId: 'u', estimatedCost: 0.1 }, async () => ({ cost: 0.02 }))
}

/** A configuration in a file of its own keeps its tiers and groups. */
export const apart = defineConfig({ tiers: { free: { daily: 1 } }, defaultTier: 'free', scopes: { team: { search: { daily: 4 } } } })
export const fromApart = new Bursar(apart)
void fromApart.check({ userId: 'u', userTier: 'free', scopes: { team: 'search' }, estimatedCost: 1 })
// @ts-expect-error a mistyped tier
void fromApart.check({ userId: 'u', userTier: 'fre', estimatedCost: 1 })
export const anchored = defineConfig({ tiers: { free: {}, pro: { monthly: { usd: 20, anchor: 'subscription' } } }, defaultTier: 'free' })
void new Bursar(anchored).check({ userId: 'u', userTier: 'pro', estimatedCost: 1 })
// @ts-expect-error an anchor of a week
defineConfig({ tiers: { pro: { weekly: { usd: 20, anchor: 'subscription' } } } })
// @ts-expect-error a mistyped default
defineConfig({ tiers: { free: { daily: 1 } }, defaultTier: 'fre' })
