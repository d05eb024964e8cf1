// The Redis store against the contract, on a real server.

import type { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { redisStore } from '../../src/store/redis/index.js'
import { storeContract } from '../../src/testing/index.js'
import { sharedRedis, type SharedRedis } from '../support/redis/index.js'

let redis: SharedRedis
let client: Redis

beforeAll(async () => {
  redis = await sharedRedis()
  client = redis.client()
})

afterAll(() => client.quit())

describe('the Redis store', () => {
  for (const { name, run } of storeContract) {
    it(name, () => run((clock) => redisStore({ client, prefix: redis.prefix(), storeClock: clock })))
  }
})
