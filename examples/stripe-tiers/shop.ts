// What the story needs of a Stripe account: somebody buys, upgrades and cancels, and Stripe tells the endpoint of it.

import type Stripe from 'stripe'

/** One account with two prices, and one customer at most. What it does has an effect on bursar only by the events that follow. */
export interface Shop {
  /** For people. */
  readonly name: string
  readonly stripe: Stripe
  /** The endpoint's signing secret. */
  readonly secret: string
  /** Where the endpoint has to listen; 0: anywhere. */
  readonly port: number
  readonly clock: () => number
  /** Ids of prices by what they sell. */
  readonly prices: { readonly pro: string; readonly enterprise: string }
  /** Events go to this URL from now on. */
  deliverTo(url: string): void
  /** The user buys `pro`. */
  checkout(userId: string): Promise<void>
  /** Exchanges `pro` for `enterprise`. */
  upgrade(): Promise<void>
  /** Ends the subscription at once. */
  cancel(): Promise<void>
  /** Absent where time cannot be moved. */
  readonly time?: TimeMachine | undefined
  /** Removes what was made. */
  close(): Promise<void>
}

/** What takes longer than anybody waits. */
export interface TimeMachine {
  /** The clock moves on. */
  pass(ms: number): void
  /** The clock moves to the end of the subscription's period, and the next one is not paid. */
  failRenewal(): Promise<void>
}
