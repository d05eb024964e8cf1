// The ledger of a memory store read by pages: three rings, each of which lets go of its oldest by itself, and lines that are used again.

import { describe, expect, it } from 'vitest'
import type { LedgerEntry } from '../../../../src/index.js'
import { ALL_ENTRIES, pageOf } from '../../../../src/ledger/index.js'
import { memoryStore } from '../../../../src/store/memory/index.js'
import { Bench, entriesOf, userOf, windowOf } from '../../../../src/testing/contract/kit.js'

const ann = [userOf('ann', windowOf(1_000))]
const rungs = [{ microcents: 4, tokens: 2 }, { microcents: 2, tokens: 1 }] as const
const facts = { user: { userId: 'ann' }, tier: 'free', model: 'large', cheaperModels: ['small'], scopes: { team: 'search' } }
const ids = (entries: readonly LedgerEntry[]): string[] => entries.map(({ decisionId }) => decisionId)

function note(id: string): LedgerEntry {
  return { id: `${id}:denied`, kind: 'denied', at: 0, decisionId: id, userId: 'ann', microcents: 0, tokens: 0, charged: [] }
}

describe('the ledger of a memory store', () => {
  it('goes on behind the last entry of a page, whichever ring has let go of what', async () => {
    const bench = await Bench.at((clock) => memoryStore({ clock, ledgerCapacity: 3 }))
    const { ledger, auditor } = bench.store
    for (const id of ['m1', 'm2', 'm3']) await bench.record(ann, { id, microcents: 1 })
    await ledger.append(note('n1'), note('n2'), note('n3'))
    await auditor?.append([{ ...note('a1'), kind: 'corrected' }])
    const first = await pageOf(ledger, ALL_ENTRIES, 2)
    expect(ids(first.entries)).toEqual(['m1', 'm2'])
    // Pushes out the oldest two denials: what was read and what was not stands in other rings.
    await ledger.append(note('n4'), note('n5'))
    const second = await pageOf(ledger, ALL_ENTRIES, 2, first.next)
    expect(ids(second.entries)).toEqual(['m3', 'n3'])
    // Pushes out all money that was read.
    for (const id of ['m4', 'm5', 'm6']) await bench.record(ann, { id, microcents: 1 })
    const third = await pageOf(ledger, ALL_ENTRIES, 10, second.next)
    expect([ids(third.entries), third.next]).toEqual([['a1', 'n4', 'n5', 'm4', 'm5', 'm6'], undefined])
    expect(ids(await entriesOf(bench))).toEqual(['n3', 'a1', 'n4', 'n5', 'm4', 'm5', 'm6'])
  })

  it('has given a page whole before a line of it is used again', async () => {
    const bench = await Bench.at((clock) => memoryStore({ clock, ledgerCapacity: 2, maxGeneratedIds: 1 }))
    const { ledger } = bench.store
    for (const id of ['a', 'b']) {
      await bench.hold(ann, { id, rungs, facts, idGiven: false })
      await bench.settle({ id, microcents: 3 })
    }
    const { entries } = await pageOf(ledger, ALL_ENTRIES, 5)
    for (const id of ['c', 'd', 'e']) await bench.record(ann, { id, microcents: 1 })
    expect(entries.map(({ decisionId, microcents, scopes, estimatedTokens, rungs: open }) => [decisionId, microcents, scopes, estimatedTokens, open?.map(({ model }) => model)])).toEqual([
      ['a', 3, { team: 'search' }, 2, ['large', 'small']],
      ['b', 3, { team: 'search' }, 2, ['large', 'small']],
    ])
    expect((await entriesOf(bench)).map(({ decisionId, scopes, rungs: open }) => [decisionId, scopes, open])).toEqual([['d', undefined, undefined], ['e', undefined, undefined]])
  })

  it('refuses the cursor of a longer ledger', async () => {
    const bench = await Bench.at((clock) => memoryStore({ clock }))
    await bench.store.ledger.append(note('a'), note('b'))
    await expect(pageOf(bench.store.ledger, ALL_ENTRIES, 1, '3')).rejects.toMatchObject({ code: 'INVALID_REQUEST' })
    expect(await pageOf(bench.store.ledger, ALL_ENTRIES, 1, '2')).toEqual({ entries: [] })
  })
})
