// The shop on the stand-in for Stripe: its clock is moved by hand, and its events are signed and posted one by one.

import Stripe from 'stripe'
import { StripeAccount } from '../stripe-stand-in/account.js'
import { StripeStandIn } from '../stripe-stand-in/server.js'
import { post } from '../stripe-stand-in/webhooks.js'
import type { Shop } from './shop.js'

const SECRET = 'whsec_of_the_stand_in'

/** Opens a shop on a stand-in of its own. */
export async function openStandInShop(): Promise<Shop> {
  let now = Date.UTC(2027, 2, 1, 9)
  let endpoint = ''
  let delivered = 0
  let subscription = ''
  const account = new StripeAccount({ clock: () => now })
  const product = account.addProduct()
  const prices = {
    pro: account.addPrice({ id: 'price_pro', product, interval: 'month', unitAmount: 2_900 }),
    enterprise: account.addPrice({ id: 'price_enterprise', product, interval: 'month', unitAmount: 49_900 }),
  }
  const standIn = new StripeStandIn(account)
  await standIn.start()
  const stripe = new Stripe('sk_test_stand_in', { ...standIn.address, telemetry: false })

  async function deliver(): Promise<void> {
    for (const event of account.events.slice(delivered)) {
      const { status } = await post(endpoint, event, SECRET, { stripe, timestamp: Math.floor(now / 1_000) })
      if (status !== 200) throw new Error(`the endpoint answered ${event.type} with ${status}`)
      delivered += 1
    }
  }

  return {
    name: 'a stand-in on this machine',
    stripe,
    secret: SECRET,
    port: 0,
    clock: () => now,
    prices,
    deliverTo: (url) => void (endpoint = url),
    checkout: (userId) => {
      subscription = account.completeCheckout({ priceIds: [prices.pro], clientReferenceId: userId }).subscription
      return deliver()
    },
    upgrade: () => {
      account.subscriptions.changeItems(subscription, { replace: { [prices.pro]: prices.enterprise } })
      return deliver()
    },
    cancel: () => {
      account.subscriptions.cancel(subscription)
      return deliver()
    },
    time: {
      pass: (ms) => void (now += ms),
      failRenewal: () => {
        const { items } = account.book.get('subscription', subscription)
        now = Math.max(...items.data.map((item) => item.current_period_end)) * 1_000
        account.payments.failPayment(subscription)
        return deliver()
      },
    },
    close: () => standIn.stop(),
  }
}
