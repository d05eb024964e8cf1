// A ledger in memory: bounded, each entry once, all of one call or none, and options that are none.

import { describe, expect, it } from 'vitest'
import { memoryLedger, type LedgerEntry } from '../../../../src/index.js'
import { ALL_ENTRIES, parseFilter, sumsOf } from '../../../../src/ledger/index.js'
import { allOf } from '../../setting.js'

const AT = Date.UTC(2026, 0, 15, 12)
const entry = (id: string, more: Partial<LedgerEntry> = {}): LedgerEntry => ({ id, kind: 'settled', at: AT, decisionId: id, userId: 'ann', microcents: 5, tokens: 1, charged: [], ...more })

async function idsIn(ledger: ReturnType<typeof memoryLedger>): Promise<string[]> {
  return (await allOf<LedgerEntry>(ledger.entries())).map(({ id }) => id)
}

describe('memoryLedger', () => {
  it('keeps entries as they are, in the order of writing, each once', async () => {
    const ledger = memoryLedger()
    const full = entry('b', { scopes: { team: 'search' }, rungs: [{ model: 'large', microcents: 5, tokens: 1 }], metadata: { n: [1] } })
    ledger.write([entry('a'), full])
    ledger.write([])
    ledger.write([full, entry('c'), entry('a'), entry('a', { at: AT + 1 }), entry('a', { openedAt: AT })])
    expect(await allOf(ledger.entries())).toEqual([entry('a'), full, entry('c'), entry('a', { at: AT + 1 }), entry('a', { openedAt: AT })])
    expect(memoryLedger().isBounded).toBe(true)
  })

  it('keeps the newest', async () => {
    const ledger = memoryLedger({ max: 3 })
    for (const id of ['a', 'b', 'c', 'd', 'e']) ledger.write([entry(id)])
    expect(await idsIn(ledger)).toEqual(['c', 'd', 'e'])
    ledger.write(['c', 'd', 'f'].map((id) => entry(id)))
    expect(await idsIn(ledger)).toEqual(['d', 'e', 'f'])
    // What has fallen out is not known any more.
    ledger.write([entry('a')])
    expect(await idsIn(ledger)).toEqual(['e', 'f', 'a'])
    ledger.write(['g', 'h', 'i', 'j', 'k'].map((id) => entry(id)))
    expect(await idsIn(ledger)).toEqual(['i', 'j', 'k'])
    const one = memoryLedger({ max: 1 })
    one.write([entry('a'), entry('b')])
    expect(await idsIn(one)).toEqual(['b'])
  })

  it('keeps all entries of one call or none', async () => {
    const ledger = memoryLedger()
    expect(() => ledger.write([entry('a'), undefined as unknown as LedgerEntry])).toThrow(TypeError)
    expect(await idsIn(ledger)).toEqual([])
  })

  it('is read by pages that pass over what has fallen out', () => {
    const ledger = memoryLedger({ max: 4 })
    ledger.write(['a', 'b', 'c', 'd'].map((id) => entry(id)))
    const first = ledger.page(ALL_ENTRIES, 2)
    expect([first.entries.map(({ id }) => id), first.next]).toEqual([['a', 'b'], '2'])
    ledger.write(['e', 'f', 'g'].map((id) => entry(id)))
    const second = ledger.page(ALL_ENTRIES, 2, first.next)
    expect(second.entries.map(({ id }) => id)).toEqual(['d', 'e'])
    ledger.write(['h'].map((id) => entry(id)))
    const last = ledger.page(ALL_ENTRIES, 3, second.next)
    expect([last.entries.map(({ id }) => id), last.next]).toEqual([['f', 'g', 'h'], undefined])
    expect(ledger.page(parseFilter({ where: { id: ['e', 'h', 'a'] } }), 10).entries.map(({ id }) => id)).toEqual(['e', 'h'])
  })

  it.each(['', '0', '01', '-1', '1.5', '1e1', ' 1', '6', '9007199254740993', '99999999999999999', 'abc', null])('refuses the cursor %o, which no page has given', (after) => {
    const ledger = memoryLedger()
    ledger.write(['a', 'b', 'c', 'd', 'e'].map((id) => entry(id)))
    expect(() => ledger.page(ALL_ENTRIES, 2, after as string)).toThrow(expect.objectContaining({ code: 'INVALID_REQUEST', message: expect.stringMatching(/^after: .* Give /) }))
    expect(ledger.page(ALL_ENTRIES, 2, '5').entries).toEqual([])
  })

  it('is summed as any ledger', async () => {
    const ledger = memoryLedger()
    ledger.write([entry('a', { tenant: 'acme' }), entry('b', { microcents: 2 ** 53 - 1 }), entry('c', { microcents: 2 ** 53 - 1 })])
    expect(await sumsOf(ledger, ALL_ENTRIES, ['tenant'])).toEqual([
      { bucket: 0, texts: ['acme'], entries: 1, calls: 1, denials: 0, tokens: 1n, microcents: 5n },
      { bucket: 0, texts: [undefined], entries: 2, calls: 2, denials: 0, tokens: 2n, microcents: 2n ** 54n - 2n },
    ])
  })

  it.each([
    ['max', { max: 0 }],
    ['max', { max: -1 }],
    ['max', { max: 1.5 }],
    ['max', { max: NaN }],
    ['max', { max: Infinity }],
    ['max', { max: '10' }],
    ['max', { max: null }],
    ['maximum', { maximum: 10 }],
  ])('names %s in %o', (field, options) => {
    expect(() => memoryLedger(options as never)).toThrow(expect.objectContaining({ code: 'INVALID_CONFIG', message: expect.stringMatching(new RegExp(`^memoryLedger\\.${field}: .*(Give|Use) `)) }))
  })

  it.each([null, 5, 'ledger'])('must be given options: %s', (options) => {
    expect(() => memoryLedger(options as never)).toThrow(expect.objectContaining({ code: 'INVALID_CONFIG' }))
    expect(memoryLedger({ max: undefined })).toMatchObject({ isBounded: true })
  })
})
