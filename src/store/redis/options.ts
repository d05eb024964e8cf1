// Options of the Redis store, checked whole before anything is opened.

import { InvalidConfigError } from '../../errors/index.js'
import type { Clock } from '../../time/index.js'
import type { EntrySink } from '../auditing.js'
import { isRedisClient, type RedisClient } from './client.js'

/** Options of `redisStore`. */
export interface RedisStoreOptions {
  /** A client of ioredis, as it is: `Redis` (also through Sentinel) or `Cluster`. Whoever made it closes it. */
  readonly client?: RedisClient | undefined
  /** Instead of a client: the store makes one with ioredis, and closes it. */
  readonly url?: string | undefined
  /** What all keys begin with. Default `bursar`. Two applications on one server need two prefixes. */
  readonly prefix?: string | undefined
  /**
   * How keys are spread over a Cluster. `all` (default): one hash tag, so that a request may count in any shared budget; one core's
   * throughput. `tenant`: 256 tags, the users and budget of a tenant in one of them; other shared budgets (`global`, tiers, teams) are
   * then refused.
   */
  readonly partition?: 'all' | 'tenant' | undefined
  /** Acknowledge nothing before this many replicas have it; what they do not confirm in time is an unknown outcome. */
  readonly wait?: { readonly replicas: number; readonly timeoutMs: number } | undefined
  /**
   * Where ledger entries are drained to and kept for good. Without one the outbox keeps the newest `outboxCapacity`. With one that is
   * anonymised or bounded an audit says "incomplete".
   */
  readonly sink?: EntrySink | undefined
  /** How many ledger entries are kept where there is no sink, about. Default 10,000. */
  readonly outboxCapacity?: number | undefined
  /** By which clock this process guesses how long the last reply is ago; a wrong guess is corrected. Default: one that nobody can set. */
  readonly clock?: Clock | undefined
  /** For tests: store time itself, instead of the server's clock. */
  readonly storeClock?: Clock | undefined
}

const KNOWN = ['client', 'url', 'prefix', 'partition', 'wait', 'sink', 'outboxCapacity', 'clock', 'storeClock']

/** Throws `InvalidConfigError` with the field, the value and what would be right. */
export function checkRedisOptions(options: RedisStoreOptions): void {
  const wrong = (field: string, value: unknown, remedy: string): InvalidConfigError => new InvalidConfigError(`redisStore.${field}: ${describe(value)} ${remedy}`)
  if (typeof options !== 'object' || options === null) throw new InvalidConfigError('redisStore: give { client } or { url }.')
  const unknown = Object.keys(options).find((field) => !KNOWN.includes(field))
  if (unknown !== undefined) throw new InvalidConfigError(`redisStore.${unknown}: is no known option. Use ${KNOWN.join(', ')}.`)
  const { client, url, prefix, partition, wait, sink, outboxCapacity, clock, storeClock } = options
  if ((client === undefined) === (url === undefined)) throw new InvalidConfigError('redisStore.client: give either a client of ioredis or a url.')
  if (client !== undefined && !isRedisClient(client)) throw wrong('client', client, 'is no client of ioredis. Give new Redis(…) or new Cluster(…).')
  if (client?.options?.enableAutoPipelining === true) throw new InvalidConfigError('redisStore.client: has enableAutoPipelining: true, under which its scripts fail, and which halves their throughput. Make the client without it.')
  if (url !== undefined && !/^rediss?:\/\//.test(String(url))) throw wrong('url', url, 'is no address. Give redis://host:port or rediss://host:port.')
  if (prefix !== undefined && !(typeof prefix === 'string' && /^[^{}\s]{1,100}$/.test(prefix))) throw wrong('prefix', prefix, 'is no prefix. Give 1 to 100 characters without spaces and braces.')
  if (partition !== undefined && partition !== 'all' && partition !== 'tenant') throw wrong('partition', partition, "is unknown. Use 'all' or 'tenant'.")
  if (wait !== undefined && !(isCount(wait?.replicas) && isCount(wait?.timeoutMs))) throw wrong('wait', wait, 'is incomplete. Give { replicas, timeoutMs }, whole numbers of at least 1.')
  if (sink !== undefined && !(typeof sink?.write === 'function' && typeof sink.entries === 'function')) throw wrong('sink', sink, 'is no sink. Give one such as sqliteLedger().')
  if (outboxCapacity !== undefined && !(isCount(outboxCapacity) && outboxCapacity < 2 ** 32)) throw wrong('outboxCapacity', outboxCapacity, 'is no count. Give a whole number of at least 1.')
  for (const [field, value] of Object.entries({ clock, storeClock })) {
    if (value !== undefined && typeof value !== 'function') throw wrong(field, value, 'is no function. Give one that returns milliseconds since the epoch.')
  }
}

function inspected(value: object | null): string {
  try {
    return JSON.stringify(value)
  } catch {
    return 'an object'
  }
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 1
}

function describe(value: unknown): string {
  return Array.isArray(value) || (typeof value === 'object' && value?.constructor !== Object) ? Object.prototype.toString.call(value) : typeof value === 'object' ? inspected(value) : typeof value === 'string' ? `"${value}"` : String(value)
}
