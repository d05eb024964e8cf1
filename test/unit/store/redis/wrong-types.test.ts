// A key that holds something else, and a server that has forgotten the scripts: a typed error or nothing at all, and never half a change.

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ScopeTerms, Store } from '../../../../src/index.js'
import { isBursarError } from '../../../../src/index.js'
import { Bench, MINUTE, SECOND, userOf, windowOf } from '../../../../src/testing/contract/kit.js'
import { startRedis, type RedisServer } from '../../../support/redis/index.js'
import { Ground, KEY_NAMES, keyOf, reserveOf, type KeyName } from './setting.js'

let ground: Ground
beforeAll(async () => void (ground = await Ground.open()))
afterAll(() => ground.close())

const ann = [userOf('ann', windowOf(1_000, { alerts: [1, 50] }))]
const facts = { user: { userId: 'ann' }, tier: 'free' }

const OPERATIONS: Readonly<Record<string, (store: Store) => unknown>> = {
  'a reserve by the fast path': (store) => store.reserve(reserveOf('x', ann)),
  'a reserve of a new scope': (store) => store.reserve(reserveOf('x', [...ann, userOf('bob', windowOf(5))])),
  'a reserve that is due before others': (store) => store.reserve(reserveOf('x', ann, { ttlMs: 1 })),
  'a settle by the fast path': (store) => store.settle({ id: 'open', microcents: 1 }),
  'a settle that announces': (store) => store.settle({ id: 'open', microcents: 700 }),
  'a settle of a generated id': (store) => store.settle({ id: 'generated', microcents: 1 }),
  'a release': (store) => store.release({ id: 'open' }),
  'a tombstone': (store) => store.release({ id: 'nobody', tombstone: true }),
  'an extend': (store) => store.extend({ id: 'open', ttlMs: 20 * MINUTE }),
  'a record': (store) => store.record({ id: 'x', fingerprint: 'x', idGiven: true, scopes: ann, amounts: { microcents: 1, tokens: 0 }, facts }),
  'a record that announces': (store) => store.record({ id: 'x', fingerprint: 'x', idGiven: false, scopes: ann, amounts: { microcents: 700, tokens: 0 }, facts }),
  'a refund': (store) => store.refund({ id: 'r', fingerprint: 'r', user: { userId: 'ann' }, microcents: 3 }),
  'a named refund': (store) => store.refund({ id: 'r', fingerprint: 'r', user: { userId: 'ann' }, microcents: 3, of: 'spent' }),
  'a read': (store) => store.read(ann),
  'a restart': (store) => store.restart({ ...(ann[0] as ScopeTerms), since: Number.MAX_SAFE_INTEGER }),
  'a shared fact': (store) => store.registry.put('fact', 'a', 'x', { expected: 0, ttlMs: SECOND }),
  'a denial': (store) => store.ledger.append({ id: 'd:denied', kind: 'denied', at: 1, decisionId: 'd', userId: 'ann', microcents: 0, tokens: 0, charged: [] }),
  'a change of the directory': (store) => store.directory.change({ userId: 'bob' }, { tier: 'pro' }),
  'a snapshot': (store) => store.auditor?.snapshot(),
  'the sum of the ledger': (store) => store.ledger.totals(),
}
const CASES = KEY_NAMES.flatMap((name) => Object.keys(OPERATIONS).map((operation) => [name, operation] as const))

/** What is in all keys but one, to the byte; of a stream its entries: that one came and went may be seen by its counters. */
async function others(prefix: string, name: KeyName): Promise<Record<string, unknown>> {
  const all: Record<string, unknown> = await ground.dumps(prefix)
  for (const stream of ['outbox', 'notes'] as const) all[stream] = stream === name ? null : await ground.client.xrangeBuffer(keyOf(prefix, stream), '-', '+')
  return { ...all, [name]: null }
}

describe('another type under the key', () => {
  it.each(CASES)('%s: %s fails whole and typed, or needs it not', async (name, operation) => {
    const prefix = ground.prefix()
    const bench = await Bench.at((clock) => ground.store(prefix, { storeClock: clock }))
    await bench.spend(ann, 'spent', 20)
    await bench.hold(ann, { id: 'open', microcents: 5 })
    await bench.hold(ann, { id: 'generated', microcents: 5, idGiven: false, ttlMs: 20 * MINUTE })
    bench.clock.advance(SECOND)
    await ground.client.del(keyOf(prefix, name))
    // A type that no key of the store has.
    await ground.client.set(keyOf(prefix, name), 'of another application')
    const before = await others(prefix, name)
    const failure = await Promise.resolve(OPERATIONS[operation]?.(bench.store)).then(
      () => undefined,
      (error: unknown) => error,
    )
    expect(await ground.client.get(keyOf(prefix, name))).toBe('of another application')
    if (failure === undefined) return
    expect(isBursarError(failure) && failure.code, String(failure)).toBe('STORE_UNAVAILABLE')
    expect(String(failure)).toContain('Give bursar a prefix of its own')
    expect(await others(prefix, name)).toEqual(before)
  })

  it.each(KEY_NAMES.filter((name) => name !== 'moved' && name !== 'notes'))('%s: is seen by somebody, and all is well once it has gone', async (name) => {
    const prefix = ground.prefix()
    const bench = await Bench.at((clock) => ground.store(prefix, { storeClock: clock }))
    await bench.spend(ann, 'first', 1)
    const key = keyOf(prefix, name)
    const parked = keyOf(ground.prefix(), name)
    if ((await ground.client.exists(key)) === 1) await ground.client.rename(key, parked)
    await ground.client.set(key, 'of another application')
    const idGiven = name !== 'short'
    await expect((async () => bench.spend(ann, 'second', 1).then(() => bench.record(ann, { id: 'third', microcents: 1, idGiven })))()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    await ground.client.del(key)
    if ((await ground.client.exists(parked)) === 1) await ground.client.rename(parked, key)
    // The same ids again: nothing is charged twice, and nothing is left held.
    await bench.spend(ann, 'second', 1)
    await bench.record(ann, { id: 'third', microcents: 1, idGiven })
    expect(await bench.counted(...ann)).toEqual([[3, 0]])
    expect(await bench.ledger()).toEqual(['settled first 1 0', 'settled second 1 0', 'recorded third 1 0'])
  })
})

describe('a server that does not know the scripts', () => {
  let server: RedisServer
  beforeAll(async () => void (server = await startRedis()))
  afterAll(() => server.stop())

  it('is given them again, each time, and every operation takes effect once', async () => {
    const client = server.client()
    const bench = await Bench.at((clock) => ground.store('scripts', { client, storeClock: clock }))
    for (let index = 0; index < 3; index += 1) {
      await client.script('FLUSH')
      await bench.hold(ann, { id: `a${index}`, microcents: 5 })
      await client.script('FLUSH')
      await bench.settle({ id: `a${index}`, microcents: 4 })
      await client.script('FLUSH')
      await bench.record(ann, { id: `b${index}`, microcents: 2 })
    }
    expect(await bench.counted(...ann)).toEqual([[18, 0]])
    expect(await bench.ledger()).toHaveLength(6)
  })

  it('is given them once, where many ask at the same time', async () => {
    const client = server.client()
    const store = ground.store('many', { client })
    await store.read(ann)
    await client.script('FLUSH')
    const replies = await Promise.all(Array.from({ length: 50 }, (_, index) => store.reserve(reserveOf(`id ${index}`, ann))))
    expect(replies.every(({ outcome }) => outcome === 'admitted')).toBe(true)
    expect((await store.read(ann)).readings[3]).toBe(50)
  })
})
