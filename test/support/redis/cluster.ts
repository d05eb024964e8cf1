// A real Redis Cluster on private loopback ports: masters that share the 16,384 slots, each with its replicas. Decides how it
// forms, fails over and moves a slot; must not know which keys are in it.

import { Cluster, type ClusterOptions, type Redis } from 'ioredis'
import { startRedis, type RedisServer } from './server.js'
import { until } from './until.js'

const SLOTS = 16_384

/** One server of a cluster, with a connection to it alone. */
export interface ClusterNode {
  readonly server: RedisServer
  readonly id: string
  readonly direct: Redis
}

/** How a cluster is started. */
export interface RedisClusterOptions {
  readonly appendOnly?: 'always' | 'everysec'
  /** Silence after which a master counts as failed. Low, so that a failover takes about a second. */
  readonly nodeTimeoutMs?: number
}

/** Options of a client of a cluster. */
export type ClusterClientOptions = Omit<ClusterOptions, 'redisOptions'> & { readonly redisOptions?: Omit<NonNullable<ClusterOptions['redisOptions']>, 'replyMapping'> }

/** A running cluster. */
export class RedisCluster {
  readonly nodes: readonly ClusterNode[]
  readonly #clients = new Set<Cluster>()

  private constructor(nodes: readonly ClusterNode[]) {
    this.nodes = nodes
  }

  /** Starts the servers and waits until every one of them sees all slots served and all replicas following. */
  static async start(masters: number, replicasEach: number, { appendOnly, nodeTimeoutMs = 600 }: RedisClusterOptions = {}): Promise<RedisCluster> {
    const config = {
      'cluster-enabled': 'yes',
      'cluster-node-timeout': String(nodeTimeoutMs),
      // However long a replica was cut off, it may take over: what it has lost is what the tests measure.
      'cluster-replica-validity-factor': '0',
      'repl-diskless-sync-delay': '0',
    }
    const started = await Promise.allSettled(Array.from({ length: masters * (1 + replicasEach) }, () => startRedis({ config, ...(appendOnly !== undefined && { appendOnly }) })))
    const servers = started.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
    try {
      for (const one of started) if (one.status === 'rejected') throw one.reason as Error
      const nodes = await Promise.all(
        servers.map(async (server) => {
          const direct = server.client()
          return { server, direct, id: (await direct.cluster('MYID')) as string }
        }),
      )
      await form(nodes, masters)
      return new RedisCluster(nodes)
    } catch (error) {
      await Promise.all(servers.map((server) => server.stop()))
      throw error
    }
  }

  get urls(): readonly string[] {
    return this.nodes.map(({ server }) => server.url)
  }

  get seeds(): { readonly host: string; readonly port: number }[] {
    return this.nodes.map(({ server }) => ({ host: '127.0.0.1', port: server.port }))
  }

  /** A client of the whole cluster, disconnected with it. */
  client(options: ClusterClientOptions = {}): Cluster {
    const client = new Cluster([...this.seeds], options)
    client.on('error', () => {})
    this.#clients.add(client)
    return client
  }

  /** The master that serves a slot, as the nodes that are still there see it. */
  async masterOf(slot: number): Promise<ClusterNode> {
    return until(`slot ${slot} has a master that runs`, async () => {
      for (const { server, direct } of this.nodes) {
        if (!server.isRunning) continue
        const served = ((await direct.cluster('SLOTS')) as [number, number, ...[string, number, string, ...unknown[]][]][]).find(([from, to]) => slot >= from && slot <= to)
        const masterId = served?.[2]?.[2]
        return this.nodes.find((node) => node.server.isRunning && node.id === masterId)
      }
      return undefined
    })
  }

  /** The replicas of a master. */
  async replicasOf(master: ClusterNode): Promise<ClusterNode[]> {
    const lines = (await master.direct.cluster('REPLICAS', master.id)) as string[]
    const ids = lines.map((line) => line.split(' ')[0])
    return this.nodes.filter(({ id }) => ids.includes(id))
  }

  /** The slot that holds every key which begins with the prefix; an error if there are several, or none. */
  async slotOf(prefix: string): Promise<number> {
    const slots = new Set<number>()
    for (const { direct, server } of this.nodes) {
      if (!server.isRunning) continue
      for (const key of await direct.keys(`*${prefix}*`)) slots.add((await direct.cluster('KEYSLOT', key)) as number)
    }
    if (slots.size !== 1) throw new Error(`keys with "${prefix}" are in ${slots.size} slots, must be in one`)
    return [...slots][0] as number
  }

  /** Marks a slot as moving: from now on the source answers for the keys that it still has, and asks for the others at the target. */
  async beginMove(slot: number, source: ClusterNode, target: ClusterNode): Promise<void> {
    await target.direct.cluster('SETSLOT', slot, 'IMPORTING', source.id)
    await source.direct.cluster('SETSLOT', slot, 'MIGRATING', target.id)
  }

  /** Moves up to `count` keys of a moving slot, and says how many are left. */
  async moveKeys(slot: number, source: ClusterNode, target: ClusterNode, count: number): Promise<number> {
    const keys = (await source.direct.cluster('GETKEYSINSLOT', slot, count)) as string[]
    if (keys.length > 0) await source.direct.call('MIGRATE', '127.0.0.1', target.server.port, '', 0, 5_000, 'KEYS', ...keys)
    return (await source.direct.cluster('COUNTKEYSINSLOT', slot)) as number
  }

  /** Ends a move: every master is told who serves the slot now. */
  async endMove(slot: number, source: ClusterNode, target: ClusterNode): Promise<void> {
    await target.direct.cluster('SETSLOT', slot, 'NODE', target.id)
    await source.direct.cluster('SETSLOT', slot, 'NODE', target.id)
    for (const { direct, id } of this.nodes) {
      if (id === target.id || id === source.id) continue
      const [role] = (await direct.call('ROLE')) as [string]
      if (role === 'master') await direct.cluster('SETSLOT', slot, 'NODE', target.id)
    }
  }

  /** Ends all servers and clients. */
  async stop(): Promise<void> {
    for (const client of this.#clients) client.disconnect()
    await Promise.all(this.nodes.map(({ server }) => server.stop()))
  }
}

/** Starts a cluster on private ports: see {@link RedisCluster}. */
export function startCluster(masters: number, replicasEach: number, options?: RedisClusterOptions): Promise<RedisCluster> {
  return RedisCluster.start(masters, replicasEach, options)
}

async function form(nodes: readonly ClusterNode[], masters: number): Promise<void> {
  const [first] = nodes as [ClusterNode, ...ClusterNode[]]
  await Promise.all(
    nodes.map(async ({ direct }, index) => {
      await direct.cluster('SET-CONFIG-EPOCH', index + 1)
      const from = Math.floor((index * SLOTS) / masters)
      if (index < masters) await direct.call('CLUSTER', 'ADDSLOTSRANGE', from, Math.floor(((index + 1) * SLOTS) / masters) - 1)
    }),
  )
  for (const { server } of nodes.slice(1)) await first.direct.call('CLUSTER', 'MEET', '127.0.0.1', server.port, server.busPort)
  await Promise.all(nodes.map(({ direct }, index) => until(`node ${index} knows the others`, async () => (await knownNodes(direct)).length === nodes.length)))
  await Promise.all(nodes.slice(masters).map(({ direct }, index) => direct.cluster('REPLICATE', (nodes[index % masters] as ClusterNode).id)))
  await Promise.all(
    nodes.map(({ direct }, index) =>
      until(`node ${index} is ready`, async () => {
        const replicas = (await knownNodes(direct)).filter((line) => line.includes('slave')).length
        const isServed = ((await direct.cluster('INFO')) as string).includes('cluster_state:ok')
        const isFollowing = index < masters || (await direct.info('replication')).includes('master_link_status:up')
        return isServed && isFollowing && replicas === nodes.length - masters
      }),
    ),
  )
}

async function knownNodes(direct: Redis): Promise<string[]> {
  const lines = ((await direct.cluster('NODES')) as string).trim().split('\n')
  return lines.filter((line) => !/handshake|noaddr/.test(line))
}
