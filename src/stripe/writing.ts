// What a look has seen, written to the directory: over what an earlier look has written, and never over a later one's.

import type { UserRef } from '../budget/index.js'
import { StoreUnavailableError } from '../errors/index.js'
import type { BillingUpdate, UserBilling } from '../tracker/index.js'
import type { SyncResult } from './events.js'
import { findingOf, type Facts } from './finding.js'
import type { StripeSubscription } from './shapes.js'
import { neverGrants } from './status.js'
import type { LookTools } from './tools.js'

/** What a look has seen. */
export interface Seen {
  readonly user: UserRef
  readonly customers: readonly string[]
  /** Of all these customers. */
  readonly subscriptions: readonly StripeSubscription[]
  readonly cause: string
  readonly fence: number
}

const MOST_ATTEMPTS = 20

/** Writes what follows from what was seen. Worked out anew where somebody has written in between: it depends on what was known. */
export async function writeFinding<Tier extends string>(tools: LookTools<Tier>, seen: Seen): Promise<Pick<SyncResult, 'outcome' | 'tier' | 'puzzles'>> {
  const { mapper, tracker, graceMs, resetOnRenewal } = tools
  const { user, customers, subscriptions, cause, fence } = seen
  for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt += 1) {
    const [last, known] = [await tracker.getUserTier(user), await tracker.getUserBilling(user)]
    if (known !== undefined && known.fence > fence) return { outcome: 'superseded', puzzles: [] }
    const before = { tier: last, subscription: known?.subscription, pastDueFrom: known?.pastDueFrom?.getTime() }
    const finding = findingOf(mapper, subscriptions, before, graceMs, tracker.clock())
    const { facts, passedOver, puzzles } = finding
    // Whoever never paid for anything keeps what somebody else may have given them; that somebody has looked is written all the same.
    const neverPaid = known?.subscription === undefined && subscriptions.every(({ status }) => neverGrants(status))
    const tier = neverPaid ? undefined : finding.tier
    const update = { ...factsToWrite(facts, known), tier, customers, passedOver, reason: cause, fence }
    const restartDue = resetOnRenewal === true ? restartAfter(facts, known, fence) : undefined
    if (!(await tracker.setUserBilling(user, { ...update, restartDue, replaces: known?.fence ?? 0 }))) continue
    if (restartDue !== undefined && finding.isPaid) await restart(tracker, user, restartDue, update)
    return { outcome: neverPaid ? 'ignored' : 'written', ...(tier !== undefined && { tier }), puzzles }
  }
  throw new StoreUnavailableError(`user "${user.userId}": the directory changed at each of ${MOST_ATTEMPTS} attempts. Try again.`)
}

/** Noted before it is done, and struck out afterwards: whoever comes after a crash in between does it again, which changes nothing. */
async function restart<Tier extends string>(tracker: LookTools<Tier>['tracker'], user: UserRef, since: Date | number, update: BillingUpdate<Tier>): Promise<void> {
  await tracker.restartWindows(user, { since })
  await tracker.setUserBilling(user, update)
}

/** Since when windows are still to begin: since the period that the same position has begun by now, or that an earlier look noted. */
function restartAfter(facts: Facts | undefined, known: UserBilling | undefined, fence: number): Date | number | undefined {
  // Nothing is understood, or nothing is paid for at present: what was noted waits.
  if (facts?.item === undefined) return known?.restartDue
  if (facts.item !== known?.item) return undefined
  if (facts.period === undefined || known.period === undefined || facts.period.startsAt <= known.period.startsAt.getTime()) return known.restartDue
  // A change of price may move the period too, as often as somebody likes: only the end of one is a renewal then.
  if (facts.price !== known.price && facts.period.startsAt < known.period.endsAt.getTime()) return known.restartDue
  // Never ahead of the store's time: a repeat must find that windows have begun since. The fence is not below it, and hardly above.
  return Math.min(facts.period.startsAt, fence)
}

/** What is written of a user: what was found, or what was known where nothing is understood. */
function factsToWrite(facts: Facts | undefined, known: UserBilling | undefined): Facts {
  // The position is remembered: it may be paid for again.
  if (facts !== undefined) return facts.item === undefined ? { ...facts, item: known?.item } : facts
  if (known === undefined) return { standing: 'none' }
  const { standing, pastDueFrom, subscription, item, price, period, endsAt } = known
  const spanned = period && { ...period, startsAt: period.startsAt.getTime(), endsAt: period.endsAt.getTime() }
  return { standing: standing === 'grace' ? 'past_due' : standing, pastDueFrom: pastDueFrom?.getTime(), subscription, item, price, period: spanned, endsAt: endsAt?.getTime() }
}
