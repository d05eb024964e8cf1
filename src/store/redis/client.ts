// The part of an ioredis client that the store uses, and how its errors are told: which mean that the store is away, and why.

import { InvalidConfigError, StoreUnavailableError, isBursarError } from '../../errors/index.js'

type Argument = string | number | Buffer

/** Commands that are sent together, on one connection. */
interface RedisPipeline {
  call(command: string, ...args: Argument[]): unknown
  callBuffer(command: string, ...args: Argument[]): unknown
  exec(): Promise<[error: Error | null, result: unknown][] | null>
}

/** What a client must be able to do: `Redis` and `Cluster` of ioredis 5 and 6 can. */
export interface RedisClient {
  call(command: string, ...args: Argument[]): Promise<unknown>
  callBuffer(command: string, ...args: Argument[]): Promise<unknown>
  pipeline(): RedisPipeline
  on(event: 'error', listener: (error: Error) => void): unknown
  disconnect(): void
  once?(event: 'ready' | 'end', listener: () => void): unknown
  readonly status?: string
  readonly options?: { readonly enableAutoPipelining?: boolean | undefined; readonly enableOfflineQueue?: boolean | undefined }
}

/** True for what can be a client. */
export function isRedisClient(value: unknown): value is RedisClient {
  return typeof value === 'object' && value !== null && ['call', 'callBuffer', 'pipeline', 'on', 'disconnect'].every((name) => typeof (value as Record<string, unknown>)[name] === 'function')
}

/** A client of the store's own for a URL. Throws `InvalidConfigError` where ioredis is not installed. */
async function connectTo(url: string): Promise<RedisClient> {
  let ioredis: { Redis: new (url: string) => RedisClient }
  try {
    ioredis = (await import('ioredis')) as unknown as typeof ioredis
  } catch (cause) {
    throw new InvalidConfigError('redisStore.url: the package ioredis is not installed. Run npm install ioredis, or give a client.', { cause })
  }
  return new ioredis.Redis(url)
}

/** The client that all of a store's data sets use: the one that was given, or one of its own. Connected and looked at once. */
export class SharedClient {
  readonly #options: { readonly client?: RedisClient | undefined; readonly url?: string | undefined }
  #client: RedisClient | undefined
  #checked: Promise<RedisClient> | undefined

  constructor(options: { readonly client?: RedisClient | undefined; readonly url?: string | undefined }) {
    this.#options = options
  }

  /** The client of a server that keeps what it is given. A failure is tried again the next time. */
  get(): Promise<RedisClient> {
    this.#checked ??= this.#connect().catch((error: unknown) => {
      this.#checked = undefined
      throw error
    })
    return this.#checked
  }

  /** Closes a client that was not given. */
  close(): void {
    if (this.#options.client === undefined) this.#client?.disconnect()
  }

  async #connect(): Promise<RedisClient> {
    if (this.#client === undefined) {
      this.#client = this.#options.client ?? (await connectTo(this.#options.url as string))
      // Failures reach whoever waits for a reply: nobody need be told twice.
      if (this.#options.client === undefined) this.#client.on('error', () => {})
    }
    await untilReady(this.#client)
    const policy = /maxmemory_policy:(\S+)/.exec(String(await this.#client.call('INFO', 'memory')))?.[1]
    if (policy?.startsWith('allkeys') === true) {
      throw new InvalidConfigError(`redisStore: the server's maxmemory-policy is ${policy}, which may evict budgets while they are in use. Set it to noeviction.`)
    }
    return this.#client
  }
}

/** A client that refuses commands until it is connected is waited for: the caller's own time limit ends it. */
async function untilReady(client: RedisClient): Promise<void> {
  const isConnecting = client.status === 'connecting' || client.status === 'connect' || client.status === 'reconnecting'
  if (client.options?.enableOfflineQueue !== false || !isConnecting || client.once === undefined) return
  await new Promise<void>((resolve) => {
    client.once?.('ready', resolve)
    client.once?.('end', resolve)
  })
}

const MEANINGS: readonly (readonly [pattern: RegExp, meaning: string])[] = [
  [/^READONLY/, 'the server is a read-only replica. Connect to the master (Sentinel and Cluster clients follow a failover by themselves)'],
  [/^OOM/, 'its memory is full, and nothing more can be held. Raise maxmemory, or drain the outbox with a sink; do not let it evict'],
  [/^WRONGTYPE|Operation against a key holding the wrong kind/, 'a key under the prefix holds something else. Give bursar a prefix of its own'],
  [/^NOAUTH|^WRONGPASS|^NOPERM/, 'the client may not do this. It needs EVALSHA, EVAL and the commands in the scripts on all keys under the prefix'],
  [/^LOADING|^MASTERDOWN|^CLUSTERDOWN|^TRYAGAIN|^ASK|^MOVED|^BUSY/, 'it is not ready'],
]

/** An error of a client as the store's. Whether the operation took effect may be unknown. */
export function unavailable(error: unknown): Error {
  if (isBursarError(error)) return error
  const message = error instanceof Error ? error.message : String(error)
  const meaning = MEANINGS.find(([pattern]) => pattern.test(message))?.[1]
  return new StoreUnavailableError(`redis: ${meaning === undefined ? message : `${meaning} (${message})`}. Repeat the operation with the same id.`, { cause: error })
}

/** True where Redis does not know a script: after a restart, a failover or SCRIPT FLUSH. */
export function isNoScript(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('NOSCRIPT')
}

/** True where a Cluster says that the keys are on another node, or on their way to it. */
export function isElsewhere(error: Error): boolean {
  return /^MOVED|^ASK|^TRYAGAIN/.test(error.message)
}
