// Tells others of thresholds and denials: endpoints and deliveries in the registry of the store, signed after Standard Webhooks, sent again
// until they are taken.

import { randomUUID } from 'node:crypto'
import type { DeniedDecision } from '../../decision/index.js'
import type { ThresholdEvent } from '../../events/index.js'
import type { Clock } from '../../time/index.js'
import { Problem } from '../problem.js'
import type { Engine, ServerLog } from '../service.js'
import type { Resolve } from './addresses.js'
import { Allowance, type Share } from './allowance.js'
import { Deliveries, shownDelivery, type Delivery, type Held } from './deliveries.js'
import { shownEndpoint, type Endpoint, type EndpointChange, type IssuedEndpoint, type NewEndpoint } from './endpoint.js'
import { Endpoints, noEndpoint, type KnownEndpoint } from './endpoints.js'
import { Heard, type Noted } from './heard.js'
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
/** An attempt that comes this soon is not left to the next look. */
const SOON_MS = 10_000
/** How many identities of what happened are known, for each endpoint that was told: it is not looked up again. */
const MOST_TOLD = 10_000
const COMPLAINT_EACH_MS = 60_000
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
  readonly #heard = new Heard()
  readonly #allowance: Allowance
  readonly #told = new Map<string, true>()
  /** Ends the timers of attempts that come soon. */
  readonly #soon = new Set<() => void>()
  #writing: Promise<void> = Promise.resolve()
  #looking: Promise<void> = Promise.resolve()
  #stopTimer = (): void => {}
  #isDue = false
  #isStarted = false
  #isAway = false
  #complainedAt = -Infinity
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
    this.#allowance = new Allowance(clock)
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

  /**
   * When the thresholds that this process has heard of until now are written down, so that they are told even if it dies; `undefined` where
   * all are. Never rejects: what the store does not take waits in this process until it does.
   */
  written(): Promise<void> | undefined {
    const written = this.#heard.written()
    // What the store has not taken before is tried again, and not at the next look.
    if (written !== undefined) this.#writeSoon()
    return written
  }

  /** Changes where an endpoint is or what it hears of; its secret stays. Throws a 404 for one that is not there, `InvalidRequestError` for what can be no change. */
  update(id: string, change: EndpointChange): Promise<Endpoint> {
    return this.#endpoints.update(id, change)
  }

  /** Takes an endpoint away: what is not delivered to it never is. Throws a 404 for one that is not there. */
  async remove(id: string): Promise<void> {
    await this.#endpoints.remove(id)
    // What is left of one that is gone is sent to nobody, and is forgotten after a month.
    await this.#deliveries.forget(id).catch((error: unknown) => this.#complainOnce('webhooks wait for the store', error))
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
    const endpoint = await this.#endpoints.get(id)
    const held = endpoint && (await this.#deliveries.again(id, deliveryId, this.#clock()))
    if (held === undefined) throw new Problem(404, 'NOT_FOUND', 'delivery: this endpoint has none of this id. Give the id of one that is listed.')
    // One that is being sent at this moment has no version.
    if (held.version !== 0) this.#take(held, endpoint?.tenant)
    return shownDelivery(held.id, held.value)
  }

  /** Sends `webhook.test` to an endpoint. Throws a 404 for one that is not there. */
  async test(id: string): Promise<Delivery> {
    const endpoint = await this.#endpoints.get(id)
    if (endpoint === undefined) throw noEndpoint()
    const held = await this.#write({ id, value: endpoint }, `test ${randomUUID()}`, { type: 'webhook.test', timestamp: new Date(this.#clock()).toISOString(), data: { endpoint: id } })
    if (typeof held !== 'object') throw new Problem(429, 'TOO_FAST', 'webhook: too much waits to be delivered to this endpoint. Try again when it has taken some of it.', { 'retry-after': '60' })
    return shownDelivery(held.id, held.value)
  }

  readonly #onThreshold = (event: ThresholdEvent): void => {
    const now = this.#clock()
    this.#note({ isThreshold: true, tenant: undefined, happening: () => thresholdHappening(event, now) })
  }

  readonly #onBlock = (decision: DeniedDecision): void => {
    // There is nowhere to write it to.
    if (decision.code === 'store-unavailable') return
    const now = this.#clock()
    this.#note({ isThreshold: false, tenant: decision.context.tenant, happening: () => denialHappening(decision, now) })
  }

  #note(noted: Noted): void {
    if (this.#endpoints.areNone) return
    if (!this.#heard.note(noted)) return this.#complainOfTooMany()
    this.#writeSoon()
  }

  #writeSoon(): void {
    if (this.#isDue) return
    this.#isDue = true
    setImmediate(() => {
      this.#isDue = false
      void this.#writeDown()
    })
  }

  #schedule(): void {
    this.#stopTimer = this.#after(Math.floor(LOOK_MS * (0.8 + 0.4 * Math.random())), () => {
      void this.#round().then(() => this.#closing === undefined && this.#schedule())
    })
  }

  async #round(): Promise<void> {
    // Whoever waits for what is written does not wait for who looks.
    await this.#writeDown()
    if (this.#closing !== undefined) return
    this.#tellLeftOut()
    await (this.#looking = this.#looking.then(() => this.#orWait(() => this.#look())))
  }

  #writeDown(): Promise<void> {
    return (this.#writing = this.#writing.then(() => this.#orWait(() => this.#writeAll())))
  }

  /** Never rejects: while the store is away what has happened waits. */
  async #orWait(work: () => Promise<void>): Promise<void> {
    try {
      await work()
      this.#isAway = false
    } catch (error) {
      this.#complainOnce('webhooks wait for the store', error)
    }
  }

  async #writeAll(): Promise<void> {
    try {
      for (let first = this.#heard.first; first !== undefined; first = this.#heard.first) {
        const happening = first.happening()
        for (const endpoint of await this.#endpoints.known()) await this.#tell(endpoint, happening)
        this.#heard.wrote(first)
      }
    } catch (error) {
      this.#heard.gaveUp()
      throw error
    }
  }

  /** What was left out is not remembered: it is told when there is room, if it happens again. */
  async #tell(endpoint: KnownEndpoint, { type, identity, tenant, messageFor }: Happening): Promise<void> {
    const { id, value } = endpoint
    const name = `${id} ${identity}`
    if (!value.events.includes(type) || this.#told.has(name)) return
    const message = messageFor(value.tenant)
    if (message !== undefined && (await this.#write(endpoint, identity, message, tenant === value.tenant ? undefined : tenant)) !== 'left out') this.#remember(name)
  }

  /** A delivery of its own for each endpoint; what it is called follows from what happened, so that it is made once by all processes. */
  async #write({ id, value }: KnownEndpoint, identity: string, message: Message, by?: string): Promise<Held | 'made before' | 'left out'> {
    const share: Share = { endpoint: id, type: message.type, by }
    if (!this.#allowance.has(share)) {
      this.#allowance.leftOut(share)
      this.#tellLeftOut()
      return 'left out'
    }
    const held = await this.#deliveries.add(`msg_${idOf(id, identity)}`, { ...share, body: JSON.stringify(message) }, this.#clock())
    if (held === undefined) return 'made before'
    this.#allowance.made(share)
    this.#take(held, value.tenant)
    return held
  }

  #tellLeftOut(): void {
    for (const left of this.#allowance.tellLeftOut()) this.#log.warn(left, 'webhooks were left out: their endpoint has too many')
  }

  async #look(): Promise<void> {
    const now = this.#clock()
    const pending: Share[] = []
    for (const { id, value } of await this.#endpoints.known()) {
      for await (const held of this.#deliveries.pending(id)) {
        const { nextAt, claimedUntil = 0 } = held.value
        pending.push(held.value)
        if (nextAt <= now && claimedUntil <= now) this.#take(held, value.tenant)
      }
    }
    this.#allowance.counted(pending)
  }

  #take(held: Held, tenant: string | undefined): void {
    const { endpoint, type } = held.value
    if (this.#closing === undefined) this.#turns.add({ endpoint, tenant, name: held.id, isFirst: type !== 'request.denied' }, held)
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
      const endedAt = this.#clock()
      const after = await this.#deliveries.ended(claimed, attempt, endedAt, Math.random())
      const { state, attempts, nextAt = Infinity } = after?.value ?? {}
      if (state === 'delivered' || state === 'failed') this.#allowance.ended(held.value)
      const told = { webhook: held.id, endpoint: held.value.endpoint, attempts, error: attempt.error }
      if (state === 'failed') this.#log.warn(told, 'a webhook was given up')
      if (after === undefined || state !== 'pending' || attempt.isStopped === true) return
      this.#log.info(told, 'a webhook was not taken')
      if (nextAt - endedAt <= SOON_MS) this.#takeSoon(after, endpoint.tenant, nextAt - endedAt)
    } catch (error) {
      // What was sent and could not be noted is sent again when the claim has run out.
      this.#complainOnce('webhooks wait for the store', error)
    }
  }

  #takeSoon(held: Held, tenant: string | undefined, inMs: number): void {
    if (this.#closing !== undefined) return
    const stop = this.#after(inMs, () => {
      this.#soon.delete(stop)
      this.#take(held, tenant)
    })
    this.#soon.add(stop)
  }

  #remember(name: string): void {
    this.#told.set(name, true)
    if (this.#told.size > MOST_TOLD) this.#told.delete(this.#told.keys().next().value as string)
  }

  #complainOfTooMany(): void {
    const now = this.#clock()
    if (Math.abs(now - this.#complainedAt) < COMPLAINT_EACH_MS) return
    this.#complainedAt = now
    this.#log.warn({}, 'events were not told: too many wait for the store')
  }

  /** Until the store has answered again. */
  #complainOnce(message: string, error: unknown): void {
    if (this.#isAway) return
    this.#isAway = true
    this.#log.warn({ err: error }, message)
  }

  async #close(): Promise<void> {
    this.#engine.off('threshold', this.#onThreshold).off('block', this.#onBlock)
    this.#stopTimer()
    for (const stop of this.#soon) stop()
    this.#soon.clear()
    this.#turns.forgetWaiting()
    await this.#writeDown()
    const stop = this.#after(CLOSE_MS, () => this.#stopping.abort())
    await this.#turns.idle()
    stop()
  }
}
