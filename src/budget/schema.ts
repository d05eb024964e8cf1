// The shape of budgets as people write them, in code or in a JSON file. Says what is well-formed; what it means is plan.ts.

import { z } from 'zod'
import { isBursarError } from '../errors/index.js'
import { isThresholdPolicy, type Thresholds, type ThresholdPolicy } from '../enforcement/index.js'
import { parseCount, parseUsd, type Usd } from '../money/index.js'
import { assertTimeZone, parseDuration, type Duration, type Weekday } from '../time/index.js'

/** A limit: USD, or several units at once. `{}` counts without a limit, on purpose. */
export type AmountConfig = Usd | { readonly usd?: Usd | undefined; readonly tokens?: number | undefined; readonly requests?: number | undefined }

/**
 * A limit for each month. With `anchor: 'subscription'` a month is what the user's subscription has paid for: the period that
 * `setUserBilling` was told, or a month of it where it is longer, from its start and at its time of day, and on by the month after its
 * end. For a user of whom no period is known it is the calendar month. All monthly windows of the tier follow, whatever their unit.
 *
 * A window that has begun keeps its end. So where the anchor changes (a new subscription, another tier), what was spent counts until
 * the running window ends, and what follows is the rest of the new month, with the whole limit. `restartWindows` begins the new month
 * at once.
 */
export type MonthlyAmountConfig =
  | AmountConfig
  | { readonly usd?: Usd | undefined; readonly tokens?: number | undefined; readonly requests?: number | undefined; readonly anchor?: 'subscription' | undefined }

/** A policy in JSON: the name of a built-in one, or a name with thresholds in percent. */
export type PolicyConfig = string | { readonly call?: never; readonly name: string; readonly thresholds?: Thresholds | undefined; readonly tiers?: Readonly<Record<string, Thresholds>> | undefined }

/** The limits that an override can set, window by window. */
export interface WindowLimits {
  readonly daily?: AmountConfig | undefined
  readonly weekly?: AmountConfig | undefined
  readonly monthly?: AmountConfig | undefined
  /** Never ends. */
  readonly total?: AmountConfig | undefined
  /** Trailing windows by length: `{ '5h': 0.5, '1m': { requests: 20 } }`. Their resolution is a twentieth of the length. */
  readonly rolling?: { readonly [length in Extract<Duration, string>]?: AmountConfig } | undefined
}

/** When calendar windows start. Days start at midnight, weeks on Monday, months on the 1st, in UTC, unless told otherwise. */
export interface CalendarConfig {
  /** An IANA time zone. */
  readonly timeZone?: string | undefined
  /** 0 is Sunday. */
  readonly weekStartsOn?: Weekday | undefined
  /** 1 to 31; 29 to 31 mean the month's last day where it is shorter. */
  readonly monthStartsOn?: number | undefined
}

/** The limits of one scope in each of its windows. */
export interface BudgetConfig extends WindowLimits, CalendarConfig {
  /** Who judges a shared budget; default: strict. A tier's budget is judged by the registered policies instead. */
  readonly policies?: readonly (ThresholdPolicy<string> | PolicyConfig)[] | undefined
}

/** What a limit that is made at run time allows: as a {@link BudgetConfig}, but it says itself how it is judged. */
export type LimitBudget = WindowLimits & CalendarConfig

/** The limits of a tier's users. */
export interface TierBudgetConfig extends BudgetConfig {
  readonly monthly?: MonthlyAmountConfig | undefined
}

/** Shared budgets by kind and id: `{ tenant: { acme: { monthly: 500 }, '*': {} }, team: { search: { daily: 40 } } }`. */
export type ScopeGroups = Readonly<Record<string, Readonly<Record<string, BudgetConfig>>>>

/** Ids that people choose: 1 to 256 characters with something visible, no control characters, no half of a surrogate pair. */
export const idSchema = z.string().refine(isId, 'must be 1 to 256 visible characters')

const CONTROL = /[\u0000-\u001f\u007f-\u009f]/

/** True for an id: see {@link idSchema}. */
export function isId(text: unknown): text is string {
  return typeof text === 'string' && text.length > 0 && text.length <= 256 && !CONTROL.test(text) && text.isWellFormed() && text.trim() !== ''
}

/** USD of either form. Whether it is an amount is for `parseUsd` to say: it names the value and the remedy. */
export const usdSchema = z.custom<Usd>((value) => typeof value === 'number' || typeof value === 'string', 'must be USD: a number, or a decimal string')

/** A count; whether it is one is for `parseCount` to say. */
export const countSchema = z.custom<number>((value) => typeof value === 'number', 'must be a number')

const amountShape = { usd: usdSchema.optional(), tokens: countSchema.optional(), requests: countSchema.optional() }
const misplacedAnchor = z.custom<undefined>((value) => value === undefined, {
  error: ({ input }) => `${JSON.stringify(input)} has no meaning here: the monthly limit of a tier's budget alone can follow a subscription. Remove the anchor`,
})
const anchorSchema = z.literal('subscription', { error: ({ input }) => `${JSON.stringify(input)} is no anchor. Use 'subscription', or leave it out for calendar months` })

const amountSchema = z.union([usdSchema, z.strictObject({ ...amountShape, anchor: misplacedAnchor.optional() })]).superRefine(reportAmount)
const monthlyAmountSchema = z.union([usdSchema, z.strictObject({ ...amountShape, anchor: anchorSchema.optional() })]).superRefine(reportAmount)

function reportAmount(amount: AmountConfig, context: { addIssue(message: string): void }): void {
  const parts = typeof amount === 'object' ? amount : { usd: amount }
  if (parts.usd !== undefined) reportThrown(context, () => parseUsd(parts.usd, 'amount', 'refuse'))
  if (parts.tokens !== undefined) reportThrown(context, () => parseCount(parts.tokens, 'tokens'))
  if (parts.requests !== undefined) reportThrown(context, () => parseCount(parts.requests, 'requests'))
}

const lengthSchema = z.string().superRefine((length, context) => {
  reportThrown(context, () => parseDuration(length, 'rolling'))
})

const percentSchema = z.number()
const thresholdsSchema = z.strictObject({ warn: percentSchema.optional(), degrade: percentSchema.optional(), block: percentSchema.optional() })

/** A policy as JSON writes it. */
export const policyConfigSchema = z.union([
  z.string(),
  z.strictObject({ name: z.string().min(1), thresholds: thresholdsSchema.optional(), tiers: z.record(z.string(), thresholdsSchema).optional() }),
])

const calendarShape = {
  timeZone: z.string().superRefine((zone, context) => reportThrown(context, () => assertTimeZone(zone, 'timeZone'))).optional(),
  weekStartsOn: z.union([z.literal(0), z.literal(1), z.literal(2), z.literal(3), z.literal(4), z.literal(5), z.literal(6)]).optional(),
  monthStartsOn: z.int().min(1).max(31).optional(),
}

const windowShape = {
  daily: amountSchema.optional(),
  weekly: amountSchema.optional(),
  monthly: amountSchema.optional(),
  total: amountSchema.optional(),
}

/** The schema of {@link CalendarConfig}'s fields, to be spread into another object's. */
export const calendarFields = calendarShape

/** The schema of a {@link BudgetConfig}. */
export const budgetConfigSchema = z.strictObject({
  ...windowShape,
  rolling: z.record(lengthSchema, amountSchema).optional(),
  ...calendarShape,
  policies: z.array(z.union([policyConfigSchema, z.custom<ThresholdPolicy<string>>(isThresholdPolicy, 'must be a policy made of thresholds')])).optional(),
})

/** The schema of a {@link LimitBudget}. */
export const limitBudgetSchema = budgetConfigSchema.omit({ policies: true })

/** The schema of a {@link TierBudgetConfig}. */
export const tierBudgetConfigSchema = budgetConfigSchema.extend({ monthly: monthlyAmountSchema.optional() })

/** The schema of an override: windows only; `null` takes the override of that window away. */
export const overrideSchema = z.strictObject({
  daily: amountSchema.nullable().optional(),
  weekly: amountSchema.nullable().optional(),
  monthly: amountSchema.nullable().optional(),
  total: amountSchema.nullable().optional(),
  rolling: z.record(lengthSchema, amountSchema.nullable()).optional(),
})

/** The schema of {@link ScopeGroups}. */
export const scopeGroupsSchema = z.record(idSchema, z.record(idSchema, budgetConfigSchema))

function reportThrown(context: { addIssue(message: string): void }, parse: () => unknown): void {
  try {
    parse()
  } catch (error) {
    if (!isBursarError(error)) throw error
    context.addIssue(error.message)
  }
}
