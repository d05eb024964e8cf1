// One look at a customer: whose it is, everything that its user has bought, and what is written of it. Knows no events of Stripe's: a
// look finds the same, whatever made somebody look.

import { toUserRef, type UserRef } from '../budget/index.js'
import { StoreUnavailableError } from '../errors/index.js'
import { Bindings } from './bindings.js'
import { checkoutsOf, subscriptionsOf, withProducts } from './customers.js'
import type { SyncResult } from './events.js'
import { findingOf, type Given } from './finding.js'
import type { Lock } from './lock.js'
import { ownerOf } from './owner.js'
import { ParkedCustomers } from './parked.js'
import type { StripeSubscription } from './shapes.js'
import { grantOf, neverGrants } from './status.js'
import type { BillingUpdate, UserBilling } from '../tracker/index.js'
import type { StripeTierSyncConfig } from './sync-config.js'

/** What is looked with. */
export interface LookTools<Tier extends string> extends Pick<StripeTierSyncConfig<Tier>, 'stripe' | 'mapper' | 'tracker' | 'resetOnRenewal' | 'findUser'> {
  readonly bindings: Bindings
  readonly parked: ParkedCustomers
  readonly graceMs: number
  readonly userKey: string
  readonly tenantKey: string
}

type Written = Pick<SyncResult, 'outcome' | 'tier' | 'puzzles'>

const NOBODY = Symbol('nobody')
const MOST_ATTEMPTS = 20

/** Looks at a customer while the lock is held. Writes nothing unless everything was seen. */
export async function lookAt<Tier extends string>(tools: LookTools<Tier>, customer: string, cause: string, lock: Lock): Promise<SyncResult> {
  const { bindings, parked, tracker } = tools
  const user = (await bindings.get(customer))?.user ?? (await findOwner(tools, customer))
  if (user === NOBODY) {
    await parked.unpark(customer)
    return { customer, cause, outcome: 'ignored', puzzles: [] }
  }
  if (user === undefined) {
    await parked.park(customer, cause, tracker.clock())
    return { customer, cause, outcome: 'parked', puzzles: [] }
  }
  // INVARIANT: the fence is drawn after the customer was noted as the user's, by whomever, and before the user's customers are read and
  // anything is fetched: whoever draws a higher one sees this customer too, and whoever drew a lower one is refused.
  if ((await bindings.note(user, customer)) > lock.fence) await lock.renew()
  const customers = await bindings.customersOf(user)
  const purchases = await Promise.all(customers.map(async (each) => ({ customer: each, subscriptions: await boughtBy(tools, each) })))
  const result = await write(tools, user, customers, purchases.flatMap(({ subscriptions }) => subscriptions ?? []), cause, lock.fence)
  // Only now: a customer that is buried is not looked at again.
  if (result.outcome !== 'superseded') for (const each of purchases) if (each.subscriptions === undefined) await bindings.bury(each.customer)
  await parked.unpark(customer)
  return { customer, user, cause, ...result }
}

/** Binds the customer to its user. `NOBODY`: it was deleted, or has never bought anything. */
async function findOwner<Tier extends string>({ stripe, bindings, findUser, userKey, tenantKey }: LookTools<Tier>, id: string): Promise<UserRef | undefined | typeof NOBODY> {
  const customer = await stripe.customers.retrieve(id)
  if (customer.deleted === true) return NOBODY
  const [subscriptions, checkouts] = await Promise.all([subscriptionsOf(stripe, id), checkoutsOf(stripe, id)])
  const clues = { customer, subscriptions, checkouts }
  const found = findUser === undefined ? ownerOf(clues, { userKey, tenantKey }) : await findUser(clues)
  if (found !== undefined) return (await bindings.bind(id, toUserRef(found))).user
  return subscriptions.length === 0 ? NOBODY : undefined
}

/**
 * All subscriptions of one of a user's customers; `undefined` for one that was deleted. One that Stripe does not know at all is an error:
 * the key may be another account's.
 */
async function boughtBy<Tier extends string>({ stripe, mapper, bindings }: LookTools<Tier>, customer: string): Promise<readonly StripeSubscription[] | undefined> {
  if ((await bindings.get(customer))?.deleted === true) return []
  const subscriptions = await subscriptionsOf(stripe, customer)
  const isLive = subscriptions.some(({ status }) => grantOf(status) !== 'none')
  if (!isLive && (await stripe.customers.retrieve(customer)).deleted === true) return undefined
  return withProducts(stripe, mapper, subscriptions)
}

/** Writes what was found. Worked out anew where somebody has written in between: what is found depends on what was known. */
async function write<Tier extends string>(tools: LookTools<Tier>, user: UserRef, customers: readonly string[], subscriptions: readonly StripeSubscription[], cause: string, fence: number): Promise<Written> {
  const { mapper, tracker, graceMs, resetOnRenewal } = tools
  for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt += 1) {
    const [last, known] = [await tracker.getUserTier(user), await tracker.getUserBilling(user)]
    if (known !== undefined && known.fence > fence) return { outcome: 'superseded', puzzles: [] }
    const before = { tier: last, subscription: known?.subscription, pastDueFrom: known?.pastDueFrom?.getTime() }
    const { given, passedOver, puzzles } = findingOf(mapper, subscriptions, before, graceMs, tracker.clock())
    // Whoever never paid for anything keeps what somebody else may have given them; that somebody has looked is written all the same.
    const neverPaid = known?.subscription === undefined && subscriptions.every(({ status }) => neverGrants(status))
    const tier = neverPaid ? undefined : given?.tier
    const restartDue = resetOnRenewal === true ? restartAfter(given, known) : undefined
    const update = { ...(given ?? unchanged(known)), tier, customers, passedOver, reason: cause, fence }
    if (!(await tracker.setUserBilling(user, { ...update, restartDue, replaces: known?.fence ?? 0 }))) continue
    if (restartDue !== undefined && given?.standing !== 'past_due') {
      // Noted before it is done, and struck out afterwards: whoever comes after a crash in between does it again, which changes nothing.
      await tracker.restartWindows(user, { since: restartDue })
      await tracker.setUserBilling(user, update)
    }
    return { outcome: neverPaid ? 'ignored' : 'written', ...(tier !== undefined && { tier }), puzzles }
  }
  throw new StoreUnavailableError(`user "${user.userId}": the directory changed at each of ${MOST_ATTEMPTS} attempts. Try again.`)
}

/** The start of the period that the same position has begun by now, or of one whose windows are still to begin. */
function restartAfter<Tier extends string>(given: Given<Tier> | undefined, known: UserBilling | undefined): Date | number | undefined {
  if (given?.item === undefined || given.period === undefined || given.item !== known?.item || known.period === undefined) return undefined
  return given.period.startsAt > known.period.startsAt.getTime() ? given.period.startsAt : known.restartDue
}

/** What was known before, as it is written again. */
function unchanged(known: UserBilling | undefined): Omit<BillingUpdate, 'tier' | 'customers' | 'passedOver' | 'reason' | 'fence'> {
  if (known === undefined) return { standing: 'none' }
  const { standing, pastDueFrom, subscription, item, price, period, endsAt, restartDue } = known
  return { standing: standing === 'grace' ? 'past_due' : standing, pastDueFrom, subscription, item, price, period, endsAt, restartDue }
}
