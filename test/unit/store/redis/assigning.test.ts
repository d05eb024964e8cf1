// Spend assigned to clients on Redis: by several processes at once, over a line that loses replies, where tenants are kept apart, and only
// where a sink keeps everything.

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { anonymised, Bursar, memoryLedger } from '../../../../src/index.js'
import type { EntrySink } from '../../../../src/store/index.js'
import type { RedisStore, RedisStoreOptions } from '../../../../src/store/redis/index.js'
import { allOf } from '../../setting.js'
import { Ground, TestSink, through } from './setting.js'

let ground: Ground
beforeAll(async () => void (ground = await Ground.open()))
afterAll(() => ground.close())

function opened(prefix: string, options: Omit<RedisStoreOptions, 'url' | 'prefix'>): Bursar & { readonly store: RedisStore } {
  const store = ground.store(prefix, options)
  return Object.assign(new Bursar({ tiers: { free: {} }, defaultTier: 'free', store }), { store })
}

async function spend({ tracker }: Bursar, count: number): Promise<void> {
  for (let index = 0; index < count; index += 1) await tracker.addCost({ userId: `u${index % 3}`, model: 'm', cost: 1 })
}

const clients = async ({ tracker }: Bursar) => (await tracker.reports.byClient().all()).map(({ client, calls, cost }) => [client, calls, cost])

describe.each(['all', 'tenant'] as const)("assigning spend on Redis with partition: '%s'", (partition) => {
  it('books nothing twice from two processes at once, and changes no total and no audit', async () => {
    const [prefix, sink] = [ground.prefix(), new TestSink()]
    const other = ground.redis.client()
    const [one, two] = [opened(prefix, { partition, sink }), opened(prefix, { partition, sink, client: other })]
    await spend(one, 20)
    const before = await one.store.ledger.totals()
    const runs = await Promise.all([one.tracker.ledger.assign({}, { tenant: 'acme' }), two.tracker.ledger.assign({}, { tenant: 'zen' })])
    expect(runs.map(({ assigned }) => assigned).sort((a, b) => a - b)).toEqual([0, 20])
    expect(await clients(one)).toEqual([[runs[0].assigned === 20 ? 'acme' : 'zen', 20, 20]])
    expect(await two.store.ledger.totals()).toEqual(before)
    expect(await one.tracker.audit()).toMatchObject({ status: 'clean' })
    await Promise.all([one.store.close(), two.store.close()])
    await other.quit()
  })

  it('books a batch once that is sent again', async () => {
    let again = 0
    const client = through(ground.client, async (command, args, send) => {
      if (!args.some((arg) => Buffer.isBuffer(arg) && arg.includes('assigned'))) return send(command, args)
      again += 1
      await send(command, args)
      return send(command, args)
    })
    const bursar = opened(ground.prefix(), { partition, sink: new TestSink(), client })
    await spend(bursar, 10)
    expect(await bursar.tracker.ledger.assign({}, { tenant: 'acme' })).toMatchObject({ assigned: 10, cost: 10 })
    expect(again).toBeGreaterThan(0)
    expect(await clients(bursar)).toEqual([['acme', 10, 10]])
  })

  it('is found by the next run where a reply was lost for good', async () => {
    let isLost = false
    const client = through(ground.client, async (command, args, send) => {
      const reply = await send(command, args)
      if (isLost || !args.some((arg) => Buffer.isBuffer(arg) && arg.includes('assigned'))) return reply
      isLost = true
      throw new Error('the connection is gone')
    })
    const bursar = opened(ground.prefix(), { partition, sink: new TestSink(), client })
    await spend(bursar, 10)
    await expect(bursar.tracker.ledger.assign({}, { tenant: 'acme' })).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    expect(await bursar.tracker.ledger.assign({}, { tenant: 'zen' })).toMatchObject({ assigned: 0 })
    expect(await clients(bursar)).toEqual([['acme', 10, 10]])
  })

  it.each<readonly [string, () => EntrySink | undefined]>([
    ['without a sink', () => undefined],
    ['with a sink that forgets', () => memoryLedger({ max: 1_000 })],
    ['with a sink that hides whose entries are', () => anonymised(new TestSink(), { fields: ['userId'], using: (text) => `x${text.length}` })],
  ])('is refused %s, and writes nothing', async (_which, sinkOf) => {
    const sink = sinkOf()
    const bursar = opened(ground.prefix(), { partition, ...(sink !== undefined && { sink }) })
    await spend(bursar, 3)
    const before = await allOf(bursar.tracker.entries())
    await expect(bursar.tracker.ledger.assign({}, { tenant: 'acme' })).rejects.toMatchObject({ code: 'INVALID_CONFIG' })
    expect(await allOf(bursar.tracker.entries())).toEqual(before)
  })
})

describe('a forecast on Redis', () => {
  it('says that the ledger does not tell whose spend it is, where the sink hides that', async () => {
    const sink = anonymised(anonymised(new TestSink(), { fields: ['userId'], using: (text) => `x${text.length}` }), { fields: ['model'], using: () => 'm' })
    const bursar = opened(ground.prefix(), { sink })
    await spend(bursar, 3)
    expect(await bursar.tracker.forecast('u0')).toMatchObject({ enough: false, reason: 'hidden' })
    expect(await bursar.tracker.forecast({ scope: { kind: 'global' } })).not.toMatchObject({ reason: 'hidden' })
    const plain = opened(ground.prefix(), { sink: new TestSink() })
    expect(await plain.tracker.forecast('u0')).not.toMatchObject({ reason: 'hidden' })
  })
})
