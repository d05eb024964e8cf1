// Everything between an account at Stripe and a decision of bursar, on one clock that stands still: the account, the stand-in for its
// API, and processes that share a store. What is tested is real but for the account.

import Stripe from 'stripe'
import { onTestFinished } from 'vitest'
import { StripeAccount } from '../../../examples/stripe-stand-in/account.js'
import type { AccountEvent, AccountOptions } from '../../../examples/stripe-stand-in/book.js'
import { StripeStandIn, type SeenRequest, type StripeStandInOptions } from '../../../examples/stripe-stand-in/server.js'
import { sign, type SignedEvent } from '../../../examples/stripe-stand-in/webhooks.js'
import { Bursar, memoryStore, type BursarConfig, type Store } from '../../../src/index.js'
import { StripeTierMapper, stripeWebhook, type StripeSyncEvents, type StripeWebhook, type StripeWebhookConfig, type WebhookReply } from '../../../src/stripe/index.js'
import { manualClock, type ManualClock } from '../../../src/testing/index.js'

/** The tiers that are sold, from the lowest to the highest. */
export type Tier = 'free' | 'pro' | 'enterprise'

/** The secret of the endpoint. */
export const SECRET = 'whsec_of_the_stage'

/** Prices by id and product by id, as the account sells them. `price_mystery` is sold, and mapped to nothing. */
export const mapper = new StripeTierMapper({
  tiers: {
    free: { budget: { daily: 1, monthly: 10 } },
    pro: { prices: ['price_pro', 'price_pro_yearly'], budget: { daily: 10, monthly: 100 }, monthlyPrice: 29 },
    enterprise: { products: ['prod_enterprise'], budget: { daily: 100, monthly: 1_000 }, monthlyPrice: '499' },
  },
  fallbackTier: 'free',
  ignored: ['price_seat', 'prod_support'],
})

/** What differs from a usual stage. */
export interface StageOptions {
  readonly account?: Partial<AccountOptions>
  readonly standIn?: StripeStandInOptions
  readonly webhook?: Partial<StripeWebhookConfig<Tier>>
  readonly bursar?: Partial<BursarConfig<Tier>>
  /** Gets the store that processes share, to stand between. */
  readonly store?: (store: Store) => Store
}

/** One process: an engine with an endpoint. */
export interface Process {
  readonly bursar: Bursar<Tier>
  readonly webhook: StripeWebhook<Tier>
  /** What the sync has announced, and warned of where nobody listened. */
  readonly heard: { readonly name: keyof StripeSyncEvents; readonly event: unknown }[]
  readonly warned: string[]
}

/** A stage, with its first process. */
export class Stage {
  readonly clock: ManualClock = manualClock()
  readonly account: StripeAccount
  readonly standIn: StripeStandIn
  readonly store: Store
  readonly #options: StageOptions
  #first: Process | undefined
  #delivered = 0

  /** Use {@link openStage}: it starts the stand-in. */
  constructor(options: StageOptions) {
    this.#options = options
    this.account = new StripeAccount({ clock: this.clock, ...options.account })
    sell(this.account)
    this.standIn = new StripeStandIn(this.account, options.standIn)
    const shared = memoryStore({ clock: this.clock })
    this.store = options.store?.(shared) ?? shared
  }

  get process(): Process {
    return (this.#first ??= this.open())
  }

  get bursar(): Bursar<Tier> {
    return this.process.bursar
  }

  get webhook(): StripeWebhook<Tier> {
    return this.process.webhook
  }

  /** The official client. Nothing is retried, so that a failure is one. */
  client(): Stripe {
    return new Stripe('sk_test_stage', { ...this.standIn.address, maxNetworkRetries: 0, telemetry: false })
  }

  /** Another process on the same store. */
  open(more: Partial<StripeWebhookConfig<Tier>> = {}, listens = true): Process {
    const warned: string[] = []
    const logger = { warn: (message: unknown) => void warned.push(String(message)), error: () => {}, info: () => {}, debug: () => {} }
    const bursar = new Bursar<Tier>({ tiers: mapper.tiers, defaultTier: 'free', store: this.store, clock: this.clock, suggestUpgrade: mapper.getUpgradeTier, ...this.#options.bursar } as BursarConfig<Tier, never>)
    const config = { stripe: this.client(), mapper, tracker: bursar.tracker, secrets: SECRET, livemode: false, logger, ...this.#options.webhook, ...more }
    const webhook = stripeWebhook<Tier>(config as StripeWebhookConfig<Tier>)
    const heard: Process['heard'] = []
    const names = ['synced', 'unmapped-price', 'unknown-status', 'parked', 'binding-refused', 'webhook-refused', 'sync-error', 'listener-error'] as const
    if (listens) for (const name of names) webhook.sync.events.on(name, (event) => void heard.push({ name, event }))
    return { bursar, webhook, heard, warned }
  }

  /** Signs an event as Stripe does, now unless told otherwise. */
  signed(event: AccountEvent, { secret = SECRET, timestamp = this.nowS() }: { secret?: string; timestamp?: number } = {}): SignedEvent {
    return sign(event, secret, { stripe: this.client(), timestamp })
  }

  /** The time in Unix seconds. */
  nowS(): number {
    return Math.floor(this.clock() / 1_000)
  }

  /** Delivers an event to a process. */
  deliver(event: AccountEvent, to: Process = this.process): Promise<WebhookReply> {
    const { body, header } = this.signed(event)
    return to.webhook.handle(body, header)
  }

  /** Delivers what has happened since the last call, in order, and gives the outcomes: what is not 200 is its status. */
  async deliverNew(to: Process = this.process): Promise<(string | number | undefined)[]> {
    const outcomes: (string | number | undefined)[] = []
    const events = this.account.events.slice(this.#delivered)
    this.#delivered = this.account.events.length
    for (const event of events) {
      const { status, body } = await this.deliver(event, to)
      outcomes.push(status === 200 ? body.outcome : status)
    }
    return outcomes
  }

  /** What has happened so far is never delivered. */
  loseNew(): void {
    this.#delivered = this.account.events.length
  }

  /** The newest event of a type. Throws where there is none. */
  newest(type: string): AccountEvent {
    const found = this.account.events.findLast((event) => event.type === type)
    if (found === undefined) throw new Error(`the account has no event '${type}'`)
    return found
  }

  /** An event of a type that the account does not write by itself, about an object of its. */
  made(type: string, object: Record<string, unknown>, more: Partial<AccountEvent> = {}): AccountEvent {
    const { id } = this.account.book.birth('evt')
    return { ...this.newest('customer.created'), id, type, created: this.nowS(), data: { object }, ...more }
  }

  /** A customer of a user, by metadata. */
  customer(userId: string, metadata: Readonly<Record<string, string>> = {}): string {
    return this.account.customers.create({ metadata: { userId, ...metadata } })
  }

  /** A customer of a user with a subscription, of which nothing was delivered yet. */
  subscribed(userId: string, price = 'price_pro', more: { status?: string; trialDays?: number } = {}): { customer: string; subscription: string } {
    const customer = this.customer(userId)
    return { customer, subscription: this.account.subscriptions.create({ customer, priceIds: [price], ...more }) }
  }

  tierOf(userId: string): Promise<string | undefined> {
    return this.bursar.tracker.getUserTier(userId)
  }

  /** What the sync announced under a name. */
  heard<Name extends keyof StripeSyncEvents>(name: Name, process: Process = this.process): StripeSyncEvents[Name][] {
    return process.heard.filter((each) => each.name === name).map(({ event }) => event as StripeSyncEvents[Name])
  }

  /** All that a delivery could change: the directory's entries of these users, every shared fact, and what Stripe was asked. */
  async everything(...users: string[]): Promise<object> {
    const { registry, directory } = this.store
    const facts: Record<string, unknown[]> = {}
    for (const kind of ['stripe-customer', 'stripe-customers', 'stripe-event', 'stripe-lock', 'stripe-parked']) {
      facts[kind] = []
      for await (const record of registry.list(kind)) facts[kind].push(record)
    }
    const entries = await Promise.all(users.map((userId) => directory.get({ userId })))
    return { entries, facts, asked: this.standIn.requests.length }
  }

  /** Holds the first answer that this is true of until it is let go; later ones pass. */
  holdReply(which: (request: SeenRequest) => boolean): { readonly isHeld: Promise<void>; readonly letGo: () => void } {
    let [seen, letGo] = [() => {}, () => {}]
    const isHeld = new Promise<void>((resolve) => (seen = resolve))
    const gone = new Promise<void>((resolve) => (letGo = resolve))
    this.standIn.beforeReply = (request) => {
      if (!which(request)) return undefined
      this.standIn.beforeReply = undefined
      seen()
      return gone
    }
    return { isHeld, letGo: () => letGo() }
  }
}

/** A stage that is taken down when the test ends. */
export async function openStage(options: StageOptions = {}): Promise<Stage> {
  const stage = new Stage(options)
  await stage.standIn.start()
  onTestFinished(() => stage.standIn.stop())
  return stage
}

/** Puts everything on sale that stages need. */
export function sell(account: StripeAccount): void {
  for (const id of ['prod_pro', 'prod_enterprise', 'prod_mystery', 'prod_support', 'prod_seat']) account.addProduct({ id })
  account.addProduct({ id: 'prod_tagged', metadata: { bursar_tier: 'pro' } })
  const monthly = { interval: 'month', unitAmount: 2_900 } as const
  account.addPrice({ id: 'price_pro', product: 'prod_pro', ...monthly })
  account.addPrice({ id: 'price_pro_yearly', product: 'prod_pro', interval: 'year', unitAmount: 29_000 })
  account.addPrice({ id: 'price_enterprise', product: 'prod_enterprise', ...monthly })
  account.addPrice({ id: 'price_enterprise_yearly', product: 'prod_enterprise', interval: 'year', unitAmount: 499_000 })
  account.addPrice({ id: 'price_mystery', product: 'prod_mystery', ...monthly })
  account.addPrice({ id: 'price_tagged', product: 'prod_tagged', ...monthly })
  account.addPrice({ id: 'price_seat', product: 'prod_seat', ...monthly })
  account.addPrice({ id: 'price_support', product: 'prod_support', ...monthly })
}
