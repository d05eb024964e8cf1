// Sessions in processes whose clocks differ from the store's, and objects that have outlived theirs. A session lives by store time alone.

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Bursar, memoryStore } from '../../../src/index.js'
import { manualClock, type ManualClock } from '../../../src/testing/index.js'
import { SESSION_STORES, sharedData, type SharedData } from '../../support/session-stores.js'
import { allOf, allowedOf, START } from '../setting.js'

const HOUR = 3_600_000
const ENDED = { code: 'UNKNOWN_SESSION', endedAt: new Date(START + HOUR) }

describe.each(SESSION_STORES)('a session by store time (%s)', (name) => {
  let data: SharedData
  beforeEach(async () => void (data = await sharedData(name)))
  afterEach(() => data.close())

  const ahead = (): ManualClock => {
    const clock = manualClock()
    clock.set(data.clock() + 2 * HOUR)
    return clock
  }

  it('runs in a process whose clock says that it has ended', async () => {
    const session = await data.process().session({ userId: 'ann', id: 's', maxCost: 1, ttl: '1h' })
    const early = data.process({ clock: ahead() })
    for (let time = 0; time < 2; time += 1) await allowedOf(await early.check({ userId: 'ann', sessionId: 's', estimatedCost: 0.1 })).settle({ cost: 0.1 })
    await early.tracker.addCost({ userId: 'ann', sessionId: 's', cost: 0.1 })
    const resumed = await early.session({ userId: 'ann', id: 's' })
    expect(resumed.totalCost).toBe(0.3)
    await resumed.raiseCostCap(2)
    expect((await resumed.session({ maxCost: 0.5 })).endsAt).toEqual(session.endsAt)
    expect(await session.summary()).toMatchObject({ totalCost: 0.3, maxCost: 2 })
    data.clock.advance('1h')
    for (const each of [() => early.check({ userId: 'ann', sessionId: 's', estimatedCost: 0 }), () => resumed.summary(), () => resumed.session()]) await expect(each()).rejects.toMatchObject(ENDED)
  })

  it('is opened in such a process', async () => {
    const early = data.process({ clock: ahead() })
    const session = await early.session({ userId: 'ann', id: 's', maxCost: 1, ttl: '1h' })
    expect(session.endsAt).toEqual(new Date(START + HOUR))
    allowedOf(await session.check({ estimatedCost: 0.1 }))
  })

  it('is not nested in one that has ended: nothing is written', async () => {
    const late = manualClock()
    late.set(START - HOUR)
    const process = data.process({ clock: late })
    const session = await process.session({ userId: 'ann', id: 's', maxCost: 1, ttl: '1h' })
    data.clock.advance('1h')
    await expect(session.session({ id: 'child', maxCost: 1 })).rejects.toMatchObject(ENDED)
    await expect(process.runAs(session.identity, () => process.session({ id: 'child', maxCost: 1 }))).rejects.toMatchObject(ENDED)
    await expect(session.summary()).rejects.toMatchObject(ENDED)
    expect((await allOf(data.store().registry.list('session'))).map(({ key }) => key)).toEqual(['session//ann/s'])
    const own = await data.process().session({ userId: 'ann', id: 'child', maxCost: 1 })
    expect(own.parentId).toBeUndefined()
    expect((await data.process().tracker.audit()).status).toBe('clean')
  })

  it('is the only one that its object is of, also when its id is another one’s', async () => {
    const process = data.process()
    const session = await process.session({ userId: 'ann', id: 's', maxCost: 1, ttl: '1h' })
    await session.guard({ estimatedCost: 0.4 }, async () => ({ result: 0, cost: 0.4 }))
    data.clock.advance('26h')
    const again = await process.session({ userId: 'ann', id: 's', maxCost: 2, ttl: '1h' })
    const calls = [() => session.check({ estimatedCost: 0.5 }), () => session.guard({ estimatedCost: 0.5 }, async () => ({ result: 0, cost: 0.5 })), () => session.summary(), () => session.raiseCostCap(3), () => session.session()]
    for (const call of calls) await expect(call()).rejects.toMatchObject(ENDED)
    expect(session).toMatchObject({ totalCost: 0, remainingBudget: 0.6, endsAt: new Date(START + HOUR) })
    expect(await again.summary()).toMatchObject({ totalCost: 0, held: 0, maxCost: 2 })
  })
})

describe('a session that ends meanwhile', () => {
  it('between the look at it and the opening within it, and leaves nothing', async () => {
    const clock = manualClock()
    const store = memoryStore({ clock })
    const bursar = new Bursar({ tiers: { free: { daily: 10 } }, defaultTier: 'free', clock, store })
    const session = await bursar.session({ userId: 'ann', id: 's', maxCost: 1, ttl: '1h' })
    clock.advance(HOUR - 1)
    const opening = session.session({ id: 'child' })
    clock.advance(1)
    await expect(opening).rejects.toMatchObject(ENDED)
    expect((await bursar.session({ userId: 'ann', id: 'child', maxCost: 1 })).id).toBe('child')
  })
})
