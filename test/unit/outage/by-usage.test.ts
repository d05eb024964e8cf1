// Usage that is settled by its id alone while the store is away: the process that has opened its hold knows its price, another one does not.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { allowedOf, entriesOf } from '../setting.js'
import { engine, fakeTimers } from './fickle-store.js'

beforeEach(fakeTimers)
afterEach(() => void vi.useRealTimers())

// USD for a million tokens.
const prices = { models: { large: [{ input: 10, output: 10 }, { input: 20, output: 20, from: '2026-01-16' }] } }
const usage = { inputTokens: 100_000, outputTokens: 0 }

describe('a settle of usage by its id, while the store is away', () => {
  it.each(['refuses', 'hangs'] as const)('waits with the price of the decision, in the process that made it (the store %s)', async (mood) => {
    const { bursar, fickle, ask, pass, clock } = engine({ prices })
    const { id } = allowedOf(await ask({ model: 'large', holdTtl: '2d', metadata: { large: 'x' } }))
    clock.set(new Date('2026-01-16T12:00:00Z'))
    fickle.mood = mood
    const settled = bursar.settle(id, { usage })
    await pass(1_000)
    expect(await settled).toMatchObject({ cost: 1, overage: 0, queued: true, replayed: false })
    expect(await bursar.settle(id, { usage })).toMatchObject({ cost: 1, queued: true, replayed: true })
    fickle.mood = 'well'
    await pass(10_000)
    expect((await entriesOf(bursar.tracker)).filter(({ kind }) => kind !== 'denied')).toMatchObject([{ kind: 'settled', decisionId: id, microcents: 100_000_000, tokens: 100_000, metadata: { large: 'x' } }])
    expect(await bursar.settle(id, { usage })).toMatchObject({ cost: 1, replayed: true })
  })

  it('is refused in a process that knows nothing of the hold, and changes nothing; its cost waits', async () => {
    const here = engine({ prices })
    const there = engine({ prices }, here.inner, here.clock)
    const { id } = allowedOf(await here.ask({ model: 'large' }))
    there.fickle.mood = 'refuses'
    await expect(there.bursar.settle(id, { usage })).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', retryable: true, message: expect.stringContaining('or give its cost') as string })
    expect(await there.bursar.settle(id, { cost: 0.7 })).toMatchObject({ queued: true })
    there.fickle.mood = 'well'
    await there.pass(10_000)
    expect(await here.bursar.tracker.getUserSummary('ada')).toMatchObject({ totalCost: 0.7, held: 0 })
  })

  it('does not go by what it remembers where the store has lost its data', async () => {
    const { bursar, fickle, ask } = engine({ prices })
    const { id } = allowedOf(await ask({ model: 'large' }))
    fickle.mood = 'reset'
    await expect(bursar.settle(id, { usage })).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', cause: { code: 'STORE_RESET' } })
  })

  it('goes by what a repeat of its request was told', async () => {
    const here = engine({ prices })
    const there = engine({ prices }, here.inner, here.clock)
    await here.ask({ model: 'large', idempotencyKey: 'k', holdTtl: '2d' })
    here.clock.set(new Date('2026-01-16T12:00:00Z'))
    await there.ask({ model: 'large', idempotencyKey: 'k', holdTtl: '2d' })
    there.fickle.mood = 'refuses'
    expect(await there.bursar.settle('k', { usage })).toMatchObject({ cost: 1, queued: true })
  })
})
