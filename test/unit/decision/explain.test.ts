// What is kept of decisions, for how long, and what an explanation says of the odd ones: repeats, policies that fail, stores that are
// away. That its sums are right is shown on random traces.

import { describe, expect, it, vi } from 'vitest'
import { Bursar, definePolicy, explainText, isBursarError, memoryStore, type BursarConfig, type EnforcementAction } from '../../../src/index.js'
import { DecisionLog } from '../../../src/decision/index.js'
import { manualClock } from '../../../src/testing/index.js'
import { gracefulDegradation, modelAccess, strictBudgetEnforcement } from '../../../policies/index.js'
import { MIDNIGHT, START, storeWith } from '../setting.js'

function engine(config: Partial<BursarConfig> = {}): Bursar<string, string> {
  return new Bursar({ tiers: { free: { daily: 1 } }, defaultTier: 'free', clock: manualClock(), ...config } as BursarConfig<string, string>)
}

async function whyUnknown(bursar: Bursar<string, string>, id: string): Promise<string> {
  const error: unknown = await bursar.explain(id).then(() => undefined, (thrown: unknown) => thrown)
  if (!isBursarError(error) || error.code !== 'UNKNOWN_DECISION') throw new Error(`expected UNKNOWN_DECISION, got ${String(error)}`)
  return error.message
}

describe('explain', () => {
  it('says of a denial who, what, the sum in words and integers, and what would have fitted', async () => {
    const bursar = engine({ scopes: { team: { search: { daily: 5 } } } })
    await bursar.tracker.addCost({ userId: 'ada', cost: 0.95 })
    await bursar.check({ userId: 'ada', estimatedCost: 0.02 })
    const { id } = await bursar.check({ userId: 'ada', model: 'gpt-4o', provider: 'openai', estimatedCost: 0.05, scopes: { team: 'search' } })
    const explanation = await bursar.explain(id)
    expect(explanation).toMatchObject({
      decisionId: id,
      at: new Date(START).toISOString(),
      action: 'BLOCK',
      code: 'budget',
      enforcedBy: 'store',
      replayed: false,
      who: { userId: 'ada', tier: 'free', scopes: { team: 'search' } },
      model: { requested: 'gpt-4o', provider: 'openai' },
      admitted: false,
      rungs: [{ model: 'gpt-4o', estimatedCost: 0.05, result: 'refused', against: [{ threshold: 'block', window: 0 }], exact: { microcents: 5_000_000 } }],
      fitting: { largestFittingCost: 0.03, retryAfterMs: MIDNIGHT - START, exact: { largestFittingMicrocents: 3_000_000 } },
    })
    expect(explanation.windows[0]).toMatchObject({
      period: 'daily',
      limit: 1,
      spent: 0.95,
      held: 0.02,
      remaining: 0.03,
      hit: 'block',
      resetsAt: new Date(MIDNIGHT).toISOString(),
      arithmetic: { words: '0.95 spent + 0.02 held + 0.05 estimate = 1.02 > 1.00', integers: '95000000 + 2000000 + 5000000 = 102000000 > 100000000' },
    })
    expect(explanation.windows.find(({ scope }) => scope.kind === 'team')).toMatchObject({ hit: null, arithmetic: { words: '0.00 spent + 0.00 held + 0.05 estimate = 0.05 ≤ 5.00' } })
    expect(JSON.parse(JSON.stringify(explanation))).toEqual(explanation)
  })

  it('says which sum was compared with what, at each side of each threshold', async () => {
    const ask = async (spent: string, estimate: string, policies: BursarConfig['policies']) => {
      const bursar = engine({ tiers: { free: { daily: 1, rolling: { '1h': { tokens: 10 } } } }, policies, decisionLog: { keep: 'all' } })
      await bursar.tracker.addCost({ userId: 'u', cost: spent })
      const { id } = await bursar.check({ userId: 'u', estimatedCost: estimate, inputTokens: 4, maxOutputTokens: 0 })
      const { windows } = await bursar.explain(id)
      return [windows[0]?.hit, windows[0]?.arithmetic.words, windows.at(-1)?.arithmetic.words]
    }
    const half = definePolicy({ name: 'half', thresholds: { warn: 30, degrade: 40, block: 50 } })
    const tokens = '0 spent + 0 held + 4 estimate = 4 '
    expect(await ask('0.95', '0.05', [strictBudgetEnforcement])).toEqual(['warn', '0.95 spent + 0.00 held + 0.05 estimate = 1.00 ≥ 0.80', `${tokens}≤ 10 tokens`])
    expect(await ask('0.70', '0.05', [strictBudgetEnforcement])).toEqual([null, '0.70 spent + 0.00 held + 0.05 estimate = 0.75 ≤ 1.00', `${tokens}≤ 10 tokens`])
    expect(await ask('1', '0', [strictBudgetEnforcement])).toEqual(['block', '1.00 spent + 0.00 held + 0.00 estimate = 1.00 ≥ 1.00, used up before it', `${tokens}≤ 10 tokens`])
    expect(await ask('0.45', '0.05', [half])).toEqual(['block', '0.45 spent + 0.00 held + 0.05 estimate = 0.50 ≥ 0.50', `${tokens}≥ 4 tokens`])
    expect(await ask('0.45', '0.04999999', [half])).toEqual(['degrade', '0.45 spent + 0.00 held + 0.04999999 estimate = 0.49999999 ≥ 0.40', `${tokens}≥ 4 tokens`])
    expect(await ask('0.20', '0.05', [half])).toEqual([null, '0.20 spent + 0.00 held + 0.05 estimate = 0.25 < 0.50', `${tokens}≥ 4 tokens`])
  })

  it('says why the model is not the one asked for, by which prices, and what would have got it', async () => {
    const prices = { models: { dear: { input: 10, output: 10 }, middle: { input: 9, output: 9 }, cheap: { input: 1, output: 1 } } }
    const bursar = engine({ prices, ladder: { dear: ['middle', 'cheap'] }, policies: [gracefulDegradation, modelAccess({ free: { deny: ['middle'] } }) as never] })
    await bursar.tracker.addCost({ userId: 'u', cost: 0.85 })
    const { id } = await bursar.check({ userId: 'u', model: 'dear', inputTokens: 10_000, maxOutputTokens: 0 })
    const explanation = await bursar.explain(id)
    const version = bursar.prices?.find({ model: 'dear', at: START })?.version
    expect(explanation).toMatchObject({ action: 'DEGRADE', degrade: true, rung: 2, model: { requested: 'dear', used: 'cheap' }, fitting: { largestFittingCost: 0.04999999 } })
    expect(explanation.rungs.map(({ model, result, against }) => [model, result, against.map((each) => ('policy' in each ? each.action : each.arithmetic.words))])).toEqual([
      ['dear', 'degraded', ['0.85 spent + 0.00 held + 0.10 estimate = 0.95 ≥ 0.90']],
      ['middle', 'refused', ['BLOCK']],
      ['cheap', 'chosen', []],
    ])
    expect(explanation.rungs[0]?.priceVersion).toBe(version)
    expect(version).toBeTypeOf('string')
  })

  it('names the cap of a session, and what a shorter answer would need', async () => {
    const bursar = engine({ prices: { models: { dear: { input: 10, output: 10 } } } })
    const session = await bursar.session({ userId: 'u', id: 's1', maxCost: 0.01 })
    const { id } = await session.check({ model: 'dear', inputTokens: 500, maxOutputTokens: 1_000 })
    const explanation = await bursar.explain(id)
    expect(explanation).toMatchObject({ action: 'BLOCK', who: { sessionId: 's1' }, fitting: { largestFittingOutput: { model: 'dear', maxOutputTokens: 500 }, retryAfterMs: null } })
    const cap = explanation.windows.find(({ scope, unit }) => scope.kind === 'session' && unit === 'usd')
    expect(cap).toMatchObject({ hit: 'block', resetsAt: null })
    expect(explainText(explanation)).toContain('total of session s1: limit $0.01, $0.00 spent, $0.00 held, $0.01 remaining')
  })

  it('keeps what a function said then, and the message of one that threw', async () => {
    let mood: EnforcementAction = 'BLOCK'
    const moody = definePolicy({ name: 'moody', evaluate: () => ({ action: mood, reason: `is ${mood}` }) })
    const broken = definePolicy({ name: 'broken', evaluate: () => { throw new Error('no \u001b[31mfacts') } })
    const bursar = engine({ policies: [strictBudgetEnforcement, moody] })
    const blocked = await bursar.check({ userId: 'u', estimatedCost: 0.1 })
    const overBudget = await bursar.check({ userId: 'u', estimatedCost: 2 })
    mood = 'ALLOW'
    expect(await bursar.explain(blocked.id)).toMatchObject({ code: 'policy', admitted: true, rungs: [{ result: 'refused', against: [{ policy: 'moody', action: 'BLOCK', reason: 'is BLOCK', afterHold: true }] }] })
    expect((await bursar.explain(overBudget.id)).verdicts.find(({ policy }) => policy === 'moody')?.action).toBe('BLOCK')
    const failing = engine({ policies: [strictBudgetEnforcement, broken] })
    const failed = await failing.explain((await failing.check({ userId: 'u', estimatedCost: 0.1 })).id)
    expect(failed).toMatchObject({ code: 'policy-error', verdicts: [{ policy: 'strict' }, { policy: 'broken', action: 'BLOCK', error: 'no \u001b[31mfacts' }] })
    expect(explainText(failed)).not.toContain('\u001b')
  })

  it('says of a repeat that it is one, and lets the first decision stand where both came to the same', async () => {
    const bursar = engine({ tiers: { free: { daily: 1 } }, policies: [gracefulDegradation], prices: { models: { dear: { input: 10, output: 10 } } } })
    await bursar.tracker.addCost({ userId: 'u', cost: 0.95 })
    const request = { userId: 'u', model: 'dear', inputTokens: 1_000, maxOutputTokens: 0, idempotencyKey: 'k1' }
    await bursar.check(request)
    expect((await bursar.check(request)).replayed).toBe(true)
    expect(await bursar.explain('k1')).toMatchObject({ action: 'DEGRADE', replayed: false, rungs: [{ priceVersion: expect.any(String) as string }] })
    const all = engine({ decisionLog: { keep: 'all', max: 1 } })
    await all.check({ userId: 'u', estimatedCost: 0.1, idempotencyKey: 'k2' })
    await all.check({ userId: 'v', estimatedCost: 0.1 })
    await all.check({ userId: 'u', estimatedCost: 0.1, idempotencyKey: 'k2' })
    const repeated = await all.explain('k2')
    expect(repeated).toMatchObject({ action: 'ALLOW', replayed: true, windows: [{ spent: 0, held: 0 }, {}, {}] })
    expect(explainText(repeated)).toContain('a repeat')
  })

  it('explains what was decided while the store was away', async () => {
    const store = storeWith(memoryStore({ clock: () => START }), { shared: true, reserve: () => Promise.reject(new Error('connection lost')) })
    const bursar = engine({ store, policies: [strictBudgetEnforcement, definePolicy({ name: 'wary', evaluate: () => 'DEGRADE' })] })
    bursar.on('store-error', () => {})
    const denied = await bursar.explain((await bursar.check({ userId: 'u', estimatedCost: 0.1 })).id)
    expect(denied).toMatchObject({ action: 'BLOCK', code: 'store-unavailable', enforcedBy: 'none', windows: [], fitting: {} })
    expect(explainText(denied)).toContain('the store was away')
    await bursar.close()
    const open = engine({ store, onStoreError: 'allow', policies: [strictBudgetEnforcement, definePolicy({ name: 'wary', evaluate: () => 'DEGRADE' })] })
    open.on('store-error', () => {})
    expect(await open.explain((await open.check({ userId: 'u', estimatedCost: 0.1 })).id)).toMatchObject({ action: 'DEGRADE', enforcedBy: 'none', admitted: true, windows: [] })
    await open.close()
  })

  it('keeps neither the query nor the metadata of a request', async () => {
    const bursar = engine({ policies: [strictBudgetEnforcement, definePolicy({ name: 'f', evaluate: ({ query }) => ({ action: 'WARN', reason: query === undefined ? 'asked too late' : 'asked in time' }) })] })
    const { id } = await bursar.check({ userId: 'u', estimatedCost: 2, query: 'a secret', metadata: { secret: 'too' } })
    const explanation = await bursar.explain(id)
    expect(JSON.stringify(explanation)).not.toContain('secret')
    expect(explanation.verdicts.find(({ policy }) => policy === 'f')?.reason).toBe('asked in time')
  })
})

describe('what is kept', () => {
  it('is what was degraded or blocked, the newest of so many', async () => {
    const bursar = engine({ decisionLog: { max: 2 } })
    const allowed = await bursar.check({ userId: 'u', estimatedCost: 0.1 })
    const warned = await bursar.check({ userId: 'u', estimatedCost: 0.75 })
    expect([allowed.action, warned.action]).toEqual(['ALLOW', 'WARN'])
    expect(await whyUnknown(bursar, allowed.id)).toContain("decisionLog: { keep: 'all' }")
    await whyUnknown(bursar, warned.id)
    const ids: string[] = []
    for (let index = 0; index < 3; index += 1) ids.push((await bursar.check({ userId: 'u', estimatedCost: 5 })).id)
    expect(await whyUnknown(bursar, ids[0] as string)).toContain('newest 2')
    for (const id of ids.slice(1)) expect((await bursar.explain(id)).decisionId).toBe(id)
  })

  it('is everything, or nothing, on request', async () => {
    const all = engine({ decisionLog: { keep: 'all' } })
    const { id } = await all.check({ userId: 'u', estimatedCost: 0.1 })
    expect(await all.explain(id)).toMatchObject({ action: 'ALLOW', admitted: true, rungs: [{ result: 'chosen', against: [] }], fitting: {} })
    const none = engine({ decisionLog: { keep: 'none' } })
    expect(await whyUnknown(none, (await none.check({ userId: 'u', estimatedCost: 5 })).id)).toContain("keep is 'none'")
  })

  it.each([{ keep: 'some' }, { max: 0 }, { max: 1.5 }, { size: 3 }])('refuses the option %j', (decisionLog) => {
    expect(() => engine({ decisionLog: decisionLog as never })).toThrow(/decisionLog/)
  })

  it('is asked for by an id, after the engine has closed too', async () => {
    const bursar = engine()
    await expect(bursar.explain('')).rejects.toMatchObject({ code: 'INVALID_REQUEST' })
    const { id } = await bursar.check({ userId: 'u', estimatedCost: 5 })
    await bursar.close()
    expect((await bursar.explain(id)).action).toBe('BLOCK')
    await expect(bursar.explain('another')).rejects.toMatchObject({ code: 'CLOSED' })
  })
})

describe('explainText', () => {
  it('shows the sums in lines', async () => {
    const bursar = engine()
    await bursar.tracker.addCost({ userId: 'ada', cost: 0.95 })
    const { id } = await bursar.check({ userId: 'ada', model: 'gpt-4o', estimatedCost: 0.06 })
    expect(explainText(await bursar.explain(id)).split('\n')).toEqual([
      `BLOCK (budget)  decision ${id}  at 2026-01-15T12:00:00.000Z`,
      '  The daily budget of user ada is $1.00; $0.95 is used and this request would add $0.06. It resets at 2026-01-16T00:00:00.000Z.',
      'who     user ada, tier free',
      'model   gpt-4o asked for',
      'windows',
      '  daily of user ada: limit $1.00, $0.95 spent, $0.00 held, $0.05 remaining, resets at 2026-01-16T00:00:00.000Z',
      '    refuses: 0.95 spent + 0.00 held + 0.06 estimate = 1.01 > 1.00  [warn from 0.80, block above 1.00]',
      '  weekly of user ada: no limit, $0.95 spent, $0.00 held, resets at 2026-01-19T00:00:00.000Z',
      '  monthly of user ada: no limit, $0.95 spent, $0.00 held, resets at 2026-02-01T00:00:00.000Z',
      'rungs',
      '  0. gpt-4o: $0.06, 0 tokens: refused',
      '    daily of user ada refuses it: 0.95 spent + 0.00 held + 0.06 estimate = 1.01 > 1.00',
      'verdicts',
      '  strict says BLOCK: the daily budget would be exceeded',
      'would fit',
      '  an estimate of at most $0.05 now',
      '  the same request: at 2026-01-16T00:00:00.000Z, if nothing else changes',
    ])
  })
})

describe('what a policy throws', () => {
  it('is kept as a short message, without what hangs on it', async () => {
    const thrown = Object.assign(new Error(`no answer ${'x'.repeat(5_000)}`), { response: { body: 'y'.repeat(1_000) } })
    const bursar = new Bursar({ tiers: { free: {} }, defaultTier: 'free', store: memoryStore(), policies: [() => { throw thrown }, () => ({ action: 'BLOCK', reason: 'z'.repeat(5_000) })] } as BursarConfig)
    const keep = vi.spyOn(DecisionLog.prototype, 'keep')
    const { id } = await bursar.check({ userId: 'u' })
    const [decided] = keep.mock.calls[0] ?? []
    keep.mockRestore()
    const slim = decided?.toKeep().verdicts() ?? []
    expect(slim.map(({ error, reason }) => [error === undefined ? undefined : Object.keys(error), (error?.message ?? reason)?.length])).toEqual([[['name', 'message'], 1_001], [undefined, 1_001]])
    expect((await bursar.explain(id)).verdicts).toMatchObject([{ error: `no answer ${'x'.repeat(990)}…` }, { reason: `${'z'.repeat(1_000)}…` }])
  })
})
