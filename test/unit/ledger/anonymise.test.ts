// Entries of which nobody can read whose they are: what is replaced, what stays, and what happens where the replacing fails.

import { describe, expect, it } from 'vitest'
import { anonymised, Bursar, memoryLedger, type AnonymisingOptions, type EntrySink, type LedgerEntry } from '../../../src/index.js'
import { sessionScope } from '../../../src/budget/index.js'
import { limitScope } from '../../../src/budget/index.js'
import { REDACTED } from '../../../src/ledger/index.js'
import { manualClock } from '../../../src/testing/index.js'
import { allOf } from '../setting.js'

const USER = 'ann/1@mail.test'
const hash = (text: string): string => `h${[...text].reduce((sum, letter) => (sum * 31 + (letter.codePointAt(0) as number)) % 1_000_003, 7)}`

const base: LedgerEntry = { id: 'd:settled', kind: 'settled', at: 5, decisionId: 'd', userId: USER, tenant: 'acme', microcents: 7, tokens: 3, charged: [], openedAt: 4 }

async function writtenBy(options: Partial<AnonymisingOptions>, ...entries: readonly Partial<LedgerEntry>[]): Promise<LedgerEntry[]> {
  const inner = memoryLedger()
  await anonymised(inner, { fields: ['userId'], using: hash, ...options }).write(entries.map((entry) => ({ ...base, ...entry })))
  return allOf(inner.entries())
}

const one = async (options: Partial<AnonymisingOptions>, entry: Partial<LedgerEntry>): Promise<LedgerEntry> => (await writtenBy(options, entry))[0] as LedgerEntry

describe('anonymised', () => {
  it('replaces a field and leaves what an entry is known and summed by', async () => {
    expect(await one({}, {})).toMatchObject({ ...base, userId: hash(USER) })
  })

  it('replaces a user in the scopes that the entry is charged to, as everywhere else', async () => {
    const charged = [{ kind: 'user', id: USER, tenant: 'acme' }, sessionScope({ userId: USER, tenant: 'acme' }, 'chat 1'), limitScope({ limitId: 'l/1', generation: 2, member: USER, tenant: 'acme' }), { kind: 'tenant', id: 'acme' }].map((scope) => ({ scope, window: 'w', startsAt: 0 }))
    const entry = await one({}, { charged, sessionId: 'chat 1' })
    expect(entry.charged.map(({ scope }) => scope)).toEqual([
      { kind: 'user', id: hash(USER), tenant: 'acme' },
      sessionScope({ userId: hash(USER), tenant: 'acme' }, 'chat 1'),
      limitScope({ limitId: 'l/1', generation: 2, member: hash(USER), tenant: 'acme' }),
      { kind: 'tenant', id: 'acme' },
    ])
  })

  it('replaces tenants, sessions and named scopes in the same way', async () => {
    const charged = [{ kind: 'user', id: USER, tenant: 'acme' }, sessionScope({ userId: USER, tenant: 'acme' }, 'chat'), { kind: 'tenant', id: 'acme' }, { kind: 'team', id: 'search' }, { kind: 'apiKey', id: 'k1' }].map((scope) => ({ scope, window: 'w', startsAt: 0 }))
    const entry = await one({ fields: ['tenant', 'sessionId', 'scopes.team'] }, { charged, sessionId: 'chat', scopes: { team: 'search', apiKey: 'k1' } })
    expect(entry).toMatchObject({ userId: USER, tenant: hash('acme'), sessionId: hash('chat'), scopes: { team: hash('search'), apiKey: 'k1' } })
    expect(entry.charged.map(({ scope }) => scope)).toEqual([
      { kind: 'user', id: USER, tenant: hash('acme') },
      sessionScope({ userId: USER, tenant: hash('acme') }, hash('chat')),
      { kind: 'tenant', id: hash('acme') },
      { kind: 'team', id: hash('search') },
      { kind: 'apiKey', id: 'k1' },
    ])
  })

  it('replaces metadata of every shape, and leaves what was not chosen', async () => {
    const entry = await one({ fields: ['metadata.email', 'metadata.person', 'metadata.number'] }, { metadata: { email: 'a@b.test', person: { name: 'Ann' }, number: 12, none: null, other: [1] } })
    expect(entry.metadata).toEqual({ email: hash('a@b.test'), person: hash('{"name":"Ann"}'), number: hash('12'), none: null, other: [1] })
  })

  it('replaces the word within other texts, and no part of a word', async () => {
    const metadata = { note: `for ${USER}, not for x${USER}`, deep: [{ [USER]: 1, at: `<${USER}>` }], target: { kind: 'user', id: USER, tenant: 'acme' } }
    const entry = await one({}, { reason: `refund: ${USER}`, sessionId: `${USER}-1`, metadata })
    const shown = hash(USER)
    expect(entry).toMatchObject({ reason: `refund: ${shown}`, sessionId: `${shown}-1` })
    expect(entry.metadata).toEqual({ note: `for ${shown}, not for x${USER}`, deep: [{ [shown]: 1, at: `<${shown}>` }], target: { kind: 'user', id: shown, tenant: 'acme' } })
  })

  it('leaves a tier and a model that are called like the user, and replaces them where they are chosen', async () => {
    const entry = { userId: 'pro', tier: 'pro', model: 'pro', requestedModel: 'max', rungs: [{ model: 'max', microcents: 1, tokens: 0 }] }
    expect(await one({}, entry)).toMatchObject({ userId: hash('pro'), tier: 'pro', model: 'pro', rungs: [{ model: 'max' }] })
    expect(await one({ fields: ['requestedModel'] }, entry)).toMatchObject({ userId: 'pro', requestedModel: hash('max'), model: hash('pro'), rungs: [{ model: hash('max') }] })
  })

  it('keeps an entry of nobody as one', async () => {
    expect(await one({ fields: ['userId', 'tenant'] }, { userId: '', tenant: undefined })).toMatchObject({ userId: '', microcents: 7 })
  })

  it.each<[string, () => unknown]>([
    ['throws', () => { throw new Error('no key') }],
    ['gives a promise', () => Promise.reject(new Error('late'))],
    ['gives nothing', () => undefined],
    ['gives an empty text', () => ''],
  ])('blacks a field out where the function %s, keeps the entry, and tells of it once for each write', async (_what, using) => {
    const failures: string[] = []
    const scope = { kind: 'user', id: USER, tenant: 'acme' }
    const entries = await writtenBy({ using: using as () => string, onFailure: (_error, field) => { failures.push(field); throw new Error('deaf') } }, { charged: [{ scope, window: 'w', startsAt: 0 }] }, { id: 'e:settled' })
    expect(entries.map(({ userId, microcents }) => [userId, microcents])).toEqual([[REDACTED, 7], [REDACTED, 7]])
    expect(JSON.stringify(entries)).not.toContain(USER)
    expect(failures).toEqual(['userId'])
  })

  it('says so where no audit can be made, and tells alerts only where no scope is hidden', () => {
    const sink: EntrySink = { ...memoryLedger(), write: () => {}, entries: () => allOf as never, announce: () => {} }
    const [hidden, open] = [anonymised(sink, { fields: ['userId'], using: hash }), anonymised(sink, { fields: ['metadata.email'], using: hash })]
    expect([hidden.isAnonymised, hidden.announce]).toEqual([true, undefined])
    expect([open.isAnonymised, typeof open.announce]).toEqual([undefined, 'function'])
  })

  it('reads what was written, by pages too', async () => {
    const sink = anonymised(memoryLedger(), { fields: ['userId'], using: hash })
    await sink.write([base])
    await sink.write([base])
    expect(await allOf(sink.entries())).toHaveLength(1)
    expect(await sink.page?.({ fields: [{ field: 'userId', texts: [hash(USER)], orNone: false }], bounds: [] }, 5)).toMatchObject({ entries: [{ userId: hash(USER) }] })
  })

  it.each([
    [{ fields: [] }, /fields/],
    [{ fields: ['id'] }, /known by their ids/],
    [{ fields: ['metadata.'] }, /cannot be replaced/],
    [{ fields: ['labels.x'] }, /cannot be replaced/],
    [{ using: 'sha256' }, /using/],
    [{ onFailure: 1 }, /onFailure/],
    [{ salt: 'x' }, /salt/],
  ])('refuses %j', (options, message) => {
    expect(() => anonymised(memoryLedger(), { fields: ['userId'], using: hash, ...options } as AnonymisingOptions)).toThrow(message)
  })

  it('leaves no trace of a user in all that an engine writes', async () => {
    const clock = manualClock()
    const bursar = new Bursar({ tiers: { free: { daily: 1, rolling: { '5h': 1 } } }, defaultTier: 'free', scopes: { team: { '*': { daily: 1 } } }, clock })
    const session = await bursar.session({ userId: USER, tenant: 'acme', id: 'chat', maxCost: 1 })
    const decision = await session.check({ model: 'm', estimatedCost: 0.1, scopes: { team: 'search' }, metadata: { email: 'a@b.test' } })
    if (!decision.allowed) throw new Error(decision.reason)
    await decision.settle({ cost: 0.1 })
    await bursar.check({ userId: USER, tenant: 'acme', estimatedCost: 5, metadata: { email: 'a@b.test' } })
    await bursar.tracker.refund({ userId: USER, tenant: 'acme', cost: 0.05, reason: `asked by ${USER}` })
    const sink = memoryLedger()
    await anonymised(sink, { fields: ['userId', 'tenant', 'sessionId', 'scopes.team', 'metadata.email'], using: hash }).write(await allOf(bursar.tracker.entries()))
    const text = JSON.stringify(await allOf(sink.entries()))
    expect(text).toContain(hash(USER))
    for (const plain of [USER, encodeURIComponent(USER), 'acme', 'chat', 'search', 'a@b.test']) expect(text).not.toContain(plain)
  })
})
