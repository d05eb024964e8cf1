// Ledgers read by reading everything: what a source that can do better is measured by.

import { describe, expect, it } from 'vitest'
import { ALL_ENTRIES, bucketOf, entriesOf, pageOf, parseFilter, sumsOf, type EntrySource, type LedgerEntry } from '../../../src/ledger/index.js'
import { allOf } from '../setting.js'

const AT = Date.UTC(2026, 0, 15, 12)
const entry = (id: string, more: Partial<LedgerEntry> = {}): LedgerEntry => ({ id, kind: 'settled', at: AT, decisionId: id, userId: 'ann', microcents: 5, tokens: 1, charged: [], ...more })
const ids = (entries: readonly LedgerEntry[]): string[] => entries.map(({ id }) => id)

function sourceOf(entries: readonly LedgerEntry[]): EntrySource {
  return {
    async *entries() {
      yield* entries
    },
  }
}

describe('a page', () => {
  it('ends with the last entry that matches, and says so', async () => {
    const source = sourceOf(['a', 'b', 'c', 'd'].map((id) => entry(id, { kind: id === 'd' ? 'denied' : 'settled' })))
    const settled = parseFilter({ where: { kind: 'settled' } })
    const first = await pageOf(source, settled, 2)
    expect(ids(first.entries)).toEqual(['a', 'b'])
    expect(await pageOf(source, settled, 1, first.next)).toEqual({ entries: [entry('c')] })
    expect((await pageOf(source, settled, 3)).next).toBeUndefined()
    expect(await pageOf(sourceOf([]), ALL_ENTRIES, 3)).toEqual({ entries: [] })
  })

  it('goes on behind its last entry, and not behind another one of that id', async () => {
    const all = [entry('a'), entry('a', { at: AT + 1 }), entry('a', { at: AT + 1, openedAt: AT }), entry('b')]
    const read: LedgerEntry[] = []
    for (let after: string | undefined, page = 0; page < 9; page += 1) {
      const { entries, next } = await pageOf(sourceOf(all), ALL_ENTRIES, 1, after)
      read.push(...entries)
      if (next === undefined) break
      after = next
    }
    expect(read).toEqual(all)
  })

  it('begins with the oldest where what it stands behind is no longer kept', async () => {
    const { next } = await pageOf(sourceOf(['a', 'b', 'c'].map((id) => entry(id))), ALL_ENTRIES, 1)
    expect(ids((await pageOf(sourceOf(['c', 'd'].map((id) => entry(id))), ALL_ENTRIES, 5, next)).entries)).toEqual(['c', 'd'])
  })

  it.each(['', 'a', '[]', '["a"]', '{"id":"a"}', '[1,2,3]', '["a","1",null]', 'null'])('is not begun behind %s', async (after) => {
    await expect(pageOf(sourceOf([entry('a')]), ALL_ENTRIES, 1, after)).rejects.toMatchObject({ code: 'INVALID_REQUEST', message: expect.stringContaining('after: ') })
  })
})

describe('sums', () => {
  it('count calls, denials and entries, and what corrections take away', async () => {
    const kinds = [entry('a'), entry('b', { kind: 'expired' }), entry('c', { kind: 'recorded' }), entry('d', { kind: 'released', microcents: 0 }), entry('e', { kind: 'denied', microcents: 0 }), entry('f', { kind: 'corrected', microcents: -2 })]
    const moved = [entry('g', { kind: 'corrected', microcents: -5, calls: -1 }), entry('h', { kind: 'corrected', calls: 1, tenant: 'acme' })]
    expect(await sumsOf(sourceOf([...kinds, ...moved]), ALL_ENTRIES, ['tenant'])).toEqual([
      { bucket: 0, texts: [undefined], entries: 7, calls: 2, denials: 1, tokens: 7n, microcents: 8n },
      { bucket: 0, texts: ['acme'], entries: 1, calls: 1, denials: 0, tokens: 1n, microcents: 5n },
    ])
  })

  it('keep what has no text apart from what has one that looks like it', async () => {
    const source = sourceOf([undefined, '', 'null', 'undefined', ''].map((tenant, index) => entry(`e${index}`, { tenant })))
    expect((await sumsOf(source, ALL_ENTRIES, ['tenant'])).map(({ texts, entries }) => [texts[0], entries])).toEqual([[undefined, 1], ['', 2], ['null', 1], ['undefined', 1]])
  })

  it('are made for each stretch of time, and leave out what is outside', async () => {
    const source = sourceOf([9, 10, 19, 20, 29, 30].map((at) => entry(`e${at}`, { at })))
    expect((await sumsOf(source, ALL_ENTRIES, [], [10, 20, 30])).map(({ bucket, entries }) => [bucket, entries])).toEqual([[0, 2], [1, 2]])
    expect(await sumsOf(source, parseFilter({ where: { id: 'e9' } }), [], [10, 20])).toEqual([])
  })

  it.each([[9, undefined], [10, 0], [19, 0], [20, 1], [29, 1], [30, undefined]])('place the instant %s in stretch %s', (instant, bucket) => {
    expect(bucketOf(instant, [10, 20, 30])).toBe(bucket)
    expect([bucketOf(instant, []), bucketOf(instant, [instant])]).toEqual([0, undefined])
  })
})

describe('reading one by one', () => {
  it('asks a source that has pages for one after the other', async () => {
    const asked: unknown[] = []
    const source: EntrySource = {
      entries: () => {
        throw new Error('not asked for')
      },
      page: (_conditions, limit, after = '') => {
        asked.push([limit, after])
        return { entries: [entry(`e${asked.length}`)], ...(asked.length < 3 && { next: `after ${asked.length}` }) }
      },
    }
    expect(ids(await allOf(entriesOf(source, ALL_ENTRIES)))).toEqual(['e1', 'e2', 'e3'])
    expect(asked).toEqual([[1_000, ''], [1_000, 'after 1'], [1_000, 'after 2']])
  })

  it.each(['entries', 'page', 'part'])('lets timers have their turn between any two hundred entries of a source that answers at once (%s)', async (by) => {
    const all = Array.from({ length: 2_000 }, (_, index) => entry(`e${index}`))
    const page = (_conditions: unknown, limit: number, after = '0') => ({ entries: all.slice(Number(after), Number(after) + limit), ...(Number(after) + limit < all.length && { next: String(Number(after) + limit) }) })
    const source = { ...sourceOf(all), ...(by !== 'entries' && { [by]: page }) }
    let turns = 0
    let isRead = false
    const count = (): void => {
      turns += 1
      if (!isRead) setImmediate(count)
    }
    setImmediate(count)
    const gaps: number[] = []
    let read = 0
    for await (const { id } of entriesOf(source, ALL_ENTRIES)) {
      expect(id).toBe(`e${read}`)
      read += 1
      if (gaps.length < turns) gaps.push(...new Array<number>(turns - gaps.length).fill(read))
    }
    isRead = true
    expect(read).toBe(2_000)
    expect(gaps.length).toBeGreaterThanOrEqual(10)
    for (const [index, at] of gaps.entries()) expect(at - (gaps[index - 1] ?? 0)).toBeLessThanOrEqual(200)
  })

  it('goes on behind parts that have nothing', async () => {
    const parts = [[], ['a'], [], ['b', 'c'], [], []]
    const source = { ...sourceOf([]), part: (_conditions: unknown, limit: number, after = '0') => ({ entries: (parts[Number(after)] as string[]).slice(0, limit).map((id) => entry(id)), ...(Number(after) < 5 && { next: String(Number(after) + 1) }) }) }
    expect(ids(await allOf(entriesOf(source, ALL_ENTRIES)))).toEqual(['a', 'b', 'c'])
    const first = await pageOf(source, ALL_ENTRIES, 1)
    expect([ids(first.entries), first.next]).toEqual([['a'], '2'])
    const last = await pageOf(source, ALL_ENTRIES, 2, first.next)
    expect([ids(last.entries), last.next]).toEqual([['b', 'c'], undefined])
  })
})
