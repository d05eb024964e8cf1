// A data set that is lost with its records of sessions: what a process remembers of them must not outlive it, whoever repaired it.

import type { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { Bursar } from '../../../src/index.js'
import { redisStore } from '../../../src/store/redis/index.js'
import { sqliteLedger } from '../../../src/store/sqlite/index.js'
import { manualClock } from '../../../src/testing/index.js'
import { sharedRedis, type SharedRedis } from '../../support/redis/index.js'
import { temporaryFiles } from '../../support/sqlite/temporary-files.js'
import { allowedOf } from '../setting.js'

const files = temporaryFiles()
let redis: SharedRedis
let client: Redis

beforeAll(async () => {
  redis = await sharedRedis()
  client = redis.client()
})
afterEach(() => files.removeAll())
afterAll(() => client.quit())

/** Two processes on one data set, in a session of $1 of which $0.70 is spent. */
async function spentSession() {
  const clock = manualClock()
  const prefix = redis.prefix()
  const sink = files.closedLater(sqliteLedger({ path: files.path() }))
  const process = (): Bursar => new Bursar({ tiers: { free: { daily: 10 } }, defaultTier: 'free', clock, store: redisStore({ client, prefix, storeClock: clock, sink }), storeTimeout: '30s' })
  const [here, there] = [process(), process()]
  const session = await here.session({ userId: 'ann', id: 's', maxCost: 1 })
  const child = await session.session({ id: 'c', maxCost: 1 })
  await there.session({ userId: 'ann', id: 's' })
  await child.guard({ estimatedCost: 0.7 }, async () => ({ result: 0, cost: 0.7 }))
  await session.summary()
  expect((await here.tracker.audit()).status).toBe('clean')
  const lose = async (): Promise<void> => void (await client.del(...(await client.keys(`*${prefix}*`))))
  return { clock, here, there, session, child, lose }
}

const UNKNOWN = { code: 'UNKNOWN_SESSION' }

describe('a session whose record is lost with the data', () => {
  it('is refused by the process that repairs them', async () => {
    const { here, session, child, lose } = await spentSession()
    await lose()
    expect((await here.tracker.audit({ repair: 'counters' })).status).toBe('repaired')
    for (const each of [session, child]) await expect(each.check({ estimatedCost: 0.9 })).rejects.toMatchObject(UNKNOWN)
    await expect(here.check({ userId: 'ann', sessionId: 's', estimatedCost: 0.9 })).rejects.toMatchObject(UNKNOWN)
    await expect(here.session({ userId: 'ann', id: 's' })).rejects.toMatchObject(UNKNOWN)
    expect(await here.tracker.getUserSummary('ann')).toMatchObject({ held: 0, periodCosts: { daily: { cost: 0.7 } } })
  })

  it('is refused by a process that noticed the loss', async () => {
    const { here, there, session, lose } = await spentSession()
    await lose()
    expect((await session.check({ estimatedCost: 0.1 })).allowed).toBe(false)
    await there.tracker.audit({ repair: 'counters' })
    await expect(here.check({ userId: 'ann', sessionId: 's', estimatedCost: 0.9 })).rejects.toMatchObject(UNKNOWN)
  })

  it('is refused by an object that has seen more spent than is counted now: nothing stays held', async () => {
    const { here, there, session, lose } = await spentSession()
    await lose()
    await there.tracker.audit({ repair: 'counters' })
    await expect(session.check({ estimatedCost: 0.9 })).rejects.toMatchObject(UNKNOWN)
    await expect(here.check({ userId: 'ann', sessionId: 's', estimatedCost: 0.9 })).rejects.toMatchObject(UNKNOWN)
    expect((await here.tracker.getUserSummary('ann')).held).toBe(0)
  })

  it('is refused half a minute later by a process that noticed nothing', async () => {
    const { clock, here, there, lose } = await spentSession()
    await lose()
    await there.tracker.audit({ repair: 'counters' })
    clock.advance('30s')
    await expect(here.check({ userId: 'ann', sessionId: 's', estimatedCost: 0.9 })).rejects.toMatchObject(UNKNOWN)
  })

  it('goes on where less is counted because money was given back', async () => {
    const { here, session } = await spentSession()
    await here.tracker.refund({ userId: 'ann', cost: 0.5 })
    allowedOf(await session.check({ estimatedCost: 0.8 }))
    expect(session.remainingBudget).toBe(0)
  })
})
