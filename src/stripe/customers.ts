// What is asked of Stripe's API to see a customer whole. Only the look; what it means is for others.

import type { StripeTierMapper } from './mapper.js'
import { boughtSubscription } from './owner.js'
import type { StripeClient, StripeItem, StripeProduct, StripeSession, StripeSubscription } from './shapes.js'
import { grantOf } from './status.js'

const PAGE = 100

/** All subscriptions of a customer, ended ones too, with all their positions; none of one that Stripe does not know, or no more. */
export async function subscriptionsOf(stripe: StripeClient, customer: string): Promise<StripeSubscription[]> {
  const found: StripeSubscription[] = []
  try {
    for await (const subscription of stripe.subscriptions.list({ customer, status: 'all', limit: PAGE, expand: ['data.latest_invoice'] })) found.push(subscription)
  } catch (error) {
    if (isMissing(error)) return []
    throw error
  }
  return Promise.all(found.map((subscription) => withAllItems(stripe, subscription)))
}

/** The customer's completed checkouts of subscriptions, oldest first: what others refer to may be an order. */
export async function checkoutsOf(stripe: StripeClient, customer: string): Promise<StripeSession[]> {
  const sessions: StripeSession[] = []
  for await (const session of stripe.checkout.sessions.list({ customer, limit: PAGE })) if (session.status === 'complete' && boughtSubscription(session)) sessions.push(session)
  return sessions.sort((a, b) => a.created - b.created)
}

/** The same subscriptions; where one may give a tier, with the product of each price that only its product's metadata can still map. */
export async function withProducts(stripe: StripeClient, mapper: StripeTierMapper, subscriptions: readonly StripeSubscription[]): Promise<StripeSubscription[]> {
  const mayGive = subscriptions.filter(({ status }) => grantOf(status) !== 'none')
  const needed = new Set(mayGive.flatMap(({ items }) => items.data.flatMap(({ price }) => (mapper.needsProduct(price) ? [price.product] : []))))
  if (needed.size === 0) return [...subscriptions]
  const products = new Map<string, StripeProduct>()
  for (const id of needed) {
    const product = await orMissing(stripe.products.retrieve(id))
    if (product !== undefined) products.set(id, product)
  }
  return subscriptions.map((subscription) => ({ ...subscription, items: { data: subscription.items.data.map((item) => withProduct(item, products)) } }))
}

async function withAllItems(stripe: StripeClient, subscription: StripeSubscription): Promise<StripeSubscription> {
  if (subscription.items.has_more !== true) return subscription
  const data: StripeItem[] = []
  for await (const item of stripe.subscriptionItems.list({ subscription: subscription.id, limit: PAGE })) data.push(item)
  return { ...subscription, items: { data } }
}

function withProduct(item: StripeItem, products: ReadonlyMap<string, StripeProduct>): StripeItem {
  const { product } = item.price
  const known = typeof product === 'string' ? products.get(product) : undefined
  return known === undefined ? item : { ...item, price: { ...item.price, product: known } }
}

async function orMissing<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

/** Stripe's word for an object that is not there: never, or no more. */
function isMissing(error: unknown): boolean {
  return typeof error === 'object' && error !== null && (error as { code?: unknown }).code === 'resource_missing'
}
