// What a memory store keeps, and for how long.

import { describe, expect, it } from 'vitest'
import { Bursar, memoryStore } from '../../../../src/index.js'
import { manualClock } from '../../../../src/testing/index.js'
import { allOf, allowedOf, DAY } from '../../setting.js'

function engine(options: { maxGivenIds?: number; maxGeneratedIds?: number; ledgerCapacity?: number } = {}, tiers: Record<string, object> = { free: { daily: 1 } }) {
  const clock = manualClock()
  const store = memoryStore({ clock, ...options })
  return { clock, store, bursar: new Bursar({ tiers, defaultTier: Object.keys(tiers)[0], clock, store }) }
}

describe('ids', () => {
  it('that were generated are remembered for a minute, given ones for a day', async () => {
    const { bursar, clock } = engine()
    const generated = allowedOf(await bursar.check({ userId: 'u', estimatedCost: 0.1 }))
    const given = allowedOf(await bursar.check({ userId: 'u', estimatedCost: 0.1, idempotencyKey: 'k' }))
    await generated.settle({ cost: 0.1 })
    await given.settle({ cost: 0.1 })
    clock.advance(59_999)
    expect(await generated.settle({ cost: 0.1 })).toMatchObject({ replayed: true })
    clock.advance(1)
    await expect(generated.settle({ cost: 0.1 })).rejects.toMatchObject({ code: 'UNKNOWN_HOLD' })
    clock.advance(DAY - 60_001)
    expect(await given.settle({ cost: 0.1 })).toMatchObject({ replayed: true })
    clock.advance(1)
    await expect(given.settle({ cost: 0.1 })).rejects.toMatchObject({ code: 'UNKNOWN_HOLD' })
  })

  it('of expired holds are remembered for a day', async () => {
    const { bursar, clock } = engine()
    const decision = allowedOf(await bursar.check({ userId: 'u', estimatedCost: 0.1 }))
    clock.advance('10m')
    clock.advance(DAY - 1)
    expect(await decision.settle({ cost: 0.05 })).toMatchObject({ cost: 0.05 })
    const other = allowedOf(await bursar.check({ userId: 'u', estimatedCost: 0.1 }))
    clock.advance('10m')
    clock.advance(DAY)
    await expect(other.settle({ cost: 0.05 })).rejects.toMatchObject({ code: 'UNKNOWN_HOLD' })
  })

  it('are capped in number, the oldest are forgotten first', async () => {
    const { bursar } = engine({ maxGivenIds: 2 })
    for (const key of ['a', 'b', 'c']) await allowedOf(await bursar.check({ userId: 'u', estimatedCost: 0.01, idempotencyKey: key })).settle({ cost: 0.01 })
    await expect(bursar.settle('a', { cost: 0.01 })).rejects.toMatchObject({ code: 'UNKNOWN_HOLD' })
    expect(await bursar.settle('b', { cost: 0.01 })).toMatchObject({ replayed: true })
  })

  it('of open holds are never forgotten', async () => {
    const { bursar } = engine({ maxGivenIds: 1, maxGeneratedIds: 1 })
    const open = allowedOf(await bursar.check({ userId: 'u', estimatedCost: 0.01 }))
    for (let time = 0; time < 5; time += 1) await allowedOf(await bursar.check({ userId: 'u', estimatedCost: 0.01 })).settle({ cost: 0.01 })
    expect(await open.settle({ cost: 0.01 })).toMatchObject({ replayed: false })
  })
})

describe('scopes', () => {
  it('are forgotten once their windows ended so long ago that no running one can have begun before, and never earlier', async () => {
    const { bursar, clock } = engine()
    for (let user = 0; user < 50; user += 1) await bursar.tracker.addCost({ userId: `old ${user}`, cost: 0.1 })
    clock.advance('70d')
    for (let user = 0; user < 50; user += 1) await bursar.tracker.addCost({ userId: `new ${user}`, cost: 0.1 })
    const known = (await allOf(bursar.tracker.users())).map(({ userId }) => userId)
    expect(known.filter((userId) => userId.startsWith('new'))).toHaveLength(50)
    expect(known.filter((userId) => userId.startsWith('old')).length).toBeLessThan(5)
    for (let user = 0; user < 50; user += 1) expect(await bursar.tracker.getUserCost(`new ${user}`)).toBe(0.1)
  })

  it('with a total are never forgotten', async () => {
    const { bursar, clock } = engine({}, { free: { total: 1 } })
    await bursar.tracker.addCost({ userId: 'u', cost: 1 })
    clock.advance('4000d')
    for (let user = 0; user < 50; user += 1) await bursar.tracker.addCost({ userId: `new ${user}`, cost: 0.1 })
    expect((await bursar.check({ userId: 'u', estimatedCost: 0.1 })).action).toBe('BLOCK')
  })

  it('with an open hold are never forgotten', async () => {
    const { bursar, clock } = engine()
    const decision = allowedOf(await bursar.check({ userId: 'u', estimatedCost: 0.5, holdTtl: '100d' }))
    clock.advance('50d')
    for (let user = 0; user < 50; user += 1) await bursar.tracker.addCost({ userId: `new ${user}`, cost: 0.1 })
    await decision.settle({ cost: 0.4 })
    expect(await bursar.tracker.getUserCost('u')).toBe(0.4)
  })
})

describe('charges', () => {
  it('that are refunded stay what they were while the corrections push them out of the ledger', async () => {
    const { bursar, store } = engine({ ledgerCapacity: 3, maxGeneratedIds: 1 })
    for (const userId of ['u', 'u', 'u']) await allowedOf(await bursar.check({ userId, estimatedCost: 0.1 })).settle({ cost: 0.1 })
    expect(await bursar.tracker.refund({ userId: 'u', cost: 0.3 })).toMatchObject({ refunded: 0.3 })
    expect(await bursar.tracker.getUserCost('u')).toBe(0)
    const lines = (await allOf(store.ledger.entries())).map(({ kind, userId, microcents }) => `${kind} ${userId} ${microcents}`)
    expect(lines).toEqual(['corrected u -10000000', 'corrected u -10000000', 'corrected u -10000000'])
  })

  it('that nobody remembers become others, and tell nothing of what they were', async () => {
    const { bursar } = engine({ ledgerCapacity: 1, maxGeneratedIds: 1 })
    for (const model of ['a', undefined, 'b']) {
      const decision = allowedOf(await bursar.check({ userId: `user of ${model}`, model, estimatedCost: 0.1 }))
      await decision.settle({ cost: 0.1 })
      await bursar.tracker.refund({ userId: `user of ${model}`, cost: 0.04, decisionId: decision.id })
    }
    const decision = allowedOf(await bursar.check({ userId: 'v', estimatedCost: 0.2 }))
    await decision.settle({ cost: 0.2 })
    expect(await bursar.tracker.refund({ userId: 'v', cost: 1, decisionId: decision.id })).toMatchObject({ refunded: 0.2 })
  })
})
