// The Redis store against the contract, on a real server.

import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { redisStore } from '../../src/store/redis/index.js'
import { storeContract } from '../../src/testing/index.js'

let client: Redis
let count = 0

beforeAll(() => {
  client = new Redis(process.env['REDIS_URL'] ?? 'redis://127.0.0.1:7399')
})

afterAll(() => {
  client.disconnect()
})

describe('the Redis store', () => {
  for (const { name, run } of storeContract) {
    it(name, () => run((clock) => redisStore({ client, prefix: `contract-${process.pid}-${(count += 1)}`, storeClock: clock })))
  }
})
