// What is let through while the store is away: it is ended by its id, in the process that has made it, and counted once.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { memoryStore, type AllowedDecision, type BursarConfig } from '../../../../src/index.js'
import { UnheldDecisions } from '../../../../src/server/decisions/unheld-decisions.js'
import { manualClock } from '../../../../src/testing/index.js'
import { caller, OPERATOR, PLAIN_OPTIONS, testApp, type TestApp } from '../../../support/server/app.js'
import { fakeTimers, FickleStore } from '../../outage/fickle-store.js'

const ASK = caller(['check'], 'acme')
const ADA = caller(['check'], 'acme', 'ada')
const USER = { userId: 'ada', tenant: 'acme' }
const clock = manualClock()
let app: TestApp
let fickle: FickleStore

/** From now on the store is away, and its directory too. */
const leave = (): void => {
  fickle.mood = 'refuses'
}

/** The store answers again, and has heard of everything that has waited for it. */
const back = async (): Promise<void> => {
  fickle.mood = 'well'
  await vi.advanceTimersByTimeAsync(10_000)
}

const reserves = (): number => fickle.asked.filter(({ operation }) => operation === 'reserve').length

const check = (key: string, estimatedCost = 0.2, as = ASK) => app.ask(as, 'POST', '/v1/check', { userId: 'ada', estimatedCost }, { 'idempotency-key': key })
const settle = (key: string, cost: number, as = ASK) => app.ask(as, 'POST', `/v1/holds/${key}/settle`, { cost })
const spent = () => app.engine.tracker.getUserCost(USER)

beforeEach(() => {
  clock.set(new Date('2026-01-15T12:00:00Z'))
  fakeTimers()
  fickle = new FickleStore(memoryStore({ clock }))
  app = testApp({ config: { clock, store: fickle.store, onStoreError: 'allow', scopes: { tenant: { '*': {} } } } as unknown as BursarConfig, options: PLAIN_OPTIONS })
})
afterEach(async () => {
  vi.useRealTimers()
  await app.close()
})

describe('what is let through while the store is away', () => {
  it('is settled by its id when the store is back, once, with what it cost', async () => {
    leave()
    expect((await check('o1')).json).toMatchObject({ id: 'o1', allowed: true, enforcedBy: 'none', replayed: false })
    await back()
    expect(await settle('o1', 0.3)).toMatchObject({ status: 200, json: { id: 'o1', cost: 0.3, replayed: false } })
    expect(await spent()).toBe(0.3)
    expect(await settle('o1', 0.3)).toMatchObject({ status: 200, json: { replayed: true } })
    expect(await settle('o1', 0.4)).toMatchObject({ status: 409, json: { code: 'ALREADY_ENDED' } })
    expect(await spent()).toBe(0.3)
  })

  it('waits for the store where that is still away, and is counted once when it is back', async () => {
    leave()
    await check('o1')
    for (const isRepeat of [false, true]) expect(await settle('o1', 0.3)).toMatchObject({ status: 202, json: { id: 'o1', queued: true, replayed: isRepeat } })
    await back()
    expect(await spent()).toBe(0.3)
    expect(await settle('o1', 0.3)).toMatchObject({ status: 200, json: { replayed: true } })
    expect(await spent()).toBe(0.3)
  })

  it('has the id of the client also for whoever’s tier was not to be found, and that of a user’s key', async () => {
    leave()
    expect((await check('o1')).json).toMatchObject({ id: 'o1', allowed: true })
    expect((await check('o2', 0.1, ADA)).json).toMatchObject({ id: 'o2', allowed: true })
    const { json } = await app.ask(OPERATOR, 'POST', '/v1/check', { userId: 'bob', estimatedCost: 0.1 })
    await back()
    expect([(await settle('o1', 0.3)).status, (await settle('o2', 0.1, ADA)).status, (await settle(json.id, 0.5, OPERATOR as never)).status]).toEqual([200, 200, 200])
    expect([await spent(), await app.engine.tracker.getUserCost('bob')]).toEqual([0.4, 0.5])
    expect((await settle('~ada:o2', 0.1)).json).toMatchObject({ replayed: true })
  })

  it('is another’s to nobody else', async () => {
    leave()
    await check('o1')
    await back()
    expect((await settle('o1', 0.3, caller(['check'], 'evil'))).status).toBe(404)
    expect((await settle('o1', 0.3, ADA)).status).toBe(404)
  })

  it('is released by its id, and costs nothing', async () => {
    leave()
    await check('o1')
    expect((await app.ask(ASK, 'POST', '/v1/holds/o1/release')).status).toBe(204)
    await back()
    expect((await settle('o1', 0.3)).status).toBe(409)
    expect(await spent()).toBe(0)
  })

  it('is what a repeat of its request gets, when the store is back too: one key, one call, one charge', async () => {
    leave()
    await check('o1')
    expect((await check('o1')).json).toMatchObject({ id: 'o1', allowed: true, replayed: true, enforcedBy: 'none' })
    await back()
    const before = reserves()
    expect((await check('o1')).json).toMatchObject({ id: 'o1', replayed: true })
    expect(await check('o1', 0.25)).toMatchObject({ status: 409, json: { code: 'ID_REUSED', detail: expect.stringContaining('"o1"') } })
    expect(reserves()).toBe(before)
    await settle('o1', 0.3)
    expect((await app.engine.tracker.getUserSummary(USER)).periodCosts['daily']).toMatchObject({ held: 0, cost: 0.3 })
    expect((await check('o2')).json).toMatchObject({ id: 'o2', replayed: false, enforcedBy: 'store' })
  })

  it('is one of several requests with one key at the same time', async () => {
    leave()
    const answers = await Promise.all([check('o1'), check('o1'), check('o1')])
    expect(answers.map(({ json }) => json.replayed).sort()).toEqual([false, true, true])
    await back()
    await settle('o1', 0.3)
    expect(await spent()).toBe(0.3)
  })

  it('leaves nothing behind after a dry run', async () => {
    leave()
    expect((await app.ask(ASK, 'POST', '/v1/check', { userId: 'ada', estimatedCost: 0.1, dryRun: true })).json).toMatchObject({ allowed: true, dryRun: true, enforcedBy: 'none' })
    expect(app.service.unheld.isEmpty).toBe(true)
  })
})

describe('the decisions that are kept', () => {
  const decision = (): AllowedDecision => ({ release: () => Promise.resolve() }) as never

  it('are forgotten after a day', () => {
    const kept = new UnheldDecisions(clock)
    const one = kept.keep('a', decision(), 'x')
    clock.advance('23h')
    kept.keep('b', decision(), 'x')
    expect([kept.find('a'), kept.isEmpty]).toEqual([one, false])
    clock.advance('1h')
    expect([kept.find('a'), kept.find('b') === undefined]).toEqual([undefined, false])
    clock.advance('1d')
    expect([kept.find('b'), kept.isEmpty]).toEqual([undefined, true])
  })

  it('are bounded: the oldest are forgotten first', () => {
    const kept = new UnheldDecisions(clock)
    for (let at = 0; at <= 20_000; at += 1) kept.keep(`d${at}`, decision(), 'x')
    expect([kept.find('d0'), kept.find('d1') === undefined, kept.find('d20000') === undefined]).toEqual([undefined, false, false])
  })
})
