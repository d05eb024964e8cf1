// All subscriptions of a user as one finding: which tier they give, by which of them, until when. Pure: what Stripe said, and when.

import type { BillingPeriod, PassedOver } from '../budget/index.js'
import type { StripeTierMapper } from './mapper.js'
import type { StripeInvoice, StripeItem, StripeSubscription } from './shapes.js'
import { grantOf } from './status.js'

/** What stands in the way of saying what somebody has bought. */
export type Puzzle =
  | { readonly kind: 'unmapped-price'; readonly subscription: string; readonly price: string; readonly product: string | undefined }
  | { readonly kind: 'unknown-status'; readonly subscription: string; readonly status: string }

/** What is known of a user before the look. */
export interface KnownBefore {
  readonly tier: string | undefined
  readonly subscription: string | undefined
  /** When the grace of that subscription ends, where it was past due already. */
  readonly pastDueFrom: number | undefined
}

/** What a user's subscriptions come to. */
export interface Finding<Tier extends string> {
  /** Absent: a puzzle keeps the last tier, and with it all that is known of it. */
  readonly given?: Given<Tier> | undefined
  readonly passedOver: readonly PassedOver[]
  readonly puzzles: readonly Puzzle[]
}

/** What is written of a user. */
export interface Given<Tier extends string> {
  readonly tier: Tier
  readonly standing: 'active' | 'trialing' | 'past_due' | 'none'
  readonly pastDueFrom?: number | undefined
  readonly subscription?: string | undefined
  readonly item?: string | undefined
  readonly price?: string | undefined
  readonly period?: BillingPeriod | undefined
  readonly endsAt?: number | undefined
}

/** How many subscriptions that gave nothing are recorded. */
const MOST_PASSED_OVER = 20
const STANDINGS = ['active', 'trialing', 'past_due'] as const

interface Candidate<Tier extends string> {
  readonly tier: Tier
  readonly subscription: StripeSubscription
  readonly item: StripeItem
}

/**
 * The highest-ranked position of a subscription that grants its tier; among equals one that is paid for before one that is past due,
 * then the oldest. A price that nothing maps and a status that is new keep the last tier where that is higher. The result does not
 * depend on the order of the subscriptions.
 */
export function findingOf<Tier extends string>(mapper: StripeTierMapper<Tier>, subscriptions: readonly StripeSubscription[], before: KnownBefore, graceMs: number, now: number): Finding<Tier> {
  const candidates: Candidate<Tier>[] = []
  const puzzles: Puzzle[] = []
  let isOpen = false
  for (const subscription of subscriptions) {
    const grant = grantOf(subscription.status)
    if (grant === 'none') continue
    if (grant === 'unknown') {
      puzzles.push({ kind: 'unknown-status', subscription: subscription.id, status: subscription.status })
      isOpen = true
      continue
    }
    const items = subscription.items.data.filter(({ price }) => !mapper.ignores(price))
    const mapped = items.flatMap((item): Candidate<Tier>[] => {
      const tier = mapper.tierForPrice(item.price)
      return tier === undefined ? [] : [{ tier, subscription, item }]
    })
    candidates.push(...mapped)
    for (const { price } of items) if (mapper.tierForPrice(price) === undefined) puzzles.push(unmapped(subscription, price))
    // Beside a position that is mapped, another one is an add-on; alone it may be the plan itself.
    if (mapped.length === 0 && items.length > 0) isOpen = true
  }
  candidates.sort((a, b) => mapper.rankOf(b.tier) - mapper.rankOf(a.tier) || order(a, b))
  const [best] = candidates
  const passedOver = passedOverBy(best, subscriptions, mapper)
  // INVARIANT (FAIL-LOUD): what is not understood is never silently free; it raises an event, and the last tier stays.
  if (isOpen && mapper.rankOf(best?.tier) < mapper.rankOf(before.tier)) return { passedOver, puzzles }
  if (best === undefined) return isOpen ? { passedOver, puzzles } : { given: { tier: mapper.fallbackTier, standing: 'none' }, passedOver, puzzles }
  return { given: givenBy(best, before, graceMs, now), passedOver, puzzles }
}

function givenBy<Tier extends string>({ tier, subscription, item }: Candidate<Tier>, before: KnownBefore, graceMs: number, now: number): Given<Tier> {
  const period = periodOf(subscription, item)
  const { id, status } = subscription
  const standing = STANDINGS.find((known) => known === status) ?? 'active'
  return {
    tier,
    standing,
    pastDueFrom: standing === 'past_due' ? pastDueFrom(subscription, before, graceMs, now) : undefined,
    subscription: id,
    item: item.id,
    price: item.price.id,
    period,
    endsAt: subscription.cancel_at != null ? toMs(subscription.cancel_at) : subscription.cancel_at_period_end === true ? period?.endsAt : undefined,
  }
}

/** The period of the position; before API version 2025-03-31 it stood on the subscription. */
function periodOf(subscription: StripeSubscription, item: StripeItem): BillingPeriod | undefined {
  const startsAt = item.current_period_start ?? subscription.current_period_start
  const endsAt = item.current_period_end ?? subscription.current_period_end
  return startsAt === undefined || endsAt === undefined || startsAt >= endsAt ? undefined : { startsAt: toMs(startsAt), endsAt: toMs(endsAt) }
}

/** When grace ends. Another invoice that is not paid either begins no other. */
function pastDueFrom(subscription: StripeSubscription, before: KnownBefore, graceMs: number, now: number): number {
  const known = before.subscription === subscription.id ? before.pastDueFrom : undefined
  const since = pastDueSince(subscription)
  return Math.min(known ?? Infinity, since === undefined ? (known ?? now + graceMs) : since + graceMs)
}

/** Since when the payment is overdue: since the invoice that was not paid became due. */
function pastDueSince({ latest_invoice: invoice }: StripeSubscription): number | undefined {
  if (invoice == null || typeof invoice === 'string' || isSettled(invoice)) return undefined
  return toMs(invoice.status_transitions?.finalized_at ?? invoice.created)
}

function isSettled({ status }: StripeInvoice): boolean {
  return status === 'paid' || status === 'void'
}

function order<Tier extends string>(a: Candidate<Tier>, b: Candidate<Tier>): number {
  const overdue = Number(a.subscription.status === 'past_due') - Number(b.subscription.status === 'past_due')
  return overdue || a.subscription.created - b.subscription.created || compare(a.subscription.id, b.subscription.id) || compare(a.item.id, b.item.id)
}

function passedOverBy<Tier extends string>(best: Candidate<Tier> | undefined, subscriptions: readonly StripeSubscription[], mapper: StripeTierMapper<Tier>): PassedOver[] {
  return subscriptions
    .filter((subscription) => subscription.id !== best?.subscription.id && grantOf(subscription.status) !== 'none')
    .sort((a, b) => a.created - b.created || compare(a.id, b.id))
    .slice(0, MOST_PASSED_OVER)
    .map(({ id, status, items }) => {
      const tier = mapper.highest(items.data.map(({ price }) => mapper.tierForPrice(price)))
      return { subscription: id, status, ...(tier !== undefined && { tier }) }
    })
}

function unmapped({ id }: StripeSubscription, { id: price, product }: StripeItem['price']): Puzzle {
  return { kind: 'unmapped-price', subscription: id, price, product: typeof product === 'string' ? product : product?.id }
}

function toMs(seconds: number): number {
  return seconds * 1_000
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b)
}
