// What must not compile of bursar/stripe, and what must: read by the type check alone, never run. The official client is one of its types.

import type Stripe from 'stripe'
import { Bursar, CostTracker } from '../../src/index.js'
import { StripeTierMapper, StripeTierSync, stripeWebhook, type StripeClient, type StripeSubscription } from '../../src/stripe/index.js'

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const same = <A, B>(isSame: Equal<A, B>): void => void isSame

const mapper = new StripeTierMapper({
  tiers: { free: { budget: { daily: 0.1 } }, pro: { prices: ['price_pro'], budget: { monthly: { usd: 20, anchor: 'subscription' } }, monthlyPrice: 29 } },
  fallbackTier: 'free',
})
const bursar = new Bursar({ tiers: mapper.tiers, defaultTier: mapper.fallbackTier, suggestUpgrade: mapper.getUpgradeTier })

/** The names of tiers: inferred from `tiers`, and checked wherever one stands. */
export async function tiers(): Promise<void> {
  same<typeof mapper, StripeTierMapper<'free' | 'pro'>>(true)
  same<ReturnType<typeof mapper.tierForPrice>, 'free' | 'pro' | undefined>(true)
  same<ReturnType<typeof mapper.nextTier>, 'free' | 'pro' | undefined>(true)
  same<Parameters<typeof bursar.check>[0]['userTier'], 'free' | 'pro' | undefined>(true)
  new CostTracker({ userBudgets: mapper.userBudgets, defaultTier: 'pro' })
  // @ts-expect-error a mistyped fallback
  new StripeTierMapper({ tiers: { free: { budget: {} } }, fallbackTier: 'fre' })
  // @ts-expect-error a tier without a budget
  new StripeTierMapper({ tiers: { free: {} }, fallbackTier: 'free' })
  // @ts-expect-error a mistyped field of a tier
  new StripeTierMapper({ tiers: { free: { budget: {}, price: ['price_1'] } }, fallbackTier: 'free' })
  // @ts-expect-error a mistyped tier
  mapper.nextTier('premium')
  // @ts-expect-error a mistyped tier of a request, where the tiers are the mapper's
  await bursar.check({ userId: 'u', userTier: 'premium', estimatedCost: 0.03 })
  // @ts-expect-error a mistyped default, where the tiers are the mapper's
  new Bursar({ tiers: mapper.tiers, defaultTier: 'fre' })
}

/** What the official package gives is taken as it is. */
export function official(stripe: Stripe, price: Stripe.Price, subscription: Stripe.Subscription): void {
  const client: StripeClient = stripe
  const shape: StripeSubscription = subscription
  void [client, shape, mapper.tierForPrice(price), mapper.tierForSubscription(subscription)]
  const webhook = stripeWebhook({ stripe, mapper, tracker: bursar.tracker, secrets: 'whsec_1' })
  same<typeof webhook.sync, StripeTierSync<'free' | 'pro'>>(true)
  new StripeTierSync({ stripe, mapper, tracker: new CostTracker({ userBudgets: mapper.userBudgets }) })
  // @ts-expect-error an endpoint without a secret
  stripeWebhook({ stripe, mapper, tracker: bursar.tracker })
  // @ts-expect-error an option of the endpoint that the sync does not have
  new StripeTierSync({ stripe, mapper, tracker: bursar.tracker, secrets: 'whsec_1' })
}
