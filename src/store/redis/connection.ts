// How scripts are run: the header that each request begins with, store time as this process guesses it, the data set that it has
// joined, and what the codes common to all scripts mean. Knows no operation.

import { randomBytes } from 'node:crypto'
import { ClosedError, StoreResetError, StoreUnavailableError } from '../../errors/index.js'
import { steadyClock, type Clock } from '../../time/index.js'
import type { LedgerEntry } from '../../ledger/index.js'
import type { Effect } from '../contract.js'
import { isElsewhere, isNoScript, unavailable, type RedisClient, type SharedClient } from './client.js'
import { unpackEffect } from './entries.js'
import type { RedisStoreOptions } from './options.js'
import { Packer, Unpacker } from './packing.js'
import { scriptFor, type ScriptName } from './scripts.js'

const EPOCH_BYTES = 8
const ANOTHER_DATA_SET = 'X'.charCodeAt(0)
const NO_EPOCH = Buffer.alloc(EPOCH_BYTES)
const MODES = { join: 0, accept: 1, mend: 2 } as const
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

/** How a script is run. */
export interface RunOptions {
  /** How long the caller waits: store time at which the request is too late. */
  readonly waitMs?: number | undefined
  /** It runs on a data set that stands in the place of a lost one, too. */
  readonly mends?: boolean | undefined
  /** Names of keys of its own, behind those of all scripts. */
  readonly keys?: readonly string[] | undefined
}

/** One process's connection to a data set in Redis. */
export class Connection {
  /** Names of the keys, in the order of the scripts' KEYS. */
  readonly keys: readonly string[]
  readonly hasSink: boolean
  readonly #tag: string
  readonly #options: RedisStoreOptions
  readonly #capacity: number
  readonly #clock: Clock
  readonly #packer = new Packer()
  readonly #client: SharedClient
  readonly #isOfThis: (entry: LedgerEntry) => boolean
  #entering: Promise<RedisClient> | undefined
  /** The client, once the data set is joined. */
  #joined: RedisClient | undefined
  /** The data set that scripts are run on, and the one that this process has counted in: two where the latter was lost. */
  #epoch = NO_EPOCH
  #known = NO_EPOCH
  #isLost = false
  /** The client with which a data set that stands in the place of a lost one is mended. */
  #mending: RedisClient | undefined
  #isClosed = false
  #knownNow = 0
  /** How many writes the data set had when it last replied. */
  #writes = 0
  #knownAt = 0
  /** Effects of operations that failed by a rule: told with the next that succeeds. */
  #undelivered: Effect[] = []

  /** `tag`: the hash tag that all of its keys begin with. `isOfThis`: which entries of a sink are of this data set. */
  constructor(options: RedisStoreOptions, client: SharedClient, tag: string, isOfThis: (entry: LedgerEntry) => boolean) {
    this.#tag = tag
    this.#isOfThis = isOfThis
    this.#options = options
    this.#client = client
    this.hasSink = options.sink !== undefined
    this.#capacity = this.hasSink ? 0 : (options.outboxCapacity ?? 10_000)
    this.#clock = options.clock ?? steadyClock
    this.keys = ['state', 'due', 'moved', 'short', 'long', 'outbox', 'notes'].map((name) => `${tag}:${name}`)
  }

  /**
   * Runs a script. Rejects with `StoreUnavailableError`, or `StoreResetError` where the data set is not the one that was joined.
   * What mends runs all the same.
   */
  async run(name: ScriptName, packBody: PackBody, { waitMs, mends = false, keys: more }: RunOptions = {}): Promise<Reply> {
    const keys = more === undefined ? this.keys : [...this.keys, ...more.map((own) => `${this.#tag}:${own}`)]
    const startedAt = steadyClock()
    let client = this.#joined ?? (mends && this.#isLost ? await this.#mend() : await this.join())
    let corrections = 0
    for (let repeat = 0; repeat < MOST_REPEATS; repeat += 1) {
      const guess = this.guessNow()
      const leftMs = waitMs === undefined ? undefined : Math.floor(waitMs - (steadyClock() - startedAt))
      if (leftMs !== undefined && leftMs <= 0 && repeat > 0) throw new StoreUnavailableError(`redis: the answer came after the ${waitMs} ms that the caller waits, and nothing was done. Ask again.`)
      const reply = await this.#ask(client, name, packBody(this.#header(leftMs === undefined ? 0 : guess + leftMs, this.#epoch), guess).take(), keys)
      if (reply.code === 'X') {
        // Somebody may have said already how to go on.
        this.#joined = undefined
        this.#mending = undefined
        client = await this.join().catch((error: unknown) => {
          if (mends && this.#isLost) return this.#mend()
          throw error
        })
      }
      if (reply.code === 'S' || reply.code === 'L' || reply.code === 'X') {
        corrections += 1
        if (corrections > MOST_CORRECTIONS) throw new StoreUnavailableError(`redis: store time runs away from this process's clock (${new Date(reply.now).toISOString()}). Repeat the operation with the same id.`)
      } else if (reply.code !== 'D') return reply
      this.keep(reply)
    }
    throw new StoreUnavailableError('redis: more holds are due than can be ended now. Repeat the operation with the same id.')
  }

  /** Fields of the state, of the data set that this process counts in. */
  async fields(...names: readonly string[]): Promise<readonly (Buffer | null)[]> {
    const [meta, ...values] = (await this.command('HMGET', this.keys[0] as string, 'm', ...names)) as (Buffer | null)[]
    if (meta?.subarray(0, EPOCH_BYTES).equals(this.#epoch) === true || this.#isLost) return values
    this.#joined = undefined
    await this.join()
    return this.fields(...names)
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
    const { storeClock, clock } = this.#options
    if (storeClock !== undefined && clock === undefined) return Math.max(this.#knownNow, storeClock())
    return this.#knownNow + Math.max(0, Math.floor(this.#clock() - this.#knownAt))
  }

  /** True where the data set that this process counted in was lost, and nobody has said how to go on. */
  get isLost(): boolean {
    return this.#isLost
  }

  /** Joins the data set, or begins one. A failure is tried again by the next operation: the loss may have been accepted elsewhere. */
  join(): Promise<RedisClient> {
    if (this.#joined !== undefined) return Promise.resolve(this.#joined)
    this.#entering ??= this.#enter('join').finally(() => {
      this.#entering = undefined
    })
    return this.#entering
  }

  /** Goes on with whatever data set is there now, or a new one, and lets all others do so that knew the lost one. */
  async accept(): Promise<void> {
    await this.#enter('accept')
  }

  /** Runs nothing more. */
  close(): void {
    this.#isClosed = true
    this.#joined = undefined
  }

  async #mend(): Promise<RedisClient> {
    this.#mending ??= await this.#enter('mend')
    return this.#mending
  }

  async #enter(mode: keyof typeof MODES): Promise<RedisClient> {
    if (this.#isClosed) throw new ClosedError('redisStore')
    try {
      const client = await this.#client.get()
      if (mode === 'join' && this.#known === NO_EPOCH && (await this.#standsForALostOne(client))) this.#lose()
      const reply = await this.#ask(client, 'hello', this.#header(0, randomBytes(EPOCH_BYTES)).bytes(this.#known).u8(this.hasSink ? 1 : 0).u8(MODES[mode]).take())
      if (reply.code === 'X') this.#lose()
      const epoch = Buffer.from(reply.body.bytes(EPOCH_BYTES))
      if (!epoch.equals(this.#epoch)) this.#writes = 0
      this.#epoch = epoch
      this.keep(reply)
      if (mode === 'mend') return client
      this.#known = this.#epoch
      this.#isLost = false
      this.#mending = undefined
      this.#joined = client
      return client
    } catch (error) {
      throw unavailable(error)
    }
  }

  /** A data set that would begin while the sink already has entries stands in the place of one that was lost. */
  async #standsForALostOne(client: RedisClient): Promise<boolean> {
    const isThere = async (): Promise<boolean> => Number(await client.call('HEXISTS', this.keys[0] as string, 'm')) === 1
    // Asked again: another process may have begun it meanwhile, and the sink's entries are its own.
    return this.hasSink && !(await isThere()) && (await this.#sinkHasEntries()) && !(await isThere())
  }

  async #sinkHasEntries(): Promise<boolean> {
    for await (const entry of this.#options.sink?.entries() ?? []) if (entry.charged.length > 0 && this.#isOfThis(entry)) return true
    return false
  }

  #header(deadline: number, epoch: Buffer): Packer {
    const { storeClock } = this.#options
    return this.#packer.begin().bytes(epoch).u56(storeClock === undefined ? 0 : storeClock() + 1).u56(deadline).u32(this.#capacity)
  }

  async #ask(client: RedisClient, name: ScriptName, message: Buffer, keys = this.keys): Promise<Reply> {
    const script = scriptFor(name)
    const acknowledged = this.#writes
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
    const writes = body.u56()
    if (bytes[0] !== ANOTHER_DATA_SET) this.#noteWrites(Math.floor(writes / 2), writes % 2, acknowledged)
    this.#knownNow = now
    this.#knownAt = this.#clock()
    return { code: String.fromCharCode(bytes[0] as number), now, body, more: list.slice(1) }
  }

  #send(client: RedisClient, command: string, script: string, keys: readonly string[], message: Buffer): Promise<unknown> {
    const { wait } = this.#options
    // Joining changes nothing that a failover could lose.
    if (wait === undefined || this.#joined === undefined) return client.callBuffer(command, script, keys.length, ...keys, message)
    return this.#sendAndWait(client, wait, [command, script, keys.length, ...keys, message])
  }

  /** WAIT cannot run in a script: it is sent right behind it on the same connection. */
  async #sendAndWait(client: RedisClient, wait: { readonly replicas: number; readonly timeoutMs: number }, [command, ...args]: [string, ...(string | number | Buffer)[]]): Promise<unknown> {
    const pipeline = client.pipeline()
    pipeline.callBuffer(command, ...args)
    pipeline.call('WAIT', wait.replicas, wait.timeoutMs)
    const [ran, waited] = (await pipeline.exec()) ?? []
    // A client follows a slot that has moved for a command by itself, not for one of several: afterwards it knows the way again.
    if (ran?.[0] != null && isElsewhere(ran[0])) await client.call('EXISTS', this.keys[0] as string)
    if (ran === undefined || waited === undefined) throw new StoreUnavailableError('redis: the connection closed before the reply. Repeat the operation with the same id.')
    if (ran[0] !== null) throw ran[0]
    if (waited[0] !== null) throw waited[0]
    const confirmed = Number(waited[1])
    if (confirmed < wait.replicas) {
      throw new StoreUnavailableError(`redis: ${confirmed} of ${wait.replicas} replicas confirmed within ${wait.timeoutMs} ms, so a failover could lose the operation: its outcome is unknown. Repeat it with the same id.`)
    }
    return ran[1]
  }

  /** What was acknowledged before a request was sent is there when it runs, unless a failover lost it. */
  #noteWrites(writes: number, own: number, acknowledged: number): void {
    if (writes - own >= acknowledged) this.#writes = Math.max(this.#writes, writes)
    else {
      if (this.#writes >= acknowledged) this.#undelivered.push({ kind: 'writes-lost', atLeast: acknowledged - (writes - own) })
      this.#writes = writes
    }
  }

  #lose(): never {
    this.#isLost = true
    this.#joined = undefined
    this.#mending = undefined
    this.#writes = 0
    throw lostDataSet()
  }
}

function lostDataSet(): StoreResetError {
  return new StoreResetError('redis: the data set is not the one that this process has been counting in: it was lost, or replaced. Mend the counters from the ledger, or accept the loss with store.acceptReset().')
}

const NO_EFFECTS: readonly Effect[] = Object.freeze([])
