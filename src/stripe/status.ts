// What a subscription's status means for the tier. Source: Stripe, "How subscriptions work", the subscription statuses.

/** What a status gives: the tier, nothing, or something that was not known when this was written. */
export type Grant = 'tier' | 'none' | 'unknown'

const GRANTS: Readonly<Record<string, Grant>> = {
  active: 'tier',
  trialing: 'tier',
  // The payment is overdue, and Stripe still tries: the tier stays, and the standing says so.
  past_due: 'tier',
  // The first payment has not been made yet, or never was.
  incomplete: 'none',
  incomplete_expired: 'none',
  unpaid: 'none',
  paused: 'none',
  canceled: 'none',
}

/** True for a status that no subscription has which was ever paid for. */
export function neverGrants(status: string): boolean {
  return status === 'incomplete' || status === 'incomplete_expired'
}

/** What a status gives. */
export function grantOf(status: string): Grant {
  return Object.hasOwn(GRANTS, status) ? (GRANTS[status] as Grant) : 'unknown'
}
