// How scripts are run: the header that each request begins with, store time as this process guesses it, the data set that it has
// joined, and what the codes common to all scripts mean. Knows no operation.

import { randomBytes } from 'node:crypto'
import { ClosedError, InvalidConfigError, StoreResetError, StoreUnavailableError } from '../../errors/index.js'
import { steadyClock, systemClock, type Clock } from '../../time/index.js'
import type { Effect } from '../contract.js'
import { connectTo, isNoScript, unavailable, type RedisClient } from './client.js'
import { unpackEffect } from './entries.js'
import type { RedisStoreOptions } from './options.js'
import { Packer, Unpacker } from './packing.js'
import { scriptFor, type ScriptName } from './scripts.js'

const NO_EPOCH = Buffer.alloc(8)
/** How often a script is repeated because of what it said: a wrong clock, or more holds due than one call ends. */
const MOST_REPEATS = 1_000
const MOST_CORRECTIONS = 3

/** What a script answered: its code, store time, and the rest. */
export interface Reply {
  readonly code: string
  readonly now: number
  readonly body: Unpacker
  readonly more: readonly unknown[]
}

/** Writes what a script is given after the header. `now` is this process's idea of store time. */
export type PackBody = (to: Packer, now: number) => Packer

/** One process's connection to a data set in Redis. */
export class Connection {
  /** Names of the keys, in the order of the scripts' KEYS. */
  readonly keys: readonly string[]
  readonly hasSink: boolean
  readonly #options: RedisStoreOptions
  readonly #capacity: number
  readonly #clock: Clock
  readonly #packer = new Packer()
  #client: RedisClient | undefined
  #joining: Promise<RedisClient> | undefined
  /** The client, once the data set is joined. */
  #joined: RedisClient | undefined
  #epoch = NO_EPOCH
  #isLost = false
  #isClosed = false
  #knownNow = 0
  #knownAt = 0
  /** Effects of operations that failed by a rule: told with the next that succeeds. */
  #undelivered: Effect[] = []

  constructor(options: RedisStoreOptions) {
    this.#options = options
    this.hasSink = options.sink !== undefined
    this.#capacity = this.hasSink ? 0 : (options.outboxCapacity ?? 10_000)
    this.#clock = options.storeClock ?? options.clock ?? systemClock
    const tag = `{${options.prefix ?? 'bursar'}}`
    this.keys = ['state', 'due', 'moved', 'short', 'long', 'outbox', 'notes'].map((name) => `${tag}:${name}`)
  }

  /** Runs a script. Rejects with `StoreUnavailableError`, or `StoreResetError` where the data set is not the one that was joined. */
  async run(name: ScriptName, packBody: PackBody, waitMs?: number): Promise<Reply> {
    const client = this.#joined !== undefined && !this.#isLost && !this.#isClosed ? this.#joined : await this.join()
    let corrections = 0
    for (let repeat = 0; repeat < MOST_REPEATS; repeat += 1) {
      const guess = this.guessNow()
      const reply = await this.#ask(client, name, packBody(this.#header(waitMs === undefined ? 0 : guess + waitMs, this.#epoch), guess).take())
      if (reply.code === 'X') this.#lose()
      if (reply.code === 'S' || reply.code === 'L') {
        corrections += 1
        if (corrections > MOST_CORRECTIONS) throw new StoreUnavailableError(`redis: store time runs away from this process's clock (${new Date(reply.now).toISOString()}). Repeat the operation with the same id.`)
      } else if (reply.code !== 'D') return reply
    }
    throw new StoreUnavailableError('redis: more holds are due than can be ended now. Repeat the operation with the same id.')
  }

  /** A command outside the scripts. */
  async command(name: string, ...args: (string | number | Buffer)[]): Promise<unknown> {
    const client = await this.join()
    try {
      return await client.callBuffer(name, ...args)
    } catch (error) {
      throw unavailable(error)
    }
  }

  /** Effects that are still to be told, with those of this reply. */
  deliver(reply: Reply): readonly Effect[] {
    this.keep(reply)
    if (this.#undelivered.length === 0) return NO_EFFECTS
    const effects = this.#undelivered
    this.#undelivered = []
    return effects
  }

  /** Keeps the effects of an operation that failed by a rule. */
  keep(reply: Reply): void {
    for (const item of reply.more) if (Buffer.isBuffer(item)) this.#undelivered.push(unpackEffect(item))
  }

  /** Store time as far as this process can tell: the last reply's, and what has passed since. */
  guessNow(): number {
    if (this.#options.storeClock !== undefined) return Math.max(this.#knownNow, this.#options.storeClock())
    return this.#knownNow === 0 ? this.#clock() : this.#knownNow + Math.floor(steadyClock() - this.#knownAt)
  }

  /** Connects, checks the server, and joins the data set (or begins one). Once; a failure is tried again by the next operation. */
  join(): Promise<RedisClient> {
    if (this.#isClosed) return Promise.reject(new ClosedError('redisStore'))
    if (this.#isLost) return Promise.reject(lostDataSet())
    this.#joining ??= this.#joinOnce().catch((error: unknown) => {
      this.#joining = undefined
      throw unavailable(error)
    })
    return this.#joining
  }

  /** Goes on with whatever data set is there now, or a new one. */
  async accept(): Promise<void> {
    this.#isLost = false
    this.#joining = undefined
    this.#joined = undefined
    await this.#joinWith(await this.#connect(), true)
  }

  /** Closes a client that the store made. */
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    if (this.#options.client === undefined) this.#client?.disconnect()
  }

  async #joinOnce(): Promise<RedisClient> {
    const client = await this.#connect()
    const memory = String(await client.call('INFO', 'memory'))
    const policy = /maxmemory_policy:(\S+)/.exec(memory)?.[1]
    if (policy?.startsWith('allkeys') === true) {
      throw new InvalidConfigError(`redisStore: the server's maxmemory-policy is ${policy}, which may evict budgets while they are in use. Set it to noeviction.`)
    }
    await this.#joinWith(client, false)
    this.#joined = client
    return client
  }

  async #joinWith(client: RedisClient, accept: boolean): Promise<void> {
    const body = this.#header(0, randomBytes(8)).bytes(this.#epoch).u8(this.hasSink ? 1 : 0).u8(accept ? 1 : 0)
    const reply = await this.#ask(client, 'hello', body.take())
    if (reply.code === 'X') this.#lose()
    const epoch = Buffer.from(reply.body.bytes(8))
    const begun = reply.body.u8() === 1
    if (begun && !accept && (await this.#sinkHasEntries())) this.#lose()
    this.#epoch = epoch
    this.keep(reply)
  }

  /** A data set that begins while the sink already has entries is one that was lost. */
  async #sinkHasEntries(): Promise<boolean> {
    for await (const entry of this.#options.sink?.entries() ?? []) if (entry.kind !== 'configured') return true
    return false
  }

  async #connect(): Promise<RedisClient> {
    if (this.#client === undefined) {
      this.#client = this.#options.client ?? (await connectTo(this.#options.url as string))
      // Failures reach whoever waits for a reply: nobody need be told twice.
      if (this.#options.client === undefined) this.#client.on('error', () => {})
    }
    return this.#client
  }

  #header(deadline: number, epoch: Buffer): Packer {
    const { storeClock } = this.#options
    return this.#packer.begin().bytes(epoch).u56(storeClock === undefined ? 0 : storeClock() + 1).u56(deadline).u32(this.#capacity)
  }

  async #ask(client: RedisClient, name: ScriptName, message: Buffer): Promise<Reply> {
    const script = scriptFor(name)
    const keys = this.keys
    let raw: unknown
    try {
      try {
        raw = await this.#send(client, 'EVALSHA', script.sha, keys, message)
      } catch (error) {
        if (!isNoScript(error)) throw error
        raw = await this.#send(client, 'EVAL', script.text, keys, message)
      }
    } catch (error) {
      throw unavailable(error)
    }
    const list = Array.isArray(raw) ? (raw as unknown[]) : [raw]
    const bytes = list[0] as Buffer
    const body = new Unpacker(bytes, 1)
    const now = body.u56()
    body.u56()
    this.#knownNow = now
    this.#knownAt = 0
    return { code: String.fromCharCode(bytes[0] as number), now, body, more: list.slice(1) }
  }

  #send(client: RedisClient, command: string, script: string, keys: readonly string[], message: Buffer): Promise<unknown> {
    const { wait } = this.#options
    if (wait === undefined) return client.callBuffer(command, script, keys.length, ...keys, message)
    return this.#sendAndWait(client, wait, [command, script, keys.length, ...keys, message])
  }

  /** WAIT cannot run in a script: it is sent right behind it on the same connection. */
  async #sendAndWait(client: RedisClient, wait: { readonly replicas: number; readonly timeoutMs: number }, [command, ...args]: [string, ...(string | number | Buffer)[]]): Promise<unknown> {
    const pipeline = client.pipeline()
    pipeline.callBuffer(command, ...args)
    pipeline.call('WAIT', wait.replicas, wait.timeoutMs)
    const [ran, waited] = (await pipeline.exec()) ?? []
    if (ran === undefined || waited === undefined) throw new StoreUnavailableError('redis: the connection closed before the reply. Repeat the operation with the same id.')
    if (ran[0] !== null) throw ran[0]
    if (waited[0] !== null) throw waited[0]
    const confirmed = Number(waited[1])
    if (confirmed < wait.replicas) {
      throw new StoreUnavailableError(`redis: ${confirmed} of ${wait.replicas} replicas confirmed within ${wait.timeoutMs} ms, so a failover could lose the operation: its outcome is unknown. Repeat it with the same id.`)
    }
    return ran[1]
  }

  #lose(): never {
    this.#isLost = true
    throw lostDataSet()
  }
}

function lostDataSet(): StoreResetError {
  return new StoreResetError('redis: the data set is not the one that this process has been counting in: it was lost, or replaced. Mend the counters from the ledger, or accept the loss with store.acceptReset().')
}

const NO_EFFECTS: readonly Effect[] = Object.freeze([])
