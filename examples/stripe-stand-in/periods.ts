// The current periods of a subscription's items: where they begin and how they move on. It writes no events.

import { nextBillingS, type Cadence } from './billing-cycle.js'
import type { Item, Price, Subscription } from './shapes.js'

/** How often a price is billed. */
export function cadenceOf({ recurring }: Price): Cadence {
  return { interval: recurring.interval as Cadence['interval'], intervalCount: recurring.interval_count }
}

/** Whether two prices are billed equally often. */
export function isSameCadence(a: Price, b: Price): boolean {
  return a.recurring.interval === b.recurring.interval && a.recurring.interval_count === b.recurring.interval_count
}

/** The period of an item that begins at `startS`. A trial is one period. */
export function periodFrom({ billing_cycle_anchor: anchorS, status, trial_end: trialEndS }: Subscription, price: Price, startS: number): [number, number] {
  return [startS, status === 'trialing' && trialEndS !== null ? trialEndS : nextBillingS(anchorS, startS, cadenceOf(price))]
}

/** Starts the items' periods, and the cycle they follow, at `nowS`. */
export function restart(subscription: Subscription, nowS: number): void {
  subscription.billing_cycle_anchor = nowS
  for (const item of subscription.items.data) setPeriod(item, periodFrom(subscription, item.price, nowS))
}

/** Moves the items whose period ends next into the one after it. Items that are billed less often stay. A trial is over after it. */
export function advance(subscription: Subscription): void {
  const endS = endOfPeriodS(subscription)
  if (subscription.status === 'trialing') subscription.status = 'active'
  for (const item of subscription.items.data) {
    if (item.current_period_end === endS) setPeriod(item, periodFrom(subscription, item.price, endS))
  }
}

/** When the first of the items' periods ends, in Unix seconds. */
export function endOfPeriodS({ items }: Subscription): number {
  return Math.min(...items.data.map((item) => item.current_period_end))
}

function setPeriod(item: Item, [startS, endS]: [number, number]): void {
  item.current_period_start = startS
  item.current_period_end = endS
}
