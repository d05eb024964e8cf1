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
 * oldest checkout that has one. The tenant stands where the user does, or on the customer. What is no id names nobody.
 */
export function ownerOf({ customer, subscriptions, checkouts }: OwnerClues, { userKey, tenantKey }: OwnerKeys): UserRef | undefined {
  const ofCustomer = customer.metadata?.[tenantKey]
  const named = (userId: string | null | undefined, metadata: StripeMetadata): UserRef | undefined => userOf(userId, metadata?.[tenantKey] ?? ofCustomer)
  const bought = [...subscriptions].sort((a, b) => a.created - b.created || (a.id < b.id ? -1 : 1))
  for (const { metadata } of [customer, ...bought]) {
    const user = named(metadata?.[userKey], metadata)
    if (user !== undefined) return user
  }
  for (const { client_reference_id: reference, metadata } of checkouts) {
    const user = named(reference, metadata)
    if (user !== undefined) return user
  }
  return undefined
}

/** True for a checkout of a subscription: what others refer to may be no user. */
export function boughtSubscription({ mode }: { readonly mode?: unknown }): boolean {
  return mode === undefined || mode === 'subscription'
}

/** The user of that id; `undefined` where it is none, or the tenant is none: nobody else must get what was meant for a tenant's user. */
export function userOf(userId: string | null | undefined, tenant: string | undefined): UserRef | undefined {
  if (!isId(userId)) return undefined
  if (tenant === undefined || tenant === '') return { userId }
  return isId(tenant) ? { userId, tenant } : undefined
}
