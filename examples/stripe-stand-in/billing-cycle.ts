// Where billing periods end. Pure arithmetic on UTC seconds; knows no subscriptions.

/** How often a price is billed. */
export interface Cadence {
  readonly interval: 'week' | 'month' | 'year'
  readonly intervalCount: number
}

const WEEK_S = 7 * 86_400

/**
 * The first billing instant after `afterS` of a cycle that is tied to `anchorS` (both Unix seconds, UTC). An anchor on a day that a
 * month does not have bills on that month's last day and returns to its own day afterwards: Jan 31, Feb 28, Mar 31
 * (docs.stripe.com/billing/subscriptions/billing-cycle).
 */
export function nextBillingS(anchorS: number, afterS: number, cadence: Cadence): number {
  const { interval, intervalCount } = cadence
  if (interval === 'week') {
    const step = intervalCount * WEEK_S
    return anchorS + (Math.floor((afterS - anchorS) / step) + 1) * step
  }
  const step = interval === 'year' ? intervalCount * 12 : intervalCount
  // One step early, so that clamped days can never make the estimate too late.
  let steps = Math.floor((monthOf(afterS) - monthOf(anchorS)) / step) - 1
  while (monthsLaterS(anchorS, steps * step) <= afterS) steps += 1
  return monthsLaterS(anchorS, steps * step)
}

function monthOf(atS: number): number {
  const date = new Date(atS * 1_000)
  return date.getUTCFullYear() * 12 + date.getUTCMonth()
}

function monthsLaterS(anchorS: number, months: number): number {
  const anchor = new Date(anchorS * 1_000)
  const [year, month] = [anchor.getUTCFullYear(), anchor.getUTCMonth() + months]
  const day = Math.min(anchor.getUTCDate(), new Date(Date.UTC(year, month + 1, 0)).getUTCDate())
  return Date.UTC(year, month, day, anchor.getUTCHours(), anchor.getUTCMinutes(), anchor.getUTCSeconds()) / 1_000
}
