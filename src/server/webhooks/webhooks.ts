// Tells others of thresholds and denials: endpoints and deliveries in the registry of the store, signed after Standard Webhooks, sent again
// until they are taken.

import { randomUUID } from 'node:crypto'
import type { DeniedDecision } from '../../decision/index.js'
import type { ThresholdEvent } from '../../events/index.js'
import type { Clock } from '../../time/index.js'
import { Problem } from '../problem.js'
import type { Engine, ServerLog } from '../service.js'
import type { Resolve } from './addresses.js'
import { Deliveries, shownDelivery, type Delivery, type Held } from './deliveries.js'
import { shownEndpoint, type Endpoint, type IssuedEndpoint, type NewEndpoint } from './endpoint.js'
import { Endpoints, noEndpoint, type KnownEndpoint } from './endpoints.js'
import { denialHappening, idOf, thresholdHappening, type Happening, type Message } from './message.js'
import { send, timeAfter, type After } from './sender.js'
import { Turns } from './turns.js'

/** What {@link Webhooks} work with. */
export interface WebhooksOptions {
  readonly engine: Engine
  readonly clock: Clock
  readonly log: ServerLog
  /** Whether addresses of a private network are allowed. */
  readonly allowPrivate: boolean
  /** Timers, and how names are looked up: for tests. */
  readonly after?: After | undefined
  readonly resolve?: Resolve | undefined
}

/** How often this process looks for deliveries that are due: its own, and those of processes that have died. */
const LOOK_MS = 5_000
/** How many events wait to be written while the store is away. */
const MOST_WAITING = 10_000
/** How many identities of what happened are known: what was told is not looked up again. */
const MOST_TOLD = 10_000
/** How many deliveries of one endpoint may be under way, and how many one process makes in an hour: a receiver that is told more reads none of it. */
const MOST_PENDING = 1_000
const MOST_AN_HOUR = 1_000
const HOUR_MS = 3_600_000
/** What is being sent when the server stops has so long to end. */
const CLOSE_MS = 5_000

/** The outgoing webhooks of a service. Rejects as the store does while it is away. */
export class Webhooks {
  readonly #engine: Engine
  readonly #clock: Clock
  readonly #log: ServerLog
  readonly #after: After
  readonly #allowPrivate: boolean
  readonly #resolve: Resolve | undefined
  readonly #endpoints: Endpoints
  readonly #deliveries: Deliveries
  readonly #stopping = new AbortController()
  readonly #turns = new Turns<Held>((held) => this.#deliver(held))
  /** Made when they are written: nobody who asks for a decision waits for it. */
  readonly #happened: (() => Happening)[] = []
  readonly #told = new Map<string, true>()
  /** Deliveries under way by endpoint, as they were when somebody looked. */
  #pendingOf = new Map<string, number>()
  readonly #madeOf = new Map<string, { readonly hour: number; count: number }>()
  #rounds: Promise<void> = Promise.resolve()
  #stopTimer = (): void => {}
  #isDue = false
  #isStarted = false
  #isAway = false
  #closing: Promise<void> | undefined

  constructor({ engine, clock, log, allowPrivate, after = timeAfter, resolve }: WebhooksOptions) {
    const { registry } = engine.tracker
    this.#engine = engine
    this.#clock = clock
    this.#log = log
    this.#after = after
    this.#allowPrivate = allowPrivate
    this.#resolve = resolve
    this.#endpoints = new Endpoints({ registry, clock, allowPrivate })
    this.#deliveries = new Deliveries(registry)
  }

  /** Begins to listen to the engine and to send. */
  start(): void {
    if (this.#isStarted || this.#closing !== undefined) return
    this.#isStarted = true
    this.#engine.on('threshold', this.#onThreshold)
    this.#engine.on('block', this.#onBlock)
    this.#schedule()
  }

  /** Stops sending; what is not delivered stays for the next process. Waits some seconds for what is being sent. */
  close(): Promise<void> {
    return (this.#closing ??= this.#close())
  }

  /** Writes down what has happened, sends what is due, and waits for it: what the timer does by itself. */
  async tick(): Promise<void> {
    await this.#round()
    await this.#turns.idle()
  }

  /** Makes an endpoint. Throws `InvalidRequestError` for what can be none, and where its tenant (or the operator) has too many. */
  createEndpoint(endpoint: NewEndpoint): Promise<IssuedEndpoint> {
    return this.#endpoints.create(endpoint)
  }

  /** All endpoints, the oldest first. */
  list(): Promise<Endpoint[]> {
    return this.#endpoints.list()
  }

  /** One endpoint; `undefined` where it is not there. */
  async get(id: string): Promise<Endpoint | undefined> {
    const found = await this.#endpoints.get(id)
    return found && shownEndpoint(id, found)
  }

  /** Takes an endpoint away: what is not delivered to it never is. Throws a 404 for one that is not there. */
  remove(id: string): Promise<void> {
    return this.#endpoints.remove(id)
  }

  /** Gives an endpoint another secret; what is sent is signed with the one before, too, for `graceMs` (default a day, at most 30). */
  rotate(id: string, { graceMs }: { readonly graceMs?: number | undefined } = {}): Promise<IssuedEndpoint> {
    return this.#endpoints.rotate(id, graceMs)
  }

  /** What was and is to be delivered to an endpoint, the newest first. Throws a 404 for one that is not there. */
  async deliveries(id: string): Promise<Delivery[]> {
    if ((await this.#endpoints.get(id)) === undefined) throw noEndpoint()
    return this.#deliveries.of(id)
  }

  /** Sends a delivery once more, whatever became of it. Throws a 404 where the endpoint has none of that id. */
  async retry(id: string, deliveryId: string): Promise<Delivery> {
    const held = (await this.#endpoints.get(id)) && (await this.#deliveries.again(id, deliveryId, this.#clock()))
    if (held === undefined) throw new Problem(404, 'NOT_FOUND', 'delivery: this endpoint has none of this id. Give the id of one that is listed.')
    // One that is being sent at this moment has no version.
    if (held.version !== 0) this.#take(held)
    return shownDelivery(held.id, held.value)
  }

  /** Sends `webhook.test` to an endpoint. Throws a 404 for one that is not there. */
  async test(id: string): Promise<Delivery> {
    const endpoint = await this.#endpoints.get(id)
    if (endpoint === undefined) throw noEndpoint()
    const held = await this.#write({ id, value: endpoint }, `test ${randomUUID()}`, { type: 'webhook.test', timestamp: new Date(this.#clock()).toISOString(), data: { endpoint: id } })
    if (held === undefined) throw new Problem(429, 'TOO_FAST', 'webhook: too much waits to be delivered to this endpoint. Try again when it has taken some of it.', { 'retry-after': '60' })
    return shownDelivery(held.id, held.value)
  }

  readonly #onThreshold = (event: ThresholdEvent): void => {
    const now = this.#clock()
    this.#note(() => thresholdHappening(event, now))
  }

  readonly #onBlock = (decision: DeniedDecision): void => {
    // There is nowhere to write it to.
    if (decision.code === 'store-unavailable') return
    const now = this.#clock()
    this.#note(() => denialHappening(decision, now))
  }

  #note(happening: () => Happening): void {
    if (this.#endpoints.areNone) return
    if (this.#happened.length >= MOST_WAITING) return this.#complainOnce('events were not told: too many wait for the store')
    this.#happened.push(happening)
    if (this.#isDue) return
    this.#isDue = true
    setImmediate(() => {
      this.#isDue = false
      void this.#inTurn(() => this.#writeAll())
    })
  }

  #schedule(): void {
    this.#stopTimer = this.#after(Math.floor(LOOK_MS * (0.8 + 0.4 * Math.random())), () => {
      void this.#round().then(() => this.#closing === undefined && this.#schedule())
    })
  }

  #round(): Promise<void> {
    return this.#inTurn(async () => {
      await this.#writeAll()
      if (this.#closing === undefined) await this.#look()
    })
  }

  /** One after the other; never rejects: while the store is away what has happened waits. */
  #inTurn(work: () => Promise<void>): Promise<void> {
    return (this.#rounds = this.#rounds.then(work).then(
      () => void (this.#isAway = false),
      (error: unknown) => this.#complainOnce('webhooks wait for the store', error),
    ))
  }

  async #writeAll(): Promise<void> {
    for (let first = this.#happened[0]; first !== undefined; first = this.#happened[0]) {
      const happening = first()
      if (!this.#told.has(happening.identity)) {
        for (const endpoint of await this.#endpoints.known()) {
          if (!endpoint.value.events.includes(happening.type)) continue
          const message = happening.messageFor(endpoint.value.tenant)
          if (message !== undefined) await this.#write(endpoint, happening.identity, message)
        }
        this.#remember(happening.identity)
      }
      this.#happened.shift()
    }
  }

  /** A delivery of its own for each endpoint; what it is called follows from what happened, so that it is made once by all processes. */
  async #write({ id }: KnownEndpoint, identity: string, message: Message): Promise<Held | undefined> {
    if (!this.#mayMake(id)) {
      this.#log.warn({ endpoint: id, event: message.type }, 'a webhook was left out: its endpoint has too many')
      return undefined
    }
    const held = await this.#deliveries.add(`msg_${idOf(id, identity)}`, { endpoint: id, type: message.type, body: JSON.stringify(message) }, this.#clock())
    if (held === undefined) return undefined
    this.#countMade(id)
    this.#take(held)
    return held
  }

  async #look(): Promise<void> {
    const now = this.#clock()
    const pendingOf = new Map<string, number>()
    for await (const held of this.#deliveries.pending()) {
      const { endpoint, nextAt, claimedUntil = 0 } = held.value
      pendingOf.set(endpoint, (pendingOf.get(endpoint) ?? 0) + 1)
      if (nextAt <= now && claimedUntil <= now) this.#take(held)
    }
    this.#pendingOf = pendingOf
  }

  #take(held: Held): void {
    if (this.#closing === undefined) this.#turns.add(held.value.endpoint, held.id, held)
  }

  async #deliver(held: Held): Promise<void> {
    if (this.#closing !== undefined) return
    try {
      // By what the registry says now: it may be gone, or have another secret.
      const endpoint = await this.#endpoints.get(held.value.endpoint)
      if (endpoint === undefined) return await this.#deliveries.drop(held)
      const now = this.#clock()
      const claimed = await this.#deliveries.claim(held, now)
      if (claimed === undefined) return
      const secrets = endpoint.secrets.filter(({ until = Infinity }) => now < until).map(({ secret }) => secret)
      const attempt = await send({ url: endpoint.url, id: held.id, body: held.value.body, secrets, now }, { allowPrivate: this.#allowPrivate, after: this.#after, resolve: this.#resolve, signal: this.#stopping.signal })
      const after = await this.#deliveries.ended(claimed, attempt, this.#clock(), Math.random())
      if (after !== undefined && after.state !== 'pending') this.#pendingOf.set(held.value.endpoint, (this.#pendingOf.get(held.value.endpoint) ?? 1) - 1)
      const told = { webhook: held.id, endpoint: held.value.endpoint, attempts: after?.attempts, error: attempt.error }
      if (after?.state === 'failed') this.#log.warn(told, 'a webhook was given up')
      else if (after?.state === 'pending' && attempt.isStopped !== true) this.#log.info(told, 'a webhook was not taken')
    } catch (error) {
      // What was sent and could not be noted is sent again when the claim has run out.
      this.#complainOnce('webhooks wait for the store', error)
    }
  }

  #mayMake(endpoint: string): boolean {
    const made = this.#madeOf.get(endpoint)
    const isFull = made !== undefined && made.hour === this.#hour() && made.count >= MOST_AN_HOUR
    return !isFull && (this.#pendingOf.get(endpoint) ?? 0) < MOST_PENDING
  }

  #countMade(endpoint: string): void {
    this.#pendingOf.set(endpoint, (this.#pendingOf.get(endpoint) ?? 0) + 1)
    const made = this.#madeOf.get(endpoint)
    if (made?.hour === this.#hour()) made.count += 1
    else this.#madeOf.set(endpoint, { hour: this.#hour(), count: 1 })
  }

  #hour(): number {
    return Math.floor(this.#clock() / HOUR_MS)
  }

  #remember(identity: string): void {
    this.#told.set(identity, true)
    if (this.#told.size > MOST_TOLD) this.#told.delete(this.#told.keys().next().value as string)
  }

  /** Until the store has answered again. */
  #complainOnce(message: string, error?: unknown): void {
    if (this.#isAway) return
    this.#isAway = true
    this.#log.warn(error === undefined ? {} : { err: error }, message)
  }

  async #close(): Promise<void> {
    this.#engine.off('threshold', this.#onThreshold).off('block', this.#onBlock)
    this.#stopTimer()
    this.#turns.forgetWaiting()
    await this.#inTurn(() => this.#writeAll())
    const stop = this.#after(CLOSE_MS, () => this.#stopping.abort())
    await this.#turns.idle()
    stop()
  }
}
