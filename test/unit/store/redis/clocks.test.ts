// A process whose clock is wrong counts in the windows of the store's clock: the first reply corrects it, and nothing need be asked twice
// after that; what comes too late by the store's clock does nothing.

import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import type { RedisStore } from '../../../../src/store/redis/index.js'
import { DAY, HOUR, teamOf, userOf, windowOf } from '../../../../src/testing/contract/kit.js'
import { manualClock } from '../../../../src/testing/index.js'
import { Ground, reserveOf, through } from './setting.js'

let ground: Ground
beforeAll(async () => void (ground = await Ground.open()))
afterAll(() => ground.close())
afterEach(() => void vi.restoreAllMocks())

const scopes = [userOf('ann', windowOf(1_000_000), windowOf(1_000_000, { period: 'weekly' }), windowOf(1_000_000, { period: 'monthly' }))]

/** A store that counts the scripts it sends, by the length of the request rather than by name: hello begins it. */
function counted(prefix: string, clock: () => number): { store: RedisStore; sent: () => number } {
  let sent = 0
  const client = through(ground.client, async (command, args, send) => {
    if (command === 'EVALSHA' || command === 'EVAL') sent += 1
    return send(command, args)
  })
  return { store: ground.store(prefix, { client, clock }), sent: () => sent }
}

async function serverNow(): Promise<number> {
  const [seconds, micros] = (await ground.client.time()) as unknown as [string, string]
  return Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000)
}

/** Runs the steady clock of this process ahead, or back: a process that is long up, or a machine that slept. */
function shiftSteadyClock(byMs: number): void {
  const real = performance.now.bind(performance)
  vi.spyOn(performance, 'now').mockImplementation(() => real() + byMs)
}

describe.each([-40 * DAY, -26 * HOUR, -2 * HOUR, 2 * HOUR, 26 * HOUR, 400 * DAY])('a clock that is %i ms off', (offMs) => {
  it('counts in the windows of the store, and asks nothing twice once it has heard of it', async () => {
    const prefix = ground.prefix()
    const right = ground.store(prefix)
    await right.reserve(reserveOf('right', scopes, { microcents: 7 }))
    const truth = (await right.read(scopes)).readings
    const { store, sent } = counted(prefix, () => Date.now() + offMs)
    await store.read(scopes)
    const joined = sent()
    for (let index = 0; index < 10; index += 1) await store.reserve(reserveOf(`wrong ${index}`, [teamOf(`new ${index}`, windowOf(100)), ...scopes], { waitMs: 30_000 }))
    expect(sent()).toBe(joined + 10)
    const { now, readings } = await store.read(scopes)
    expect(Math.abs(now - (await serverNow()))).toBeLessThan(30_000)
    expect([readings[0], readings[1], readings[3]]).toEqual([truth[0], truth[1], 17])
  })

  it('does not keep a first request from being in time', async () => {
    const { store } = counted(ground.prefix(), () => Date.now() + offMs)
    expect(await store.reserve(reserveOf('a', scopes, { waitMs: 30_000 }))).toMatchObject({ outcome: 'admitted' })
  })
})

describe('a machine that slept', () => {
  it.each([-HOUR, -3 * DAY, -40 * DAY])('for %i ms corrects its clock with one more trip', async (sleptMs) => {
    const { store, sent } = counted(ground.prefix(), Date.now)
    await store.read(scopes)
    const joined = sent()
    shiftSteadyClock(sleptMs)
    expect((await store.reserve(reserveOf('a', [userOf('bob', windowOf(10))]))).outcome).toBe('admitted')
    expect(sent() - joined).toBeLessThanOrEqual(2)
    expect((await store.reserve(reserveOf('b', [userOf('cem', windowOf(10))]))).outcome).toBe('admitted')
    expect((await store.reserve(reserveOf('c', [userOf('dan', windowOf(10))], { waitMs: 30_000 }))).outcome).toBe('admitted')
    expect(sent() - joined).toBeLessThanOrEqual(4)
  })
})

describe('a request that is too late by the clock of its process', () => {
  it('did nothing the first time, and is asked again with the right clock', async () => {
    const prefix = ground.prefix()
    const late: boolean[] = []
    const client = through(ground.client, async (command, args, send) => {
      const reply = await send(command, args)
      const main = Array.isArray(reply) ? (reply[0] as unknown) : reply
      if (Buffer.isBuffer(main) && main[0] === 0x4c) late.push((await ground.fields(prefix, 'h')).length === 0)
      return reply
    })
    // A machine that slept for an hour: its own clock did not count it.
    const storeClock = manualClock()
    const store = ground.store(prefix, { client, storeClock, clock: () => 0 })
    await store.read(scopes)
    storeClock.advance(HOUR)
    const reply = await store.reserve(reserveOf('a', scopes, { waitMs: 30_000 }))
    expect(late).toEqual([true])
    expect(reply).toMatchObject({ outcome: 'admitted' })
    expect(await ground.fields(prefix, 'h')).toEqual(['ha'])
  })

  it('is refused for good where it is late by any clock, and opened nothing', async () => {
    const prefix = ground.prefix()
    const store = ground.store(prefix)
    await store.read(scopes)
    await expect(store.reserve(reserveOf('a', scopes, { waitMs: -60_000 }))).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    expect(await ground.fields(prefix, 'h')).toEqual([])
  })
})
