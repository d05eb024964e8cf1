// The outbox and the sink that it is drained to: every ledger entry gets there once and in order, whatever fails on the way; without
// a sink it is bounded, and says when it has lost something.

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { LedgerEntry } from '../../../../src/index.js'
import type { RedisStore } from '../../../../src/store/redis/index.js'
import { Bench, MINUTE, SECOND, userOf, windowOf } from '../../../../src/testing/contract/kit.js'
import { until } from '../../../support/redis/index.js'
import { Ground, keyOf, TestSink, through } from './setting.js'

let ground: Ground
beforeAll(async () => void (ground = await Ground.open()))
afterAll(() => ground.close())

const ann = [userOf('ann', windowOf(1_000_000))]
const names = (entries: readonly LedgerEntry[]): string[] => entries.map(({ kind, decisionId }) => `${kind} ${decisionId}`)
const waiting = (prefix: string): Promise<number> => ground.client.xlen(keyOf(prefix, 'outbox'))

function denial(id: string, at: number): LedgerEntry {
  return { id: `${id}:denied`, kind: 'denied', at, decisionId: id, userId: 'ann', microcents: 0, tokens: 0, charged: [] }
}

async function listed(entries: AsyncIterable<LedgerEntry>): Promise<string[]> {
  const all: LedgerEntry[] = []
  for await (const entry of entries) all.push(entry)
  return names(all)
}

async function open(options: Parameters<Ground['store']>[1] = {}): Promise<{ bench: Bench; store: RedisStore; prefix: string }> {
  const prefix = ground.prefix()
  const bench = await Bench.at((clock) => ground.store(prefix, { storeClock: clock, ...options }))
  return { bench, store: bench.store as RedisStore, prefix }
}

describe('with a sink', () => {
  it('every entry is drained once and in order, and leaves the outbox', async () => {
    const sink = new TestSink()
    const { bench, prefix } = await open({ sink })
    const expected: string[] = []
    for (let index = 0; index < 1_200; index += 1) {
      const id = `s${String(index).padStart(4, '0')}`
      await bench.record(ann, { id, microcents: 1 })
      expected.push(`recorded ${id}`)
    }
    await bench.hold(ann, { id: 'freed', microcents: 5 })
    await bench.release({ id: 'freed' })
    await bench.hold(ann, { id: 'gone', microcents: 5, ttlMs: SECOND })
    bench.clock.advance(MINUTE)
    await bench.settle({ id: 'gone', microcents: 7 })
    expected.push('released freed', 'expired gone', 'corrected gone')
    expect(await listed(bench.store.ledger.entries())).toEqual(expected)
    expect(names(sink.handed)).toEqual(expected)
    expect(await waiting(prefix)).toBe(0)
  })

  it('it is drained by itself, soon after what was settled', async () => {
    const sink = new TestSink()
    const { bench, prefix } = await open({ sink })
    await bench.spend(ann, 'a', 5)
    await until('the entry is in the sink and has left the outbox', async () => sink.kept.length === 1 && (await waiting(prefix)) === 0)
    await bench.store.ledger.append(denial('d', bench.clock()))
    await until('the denial is in the sink', () => sink.kept.length === 2)
    expect(names(sink.kept)).toEqual(['settled a', 'denied d'])
  })

  it('close drains what is left', async () => {
    const sink = new TestSink()
    const { bench, prefix } = await open({ sink })
    for (const id of ['a', 'b']) await bench.spend(ann, id, 5)
    await bench.store.close()
    expect(names(sink.kept)).toEqual(['settled a', 'settled b'])
    expect(await waiting(prefix)).toBe(0)
  })

  it('nothing is lost, doubled or moved while the sink fails, and money goes on', async () => {
    const sink = new TestSink()
    const { bench, prefix } = await open({ sink, outboxCapacity: 1 })
    await bench.spend(ann, 'a', 5)
    expect(await listed(bench.store.ledger.entries())).toEqual(['settled a'])
    sink.fails = true
    for (const id of ['b', 'c', 'd']) await bench.spend(ann, id, 5)
    await expect(listed(bench.store.ledger.entries())).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', cause: { message: 'the disk is full' } })
    // A sink is told to be there: nothing is cut, whatever the capacity.
    expect(await waiting(prefix)).toBe(3)
    expect(await bench.counted(...ann)).toEqual([[20, 0]])
    sink.fails = false
    expect(await listed(bench.store.ledger.entries())).toEqual(['settled a', 'settled b', 'settled c', 'settled d'])
    expect(sink.handed).toHaveLength(4)
  })

  it('an entry that was written before the process died is kept once', async () => {
    const sink = new TestSink()
    const prefix = ground.prefix()
    let isDead = false
    const client = through(ground.client, async (command, args, send) => {
      if (isDead) throw new Error('Connection is closed.')
      return send(command, args)
    })
    const bench = await Bench.at((clock) => ground.store(prefix, { storeClock: clock, sink, client }))
    for (const id of ['a', 'b', 'c']) await bench.spend(ann, id, 5)
    sink.afterWrite = () => void (isDead = true)
    await expect(listed(bench.store.ledger.entries())).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    sink.afterWrite = () => {}
    expect(names(sink.kept)).toEqual(['settled a', 'settled b', 'settled c'])
    expect(await waiting(prefix)).toBe(3)

    const next = ground.store(prefix, { storeClock: bench.clock, sink })
    await next.record({ id: 'd', fingerprint: 'd', idGiven: true, scopes: ann, amounts: { microcents: 1, tokens: 0 }, facts: { user: { userId: 'ann' }, tier: 'free' } })
    expect(await listed(next.ledger.entries())).toEqual(['settled a', 'settled b', 'settled c', 'recorded d'])
    expect(names(sink.handed)).toEqual(['settled a', 'settled b', 'settled c', 'settled a', 'settled b', 'settled c', 'recorded d'])
    expect(await waiting(prefix)).toBe(0)
  })

  it('two processes that drain at once keep every entry once', async () => {
    const sink = new TestSink()
    const { bench, prefix, store } = await open({ sink })
    const other = ground.store(prefix, { storeClock: bench.clock, sink })
    const ids = Array.from({ length: 700 }, (_, index) => `id ${index}`)
    for (const id of ids) await bench.record(ann, { id, microcents: 1 })
    await Promise.all([listed(store.ledger.entries()), listed(other.ledger.entries()), listed(store.ledger.entries())])
    expect(names(sink.kept)).toEqual(ids.map((id) => `recorded ${id}`))
    expect(await waiting(prefix)).toBe(0)
  })

  it('the same id that was used again after it was forgotten is another entry', async () => {
    const sink = new TestSink()
    const { bench } = await open({ sink })
    for (let time = 0; time < 2; time += 1) {
      await bench.hold(ann, { id: 'again', microcents: 5, idGiven: false })
      await bench.settle({ id: 'again', microcents: 5 })
      bench.clock.advance(2 * MINUTE)
    }
    expect(await listed(bench.store.ledger.entries())).toEqual(['settled again', 'settled again'])
  })

  it('the ledger is complete, also of entries that have left the outbox', async () => {
    const sink = new TestSink()
    const { bench, store } = await open({ sink })
    await bench.spend(ann, 'a', 5)
    await listed(store.ledger.entries())
    await bench.spend(ann, 'b', 5)
    const snapshot = await store.auditor.snapshot()
    expect(snapshot.complete).toBe(true)
    bench.clock.advance(1)
    await bench.spend(ann, 'later', 5)
    expect(await listed(snapshot.entries())).toEqual(['settled a', 'settled b'])
  })

  it('the ledger is not complete where entries had been dropped before it was named', async () => {
    const { bench, prefix } = await open({ outboxCapacity: 50 })
    for (let index = 0; index < 400; index += 1) await bench.record(ann, { id: `id ${index}`, microcents: 1 })
    const later = ground.store(prefix, { storeClock: bench.clock, sink: new TestSink() })
    expect((await later.auditor.snapshot()).complete).toBe(false)
  })

  it('the ledger is complete where nothing had been dropped before it was named', async () => {
    const { bench, prefix } = await open()
    await bench.spend(ann, 'a', 5)
    const sink = new TestSink()
    const later = ground.store(prefix, { storeClock: bench.clock, sink })
    expect(await listed(later.ledger.entries())).toEqual(['settled a'])
    expect((await later.auditor.snapshot()).complete).toBe(true)
  })
})

describe('without a sink', () => {
  it('the outbox keeps about its capacity, the newest, and the audit says when something was dropped', async () => {
    const capacity = 200
    const { bench, store, prefix } = await open({ outboxCapacity: capacity })
    let index = 0
    const spendSome = async (times: number): Promise<void> => {
      for (const end = index + times; index < end; index += 1) await bench.record(ann, { id: `id ${index}`, microcents: 1 })
    }
    await spendSome(capacity)
    expect((await store.auditor.snapshot()).complete).toBe(true)
    await spendSome(1_000)
    expect((await store.auditor.snapshot()).complete).toBe(false)
    const kept = await listed(store.ledger.entries())
    // The server cuts whole nodes of a stream: 100 entries at a time.
    expect(kept.length).toBeGreaterThanOrEqual(capacity)
    expect(kept.length).toBeLessThan(capacity + 200)
    expect(kept).toEqual(Array.from({ length: kept.length }, (_, at) => `recorded id ${index - kept.length + at}`))
    expect(await waiting(prefix)).toBe(kept.length)
    // Sums go on beyond what is kept.
    expect(await store.ledger.totals()).toMatchObject({ microcents: index, entries: index })
  })

  it('a flood of denials pushes out no money, and stands in order', async () => {
    const capacity = 100
    const { bench, store } = await open({ outboxCapacity: capacity })
    await bench.spend(ann, 'first', 5)
    await store.ledger.append(denial('d', bench.clock()))
    await bench.spend(ann, 'second', 5)
    expect(await listed(store.ledger.entries())).toEqual(['settled first', 'denied d', 'settled second'])
    for (let index = 0; index < 1_000; index += 1) await store.ledger.append(denial(`d${index}`, bench.clock()))
    await bench.spend(ann, 'third', 5)
    await store.ledger.append(denial('last', bench.clock()))
    const kept = await listed(store.ledger.entries())
    expect(kept.filter((name) => name.startsWith('settled'))).toEqual(['settled first', 'settled second', 'settled third'])
    const denied = kept.slice(2, -2)
    expect(denied.length).toBeLessThan(capacity + 200)
    expect(denied).toEqual(Array.from({ length: denied.length }, (_, at) => `denied d${1_000 - denied.length + at}`))
    expect(kept.slice(-2)).toEqual(['settled third', 'denied last'])
    expect((await store.auditor.snapshot()).complete).toBe(true)
  })

  it('a denial before all money stands first', async () => {
    const { bench, store } = await open()
    await store.ledger.append(denial('d', bench.clock()))
    await bench.spend(ann, 'a', 5)
    expect(await listed(store.ledger.entries())).toEqual(['denied d', 'settled a'])
  })

  it('alerts take part in the outbox and are no entries', async () => {
    const { bench, store, prefix } = await open()
    const watched = [userOf('ann', windowOf(10, { alerts: [50, 80] }))]
    await bench.spend(watched, 'a', 9)
    expect(await waiting(prefix)).toBe(3)
    expect(await listed(store.ledger.entries())).toEqual(['settled a'])
    expect((await store.auditor.snapshot()).complete).toBe(true)
  })
})
