// Pages and sums of a SQLite ledger at the edges: cursors, very large sums, very many stretches, and what an index must not spoil.

import { afterEach, describe, expect, it } from 'vitest'
import { ClosedError, InvalidRequestError } from '../../../../src/errors/index.js'
import { ALL_ENTRIES, entriesOf, pageOf, parseFilter, type EntryPage, type LedgerEntry } from '../../../../src/ledger/index.js'
import { openDatabase } from '../../../../src/store/sqlite/driver.js'
import { sqliteLedger, sqliteStore, type SqliteLedger } from '../../../../src/store/sqlite/index.js'
import { temporaryFiles } from '../../../support/sqlite/temporary-files.js'
import { allOf } from '../../setting.js'

const files = temporaryFiles()
afterEach(() => files.removeAll())

const entry = (id: string, at: number, over: Partial<LedgerEntry> = {}): LedgerEntry => ({ id, kind: 'settled', at, decisionId: id, userId: 'ann', microcents: 5, tokens: 1, charged: [], ...over })
const made = (...entries: LedgerEntry[]): SqliteLedger => {
  const ledger = files.closedLater(sqliteLedger({ path: files.path() }))
  ledger.write(entries)
  return ledger
}
const ids = ({ entries }: EntryPage): string[] => entries.map(({ id }) => id)

describe('pages', () => {
  it('end where the entries do, and go on when more have come', () => {
    const ledger = made(entry('a', 3), entry('b', 2), entry('c', 1))
    const first = ledger.page(ALL_ENTRIES, 2)
    expect(ids(first)).toEqual(['a', 'b'])
    ledger.write([entry('d', 0)])
    const second = ledger.page(ALL_ENTRIES, 2, first.next)
    expect(second.next).toBeUndefined()
    expect(ids(second)).toEqual(['c', 'd'])
    expect(ids(ledger.page(parseFilter({ until: 2 }), 1))).toEqual(['c'])
  })

  it.each(['', '0', '-1', '1.5', '1e3', ' 1', 'a', '["a",1,null]', '9'.repeat(16), 1, null])('refuse %j as a cursor', (after) => {
    expect(() => made(entry('a', 1)).page(ALL_ENTRIES, 1, after as string)).toThrow(InvalidRequestError)
    const store = files.closedLater(sqliteStore({ path: files.path() }))
    expect(() => store.ledger.page?.(ALL_ENTRIES, 1, after as string)).toThrow(/is no cursor of this ledger/)
  })

  it('of thousands of entries are all of them, once', async () => {
    const ledger = made(...Array.from({ length: 4_321 }, (_, index) => entry(`e${index}`, index % 7)))
    const found = await allOf<LedgerEntry>(entriesOf(ledger, parseFilter({ from: 3, until: 4 })))
    expect(found.map(({ id }) => id)).toEqual(Array.from({ length: 4_321 }, (_, index) => index).filter((index) => index % 7 === 3).map((index) => `e${index}`))
  })

  it('are found part by part where little matches, and the process goes on in between', async () => {
    const ledger = made(...Array.from({ length: 20_000 }, (_, index) => entry(`e${index}`, index, { model: index % 9_000 === 0 ? 'rare' : 'usual' })))
    const rare = parseFilter({ where: { model: 'rare' } })
    let turns = 0
    let isDone = false
    const count = (): void => {
      turns += 1
      if (!isDone) setImmediate(count)
    }
    setImmediate(count)
    const first = await pageOf(ledger, rare, 2)
    const second = await pageOf(ledger, rare, 2, first.next)
    expect([ids(first), ids(second), second.next]).toEqual([['e0', 'e9000'], ['e18000'], undefined])
    expect(turns).toBeGreaterThan(5)
    const before = turns
    expect((await allOf<LedgerEntry>(ledger.entries())).length).toBe(20_000)
    expect(turns - before).toBeGreaterThan(70)
    const beforeSums = turns
    const sums = await ledger.sums(parseFilter({ from: 10, until: 19_000 }), ['model'], [0, 9_000, 18_001, 30_000])
    expect(sums.map(({ bucket, texts: [model], entries }) => [bucket, model, entries]).sort()).toEqual([[0, 'usual', 8_990], [1, 'rare', 2], [1, 'usual', 8_999], [2, 'usual', 999]])
    expect(turns - beforeSums).toBeGreaterThan(3)
    isDone = true
  })

  it('are found in the order of writing without looking at all entries and sorting them', () => {
    const path = files.path()
    const ledger = files.closedLater(sqliteLedger({ path }))
    const asked: string[] = []
    const database = files.closedLater(openDatabase(path))
    const given = files.closedLater(sqliteLedger({ database: { exec: (sql) => database.exec(sql), close: () => undefined, prepare: (sql) => (asked.push(sql), database.prepare(sql)) } }))
    ledger.write([entry('a', 1)])
    given.page(parseFilter({ from: 0, until: 9 }), 5)
    const plan = (database.prepare(`EXPLAIN QUERY PLAN ${asked.at(-1)}`).all(0, 0, 9, 5) as { detail: string }[]).map(({ detail }) => detail)
    expect(plan).toEqual(['SEARCH entry USING INTEGER PRIMARY KEY (rowid>?)'])
    given.sums(parseFilter({}), [], [0, 9])
    expect((database.prepare(`EXPLAIN QUERY PLAN ${asked.at(-1)}`).all() as { detail: string }[]).map(({ detail }) => detail)).toEqual(['SEARCH entry USING INDEX entry_at (at>? AND at<?)'])
  })

  it('and sums of a closed file are refused', () => {
    const ledger = made()
    ledger.close()
    expect(() => ledger.page(ALL_ENTRIES, 1)).toThrow(ClosedError)
    expect(() => ledger.sums(ALL_ENTRIES, [], [])).toThrow(ClosedError)
  })

  it('take thousands of texts', () => {
    const ledger = made(...['a', 'b"', "c'", '🙂', 'x'].map((id) => entry(id, 1, { metadata: { key: id } })))
    const texts = [...Array.from({ length: 40_000 }, (_, index) => `no ${index}`), 'a', 'b"', "c'", '🙂']
    expect(ids(ledger.page(parseFilter({ where: { id: texts } }), 9))).toEqual(['a', 'b"', "c'", '🙂'])
    expect(ids(ledger.page(parseFilter({ where: { 'metadata.key': texts } }), 9))).toEqual(['a', 'b"', "c'", '🙂'])
  })
})

describe('sums', () => {
  it.each([1, -1])('are exact beyond 2^53 and beyond 2^63 (sign %i)', async (sign) => {
    const most = sign * Number.MAX_SAFE_INTEGER
    const some = Array.from({ length: 3 }, (_, index) => entry(`s${index}`, 1, { tenant: 's', microcents: most, tokens: most }))
    const many = Array.from({ length: 1_500 }, (_, index) => entry(`m${index}`, 1, { tenant: 'm', microcents: most, tokens: index % 2 === 0 ? most : -most }))
    const [few] = await made(...some).sums(ALL_ENTRIES, ['tenant'], [])
    expect(few).toEqual({ bucket: 0, texts: ['s'], entries: 3, calls: 3, denials: 0, tokens: 3n * BigInt(most), microcents: 3n * BigInt(most) })
    const all = await made(...some, ...many).sums(ALL_ENTRIES, ['tenant'], [])
    expect(all).toHaveLength(2)
    expect(all).toContainEqual(few)
    expect(all).toContainEqual({ bucket: 0, texts: ['m'], entries: 1_500, calls: 1_500, denials: 0, tokens: 0n, microcents: 1_500n * BigInt(most) })
  })

  it('by thousands of uneven stretches say each entry where it belongs', async () => {
    const boundaries = Array.from({ length: 3_000 }, (_, index) => index * index)
    const at = [0, 1, 1_024 ** 2 - 1, 1_024 ** 2, 2_048 ** 2, 2_999 ** 2 - 1, 2_999 ** 2]
    const found = await made(...at.map((instant) => entry(`e${instant}`, instant))).sums(ALL_ENTRIES, ['id'], boundaries)
    expect(found.map(({ bucket, texts }) => [bucket, texts[0]])).toEqual([0, 1, 1_023, 1_024, 2_048, 2_998].map((bucket, index) => [bucket, `e${at[index]}`]))
  })

  it('of very many entries are those of one moment, and let the process do other things in between', async () => {
    const over = (index: number): Partial<LedgerEntry> => ({ tenant: `t${index % 3}`, microcents: index === 7 ? Number.MAX_SAFE_INTEGER : 1 })
    const ledger = made()
    ledger.write(Array.from({ length: 250_000 }, (_, index) => entry(`e${index}`, index, over(index))))
    for (const boundaries of [[], [0, 100_000, 200_000, 1e9]]) {
      const asked = ledger.sums(ALL_ENTRIES, ['tenant'], boundaries)
      let turns = 0
      setImmediate(() => {
        turns += 1
        ledger.write([entry(`late ${boundaries.length}`, 5, { tenant: 't1' }), entry(`later ${boundaries.length}`, 5, { tenant: 'new' })])
      })
      const found = await asked
      expect(turns).toBe(1)
      expect(found.reduce((all, { entries }) => all + entries, 0)).toBe(boundaries.length === 0 ? 250_000 : 250_002)
      const first = found.filter(({ texts }) => texts[0] === 't1').reduce((all, { microcents }) => all + microcents, 0n)
      expect(first).toBe(83_332n + BigInt(Number.MAX_SAFE_INTEGER) + (boundaries.length === 0 ? 0n : 5n))
    }
    const after = await ledger.sums(parseFilter({ from: 120_000, until: 120_010 }), ['tenant'], [])
    expect(after.map(({ entries }) => entries).sort()).toEqual([3, 3, 4])
    const asked = ledger.sums(ALL_ENTRIES, [], [])
    ledger.close()
    await expect(asked).rejects.toThrow(ClosedError)
  })

  it('of nothing are none', () => {
    const ledger = made(entry('a', 5))
    for (const boundaries of [[], [0, 5], [5], [6, 7]]) expect(ledger.sums(parseFilter({ until: 5 }), [], boundaries)).toEqual([])
    expect(ledger.sums(ALL_ENTRIES, [], [5])).toEqual([])
    expect(ledger.sums(ALL_ENTRIES, [], [5, 6])).toHaveLength(1)
  })
})
