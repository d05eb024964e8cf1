// Every option of the Redis store that cannot work is refused before anything is opened, with its name, its value and a remedy.

import { Redis } from 'ioredis'
import { afterAll, describe, expect, it } from 'vitest'
import { redisStore, type RedisStoreOptions } from '../../../../src/store/redis/index.js'
import { TestSink } from './setting.js'

// Never connects.
const client = new Redis({ lazyConnect: true })
afterAll(() => client.disconnect())

const WRONG: readonly [field: string, options: Record<string, unknown>][] = [
  ['client', {}],
  ['client', { client, url: 'redis://127.0.0.1:6379' }],
  ['client', { client: {} }],
  ['client', { client: null }],
  ['client', { client: 'redis://127.0.0.1' }],
  ['client', { client: { call: () => {}, callBuffer: () => {} } }],
  ['url', { url: '127.0.0.1:6379' }],
  ['url', { url: '' }],
  ['url', { url: 'http://127.0.0.1' }],
  ['url', { url: 6_379 }],
  ['url', { url: null }],
  ['prefix', { client, prefix: '' }],
  ['prefix', { client, prefix: 'a b' }],
  ['prefix', { client, prefix: '{tag}' }],
  ['prefix', { client, prefix: 'x'.repeat(101) }],
  ['prefix', { client, prefix: 7 }],
  ['prefix', { client, prefix: null }],
  ['partition', { client, partition: 'user' }],
  ['partition', { client, partition: null }],
  ['wait', { client, wait: {} }],
  ['wait', { client, wait: true }],
  ['wait', { client, wait: { replicas: 1 } }],
  ['wait', { client, wait: { timeoutMs: 100 } }],
  ['wait', { client, wait: { replicas: 0, timeoutMs: 100 } }],
  ['wait', { client, wait: { replicas: 1, timeoutMs: 0 } }],
  ['wait', { client, wait: { replicas: 1.5, timeoutMs: 100 } }],
  ['wait', { client, wait: { replicas: 1, timeoutMs: NaN } }],
  ['wait', { client, wait: { replicas: '1', timeoutMs: 100 } }],
  ['sink', { client, sink: {} }],
  ['sink', { client, sink: null }],
  ['sink', { client, sink: { write: () => {} } }],
  ['sink', { client, sink: () => {} }],
  ['outboxCapacity', { client, outboxCapacity: 0 }],
  ['outboxCapacity', { client, outboxCapacity: -1 }],
  ['outboxCapacity', { client, outboxCapacity: 1.5 }],
  ['outboxCapacity', { client, outboxCapacity: NaN }],
  ['outboxCapacity', { client, outboxCapacity: 2 ** 32 }],
  ['outboxCapacity', { client, outboxCapacity: '10' }],
  ['outboxCapacity', { client, outboxCapacity: null }],
  ['clock', { client, clock: 5 }],
  ['clock', { client, clock: new Date(0) }],
  ['storeClock', { client, storeClock: null }],
  ['storeClock', { client, storeClock: 'now' }],
  ['prefixes', { client, prefixes: 'bursar' }],
]

describe('the options of the Redis store', () => {
  it('refuse a client that pipelines by itself: its scripts fail', () => {
    const pipelining = new Redis({ lazyConnect: true, enableAutoPipelining: true })
    expect(() => redisStore({ client: pipelining })).toThrow(/redisStore\.client: has enableAutoPipelining: true/)
    pipelining.disconnect()
  })

  it.each(WRONG)('names %s in %o', (field, options) => {
    const make = (): unknown => redisStore(options as unknown as RedisStoreOptions)
    expect(make).toThrow(expect.objectContaining({ code: 'INVALID_CONFIG', message: expect.stringMatching(new RegExp(`^redisStore\\.${field}: .*(Give|give|Use) `)) }))
  })

  it.each([undefined, null, 5, 'redis://127.0.0.1'])('must be an object: %s', (options) => {
    expect(() => redisStore(options as never)).toThrow(expect.objectContaining({ code: 'INVALID_CONFIG', message: expect.stringContaining('redisStore') }))
  })

  it('are taken where they can work, and nothing is opened for them', () => {
    const url = 'redis://127.0.0.1:1'
    const right: RedisStoreOptions[] = [
      { client },
      { url },
      { url: 'rediss://user:secret@127.0.0.1:1/3' },
      { url, prefix: 'my-app:1', partition: 'tenant', wait: { replicas: 1, timeoutMs: 50 }, sink: new TestSink(), outboxCapacity: 2 ** 32 - 1, clock: () => 0, storeClock: () => 0 },
      { url, prefix: undefined, partition: undefined, wait: undefined, sink: undefined, outboxCapacity: undefined, clock: undefined, storeClock: undefined },
      { url, prefix: 'x'.repeat(100), partition: 'all' },
    ]
    for (const options of right) expect(redisStore(options)).toMatchObject({ name: 'redis', shared: true, keepsTenantsApart: options.partition === 'tenant' })
    expect(client.status).toBe('wait')
  })
})
