// What a sync is configured with, checked before anything is built.

import type { UserArgument } from '../budget/index.js'
import type { Logger } from '../enforcement/index.js'
import { InvalidConfigError } from '../errors/index.js'
import type { Duration } from '../time/index.js'
import type { CostTracker } from '../tracker/index.js'
import { StripeTierMapper } from './mapper.js'
import type { OwnerClues } from './owner.js'
import type { StripeClient } from './shapes.js'

/** The part of a `CostTracker` that is written to. */
export type TierBook<Tier extends string = string> = Pick<CostTracker<Tier, never>, 'tiers' | 'clock' | 'registry' | 'getUserTier' | 'getUserBilling' | 'setUserBilling' | 'restartWindows'>

/** Configuration of a `StripeTierSync`. */
export interface StripeTierSyncConfig<Tier extends string = string> {
  /** `new Stripe(key)` of the official package. */
  readonly stripe: StripeClient
  readonly mapper: StripeTierMapper<Tier>
  /** Where tiers are written: `bursar.tracker`. */
  readonly tracker: TierBook<NoInfer<Tier>>
  /** How long a payment may be overdue before the user's standing is `past_due`; 0: at once. Default 3 days. */
  readonly pastDueGrace?: Duration | undefined
  /**
   * A subscription that has begun another period begins the user's daily, weekly and monthly windows anew; where its payment is overdue,
   * once it is not. What was spent between the renewal and the moment that bursar hears of it counts before. Default false: usage is never forgotten.
   */
  readonly resetOnRenewal?: boolean | undefined
  /** The keys of metadata that name a user, on customers and subscriptions (the tenant on checkouts too). Default `userId` and `tenant`. */
  readonly userKey?: string | undefined
  readonly tenantKey?: string | undefined
  /** Finds the user of a customer that is bound to none, instead of by metadata and `client_reference_id`. */
  readonly findUser?: ((clues: OwnerClues) => UserArgument | undefined | Promise<UserArgument | undefined>) | undefined
  readonly logger?: Logger | undefined
}

/** What is called of the client. */
const CALLED = ['customers.retrieve', 'customers.list', 'subscriptions.list', 'subscriptionItems.list', 'products.retrieve', 'checkout.sessions.list', 'webhooks.constructEventAsync']

/** The names of the options. */
export const SYNC_OPTIONS: readonly string[] = ['stripe', 'mapper', 'tracker', 'pastDueGrace', 'resetOnRenewal', 'userKey', 'tenantKey', 'findUser', 'logger']

/** Throws `InvalidConfigError` for an option that is none, and for a mapper with a tier that the tracker does not have. */
export function checkSyncConfig(config: StripeTierSyncConfig, more: readonly string[] = []): void {
  if (typeof config !== 'object' || config === null) throw new InvalidConfigError(`stripe: is a ${typeof config}, and no configuration. Give { stripe, mapper, tracker }.`)
  const known = [...SYNC_OPTIONS, ...more]
  const unknown = Object.keys(config).find((name) => !known.includes(name))
  if (unknown !== undefined) throw new InvalidConfigError(`stripe.${unknown}: is no known option. Use ${known.join(', ')}.`)
  const { stripe, mapper, tracker, resetOnRenewal, userKey, tenantKey, findUser, logger } = config
  if (!(mapper instanceof StripeTierMapper)) throw new InvalidConfigError(`stripe.mapper: ${String(mapper)} is no mapper. Give a new StripeTierMapper({ tiers, fallbackTier }).`)
  const lacking = CALLED.find((path) => !isFunction(path.split('.').reduce<unknown>(memberOf, stripe)))
  // Its value may be the secret key, and stands in no message.
  if (lacking !== undefined) throw new InvalidConfigError(`stripe.stripe: is a ${typeof stripe} without ${lacking}(). Give new Stripe(key) of the package "stripe".`)
  if (!isFunction(memberOf(tracker, 'setUserBilling')) || !isFunction(memberOf(tracker, 'restartWindows'))) throw new InvalidConfigError(`stripe.tracker: is a ${typeof tracker}, and no tracker. Give bursar.tracker.`)
  if (resetOnRenewal !== undefined && typeof resetOnRenewal !== 'boolean') throw new InvalidConfigError(`stripe.resetOnRenewal: ${String(resetOnRenewal)} is neither true nor false. Give one of them.`)
  if (findUser !== undefined && typeof findUser !== 'function') throw new InvalidConfigError(`stripe.findUser: ${String(findUser)} is no function. Give one of the clues to a user.`)
  for (const [name, key] of Object.entries({ userKey, tenantKey })) {
    if (key !== undefined && (typeof key !== 'string' || key === '')) throw new InvalidConfigError(`stripe.${name}: ${JSON.stringify(key)} is no key of metadata. Give a name such as "userId".`)
  }
  if (userKey !== undefined && userKey === tenantKey) throw new InvalidConfigError(`stripe.tenantKey: "${tenantKey}" is the userKey too. Give each a key of its own.`)
  if (logger !== undefined && !isFunction(memberOf(logger, 'warn'))) throw new InvalidConfigError(`stripe.logger: is a ${typeof logger}, and no logger. Give one with debug() and warn().`)
  const missing = mapper.ranks.find((tier) => !tracker.tiers.includes(tier))
  if (missing !== undefined) throw new InvalidConfigError(`stripe.mapper: gives the tier "${missing}", which the tracker does not have. Configure both alike: new Bursar({ tiers: mapper.tiers }).`)
}

function memberOf(value: unknown, name: string): unknown {
  return (typeof value === 'object' || typeof value === 'function') && value !== null ? (value as Record<string, unknown>)[name] : undefined
}

function isFunction(value: unknown): boolean {
  return typeof value === 'function'
}
