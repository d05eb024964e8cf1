import { describe, expect, it } from 'vitest'
import { Bursar, memoryStore, type Store } from '../../../src/index.js'
import { expectAgreement } from '../../support/fault/agreement.js'

async function spentIn(store: Store): Promise<void> {
  const bursar = new Bursar({ tiers: { free: { daily: 1, rolling: { '1h': 1 } } }, defaultTier: 'free', store })
  for (const userId of ['ada', 'bob', 'ada']) await bursar.tracker.addCost({ userId, cost: 0.1, tokens: 10 })
}

describe('the agreement of ledger, windows and audit', () => {
  it('is found where the books are right', async () => {
    const store = memoryStore()
    await spentIn(store)
    await expectAgreement(store)
  })

  it.each([
    ['a window', { window: 'daily/usd', spent: 1 }],
    ['a rolling window', { window: 'rolling:3600000/usd', spent: -1 }],
    ['what was ever charged', { window: undefined, spent: 1 }],
  ])('is not found where %s counts something else', async (_what, { window, spent }) => {
    const store = memoryStore()
    await spentIn(store)
    const snapshot = await store.auditor?.snapshot()
    const [scope] = snapshot?.scopes ?? []
    const startsAt = scope?.windows.find((counted) => counted.window === window)?.spent[0]?.startsAt ?? 0
    await store.auditor?.correct([{ scope: { kind: 'user', id: 'ada' }, window, startsAt, spent, held: 0, entries: 0 }])
    await expect(expectAgreement(store)).rejects.toThrow()
  })
})
