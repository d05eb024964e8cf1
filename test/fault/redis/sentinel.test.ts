// A master that dies under the eyes of Sentinel: the store goes on with the replica that is promoted, in the same data set.

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { redisStore } from '../../../src/store/redis/index.js'
import { expectExact } from '../../support/fault/exact.js'
import { Traffic } from '../../support/fault/traffic.js'
import { startSentinel, until, type RedisSentinel } from '../../support/redis/index.js'

let sentinel: RedisSentinel
beforeEach(async () => void (sentinel = await startSentinel()))
afterEach(() => sentinel.stop())

describe('a failover by Sentinel', () => {
  it('keeps what the replica had confirmed, and traffic goes on', async () => {
    const store = redisStore({ client: sentinel.client(), prefix: 'watched', outboxCapacity: 100_000 })
    const before = new Traffic(store, 'before')
    await until('there is traffic', () => before.settled >= 50)
    const told = await before.stop()
    // WAIT speaks of the writes of its own connection, and so of everything before the last of them.
    const client = sentinel.master.client()
    await client.set('mark', 'end of the first traffic')
    expect(await client.wait(1, 10_000)).toBe(1)
    await sentinel.master.kill()
    const after = new Traffic(store, 'after')
    await until('there is traffic again', () => after.settled >= 50)
    expect(await sentinel.replica.client().role()).toContain('master')
    await expectExact(store, [...told, ...(await after.stop())])
  })
})
