// Answers that may be a moment old: how long each is kept, and who waits for what.

import { describe, expect, it } from 'vitest'
import { Recent, type RecentOptions } from '../../../../src/server/seeing/recent.js'

function stopwatch(): { now: number; read: () => number } {
  const watch = { now: 0, read: () => watch.now }
  return watch
}

function setUp(options: Partial<RecentOptions> = {}): { recent: Recent<number>; watch: { now: number }; find: () => Promise<number>; asked: () => number } {
  const watch = stopwatch()
  let asked = 0
  const find = async (): Promise<number> => (asked += 1)
  const pause = async (ms: number): Promise<void> => void (watch.now += ms)
  return { recent: new Recent<number>({ leastMs: 1_000, times: 5, stopwatch: watch.read, pause, ...options }), watch, find, asked: () => asked }
}

describe('a recent answer', () => {
  it('is found once for all who ask at the same time', async () => {
    const { recent, find, asked } = setUp()
    expect(await Promise.all([recent.get('a', find), recent.get('a', find), recent.get('b', find)])).toEqual([1, 1, 2])
    expect(asked()).toBe(2)
  })

  it('is kept for the least time, and not a moment longer', async () => {
    const { recent, watch, find } = setUp()
    await recent.get('a', find)
    watch.now = 999
    expect(await recent.get('a', find)).toBe(1)
    watch.now = 1_000
    expect(await recent.get('a', find)).toBe(2)
  })

  it('is kept for a multiple of the time that it took', async () => {
    const { recent, watch, find } = setUp()
    await recent.get('a', async () => {
      watch.now = 3_000
      return find()
    })
    watch.now = 17_999
    expect(await recent.get('a', find)).toBe(1)
    watch.now = 18_000
    expect(await recent.get('a', find)).toBe(2)
  })

  it('is not given in another era', async () => {
    const { recent, find } = setUp()
    expect([await recent.get('a', find, 1), await recent.get('a', find, 2), await recent.get('a', find, 2)]).toEqual([1, 2, 2])
  })

  it('is found no more often, however often something changes, and whoever waits is told of the latest', async () => {
    const { recent, watch, find, asked } = setUp()
    let now = 0
    let changes = 0
    const found: [number, number][] = []
    for (let turn = 0; turn < 30; turn += 1) {
      changes += 1
      now = watch.now
      await recent.get('a', async () => (found.push([watch.now, changes]), find()), changes)
    }
    expect(now).toBe(28_000)
    expect(found.map(([at]) => at)).toEqual(Array.from({ length: 30 }, (_, index) => index * 1_000))
    await Promise.all([31, 32, 33].map((era) => recent.get('a', find, era)))
    expect(asked()).toBe(31)
  })

  it('is looked for at once after one that failed, whatever has changed', async () => {
    const { recent, watch, find } = setUp()
    const failed = recent.get('a', () => Promise.reject(new Error('away')), 1)
    const after = recent.get('a', find, 2)
    await expect(failed).rejects.toThrow('away')
    expect([await after, watch.now]).toEqual([1, 0])
  })

  it('is not kept where finding it fails', async () => {
    const { recent, find } = setUp()
    await expect(recent.get('a', () => Promise.reject(new Error('away')))).rejects.toThrow('away')
    expect(await recent.get('a', find)).toBe(1)
  })

  it('may be given while a newer one is looked for', async () => {
    const { recent, watch, find } = setUp({ mayBeStale: true })
    await recent.get('a', find)
    watch.now = 1_000
    expect(await recent.get('a', find)).toBe(1)
    expect(await recent.get('a', find)).toBe(2)
  })

  it('stays where a newer one cannot be found', async () => {
    const { recent, watch, find } = setUp({ mayBeStale: true })
    await recent.get('a', find)
    watch.now = 1_000
    const away = Promise.reject(new Error('away'))
    expect(await recent.get('a', () => away)).toBe(1)
    await away.catch(() => {})
    expect(await recent.get('a', find)).toBe(1)
    watch.now = 2_000
    await recent.get('a', find)
    expect(await recent.get('a', find)).toBe(2)
  })

  it('is at hand only once it is known', async () => {
    const { recent, find } = setUp()
    expect(recent.atHand('a', find)).toBeUndefined()
    await recent.get('a', find)
    expect(recent.atHand('a', find)).toBe(1)
    expect(recent.atHand('b', () => Promise.reject(new Error('away')))).toBeUndefined()
  })

  it('gives way to newer ones when there are many', async () => {
    const { recent, find } = setUp()
    for (let index = 0; index <= 256; index += 1) await recent.get(`key ${index}`, find)
    expect(await recent.get('key 1', find)).toBe(2)
    expect(await recent.get('key 0', find)).toBe(258)
  })
})
