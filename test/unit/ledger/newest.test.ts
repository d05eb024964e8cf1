// The last entries of a ledger: whatever it is kept in, those that a look at all of them would give.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { newestOf } from '../../../src/ledger/newest.js'
import { matches, parseFilter, sumsOf, type EntrySource, type LedgerEntry } from '../../../src/ledger/index.js'
import { assertProperty } from '../../support/property.js'

const NOW = Date.UTC(2026, 10, 15, 12)
const HOUR = 3_600_000

function sourceOf(entries: readonly LedgerEntry[], canSum: boolean): EntrySource & { asked: number } {
  const plain: EntrySource = {
    async *entries() {
      yield* entries
    },
  }
  const source = { ...plain, asked: 0 }
  if (!canSum) return source
  return Object.assign(source, {
    sums(...question: Parameters<NonNullable<EntrySource['sums']>>) {
      source.asked += 1
      return sumsOf(plain, ...question)
    },
  })
}

const entry = (id: string, at: number, userId = 'ann'): LedgerEntry => ({ id, kind: 'settled', at, decisionId: id, userId, microcents: 5, tokens: 1, charged: [] })
const ids = (entries: readonly LedgerEntry[]): string[] => entries.map(({ id }) => id)

describe('the newest entries', () => {
  it('are those that a look at all would give', async () => {
    const world = fc.record({
      // Hours back: within the first stretch, the next ones, and before all of them; some are written later than they say.
      entries: fc.array(fc.record({ back: fc.oneof(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 5_000 }), fc.constant(400_000)), user: fc.constantFrom('ann', 'bob') }), { maxLength: 30 }),
      limit: fc.integer({ min: 1, max: 5 }),
      canSum: fc.boolean(),
      user: fc.constantFrom(undefined, 'ann'),
      from: fc.option(fc.integer({ min: 1, max: 6_000 }), { nil: undefined }),
      until: fc.option(fc.integer({ min: 0, max: 60 }), { nil: undefined }),
    })
    const property = fc.asyncProperty(world, async ({ entries, limit, canSum, user, from, until }) => {
      const all = entries.map(({ back, user: userId }, index) => entry(String(index), NOW - back * HOUR, userId))
      const range = from !== undefined && until !== undefined && from <= until ? {} : { ...(from !== undefined && { from: NOW - from * HOUR }), ...(until !== undefined && { until: NOW - until * HOUR }) }
      const conditions = parseFilter({ ...range, ...(user !== undefined && { where: { userId: user } }) })
      const expected = all.filter((each) => matches(each, conditions)).sort((one, other) => one.at - other.at).slice(-limit).reverse()
      expect(ids(await newestOf(sourceOf(all, canSum), conditions, limit, NOW))).toEqual(ids(expected))
    })
    await assertProperty('newest', property, 300)
  })

  it('are found without a look at what came long before', async () => {
    const source = sourceOf([entry('old', NOW - 10_000 * HOUR), entry('a', NOW - 2), entry('b', NOW - 1)], true)
    expect(ids(await newestOf(source, parseFilter(), 2, NOW))).toEqual(['b', 'a'])
    expect(source.asked).toBe(1)
  })

  it('are found among many more than are wanted', async () => {
    const all = Array.from({ length: 5_000 }, (_, index) => entry(String(index), NOW - 5_000 + index))
    expect(ids(await newestOf(sourceOf(all, false), parseFilter(), 3, NOW))).toEqual(['4999', '4998', '4997'])
  })
})
