// What a payment provider says of a user, as the directory keeps it: how they stand, which period they have paid for, and why that
// was written. Instants are ms since the epoch. Knows no provider.

import type { Standing } from '../enforcement/index.js'
import type { PaidPeriod } from '../time/index.js'

/** A subscription that is paid for, or may be, and gave no tier: another ranked higher, or nobody knows what it gives. */
export interface PassedOver {
  readonly subscription: string
  readonly status: string
  /** The tier that it would have given, where one is known. */
  readonly tier?: string | undefined
}

/** What is known of a user's payments. Replaced whole, never changed. */
export interface Billing {
  /** `past_due` before `pastDueFrom` is {@link Standing} `grace`. */
  readonly standing: Exclude<Standing, 'grace'>
  readonly pastDueFrom?: number | undefined
  /** The ids under which the provider knows the user. */
  readonly customers: readonly string[]
  /** The subscription that gives the tier, the position of it that does, and its price. */
  readonly subscription?: string | undefined
  readonly item?: string | undefined
  readonly price?: string | undefined
  readonly period?: PaidPeriod | undefined
  /** When the tier will end, where that is known: it was cancelled to the end of its period. */
  readonly endsAt?: number | undefined
  /** A renewal after which the user's windows are still to begin anew: those that began before it. */
  readonly restartDue?: number | undefined
  readonly passedOver?: readonly PassedOver[] | undefined
  /** When what stands here, or the tier, last changed, and what made it so: an event's type and id, for one. */
  readonly changedAt: number
  readonly reason: string
  /** Grows with each look at the provider's state: one that began earlier is never written over one that began later. */
  readonly fence: number
}

/** How a user stands at an instant; `undefined` where no provider has said anything. */
export function standingAt(billing: Billing | undefined, now: number): Standing | undefined {
  if (billing === undefined) return undefined
  return billing.standing === 'past_due' && billing.pastDueFrom !== undefined && now < billing.pastDueFrom ? 'grace' : billing.standing
}
