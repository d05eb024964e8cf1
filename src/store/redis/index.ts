export { redisStore, type RedisStore } from './redis-store.js'
export type { RedisClient } from './client.js'
export type { RedisStoreOptions } from './options.js'
