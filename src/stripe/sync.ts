// Keeps the directory's tiers what Stripe says. Who looks when, and what is told of it; what a look finds stands in look.ts.

import { toUserRef, type UserArgument, type UserRef } from '../budget/index.js'
import { InvalidRequestError } from '../errors/index.js'
import { EventHub } from '../events/index.js'
import { parseDuration } from '../time/index.js'
import { warner } from '../tracker/index.js'
import { Bindings } from './bindings.js'
import type { StripeSyncEvents, SyncResult } from './events.js'
import { LatestRuns } from './latest.js'
import { withLock } from './lock.js'
import { lookAt } from './look.js'
import { ownerOf, userOf } from './owner.js'
import { ParkedCustomers, type Parked } from './parked.js'
import type { StripeSession } from './shapes.js'
import { checkSyncConfig, type StripeTierSyncConfig } from './sync-config.js'
import type { LookTools } from './tools.js'

/** What {@link StripeTierSync.syncAll} has done. */
export interface SyncAllResult {
  readonly customers: number
  /** Customers that have bought something, and have no user. */
  readonly parked: number
  /** What was not looked at; without a customer: a list of customers, or the rest of it. */
  readonly failed: readonly { readonly customer: string | undefined; readonly error: unknown }[]
}

const DEFAULT_GRACE = '3d'
/** How many customers are looked at at a time: Stripe takes some 100 requests a second, and others ask too. */
const AT_ONCE = 4
const PAGE = 100
const MAX_CAUSE = 512
const RETRIED_NOW_AND_THEN = 3
const RETRY_EVERY_MS = 60_000

/**
 * Keeps the directory's tiers what Stripe says. Events say where to look; what is written is what Stripe says when it is asked. Works
 * on any store; where it is shared, any number of processes may look at the same customer at a time, and the latest look stands.
 */
export class StripeTierSync<Tier extends string = string> {
  readonly #tools: LookTools<Tier>
  readonly #events: EventHub<StripeSyncEvents>
  readonly #looks = new LatestRuns<SyncResult>()
  readonly #warn: (message: string) => void
  readonly #warned = new Set<string>()
  readonly #announced = new WeakSet<object>()
  #retryAt = 0

  /** Throws `InvalidConfigError` for an option that is none, and for a mapper with a tier that the tracker does not have. */
  constructor(config: StripeTierSyncConfig<Tier>) {
    checkSyncConfig(config as unknown as StripeTierSyncConfig)
    const { stripe, mapper, tracker, pastDueGrace = DEFAULT_GRACE, resetOnRenewal, userKey = 'userId', tenantKey = 'tenant', findUser, logger } = config
    const registry = (): typeof tracker.registry => tracker.registry
    const graceMs = pastDueGrace === 0 ? 0 : parseDuration(pastDueGrace, 'stripe.pastDueGrace')
    this.#tools = { stripe, mapper, tracker, resetOnRenewal, findUser, userKey, tenantKey, graceMs, bindings: new Bindings(registry), parked: new ParkedCustomers(registry) }
    this.#warn = warner(logger)
    this.#events = new EventHub(this.#warn)
  }

  /** What the sync announces. A change of tier is announced by the tracker, as `tier-changed`. */
  get events(): EventHub<StripeSyncEvents> {
    return this.#events
  }

  /**
   * Looks at a customer: fetches all that its user has bought, and writes the tier that it gives to the directory. Calls for the same
   * customer at a time share a look that began after the last of them. Rejects where Stripe or the store fails, or another process
   * keeps looking; a repeat finishes what was begun. `cause` is kept as the reason of a change.
   */
  syncUser(customer: string, cause = 'sync'): Promise<SyncResult> {
    if (typeof cause !== 'string' || cause === '' || cause.length > MAX_CAUSE) {
      return Promise.reject(new InvalidRequestError(`cause: "${String(cause).slice(0, 50)}" is no cause. Give 1 to ${MAX_CAUSE} characters that say why somebody looks.`))
    }
    if (typeof customer !== 'string' || customer === '' || customer.length > 255) {
      return Promise.reject(new InvalidRequestError(`customer: "${String(customer).slice(0, 50)}" is no id of a customer. Give one such as cus_123.`))
    }
    return this.#looks.run(customer, async () => {
      try {
        const result = await withLock(this.#tools.tracker.registry, customer, (lock) => lookAt(this.#tools, customer, cause, lock))
        this.#announce(result)
        return result
      } catch (error) {
        this.announceError(customer, error)
        throw error
      }
    })
  }

  /**
   * Looks at every customer of the account, and at those that were bound and are in its list no more: for deliveries that were lost. A
   * customer that fails keeps no other from being looked at. Run it once an hour, or once a day.
   */
  async syncAll(): Promise<SyncAllResult> {
    const failed: { customer: string | undefined; error: unknown }[] = []
    // Customers of users that were looked at by another of theirs.
    const covered = new Set<string>()
    let customers = 0
    let parked = 0
    const everybody = this.#everybody((error) => failed.push({ customer: undefined, error }))
    const worker = async (): Promise<void> => {
      for (let next = await everybody.next(); next.done !== true; next = await everybody.next()) {
        customers += 1
        if (covered.delete(next.value)) continue
        try {
          const result = await this.syncUser(next.value, 'reconcile')
          if (result.outcome === 'parked') parked += 1
          for (const other of result.customers ?? []) if (other !== next.value) covered.add(other)
        } catch (error) {
          failed.push({ customer: next.value, error })
        }
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, worker))
    return { customers, parked, failed }
  }

  /**
   * Says whose customer it is, and looks at it. For applications that make customers themselves; metadata and `client_reference_id` are
   * found without it. A customer that belongs to another user stays there: rejects with `InvalidRequestError`. Rejects with Stripe's
   * error for one that it does not know.
   */
  async bind(customer: string, user: UserArgument): Promise<SyncResult> {
    const ref = toUserRef(user)
    // A customer that Stripe does not know would make every look at this user fail.
    const isGone = (await this.#tools.stripe.customers.retrieve(customer)).deleted === true
    const { user: owner, deleted = isGone } = isGone ? {} : await this.#tools.bindings.bind(customer, ref)
    if (deleted) throw new InvalidRequestError(`customer: "${customer}" was deleted in Stripe. Bind the customer that replaces it.`)
    if (owner !== undefined && !isSame(owner, ref)) {
      this.#refuse(customer, owner, ref)
      throw new InvalidRequestError(`customer: "${customer}" belongs to user "${owner.userId}" already, and stays there. Give the customer of user "${ref.userId}".`)
    }
    return this.syncUser(customer, 'bound')
  }

  /**
   * Looks at a customer for whom a checkout was made. Where the look finds no user, the checkout itself may name one: Stripe's list of
   * them may lag behind. One that names somebody else than the customer's user is announced as `binding-refused`.
   * @internal For the webhook.
   */
  async syncCheckout(customer: string, checkout: StripeSession | undefined, cause: string): Promise<SyncResult> {
    const found = await this.syncUser(customer, cause)
    const { stripe, bindings, findUser, userKey, tenantKey } = this.#tools
    // Whoever finds users by rules of their own is not contradicted.
    if (checkout === undefined || findUser !== undefined || found.outcome === 'ignored') return found
    if (found.user === undefined) {
      const clues = { customer: await stripe.customers.retrieve(customer), subscriptions: [], checkouts: [checkout] }
      const named = clues.customer.deleted === true ? undefined : ownerOf(clues, { userKey, tenantKey })
      if (named === undefined) return found
      await bindings.bind(customer, named)
      return this.syncUser(customer, cause)
    }
    const claimed = userOf(checkout.client_reference_id, checkout.metadata?.[tenantKey])
    if (claimed !== undefined && !isClaimed(found.user, claimed)) this.#refuse(customer, found.user, claimed)
    return found
  }

  /** The customers that have bought something, and wait for a user. */
  parked(): AsyncIterable<Parked> {
    return this.#tools.parked.all()
  }

  /** True for a customer that waits for a user. */
  isParked(customer: string): Promise<boolean> {
    return this.#tools.parked.has(customer)
  }

  /** Looks again at customers that wait for a user and whose time has come, or at the `most` that are waiting longest. What fails is tried again later. */
  async retryParked(most = Infinity): Promise<void> {
    const now = this.#tools.tracker.clock()
    const due: Parked[] = []
    for await (const parked of this.parked()) if (parked.nextAt.getTime() <= now) due.push(parked)
    due.sort((a, b) => a.nextAt.getTime() - b.nextAt.getTime())
    for (const { customer, cause } of due.slice(0, most)) {
      // One that fails waits as long as one that is in vain, and keeps nobody else from their turn.
      await this.syncUser(customer, cause).catch(() => this.#tools.parked.park(customer, cause, now))
    }
  }

  /**
   * The same for a few of them, at most once a minute: for whoever passes by. Does not reject.
   * @internal For the webhook.
   */
  async retryParkedNowAndThen(): Promise<void> {
    const now = this.#tools.tracker.clock()
    if (now < this.#retryAt) return
    this.#retryAt = now + RETRY_EVERY_MS
    await this.retryParked(RETRIED_NOW_AND_THEN).catch((error: unknown) => this.announceError(undefined, error))
  }

  /**
   * Announces a failure, once.
   * @internal For the webhook.
   */
  announceError(customer: string | undefined, error: unknown): void {
    if (typeof error === 'object' && error !== null) {
      if (this.#announced.has(error)) return
      this.#announced.add(error)
    }
    this.#tell('sync-error', { customer, error }, `a look at ${customer ?? 'customers'} failed: ${String(error)}`)
  }

  /**
   * Announces a delivery that was refused.
   * @internal For the webhook.
   */
  announceRefusal(reason: string): void {
    this.#tell('webhook-refused', { reason }, `a delivery to the webhook was refused: ${reason}`)
  }

  async *#everybody(onListFailed: (error: unknown) => void): AsyncGenerator<string> {
    const seen = new Set<string>()
    try {
      for await (const { id } of this.#tools.stripe.customers.list({ limit: PAGE })) {
        if (seen.has(id)) continue
        seen.add(id)
        yield id
      }
    } catch (error) {
      onListFailed(error)
    }
    try {
      for await (const id of this.#tools.bindings.all()) if (!seen.has(id)) yield id
    } catch (error) {
      onListFailed(error)
    }
  }

  #refuse(customer: string, user: UserRef, refused: UserRef): void {
    this.#tell('binding-refused', { customer, user, refused }, `customer ${customer} belongs to user "${user.userId}", and was claimed for "${refused.userId}": it stays where it is`)
  }

  #announce(result: SyncResult): void {
    const { customer, user, cause } = result
    this.#events.emit('synced', result)
    if (result.outcome === 'parked') {
      this.#tell('parked', { customer, cause }, `customer ${customer} has bought something, and nobody knows whose customer it is: it is tried again. Name the user in the customer's metadata, or bind() it`)
    }
    if (user === undefined) return
    for (const puzzle of result.puzzles) {
      if (puzzle.kind === 'unmapped-price') this.#tell('unmapped-price', { ...puzzle, customer, user }, `no tier is sold as the price ${puzzle.price} (product ${puzzle.product ?? 'unknown'}): who buys it keeps the tier that they had. Map it, or list it under "ignored"`, puzzle.price)
      else this.#tell('unknown-status', { ...puzzle, customer, user }, `the subscription status "${puzzle.status}" is not known: who has it keeps the tier that they had. Update bursar`, puzzle.status)
    }
  }

  /** What nobody hears is warned of: once for each of its kind. */
  #tell<Name extends Exclude<keyof StripeSyncEvents, 'synced' | 'listener-error'>>(name: Name, event: StripeSyncEvents[Name], warning: string, of = ''): void {
    if (this.#events.hears(name)) return void this.#events.emit(name, event)
    if (this.#warned.has(`${name} ${of}`)) return
    this.#warned.add(`${name} ${of}`)
    this.#warn(`bursar: ${warning}; listen for "${name}" to hear of each. (This is said once.)`)
  }
}

/** A checkout that names no tenant means the user's own. */
function isClaimed(owner: UserRef, claimed: UserRef): boolean {
  return claimed.tenant === undefined ? owner.userId === claimed.userId : isSame(owner, claimed)
}

function isSame(a: UserRef, b: UserRef): boolean {
  return a.userId === b.userId && a.tenant === b.tenant
}
