// How a worker process and its test open the same Redis store: from an address that fits into an argument.

import { Cluster } from 'ioredis'
import { redisStore } from '../../../src/store/redis/index.js'

/** Where a store is. `url` for one server, `nodes` for a cluster. */
export interface StoreAddress {
  readonly url?: string
  readonly nodes?: readonly { readonly host: string; readonly port: number }[]
  readonly prefix: string
  readonly wait?: { readonly replicas: number; readonly timeoutMs: number }
}

/** A store on Redis, as these tests use it. */
export type RedisStore = ReturnType<typeof redisStore>

/** A store that was opened here, with what it was opened by. */
export interface OpenedStore {
  readonly store: RedisStore
  close(): Promise<void>
}

/** Opens a store with a client of its own. */
export function openStore({ url, nodes, prefix, wait }: StoreAddress): OpenedStore {
  // Roomy, so that every entry of a test is still there at its end.
  const rest = { prefix, outboxCapacity: 100_000, ...(wait !== undefined && { wait }) }
  if (nodes === undefined) {
    if (url === undefined) throw new Error('address: has neither url nor nodes. Give one.')
    const store = redisStore({ url, ...rest })
    return { store, close: async () => store.close() }
  }
  const client = new Cluster([...nodes])
  client.on('error', () => {})
  const store = redisStore({ client, ...rest })
  return {
    store,
    close: async () => {
      await store.close()
      client.disconnect()
    },
  }
}
