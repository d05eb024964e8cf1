// FAIL-LOUD: what is unknown is never silently unlimited or free. Whatever is malformed gives a typed error or a denial, never an
// admission, and leaves every counter, hold and ledger entry as it was.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Bursar, definePolicy, isBursarError, type BursarConfig, type CheckRequest } from '../../src/index.js'
import { memoryStore } from '../../src/store/memory/index.js'
import { settlesUnknown } from '../support/broken-stores.js'
import { assertProperty, propertyHolds, type StoreFactory } from '../support/property.js'
import { Stage, traces } from '../support/trace.js'
import type { World } from '../support/world.js'

describe('FAIL-LOUD', () => {
  it('answers what is malformed with a typed error and leaves no trace of it', async () => {
    await assertProperty('FAIL-LOUD', failsLoudly((clock) => memoryStore({ clock })))
  })

  it('is told from a store that settles holds which it does not know', async () => {
    expect(await propertyHolds(failsLoudly(settlesUnknown))).toBe(false)
  })

  it('builds nothing from a malformed configuration', async () => {
    const malformed = fc.property(traces, wrongConfigs, ({ world }, spoil) => {
      expectTyped(() => new Bursar(spoil(world.config) as BursarConfig))
    })
    fc.assert(malformed, { numRuns: 1_000 })
  })

  it('refuses where a policy throws, returns nothing, a promise or a wrong word', async () => {
    const answers = fc.constantFrom<() => unknown>(() => undefined, () => null, () => 'allow', () => true, () => Promise.resolve('ALLOW'), () => ({ action: 'MAYBE' }), () => { throw new Error('broken') })
    const property = fc.asyncProperty(traces, answers, fc.constantFrom('window' as const, 'request' as const), async ({ world }, answer, on) => {
      const policy = definePolicy({ name: 'broken', on, evaluate: answer as never })
      const stage = new Stage({ ...world, config: { ...world.config, policies: [...(world.config.policies ?? []), policy] } }, (clock) => memoryStore({ clock }))
      const decision = await stage.bursar.check({ userId: 'ann', userTier: 'pro', estimatedCost: 0, inputTokens: 0, maxOutputTokens: 0 })
      expect(decision.allowed).toBe(false)
      expect(JSON.stringify(await snapshot(stage, ['held']))).not.toMatch(/"held":[^0]/)
    })
    await fc.assert(property, { numRuns: 300 })
  })
})

const NUMBERS = [NaN, Infinity, -Infinity, -1, -0.00000001, 1e300, '', 'abc', '-1', '1e999', '0x10', null, true, {}, [], 1n] as const
const IDS = ['', ' ', '\u0000', 'a'.repeat(257), '\ud800', 7, null, {}, ['ann']] as const
const wrongNumber = fc.constantFrom<unknown[]>(...NUMBERS)
const wrongId = fc.constantFrom<unknown[]>(...IDS)
const wrongCount = fc.constantFrom<unknown[]>(NaN, Infinity, -1, 0.5, 2 ** 53, '3', null, { input: -1 }, [1])
const wrongObject = fc.constantFrom<unknown[]>('text', 7, null, [1], true)
const field = (name: string, value: fc.Arbitrary<unknown>): fc.Arbitrary<Record<string, unknown>> => value.map((wrong) => ({ [name]: wrong }))

/** One thing that is wrong in a request that would be right without it. */
const wrongRequest = fc.oneof(
  field('estimatedCost', wrongNumber),
  field('userId', wrongId),
  field('userId', fc.constant(undefined)),
  field('tenant', wrongId),
  field('userTier', fc.constantFrom<unknown[]>('Free', 'gold', '', 'toString', '__proto__', 7, null)),
  field('model', wrongId),
  field('provider', wrongId),
  field('inputTokens', wrongCount),
  field('maxOutputTokens', wrongCount),
  field('idempotencyKey', wrongId),
  field('sessionId', wrongId),
  field('holdTtl', fc.constantFrom<unknown[]>(0, -1, NaN, Infinity, 0.5, '10', '10 m', '-1m', '', '9999999d', null, {})),
  field('scopes', fc.constantFrom<unknown[]>({ squad: 'a' }, { team: '' }, { team: 7 }, { tenant: 'acme' }, { tier: 'free' }, { user: 'bob' }, { global: 'global' }, { constructor: 'x' }, 'team', ['team'], null)),
  field('metadata', wrongObject),
  field('query', fc.constantFrom<unknown[]>(7, null, {})),
  field('estimatedcost', fc.constant(0)),
  field('user_id', fc.constant('ann')),
  field('cost', fc.constant(0)),
)

const wrongCost = fc.oneof(field('cost', wrongNumber), field('tokens', wrongCount), field('userId', wrongId), field('userTier', fc.constant('gold')), field('costs', fc.constant(1)), field('scopes', fc.constant({ squad: 'a' })))
const wrongRefund = fc.oneof(field('cost', wrongNumber), field('userId', wrongId), field('decisionId', fc.constantFrom<unknown[]>('nobody', '', 7)), field('amount', fc.constant(1)))
const wrongOutcome = fc.oneof(field('cost', wrongNumber), field('tokens', wrongCount), field('costs', fc.constant(1)), field('model', fc.constant('')), fc.constant({}), fc.constant(undefined), fc.constant({ usage: { total: 3 } }))
const wrongBudget = fc.oneof(field('daily', wrongNumber.filter((value) => typeof value !== 'object' || Array.isArray(value))), field('hourly', fc.constant(1)), fc.constant({ rolling: { soon: 1 } }), fc.constant({ daily: '0.000000001' }), fc.constant({ timeZone: 'UTC' }))

interface Wrong {
  readonly request: Record<string, unknown>
  readonly cost: Record<string, unknown>
  readonly refund: Record<string, unknown>
  readonly outcome: unknown
  readonly budget: Record<string, unknown>
}

const wrongs: fc.Arbitrary<Wrong> = fc.record({ request: wrongRequest, cost: wrongCost, refund: wrongRefund, outcome: wrongOutcome, budget: wrongBudget })

function failsLoudly(open: StoreFactory): fc.IAsyncProperty<unknown> {
  return fc.asyncProperty(traces, fc.array(wrongs, { minLength: 4, maxLength: 4 }), async ({ world, commands }, wrong) => {
    const stage = new Stage(world, open)
    const every = Math.ceil(commands.length / wrong.length)
    for (const [step, command] of commands.entries()) {
      await stage.play(command)
      const given = wrong[Math.floor(step / every)]
      if (step % every !== 0 || given === undefined) continue
      const before = await snapshot(stage)
      for (const attempt of attempts(stage, given)) await expectRejected(attempt, given)
      expect(await snapshot(stage), print(given)).toBe(before)
    }
  })
}

/** Every way to come in with what is wrong. Each must reject. */
function attempts({ bursar, decisions }: Stage, wrong: Wrong): (() => Promise<unknown>)[] {
  const right = { userId: 'ann', userTier: 'pro', estimatedCost: 0, inputTokens: 0, maxOutputTokens: 0 }
  const request = { ...right, ...wrong.request } as unknown as CheckRequest<string, string>
  const last = decisions.findLast((decision) => decision.ended === undefined)
  return [
    () => bursar.check(request),
    () => bursar.guard(request, () => Promise.resolve({ result: 1, cost: 0 })),
    () => bursar.tracker.addCost({ userId: 'ann', userTier: 'pro', cost: 0, ...wrong.cost } as never),
    () => bursar.tracker.refund({ userId: 'ann', cost: 0, ...wrong.refund } as never),
    () => bursar.tracker.updateUserBudget('ann', wrong.budget as never),
    () => bursar.tracker.setUserTier('ann', 'gold'),
    () => bursar.settle('nobody', { cost: 1 }),
    () => bursar.release('nobody'),
    () => bursar.extend('nobody'),
    ...(last === undefined ? [] : [() => last.settle(wrong.outcome as never)]),
  ]
}

async function expectRejected(attempt: () => Promise<unknown>, wrong: Wrong): Promise<void> {
  let answer: unknown
  try {
    answer = await attempt()
  } catch (error) {
    expect(isBursarError(error), `${String(error)} of ${attempt.toString()} with ${print(wrong)}`).toBe(true)
    return
  }
  expect.fail(`${attempt.toString()} with ${print(wrong)} gave ${print(answer)}`)
}

/** Everything that a user or an auditor could see. */
async function snapshot(stage: Stage, only?: readonly string[]): Promise<string> {
  const { tracker } = stage.bursar
  const users = ['ann', 'bob', 'cem'].flatMap((userId) => [{ userId }, { userId, tenant: 'acme' }, { userId, tenant: 'zen' }])
  const summaries = await Promise.all(users.map((user) => tracker.getUserSummary(user, 'pro')))
  if (only !== undefined) return print(summaries)
  const entries: unknown[] = []
  for await (const entry of tracker.entries()) entries.push(entry)
  const tiers = await Promise.all(users.map((user) => tracker.getUserTier(user)))
  const { readings } = await stage.store.read([...stage.scopes.values()])
  return print([summaries, entries, tiers, readings, await tracker.getSummary(), await tracker.context({ userId: 'ann', userTier: 'pro' })])
}

function print(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) => (typeof inner === 'bigint' ? `${inner}n` : inner)) ?? 'undefined'
}

function expectTyped(run: () => unknown): void {
  try {
    run()
  } catch (error) {
    expect(isBursarError(error), String(error)).toBe(true)
    return
  }
  expect.fail('a malformed configuration was taken')
}

/** One thing that is wrong in a configuration that would be right without it. */
const wrongConfigs: fc.Arbitrary<(config: World['config']) => unknown> = fc.oneof(
  fc.constantFrom('polices', 'limit', 'budget', 'tier').map((name) => (config: object) => ({ ...config, [name]: {} })),
  wrongNumber.filter((value) => typeof value !== 'object' || value === null || Array.isArray(value)).map((value) => (config: World['config']) => ({ ...config, tiers: { ...config.tiers, free: { daily: value } } })),
  wrongNumber.filter((value) => typeof value !== 'object' || value === null || Array.isArray(value)).map((value) => (config: World['config']) => ({ ...config, global: { rolling: { '5m': value } } })),
  wrongCount.map((value) => (config: World['config']) => ({ ...config, global: { daily: { tokens: value } } })),
  fc.constantFrom<unknown[]>({ hourly: 1 }, { daily: { eur: 1 } }, { rolling: { soon: 1 } }, { rolling: { '1h': 1, '60m': 1 } }, { daily: '0.000000001' }, { daily: 1, timeZone: 'Mars/Olympus' }, { daily: 1, weekStartsOn: 7 }, { daily: 1, monthStartsOn: 0 }, 'free').map(
    (budget) => (config: World['config']) => ({ ...config, tiers: { ...config.tiers, free: budget } }),
  ),
  fc.constantFrom('gold', '', 'constructor', '__proto__').map((tier) => (config: World['config']) => ({ ...config, defaultTier: tier })),
  fc.constantFrom<unknown[]>(['lenient'], ['__proto__'], [{ name: 'x', thresholds: { block: 0 } }], [{ name: 'x', thresholds: { block: 101 } }], [{ name: 'x', thresholds: { block: 50.001 } }], [{ name: 'x', thresholds: { stop: 50 } }], [{ name: 'x' }], [{}], [null], 'strict', []).map(
    (policies) => (config: World['config']) => ({ ...config, policies }),
  ),
  fc.constantFrom<unknown[]>({ user: { ann: { daily: 1 } } }, { global: { x: {} } }, { tier: { gold: { daily: 1 } } }, { team: { search: { daily: -1 } } }, { team: 7 }).map((scopes) => (config: World['config']) => ({ ...config, scopes })),
  fc.constantFrom<unknown[]>({ a: 'b', b: 'a' }, { a: 'a' }, { a: 7 }, 'cheap').map((ladder) => (config: World['config']) => ({ ...config, ladder })),
  fc.constantFrom<unknown[]>('maybe', 7, null).map((option) => (config: World['config']) => ({ ...config, onHoldExpiry: option })),
  fc.constantFrom<unknown[]>('0m', 'soon', -5, NaN).map((holdTtl) => (config: World['config']) => ({ ...config, holdTtl })),
  fc.constantFrom<unknown[]>([0], [101], [33.333], ['80'], 80).map((alertThresholds) => (config: World['config']) => ({ ...config, alertThresholds })),
)
