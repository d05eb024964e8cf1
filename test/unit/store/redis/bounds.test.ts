// What is stored is bounded: a scope takes the same room however often it is used, and what has ended is forgotten in time.

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ScopeTerms } from '../../../../src/index.js'
import { Bench, DAY, HOUR, MINUTE, SECOND, teamOf, userOf, windowOf } from '../../../../src/testing/contract/kit.js'
import { Ground, keyOf, TestSink } from './setting.js'

let ground: Ground
beforeAll(async () => void (ground = await Ground.open()))
afterAll(() => ground.close())

async function open(options: Parameters<Ground['store']>[1] = {}): Promise<{ bench: Bench; prefix: string }> {
  const prefix = ground.prefix()
  return { bench: await Bench.at((clock) => ground.store(prefix, { storeClock: clock, ...options })), prefix }
}

const plenty = 1e12
const KINDS: Readonly<Record<string, readonly ScopeTerms[]>> = {
  'calendar windows': [userOf('ann', windowOf(plenty, { alerts: [50] }), windowOf(plenty, { period: 'weekly' }), windowOf(plenty, { unit: 'tokens', period: 'monthly' }))],
  'rolling windows and requests': [userOf('ann', windowOf(plenty, { rollingMs: HOUR }), windowOf(plenty, { rollingMs: MINUTE, unit: 'requests' }), windowOf(plenty, { unit: 'requests' }))],
}

describe('a scope', () => {
  it.each(Object.entries(KINDS))('of %s takes the same bytes after one operation and after hundreds, over days', async (_name, scopes) => {
    const { bench, prefix } = await open()
    const size = () => ground.client.hstrlen(keyOf(prefix, 'state'), 'suser//ann')
    await bench.spend(scopes, 'first', 5, 3)
    const bytes = await size()
    expect(bytes).toBeGreaterThan(0)
    for (let index = 0; index < 200; index += 1) {
      await bench.spend(scopes, `id ${index}`, 1_000 + index, index)
      await bench.hold(scopes, { id: `gone ${index}`, microcents: 7, ttlMs: SECOND })
      bench.clock.advance(HOUR)
      expect(await size()).toBe(bytes)
    }
  })

  it('is forgotten once its windows have ended, as new ones come', async () => {
    const { bench, prefix } = await open()
    const use = async (name: string, ...windows: Parameters<typeof windowOf>[]): Promise<void> => {
      const scopes = [userOf(name, ...windows.map((options) => windowOf(...options)))]
      await bench.spend(scopes, name, 1)
    }
    for (let index = 0; index < 100; index += 1) await use(`day ${index}`, [plenty])
    for (let index = 0; index < 100; index += 1) await use(`hour ${index}`, [plenty, { rollingMs: HOUR }])
    for (let index = 0; index < 5; index += 1) await use(`ever ${index}`, [plenty, { period: 'total' }], [plenty])
    await bench.hold([userOf('open', windowOf(plenty))], { id: 'open', microcents: 1, ttlMs: 30 * DAY })
    expect(await ground.fields(prefix, 's')).toHaveLength(206)
    // All of them still run: new ones take the place of none.
    for (let index = 0; index < 30; index += 1) await use(`also ${index}`, [plenty])
    expect(await ground.fields(prefix, 's')).toHaveLength(236)
    bench.clock.advance(3 * DAY)
    for (let index = 0; index < 400; index += 1) await use(`next ${index}`, [plenty])
    const kept = await ground.fields(prefix, 's')
    expect(kept.filter((name) => name.startsWith('suser//ever') || name === 'suser//open')).toHaveLength(6)
    expect(kept.filter((name) => name.startsWith('suser//next'))).toHaveLength(400)
    expect(kept.filter((name) => /^suser\/\/(day|hour|also)/.test(name))).toEqual([])
    // The first of them again: it begins at nothing, under a name that nobody else has.
    expect(await bench.counted(userOf('day 0', windowOf(plenty)), userOf('ever 0', windowOf(plenty, { period: 'total' })))).toEqual([[0, 0], [1, 0]])
  })

  it('of records is forgotten just so', async () => {
    const { bench, prefix } = await open()
    for (let index = 0; index < 200; index += 1) {
      await bench.record([teamOf(`team ${index}`, windowOf(plenty))], { id: `id ${index}`, microcents: 1 })
      if (index % 10 === 9) bench.clock.advance(DAY)
    }
    expect((await ground.fields(prefix, 's')).length).toBeLessThan(100)
  })
})

describe('ids', () => {
  const scopes = KINDS['calendar windows'] as readonly ScopeTerms[]

  it('that were generated are deleted after a minute, the others after a day', async () => {
    const { bench, prefix } = await open()
    const spend = async (id: string, idGiven: boolean): Promise<void> => {
      await bench.hold(scopes, { id, microcents: 1, idGiven })
      await bench.settle({ id, microcents: 1 })
    }
    for (let index = 0; index < 150; index += 1) {
      await spend(`generated ${index}`, false)
      await spend(`given ${index}`, true)
      await bench.release({ id: `tombstone ${index}`, tombstone: true })
    }
    await bench.refund({ id: 'refund', microcents: 5 })
    await bench.hold(scopes, { id: 'expired', microcents: 1, idGiven: false, ttlMs: SECOND })
    bench.clock.advance(2 * SECOND)
    expect(await ground.fields(prefix, 'h')).toHaveLength(451)
    bench.clock.advance(61 * SECOND)
    for (let index = 0; index < 5; index += 1) await spend(`later ${index}`, true)
    expect(await ground.fields(prefix, 'hgenerated')).toEqual([])
    expect(await ground.fields(prefix, 'h')).toHaveLength(306)
    expect(await ground.client.llen(keyOf(prefix, 'short'))).toBe(0)
    bench.clock.advance(DAY)
    for (let index = 0; index < 10; index += 1) {
      await spend(`last ${index}`, true)
      bench.clock.advance(SECOND)
    }
    expect(await ground.fields(prefix, 'h')).toHaveLength(10)
    expect(await ground.fields(prefix, 'r')).toEqual([])
    expect(await ground.client.llen(keyOf(prefix, 'long'))).toBe(10)
  })

  it('are forgotten to the millisecond, whether or not they have been deleted', async () => {
    const { bench } = await open()
    await bench.hold(scopes, { id: 'generated', microcents: 1, idGiven: false })
    await bench.hold(scopes, { id: 'given', microcents: 1 })
    for (const id of ['generated', 'given']) await bench.settle({ id, microcents: 1 })
    bench.clock.advance(59_999)
    expect(await bench.settle({ id: 'generated', microcents: 1 })).toMatchObject({ replayed: true })
    bench.clock.advance(1)
    expect(await bench.settle({ id: 'generated', microcents: 1 })).toEqual({ outcome: 'unknown-hold' })
    bench.clock.advance(DAY - 60_001)
    expect(await bench.settle({ id: 'given', microcents: 1 })).toMatchObject({ replayed: true })
    bench.clock.advance(1)
    expect(await bench.settle({ id: 'given', microcents: 1 })).toEqual({ outcome: 'unknown-hold' })
  })

  it('that were used again are not deleted in the place of the first', async () => {
    const { bench, prefix } = await open()
    for (let time = 0; time < 3; time += 1) {
      await bench.hold(scopes, { id: 'same', microcents: 1, idGiven: false })
      if (time < 2) await bench.settle({ id: 'same', microcents: 1 })
      bench.clock.advance(61 * SECOND)
    }
    await bench.spend(scopes, 'other', 1)
    expect(await ground.fields(prefix, 'hsame')).toEqual(['hsame'])
    expect(await bench.settle({ id: 'same', microcents: 1 })).toMatchObject({ outcome: 'settled', replayed: false })
  })

  it('leave no more behind than their retention asks for, under a steady load', async () => {
    const { bench, prefix } = await open({ outboxCapacity: 100 })
    for (let index = 0; index < 2_000; index += 1) {
      const id = `id ${index}`
      await bench.hold(scopes, { id, microcents: 1, idGiven: false, ttlMs: 5 * SECOND })
      await bench.settle({ id, microcents: 1 })
      bench.clock.advance(200)
    }
    // 60 s of ids at five in a second, and 5 s of dues.
    expect((await ground.fields(prefix, 'h')).length).toBeLessThan(410)
    expect(await ground.client.llen(keyOf(prefix, 'short'))).toBeLessThan(410)
    expect(await ground.client.llen(keyOf(prefix, 'due'))).toBeLessThan(40)
    expect(await ground.client.xlen(keyOf(prefix, 'outbox'))).toBeLessThan(300)
  })
})

describe('the list of what is due', () => {
  const scopes = KINDS['calendar windows'] as readonly ScopeTerms[]

  it('is emptied as time passes, also of holds that were settled, released and extended', async () => {
    const { bench, prefix } = await open()
    for (let index = 0; index < 300; index += 1) {
      const id = `id ${index}`
      await bench.hold(scopes, { id, microcents: 1, ttlMs: MINUTE + ((index * 37) % 50) })
      if (index % 3 === 0) await bench.settle({ id, microcents: 1 })
      if (index % 3 === 1) await bench.release({ id })
      if (index % 3 === 2) await bench.extend({ id, ttlMs: 2 * MINUTE })
    }
    const sizes = async () => [await ground.client.llen(keyOf(prefix, 'due')), await ground.client.zcard(keyOf(prefix, 'moved'))]
    expect((await sizes()).reduce((sum, size) => sum + size, 0)).toBeGreaterThanOrEqual(300)
    bench.clock.advance(3 * MINUTE)
    await bench.standings(...scopes)
    expect(await sizes()).toEqual([0, 0])
    expect(await bench.counted(...scopes)).toEqual([[200, 0], [200, 0], [0, 0]])
  })

  it('ends more holds than one call does, each once and in order', async () => {
    const { bench } = await open()
    const ids = Array.from({ length: 2_500 }, (_, index) => `id ${String(index).padStart(4, '0')}`)
    for (const id of ids) await bench.hold(scopes, { id, microcents: 2, ttlMs: SECOND })
    bench.clock.advance(MINUTE)
    expect(await bench.counted(...scopes)).toEqual([[5_000, 0], [5_000, 0], [0, 0]])
    expect(await bench.ledger()).toEqual(ids.map((id) => `expired ${id} 2 0`))
  })
})

describe('the outbox', () => {
  it('takes no room once its sink has everything', async () => {
    const { bench, prefix } = await open({ sink: new TestSink() })
    for (let index = 0; index < 50; index += 1) await bench.record(KINDS['calendar windows'] as readonly ScopeTerms[], { id: `id ${index}`, microcents: 1 })
    await bench.store.close()
    expect(await ground.client.xlen(keyOf(prefix, 'outbox'))).toBe(0)
  })
})
