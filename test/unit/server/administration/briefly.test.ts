// Answers that cost much: found out once for all who ask at a time, and believed as long as they are worth it.

import { describe, expect, it } from 'vitest'
import type { UserRef } from '../../../../src/budget/index.js'
import { Briefly } from '../../../../src/server/administration/briefly.js'
import { CallCounts } from '../../../../src/server/administration/call-counts.js'
import type { Engine } from '../../../../src/server/service.js'

describe('an answer', () => {
  it('is found out once for all who ask meanwhile', async () => {
    const answers = new Briefly<number>(() => 0)
    let asked = 0
    const find = async (): Promise<number> => (asked += 1)
    expect(await Promise.all([answers.get('a', find), answers.get('a', find), answers.get('b', find)])).toEqual([1, 1, 2])
    expect(await answers.get('a', find)).toBe(3)
  })

  it('is believed for five times as long as it took, where that was long', async () => {
    let now = 0
    let asked = 0
    const answers = new Briefly<number>(() => now)
    const taking = (ms: number) => async () => {
      now += ms
      return (asked += 1)
    }
    expect(await answers.get('a', taking(19))).toBe(1)
    expect(await answers.get('a', taking(20))).toBe(2)
    now += 99
    expect(await answers.get('a', taking(20))).toBe(2)
    now += 1
    expect(await answers.get('a', taking(20))).toBe(3)
    answers.forget()
    expect(await answers.get('a', taking(0))).toBe(4)
  })

  it('that fails is asked for again', async () => {
    const answers = new Briefly<number>()
    await expect(answers.get('a', () => Promise.reject(new Error('away')))).rejects.toThrow('away')
    expect(await answers.get('a', async () => 1)).toBe(1)
  })

  it('of many keys is kept for the last ones', async () => {
    let now = 0
    const answers = new Briefly<number>(() => now)
    const find = async (): Promise<number> => (now += 100_000)
    const first = await answers.get('0', find)
    for (let key = 1; key <= 1_000; key += 1) await answers.get(String(key), async () => (now += 20))
    expect(await answers.get('0', find)).not.toBe(first)
  })
})

describe('counts of calls', () => {
  const world = (tookMs: number) => {
    const state = { now: 0, asked: 0 }
    const tracker = {
      getUserCalls: async (_user: UserRef, _options: object) => {
        state.now += tookMs
        return (state.asked += 1)
      },
    } as unknown as Engine['tracker']
    return { state, counts: new CallCounts(tracker, () => state.now) }
  }
  const ada = { userId: 'ada', tenant: 'acme' }
  const from = new Date(5)

  it('stand until something is charged to the user, or the period ends, and a minute at most', async () => {
    const { state, counts } = world(1)
    expect(await counts.of(ada, 'daily', from, 3)).toBe(1)
    expect(await counts.of(ada, 'daily', from, 3)).toBe(1)
    expect(await counts.of({ userId: 'ada' }, 'daily', from, 3)).toBe(2)
    expect(await counts.of(ada, 'weekly', from, 3)).toBe(3)
    expect(await counts.of(ada, 'daily', from, 4)).toBe(4)
    expect(await counts.of(ada, 'daily', new Date(6), 4)).toBe(5)
    state.now += 60_000
    expect(await counts.of(ada, 'daily', new Date(6), 4)).toBe(6)
  })

  it('that took long stand for a while whatever is charged', async () => {
    const { state, counts } = world(100)
    expect(await counts.of(ada, 'daily', from, 3)).toBe(1)
    state.now += 499
    expect(await counts.of(ada, 'daily', from, 4)).toBe(1)
    state.now += 1
    expect(await counts.of(ada, 'daily', from, 4)).toBe(2)
  })

  it('that fail are asked for again', async () => {
    let fails = true
    const tracker = { getUserCalls: async () => (fails ? Promise.reject(new Error('away')) : 7) } as unknown as Engine['tracker']
    const counts = new CallCounts(tracker, () => 0)
    await expect(counts.of(ada, 'daily', from, 3)).rejects.toThrow('away')
    fails = false
    expect(await counts.of(ada, 'daily', from, 3)).toBe(7)
  })
})
