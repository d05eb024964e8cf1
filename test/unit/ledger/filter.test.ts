// Filters of entries: what each condition finds, and that what is none is refused with its name, its value and a remedy.

import { describe, expect, it } from 'vitest'
import { ALL_ENTRIES, matches, parseField, parseFilter, textOf, type EntryField, type EntryFilter, type LedgerEntry } from '../../../src/ledger/index.js'

const AT = Date.UTC(2026, 0, 15, 12)
const entry: LedgerEntry = {
  id: 'd:settled',
  kind: 'settled',
  at: AT,
  decisionId: 'd',
  tenant: 'acme',
  userId: 'ann',
  scopes: { team: 'search', 'a.b': 'dotted' },
  microcents: 5,
  tokens: -3,
  estimatedMicrocents: 9,
  openedAt: AT - 10,
  charged: [],
  details: { action: 'WARN', priceVersion: '', labels: { cached: 7 } },
  metadata: { project: 'p', n: 1e21, half: 0.5, yes: true, no: false, none: null, list: ['p'], nested: { a: 'p' }, 'nested.a': 'key', odd: NaN, text: '' },
}
const { openedAt: _openedAt, estimatedMicrocents: _estimated, ...bare } = { ...entry, id: 'x', kind: 'denied' as const, userId: '', details: undefined, metadata: undefined }

function finds(filter: EntryFilter, of: LedgerEntry = entry): boolean {
  return matches(of, parseFilter(filter))
}

describe('the text of a field', () => {
  it.each<[EntryField, string | undefined]>([
    ['id', 'd:settled'], ['kind', 'settled'], ['tenant', 'acme'], ['tier', undefined], ['action', 'WARN'], ['priceVersion', ''], ['scopes.team', 'search'], ['scopes.a.b', 'dotted'], ['scopes.a', undefined],
    ['labels.cached', '7'], ['metadata.project', 'p'], ['metadata.n', '1e+21'], ['metadata.half', '0.5'], ['metadata.yes', 'true'], ['metadata.no', 'false'], ['metadata.none', undefined],
    ['metadata.list', undefined], ['metadata.nested', undefined], ['metadata.nested.a', 'key'], ['metadata.odd', undefined], ['metadata.text', ''], ['metadata.toString', undefined], ['metadata.__proto__', undefined],
  ])('%s is %o', (field, text) => {
    expect(textOf(entry, field)).toBe(text)
  }) // prettier-ignore

  it('is none where there is no holder, nobody, and BLOCK for what was denied', () => {
    expect([textOf(bare, 'metadata.project'), textOf(bare, 'labels.cached'), textOf(bare, 'userId'), textOf(bare, 'action')]).toEqual([undefined, undefined, undefined, 'BLOCK'])
  })
})

describe('a filter', () => {
  it('includes where it begins and leaves out where it ends', () => {
    expect([finds({ from: AT }), finds({ from: AT + 1 }), finds({ until: AT }), finds({ until: AT + 1 }), finds({ from: new Date(AT), until: new Date(AT + 1) })]).toEqual([true, false, false, true, true])
    expect([finds({ openedFrom: AT - 10 }), finds({ openedFrom: AT - 9 }), finds({ openedUntil: AT - 10 }), finds({ openedUntil: AT }, bare)]).toEqual([true, false, false, false])
  })

  it('bounds amounts, both ends included', () => {
    expect([finds({ cost: { atLeast: '0.00000005', atMost: 0.00000005 } }), finds({ cost: { atLeast: '0.00000006' } }), finds({ cost: { atMost: '0.00000004' } })]).toEqual([true, false, false])
    expect([finds({ estimatedCost: { atMost: 1 } }), finds({ estimatedCost: { atMost: 1 } }, bare), finds({ tokens: { atLeast: -3, atMost: -3 } }), finds({ tokens: { atLeast: -2 } })]).toEqual([true, false, true, false])
    expect(finds({ cost: { atLeast: 0 } }, { ...entry, microcents: -1 })).toBe(false)
  })

  it('finds by a text, one of several, or none', () => {
    expect([finds({ where: { tenant: 'acme' } }), finds({ where: { tenant: ['zen', 'acme'] } }), finds({ where: { tenant: 'zen' } }), finds({ where: { tenant: [] } })]).toEqual([true, true, false, false])
    expect([finds({ where: { tier: null } }), finds({ where: { tier: [null, 'pro'] } }), finds({ where: { tenant: null } }), finds({ where: { tenant: undefined } })]).toEqual([true, true, false, true])
    expect([finds({ where: { tenant: 'acme', 'metadata.yes': 'true' } }), finds({ where: { tenant: 'acme', 'metadata.yes': 'false' } })]).toEqual([true, false])
  })

  it('that says nothing is the one that finds everything', () => {
    for (const filter of [undefined, {}, { where: {} }, { from: undefined, cost: {}, where: { tier: undefined } }]) expect(parseFilter(filter)).toBe(ALL_ENTRIES)
  })

  it.each([
    ['since', { since: 1 }],
    ['from', { from: 'today' }],
    ['from', { from: new Date(Number.NaN) }],
    ['openedFrom', { openedFrom: -1e20 }],
    ['where', { where: [] }],
    ['where.user', { where: { user: 'ann' } }],
    ['where.metadata', { where: { metadata: 'p' } }],
    ['where.metadata.', { where: { 'metadata.': 'p' } }],
    ['where.tenant.x', { where: { 'tenant.x': 'p' } }],
    ['where.tenant', { where: { tenant: 5 } }],
    ['where.tenant.0', { where: { tenant: [true] } }],
    ['cost.atleast', { cost: { atleast: 1 } }],
    ['cost.atLeast', { cost: { atLeast: -1 } }],
    ['cost.atMost', { cost: { atMost: 'much' } }],
    ['cost.atMost', { cost: { atMost: '0.000000001' } }],
    ['tokens.atLeast', { tokens: { atLeast: 1.5 } }],
    ['tokens.atMost', { tokens: { atMost: 'many' } }],
  ])('names what is wrong with %s in %o', (field, filter) => {
    const head = field.split('.')[0] as string
    expect(() => parseFilter(filter as unknown as EntryFilter)).toThrow(expect.objectContaining({ name: expect.stringMatching(/^Invalid(Request|Amount)Error$/), message: expect.stringMatching(new RegExp(`filter.*${head}`)) }))
  })

  it.each([
    [{ where: { tenant: 5 } }, /^filter\.where\.tenant: 5 is refused .*Give a text, several, or null/],
    [{ where: { tenant: ['a', true] } }, /^filter\.where\.tenant\S*: (true|\["a",true\]) is refused/],
    [{ from: 'today' }, /^filter\.from: "today" is refused .*Give a Date/],
    [{ where: 5 }, /^filter\.where: 5 is refused .*by field/],
    [{ form: 5 }, /"form".*Use from, until/],
    [{ cost: { atLeast: Number.NaN } }, /^filter\.cost\.atLeast: NaN /],
    [{ where: { kind: 'setled' } }, /^filter\.where\.kind: "setled" .*Use settled, released, expired, recorded, corrected, denied, configured\.$/],
    [{ where: { kind: ['settled', null, ''] } }, /^filter\.where\.kind: "" /],
    [{ where: { action: 'block' } }, /^filter\.where\.action: "block" .*Use ALLOW, WARN, DEGRADE, BLOCK\.$/],
    [{ from: 5, until: 5 }, /^filter\.until: 1970-01-01T00:00:00\.005Z is not after filter\.from, 1970-01-01T00:00:00\.005Z\. Give an end that comes later/],
    [{ openedFrom: new Date(6), openedUntil: 5 }, /^filter\.openedUntil: .* is not after filter\.openedFrom/],
    [{ cost: { atLeast: 2, atMost: '1.99' } }, /^filter\.cost\.atMost: "1\.99" is less than filter\.cost\.atLeast, 2\. Give a bound/],
    [{ estimatedCost: { atLeast: '0.00000002', atMost: '0.00000001' } }, /^filter\.estimatedCost\.atMost: .* is less than filter\.estimatedCost\.atLeast/],
    [{ tokens: { atLeast: 2, atMost: 1 } }, /^filter\.tokens\.atMost: 1 is less than filter\.tokens\.atLeast, 2/],
  ])('says the value and what would be right: %j', (filter, message) => {
    expect(() => parseFilter(filter as unknown as EntryFilter)).toThrow(expect.objectContaining({ code: expect.stringMatching(/^INVALID_(REQUEST|AMOUNT)$/) as unknown, message: expect.stringMatching(message) as unknown }))
  })

  it('knows every kind and every action', () => {
    const kind = ['settled', 'released', 'expired', 'recorded', 'corrected', 'denied', 'configured']
    const action = ['ALLOW', 'WARN', 'DEGRADE', 'BLOCK']
    expect(parseFilter({ where: { kind, action: [...action, null] } }).fields.map(({ texts }) => texts)).toEqual([kind, action])
  })

  it.each([null, 5, 'tenant', []])('must be one: %o', (filter) => {
    expect(() => parseFilter(filter as never)).toThrow(expect.objectContaining({ code: 'INVALID_REQUEST' }))
  })
})

describe('a moment between two milliseconds', () => {
  it('lies after the lower one', () => {
    expect(parseFilter({ from: 1_000.5, until: 2_000.5 }).bounds).toEqual([{ field: 'at', least: 1_001, most: 2_000 }])
  })
})

describe('a field', () => {
  it.each(['tenant', 'metadata.a.b', 'scopes.team', 'labels.x', 'metadata..'])('can be %s', (name) => {
    expect(parseField(name)).toBe(name)
  })

  it.each(['', 'cost', 'metadata', 'metadata.', '.a', 'details.x', 'Tenant', 'constructor', null, 5])('cannot be %o', (name) => {
    expect(() => parseField(name, 'by')).toThrow(expect.objectContaining({ code: 'INVALID_REQUEST', message: expect.stringMatching(/^by: .* Use id, kind/) }))
  })
})
