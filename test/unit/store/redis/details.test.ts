// How costs were found, in Redis: beside the entry in the outbox, as JSON that no script reads, read by every process and drained to
// the sink; and items of the outbox that have none.

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { CostDetails, LedgerEntry } from '../../../../src/ledger/index.js'
import type { RedisStore } from '../../../../src/store/redis/index.js'
import { sqliteLedger } from '../../../../src/store/sqlite/index.js'
import { Bench, entriesOf, MINUTE, SECOND, userOf, windowOf } from '../../../../src/testing/contract/kit.js'
import { allOf } from '../../setting.js'
import { Ground, keyOf, TestSink } from './setting.js'

let ground: Ground
beforeAll(async () => void (ground = await Ground.open()))
afterAll(() => ground.close())

const ann = [userOf('ann', windowOf(1_000))]
const facts = { user: { userId: 'ann' }, tier: 'free', model: 'large', provider: 'openai' }
const DETAILS: CostDetails = { priceVersion: '2026-01-15', estimated: true, usage: { inputTokens: 2 ** 53 - 1, outputTokens: 1e21 }, labels: { 'a"\0b': 2, 'grüße 🙂': 1 } }
const found = ({ kind, microcents, model, provider, details }: LedgerEntry): unknown[] => [kind, microcents, model, provider, details]

async function open(options: Parameters<Ground['store']>[1] = {}): Promise<{ bench: Bench; prefix: string }> {
  const prefix = ground.prefix()
  return { prefix, bench: await Bench.at((clock) => ground.store(prefix, { storeClock: clock, ...options })) }
}

/** One cost of each kind that has details, by the fast path of a settle and by the full story. */
async function spend(bench: Bench): Promise<unknown[][]> {
  await bench.hold(ann, { id: 'first', microcents: 10, facts })
  await bench.settle({ id: 'first', microcents: 1, details: DETAILS })
  await bench.hold(ann, { id: 'fast', microcents: 10, facts })
  await bench.settle({ id: 'fast', microcents: 4, provider: 'openai', details: DETAILS })
  await bench.hold(ann, { id: 'full', microcents: 10, facts })
  await bench.settle({ id: 'full', microcents: 5, model: 'small', provider: 'azure', details: DETAILS })
  await bench.hold(ann, { id: 'late', microcents: 10, ttlMs: SECOND, facts })
  bench.clock.advance(MINUTE)
  await bench.settle({ id: 'late', microcents: 11, provider: 'azure', details: DETAILS })
  await bench.record(ann, { id: 'recorded', microcents: 2, facts, details: DETAILS })
  await bench.refund({ id: 'r', microcents: 3, of: 'full' })
  return [
    ['settled', 1, 'large', 'openai', DETAILS], ['settled', 4, 'large', 'openai', DETAILS], ['settled', 5, 'small', 'azure', DETAILS], ['expired', 10, 'large', 'openai', undefined],
    ['corrected', 1, 'large', 'azure', DETAILS], ['recorded', 2, 'large', 'openai', DETAILS], ['corrected', -3, 'small', 'azure', undefined],
  ] // prettier-ignore
}

describe('how a cost was found', () => {
  it('is read by another process', async () => {
    const { bench, prefix } = await open()
    const expected = await spend(bench)
    const there = ground.store(prefix, { storeClock: bench.clock })
    expect((await allOf<LedgerEntry>(there.ledger.entries())).map(found)).toEqual(expected)
  })

  it('is drained to the sink, and kept there', async () => {
    const file = sqliteLedger({ path: ':memory:' })
    const { bench } = await open({ sink: file })
    const expected = await spend(bench)
    expect((await entriesOf(bench)).map(found)).toEqual(expected)
    expect((await allOf<LedgerEntry>(file.entries())).map(found)).toEqual(expected)
    file.close()
  })

  it('is missing where an item of the outbox has none, as of an earlier version, and nothing else is', async () => {
    const { bench, prefix } = await open()
    const expected = await spend(bench)
    const outbox = keyOf(prefix, 'outbox')
    const items = await ground.client.xrangeBuffer(outbox, '-', '+')
    await ground.client.del(outbox)
    for (const [id, fields] of items) await ground.client.xadd(outbox, id, 'e', fields[1] as Buffer)
    expect((await entriesOf(bench)).map(found)).toEqual(expected.map((entry) => [...entry.slice(0, 4), undefined]))
    await bench.refund({ id: 'another', microcents: 1, of: 'fast' })
    expect((await entriesOf(bench)).slice(-1).map(found)).toEqual([['corrected', -1, 'large', 'openai', undefined]])
  })

  it('is in its place among entries without money, which have another second field', async () => {
    const { bench } = await open()
    await spend(bench)
    await bench.store.ledger.append({ id: 'd:denied', kind: 'denied', at: bench.clock(), decisionId: 'd', userId: 'ann', microcents: 0, tokens: 0, charged: [] })
    await bench.record(ann, { id: 'last', microcents: 1, facts, details: DETAILS })
    expect((await entriesOf(bench)).slice(-3).map(({ kind, details }) => [kind, details])).toEqual([['corrected', undefined], ['denied', undefined], ['recorded', DETAILS]])
  })

  it("is no part of what is remembered, and another's provider does not change what a repeat is compared with", async () => {
    const { bench, prefix } = await open({ sink: new TestSink() })
    await spend(bench)
    await (bench.store as RedisStore).ledger.totals()
    for (const id of ['first', 'fast', 'full', 'late', 'recorded']) {
      const hold = await ground.client.hgetBuffer(keyOf(prefix, 'state'), `h${id}`)
      expect(hold?.includes('2026-01-15'), id).toBe(false)
    }
    expect(await bench.hold(ann, { id: 'full', microcents: 10, facts })).toMatchObject({ replay: { state: 'settled', facts } })
    expect(await bench.reserve(ann, { id: 'full', microcents: 10, facts, fingerprint: 'others' })).toEqual({ outcome: 'id-reused' })
    expect(await bench.settle({ id: 'full', microcents: 5 })).toMatchObject({ replayed: true })
    expect(await bench.extend({ id: 'full', ttlMs: 1 })).toEqual({ outcome: 'already-ended', state: 'settled' })
  })
})
