// A master, a replica and the sentinels that watch them, all real and on private loopback ports. Decides how they find each other.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { startRedis, type ClientOptions, type RedisServer } from './server.js'
import { until } from './until.js'

const NAME = 'bursar'

/** A watched pair of servers. */
export interface RedisSentinel {
  readonly master: RedisServer
  readonly replica: RedisServer
  readonly sentinels: readonly RedisServer[]
  /** A client that asks the sentinels who is master. */
  client(options?: ClientOptions): Redis
  stop(): Promise<void>
}

/** Starts a master with a replica and so many sentinels, and waits until every sentinel knows all of them. */
export async function startSentinel(count = 3): Promise<RedisSentinel> {
  const servers: RedisServer[] = []
  const clients: Redis[] = []
  const stop = async (): Promise<void> => {
    for (const client of clients) client.disconnect()
    await Promise.all(servers.map((server) => server.stop()))
  }
  try {
    const config = { 'repl-diskless-sync-delay': '0' }
    const master = await startRedis({ config })
    servers.push(master)
    const replica = await startRedis({ config: { ...config, replicaof: `127.0.0.1 ${master.port}` } })
    servers.push(replica)
    await until('the replica follows', async () => (await replica.client().info('replication')).includes('master_link_status:up'))
    const quorum = Math.floor(count / 2) + 1
    const sentinels = await Promise.all(Array.from({ length: count }, () => startRedis({ rewritten: (folder) => watching(folder, master.port, quorum) })))
    servers.push(...sentinels)
    for (const sentinel of sentinels) {
      const asked = sentinel.client()
      await until('the sentinel knows the replica and the other sentinels', async () => {
        const replicas = (await asked.call('SENTINEL', 'REPLICAS', NAME)) as unknown[]
        const others = (await asked.call('SENTINEL', 'SENTINELS', NAME)) as unknown[]
        return replicas.length === 1 && others.length === count - 1
      })
    }
    const client = (options: ClientOptions = {}): Redis => {
      const made = new Redis({ sentinels: sentinels.map(({ port }) => ({ host: '127.0.0.1', port })), name: NAME, ...options })
      made.on('error', () => {})
      clients.push(made)
      return made
    }
    return { master, replica, sentinels, client, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

function watching(folder: string, port: number, quorum: number): string {
  const file = join(folder, 'sentinel.conf')
  const lines = [
    `sentinel monitor ${NAME} 127.0.0.1 ${port} ${quorum}`,
    `sentinel down-after-milliseconds ${NAME} 300`,
    `sentinel failover-timeout ${NAME} 3000`,
    `sentinel parallel-syncs ${NAME} 1`,
  ]
  writeFileSync(file, `${lines.join('\n')}\n`)
  return file
}
