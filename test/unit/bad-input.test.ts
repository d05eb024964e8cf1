// What is wrong is said, by field and remedy, and leaves no trace: every refusal here is followed by a look at the whole state.

import { describe, expect, it, vi } from 'vitest'
import { Bursar, CostTracker, definePolicy, isBursarError, type BursarConfig, type BursarErrorCode, type CheckRequest } from '../../src/index.js'
import { manualClock, type ManualClock } from '../../src/testing/index.js'
import { modelAccess, strictBudgetEnforcement } from '../../policies/index.js'
import { allowedOf, deniedOf, stateOf } from './setting.js'

const USERS = [{ user: 'u', tier: 'free' }, { user: { userId: 'u', tenant: 'acme' }, tier: 'pro' }, { user: 'v', tier: 'pro' }]
const silent = { debug() {}, warn() {} }

const base = {
  tiers: { free: { daily: 1, rolling: { '1m': { requests: 100 } } }, pro: { daily: 10, weekly: { usd: 20, tokens: 1_000_000 } } },
  scopes: { team: { search: { daily: 5 } }, tenant: { acme: { monthly: 50 } } },
  global: { monthly: 500 },
  logger: silent,
} satisfies BursarConfig

/** An engine with some spent, some held, an override and a tier: a state in which every change shows. */
async function used(config: Partial<BursarConfig> = {}): Promise<{ bursar: Bursar; clock: ManualClock; open: string; settled: string }> {
  const clock = manualClock()
  const bursar = new Bursar({ ...base, clock, ...config } as BursarConfig)
  await bursar.tracker.addCost({ userId: 'u', userTier: 'free', cost: 0.2, model: 'gpt-4o', provider: 'openai', tokens: 100 })
  const settled = allowedOf(await bursar.check({ userId: 'u', tenant: 'acme', userTier: 'pro', estimatedCost: 0.5, inputTokens: 5, maxOutputTokens: 5, idempotencyKey: 'first' }))
  await settled.settle({ cost: 0.4 })
  const open = allowedOf(await bursar.check({ userId: 'v', userTier: 'pro', estimatedCost: 0.3, inputTokens: 1, maxOutputTokens: 2, idempotencyKey: 'open' }))
  await bursar.tracker.updateUserBudget('v', { daily: 7 })
  await bursar.tracker.setUserTier('v', 'pro')
  return { bursar, clock, open: open.id, settled: settled.id }
}

interface Case {
  readonly what: string
  readonly call: (engine: { bursar: Bursar; clock: ManualClock; open: string; settled: string }) => Promise<unknown>
  readonly code: BursarErrorCode
  readonly says: string | RegExp
}

const asked = (what: string, request: object, code: BursarErrorCode, says: string | RegExp): Case => ({
  what,
  call: ({ bursar }) => bursar.check({ userId: 'u', userTier: 'free', estimatedCost: 0.01, ...request } as unknown as CheckRequest),
  code,
  says,
})

const CASES: readonly Case[] = [
  asked('an unknown tier', { userTier: 'premium' }, 'UNKNOWN_TIER', /^userTier: "premium" is no tier.*The tiers are free, pro\./),
  asked('a tier that is a word of every object', { userTier: 'constructor' }, 'UNKNOWN_TIER', 'userTier: "constructor"'),
  asked('no tier where nothing gives one', { userTier: undefined }, 'UNKNOWN_TIER', /^userTier: .*The tiers are/),
  asked('an empty tier', { userTier: '' }, 'INVALID_REQUEST', 'userTier: must be 1 to 256 visible characters'),
  asked('an unknown scope id', { scopes: { team: 'sales' } }, 'UNKNOWN_SCOPE', /^scopes\.team: "sales" has no entry.*Add one/),
  asked('an unknown scope group', { scopes: { department: 'search' } }, 'UNKNOWN_SCOPE', /^scopes\.department: no such group.*Add scopes\.department/),
  asked('an unknown tenant of a configured group', { tenant: 'beta' }, 'UNKNOWN_SCOPE', /^tenant: "beta" has no entry.*'\*'/),
  asked('a tenant among the scopes', { scopes: { tenant: 'acme' } }, 'UNKNOWN_SCOPE', "scopes.tenant: is not named here. Give the request's tenant."),
  asked('a tier among the scopes', { scopes: { tier: 'free' } }, 'UNKNOWN_SCOPE', "Give the request's userTier."),
  asked('an empty scope id', { scopes: { team: '' } }, 'INVALID_REQUEST', 'scopes.team'),
  asked('an unknown field', { estimatedCosts: 1 }, 'INVALID_REQUEST', 'estimatedCosts: is no known field. Remove it, or correct its name.'),
  asked('an empty user id', { userId: '' }, 'INVALID_REQUEST', 'userId: must be 1 to 256 visible characters'),
  asked('a user id of spaces', { userId: '   ' }, 'INVALID_REQUEST', 'userId'),
  asked('a user id with a control character', { userId: 'a\u0000b' }, 'INVALID_REQUEST', 'userId'),
  asked('a user id of 257 characters', { userId: 'x'.repeat(257) }, 'INVALID_REQUEST', 'userId'),
  asked('half a surrogate pair', { userId: 'a\ud800' }, 'INVALID_REQUEST', 'userId'),
  asked('a missing user id', { userId: undefined }, 'INVALID_REQUEST', 'userId'),
  asked('a number as user id', { userId: 7 }, 'INVALID_REQUEST', 'userId'),
  asked('an empty tenant', { tenant: '' }, 'INVALID_REQUEST', 'tenant'),
  asked('a missing estimate', { estimatedCost: undefined }, 'MISSING_ESTIMATE', /^estimatedCost: is missing\. Give the expected cost/),
  asked('tokens without a price', { estimatedCost: undefined, inputTokens: 10, maxOutputTokens: 10 }, 'PRICES_NOT_CONFIGURED', /^inputTokens: .*Give estimatedCost/),
  asked('no tokens where tokens are limited', { userTier: 'pro' }, 'MISSING_ESTIMATE', /^inputTokens, maxOutputTokens: .*Give both/),
  asked('half of the tokens where tokens are limited', { userTier: 'pro', inputTokens: 5 }, 'MISSING_ESTIMATE', 'maxOutputTokens'),
  asked('a cost that is NaN', { estimatedCost: Number.NaN }, 'INVALID_AMOUNT', /^estimatedCost: NaN .*Give USD/),
  asked('an infinite cost', { estimatedCost: Infinity }, 'INVALID_AMOUNT', /^estimatedCost: Infinity .*Give USD/),
  asked('tokens that are NaN', { inputTokens: Number.NaN }, 'INVALID_AMOUNT', /^inputTokens: NaN is not a count\. Give/),
  asked('a negative cost', { estimatedCost: -0.01 }, 'INVALID_AMOUNT', 'estimatedCost: -0.01 is negative'),
  asked('a negative cost as text', { estimatedCost: '-0.01' }, 'INVALID_AMOUNT', 'estimatedCost: "-0.01" is negative'),
  asked('text as cost', { estimatedCost: 'cheap' }, 'INVALID_AMOUNT', /^estimatedCost: "cheap" is not a decimal\. Give USD/),
  asked('a cost that is too large', { estimatedCost: 1e9 }, 'INVALID_AMOUNT', 'estimatedCost: 1000000000 is more than'),
  asked('negative tokens', { inputTokens: -1 }, 'INVALID_AMOUNT', 'inputTokens: -1 is not a count'),
  asked('half a token', { maxOutputTokens: 0.5 }, 'INVALID_AMOUNT', 'maxOutputTokens: 0.5 is not a count'),
  asked('a hold time that is none', { holdTtl: 'soon' }, 'INVALID_CONFIG', 'holdTtl: "soon" is not a duration'),
  asked('a hold time of nothing', { holdTtl: 0 }, 'INVALID_CONFIG', 'holdTtl: 0 is not above zero'),
  asked('metadata that is no object', { metadata: 'x' }, 'INVALID_REQUEST', 'metadata'),
  asked('metadata that no JSON can be, with an idempotency key', { metadata: { big: 1n }, idempotencyKey: 'k' }, 'INVALID_REQUEST', 'metadata.big: is a bigint'),
  asked('an idempotency key with other arguments', { idempotencyKey: 'open' }, 'ID_REUSED', /^id: "open" was used before with other arguments.*Use a new id/),
  { what: 'no request at all', call: ({ bursar }) => bursar.check(undefined as never), code: 'INVALID_REQUEST', says: 'request: is missing. Give an object.' },
  { what: 'a request that is text', call: ({ bursar }) => bursar.check('u' as never), code: 'INVALID_REQUEST', says: 'expected object' },

  { what: 'settling twice with different costs', call: ({ bursar, settled }) => bursar.settle(settled, { cost: 0.41 }), code: 'ALREADY_ENDED', says: /already settled\..*addCost.*refund/ },
  { what: 'settling an unknown id', call: ({ bursar }) => bursar.settle('nobody', { cost: 1 }), code: 'UNKNOWN_HOLD', says: /no hold "nobody".*addCost/ },
  { what: 'releasing an unknown id', call: ({ bursar }) => bursar.release('nobody'), code: 'UNKNOWN_HOLD', says: 'nobody' },
  { what: 'extending an unknown id', call: ({ bursar }) => bursar.extend('nobody'), code: 'UNKNOWN_HOLD', says: 'nobody' },
  { what: 'extending what has ended', call: ({ bursar, settled }) => bursar.extend(settled), code: 'ALREADY_ENDED', says: 'Ask for a new decision' },
  { what: 'extending by no duration', call: ({ bursar, open }) => bursar.extend(open, 'long' as never), code: 'INVALID_CONFIG', says: 'ttl: "long" is not a duration' },
  { what: 'listening to an event that is none', call: ({ bursar }) => Promise.resolve().then(() => bursar.on('setled' as never, () => {})), code: 'INVALID_REQUEST', says: '"setled" is no event' },
  { what: 'a signal that is none', call: ({ bursar }) => bursar.check({ userId: 'u', userTier: 'free', estimatedCost: 0 }, { signal: 5 as never }), code: 'INVALID_REQUEST', says: 'options.signal: 5' },
  { what: 'settling with NaN', call: ({ bursar, open }) => bursar.settle(open, { cost: Number.NaN }), code: 'INVALID_AMOUNT', says: /^cost: NaN .*Give USD/ },
  { what: 'settling with a negative cost', call: ({ bursar, open }) => bursar.settle(open, { cost: -1 }), code: 'INVALID_AMOUNT', says: 'cost: -1 is negative' },
  { what: 'settling with nothing', call: ({ bursar, open }) => bursar.settle(open, {}), code: 'MISSING_COST', says: /^cost: is missing.*release\(\)/ },
  { what: 'settling with an unknown field', call: ({ bursar, open }) => bursar.settle(open, { cost: 1, costs: 2 } as never), code: 'INVALID_REQUEST', says: 'costs: is no known field' },
  { what: 'settling usage without prices', call: ({ bursar, open }) => bursar.settle(open, { usage: { inputTokens: 5 } }), code: 'PRICES_NOT_CONFIGURED', says: 'Give cost in USD' },
  { what: 'settling tokens that do not add up', call: ({ bursar, open }) => bursar.settle(open, { cost: 1, tokens: { input: 1, output: 2, total: 4 } }), code: 'INVALID_REQUEST', says: 'tokens.total: 4 is not the sum' },

  { what: 'adding a negative cost', call: ({ bursar }) => bursar.tracker.addCost({ userId: 'u', userTier: 'free', cost: -0.1 }), code: 'INVALID_AMOUNT', says: 'cost: -0.1 is negative' },
  { what: 'adding a cost that is NaN', call: ({ bursar }) => bursar.tracker.addCost({ userId: 'u', userTier: 'free', cost: Number.NaN }), code: 'INVALID_AMOUNT', says: /^cost: NaN .*Give USD/ },
  { what: 'adding no cost', call: ({ bursar }) => bursar.tracker.addCost({ userId: 'u', userTier: 'free' } as never), code: 'INVALID_REQUEST', says: 'cost' },
  { what: 'adding a cost for an unknown tier', call: ({ bursar }) => bursar.tracker.addCost({ userId: 'u', userTier: 'gold', cost: 1 }), code: 'UNKNOWN_TIER', says: 'gold' },
  { what: 'adding a cost to an unknown scope', call: ({ bursar }) => bursar.tracker.addCost({ userId: 'u', userTier: 'free', cost: 1, scopes: { team: 'x' } as never }), code: 'UNKNOWN_SCOPE', says: 'scopes.team' },
  { what: 'adding half a token', call: ({ bursar }) => bursar.tracker.addCost({ userId: 'u', userTier: 'free', cost: 1, tokens: { input: 0.5 } }), code: 'INVALID_AMOUNT', says: 'tokens.input: 0.5' },
  { what: 'adding with an unknown field', call: ({ bursar }) => bursar.tracker.addCost({ userId: 'u', userTier: 'free', cost: 1, user: 'v' } as never), code: 'INVALID_REQUEST', says: 'user: is no known field' },
  { what: 'refunding an unknown decision', call: ({ bursar }) => bursar.tracker.refund({ userId: 'u', cost: 0.1, decisionId: 'nobody' }), code: 'UNKNOWN_HOLD', says: 'nobody' },
  { what: "refunding another user's decision", call: ({ bursar, settled }) => bursar.tracker.refund({ userId: 'v', cost: 0.1, decisionId: settled }), code: 'UNKNOWN_HOLD', says: 'first' },
  { what: 'refunding a negative cost', call: ({ bursar }) => bursar.tracker.refund({ userId: 'u', cost: -1 }), code: 'INVALID_AMOUNT', says: 'cost: -1 is negative' },
  { what: 'overriding an unknown window', call: ({ bursar }) => bursar.tracker.updateUserBudget('u', { hourly: 1 } as never), code: 'INVALID_REQUEST', says: 'hourly: is no known field' },
  { what: 'overriding with a limit finer than a microcent', call: ({ bursar }) => bursar.tracker.updateUserBudget('u', { daily: 0.000000001 }), code: 'INVALID_REQUEST', says: /daily.*finer than a microcent/ },
  { what: 'overriding with a negative limit', call: ({ bursar }) => bursar.tracker.updateUserBudget('u', { daily: -1 }), code: 'INVALID_REQUEST', says: /daily.*negative/ },
  { what: 'overriding with a length that is none', call: ({ bursar }) => bursar.tracker.updateUserBudget('u', { rolling: { fortnight: 1 } } as never), code: 'INVALID_REQUEST', says: 'rolling' },
  { what: 'overriding one window twice', call: ({ bursar }) => bursar.tracker.updateUserBudget('u', { rolling: { '24h': 1, '1d': 2 } }), code: 'INVALID_CONFIG', says: 'same length' },
  { what: 'an override until no date', call: ({ bursar }) => bursar.tracker.updateUserBudget('u', { daily: 1 }, { until: new Date('never') }), code: 'INVALID_REQUEST', says: /^until: .*Give a Date/ },
  { what: 'an override until NaN', call: ({ bursar }) => bursar.tracker.updateUserBudget('u', { daily: 1 }, { until: Number.NaN }), code: 'INVALID_REQUEST', says: 'until: NaN' },
  { what: 'setting an unknown tier', call: ({ bursar }) => bursar.tracker.setUserTier('u', 'gold'), code: 'UNKNOWN_TIER', says: 'gold' },
  { what: 'an empty user in a report', call: ({ bursar }) => bursar.tracker.getUserSummary(''), code: 'INVALID_REQUEST', says: 'userId: "" is no id' },
  { what: 'an unknown field of a user', call: ({ bursar }) => bursar.tracker.getUserCost({ userId: 'u', team: 'x' } as never), code: 'INVALID_REQUEST', says: 'team: is no field of a user' },
  { what: 'no user at all', call: ({ bursar }) => bursar.tracker.getUserCost(null as never), code: 'INVALID_REQUEST', says: 'userId: null is no user' },
  { what: 'a period that is not counted', call: ({ bursar }) => bursar.tracker.getPeriodCosts('u', 'yearly', 'free'), code: 'INVALID_REQUEST', says: /^period: "yearly" is not counted\. Use one of daily, weekly/ },
  { what: 'affording NaN', call: ({ bursar }) => bursar.tracker.canAfford('u', Number.NaN, 'free'), code: 'INVALID_AMOUNT', says: 'cost: NaN' },
  { what: 'a context with an unknown field', call: ({ bursar }) => bursar.tracker.context({ userId: 'u', tier: 'free' } as never), code: 'INVALID_REQUEST', says: 'tier: is no known field' },
  { what: 'users of an unknown tier', call: async ({ bursar }) => { for await (const _ of bursar.tracker.users({ tier: 'gold' })) break }, code: 'UNKNOWN_TIER', says: 'gold' },
]

describe('bad requests', () => {
  it.each(CASES)('$what rejects with $code and leaves no trace', async ({ call, code, says }) => {
    const engine = await used()
    const before = await stateOf(engine.bursar, USERS)
    const error: unknown = await call(engine).then(() => undefined, (thrown: unknown) => thrown)
    expect(isBursarError(error), String(error)).toBe(true)
    expect(error).toMatchObject({ code, retryable: false })
    if (typeof says === 'string') expect((error as Error).message).toContain(says)
    else expect((error as Error).message).toMatch(says)
    expect(await stateOf(engine.bursar, USERS)).toEqual(before)
  })
})

const wrong = (what: string, config: object, says: string | RegExp, code: BursarErrorCode = 'INVALID_CONFIG') => ({ what, config, says, code })
const twice = definePolicy({ name: 'twice', thresholds: { block: 100 } })

const CONFIGS = [
  wrong('an unknown option', { timezone: 'UTC' }, 'config.timezone: is no known field'),
  wrong('an unknown window', { tiers: { free: { dayly: 1 } } }, 'config.tiers.free.dayly: is no known field'),
  wrong('a limit finer than a microcent', { tiers: { free: { daily: '0.123456789' } } }, /config\.tiers\.free\.daily: .*finer than a microcent.*Use at most 8 decimals/),
  wrong('a negative limit', { global: { monthly: -1 } }, /config\.global\.monthly: .*-1 is negative/),
  wrong('a limit that is NaN', { global: { monthly: Number.NaN } }, 'config.global.monthly'),
  wrong('a limit that is infinite', { global: { monthly: Infinity } }, 'config.global.monthly'),
  wrong('half a request', { tiers: { free: { daily: { requests: 1.5 } } } }, /config\.tiers\.free\.daily.*1\.5 is not a count/),
  wrong('an unknown unit', { tiers: { free: { daily: { eur: 1 } } } }, /config\.tiers\.free\.daily\.eur: is no known field/),
  wrong('an invalid zone', { timeZone: 'Mars/Olympus' }, /config\.timeZone: .*Mars\/Olympus/),
  wrong('an invalid zone of a budget', { tiers: { free: { daily: 1, timeZone: 'Europe/Nowhere' } } }, 'config.tiers.free.timeZone'),
  wrong('a week that starts on day 7', { weekStartsOn: 7 }, 'config.weekStartsOn'),
  wrong('a month that starts on day 0', { monthStartsOn: 0 }, 'config.monthStartsOn'),
  wrong('a rolling length that is none', { tiers: { free: { rolling: { '5x': 1 } } } }, 'config.tiers.free.rolling'),
  wrong('a rolling length given twice', { tiers: { free: { rolling: { '24h': 1, '1d': 1 } } } }, /tiers\.free\.rolling: "24h" and "1d" are the same length\. Keep one/),
  wrong('tiers under both names', { userBudgets: { free: { daily: 1 } } }, 'config.userBudgets: is another name for tiers'),
  wrong('an unknown default tier', { defaultTier: 'gold' }, /defaultTier: "gold" is no tier.*The tiers are free, pro/),
  wrong('an unknown tier for unknown tiers', { onUnknownTier: 'gold' }, 'onUnknownTier: "gold"'),
  wrong('a pool for an unknown tier', { scopes: { tier: { gold: { daily: 1 } } } }, 'scopes.tier.gold: "gold" is no tier'),
  wrong('a group with a name that is taken', { scopes: { user: { u: { daily: 1 } } } }, /scopes\.user: the name is taken\. Use tiers/),
  wrong('policies in a tier', { tiers: { free: { daily: 1, policies: ['strict'] } } }, /tiers\.free\.policies: .*registered policies/),
  wrong('a policy that is no built-in one', { policies: ['strikt'] }, /config\.policies\.0: "strikt" is no built-in policy\. Use strict/),
  wrong('a policy of a shared budget that is no built-in one', { global: { daily: 1, policies: ['strikt'] } }, /global\.policies\.0: "strikt"/),
  wrong('a policy that is no built-in one, of a budget without windows', { scopes: { team: { '*': { policies: ['strikt'] } } } }, /scopes\.team\.\*\.policies\.0: "strikt"/),
  wrong('a function as policy of a shared budget', { global: { daily: 1, policies: [() => 'ALLOW'] } }, 'config.global.policies.0'),
  wrong('a policy with a wrong threshold', { policies: [{ name: 'p', thresholds: { block: 101 } }] }, 'thresholds.block: 101 is no percentage'),
  wrong('a policy with an unknown threshold', { policies: [{ name: 'p', thresholds: { stop: 90 } }] }, 'config.policies.0.thresholds.stop'),
  wrong('a policy without anything', { policies: [{ name: 'p' }] }, 'policy "p": has neither'),
  wrong('the same policy twice', { policies: [twice, twice] }, 'policy: "twice" is registered already. Register each policy once.'),
  wrong('a policy for a mistyped tier', { policies: [definePolicy({ name: 'p', thresholds: { block: 100 }, tiers: { fre: { warn: 50 } } })] }, /policy "p": names tier "fre".*The tiers are free, pro/),
  wrong('model access for a mistyped tier', { policies: [strictBudgetEnforcement, modelAccess({ fre: { deny: ['gpt-4'] } })] }, 'policy "model-access": names tier "fre"'),
  wrong('a policy of a shared budget for a mistyped tier', { global: { daily: 1, policies: [definePolicy({ name: 'p', thresholds: { block: 100 }, tiers: { fre: { warn: 50 } } })] } }, 'names tier "fre"'),
  wrong('a limit that no policy judges', { policies: [() => 'ALLOW'] }, /tiers\.free: nothing judges the daily limit of \$1\.00: no threshold policy is registered\. Register a policy such as strict/),
  wrong('a tier that no policy judges', { policies: [definePolicy({ name: 'p', tiers: { pro: { block: 100 } } })] }, 'tiers.free: nothing judges the daily limit of $1.00: p says nothing of tier free'),
  wrong('a shared limit that no policy judges', { global: { daily: 1, policies: [] } }, 'global: nothing judges the daily limit'),
  wrong('a ladder that leads back', { ladder: { a: 'b', b: 'c', c: 'a' } }, /ladder\.a: leads from "a" back to itself \(a → b → c → a\)\. Remove/),
  wrong('a ladder from a model to itself', { ladder: { a: ['b', 'a'] } }, 'ladder.a'),
  wrong('an empty step of a ladder', { ladder: { a: '' } }, 'config.ladder.a'),
  wrong('an action that is none', { onPolicyError: 'DENY' }, 'config.onPolicyError'),
  wrong('a combination that is none', { combine: 'any' }, 'config.combine'),
  wrong('an alert above 100 %', { alertThresholds: [120] }, 'config.alertThresholds.0'),
  wrong('a clock that is no function', { clock: 5 }, 'config.clock: must be a function'),
  wrong('a hold time that is none', { holdTtl: 'soon' }, 'config.holdTtl: "soon" is not a duration'),
  wrong('a way to expire that is none', { onHoldExpiry: 'keep' }, 'config.onHoldExpiry'),
  wrong('a way to fail that is none', { onStoreError: 'maybe' }, 'config.onStoreError'),
  wrong('an estimate that is no function', { estimate: 5 }, 'config.estimate: must be a function'),
]

describe('bad configurations', () => {
  it.each(CONFIGS)('$what is refused with its path', ({ config, says, code }) => {
    const make = () => new Bursar({ ...base, ...config } as never)
    expect(make).toThrow(expect.objectContaining({ code }))
    expect(make).toThrow(says)
  })

  it('refuses what is no configuration', () => {
    expect(() => new Bursar(undefined as never)).toThrow(expect.objectContaining({ code: 'INVALID_CONFIG' }))
    expect(() => new CostTracker({ policies: [] } as never)).toThrow('config.policies: is no known field')
  })

  it('allows a built-in policy to name tiers that the configuration lacks', () => {
    expect(() => new Bursar({ tiers: { only: { daily: 1 } }, policies: ['tier-based'] })).not.toThrow()
  })
})

describe('policies that fail', () => {
  const throwing = definePolicy({ name: 'broken', evaluate: () => { throw new Error('no data') } })
  const notAnAction = definePolicy({ name: 'broken', evaluate: (() => 'DENY') as never })
  const promising = definePolicy({ name: 'broken', evaluate: (async () => 'ALLOW') as never })

  it.each([['throws', throwing, 'no data'], ['returns text', notAnAction, '"DENY"'], ['returns a promise', promising, 'a promise']] as const)('a policy that %s refuses the request and leaves the budgets as they were', async (_what, policy, says) => {
    const { bursar } = await used({ policies: [strictBudgetEnforcement, policy] as never, onPolicyError: 'ALLOW' })
    const strict = new Bursar({ ...base, policies: [strictBudgetEnforcement, policy], clock: manualClock() })
    const heard = vi.fn()
    strict.on('policy-error', heard)
    const decision = deniedOf(await strict.check({ userId: 'u', userTier: 'free', estimatedCost: 0.1 }))
    expect(decision.code).toBe('policy-error')
    expect(decision.toDenial()).toMatchObject({ status: 403, retryAfterMs: null, message: expect.stringContaining(says) })
    expect(heard).toHaveBeenCalledTimes(1)
    const summary = await strict.tracker.getUserSummary('u', 'free')
    expect([summary.held, summary.totalCost]).toEqual([0, 0])
    expect((await bursar.check({ userId: 'u', userTier: 'free', estimatedCost: 0.1 })).action).toBe('ALLOW')
  })
})

describe('clocks and listeners that fail', () => {
  it('refuses a clock that gives NaN, and nothing changes', async () => {
    let broken = false
    const steady = manualClock()
    const { bursar } = await used({ clock: () => (broken ? Number.NaN : steady()) })
    const before = await stateOf(bursar, USERS)
    broken = true
    await expect(bursar.check({ userId: 'u', userTier: 'free', estimatedCost: 0.1 })).rejects.toMatchObject({ code: 'INVALID_REQUEST', message: expect.stringContaining('NaN') })
    await expect(bursar.tracker.addCost({ userId: 'u', userTier: 'free', cost: 0.1 })).rejects.toMatchObject({ code: 'INVALID_REQUEST' })
    await expect(bursar.settle('open', { cost: 0.1 })).rejects.toMatchObject({ code: 'INVALID_REQUEST' })
    broken = false
    expect(await stateOf(bursar, USERS)).toEqual(before)
  })

  it('stands still where a clock steps back an hour', async () => {
    const { bursar, clock } = await used()
    clock.advance('20m')
    const before = await stateOf(bursar, USERS)
    clock.set(clock() - 3_600_000)
    expect(await stateOf(bursar, USERS)).toEqual(before)
    const decision = allowedOf(await bursar.check({ userId: 'u', userTier: 'free', estimatedCost: 0.1, holdTtl: '1h' }))
    expect(decision.context.now).toEqual(new Date(clock() + 3_600_000))
    expect(decision.expiresAt).toEqual(new Date(clock() + 2 * 3_600_000))
    expect((await decision.settle({ cost: 0.1 })).cost).toBe(0.1)
    expect((await bursar.tracker.getUserSummary('u', 'free')).periodCosts['daily']).toMatchObject({ cost: 0.3, held: 0 })
  })

  it('never opens a window of the past again', async () => {
    const clock = manualClock('2026-01-16T00:10:00Z')
    const bursar = new Bursar({ ...base, clock })
    await bursar.tracker.addCost({ userId: 'u', userTier: 'free', cost: 1 })
    clock.set(new Date('2026-01-15T23:10:00Z'))
    expect((await bursar.check({ userId: 'u', userTier: 'free', estimatedCost: 0.1 })).action).toBe('BLOCK')
    clock.set(new Date('2026-01-17T00:00:00Z'))
    expect((await bursar.check({ userId: 'u', userTier: 'free', estimatedCost: 0.1 })).action).toBe('ALLOW')
  })

  it.each([['throws', () => { throw new Error('broken') }], ['rejects', async () => { throw new Error('broken') }]] as const)('a listener that %s changes nothing and is reported', async (_what, listener) => {
    const run = async (listening: boolean) => {
      const { bursar } = await used()
      const errors: unknown[] = []
      bursar.on('listener-error', (event) => errors.push(event))
      if (listening) for (const name of ['decision', 'allow', 'block', 'settled', 'overage', 'threshold', 'tier-changed'] as const) bursar.on(name, listener)
      const decision = allowedOf(await bursar.check({ userId: 'u', userTier: 'free', estimatedCost: 0.1, idempotencyKey: 'k' }))
      await decision.settle({ cost: 0.9 })
      await bursar.check({ userId: 'u', userTier: 'free', estimatedCost: 0.9, idempotencyKey: 'l' })
      await bursar.tracker.setUserTier('u', 'pro')
      await Promise.resolve()
      const { seen, summary, stats } = (await stateOf(bursar, USERS)) as { seen: unknown; summary: unknown; stats: unknown }
      return { errors, state: { seen, summary, stats } }
    }
    const quiet = await run(false)
    const loud = await run(true)
    expect(loud.state).toEqual(quiet.state)
    expect(quiet.errors).toEqual([])
    expect(loud.errors.map((event) => (event as { event: string }).event)).toEqual(expect.arrayContaining(['decision', 'allow', 'block', 'settled', 'overage', 'threshold', 'tier-changed']))
  })

  it('takes no more checks after close', async () => {
    const { bursar } = await used()
    await bursar.close()
    await bursar.close()
    await expect(bursar.check({ userId: 'u', userTier: 'free', estimatedCost: 0.1 })).rejects.toMatchObject({ code: 'CLOSED', message: 'bursar is closed and takes no more calls. Create a new one.' })
  })
})
