// One set of sessions that several processes work on: each call of `process` is a store of its own on the same data.

import type { Redis } from 'ioredis'
import { Bursar, memoryStore, type BursarConfig, type Store } from '../../src/index.js'
import { redisStore } from '../../src/store/redis/index.js'
import { sqliteStore } from '../../src/store/sqlite/index.js'
import { manualClock, type ManualClock } from '../../src/testing/index.js'
import { sharedRedis } from './redis/index.js'
import { temporaryFiles } from './sqlite/temporary-files.js'

/** One data set and its clock. */
export interface SharedData {
  readonly clock: ManualClock
  /** A store of a process of its own. */
  store(): Store
  /** An engine of a process of its own. */
  process(config?: Partial<BursarConfig>): Bursar
  /** Closes what was opened. */
  close(): Promise<void>
}

/** The stores on which sessions must be the same. */
export const SESSION_STORES = ['memory', 'sqlite', 'redis', 'redis, tenants apart'] as const

/** A new data set on one of them. */
export async function sharedData(name: (typeof SESSION_STORES)[number]): Promise<SharedData> {
  const clock = manualClock()
  const files = temporaryFiles()
  const clients: Redis[] = []
  const opened: Store[] = []
  const make = await maker(name, clock, files, clients)
  const store = (): Store => {
    const made = make()
    opened.push(made)
    return made
  }
  return {
    clock,
    store,
    process: (config = {}) => new Bursar({ tiers: { free: { daily: 100 } }, defaultTier: 'free', clock, store: store(), storeTimeout: '30s', ...config } as BursarConfig),
    async close() {
      for (const each of new Set(opened)) await each.close()
      await Promise.all(clients.map((client) => client.quit()))
      files.removeAll()
    },
  }
}

async function maker(name: (typeof SESSION_STORES)[number], clock: ManualClock, files: ReturnType<typeof temporaryFiles>, clients: Redis[]): Promise<() => Store> {
  if (name === 'memory') {
    const one = memoryStore({ clock })
    return () => one
  }
  if (name === 'sqlite') {
    const path = files.path()
    return () => sqliteStore({ path, clock })
  }
  const redis = await sharedRedis()
  const prefix = redis.prefix()
  return () => {
    const client = redis.client()
    clients.push(client)
    return redisStore({ client, prefix, storeClock: clock, ...(name !== 'redis' && { partition: 'tenant' as const }) })
  }
}
