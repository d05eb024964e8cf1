// What a process remembers of sessions, how often it asks, and whose clock ends them.

import { describe, expect, it } from 'vitest'
import { Bursar, memoryStore, StoreResetError, StoreUnavailableError, type Registry, type Store } from '../../../src/index.js'
import { Sessions } from '../../../src/tracker/sessions.js'
import { manualClock } from '../../../src/testing/index.js'
import { allOf, allowedOf, START, storeWith } from '../setting.js'

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

  it('asks again half a minute later, and goes by what it has heard where the store is away', async () => {
    const { bursars: [bursar], clock, reads, memory } = engines()
    const session = await bursar.session({ userId: 'ann', id: 's', maxCost: 1 })
    const opened = reads()
    clock.advance('29s')
    allowedOf(await bursar.check({ userId: 'ann', sessionId: 's', estimatedCost: 0.1 }))
    expect(reads()).toBe(opened)
    clock.advance('1s')
    allowedOf(await bursar.check({ userId: 'ann', sessionId: 's', estimatedCost: 0.1 }))
    expect(reads()).toBe(opened + 1)
    allowedOf(await session.check({ estimatedCost: 0.1 }))
    expect(reads()).toBe(opened + 1)
    const away = { ...memory.registry, get: () => Promise.reject(new StoreUnavailableError('away')) }
    const sessions = new Sessions(memory.registry, clock)
    expect(await sessions.find({ userId: 'ann' }, 's')).toHaveLength(1)
    const registry = { current: memory.registry as Registry }
    const failing = new Sessions({ get: (...asked) => registry.current.get(...asked), put: memory.registry.put.bind(memory.registry), list: (kind) => memory.registry.list(kind) }, clock)
    const [known] = await failing.find({ userId: 'ann' }, 's')
    registry.current = away as unknown as Registry
    clock.advance('31s')
    expect((await failing.find({ userId: 'ann' }, 's'))[0]).toBe(known)
    registry.current = { ...away, get: () => Promise.reject(new StoreResetError('lost')) } as unknown as Registry
    await expect(failing.find({ userId: 'ann' }, 's')).rejects.toMatchObject({ code: 'STORE_RESET' })
    failing.forget()
    expect(failing.remembered({ userId: 'ann' }, 's')).toBeUndefined()
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

describe('a clock that is ahead of the store’s', () => {
  it('is found out once, and so is an end', async () => {
    const clock = manualClock()
    const storeClock = manualClock()
    clock.set(START + 2 * HOUR)
    let asked = 0
    const sessions = new Sessions(memoryStore({ clock: storeClock }).registry, clock)
    sessions.judgeBy(() => {
      asked += 1
      return storeClock()
    })
    const user = { userId: 'ann' }
    await sessions.open({ user, id: 's', caps: { microcents: 1, tokens: null }, parents: [], life: { startsAt: START, endsAt: START + HOUR } }, START)
    for (let time = 0; time < 3; time += 1) expect(sessions.find(user, 's')).toHaveLength(1)
    expect(asked).toBe(1)
    for (const each of [clock, storeClock]) each.advance(HOUR)
    for (let time = 0; time < 3; time += 1) expect(() => sessions.find(user, 's')).toThrow('ended at')
    expect(asked).toBe(2)
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

  it('is looked up again after a repair', async () => {
    const { bursars: [bursar], memory } = engines()
    const session = await bursar.session({ userId: 'ann', id: 's', maxCost: 1 })
    for await (const { key, version } of memory.registry.list('session')) await memory.registry.put('session', key, null, { expected: version })
    await bursar.tracker.audit()
    allowedOf(await session.check({ estimatedCost: 0.1 }))
    await bursar.tracker.audit({ repair: 'counters' })
    await expect(session.check({ estimatedCost: 0.1 })).rejects.toMatchObject({ code: 'UNKNOWN_SESSION' })
  })

  it('is nothing of a session whose life is none: it is not written', async () => {
    const registry = memoryStore({ clock: () => START }).registry
    const sessions = new Sessions(registry, () => START)
    for (const life of [{ startsAt: START, endsAt: START }, { startsAt: START, endsAt: Date.UTC(10_000, 0, 1) }]) {
      await expect(sessions.open({ user: { userId: 'ann' }, id: 's', caps: { microcents: 1, tokens: null }, parents: [], life }, START)).rejects.toMatchObject({ code: 'INVALID_REQUEST' })
    }
    expect(await allOf(registry.list('session'))).toEqual([])
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
