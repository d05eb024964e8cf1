// Spend that is booked to a client behind an anonymiser: the pair stands where its entry stands, and nothing is replaced twice.

import { expect, it } from 'vitest'
import { anonymised, memoryLedger, Reports, type AnonymisableField, type EntrySink, type LedgerEntry } from '../../../src/index.js'
import { REDACTED } from '../../../src/ledger/index.js'
import { LedgerBook } from '../../../src/tracker/ledger-book.js'
import { allOf } from '../setting.js'

const using = (text: string): string => `anon(${text.length}${text.at(-1)})`
const FIELDS: readonly AnonymisableField[] = ['userId', 'tenant', 'sessionId', 'model', 'tier', 'scopes.team', 'metadata.project', 'reason']
const spent: LedgerEntry = {
  id: 'd:settled', kind: 'settled', at: 5, openedAt: 4, decisionId: 'd', userId: 'ada', tier: 'pro', sessionId: 'chat', scopes: { team: 'search' }, requestedModel: 'big', model: 'small',
  microcents: 7, tokens: 3, charged: [], metadata: { project: 'apollo', note: 'ada@search' },
} // prettier-ignore

/** The book of a store that keeps its entries in a sink. */
function bookOn(sink: EntrySink): LedgerBook {
  const auditor = { standing: () => ({ repairs: 0, room: Infinity, isAnonymised: false }), append: async (entries: readonly LedgerEntry[]) => { await sink.write(entries); return true } }
  return new LedgerBook({ name: 'test', ledger: { entries: () => sink.entries() }, auditor } as unknown as ConstructorParameters<typeof LedgerBook>[0])
}

const reasons = async (sink: EntrySink): Promise<unknown[]> => (await allOf(sink.entries())).flatMap(({ details }) => details?.assignment?.reason ?? [])

/** A sink that keeps the keys of objects in an order of its own, as a database does. */
function sorting(inner: EntrySink): EntrySink {
  return { write: (entries) => inner.write(entries.map((entry) => ({ ...entry, metadata: entry.metadata && Object.fromEntries(Object.entries(entry.metadata).sort(([one], [other]) => (one < other ? 1 : -1))) }))), entries: () => inner.entries() }
}

it.each([['plainly', (inner: EntrySink) => inner], ['in its own order', sorting]])('stands in the groups of the entry that it was made of, in a sink that keeps it %s', async (_how, kept) => {
  const inner = memoryLedger()
  const sink = anonymised(kept(inner), { fields: FIELDS, using })
  await sink.write([spent, { ...spent, id: 'e:settled', microcents: 2 }])
  expect(await bookOn(sink).assign({}, { tenant: 'acme', reason: 'asked by acme' })).toMatchObject({ assigned: 2 })
  const rows = await new Reports(inner).summary({ by: ['userId', 'sessionId', 'tier', 'requestedModel', 'model', 'scopes.team', 'metadata.project', 'metadata.note', 'tenant'] }).all()
  const shown = { userId: using('ada'), sessionId: using('chat'), tier: using('pro'), requestedModel: using('big'), model: using('small'), 'scopes.team': using('search'), 'metadata.project': using('apollo') }
  expect(rows).toHaveLength(2)
  expect(rows).toEqual(expect.arrayContaining([
    expect.objectContaining({ ...shown, calls: 0, exact: { microcents: 0n, tokens: 0n } }),
    expect.objectContaining({ ...shown, tenant: using('acme'), calls: 2, exact: { microcents: 9n, tokens: 6n } }),
  ])) // prettier-ignore
  expect(await reasons(inner)).toEqual(Array.from({ length: 4 }, () => using('asked by acme')))
  expect(await bookOn(sink).assign({}, { tenant: 'acme' })).toMatchObject({ assigned: 0 })
})

it('says why without the client, in both entries of a pair, and hides it where the client is not known', async () => {
  const inner = memoryLedger()
  const sink = anonymised(inner, { fields: ['tenant'], using })
  await sink.write([spent])
  const pair: LedgerEntry[] = []
  await bookOn({ write: (entries) => void pair.push(...entries), entries: () => inner.entries() }).assign({}, { tenant: 'acme', reason: 'found to be Acme' })
  await sink.write(pair)
  expect(await reasons(inner)).toEqual([`found to be ${using('acme')}`, `found to be ${using('acme')}`])
  const [from] = pair as [LedgerEntry]
  const other = anonymised(memoryLedger(), { fields: ['tenant'], using })
  await other.write([from])
  expect(await reasons(other)).toEqual([REDACTED])
})

it('is replaced as a whole where it comes from a ledger in which nothing was', async () => {
  const plain = memoryLedger()
  plain.write([spent])
  await bookOn(plain).assign({}, { tenant: 'acme' })
  const all = await allOf(plain.entries())
  for (const batches of [[all], all.map((entry) => [entry])]) {
    const inner = memoryLedger()
    const sink = anonymised(inner, { fields: FIELDS, using })
    for (const batch of batches) await sink.write(batch)
    const entries = await allOf(inner.entries())
    expect(entries).toHaveLength(3)
    for (const entry of entries) expect(entry).toMatchObject({ userId: using('ada'), sessionId: using('chat'), metadata: { project: using('apollo') } })
    expect(JSON.stringify(entries)).not.toMatch(/"ada|acme|chat|apollo|small/)
  }
})

it('that is written again stays as it is', async () => {
  const inner = memoryLedger()
  const sink = anonymised(inner, { fields: FIELDS, using })
  await sink.write([spent])
  const written: LedgerEntry[] = []
  await bookOn({ ...sink, write: (entries) => { written.push(...entries); return sink.write(entries) } }).assign({}, { tenant: 'acme' })
  const before = await allOf(inner.entries())
  await sink.write(written)
  expect(await allOf(inner.entries())).toEqual(before)
})
