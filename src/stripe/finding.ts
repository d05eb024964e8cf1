// All subscriptions of a user as one finding: which tier they give, by which of them, until when. Pure: what Stripe said, and when.

import type { PassedOver } from '../budget/index.js'
import type { PaidPeriod, RenewalStep } from '../time/index.js'
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

/** What is known of the subscription that counts. */
export interface Facts {
  readonly standing: 'active' | 'trialing' | 'past_due' | 'none'
  readonly pastDueFrom?: number | undefined
  readonly subscription?: string | undefined
  readonly item?: string | undefined
  readonly price?: string | undefined
  readonly period?: PaidPeriod | undefined
  readonly endsAt?: number | undefined
}

/** What a user's subscriptions come to. */
export interface Finding<Tier extends string> {
  /** Absent: a puzzle keeps the last tier. */
  readonly tier?: Tier | undefined
  /** Absent: what was known stays, because nothing is understood. */
  readonly facts?: Facts | undefined
  /** The last invoice of the subscription that counts was paid, or needs no payment. */
  readonly isPaid: boolean
  readonly passedOver: readonly PassedOver[]
  readonly puzzles: readonly Puzzle[]
}

/** How many subscriptions that gave nothing are recorded. */
const MOST_PASSED_OVER = 20
const STANDINGS = ['active', 'trialing', 'past_due'] as const

/** A position of a subscription whose status grants what it is of. */
interface Position {
  readonly subscription: StripeSubscription
  readonly item: StripeItem
}

interface Candidate<Tier extends string> extends Position {
  readonly tier: Tier
}

/** What subscriptions are made of, before anything is decided. */
interface Sorted<Tier extends string> {
  /** The highest first. */
  readonly candidates: readonly Candidate<Tier>[]
  /** Of subscriptions of which no position is mapped. */
  readonly unmapped: readonly Position[]
  readonly hasUnknownStatus: boolean
  readonly puzzles: readonly Puzzle[]
}

/**
 * The highest-ranked position of a subscription that grants its tier; among equals one that is paid for before one that is past due,
 * then the oldest. A price that nothing maps and a status that is new keep the last tier where that is higher. The result does not
 * depend on the order of the subscriptions.
 */
export function findingOf<Tier extends string>(mapper: StripeTierMapper<Tier>, subscriptions: readonly StripeSubscription[], before: KnownBefore, graceMs: number, now: number): Finding<Tier> {
  const { candidates, unmapped, hasUnknownStatus, puzzles } = sorted(mapper, subscriptions)
  const [best] = candidates
  const isOpen = hasUnknownStatus || unmapped.length > 0
  // INVARIANT (FAIL-LOUD): what is not understood is never silently free; it raises an event, and the last tier stays.
  const keepsLast = isOpen && (best === undefined || mapper.rankOf(best.tier) < mapper.rankOf(before.tier))
  const counts = keepsLast ? unmapped[0] : best
  const passedOver = passedOverBy(counts, subscriptions, mapper)
  const facts = counts === undefined ? undefined : factsOf(counts, before, graceMs, now)
  const isPaid = counts !== undefined && wasPaid(counts.subscription)
  if (keepsLast) return { facts, isPaid, passedOver, puzzles }
  if (best === undefined) return { tier: mapper.fallbackTier, facts: { standing: 'none' }, isPaid, passedOver, puzzles }
  return { tier: best.tier, facts, isPaid, passedOver, puzzles }
}

function sorted<Tier extends string>(mapper: StripeTierMapper<Tier>, subscriptions: readonly StripeSubscription[]): Sorted<Tier> {
  const candidates: Candidate<Tier>[] = []
  const alone: Position[] = []
  const puzzles: Puzzle[] = []
  for (const subscription of subscriptions) {
    const { id, status, items } = subscription
    const grant = grantOf(status)
    if (grant === 'unknown') puzzles.push({ kind: 'unknown-status', subscription: id, status })
    if (grant !== 'tier') continue
    const positions = items.data.filter(({ price }) => !mapper.ignores(price)).map((item) => ({ subscription, item, tier: mapper.tierForPrice(item.price) }))
    const mapped = positions.filter((position): position is Candidate<Tier> => position.tier !== undefined)
    const others = positions.filter(({ tier }) => tier === undefined)
    candidates.push(...mapped)
    puzzles.push(...others.map(({ item }) => unmappedPrice(subscription, item.price)))
    // Beside a position that is mapped, another one is an add-on; alone it may be the plan itself.
    if (mapped.length === 0) alone.push(...others)
  }
  candidates.sort((a, b) => mapper.rankOf(b.tier) - mapper.rankOf(a.tier) || order(a, b))
  return { candidates, unmapped: alone.sort(order), hasUnknownStatus: puzzles.some(({ kind }) => kind === 'unknown-status'), puzzles }
}

function factsOf({ subscription, item }: Position, before: KnownBefore, graceMs: number, now: number): Facts {
  const period = periodOf(subscription, item)
  const { id, status } = subscription
  const standing = STANDINGS.find((known) => known === status) ?? 'active'
  return {
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
function periodOf(subscription: StripeSubscription, { current_period_start: itemStart, current_period_end: itemEnd, price }: StripeItem): PaidPeriod | undefined {
  const startsAt = itemStart ?? subscription.current_period_start
  const endsAt = itemEnd ?? subscription.current_period_end
  if (startsAt === undefined || endsAt === undefined || startsAt >= endsAt) return undefined
  const renewsEvery = stepOf(price)
  return { startsAt: toMs(startsAt), endsAt: toMs(endsAt), ...(renewsEvery !== undefined && { renewsEvery }) }
}

function stepOf({ recurring }: StripeItem['price']): RenewalStep | undefined {
  if (recurring == null) return undefined
  const { interval, interval_count: count } = recurring
  if (interval === 'day' || interval === 'week') return { days: interval === 'day' ? count : 7 * count }
  return interval === 'month' || interval === 'year' ? { months: interval === 'month' ? count : 12 * count } : undefined
}

/** When grace ends. Another invoice that is not paid either begins no other. */
function pastDueFrom(subscription: StripeSubscription, before: KnownBefore, graceMs: number, now: number): number {
  const known = before.subscription === subscription.id ? before.pastDueFrom : undefined
  const since = pastDueSince(subscription)
  return Math.min(known ?? Infinity, since === undefined ? (known ?? now + graceMs) : since + graceMs)
}

/** Since when the payment is overdue: since the invoice that was not paid became due. One that is sent by mail is due later. */
function pastDueSince({ latest_invoice: invoice }: StripeSubscription): number | undefined {
  if (invoice == null || typeof invoice === 'string' || isSettled(invoice)) return undefined
  return toMs(Math.max(invoice.status_transitions?.finalized_at ?? invoice.created, invoice.due_date ?? 0))
}

/** Stripe begins a period before it has tried to collect for it. */
function wasPaid({ status, latest_invoice: invoice }: StripeSubscription): boolean {
  return status !== 'past_due' && (invoice == null || typeof invoice === 'string' || isSettled(invoice))
}

function isSettled({ status }: StripeInvoice): boolean {
  return status === 'paid' || status === 'void'
}

function order(a: Position, b: Position): number {
  const overdue = Number(a.subscription.status === 'past_due') - Number(b.subscription.status === 'past_due')
  return overdue || a.subscription.created - b.subscription.created || compare(a.subscription.id, b.subscription.id) || compare(a.item.id, b.item.id)
}

function passedOverBy<Tier extends string>(best: Position | undefined, subscriptions: readonly StripeSubscription[], mapper: StripeTierMapper<Tier>): PassedOver[] {
  return subscriptions
    .filter((subscription) => subscription.id !== best?.subscription.id && grantOf(subscription.status) !== 'none')
    .sort((a, b) => a.created - b.created || compare(a.id, b.id))
    .slice(0, MOST_PASSED_OVER)
    .map(({ id, status, items }) => {
      const tier = mapper.highest(items.data.map(({ price }) => mapper.tierForPrice(price)))
      return { subscription: id, status, ...(tier !== undefined && { tier }) }
    })
}

function unmappedPrice({ id }: StripeSubscription, { id: price, product }: StripeItem['price']): Puzzle {
  return { kind: 'unmapped-price', subscription: id, price, product: typeof product === 'string' ? product : product?.id }
}

function toMs(seconds: number): number {
  return seconds * 1_000
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b)
}
