// A shared store that may be away: every operation answers in time or fails, and while the store is known to be away none is asked.
// Decides when that is, remembers what is needed meanwhile, and tells the store later; knows no decision.

import { isBursarError, StoreUnavailableError, type BursarError } from '../errors/index.js'
import type { Amounts } from '../money/index.js'
import type { UserRef } from '../budget/index.js'
import {
  isPromise,
  type Admitted,
  type Auditor,
  type Directory,
  type Effect,
  type Extended,
  type ExtendRequest,
  type Failure,
  type KnownUser,
  type LedgerSink,
  type MaybePromise,
  type Opened,
  type Outdated,
  type Reading,
  type Recorded,
  type RecordRequest,
  type Refunded,
  type RefundRequest,
  type Refused,
  type Released,
  type Registry,
  type ReleaseRequest,
  type ReserveRequest,
  type Restarted,
  type RestartRequest,
  type ScopeTerms,
  type Settled,
  type SettleRequest,
  type Store,
  type UserTotals,
} from '../store/index.js'
import type { Clock } from '../time/index.js'
import { guardedAuditor } from './auditor.js'
import { atMost, elapsedMs, waiting, within } from './deadline.js'
import { GuardedDirectory } from './directory.js'
import type { Ending } from './ending.js'
import type { SettleQueueConfig } from './ending-queue.js'
import { guardedLedger, stepwise, type Ask } from './ledger.js'
import { guardedRegistry } from './registry.js'
import { KnownHolds } from './known-holds.js'
import { KnownWindows, type LocalAnswer } from './known-windows.js'
import { MissedEndings } from './missed-endings.js'
import { Recovery, stepTimeout, type Step } from './recovery.js'
import { isReset, isStoresFailure, mayHaveChanged } from './replay.js'

/** What an {@link OutageGuard} is told. */
export interface OutageOptions {
  readonly timeoutMs: number
  readonly clock: Clock
  /** The share of this process in what last remained; absent: nothing is admitted without the store, and nothing remembered for it. */
  readonly localShare?: number | undefined
  readonly settleQueue?: SettleQueueConfig | undefined
  readonly onError: (operation: string, error: unknown) => void
  readonly onRecovered: (operation: string) => void
  readonly onEffects: (effects: readonly Effect[]) => void
  readonly warn: (message: string) => void
}

type ReserveReply = Admitted | Refused | Outdated | Failure

/**
 * A store with a time limit and a circuit breaker. After a timeout or a failure of the store the circuit is open: operations fail
 * at once, and the store is tried in the background until it answers; then the endings that wait are replayed, and the circuit
 * closes. What a store answers at once is answered at once.
 */
export class OutageGuard implements Store {
  readonly name: string
  readonly shared = true
  readonly directory: Directory
  readonly registry: Registry
  readonly ledger: LedgerSink
  readonly #store: Store
  readonly #options: OutageOptions
  readonly #timeoutMs: number
  readonly #missed: MissedEndings
  readonly #known: KnownWindows | undefined
  readonly #holds = new KnownHolds()
  readonly #recovery: Recovery
  readonly #step: Step
  readonly #announced = new WeakSet<object>()
  /** What operations fail with while the circuit is open. */
  #away: StoreUnavailableError | undefined
  /** Goes up whenever the circuit opens or closes: what began before says nothing of now. */
  #epoch = 0
  #isReset = false
  /** Nobody is told of anything any more. */
  #isClosed = false
  /** The latest store time heard, and when that was by the clock and by what passes. */
  #heard: { readonly now: number; readonly at: number; readonly elapsed: number } | undefined

  /** Throws `InvalidConfigError` where the file of the queue cannot be used. What is left in it is replayed from now on. */
  constructor(store: Store, options: OutageOptions) {
    this.name = store.name
    this.#store = store
    const whileOpen = <Given extends readonly unknown[]>(tell: (...given: Given) => void) => (...given: Given): void => void (this.#isClosed || tell(...given))
    this.#options = { ...options, onError: whileOpen(options.onError), onRecovered: whileOpen(options.onRecovered) }
    this.#timeoutMs = options.timeoutMs
    this.#step = stepTimeout(options.timeoutMs)
    this.#missed = new MissedEndings(store, this.#step, this.#options)
    this.#known = options.localShare === undefined ? undefined : new KnownWindows(options.localShare)
    const ask: Ask = (operation, asked) => this.#ask(operation, asked)
    this.directory = new GuardedDirectory(store.directory, ask, this.#known !== undefined)
    this.registry = guardedRegistry(store.registry, ask)
    this.ledger = guardedLedger(store.ledger, ask, () => this.#assertThere())
    this.#recovery = new Recovery(() => this.#recover())
    if (this.#missed.size > 0) this.#recovery.start()
  }

  /** An audit takes its time, and is not limited; while the store is known to be away it fails at once. */
  get auditor(): Auditor | undefined {
    const { auditor } = this.#store
    return auditor && guardedAuditor(auditor, () => this.#assertThere())
  }

  /**
   * A reserve whose connection failed is repeated once with the same id, in the same time, unless the store says that nothing was
   * changed. One whose outcome stays unknown is withdrawn when the store is back, so that no hold stays open for a call that nobody
   * makes (DESIGN 3.4).
   */
  reserve(request: ReserveRequest): MaybePromise<ReserveReply> {
    this.#assertNotWaiting(request.id)
    this.#assertThere()
    const epoch = this.#epoch
    const startedAt = elapsedMs()
    let reply: MaybePromise<ReserveReply>
    try {
      reply = this.#store.reserve(waiting(request, this.#timeoutMs))
    } catch (error) {
      throw this.#reserveFailed(request.id, error, epoch)
    }
    if (!isPromise(reply)) return this.#reserved(request, reply, epoch)
    const answered = reply.then(undefined, (error: unknown) => this.#reserveAgain(request, error, startedAt))
    return within(answered, this.#timeoutMs, () => this.#late('reserve')).then(
      (answer) => this.#reserved(request, answer, epoch),
      (error: unknown) => {
        throw this.#reserveFailed(request.id, error, epoch)
      },
    )
  }

  settle(request: SettleRequest): MaybePromise<Settled | Failure> {
    this.#assertNotWaiting(request.id)
    return this.#ask('settle', () => this.#store.settle(request))
  }

  release(request: ReleaseRequest): MaybePromise<Released | Failure> {
    this.#assertNotWaiting(request.id)
    return this.#ask('release', () => this.#store.release(request))
  }

  extend(request: ExtendRequest): MaybePromise<Extended | Failure> {
    this.#assertNotWaiting(request.id)
    return this.#ask('extend', () => this.#store.extend(request))
  }

  /** Also of an id whose ending waits for the store: what it was opened with stays so. While the store is away, of what this process has opened. */
  get opened(): ((id: string) => MaybePromise<Opened | Failure>) | undefined {
    return this.#store.opened && ((id) => this.#opened(id))
  }

  record(request: RecordRequest): MaybePromise<Recorded | Outdated | Failure> {
    this.#assertNotWaiting(request.id)
    const reply = this.#ask('record', () => this.#store.record(request))
    if (this.#known === undefined) return reply
    const spent = (answer: Recorded | Outdated | Failure): Recorded | Outdated | Failure => {
      if (answer.outcome === 'recorded' && !answer.replayed) this.#known?.spent(request.scopes, request.amounts, 1)
      return answer
    }
    return isPromise(reply) ? reply.then(spent) : spent(reply)
  }

  refund(request: RefundRequest): MaybePromise<Refunded | Failure> {
    return this.#ask('refund', () => this.#store.refund(request))
  }

  read(scopes: readonly ScopeTerms[]): MaybePromise<Reading> {
    const epoch = this.#epoch
    const reply = this.#ask('read', () => this.#store.read(scopes))
    if (this.#known === undefined) return reply
    const read = (answer: Reading): Reading => {
      this.#note(scopes, answer.readings, answer.now, undefined, epoch)
      return answer
    }
    return isPromise(reply) ? reply.then(read) : read(reply)
  }

  restart(request: RestartRequest): MaybePromise<Restarted> {
    return this.#ask('restart', () => this.#store.restart(request))
  }

  totals(user: UserRef): MaybePromise<UserTotals> {
    return this.#ask('totals', () => this.#store.totals(user))
  }

  users(): AsyncIterable<KnownUser> {
    return stepwise('users', () => this.#store.users(), (operation, asked) => this.#ask(operation, asked))
  }

  /**
   * Sends what waits, as far as that goes within the time limit, and closes the store. What is left stays in the file of the queue;
   * without one it is lost, and a warning says how much.
   */
  async close(): Promise<void> {
    const flushed = this.#recovery.stop().then(() => (this.#missed.size > 0 ? this.#recover() : true))
    await atMost(flushed, this.#timeoutMs).catch(() => {})
    this.#isClosed = true
    const lost = this.#missed.isOnDisk ? 0 : this.#missed.costs
    if (lost > 0) {
      this.#options.warn(`bursar: ${lost} ${lost === 1 ? 'call' : 'calls'} ended while the store was away, and what they cost is lost with this process. Give settleQueue.path a file, so that the next one tells the store.`)
    }
    await this.#missed.close()
    const closing = this.#store.close()
    if (isPromise(closing)) await atMost(closing, this.#timeoutMs)
  }

  /** True for an error of which `store-error` has told, or that follows from one. */
  hasAnnounced(error: unknown): boolean {
    return typeof error === 'object' && error !== null && this.#announced.has(error)
  }

  /** What this process's share says of a request, while the store is away; `undefined` where too little is known. */
  answerLocally(request: ReserveRequest): LocalAnswer | undefined {
    if (this.#known === undefined || this.#heard === undefined || this.#isReset) return undefined
    const { now, at, elapsed } = this.#heard
    // The later of two clocks: a window that may have ended has.
    const passed = Math.max(0, this.#options.clock() - at, elapsedMs() - elapsed)
    return this.#known.answer(request, Math.floor(now + passed))
  }

  /** Notes that a call cost so much more than was held for it, for what is left while the store is away. */
  noteOverage(scopes: () => readonly ScopeTerms[], microcents: number): void {
    this.#known?.spent(scopes(), { microcents, tokens: 0 }, 0)
  }

  /**
   * Keeps an ending that the store could not be told of, because it failed with `cause`. Resolves once it is as safe as the queue
   * makes it; `told` is called when the store has it. Rejects where the queue is full, or has another ending of that id.
   */
  async keep(ending: Omit<Ending, 'at' | 'sentAt'>, cause: unknown, told?: () => void): Promise<'kept' | 'repeated'> {
    const kept = await this.#missed.keep(ending, !isReset(cause) && mayHaveChanged(cause), told)
    this.#recovery.start()
    return kept
  }

  async #opened(id: string): Promise<Opened | Failure> {
    try {
      return await this.#ask('opened', () => this.#store.opened?.(id) as MaybePromise<Opened | Failure>)
    } catch (error) {
      const known = isStoresFailure(error) && !isReset(error) ? this.#holds.find(id) : undefined
      if (known === undefined) throw error
      return known
    }
  }

  #ask<T>(operation: string, ask: () => MaybePromise<T>): MaybePromise<T> {
    this.#assertThere()
    const epoch = this.#epoch
    let answer: MaybePromise<T>
    try {
      answer = ask()
    } catch (error) {
      throw this.#failed(operation, error, epoch)
    }
    if (!isPromise(answer)) {
      this.#answered()
      return answer
    }
    return within(answer, this.#timeoutMs, () => this.#late(operation)).then(
      (value) => {
        this.#answered()
        return value
      },
      (error: unknown) => {
        throw this.#failed(operation, error, epoch)
      },
    )
  }

  #assertThere(): void {
    if (this.#away !== undefined) throw this.#away
  }

  /** What an operation would find in the store is not so any more: an ending of that id is on its way. */
  #assertNotWaiting(id: string): void {
    if (!this.#missed.has(id)) return
    const waits = new StoreUnavailableError(`id: how "${id}" ended waits for the store. Try again when it is back.`, { asked: false })
    this.#announced.add(waits)
    throw waits
  }

  #reserved(request: ReserveRequest, reply: ReserveReply, epoch: number): ReserveReply {
    this.#answered()
    if (reply.outcome === 'admitted') this.#holds.note(request, reply)
    if (this.#known !== undefined && (reply.outcome === 'refused' || (reply.outcome === 'admitted' && reply.replay === undefined))) {
      this.#note(request.scopes, reply.readings, reply.now, reply.outcome === 'admitted' ? request.rungs[reply.rung] : undefined, epoch)
    }
    return reply
  }

  async #reserveAgain(request: ReserveRequest, error: unknown, startedAt: number): Promise<ReserveReply> {
    const waitMs = Math.floor(this.#timeoutMs - (elapsedMs() - startedAt))
    if (waitMs < 1 || !isStoresFailure(error) || isReset(error) || !mayHaveChanged(error)) throw error
    const reply = await this.#store.reserve(waiting(request, waitMs))
    // A generated id can only have been this call's own.
    return reply.outcome === 'admitted' && !request.idGiven ? { ...reply, replay: undefined } : reply
  }

  #reserveFailed(id: string, error: unknown, epoch: number): Error {
    const failure = this.#failed('reserve', error, epoch)
    if (isStoresFailure(failure) && !isReset(failure) && mayHaveChanged(failure)) {
      this.keep({ id, kind: 'withdraw', microcents: 0 }, failure).catch((lost: unknown) => this.#options.onError('withdraw', lost))
    }
    return failure
  }

  #note(scopes: readonly ScopeTerms[], readings: readonly number[], now: number, taken: Amounts | undefined, epoch: number): void {
    if (epoch !== this.#epoch || this.#away !== undefined) return
    this.#known?.note(scopes, readings, now, taken)
    this.#heard = { now, at: this.#options.clock(), elapsed: elapsedMs() }
  }

  #answered(): void {
    if (!this.#isReset) return
    this.#isReset = false
    this.#options.onRecovered('reset')
    if (this.#missed.size > 0) this.#recovery.startNow()
  }

  #failed(operation: string, error: unknown, epoch: number): Error {
    if (!isStoresFailure(error)) return error as Error
    if (isReset(error)) {
      this.#known?.clear()
      if (!this.#isReset) this.#options.onError(operation, error)
      this.#isReset = true
      this.#announced.add(error)
      return error
    }
    const failure = isBursarError(error) ? error : new StoreUnavailableError(`${operation}: the ${this.name} store failed (${messageOf(error)}). Whether it took effect is unknown: repeat it with the same id.`, { cause: error })
    this.#announced.add(failure)
    if (epoch === this.#epoch && this.#away === undefined) this.#open(operation, failure)
    return failure
  }

  #open(operation: string, failure: BursarError): void {
    this.#epoch += 1
    this.#away = new StoreUnavailableError(`the ${this.name} store is away, and was not asked: ${failure.message}`, { cause: failure, asked: false })
    this.#announced.add(this.#away)
    this.#options.onError(operation, failure)
    this.#recovery.startNow()
  }

  #close(): void {
    if (this.#away === undefined) return
    this.#epoch += 1
    this.#away = undefined
    this.#options.onRecovered('probe')
  }

  #late(operation: string): StoreUnavailableError {
    return new StoreUnavailableError(`${operation}: the ${this.name} store did not answer within ${this.#timeoutMs} ms (storeTimeout). Whether it took effect is unknown: repeat it with the same id.`)
  }

  /**
   * One attempt to get back to normal: a probe, then what waits, then the circuit closes. What waits comes first, so that the store
   * knows what was spent before it admits more. An ending that fails alone keeps nobody else out.
   */
  async #recover(): Promise<boolean> {
    const state = await this.#probe()
    if (state === 'away') return false
    // A reset store answers, if only that: requests hear it first hand.
    if (state === 'there' && !(await this.#missed.replay()) && (await this.#probe()) === 'away') return false
    this.#close()
    return this.#missed.size === 0
  }

  /** A write: a store that can only be read is away all the same. It leaves the tombstone of a reserve that never was. */
  async #probe(): Promise<'there' | 'away' | 'reset'> {
    try {
      await this.#step(async () => this.#store.release({ id: `probe-${crypto.randomUUID()}`, tombstone: true }))
      return 'there'
    } catch (error) {
      if (!isStoresFailure(error)) return 'there'
      if (!isReset(error)) return 'away'
      this.#known?.clear()
      return 'reset'
    }
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
