// Messages of the library as they are read over HTTP: real ones, each of which some phrase of the table is for.

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Bursar } from '../../../src/bursar.js'
import { UnknownHoldError, UnknownLimitError, UnknownSessionError } from '../../../src/errors/index.js'
import { priceBook } from '../../../src/prices/index.js'
import { overHttp, REMEDIES } from '../../../src/server/remedies.js'

const tiers = { free: { daily: 1 } }
const plain = new Bursar({ tiers, defaultTier: 'free' })
const priced = new Bursar({ tiers, defaultTier: 'free', prices: { models: { 'text-only': { input: 1 } } } })
const listed = new Bursar({ tiers, defaultTier: 'free', prices: priceBook() })
const tierless = new Bursar({ tiers })
const all = [plain, priced, listed, tierless]
afterAll(() => Promise.all(all.map((engine) => engine.close())))

const user = { userId: 'ada' }

/** What the library says to something that it refuses. */
async function message(refused: () => Promise<unknown>): Promise<string> {
  try {
    await refused()
  } catch (error) {
    return (error as Error).message
  }
  throw new Error('It was not refused.')
}

/** Real messages: each made by the library itself, in the way in which a client can cause it. */
async function made(): Promise<readonly string[]> {
  await plain.session({ userId: 'ada', id: 's', maxCost: 1, maxTokens: 5 })
  const hold = await plain.check({ ...user, estimatedCost: 0.1 })
  await plain.release(hold.id)
  const { id } = await plain.tracker.limits.create({ id: 'cap', scope: { kind: 'global' }, budget: { daily: 1 } })
  return [
    new UnknownHoldError('h').message,
    new UnknownLimitError('l').message,
    new UnknownSessionError('s').message,
    new UnknownSessionError('s', new Date(0)).message,
    await message(() => plain.settle(hold.id, { cost: 0.5 })),
    await message(() => plain.settle('nowhere', {})),
    await message(() => plain.settle('nowhere', { usage: { prompt_tokens: 1 } as never })),
    await message(async () => {
      const decision = await plain.check({ ...user, estimatedCost: 0.1, model: 'm' })
      if (decision.allowed) await decision.settle({ usage: { inputTokens: 1 } })
    }),
    await message(() => plain.check({ ...user })),
    await message(() => plain.check({ ...user, model: 'm', inputTokens: 1 })),
    await message(() => priced.check({ ...user, model: 'unheard-of', inputTokens: 1 })),
    await message(() => listed.check({ ...user, model: 'claude-sonnet-4-5', provider: 'nobody', inputTokens: 1 })),
    await message(() => listed.check({ ...user, model: 'text-embedding-3-small', inputTokens: 1 })),
    await message(async () => priced.prices?.cost({ inputTokens: 1, outputTokens: 5 }, { model: 'text-only' })),
    await message(() => plain.session({ userId: 'ada', id: 's', maxCost: 2 })),
    await message(() => plain.session({ userId: 'ada', id: 's', maxTokens: 9 })),
    await message(() => tierless.check({ ...user, estimatedCost: 0.1 })),
    await message(() => plain.tracker.limits.create({ id, scope: { kind: 'global' }, budget: { daily: 1 } })),
  ]
}

let messages: readonly string[]
beforeAll(async () => void (messages = await made()))

describe('what the library advises', () => {
  it('names over HTTP what there is over HTTP, and nothing of the library', () => {
    for (const text of messages.map(overHttp)) {
      expect(text).not.toMatch(/\w\(\)|\b(?:bursar|tracker|limits)\.\w|priceBook|prices\.(?:models|aliases)|estimate\(/)
      expect(text).toMatch(/^[^\n]+\.$/)
    }
  })

  it('has a real message for each phrase of the table', () => {
    for (const [phrase] of REMEDIES) expect(messages.some((text) => text.match(phrase) !== null), String(phrase)).toBe(true)
  })
})
