// The shop on the real Stripe in test mode. Its events come by `stripe listen`, when Stripe likes, and in any order.

import Stripe from 'stripe'
import type { Shop } from './shop.js'

/** Opens a shop on the account of a test key. Throws for a live one: it makes customers, and has them pay. */
export async function openTestModeShop(key: string, secret: string): Promise<Shop> {
  if (!/^[sr]k_test_/.test(key)) throw new Error('STRIPE_SECRET_KEY: is no key of test mode. Give one that begins with sk_test_; live keys are refused.')
  const stripe = new Stripe(key)
  const product = await stripe.products.create({ name: 'bursar example' })
  const priceOf = async (cents: number): Promise<string> => {
    const price = await stripe.prices.create({ product: product.id, currency: 'usd', unit_amount: cents, recurring: { interval: 'month' } })
    return price.id
  }
  const prices = { pro: await priceOf(2_900), enterprise: await priceOf(49_900) }
  let customer: Stripe.Customer | undefined
  let subscription: Stripe.Subscription | undefined

  const bought = (): Stripe.Subscription => {
    if (subscription === undefined) throw new Error('nothing has been bought yet')
    return subscription
  }
  const cancel = async (): Promise<void> => {
    await stripe.subscriptions.cancel(bought().id)
    subscription = undefined
  }

  return {
    name: `the real one in test mode, with product ${product.id}`,
    stripe,
    secret,
    port: 4242,
    clock: Date.now,
    prices,
    deliverTo: () => {},
    checkout: async (userId) => {
      customer = await stripe.customers.create({ metadata: { userId } })
      const card = await stripe.paymentMethods.attach('pm_card_visa', { customer: customer.id })
      subscription = await stripe.subscriptions.create({ customer: customer.id, items: [{ price: prices.pro }], default_payment_method: card.id })
    },
    upgrade: async () => {
      const { id, items } = bought()
      await stripe.subscriptions.update(id, { items: [{ id: items.data[0]?.id ?? '', price: prices.enterprise }] })
    },
    cancel,
    close: async () => {
      if (subscription !== undefined) await cancel()
      if (customer !== undefined) await stripe.customers.del(customer.id)
      // What has prices cannot be deleted.
      await stripe.products.update(product.id, { active: false })
    },
  }
}
