// What a Bursar is configured with: the schema of the whole, for code and for a JSON file.

import { z } from 'zod'
import { idSchema, policyConfigSchema, type PolicyConfig } from './budget/index.js'
import type { DecisionLogConfig, Estimate, IdentifiedRequest } from './decision/index.js'
import type { Combine, EnforcementAction, Policy } from './enforcement/index.js'
import { PriceBook, pricesConfigSchema, type LadderConfig, type ModelPrice, type PricesConfig } from './pricing/index.js'
import type { Duration } from './time/index.js'
import type { SettleQueueConfig } from './outage/index.js'
import { budgetsFields, durationSchema, type BudgetsConfig } from './tracker/index.js'

/** Loads what policies need from elsewhere, before they run. What it returns is `context.facts`; what it throws rejects the check. */
export type Enrich<Tier extends string = string, Group extends string = string> = (
  request: IdentifiedRequest<Tier, Group>,
  options: { readonly signal: AbortSignal | undefined },
) => Readonly<Record<string, unknown>> | Promise<Readonly<Record<string, unknown>>>

/** Counts the tokens of a text for a model. */
export type Tokenizer = (text: string, model: string | undefined) => number

/** Configuration of a `Bursar`. Every failure mode is an option, and its default refuses. */
export interface BursarConfig<Tier extends string = string, Group extends string = string> extends BudgetsConfig<Tier, Group> {
  /** Who judges the users' own windows. Default: `[strictBudgetEnforcement]`. In JSON, names or `{ name, thresholds }`. */
  readonly policies?: readonly (Policy<NoInfer<Tier>> | PolicyConfig)[] | undefined
  /** What counts when a policy throws or returns no action. Default `'BLOCK'`. */
  readonly onPolicyError?: EnforcementAction | undefined
  readonly combine?: Combine | undefined
  /** Writes every verdict to the logger. */
  readonly verbose?: boolean | undefined
  /** For each model the next cheaper one, or the whole way down. */
  readonly ladder?: LadderConfig | undefined
  /** What tokens cost: `priceBook()` of `bursar/prices`, or prices of your own as plain data. */
  readonly prices?: PriceBook | PricesConfig | undefined
  /**
   * How many tokens a text is for a model: for bounds of what wrapped clients send, and of streams that break off. Without one, or where it fails, a
   * text counts its UTF-8 bytes: never too few, for English some four times too many.
   */
  readonly tokenizer?: Tokenizer | undefined
  /** A model that stands in no price book: an error (default), or what it costs then. */
  readonly onUnpricedModel?: 'error' | ModelPrice | undefined
  /** What a request is expected to cost on a model, in USD. */
  readonly estimate?: Estimate | undefined
  readonly enrich?: Enrich<NoInfer<Tier>, NoInfer<Group>> | undefined
  /** How long money is held for a call that never reports back. Default 10 minutes. */
  readonly holdTtl?: Duration | undefined
  /** What such a call is charged: its estimate (`'charge'`, the default: it was most likely made), or nothing. */
  readonly onHoldExpiry?: 'charge' | 'release' | undefined
  /** For a named model that the ladder does not know, where a policy says DEGRADE: refuse (default), or only say so. */
  readonly onNoCheaperModel?: 'block' | 'allow' | undefined
  /**
   * When a store is away: refuse (default), allow without a hold, or (for a shared store) allow from this process's `localShare` of
   * what the windows had left when the store last spoke of them. A store that has lost its data refuses whatever stands here.
   */
  readonly onStoreError?: 'block' | 'allow' | 'local' | undefined
  /**
   * For `'local'`: above 0, at most 1. The shares of all processes together must be at most 1, such as 1 / number of processes, else
   * they can admit more than was left. Used once for each outage: what a call costs less than its estimate is not given back.
   */
  readonly localShare?: number | undefined
  /** Where settles and releases wait while a shared store is away. Default: up to 10,000 in memory. */
  readonly settleQueue?: SettleQueueConfig | undefined
  /**
   * Which decisions {@link Bursar.explain} can explain: `keep` is `'notable'` (default: DEGRADE and BLOCK), `'all'` or `'none'`; of
   * these the newest `max` (default 1,000) in this process, and, for a shared store, as many places there, so that another process can explain
   * them for 30 days. A request's `query` and `metadata` are not kept.
   */
  readonly decisionLog?: DecisionLogConfig | undefined
  /** Shown in denials. */
  readonly upgradeUrl?: string | undefined
  /**
   * What to offer a user of that tier whose own budget refuses, such as `'Pro ($29/mo)'`; shown in denials, and left out where it
   * gives nothing or throws. `StripeTierMapper.getUpgradeTier` is one.
   */
  readonly suggestUpgrade?: ((tier: string) => string | undefined) | undefined
}

/**
 * Types a configuration that is written apart from `new Bursar(…)`: its tiers and groups are inferred, and a mistyped one does
 * not compile. It changes nothing; the constructor checks.
 */
export function defineConfig<const Tier extends string, const Group extends string = never>(config: BursarConfig<Tier, Group>): BursarConfig<Tier, Group> {
  return config
}

const fn = <T>(what: string): z.ZodType<T> => z.custom<T>((value) => typeof value === 'function', `must be ${what}`)
const object = <T>(what: string): z.ZodType<T> => z.custom<T>((value) => typeof value === 'object' && value !== null, `must be ${what}`)
const action = z.enum(['ALLOW', 'WARN', 'DEGRADE', 'BLOCK'])

/** The schema of {@link BursarConfig}: `bursarConfig.parse(JSON.parse(text))` checks a whole configuration file. */
export const bursarConfig = z.strictObject({
  ...budgetsFields,
  policies: z.array(z.union([policyConfigSchema, fn<Policy<string>>('a policy')])).optional(),
  onPolicyError: action.optional(),
  combine: z.enum(['most-severe', 'first-match']).optional(),
  verbose: z.boolean().optional(),
  ladder: z.record(idSchema, z.union([idSchema, z.array(idSchema)])).optional(),
  prices: z.union([z.instanceof(PriceBook), pricesConfigSchema]).optional(),
  tokenizer: fn<Tokenizer>('a function of text and model that gives tokens').optional(),
  onUnpricedModel: z.union([z.literal('error'), object<ModelPrice>("'error' or what such a model costs")]).optional(),
  estimate: fn<Estimate>('a function of request and model that gives USD').optional(),
  enrich: fn<Enrich>('a function of the request').optional(),
  holdTtl: durationSchema.optional(),
  onHoldExpiry: z.enum(['charge', 'release']).optional(),
  onNoCheaperModel: z.enum(['block', 'allow']).optional(),
  onStoreError: z.enum(['block', 'allow', 'local']).optional(),
  localShare: z.number().refine((share) => share > 0 && share <= 1, 'must be above 0 and at most 1: all shares together at most 1').optional(),
  settleQueue: z.strictObject({ path: z.string().min(1).optional(), max: z.int().min(1).optional() }).optional(),
  decisionLog: z.strictObject({ keep: z.enum(['notable', 'all', 'none']).optional(), max: z.int().min(1).max(1_000_000).optional() }).optional(),
  upgradeUrl: z.string().optional(),
  suggestUpgrade: fn<(tier: string) => string | undefined>('a function that gives what to offer to a user of a tier').optional(),
}).refine((config) => config.onStoreError !== 'local' || config.localShare !== undefined, {
  path: ['localShare'],
  message: "is missing, and onStoreError: 'local' needs it. Give this process's share of what is left, such as 1 / number of processes",
})
