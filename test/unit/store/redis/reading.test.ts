// The Redis ledger read by pages and in sums: from its two streams, of which either may be cut, from a sink, and from all data sets
// where tenants are kept apart; and what a data set of the version before has to say.

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { audit } from '../../../../src/audit/index.js'
import type { LedgerEntry } from '../../../../src/index.js'
import { ALL_ENTRIES, pageOf, parseFilter, sumsOf, type Conditions, type EntrySource } from '../../../../src/ledger/index.js'
import { memoryLedger } from '../../../../src/store/memory/index.js'
import { unpackEntry } from '../../../../src/store/redis/entries.js'
import { unpackHold } from '../../../../src/store/redis/holds.js'
import type { RedisStore } from '../../../../src/store/redis/index.js'
import { Unpacker } from '../../../../src/store/redis/packing.js'
import { Bench, SECOND, userOf, windowOf } from '../../../../src/testing/contract/kit.js'
import { allOf } from '../../setting.js'
import { Ground, keyOf, reserveOf, TestSink, through } from './setting.js'

let ground: Ground
beforeAll(async () => void (ground = await Ground.open()))
afterAll(() => ground.close())

const ann = [userOf('ann', windowOf(1_000_000))]
const name = ({ kind, decisionId }: LedgerEntry): string => `${kind} ${decisionId}`
const newId = (): string => crypto.randomUUID()

function denial(id: string, more: Partial<LedgerEntry> = {}): LedgerEntry {
  return { id: `${id}:denied`, kind: 'denied', at: 0, decisionId: id, userId: 'ann', microcents: 0, tokens: 0, charged: [], ...more }
}

async function open(options: Parameters<Ground['store']>[1] = {}): Promise<{ bench: Bench; store: RedisStore; prefix: string }> {
  const prefix = ground.prefix()
  const bench = await Bench.at((clock) => ground.store(prefix, { storeClock: clock, ...options }))
  return { bench, store: bench.store as RedisStore, prefix }
}

async function byPages(source: EntrySource, conditions: Conditions = ALL_ENTRIES, limit = 2, between: (read: number) => Promise<void> | void = () => {}): Promise<string[]> {
  const names: string[] = []
  for (let after: string | undefined; ; ) {
    const { entries, next } = await pageOf(source, conditions, limit, after)
    names.push(...entries.map(name))
    if (next === undefined) return names
    after = next
    await between(names.length)
  }
}

describe('entries that are appended', () => {
  it('are sent by one script, however many', async () => {
    const sent: string[] = []
    const client = through(ground.client, (command, args, send) => {
      sent.push(command)
      return send(command, args)
    })
    const { store } = await open({ client })
    await store.ledger.append(denial('first'))
    sent.length = 0
    await store.ledger.append(...Array.from({ length: 300 }, (_, index) => denial(`d${index}`)))
    expect(sent).toEqual(['EVALSHA'])
    expect(await byPages(store.ledger, ALL_ENTRIES, 100)).toEqual(['denied first', ...Array.from({ length: 300 }, (_, index) => `denied d${index}`)])
  })

  it('are all there or none', async () => {
    const { store, prefix } = await open()
    const endless: Record<string, unknown> = {}
    endless['itself'] = endless
    await expect(store.ledger.append(denial('a'), denial('b', { metadata: endless }))).rejects.toThrow(TypeError)
    expect(await allOf(store.ledger.entries())).toEqual([])
    const notes = keyOf(prefix, 'notes')
    await ground.client.set(notes, 'of somebody else')
    await expect(store.ledger.append(denial('a'), denial('b'))).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    await ground.client.del(notes)
    await store.ledger.append(denial('c'), denial('d'))
    expect((await allOf<LedgerEntry>(store.ledger.entries())).map(name)).toEqual(['denied c', 'denied d'])
  })

  it('are kept up to about the capacity where there is no sink', async () => {
    const { store } = await open({ outboxCapacity: 100 })
    await store.ledger.append(...Array.from({ length: 1_000 }, (_, index) => denial(`d${index}`)))
    const kept = (await allOf<LedgerEntry>(store.ledger.entries())).map(name)
    expect(kept.length).toBeLessThan(300)
    expect(kept).toEqual(Array.from({ length: kept.length }, (_, at) => `denied d${1_000 - kept.length + at}`))
  })
})

describe('pages without a sink', () => {
  it('go on where they ended when either stream was cut, and nothing comes twice', async () => {
    const { bench, store } = await open({ outboxCapacity: 100 })
    const write = async (from: number, to: number): Promise<void> => {
      for (let index = from; index < to; index += 1) {
        await bench.record(ann, { id: `m${index}`, microcents: 1 })
        if (index % 2 === 0) await store.ledger.append(denial(`n${index}`))
      }
    }
    await write(0, 60)
    let next = 60
    const read = await byPages(store.ledger, ALL_ENTRIES, 20, async (count) => {
      // First denials alone are cut, what they had come after is not.
      if (count === 40) await store.ledger.append(...Array.from({ length: 500 }, (_, index) => denial(`flood ${index}`)))
      if (count === 60) await write(next, (next = 360))
    })
    expect(new Set(read).size).toBe(read.length)
    const kept = (await allOf<LedgerEntry>(store.ledger.entries())).map(name)
    expect(kept.filter((each) => !read.includes(each))).toEqual([])
    const money = read.filter((each) => each.startsWith('recorded')).map((each) => Number(each.slice('recorded m'.length)))
    expect(money).toEqual([...money].sort((a, b) => a - b))
    expect(read.slice(0, 40)).toEqual(expect.arrayContaining(['recorded m0', 'denied n0', 'recorded m1']))
  })

  it('are longer than what is read of a stream at once', async () => {
    const { bench, store } = await open()
    for (let index = 0; index < 1_100; index += 1) await bench.record(ann, { id: `m${index}`, microcents: 1 })
    await store.ledger.append(denial('last'))
    const expected = [...Array.from({ length: 1_100 }, (_, index) => `recorded m${index}`), 'denied last']
    for (const limit of [499, 500, 501, 2_000]) expect(await byPages(store.ledger, ALL_ENTRIES, limit), String(limit)).toEqual(expected)
    expect(await byPages(store.ledger, parseFilter({ where: { decisionId: ['m499', 'm500', 'm1000'] } }), 1)).toEqual(['recorded m499', 'recorded m500', 'recorded m1000'])
  })

  it('pass over alerts', async () => {
    const { bench, store } = await open()
    const watched = [userOf('ann', windowOf(10, { alerts: [10, 20, 50, 80] }))]
    for (const id of ['a', 'b', 'c']) await bench.spend(watched, id, 3)
    expect(await byPages(store.ledger, ALL_ENTRIES, 1)).toEqual(['settled a', 'settled b', 'settled c'])
  })
})

describe('with a sink', () => {
  it('pages and sums are those of the sink, with what was not drained yet, also where it has no way of its own', async () => {
    for (const sink of [new TestSink(), memoryLedger()]) {
      const { bench, store } = await open({ sink })
      for (const id of ['a', 'b', 'c']) await bench.spend(ann, id, 5, 2)
      await store.ledger.append(denial('n'), denial('o'))
      const read = await byPages(store.ledger, ALL_ENTRIES, 2, async (count) => {
        if (count === 4) await bench.spend(ann, 'd', 5, 2)
      })
      expect(read).toEqual(['settled a', 'settled b', 'settled c', 'denied n', 'denied o', 'settled d'])
      await bench.spend(ann, 'e', 5, 2)
      expect(await sumsOf(store.ledger, parseFilter({ where: { userId: 'ann' } }), ['kind'])).toEqual([
        { bucket: 0, texts: ['settled'], entries: 5, calls: 5, denials: 0, tokens: 10n, microcents: 25n },
        { bucket: 0, texts: ['denied'], entries: 2, calls: 0, denials: 2, tokens: 0n, microcents: 0n },
      ])
    }
  })

  it('entries get there in the order of writing, those without money among the others', async () => {
    const sink = new TestSink()
    const { bench, store } = await open({ sink })
    const expected: string[] = []
    for (let index = 0; index < 700; index += 1) {
      await bench.record(ann, { id: `m${index}`, microcents: 1 })
      expected.push(`recorded m${index}`)
      if (index % 100 !== 50) continue
      await store.ledger.append(denial(`n${index}`), denial(`o${index}`))
      expected.push(`denied n${index}`, `denied o${index}`)
    }
    await allOf(store.ledger.entries())
    // What was drained meanwhile was drained in order, too.
    expect(sink.kept.map(name)).toEqual(expected)
    expect(sink.handed).toHaveLength(expected.length)
  })

  it.each([
    ['is anonymised', Object.assign(new TestSink(), { isAnonymised: true })],
    ['keeps the newest alone', memoryLedger()],
  ])('that %s no audit can be made, and no repair', async (_what, sink) => {
    const { bench, store } = await open({ sink })
    for (const id of ['a', 'b']) await bench.spend(ann, id, 5)
    expect(await audit(store, {}, newId)).toMatchObject({ status: 'incomplete', differences: [] })
    await store.auditor.correct([{ scope: { kind: 'user', id: 'ann' }, window: 'daily/usd', startsAt: Date.UTC(2026, 0, 15), spent: 5, held: 0, entries: 0 }])
    await expect(audit(store, { repair: 'counters' }, newId)).rejects.toMatchObject({ code: 'INVALID_REQUEST' })
    expect(await bench.counted(...ann)).toEqual([[15, 0]])
  })

  it('that keeps everything as it was, an audit can be made', async () => {
    const { bench, store } = await open({ sink: Object.assign(new TestSink(), { isAnonymised: false }) })
    await bench.spend(ann, 'a', 5)
    expect(await audit(store, {}, newId)).toMatchObject({ status: 'clean' })
  })
})

describe('where tenants are kept apart', () => {
  const TENANTS = ['acme', 'zen', 'globex']

  async function spend(store: RedisStore, id: string, tenant: string): Promise<void> {
    const user = { userId: 'ann', tenant }
    const scope = { scope: { kind: 'user', id: 'ann', tenant }, key: `user/${tenant}/ann`, windows: [windowOf(1_000)] }
    expect((await store.reserve(reserveOf(id, [scope], { facts: { user, tier: 'free', model: 'large' } }))).outcome).toBe('admitted')
    expect((await store.settle({ id, microcents: 5 })).outcome).toBe('settled')
  }

  it.each([['without a sink', undefined], ['with one', new TestSink()]])('pages give each entry once %s, whoever is written to meanwhile', async (_what, sink) => {
    const { bench, store } = await open({ partition: 'tenant', ...(sink && { sink }) })
    for (let index = 0; index < 9; index += 1) {
      await spend(store, `a${index}`, TENANTS[index % 3] as string)
      bench.clock.advance(SECOND)
    }
    const read = await byPages(store.ledger, parseFilter({ where: { tenant: ['acme', 'globex', null] } }), 2, async (count) => {
      if (count > 4) return
      // The times are those of entries that were not read yet, and of ones that were.
      for (const tenant of TENANTS) await spend(store, `b${count} ${tenant}`, tenant)
      await store.ledger.append(denial(`n${count}`, { at: bench.clock() }))
    })
    const all = (await allOf<LedgerEntry>(store.ledger.entries())).filter(({ tenant }) => tenant !== 'zen').map(name)
    expect(all).toHaveLength(6 + 4 + 2)
    expect([...read].sort()).toEqual([...all].sort())
  })

  it('what is appended at once for two tenants is read, and changes no audit', async () => {
    const { store } = await open({ partition: 'tenant' })
    await spend(store, 'a', 'acme')
    const moved = { kind: 'corrected', at: 1, decisionId: 'a', userId: 'ann', reason: 'assigned', charged: [] } as const
    await store.ledger.append({ ...moved, id: 'from', microcents: -5, tokens: 0, calls: -1 }, { ...moved, id: 'to', tenant: 'zen', microcents: 5, tokens: 0, calls: 1 })
    const sums = await sumsOf(store.ledger, parseFilter({ where: { reason: 'assigned' } }), ['tenant'])
    expect(sums.map(({ texts: [tenant], calls, microcents }) => [tenant, calls, microcents])).toEqual([[undefined, -1, -5n], ['zen', 1, 5n]])
    expect(await audit(store, {}, newId)).toMatchObject({ status: 'clean' })
  })

  it('entries that no longer say whose they were do not make a tenant look lost', async () => {
    const sink = Object.assign(new TestSink(), { isAnonymised: true })
    const before = await open({ partition: 'tenant', sink })
    await spend(before.store, 'a', 'acme')
    await before.store.close()
    expect(sink.kept).toHaveLength(1)
    const renamed = sink.kept.map((entry) => ({ ...entry, tenant: 'zen' }))
    sink.kept.splice(0, 1, ...renamed)
    const later = ground.store(before.prefix, { partition: 'tenant', sink, storeClock: before.bench.clock })
    await spend(later, 'b', 'zen')
  })
})

describe('what the version before has written', () => {
  // A hold of ann's for two rungs with a session and metadata, then settled: as they stood in the state and in the outbox.
  const FACTS = '6300000066726565006f70656e616900757365722f2f616e6e00076c61726765007b22636865617065724d6f64656c73223a5b22736d616c6c225d2c2273657373696f6e4964223a2273222c226d65746164617461223a7b2270726f6a656374223a2270227d7d'
  const STATIC = `00de86c19b010000000a000000000000020000000000009d1fdda3a85d6dfc${FACTS}020a0000000000000200000000000004000000000000010000000000001a00010900757365722f2f616e6e0100e90300000000000000000000000000000000000000000000000000b0f3be9b0100000c1ac49b0100`
  const HOLD = `0003c00590c19b0100${STATIC}`
  const ITEM = `650100de86c19b01000700000000000000030000000000000000de86c19b010000de86c19b010000000100610103c00590c19b010000de86c19b010007000000000000030000000000000000000000000000000000000000000000000000000000${STATIC}`
  const facts = { user: { userId: 'ann' }, tier: 'free', provider: 'openai', model: 'large', cheaperModels: ['small'], sessionId: 's', metadata: { project: 'p' } }
  const rungs = [{ microcents: 10, tokens: 2 }, { microcents: 4, tokens: 1 }]

  it('is read as a hold without scopes', () => {
    expect(unpackHold(new Unpacker(Buffer.from(HOLD, 'hex')))).toMatchObject({ state: 'open', facts, rungs, held: rungs[0] })
  })

  it('is read as an entry that says of its rungs what it knows', () => {
    const entry = unpackEntry(Buffer.from(ITEM, 'hex'))
    expect(entry).toMatchObject({ kind: 'settled', decisionId: 'a', microcents: 7, tokens: 3, estimatedMicrocents: 10, estimatedTokens: 2, sessionId: 's', metadata: { project: 'p' } })
    expect(entry?.rungs).toEqual([{ model: 'large', ...rungs[0] }, { model: 'small', ...rungs[1] }])
    expect(entry?.scopes).toBeUndefined()
  })

  it('is settled, and says the same in the ledger', async () => {
    const { bench, store, prefix } = await open()
    await bench.hold(ann, { id: 'a', rungs, facts })
    const state = keyOf(prefix, 'state')
    const written = (await ground.client.hgetBuffer(state, 'ha')) as Buffer
    // The facts are the same to the byte: a process of either version may have written them.
    expect(written.toString('hex')).toContain(FACTS)
    await bench.settle({ id: 'a', microcents: 7 })
    expect(await allOf<LedgerEntry>(store.ledger.entries())).toMatchObject([{ rungs: [{ model: 'large' }, { model: 'small' }], estimatedTokens: 2 }])
  })
})
