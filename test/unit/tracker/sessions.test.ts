// What a process remembers of sessions, how often it asks, and whose clock ends them.

import { describe, expect, it } from 'vitest'
import { Bursar, memoryStore, type Registry, type Store } from '../../../src/index.js'
import { Sessions } from '../../../src/tracker/sessions.js'
import { manualClock } from '../../../src/testing/index.js'
import { allowedOf, START, storeWith } from '../setting.js'

const HOUR = 3_600_000

/** A registry that says how often it was asked. */
function counted(registry: Registry): { registry: Registry; reads: () => number } {
  let reads = 0
  return {
    registry: {
      get: (kind, key) => {
        reads += 1
        return registry.get(kind, key)
      },
      put: (kind, key, value, write) => registry.put(kind, key, value, write),
      list: (kind) => registry.list(kind),
    },
    reads: () => reads,
  }
}

function engines(count = 1) {
  const clock = manualClock()
  const storeClock = manualClock()
  const memory = memoryStore({ clock: storeClock })
  const { registry, reads } = counted(memory.registry)
  const store: Store = storeWith(memory, { registry })
  const bursars = Array.from({ length: count }, () => new Bursar({ tiers: { free: { daily: 100 } }, defaultTier: 'free', clock, store }))
  return { clock, storeClock, memory, reads, bursars: bursars as [Bursar, ...Bursar[]] }
}

describe('a request in a session', () => {
  it('asks the registry once for each process, and again only before it is refused', async () => {
    const { bursars, reads } = engines(2)
    const [here, there] = bursars as [Bursar, Bursar]
    const session = await here.session({ userId: 'ann', id: 's', maxCost: 1 })
    const opened = reads()
    for (let time = 0; time < 3; time += 1) allowedOf(await session.check({ estimatedCost: 0.1 }))
    expect(reads()).toBe(opened)
    for (let time = 0; time < 3; time += 1) allowedOf(await there.check({ userId: 'ann', sessionId: 's', estimatedCost: 0.1 }))
    expect(reads()).toBe(opened + 1)
    expect((await there.check({ userId: 'ann', sessionId: 's', estimatedCost: 0.5 })).allowed).toBe(false)
    expect(reads()).toBe(opened + 2)
    await session.raiseCostCap(2)
    const raised = reads()
    allowedOf(await there.check({ userId: 'ann', sessionId: 's', estimatedCost: 0.5 }))
    allowedOf(await there.check({ userId: 'ann', sessionId: 's', estimatedCost: 0.5 }))
    expect(reads()).toBe(raised + 1)
  })

  it('is not looked up where only the user’s own budget refuses it', async () => {
    const { bursars: [bursar], reads } = engines()
    const session = await bursar.session({ userId: 'ann', maxCost: 1_000 })
    const opened = reads()
    expect((await session.check({ estimatedCost: 101 })).allowed).toBe(false)
    expect(reads()).toBe(opened)
  })
})

describe('the end of a session', () => {
  it('is the store’s to say where its clock is ahead: nothing stays held', async () => {
    const { bursars: [bursar], storeClock, memory } = engines()
    const session = await bursar.session({ userId: 'ann', maxCost: 1, ttl: '1h' })
    storeClock.advance(HOUR)
    for (const estimatedCost of [0.1, 2]) await expect(session.check({ estimatedCost })).rejects.toMatchObject({ code: 'UNKNOWN_SESSION', endedAt: new Date(START + HOUR) })
    expect((await bursar.tracker.getUserSummary('ann')).held).toBe(0)
    expect(await memory.auditor?.snapshot()).toMatchObject({ holds: [] })
    await expect(bursar.session({ userId: 'ann', id: session.id })).rejects.toMatchObject({ code: 'UNKNOWN_SESSION', endedAt: new Date(START + HOUR) })
    await expect(session.raiseCostCap(5)).rejects.toMatchObject({ code: 'UNKNOWN_SESSION' })
  })

  it('and its start are the store’s, whatever this process’s clock says', async () => {
    const { bursars: [bursar], clock, storeClock } = engines()
    clock.set(START - 26 * HOUR)
    const session = await bursar.session({ userId: 'ann', maxCost: 1, ttl: '1h' })
    expect(session.startsAt).toEqual(new Date(START))
    await allowedOf(await session.check({ estimatedCost: 0.6 })).settle({ cost: 0.6 })
    storeClock.advance(HOUR - 1)
    expect((await session.check({ estimatedCost: 0.6 })).allowed).toBe(false)
    expect((await session.summary()).totalCost).toBe(0.6)
  })
})

describe('what is remembered', () => {
  it('is bounded: the session that was not asked for longest is asked for again', async () => {
    const { registry, reads } = counted(memoryStore({ clock: () => START }).registry)
    const sessions = new Sessions(registry, () => START)
    const user = { userId: 'ann' }
    const life = { startsAt: START, endsAt: START + HOUR }
    for (let number = 0; number < 10_000; number += 1) await sessions.open({ user, id: `s${number}`, caps: { microcents: 1, tokens: null }, parents: [], life }, START)
    expect(sessions.remembered(user, 's0')?.[0]?.id).toBe('s0')
    await sessions.open({ user, id: 'one more', caps: { microcents: 1, tokens: null }, parents: [], life }, START)
    expect([sessions.remembered(user, 's0')?.length, sessions.remembered(user, 's1')]).toEqual([1, undefined])
    expect(reads()).toBe(0)
    expect(await sessions.find(user, 's1')).toHaveLength(1)
    expect(reads()).toBe(1)
  })

  it('is forgotten where the record is gone', async () => {
    const registry = memoryStore({ clock: () => START }).registry
    const sessions = new Sessions(registry, () => START)
    const user = { userId: 'ann' }
    const opened = await sessions.open({ user, id: 's', caps: { microcents: 1, tokens: null }, parents: [], life: { startsAt: START, endsAt: START + HOUR } }, START)
    await registry.put('session', 'session//ann/s', null, { expected: opened?.version as number })
    expect(sessions.remembered(user, 's')).toHaveLength(1)
    expect(() => sessions.look(user, 's')).toThrow('sessionId: "s" is no session of this user')
    expect(sessions.remembered(user, 's')).toBeUndefined()
  })
})
