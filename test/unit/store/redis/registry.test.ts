// Shared facts in Redis: one step for whoever writes, bounded room, and a write that is sent twice is made once.

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isBursarError, type Store } from '../../../../src/index.js'
import type { RedisStore } from '../../../../src/store/redis/index.js'
import { DAY, MINUTE, SECOND, userOf, windowOf } from '../../../../src/testing/contract/kit.js'
import { manualClock, type ManualClock } from '../../../../src/testing/index.js'
import { Ground, keyOf, through } from './setting.js'

let ground: Ground
beforeAll(async () => void (ground = await Ground.open()))
afterAll(() => ground.close())

function open(options: Parameters<Ground['store']>[1] = {}): { store: RedisStore; clock: ManualClock; prefix: string } {
  const [prefix, clock] = [ground.prefix(), manualClock()]
  return { store: ground.store(prefix, { storeClock: clock, ...options }), clock, prefix }
}

const fresh = { expected: 0 }
const nameOf = (prefix: string, name: 'records' | 'expiring', kind: string): string => `{${prefix}}:${name}:${kind}`

async function listed({ registry }: Store, kind: string): Promise<Record<string, string>> {
  const found: [string, string][] = []
  for await (const { key, value } of registry.list(kind)) found.push([key, value])
  expect(new Set(found.map(([key]) => key)).size, 'each is told once').toBe(found.length)
  return Object.fromEntries(found.sort())
}

async function room(prefix: string, kind: string): Promise<[records: number, expiring: number]> {
  return [await ground.client.hlen(nameOf(prefix, 'records', kind)), await ground.client.zcard(nameOf(prefix, 'expiring', kind))]
}

describe('a record', () => {
  it.each([
    ['an empty one', 'key', ''],
    ['other alphabets', 'clé: ключ 鍵 🔑', 'значение 🔒'],
    ['zero bytes and braces', 'a\0b{c}', '\0{}\0'],
    ['more than a length of two bytes holds', 'k'.repeat(70_000), 'v'.repeat(1_000_000)],
  ])('comes back as it was given: %s', async (_which, key, value) => {
    const { store } = open()
    const version = await store.registry.put('fact', key, value, fresh)
    expect(await store.registry.get('fact', key)).toEqual({ value, version })
    expect(await listed(store, 'fact')).toEqual({ [key]: value })
  })

  it('has a version that is above all before it, of any kind and process, whatever the clock does', async () => {
    const { store, clock, prefix } = open()
    const other = ground.store(prefix, { storeClock: clock })
    const versions: number[] = []
    for (let index = 0; index < 20; index += 1) {
      versions.push((await (index % 2 === 0 ? store : other).registry.put(index % 3 === 0 ? 'one' : 'two', `key ${index}`, 'x', fresh)) as number)
      if (index === 5) clock.advance(DAY)
      if (index === 10) clock.set(clock() - DAY)
    }
    expect(versions).toEqual([...new Set(versions)].sort((a, b) => a - b))
    expect(versions[6]).toBe((versions[0] as number) + DAY)
  })

  it('lives to the millisecond, and is not there afterwards for anybody', async () => {
    const { store, clock } = open()
    const version = await store.registry.put('lease', 'a', 'mine', { expected: 0, ttlMs: SECOND })
    clock.advance(SECOND - 1)
    expect(await store.registry.get('lease', 'a')).toEqual({ value: 'mine', version })
    expect(await store.registry.put('lease', 'a', 'yours', fresh)).toBeUndefined()
    clock.advance(1)
    expect(await store.registry.get('lease', 'a')).toBeUndefined()
    expect(await listed(store, 'lease')).toEqual({})
    expect(await store.registry.put('lease', 'a', 'late', { expected: version as number })).toBeUndefined()
    expect(await store.registry.put('lease', 'a', 'yours', fresh)).toBeGreaterThan(version as number)
    clock.advance(DAY)
    expect(await store.registry.get('lease', 'a'), 'written without an end').toMatchObject({ value: 'yours' })
  })

  it.each([
    ['read', (store: Store) => store.registry.get('lease', 'a')],
    ['listed', async (store: Store) => (await listed(store, 'lease'))['a']],
    ['written over', (store: Store, version: number) => store.registry.put('lease', 'a', 'longer', { expected: version })],
  ])('whose time was over when it was %s stays so, should the clock go back', async (_how, look) => {
    const { store, clock } = open()
    const version = (await store.registry.put('lease', 'a', 'mine', { expected: 0, ttlMs: SECOND })) as number
    clock.advance(SECOND)
    expect(await look(store, version)).toBeUndefined()
    clock.set(clock() - SECOND)
    expect(await store.registry.get('lease', 'a')).toBeUndefined()
    expect(await store.registry.put('lease', 'a', 'yours', fresh)).toBeGreaterThan(version)
  })

  it('of a time that no number holds is kept', async () => {
    const { store, clock } = open()
    await store.registry.put('fact', 'a', 'x', { expected: 0, ttlMs: Number.MAX_SAFE_INTEGER })
    clock.advance(100 * 365 * DAY)
    expect(await store.registry.get('fact', 'a')).toMatchObject({ value: 'x' })
  })
})

describe('what is kept', () => {
  it('is bounded by what lives and what has come lately', async () => {
    const { store, clock, prefix } = open()
    for (let index = 0; index < 500; index += 1) {
      await store.registry.put('event', `event ${index}`, 'handled', { expected: 0, ttlMs: 50 * SECOND })
      clock.advance(SECOND)
    }
    expect(await room(prefix, 'event')).toEqual([50, 50])
  })

  it('of a deletion is gone after a minute, as others come', async () => {
    const { store, clock, prefix } = open()
    for (let index = 0; index < 8; index += 1) {
      const version = (await store.registry.put('lease', `lease ${index}`, 'x', { expected: 0, ttlMs: DAY })) as number
      expect(await store.registry.put('lease', `lease ${index}`, null, { expected: version })).toBeGreaterThan(version)
    }
    expect(await listed(store, 'lease')).toEqual({})
    clock.advance(MINUTE)
    for (let index = 0; index < 2; index += 1) await store.registry.put('lease', `last ${index}`, 'x', fresh)
    expect(await room(prefix, 'lease')).toEqual([2, 0])
  })

  it('of a record that is written again in its last moment is the new one', async () => {
    const { store, clock, prefix } = open()
    await store.registry.put('lease', 'a', 'old', { expected: 0, ttlMs: SECOND })
    clock.advance(SECOND)
    await store.registry.put('lease', 'a', 'new', fresh)
    await store.registry.put('lease', 'b', 'other', fresh)
    expect(await listed(store, 'lease')).toEqual({ a: 'new', b: 'other' })
    expect(await room(prefix, 'lease')).toEqual([2, 0])
  })

  it('of a record that has no end any more stays, whatever comes after its former one', async () => {
    const { store, clock, prefix } = open()
    const version = (await store.registry.put('lease', 'a', 'for a second', { expected: 0, ttlMs: SECOND })) as number
    await store.registry.put('lease', 'a', 'for good', { expected: version })
    clock.advance(DAY)
    await store.registry.put('lease', 'b', 'other', fresh)
    expect(await listed(store, 'lease')).toEqual({ a: 'for good', b: 'other' })
    expect(await room(prefix, 'lease')).toEqual([2, 0])
  })

  it('of a record that was not there when it was deleted is nothing', async () => {
    const { store, prefix } = open()
    expect(await store.registry.put('lease', 'a', null, fresh)).toBeGreaterThan(0)
    expect(await room(prefix, 'lease')).toEqual([0, 0])
  })
})

describe('a list', () => {
  it('of more than one page has every record once, also of one that grows meanwhile', async () => {
    const { store } = open()
    const all = Array.from({ length: 1_800 }, (_, index) => `key ${index}`)
    for (const key of all) await store.registry.put('customer', key, `of ${key}`, fresh)
    await store.registry.put('event', 'key 0', 'of another kind', fresh)
    expect(Object.keys(await listed(store, 'customer')).length).toBe(1_800)
    const seen: string[] = []
    for await (const { key, value } of store.registry.list('customer')) {
      if (key.startsWith('key')) expect(value).toBe(`of ${key}`)
      seen.push(key)
      if (seen.length % 10 === 0) await store.registry.put('customer', `more ${seen.length}`, 'x', fresh)
    }
    expect(new Set(seen).size).toBe(seen.length)
    expect(all.filter((key) => !seen.includes(key))).toEqual([])
  })
})

describe('a list that the server tells some records of twice', () => {
  it('has each of them once', async () => {
    // As HSCAN may while a hash grows or shrinks.
    const client = through(ground.client, async (command, args, send) => {
      const reply = await send(command, args)
      const records = Array.isArray(reply) ? (reply[1] as unknown) : undefined
      return Array.isArray(records) ? [(reply as unknown[])[0], [...records, ...records]] : reply
    })
    const { store } = open({ client })
    for (const key of ['a', 'b']) await store.registry.put('customer', key, 'x', fresh)
    expect(await listed(store, 'customer')).toEqual({ a: 'x', b: 'x' })
  })
})

describe('a write that is sent twice', () => {
  /** Every script that writes is sent a second time, as by a client that lost its connection; it sees the second reply. */
  function twice(): { store: RedisStore; other: RedisStore } {
    const [prefix, storeClock] = [ground.prefix(), manualClock()]
    const client = through(ground.client, async (command, args, send) => {
      if (command === 'EVALSHA') await send(command, args).catch(() => {})
      return send(command, args)
    })
    return { store: ground.store(prefix, { client, storeClock }), other: ground.store(prefix, { storeClock }) }
  }

  it('is made once, and told so', async () => {
    const { store, other } = twice()
    const first = (await store.registry.put('lease', 'a', 'one', fresh)) as number
    expect(await other.registry.get('lease', 'a')).toEqual({ value: 'one', version: first })
    const second = (await store.registry.put('lease', 'a', 'two', { expected: first })) as number
    expect(await other.registry.get('lease', 'a')).toEqual({ value: 'two', version: second })
    expect(await store.registry.put('lease', 'a', null, { expected: second })).toBeGreaterThan(second)
    expect(await other.registry.get('lease', 'a')).toBeUndefined()
  })

  it('is still refused where another was first', async () => {
    const { store, other } = twice()
    await other.registry.put('lease', 'a', 'theirs', fresh)
    expect(await store.registry.put('lease', 'a', 'mine', fresh)).toBeUndefined()
    expect(await store.registry.put('lease', 'a', null, { expected: 1 })).toBeUndefined()
    expect(await other.registry.get('lease', 'a')).toMatchObject({ value: 'theirs' })
  })
})

describe('eight processes', () => {
  it('that want the same record: one gets it, each time', async () => {
    const prefix = ground.prefix()
    const stores = Array.from({ length: 8 }, () => ground.store(prefix, { client: ground.redis.client() }))
    for (let round = 0; round < 40; round += 1) {
      const versions = await Promise.all(stores.map(({ registry }, index) => registry.put('lease', `lease ${round}`, `process ${index}`, { expected: 0, ttlMs: MINUTE })))
      const winner = versions.findIndex((version) => version !== undefined)
      expect(versions.filter((version) => version !== undefined)).toHaveLength(1)
      expect(await stores[round % 8]?.registry.get('lease', `lease ${round}`)).toEqual({ value: `process ${winner}`, version: versions[winner] })
    }
  })

  it('that count in one record lose no step', async () => {
    const prefix = ground.prefix()
    const stores = Array.from({ length: 8 }, () => ground.store(prefix, { client: ground.redis.client() }))
    await Promise.all(
      stores.map(async ({ registry }) => {
        for (let left = 25; left > 0; ) {
          const found = await registry.get('count', 'steps')
          const written = await registry.put('count', 'steps', String(Number(found?.value ?? 0) + 1), { expected: found?.version ?? 0 })
          if (written !== undefined) left -= 1
        }
      }),
    )
    expect(await stores[0]?.registry.get('count', 'steps')).toMatchObject({ value: '200' })
  })
})

describe('where tenants are kept apart', () => {
  it('there is one registry for all of them', async () => {
    const { store, clock, prefix } = open({ partition: 'tenant' })
    const version = await store.registry.put('customer', 'a', 'x', fresh)
    expect(await ground.client.hlen(`{${prefix}:0}:records:customer`)).toBe(1)
    expect(await ground.store(prefix, { partition: 'tenant', storeClock: clock }).registry.get('customer', 'a')).toEqual({ value: 'x', version })
    expect(await listed(store, 'customer')).toEqual({ a: 'x' })
  })
})

describe('a data set that was lost', () => {
  it('takes the registry with it, and whoever asks is told', async () => {
    const { store, prefix } = open()
    const before = (await store.registry.put('fact', 'a', 'x', fresh)) as number
    await ground.lose(prefix)
    await ground.client.del(nameOf(prefix, 'records', 'fact'))
    const calls = [() => store.registry.get('fact', 'a'), () => store.registry.put('fact', 'a', 'y', fresh), () => store.registry.put('fact', 'a', null, { expected: before }), () => listed(store, 'fact')]
    for (const call of [...calls, ...calls]) await expect(call()).rejects.toMatchObject({ code: 'STORE_RESET', retryable: false })
    expect(await ground.client.keys(`{${prefix}}*`)).toEqual([])
    await store.acceptReset()
    expect(await store.registry.get('fact', 'a')).toBeUndefined()
    expect(await store.registry.put('fact', 'a', 'y', { expected: before })).toBeUndefined()
    // Lost with all that it knew of versions, except the time: no earlier one is given again.
    expect(await store.registry.put('fact', 'a', 'y', fresh)).toBeGreaterThanOrEqual(before)
  })
})

describe('another type under a key of the registry', () => {
  const CALLS: Readonly<Record<string, (store: Store) => unknown>> = {
    get: (store) => store.registry.get('lease', 'kept'),
    list: (store) => listed(store, 'lease'),
    'a new record': (store) => store.registry.put('lease', 'new', 'x', fresh),
    'a record with an end': (store) => store.registry.put('lease', 'new', 'x', { expected: 0, ttlMs: SECOND }),
    'a deletion': async (store) => store.registry.put('lease', 'kept', null, { expected: 1_000_000_000_000 }),
  }
  it.each(Object.keys(CALLS).flatMap((name) => (['records', 'expiring'] as const).map((key) => [key, name] as const)))('%s: %s fails whole and typed, or needs it not', async (name, call) => {
    const { store, clock, prefix } = open()
    clock.set(1_000_000_000_000)
    await store.registry.put('lease', 'kept', 'x', { expected: 0, ttlMs: DAY })
    await store.registry.put('lease', 'over', 'x', { expected: 0, ttlMs: 1 })
    clock.advance(1)
    const key = nameOf(prefix, name, 'lease')
    await ground.client.del(key)
    await ground.client.set(key, 'of another application')
    const contents = async (): Promise<unknown> => [await ground.dumps(prefix), await ground.client.dumpBuffer(nameOf(prefix, 'records', 'lease')), await ground.client.dumpBuffer(nameOf(prefix, 'expiring', 'lease'))]
    const before = await contents()
    const failure = await Promise.resolve(CALLS[call]?.(store)).then(
      () => undefined,
      (error: unknown) => error,
    )
    if (name === 'expiring' && (call === 'get' || call === 'list')) return expect(failure).toBeUndefined()
    expect(await contents()).toEqual(before)
    expect(isBursarError(failure) && failure.code, String(failure)).toBe('STORE_UNAVAILABLE')
    expect(String(failure)).toContain('Give bursar a prefix of its own')
    // Nobody else has to do with it.
    expect(await store.registry.put('fact', 'a', 'x', fresh)).toBeGreaterThan(0)
    expect((await store.read([userOf('ann', windowOf(5))])).readings[2]).toBe(0)
    expect(await ground.client.exists(keyOf(prefix, 'state'))).toBe(1)
  })
})
