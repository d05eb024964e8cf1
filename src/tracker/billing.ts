// What a payment provider says of a user, written to the directory and read from it: instants become dates here, and what changed
// is announced once it is stored. Knows no provider.

import { z } from 'zod'
import { idSchema, standingAt, type Billing, type PassedOver, type UserRef } from '../budget/index.js'
import type { Standing } from '../enforcement/index.js'
import type { DirectoryEntry } from '../store/index.js'
import { assertInstant, type RenewalStep } from '../time/index.js'
import type { JudgedScope } from './accounts.js'
import type { Foundation } from './foundation.js'
import { parseStrictly } from './requests.js'

/** An instant: a Date, or milliseconds since the epoch. */
export type Instant = Date | number

/** What a look at a payment provider's state has found of a user. It replaces what was known; fields that are absent are not known. */
export interface BillingUpdate<Tier extends string = string> {
  /** The tier that follows; `null` takes the stored one away, absent leaves it as it is. */
  readonly tier?: Tier | null | undefined
  readonly standing: Exclude<Standing, 'grace'>
  /** When grace ends: until then a standing of `past_due` is `grace`. */
  readonly pastDueFrom?: Instant | undefined
  /** The ids under which the provider knows the user. */
  readonly customers: readonly string[]
  /** The subscription that gives the tier, the position of it that does, and its price. */
  readonly subscription?: string | undefined
  readonly item?: string | undefined
  readonly price?: string | undefined
  /** What has been paid for, start inclusive, end exclusive; and how long the periods after it are, where that is known. */
  readonly period?: { readonly startsAt: Instant; readonly endsAt: Instant; readonly renewsEvery?: RenewalStep | undefined } | undefined
  /** When the tier will end, where that is known. */
  readonly endsAt?: Instant | undefined
  /** A renewal after which the user's windows are still to begin anew: kept until `restartWindows` was seen to succeed. */
  readonly restartDue?: Instant | undefined
  readonly passedOver?: readonly PassedOver[] | undefined
  /** What made somebody look: an event's type and id, for one. */
  readonly reason: string
  /**
   * A number that was drawn before the look began, such as the version of a record in `tracker.registry`: a look that began earlier is
   * never written over one that began later.
   */
  readonly fence: number
  /**
   * The fence of the billing from which the update was worked out (0: there was none): where another stands there by now, nothing is
   * changed. Absent: whatever stands there is replaced.
   */
  readonly replaces?: number | undefined
}

/** What the directory knows of a user's payments. */
export interface UserBilling {
  /** As it stands now: `grace` becomes `past_due` by itself. */
  readonly standing: Standing
  readonly pastDueFrom: Date | undefined
  readonly customers: readonly string[]
  readonly subscription: string | undefined
  readonly item: string | undefined
  readonly price: string | undefined
  readonly period: { readonly startsAt: Date; readonly endsAt: Date; readonly renewsEvery?: RenewalStep | undefined } | undefined
  /** When the tier will end: the subscription was cancelled to the end of its period. */
  readonly endsAt: Date | undefined
  readonly restartDue: Date | undefined
  readonly passedOver: readonly PassedOver[]
  /** When what stands here, or the tier, last changed, and why. */
  readonly changedAt: Date
  readonly reason: string
  readonly fence: number
}

/** What became of an update: `written` is false where it came too late. */
export interface BillingWritten {
  readonly written: boolean
  /** False where all that was found was known before. */
  readonly changed: boolean
  readonly before: DirectoryEntry
  readonly after: DirectoryEntry
}

const instant = z.union([z.date(), z.number()]).transform((value, context) => {
  try {
    return toMs(value, 'instant')
  } catch (error) {
    context.addIssue((error as Error).message)
    return z.NEVER
  }
})

const text = z.string().min(1).max(512)

const fenceSchema = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER)

/** Nothing is renewed less often than once in ten years. */
const stepSchema = z.int().min(1).max(3_660)

const updateSchema = z.strictObject({
  tier: idSchema.nullable().optional(),
  standing: z.enum(['active', 'trialing', 'past_due', 'none']),
  pastDueFrom: instant.optional(),
  customers: z.array(text),
  subscription: text.optional(),
  item: text.optional(),
  price: text.optional(),
  period: z
    .strictObject({ startsAt: instant, endsAt: instant, renewsEvery: z.union([z.strictObject({ months: stepSchema }), z.strictObject({ days: stepSchema })]).optional() })
    .refine(({ startsAt, endsAt }) => startsAt < endsAt, 'must start before it ends')
    .optional(),
  endsAt: instant.optional(),
  restartDue: instant.optional(),
  passedOver: z.array(z.strictObject({ subscription: text, status: text, tier: idSchema.optional() })).optional(),
  reason: text,
  fence: fenceSchema,
  replaces: fenceSchema.optional(),
})

/** Writes an update. Throws `InvalidRequestError` for one that is none; then nothing was changed. */
export async function writeBilling({ store, clock }: Foundation, user: UserRef, update: BillingUpdate): Promise<BillingWritten> {
  const { tier, replaces, ...said } = parseStrictly(updateSchema, update, 'billing')
  const known = await store.directory.get(user)
  const isSame = known?.billing !== undefined && (tier === undefined || (tier ?? undefined) === known.tier) && contentOf(said) === contentOf(known.billing)
  const billing: Billing = { ...defined(said), changedAt: isSame ? known.billing.changedAt : clock(), reason: isSame ? known.billing.reason : said.reason }
  const { before, after } = await store.directory.change(user, { tier, billing, replaces })
  const stored = before.billing?.fence ?? 0
  const written = billing.fence >= stored && (replaces === undefined || replaces === stored)
  return { written, changed: written && !isSame, before, after }
}

/** What `setUserBilling` was given, as plain data: instants in ms since the epoch. Nothing for what is none. */
export function plainBilling(update: BillingUpdate): Readonly<Record<string, unknown>> {
  return defined(updateSchema.parse(update))
}

/** What a directory entry says of a user's payments at `now`. */
export function userBilling(billing: Billing, now: number): UserBilling {
  const { customers, subscription, item, price, period, passedOver = [], reason, fence } = billing
  return {
    standing: standingAt(billing, now) as Standing,
    pastDueFrom: dateOf(billing.pastDueFrom),
    customers,
    subscription,
    item,
    price,
    period: period && { ...period, startsAt: new Date(period.startsAt), endsAt: new Date(period.endsAt) },
    endsAt: dateOf(billing.endsAt),
    restartDue: dateOf(billing.restartDue),
    passedOver,
    changedAt: new Date(billing.changedAt),
    reason,
    fence,
  }
}

/** Begins a user's calendar windows anew that began before `since`; gives how many there were. */
export async function restartWindows({ store, accounts, effects }: Foundation, user: UserRef, since: Instant): Promise<number> {
  const from = toMs(since, 'since')
  const { scopes } = await accounts.find({ user, tier: undefined })
  const { scope, key, windows } = scopes[0] as JudgedScope
  const reply = await store.restart({ scope, key, windows, since: from })
  effects.announce(reply.effects)
  return reply.begun
}

function dateOf(instant: number | undefined): Date | undefined {
  return instant === undefined ? undefined : new Date(instant)
}

/** What two looks are compared by: all that they found, but not when and why. Keys in one order, whatever wrote them. */
function contentOf({ standing, pastDueFrom, customers, subscription, item, price, period, endsAt, passedOver = [] }: Omit<Billing, 'changedAt' | 'reason' | 'fence'>): string {
  const others = passedOver.map(({ subscription: id, status, tier }) => [id, status, tier])
  return JSON.stringify([standing, pastDueFrom, customers, subscription, item, price, period?.startsAt, period?.endsAt, period?.renewsEvery, endsAt, others])
}

/** An instant in ms since the epoch. Throws `InvalidRequestError` for what is none. */
export function toMs(value: Instant, field: string): number {
  return assertInstant(value instanceof Date ? value.getTime() : value, field)
}

/** Without fields that are there and undefined: an entry must read the same from every store. */
function defined<T extends object>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T
}
