// What the tests of the Redis store share: data sets of their own on one server, a sink that can fail, and a look at the keys as they
// are stored. Knows the names of the keys, and nothing of what is in them.

import type { Redis } from 'ioredis'
import type { DirectoryEntry, LedgerEntry, ReserveRequest, ScopeTerms } from '../../../../src/index.js'
import type { EntrySink } from '../../../../src/store/index.js'
import { redisStore, type RedisClient, type RedisStore, type RedisStoreOptions } from '../../../../src/store/redis/index.js'
import { sharedRedis, type SharedRedis } from '../../../support/redis/index.js'

const NAMES = ['state', 'due', 'moved', 'short', 'long', 'outbox', 'notes'] as const

/** One of the seven keys of a data set. */
export type KeyName = (typeof NAMES)[number]

/** All of them, in the order of the scripts. */
export const KEY_NAMES: readonly KeyName[] = NAMES

/** A server, a client of it, and stores on data sets that nobody else uses. */
export class Ground {
  readonly redis: SharedRedis
  readonly client: Redis
  readonly #stores: RedisStore[] = []

  private constructor(redis: SharedRedis) {
    this.redis = redis
    this.client = redis.client()
  }

  static async open(): Promise<Ground> {
    return new Ground(await sharedRedis())
  }

  prefix(): string {
    return this.redis.prefix()
  }

  /** A store, as one process has it; closed with the ground. */
  store(prefix: string, options: Omit<RedisStoreOptions, 'url' | 'prefix'> = {}): RedisStore {
    const store = redisStore({ client: this.client, prefix, ...options })
    this.#stores.push(store)
    return store
  }

  async close(): Promise<void> {
    await Promise.all(this.#stores.map((store) => store.close()))
    await this.client.quit()
  }

  /** Every key of a data set in the server's own form; absent keys are `null`. */
  async dumps(prefix: string): Promise<Record<KeyName, string | null>> {
    const dumps = await Promise.all(NAMES.map((name) => this.client.dumpBuffer(keyOf(prefix, name))))
    return Object.fromEntries(NAMES.map((name, index) => [name, dumps[index]?.toString('hex') ?? null])) as Record<KeyName, string | null>
  }

  /** Makes a data set just like another, as it is now. */
  async copy(from: string, to: string): Promise<void> {
    await Promise.all(NAMES.map((name) => this.client.del(keyOf(to, name))))
    await Promise.all(NAMES.map((name) => this.client.copy(keyOf(from, name), keyOf(to, name))))
  }

  /** Loses a data set. */
  async lose(prefix: string): Promise<void> {
    await this.client.del(...NAMES.map((name) => keyOf(prefix, name)))
  }

  /** The fields of the state whose names begin so. */
  async fields(prefix: string, first: string): Promise<string[]> {
    const names = await this.client.hkeys(keyOf(prefix, 'state'))
    return names.filter((name) => name.startsWith(first)).sort()
  }
}

/** The name of a key. */
export function keyOf(prefix: string, name: KeyName): string {
  return `{${prefix}}:${name}`
}

/** A reserve of ann's, for ten minutes. */
export function reserveOf(id: string, scopes: readonly ScopeTerms[], options: Partial<ReserveRequest> & { readonly entry?: DirectoryEntry | undefined; readonly microcents?: number } = {}): ReserveRequest {
  const { microcents = 1, ...rest } = options
  const facts = { user: { userId: 'ann' }, tier: 'free', model: 'large' }
  return { id, fingerprint: `reserve ${id}`, idGiven: true, ttlMs: 600_000, onExpiry: 'charge', scopes, rungs: [{ microcents, tokens: 0 }], facts, ...rest }
}

/** A sink in memory that keeps each entry once, and can be made to fail. */
export class TestSink implements EntrySink {
  /** Every entry as often as it was handed over. */
  readonly handed: LedgerEntry[] = []
  /** Entries that are kept: each once. */
  readonly kept: LedgerEntry[] = []
  readonly #known = new Set<string>()
  fails = false
  /** Runs once the entries are kept, before the store hears of it. */
  afterWrite: () => void = () => {}

  async write(entries: readonly LedgerEntry[]): Promise<void> {
    if (this.fails) throw new Error('the disk is full')
    for (const entry of entries) {
      this.handed.push(entry)
      const name = `${entry.id} ${entry.at}`
      if (this.#known.has(name)) continue
      this.#known.add(name)
      this.kept.push(entry)
    }
    this.afterWrite()
  }

  async *entries(): AsyncIterable<LedgerEntry> {
    yield* this.kept
  }
}

/** A command as a store sends it. */
export type Sent = (command: string, args: readonly (string | number | Buffer)[]) => Promise<unknown>

/** A client whose commands pass through `around`, which may hold them up, change them or lose their replies. */
export function through(client: Redis, around: (command: string, args: readonly (string | number | Buffer)[], send: Sent) => Promise<unknown>): RedisClient {
  return {
    call: (command, ...args) => around(command, args, (name, words) => client.call(name, ...words)),
    callBuffer: (command, ...args) => around(command, args, (name, words) => client.callBuffer(name, ...words)),
    pipeline: () => client.pipeline() as unknown as ReturnType<RedisClient['pipeline']>,
    on: (event, listener) => client.on(event, listener),
    disconnect: () => client.disconnect(),
  }
}
