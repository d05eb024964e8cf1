// One look at a customer: whose it is, and everything that its user has bought. Knows no events of Stripe's: a look finds the same,
// whatever made somebody look.

import { toUserRef, type UserRef } from '../budget/index.js'
import { checkoutsOf, subscriptionsOf, withProducts } from './customers.js'
import type { SyncResult } from './events.js'
import type { Lock } from './lock.js'
import { ownerOf } from './owner.js'
import type { StripeSubscription } from './shapes.js'
import { grantOf } from './status.js'
import type { LookTools } from './tools.js'
import { writeFinding } from './writing.js'

const NOBODY = Symbol('nobody')

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
  const own = await boughtBy(tools, customer)
  const subscriptions = [...(own ?? [])]
  // One after the other: whoever pays for somebody else can make them any number of customers.
  for (const other of customers) if (other !== customer) subscriptions.push(...(await boughtByOther(tools, other)))
  const result = await writeFinding(tools, { user, customers, subscriptions, cause, fence: lock.fence })
  // Only now: a customer that is buried is not looked at again.
  if (own === undefined && result.outcome !== 'superseded') await bindings.bury(customer)
  await parked.unpark(customer)
  return { customer, user, customers, cause, ...result }
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
 * All subscriptions of the customer; `undefined` for one that was deleted. One that Stripe does not know at all is an error: the key may
 * be another account's.
 */
async function boughtBy<Tier extends string>({ stripe, mapper, bindings }: LookTools<Tier>, customer: string): Promise<readonly StripeSubscription[] | undefined> {
  if ((await bindings.get(customer))?.deleted === true) return []
  const subscriptions = await subscriptionsOf(stripe, customer)
  const isLive = subscriptions.some(({ status }) => grantOf(status) !== 'none')
  if (!isLive && (await stripe.customers.retrieve(customer)).deleted === true) return undefined
  return withProducts(stripe, mapper, subscriptions)
}

/** All subscriptions of another customer of the same user. One that is not there has none: Stripe knows the first, so the key is right. */
async function boughtByOther<Tier extends string>({ stripe, mapper, bindings }: LookTools<Tier>, customer: string): Promise<readonly StripeSubscription[]> {
  if ((await bindings.get(customer))?.deleted === true) return []
  return withProducts(stripe, mapper, await subscriptionsOf(stripe, customer))
}
