// Decisions and the ways in which their holds end.

import { describe, expect, it, vi } from 'vitest'
import { AlreadyEndedError, Bursar, HoldExpiredError, MissingCostError, type BursarConfig, type BursarEvents } from '../../../src/index.js'
import { manualClock } from '../../../src/testing/index.js'
import { strictBudgetEnforcement } from '../../../policies/index.js'
import { allowedOf, deniedOf, entriesOf, START } from '../setting.js'

function engine(config: Partial<BursarConfig> = {}) {
  const clock = manualClock()
  const warned = vi.fn()
  const bursar = new Bursar({ tiers: { free: { daily: 1 } }, defaultTier: 'free', clock, logger: { debug() {}, warn: warned }, ...config } as BursarConfig)
  const ask = async (estimatedCost = 0.1, more: object = {}) => allowedOf(await bursar.check({ userId: 'u', estimatedCost, ...more }))
  const daily = async () => {
    const { cost, held } = await bursar.tracker.getPeriodCosts('u', 'daily')
    return { cost, held }
  }
  return { bursar, clock, ask, daily, warned }
}

function heard<Name extends keyof BursarEvents>(bursar: Bursar, name: Name): BursarEvents[Name][] {
  const events: BursarEvents[Name][] = []
  bursar.on(name, (event) => events.push(event))
  return events
}

describe('a decision', () => {
  it('is frozen data about one request', async () => {
    const { bursar } = engine()
    const decision = allowedOf(await bursar.check({ userId: 'u', tenant: 't', model: 'gpt-4o', provider: 'openai', query: 'hello', estimatedCost: 0.85, inputTokens: 5, maxOutputTokens: 7, metadata: { a: 1 } }))
    expect(decision).toMatchObject({ allowed: true, action: 'WARN', model: 'gpt-4o', requestedModel: 'gpt-4o', estimatedCost: 0.85, replayed: false, ended: undefined, enforcedBy: 'store' })
    expect(decision.expiresAt).toEqual(new Date(START + 600_000))
    expect(decision.rungs).toEqual([{ model: 'gpt-4o', estimatedCost: 0.85 }])
    expect(decision.context).toMatchObject({ userId: 'u', tenant: 't', userTier: 'free', model: 'gpt-4o', provider: 'openai', query: 'hello', tokens: 12, metadata: { a: 1 }, currentCost: 0, estimatedCost: 0.85, totalCost: 0.85, budgetLimit: 1, budgetUsedPct: 85, periodName: 'daily' })
    expect(decision.windows).toBe(decision.context.windows)
    expect(decision.windows.find((window) => window.period === 'daily')).toMatchObject({ scope: { kind: 'user', id: 'u', tenant: 't' }, unit: 'usd', limit: 1, spent: 0, held: 0, remaining: 1, usedPct: 0, projectedPct: 85, exact: { limit: 100_000_000, spent: 0, held: 0, estimate: 85_000_000 } })
    expect(decision.windows.find((window) => window.period === 'weekly')).toMatchObject({ limit: null, remaining: null })
    expect(decision.reason).toContain('85')
    expect(() => { (decision as { action: string }).action = 'ALLOW' }).toThrow(TypeError)
    for (const frozen of [decision, decision.context, decision.windows, decision.windows[0], decision.verdicts, decision.verdicts[0]]) expect(Object.isFrozen(frozen)).toBe(true)
  })

  it('does not let a policy change the metadata of its request', async () => {
    const meddles = (ctx: { metadata: Record<string, unknown> }) => {
      ctx.metadata['trusted'] = true
      return 'ALLOW' as const
    }
    const { bursar } = engine({ policies: [strictBudgetEnforcement, meddles as never], onPolicyError: 'ALLOW' })
    const decision = allowedOf(await bursar.check({ userId: 'u', estimatedCost: 0.1, metadata: { trusted: false } }))
    expect(decision.context.metadata).toEqual({ trusted: false })
    await decision.settle({ cost: 0.1 })
    expect((await entriesOf(bursar.tracker)).at(-1)?.metadata).toEqual({ trusted: false })
  })

  it('does not change when the request object or the budget changes later', async () => {
    const { bursar, ask } = engine()
    const metadata = { step: 1 }
    const decision = await ask(0.1, { metadata })
    metadata.step = 2
    await bursar.tracker.addCost({ userId: 'u', cost: 0.5 })
    expect(decision.context).toMatchObject({ currentCost: 0, metadata: { step: 1 } })
  })

  it('is plain JSON, allowed or denied', async () => {
    const { bursar, ask } = engine({ policies: [strictBudgetEnforcement, () => { throw new Error('broken') }], onPolicyError: 'WARN' })
    const allowed = await ask(0.1, { metadata: { a: [1, { b: null }] } })
    const denied = deniedOf(await bursar.check({ userId: 'u', estimatedCost: 5 }))
    for (const decision of [allowed, denied]) {
      const text = JSON.stringify(decision)
      expect(JSON.stringify(JSON.parse(text))).toBe(text)
      expect(JSON.parse(text)).toMatchObject({ id: decision.id, action: decision.action, allowed: decision.allowed, verdicts: [{ policy: 'strict' }, { error: 'broken' }] })
    }
    expect(JSON.parse(JSON.stringify(denied))).toMatchObject({ code: 'budget', denial: { status: 402, window: 'daily' } })
  })

  it('says in its reason which budget it warns of', async () => {
    const { bursar } = engine({ global: { monthly: 2 } })
    await bursar.tracker.addCost({ userId: 'other', cost: 1.7 })
    const decision = allowedOf(await bursar.check({ userId: 'u', estimatedCost: 0.1 }))
    expect(decision.action).toBe('WARN')
    expect(decision.reason).toMatch(/global|everybody/)
    expect(decision.reason).not.toContain('10 %')
  })
})

describe('settle', () => {
  it('replaces the hold by the cost, once', async () => {
    const { ask, daily, bursar } = engine()
    const settled = heard(bursar, 'settled')
    const decision = await ask(0.1, { model: 'm' })
    expect(await daily()).toEqual({ cost: 0, held: 0.1 })
    expect(await decision.settle({ cost: 0.04 })).toEqual({ cost: 0.04, overage: 0, replayed: false, exact: { costMicrocents: 4_000_000, overageMicrocents: 0 } })
    expect(await daily()).toEqual({ cost: 0.04, held: 0 })
    expect(await decision.settle({ cost: 0.04 })).toMatchObject({ replayed: true })
    await expect(decision.settle({ cost: 0.05 })).rejects.toBeInstanceOf(AlreadyEndedError)
    await decision.release()
    expect(await daily()).toEqual({ cost: 0.04, held: 0 })
    expect(settled).toEqual([{ id: decision.id, user: { userId: 'u' }, cost: 0.04, overage: 0, exact: { costMicrocents: 4_000_000, overageMicrocents: 0 }, model: 'm', late: false }])
  })

  it('records the whole of a cost above the hold, and reports the overage', async () => {
    const { ask, daily, bursar } = engine()
    const overages = heard(bursar, 'overage')
    const decision = await ask(0.9)
    expect(await decision.settle({ cost: 1.25 })).toMatchObject({ cost: 1.25, overage: 0.35 })
    expect(overages).toEqual([{ id: decision.id, user: { userId: 'u' }, cost: 1.25, overage: 0.35, exact: { costMicrocents: 125_000_000, overageMicrocents: 35_000_000 } }])
    expect(await daily()).toEqual({ cost: 1.25, held: 0 })
    expect((await bursar.check({ userId: 'u', estimatedCost: 0 })).action).toBe('BLOCK')
  })

  it('rounds a cost up to a microcent', async () => {
    const { ask } = engine()
    expect((await (await ask()).settle({ cost: 0.000000001 })).exact.costMicrocents).toBe(1)
  })

  it('settles what was metered where no cost is given', async () => {
    const { ask, daily } = engine()
    const decision = await ask()
    decision.addUsage(10, 'input', { cost: 0.01 })
    decision.addUsage('20', 'completion', { cost: '0.02' })
    decision.addUsage(30, 'total')
    expect(await decision.settle()).toMatchObject({ cost: 0.03 })
    expect((await daily()).cost).toBe(0.03)
  })

  it('takes a cost that is given over what was metered', async () => {
    const { ask } = engine()
    const decision = await ask()
    decision.addUsage(10, 'input')
    await expect(decision.settle()).rejects.toMatchObject({ code: 'PRICES_NOT_CONFIGURED' })
    expect(await decision.settle({ cost: 0.05 })).toMatchObject({ cost: 0.05 })
  })

  it('rejects with neither cost nor usage, and the hold stays', async () => {
    const { ask, daily } = engine()
    const decision = await ask()
    await expect(decision.settle()).rejects.toBeInstanceOf(MissingCostError)
    expect(await daily()).toEqual({ cost: 0, held: 0.1 })
  })

  it('reports bad usage as an event and goes on', async () => {
    const { ask, bursar } = engine()
    const errors = heard(bursar, 'usage-error')
    const decision = await ask()
    decision.addUsage(-1, 'input')
    decision.addUsage('many', 'input')
    decision.addUsage(1, 'thoughts' as never)
    decision.addUsage(1, 'input', { cost: Number.NaN })
    decision.addUsage(1, 'input', { cost: 0.01 })
    expect(errors.map(({ id, error }) => [id, (error as { code?: string }).code])).toEqual([[decision.id, 'INVALID_AMOUNT'], [decision.id, 'INVALID_AMOUNT'], [decision.id, 'INVALID_REQUEST'], [decision.id, 'INVALID_AMOUNT']])
    expect(await decision.settle()).toMatchObject({ cost: 0.01 })
  })

  it('reports a model that is not the one decided on', async () => {
    const { ask, bursar } = engine()
    const mismatches = heard(bursar, 'model-mismatch')
    const decision = await ask(0.1, { model: 'gpt-4o' })
    await decision.settle({ cost: 0.1, model: 'gpt-4o-2024-08-06' })
    await (await ask(0.1, { model: 'gpt-4o' })).settle({ cost: 0.1, model: 'gpt-4o' })
    expect(mismatches).toEqual([{ id: decision.id, decided: 'gpt-4o', answered: 'gpt-4o-2024-08-06' }])
    expect((await entriesOf(bursar.tracker))[0]).toMatchObject({ requestedModel: 'gpt-4o', model: 'gpt-4o-2024-08-06' })
  })

  it('counts the tokens that are given, else those that were estimated', async () => {
    const { bursar } = engine({ tiers: { free: { daily: { tokens: 100 } } } })
    const used = async () => (await bursar.tracker.getPeriodCosts('u', 'daily/tokens')).cost
    const ask = async () => allowedOf(await bursar.check({ userId: 'u', inputTokens: 10, maxOutputTokens: 10 }))
    await (await ask()).settle({ cost: 0.1 })
    expect(await used()).toBe(20)
    await (await ask()).settle({ cost: 0.1, tokens: { input: 3, output: 4, total: 7 } })
    expect(await used()).toBe(27)
    const metered = await ask()
    metered.addUsage(5, 'input', { cost: 0.1 })
    await metered.settle()
    expect(await used()).toBe(32)
  })

  it('works by id, for another process', async () => {
    const { ask, bursar, daily } = engine()
    const first = await ask()
    const second = await ask()
    expect(await bursar.settle(first.id, { cost: 0.03 })).toMatchObject({ cost: 0.03 })
    expect(await bursar.extend(second.id, '1h')).toEqual(new Date(START + 3_600_000))
    await bursar.release(second.id)
    expect(await daily()).toEqual({ cost: 0.03, held: 0 })
  })

  it('charges the day in which the hold was placed', async () => {
    const { ask, bursar, clock, daily } = engine()
    clock.set(Date.UTC(2026, 0, 15, 23, 59))
    const decision = await ask(0.9)
    clock.set(Date.UTC(2026, 0, 16, 0, 1))
    expect(await daily()).toEqual({ cost: 0, held: 0 })
    await decision.settle({ cost: 0.9 })
    expect(await daily()).toEqual({ cost: 0, held: 0 })
    expect((await bursar.tracker.getPeriodCosts('u', 'weekly')).cost).toBe(0.9)
    expect((await entriesOf(bursar.tracker)).at(-1)?.charged.find(({ window }) => window === 'daily/usd')?.startsAt).toBe(Date.UTC(2026, 0, 15))
  })
})

describe('release, abandon and disposal', () => {
  it('give the money back, as often as they are called', async () => {
    const { ask, daily, bursar } = engine()
    const decision = await ask(1)
    expect((await bursar.check({ userId: 'u', estimatedCost: 0.1 })).allowed).toBe(false)
    await decision.release()
    await decision.release()
    expect(await daily()).toEqual({ cost: 0, held: 0 })
    await expect(decision.settle({ cost: 0.1 })).rejects.toMatchObject({ code: 'ALREADY_ENDED', state: 'released' })
    expect((await bursar.check({ userId: 'u', estimatedCost: 1 })).allowed).toBe(true)
  })

  it('settle what was metered, and release where nothing was', async () => {
    const { ask, daily } = engine()
    const metered = await ask()
    metered.addUsage(100, 'output', { cost: 0.02 })
    await metered.abandon()
    await metered.abandon()
    expect(await daily()).toEqual({ cost: 0.02, held: 0 })
    const untouched = await ask()
    await untouched.abandon()
    expect(await daily()).toEqual({ cost: 0.02, held: 0 })
  })

  it('never make a call free that was metered without prices', async () => {
    const { ask, daily } = engine()
    const decision = await ask()
    decision.addUsage(1_000, 'output')
    await decision.abandon()
    expect((await daily()).cost).toBeGreaterThan(0)
  })

  it('end a hold at the end of a block, and leave a settled one as it is', async () => {
    const { ask, daily, bursar } = engine()
    const forgotten = await ask()
    await forgotten[Symbol.asyncDispose]()
    expect(await daily()).toEqual({ cost: 0, held: 0 })
    const settled = await ask()
    await settled.settle({ cost: 0.05 })
    await settled[Symbol.asyncDispose]()
    expect(await daily()).toEqual({ cost: 0.05, held: 0 })
    const denied = deniedOf(await bursar.check({ userId: 'u', estimatedCost: 5 }))
    await denied[Symbol.asyncDispose]()
    await bursar[Symbol.asyncDispose]()
    await expect(bursar.check({ userId: 'u', estimatedCost: 0 })).rejects.toMatchObject({ code: 'CLOSED' })
  })

  it('leave a settled call alone where it was metered too', async () => {
    const { ask, daily } = engine()
    const decision = await ask()
    decision.addUsage(10, 'output', { cost: 0.02 })
    await decision.settle({ cost: 0.05 })
    await decision[Symbol.asyncDispose]()
    expect(await daily()).toEqual({ cost: 0.05, held: 0 })
  })
})

describe('guard', () => {
  it('gives the result and settles its cost', async () => {
    const { bursar, daily } = engine()
    const seen: unknown[] = []
    const result = await bursar.guard({ userId: 'u', model: 'm', estimatedCost: 0.1 }, async ({ model, signal, decision }) => {
      seen.push(model, signal, decision.allowed)
      return { result: 'text', cost: 0.02 }
    })
    expect([result, ...seen]).toEqual(['text', 'm', undefined, true])
    expect(await daily()).toEqual({ cost: 0.02, held: 0 })
  })

  it('throws where the request is refused, and makes no call', async () => {
    const { bursar } = engine()
    const call = vi.fn()
    await expect(bursar.guard({ userId: 'u', estimatedCost: 5 }, call)).rejects.toMatchObject({ code: 'BUDGET_EXCEEDED', denial: { code: 'budget' } })
    expect(call).not.toHaveBeenCalled()
  })

  it('refuses an idempotency key that was used, before its second call', async () => {
    const { bursar, daily } = engine()
    const call = vi.fn(async () => ({ result: 1, cost: 0.02 }))
    const request = { userId: 'u', estimatedCost: 0.1, idempotencyKey: 'once' }
    await bursar.guard(request, call)
    await expect(bursar.guard(request, call)).rejects.toMatchObject({ code: 'DUPLICATE_REQUEST', id: 'once' })
    expect(call).toHaveBeenCalledTimes(1)
    expect(await daily()).toEqual({ cost: 0.02, held: 0 })
  })

  it('releases the hold where the call throws, and its error goes on', async () => {
    const { bursar, daily } = engine()
    await expect(bursar.guard({ userId: 'u', estimatedCost: 0.1 }, async () => { throw new Error('model is down') })).rejects.toThrow('model is down')
    expect(await daily()).toEqual({ cost: 0, held: 0 })
  })

  it('settles what a call had metered when it throws', async () => {
    const { bursar, daily } = engine()
    const call = async ({ decision }: { decision: { addUsage(tokens: number, type: 'output', details: { cost: number }): void } }): Promise<never> => {
      decision.addUsage(50, 'output', { cost: 0.03 })
      throw new Error('stream broke')
    }
    await expect(bursar.guard({ userId: 'u', estimatedCost: 0.1 }, call)).rejects.toThrow('stream broke')
    expect(await daily()).toEqual({ cost: 0.03, held: 0 })
  })

  it.each([['no cost', { result: 1 }], ['nothing', undefined], ['text', 'text']])('charges the estimate of a call that returns %s, and rejects', async (_what, outcome) => {
    const { bursar, daily } = engine()
    await expect(bursar.guard({ userId: 'u', estimatedCost: 0.1 }, async () => outcome as never)).rejects.toBeInstanceOf(MissingCostError)
    expect(await daily()).toEqual({ cost: 0.1, held: 0 })
  })

  it('settles what was metered where the call returns no cost', async () => {
    const { bursar, daily } = engine()
    const result = await bursar.guard({ userId: 'u', estimatedCost: 0.1 }, async ({ decision }) => {
      decision.addUsage(50, 'output', { cost: 0.03 })
      return { result: 'ok' }
    })
    expect(result).toBe('ok')
    expect(await daily()).toEqual({ cost: 0.03, held: 0 })
  })

  it('passes the signal on, and ends the hold of an aborted call', async () => {
    const { bursar, daily } = engine()
    const controller = new AbortController()
    let started = (): void => {}
    const calling = new Promise<void>((resolve) => (started = resolve))
    const call = ({ signal }: { signal: AbortSignal | undefined }): Promise<never> =>
      new Promise((_, reject) => {
        signal?.addEventListener('abort', () => reject(signal.reason as Error))
        started()
      })
    const running = bursar.guard({ userId: 'u', estimatedCost: 0.1 }, call, { signal: controller.signal })
    await calling
    expect((await daily()).held).toBe(0.1)
    controller.abort(new Error('user left'))
    await expect(running).rejects.toThrow('user left')
    expect(await daily()).toEqual({ cost: 0, held: 0 })
  })
})

describe('a repeated request', () => {
  it('gets the first decision, replayed, and holds nothing more', async () => {
    const { ask, daily } = engine()
    const first = await ask(0.6, { idempotencyKey: 'k' })
    const again = await ask(0.6, { idempotencyKey: 'k' })
    expect([again.id, again.replayed, again.ended, again.action]).toEqual([first.id, true, undefined, first.action])
    expect(again.expiresAt).toEqual(first.expiresAt)
    expect(again.context.currentCost).toBe(first.context.currentCost)
    expect(await daily()).toEqual({ cost: 0, held: 0.6 })
  })

  it('is the same request whatever the order of its fields', async () => {
    const { bursar, daily } = engine()
    await bursar.check({ userId: 'u', estimatedCost: 0.1, idempotencyKey: 'k', metadata: { a: 1, b: { c: 1, d: 2 } } })
    const again = await bursar.check({ metadata: { b: { d: 2, c: 1 }, a: 1 }, idempotencyKey: 'k', estimatedCost: 0.1, userId: 'u' })
    expect(again.replayed).toBe(true)
    expect((await daily()).held).toBe(0.1)
  })

  it('says how the first one ended', async () => {
    const { ask, clock } = engine()
    await (await ask(0.1, { idempotencyKey: 's' })).settle({ cost: 0.1 })
    expect((await ask(0.1, { idempotencyKey: 's' })).ended).toBe('settled')
    await (await ask(0.1, { idempotencyKey: 'r' })).release()
    expect((await ask(0.1, { idempotencyKey: 'r' })).ended).toBe('released')
    await ask(0.1, { idempotencyKey: 'x' })
    clock.advance('11m')
    expect((await ask(0.1, { idempotencyKey: 'x' })).ended).toBe('expired')
  })

  it('is the same request after midnight, and a new one after a day and a bit', async () => {
    const { ask, clock } = engine()
    await (await ask(0.1, { idempotencyKey: 'k' })).settle({ cost: 0.1 })
    clock.advance('23h')
    expect((await ask(0.1, { idempotencyKey: 'k' })).replayed).toBe(true)
    clock.advance('1h')
    expect((await ask(0.1, { idempotencyKey: 'k' })).replayed).toBe(false)
  })

  it('of a refused one is a new question', async () => {
    const { bursar } = engine()
    await bursar.tracker.addCost({ userId: 'u', cost: 1 })
    const ask = () => bursar.check({ userId: 'u', estimatedCost: 0.1, idempotencyKey: 'k' })
    expect((await ask()).allowed).toBe(false)
    await bursar.tracker.refund({ userId: 'u', cost: 0.5 })
    expect(await ask()).toMatchObject({ allowed: true, replayed: false })
  })

  it('with other arguments is an error', async () => {
    const { ask, bursar } = engine()
    await ask(0.1, { idempotencyKey: 'k' })
    await expect(bursar.check({ userId: 'u', estimatedCost: 0.2, idempotencyKey: 'k' })).rejects.toMatchObject({ code: 'ID_REUSED', id: 'k' })
    await expect(bursar.check({ userId: 'v', estimatedCost: 0.1, idempotencyKey: 'k' })).rejects.toMatchObject({ code: 'ID_REUSED' })
    await expect(bursar.tracker.addCost({ userId: 'u', cost: 0.1, idempotencyKey: 'k' })).rejects.toMatchObject({ code: 'ID_REUSED' })
  })
})

describe('a hold that nobody ends', () => {
  it('expires after its time and is charged its estimate', async () => {
    const { bursar, clock, ask, daily } = engine()
    const expired = heard(bursar, 'hold-expired')
    const decision = await ask(0.3)
    clock.advance(599_999)
    expect(await daily()).toEqual({ cost: 0, held: 0.3 })
    clock.advance(1)
    expect(await daily()).toEqual({ cost: 0.3, held: 0 })
    expect(expired).toEqual([{ id: decision.id, user: { userId: 'u' }, tier: 'free', dueAt: decision.expiresAt, charged: 0.3 }])
    expect((await entriesOf(bursar.tracker)).map(({ kind, microcents }) => [kind, microcents])).toEqual([['expired', 30_000_000]])
  })

  it('is corrected by a late settle, once', async () => {
    const { bursar, clock, ask, daily } = engine()
    const settled = heard(bursar, 'settled')
    const decision = await ask(0.3)
    clock.advance('11m')
    expect(await decision.settle({ cost: 0.1 })).toMatchObject({ cost: 0.1, replayed: false })
    expect(await daily()).toEqual({ cost: 0.1, held: 0 })
    expect(await decision.settle({ cost: 0.1 })).toMatchObject({ replayed: true })
    await expect(decision.settle({ cost: 0.2 })).rejects.toMatchObject({ code: 'ALREADY_ENDED' })
    expect(settled.map(({ late }) => late)).toEqual([true])
    expect((await entriesOf(bursar.tracker)).map(({ kind, microcents }) => [kind, microcents])).toEqual([['expired', 30_000_000], ['corrected', -20_000_000]])
  })

  it('is corrected to nothing by a late release', async () => {
    const { clock, ask, daily } = engine()
    const decision = await ask(0.3)
    clock.advance('11m')
    await decision.release()
    expect(await daily()).toEqual({ cost: 0, held: 0 })
  })

  it('costs nothing under onHoldExpiry release, until a late settle says otherwise', async () => {
    const { bursar, clock, ask, daily } = engine({ onHoldExpiry: 'release' })
    const expired = heard(bursar, 'hold-expired')
    const decision = await ask(0.3)
    clock.advance('11m')
    expect(await daily()).toEqual({ cost: 0, held: 0 })
    expect(expired).toMatchObject([{ charged: 0 }])
    await decision.settle({ cost: 0.2 })
    expect(await daily()).toEqual({ cost: 0.2, held: 0 })
  })

  it('never makes a late settle after a refund take money from other calls', async () => {
    const { bursar, clock, ask, daily } = engine()
    await bursar.tracker.addCost({ userId: 'u', cost: 0.4 })
    const decision = await ask(0.3)
    clock.advance('11m')
    await bursar.tracker.refund({ userId: 'u', cost: 0.3, decisionId: decision.id })
    expect((await daily()).cost).toBe(0.4)
    await decision.settle({ cost: 0.1 })
    expect((await daily()).cost).toBeGreaterThanOrEqual(0.4)
    expect((await bursar.tracker.getSummary()).totalCost).toBeGreaterThanOrEqual(0.4)
  })

  it('lives as long as the request or an extension says', async () => {
    const { clock, ask, daily } = engine({ holdTtl: '2m' })
    const short = await ask(0.1, { holdTtl: '30s' })
    const usual = await ask(0.2)
    expect([short.expiresAt, usual.expiresAt]).toEqual([new Date(START + 30_000), new Date(START + 120_000)])
    expect(await short.extend('3m')).toEqual(new Date(START + 180_000))
    clock.advance('2m')
    expect(await daily()).toEqual({ cost: 0.2, held: 0.1 })
    await expect(usual.extend()).rejects.toBeInstanceOf(HoldExpiredError)
    expect(await short.extend()).toEqual(new Date(START + 240_000))
  })

  it('warns once where nobody listens', async () => {
    const { clock, ask, daily, warned } = engine()
    await ask(0.1)
    await ask(0.1)
    clock.advance('11m')
    await daily()
    expect(warned.mock.calls.map(([line]) => line)).toEqual([expect.stringMatching(/^bursar: hold ".*" was neither settled nor released in time/)])
  })
})

describe('an abort signal', () => {
  it('that is aborted before rejects with its reason, and nothing is asked', async () => {
    const { bursar, daily } = engine()
    await expect(bursar.check({ userId: 'u', estimatedCost: 0.1 }, { signal: AbortSignal.abort(new Error('too late')) })).rejects.toThrow('too late')
    expect(await daily()).toEqual({ cost: 0, held: 0 })
  })

  it('that is aborted while facts are loaded leaves nothing held', async () => {
    const controller = new AbortController()
    const { bursar, daily } = engine({ enrich: async (_request, { signal }) => { controller.abort(new Error('gone')); expect(signal?.aborted).toBe(true); return {} } })
    await expect(bursar.check({ userId: 'u', estimatedCost: 0.1 }, { signal: controller.signal })).rejects.toThrow('gone')
    expect(await daily()).toEqual({ cost: 0, held: 0 })
  })

  it('that is aborted afterwards changes nothing', async () => {
    const { bursar, daily } = engine()
    const controller = new AbortController()
    const decision = allowedOf(await bursar.check({ userId: 'u', estimatedCost: 0.1 }, { signal: controller.signal }))
    controller.abort()
    expect(await daily()).toEqual({ cost: 0, held: 0.1 })
    await decision.settle({ cost: 0.1 })
  })
})
