// Sessions on every store: what counts in them, who shares them, and when they end. Each engine is a process of its own on one data set.

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { BudgetExceededError, definePolicy, SessionBudgetExceeded, type Session } from '../../../src/index.js'
import { SESSION_STORES, sharedData, type SharedData } from '../../support/session-stores.js'
import { allowedOf, deniedOf, entriesOf } from '../setting.js'

const spend = (session: Session, cost: number, estimatedCost = cost): Promise<string> => session.guard({ estimatedCost, inputTokens: 0, maxOutputTokens: 0 }, async () => ({ result: 'answer', cost }))
const thrown = (work: Promise<unknown>): Promise<SessionBudgetExceeded> => work.then(() => Promise.reject(new Error('expected it to be refused')), (error: SessionBudgetExceeded) => error)

describe.each(SESSION_STORES)('a session (%s)', (name) => {
  let data: SharedData
  beforeEach(async () => void (data = await sharedData(name)))
  afterEach(() => data.close())

  it('counts its requests with the user, and stops them at its cap', async () => {
    const bursar = data.process()
    const session = await bursar.session({ userId: 'ann', maxCost: 1, maxTokens: 1_000 })
    expect(session).toMatchObject({ userId: 'ann', parentId: undefined, remainingBudget: 1, remainingTokens: 1_000, totalCost: 0, totalTokens: 0, maxCost: 1, maxTokens: 1_000 })
    const decision = allowedOf(await session.check({ estimatedCost: 0.4, inputTokens: 100, maxOutputTokens: 50 }))
    expect([session.remainingBudget, session.remainingTokens, session.totalCost]).toEqual([0.6, 850, 0])
    await decision.settle({ cost: 0.3, tokens: 120 })
    expect(await session.summary()).toMatchObject({ id: session.id, totalCost: 0.3, totalTokens: 120, held: 0, remainingBudget: 0.7, remainingTokens: 880, exact: { totalMicrocents: 30_000_000, remainingMicrocents: 70_000_000 } })
    expect(await bursar.tracker.getUserCost('ann')).toBe(0.3)
    const denied = deniedOf(await session.check({ estimatedCost: 0.71, inputTokens: 1, maxOutputTokens: 1 }))
    expect(denied.toDenial()).toMatchObject({ code: 'budget', status: 402, scope: { kind: 'session' }, unit: 'usd', limit: 1, used: 0.3, resetsAt: null, retryAfterMs: null, largestFittingCost: 0.7 })
    expect(denied.toDenial().message).toBe(`The cap of session ${session.id} is $1; $0.30 is used and this request would add $0.71. It does not reset; it can be raised.`.replace('$1;', '$1.00;'))
    expect(deniedOf(await session.check({ estimatedCost: 0.1, inputTokens: 800, maxOutputTokens: 81 })).toDenial()).toMatchObject({ unit: 'tokens', limit: 1_000, used: 120 })
    expect((await bursar.tracker.audit()).status).toBe('clean')
  })

  it('stops an agent that would spend $5 with $0.01 left before it does', async () => {
    const session = await data.process().session({ userId: 'ann', maxCost: 1 })
    await spend(session, 0.99)
    let calls = 0
    const error = await thrown(session.guard({ estimatedCost: 5 }, async () => ({ result: (calls += 1), cost: 5 })))
    expect(error).toBeInstanceOf(SessionBudgetExceeded)
    expect(error).toBeInstanceOf(BudgetExceededError)
    expect(error).toMatchObject({ name: 'SessionBudgetExceeded', code: 'BUDGET_EXCEEDED', sessionId: session.id, unit: 'usd', used: 0.99, cap: 1, retryable: false })
    expect(calls).toBe(0)
    expect([session.totalCost, session.remainingBudget]).toEqual([0.99, 0.01])
    for (let step = 0; step < 500; step += 1) {
      const stopped = await session.guard({ estimatedCost: 0.01 }, async () => ({ result: (calls += 1), cost: 0.01 })).then(() => false, () => true)
      if (stopped) break
    }
    expect([calls, (await session.summary()).totalCost]).toEqual([1, 1])
  })

  it('is stopped by the user\'s own budget too, which is no session\'s', async () => {
    const session = await data.process({ tiers: { free: { daily: 0.5 } } }).session({ userId: 'ann', maxCost: 1 })
    const error = await thrown(spend(session, 0.6))
    expect(error).toBeInstanceOf(BudgetExceededError)
    expect(error).not.toBeInstanceOf(SessionBudgetExceeded)
    expect((await session.summary()).held).toBe(0)
  })

  it('is strict whatever the policies are', async () => {
    const bursar = data.process({ policies: [definePolicy({ name: 'lenient', thresholds: { warn: 100 } })] })
    const session = await bursar.session({ userId: 'ann', maxCost: 1 })
    expect((await session.check({ estimatedCost: 1.01 })).action).toBe('BLOCK')
    expect((await session.check({ estimatedCost: 0.9 })).action).toBe('WARN')
    expect((await bursar.check({ userId: 'ann', estimatedCost: 999 })).action).toBe('WARN')
  })

  it('announces 80 and 100 % of its cap, once each', async () => {
    const bursar = data.process()
    const heard: unknown[] = []
    bursar.on('threshold', ({ scope, unit, thresholdPct, limit, spent }) => heard.push([scope.kind, unit, thresholdPct, limit, spent]))
    const session = await bursar.session({ userId: 'ann', maxCost: 1, maxTokens: 100 })
    await spend(session, 0.8)
    await spend(session, 0.1)
    await spend(session, 0.1)
    expect(heard).toEqual([['session', 'usd', 80, 1, 0.8], ['session', 'usd', 100, 1, 1]])
  })

  it('says nothing of a requests limit of the user’s', async () => {
    const session = await data.process({ tiers: { free: { rolling: { '1h': { requests: 1 } } } } }).session({ userId: 'ann', maxCost: 1 })
    await spend(session, 0.1)
    expect(await thrown(spend(session, 0.1))).toMatchObject({ name: 'BudgetExceededError', denial: { code: 'rate', status: 429 } })
    expect((await session.summary()).remainingBudget).toBe(0.9)
  })

  it('streams under its cap', async () => {
    const session = await data.process().session({ userId: 'ann', maxCost: 1 })
    const pieces = async function* (): AsyncIterable<string> {
      yield 'a'
    }
    for await (const piece of await session.stream({ estimatedCost: 0.4 }, pieces)) expect(piece).toBe('a')
    expect([session.remainingBudget, (await session.summary()).totalCost]).toEqual([0.6, 0.4])
    expect(await thrown(session.stream({ estimatedCost: 0.7 }, pieces))).toMatchObject({ name: 'SessionBudgetExceeded', used: 0.4, cap: 1 })
  })

  it('is resumed by its id in another process, with what was spent', async () => {
    const first = await data.process().session({ userId: 'ann', tenant: 'acme', maxCost: 1, id: 'run/1' })
    await spend(first, 0.4)
    const second = await data.process().session({ userId: 'ann', tenant: 'acme', id: 'run/1' })
    expect(second).toMatchObject({ id: 'run/1', totalCost: 0.4, remainingBudget: 0.6, maxCost: 1, startsAt: first.startsAt, endsAt: first.endsAt })
    await spend(second, 0.5)
    expect(await thrown(spend(first, 0.2))).toMatchObject({ used: 0.9, cap: 1 })
    expect(await data.process().session({ userId: 'ann', tenant: 'acme', id: 'run/1', maxCost: '1.00' })).toMatchObject({ totalCost: 0.9 })
  })

  it('is another one for every user and tenant', async () => {
    const bursar = data.process()
    const owners = [{ userId: 'ann' }, { userId: 'ann', tenant: 'acme' }, { userId: 'acme', tenant: 'ann' }, { userId: 'a/nn' }, { userId: 'a%2Fnn' }, { userId: 'a', tenant: 'nn' }]
    for (const [index, owner] of owners.entries()) await spend(await bursar.session({ ...owner, id: 's/1', maxCost: 1 }), (index + 1) / 10)
    for (const [index, owner] of owners.entries()) expect((await bursar.session({ ...owner, id: 's/1' })).totalCost).toBe((index + 1) / 10)
    await expect(bursar.session({ userId: 'bob', id: 's/1' })).rejects.toMatchObject({ code: 'UNKNOWN_SESSION', endedAt: undefined, message: expect.stringMatching(/^sessionId: "s\/1" is no session of this user\./) })
    await expect(bursar.check({ userId: 'bob', sessionId: 's/1', estimatedCost: 0.1 })).rejects.toMatchObject({ code: 'UNKNOWN_SESSION' })
    await expect(bursar.check({ userId: 'ann', tenant: 'other', sessionId: 's/1', estimatedCost: 0.1 })).rejects.toMatchObject({ code: 'UNKNOWN_SESSION' })
    expect((await bursar.tracker.audit()).status).toBe('clean')
  })

  it('counts every request that names it, a cost without a decision and a refund', async () => {
    const bursar = data.process()
    const session = await bursar.session({ userId: 'ann', maxCost: 1, id: 's' })
    const other = data.process()
    await other.guard({ userId: 'ann', sessionId: 's', estimatedCost: 0.2 }, async () => ({ result: 0, cost: 0.2 }))
    await other.runAs(session.identity, () => other.guard({ estimatedCost: 0.1 }, async () => ({ result: 0, cost: 0.1 })))
    await other.tracker.addCost({ userId: 'ann', sessionId: 's', cost: 0.6, tokens: 7, idempotencyKey: 'k' })
    await other.tracker.addCost({ userId: 'ann', sessionId: 's', cost: 0.6, tokens: 7, idempotencyKey: 'k' })
    expect(await session.summary()).toMatchObject({ totalCost: 0.9, totalTokens: 7, remainingBudget: 0.1 })
    expect((await session.check({ estimatedCost: 0.2 })).allowed).toBe(false)
    await bursar.tracker.refund({ userId: 'ann', cost: 0.5, decisionId: 'k' })
    expect(await session.summary()).toMatchObject({ totalCost: 0.4, remainingBudget: 0.6 })
    await expect(other.tracker.addCost({ userId: 'bob', sessionId: 's', cost: 1 })).rejects.toMatchObject({ code: 'UNKNOWN_SESSION' })
    const entries = await entriesOf(bursar.tracker)
    expect(entries.filter(({ microcents }) => microcents !== 0).map(({ sessionId }) => sessionId)).toEqual(['s', 's', 's', 's'])
    expect((await bursar.tracker.audit()).status).toBe('clean')
  })

  it('repeats a decision without a second charge', async () => {
    const session = await data.process().session({ userId: 'ann', maxCost: 1, id: 's' })
    const first = allowedOf(await session.check({ estimatedCost: 0.6, idempotencyKey: 'k' }))
    const again = allowedOf(await (await data.process().session({ userId: 'ann', id: 's' })).check({ estimatedCost: 0.6, idempotencyKey: 'k' }))
    expect([again.id, again.replayed]).toEqual([first.id, true])
    await again.settle({ cost: 0.5 })
    await first.settle({ cost: 0.5 })
    expect(await session.summary()).toMatchObject({ totalCost: 0.5, held: 0 })
  })

  it('takes what a hold that expired has cost after all', async () => {
    const session = await data.process().session({ userId: 'ann', maxCost: 1 })
    const decision = allowedOf(await session.check({ estimatedCost: 0.6, holdTtl: '1m' }))
    data.clock.advance('2m')
    expect(await session.summary()).toMatchObject({ totalCost: 0.6, held: 0 })
    await decision.settle({ cost: 0.2 })
    expect((await session.summary()).totalCost).toBe(0.2)
  })

  it('rolls up what nested ones spend, and gives them no more than it has', async () => {
    const bursar = data.process()
    const run = await bursar.session({ userId: 'ann', maxCost: 1 })
    const agent = await run.session({ maxCost: 0.5 })
    const sub = await agent.session({ maxCost: 5, id: 'sub' })
    const free = await run.session()
    expect([agent.parentId, sub.parentId, sub.endsAt]).toEqual([run.id, agent.id, run.endsAt])
    expect([sub.remainingBudget, free.remainingBudget, free.maxCost]).toEqual([0.5, 1, null])
    await spend(sub, 0.3)
    await spend(agent, 0.1)
    await spend(free, 0.2)
    const totals = await Promise.all([run, agent, sub, free].map(async (each) => (await each.summary()).totalCost))
    expect(totals).toEqual([0.6, 0.4, 0.3, 0.2])
    expect([sub.remainingBudget, free.remainingBudget]).toEqual([0.1, 0.4])
    expect(await thrown(spend(sub, 0.2))).toMatchObject({ name: 'SessionBudgetExceeded', sessionId: agent.id, used: 0.4, cap: 0.5 })
    expect(await thrown(spend(free, 0.5))).toMatchObject({ sessionId: run.id, used: 0.6, cap: 1 })
    const resumed = await data.process().session({ userId: 'ann', id: 'sub' })
    expect(resumed.parentId).toBe(agent.id)
    expect(await thrown(spend(resumed, 0.2))).toMatchObject({ sessionId: agent.id })
    expect((await agent.session({ id: 'sub' })).totalCost).toBe(0.3)
    await expect(run.session({ id: 'sub' })).rejects.toMatchObject({ code: 'INVALID_REQUEST', message: expect.stringContaining('is not nested in') })
    expect((await entriesOf(bursar.tracker)).filter(({ kind }) => kind === 'settled').map(({ sessionId }) => sessionId)).toEqual(['sub', agent.id, free.id])
    expect((await bursar.tracker.audit()).status).toBe('clean')
  })

  it('is raised for every process, and never lowered', async () => {
    const [here, there] = [data.process(), data.process()]
    const session = await here.session({ userId: 'ann', maxCost: 1, maxTokens: 10, id: 's' })
    const other = await there.session({ userId: 'ann', id: 's' })
    await spend(other, 0.9)
    await session.raiseCostCap(2)
    await session.raiseTokenCap(20)
    expect([session.maxCost, session.maxTokens, session.remainingBudget]).toEqual([2, 20, 1.1])
    // It has heard of another cap, and looks again before it refuses.
    await spend(other, 1)
    expect(other).toMatchObject({ maxCost: 2, remainingBudget: 0.1, maxTokens: 20 })
    await expect(session.raiseCostCap(1.5)).rejects.toMatchObject({ code: 'INVALID_REQUEST', message: expect.stringContaining('$1.50 is below the $2.00') })
    await expect(other.raiseTokenCap(19)).rejects.toMatchObject({ code: 'INVALID_REQUEST' })
    await session.raiseCostCap('2')
    for (const same of [{ maxCost: 1 }, { maxCost: 2 }, { maxCost: 1, maxTokens: 20 }]) expect((await there.session({ userId: 'ann', id: 's', ...same })).maxCost).toBe(2)
    await expect(there.session({ userId: 'ann', id: 's', maxCost: 1.5 })).rejects.toMatchObject({ code: 'INVALID_REQUEST', message: 'maxCost: session "s" has a cap of $2.00, and $1.50 was given. Leave it out to resume the session; raiseCostCap() raises it.' })
    expect(await thrown(spend(other, 0.2))).toMatchObject({ used: 1.9, cap: 2 })
  })

  it('keeps the highest of caps that are raised at the same time', async () => {
    const sessions = await Promise.all([1, 2, 3].map(async () => (await data.process().session({ userId: 'ann', maxCost: 1, id: 's' }))))
    const raised = await Promise.allSettled(sessions.flatMap((session, index) => [5, 3, 4].map((usd) => session.raiseCostCap(usd + index))))
    expect(raised.every((each) => each.status === 'fulfilled' || (each.reason as { code: string }).code === 'INVALID_REQUEST')).toBe(true)
    for (const session of sessions) expect((await session.summary()).maxCost).toBe(7)
  })

  it('is opened once by all who open it at the same time', async () => {
    const opened = await Promise.all(Array.from({ length: 6 }, async (_, index) => data.process().session({ userId: 'ann', id: 's', maxCost: 1 + (index % 2) }).catch((error: { code: string }) => error.code)))
    const sessions = opened.filter((each) => typeof each !== 'string') as Session[]
    expect(new Set(sessions.map(({ maxCost }) => maxCost)).size).toBe(1)
    expect(opened.filter((each) => each === 'INVALID_REQUEST')).toHaveLength(3)
  })

  it('ends: it takes nothing more, what runs is settled, and nothing of it is left that differs', async () => {
    const bursar = data.process()
    const session = await bursar.session({ userId: 'ann', maxCost: 1, ttl: '1h', id: 's' })
    const child = await session.session({ maxCost: 1, id: 'c' })
    expect(session.endsAt.getTime() - session.startsAt.getTime()).toBe(3_600_000)
    data.clock.advance('59m')
    const late = allowedOf(await child.check({ estimatedCost: 0.5, holdTtl: '2h' }))
    data.clock.advance('1m')
    const ended = { code: 'UNKNOWN_SESSION', endedAt: session.endsAt, retryable: false, message: expect.stringMatching(/^sessionId: ".*" ended at /) }
    const other = data.process()
    const refused: (() => Promise<unknown>)[] = [
      () => session.check({ estimatedCost: 0 }),
      () => child.check({ estimatedCost: 0 }),
      () => session.summary(),
      () => session.session({ maxCost: 1 }),
      () => session.raiseCostCap(9),
      () => other.session({ userId: 'ann', id: 's' }),
      () => other.session({ userId: 'ann', id: 's', maxCost: 1 }),
      () => other.check({ userId: 'ann', sessionId: 'c', estimatedCost: 0 }),
      () => other.tracker.addCost({ userId: 'ann', sessionId: 'c', cost: 1 }),
    ]
    for (const each of refused) await expect(each()).rejects.toMatchObject(ended)
    await late.settle({ cost: 0.4 })
    expect(await bursar.tracker.getUserCost('ann')).toBe(0.4)
    // Others come and go: what has ended is forgotten on the way.
    data.clock.advance('26h')
    for (let user = 0; user < 20; user += 1) await bursar.tracker.addCost({ userId: `u${user}`, cost: 0.01 })
    expect((await bursar.tracker.audit()).status).toBe('clean')
    // A day later the id is free, and begins with nothing spent.
    const again = await other.session({ userId: 'ann', id: 's', maxCost: 2, ttl: '1h' })
    expect([again.totalCost, again.maxCost]).toEqual([0, 2])
    await spend(again, 0.7)
    expect((await (await bursar.session({ userId: 'ann', id: 's' })).summary()).totalCost).toBe(0.7)
    expect((await bursar.tracker.audit()).status).toBe('clean')
  })

  it('is mended with everything else by an audit', async () => {
    const bursar = data.process()
    const session = await bursar.session({ userId: 'ann', maxCost: 1 })
    const child = await session.session({ maxCost: 1 })
    await spend(child, 0.4)
    const auditor = data.store().auditor as NonNullable<ReturnType<SharedData['store']>['auditor']>
    const snapshot = await auditor.snapshot()
    const counted = snapshot.scopes.filter(({ scope }) => scope.kind === 'session')
    expect(counted).toHaveLength(2)
    await auditor.correct(counted.map(({ scope, windows }) => ({ scope, window: 'total/usd', startsAt: windows.find(({ window }) => window === 'total/usd')?.spent[0]?.startsAt ?? 0, spent: -30_000_000, held: 0, entries: 0 })))
    expect(await session.summary()).toMatchObject({ totalCost: 0.1 })
    expect((await bursar.tracker.audit()).status).toBe('different')
    expect((await bursar.tracker.audit({ repair: 'counters' })).status).toBe('repaired')
    expect([(await session.summary()).totalCost, (await child.summary()).totalCost]).toEqual([0.4, 0.4])
  })
})
