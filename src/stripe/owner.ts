// Whose customer it is: by what the application has written on Stripe's objects. Pure.

import { isId, type UserRef } from '../budget/index.js'
import type { StripeCustomer, StripeMetadata, StripeSession, StripeSubscription } from './shapes.js'

/** What a user can be found by. */
export interface OwnerClues {
  readonly customer: StripeCustomer
  readonly subscriptions: readonly StripeSubscription[]
  /** Completed checkouts, oldest first. */
  readonly checkouts: readonly StripeSession[]
}

/** The keys of the metadata that name a user. */
export interface OwnerKeys {
  readonly userKey: string
  readonly tenantKey: string
}

/**
 * The user that the customer's metadata names, else the oldest subscription's that names one, else the `client_reference_id` of the
 * oldest checkout that has one. What is no id names nobody.
 */
export function ownerOf({ customer, subscriptions, checkouts }: OwnerClues, keys: OwnerKeys): UserRef | undefined {
  const own = userIn(customer.metadata, keys)
  if (own !== undefined) return own
  for (const { metadata } of [...subscriptions].sort((a, b) => a.created - b.created || (a.id < b.id ? -1 : 1))) {
    const user = userIn(metadata, keys)
    if (user !== undefined) return user
  }
  for (const { client_reference_id: reference, metadata } of checkouts) {
    const user = userOf(reference, metadata?.[keys.tenantKey])
    if (user !== undefined) return user
  }
  return undefined
}

/** True for a checkout of a subscription: what others refer to may be no user. */
export function boughtSubscription({ mode }: { readonly mode?: unknown }): boolean {
  return mode === undefined || mode === 'subscription'
}

/** The user of that id, where it is one. */
export function userOf(userId: string | null | undefined, tenant: string | undefined): UserRef | undefined {
  if (!isId(userId)) return undefined
  return isId(tenant) ? { userId, tenant } : { userId }
}

function userIn(metadata: StripeMetadata, { userKey, tenantKey }: OwnerKeys): UserRef | undefined {
  return userOf(metadata?.[userKey], metadata?.[tenantKey])
}
