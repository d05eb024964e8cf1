// A paid answer whose cost nobody could take: the event says what to count, and for which decision.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { isBursarError, type Decision } from '../../../src/index.js'
import { allowedOf } from '../setting.js'
import { engine, fakeTimers } from './fickle-store.js'

beforeEach(fakeTimers)
afterEach(() => void vi.useRealTimers())

describe('a guarded call in an outage with a full queue', () => {
  it('that nothing held gives its answer, and the event has the decision and the cost', async () => {
    const { bursar, fickle, ask, pass } = engine({ onStoreError: 'allow', settleQueue: { max: 1 } })
    const first = allowedOf(await ask())
    const errors: unknown[] = []
    bursar.on('store-error', ({ operation, error }) => errors.push({ operation, error }))
    fickle.mood = 'refuses'
    await first.settle({ cost: 0.05 })
    let decision: Decision | undefined
    const answer = await bursar.guard({ userId: 'ada', estimatedCost: 0.1 }, async (call) => {
      decision = call.decision
      return { result: 'paid for', cost: '0.2' }
    })
    expect(answer).toBe('paid for')
    const lost = errors.at(-1) as { operation: string; error: Error & { decisionId: string; cost: number } }
    expect(lost).toMatchObject({ operation: 'settle', error: { code: 'STORE_UNAVAILABLE', decisionId: decision?.id, cost: 0.2, exact: { costMicrocents: 20_000_000 } } })
    expect(isBursarError(lost.error)).toBe(true)
    expect(lost.error.message).toContain(`The 0.20 USD of decision "${decision?.id}" are not counted: count them with tracker.addCost()`)
    fickle.mood = 'well'
    await pass(5_000)
    await bursar.tracker.addCost({ userId: 'ada', cost: lost.error.cost })
    expect(await bursar.tracker.getUserCost('ada')).toBe(0.25)
  })

  it('whose budgets nobody could tell says so too', async () => {
    const { bursar, fickle } = engine({ onStoreError: 'allow', defaultTier: undefined, onUnknownTier: 'free' })
    const errors: unknown[] = []
    bursar.on('store-error', ({ error }) => errors.push(error))
    fickle.mood = 'refuses'
    expect(await bursar.guard({ userId: 'ada', estimatedCost: 0.1 }, async () => ({ result: 'paid for', cost: 0.2 }))).toBe('paid for')
    expect(errors.at(-1)).toMatchObject({ code: 'STORE_UNAVAILABLE', cost: 0.2 })
  })

  it('that was held says how to settle it later', async () => {
    const { bursar, fickle, ask, pass } = engine({ settleQueue: { max: 1 } })
    const [first, second] = [allowedOf(await ask()), allowedOf(await ask())]
    fickle.mood = 'refuses'
    await first.settle({ cost: 0.05 })
    const lost = await second.settle({ cost: 0.3 }).catch((error: unknown) => error)
    expect(lost).toMatchObject({ decisionId: second.id, cost: 0.3, retryable: true, message: expect.stringContaining('settle its id when the store is back') })
    fickle.mood = 'well'
    await pass(5_000)
    await bursar.settle(second.id, { cost: 0.3 })
    expect(await bursar.tracker.getUserCost('ada')).toBe(0.35)
  })
})
