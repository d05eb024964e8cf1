// An account, two processes that keep one directory, and the way between them. It plays what happens step by step, and compares every
// tier that the directory shows with the truth.

import { expect } from 'vitest'
import type { AccountEvent } from '../../../examples/stripe-stand-in/book.js'
import type { StripeAccount } from '../../../examples/stripe-stand-in/account.js'
import { sign } from '../../../examples/stripe-stand-in/webhooks.js'
import { StoreUnavailableError } from '../../../src/errors/index.js'
import { Bursar, type CostTracker, type UserRef } from '../../../src/index.js'
import type { Store } from '../../../src/store/index.js'
import { manualClock } from '../../../src/testing/index.js'
import { Shopfront, type Change } from './changes.js'
import { instead, SECRET, SILENT, type Endpoint, type EndpointMaker, type EndpointTools } from './endpoints.js'
import { Gate, type Line, type LineLayer } from './line.js'
import { nameOf, newMapper, openShop, PEOPLE, TIERS } from './shop.js'
import { Truth } from './truth.js'
import type { Script, Step } from './scripts.js'

/** Where a world is played. */
export interface Scenery {
  /** The stores of two processes: one state. The clock is store time. */
  readonly openStores: (clock: () => number) => Promise<readonly [Store, Store]> | readonly [Store, Store]
  readonly lay: LineLayer
  readonly endpoint: EndpointMaker
  /** Lets whatever can go on go on for a while. */
  readonly turn: () => Promise<void>
}

type Tier = (typeof TIERS)[number]

interface Sent {
  readonly event: AccountEvent
  readonly to: number
}

const START = '2027-01-15T12:00:00Z'
/** After so many turns somebody is let go in each. */
const MOST_PATIENT = 100
const MOST_TURNS = 20_000
const MOST_IN_FLIGHT = 6
const MOST_ROUNDS = 8

/** One world. Make it with {@link openStage}, and close it. */
export class Stage {
  readonly account: StripeAccount
  readonly truth: Truth
  readonly #clock = manualClock(START)
  readonly #gate: Gate
  readonly #scenery: Scenery
  readonly #shopfront: Shopfront
  readonly #script: Script
  #line!: Line
  #stores!: readonly Store[]
  #trackers!: readonly CostTracker<Tier>[]
  #endpoints!: readonly Endpoint[]
  /** The moment of each event, by its place. */
  readonly #momentOf = new Map<string, number>()
  readonly #undelivered: AccountEvent[] = []
  readonly #failed: Sent[] = []
  /** Until when each customer is known to have been looked at. */
  readonly #looked = new Map<string, number>()
  readonly #faults: unknown[] = []
  readonly #inFlight = new Set<Promise<void>>()
  readonly #log: string[] = []
  #written = 0
  #fails = true

  private constructor(script: Script, scenery: Scenery) {
    const { embeddedItems, apiShape } = script
    this.#script = script
    this.#scenery = scenery
    this.#gate = new Gate(script.held, script.refused)
    this.account = openShop({ clock: this.#clock, embeddedItems, apiShape })
    this.truth = new Truth(this.account)
    this.#shopfront = new Shopfront(this.account, script.mostCustomers)
  }

  /** Opens the stores, lays the line, and starts two processes. */
  static async open(script: Script, scenery: Scenery): Promise<Stage> {
    const stage = new Stage(script, scenery)
    stage.#line = await scenery.lay(stage.account, stage.#gate, script.listsOfDeleted)
    const stores = await scenery.openStores(stage.#clock)
    stage.#stores = [...new Set(stores)]
    stage.#trackers = stores.map((store) => stage.#process(store))
    stage.#endpoints = stage.#trackers.map((tracker) => scenery.endpoint({ stripe: stage.#line.stripe, mapper: newMapper(), tracker: stage.#unreliable(tracker) }))
    return stage
  }

  #process(store: Store): CostTracker<Tier> {
    const bursar = new Bursar({ store, clock: this.#clock, tiers: newMapper().tiers, defaultTier: 'free', logger: SILENT })
    bursar.on('tier-changed', ({ user, to }) => this.#guarded(() => this.#assertOnceTrue(user, rankOf(to), new Map())))
    return bursar.tracker
  }

  /** The same, but some of what is written of a user's payments fails, before it is done or after. */
  #unreliable(tracker: CostTracker<Tier>): EndpointTools['tracker'] {
    const { unwritten } = this.#script
    const setUserBilling: typeof tracker.setUserBilling = async (user, update) => {
      this.#written += 1
      const fails = this.#fails ? unwritten[(this.#written - 1) % unwritten.length] : 'not'
      if (fails === 'before') throw new StoreUnavailableError('The write has failed.')
      const written = await tracker.setUserBilling(user, update)
      if (fails === 'after') throw new StoreUnavailableError('The reply was lost.')
      return written
    }
    return instead(tracker, { setUserBilling }) as unknown as EndpointTools['tracker']
  }

  /** Takes everything down. */
  async close(): Promise<void> {
    this.#clear()
    await Promise.allSettled(this.#inFlight)
    await this.#line.close()
    for (const store of this.#stores) await store.close()
  }

  /** Plays one step. */
  async play(step: Step): Promise<void> {
    switch (step.do) {
      case 'change':
        this.change(step.change)
        break
      case 'deliver': {
        const [event] = this.#undelivered.splice(step.which % Math.max(1, this.#undelivered.length), 1)
        if (event !== undefined) this.#send({ event, to: step.to })
        break
      }
      case 'deliver-all':
        for (const [index, event] of this.#undelivered.splice(0).entries()) this.#send({ event, to: step.to < 2 ? step.to : step.to + index })
        break
      case 'repeat': {
        const { events } = this.account
        const event = events[step.which % Math.max(1, events.length)]
        if (event !== undefined) this.#send({ event, to: step.to })
        break
      }
      case 'release':
        this.#gate.release(step.which)
        break
      case 'wait':
        this.#wait(step.seconds)
        break
    }
    await this.#scenery.turn()
    this.#rethrow()
  }

  /** Something happens to the account. */
  change(change: Change): void {
    const before = this.account.events.length
    this.#shopfront.apply(change)
    this.truth.next()
    for (const event of this.account.events.slice(before)) {
      this.#momentOf.set(event.id, this.truth.moment)
      this.#undelivered.push(event)
    }
    this.#note(`moment ${this.truth.moment}: ${JSON.stringify(change)} ${PEOPLE.map((user) => TIERS[this.truth.now(nameOf(user))]).join(' ')}`)
  }

  /** Delivers all that is left, in the script's order, and again what failed, until everything was taken; then compares. */
  async finish(): Promise<void> {
    const { order, dropped } = this.#script
    const rest = this.#undelivered.splice(0).map((event, index) => ({ event, to: index, place: order[index % order.length] as number, lost: dropped[index % Math.max(1, dropped.length)] === true }))
    const isLossy = rest.some(({ lost }) => lost)
    let queue: Sent[] = [...this.#failed.splice(0), ...rest.filter(({ lost }) => !lost).sort((a, b) => a.place - b.place)]
    for (let round = 0; round < MOST_ROUNDS && (queue.length > 0 || this.#inFlight.size > 0); round += 1) {
      // In the end nothing is in the way any more: who still fails then fails for no reason.
      if (round >= 2) this.#clear()
      for (const sent of queue) {
        this.#send(sent)
        await this.#scenery.turn()
        await this.#drain(round >= 2 ? 0 : MOST_IN_FLIGHT)
      }
      await this.#drain(0)
      queue = this.#failed.splice(0)
    }
    expect(queue.map(({ event }) => event.id), this.#story('deliveries that fail again and again')).toEqual([])
    if (isLossy) await this.#reconcile()
    this.#rethrow()
    for (const user of PEOPLE) expect(TIERS[await this.shown(user)], this.#story(`${nameOf(user)} in the end`)).toBe(TIERS[this.truth.now(nameOf(user))])
  }

  /** Looks at everybody, and once more where that failed. */
  async #reconcile(): Promise<void> {
    const { sync } = this.#endpoints[this.#script.reconciler] as Endpoint
    const first = this.#track(sync.syncAll().then(({ failed }) => failed.length > 0, () => true))
    await this.#drain(0)
    const again = await first
    this.#note(`reconciled${again ? ', and again' : ''}`)
    this.#clear()
    if (again) expect((await sync.syncAll()).failed, this.#story('who fails for no reason')).toEqual([])
  }

  /** From now on nothing is held back, and nothing fails. */
  #clear(): void {
    this.#gate.open()
    this.#fails = false
  }

  #track<T>(work: Promise<T>): Promise<T> {
    const done: Promise<void> = work.then(
      () => void this.#inFlight.delete(done),
      () => void this.#inFlight.delete(done),
    )
    this.#inFlight.add(done)
    return work
  }

  /** Something happens, and every event of it is delivered at once. With a mystery a user keeps what they had, unless they have bought more. */
  async changeOpenly(change: Change, to: number): Promise<void> {
    const before = await Promise.all(PEOPLE.map((user) => this.shown(user)))
    this.change(change)
    for (const event of this.#undelivered.splice(0)) {
      this.#send({ event, to })
      await this.#drain(0)
    }
    this.#rethrow()
    for (const [index, user] of PEOPLE.entries()) {
      const name = nameOf(user)
      const bought = this.truth.now(name)
      const expected = this.truth.isMysterious(name) ? Math.max(before[index] as number, bought) : bought
      expect(TIERS[await this.shown(user)], this.#story(`${name}, who had ${TIERS[before[index] as number]}`)).toBe(TIERS[expected])
    }
  }

  /** The tier that the directory shows of a user. */
  async shown(user: UserRef, process = 0): Promise<number> {
    return rankOf(await (this.#trackers[process] as CostTracker<Tier>).getUserTier(user))
  }

  #send({ event, to }: Sent): void {
    const { body, header } = sign(event, SECRET, { stripe: this.#line.stripe, timestamp: Math.floor(this.#clock() / 1_000) })
    const process = to % 2
    this.#note(`  to ${process}: ${event.type} ${event.id}, of moment ${this.#momentOf.get(event.id)}`)
    const delivery = (this.#endpoints[process] as Endpoint)
      .handle(body, header)
      .then(async ({ status, body: { outcome, error } }) => {
        this.#note(`  from ${process}: ${event.id} ${status} ${outcome ?? error}`)
        if (status !== 200) {
          expect(status, this.#story('an answer to a valid event')).toBeGreaterThanOrEqual(500)
          this.#failed.push({ event, to })
        } else if (outcome === 'written' || outcome === 'superseded') this.#lookedAt(event)
        for (const user of PEOPLE) {
          const looked = new Map(this.#looked)
          const shown = await this.shown(user, process)
          this.#assertOnceTrue(user, shown, looked)
        }
      })
      .catch((error: unknown) => void this.#faults.push(error))
    void this.#track(delivery)
  }

  #lookedAt({ id, data: { object } }: AccountEvent): void {
    const customer = (object['object'] === 'customer' ? object['id'] : object['customer']) as string
    this.#looked.set(customer, Math.max(this.#looked.get(customer) ?? 0, this.#momentOf.get(id) as number))
  }

  /** What the directory shows was true, and since the last look that was answered. */
  #assertOnceTrue(user: UserRef, shown: number, looked: ReadonlyMap<string, number>): void {
    if (this.#script.isMysterious === true) return
    const name = nameOf(user)
    const possible = this.truth.composed(name, looked, this.truth.moment)
    expect([...possible].map((rank) => TIERS[rank]), this.#story(`${name}: ${TIERS[shown]} was never true since ${JSON.stringify([...looked])}`)).toContain(TIERS[shown])
  }

  /** Lets deliveries end until no more than so many are on their way. */
  async #drain(most: number): Promise<void> {
    const { releases } = this.#script
    for (let turns = 0; this.#inFlight.size > most; turns += 1) {
      expect(turns, this.#story('a delivery that never ends')).toBeLessThan(MOST_TURNS)
      const which = turns < MOST_PATIENT ? releases[turns % releases.length] : 0
      if (which === undefined) this.#wait(this.#script.paceSeconds)
      else this.#gate.release(which)
      await this.#scenery.turn()
    }
  }

  #wait(seconds: number): void {
    if (seconds === 0) return
    this.#clock.advance(seconds * 1_000)
    this.#note(`  ${seconds} s later`)
  }

  #guarded(check: () => void): void {
    try {
      check()
    } catch (error) {
      this.#faults.push(error)
    }
  }

  #rethrow(): void {
    if (this.#faults.length > 0) throw this.#faults[0]
  }

  #note(line: string): void {
    this.#log.push(line)
  }

  #story(what: string): string {
    return `${what}\n${this.#log.join('\n')}`
  }
}

function rankOf(tier: string | undefined): number {
  return tier === undefined ? 0 : (TIERS as readonly string[]).indexOf(tier)
}
