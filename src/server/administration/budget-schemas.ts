// Amounts, windows and limits as JSON: what bodies may have, and how answers show them. What an amount means the engine says; here is its
// shape alone.

import { z } from '@hono/zod-openapi'
import { isId, type AmountConfig, type WindowLimits } from '../../budget/index.js'
import { UNITS } from '../../money/index.js'
import { idParameter } from '../route.js'

/** USD as a number, or exactly as a decimal text. */
const usd = z.union([z.number().min(0), z.string().regex(/^\d{1,15}(\.\d{1,8})?$/)])

const count = z.int().min(0)

/** An amount: USD, or several units at once. `{}` lifts the limit. */
export const amountSchema = z
  .union([usd, z.strictObject({ usd: usd.optional(), tokens: count.optional(), requests: count.optional() })])
  .openapi('Amount', { description: 'USD (a number, or a decimal text for exactly that), or `{ usd, tokens, requests }`. `{}` counts without a limit.' })

const nullableAmount = z.union([amountSchema, z.null()])

/** Each is a window that every request of whoever has it is counted in. */
const MOST_LENGTHS = 10

/** Trailing windows by their length. */
function lengths<Amount extends z.ZodType>(amount: Amount): z.ZodRecord<z.ZodString, Amount> {
  return z
    .record(z.string().max(20), amount)
    .refine((given) => Object.keys(given).length <= MOST_LENGTHS, `has more than ${MOST_LENGTHS} lengths`)
    .openapi({ description: 'Trailing windows by their length: `{ "5h": 0.5 }`.' })
}

/** A name for people. */
export const nameSchema = z.string().min(1).max(200).refine(isId, 'must be visible characters')

/** Amounts of each window; `null` takes what is set for it away. */
export const overrideFields = {
  daily: nullableAmount.optional(),
  weekly: nullableAmount.optional(),
  monthly: nullableAmount.optional(),
  total: nullableAmount.optional(),
  rolling: lengths(nullableAmount).optional(),
}

const calendarFields = {
  timeZone: z.string().max(100).optional(),
  weekStartsOn: z.int().min(0).max(6).optional().openapi({ description: '0 is Sunday.' }),
  monthStartsOn: z.int().min(1).max(31).optional(),
}

/** What a limit allows. */
export const limitBudgetSchema = z
  .strictObject({ daily: amountSchema.optional(), weekly: amountSchema.optional(), monthly: amountSchema.optional(), total: amountSchema.optional(), rolling: lengths(amountSchema).optional(), ...calendarFields })
  .openapi('LimitBudget')

/** What a limit is to allow from now on: what is left out stays, `null` takes it away. */
export const budgetPatchSchema = z.strictObject({
  ...overrideFields,
  rolling: lengths(nullableAmount).nullable().optional(),
  timeZone: calendarFields.timeZone.unwrap().nullable().optional(),
  weekStartsOn: calendarFields.weekStartsOn.unwrap().nullable().optional(),
  monthStartsOn: calendarFields.monthStartsOn.unwrap().nullable().optional(),
})

/** An instant. */
export const timeSchema = z.iso.datetime({ offset: true })

/** A window of a user, a shared budget or a limit: a `WindowRow` of views.ts. */
export const windowSchema = z
  .strictObject({
    scope: z.strictObject({ kind: z.string(), id: z.string(), tenant: z.string().optional() }),
    limitId: z.string().nullable().openapi({ description: 'The limit that was made at run time; null for a budget of the configuration, and for a user.' }),
    period: z.string().openapi({ example: 'monthly' }),
    unit: z.enum(['usd', 'tokens', 'requests']),
    spent: z.number(),
    held: z.number(),
    limit: z.number().nullable(),
    remaining: z.number().nullable().openapi({ description: 'limit − spent − held, never below 0; null without a limit.' }),
    usedPct: z.number(),
    exceeded: z.boolean(),
    startsAt: timeSchema,
    resetsAt: timeSchema.nullable(),
    forecast: z.null(),
  })
  .openapi('Window')

/** One limit that a user has instead of the tier's. */
export const overrideSchema = z.strictObject({ period: z.string(), unit: z.enum(['usd', 'tokens', 'requests']), limit: z.number().nullable(), until: timeSchema.nullable() }).openapi('Override')

/** Which page of a list. */
export const pageFields = {
  limit: z.coerce.number().int().min(1).max(1_000).optional().openapi({ description: 'How many at most; 100 by default.' }),
  cursor: z.string().min(1).max(2_000).optional().openapi({ description: 'The `next` of the page before.' }),
}

/** A page of a list. */
export function pageSchema<Item extends z.ZodType>(item: Item, name: string): z.ZodObject<{ items: z.ZodArray<Item>; next: z.ZodOptional<z.ZodString> }, z.core.$strict> {
  return z.strictObject({ items: z.array(item), next: z.string().optional().openapi({ description: 'Where the next page begins; absent on the last one.' }) }).openapi(name)
}

/** A tenant's or a user's id in a path. */
export const idParams = z.strictObject({ id: idParameter })

/** Amounts as answers have them: USD as numbers, whatever they were given as. */
export function amountShown(amount: AmountConfig): number | Readonly<Record<string, number>> {
  if (typeof amount !== 'object') return Number(amount)
  return Object.fromEntries(UNITS.flatMap((unit) => (amount[unit] === undefined ? [] : [[unit, Number(amount[unit])]])))
}

/** The windows of a budget with their amounts as answers have them; what else it has stays as it is. */
export function limitsShown<Budget extends WindowLimits>({ daily, weekly, monthly, total, rolling, ...rest }: Budget): Record<string, unknown> {
  const named = Object.entries({ daily, weekly, monthly, total }).flatMap(([period, amount]) => (amount === undefined ? [] : [[period, amountShown(amount as AmountConfig)]]))
  const lengths = Object.entries(rolling ?? {}).flatMap(([length, amount]) => (amount === undefined ? [] : [[length, amountShown(amount as AmountConfig)]]))
  return { ...Object.fromEntries(named), ...(lengths.length > 0 && { rolling: Object.fromEntries(lengths) }), ...rest }
}
