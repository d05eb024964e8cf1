// The shape of an application's own prices, in code or in a JSON file. Says what is well-formed and refuses the rest.

import { z } from 'zod'
import { idSchema, usdSchema } from '../budget/index.js'
import { readDate, readTime } from './dated-prices.js'
import { CALLS, METERS } from './meters.js'
import type { ModelPrice, ModelPrices, RateName } from './price.js'
import { flawIn } from './rates.js'

/** Prices of an application's own: plain data, as a configuration file has it. A name may carry its provider: `'openai/gpt-4o'`. */
export interface PricesConfig {
  /** By the exact name of the model. */
  readonly models?: Readonly<Record<string, ModelPrices>> | undefined
  /** Prices of single tenants, above all others. */
  readonly tenants?: Readonly<Record<string, Readonly<Record<string, ModelPrices>>>> | undefined
  /** Other names of models: `{ 'my-deployment': 'gpt-4o' }`. A name that stands here has no price of its own. */
  readonly aliases?: Readonly<Record<string, string>> | undefined
}

// What is a rate or a count, flawIn says: it names the value and the remedy.
const anyNumber = z.custom<number>((value) => typeof value === 'number', 'must be a number')
const rateSchema = z.union([
  usdSchema,
  z.strictObject({ base: usdSchema, tiers: z.array(z.strictObject({ above: anyNumber, price: usdSchema })), per: anyNumber.optional() }),
  z.strictObject({ price: usdSchema, per: anyNumber }),
])

const rateNames: readonly RateName[] = [CALLS.rate, ...METERS.map(({ rate }) => rate)]
const rates = Object.fromEntries(rateNames.map((name) => [name, rateSchema.optional()])) as Record<RateName, z.ZodOptional<typeof rateSchema>>
const tokensSchema = z.int().min(1)
const priceShape = { ...rates, minAudioSeconds: anyNumber.optional(), contextWindow: tokensSchema.optional(), maxOutputTokens: tokensSchema.optional() }

function reportFlaw(price: ModelPrice, context: { addIssue(issue: { code: 'custom'; path: PropertyKey[]; message: string }): void }): void {
  const flaw = flawIn(price)
  if (flaw !== undefined) context.addIssue({ code: 'custom', path: [...flaw.path], message: flaw.message })
}

const dateSchema = z.custom<string>((value) => typeof value === 'string' && readDate(value) !== undefined, {
  error: ({ input }) => `${JSON.stringify(input)} is no day. Give one such as '2026-01-31'`,
})
const timeSchema = z.custom<string>((value) => typeof value === 'string' && readTime(value) !== undefined, {
  error: ({ input }) => `${JSON.stringify(input)} is no time of day. Give one such as '16:30', in UTC`,
})
const dailySchema = z
  .strictObject({ from: timeSchema, to: timeSchema })
  .refine(({ from, to }) => readTime(from) !== readTime(to), 'starts when it ends. Leave it out for the whole day')

const modelPriceSchema = z.strictObject(priceShape).superRefine(reportFlaw)
const datedPriceSchema = z.strictObject({ ...priceShape, from: dateSchema.optional(), daily: dailySchema.optional() }).superRefine(reportFlaw)
const datedPricesSchema = z.array(datedPriceSchema).min(1, 'has no price. Give at least one').superRefine((prices, context) => {
  const refuse = (index: number, message: string): void => void context.addIssue({ code: 'custom', path: [index, 'from'], message })
  let last = -Infinity
  // The last one that counts is taken: in another order, some would never count, or again long after they ended.
  for (const [index, { from, daily }] of prices.entries()) {
    const start = from === undefined ? -Infinity : (readDate(from) as number)
    if (index > 0 && from === undefined && daily === undefined) refuse(index, 'is missing, and the prices before it would never count. Say from which day it counts, or put it first')
    else if (from !== undefined && start < last) refuse(index, `${from} is before a day that stands above it. Put prices in the order of their days`)
    else if (from !== undefined && daily === undefined && start === last) refuse(index, `${from} stands above it too, which would never count. Keep one of them, and put the hours of a day after it`)
    last = Math.max(last, start)
  }
})
const modelPricesSchema = z.custom<ModelPrices>((value) => typeof value === 'object' && value !== null, 'must be a price, or a list of dated ones').superRefine((value, context) => {
  // Which of the two it is stands in the value: a union would say of each why it is not the other.
  const parsed = (Array.isArray(value) ? datedPricesSchema : modelPriceSchema).safeParse(value)
  if (!parsed.success) for (const issue of parsed.error.issues) context.issues.push({ ...issue, input: value } as z.core.$ZodRawIssue)
})
const modelsSchema = z.record(idSchema, modelPricesSchema)

/** The schema of {@link PricesConfig}. Whether aliases lead to a price, `PriceBook` says: it knows the catalog. */
export const pricesConfigSchema = z
  .strictObject({
    models: modelsSchema.optional(),
    tenants: z.record(idSchema, modelsSchema).optional(),
    aliases: z.record(idSchema, idSchema).optional(),
  })
  .superRefine(({ models = {}, tenants = {}, aliases = {} }, context) => {
    const named = [
      ...Object.keys(models).map((name) => [name, `models.${name}`] as const),
      ...Object.entries(tenants).flatMap(([tenant, own]) => Object.keys(own).map((name) => [name, `tenants.${tenant}.${name}`] as const)),
    ]
    const refuse = (alias: string, message: string): void => void context.addIssue({ code: 'custom', path: ['aliases', alias], message })
    for (const [alias, target] of Object.entries(aliases)) {
      const priced = named.find(([name]) => name === alias)
      if (priced !== undefined) refuse(alias, `is another name of "${target}", and ${priced[1]} gives it a price of its own. Keep one of them`)
      const way = wayFrom(alias, aliases)
      if (new Set(way).size < way.length) refuse(alias, `goes in a circle (${way.join(' → ')}). Give the name of a model that has a price`)
    }
  })

/** From an alias to what it stands for in the end, or to where it comes back to. */
function wayFrom(alias: string, aliases: Readonly<Record<string, string>>): readonly string[] {
  const way = [alias]
  for (let last = alias; Object.hasOwn(aliases, last) && way.indexOf(last) === way.length - 1; way.push(last)) last = aliases[last] as string
  return way
}
