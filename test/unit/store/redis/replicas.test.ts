// Waiting for replicas: what they did not confirm is an unknown outcome, never a silent success, and a repeat finds what was done.

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { userOf, windowOf } from '../../../../src/testing/contract/kit.js'
import { startRedis, until, type RedisServer } from '../../../support/redis/index.js'
import { redisStore } from '../../../../src/store/redis/index.js'
import { reserveOf } from './setting.js'

let master: RedisServer
let replica: RedisServer
beforeAll(async () => {
  ;[master, replica] = await Promise.all([startRedis({ config: { 'repl-diskless-sync-delay': '0' } }), startRedis()])
})
afterAll(() => Promise.all([master.stop(), replica.stop()]))

const ann = [userOf('ann', windowOf(1_000))]
const wait = { replicas: 1, timeoutMs: 50 }

async function follow(): Promise<void> {
  await replica.client().replicaof('127.0.0.1', master.port)
  await until('the replica has caught up', async () => (await master.client().wait(1, 100)) === 1)
}

async function leave(): Promise<void> {
  await replica.client().replicaof('NO', 'ONE')
  await until('the master has no replica', async () => (await master.client().info('replication')).includes('connected_slaves:0'))
}

describe('with wait: { replicas: 1 }', () => {
  it('what a replica has is acknowledged, and is there', async () => {
    await follow()
    const store = redisStore({ client: master.client(), prefix: 'confirmed', wait: { replicas: 1, timeoutMs: 5_000 } })
    expect((await store.reserve(reserveOf('a', ann))).outcome).toBe('admitted')
    expect((await store.settle({ id: 'a', microcents: 1 })).outcome).toBe('settled')
    expect(await replica.client().hexists('{confirmed}:state', 'ha')).toBe(1)
  })

  it('what no replica confirms has an unknown outcome, and a repeat finds the hold', async () => {
    await follow()
    const prefix = 'unconfirmed'
    const store = redisStore({ client: master.client(), prefix, wait })
    await until('the data set is joined', async () => (await store.read(ann)).now > 0)
    await leave()
    const unknown = { code: 'STORE_UNAVAILABLE', retryable: true, message: expect.stringMatching(/0 of 1 replicas.*outcome is unknown.*same id/) }
    await expect(store.reserve(reserveOf('a', ann))).rejects.toMatchObject(unknown)
    await expect(store.reserve(reserveOf('a', ann))).rejects.toMatchObject(unknown)
    const other = redisStore({ client: master.client(), prefix })
    expect(await other.reserve(reserveOf('a', ann))).toMatchObject({ outcome: 'admitted', replay: { state: 'open' } })
    await expect(store.settle({ id: 'a', microcents: 3 })).rejects.toMatchObject(unknown)
    await follow()
    await until('the repeat is confirmed', async () => (await store.settle({ id: 'a', microcents: 3 })).outcome === 'settled')
    expect(await store.settle({ id: 'a', microcents: 3 })).toMatchObject({ outcome: 'settled', replayed: true })
    const { readings } = await store.read(ann)
    expect([readings[2], readings[3]]).toEqual([3, 0])
    expect((await other.totals({ userId: 'ann' })).entries).toBe(1)
  })

  it('a shared fact that no replica confirms has an unknown outcome, and reading tells what became of it', async () => {
    await follow()
    const store = redisStore({ client: master.client(), prefix: 'facts', wait })
    await until('the data set is joined', async () => (await store.read(ann)).now > 0)
    await leave()
    await expect(store.registry.put('lease', 'a', 'mine', { expected: 0 })).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', message: expect.stringMatching(/0 of 1 replicas.*outcome is unknown/) })
    const other = redisStore({ client: master.client(), prefix: 'facts' })
    const found = await other.registry.get('lease', 'a')
    expect(found?.value).toBe('mine')
    await follow()
    const patient = redisStore({ client: master.client(), prefix: 'facts', wait: { replicas: 1, timeoutMs: 5_000 } })
    expect(await patient.registry.put('lease', 'a', 'still mine', { expected: found?.version ?? 0 })).toBeGreaterThan(found?.version ?? 0)
    expect(await replica.client().hstrlen('{facts}:records:lease', 'a')).toBe('still mine'.length + 22)
  })

  it('no replica at all admits nothing', async () => {
    await leave()
    const store = redisStore({ client: master.client(), prefix: 'none', wait })
    for (const id of ['a', 'b']) await expect(store.reserve(reserveOf(id, ann))).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', message: expect.stringContaining('0 of 1 replicas') })
  })

  it('an error of the script stays an error of the script', async () => {
    await follow()
    const client = master.client()
    const store = redisStore({ client, prefix: 'flushed', wait: { replicas: 1, timeoutMs: 5_000 } })
    await store.read(ann)
    await client.script('FLUSH')
    expect((await store.reserve(reserveOf('a', ann))).outcome).toBe('admitted')
    await client.del('{flushed}:due')
    await client.set('{flushed}:due', 'of another application')
    await expect(store.reserve(reserveOf('b', ann))).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', message: expect.stringContaining('prefix of its own') })
  })
})
