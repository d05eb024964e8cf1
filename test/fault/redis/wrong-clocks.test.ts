// Application servers whose clocks are hours wrong, on one store whose own clock is right: WINDOW-TRUTH and SAME-EVERYWHERE across
// changes of daylight-saving time, with holds open over midnight. The oracle is one memory store on the right clock.

import type { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { memoryStore, type ScopeTerms, type Store } from '../../../src/index.js'
import { redisStore } from '../../../src/store/redis/index.js'
import { DAY, HOUR, MINUTE, teamOf, userOf, windowOf } from '../../../src/testing/contract/kit.js'
import { expectAgreement } from '../../support/fault/agreement.js'
import { moneyEntries } from '../../support/fault/evidence.js'
import { monitorCommands, startRedis, type RedisServer } from '../../support/redis/index.js'

let redis: RedisServer
let client: Redis
beforeAll(async () => {
  redis = await startRedis()
  client = redis.client()
})
afterAll(() => redis.stop())

const berlin = { timeZone: 'Europe/Berlin' }
const newYork = { timeZone: 'America/New_York' }
const SCOPES: readonly (readonly ScopeTerms[])[] = [
  [userOf('ann', windowOf(300, berlin), windowOf(900, { ...berlin, period: 'weekly' }), windowOf(2_000, { ...berlin, period: 'monthly' }))],
  [userOf('bob', windowOf(300, newYork), windowOf(400, { rollingMs: DAY })), teamOf('search', windowOf(900, berlin), windowOf(null, { period: 'total' }))],
  [userOf('cem', windowOf(200), windowOf(40, { unit: 'requests' })), teamOf('search', windowOf(900, berlin), windowOf(null, { period: 'total' }))],
]

/** How wrong the clock of a process is, by how often it has been asked. */
const WRONG: Readonly<Record<string, (asked: number) => number>> = {
  right: () => 0,
  'two hours behind': () => -2 * HOUR,
  'two hours ahead': () => 2 * HOUR,
  '26 hours ahead': () => 26 * HOUR,
  '26 hours behind': () => -26 * HOUR,
  'jumping about': (asked) => ((asked * 37) % 53) * HOUR - 26 * HOUR,
  // On a machine that was suspended: what its process remembers of store time is days old.
  'asleep for days': () => 0,
}

interface Case {
  readonly name: string
  readonly from: string
  /** Where the days of Berlin begin. */
  readonly midnights: readonly string[]
}

const CASES: readonly Case[] = [
  { name: 'into summer time', from: '2026-03-27T20:00Z', midnights: ['2026-03-27T23:00Z', '2026-03-28T23:00Z', '2026-03-29T22:00Z', '2026-03-30T22:00Z', '2026-03-31T22:00Z'] },
  { name: 'out of summer time', from: '2026-10-23T20:00Z', midnights: ['2026-10-23T22:00Z', '2026-10-24T22:00Z', '2026-10-25T23:00Z', '2026-10-26T23:00Z', '2026-10-27T23:00Z'] },
]

describe('processes with wrong clocks', () => {
  const runs = CASES.flatMap((one) => [1, 2, 3, 4].map((seed) => ({ ...one, seed })))
  it.each(runs)('open no window twice and keep none after its end ($name, $seed)', async ({ name, seed, from, midnights }) => {
    let now = Date.parse(from)
    const end = Date.parse(midnights.at(-1) as string) + 2 * HOUR
    const storeClock = (): number => now
    const prefix = `clocks-${name.replaceAll(' ', '-')}-${seed}`
    const oracle = memoryStore({ clock: storeClock, ledgerCapacity: 100_000 })
    const numbers = sequence(prefix)
    const processes = new Map<string, Store>()
    const start = (which: string): void => {
      let asked = 0
      const clock = (): number => now + (WRONG[which] as (asked: number) => number)((asked += 1))
      processes.set(which, redisStore({ client, prefix, clock, storeClock, outboxCapacity: 100_000 }))
    }
    for (const which of Object.keys(WRONG)) start(which)

    const open: { readonly id: string; readonly microcents: number }[] = []
    const berlinDays = new Map<number, number>()
    let overMidnight = 0
    let latest = 0
    let lastDay = -1
    let slept = 0
    for (let step = 0; now < end; step += 1, now += numbers.below(30 * MINUTE)) {
      const day = midnights.findLastIndex((midnight) => now >= Date.parse(midnight))
      const wakes = day !== lastDay && now - slept > 2 * DAY
      const which = wakes ? 'asleep for days' : (Object.keys(WRONG)[numbers.below(6)] as string)
      if (wakes) slept = now
      // A process that starts again knows nothing of store time but its own wrong clock. The first after a midnight always does.
      if (!wakes && (day !== lastDay || numbers.below(2) === 0)) start(which)
      lastDay = day
      const process = processes.get(which) as Store
      const label = `step ${step}, ${new Date(now).toISOString()}, ${which}`
      const scopes = SCOPES[numbers.below(3)] as readonly ScopeTerms[]
      const ending = open.length === 0 ? undefined : open[numbers.below(open.length)]
      const deed = numbers.below(10)
      const both = async (ask: (store: Store) => unknown): Promise<{ readonly outcome?: string }> => {
        const [answer, truth] = [plain(await ask(process)), plain(await ask(oracle))]
        expect(answer, label).toEqual(truth)
        return answer as { readonly outcome?: string }
      }
      if (deed < 5 || ending === undefined) {
        const id = `hold-${step}`
        const microcents = 1 + numbers.below(30)
        const ttlMs = numbers.below(2) === 0 ? 10 * MINUTE : 9 * HOUR
        const facts = { user: { userId: (scopes[0] as ScopeTerms).scope.id }, tier: 'free' }
        const { outcome } = await both((store) => store.reserve({ id, fingerprint: id, idGiven: true, ttlMs, onExpiry: 'charge', scopes, rungs: [{ microcents, tokens: 0 }], facts }))
        if (outcome === 'admitted') open.push({ id, microcents })
        latest = now
      } else if (deed < 8) {
        await both((store) => store.settle({ id: ending.id, microcents: step % (ending.microcents + 1), tokens: 0 }))
        open.splice(open.indexOf(ending), 1)
      } else if (deed === 8) {
        await both((store) => store.release({ id: ending.id }))
        open.splice(open.indexOf(ending), 1)
      } else {
        await both((store) => store.extend({ id: ending.id, ttlMs: 3 * HOUR }))
      }
      for (const windows of SCOPES) await both((store) => store.read(windows))
      const [startsAt, endsAt] = (await process.read(SCOPES[0] as readonly ScopeTerms[])).readings as [number, number]
      expect(now >= startsAt && now < endsAt, label).toBe(true)
      expect(berlinDays.get(startsAt) ?? endsAt, label).toBe(endsAt)
      berlinDays.set(startsAt, endsAt)
    }

    expect(latest).toBeGreaterThan(Date.parse(midnights.at(-2) as string))
    const starts = [...berlinDays.keys()].sort((a, b) => a - b)
    expect(starts.slice(1).map(isoMinute)).toEqual(midnights)
    for (const [index, startsAt] of starts.slice(1).entries()) expect(berlinDays.get(starts[index] as number), isoMinute(startsAt)).toBe(startsAt)

    const [counted, truth] = [await moneyEntries(processes.get('jumping about') as Store), await moneyEntries(oracle)]
    expect(counted.map(plain)).toEqual(truth.map(plain))
    await expectAgreement(processes.get('jumping about') as Store)
    await expectAgreement(oracle)
    for (const { openedAt, at } of counted) if (midnights.some((midnight) => (openedAt as number) < Date.parse(midnight) && at >= Date.parse(midnight))) overMidnight += 1
    expect(overMidnight, 'holds that were open over a midnight').toBeGreaterThan(5)
    // Each day by itself: what the ledger charged to it is within its limit.
    for (const startsAt of starts) {
      const charged = counted.filter((entry) => entry.userId === 'ann' && entry.charged.some((window) => window.window === 'daily/usd' && window.startsAt === startsAt))
      expect(charged.reduce((total, { microcents }) => total + microcents, 0), isoMinute(startsAt)).toBeLessThanOrEqual(300)
    }
  })
})

describe('a process that has been up for days', () => {
  it('knows the day that it is', async () => {
    const { performance } = globalThis
    const sinceNow = performance.now.bind(performance)
    const steady = vi.spyOn(performance, 'now').mockImplementation(() => sinceNow() + 5 * DAY)
    try {
      const store = redisStore({ client, prefix: 'up-for-days' })
      const scopes = SCOPES[0] as readonly ScopeTerms[]
      const facts = { user: { userId: 'ann' }, tier: 'free' }
      const rungs = [{ microcents: 1, tokens: 0 }]
      const reserve = (id: string) => store.reserve({ id, fingerprint: id, idGiven: true, ttlMs: HOUR, onExpiry: 'charge', scopes, rungs, facts })
      expect(await reserve('first')).toMatchObject({ outcome: 'admitted' })
      const { counts } = await monitorCommands(redis.url, async () => expect(await reserve('second')).toMatchObject({ outcome: 'admitted' }))
      expect(counts).toEqual({ evalsha: 1 })
      const { now, readings } = await store.read(scopes)
      expect(now >= (readings[0] as number) && now < (readings[1] as number)).toBe(true)
    } finally {
      steady.mockRestore()
    }
  })
})

/** Comparable data: no ids of entries, no effects (who is told first is not what is compared here), maps as lists. */
function plain(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (key, inner: unknown) => (key === 'effects' ? undefined : inner instanceof Map ? [...inner] : inner)) ?? 'null',
  )
}

function isoMinute(instant: number): string {
  return `${new Date(instant).toISOString().slice(0, 16)}Z`
}

/** The same numbers in every run. */
function sequence(seed: string): { below(count: number): number } {
  let state = [...seed].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) >>> 0, 7)
  return {
    below(count) {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
      return Math.floor((state / 2 ** 32) * count)
    },
  }
}
