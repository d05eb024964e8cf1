// What is sold, to whom, and which tier each price gives: written down twice, as bursar is configured and as the oracle reads it.

import { StripeAccount } from '../../../examples/stripe-stand-in/account.js'
import type { AccountOptions } from '../../../examples/stripe-stand-in/book.js'
import { StripeTierMapper } from '../../../src/stripe/index.js'
import type { UserRef } from '../../../src/index.js'

/** The tiers from the lowest to the highest. */
export const TIERS = ['free', 'pro', 'team', 'max'] as const

/** Two of them have the same id, in different tenants. */
export const PEOPLE: readonly UserRef[] = [{ userId: 'ann' }, { userId: 'ann', tenant: 'acme' }, { userId: 'ben' }]

/** The place of the tier that each price gives among {@link TIERS}; an add-on gives none. */
export const RANK_OF: Readonly<Record<string, number>> = { price_pro: 1, price_pro_year: 1, price_team: 2, price_max: 3, price_addon: 0 }

/** The prices that a customer can order. */
export const PRICES = Object.keys(RANK_OF)

/** A price that nothing maps, and a status that nobody knows. */
export const MYSTERY_PRICE = 'price_mystery'
export const MYSTERY_STATUS = 'frozen'

/** Each tier by another way: ids of prices, a product, a lookup key, and a product's metadata. */
export function newMapper(): StripeTierMapper<(typeof TIERS)[number]> {
  const budget = { monthly: 10 }
  return new StripeTierMapper({
    tiers: { free: { budget }, pro: { prices: ['price_pro'], budget }, team: { products: ['prod_team'], budget }, max: { lookupKeys: ['max_monthly'], budget } },
    fallbackTier: 'free',
    ignored: ['price_addon'],
  })
}

/** An account that sells all of it, and has no customer yet. */
export function openShop(options: AccountOptions): StripeAccount {
  const account = new StripeAccount(options)
  for (const id of ['prod_pro', 'prod_team', 'prod_max', 'prod_other']) account.addProduct({ id })
  account.addProduct({ id: 'prod_pro_year', metadata: { bursar_tier: 'pro' } })
  account.addPrice({ id: 'price_pro', product: 'prod_pro', interval: 'month', unitAmount: 2_000 })
  account.addPrice({ id: 'price_pro_year', product: 'prod_pro_year', interval: 'year', unitAmount: 20_000 })
  account.addPrice({ id: 'price_team', product: 'prod_team', interval: 'month', unitAmount: 5_000 })
  account.addPrice({ id: 'price_max', product: 'prod_max', lookupKey: 'max_monthly', interval: 'month', unitAmount: 9_000 })
  account.addPrice({ id: 'price_addon', product: 'prod_other', interval: 'month', unitAmount: 100 })
  account.addPrice({ id: MYSTERY_PRICE, product: 'prod_other', interval: 'month', unitAmount: 300 })
  return account
}

/** A user's name for sets and messages. */
export function nameOf({ userId, tenant }: UserRef): string {
  return tenant === undefined ? userId : `${userId} of ${tenant}`
}
